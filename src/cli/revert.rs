//! `revert`: take back the last run, or the named one.

use clap::ArgMatches;

use super::args::{Globals, word};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out};
use crate::converge::{RunContext, TakeBack};

/// Runs the verb.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let named = word(matches, "run");
    let force = matches.get_flag("force");
    let mut context = RunContext::default();
    let outcome = machine::to_change(globals, "revert").and_then(|host| {
        let interface = &mut ByFlags(globals);
        TakeBack { host: &host, named, force, options: options(globals), interface }.run(&mut context)
    });
    out::finish(globals, &context.report("revert", &outcome, &globals.person))
}
