//! The unattended way for real: a Debian root wearing Ubuntu's or CentOS's release, booted under systemd, where
//! cloud-init's user-data runs `ics-setup prepare`. Each machine keeps its disk over its boots.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::common::{
    Family, Leash, Manifest, OWN_GROUP, PROXY_NAMES, assignments, environment, need, need_root, report, until, write,
};
use serde_json::Value;
use tempfile::TempDir;

const PROXY: &str = "http://proxy.corp.example:3128";
const NO_PROXY: &str = "mysql,redis,169.254.169.254";

/// What a boot writes by itself below /etc, with or without ics-setup.
const BOOT_NOISE: [&str; 5] = [".pwd.lock", "machine-id", ".updated", "resolv.conf", "ld.so.cache"];

#[test]
fn ubuntu_prepares_itself_at_first_boot() {
    prepares_itself_at_first_boot(Family::Ubuntu);
}

#[test]
fn centos_prepares_itself_at_first_boot() {
    prepares_itself_at_first_boot(Family::CentOs);
}

fn prepares_itself_at_first_boot(family: Family) {
    let machine = Machine::new(family);
    let first = machine.boot("first", &user_data(&format!("--proxy {PROXY}")));

    // The conditions of an unattended run, as the run's own shell saw them.
    let seen = environment(&first.read("run.env"));
    assert!(!seen.contains_key("HOME"), "HOME is set, so this boot proves too little: {seen:?}");
    assert!(PROXY_NAMES.iter().all(|name| !seen.contains_key(*name)), "proxy variables already: {seen:?}");
    assert_eq!(first.text("run.stdin").trim(), "/dev/null");
    assert_eq!(first.text("run.tty").trim(), "not a tty");

    // The run.
    first.expect_code(0);
    let result = first.json();
    assert_eq!(result["outcome"], "changed", "{result:#}");
    assert_eq!(result["command"], "prepare");
    assert_eq!(result["error"], Value::Null);
    assert_eq!(result["os"]["id"], family.id());
    assert_eq!(result["os"]["version"], family.version());
    assert_eq!(result["os"]["strategy"], family.id());
    let changed: Vec<_> =
        result["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect();
    for path in [family.proxy_file(), DROP_IN] {
        assert!(changed.contains(&path), "{path} is not among the changes {changed:?}");
    }
    let verified: Vec<_> = result["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["id"].as_str().is_some_and(|id| id.starts_with("proxy-")))
        .collect();
    assert!(
        verified.iter().any(|finding| finding["status"] == "pass"),
        "verification did not run, or nothing passed: {:#}",
        result["findings"]
    );
    assert!(verified.iter().all(|finding| finding["status"] != "fail"), "{verified:#?}");
    assert!(first.text("status").contains("status: done"), "{}", first.text("status"));
    // Consumers that do not read the file are told apart. Debian's sudo has no pam_env, its cron has.
    let cron = if family == Family::Ubuntu { "pass" } else { "warn" };
    for (id, status) in
        [("proxy-sudo", "warn"), ("proxy-cron", cron), ("proxy-systemd", "warn"), ("proxy-docker", "skip")]
    {
        let finding = finding(&result, id);
        assert_eq!(finding["status"], status, "{finding:#}");
        assert!(
            status != "warn" || finding["fix"][0].is_string() || finding["advice"][0].is_string(),
            "says what to do: {finding:#}"
        );
    }

    // The files.
    machine.expect_proxy_file();
    let drop_in = machine.text(DROP_IN);
    for line in [format!("HTTP_PROXY={PROXY}"), format!("HTTPS_PROXY={PROXY}"), format!("NO_PROXY={NO_PROXY}")] {
        assert!(drop_in.contains(&line), "{line} is missing in\n{drop_in}");
    }
    let told = machine.text("/var/lib/ics-setup/state.json");
    assert!(told.contains(PROXY) && told.contains("production"), "{told}");
    let state = machine.manifest("var/lib/ics-setup");
    assert_eq!(state.leftovers(), Vec::<&PathBuf>::new());

    // What readers in the booted system got.
    let login = environment(&first.read("login.env"));
    for (name, value) in [("http_proxy", PROXY), ("https_proxy", PROXY), ("no_proxy", NO_PROXY)] {
        assert_eq!(login.get(name).map(String::as_str), Some(value), "{name} in divvy's login: {login:?}");
    }
    let bare = environment(&first.read("bare.env"));
    assert!(bare.contains_key("PATH"), "the bare unit did not run");
    assert!(PROXY_NAMES.iter().all(|name| !bare.contains_key(*name)), "a unit without our files: {bare:?}");
    let docker = environment(&first.read("docker.env"));
    for (name, value) in [("HTTP_PROXY", PROXY), ("HTTPS_PROXY", PROXY), ("NO_PROXY", NO_PROXY)] {
        assert_eq!(docker.get(name).map(String::as_str), Some(value), "{name} for docker.service: {docker:?}");
    }

    // The same disk, booted as a new instance: cloud-init runs everything again, and nothing moves.
    let before = machine.manifest("etc");
    let runs = machine.manifest("var/lib/ics-setup/runs");
    let second = machine.boot("second", &user_data(&format!("--proxy {PROXY}")));
    second.expect_code(0);
    let result = second.json();
    assert_eq!(result["outcome"], "unchanged", "{result:#}");
    assert_eq!(result["changes"].as_array().map(Vec::len), Some(0), "{result:#}");
    let touched: Vec<_> = before
        .touched(&machine.manifest("etc"))
        .into_iter()
        .filter(|path| !BOOT_NOISE.iter().any(|noise| path == Path::new(noise)))
        .collect();
    assert_eq!(touched, Vec::<PathBuf>::new(), "the second boot wrote below /etc");
    assert_eq!(runs.touched(&machine.manifest("var/lib/ics-setup/runs")), Vec::<PathBuf>::new());
    assert_eq!(environment(&second.read("login.env")).get("http_proxy").map(String::as_str), Some(PROXY));

    report(&format!("  {family:?}: two boots in {:.1} s and {:.1} s", first.seconds, second.seconds));
}

/// The README's example, as it stands there: the host is prepared, and neither the password's file nor its folder is left.
#[test]
fn the_example_of_the_readme_prepares_a_host() {
    let (_, rest) = include_str!("../../README.md").split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    for family in Family::BOTH {
        let machine = Machine::new(family);
        let boot = machine.boot("readme", &format!("{example}  - ls -d /run/ics-setup >/out/left 2>&1; true\n"));
        let left = boot.text("left");
        assert!(left.contains("No such file"), "{left}");
        let file = machine.text(family.proxy_file());
        let line = "https_proxy=\"http://svc-ics:p%40ss%3Aw0rd%2F%23%25@proxy.corp.example:3128\"";
        assert!(file.contains(line), "{file}");
    }
}

/// A daemon that was running before has not read its drop-in: that is said, and `--restart` mends it, also when the files
/// are right already.
#[test]
fn a_running_docker_daemon_is_told_about_and_restarted_on_request() {
    let machine = Machine::new(Family::Ubuntu);
    let run = format!("ics-setup prepare --proxy {PROXY} --non-interactive --format json");
    let boot = machine.boot(
        "daemon",
        &format!(
            r#"#cloud-config
runcmd:
  - mkdir -p /run/systemd/system
  - cp /bin/sleep /usr/local/bin/dockerd
  - printf '[Service]\nExecStart=/usr/local/bin/dockerd 600\n' >/run/systemd/system/docker.service
  - systemctl daemon-reload
  - systemctl start docker.service
  - {run} >/out/prepare.json 2>/out/prepare.err
  - {run} --restart >/out/restarted.json 2>/out/restarted.err
  - {run} >/out/after.json 2>/out/after.err
  - cat /proc/$(systemctl show -p MainPID --value docker.service)/environ >/out/daemon.env
"#
        ),
    );
    let of = |name: &str| -> Value { serde_json::from_slice(&boot.read(name)).unwrap() };
    let first = boot.json();
    assert_eq!(first["outcome"], "changed", "{first:#}");
    assert_eq!(finding(&first, "proxy-docker")["status"], "warn", "it was started before");
    let fix = finding(&first, "proxy-docker")["fix"][0].as_str().unwrap().to_owned();
    assert!(fix.contains("systemctl restart docker"), "{fix}");
    let restarted = of("restarted.json");
    assert_eq!(restarted["outcome"], "unchanged", "{restarted:#}");
    assert_eq!(finding(&restarted, "proxy-docker")["status"], "pass", "{restarted:#}");
    assert_eq!(finding(&of("after.json"), "proxy-docker")["status"], "pass");
    let daemon = environment(&boot.read("daemon.env"));
    assert_eq!(daemon.get("HTTP_PROXY").map(String::as_str), Some(PROXY), "{daemon:?}");
}

/// Whoever restarts a daemon whose unit's files systemd has not read since they were changed starts it with the old ones:
/// that is said although the daemon runs with the right ones, and the fix mends it.
#[test]
fn files_of_a_unit_that_systemd_has_not_read_are_told() {
    let machine = Machine::new(Family::Ubuntu);
    let check = format!("ics-setup check proxy --only proxy-docker --proxy {PROXY} --format json --fail-on never");
    let boot = machine.boot(
        "unread",
        &format!(
            r#"#cloud-config
runcmd:
  - mkdir -p /run/systemd/system
  - cp /bin/sleep /usr/local/bin/dockerd
  - printf '[Service]\nExecStart=/usr/local/bin/dockerd 600\n' >/run/systemd/system/docker.service
  - ics-setup prepare --proxy {PROXY} --non-interactive --format json >/out/prepare.json 2>/out/prepare.err
  - systemctl daemon-reload
  - systemctl start docker.service
  - {check} >/out/first.json 2>/out/first.err
  - mv {DROP_IN} /root/kept
  - systemctl daemon-reload
  - mv /root/kept {DROP_IN}
  - systemctl show -p NeedDaemonReload docker.service >/out/needs
  - {check} >/out/unread.json 2>/out/unread.err
  - systemctl daemon-reload
  - {check} >/out/read.json 2>/out/read.err
"#
        ),
    );
    let of = |name: &str| -> Value { serde_json::from_slice(&boot.read(name)).unwrap() };
    assert_eq!(finding(&of("first.json"), "proxy-docker")["status"], "pass");
    assert_eq!(boot.text("needs").trim(), "NeedDaemonReload=yes");
    let unread = finding(&of("unread.json"), "proxy-docker");
    assert_eq!((&unread["status"], &unread["evidence"]["known"]), (&"warn".into(), &"asked".into()), "{unread:#}");
    assert_eq!(unread["fix"][0], "systemctl daemon-reload", "{unread:#}");
    assert!(unread["title"].as_str().unwrap().starts_with("systemd has to read the files"), "{unread:#}");
    assert_eq!(finding(&of("read.json"), "proxy-docker")["status"], "pass", "after the fix");
}

/// The finding with this id.
#[track_caller]
fn finding(result: &Value, id: &str) -> Value {
    let findings = result["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {result:#}")).clone()
}

#[test]
fn a_wrong_setting_shows_in_cloud_init_and_changes_nothing() {
    for family in Family::BOTH {
        let machine = Machine::new(family);
        let before = machine.manifest("etc");
        let boot = machine.boot("wrong", &user_data("--proxy proxy:3128"));
        boot.expect_code(3);
        let error = &boot.json()["error"];
        assert_eq!(error["kind"], "settings", "{error:#}");
        let status = boot.text("status");
        assert!(status.contains("status: error") && status.contains("scripts"), "{status}");

        let touched: Vec<_> = before
            .touched(&machine.manifest("etc"))
            .into_iter()
            .filter(|path| !BOOT_NOISE.iter().any(|noise| path == Path::new(noise)))
            .collect();
        assert_eq!(touched, Vec::<PathBuf>::new(), "a refused run wrote below /etc");
        assert_eq!(machine.manifest("var/lib/ics-setup/runs").0.len(), 0, "a refused run left a journal");
        let login = environment(&boot.read("login.env"));
        assert!(PROXY_NAMES.iter().all(|name| !login.contains_key(*name)), "{login:?}");
    }
}

/// A person at a terminal of the booted system: answers the wizard's questions, its proxy being a real listener.
const PERSON: &str = r#"
import os, pty, re, select, socket, sys, threading, time

listener = socket.create_server(("127.0.0.1", 3128))

def one(peer):
    if peer.recv(4096).startswith(b"CONNECT "):
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.recv(4096)
        peer.sendall(b"\x15\x03\x03\0\x02\x02\x28")
    peer.close()

def proxy():
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

threading.Thread(target=proxy, daemon=True).start()
down, enter = "\x1b[B", "\r"
talk = [
    ("Which deployment", enter),
    ("How does this host reach", enter),
    ("Proxy URL", "127.0.0.1:3128" + enter),
    ("Hosts that are reached", enter),
    ("What is to be done", down + enter),
    ("to use the proxy too", enter),
    ("changes. What now", "\x1b[A" + enter),
]
child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="linux", NO_COLOR="1")
    os.execvp("ics-setup", ["ics-setup", "wizard"])
