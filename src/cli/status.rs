//! `status`: what was done here, and is it still so?

use super::args::Globals;
use super::exit::Exit;
use super::{machine, out};
use crate::apply::{Drift, Run, State, drift, runs};
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::{Paint, human_status, json_status};

/// Runs the verb.
pub(super) fn run(globals: &Globals) -> Exit {
    match look(globals) {
        Ok((runs, drift)) => {
            if globals.json {
                out::json(&json_status(&runs, &drift));
            } else {
                out::result(&human_status(&runs, &drift, Paint(globals.color)));
            }
            Exit::Done
        }
        Err(problem) => out::failed(globals, "status", &problem, &Redactor::default()),
    }
}

fn look(globals: &Globals) -> Result<(Vec<Run>, Vec<Drift>), Problem> {
    let host = machine::to_look(globals)?;
    let runs = runs(&host)?;
    let drift = drift(&host, runs.iter().filter(|run| run.state == State::Committed))?;
    Ok((runs, drift))
}
