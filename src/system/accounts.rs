//! Users and groups of this machine, by the names that it knows: files are written by them, also those of an image.

use std::fs;

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

/// Who runs this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// The user's number.
    pub(crate) uid: u32,
    /// The user's name.
    pub(crate) user: String,
    /// The user behind sudo, as sudo says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sudo_user: Option<String>,
}

impl Caller {
    /// Of this process.
    pub(crate) fn now() -> Self {
        let uid = nix::unistd::getuid().as_raw();
        let sudo_user = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty() && name.len() <= LONGEST);
        Self { uid, user: user(uid), sudo_user }
    }

    /// As people say it.
    pub(crate) fn says(&self) -> String {
        match &self.sudo_user {
            Some(sudo) if *sudo != self.user => format!("{sudo} as {}", self.user),
            _ => self.user.clone(),
        }
    }
}

/// No name of a user is longer (LOGIN_NAME_MAX).
const LONGEST: usize = 256;

/// A user by name, or the number of one that has none.
pub(crate) fn user(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("user id {uid}"),
    }
}

/// A group by name, or the number of one that has none.
pub(crate) fn group(gid: u32) -> String {
    match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => group.name,
        _ => format!("group id {gid}"),
    }
}

/// Who is in a group, those whose own group it is included; `None`: that is not known. Whom a directory has put there without
/// naming them in the group is not among them.
pub(crate) fn members(gid: u32) -> Option<Vec<u32>> {
    let group = Group::from_gid(Gid::from_raw(gid)).ok()??;
    let mut members = Vec::new();
    for name in group.mem {
        members.push(User::from_name(&name).ok()??.uid.as_raw());
    }
    let passwd = fs::read("/etc/passwd").ok()?;
    members.extend(String::from_utf8_lossy(&passwd).lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        let (uid, own) = (fields.next()?.ok()?, fields.next()?.ok()?);
        (own == gid).then_some(uid)
    }));
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_of_root_has_root_and_one_that_nobody_knows_has_nobody_knows_whom() {
        assert!(members(0).is_some_and(|members| members.contains(&0)));
        assert_eq!(members(3_999_999_999), None);
        assert_eq!((user(0), group(3_999_999_999)), ("root".to_owned(), "group id 3999999999".to_owned()));
    }
}
