//! The real binary, killed and failed at every system call with which it changes a host, each call name swept by
//! itself: the N-th call for N = 1, 2, 3 … until a run survives. strace does the killing; `--root` keeps it in a
//! folder in memory.
//!
//! Law: after a kill the host is all-old, all-new, or a mix that `status` calls interrupted, and the next changing
//! command makes it whole. After a failed call the host is as before and the run says so (exit 5).

mod bench;
mod failing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::{Family, Manifest, Ran, below, need, report, write};
use bench::{Act, ENDLESS, Lab, files, names, was_killed};
use serde_json::Value;

#[test]
fn ubuntu_prepare_killed_anywhere_is_all_old_or_all_new() {
    Lab::new(Family::Ubuntu, Act::Prepare).kill_everywhere();
}

#[test]
fn centos_prepare_killed_anywhere_is_all_old_or_all_new() {
    Lab::new(Family::CentOs, Act::Prepare).kill_everywhere();
}

#[test]
fn ubuntu_revert_killed_anywhere_is_all_old_or_all_new() {
    Lab::new(Family::Ubuntu, Act::Revert).kill_everywhere();
}

#[test]
fn centos_revert_killed_anywhere_is_all_old_or_all_new() {
    Lab::new(Family::CentOs, Act::Revert).kill_everywhere();
}

#[test]
fn ubuntu_recovery_killed_anywhere_still_recovers() {
    Lab::new(Family::Ubuntu, Act::Prepare).kill_the_recovery_everywhere();
}

#[test]
fn centos_recovery_killed_anywhere_still_recovers() {
    Lab::new(Family::CentOs, Act::Prepare).kill_the_recovery_everywhere();
}

#[test]
fn ubuntu_prepare_failing_anywhere_leaves_the_host_as_it_was() {
    Lab::new(Family::Ubuntu, Act::Prepare).fail_everywhere();
}

#[test]
fn centos_prepare_failing_anywhere_leaves_the_host_as_it_was() {
    Lab::new(Family::CentOs, Act::Prepare).fail_everywhere();
}

#[test]
fn ubuntu_revert_failing_anywhere_leaves_the_host_as_it_was() {
    Lab::new(Family::Ubuntu, Act::Revert).fail_everywhere();
}

#[test]
fn centos_revert_failing_anywhere_leaves_the_host_as_it_was() {
    Lab::new(Family::CentOs, Act::Revert).fail_everywhere();
}

#[test]
fn ubuntu_what_cannot_be_looked_at_is_not_taken_for_absent() {
    Lab::new(Family::Ubuntu, Act::Prepare).misread_everywhere("EIO");
    Lab::new(Family::Ubuntu, Act::Revert).misread_everywhere("EACCES");
}

#[test]
fn centos_what_cannot_be_looked_at_is_not_taken_for_absent() {
    Lab::new(Family::CentOs, Act::Prepare).misread_everywhere("EACCES");
    Lab::new(Family::CentOs, Act::Revert).misread_everywhere("EIO");
}

#[test]
fn cancelled_anywhere_is_all_old_or_all_new() {
    Lab::new(Family::Ubuntu, Act::Prepare).cancel_everywhere("INT");
    Lab::new(Family::CentOs, Act::Prepare).cancel_everywhere("TERM");
    Lab::new(Family::CentOs, Act::Revert).cancel_everywhere("INT");
}

#[test]
fn what_becomes_visible_is_on_disk_first() {
    for family in Family::BOTH {
        for act in [Act::Prepare, Act::Revert] {
            Lab::new(family, act).expect_durable_order();
        }
    }
}

#[test]
fn an_edit_by_hand_after_a_crash_is_never_lost() {
    for family in Family::BOTH {
        for act in [Act::Prepare, Act::Revert] {
            Lab::new(family, act).edit_after_every_crash();
        }
    }
}

#[test]
fn a_disk_that_stays_full_can_be_recovered_later() {
    Lab::new(Family::Ubuntu, Act::Prepare).fail_from_there_on();
    Lab::new(Family::CentOs, Act::Revert).fail_from_there_on();
}

