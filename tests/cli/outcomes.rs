//! How a run ended, by exit code and last sentence: what happened to the host, whoever is told and whatever breaks.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use crate::root::Root;

const P: &str = "http://proxy.corp.example:3128";
const PREPARE: [&str; 3] = ["prepare", "--proxy", P];

/// The binary below a root, with this for standard output.
fn onto(root: &Root, words: &[&str], stdout: impl Into<Stdio>) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ics-setup"))
        .args(words)
        .args(["--root", root.path().to_str().unwrap()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(stdout)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads.
fn closed() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

#[test]
fn what_was_done_is_done_also_where_nobody_can_be_told() {
    for json in [&[][..], &["--format", "json"]] {
        for broken in ["full", "closed"] {
            let stdout = || if broken == "full" { Stdio::from(full()) } else { Stdio::from(closed()) };
            let root = Root::ubuntu();
            let told = |words: &[&str]| onto(&root, &[words, json].concat(), stdout());
            for words in [&PREPARE[..], &PREPARE, &["reconfigure"], &["revert"], &["prune", "--keep", "0", "--yes"]] {
                let (code, stderr) = told(words);
                let lines: Vec<&str> = stderr.lines().filter(|line| line.contains("standard output")).collect();
                assert!(
                    code == 0 && lines.len() == 1 && lines[0].starts_with("warning: done, but "),
                    "{words:?}: {stderr}"
                );
            }
            assert!(root.get("etc/environment").contains(P));
            // What has nothing but a result has failed without it; a reader that went away made its choice.
            let code = if broken == "full" { 5 } else { 0 };
            let other = ["prepare", "--proxy", "http://other.corp.example:1", "--dry-run"];
            let same = [&PREPARE[..], &["--dry-run"]].concat();
            for words in [&["status"][..], &["settings", "show"], &other, &same, &["revert", "--help"]] {
                let (seen, stderr) = told(words);
                assert_eq!(
                    (seen, stderr.contains("error: the result could not be written")),
                    (code, code == 5),
                    "{stderr}"
                );
            }
        }
    }
    // A run that failed says so first of all.
    let root = Root::ubuntu();
    let (code, stderr) = onto(&root, &["prepare", "--proxy", "http://h"], full());
    assert!(code == 3 && stderr.ends_with("\nNothing was changed.\n"), "{stderr}");
}

#[test]
fn a_lost_result_is_spoken_of_however_the_command_ended() {
    let root = Root::ubuntu();
    root.run(&PREPARE).ok();
    let run = std::fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap().next().unwrap().unwrap().path();
    for (wanted, words) in [
        (4, &["check"][..]),
        (3, &["prepare", "--proxy", "http://h"]),
        (2, &["prepare", "--exit-code"]),
        (2, &["prepare", "--prxy"]),
        (5, &["status"]),
    ] {
        if words == ["status"] {
            std::fs::write(run.join("journal"), "{\n").unwrap();
        }
        let words = [words, &["--format", "json"]].concat();
        let (code, stderr) = onto(&root, &words, full());
        let said = stderr.matches("error: the result could not be written to standard output").count();
        assert_eq!((code, said), (wanted, 1), "{words:?}: {stderr}");
        let (code, stderr) = onto(&root, &words, closed());
        assert!(code == wanted && !stderr.contains("standard output"), "{words:?}: {stderr}");
    }
}

/// A shell in a mount namespace of its own, where the root can be mounted over; `None`: this user may not, and `test` is skipped.
fn in_shell(test: &str, root: &Root, script: &str, words: &[&str]) -> Option<Output> {
    let shell = |script: &str| {
        let mut shell = Command::new("unshare");
        shell.args(["-m", "--propagation", "private", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_ics-setup")]);
        shell.args(words).args(["--root", root.path().to_str().unwrap()]);
        shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("R", root.path()).stdin(Stdio::null());
        shell.output()
    };
    let may = shell("mount -t tmpfs none /mnt").is_ok_and(|output| output.status.success());
    if !may {
        println!("skip {test}: this user may not mount anything");
        return None;
    }
    Some(shell(script).unwrap())
}

#[track_caller]
fn ended(output: &Output, code: i32, words: &str, last: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(words) && stderr.ends_with(&format!("\n\n{last}\n")), "{words}, {last}: {stderr}");
}

#[test]
fn each_kind_of_failure_says_how_the_host_stands() {
    const NOTHING: &str = "Nothing was changed.";
    let docker = "mkdir -p $R/etc/systemd/system; mount -t tmpfs -o size=4k,nr_inodes=1";
    let back = "Nothing was changed: what had been written was put back.";
    for (script, code, words, last) in [
        (format!("{docker} x $R/etc/systemd/system"), 5, "file system is full", back),
        (format!("{docker},ro x $R/etc/systemd/system"), 5, "mounted read-only", back),
        (
            "mkdir -p $R/var/lib; mount -t tmpfs -o nr_inodes=1 x $R/var/lib".to_owned(),
            5,
            "file system is full",
            NOTHING,
        ),
        ("mkdir -p $R/var/lib; mount -t tmpfs -o ro x $R/var/lib".to_owned(), 5, "mounted read-only", NOTHING),
        ("mount --bind $R/etc/environment $R/etc/environment".to_owned(), 5, "something is mounted on it", back),
        ("ulimit -f 0".to_owned(), 5, "no file may become that large here", NOTHING),
    ] {
        let root = Root::ubuntu();
        root.put("etc/systemd/system/a", "");
        std::fs::remove_file(root.at("etc/systemd/system/a")).unwrap();
        let before = root.picture();
        // A shell may not grow a file either: what is told goes through a pipe.
        let test = "each_kind_of_failure_says_how_the_host_stands";
        let Some(output) = in_shell(test, &root, &format!("{script} && exec \"$@\""), &PREPARE) else { return };
        ended(&output, code, words, last);
        assert!(root.picture() == before, "{script}");
        // What it is to be looked with is there, though what could not be written is not.
        let stderr = String::from_utf8_lossy(&output.stderr);
        for line in stderr.lines().filter_map(|line| line.strip_prefix("hint: look: df -h ")) {
            let folder = line.split(';').next().unwrap();
            assert!(std::path::Path::new(folder).is_dir(), "{folder}");
        }
        root.run(&PREPARE).ok();
    }
}

#[test]
fn an_archive_on_a_full_disk_is_told_by_its_cause() {
    let root = Root::ubuntu();
    let script = "mount -t tmpfs -o size=4k x /mnt && exec \"$@\"";
    let test = "an_archive_on_a_full_disk_is_told_by_its_cause";
    let Some(output) = in_shell(test, &root, script, &["support-bundle", "/mnt/bundle.tar.gz"]) else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("the file system is full") && stderr.contains("hint: look: df -h /mnt\n"), "{stderr}");
}

/// What a step of the demonstration has come upon stands in a folder that is gone when it is read.
#[test]
fn a_demonstration_on_a_full_disk_names_no_folder_that_is_gone() {
    let root = Root::ubuntu();
    let script = "mount -t tmpfs -o size=64k x /mnt && TMPDIR=/mnt exec \"$1\" demo --yes";
    let test = "a_demonstration_on_a_full_disk_names_no_folder_that_is_gone";
    let Some(output) = in_shell(test, &root, script, &[]) else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("TMPDIR=<DIR> ics-setup demo") && stderr.contains("that root is gone"), "{stderr}");
    assert!(!stderr.contains("df -h"), "{stderr}");
}

#[test]
fn files_that_were_put_back_are_counted() {
    let root = Root::centos();
    // The last that is written, behind the script of its own and the Docker daemon's drop-in.
    root.put("etc/profile.d/zz.sh", "export http_proxy=http://old.corp.example:1\n");
    let before = root.picture();
    let mounted = "mount --bind $R/etc/profile.d/zz.sh $R/etc/profile.d/zz.sh && exec \"$@\"";
    let Some(output) = in_shell("files_that_were_put_back_are_counted", &root, mounted, &PREPARE) else { return };
    let last = "Nothing was changed: 2 files that had been written were put back.";
    ended(&output, 5, "something is mounted on it", last);
    assert!(root.picture() == before);
}

#[test]
fn what_keeps_prune_from_its_runs_is_said_once_and_nothing_is_gone() {
    let test = "what_keeps_prune_from_its_runs_is_said_once_and_nothing_is_gone";
    let root = with_two_runs();
    assert_eq!(root.run(&["prune"]).ok().stdout, "No run is forgotten: 2 runs stay.\n");
    let runs = || std::fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap().count();
    let all = ["prune", "--keep", "0", "--yes"];
    let told = |output: &Output| {
        ended(output, 5, "once that is mended, the same again: ", "Nothing was changed.");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr.matches("once that is mended").count(), 1, "{stderr}");
        assert_eq!(runs(), 2);
    };
    if marked(&root, "+", "var/lib/ics-setup") {
        let output = in_root(&root, &all);
        assert!(marked(&root, "-", "var/lib/ics-setup"));
        told(&output);
    } else {
        println!("skip {test}: no folder can be made immutable here");
    }
    let state = "$R/var/lib/ics-setup";
    let script = format!("mount --bind {state} {state} && mount -o remount,bind,ro {state} && exec \"$@\"");
    let Some(output) = in_shell(test, &root, &script, &all) else { return };
    told(&output);
    let done = root.run(&all).ok().stdout;
    assert!(runs() == 1 && done.ends_with("\nDone: 1 run removed; 1 run stays.\n"), "{done}");
    assert_eq!(root.run(&["prune"]).ok().stdout, "No run is forgotten: 1 run stays.\n");
}

