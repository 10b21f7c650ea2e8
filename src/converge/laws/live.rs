//! A host in memory on which systemd runs the Docker daemon.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::consumers::{NAMES, units};
use crate::envfile::unit::Release;
use crate::host::{Command, HostRead, HostWrite, LockGuard, MemoryHost, NewFile, Output, Snapshot, Stat};

/// The public roots that the program of Debian's family begins its bundle with.
pub(super) const ROOTS: &str = "/usr/share/ca-certificates/roots.crt";

/// What it makes.
pub(super) const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where this is, it fails.
pub(super) const BROKEN: &str = "/etc/ssl/broken";

/// It counts restarts; the daemon starts with what its unit gives it then.
pub(super) struct Live<'a> {
    host: &'a MemoryHost,
    restarts: RefCell<usize>,
    is_stopped: Cell<bool>,
}

impl<'a> Live<'a> {
    /// A daemon that was started a moment ago.
    pub(super) fn new(host: &'a MemoryHost) -> Self {
        host.put_dir("/run/systemd/system");
        let live = Self { host, restarts: RefCell::default(), is_stopped: Cell::default() };
        live.start();
        live
    }

    /// How often the daemon was restarted since this was asked last.
    pub(super) fn restarts(&self) -> usize {
        self.restarts.take()
    }

    /// The daemon runs no more.
    pub(super) fn stop(&self) {
        for name in ["environ", "cmdline", "comm", "stat"] {
            self.host.remove_file(Path::new(&format!("/proc/77/{name}"))).unwrap();
        }
        self.is_stopped.set(true);
    }

    /// As `update-ca-certificates` does it.
    fn make_bundle(&self) -> io::Result<i32> {
        if self.host.lstat(Path::new(BROKEN))?.is_some() {
            return Ok(1);
        }
        let folder = Path::new("/usr/local/share/ca-certificates");
        let files = self.host.list(folder)?.into_iter().map(|name| folder.join(name));
        let all = [PathBuf::from(ROOTS)]
            .into_iter()
            .chain(files.filter(|path| path.extension().is_some_and(|own| own == "crt")));
        let read = all.map(|path| Ok(self.host.read(&path)?.unwrap_or_default())).collect::<io::Result<Vec<_>>>()?;
        self.host.put(BUNDLE, &read.concat());
        Ok(0)
    }

    fn start(&self) {
        let service = units::service(self.host, "docker.service", Release::MEASURED);
        let sights = service.sights(&NAMES).into_iter();
        let pairs = sights.filter_map(|(name, sight)| Some(format!("{name}={}\0", sight.value()?)));
        self.host.put("/proc/77/environ", pairs.collect::<String>().as_bytes());
        let words = service.exec_start.iter().flat_map(|command| command.argv.iter().flatten());
        self.host.put("/proc/77/cmdline", words.map(|word| format!("{word}\0")).collect::<String>().as_bytes());
        self.host.put("/proc/77/comm", b"dockerd\n");
        self.host.put("/proc/77/stat", format!("77 (dockerd) S{} 0 0\n", " 0".repeat(18)).as_bytes());
        let now = self.host.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.host.put("/proc/stat", format!("btime {now}\n").as_bytes());
    }
}

impl HostRead for Live<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.host.lstat(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.host.read_link(path)
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.host.snapshot(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.host.list(path)
    }

    fn run(&self, command: &Command) -> io::Result<Output> {
        let line = command.argv.join(" ");
        let stdout = match line.as_str() {
            "update-ca-certificates" | "update-ca-certificates --fresh" => {
                return Ok(Output { code: Some(self.make_bundle()?), ..Output::default() });
            }
            "systemctl is-active docker.service" if self.is_stopped.get() => {
                return Ok(Output { code: Some(3), stdout: b"inactive\n".to_vec(), ..Output::default() });
            }
            "systemctl show -p MainPID --value docker.service" if self.is_stopped.get() => b"0\n".to_vec(),
            "systemctl try-restart docker.service" if self.is_stopped.get() => Vec::new(),
            "systemctl is-active docker.service" => b"active\n".to_vec(),
            "systemctl show -p MainPID --value docker.service" => b"77\n".to_vec(),
            "systemctl daemon-reload" | "systemctl show-environment" => Vec::new(),
            "systemctl try-restart docker.service" => {
                *self.restarts.borrow_mut() += 1;
                self.start();
                Vec::new()
            }
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Output { code: Some(0), stdout, ..Output::default() })
    }

    fn now(&self) -> SystemTime {
        self.host.now()
    }

    fn euid(&self) -> u32 {
        0
    }

    fn is_live(&self) -> bool {
        true
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

impl HostWrite for Live<'_> {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>> {
        self.host.create(path, mode)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        self.host.append(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.host.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.host.remove_file(path)
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.host.create_dir(path, mode)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.host.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.host.sync_dir(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>> {
        self.host.try_lock(path)
    }
}
