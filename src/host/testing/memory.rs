//! A file system in memory that behaves like the real one where it matters to a transaction: names and contents are
//! durable only after they were synced, and [`MemoryHost::power_loss`] takes the rest away.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host::{
    Attributes, Command, FileId, FileKind, HostRead, HostWrite, LockGuard, NewFile, Output, Snapshot, Stat,
};

/// A host whose files are in memory. Clones share the files.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, Node>,
    /// The names as they would be after a power loss.
    durable_names: BTreeMap<PathBuf, Node>,
    locks: Vec<PathBuf>,
    /// Paths that cannot be looked at.
    refused: BTreeMap<PathBuf, io::ErrorKind>,
    /// The folder below which people see the host; empty: it is seen as it is.
    root: PathBuf,
    /// Effects so far; also the clock.
    ticks: u64,
    writes: u64,
}

#[derive(Clone, Debug)]
struct Inode {
    bytes: Vec<u8>,
    attributes: Attributes,
    durable: Option<(Vec<u8>, Attributes)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Dir(u32),
    Link(PathBuf, u32),
}

impl MemoryHost {
    /// An empty root.
    pub fn new() -> Self {
        let host = Self::default();
        host.state().names.insert(PathBuf::from("/"), Node::Dir(0o755));
        host.settle();
        host
    }

    /// An empty image below a folder.
    pub fn image(root: &str) -> Self {
        let host = Self::new();
        host.state().root = PathBuf::from(root);
        host
    }

    /// The same with a durable file.
    #[must_use]
    pub fn with(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.put(path, bytes.as_ref());
        self
    }

    /// The same with a path that cannot be looked at.
    #[must_use]
    pub fn with_error(self, path: &str, error: io::ErrorKind) -> Self {
        self.state().refused.insert(PathBuf::from(path), error);
        self
    }

    /// A host of its own with the same files.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Puts a durable file, making its folders.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.put_with(path, bytes, Attributes::new(0o644, 0, 0));
    }

    /// Puts a durable file with these attributes, making its folders.
    pub fn put_with(&self, path: &str, bytes: &[u8], attributes: Attributes) {
        self.make_parents(Path::new(path));
        {
            let mut state = self.state();
            let number = state.inodes.len();
            state.inodes.push(Inode { bytes: bytes.to_vec(), attributes, durable: None });
            state.names.insert(PathBuf::from(path), Node::File(number));
        }
        self.settle();
    }

    /// Puts a durable symbolic link of this owner, making its folders.
    pub fn put_link(&self, path: &str, target: &str, owner: u32) {
        self.make_parents(Path::new(path));
        self.state().names.insert(PathBuf::from(path), Node::Link(PathBuf::from(target), owner));
        self.settle();
    }

    /// Puts a durable folder.
    pub fn put_dir(&self, path: &str) {
        self.make_parents(&Path::new(path).join("x"));
        self.settle();
    }

    /// What a machine finds after its power came back: everything that was not synced is gone.
    pub fn power_loss(&self) {
        let mut state = self.state();
        // A durable name in a folder whose own name was lost cannot be reached any more.
        let reachable = |path: &PathBuf| path.ancestors().all(|part| state.durable_names.contains_key(part));
        let names: BTreeMap<PathBuf, Node> = state
            .durable_names
            .iter()
            .filter(|(path, _)| reachable(path))
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect();
        state.durable_names.clone_from(&names);
        state.names = names;
        state.locks.clear();
        for inode in &mut state.inodes {
            match &inode.durable {
                Some((bytes, attributes)) => {
                    inode.bytes.clone_from(bytes);
                    inode.attributes.clone_from(attributes);
                }
                // The name may be durable before the content: the classic empty file.
                None => inode.bytes.clear(),
            }
        }
    }

    /// What the next process finds after this one was killed: everything written is there, locks are free.
    pub fn process_death(&self) {
        self.state().locks.clear();
    }

    /// Every file with content and attributes (times left out), for comparing hosts.
    pub fn picture(&self) -> BTreeMap<PathBuf, (Vec<u8>, Attributes)> {
        let state = self.state();
        let file = |node: &Node| match node {
            Node::File(number) => {
                let inode = &state.inodes[*number];
                (inode.bytes.clone(), inode.attributes.touched())
            }
            Node::Dir(mode) => (b"<dir>".to_vec(), Attributes::new(*mode, 0, 0)),
            Node::Link(target, owner) => {
                (target.to_string_lossy().into_owned().into_bytes(), Attributes::new(0, *owner, 0))
            }
        };
        state.names.iter().map(|(path, node)| (path.clone(), file(node))).collect()
    }

    /// How many effects changed anything so far; making durable what is there changes nothing.
    pub fn effects(&self) -> u64 {
        self.state().writes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self) {
        let mut state = self.state();
        state.durable_names = state.names.clone();
        for inode in &mut state.inodes {
            inode.durable = Some((inode.bytes.clone(), inode.attributes.clone()));
        }
    }

    fn make_parents(&self, path: &Path) {
        let mut state = self.state();
        for folder in path.ancestors().skip(1) {
            state.names.entry(folder.to_path_buf()).or_insert(Node::Dir(0o755));
        }
    }

    fn effect(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.ticks += 1;
        state.writes += 1;
        state
    }

    fn followed(&self, path: &Path) -> io::Result<PathBuf> {
        self.resolve(path).map_err(|refused| io::Error::other(refused.to_string()))
    }
}

