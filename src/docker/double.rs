//! A host whose files are in memory and whose programs answer what a test wrote down.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host::{Command, HostRead, HostWrite, LockGuard, MemoryHost, NewFile, Output, Snapshot, Stat};

/// The clock of [`Double`]: 2026-11-21T20:01:02Z.
pub(crate) const NOW: u64 = 1_795_291_262;

type Answer = Box<dyn Fn() -> io::Result<Output> + Send + Sync>;

/// See the module.
pub(crate) struct Double {
    pub(crate) files: MemoryHost,
    programs: Vec<(String, Answer)>,
    pub(crate) live: bool,
    /// What was run, for tests to look at.
    pub(crate) ran: Mutex<Vec<Command>>,
}

impl Double {
    /// A host with the product's usual files.
    pub(crate) fn installed() -> Self {
        let files = MemoryHost::new();
        files.put("/divvycloud/prod.env", b"DIVVY_DB_HOST=db.corp.example\n");
        files.put("/divvycloud/docker-compose.yml", COMPOSE.as_bytes());
        Self::with(files)
    }

    pub(crate) fn with(files: MemoryHost) -> Self {
        Self { files, programs: Vec::new(), live: true, ran: Mutex::default() }
    }

    /// A program whose arguments, joined, begin with `command` prints `stdout` and ends with 0.
    pub(crate) fn prints(self, command: &str, stdout: impl Into<Vec<u8>>) -> Self {
        let stdout = stdout.into();
        self.answers(command, move || Ok(Output { code: Some(0), stdout: stdout.clone(), stderr: Vec::new() }))
    }

    /// It ends with 1 and these words.
    pub(crate) fn fails(self, command: &str, stderr: &'static str) -> Self {
        self.answers(command, move || {
            Ok(Output { code: Some(1), stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() })
        })
    }

    /// It cannot be run.
    pub(crate) fn refuses(self, command: &str, kind: io::ErrorKind) -> Self {
        self.answers(command, move || Err(kind.into()))
    }

    pub(crate) fn answers(
        mut self,
        command: &str,
        answer: impl Fn() -> io::Result<Output> + Send + Sync + 'static,
    ) -> Self {
        self.programs.push((command.to_owned(), Box::new(answer)));
        self
    }
}

/// A compose file with the vendor's three services and two workers.
pub(crate) const COMPOSE: &str = "version: '2.2'\nservices:\n  interfaceserver:\n    ports:\n    - 8001:8001\n    environment:\n      \
    VIRTUAL_ENV: /\n  scheduler:\n    restart: always\n  worker:\n    scale: 2\n";

/// What `docker inspect` of the client 20.10.24 and 26.1.5 printed alike for three containers of a daemon 20.10.24.
pub(crate) const INSPECTED: &str = r#"{"id":"c0abbcc287b96fcbca2afcab31843a747f36d7b1b2edb6ce9a0daf4cf4f0ec01","name":"/divvycloud_scheduler_1","created":"2026-11-22T00:02:03.654018667Z","restarts":0,"status":"running","exit":0,"oom":false,"error":"","started":"2026-11-22T00:02:03.78237634Z","finished":"0001-01-01T00:00:00Z","health":"healthy","image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.project":"divvycloud","com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"scheduler","com.docker.compose.version":"1.29.2"},"entrypoint":null,"cmd":["/bin/sh","-c","echo hello; exec sleep 1000"],"env":["A=\"x y\""]}
{"id":"feafe54bc1be0b2fcf2916e0901e301873cc2277972abacfcd031689bb41b9d4","name":"/bbb","created":"2026-11-22T00:02:03.794101879Z","restarts":5,"status":"restarting","exit":3,"oom":false,"error":"","started":"2026-11-22T00:02:05.986471438Z","finished":"2026-11-22T00:02:06.007187587Z","health":null,"image":"divvycloud/divvycloud:v22.3.9","labels":{},"entrypoint":null,"cmd":["/bin/sh","-c","echo err >&2; exit 3"],"env":null}
{"id":"7ada70691c35efd6a210df900cc93c3be2e72bef37fe2d7fa0bdbc324f98cb6a","name":"/ccc","created":"2026-11-22T00:02:03.935620391Z","restarts":0,"status":"created","exit":127,"oom":false,"error":"failed to create shim task: exec: \"/nosuch\": stat /nosuch: no such file or directory: unknown","started":"0001-01-01T00:00:00Z","finished":"0001-01-01T00:00:00Z","health":null,"image":"redis","labels":{},"entrypoint":null,"cmd":["/nosuch"],"env":null}
"#;

/// Their ids, as `docker ps` prints them.
pub(crate) const IDS: &str = "\"c0abbcc287b9\"\n\"feafe54bc1be\"\n\"7ada70691c35\"\n";

impl HostRead for Double {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.files.lstat(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.read_link(path)
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.files.snapshot(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.files.list(path)
    }

    fn run(&self, command: &Command) -> io::Result<Output> {
        self.ran.lock().unwrap().push(command.clone());
        let line = command.argv.join(" ");
        let found = self.programs.iter().find(|(own, _)| line.starts_with(own.as_str()));
        found.map_or_else(|| Err(io::ErrorKind::NotFound.into()), |(_, answer)| answer())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn euid(&self) -> u32 {
        0
    }

    fn is_live(&self) -> bool {
        self.live
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

impl HostWrite for Double {
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn NewFile + '_>> {
        self.files.create(path, mode)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn NewFile + '_>> {
        self.files.append(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.files.create_dir(path, mode)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.files.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard + '_>>> {
        self.files.try_lock(path)
    }
}
