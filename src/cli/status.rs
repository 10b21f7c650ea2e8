//! `status`: what was done here, is it still so, and how is the product?

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::args::Globals;
use super::exit::Exit;
use super::{machine, out};
use crate::apply::{Run, State, drift, history, named, runs};
use crate::docker::NoDocker;
use crate::host::HostRead;
use crate::net::Time;
use crate::problem::Problem;
use crate::product::containers;
use crate::redact::Redactor;
use crate::report::{Paint, clean, human_run, human_status, installed, json_status, run_json};
use crate::system::ecs::{self, Ecs};
use crate::text::Text;

/// How long Docker may take to say which containers run.
const DOCKER: Duration = Duration::from_millis(1500);

/// Runs the verb.
///
/// # Errors
/// Journals that cannot be read; a run that there is not.
pub(super) fn run(globals: &Globals, named: Option<&str>, diff: bool) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let runs = runs(&host)?;
    if let Some(name) = named {
        return of_run(globals, &host, &runs, name, diff);
    }
    let on = ecs::observe(&host).on.map(|(on, _)| on);
    let (json, human) = told(globals, &host, &runs)?;
    if globals.json {
        out::json(&json);
    } else {
        if let Some(on) = on {
            let says = Text::join([on.says(), Ecs::advice()], "\n").pasted_by(&globals.person);
            out::result(&format!("{}\n\n", clean(&Redactor::default(), &says)));
        }
        out::result(&human);
    }
    Ok(Exit::DONE)
}

/// How the host stands after these runs, for programs and for people.
///
/// # Errors
/// A file of a run that cannot be read.
pub(super) fn told(globals: &Globals, host: &dyn HostRead, runs: &[Run]) -> Result<(Value, String), Problem> {
    let drift = drift(host, runs.iter().filter(|run| run.state == State::Committed))?;
    let product = installed(runs)
        .map(|(_, folder)| containers::look(host, Path::new(&folder), Time::new(DOCKER, DOCKER)))
        .filter(|facts| !matches!(facts.docker, Some(Err(NoDocker::Absent))));
    let on = ecs::observe(host).on.map(|(on, _)| on);
    let human = human_status(runs, &drift, product.as_ref(), &globals.person, Paint(globals.color));
    Ok((json_status(runs, &drift, product.as_ref(), on), human))
}

/// One run, with what it did.
fn of_run(globals: &Globals, host: &dyn HostRead, runs: &[Run], name: &str, diff: bool) -> Result<Exit, Problem> {
    let run = named(runs, name, "status")?;
    let files = history(host, run, runs)?;
    let mut redactor = Redactor::default();
    for change in files.iter().filter_map(|file| file.change.as_ref().ok()) {
        [change.old_bytes(), change.new_bytes()].iter().for_each(|bytes| redactor.learn_assignments(bytes));
    }
    if globals.json {
        out::json(&run_json(run, &files, diff, &redactor));
    } else {
        out::result(&human_run(run, &files, diff, &redactor, Paint(globals.color)));
    }
    Ok(Exit::DONE)
}
