//! `prepare`, `install` and `reconfigure`.

use clap::ArgMatches;

use super::args::Globals;
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out};
use crate::converge::{Converge, Options, RunContext};
use crate::deploy;
use crate::targets::Phase;

/// Runs one of these verbs.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, phase: Phase) -> Exit {
    let mut context = RunContext::default();
    let outcome = machine::to_change(globals, phase.verb()).and_then(|host| {
        let inputs = machine::inputs(globals, matches)?;
        let interface = &mut ByFlags(globals);
        let has = |flag| matches.try_get_one::<bool>(flag).ok().flatten().copied().unwrap_or(false);
        let options = Options { prove: has("prove"), probe: !has("no-probe"), ..options(globals) };
        let around = &mut *deploy::around(&host, phase);
        Converge { host: &host, inputs, phase, options, interface, around }.run(&mut context)
    });
    if let (Phase::Install, Err(problem)) = (phase, &outcome) {
        context.ended(problem);
    }
    out::finish(globals, &context.report(phase.verb(), &outcome, &globals.person))
}
