//! `assets/platform.toml`: which systems there are, and how old they may be.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::strategy::Strategy;
use crate::assets;
use crate::version::Version;

/// The whole file; its comments say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    /// The systems that there is a strategy for, in words.
    pub(super) known: String,
    pub(super) vendor: Vendor,
    #[serde(rename = "system")]
    systems: Vec<System>,
    like: BTreeMap<String, Strategy>,
}

/// What the vendor of the product says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vendor {
    pub(super) listed: String,
    pub(super) source: String,
    pub(super) date: String,
}

/// One operating system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct System {
    pub(super) id: String,
    name_contains: Option<String>,
    pub(super) name: String,
    pub(super) strategy: Strategy,
    #[serde(default)]
    pub(super) listed: bool,
    pub(super) minimum: String,
    older: Option<Older>,
    pub(super) why: String,
    pub(super) upgrade: String,
    lines: Vec<String>,
    pub(super) pam: String,
}

/// Versions that are numerically behind the minimum's successors but were there before it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Older {
    from: Version,
    before: Version,
}

impl Facts {
    /// The facts.
    pub(super) fn get() -> &'static Self {
        static FACTS: LazyLock<Facts> = LazyLock::new(|| assets::read(&assets::PLATFORM));
        &FACTS
    }

    /// The system with this id; `name` tells systems apart that share one.
    pub(super) fn by_id(&self, id: &str, name: &str) -> Option<&System> {
        let fits = |system: &&System| system.name_contains.as_deref().is_none_or(|part| name.contains(part));
        self.systems.iter().filter(|system| system.id == id).find(fits)
    }

    /// The system whose `/etc/*-release` begins like this.
    pub(super) fn by_line(&self, line: &str) -> Option<&System> {
        let begins = |start: &String| line.strip_prefix(start.as_str()).is_some_and(|rest| rest.starts_with(' '));
        self.systems.iter().find(|system| system.lines.iter().any(begins))
    }

    /// The first of the words of `ID_LIKE` that names a family, and its strategy.
    pub(super) fn by_family<'w>(&self, like: &'w [String]) -> Option<(&'w str, Strategy)> {
        like.iter().find_map(|word| Some((word.as_str(), *self.like.get(word)?)))
    }

    #[cfg(test)]
    pub(super) fn systems(&self) -> &[System] {
        &self.systems
    }
}

impl System {
    /// Is this version older than what the strategy is written for?
    pub(super) fn too_old(&self, version: &Version) -> bool {
        let below = Version::parse(&self.minimum).is_some_and(|minimum| *version < minimum);
        below || self.older.as_ref().is_some_and(|older| older.from <= *version && *version < older.before)
    }
}
