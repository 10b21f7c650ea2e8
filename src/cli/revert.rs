//! `revert`: take back the last run, the named one, all after one, or all.

use clap::ArgMatches;

use super::args::{Globals, path_of, word};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out};
use crate::apply::{Which, runs};
use crate::converge::{RunContext, TakeBack};
use crate::deploy::Remove;

/// Runs the verb.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let which = match (word(matches, "run"), word(matches, "to")) {
        (Some(run), _) => Which::Named(run),
        (None, Some(run)) => Which::To(run),
        (None, None) if matches.get_flag("every") => Which::All,
        (None, None) => Which::Last,
    };
    let force = matches.get_flag("force");
    let purge = path_of(matches, "purge");
    let mut context = RunContext::default();
    let outcome = machine::to_change(globals, "revert").and_then(|host| {
        let mut around = Remove::new(&host, purge);
        let of_install = around.check(&runs(&host)?, which)?;
        let which = match (which, of_install.as_deref()) {
            (Which::Last, Some(run)) => Which::Named(run),
            _ => which,
        };
        let (interface, options) = (&mut ByFlags(globals), options(globals));
        let around = &mut around;
        TakeBack { host: &host, which, force, options, interface, going: purge, around }.run(&mut context)
    });
    out::finish(globals, &context.report("revert", &outcome, &globals.person))
}
