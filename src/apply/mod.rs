//! Makes a plan true, all of it or nothing.
//!
//! ```text
//! lock → finish an interrupted run → journal with backups → stage all files → publish all files → commit
//! ```
//!
//! The journal and the backups are durable before the first effect. Staging writes every new file under a temporary name in
//! its own folder, so that a full disk or a missing right shows before anything has changed. Publishing is one rename a
//! file. Whatever fails on the way is rolled back; whoever dies on the way leaves a journal without a commit, and the next
//! command that changes the host rolls that back first. A run that was committed is taken back by [`several::plan`], which is a
//! plan like any other. What a run was told ([`STATE_FILE`](crate::settings::STATE_FILE)) is one more file of that run.

mod digest;
mod forget;
mod history;
mod journal;
mod remembered;
pub(crate) mod revert;
mod rollback;
mod runs;
mod several;
#[cfg(test)]
mod tests;
mod which;
mod write;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::context::private_state;
use crate::finding::{Finding, Status, ids};
use crate::host::{Holder, HostWrite, LockGuard};
use crate::plan::{Change, Plan};
use crate::problem::{HostState, Problem, ProblemId, copy_of, id};
use crate::progress::Progress;
use crate::settings::{STATE, Told};
use crate::signals::{Uninterrupted, changes_begin};
use crate::stamp::rfc3339;
use crate::text;
use crate::text::{Text, as_root, changes_host, ics_setup, of_host, own, typed};

pub(crate) use digest::{count, digest, last, newest};
pub(crate) use forget::{Forgotten, forgettable, forgotten_after};
pub(crate) use history::{Past, history};
pub(crate) use revert::named;
pub(crate) use runs::{Drift, Run, State, drift, runs};
pub(crate) use several::{plan as plan_back, plan_of};
pub(crate) use which::Which;

/// How long a run waits for another one to end.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A lock that is free again sooner is not worth a word.
const TELL_AFTER: Duration = Duration::from_millis(16);

/// Whose run holds the lock: process, verb, since when.
pub(crate) fn held(host: &dyn HostWrite, path: &Path) -> Text {
    let Some(Holder { pid, words, since }) = host.lock_holder(path) else {
        return "another run of ics-setup holds the lock".into();
    };
    let since = since.map(|since| text!(", since {}", own(rfc3339(since)))).unwrap_or_default();
    // Its other words can hold a secret, whatever is said about that.
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
    match words.iter().skip(1).find(|word| program.starts_with("ics-setup") && takes_lock(word)) {
        Some(verb) => text!("another run holds the lock: ics-setup {}, process {}{}", own(verb), pid, since),
        None if program.is_empty() => text!("process {} holds the lock{}", pid, since),
        None => text!("process {} ({}) holds the lock{}", pid, program, since),
    }
}

/// The run that is at work now, where the kernel tells of one.
pub(crate) fn at_work(host: &dyn HostWrite) -> Option<Text> {
    let path = Path::new(STATE).join("lock");
    host.lstat(&path).ok()??;
    let is_held = match host.try_lock(&path) {
        Ok(lock) => lock.is_none(),
        // Whoever may not try it is told what the kernel tells everybody.
        Err(_) => host.lock_holder(&path).is_some(),
    };
    is_held.then(|| held(host, &path))
}

/// Is it a verb that takes the lock? `check --save` changes nothing but the state folder.
fn takes_lock(verb: &str) -> bool {
    changes_host(verb) || verb == "check"
}

/// The right to change the host: nobody else has it at the same time.
pub(crate) struct Session<'h> {
    host: &'h dyn HostWrite,
    _lock: Box<dyn LockGuard + 'h>,
}

impl<'h> Session<'h> {
    /// Takes the lock where there has been a run before; `None` where there is nothing to lock yet.
    ///
    /// # Errors
    /// `locked` when another run does not end in time; a host problem when the state cannot be read.
    pub(crate) fn resume(host: &'h dyn HostWrite, waits: &mut dyn FnMut(Text)) -> Result<Option<Self>, Problem> {
        match host.lstat(Path::new(STATE)) {
            Ok(Some(_)) => Self::open(host, waits).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(state_problem(host, &error)),
        }
    }

