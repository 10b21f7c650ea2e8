//! `status`: what was done here, is it still so, and how is the product?

use std::path::Path;
use std::time::Duration;

use super::args::Globals;
use super::exit::Exit;
use super::{machine, out};
use crate::apply::{State, drift, runs};
use crate::docker::NoDocker;
use crate::net::Time;
use crate::problem::Problem;
use crate::product::containers;
use crate::redact::Redactor;
use crate::report::{Paint, clean, human_status, installed, json_status};
use crate::system::ecs::{self, Ecs};
use crate::text::Text;

/// How long Docker may take to say which containers run.
const DOCKER: Duration = Duration::from_millis(1500);

/// Runs the verb.
///
/// # Errors
/// Journals that cannot be read.
pub(super) fn run(globals: &Globals) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let runs = runs(&host)?;
    let drift = drift(&host, runs.iter().filter(|run| run.state == State::Committed))?;
    let product = installed(&runs)
        .map(|(_, folder)| containers::look(&host, Path::new(&folder), Time::new(DOCKER, DOCKER)))
        .filter(|facts| !matches!(facts.docker, Some(Err(NoDocker::Absent))));
    let on = ecs::observe(&host).on.map(|(on, _)| on);
    if globals.json {
        out::json(&json_status(&runs, &drift, product.as_ref(), on));
    } else {
        if let Some(on) = on {
            let says = Text::join([on.says(), Ecs::advice()], "\n").pasted_by(&globals.person);
            out::result(&format!("{}\n\n", clean(&Redactor::default(), &says)));
        }
        out::result(&human_status(&runs, &drift, product.as_ref(), &globals.person, Paint(globals.color)));
    }
    Ok(Exit::DONE)
}
