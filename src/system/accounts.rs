//! Users and groups of this machine, by the names that it knows: files are written by them, also those of an image.

use std::fs;
use std::io::ErrorKind;

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

/// Who runs this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// The user's number.
    pub(crate) uid: u32,
    /// The user's name; of one that has none, the number.
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
        Self { uid, user: user(uid).unwrap_or_else(|| uid.to_string()), sudo_user }
    }

    /// As people say it.
    pub(crate) fn says(&self) -> String {
        let user = if self.user == self.uid.to_string() { format!("user id {}", self.uid) } else { self.user.clone() };
        match &self.sudo_user {
            Some(sudo) if *sudo != self.user => format!("{sudo} as {user}"),
            _ => user,
        }
    }
}

/// No name of a user is longer (LOGIN_NAME_MAX).
const LONGEST: usize = 256;

/// The name of a user; `None`: none is known.
pub(crate) fn user(uid: u32) -> Option<String> {
    Some(User::from_uid(Uid::from_raw(uid)).ok()??.name)
}

/// The name of a group; `None`: none is known.
pub(crate) fn group(gid: u32) -> Option<String> {
    Some(Group::from_gid(Gid::from_raw(gid)).ok()??.name)
}

/// Is it the group that was made for this user alone: the user's own, with the user's name?
pub(crate) fn is_own_group(uid: u32, gid: u32) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
    user.gid.as_raw() == gid && group(gid) == Some(user.name)
}

/// Who is in a group, those whose own group it is included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Those who are known.
    pub(crate) known: Vec<u32>,
    /// There are no others.
    pub(crate) is_all: bool,
}

/// See [`Members`]. A directory may have put others into it without naming them in the group.
pub(crate) fn members(gid: u32) -> Members {
    let Ok(Some(group)) = Group::from_gid(Gid::from_raw(gid)) else { return Members::default() };
    let named: Vec<Option<u32>> =
        group.mem.iter().map(|name| Some(User::from_name(name).ok()??.uid.as_raw())).collect();
    let passwd = fs::read(PASSWD);
    let is_all = named.iter().all(Option::is_some) && passwd.is_ok() && has_no_directory();
    let own = users(&passwd.unwrap_or_default()).into_iter().filter(|user| user.gid == gid).map(|user| user.uid);
    Members { known: named.into_iter().flatten().chain(own).collect(), is_all }
}

/// Are all users and groups of this machine in its own files?
fn has_no_directory() -> bool {
    match fs::read_to_string("/etc/nsswitch.conf") {
        Ok(text) => is_of_files_alone(&text),
        // The C library then looks at the files.
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// `systemd` knows users of services that run, and no more than the files of anybody else. What stands in brackets is no source:
/// it says what is made of the answer before it.
fn is_of_files_alone(nsswitch: &str) -> bool {
    let lines = nsswitch.lines().filter_map(|line| line.split('#').next()?.split_once(':'));
    let mut of_users = lines.filter(|(database, _)| ["passwd", "group", "initgroups"].contains(&database.trim()));
    let is_own = |source: &str| ["files", "systemd"].contains(&source);
    of_users.all(|(_, sources)| {
        let mut parts = sources.split('[');
        let first = parts.next().unwrap_or_default();
        let behind = parts.map(|part| part.split_once(']').map_or("[", |(_, behind)| behind));
        [first].into_iter().chain(behind).flat_map(str::split_whitespace).all(is_own)
    })
}

/// Where a host has its own users.
pub(crate) const PASSWD: &str = "/etc/passwd";

/// Where a host has its own groups.
pub(crate) const GROUP: &str = "/etc/group";

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserLine {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// May be empty, as the shell may.
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupLine {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// The users of a text as `/etc/passwd` has it; lines that say none are left out.
pub(crate) fn users(passwd: &[u8]) -> Vec<UserLine> {
    lines(passwd, |fields| match fields {
        [name, _, uid, gid, rest @ ..] => {
            let rest = |at: usize| rest.get(at).map_or_else(String::new, |own| (*own).to_owned());
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            Some(UserLine { name: (*name).to_owned(), uid, gid, home: rest(1), shell: rest(2) })
        }
        _ => None,
    })
}

/// The groups of a text as `/etc/group` has it; lines that say none are left out.
pub(crate) fn groups(group: &[u8]) -> Vec<GroupLine> {
    lines(group, |fields| match fields {
        [name, _, gid, rest @ ..] => {
            let members = rest.iter().flat_map(|own| own.split(',')).filter(|own| !own.is_empty());
            let members = members.map(str::to_owned).collect();
            Some(GroupLine { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
        }
        _ => None,
    })
}

fn lines<T>(text: &[u8], of_line: impl Fn(&[&str]) -> Option<T>) -> Vec<T> {
    let text = String::from_utf8_lossy(text);
    text.lines().filter_map(|line| of_line(&line.split(':').collect::<Vec<_>>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_of_root_has_root_and_one_that_nobody_knows_has_nobody_knows_whom() {
        assert!(members(0).known.contains(&0));
        assert_eq!(members(3_999_999_999), Members::default());
        assert_eq!((user(0), group(3_999_999_999)), (Some("root".to_owned()), None));
        assert!(is_own_group(0, 0) && !is_own_group(0, 1) && !is_own_group(3_999_999_999, 3_999_999_999));
        let nobody = Caller { uid: 3_999_999_999, user: "3999999999".to_owned(), sudo_user: None };
        assert_eq!(nobody.says(), "user id 3999999999");
    }

    #[test]
    fn whoever_asks_a_directory_does_not_know_all_by_its_files() {
        for (nsswitch, wanted) in [
            ("passwd:         files systemd\ngroup: files systemd # sss\nhosts: files dns\n", true),
            ("passwd: files\ngroup:\tfiles sss\n", false),
            ("passwd: compat\n", false),
            ("group: files\ninitgroups: files [SUCCESS=continue] ldap\n", false),
            ("group: files [SUCCESS=merge] systemd\npasswd:files[ !UNAVAIL=return ]systemd [NOTFOUND=return]\n", true),
            ("group: files [SUCCESS=merge systemd\n", false),
            ("group: files [SUCCESS=merge NOTFOUND=continue]sss [x=y] systemd\n", false),
            ("", true),
        ] {
            assert_eq!(is_of_files_alone(nsswitch), wanted, "{nsswitch}");
        }
    }

    #[test]
    fn lines_of_users_and_groups_are_read_as_far_as_they_say_one() {
        let of = |own: &UserLine| (own.name.clone(), own.uid, own.gid, own.home.clone(), own.shell.clone());
        let all = users(b"root:x:0:0:r:/root:/bin/sh\n+::::::\nx:x:7:8\n\nbroken:x:a:b:::\n\xff:x:1:1::/h:\n");
        let wanted = [("root", 0, 0, "/root", "/bin/sh"), ("x", 7, 8, "", ""), ("\u{fffd}", 1, 1, "/h", "")];
        let wanted = wanted.map(|(name, uid, gid, home, shell)| (name.into(), uid, gid, home.into(), shell.into()));
        assert_eq!(all.iter().map(of).collect::<Vec<_>>(), wanted);
        let all = groups(b"docker:x:990:bob,alice\nempty:x:5:\nshort:x:6\nnone\n");
        let of = |own: GroupLine| (own.name, own.gid, own.members.join(" "));
        let wanted = [("docker", 990, "bob alice"), ("empty", 5, ""), ("short", 6, "")];
        let wanted = wanted.map(|(name, gid, members)| (name.into(), gid, members.into()));
        assert_eq!(all.into_iter().map(of).collect::<Vec<_>>(), wanted);
    }
}
