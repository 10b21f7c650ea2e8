//! The machine, behind two traits: what may look ([`HostRead`]) and what may also act ([`HostWrite`]).
//!
//! Planners and checks are given the reading half only, so "a dry run and a check change nothing" holds by type.
//! Paths are always the host's own (`/etc/environment`), also when the host is an image below `--root`.
//!
//! [`RealHost`] is the running system, or an image below a folder. What stands in for it in tests is in `testing`.

mod attributes;
mod follow;
mod holder;
mod program;
mod real;
mod resolve;
#[cfg(test)]
mod testing;
mod view;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(crate) use attributes::{ACL, Attributes, Xattrs};
pub(crate) use holder::Holder;
pub(crate) use real::{RealHost, has_acl};
pub(crate) use resolve::Refused;
#[cfg(test)]
pub use testing::{Fault, FaultyHost, MemoryHost};
pub(crate) use view::{View, unreadable};

/// Looks at a host without changing it.
pub trait HostRead {
    /// What stands at `path` itself; a symbolic link is not followed. `None`: nothing is there.
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>>;

    /// The target text of the symbolic link at `path`.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// Content and attributes of the regular file at `path`, both from one open file. Links are followed within the
    /// host. `None`: nothing is there. Anything but a regular file is an `InvalidInput` error.
    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>>;

    /// The names in the folder `path`, sorted; an absent folder has none.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// Runs a program to its end or to its deadline. Hosts that are images refuse with `Unsupported`.
    fn run(&self, command: &Command) -> io::Result<Output>;

    /// Runs a program that takes its time. `told` gets each line of both its streams while it runs, and says whether the program
    /// has come further. Both streams come back as from [`HostRead::run`].
    ///
    /// # Errors
    /// As of [`HostRead::run`]; `TimedOut` also where it came no further, `Interrupted` where it was stopped.
    fn follow(&self, command: &Command, _: &Watch<'_>, told: &mut dyn FnMut(&str) -> bool) -> io::Result<Output> {
        let output = self.run(command)?;
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(stream);
            let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
            lines.for_each(|line| {
                told(line);
            });
        }
        Ok(output)
    }

    /// As [`HostRead::run`], for a program whose answer depends on no file that a plan may change: whose a file is, say. A
    /// host as it is planned to be runs nothing else.
    fn query(&self, command: &Command) -> io::Result<Output> {
        self.run(command)
    }

    /// The clock.
    fn now(&self) -> SystemTime;

    /// The effective user id that files would be created with.
    fn euid(&self) -> u32;

    /// Is this the running system, whose programs may be started?
    fn is_live(&self) -> bool;

    /// Is it this machine, as it is or as it is planned to be? Its users are those of this machine then.
    fn is_this_machine(&self) -> bool {
        self.is_live()
    }

    /// The size of the file system that the existing `path` lies on, and what is left of it.
    fn space(&self, _path: &Path) -> io::Result<Space> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    /// The SELinux context of what is at `path`; `None`: it has none.
    fn label(&self, _path: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }

    /// Has what is at `path` an access control list besides its mode?
    fn has_acl(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// `path` as a person on this machine would type it (an image's root in front).
    fn shown(&self, path: &Path) -> PathBuf;

    /// The path of the thing that `path` leads to, with no link left in it. The last part need not exist.
    ///
    /// Links are followed within the host: an absolute target starts at the host's root again. A link is followed only when
    /// its owner is root, the current user, or the owner of its target (the kernel's `protected_symlinks` rule), so that the
    /// owner of a shared folder cannot lead a root process to a file of its choice.
    ///
    /// # Errors
    /// [`Refused`], which names the link.
    fn resolve(&self, path: &Path) -> Result<PathBuf, Refused> {
        resolve::walk(path, self.euid(), |path| self.lstat(path), |path| self.read_link(path))
    }

    /// Is what has this state root's or this process's own, and can nobody else write to it? What decides what root writes
    /// has to be so.
    fn is_private(&self, stat: &Stat) -> bool {
        stat.mode & 0o022 == 0 && (stat.uid == 0 || stat.uid == self.euid())
    }

    /// The nearest of `path` and the folders above it that is there.
    fn nearest<'p>(&self, path: &'p Path) -> &'p Path {
        path.ancestors().find(|path| matches!(self.lstat(path), Ok(Some(_)))).unwrap_or(Path::new("/"))
    }

    /// The content of `path`, or nothing where there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.snapshot(path)?.map(|snapshot| snapshot.bytes))
    }
}

