//! What the laboratory's tests share: the Debian root that `scripts/lab/provision` builds, throw-away machines
//! over it, and manifests that notice every byte, mode, owner and extended attribute.
//!
//! The machine's own files are never touched: a [`Guest`] lives in namespaces of its own over an overlay, and a
//! boot (`boot.rs`) in `systemd-nspawn`. What a test starts ends with it, also with one that panics or is killed: long-lived
//! processes are on a [`Leash`], and folders and control groups go with the process ([`name`]).
//!
//! No outcome may depend on how quick or how loaded the machine is: a test waits for events ([`until`]), and limits of time
//! only say "not for ever".

mod booted;
#[path = "../../cli/clock.rs"]
mod clock;
mod guest;
mod manifest;
pub mod outside;
pub mod site;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

pub use booted::Booted;
pub use guest::Guest;
pub use manifest::{Manifest, copy_tree};
pub use outside::Outside;
pub use site::{Compose, Engine, Host, Site};

/// The program under test: the one cargo has built, or the one named by `ICS_SETUP_LAB_BINARY`
/// (a portable build, an installed package).
pub fn binary() -> PathBuf {
    std::env::var_os("ICS_SETUP_LAB_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ics-setup")), PathBuf::from)
}

/// The lab's folder, as `scripts/lab/provision` has it.
pub fn lab() -> PathBuf {
    std::env::var_os("ICS_SETUP_LAB")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab"), PathBuf::from)
}

/// The pristine Debian root: lower layer of every machine, never written to.
pub fn debian_root() -> PathBuf {
    let root = lab().join("root");
    assert!(
        root.join("usr/bin/su").exists() || root.join("bin/su").exists(),
        "no lab root at {}: run scripts/lab/provision as root (scripts/test does)",
        root.display()
    );
    root
}

/// Refuses to go on without the named programs: a missing component is a failure, not a skip.
pub fn need(programs: &[&str]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let missing: Vec<_> =
        programs.iter().filter(|program| !folders.iter().any(|folder| folder.join(program).is_file())).collect();
    assert!(missing.is_empty(), "missing on this machine: {missing:?}; scripts/test installs them");
}

pub fn need_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this lab test mounts and boots, so it needs root; scripts/test skips it by name without root"
    );
}

/// A scratch folder on the lab's disk: overlays cannot lie on another overlay, and attributes need a real disk.
pub fn scratch(name: &str) -> TempDir {
    scratch_in(&lab().join("scratch"), name).unwrap()
}

/// A scratch folder in memory, where thousands of runs cost the disk nothing.
pub fn scratch_in_memory(name: &str) -> TempDir {
    scratch_in(Path::new("/dev/shm"), name).or_else(|_| scratch_in(&std::env::temp_dir(), name)).unwrap()
}

/// A scratch folder in which servers that give up root still read and write; its path is short enough for sockets.
pub fn scratch_for_all(name: &str) -> TempDir {
    let folder = scratch_in(&std::env::temp_dir(), name).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

fn scratch_in(parent: &Path, name: &str) -> std::io::Result<TempDir> {
    let parent = parent.join(self::name());
    fs::create_dir_all(&parent)?;
    tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(parent)
}

// --------------------------------------------------------------------------------------------------- endings

/// What this process makes on disk and in the control groups has this name, which begins as that of the run of
/// `scripts/test` does. When the process has ended, in whatever way, a shell that has waited for it takes all of it away.
pub fn name() -> &'static str {
    static NAME: LazyLock<(String, Child)> = LazyLock::new(|| {
        let run = std::env::var("LAB_RUN").unwrap_or_else(|_| "ics-setup-lab".to_owned());
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        let name = format!("{run}-{}-{moment:x}", std::process::id());
        // Its input ends with this process. What is on a leash may take a moment longer, so it tries more than once; who asks
        // all of a run to end gets that, too.
        let script = r#"
            trap '' TERM
            cat >/dev/null
            for try in 1 2 3 4 5 6 7 8 9 10; do
                rm -rf --one-file-system "$@"
                find /sys/fs/cgroup -depth -type d -path "*/${1##*/}*" -exec rmdir {} + && [ ! -e "$1" ] && exit
                sleep 1
            done"#;
        let mut keeper = Command::new("setsid");
        keeper.args(["sh", "-c", script, "sh"]).current_dir("/");
        keeper.args([lab().join("scratch"), "/dev/shm".into(), std::env::temp_dir()].map(|folder| folder.join(&name)));
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        (name, keeper)
    });
    &NAME.0
}

/// `program` as the first process of a pid namespace of its own, with mounts and a /proc of its own and the namespaces named
/// (`--net`). With it ends all that it has started; it ends with the thread that starts it, however that one ends.
pub fn leashed(namespaces: &[&str], program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]);
    command.args(namespaces).arg("--").arg(program).stdin(Stdio::null());
    unsaid(&mut command);
    command
}

