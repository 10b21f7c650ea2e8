//! The running system, or an image below a folder (`--root`).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use xattr::FileExt;

use super::resolve::walk;
use super::{
    Attributes, Command, FileKind, HostRead, HostWrite, LockGuard, NewFile, Output, Refused, Snapshot, Stat, Xattrs,
};

/// More than any environment file has; a target beyond it is refused rather than loaded.
const MAX_FILE: u64 = 256 << 20;

/// How much of a program's output is kept.
const MAX_OUTPUT: usize = 1 << 20;

/// Files of this machine, below `/` or below the root of an image.
#[derive(Debug)]
pub struct RealHost {
    root: Option<PathBuf>,
}

impl RealHost {
    /// The running system.
    pub fn live() -> Self {
        Self { root: None }
    }

    /// The image below `root`. Links inside it are followed as they would be after `chroot`; no program is started in it.
    ///
    /// # Errors
    /// When `root` is not a folder that can be entered.
    pub fn image(root: &Path) -> io::Result<Self> {
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
        match fs::symlink_metadata(place) {
            Ok(meta) => Ok(Some(Stat {
                kind: kind_of(meta.file_type()),
                uid: meta.uid(),
                mode: meta.mode() & 0o7777,
                links: meta.nlink(),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
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
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
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
        let entries = match fs::read_dir(self.followed(path)?) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn run(&self, command: &Command) -> io::Result<Output> {
        if self.root.is_some() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no program is started in an image"));
        }
        run_to_deadline(command)
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
        Ok(Box::new(RealFile { file }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        let file = OpenOptions::new().append(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(self.entry(path)?)?;
        Ok(Box::new(RealFile { file }))
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

struct RealFile {
    file: File,
}

impl NewFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn set_attributes(&mut self, wanted: &Attributes) -> io::Result<()> {
        let meta = self.file.metadata()?;
        if (meta.uid(), meta.gid()) != (wanted.uid, wanted.gid) {
            fchown(&self.file, Some(wanted.uid), Some(wanted.gid))?;
        }
        // After the owner, because a change of owner clears set-user-id bits; before the ACL, whose mask is the group's mode.
        self.set_mode(wanted.mode)?;
        let present = xattrs_of(&self.file)?;
        for (name, value) in &wanted.xattrs {
            // Signatures of the old content, which the kernel makes anew.
            let of_content = matches!(name.as_str(), "security.ima" | "security.evm");
            if !of_content && present.get(name) != Some(value) {
                self.file.set_xattr(name, value)?;
            }
        }
        // A label that the kernel put on by itself stays; an ACL inherited from the folder does not.
        for name in present.keys().filter(|name| !wanted.xattrs.contains_key(*name)) {
            if name.starts_with("system.posix_acl") || name.starts_with("user.") {
                self.file.remove_xattr(name)?;
            }
        }
        if let Some(time) = wanted.modified() {
            self.file.set_modified(time)?;
        }
        Ok(())
    }

    fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        // Asked for at creation already; only an unusual umask makes this differ.
        if self.file.metadata()?.mode() & 0o7777 != mode {
            self.file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// "Nothing there" also when a folder on the way is absent or is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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

/// Runs without a shell and kills at the deadline, together with everything that the program has started: `su` gives its
/// shell a session of its own, so a signal to the process group would not reach it.
fn run_to_deadline(command: &Command) -> io::Result<Output> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("no pipe to the program"));
    };
    let collected = collect(command, &mut child, stdout, stderr);
    if collected.is_err() {
        for pid in with_descendants(child.id()) {
            // Gone already, perhaps.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    let status = child.wait()?;
    let (stdout, stderr) = collected?;
    Ok(Output { code: status.code(), stdout, stderr })
}

/// A process and everything below it, children before their parents.
fn with_descendants(root: u32) -> Vec<i32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The program's name stands in parentheses and may hold anything; state and parent follow the last one.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let Ok(root) = i32::try_from(root) else { return Vec::new() };
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|(pid, of)| *of == parent && !family.contains(pid))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        next += 1;
    }
    family.reverse();
    family
}

/// Reads both pipes to their ends, or until the program has ended: what it left running in the background may hold them
/// open. Fails with `TimedOut` at the deadline.
fn collect(
    command: &Command,
    child: &mut std::process::Child,
    mut stdout: std::process::ChildStdout,
    mut stderr: std::process::ChildStderr,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    use std::os::fd::AsFd;
    let end = Instant::now() + command.deadline;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    let mut buffer = [0_u8; 8192];
    while out_open || err_open {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late(command));
        }
        // Asked before the pipes are: what it wrote before its end is there by then.
        let ended = child.try_wait()?.is_some();
        let (out_ready, err_ready) = {
            // A closed pipe is always "ready": only open ones are asked.
            let mut fds = Vec::with_capacity(2);
            fds.extend(out_open.then(|| PollFd::new(stdout.as_fd(), PollFlags::POLLIN)));
            fds.extend(err_open.then(|| PollFd::new(stderr.as_fd(), PollFlags::POLLIN)));
            let millis = if ended { 0 } else { u16::try_from(left.as_millis().clamp(1, 100)).unwrap_or(100) };
            match poll(&mut fds, PollTimeout::from(millis)) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut ready = fds.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
            let mut next = |open: bool| open && ready.next().unwrap_or(false);
            (next(out_open), next(err_open))
        };
        if ended && !out_ready && !err_ready {
            break;
        }
        if out_ready {
            out_open = take_some(&mut stdout, &mut buffer, &mut out)?;
        }
        if err_ready {
            err_open = take_some(&mut stderr, &mut buffer, &mut err)?;
        }
    }
    // It may have closed its pipes and go on.
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            return Err(late(command));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((out, err))
}

fn late(command: &Command) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", command.deadline.as_secs()))
}

/// One read; `false` at the end of the stream. What is over the limit is read and dropped.
fn take_some(from: &mut impl Read, buffer: &mut [u8], into: &mut Vec<u8>) -> io::Result<bool> {
    match from.read(buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            let room = MAX_OUTPUT.saturating_sub(into.len()).min(count);
            into.extend_from_slice(&buffer[..room]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_at_its_deadline_with_its_children() {
        let host = RealHost::live();
        let command = Command {
            deadline: Duration::from_millis(200),
            ..Command::new(["sh", "-c", "sleep 30 & echo started; wait"])
        };
        let started = Instant::now();
        let error = host.run(&command).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn closed_pipes_do_not_end_the_deadline() {
        for script in ["exec >/dev/null 2>&1; sleep 8", "exec 2>/dev/null; sleep 8"] {
            let started = Instant::now();
            let command = Command { deadline: Duration::from_millis(300), ..Command::new(["sh", "-c", script]) };
            assert_eq!(RealHost::live().run(&command).unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn a_job_left_in_the_background_is_not_waited_for() {
        let started = Instant::now();
        let output = RealHost::live().run(&Command::new(["sh", "-c", "sleep 8 & echo done"])).unwrap();
        assert_eq!(output.stdout, b"done\n");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn no_descendant_survives_the_deadline() {
        let mark = format!("{}.5", 7_000_000 + std::process::id());
        let script = format!("setsid sh -c 'sleep {mark} & wait' & wait");
        let command = Command { deadline: Duration::from_millis(300), ..Command::new(["sh", "-c", &script]) };
        RealHost::live().run(&command).unwrap_err();
        let alive = || {
            fs::read_dir("/proc")
                .unwrap()
                .flatten()
                .filter(|entry| {
                    fs::read(entry.path().join("cmdline"))
                        .is_ok_and(|line| memchr::memmem::find(&line, mark.as_bytes()).is_some())
                })
                .count()
        };
        // A kill arrives when the kernel gets to it.
        for _ in 0..100 {
            if alive() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} still alive", alive());
    }

    #[test]
    fn output_and_code_come_back_and_no_environment_leaks_in() {
        let output = RealHost::live().run(&Command::new(["sh", "-c", "env; echo e >&2; exit 3"])).unwrap();
        assert_eq!(output.code, Some(3));
        assert_eq!(output.stderr, b"e\n");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("CARGO"));
    }

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
