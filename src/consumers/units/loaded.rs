//! What was read of a unit, before any file that it names is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Command, Place, Stop};
use crate::consumers::sight::{Sight, Sights};
use crate::text::Text;

/// A unit as loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub(super) fragment: Option<PathBuf>,
    pub(super) masked: bool,
    /// Files were changed since the running systemd has read them.
    pub(super) needs_reload: bool,
    pub(super) refused: Option<Stop>,
    pub(super) files: Vec<PathBuf>,
    /// `Environment=`.
    pub(super) environment: Variables,
    /// `EnvironmentFile=`.
    pub(super) environment_files: List<EnvironmentFile>,
    /// `PassEnvironment=`.
    pub(super) pass: List<(String, Place)>,
    /// `UnsetEnvironment=`: names, or names with a value.
    pub(super) unset: List<(String, Place)>,
    /// `ExecStart=`.
    pub(super) exec: List<Command>,
    /// `PAMName=`.
    pub(super) pam: Option<Place>,
    pub(super) complaints: Vec<(Place, Text)>,
}

/// One `EnvironmentFile=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EnvironmentFile {
    /// Its pattern; `None`: only the running machine tells.
    pub(super) pattern: Option<String>,
    /// A dash stands before it: the service starts without it.
    pub(super) optional: bool,
    pub(super) at: Place,
}

/// A list that an empty assignment clears.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Why it cannot be told what is on it.
    pub(super) doubt: Option<Stop>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), doubt: None }
    }
}

impl<T> List<T> {
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.doubt = None;
    }
}

/// Variables, and whether there may be others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    pub(super) known: Sights,
    /// Why it cannot be told of the names that are not known.
    pub(super) rest: Option<Stop>,
    /// Names that an empty assignment has taken away, and where.
    pub(super) cleared: BTreeMap<String, Place>,
}

impl Variables {
    /// An empty assignment at `at`.
    pub(super) fn clear(&mut self, at: &Place) {
        self.cleared.extend(self.known.keys().map(|name| (name.clone(), at.clone())));
        self.known.clear();
        self.rest = None;
    }

    /// From here on nothing is certain that is not said again.
    pub(super) fn doubt(&mut self, doubt: Stop) {
        self.known.clear();
        self.rest = Some(doubt);
    }

    pub(super) fn set(&mut self, name: &str, sight: Sight) {
        self.known.insert(name.to_owned(), sight);
    }

    pub(super) fn get(&self, name: &str) -> Option<Sight> {
        let unknown = |doubt: &Stop| Sight::unknown(&doubt.at, doubt.why.clone());
        self.known.get(name).cloned().or_else(|| self.rest.as_ref().map(unknown))
    }

    /// Takes over what is stronger.
    pub(super) fn overlay(&mut self, stronger: Variables) {
        if let Some(doubt) = stronger.rest {
            self.doubt(doubt);
        }
        self.known.extend(stronger.known);
    }
}

impl Loaded {
    /// It cannot be told what a file or the rest of one says.
    pub(super) fn doubt(&mut self, doubt: &Stop) {
        self.environment.doubt(doubt.clone());
        self.environment_files.doubt = Some(doubt.clone());
        self.pass.doubt = Some(doubt.clone());
        self.unset.doubt = Some(doubt.clone());
        self.exec.doubt = Some(doubt.clone());
    }
}
