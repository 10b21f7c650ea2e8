//! What runs have made on this host beside files: accounts, packages, a Compose, containers. It stands in the state folder, so
//! that it can be taken away again, and only it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, copy_of, id};
use crate::settings::STATE;
use crate::text;
use crate::text::own;

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Made {
    /// Users.
    pub(crate) users: Vec<String>,
    /// Groups that came with them.
    pub(crate) groups: Vec<String>,
    /// Group and user: memberships.
    pub(crate) members: Vec<(String, String)>,
    /// Packages, in the words of the package manager.
    pub(crate) packages: Vec<String>,
    /// A Compose that is of no package.
    pub(crate) compose: Option<Program>,
    /// By the product's folder: what outlives its containers.
    pub(crate) products: BTreeMap<PathBuf, Remains>,
}

/// What outlives the containers of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Remains {
    /// The projects that Compose has made of it, whose volumes have their names.
    pub(crate) projects: Vec<String>,
    /// The images of its services.
    pub(crate) images: Vec<String>,
    /// Its upgrades, the last one last.
    pub(crate) upgrades: Vec<Upgraded>,
}

/// An upgrade that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Upgraded {
    /// The image before.
    pub(crate) from: String,
    /// The image after.
    pub(crate) to: String,
    /// The folder of the dump that was made before it.
    pub(crate) dump: Option<PathBuf>,
    /// The scheduler of the new image was started: the schema may have moved.
    pub(crate) started: bool,
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
    Path::new(STATE).join("made.json")
}

impl Made {
    /// Everything so far.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub(crate) fn read(host: &dyn HostRead) -> Result<Self, Problem> {
        let Some(bytes) = host.read(&path()).map_err(|error| failed(host, "read", &error))? else {
            return Ok(Self::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| failed(host, "understood", &io::Error::other(error)))
    }

    /// Changes what this run has made, and the record of all runs, durably. What is made is noted before: whoever takes away
    /// what is not there does no harm.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn note(&mut self, host: &dyn HostWrite, change: impl Fn(&mut Self)) -> Result<(), Problem> {
        let before = Self::read(host)?;
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            write(host, &after).map_err(|error| failed(host, "written", &error))?;
        }
        change(self);
        Ok(())
    }
}

/// Adds what is not there yet.
pub(crate) fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn write(host: &dyn HostWrite, made: &Made) -> io::Result<()> {
    let temporary = path().with_extension("new");
    if host.lstat(&temporary)?.is_some() {
        host.remove_file(&temporary)?;
    }
    if *made == Made::default() {
        host.remove_file(&path())?;
    } else {
        let mut file = host.create(&temporary, 0o600)?;
        file.write_all(&serde_json::to_vec_pretty(made).map_err(io::Error::other)?)?;
        file.sync()?;
        drop(file);
        host.rename(&temporary, &path())?;
    }
    host.sync_dir(Path::new(STATE))
}

fn failed(host: &dyn HostRead, verb: &'static str, error: &io::Error) -> Problem {
    Problem::host(id::WRITE_FAILED, text!("{} could not be {}", host.shown(&path()), own(verb)))
        .caused_by(copy_of(error))
}