    /// Makes the state folder where it is absent and takes the lock. `waits` is told at once whose run this one waits for.
    ///
    /// # Errors
    /// `locked` when another run does not end in time; a host problem when the folder cannot be made.
    pub(crate) fn open(host: &'h dyn HostWrite, waits: &mut dyn FnMut(Text)) -> Result<Self, Problem> {
        write::make_state_folders(host).map_err(|error| state_problem(host, &error))?;
        private_state(host)?;
        let path = Path::new(STATE).join("lock");
        let end = Instant::now() + LOCK_WAIT;
        let mut pause = Duration::from_millis(2);
        let (mut is_told, waiting) = (false, Progress::begin("waiting for the other run to end"));
        loop {
            match host.try_lock(&path) {
                Ok(Some(lock)) => {
                    drop(waiting);
                    return Ok(Self { host, _lock: lock });
                }
                Ok(None) if Instant::now() < end => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(100));
                    if !is_told && pause >= TELL_AFTER {
                        is_told = true;
                        waits(text!("{}; waiting for it, {} s at most", held(host, &path), LOCK_WAIT.as_secs()));
                    }
                }
                Ok(None) => {
                    let message = text!("{}, and it did not end within {} s", held(host, &path), LOCK_WAIT.as_secs());
                    return Err(Problem::host(id::LOCKED, message)
                        .hint("wait for its end, then run the same again; it is not safe to end it")
                        .hint_command(as_root(ics_setup("status"))));
                }
                Err(error) => return Err(state_problem(host, &error)),
            }
        }
    }

    /// Brings the host back to where it was before a run that did not come to its end.
    ///
    /// # Errors
    /// A conflict when a file of that run was edited since; nothing is guessed.
    pub(crate) fn recover(&self) -> Result<Vec<Finding>, Problem> {
        if digest::is_settled(self.host) {
            return Ok(Vec::new());
        }
        changes_begin();
        let mut findings = Vec::new();
        runs::sweep(self.host).map_err(|error| state_problem(self.host, &error))?;
        let all = runs(self.host)?;
        // Its commit may be written and not yet durable: the process may have died between the two.
        if let Some(last) = all.last().filter(|run| run.state == State::Committed) {
            let path = journal::path(&last.begin.run);
            self.host
                .append(&path)
                .and_then(|mut file| file.sync())
                .map_err(|error| failed(self.host, &path, "be synced", &error))?;
        }
        for run in all.iter().rev().filter(|run| run.state == State::Interrupted) {
            rollback::recover(self.host, run, false)?;
            if run.begin.seq == 1 {
                write::sync_state_folders(self.host).map_err(|error| state_problem(self.host, &error))?;
            }
            findings.push(
                Finding::new(
                    ids::RUN_RECOVERED,
                    Status::Warn,
                    text!("run {} had been interrupted and was taken back", own(&run.begin.run)),
                )
                .observed(text!("{} of {}", own(&run.begin.command), own(&run.begin.time)))
                .cause("the process was killed or the machine stopped before the run's commit"),
            );
        }
        digest::keep(self.host);
        Ok(findings)
    }

    /// As [`Session::recover`] for one run, whatever its files are now; what they are is kept beside the run's backups.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn recover_by_force(&self, run: &Run) -> Result<(), Problem> {
        changes_begin();
        rollback::recover(self.host, run, true)
    }

    /// Forgets these runs, oldest first, with their backups.
    ///
    /// # Errors
    /// One that cannot be removed; those before it are, and the problem says whether anything is.
    pub(crate) fn forget(&self, names: &[String]) -> Result<(), Problem> {
        changes_begin();
        digest::forget(self.host).map_err(|error| state_problem(self.host, &error))?;
        let gone = names.iter().enumerate().try_for_each(|(at, name)| {
            runs::discard(self.host, name).map_err(|error| {
                let problem = failed(self.host, &journal::folder(name), "be removed", &error);
                // The journal goes first: where the first one has it, nothing is gone.
                let is_whole = at == 0 && matches!(self.host.lstat(&journal::path(name)), Ok(Some(_)));
                if is_whole { problem } else { problem.leaving(HostState::Changed) }
            })
        });
        digest::keep(self.host);
        gone
    }

    /// Remembers what a run was told that had nothing to change. The last run that had keeps its name.
    ///
    /// # Errors
    /// When the file cannot be written; it is as it was.
    pub(crate) fn remember(&self, told: &Told) -> Result<(), Problem> {
        write::remember(self.host, told)
    }

    /// Gives a file of the state folder, which is no part of any run, this content.
    ///
    /// # Errors
    /// When it cannot be written; it is as it was.
    pub(crate) fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), Problem> {
        write::put(self.host, path, bytes)
    }

    /// Makes the plan true.
    ///
    /// # Errors
    /// The problem of the first effect that failed. The host is as it was, unless the problem says otherwise.
    pub(crate) fn apply(&self, plan: &Plan, command: &str, reverts: &[&str]) -> Result<Applied, Problem> {
        struct Files;
        impl Steps for Files {}
        self.apply_with(plan, command, reverts, &mut Files)
    }

    /// As [`Session::apply`], with what is done beside the files.
    ///
    /// # Errors
    /// As [`Session::apply`]; or what a step could not do.
    pub(crate) fn apply_with(
        &self,
        plan: &Plan,
        command: &str,
        reverts: &[&str],
        steps: &mut dyn Steps,
    ) -> Result<Applied, Problem> {
        let calm = Uninterrupted::begin();
        changes_begin();
        let run = write::apply(self.host, plan, command, reverts, steps)?;
        digest::keep(self.host);
        Ok(Applied { run, interrupted: calm.take_arrived() })
    }
}

