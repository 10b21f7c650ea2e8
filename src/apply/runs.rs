//! All runs so far, read from their journals.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::journal::{self, Begin, Record};
use crate::host::{HostRead, HostWrite, unreadable};
use crate::problem::{Problem, copy_of, id};
use crate::settings::STATE;
use crate::stamp::is_run_name;
use crate::text;
use crate::text::words::words;
use crate::text::{as_root, own, quoted};

words! {
    /// How a run stands.
    pub(crate) enum State {
        /// All of it is there.
        Committed = "committed",
        /// It was taken back.
        Reverted = "reverted",
        /// It did not come to its end.
        Interrupted = "interrupted",
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// What it set out to do.
    pub begin: Begin,
    /// How it stands.
    pub state: State,
}

/// All runs, oldest first.
///
/// # Errors
/// A journal that cannot be read, or that a newer ics-setup wrote.
pub(crate) fn runs(host: &(impl HostRead + ?Sized)) -> Result<Vec<Run>, Problem> {
    let folder = Path::new(STATE).join("runs");
    let problem = |error: &io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Problem::host(id::NEEDS_ROOT, "the runs so far can be read by root only"),
        _ => Problem::host(id::JOURNAL_UNREADABLE, text!("{} could not be read", host.shown(&folder).display()))
            .caused_by(copy_of(error)),
    };
    let mut runs = Vec::new();
    for name in host.list(&folder).map_err(|error| problem(&error))? {
        let Some(name) = name.to_str().filter(|name| is_run_name(name)) else { continue };
        let records = journal::read(host, name).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => damaged(host, name, &error),
            _ => problem(&error),
        })?;
        let Some(Record::Begin(begin)) = records.first() else { continue };
        if begin.version > journal::VERSION {
            let message =
                text!("run {} was written by a newer ics-setup (journal version {})", own(name), begin.version);
            return Err(Problem::host(id::JOURNAL_NEWER, message).hint("use that version or a newer one"));
        }
        let state = match records.last() {
            Some(Record::RolledBack) => State::Reverted,
            Some(Record::Commit) => State::Committed,
            _ => State::Interrupted,
        };
        runs.push(Run { begin: (**begin).clone(), state });
    }
    runs.sort_by(|a, b| (a.begin.seq, &a.begin.run).cmp(&(b.begin.seq, &b.begin.run)));
    mark_reverted(&mut runs);
    Ok(runs)
}

/// A journal that says nothing: its run can neither be told nor taken back.
fn damaged(host: &(impl HostRead + ?Sized), name: &str, error: &io::Error) -> Problem {
    let folder = own(quoted(&host.shown(&journal::folder(name)).to_string_lossy()));
    Problem::host(id::JOURNAL_UNREADABLE, text!("the journal of run {} cannot be read", own(name)))
        .caused_by(copy_of(error))
        .hint(text!("the files as they were before it are in {}/backup", folder))
        .hint_command(as_root(text!("mv {} {}.unread", folder, folder)))
}

/// A run is reverted while a committed run takes it back; that run may itself be taken back again.
fn mark_reverted(runs: &mut [Run]) {
    for index in (0..runs.len()).rev() {
        if runs[index].state != State::Committed || runs[index].begin.reverts.is_none() {
            continue;
        }
        let taken_back: Vec<String> = runs[index].begin.takes_back().map(str::to_owned).collect();
        for other in runs.iter_mut().filter(|run| run.state == State::Committed && taken_back.contains(&run.begin.run))
        {
            other.state = State::Reverted;
        }
    }
}

/// As if this one had not been: what it had taken back counts again.
pub(super) fn remove(runs: &mut Vec<Run>, name: &str) {
    let taken_back = |runs: &[Run]| -> HashSet<String> {
        let in_force = runs.iter().filter(|run| run.state == State::Committed);
        in_force.flat_map(|run| run.begin.takes_back()).map(str::to_owned).collect()
    };
    let all = taken_back(runs);
    runs.retain(|run| run.begin.run != name);
    // One that was rolled back is in no other's list.
    for run in runs.iter_mut().filter(|run| all.contains(&run.begin.run)) {
        run.state = State::Committed;
    }
    mark_reverted(runs);
}

/// A file that is no longer as a run left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    /// The file.
    pub path: String,
    /// What has become of it.
    pub cause: String,
    /// It is not there.
    pub is_gone: bool,
}

/// Files that are no longer as the last run in force left them, with what has become of them.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn drift(host: &dyn HostRead, runs: &[Run]) -> Result<Vec<Drift>, Problem> {
    let mut last = std::collections::BTreeMap::new();
    // What a way back of a way back has brought again counts as the run that wrote it at first: so does revert judge it.
    let is_back = |name: &String| runs.iter().any(|run| run.begin.run == *name && run.begin.reverts.is_some());
    let brings_again = |run: &&Run| run.begin.reverts.iter().chain(&run.begin.reverts_too).any(is_back);
    let in_force = runs.iter().filter(|run| run.state == State::Committed);
    let (again, others): (Vec<&Run>, Vec<&Run>) = in_force.partition(brings_again);
    for run in again.into_iter().chain(others) {
        for intent in run.begin.files() {
            last.insert(&intent.path, (run, intent));
        }
    }
    let mut drift = Vec::new();
    for (path, (run, intent)) in last {
        let now = host.snapshot(&intent.real_path).map_err(|error| unreadable(&host.shown(path), &error))?;
        let now = now.map(|snapshot| journal::fingerprint(&snapshot.bytes));
        let cause = match (&now, &intent.after) {
            (now, after) if now == after => continue,
            (None, _) => format!("removed since run {}", run.begin.run),
            (Some(_), None) => format!("made again since run {}", run.begin.run),
            (Some(_), Some(_)) => format!("edited since run {}", run.begin.run),
        };
        drift.push(Drift { path: path.display().to_string(), cause, is_gone: now.is_none() });
    }
    Ok(drift)
}

/// Removes folders of runs that died before their journal was complete: nothing of them has happened.
pub(super) fn sweep(host: &dyn HostWrite) -> io::Result<()> {
    let folder = Path::new(STATE).join("runs");
    for name in host.list(&folder)? {
        let Some(name) = name.to_str().filter(|name| is_run_name(name)) else { continue };
        if host.lstat(&journal::path(name))?.is_none() {
            discard(host, name)?;
        }
    }
    Ok(())
}

/// Removes a run and its backups. The journal goes first: without it the rest means nothing.
pub(super) fn discard(host: &dyn HostWrite, run: &str) -> io::Result<()> {
    let folder = journal::folder(run);
    for path in [journal::path(run), journal::unfinished(run)] {
        if host.lstat(&path)?.is_some() {
            host.remove_file(&path)?;
        }
    }
    let backups = folder.join("backup");
    for name in host.list(&backups)? {
        host.remove_file(&backups.join(name))?;
    }
    if host.lstat(&backups)?.is_some() {
        host.remove_dir(&backups)?;
    }
    host.remove_dir(&folder)
}
