//! Namespaces and mounts: what is inside sees this host's files, with the planned ones in their places, and can change none
//! of them.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, symlink,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getppid, setsid};

use super::{File, Order, cannot, frame, myself, routes};
use crate::system::mounts::{Line, MOUNTS, parse};

/// What programs may write to: over each of these lies a layer in memory.
const WRITABLE: [&str; 4] = ["/etc", "/home", "/root", "/var"];

/// Sockets by which name services answer. nscd is not among them: asked for a host, it would ask the network.
const NAME_SERVICES: [&str; 2] = ["/run/nslcd", "/run/samba/winbindd"];

/// Units that systemd's loader reads besides those in /etc and /usr. Generators leave theirs to the running systemd alone.
const UNITS: [&str; 3] = ["/run/systemd/system", "/run/systemd/system.control", "/run/systemd/transient"];

/// Devices that programs get.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Mounts deeper below a writable folder are those of containers, of which there may be thousands.
const DEEPEST: usize = 4;

/// How much a layer in memory may hold.
const MEMORY: &str = "mode=755,size=256m";

/// Makes the namespaces, starts the first process in them and waits for it.
pub(super) fn run(parent: i32) -> ExitCode {
    let ended = set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from).and_then(|()| {
        // A parent that has ended before is not waited for.
        if getppid() == Pid::from_raw(parent) { Ok(()) } else { Err(io::Error::other("its parent has ended")) }
    });
    if ended.is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(Order::Files(files)) = frame::read(&mut io::stdin().lock()) else { return ExitCode::FAILURE };
    match make(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            cannot(&why);
            ExitCode::FAILURE
        }
    }
}

/// An error with what was tried.
fn failed<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {}", error.into())
}

fn make(files: &[File]) -> Result<(), String> {
    // A terminal of the caller's is out of reach: passwords are asked there.
    setsid().map_err(failed("no session of its own"))?;
    umask(Mode::from_bits_truncate(0o022));
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(all).map_err(failed("namespaces cannot be made here (unshare)"))?;
    routes::all_local().map_err(failed("no routes in a network namespace of its own"))?;
    let scratch = fs::canonicalize("/tmp").map_err(failed("/tmp"))?;
    std::env::set_current_dir("/").map_err(failed("/"))?;
    bind("none", Path::new("/"), MsFlags::MS_REC | MsFlags::MS_PRIVATE)
        .map_err(failed("mounts cannot be made private"))?;
    let table = fs::read_to_string(MOUNTS).map_err(failed(MOUNTS))?;
    let mounts = parse(&table);
    read_only(&mounts)?;
    let services: Vec<(&str, fs::File)> = NAME_SERVICES
        .into_iter()
        .chain(UNITS)
        .filter_map(|folder| Some((folder, handle(Path::new(folder)).ok()?)))
        .collect();
    memory(&scratch, MEMORY).map_err(failed("no file system in memory"))?;
    layers(&mounts, files, &scratch)?;
    devices(&scratch.join("dev")).map_err(failed("/dev"))?;
    run_folder(&services).map_err(failed("/run"))?;
    for file in files {
        place(file).map_err(failed(&file.path.display().to_string()))?;
    }
    memory(&scratch, "mode=1777,size=256m").map_err(failed("/tmp"))?;
    let mut first = myself("first").spawn().map_err(failed("no first process"))?;
    first.wait().map_err(failed("the first process"))?;
    Ok(())
}

fn bind(source: impl AsRef<Path>, target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(Some(source.as_ref()), target, None::<&str>, flags, None::<&str>)
}

fn memory(target: &Path, options: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options))
}

/// An open folder, which other mounts on it do not hide.
fn handle(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_PATH.bits()).open(path)
}