/// The first run of two may be forgotten.
fn with_two_runs() -> Root {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://other.corp.example:1"]).ok();
    root.run(&PREPARE).ok();
    root
}

/// Makes it immutable (`+`) or lets it be changed again (`-`), where that can be.
pub fn marked(root: &Root, sign: &str, path: &str) -> bool {
    let done = Command::new("chattr").args([&format!("{sign}i")]).arg(root.at(path)).output();
    done.is_ok_and(|output| output.status.success())
}

/// The binary below a root, with nobody to be asked.
pub fn in_root(root: &Root, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ics-setup"));
    command.args(words).args(["--root", root.path().to_str().unwrap()]).env_clear().stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn who_waits_in_vain_is_told_where_to_look_and_whoever_asked_for_silence_only_that() {
    let root = with_two_runs();
    let lock = File::open(root.at("var/lib/ics-setup/lock")).unwrap();
    let _lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    let runs: [&[&str]; 3] =
        [&["reconfigure", "--proxy", P], &["prune", "--keep", "0", "--yes"], &["prune", "--keep", "0", "--yes", "-q"]];
    std::thread::scope(|scope| {
        let all = runs.map(|words| (words, scope.spawn(|| in_root(&root, words))));
        for (words, run) in all {
            let output = run.join().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(7), "{words:?}: {stderr}");
            assert_eq!(stderr.contains("waiting for it"), !words.contains(&"-q"), "{words:?}: {stderr}");
            let look = format!("ics-setup status --root {}\n", root.path().display());
            assert!(stderr.contains(&look) && stderr.ends_with("\n\nNothing was changed.\n"), "{words:?}: {stderr}");
        }
    });
}

