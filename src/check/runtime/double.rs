//! A host whose files are in memory and whose programs answer what a test wrote down.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::check::spec::{Address, CheckSpec, RedisSpec, Secrets};
use crate::check::unit::{Check, Look};
use crate::finding::Finding;
use crate::host::{Command, HostRead, MemoryHost, Output, Snapshot, Stat};
use crate::net::testing::patient;
use crate::net::{Roots, Time};

/// The clock of [`Double`]: 2026-11-21T20:01:02Z.
pub(super) const NOW: u64 = 1_795_291_262;

type Answer = Box<dyn Fn() -> io::Result<Output> + Send + Sync>;

/// See the module.
pub(super) struct Double {
    pub(super) files: MemoryHost,
    programs: Vec<(String, Answer)>,
    pub(super) live: bool,
    /// What was run, for tests to look at.
    pub(super) ran: Mutex<Vec<Command>>,
}

impl Double {
    /// A host with the product's usual files.
    pub(super) fn installed() -> Self {
        let files = MemoryHost::new();
        files.put("/divvycloud/prod.env", b"DIVVY_DB_HOST=db.corp.example\n");
        files.put("/divvycloud/docker-compose.yml", COMPOSE.as_bytes());
        Self::with(files)
    }

    pub(super) fn with(files: MemoryHost) -> Self {
        Self { files, programs: Vec::new(), live: true, ran: Mutex::default() }
    }

    /// A program whose arguments, joined, begin with `command` prints `stdout` and ends with 0.
    pub(super) fn prints(self, command: &str, stdout: impl Into<Vec<u8>>) -> Self {
        let stdout = stdout.into();
        self.answers(command, move || Ok(Output { code: Some(0), stdout: stdout.clone(), stderr: Vec::new() }))
    }

    /// It ends with 1 and these words.
    pub(super) fn fails(self, command: &str, stderr: &'static str) -> Self {
        self.answers(command, move || {
            Ok(Output { code: Some(1), stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() })
        })
    }

    /// It cannot be run.
    pub(super) fn refuses(self, command: &str, kind: io::ErrorKind) -> Self {
        self.answers(command, move || Err(kind.into()))
    }

    pub(super) fn answers(
        mut self,
        command: &str,
        answer: impl Fn() -> io::Result<Output> + Send + Sync + 'static,
    ) -> Self {
        self.programs.push((command.to_owned(), Box::new(answer)));
        self
    }

    /// Collects the facts of a check within two seconds, as for a server that may never answer.
    pub(super) fn collect<C: Check>(&self, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts {
        self.within(Time::new(Duration::from_secs(1), Duration::from_secs(2)), check, spec, secrets)
    }

    /// Collects the facts of a check, through their saved form and back.
    pub(super) fn within<C: Check>(&self, time: Time, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts {
        static ROOTS: LazyLock<Roots> = LazyLock::new(|| Roots::of(&MemoryHost::new(), b""));
        let look = Look { host: self, platform: None, spec, secrets, roots: &ROOTS };
        let facts = serde_json::to_string(&check.collect(&look, time, None)).unwrap();
        serde_json::from_str(&facts).unwrap()
    }

    /// The facts of a check whose programs all answer.
    pub(super) fn facts<C: Check>(&self, check: &C) -> C::Facts {
        self.within(patient(), check, &spec(), &Secrets::default())
    }

    /// Collects and judges.
    pub(super) fn check<C: Check>(&self, check: &C) -> Vec<Finding> {
        check.judge(&self.facts(check), &spec())
    }
}

/// A compose file with the vendor's three services and two workers.
pub(super) const COMPOSE: &str = "version: '2.2'\nservices:\n  interfaceserver:\n    ports:\n    - 8001:8001\n    environment:\n      \
    VIRTUAL_ENV: /\n  scheduler:\n    restart: always\n  worker:\n    scale: 2\n";

/// What the settings of a production host say.
pub(super) fn spec() -> CheckSpec {
    CheckSpec {
        redis: Some(RedisSpec {
            at: Address { host: "127.0.0.1".to_owned(), port: 6379, origin: "--redis-host".to_owned() },
            has_password: false,
            tls: None,
        }),
        ..CheckSpec::default()
    }
}

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
