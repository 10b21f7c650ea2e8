//! Compose files, as Compose reads them: which files make up the project of a folder, its services, and the environment that
//! each of them gives its containers.
//!
//! Sources: docker-compose 1.25.5 and 1.29.2 `compose/config/config.py`; compose-spec/compose-go `loader`, `override`,
//! `types/project.go` (`WithServicesEnvironmentResolved`). `include:`, tags (`!reset`) and whatever else is not modelled
//! end the reading: then nothing is known of the project.
//!
//! | module | what it does |
//! | --- | --- |
//! | `yaml` | a document as a tree with lines |
//! | `interpolate` | `${name:-word}` |
//! | `project` | which files there are, services merged from them |
//! | `mount` | what a service mounts |
//! | `service` | what a service is made from, what its containers get |
//! | `outline` | what one file alone says of services, for who edits it |
//! | `edit` | edits that leave every other byte as it is |
//! | `valid` | `docker compose config -q` over a file that is not there yet |
//! | `ask` | `docker compose config`: Compose itself |

mod ask;
pub(crate) mod edit;
mod interpolate;
mod mount;
pub(crate) mod outline;
mod project;
mod service;
#[cfg(test)]
mod tests;
pub(crate) mod valid;
mod yaml;

use std::path::{Path, PathBuf};

use crate::envfile::Dialect;
use crate::text::Text;

pub(crate) use ask::{Asked, PROGRAMS, ask};
pub(crate) use mount::{Mount, Relabel};
pub(crate) use project::{Project, project_name, services};
pub(crate) use yaml::Odd;

pub(crate) use service::{Got, NOT_UTF_8, Network, OF_CALLER, Service};

/// The vendor's name of the file.
pub(crate) const USUAL: &str = "docker-compose.yml";

/// Names of compose files in the order in which v2 looks for them (compose-go `cli/options.go`, `DefaultFileNames`).
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", USUAL, "docker-compose.yaml"];

/// 1.26 to 1.29 look for the old names first; up to 1.25 knows the first two only (`SUPPORTED_FILENAMES`).
const NAMES_V1: [&str; 4] = [USUAL, "docker-compose.yaml", "compose.yml", "compose.yaml"];

/// Names of the file that is laid over it (`DefaultOverrideFileNames`).
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// The same of 1.26 to 1.29 (`DEFAULT_OVERRIDE_FILENAMES`).
const OVERRIDES_V1: [&str; 4] =
    ["docker-compose.override.yml", "docker-compose.override.yaml", "compose.override.yml", "compose.override.yaml"];

/// Names of compose files and of those laid over them, in the order of that reader.
fn names(dialect: Dialect) -> (&'static [&'static str], &'static [&'static str]) {
    match dialect {
        Dialect::ComposeV1Plain => (&NAMES_V1[..2], &OVERRIDES_V1[..2]),
        Dialect::ComposeV1Dotenv => (&NAMES_V1, &OVERRIDES_V1),
        _ => (&NAMES, &OVERRIDES),
    }
}

/// Is it a name that some release looks for by itself: its place in the order of v2.
pub(crate) fn rank(name: &str) -> Option<usize> {
    NAMES.iter().position(|own| *own == name)
}

/// Is it the name of a file that is laid over the compose file?
pub(crate) fn is_override(name: &str) -> bool {
    OVERRIDES.contains(&name)
}

/// The command that serves a project: whoever runs it, and the unit that starts it with the host, name the same files and the
/// same project. `program`: its first words, none for the arguments alone. `project`: as the labels of its containers have it;
/// `None`: there are none, and Compose takes the name of the folder.
pub(crate) fn argv(program: &[String], files: &[PathBuf], project: Option<&str>) -> Vec<String> {
    let files = files.iter().flat_map(|file| ["-f".to_owned(), file.to_string_lossy().into_owned()]);
    let project = project.into_iter().flat_map(|project| ["-p".to_owned(), project.to_owned()]);
    program.iter().cloned().chain(files).chain(project).collect()
}

/// A line of a file; 0: the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its line, counted from 1.
    pub(crate) line: usize,
}

impl At {
    pub(crate) fn new(path: &Path, line: usize) -> Self {
        Self { path: path.to_path_buf(), line }
    }
}

/// From here on nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The first line that is not understood, or that Compose refuses.
    pub(crate) at: At,
    /// Half a sentence.
    pub(crate) why: Text,
}

impl Stop {
    fn new(path: &Path, line: usize, why: impl Into<Text>) -> Self {
        Self { at: At::new(path, line), why: why.into() }
    }

    fn odd(path: &Path, odd: &yaml::Odd) -> Self {
        Self::new(path, odd.line, odd.why)
    }
}

/// The port of this host that leads to a port of the container, of `[ADDRESS:]HOST:CONTAINER[/tcp]`, with its address.
pub(crate) fn published(ports: &[String], container: u16) -> Option<(Option<String>, u16)> {
    ports.iter().find_map(|mapping| {
        let mut parts = mapping.trim_end_matches("/tcp").rsplitn(3, ':');
        (parts.next()?.parse() == Ok(container)).then_some(())?;
        let port = parts.next()?.parse().ok()?;
        let address = parts.next().filter(|address| !address.is_empty() && *address != "0.0.0.0");
        Some((address.map(str::to_owned), port))
    })
}

/// From this host to a container: at which address (`None`: at all), by which port, to which port of the container.
type PublishedPort = (Option<String>, u16, u16);

/// The ways of `ports:` that lead from this host to its containers by TCP.
///
/// # Errors
/// The one that is not understood: a range, say.
pub(crate) fn ways(ports: &[String]) -> Result<Vec<PublishedPort>, &str> {
    let mut ways = Vec::new();
    for mapping in ports.iter().filter(|mapping| !mapping.ends_with("/udp") && !mapping.ends_with("/sctp")) {
        let mut parts = mapping.trim_end_matches("/tcp").rsplitn(3, ':');
        // A port of the container alone gets whichever is free.
        let (Some(inside), Some(port)) = (parts.next(), parts.next()) else { return Err(mapping) };
        let number = |port: &str| port.parse().map_err(|_| mapping.as_str());
        let (inside, port) = (number(inside)?, number(port)?);
        let address = parts.next().map(|address| address.trim_matches(['[', ']']));
        ways.push((
            address.filter(|address| !["", "0.0.0.0", "::"].contains(address)).map(str::to_owned),
            port,
            inside,
        ));
    }
    Ok(ways)
}
