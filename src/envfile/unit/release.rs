//! Which release of systemd reads a file: what releases do differently is known, or it is unknown.

use crate::version::Version;

/// The releases that may be meant, oldest and newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    oldest: u32,
    newest: u32,
}

impl Release {
    /// Nothing tells which release it is.
    pub(crate) const UNKNOWN: Self = Self { oldest: 0, newest: u32::MAX };

    /// The release whose source the models follow, and which they are measured against.
    pub(crate) const MEASURED: Self = Self { oldest: 252, newest: 252 };

    /// The release of a package or system.
    pub(crate) fn of(version: Option<&Version>) -> Self {
        version.map_or(Self::UNKNOWN, |version| Self { oldest: version.major(), newest: version.major() })
    }

    /// Does it do what came with `version`? `None`: it cannot be told.
    pub(crate) fn since(self, version: u32) -> Option<bool> {
        self.between(version.saturating_sub(1), version)
    }

    /// Does it do what `without` did not do yet and `with` does? `None`: it cannot be told.
    pub(crate) fn between(self, without: u32, with: u32) -> Option<bool> {
        if self.oldest >= with {
            Some(true)
        } else if self.newest <= without {
            Some(false)
        } else {
            None
        }
    }
}
