//! The product in a run: installed stage by stage, stopped and started around a change of its files, taken away again.
//!
//! | module | what it does |
//! | --- | --- |
//! | `install` | the stages of `install` |
//! | `reconfigure` | stopped before its files change, started after, proven healthy, or brought back |
//! | `remove` | what `revert` does to the product: containers go, or run again with the files of before; `--purge` |
//! | `product` | its containers: stop, start, wait until they are well, what became of them |
//! | `databases` | databases, user and rights on MySQL |
//! | `hosts` | the other hosts that use its databases, and what they say of themselves |
//! | `fates` | what becomes of the containers of each service |
//! | `health` | is it healthy, will it be, or not any more? |
//! | `upgrade` | another image of the product: which way it goes, and what the databases are brought back from |
//! | `old_images` | images of the product that nothing refers to any more |
//! | `pulse` | what its interface answers meanwhile, and how long it was down |
//! | `compose` | Compose as a program |
//! | `accounts` | the product's user, and who may talk to Docker |
//! | `boot` | the unit that starts it when the host has started |
//! | `bundle` | what `install --bundle` takes, made on a host with internet |
//! | `engine` | the stage `engine` |
//! | `fetch` | the stage `fetch` |
//! | `task` | what a stage works with |
//! | `words` | what programs say when they fail |
//! | `preflight` | what is found before anything is written |
//! | `probe_container` | what a container of the product reaches |
//! | `marker` | which services a run has stopped, for the run that goes on |
//! | `made` | what runs have made beside files, for the way back |

mod accounts;
mod boot;
pub(crate) mod bundle;
mod compose;
mod databases;
pub(crate) mod engine;
mod fates;
pub(crate) mod fetch;
mod health;
mod hosts;
mod install;
mod made;
mod marker;
mod old_images;
mod preflight;
mod probe_container;
mod product;
mod pulse;
mod reconfigure;
mod remove;
pub(crate) mod task;
mod upgrade;
mod words;

use std::time::Duration;

pub(crate) use databases::trial as databases_trial;
pub(crate) use fetch::bytes_shown;
pub(crate) use old_images::{OldImage, bytes_of, old_images, remove as remove_old_image};
pub(crate) use remove::Remove;

use crate::converge::{Around, Nothing};
use crate::docker::NoDocker;
use crate::finding::Finding;
use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, id};
use crate::settings::{Found, Settings};
use crate::targets::Phase;
use crate::text::as_root;

/// How long Docker may take to say what there is.
const LOOK: Duration = Duration::from_secs(20);

/// What a verb does to the product around its change of files.
pub(crate) fn around<'h>(host: &'h dyn HostWrite, phase: Phase) -> Box<dyn Around + 'h> {
    match phase {
        Phase::Prepare => Box::new(Nothing),
        Phase::Install => Box::new(install::Install::new(host)),
        Phase::Reconfigure => Box::new(reconfigure::Reconfigure::new(host)),
    }
}

/// What the administrator of MySQL whom the settings name could make of what is missing there; nothing where nobody is named or
/// can be asked.
///
/// # Errors
/// The file of `--proxy-ca` cannot be read.
pub(crate) fn administrator(host: &dyn HostRead, settings: &Settings, found: &Found) -> Result<Vec<Finding>, Problem> {
    Ok(databases::Databases::of(host, settings, found)?.foresee())
}

/// Docker does not say what there is.
fn no_answer(error: &NoDocker) -> Problem {
    Problem::host(id::DOCKER_SILENT, "Docker does not say which containers there are")
        .because(error.why())
        .hint_command(as_root("docker ps -a"))
}