impl Lab {
    fn kill_everywhere(&self) {
        let started = Instant::now();
        let (start, before, after) = self.start();
        self.put_back(start);
        let calls = self.calls(self.act);
        let (mut kills, mut mixes) = (0, 0);
        for call in calls.keys() {
            for n in 1.. {
                assert!(n < ENDLESS, "{call} never came to an end");
                self.put_back(start);
                let (ran, _) = self.injected(self.act, call, &format!("signal=KILL:when={n}"));
                if !was_killed(&ran) {
                    assert_eq!(ran.code, Some(0), "{ran}");
                    break;
                }
                kills += 1;
                let at = format!("{:?} of {:?} killed at {call} {n}", self.act, self.family);
                mixes += usize::from(self.is_a_mix(before, after, &at));
                self.keep("killed");
                self.next_command(Act::Prepare, &at);
                self.put_back("killed");
                self.next_command(Act::Revert, &at);
            }
        }
        assert!(mixes > 0, "no kill hit between two files, so this sweep proves nothing: {calls:?}");
        report(&format!(
            "  {:?} {:?}: {kills} kills at {}, {mixes} between two files, {:.1} s",
            self.family,
            self.act,
            names(&calls),
            started.elapsed().as_secs_f32()
        ));
    }

    /// Right after a kill: is the host between two states? Then `status` must say so.
    #[track_caller]
    fn is_a_mix(&self, before: &Manifest, after: &Manifest, at: &str) -> bool {
        let now = files(&self.look());
        let (to_old, to_new) = (files(before).difference(&now), files(after).difference(&now));
        let mixed = !to_old.is_empty() && !to_new.is_empty();
        let status = crate::common::status(&self.host());
        self.remembered(at);
        if mixed {
            assert_ne!(status["interrupted"], Value::Null, "{at}: a mix that status does not tell\n{to_old}");
        }
        mixed
    }

    /// The run that is remembered: what was told is written whole or not at all.
    #[track_caller]
    fn remembered(&self, at: &str) -> Value {
        let Ok(text) = fs::read(below(&self.host(), "/var/lib/ics-setup/state.json")) else { return Value::Null };
        let state: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(state["settings"]["proxy.url"], "http://proxy.corp.example:3128", "{at}: {state}");
        state["run"].clone()
    }

    /// The next changing command makes the host whole: `prepare` all-new, `revert` all-old.
    #[track_caller]
    fn next_command(&self, act: Act, at: &str) {
        let status = crate::common::status(&self.host());
        let (interrupted, standing) = (status["interrupted"] != Value::Null, crate::common::standing(&status));
        let (ran, wanted) = match act {
            Act::Prepare => (self.prepare(), &self.new),
            Act::Revert => (self.revert(), &self.old),
        };
        // Where there is nothing to revert, the code of `revert` is its own affair.
        if act == Act::Prepare || interrupted || standing > 0 {
            assert_eq!(ran.code, Some(0), "{at}, then {act:?} (interrupted: {interrupted})\n{ran}");
        }
        self.expect_whole(wanted, &format!("{at}, then {act:?} (interrupted: {interrupted})\n{ran}"));
    }