fn of_handle(file: &fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Makes every mount read-only. One that another hides cannot be reached by its path, so nothing is written to it.
fn read_only(mounts: &[Line]) -> Result<(), String> {
    for line in mounts.iter().filter(|line| line.kind != "autofs") {
        match bind(
            "none",
            &line.point,
            MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept(&line.options),
        ) {
            Ok(()) | Err(nix::Error::ENOENT | nix::Error::EINVAL | nix::Error::ENOTDIR) => {}
            Err(error) => return Err(format!("{} cannot be made read-only: {error}", line.point.display())),
        }
    }
    Ok(())
}

/// The options of a mount that a remount would take away.
fn kept(options: &str) -> MsFlags {
    let flags = options.split(',').map(|option| match option {
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    });
    flags.fold(MsFlags::empty(), |all, flag| all | flag)
}

/// What is put over one folder or file.
struct Layer {
    point: PathBuf,
    below: Below,
}

enum Below {
    Folder(fs::File, fs::Metadata),
    /// A mount on a file, as containers have them on /etc/hosts.
    File(Vec<u8>, fs::Metadata),
}

/// Puts layers over the folders that programs may write to, and those of planned files. Every mount within has its own.
fn layers(mounts: &[Line], files: &[File], scratch: &Path) -> Result<(), String> {
    let parents = files.iter().filter_map(|file| file.path.ancestors().skip(1).find(|folder| folder.is_dir()));
    let wanted = WRITABLE.into_iter().map(Path::new).chain(parents);
    let mut folders: Vec<PathBuf> = wanted.filter_map(|folder| fs::canonicalize(folder).ok()).collect();
    folders.sort();
    folders.dedup();
    let all = folders.clone();
    folders.retain(|folder| !all.iter().any(|other| other != folder && folder.starts_with(other)));
    if folders.iter().any(|folder| folder == Path::new("/")) {
        return Err("a planned file lies in a folder that is not there yet, directly below /".to_owned());
    }
    let within = |point: &Path| folders.iter().any(|folder| point != folder && point.starts_with(folder));
    let mut points: Vec<PathBuf> = mounts
        .iter()
        .filter(|line| line.kind != "autofs" && within(&line.point) && line.point.components().count() <= DEEPEST + 1)
        .map(|line| line.point.clone())
        .collect();
    points.sort();
    points.dedup();
    // All are opened before the first is hidden.
    let opened = |point: PathBuf| {
        let metadata = fs::metadata(&point).ok()?;
        let below = if metadata.is_dir() {
            Below::Folder(handle(&point).ok()?, metadata)
        } else if metadata.is_file() {
            Below::File(fs::read(&point).ok()?, metadata)
        } else {
            return None;
        };
        Some(Layer { point, below })
    };
    let layers: Vec<Layer> = folders.iter().cloned().chain(points).filter_map(opened).collect();
    for (number, layer) in layers.iter().enumerate() {
        let is_first = folders.contains(&layer.point);
        match put(layer, &scratch.join(number.to_string())) {
            Err(error) if is_first => return Err(format!("no overlay over {}: {error}", layer.point.display())),
            // A file system that an overlay does not take is seen, and cannot be written.
            Err(_) => {
                if let Below::Folder(folder, _) = &layer.below {
                    let _ = bind(of_handle(folder), &layer.point, MsFlags::MS_BIND);
                }
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn put(layer: &Layer, scratch: &Path) -> io::Result<()> {
    let (folder, metadata) = match &layer.below {
        Below::Folder(folder, metadata) => (folder, metadata),
        Below::File(content, metadata) => {
            fs::write(&layer.point, content)?;
            return dress(&layer.point, metadata.mode(), Some((metadata.uid(), metadata.gid())));
        }
    };
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir(&work)?;
    dress(&upper, metadata.mode(), Some((metadata.uid(), metadata.gid())))?;
    // Paths of ours, without the characters that have a meaning in options.
    let (lower, upper, work) = (of_handle(folder), upper.display().to_string(), work.display().to_string());
    let options = format!("lowerdir={},upperdir={upper},workdir={work}", lower.display());
    mount(Some("overlay"), &layer.point, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    Ok(())
}

fn dress(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    let (user, group) = owner.unwrap_or((0, 0));
    chown(path, Some(user), Some(group))?;
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
}

fn folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// A /dev with nobody behind it: no log, no queues, terminals and shared memory of its own.
fn devices(new: &Path) -> io::Result<()> {
    folder(new, 0o755)?;
    mount(Some("tmpfs"), new, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755,size=64m"))?;
    for device in DEVICES {
        fs::write(new.join(device), "")?;
        bind(Path::new("/dev").join(device), &new.join(device), MsFlags::MS_BIND)?;
    }
    let (terminals, shared) = (new.join("pts"), new.join("shm"));
    folder(&terminals, 0o755)?;
    let options = Some("newinstance,ptmxmode=0666,mode=620,gid=5");
    mount(Some("devpts"), &terminals, Some("devpts"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, options)?;
    folder(&shared, 0o1777)?;
    memory(&shared, "mode=1777,size=64m")?;
    for (name, target) in
        [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, new.join(name))?;
    }
    bind(new, Path::new("/dev"), MsFlags::MS_MOVE)?;
    Ok(())
}

/// A /run in which nobody listens but name services, with the units that are there.
fn run_folder(services: &[(&str, fs::File)]) -> io::Result<()> {
    let run = Path::new("/run");
    memory(run, MEMORY)?;
    for (name, mode) in [("sshd", 0o755), ("lock", 0o1777), ("user", 0o755)] {
        folder(&run.join(name), mode)?;
    }
    for (path, service) in services {
        folder(Path::new(path), 0o755)?;
        bind(of_handle(service), Path::new(path), MsFlags::MS_BIND)?;
    }
    let old = Path::new("/var/run");
    if fs::symlink_metadata(old).is_ok_and(|found| found.is_dir()) {
        bind(run, old, MsFlags::MS_BIND | MsFlags::MS_REC)?;
    }
    Ok(())
}

fn place(file: &File) -> io::Result<()> {
    let Some(content) = &file.content else {
        return match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    if let Some(parent) = file.path.parent().filter(|parent| !parent.is_dir()) {
        folder(parent, 0o755)?;
    }
    // A new file, so that nobody sees the content before its mode.
    match fs::remove_file(&file.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.path)?;
    io::Write::write_all(&mut new, content)?;
    dress(&file.path, file.mode, file.owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remount_keeps_what_a_mount_forbids() {
        assert_eq!(kept("rw,nosuid,noexec,size=1"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC);
        assert_eq!(kept("rw"), MsFlags::empty());
    }
}
