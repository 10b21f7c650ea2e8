//! Words: times and numbers, and where there was nothing to look at.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::check::prelude::*;
use crate::product::Place;
use crate::text::counted;
pub(super) use crate::text::long;

/// RFC 3339 of seconds since 1970.
pub(super) fn at(seconds: u64) -> Text {
    let moment = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    text!("{}", own(crate::stamp::rfc3339(moment)))
}

/// `1 container`, `2 containers`.
pub(super) fn count(number: usize, what: &str) -> Text {
    text!("{}", own(counted(number as u64, what)))
}

/// The findings where there was nothing to look at: none where the product is not installed (`product` says so), one that
/// tells what was left out in an image.
pub(super) fn nothing(place: &Place, id: FindingId, what: &str) -> Option<Vec<Finding>> {
    if !place.is_installed() {
        return Some(Vec::new());
    }
    let skip =
        Finding::skip(id, text!("{} not looked at", own(what))).observed("under --root nothing of the image runs");
    (!place.live).then(|| vec![skip])
}

/// Compose as this host has it, with its files.
pub(super) struct Compose {
    pub(super) command: Text,
    /// It can run: there is a Compose, and a file for it.
    here: bool,
}

impl Compose {
    pub(super) fn of(place: &Place, home: &Path) -> Self {
        Self { command: place.command(home), here: place.has_compose() }
    }

    /// With what it has to do.
    pub(super) fn mends(&self, finding: Finding, what: impl Into<Text>) -> Finding {
        let line = as_root(text!("{} {}", self.command, what.into()));
        match self.here {
            true => finding.fix(line),
            false => finding.advise(text!("with the Compose and the file that it was started with, as in: {}", line)),
        }
    }
}

#[cfg(test)]
pub(super) fn compose() -> Compose {
    Compose { command: "dc".into(), here: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lengths_are_told() {
        assert_eq!(at(1_795_291_262), "2026-11-21T20:01:02Z");
        assert_eq!((long(40), long(720), long(u64::MAX / 2)).0, "40 s");
    }
}
