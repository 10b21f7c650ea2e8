//! One look at the host: each file is read once, so that everything decided in a run is decided on the same bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::resolve::walk;
use super::{Command, HostRead, Output, Refused, Snapshot, Space, Stat};
use crate::problem::{Problem, copy_of, id};
use crate::text;
use crate::text::typed;

/// Looks at each place once, however many readers' models come to it. Errors are not kept: who asks again looks again.
pub(crate) struct View<'a> {
    /// The host itself, for what has to be seen as it is now.
    pub host: &'a dyn HostRead,
    stats: Seen<Option<Stat>>,
    links: Seen<PathBuf>,
    real_paths: Seen<PathBuf>,
    lists: Seen<Vec<OsString>>,
    /// By their real paths.
    contents: Seen<Option<Arc<Snapshot>>>,
    euid: u32,
    lenient: bool,
    unread: RefCell<Vec<PathBuf>>,
}

/// What was seen at a path.
type Seen<T> = RefCell<BTreeMap<PathBuf, T>>;

fn once<T: Clone, E>(seen: &Seen<T>, path: &Path, look: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    if let Some(known) = seen.borrow().get(path) {
        return Ok(known.clone());
    }
    let found = look()?;
    seen.borrow_mut().insert(path.to_path_buf(), found.clone());
    Ok(found)
}

impl<'a> View<'a> {
    /// A fresh look.
    pub(crate) fn new(host: &'a dyn HostRead) -> Self {
        Self {
            host,
            stats: Seen::default(),
            links: Seen::default(),
            real_paths: Seen::default(),
            lists: Seen::default(),
            contents: Seen::default(),
            euid: host.euid(),
            lenient: false,
            unread: RefCell::default(),
        }
    }

    /// A look that takes files for absent that only root may read, and remembers them: for a dry run by anyone.
    pub(crate) fn lenient(host: &'a dyn HostRead) -> Self {
        Self { lenient: true, ..Self::new(host) }
    }

    /// Files that were taken for absent because only root may read them.
    pub(crate) fn unread(&self) -> Vec<PathBuf> {
        self.unread.borrow().clone()
    }

    /// The regular file at `path`, links followed; `None` when nothing is there.
    ///
    /// # Errors
    /// A problem that names the file and what to do.
    pub(crate) fn snapshot(&self, path: &Path) -> Result<Option<Arc<Snapshot>>, Problem> {
        match self.file(path) {
            Err(error) if self.lenient && error.kind() == io::ErrorKind::PermissionDenied => {
                let mut unread = self.unread.borrow_mut();
                if !unread.iter().any(|known| known == path) {
                    unread.push(path.to_path_buf());
                }
                Ok(None)
            }
            other => other.map_err(|error| unreadable(&self.host.shown(path), &error)),
        }
    }

    fn file(&self, path: &Path) -> io::Result<Option<Arc<Snapshot>>> {
        let look = || Ok(self.host.snapshot(path)?.map(Arc::new));
        match self.resolve(path) {
            Ok(real_path) if self.lstat(&real_path)?.is_none() => Ok(None),
            Ok(real_path) => once(&self.contents, &real_path, look),
            Err(Refused::Io(error)) => Err(error),
            // The host itself says why it does not follow the link.
            Err(_) => look(),
        }
    }

    /// Is it known that a folder on the way is none?
    fn is_nowhere(&self, path: &Path) -> bool {
        let stats = self.stats.borrow();
        let is_none = |folder: &Path| stats.get(folder).is_some_and(Option::is_none);
        path.ancestors().skip(1).any(is_none)
    }
}

impl HostRead for View<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        once(&self.stats, path, || if self.is_nowhere(path) { Ok(None) } else { self.host.lstat(path) })
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        once(&self.links, path, || self.host.read_link(path))
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, Refused> {
        let walk = || walk(path, self.euid, |path| self.lstat(path), |path| self.read_link(path));
        once(&self.real_paths, path, walk)
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        Ok(self.file(path)?.map(|file| Snapshot::clone(&file)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let folder = match self.resolve(path) {
            Ok(folder) => folder,
            Err(Refused::Io(error)) => return Err(error),
            Err(_) => return self.host.list(path),
        };
        if self.lstat(&folder)?.is_none() {
            return Ok(Vec::new());
        }
        once(&self.lists, &folder, || self.host.list(path))
    }

    fn run(&self, command: &Command) -> io::Result<Output> {
        self.host.run(command)
    }

    fn query(&self, command: &Command) -> io::Result<Output> {
        self.host.query(command)
    }

    fn now(&self) -> SystemTime {
        self.host.now()
    }

    fn euid(&self) -> u32 {
        self.euid
    }

    fn is_live(&self) -> bool {
        self.host.is_live()
    }

    fn is_this_machine(&self) -> bool {
        self.host.is_this_machine()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.host.space(path)
    }

    fn label(&self, path: &Path) -> io::Result<Option<String>> {
        self.host.label(path)
    }

    fn has_acl(&self, path: &Path) -> io::Result<bool> {
        self.host.has_acl(path)
    }

    fn shown(&self, path: &Path) -> PathBuf {
        self.host.shown(path)
    }
}

/// The problem of a file that could not be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied if nix::unistd::geteuid().is_root() => {
            Problem::host(id::DENIED, text!("{} could not be read, although this is root", shown))
                .caused_by(copy_of(error))
        }
        io::ErrorKind::PermissionDenied => {
            Problem::host(id::NEEDS_ROOT, text!("{} can be read by root only", shown)).caused_by(copy_of(error))
        }
        io::ErrorKind::InvalidInput => Problem::host(id::NOT_A_FILE, text!("{} is not a regular file", shown))
            .hint(text!("look at it: {}", typed(text!("ls -ld {}", shown)))),
        _ => Problem::host(id::UNREADABLE, text!("{} could not be read", shown)).caused_by(copy_of(error)),
    }
}
