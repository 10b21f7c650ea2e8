//! Compose as a program: the generation that made the project, within deadlines.

use std::path::Path;
use std::time::Duration;

use crate::docker::{ComposeProgram, Container, Generation, compose, compose_programs, serving};
use crate::host::{Command, HostRead, Output};
use crate::problem::{Problem, id};
use crate::product::Place;
use crate::text;
use crate::text::{Foreign, Text, own, quoted, typed};

/// Longer than any honest start of containers whose images are there; a stop waits for each container's own grace.
const DEADLINE: Duration = Duration::from_secs(300);

/// A project of this host, and the program that serves it.
#[derive(Clone, Debug)]
pub(super) struct Compose {
    argv: Vec<String>,
    /// The project of containers that there are.
    project: Option<String>,
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
        let there = compose_programs(host);
        let Some(fits) = serving(&there, Generation::of_containers(containers)) else {
            let made = containers.iter().find_map(|container| container.compose_version.as_deref());
            return Err(absent(made, &there));
        };
        let project = containers.iter().find_map(|container| container.project.clone());
        Ok(Self { argv: compose::argv(&fits.argv, &place.files(home), project.as_deref()), project })
    }

    /// One that nobody runs.
    #[cfg(test)]
    pub(super) fn double() -> Self {
        Self { argv: vec!["docker-compose".to_owned()], project: None }
    }

    /// The name of its project: that of its containers, else as the files have it.
    pub(super) fn project(&self, host: &dyn HostRead, place: &Place, home: &Path) -> String {
        self.project.clone().unwrap_or_else(|| place.project(host, home))
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
        let words: Vec<String> = self.argv.iter().map(|word| quoted(word)).collect();
        text!("{} {}", own(words.join(" ")), own(arguments))
    }
}

fn absent(made: Option<&str>, there: &[ComposeProgram]) -> Problem {
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
        .hint(text!("install it: {}, or the plugin docker-compose-plugin", typed("apt-get install docker-compose"))),
    }
}
