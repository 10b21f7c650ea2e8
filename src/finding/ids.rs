//! The ids of all findings, from `assets/checks/*.toml`: `proxy-not-set` is [`PROXY_NOT_SET`].

use std::fmt;

use serde::Serialize;

use crate::text::shown_by_display;

include!(concat!(env!("OUT_DIR"), "/ids.rs"));

/// The stable name of a finding, for scripts and `--ignore-check`, with the group that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId {
    name: &'static str,
    group: &'static str,
}

impl FindingId {
    /// An id that no catalogue lists, for tests of the formats.
    #[doc(hidden)]
    pub const fn unlisted(name: &'static str, group: &'static str) -> Self {
        Self { name, group }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.name
    }

    /// `host`, `proxy`, `settings`, …
    pub const fn group(self) -> &'static str {
        self.group
    }
}

#[cfg(test)]
impl std::ops::Deref for FindingId {
    type Target = str;

    fn deref(&self) -> &str {
        self.name
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

shown_by_display!(FindingId);

impl PartialEq<str> for FindingId {
    fn eq(&self, other: &str) -> bool {
        self.name == other
    }
}

impl PartialEq<&str> for FindingId {
    fn eq(&self, other: &&str) -> bool {
        self.name == *other
    }
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
