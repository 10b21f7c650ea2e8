//! One look at the host: each file is read once, so that everything decided in a run is decided on the same bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{HostRead, Snapshot};
use crate::problem::{Problem, copy_of, id};
use crate::text;

/// Reads files through a cache.
pub struct View<'a> {
    /// The host itself, for everything that is not a file's content.
    pub host: &'a dyn HostRead,
    seen: RefCell<BTreeMap<PathBuf, Option<Arc<Snapshot>>>>,
    lenient: bool,
    unread: RefCell<Vec<PathBuf>>,
}

impl<'a> View<'a> {
    /// A fresh look.
    pub fn new(host: &'a dyn HostRead) -> Self {
        Self { host, seen: RefCell::default(), lenient: false, unread: RefCell::default() }
    }

    /// A look that takes files for absent that only root may read, and remembers them: for a dry run by anyone.
    pub fn lenient(host: &'a dyn HostRead) -> Self {
        Self { lenient: true, ..Self::new(host) }
    }

    /// Files that were taken for absent because only root may read them.
    pub fn unread(&self) -> Vec<PathBuf> {
        self.unread.borrow().clone()
    }

    /// The regular file at `path`, links followed; `None` when nothing is there.
    ///
    /// # Errors
    /// A problem that names the file and what to do.
    pub fn snapshot(&self, path: &Path) -> Result<Option<Arc<Snapshot>>, Problem> {
        if let Some(seen) = self.seen.borrow().get(path) {
            return Ok(seen.clone());
        }
        let snapshot = match self.host.snapshot(path) {
            Err(error) if self.lenient && error.kind() == io::ErrorKind::PermissionDenied => {
                self.unread.borrow_mut().push(path.to_path_buf());
                None
            }
            other => other.map_err(|error| unreadable(&self.host.shown(path), &error))?,
        };
        let snapshot = snapshot.map(Arc::new);
        self.seen.borrow_mut().insert(path.to_path_buf(), snapshot.clone());
        Ok(snapshot)
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
            .hint(text!("look at it: ls -ld {}", shown)),
        _ => Problem::host(id::UNREADABLE, text!("{} could not be read", shown)).caused_by(copy_of(error)),
    }
}