/// What is done beside the files while a plan is carried out. A step that fails takes all files back.
pub(crate) trait Steps {
    /// Before the file of a change gets its new content.
    ///
    /// # Errors
    /// The change cannot be made yet.
    fn before(&mut self, _change: &Change) -> Result<(), Problem> {
        Ok(())
    }

    /// The file of a change has its new content.
    fn made(&mut self, _change: &Change) {}

    /// All files have their new contents, and all can still be taken back.
    ///
    /// # Errors
    /// They must not stay.
    fn before_commit(&mut self) -> Result<(), Problem> {
        Ok(())
    }
}

/// A plan that was made true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The run's name.
    pub run: String,
    /// Somebody wanted the process to end meanwhile (Ctrl-C, a service manager's stop): nothing more should be begun.
    pub interrupted: bool,
}

fn state_problem(host: &dyn HostWrite, error: &io::Error) -> Problem {
    failed(host, Path::new(STATE), "be used", error)
}

/// The problem of an effect that failed, by name.
fn failed(host: &dyn HostWrite, path: &Path, verb: &str, error: &io::Error) -> Problem {
    let shown = host.shown(path);
    let shown = shown.display();
    // Commands that look at its file system; it may not have come into being.
    let there = of_host(host.nearest(path));
    let problem = |id: ProblemId, what: &str| {
        Problem::host(id, text!("{} could not {}: {}", shown, own(verb), own(what))).caused_by(copy_of(error))
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied
            if error.raw_os_error() == Some(nix::errno::Errno::EPERM as i32) && host.euid() == 0 =>
        {
            let folder = path.parent().unwrap_or(path);
            let marked = if host.lstat(path).is_ok_and(|found| found.is_some()) {
                text!("{} {}", of_host(path), of_host(folder))
            } else {
                of_host(folder)
            };
            problem(id::IMMUTABLE, "it or its folder is marked immutable or append-only")
                .hint_command(as_root(text!("chattr -i -a {}", marked)))
                .hint(text!("look: {}", typed(text!("lsattr -d {}", marked))))
        }
        io::ErrorKind::PermissionDenied => {
            Problem::host(id::NEEDS_ROOT, text!("{} could not {} without root rights", shown, own(verb)))
                .caused_by(copy_of(error))
        }
        io::ErrorKind::ReadOnlyFilesystem => problem(id::READ_ONLY, "its file system is mounted read-only")
            .hint(text!("look: {}", typed(text!("findmnt -T {}", there)))),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => problem(id::DISK_FULL, "the file system is full")
            .hint(text!("look: {}; {}", typed(text!("df -h {}", there.clone())), typed(text!("df -i {}", there)))),
        io::ErrorKind::ResourceBusy => {
            problem(id::MOUNT_POINT, "something is mounted on it (a bind mount), so it cannot be replaced")
                .hint(text!("look: {}", typed(text!("findmnt {}", shown))))
        }
        io::ErrorKind::CrossesDevices => problem(id::MOUNT_POINT, "it is on another file system than its folder")
            .hint(text!("look: {}", typed(text!("findmnt -T {}", there)))),
        io::ErrorKind::FileTooLarge => problem(id::WRITE_FAILED, "no file may become that large here")
            .hint(text!("run the same where it may: {}", typed("ulimit -f unlimited"))),
        _ if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) => {
            problem(id::WRITE_FAILED, "this process may not open more files")
                .hint(text!("run the same where it may: {}", typed("ulimit -n 1024")))
        }
        _ => problem(id::WRITE_FAILED, "the system refused"),
    }
}
