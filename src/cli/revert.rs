//! `revert`: take back the last run, the named one, all after one, or all.

use clap::ArgMatches;

use super::args::{Globals, path_of, word};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out, status};
use crate::apply::Which;
use crate::context::Inputs;
use crate::converge::{RunContext, TakeBack};
use crate::deploy::Remove;
use crate::problem::Problem;
use crate::settings::Layer;

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
    let host = machine::to_change(globals, "revert");
    let outcome = host.as_ref().map_err(Problem::clone).and_then(|host| {
        let mut around = Remove::new(host, purge);
        let (interface, options) = (&mut ByFlags(globals), options(globals));
        let around = &mut around;
        TakeBack { host, which, force, options, interface, going: purge, around }.run(&mut context)
    });
    if let Ok(host) = &host {
        let said = Inputs::new(globals.person.settings.as_deref(), Layer::default());
        status::then(globals, host, said, &outcome, &mut context);
    }
    out::finish(globals, &context.report("revert", &outcome, &globals.person))
}
