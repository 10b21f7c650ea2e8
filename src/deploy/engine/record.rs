//! What a run has installed of Docker, kept in the state folder until it is taken away: for `revert`, and for the list that
//! `--purge` shows.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checksum;
use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, copy_of, id};
use crate::settings::STATE;
use crate::text;
use crate::text::own;

/// What this tool has installed on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installed {
    /// Packages, in the words of the package manager.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    /// A Compose that is of no package.
    #[serde(default)]
    pub(crate) compose: Option<Program>,
}

/// A program, known by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its checksum.
    pub(crate) sha256: String,
}

fn path() -> PathBuf {
    Path::new(STATE).join("engine.json")
}

/// What there is.
///
/// # Errors
/// The file cannot be read, or is not what a run has written.
pub(crate) fn installed(host: &dyn HostRead) -> Result<Installed, Problem> {
    let read = host.read(&path()).map_err(|error| failed("read", &error))?;
    let Some(bytes) = read else { return Ok(Installed::default()) };
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::host(id::STATE_UNREADABLE, text!("{} is not what a run has written", host.shown(&path()).display()))
            .caused_by(error)
            .hint(text!("look at it: cat {}", host.shown(&path()).display()))
    })
}

/// Adds to it, before it is done: a run that is killed leaves no more than the record tells.
///
/// # Errors
/// The state folder cannot be written.
pub(super) fn add(host: &dyn HostWrite, packages: &[String], compose: Option<Program>) -> Result<(), Problem> {
    let mut known = installed(host)?;
    known.packages.extend(packages.iter().filter(|name| !known.packages.contains(name)).cloned().collect::<Vec<_>>());
    known.compose = compose.or(known.compose);
    write(host, &known)
}

/// Takes a Compose away that is of no package, unless somebody has put another in its place; where it was.
///
/// # Errors
/// It cannot be removed, or the state folder cannot be written.
pub(crate) fn take_back(host: &dyn HostWrite) -> Result<Option<PathBuf>, Problem> {
    let mut known = installed(host)?;
    let Some(program) = known.compose.take() else { return Ok(None) };
    // A program is not read at once: it is large, and a live host's path is this machine's.
    let same = checksum::of(&host.shown(&program.path), |_| Ok(())).is_ok_and(|sum| sum == program.sha256);
    if same {
        host.remove_file(&program.path).map_err(|error| failed("removed", &error))?;
    }
    write(host, &known)?;
    Ok(same.then_some(program.path))
}

/// Takes the Compose away, and forgets the packages, which are gone.
///
/// # Errors
/// As [`take_back`].
pub(crate) fn forget(host: &dyn HostWrite) -> Result<(), Problem> {
    if installed(host)? == Installed::default() {
        return Ok(());
    }
    take_back(host)?;
    write(host, &Installed::default())
}

fn write(host: &dyn HostWrite, known: &Installed) -> Result<(), Problem> {
    let (path, temporary) = (path(), Path::new(STATE).join("engine.json.new"));
    let bytes = serde_json::to_vec_pretty(known).unwrap_or_default();
    let write = || {
        match host.remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = host.create(&temporary, 0o600)?;
        file.write_all(&bytes)?;
        file.sync()?;
        drop(file);
        host.rename(&temporary, &path)?;
        host.sync_dir(Path::new(STATE))
    };
    write().map_err(|error| failed("written", &error))
}

fn failed(verb: &'static str, error: &std::io::Error) -> Problem {
    Problem::host(id::WRITE_FAILED, text!("{} could not be {}", path().display(), own(verb))).caused_by(copy_of(error))
}