#[test]
fn an_immutable_file_stops_prepare_and_revert_alike() {
    let marked = |root: &Root, sign: &str| marked(root, sign, "etc/environment");
    let root = Root::ubuntu();
    if !marked(&root, "+") {
        println!("skip an_immutable_file_stops_prepare_and_revert_alike: no file can be made immutable here");
        return;
    }
    let (first, before) = (root.run(&PREPARE), root.picture());
    assert!(marked(&root, "-"));
    let again = first.stderr.lines().find_map(|line| line.split_once("the same again: ")).expect("a command").1;
    crate::fixes::Programs::new(&[]).paste(again).unwrap();
    let after = root.picture();
    assert!(marked(&root, "+"));
    let second = root.run(&["revert"]);
    let stands = root.picture();
    assert!(marked(&root, "-"));
    for ran in [first, second] {
        assert!(ran.code == 5 && ran.stderr.contains("immutable"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("\n\nNothing was changed: ") && ran.stderr.ends_with("put back.\n"),
            "{}",
            ran.stderr
        );
    }
    assert!(!before.is_empty() && stands == after);
}

#[test]
fn a_run_with_more_files_than_may_be_open_is_whole_or_names_the_limit() {
    let root = Root::centos();
    for number in 0..120 {
        root.put(&format!("etc/profile.d/zz{number}.sh"), "export http_proxy=http://old.corp.example:1\n");
    }
    let run = |limit: u32| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_ics-setup")]);
        shell.args(PREPARE).args(["--root", root.path().to_str().unwrap()]).env_clear().stdin(Stdio::null());
        shell.output().unwrap()
    };
    let before = root.picture();
    let output = run(60);
    if output.status.code() != Some(0) {
        ended(&output, 5, "may not open more files", "Nothing was changed.");
        assert!(root.picture() == before);
        root.run(&PREPARE).ok();
    }
    assert!(root.get("etc/profile.d/zz99.sh").contains(P));
}