/// Without the variables of these tests, which mean nothing to the program: it refuses to work under such.
pub fn unsaid(command: &mut Command) -> &mut Command {
    let own = std::env::vars_os().map(|(name, _)| name);
    own.filter(|name| name.as_encoded_bytes().starts_with(b"ICS_SETUP_")).for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// A process that was started by [`leashed`]: it and all that it has started have ended when the value has gone.
pub struct Leash(pub Child);

impl Leash {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Namespaces that `script` (of sh) makes ready, and that stay until the value is dropped.
    pub fn holding(namespaces: &[&str], script: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = leashed(namespaces, "sh");
        command.args(["-ec", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        let mut leash = Self::start(&mut command);
        let mut line = String::new();
        BufReader::new(leash.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let mut error = String::new();
            leash.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("no namespaces: {error}");
        }
        leash
    }

    /// The first process, as this machine counts.
    pub fn pid(&self) -> String {
        child_of(self.0.id()).expect("it has been started")
    }

    /// A command in these namespaces of it (`--pid`, `--net`), with an environment of nothing but PATH.
    pub fn enter(&self, namespaces: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid()]).args(namespaces).arg("--").args(words);
        command.env_clear().env("PATH", PATH).stdin(Stdio::null());
        command
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        // The end of a pid namespace's first process is the end of all in it and of its mounts; unshare has waited for it.
        if let Ok(None) = self.0.try_wait() {
            match child_of(self.0.id()) {
                Some(first) => {
                    let first = nix::unistd::Pid::from_raw(first.parse().unwrap());
                    let _ = nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGKILL);
                }
                None => _ = self.0.kill(),
            }
            let _ = self.0.wait();
        }
    }
}

/// Starts what [`Leash::enter`] gave, which ends with the leash: the id of nsenter.
pub fn serve(command: &mut Command) -> u32 {
    let mut server = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = server.id();
    std::thread::spawn(move || server.wait());
    pid
}

pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The only child of a process that waits for it, as `unshare --fork` and `nsenter --pid` do.
pub fn child_of(pid: u32) -> Option<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next().map(str::to_owned)
}

/// How long an event is waited for, and a program that should end: not for ever.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// `timeout` before a program that must end by itself: one that hangs is ended, with exit 124.
pub const BOUNDED: [&str; 3] = ["timeout", "--kill-after=5", "300"];

/// Looks again and again until there is something to be seen. What an error says is told if it never comes.
#[track_caller]
pub fn until<T>(mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(error) => assert!(began.elapsed() < PATIENCE, "not after {PATIENCE:?}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A Docker engine of the test's own: its data below `folder`, its control groups in one of this process's name. It touches
/// no network. The rest of it is below /run, which has to be its namespaces' own, as with [`APART`] before it.
pub fn engine(folder: &Path, socket: &Path) -> Vec<String> {
    let fixed = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"];
    let own = [
        format!("--host=unix://{}", socket.display()),
        format!("--data-root={}", folder.join("data").display()),
        format!("--cgroup-parent=/{}", name()),
    ];
    fixed.map(str::to_owned).into_iter().chain(own).collect()
}

/// A shell that gives its mount namespace what servers share on a machine, /run and /dev/shm, and becomes what follows.
pub const APART: [&str; 4] = ["sh", "-ec", "mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; exec \"$@\"", "sh"];

/// A shell that goes into a control group named by its first argument and becomes the rest: two booted systems must not
/// share their units' groups. [`name`] takes it away, if it begins so.
pub const OWN_GROUP: [&str; 4] = [
    "sh",
    "-ec",
    r#"group=$1; shift
       for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
         [ ! -e "$hierarchy/cgroup.procs" ] || { mkdir "$hierarchy/$group" && echo $$ >"$hierarchy/$group/cgroup.procs"; } || true
       done 2>/dev/null
       exec "$@""#,
    "sh",
];

/// A part of a test that could not be had here: `scripts/test` counts these lines and shows them.
pub fn skip(test: &str, part: &str, reason: &str) {
    report(&format!("skip {test}: {part}: {reason}"));
}

// ------------------------------------------------------------------------------------------------- families

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Ubuntu,
    CentOs,
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::Ubuntu, Self::CentOs];

    pub fn id(self) -> &'static str {
        match self {
            Self::Ubuntu => "ubuntu",
            Self::CentOs => "centos",
        }
    }

    pub fn version(self) -> &'static str {
        match self {
            Self::Ubuntu => "22.04",
            Self::CentOs => "7",
        }
    }

    /// The file that the vendor documents for the family's system proxy.
    pub fn proxy_file(self) -> &'static str {
        match self {
            Self::Ubuntu => "/etc/environment",
            Self::CentOs => "/etc/profile.d/proxy.sh",
        }
    }

    pub fn os_release(self) -> &'static str {
        match self {
            Self::Ubuntu => {
                "PRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\n\
                 VERSION=\"22.04.5 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n\
                 HOME_URL=\"https://www.ubuntu.com/\"\nUBUNTU_CODENAME=jammy\n"
            }
            Self::CentOs => {
                "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n\
                 VERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\nANSI_COLOR=\"0;31\"\n\
                 CPE_NAME=\"cpe:/o:centos:centos:7\"\nHOME_URL=\"https://www.centos.org/\"\n\n\
                 CENTOS_MANTISBT_PROJECT=\"CentOS-7\"\nREDHAT_SUPPORT_PRODUCT=\"centos\"\n"
            }
        }
    }

    /// `/etc/environment` as the family ships it.
    pub fn environment(self) -> &'static str {
        match self {
            Self::Ubuntu => {
                "PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games:/snap/bin\"\n"
            }
            Self::CentOs => "",
        }
    }

    /// Makes the tree below `root` look like this family, in what `ics-setup` reads and writes.
    pub fn dress(self, root: &Path) {
        write(root, "usr/lib/os-release", self.os_release());
        let link = root.join("etc/os-release");
        let _ = fs::remove_file(&link);
        fs::create_dir_all(root.join("etc")).unwrap();
        symlink("../usr/lib/os-release", link).unwrap();
        write(root, "etc/environment", self.environment());
        fs::create_dir_all(root.join("etc/profile.d")).unwrap();
        match self {
            Self::Ubuntu => write(root, "etc/debian_version", "bookworm/sid\n"),
            Self::CentOs => {
                write(root, "etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n");
                let link = root.join("etc/redhat-release");
                let _ = fs::remove_file(&link);
                symlink("centos-release", link).unwrap();
            }
        }
    }
}