/// Acts on a host. Each method is one effect: it happens, or it fails and has not happened.
pub(crate) trait HostWrite: HostRead {
    /// Makes a new file; fails with `AlreadyExists` where anything, a dangling link included, has that name.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>>;

    /// Opens an existing regular file (never through a link) to write behind its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>>;

    /// Gives `from` the name `to`, replacing what had it, at once.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Makes one folder.
    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Removes one empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on `path`, making the file where it is absent. `None`: somebody else holds it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>>;

    /// Who holds the lock on `path`. `None`: nobody any more, or it is not known.
    fn lock_holder(&self, _path: &Path) -> Option<Holder> {
        None
    }
}

/// A file being written.
pub(crate) trait NewFile {
    /// Writes all of `bytes` behind what was written before.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Gives the file owner, group, mode, extended attributes (so ACL and SELinux label) and time of change.
    fn set_attributes(&mut self, attributes: &Attributes) -> io::Result<()>;
    /// Gives the file these permission bits, whatever the umask.
    fn set_mode(&mut self, mode: u32) -> io::Result<()>;
    /// Makes content and attributes durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Which file it is.
    fn id(&self) -> io::Result<FileId>;
}

/// Holds a lock until dropped.
pub(crate) trait LockGuard {}

/// The size of a file system, as `statvfs(3)` tells it. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Space {
    /// Which one: equal for paths on the same file system.
    pub device: u64,
    /// Bytes.
    pub total: u64,
    /// Bytes left for users other than root.
    pub free: u64,
    /// Inodes; 0 where the file system counts none.
    pub inodes: u64,
    /// Inodes left for users other than root.
    pub inodes_free: u64,
}

/// What kind of thing has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, socket or pipe.
    Other,
}

/// The part of `lstat(2)` that decisions are made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// How many names the file has.
    pub links: u64,
    /// Which one it is.
    pub id: FileId,
}

/// Which file it is, by whatever name: its device and inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileId(pub u64, pub u64);

/// A regular file as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Content.
    pub bytes: Vec<u8>,
    /// Owner, mode, extended attributes, time of change.
    pub attributes: Attributes,
    /// How many names the file has.
    pub links: u64,
}

/// A program to run: no shell, no standard input, an environment of its own, a deadline.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments. Never put a secret here: every user can read it in `/proc`.
    pub argv: Vec<String>,
    /// After this long the program is killed.
    pub deadline: Duration,
}

impl Command {
    /// A command with the default deadline of 10 seconds.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), deadline: Duration::from_secs(10) }
    }
}

/// How a program that takes its time is watched.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// It ends when it has come no further for so long.
    pub idle: Duration,
    /// It ends when this says so. Asked several times a second.
    pub stop: &'w dyn Fn() -> bool,
    /// Before it is killed it is interrupted, as by a person at a terminal, and has so long to end by itself.
    pub grace: Duration,
    /// Its standard output is a terminal, to which some programs tell more of how far they are.
    pub terminal: bool,
}

impl<'w> Watch<'w> {
    /// Without a terminal, and killed at once.
    pub const fn patient(idle: Duration, stop: &'w dyn Fn() -> bool) -> Self {
        Self { idle, stop, grace: Duration::ZERO, terminal: false }
    }
}

/// How a program ended. At most 1 MiB of each stream is kept.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}