screen, mark, end = b"", 0, time.time() + 240
while time.time() < end:
    if select.select([terminal], [], [], 0.3)[0]:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            more = b""
        if not more:
            break
        screen += more
    elif talk and talk[0][0].encode() in screen[mark:]:
        mark = len(screen)
        for key in re.findall("\x1b\\[.|[^\x1b]+", talk.pop(0)[1]):
            os.write(terminal, key.encode())
            time.sleep(0.2)
open("/out/screen", "wb").write(screen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn the_wizard_shows_who_sees_the_values_on_a_booted_system() {
    for family in Family::BOTH {
        let machine = Machine::new(family);
        write(&machine.disk(), "usr/lib/lab/person", PERSON);
        let user_data = "#cloud-config\nruncmd:\n  - python3 /usr/lib/lab/person >/out/prepare.err 2>&1; echo $? >/out/prepare.code\n";
        let boot = machine.boot("wizard", user_data);
        let screen = boot.text("screen").replace("\r\n", "\n");
        boot.expect_code(0);
        let (_, end) = screen.split_once("Who sees it").unwrap_or_else(|| panic!("no table:\n{screen}"));
        // What the table says of each, and the reader itself, asked by others.
        let cron = if family == Family::Ubuntu { "pass" } else { "warn" };
        for (consumer, status) in [("login", "pass"), ("sudo", "warn"), ("cron", cron), ("systemd", "warn")] {
            let rows: Vec<_> = end
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .filter(|words| words.get(1) == Some(&consumer))
                .collect();
            // sudo has a door of its own for logins.
            let right = |words: &Vec<&str>| words[0] == status;
            let right = if consumer == "sudo" { rows.iter().any(right) } else { rows.iter().all(right) };
            assert!(!rows.is_empty() && right, "{consumer} is not {status}:\n{screen}");
        }
        let login = environment(&boot.read("login.env"));
        assert_eq!(login.get("http_proxy").map(String::as_str), Some("http://127.0.0.1:3128"), "{login:?}");
        let service = environment(&boot.read("bare.env"));
        assert!(PROXY_NAMES.iter().all(|name| !service.contains_key(*name)), "{service:?}");
        assert!(end.contains("ics-setup prepare --deployment production --proxy http://127.0.0.1:3128"), "{end}");
    }
}

const DROP_IN: &str = "/etc/systemd/system/docker.service.d/http-proxy.conf";

/// The user-data: what a run of the tool finds around it, then the run, whose exit code is the script's.
fn user_data(flags: &str) -> String {
    format!(
        r#"#cloud-config
runcmd:
  - env -0 >/out/run.env
  - tty >/out/run.tty
  - readlink /proc/self/fd/0 >/out/run.stdin
  - >-
    ics-setup prepare --deployment production {flags} --non-interactive --format json
    >/out/prepare.json 2>/out/prepare.err; code=$?; echo $code >/out/prepare.code; exit $code
"#
    )
}

/// Runs after cloud-init's last stage, looks at the system from inside and powers it off.
const REPORT: &str = "#!/bin/sh
cloud-init status --long >/out/status 2>&1
su - divvy -c 'env -0' </dev/null >/out/login.env 2>/out/login.err
systemctl start lab-bare.service
# A docker.service that only tells what the daemon would be given, from the drop-in as systemd reads it.
mkdir -p /run/systemd/system
printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/env -0\\nStandardOutput=file:/out/docker.env\\n' \
  >/run/systemd/system/docker.service
systemctl daemon-reload
systemctl start docker.service
systemctl --no-block poweroff
";

struct Machine {
    family: Family,
    folder: TempDir,
}

struct Boot {
    out: PathBuf,
    seconds: f32,
}

impl Machine {
    fn new(family: Family) -> Self {
        need_root();
        need(&["systemd-nspawn"]);
        let folder = crate::common::scratch("machine");
        for part in ["upper", "work", "host"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let machine = Self { family, folder };
        let disk = machine.disk();
        family.dress(&disk);
        write(&disk, "usr/lib/lab/report", REPORT);
        write(
            &disk,
            "usr/lib/systemd/system/lab-report.service",
            "[Unit]\nAfter=cloud-final.service\n[Service]\nType=oneshot\nExecStart=/bin/sh /usr/lib/lab/report\n\
             ExecStopPost=/bin/systemctl --no-block poweroff\n",
        );
        write(
            &disk,
            "usr/lib/systemd/system/lab-bare.service",
            "[Service]\nType=oneshot\nExecStart=/usr/bin/env -0\nStandardOutput=file:/out/bare.env\n",
        );
        let wants = disk.join("usr/lib/systemd/system/cloud-init.target.wants");
        fs::create_dir_all(&wants).unwrap();
        symlink("../lab-report.service", wants.join("lab-report.service")).unwrap();
        machine
    }

    /// The disk's own layer: everything that the boots wrote, and nothing of the pristine root.
    fn disk(&self) -> PathBuf {
        self.folder.path().join("upper")
    }

    fn manifest(&self, path: &str) -> Manifest {
        Manifest::take(&self.disk().join(path), &[])
    }

    fn text(&self, path: &str) -> String {
        let path = crate::common::below(&self.disk(), path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The family's proxy file holds the three lines as the vendor documents them and keeps what it had.
    fn expect_proxy_file(&self) {
        let text = self.text(self.family.proxy_file());
        let export = if self.family == Family::CentOs { "export " } else { "" };
        for (name, value) in [("http_proxy", PROXY), ("https_proxy", PROXY), ("no_proxy", NO_PROXY)] {
            let line = format!("{export}{name}=\"{value}\"");
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in\n{text}");
            assert_eq!(assignments(&text, name), 1, "{name} in\n{text}");
        }
        if self.family == Family::Ubuntu {
            assert!(text.starts_with(self.family.environment()), "the first line moved:\n{text}");
        } else {
            assert_eq!(self.text("/etc/environment"), "", "CentOS does not keep its proxy here");
        }
    }

    /// Boots the disk with `user_data` as a new instance and waits until it has powered itself off.
    fn boot(&self, instance: &str, user_data: &str) -> Boot {
        let folder = self.folder.path();
        let out = folder.join(format!("out-{instance}"));
        fs::create_dir(&out).unwrap();
        let seed = "var/lib/cloud/seed/nocloud";
        write(&self.disk(), &format!("{seed}/user-data"), user_data);
        write(&self.disk(), &format!("{seed}/meta-data"), format!("instance-id: {instance}\n"));

        let started = Instant::now();
        let mut nspawn = crate::common::leashed(&[], OWN_GROUP[0]);
        nspawn
            .args(&OWN_GROUP[1..])
            .arg(format!("{}-{}", crate::common::name(), folder.file_name().unwrap().display()))
            .args([
                "sh",
                "-ec",
                r#"mount -t overlay overlay -o lowerdir="$LOWER",upperdir="$DIR/upper",workdir="$DIR/work" "$DIR/host"
                exec systemd-nspawn --quiet -D "$DIR/host" --machine="$NAME" --private-network --register=no \
                  --keep-unit --console=pipe --bind-ro="$BINARY":/usr/local/bin/ics-setup --bind="$OUT":/out -b"#,
            ])
            .env("LOWER", crate::common::debian_root())
            .env("DIR", folder)
            .env("NAME", format!("lab-{}-{}", std::process::id(), self.family.id()))
            .env("BINARY", fs::canonicalize(crate::common::binary()).unwrap())
            .env("OUT", &out)
            .stdout(fs::File::create(out.join("console")).unwrap())
            .stderr(fs::File::create(out.join("console.err")).unwrap());
        let mut nspawn = Leash::start(&mut nspawn);
        let status = until(|| nspawn.0.try_wait().unwrap().ok_or_else(|| "the boot goes on".to_owned()));
        let boot = Boot { out, seconds: started.elapsed().as_secs_f32() };
        assert!(
            status.success() && boot.out.join("status").exists(),
            "the boot ended with {status}\n{}\n{}",
            boot.text("console"),
            boot.text("console.err")
        );
        boot
    }
}

impl Boot {
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.text("status")))
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.out.join(name)).unwrap_or_default()).into_owned()
    }

    #[track_caller]
    fn expect_code(&self, code: i32) {
        assert_eq!(
            self.text("prepare.code").trim(),
            code.to_string(),
            "exit code of prepare\n{}\n{}",
            self.text("prepare.json"),
            self.text("prepare.err")
        );
    }

    #[track_caller]
    fn json(&self) -> Value {
        let text = self.text("prepare.json");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}\n{}", self.text("prepare.err")))
    }
}
