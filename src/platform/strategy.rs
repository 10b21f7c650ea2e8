//! The strategies: the ways in which systems are treated. A new one is a file with its [`Family`], and a line in each of the
//! three lists here.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::family::Family;
use super::{centos, ubuntu};

/// The way a system is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Like Ubuntu: `/etc/environment`, apt.
    Ubuntu,
    /// Like CentOS: `/etc/profile.d/proxy.sh`, dnf or yum.
    CentOs,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Ubuntu, Self::CentOs];

    /// Their names, as `--os` takes them.
    pub const NAMES: &[&str] = &[ubuntu::FAMILY.name, centos::FAMILY.name];

    pub(super) fn family(self) -> &'static Family {
        match self {
            Self::Ubuntu => &ubuntu::FAMILY,
            Self::CentOs => &centos::FAMILY,
        }
    }

    /// The strategy with this name, as `--os` takes it: `ubuntu` or `centos`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// The name that [`Strategy::parse`] takes.
    pub fn name(self) -> &'static str {
        self.family().name
    }

    pub(super) fn system_proxy_file(self) -> &'static Path {
        Path::new(self.family().system_proxy_file)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
