//! `assets/engine.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::super::words::Failure;
use crate::assets;
use crate::version::Version;

/// All of it; the comments of the file say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub(super) oldest: Version,
    pub(super) driver: Vec<Driver>,
    pub(super) image: Image,
    pub(super) packages: Vec<Packages>,
    pub(super) lock: Lock,
    pub(super) failure: Vec<Failure>,
}

/// A storage driver that hurts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Driver {
    pub(super) name: String,
    pub(super) why: String,
}

/// What an image needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    pub(super) assumed_mb: u64,
    pub(super) times: u64,
}

/// Packages that give an engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packages {
    pub(super) manager: Vec<String>,
    #[serde(default)]
    pub(super) repository: bool,
    pub(super) engine: String,
    #[serde(default)]
    pub(super) with: Vec<String>,
    pub(super) compose: Vec<String>,
}

/// Another user of the package manager.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    pub(super) says: Vec<String>,
}

impl Facts {
    /// The facts.
    pub(super) fn get() -> &'static Self {
        static FACTS: LazyLock<Facts> = LazyLock::new(|| assets::read(&assets::ENGINE));
        &FACTS
    }

    /// Sets of packages for a package manager, most wanted first: those of Docker's repository where it was named.
    pub(super) fn sets(&self, manager: &str, repository: bool) -> Vec<&Packages> {
        let own = |set: &&Packages| set.manager.iter().any(|name| name == manager);
        let mut sets: Vec<&Packages> = self.packages.iter().filter(own).collect();
        sets.sort_by_key(|set| repository && !set.repository);
        sets
    }
}
