//! What a strategy means: files, package manager.

use std::path::Path;

use crate::host::HostRead;

/// What a strategy means.
pub(super) struct Family {
    /// The name that `--os` takes.
    pub(super) name: &'static str,
    /// The name for people.
    pub(super) shown: &'static str,
    /// What the strategy takes for granted, in words.
    pub(super) habits: &'static str,
    /// The file that gives logins their proxy.
    pub(super) system_proxy_file: &'static str,
    /// Is that file a shell script? Otherwise pam_env reads it.
    pub(super) system_proxy_is_shell: bool,
    pub(super) package_manager: fn(&dyn HostRead) -> PackageManager,
}

/// What installs packages, and the file that takes its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    /// apt.
    Apt {
        /// A file of ics-setup's own in `apt.conf.d`.
        conf: &'static Path,
    },
    /// dnf.
    Dnf {
        /// `/etc/dnf/dnf.conf`.
        conf: &'static Path,
    },
    /// yum.
    Yum {
        /// `/etc/yum.conf`.
        conf: &'static Path,
    },
}

impl PackageManager {
    /// `apt`, `dnf` or `yum`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apt { .. } => "apt",
            Self::Dnf { .. } => "dnf",
            Self::Yum { .. } => "yum",
        }
    }

    /// The file that takes its proxy.
    pub fn conf(self) -> &'static Path {
        match self {
            Self::Apt { conf } | Self::Dnf { conf } | Self::Yum { conf } => conf,
        }
    }
}
