//! What a command has to know of all runs before it, kept in a file beside them, so that a thousand runs cost no more than one.
//!
//! The file counts as long as the runs that there are have the names that it was made of and the newest of them has come to its
//! end; else the journals are read. It holds nothing that they do not, and nobody waits for it to be durable.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::journal::{self, Record};
use super::runs::{Run, State, runs};
use crate::checksum;
use crate::host::{HostRead, HostWrite};
use crate::problem::Problem;
use crate::settings::STATE;
use crate::stamp::is_run_name;

/// Of all runs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Digest {
    /// The version of this format.
    version: u32,
    /// The checksum of the names of their folders.
    names: String,
    /// The name of the newest one.
    newest: Option<String>,
    /// The number of the newest one; 0: there is none.
    pub(crate) seq: u64,
    /// One that did not come to its end. A digest of such runs is not kept.
    #[serde(skip)]
    pub(crate) interrupted: Option<String>,
    /// The files, links followed, that runs in force have written.
    pub(crate) written: BTreeSet<PathBuf>,
}

const VERSION: u32 = 2;

fn path() -> PathBuf {
    Path::new(STATE).join("runs.json")
}

/// How many runs there are.
///
/// # Errors
/// Their folder cannot be read.
pub(crate) fn count(host: &(impl HostRead + ?Sized)) -> io::Result<usize> {
    Ok(names(host)?.len())
}

/// The names of their folders, in order.
fn names(host: &(impl HostRead + ?Sized)) -> io::Result<Vec<String>> {
    let all = host.list(&Path::new(STATE).join("runs"))?;
    let mut names: Vec<String> =
        all.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| is_run_name(name)).collect();
    names.sort();
    Ok(names)
}

fn sum_of_names(host: &(impl HostRead + ?Sized)) -> io::Result<String> {
    Ok(checksum::of_bytes(names(host)?.join("\n").as_bytes()))
}

/// What is to be known of all runs.
///
/// # Errors
/// As [`runs`].
pub(crate) fn digest(host: &(impl HostRead + ?Sized)) -> Result<Digest, Problem> {
    kept(host).map_or_else(|| made(host), Ok)
}

/// The newest run by name and number, and one that did not come to its end: as long as they are the same, no run has begun or
/// ended, whatever else of the runs was forgotten. `None`: they cannot be read.
pub(crate) fn last(host: &(impl HostRead + ?Sized)) -> Option<(Option<String>, u64, Option<String>)> {
    let digest = digest(host).ok()?;
    Some((digest.newest, digest.seq, digest.interrupted))
}

/// The newest run as it was committed, where all that is to be known of the others is kept; else all of them.
///
/// # Errors
/// As [`runs`].
pub(crate) fn newest(host: &(impl HostRead + ?Sized)) -> Result<Vec<Run>, Problem> {
    let begin = kept(host).and_then(|digest| {
        let records = journal::read(host, digest.newest.as_deref()?).ok()?;
        let is_whole = matches!(records.last(), Some(Record::Commit));
        let begin = records.into_iter().next().filter(|_| is_whole)?;
        if let Record::Begin(begin) = begin { Some(begin) } else { None }
    });
    match begin {
        Some(begin) if begin.reverts.is_none() => Ok(vec![Run { begin: *begin, state: State::Committed }]),
        _ => runs(host),
    }
}

/// Has every run come to its end, durably?
pub(super) fn is_settled(host: &(impl HostRead + ?Sized)) -> bool {
    kept(host).is_some()
}

/// Keeps it, once all runs have come to their ends. Where that fails, the journals are read the next time.
pub(super) fn keep(host: &dyn HostWrite) {
    if let Ok(digest) = made(host)
        && digest.interrupted.is_none()
        && kept(host).as_ref() != Some(&digest)
    {
        let _ = write(host, &digest);
    }
}

/// It counts no more, whatever becomes of the runs.
pub(super) fn forget(host: &dyn HostWrite) -> io::Result<()> {
    if host.lstat(&path())?.is_some() { host.remove_file(&path()) } else { Ok(()) }
}

/// The one that was kept, where it still counts.
fn kept(host: &(impl HostRead + ?Sized)) -> Option<Digest> {
    let bytes = host.read(&path()).ok()??;
    let digest: Digest = serde_json::from_slice(&bytes).ok()?;
    let has_ended = |name: &String| {
        let records = journal::read(host, name).unwrap_or_default();
        matches!(records.last(), Some(Record::Commit | Record::RolledBack))
    };
    let counts =
        digest.version == VERSION && sum_of_names(host).ok()? == digest.names && digest.newest.iter().all(has_ended);
    counts.then_some(digest)
}

/// From the journals.
fn made(host: &(impl HostRead + ?Sized)) -> Result<Digest, Problem> {
    let all = runs(host)?;
    let in_force = all.iter().filter(|run| run.state == State::Committed && run.begin.reverts.is_none());
    let interrupted = all.iter().find(|run| run.state == State::Interrupted).map(|run| run.begin.run.clone());
    Ok(Digest {
        version: VERSION,
        names: sum_of_names(host).unwrap_or_default(),
        newest: all.last().map(|run| run.begin.run.clone()),
        seq: all.last().map_or(0, |run| run.begin.seq),
        interrupted,
        written: in_force.flat_map(|run| &run.begin.intents).map(|intent| intent.real_path.clone()).collect(),
    })
}

fn write(host: &dyn HostWrite, digest: &Digest) -> io::Result<()> {
    let temporary = path().with_extension("new");
    if host.lstat(&temporary)?.is_some() {
        host.remove_file(&temporary)?;
    }
    let mut file = host.create(&temporary, 0o600)?;
    file.write_all(&serde_json::to_vec(digest).map_err(io::Error::other)?)?;
    drop(file);
    host.rename(&temporary, &path())
}
