//! Everything about a file that is not its content and must survive an edit.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Extended attributes by name. POSIX ACLs ([`ACL`]) and SELinux labels (`security.selinux`) are among them.
pub(crate) type Xattrs = BTreeMap<String, Vec<u8>>;

/// The one that has a POSIX ACL.
pub(crate) const ACL: &str = "system.posix_acl_access";

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

    /// The same with no rights beside `limit`: an ACL gives more than the mode says.
    pub(crate) fn within(&self, limit: u32) -> Self {
        let mut within = Self { mode: self.mode & limit, ..self.clone() };
        if within.mode != self.mode {
            within.xattrs.remove(ACL);
        }
        within
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_rights_by_the_mode_has_none_by_an_acl() {
        let label = ("security.selinux".to_owned(), b"label".to_vec());
        let xattrs = Xattrs::from([(ACL.to_owned(), b"rules".to_vec()), label.clone()]);
        let open = Attributes { xattrs, ..Attributes::new(0o644, 0, 0) };
        assert_eq!(open.within(0o7777), open);
        let closed = open.within(0o600);
        assert_eq!((closed.mode, closed.xattrs), (0o600, Xattrs::from([label])));
    }
}
