//! The host's files as one user sees them: what may be read, and which names a pattern has.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use super::pattern::{Marked, is_pattern, matches};
use crate::host::{ACL, Attributes, FileKind, HostRead, Snapshot, Stat};

/// The kernel's own limit (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// A script that is longer is not looked into: none that people write is.
pub(super) const LONGEST_SCRIPT: usize = 1 << 20;

/// More names than this in a folder are not gone through.
const MOST_NAMES: usize = 10_000;

/// Who logs in, as far as files decide by it.
#[derive(Clone, Debug)]
pub struct User {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// The groups, the own one first.
    pub gids: Vec<u32>,
    /// The home folder.
    pub home: PathBuf,
    /// The shell of `/etc/passwd`.
    pub shell: PathBuf,
}

/// Files of the host, for one user. Without a host nothing is known of any file.
#[derive(Clone, Copy)]
pub(super) struct Eyes<'a> {
    pub(super) host: Option<&'a dyn HostRead>,
    pub(super) user: &'a User,
    /// Was the user shut out of anything, or perhaps?
    pub(super) hindered: &'a Cell<bool>,
}

/// What the user finds under a name.
pub(super) enum Look {
    /// Nothing, or a folder on the way is closed to the user.
    Absent,
    Found(PathBuf, Stat),
    Unknown(&'static str),
}

/// A permission, as its bit among those of "others".
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Permission {
    Read = 4,
    Write = 2,
    Execute = 1,
}

/// What a file holds for the user.
pub(super) enum Content {
    Text(Vec<u8>),
    /// It is not there, or closed to the user, or a folder.
    None,
    Unknown(&'static str),
}

pub(super) const UNREADABLE: &str = "what stands there could not be looked at";
const GROUP: &str = "whether the user may read it depends on a group or an access list";

impl Eyes<'_> {
    fn host(&self) -> io::Result<&dyn HostRead> {
        self.host.ok_or(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.host()?.lstat(path)
    }

    pub(super) fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.host()?.snapshot(path)
    }

    /// What `path` leads to.
    pub(super) fn look(&self, path: &Path) -> Look {
        let mut todo: VecDeque<OsString> = parts(path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        let mut stat = match self.lstat(&here) {
            Ok(Some(stat)) => stat,
            Ok(None) => return Look::Absent,
            Err(_) => return Look::Unknown(UNREADABLE),
        };
        while let Some(part) = todo.pop_front() {
            if stat.kind != FileKind::Dir {
                return Look::Absent;
            }
            // The folder of an image has a mode of its own, which is not that of the root of the system that it holds.
            let enters = if here == Path::new("/") { Some(true) } else { self.may(&stat, None, Permission::Execute) };
            match enters {
                Some(true) => {}
                Some(false) => return Look::Absent,
                None => return Look::Unknown(GROUP),
            }
            let next =
                if part == ".." { here.parent().unwrap_or(Path::new("/")).to_path_buf() } else { here.join(&part) };
            let found = match self.lstat(&next) {
                Ok(Some(found)) => found,
                Ok(None) => return Look::Absent,
                Err(error) if is_absent(&error) => return Look::Absent,
                Err(_) => return Look::Unknown(UNREADABLE),
            };
            if found.kind != FileKind::Symlink {
                (here, stat) = (next, found);
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Look::Absent;
            }
            let Ok(target) = self.host().and_then(|host| host.read_link(&next)) else {
                return Look::Unknown(UNREADABLE);
            };
            if target.is_absolute() {
                here = PathBuf::from("/");
                stat = match self.lstat(&here) {
                    Ok(Some(stat)) => stat,
                    _ => return Look::Unknown(UNREADABLE),
                };
            }
            for part in parts(&target).into_iter().rev() {
                todo.push_front(part);
            }
        }
        if path.as_os_str().as_bytes().ends_with(b"/") && stat.kind != FileKind::Dir {
            return Look::Absent;
        }
        Look::Found(here, stat)
    }

    /// May the user? `None`: a group decides that is not known.
    fn may(&self, stat: &Stat, attributes: Option<&Attributes>, wanted: Permission) -> Option<bool> {
        let answer = self.by_mode(stat, attributes, wanted);
        self.hindered.set(self.hindered.get() || answer != Some(true));
        answer
    }

    fn by_mode(&self, stat: &Stat, attributes: Option<&Attributes>, wanted: Permission) -> Option<bool> {
        let bits = |shift: u32| stat.mode >> shift & wanted as u32 != 0;
        if self.user.uid == 0 {
            return Some(wanted != Permission::Execute || stat.kind == FileKind::Dir || stat.mode & 0o111 != 0);
        }
        if stat.uid == self.user.uid {
            return Some(bits(6));
        }
        match attributes {
            Some(known) if known.xattrs.contains_key(ACL) => None,
            Some(known) => Some(bits(if self.user.gids.contains(&known.gid) { 3 } else { 0 })),
            None => (bits(3) == bits(0)).then_some(bits(0)),
        }
    }

    /// What `[ -r … ]` and its kin say.
    pub(super) fn permits(&self, path: &Path, wanted: Permission) -> Result<bool, &'static str> {
        match self.look(path) {
            Look::Absent => Ok(false),
            Look::Unknown(why) => Err(why),
            Look::Found(resolved, stat) => {
                if let Some(answer) = self.may(&stat, None, wanted)
                    && !self.may_have_list(&stat)
                {
                    return Ok(answer);
                }
                if stat.kind != FileKind::File {
                    return Err(GROUP);
                }
                match self.snapshot(&resolved) {
                    Ok(Some(file)) => self.may(&stat, Some(&file.attributes), wanted).ok_or(GROUP),
                    _ => Err(UNREADABLE),
                }
            }
        }
    }

