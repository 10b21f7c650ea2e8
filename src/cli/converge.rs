//! `prepare`, `install` and `reconfigure`.

use clap::ArgMatches;

use super::args::Globals;
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out, status};
use crate::converge::{Converge, Options, RunContext};
use crate::deploy;
use crate::problem::Problem;
use crate::targets::Phase;

/// Runs one of these verbs.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, phase: Phase) -> Exit {
    let mut context = RunContext::default();
    let host = machine::to_change(globals, phase.verb());
    let mut said = None;
    let outcome = host.as_ref().map_err(Problem::clone).and_then(|host| {
        let inputs = machine::inputs(globals, matches)?;
        said = Some(inputs.clone());
        let interface = &mut ByFlags(globals);
        let has = |flag| matches.try_get_one::<bool>(flag).ok().flatten().copied().unwrap_or(false);
        let options = Options { prove: has("prove"), probe: !has("no-probe"), ..options(globals) };
        let around = &mut *deploy::around(host, phase);
        Converge { host, inputs, phase, options, interface, around }.run(&mut context)
    });
    if let (Phase::Install, Err(problem)) = (phase, &outcome) {
        context.ended(problem);
    }
    if let (Ok(host), Some(said)) = (&host, said) {
        status::then(globals, host, Ok(said), &outcome, &mut context);
    }
    out::finish(globals, &context.report(phase.verb(), &outcome, &globals.person))
}
