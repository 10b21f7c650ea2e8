//! Users and groups of this machine, by the names that it knows: files are written by them, also those of an image.

use std::fs;

use nix::unistd::{Gid, Group, Uid, User};

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