    /// An access list can only matter to a file that somebody else has.
    fn may_have_list(&self, stat: &Stat) -> bool {
        stat.kind == FileKind::File && self.user.uid != 0 && stat.uid != self.user.uid
    }

    /// A regular file, or a link to one?
    pub(super) fn is_file(&self, path: &Path) -> Result<bool, &'static str> {
        match self.look(path) {
            Look::Absent => Ok(false),
            Look::Found(_, stat) => Ok(stat.kind == FileKind::File),
            Look::Unknown(why) => Err(why),
        }
    }

    /// What sourcing `path` gives the shell.
    pub(super) fn content(&self, path: &Path) -> Content {
        if path == Path::new("/dev/null") {
            return Content::Text(Vec::new());
        }
        match self.look(path) {
            Look::Absent => Content::None,
            Look::Unknown(why) => Content::Unknown(why),
            Look::Found(_, stat) if stat.kind == FileKind::Dir => Content::None,
            Look::Found(_, stat) if stat.kind != FileKind::File => {
                Content::Unknown("what is sourced there is no regular file")
            }
            Look::Found(resolved, stat) => match self.snapshot(&resolved) {
                Ok(Some(file)) => match self.may(&stat, Some(&file.attributes), Permission::Read) {
                    None => Content::Unknown(GROUP),
                    Some(false) => Content::None,
                    Some(true) if file.bytes.len() > LONGEST_SCRIPT => Content::Unknown("it is too long for a script"),
                    Some(true) if memchr::memchr(0, &file.bytes).is_some() => {
                        Content::Unknown("it has bytes that no script has")
                    }
                    Some(true) => Content::Text(file.bytes),
                },
                Ok(None) => Content::None,
                Err(_) => Content::Unknown(UNREADABLE),
            },
        }
    }

