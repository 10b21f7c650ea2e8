//! Many runs at once on one host: serialised, or refused with exit 7 and nothing written.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Family, Manifest, Ran, assignments, below, report, run, standing, status, write};
use serde_json::Value;
use tempfile::TempDir;

const CROWD: usize = 30;
const DROP_IN: &str = "/etc/systemd/system/docker.service.d/http-proxy.conf";

fn host(family: Family) -> TempDir {
    let folder = crate::common::scratch("crowd");
    family.dress(folder.path());
    std::fs::create_dir_all(folder.path().join("var/lib")).unwrap();
    write(folder.path(), "divvycloud/prod.env", "DIVVY_DB_HOST=mysql\n#http_proxy=http://web.acmecorp.com\n");
    folder
}

fn look(host: &Path) -> Manifest {
    Manifest::take(host, &["var/lib/ics-setup"])
}

fn prepare(proxy: &str) -> Vec<String> {
    ["prepare", "--deployment", "production", "--proxy", proxy, "--non-interactive", "--format", "json", "--target"]
        .into_iter()
        .chain(["system-proxy,docker-daemon,prod-env"])
        .map(str::to_owned)
        .collect()
}

/// Starts all commands before it waits for the first.
fn at_once(host: &Path, commands: &[Vec<String>]) -> Vec<Ran> {
    let children: Vec<(String, Child)> = commands
        .iter()
        .map(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut command = crate::common::tool(host, &words);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (words.join(" "), child)
        })
        .collect();
    children.into_iter().map(|(shown, child)| Ran::of(shown, child.wait_with_output().unwrap())).collect()
}

/// Everything that holds whoever came first: exit 0 or 7, one line per variable with the same value everywhere, no
/// forgotten file, no interrupted run.
fn expect_order(family: Family, host: &Path, ran: &[Ran]) -> usize {
    for ran in ran {
        assert!(matches!(ran.code, Some(0 | 7)), "{ran}");
        if ran.code == Some(7) {
            assert_eq!(ran.json()["changes"].as_array().map_or(0, Vec::len), 0, "{ran}");
        }
    }
    let everything = Manifest::take(host, &[]);
    assert_eq!(everything.leftovers(), Vec::<&std::path::PathBuf>::new());
    let status = status(host);
    assert_eq!(status["interrupted"], Value::Null, "{status:#}");
    assert_eq!(status["drift"].as_array().map(Vec::len), Some(0), "{status:#}");

    let mut values = Vec::new();
    for path in [family.proxy_file(), "/divvycloud/prod.env"] {
        let text = std::fs::read_to_string(below(host, path)).unwrap();
        for name in ["http_proxy", "https_proxy", "no_proxy"] {
            assert_eq!(assignments(&text, name), 1, "{name} in {path}:\n{text}");
        }
        values.push(proxy_named_in(&text));
    }
    values.push(proxy_named_in(&std::fs::read_to_string(below(host, DROP_IN)).unwrap()));
    values.dedup();
    assert_eq!(values.len(), 1, "files of different runs: {values:?}");

    let changed = ran.iter().filter(|ran| ran.code == Some(0) && ran.json()["outcome"] == "changed").count();
    let committed = standing(&status);
    assert_eq!(committed, changed, "as many committed runs as runs that say they changed something\n{status:#}");
    changed
}

/// The number in `http://proxyN.example:3128`.
fn proxy_named_in(text: &str) -> String {
    let (_, rest) = text.split_once("http://proxy").unwrap_or_else(|| panic!("no proxy in\n{text}"));
    let (name, rest) = rest.split_once('.').unwrap();
    assert!(rest.starts_with("example:3128"), "{text}");
    name.to_owned()
}

/// Takes back run by run; the first bytes are back after as many.
fn revert_all(host: &Path, runs: usize, first: &Manifest) {
    for left in (0..runs).rev() {
        let ran = run(host, &["revert", "--non-interactive", "--format", "json"]).expect(0);
        assert_eq!(standing(&status(host)), left, "{ran}");
    }
    assert_eq!(first.difference(&look(host)), "", "after {runs} reverts");
}

#[test]
fn thirty_equal_runs_change_the_host_once() {
    for family in Family::BOTH {
        let host = host(family);
        let first = look(host.path());
        let started = Instant::now();
        let commands = vec![prepare("http://proxy1.example:3128"); CROWD];
        let ran = at_once(host.path(), &commands);
        let seconds = started.elapsed().as_secs_f32();
        let changed = expect_order(family, host.path(), &ran);
        assert_eq!(changed, 1, "equal settings need one run");
        revert_all(host.path(), changed, &first);
        let refused = ran.iter().filter(|ran| ran.code == Some(7)).count();
        report(&format!("  {family:?}: {CROWD} equal runs in {seconds:.1} s, {refused} refused"));
    }
}

