//! Compose as a program: the generation that made the project, within deadlines.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::docker::Container;
use crate::host::{Command, HostRead, Output};
use crate::problem::{Problem, id};
use crate::product::Place;
use crate::text;
use crate::text::{Foreign, Text, own};

/// Longer than any honest start of containers whose images are there; a stop waits for each container's own grace.
const DEADLINE: Duration = Duration::from_secs(300);

/// A project of this host, and the program that serves it.
#[derive(Clone, Debug)]
pub(super) struct Compose {
    argv: Vec<String>,
}

/// Which reads the files, and how containers are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    /// docker-compose in Python.
    V1,
    /// The plugin, or the same program by its old name.
    V2,
}

impl Compose {
    /// The one that made these containers. Each generation creates all containers of the other anew.
    ///
    /// # Errors
    /// It is not installed.
    pub(super) fn of(
        host: &dyn HostRead,
        place: &Place,
        home: &Path,
        containers: &[Container],
    ) -> Result<Self, Problem> {
        let made = containers.iter().find_map(|container| container.compose_version.as_deref());
        let wanted = made.and_then(generation);
        let there: Vec<(&[&str], Generation)> = [&["docker", "compose"][..], &["docker-compose"]]
            .into_iter()
            .filter_map(|argv| Some((argv, generation(&version(host, argv)?)?)))
            .collect();
        let fits = there.iter().find(|(_, own)| wanted.is_none_or(|wanted| wanted == *own));
        let Some((argv, _)) = fits else { return Err(absent(made, &there)) };
        let project = containers.iter().find_map(|container| container.project.clone());
        Ok(Self { argv: argv_of(argv, &place.files(home), project.as_deref()) })
    }

    /// Runs it.
    ///
    /// # Errors
    /// `compose-failed`, with its words.
    pub(super) fn run(&self, host: &dyn HostRead, arguments: &[&str]) -> Result<Output, Problem> {
        let argv: Vec<String> =
            self.argv.iter().cloned().chain(arguments.iter().map(|&word| word.to_owned())).collect();
        let shown = argv.join(" ");
        let failed = |why: Text| Problem::host(id::COMPOSE_FAILED, text!("{} failed", own(&shown))).because(why);
        let output = host
            .run(&Command { deadline: DEADLINE, ..Command::new(argv) })
            .map_err(|error| failed("it could not be run, or did not end in time".into()).caused_by(error))?;
        if output.code == Some(0) {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(3)..].join("; ");
        Err(failed(text!("{}", Foreign::new(last))))
    }

    /// The command, for a person.
    pub(super) fn shown(&self, arguments: &str) -> Text {
        text!("{} {}", own(self.argv.join(" ")), own(arguments))
    }
}

fn argv_of(program: &[&str], files: &[PathBuf], project: Option<&str>) -> Vec<String> {
    let mut argv: Vec<String> = program.iter().map(|&word| word.to_owned()).collect();
    for file in files {
        argv.extend(["-f".to_owned(), file.to_string_lossy().into_owned()]);
    }
    argv.extend(project.into_iter().flat_map(|project| ["-p".to_owned(), project.to_owned()]));
    argv
}

/// The bare number that both generations print.
fn version(host: &dyn HostRead, program: &[&str]) -> Option<String> {
    let argv = program.iter().copied().chain(["version", "--short"]);
    let output = host.run(&Command::new(argv)).ok().filter(|output| output.code == Some(0))?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn generation(version: &str) -> Option<Generation> {
    let major = version.trim_start_matches('v').split('.').next()?.parse::<u32>().ok()?;
    Some(if major < 2 { Generation::V1 } else { Generation::V2 })
}

fn absent(made: Option<&str>, there: &[(&[&str], Generation)]) -> Problem {
    match made {
        Some(made) if !there.is_empty() => Problem::host(
            id::COMPOSE_MISSING,
            text!("the containers were made by Compose {}, which is not installed", Foreign::new(made)),
        )
        .because("the other generation, which is, would create every container anew, that of the database too")
        .hint("install the generation that made them, or stop the product and start it with the other one by hand"),
        _ => Problem::host(
            id::COMPOSE_MISSING,
            "there is no Compose on this host: neither docker compose nor docker-compose",
        )
        .hint("install it: apt-get install docker-compose, or the plugin docker-compose-plugin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_by_the_number_that_they_print() {
        for (version, expected) in [
            ("1.25.5", Some(Generation::V1)),
            ("1.29.2", Some(Generation::V1)),
            ("2.26.1-4", Some(Generation::V2)),
            ("v2.40.3", Some(Generation::V2)),
            ("dev", None),
        ] {
            assert_eq!(generation(version), expected, "{version}");
        }
    }
}