    /// The paths that a pattern has, in the order of their bytes; none: the pattern stays as it is.
    pub(super) fn glob(&self, pattern: &[Marked]) -> Result<Vec<Vec<u8>>, &'static str> {
        if pattern.first().is_none_or(|(byte, _)| *byte != b'/') {
            return Err("a pattern counts from the folder that the shell is in");
        }
        let mut found = vec![PathBuf::from("/")];
        for part in pattern.split(|(byte, _)| *byte == b'/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for folder in found {
                if is_pattern(part) {
                    next.extend(self.names(&folder, part)?);
                } else {
                    next.push(folder.join(OsString::from_vec(part.iter().map(|(byte, _)| *byte).collect())));
                }
            }
            if next.len() > MOST_NAMES {
                return Err("a folder has too many names");
            }
            found = next;
        }
        let mut paths = Vec::new();
        for path in found {
            match self.look(&path) {
                Look::Found(..) => paths.push(path.into_os_string().into_vec()),
                // A link to nothing has a name all the same.
                Look::Absent if self.lstat(&path).map_err(|_| UNREADABLE)?.is_some() => {
                    paths.push(path.into_os_string().into_vec());
                }
                Look::Absent => {}
                Look::Unknown(why) => return Err(why),
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// The names in a folder that one part of a pattern has.
    fn names(&self, folder: &Path, pattern: &[Marked]) -> Result<Vec<PathBuf>, &'static str> {
        let dots = pattern.first().is_some_and(|(byte, _)| *byte == b'.');
        let mut found = Vec::new();
        for name in self.list(folder)? {
            let bytes = name.as_bytes();
            // Names that begin with a dot are not meant by `*`.
            if (dots || !bytes.starts_with(b"."))
                && matches(pattern, bytes).ok_or("a pattern that is not understood")?
            {
                found.push(folder.join(&name));
            }
        }
        Ok(found)
    }

    /// The names in a folder; one that is closed to the user or absent has none.
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<OsString>, &'static str> {
        match self.look(folder) {
            Look::Absent => Ok(Vec::new()),
            Look::Unknown(why) => Err(why),
            Look::Found(_, stat) if stat.kind != FileKind::Dir => Ok(Vec::new()),
            Look::Found(resolved, stat) => match self.may(&stat, None, Permission::Read) {
                None => Err(GROUP),
                Some(false) => Ok(Vec::new()),
                Some(true) => match self.host().and_then(|host| host.list(&resolved)) {
                    Ok(names) if names.len() > MOST_NAMES => Err("a folder has too many names"),
                    Ok(names) => Ok(names),
                    Err(_) => Err(UNREADABLE),
                },
            },
        }
    }
}

/// What keeps a user from reading the file that `path` leads to: folders that may not be entered, the file, or else, where it is
/// `listed` by a pattern, its folder whose names may not be read; each with its mode.
pub(crate) fn obstacles(host: &dyn HostRead, user: &User, path: &Path, listed: bool) -> Vec<(PathBuf, FileKind, u32)> {
    let hindered = Cell::default();
    let eyes = Eyes { host: Some(host), user, hindered: &hindered };
    let Ok(real_path) = host.resolve(path) else { return Vec::new() };
    let closed = |path: &Path, wanted: Permission| {
        let stat = host.lstat(path).ok().flatten()?;
        let file = if stat.kind == FileKind::File { host.snapshot(path).ok().flatten() } else { None };
        let may = eyes.may(&stat, file.as_ref().map(|file| &file.attributes), wanted);
        (may == Some(false)).then_some((path.to_path_buf(), stat.kind, stat.mode & 0o7777))
    };
    let mut folders: Vec<&Path> = real_path.ancestors().skip(1).filter(|folder| *folder != Path::new("/")).collect();
    folders.reverse();
    let mut found: Vec<_> = folders.iter().filter_map(|folder| closed(folder, Permission::Execute)).collect();
    found.extend(closed(&real_path, Permission::Read));
    if listed && found.is_empty() {
        found.extend(folders.last().and_then(|folder| closed(folder, Permission::Read)));
    }
    found
}

/// "Nothing there" also when a folder on the way is absent or is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