#[test]
fn names_of_files_do_not_speak_to_the_terminal() {
    let name = "etc/profile.d/zz\u{202e}\u{1b}[2J\nDone.\n.sh";
    let root = Root::centos();
    root.put(name, "export http_proxy=http://old.corp.example:1\n");
    for words in
        [&["prepare", "--proxy", P, "--dry-run"][..], &PREPARE, &["status"], &["check", "proxy", "-v"], &["revert"]]
    {
        let ran = root.run(words);
        let text = ran.stdout + &ran.stderr;
        assert!(!text.contains(['\u{202e}', '\u{1b}']) && !text.contains("\nDone.\n.sh"), "{words:?}: {text}");
        assert!(words[0] == "revert" || text.contains("zz"), "{words:?}: {text}");
    }
    assert!(root.has(name));
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_absent() {
    if !nix::unistd::geteuid().is_root() {
        println!("skip what_could_not_be_read_is_not_said_to_be_absent: only root can become somebody else");
        return;
    }
    let root = Root::ubuntu();
    root.put("etc/environment", format!("http_proxy={P}\nhttps_proxy={P}\n"));
    for (path, mode) in [("", 0o755), ("etc/environment", 0o600), ("divvycloud/prod.env", 0o600)] {
        std::fs::set_permissions(root.at(path), PermissionsExt::from_mode(mode)).unwrap();
    }
    let binary = root.at("ics-setup");
    // By a program of its own: who is started from here while this process writes would have it open.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_ics-setup")).arg(&binary).status().unwrap().success());
    let run = |words: &[&str]| {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(&binary);
        command.args(words).args(["--root", root.path().to_str().unwrap()]).env_clear().uid(65534).gid(65534);
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    for words in [&["check", "proxy"][..], &["prepare", "--dry-run"], &["reconfigure", "--dry-run"]] {
        let text = run(words);
        assert!(
            !text.contains("neither a file for logins nor prod.env") && text.contains("etc/environment"),
            "{words:?}: {text}"
        );
    }
}

#[test]
fn what_is_printed_has_a_limit() {
    let root = Root::ubuntu();
    let own: String = (0..20_000).map(|number| format!("http_proxy=http://old{number}.corp.example:1\n")).collect();
    for content in
        ["\0".repeat(4 << 20).into_bytes(), format!("X={}\n", "x".repeat(4 << 20)).into_bytes(), own.into_bytes()]
    {
        root.put("etc/environment", content);
        for words in
            [&["prepare", "--proxy", P, "--dry-run"][..], &["prepare", "--proxy", P, "--dry-run", "--format", "json"]]
        {
            let ran = root.run(words);
            let length = ran.stdout.len() + ran.stderr.len();
            assert!(length < 400_000, "{words:?}: {length}");
        }
    }
}

#[test]
fn a_restart_that_has_restarted_nothing_is_said() {
    let root = Root::ubuntu();
    for words in
        [["prepare", "--proxy", "http://p.corp.example:3128"], ["reconfigure", "--proxy", "http://p.corp.example:3128"]]
    {
        for _ in 0..2 {
            let (code, ran) = root.json(&[&words[..], &["--restart", "--yes"]].concat());
            let findings = ran["findings"].as_array().unwrap();
            let said = findings.iter().find(|own| own["id"] == "restart-nothing").unwrap_or_else(|| panic!("{ran:#}"));
            assert_eq!((code, said["status"].as_str()), (0, Some("skip")), "{said:#}");
            assert!(said["observed"].as_str().unwrap().contains("image"), "{said:#}");
        }
    }
}