impl State {
    fn parent_is_folder(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|parent| self.names.get(parent)) {
            Some(Node::Dir(_)) => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn admits(&self, path: &Path) -> io::Result<()> {
        self.refused.get(path).map_or(Ok(()), |kind| Err(io::Error::from(*kind)))
    }

    fn clock(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_000_000 + self.ticks)
    }
}

impl HostRead for MemoryHost {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let state = self.state();
        state.admits(path)?;
        let stat = |kind, uid, gid, mode| Stat { kind, uid, gid, mode, links: 1, id: FileId(0, u64::MAX) };
        Ok(state.names.get(path).map(|node| match node {
            Node::File(number) => {
                let Attributes { uid, gid, mode, .. } = state.inodes[*number].attributes;
                Stat { id: FileId(0, *number as u64), ..stat(FileKind::File, uid, gid, mode) }
            }
            Node::Dir(mode) => Stat { links: 2, ..stat(FileKind::Dir, 0, 0, *mode) },
            Node::Link(_, owner) => stat(FileKind::Symlink, *owner, 0, 0o777),
        }))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.state().names.get(path) {
            Some(Node::Link(target, _)) => Ok(target.clone()),
            _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.state().admits(path)?;
        let path = self.followed(path)?;
        let state = self.state();
        match state.names.get(&path) {
            Some(Node::File(number)) => {
                let inode = &state.inodes[*number];
                Ok(Some(Snapshot { bytes: inode.bytes.clone(), attributes: inode.attributes.clone(), links: 1 }))
            }
            Some(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
            None => Ok(None),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let path = self.followed(path)?;
        let state = self.state();
        let below = state.names.keys().filter(|name| name.parent() == Some(&path));
        Ok(below.filter_map(|name| name.file_name().map(OsString::from)).collect())
    }

    fn run(&self, _: &Command) -> io::Result<Output> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn now(&self) -> SystemTime {
        self.state().clock()
    }

    fn euid(&self) -> u32 {
        0
    }

    fn is_live(&self) -> bool {
        false
    }

    fn shown(&self, path: &Path) -> PathBuf {
        let root = &self.state().root;
        if root.as_os_str().is_empty() { path.to_path_buf() } else { root.join(path.strip_prefix("/").unwrap_or(path)) }
    }
}

impl HostWrite for MemoryHost {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>> {
        let mut state = self.effect();
        state.parent_is_folder(path)?;
        if state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let number = state.inodes.len();
        let mut attributes = Attributes::new(mode, 0, 0);
        attributes.mtime = Some(Attributes::nanos(state.clock()));
        state.inodes.push(Inode { bytes: Vec::new(), attributes, durable: None });
        state.names.insert(path.to_path_buf(), Node::File(number));
        Ok(Box::new(MemoryFile { host: self, number }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        match self.state().names.get(path) {
            Some(Node::File(number)) => Ok(Box::new(MemoryFile { host: self, number: *number })),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.effect();
        state.parent_is_folder(to)?;
        let node = state.names.remove(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.names.insert(to.to_path_buf(), node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.effect();
        match state.names.get(path) {
            Some(Node::File(_) | Node::Link(..)) => {
                state.names.remove(path);
                Ok(())
            }
            Some(Node::Dir(_)) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mut state = self.effect();
        state.parent_is_folder(path)?;
        if state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        state.names.insert(path.to_path_buf(), Node::Dir(mode));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.effect();
        if !matches!(state.names.get(path), Some(Node::Dir(_))) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        if state.names.keys().any(|name| name.parent() == Some(path)) {
            return Err(io::Error::from(io::ErrorKind::DirectoryNotEmpty));
        }
        state.names.remove(path);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let State { names, durable_names, .. } = &mut *state;
        durable_names.retain(|name, _| name.parent() != Some(path) || names.contains_key(name));
        for (name, node) in names.iter().filter(|(name, _)| name.parent() == Some(path)) {
            durable_names.insert(name.clone(), node.clone());
        }
        Ok(())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>> {
        let mut state = self.state();
        state.parent_is_folder(path)?;
        if state.locks.iter().any(|held| held == path) {
            return Ok(None);
        }
        state.locks.push(path.to_path_buf());
        if !state.names.contains_key(path) {
            let number = state.inodes.len();
            state.inodes.push(Inode { bytes: Vec::new(), attributes: Attributes::new(0o600, 0, 0), durable: None });
            state.names.insert(path.to_path_buf(), Node::File(number));
        }
        Ok(Some(Box::new(MemoryLock { host: self, path: path.to_path_buf() })))
    }
}

struct MemoryFile<'a> {
    host: &'a MemoryHost,
    number: usize,
}

impl NewFile for MemoryFile<'_> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.host.effect();
        let now = Attributes::nanos(state.clock());
        let inode = &mut state.inodes[self.number];
        inode.bytes.extend_from_slice(bytes);
        inode.attributes.mtime = Some(now);
        Ok(())
    }

    fn set_attributes(&mut self, attributes: &Attributes) -> io::Result<()> {
        let mut state = self.host.effect();
        let inode = &mut state.inodes[self.number];
        let mtime = attributes.mtime.or(inode.attributes.mtime);
        inode.attributes = Attributes { mtime, ..attributes.clone() };
        Ok(())
    }

    fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        let mut state = self.host.effect();
        state.inodes[self.number].attributes.mode = mode;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.host.state();
        let inode = &mut state.inodes[self.number];
        inode.durable = Some((inode.bytes.clone(), inode.attributes.clone()));
        Ok(())
    }

    fn id(&self) -> io::Result<FileId> {
        Ok(FileId(0, self.number as u64))
    }
}

struct MemoryLock<'a> {
    host: &'a MemoryHost,
    path: PathBuf,
}

impl LockGuard for MemoryLock<'_> {}

impl Drop for MemoryLock<'_> {
    fn drop(&mut self) {
        self.host.state().locks.retain(|held| *held != self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_synced_is_lost_with_the_power() {
        let host = MemoryHost::new();
        host.put("/etc/a", b"old");
        let write = |sync: bool| {
            let mut file = host.create(Path::new("/etc/t"), 0o600).unwrap();
            file.write_all(b"new").unwrap();
            if sync {
                file.sync().unwrap();
            }
            host.rename(Path::new("/etc/t"), Path::new("/etc/a")).unwrap();
        };
        write(true);
        host.power_loss();
        assert_eq!(host.read(Path::new("/etc/a")).unwrap().unwrap(), b"old");
        write(false);
        host.sync_dir(Path::new("/etc")).unwrap();
        host.power_loss();
        assert_eq!(host.read(Path::new("/etc/a")).unwrap().unwrap(), b"", "a durable name of an unsynced file");
    }
}
