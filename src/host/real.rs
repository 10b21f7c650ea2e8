//! The running system, or an image below a folder (`--root`).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg, OFlag};
use xattr::FileExt;

use super::attributes::ACL;
use super::holder::holder;
use super::resolve::walk;
use super::{
    Attributes, Command, FileId, FileKind, Holder, HostRead, HostWrite, LockGuard, NewFile, Output, Refused, Snapshot,
    Space, Stat, Watch, Xattrs,
};
use super::{follow, program};

/// More than any environment file has; a target beyond it is refused rather than loaded.
const MAX_FILE: u64 = 256 << 20;

/// Files of this machine, below `/` or below the root of an image.
#[derive(Debug)]
pub(crate) struct RealHost {
    root: Option<PathBuf>,
}

impl RealHost {
    /// The running system.
    pub(crate) fn live() -> Self {
        Self { root: None }
    }

    /// The image below `root`. Links inside it are followed as they would be after `chroot`; no program is started in it.
    ///
    /// # Errors
    /// When `root` is not a folder that can be entered.
    pub(crate) fn image(root: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        // `--root /` is the running system's files, still without its programs.
        Ok(Self { root: Some(root) })
    }

    /// The place of a path that has no links left in its folders.
    fn place(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_path_buf(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// The place of what `path` leads to. We follow the links ourselves: in an image so that none leads out of it, on the
    /// running system so that none that somebody planted is followed even for reading.
    fn followed(&self, path: &Path) -> io::Result<PathBuf> {
        match self.resolve(path) {
            Ok(path) => Ok(self.place(&path)),
            Err(Refused::Io(error)) => Err(error),
            Err(refused) => Err(io::Error::other(refused.to_string())),
        }
    }

    /// The place of the name `path` itself: links in its folders are followed, the last part is not.
    fn entry(&self, path: &Path) -> io::Result<PathBuf> {
        match (&self.root, path.parent(), path.file_name()) {
            (Some(_), Some(parent), Some(name)) => Ok(self.followed(parent)?.join(name)),
            _ => Ok(self.place(path)),
        }
    }

    fn stat_at(&self, place: &Path) -> io::Result<Option<Stat>> {
        Ok(present(fs::symlink_metadata(place))?.map(|meta| Stat {
            kind: kind_of(meta.file_type()),
            uid: meta.uid(),
            gid: meta.gid(),
            mode: meta.mode() & 0o7777,
            links: meta.nlink(),
            id: FileId(meta.dev(), meta.ino()),
        }))
    }
}

impl HostRead for RealHost {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.stat_at(&self.entry(path)?)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(self.entry(path)?)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, Refused> {
        let lstat = |path: &Path| self.stat_at(&self.place(path));
        walk(path, self.euid(), lstat, |path| fs::read_link(self.place(path)))
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        // O_NONBLOCK: a pipe that somebody put here must not hang us.
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
            .open(self.followed(path)?);
        let Some(mut file) = present(opened)? else { return Ok(None) };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if meta.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {} MiB", MAX_FILE >> 20)));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1);
        Read::by_ref(&mut file).take(MAX_FILE).read_to_end(&mut bytes)?;
        let mtime = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        let attributes = Attributes {
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            xattrs: xattrs_of(&file)?,
            mtime: Some(mtime),
        };
        Ok(Some(Snapshot { bytes, attributes, links: meta.nlink() }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let Some(entries) = present(fs::read_dir(self.followed(path)?))? else { return Ok(Vec::new()) };
        let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn run(&self, command: &Command) -> io::Result<Output> {
        if self.root.is_some() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no program is started in an image"));
        }
        program::run(command)
    }

    fn follow(&self, command: &Command, watch: &Watch<'_>, told: &mut dyn FnMut(&str) -> bool) -> io::Result<Output> {
        if self.root.is_some() {
            return self.run(command);
        }
        follow::follow(command, watch, told)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn euid(&self) -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    fn is_live(&self) -> bool {
        self.root.is_none()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let place = self.followed(path)?;
        let device = fs::metadata(&place)?.dev();
        let of = nix::sys::statvfs::statvfs(&place)?;
        // The widths of these numbers differ between architectures.
        #[allow(clippy::useless_conversion)]
        let [block, blocks, available] = [of.fragment_size().into(), of.blocks().into(), of.blocks_available().into()];
        let bytes = |blocks: u64| blocks.saturating_mul(block);
        Ok(Space {
            device,
            total: bytes(blocks),
            free: bytes(available),
            inodes: of.files(),
            inodes_free: of.files_available(),
        })
    }

    fn label(&self, path: &Path) -> io::Result<Option<String>> {
        match xattr::get(self.followed(path)?, "security.selinux") {
            Ok(label) => Ok(label.map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has_acl(&self, path: &Path) -> io::Result<bool> {
        has_acl(&self.followed(path)?)
    }

    fn shown(&self, path: &Path) -> PathBuf {
        self.place(path)
    }
}

impl HostWrite for RealHost {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(self.entry(path)?)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        let file = OpenOptions::new().append(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(self.entry(path)?)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.entry(from)?, self.entry(to)?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.entry(path)?)
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let place = self.entry(path)?;
        fs::DirBuilder::new().mode(mode).create(&place)?;
        // The process's umask may have taken bits away.
        if fs::symlink_metadata(&place)?.mode() & 0o7777 != mode {
            fs::set_permissions(&place, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(self.entry(path)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(self.followed(path)?)?.sync_all()
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(self.entry(path)?)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Box::new(RealLock(Some(lock))))),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    fn lock_holder(&self, path: &Path) -> Option<Holder> {
        holder(&fs::symlink_metadata(self.entry(path).ok()?).ok()?)
    }
}

struct RealLock(Option<Flock<File>>);

impl LockGuard for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        // Dropping the lock itself would panic where unlocking fails; then the end of the process unlocks.
        if let Some(Err((lock, _))) = self.0.take().map(Flock::unlock) {
            std::mem::forget(lock);
        }
    }
}

impl NewFile for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn set_attributes(&mut self, wanted: &Attributes) -> io::Result<()> {
        let meta = self.metadata()?;
        if (meta.uid(), meta.gid()) != (wanted.uid, wanted.gid) {
            fchown(&*self, Some(wanted.uid), Some(wanted.gid))?;
        }
        // After the owner, because a change of owner clears set-user-id bits; before the ACL, whose mask is the group's mode.
        self.set_mode(wanted.mode)?;
        let present = xattrs_of(self)?;
        for (name, value) in &wanted.xattrs {
            // Signatures of the old content, which the kernel makes anew.
            let of_content = matches!(name.as_str(), "security.ima" | "security.evm");
            if !of_content && present.get(name) != Some(value) {
                self.set_xattr(name, value)?;
            }
        }
        // A label that the kernel put on by itself stays; an ACL inherited from the folder does not.
        for name in present.keys().filter(|name| !wanted.xattrs.contains_key(*name)) {
            if name.starts_with("system.posix_acl") || name.starts_with("user.") {
                self.remove_xattr(name)?;
            }
        }
        if let Some(time) = wanted.modified() {
            self.set_modified(time)?;
        }
        Ok(())
    }

    fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        // Asked for at creation already; only an unusual umask makes this differ.
        if self.metadata()?.mode() & 0o7777 != mode {
            self.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn id(&self) -> io::Result<FileId> {
        self.metadata().map(|meta| FileId(meta.dev(), meta.ino()))
    }
}

/// What was looked for; `None`: it, or a folder on the way to it, is not there.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Has it a POSIX access control list? A file system without them has none.
pub(crate) fn has_acl(place: &Path) -> io::Result<bool> {
    match xattr::get(place, ACL) {
        Ok(list) => Ok(list.is_some()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
        Err(error) => Err(error),
    }
}

fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_symlink() {
        FileKind::Symlink
    } else if kind.is_dir() {
        FileKind::Dir
    } else if kind.is_file() && !kind.is_fifo() {
        FileKind::File
    } else {
        FileKind::Other
    }
}

fn xattrs_of(file: &File) -> io::Result<Xattrs> {
    let names = match file.list_xattr() {
        Ok(names) => names,
        // ENOTSUP: a file system without extended attributes has none.
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported) => return Ok(Xattrs::new()),
        Err(error) => return Err(error),
    };
    let mut all = Xattrs::new();
    for name in names {
        // Names are ASCII in every namespace the kernel has.
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { continue };
        if let Some(value) = file.get_xattr(&name)? {
            all.insert(text.to_owned(), value);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn an_image_keeps_absolute_links_inside() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/real"), b"inside").unwrap();
        std::os::unix::fs::symlink("/etc/real", folder.path().join("etc/link")).unwrap();
        let host = RealHost::image(folder.path()).unwrap();
        assert_eq!(host.read(Path::new("/etc/link")).unwrap().as_deref(), Some(&b"inside"[..]));
        assert!(host.run(&Command::new(["true"])).is_err());
    }

    #[test]
    fn a_pipe_in_place_of_a_file_is_refused_and_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let host = RealHost::image(folder.path()).unwrap();
        assert_eq!(host.snapshot(Path::new("/pipe")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
