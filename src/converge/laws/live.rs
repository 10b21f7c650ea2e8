//! A host in memory on which systemd runs the Docker daemon.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::consumers::{NAMES, units};
use crate::envfile::unit::Release;
use crate::host::{Command, HostRead, MemoryHost, Output, Snapshot, Stat};

/// It counts restarts; the daemon starts with what its unit gives it then.
pub(super) struct Live<'a> {
    host: &'a MemoryHost,
    restarts: RefCell<usize>,
}

impl<'a> Live<'a> {
    /// A daemon that was started a moment ago.
    pub(super) fn new(host: &'a MemoryHost) -> Self {
        host.put_dir("/run/systemd/system");
        let live = Self { host, restarts: RefCell::default() };
        live.start();
        live
    }

    /// How often the daemon was restarted since this was asked last.
    pub(super) fn restarts(&self) -> usize {
        self.restarts.take()
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
