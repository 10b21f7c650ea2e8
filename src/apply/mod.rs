//! Makes a plan true, all of it or nothing.
//!
//! ```text
//! lock → finish an interrupted run → journal with backups → stage all files → publish all files → commit
//! ```
//!
//! The journal and the backups are durable before the first effect. Staging writes every new file under a temporary name in
//! its own folder, so that a full disk or a missing right shows before anything has changed. Publishing is one rename a
//! file. Whatever fails on the way is rolled back; whoever dies on the way leaves a journal without a commit, and the next
//! command that changes the host rolls that back first. A run that was committed is taken back by [`revert::plan`], which is a
//! plan like any other. What a run was told ([`STATE_FILE`](crate::settings::STATE_FILE)) is one more file of that run.

mod digest;
mod forget;
mod history;
mod journal;
pub(crate) mod revert;
mod rollback;
mod runs;
mod several;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::context::private_state;
use crate::finding::{Finding, Status, ids};
use crate::host::{HostWrite, LockGuard};
use crate::plan::{Change, Plan};
use crate::problem::{Problem, ProblemId, copy_of, id};
use crate::settings::{STATE, Told};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{as_root, of_host, own};

pub(crate) use digest::{count, digest};
pub(crate) use forget::{Forgotten, forgettable};
pub(crate) use history::{Past, history};
pub(crate) use revert::named;
pub(crate) use runs::{Drift, Run, State, drift, runs};
pub(crate) use several::{Which, plan_of};

/// How long a run waits for another one to end.
const LOCK_WAIT: Duration = Duration::from_secs(5);

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
    pub(crate) fn resume(host: &'h dyn HostWrite) -> Result<Option<Self>, Problem> {
        match host.lstat(Path::new(STATE)) {
            Ok(Some(_)) => Self::open(host).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(state_problem(host, &error)),
        }
    }

    /// Makes the state folder where it is absent and takes the lock.
    ///
    /// # Errors
    /// `locked` when another run does not end in time; a host problem when the folder cannot be made.
    pub(crate) fn open(host: &'h dyn HostWrite) -> Result<Self, Problem> {
        write::make_state_folders(host).map_err(|error| state_problem(host, &error))?;
        private_state(host)?;
        let path = Path::new(STATE).join("lock");
        let end = Instant::now() + LOCK_WAIT;
        let mut pause = Duration::from_millis(2);
        loop {
            match host.try_lock(&path) {
                Ok(Some(lock)) => return Ok(Self { host, _lock: lock }),
                Ok(None) if Instant::now() < end => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(100));
                }
                Ok(None) => {
                    let waited = LOCK_WAIT.as_secs();
                    return Err(Problem::host(
                        id::LOCKED,
                        text!("another run of ics-setup holds the lock, for {} s already", own(waited)),
                    )
                    .hint(text!("who it is: fuser -v {}", host.shown(&path).display())));
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
        rollback::recover(self.host, run, true)
    }

    /// Forgets these runs, oldest first, with their backups.
    ///
    /// # Errors
    /// One that cannot be removed; those before it are.
    pub(crate) fn forget(&self, names: &[String]) -> Result<(), Problem> {
        let gone = names.iter().try_for_each(|name| {
            runs::discard(self.host, name)
                .map_err(|error| failed(self.host, &journal::folder(name), "be removed", &error))
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
                .hint(text!("look: lsattr -d {}", marked))
        }
        io::ErrorKind::PermissionDenied => {
            Problem::host(id::NEEDS_ROOT, text!("{} could not {} without root rights", shown, own(verb)))
                .caused_by(copy_of(error))
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            problem(id::READ_ONLY, "its file system is mounted read-only").hint(text!("look: findmnt -T {}", shown))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            problem(id::DISK_FULL, "the file system is full").hint(text!("look: df -h {}; df -i {}", shown, shown))
        }
        io::ErrorKind::ResourceBusy => {
            problem(id::MOUNT_POINT, "something is mounted on it (a bind mount), so it cannot be replaced")
                .hint(text!("look: findmnt {}", shown))
        }
        io::ErrorKind::CrossesDevices => problem(id::MOUNT_POINT, "it is on another file system than its folder")
            .hint(text!("look: findmnt -T {}", shown)),
        _ => problem(id::WRITE_FAILED, "the system refused"),
    }
}
