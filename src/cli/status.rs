//! `status`: what was done here, and is it still so?

use super::args::Globals;
use super::exit::Exit;
use super::{machine, out};
use crate::apply::{State, drift, runs};
use crate::problem::Problem;
use crate::report::{Paint, human_status, json_status};

/// Runs the verb.
///
/// # Errors
/// Journals that cannot be read.
pub(super) fn run(globals: &Globals) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let runs = runs(&host)?;
    let drift = drift(&host, runs.iter().filter(|run| run.state == State::Committed))?;
    if globals.json {
        out::json(&json_status(&runs, &drift));
    } else {
        out::result(&human_status(&runs, &drift, &globals.person, Paint(globals.color)));
    }
    Ok(Exit::DONE)
}