/// Writes `content` at `path` below `root`, with the folders it needs.
pub fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = below(root, path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// `path` (absolute or not) below `root`.
pub fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

// ----------------------------------------------------------------------------------------------------- runs

/// What one run of the tool gave.
pub struct Ran {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
    pub shown: String,
}

impl Ran {
    pub fn of(shown: impl Into<String>, output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            out: output.stdout,
            err: clock::without_clock(&String::from_utf8_lossy(&output.stderr)),
            shown: shown.into(),
        }
    }

    /// The run's JSON result.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("no JSON ({error})\n{self}"))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        self
    }
}

/// A JSON result in the few lines that a failed test needs of it; anything else as it came.
impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}\nexit {:?}, signal {:?}", self.shown, self.code, self.signal)?;
        match serde_json::from_slice::<Value>(&self.out) {
            Ok(result) if result["outcome"].is_string() => {
                let paths = result["changes"].as_array().into_iter().flatten().map(|change| &change["path"]);
                let findings = result["findings"].as_array().into_iter().flatten();
                let findings = findings.map(|found| format!("{} {} {}", found["id"], found["status"], found["title"]));
                writeln!(f, "outcome {}, changes {:?}", result["outcome"], paths.collect::<Vec<_>>())?;
                writeln!(f, "findings {:#?}\nerror {:#}", findings.collect::<Vec<_>>(), result["error"])?;
            }
            _ => writeln!(f, "stdout: {}", String::from_utf8_lossy(&self.out))?,
        }
        write!(f, "stderr: {}", self.err)
    }
}

/// The tool with `arguments` on the tree at `root`, unattended, without any of this machine's proxy variables.
pub fn tool(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BOUNDED[0]);
    command.args(&BOUNDED[1..]).arg(binary()).args(arguments).arg("--root").arg(root);
    command.env_clear().env("PATH", PATH).stdin(Stdio::null());
    command
}

pub fn run(root: &Path, arguments: &[&str]) -> Ran {
    let shown = format!("ics-setup {} --root {}", arguments.join(" "), root.display());
    Ran::of(shown, tool(root, arguments).output().unwrap())
}

/// `status --format json` of the tree at `root`.
#[track_caller]
pub fn status(root: &Path) -> Value {
    let ran = run(root, &["status", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "status must always answer\n{ran}");
    ran.json()
}

/// How many of the runs in a `status` stand: a revert is a run of its own and does not count.
pub fn standing(status: &Value) -> usize {
    let runs = status["runs"].as_array().unwrap();
    runs.iter().filter(|run| run["state"] == "committed" && run["command"] != "revert").count()
}

/// `NAME=value` lines as a file has them: how often each name is set.
pub fn assignments(text: &str, name: &str) -> usize {
    text.lines()
        .map(|line| line.trim_start().trim_start_matches("export "))
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        .count()
}

/// An `env -0` listing.
pub fn environment(listing: &[u8]) -> BTreeMap<String, String> {
    listing
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let pair = String::from_utf8_lossy(pair);
            pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

pub const PROXY_NAMES: [&str; 6] = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// A line for the test's own report, past the harness's capture.
pub fn report(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
