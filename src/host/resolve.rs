//! Follows symbolic links the way the kernel does below a root, with one rule more: a link that somebody else could have
//! planted is not followed.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{FileKind, Stat};

/// The kernel's own limit (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Why a path cannot be edited.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A link whose owner is neither root, nor this user, nor the owner of what it points to.
    #[error("{link} is a symbolic link that belongs to user id {owner}, who does not own what it points to")]
    UntrustedLink {
        /// The link.
        link: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// More than forty links, so a loop.
    #[error("{0} leads through more than 40 symbolic links")]
    Loop(PathBuf),
    /// The host could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// [`HostRead::resolve`](super::HostRead::resolve), given how to look at one name whose folders have no links left.
pub(super) fn walk(
    path: &Path,
    euid: u32,
    lstat: impl Fn(&Path) -> io::Result<Option<Stat>>,
    read_link: impl Fn(&Path) -> io::Result<PathBuf>,
) -> Result<PathBuf, Refused> {
    let mut todo: VecDeque<OsString> = parts(path);
    let mut done = PathBuf::from("/");
    let mut links = 0;
    let mut foreign: Vec<(PathBuf, u32)> = Vec::new();
    while let Some(part) = todo.pop_front() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here = done.join(&part);
        match lstat(&here)? {
            Some(stat) if stat.kind == FileKind::Symlink => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Refused::Loop(path.to_path_buf()));
                }
                if stat.uid != 0 && stat.uid != euid {
                    foreign.push((here.clone(), stat.uid));
                }
                let target = read_link(&here)?;
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    todo.push_front(part);
                }
            }
            _ => done = here,
        }
    }
    if !foreign.is_empty() {
        let target_owner = lstat(&done)?.map(|stat| stat.uid);
        if let Some((link, owner)) = foreign.into_iter().find(|(_, owner)| Some(*owner) != target_owner) {
            return Err(Refused::UntrustedLink { link, owner });
        }
    }
    Ok(done)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{HostRead, MemoryHost};

    #[test]
    fn follows_relative_and_absolute_links_within_the_host() {
        let host = MemoryHost::new();
        host.put("/opt/real/prod.env", b"x");
        host.put_link("/divvycloud", "/opt/real", 0);
        host.put_link("/opt/real/again.env", "../real/./prod.env", 0);
        let found = host.resolve(Path::new("/divvycloud/again.env")).unwrap();
        assert_eq!(found, Path::new("/opt/real/prod.env"));
        assert_eq!(host.resolve(Path::new("/../../etc/new")).unwrap(), Path::new("/etc/new"));
    }

    #[test]
    fn a_link_planted_by_another_user_is_refused() {
        let host = MemoryHost::new();
        host.put("/etc/sudoers", b"x");
        host.put_link("/divvycloud/prod.env", "/etc/sudoers", 1001);
        let refused = host.resolve(Path::new("/divvycloud/prod.env")).unwrap_err();
        assert!(matches!(refused, Refused::UntrustedLink { owner: 1001, .. }), "{refused}");
        // Not even to the owner's own link, which another user's link leads to.
        host.put_with("/home/a/file", b"x", crate::host::Attributes::new(0o600, 1001, 1001));
        host.put_link("/home/b/link", "/home/a/file", 1002);
        host.put_link("/home/a/link", "/home/b/link", 1001);
        assert!(matches!(host.resolve(Path::new("/home/a/link")), Err(Refused::UntrustedLink { owner: 1002, .. })));
    }

    #[test]
    fn a_loop_ends() {
        let host = MemoryHost::new();
        host.put_link("/a", "/b", 0);
        host.put_link("/b", "/a", 0);
        assert!(matches!(host.resolve(Path::new("/a")), Err(Refused::Loop(_))));
    }
}