#[test]
fn thirty_different_runs_come_one_after_another() {
    for family in Family::BOTH {
        let host = host(family);
        let first = look(host.path());
        let started = Instant::now();
        let commands: Vec<_> = (1..=CROWD).map(|n| prepare(&format!("http://proxy{n}.example:3128"))).collect();
        let ran = at_once(host.path(), &commands);
        let seconds = started.elapsed().as_secs_f32();
        let changed = expect_order(family, host.path(), &ran);
        let refused = ran.iter().filter(|ran| ran.code == Some(7)).count();
        assert_eq!(changed + refused, CROWD, "each different run changes the host or is refused");
        assert!(changed > 0);
        // The last one to commit is the one that the files show.
        revert_all(host.path(), changed, &first);
        report(&format!("  {family:?}: {CROWD} different runs in {seconds:.1} s, {refused} refused"));
    }
}

#[test]
fn a_lock_that_is_held_is_waited_for_and_then_refused() {
    crate::common::need(&["flock", "setpriv"]);
    let host = host(Family::Ubuntu);
    let words = prepare("http://proxy1.example:3128");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A committed run first, so that the lock lies where the tool has put it.
    run(host.path(), &words).expect(0);
    run(host.path(), &["revert", "--non-interactive"]).expect(0);
    let lock = below(host.path(), "/var/lib/ics-setup/lock");
    assert!(lock.is_file(), "no lock file at {}", lock.display());
    let before = look(host.path());

    // Ends with this thread, if it is not killed before.
    let hold = || {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "flock", "--no-fork"]).arg(&lock);
        let mut holder =
            command.args(["sh", "-c", "echo held; exec sleep infinity"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = [0; 4];
        holder.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
        holder
    };

    let mut holder = hold();
    let started = Instant::now();
    let refused = run(host.path(), &words);
    let waited = started.elapsed();
    // What only reads does not wait: who waits for this lock is refused.
    run(host.path(), &["status", "--format", "json"]).expect(0);
    let dry: Vec<&str> = words.iter().copied().chain(["--dry-run"]).collect();
    run(host.path(), &dry).expect(0);
    let _ = holder.kill();
    let _ = holder.wait();
    let refused = refused.expect(7);
    assert!(waited.as_secs_f32() > 2.0, "it waited {waited:?}");
    assert_eq!(before.difference(&look(host.path())), "");
    assert_ne!(refused.json()["error"], Value::Null, "{refused}");

    // One that is let go in time is waited for.
    let mut holder = hold();
    let mut waiting = crate::common::tool(host.path(), &words).stdout(Stdio::null()).spawn().unwrap();
    let started = || crate::common::child_of(waiting.id()).ok_or_else(|| "the tool has not been started".to_owned());
    crate::common::until(started);
    // It waits for several seconds.
    std::thread::sleep(Duration::from_millis(300));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(waiting.wait().unwrap().success());
}

#[test]
fn readers_and_reverts_in_the_crowd_see_a_whole_host() {
    let family = Family::Ubuntu;
    let host = host(family);
    let first = look(host.path());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let commands: Vec<_> = (1..=CROWD)
        .map(|n| match n % 3 {
            0 => words(&["revert", "--non-interactive", "--format", "json"]),
            1 => prepare(&format!("http://proxy{n}.example:3128")),
            _ => words(&["status", "--format", "json"]),
        })
        .collect();
    for ran in at_once(host.path(), &commands) {
        let read_only = ran.shown.starts_with("status");
        // A revert that comes when nothing is to be reverted may say so with a code of its own, but not as a bug.
        let allowed: &[i32] = if read_only { &[0] } else { &[0, 3, 5, 7] };
        assert!(ran.code.is_some_and(|code| allowed.contains(&code)), "{ran}");
        assert!(!ran.shown.starts_with("prepare") || matches!(ran.code, Some(0 | 7)), "{ran}");
    }
    let after = status(host.path());
    assert_eq!(after["interrupted"], Value::Null, "{after:#}");
    assert_eq!(Manifest::take(host.path(), &[]).leftovers(), Vec::<&std::path::PathBuf>::new());
    revert_all(host.path(), standing(&after), &first);
}
