//! The write-ahead journal of a run: JSON lines. The first line names everything the run will do and where the backups
//! are; the last says how it ended. A line that is not complete was never written.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::{Attributes, HostRead, HostWrite};
use crate::plan::Said;
use crate::settings::{STATE, STATE_FILE};
use crate::system::accounts::Caller;

/// Version of the journal's format. A journal of a later version is refused, never guessed at.
pub(super) const VERSION: u32 = 2;

/// The version that a journal needs its readers to know: those of version 1 know of one run that is taken back, not of more.
pub(super) fn version_of(reverts: &[&str]) -> u32 {
    if reverts.len() > 1 { VERSION } else { 1 }
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub(crate) enum Record {
    /// What is going to happen.
    Begin(Box<Begin>),
    /// All of it has happened.
    Commit,
    /// It failed, and taking it back has begun: a commit before this line does not count.
    Abort,
    /// None of it has happened any more.
    RolledBack,
}

/// Everything that a run is going to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// Format of this journal.
    pub version: u32,
    /// Name of the run.
    pub run: String,
    /// Order of the run among all runs: clocks may go back, this does not.
    pub seq: u64,
    /// The verb.
    pub command: String,
    /// When, UTC, RFC 3339.
    pub time: String,
    /// Who ran it. Journals of 0.1.0 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Caller>,
    /// The version that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What people had said, without secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
    /// The run that this one takes back; the newest of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
    /// The others of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts_too: Vec<String>,
    /// Files, in order.
    pub intents: Vec<Intent>,
    /// Folders that will be made, outermost first, with their modes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<(PathBuf, u32)>,
    /// Folders that will go, innermost first, with their modes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<(PathBuf, u32)>,
}

/// What is going to happen to one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The file as it is called.
    pub path: PathBuf,
    /// The file that is meant. Journals of 0.1.0 have this name for it, and are still reverted.
    #[serde(rename = "place")]
    pub real_path: PathBuf,
    /// Its new content is first written here.
    pub temporary: PathBuf,
    /// What was there before.
    pub before: Option<Before>,
    /// Fingerprint of what will be there; `None`: nothing.
    pub after: Option<String>,
    /// The mode that it will have, where the run changes the one that was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// What was there before a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Fingerprint of the content.
    pub fingerprint: String,
    /// Owner, mode and the rest.
    pub attributes: Attributes,
    /// Name of the copy in the run's `backup` folder.
    pub backup: String,
}

impl Begin {
    /// The runs that this one takes back, newest first.
    pub(crate) fn takes_back(&self) -> impl Iterator<Item = &str> {
        self.reverts.iter().chain(&self.reverts_too).map(String::as_str)
    }

    /// Its files on the host. What runs remember is none of them.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Intent> {
        self.intents.iter().filter(|intent| !intent.is_memory())
    }

    /// What becomes of `state.json`.
    pub(crate) fn memory(&self) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.is_memory())
    }
}

impl Intent {
    /// Is it `state.json`?
    pub(crate) fn is_memory(&self) -> bool {
        self.path == Path::new(STATE_FILE)
    }
}

/// SHA-256 in hex.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    crate::checksum::of_bytes(bytes)
}

/// The folder of a run.
pub(super) fn folder(run: &str) -> PathBuf {
    Path::new(STATE).join("runs").join(run)
}

/// The journal of a run.
pub(super) fn path(run: &str) -> PathBuf {
    folder(run).join("journal")
}

/// Where a journal is written before it gets its name: what is called `journal` is complete.
pub(super) fn unfinished(run: &str) -> PathBuf {
    folder(run).join("journal.new")
}

/// A backup of a run.
pub(super) fn backup(run: &str, name: &str) -> PathBuf {
    folder(run).join("backup").join(name)
}

/// The records of a run; empty when it has no journal, which means that nothing has happened.
pub(super) fn read(host: &(impl HostRead + ?Sized), run: &str) -> io::Result<Vec<Record>> {
    let Some(bytes) = host.read(&path(run))? else { return Ok(Vec::new()) };
    let mut records = Vec::new();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n") && *line != b"\n");
    for (index, line) in lines.enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(error) if index == 0 => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("journal of run {run}: {error}")));
            }
            // A later line that was cut short was never written.
            Err(_) => {}
        }
    }
    // The first one is durable before the file has this name.
    if records.is_empty() {
        let why = format!("journal of run {run}: its first line is not whole");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(records)
}

/// Writes how a run ended.
pub(super) fn end(host: &dyn HostWrite, run: &str, record: &Record) -> io::Result<()> {
    let mut file = host.append(&path(run))?;
    file.write_all(&line(record)?)?;
    file.sync()
}

/// A record as it is appended. The line end in front closes a line that was cut short.
pub(super) fn line(record: &Record) -> io::Result<Vec<u8>> {
    let mut bytes = if matches!(record, Record::Begin(_)) { Vec::new() } else { vec![b'\n'] };
    serde_json::to_writer(&mut bytes, record)?;
    bytes.push(b'\n');
    Ok(bytes)
}
