//! What a command has to know of all runs before it, kept in a file beside them, so that a thousand runs cost no more than one.
//!
//! The file counts as long as there are as many runs as it says and the newest of them has come to its end; else the journals are
//! read. It holds nothing that they do not, and nobody waits for it to be durable.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::journal::{self, Record};
use super::runs::{State, runs};
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
    /// How many there are, as folders.
    count: usize,
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

const VERSION: u32 = 1;

fn path() -> PathBuf {
    Path::new(STATE).join("runs.json")
}

/// How many runs there are.
///
/// # Errors
/// Their folder cannot be read.
pub(crate) fn count(host: &(impl HostRead + ?Sized)) -> io::Result<usize> {
    let names = host.list(&Path::new(STATE).join("runs"))?;
    Ok(names.iter().filter(|name| name.to_str().is_some_and(is_run_name)).count())
}

/// What is to be known of all runs.
///
/// # Errors
/// As [`runs`].
pub(crate) fn digest(host: &(impl HostRead + ?Sized)) -> Result<Digest, Problem> {
    kept(host).map_or_else(|| made(host), Ok)
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

/// The one that was kept, where it still counts.
fn kept(host: &(impl HostRead + ?Sized)) -> Option<Digest> {
    let bytes = host.read(&path()).ok()??;
    let digest: Digest = serde_json::from_slice(&bytes).ok()?;
    let has_ended = |name: &String| {
        let records = journal::read(host, name).unwrap_or_default();
        matches!(records.last(), Some(Record::Commit | Record::RolledBack))
    };
    let counts = digest.version == VERSION && count(host).ok()? == digest.count && digest.newest.iter().all(has_ended);
    counts.then_some(digest)
}

/// From the journals.
fn made(host: &(impl HostRead + ?Sized)) -> Result<Digest, Problem> {
    let all = runs(host)?;
    let in_force = all.iter().filter(|run| run.state == State::Committed && run.begin.reverts.is_none());
    let interrupted = all.iter().find(|run| run.state == State::Interrupted).map(|run| run.begin.run.clone());
    Ok(Digest {
        version: VERSION,
        count: count(host).unwrap_or_default(),
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
