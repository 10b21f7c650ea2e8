//! The sweeps of calls that fail: one of them, or all from one on.

use std::time::Instant;

use serde_json::Value;

use super::bench::{Act, ENDLESS, LOOKS, Lab, expect_none, files, names, opens_to_write, speaks, was_killed};
use crate::common::{Manifest, Ran, report};

/// Of one call no more than so many are made to fail, evenly over the run.
const MOST_LOOKS: usize = 120;

impl Lab {
    /// One look fails: the run refuses, or can do without it. It never writes as if nothing had been there.
    pub(super) fn misread_everywhere(&self, error: &str) {
        let started = Instant::now();
        let (start, before, after) = self.start();
        self.put_back(start);
        let host = self.host().display().to_string();
        let (mut failures, mut wrong) = (0, Vec::new());
        for (call, count) in self.count(self.act, &LOOKS) {
            for n in (1..=count).step_by(count.div_ceil(MOST_LOOKS).max(1)) {
                self.put_back(start);
                let (ran, log) = self.injected(self.act, call, &format!("error={error}:when={n}"));
                let Some(failed) = log.lines().find(|line| line.contains("(INJECTED)")) else { break };
                if !failed.contains(&host) || opens_to_write(failed) || failed.contains("LOCK_UN") {
                    continue; // the loader's own, part of another sweep, or what no local lock can fail at
                }
                failures += 1;
                let now = self.look();
                let wanted = if ran.code == Some(0) { after } else { before };
                let difference = wanted.difference(&now);
                let refused = matches!(ran.code, Some(0 | 3 | 5 | 8));
                let interrupted = crate::common::status(&self.host())["interrupted"] != Value::Null;
                if !difference.is_empty() || !refused || !self.leftovers().is_empty() || interrupted {
                    wrong.push(format!("{failed}\n{ran}\ninterrupted: {interrupted}\n{difference}\n"));
                }
            }
        }
        expect_none(&wrong);
        assert!(failures > 0, "nothing was looked at");
        report(&format!(
            "  {:?} {:?}: {failures} looks failing with {error}, {:.1} s",
            self.family,
            self.act,
            started.elapsed().as_secs_f32()
        ));
    }

    pub(super) fn fail_everywhere(&self) {
        let started = Instant::now();
        let (start, before, after) = self.start();
        self.put_back(start);
        let calls = self.calls(self.act);
        let (mut failures, mut refused) = (0, 0);
        let mut wrong = Vec::new();
        for call in calls.keys() {
            for error in ["ENOSPC", "EIO"] {
                for n in 1.. {
                    assert!(n < ENDLESS, "{call} never came to an end");
                    self.put_back(start);
                    let (ran, log) = self.injected(self.act, call, &format!("error={error}:when={n}"));
                    let Some(failed) = log.lines().find(|line| line.contains("(INJECTED)")) else {
                        break;
                    };
                    if call.starts_with("open") && !opens_to_write(failed) {
                        continue; // the loader's own, or a file to read
                    }
                    failures += 1;
                    refused += usize::from(ran.code == Some(5));
                    let at = format!("{failed}\n{ran}");
                    if let Err(told) = self.judge(&ran, speaks(failed), before, after) {
                        wrong.push(format!("{told}: {at}\n"));
                        continue;
                    }
                    // What failed once is tried again, and goes through.
                    self.next_command(self.act, &at);
                }
            }
        }
        expect_none(&wrong);
        assert!(refused > 0, "no failure was noticed: {calls:?}");
        report(&format!(
            "  {:?} {:?}: {failures} failures at {}, {refused} refused, {:.1} s",
            self.family,
            self.act,
            names(&calls),
            started.elapsed().as_secs_f32()
        ));
    }

    /// Is the exit code true, after one failing call?
    pub(super) fn judge(&self, ran: &Ran, speaking: bool, before: &Manifest, after: &Manifest) -> Result<(), String> {
        let now = self.look();
        let wanted = match ran.code {
            Some(5) => before,
            Some(0) => after,
            // A result that could not be told: the host is whole all the same.
            _ if speaking && ran.signal.is_none() && !was_killed(ran) && ran.code != Some(101) => {
                if before.difference(&now).is_empty() { before } else { after }
            }
            _ => return Err("neither done nor refused".into()),
        };
        let difference = wanted.difference(&now);
        if !difference.is_empty() {
            return Err(format!("the host is not as the exit code says\n{difference}"));
        }
        let leftovers = self.leftovers();
        if !leftovers.is_empty() {
            return Err(format!("forgotten files {leftovers:?}"));
        }
        if crate::common::status(&self.host())["interrupted"] != Value::Null {
            return Err("the run is still interrupted".into());
        }
        Ok(())
    }

    /// Every call of a name fails from the N-th on, also in the rollback: exit 5 means as before all the same, exit 6
    /// means that `status` tells and that the next command, on a disk with room again, makes the host whole.
    pub(super) fn fail_from_there_on(&self) {
        let started = Instant::now();
        let (start, before, after) = self.start();
        self.put_back(start);
        let calls = self.calls(self.act);
        let mut failures = 0;
        for call in calls.keys().filter(|call| !call.starts_with("open")) {
            for n in 1.. {
                assert!(n < ENDLESS, "{call} never came to an end");
                self.put_back(start);
                let (ran, log) = self.injected(self.act, call, &format!("error=ENOSPC:when={n}+"));
                if !log.contains("(INJECTED)") {
                    break;
                }
                failures += 1;
                let code = ran.code.filter(|_| !was_killed(&ran) && ran.code != Some(101));
                assert!(code.is_some(), "{ran}");
                if code == Some(5) {
                    assert_eq!(files(before).difference(&files(&self.look())), "", "{ran}");
                }
                if code == Some(6) && crate::common::status(&self.host())["interrupted"] == Value::Null {
                    // All of it is done, and only the result could not be told.
                    assert_eq!(files(after).difference(&files(&self.look())), "", "{ran}");
                }
                let at = format!("{call} failing from {n} on: {ran}");
                self.keep("failed");
                self.next_command(Act::Revert, &at);
                self.put_back("failed");
                self.next_command(Act::Prepare, &at);
            }
        }
        assert!(failures > 0, "{calls:?}");
        report(&format!(
            "  {:?} {:?}: {failures} lasting failures, {:.1} s",
            self.family,
            self.act,
            started.elapsed().as_secs_f32()
        ));
    }
}
