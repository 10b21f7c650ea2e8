//! What systemd makes of a service: which files it reads, which environment it gives it, which command it starts.
//!
//! The model follows the source of systemd 252 and what the releases from 219 on do otherwise (their NEWS), and is compared
//! with `systemd-analyze verify` of 252 by `tests/lab/units.rs`. What it does not know is unknown from the first line on
//! which that matters.
//!
//! | module | what it does |
//! | --- | --- |
//! | `names` | names of units |
//! | `look` | files and folders of the host |
//! | `search` | the unit's file, its other names, its drop-ins |
//! | `loaded` | what was read of it |
//! | `load` | one file after the other |
//! | `exec` | `ExecStart=` |
//! | `glob` | wildcards of `EnvironmentFile=` |
//! | `start` | what the service gets when it is started |
//! | `manager` | what all services get |
//! | `sshd` | the options that sshd is started with |
//! | `ask` | the same, by systemd's own word |

pub(crate) mod ask;
mod exec;
pub(super) mod glob;
mod load;
mod loaded;
mod look;
mod manager;
mod names;
mod search;
mod sshd;
mod start;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sight::{Place, Sight, Sights, Stop};
use crate::envfile::unit::Release;
use crate::environment::systemd_runs;
use crate::host::{self, HostRead, RealHost};
use crate::text::Text;

pub(crate) use glob::fnmatch;
use loaded::Variables;
pub(crate) use sshd::sshd_options;

/// A service as systemd would start it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    /// Its unit's file; `None`: there is none, so that systemd knows no such service. The rest is then what it would be given
    /// by the drop-ins that there are.
    pub(crate) fragment: Option<PathBuf>,
    /// Its file is empty or a link to the null device: systemd never starts it.
    pub(crate) masked: bool,
    /// Why systemd does not load or start it.
    pub(crate) refused: Option<Stop>,
    environment: Variables,
    /// What it starts, in order.
    pub(crate) exec_start: Vec<Command>,
    /// Why it cannot be told what it starts.
    pub(crate) exec_unknown: Option<Stop>,
    /// What systemd does not take as it is probably meant.
    pub(crate) complaints: Vec<(Place, Text)>,
}

/// One `ExecStart=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The line.
    pub(crate) at: Place,
    /// Program and arguments. `None`: it cannot be told, and it may be no word or several.
    pub(crate) argv: Vec<Option<String>>,
    /// `:` in front: `$` has no meaning.
    pub(crate) verbatim: bool,
}

impl Service {
    /// What it gets for a name; `None`: nothing mentions it.
    pub(crate) fn sight(&self, name: &str) -> Option<Sight> {
        self.environment.get(name)
    }

    /// What it gets for these names.
    pub(crate) fn sights(&self, names: &[&str]) -> Sights {
        names.iter().filter_map(|name| Some(((*name).to_owned(), self.sight(name)?))).collect()
    }
}

/// What systemd makes of a service by the files of the host.
pub(crate) fn service(host: &dyn HostRead, name: &str, release: Release) -> Service {
    let loaded = load::unit(host, name, release);
    start::start(host, loaded, &manager::environment_of_all(host, release), release)
}

/// A service with a name that nothing else is for.
pub(crate) const EVERY: &str = "any_service_of_this_host.service";

/// What systemd gives to every service, by the files of the host.
pub(crate) fn every_service(host: &dyn HostRead, release: Release) -> Service {
    service(host, EVERY, release)
}

/// What systemd makes of a service by its own word, the output of [`ask::VERIFY`]: only the files that it names are read here, and
/// `every` is what the running systemd gives to all. The model tells the lines of what it understands alike. `None`: the unit is
/// not in it.
pub(crate) fn asked(
    host: &dyn HostRead,
    name: &str,
    output: &[u8],
    release: Release,
    every: Option<&[(String, String)]>,
) -> Option<Service> {
    let loaded = ask::dump(name, output, b"")?;
    let every = match every {
        Some(variables) => {
            let at = Place::new(Path::new("systemctl show-environment"), 0);
            let sight = |value: &String| Sight::Value { value: value.clone(), at: at.clone() };
            let known = variables.iter().map(|(name, value)| (name.clone(), sight(value))).collect();
            Variables { known, ..Variables::default() }
        }
        None => manager::environment_of_all(host, release),
    };
    let mut service = start::start(host, loaded, &every, release);
    let model = self::service(host, name, release);
    for (name, sight) in &mut service.environment.known {
        // The line, too, whose value the model cannot tell.
        let known = model.environment.known.get(name);
        let fits = |known: &&Sight| matches!(known, Sight::Unknown { .. }) || known.value() == sight.value();
        if let (Some(known), Sight::Value { at, .. }) = (known.filter(fits), &mut *sight) {
            *at = known.at().clone();
        }
    }
    for (command, known) in service.exec_start.iter_mut().zip(&model.exec_start) {
        if command.argv == known.argv {
            command.at = known.at.clone();
        }
    }
    Some(service)
}

/// A service as the running systemd would start it, where that has not read its files since they were changed.
pub(crate) fn unread(host: &dyn HostRead, name: &str, release: Release, deadline: Duration) -> Option<Service> {
    if !host.is_live() || !systemd_runs(host) {
        return None;
    }
    let argv = ask::SHOW.into_iter().chain([name]);
    let output = host.run(&host::Command { deadline, ..host::Command::new(argv) }).ok()?;
    let loaded = ask::show(&output.stdout).filter(|loaded| loaded.needs_reload)?;
    Some(start::start(host, loaded, &manager::environment_of_all(host, release), release))
}

/// Where the model of a unit below `root` differs from what `systemd-analyze verify` of release 252 has printed.
///
/// # Errors
/// `root` is no folder.
pub(crate) fn differences_below(root: &Path, name: &str, stdout: &[u8]) -> std::io::Result<Vec<ask::Difference>> {
    let modelled = load::unit(&RealHost::image(root)?, name, Release::MEASURED);
    Ok(ask::differences(&modelled, ask::dump(name, stdout, b"").as_ref()))
}

/// What the model of a unit below `root` gives it, read by systemd 252.
///
/// # Errors
/// `root` is no folder.
pub(crate) fn service_below(root: &Path, name: &str) -> std::io::Result<Service> {
    Ok(service(&RealHost::image(root)?, name, Release::MEASURED))
}
