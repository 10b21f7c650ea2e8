//! A host whose n-th effect fails, or never happens because the process died there.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::host::{
    Attributes, Command, FileId, HostRead, HostWrite, LockGuard, NewFile, Output, Snapshot, Space, Stat,
};

/// What happens at the chosen effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Where that effect renames a file of no folder of ours, somebody has put another in its place.
    Swapped,
    /// That effect alone fails; the program may go on and clean up.
    Fails(io::ErrorKind),
    /// That effect and all after it fail: the process is gone.
    Dies,
}

/// Wraps a host and breaks it at its n-th effect, counted from 1.
#[derive(Debug)]
pub struct FaultyHost<H> {
    inner: H,
    at: u64,
    fault: Fault,
    count: Cell<u64>,
}

impl<H: HostWrite> FaultyHost<H> {
    /// Breaks `inner` at effect number `at`.
    pub fn new(inner: H, at: u64, fault: Fault) -> Self {
        Self { inner, at, fault, count: Cell::new(0) }
    }

    /// Was the chosen effect reached?
    pub fn struck(&self) -> bool {
        self.count.get() >= self.at
    }

    fn effect(&self) -> io::Result<()> {
        self.count.set(self.count.get() + 1);
        match self.fault {
            Fault::Fails(kind) if self.count.get() == self.at => Err(io::Error::from(kind)),
            Fault::Dies if self.count.get() >= self.at => Err(io::Error::other("the process is dead")),
            _ => Ok(()),
        }
    }
}

impl<H: HostWrite> HostRead for FaultyHost<H> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.inner.lstat(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.read_link(path)
    }
    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.inner.snapshot(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.inner.list(path)
    }
    fn run(&self, command: &Command) -> io::Result<Output> {
        self.inner.run(command)
    }
    fn now(&self) -> SystemTime {
        self.inner.now()
    }
    fn euid(&self) -> u32 {
        self.inner.euid()
    }
    fn is_live(&self) -> bool {
        self.inner.is_live()
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }
    fn label(&self, path: &Path) -> io::Result<Option<String>> {
        self.inner.label(path)
    }
    fn shown(&self, path: &Path) -> PathBuf {
        self.inner.shown(path)
    }
}

impl<H: HostWrite> HostWrite for FaultyHost<H> {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>> {
        self.effect()?;
        Ok(Box::new(FaultyFile { host: self, file: self.inner.create(path, mode)? }))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        self.effect()?;
        Ok(Box::new(FaultyFile { host: self, file: self.inner.append(path)? }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.effect()?;
        if self.fault == Fault::Swapped && self.count.get() == self.at && !from.starts_with("/var/lib/ics-setup") {
            self.inner.remove_file(from)?;
            self.inner.create(from, 0o644)?.write_all(b"somebody else's")?;
        }
        self.inner.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.effect()?;
        self.inner.remove_file(path)
    }
    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.effect()?;
        self.inner.create_dir(path, mode)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.effect()?;
        self.inner.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.effect()?;
        self.inner.sync_dir(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>> {
        self.effect()?;
        self.inner.try_lock(path)
    }
}

struct FaultyFile<'a, H> {
    host: &'a FaultyHost<H>,
    file: Box<dyn NewFile + 'a>,
}

impl<H: HostWrite> NewFile for FaultyFile<'_, H> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.host.effect() {
            // Half of it arrives, as on a full disk.
            if self.host.count.get() == self.host.at {
                let _ = self.file.write_all(&bytes[..bytes.len() / 2]);
            }
            return Err(error);
        }
        self.file.write_all(bytes)
    }
    fn set_attributes(&mut self, attributes: &Attributes) -> io::Result<()> {
        self.host.effect()?;
        self.file.set_attributes(attributes)
    }
    fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        self.host.effect()?;
        self.file.set_mode(mode)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.host.effect()?;
        self.file.sync()
    }
    fn id(&self) -> io::Result<FileId> {
        self.file.id()
    }
}
