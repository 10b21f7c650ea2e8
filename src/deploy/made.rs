//! What runs have made on this host beside files: accounts, packages. It stands in the state folder, so that it can be taken
//! away again, and only it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, id};
use crate::settings::STATE;
use crate::text;
use crate::text::own;

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Made {
    /// Users.
    pub(super) users: Vec<String>,
    /// Group and user: memberships.
    pub(super) members: Vec<(String, String)>,
    /// Packages.
    pub(super) packages: Vec<String>,
    /// Files that are no part of a run's plan: programs.
    pub(super) files: Vec<PathBuf>,
}

fn path() -> PathBuf {
    Path::new(STATE).join("made.json")
}

impl Made {
    /// Everything so far.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub(super) fn read(host: &dyn HostRead) -> Result<Self, Problem> {
        let Some(bytes) = host.read(&path()).map_err(|error| failed(host, "read", &error))? else {
            return Ok(Self::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| failed(host, "understood", &io::Error::other(error)))
    }

    /// Keeps it, durably. It is noted before it is made: whoever takes away what is not there does no harm.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn note(host: &dyn HostWrite, add: impl FnOnce(&mut Self)) -> Result<(), Problem> {
        let before = Self::read(host)?;
        let mut after = before.clone();
        add(&mut after);
        if after == before {
            return Ok(());
        }
        let write = || {
            let temporary = path().with_extension("new");
            if host.lstat(&temporary)?.is_some() {
                host.remove_file(&temporary)?;
            }
            if after == Self::default() {
                host.remove_file(&path())?;
            } else {
                let mut file = host.create(&temporary, 0o600)?;
                file.write_all(&serde_json::to_vec_pretty(&after).map_err(io::Error::other)?)?;
                file.sync()?;
                drop(file);
                host.rename(&temporary, &path())?;
            }
            host.sync_dir(Path::new(STATE))
        };
        write().map_err(|error| failed(host, "written", &error))
    }
}

fn failed(host: &dyn HostRead, verb: &'static str, error: &io::Error) -> Problem {
    Problem::host(id::WRITE_FAILED, text!("{} could not be {}", host.shown(&path()), own(verb)))
        .caused_by(crate::problem::copy_of(error))
}
