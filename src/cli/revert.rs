//! `revert`: take back the last run, or the named one.

use clap::ArgMatches;

use super::args::{Globals, path_of, word};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out};
use crate::apply::runs;
use crate::converge::{RunContext, TakeBack};
use crate::deploy::Remove;

/// Runs the verb.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let named = word(matches, "run");
    let force = matches.get_flag("force");
    let purge = path_of(matches, "purge");
    let mut context = RunContext::default();
    let outcome = machine::to_change(globals, "revert").and_then(|host| {
        let mut around = Remove::new(&host, purge);
        let of_install = around.check(&runs(&host)?, named)?;
        let named = named.or(of_install.as_deref());
        let (interface, options) = (&mut ByFlags(globals), options(globals));
        let around = &mut around;
        TakeBack { host: &host, named, force, options, interface, going: purge, around }.run(&mut context)
    });
    out::finish(globals, &context.report("revert", &outcome, &globals.person))
}
