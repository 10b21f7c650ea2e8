//! Everything about a file that is not its content and must survive an edit.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Extended attributes by name. POSIX ACLs and SELinux labels are among them
/// (`system.posix_acl_access`, `security.selinux`).
pub(crate) type Xattrs = BTreeMap<String, Vec<u8>>;

/// Owner, mode, extended attributes and time of change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: Xattrs,
    /// Time of change to be set, nanoseconds since 1970; `None` leaves it to the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
}

impl Attributes {
    /// Attributes of a file that does not exist yet.
    pub fn new(mode: u32, uid: u32, gid: u32) -> Self {
        Self { mode, uid, gid, xattrs: Xattrs::new(), mtime: None }
    }

    /// Are owner, mode and extended attributes the same? Times are not compared.
    pub fn same_as(&self, other: &Self) -> bool {
        (self.mode, self.uid, self.gid) == (other.mode, other.uid, other.gid) && self.xattrs == other.xattrs
    }

    /// The same without a time, for a file that gets new content.
    pub fn touched(&self) -> Self {
        Self { mtime: None, ..self.clone() }
    }

    /// The time of change as the standard library's type; times that it cannot hold are left out.
    pub fn modified(&self) -> Option<SystemTime> {
        let nanos = self.mtime?;
        let length = Duration::from_nanos(nanos.unsigned_abs());
        if nanos >= 0 { UNIX_EPOCH.checked_add(length) } else { UNIX_EPOCH.checked_sub(length) }
    }

    /// Nanoseconds since 1970, as kept in [`Attributes::mtime`].
    pub fn nanos(time: SystemTime) -> i64 {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        }
    }
}