    #[track_caller]
    fn expect_whole(&self, wanted: &Manifest, at: &str) {
        assert_eq!(wanted.difference(&self.look()), "", "{at}");
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "{at}: forgotten files");
        let status = crate::common::status(&self.host());
        assert_eq!(status["interrupted"], Value::Null, "{at}: still interrupted");
        let states: Vec<_> = status["runs"].as_array().unwrap().iter().map(|run| run["state"].clone()).collect();
        assert!(states.iter().all(|state| state != "interrupted"), "{at}: {states:?}");
        let in_force = |run: &&Value| run["state"] == "committed" && run["command"] != "revert";
        let last = status["runs"].as_array().unwrap().iter().rfind(in_force).map(|run| run["run"].clone());
        assert_eq!(self.remembered(at), last.unwrap_or_default(), "{at}: what is remembered is not the last run's");
    }

    /// A run killed between two files is recovered by a command that is killed as well, at each of its calls.
    fn kill_the_recovery_everywhere(&self) {
        let started = Instant::now();
        self.put_back("old");
        let calls = self.calls(Act::Prepare);
        let rename = calls.keys().find(|call| call.starts_with("rename")).unwrap();
        let mut kills = 0;
        for halfway in 1..=calls[rename] {
            self.put_back("old");
            let (ran, _) = self.injected(Act::Prepare, rename, &format!("signal=KILL:when={halfway}"));
            assert!(was_killed(&ran), "{ran}");
            if !self.is_a_mix(&self.old, &self.new, "halfway") {
                continue;
            }
            self.keep("halfway");
            for act in [Act::Revert, Act::Prepare] {
                self.put_back("halfway");
                for call in self.calls(act).keys() {
                    if call.starts_with("open") {
                        continue; // dozens of them, and the calls between them are swept
                    }
                    for n in 1.. {
                        assert!(n < ENDLESS, "{call} never came to an end");
                        self.put_back("halfway");
                        let (ran, _) = self.injected(act, call, &format!("signal=KILL:when={n}"));
                        if !was_killed(&ran) {
                            assert_eq!(ran.code, Some(0), "{ran}");
                            break;
                        }
                        kills += 1;
                        let at = format!("{:?} halfway, {act:?} killed at {call} {n}", self.family);
                        self.next_command(act, &at);
                    }
                }
            }
        }
        assert!(kills > 0, "no rename lies between two files: {calls:?}");
        report(&format!("  {:?}: {kills} kills of a recovery, {:.1} s", self.family, started.elapsed().as_secs_f32()));
    }

    /// Ctrl-C and `kill`, at every call that changes a file.
    fn cancel_everywhere(&self, signal: &str) {
        let started = Instant::now();
        let (start, before, after) = self.start();
        self.put_back(start);
        let calls = self.calls(self.act);
        let mut cancelled = 0;
        for (call, count) in calls.iter().filter(|(call, _)| !call.starts_with("open")) {
            for n in 1..=*count {
                self.put_back(start);
                let (ran, _) = self.injected(self.act, call, &format!("signal={signal}:when={n}"));
                let at = format!("{signal} at {call} {n}: {ran}");
                assert!(!matches!(ran.code, Some(1 | 101)) && !was_killed(&ran), "{at}");
                cancelled += usize::from(ran.code != Some(0));
                self.is_a_mix(before, after, &at);
                self.keep("cancelled");
                self.next_command(Act::Prepare, &at);
                self.put_back("cancelled");
                self.next_command(Act::Revert, &at);
            }
        }
        assert!(cancelled > 0, "no signal arrived: {calls:?}");
        report(&format!(
            "  {:?} {:?}: {cancelled} times {signal}, {:.1} s",
            self.family,
            self.act,
            started.elapsed().as_secs_f32()
        ));
    }

    /// The order that a power cut needs: the journal on disk before the first target changes, each new content on
    /// disk before its rename, each folder on disk before the journal closes the run.
    fn expect_durable_order(&self) {
        let (start, before, after) = self.start();
        self.put_back(start);
        let log = self.folder.path().join("trace");
        let done = Command::new("strace")
            .args(["-f", "-qq", "-y", "-o"])
            .arg(&log)
            .args(["-e", "trace=write,pwrite64,writev,fsync,fdatasync,?rename,renameat,renameat2,?unlink,unlinkat"])
            .arg(crate::common::binary())
            .args(Self::words(self.act))
            .arg("--root")
            .arg(self.host())
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let log = fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        let host = self.host().display().to_string();
        let synced = |line: &str, path: &str| line.contains("sync(") && line.contains(&format!("<{path}>)"));
        let wrote = |line: &str, path: &str| line.contains("write") && line.contains(&format!("<{path}>,"));
        let journalled = |line: &str, call: &str| {
            line.contains(call) && (line.contains("/journal>") || line.contains("/journal.new>"))
        };

        let mut first = None;
        let mut checked = 0;
        for (path, _) in before.0.iter().chain(&after.0) {
            let target = format!("{host}/{}", path.display());
            // A folder that went with its last file cannot be kept: the one above it is.
            let folder = Path::new(&target).ancestors().skip(1).find(|folder| folder.is_dir()).unwrap();
            let folder = folder.display().to_string();
            let quoted = format!("\"{target}\"");
            for (at, line) in lines.iter().enumerate() {
                let renamed =
                    line.contains("rename") && line.split(", ").nth(1).is_some_and(|to| to.starts_with(&quoted));
                let removed = line.contains("unlink") && line.contains(&quoted);
                if !renamed && !removed {
                    continue;
                }
                checked += 1;
                first = Some(first.map_or(at, |first: usize| first.min(at)));
                if renamed {
                    let temporary = line.split('"').nth(1).unwrap();
                    let written = lines[..at].iter().rposition(|line| wrote(line, temporary));
                    let safe = lines[..at].iter().rposition(|line| synced(line, temporary));
                    assert!(safe.is_some() && written < safe, "renamed before it was on disk: {line}\n{log}");
                }
                let kept = lines[at..].iter().position(|line| synced(line, &folder)).map(|later| at + later);
                let closed = lines.iter().rposition(|line| journalled(line, "write"));
                assert!(kept.is_some() && kept < closed, "{folder} was not on disk before the end: {line}\n{log}");
            }
        }
        assert!(checked >= 3, "only {checked} changes seen\n{log}");
        let first = first.unwrap();
        let written = lines[..first].iter().rposition(|line| journalled(line, "write"));
        let safe = lines[..first].iter().rposition(|line| journalled(line, "sync("));
        assert!(safe.is_some() && written < safe, "the journal was not on disk before the first change\n{log}");
        let named = lines[..first].iter().rposition(|line| line.contains("rename") && line.contains("/journal.new\""));
        let of_run = named.and_then(|at| lines[at].split('"').nth(1)?.strip_suffix("/journal.new"));
        let kept = of_run.and_then(|run| lines[..first].iter().rposition(|line| synced(line, run)));
        assert!(named.is_some() && named < kept, "the journal's name was not on disk before the first change\n{log}");
        let last_write = lines.iter().rposition(|line| journalled(line, "write"));
        let last_sync = lines.iter().rposition(|line| journalled(line, "sync("));
        assert!(last_write < last_sync, "the journal's end never reached the disk\n{log}");
    }

    /// Someone edits a file between the crash and the next command: whatever that decides, the edit stays.
    fn edit_after_every_crash(&self) {
        let (start, _, _) = self.start();
        self.put_back(start);
        let calls = self.calls(self.act);
        let rename = calls.keys().find(|call| call.starts_with("rename")).unwrap();
        let mut refused = 0;
        for n in 1..=calls[rename] {
            self.put_back(start);
            let (ran, _) = self.injected(self.act, rename, &format!("signal=KILL:when={n}"));
            assert!(was_killed(&ran), "{ran}");
            let edited = below(&self.host(), self.family.proxy_file());
            let text = fs::read_to_string(&edited).unwrap() + "EDITED=by-hand\n";
            fs::write(&edited, text).unwrap();
            self.keep("edited");
            for act in [Act::Prepare, Act::Revert] {
                self.put_back("edited");
                let next = if act == Act::Prepare { self.prepare() } else { self.revert() };
                let at = format!("{rename} {n}, an edit, then {next}");
                assert!(matches!(next.code, Some(0 | 5 | 6)), "{at}");
                let now = fs::read_to_string(&edited).unwrap();
                assert!(now.contains("EDITED=by-hand"), "the edit is lost: {at}\n{now}");
                if next.code != Some(0) {
                    refused += 1;
                    let error = next.json()["error"].to_string();
                    let told = error.contains(self.family.proxy_file()) || error.contains("nothing-to-revert");
                    assert!(told, "the conflict is not named: {at}");
                }
            }
        }
        assert!(refused > 0, "no conflict was ever seen");
    }
}

#[test]
fn the_sweep_notices_a_careless_writer() {
    // What the sweep is made of, tried on a writer that is known to be careless: sed -i killed at its rename
    // leaves its temporary file behind.
    need(&["strace"]);
    let folder = crate::common::scratch_in_memory("careless");
    write(folder.path(), "file", "old\n");
    let before = Manifest::take(folder.path(), &[]);
    let killed = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=rename,renameat,renameat2:signal=KILL:when=1"])
        .args(["sed", "-i", "s/old/new/"])
        .arg(below(folder.path(), "file"))
        .output()
        .unwrap();
    assert!(was_killed(&Ran::of("sed", killed)));
    assert_ne!(before.difference(&Manifest::take(folder.path(), &[])), "");
}
