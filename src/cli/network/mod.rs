//! `network list|allowlist|explain`.

mod allowlist;
mod explain;
mod list;
mod wanted;

use clap::ArgMatches;

use super::args::Globals;
use super::exit::Exit;
use super::out;
use crate::redact::Redactor;
pub(super) use wanted::catalogue;

/// Runs the verb.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let (verb, result) = match matches.subcommand() {
        Some(("list", matches)) => ("network list", list::run(globals, matches)),
        Some(("allowlist", matches)) => ("network allowlist", allowlist::run(globals, matches)),
        Some(("explain", matches)) => ("network explain", explain::run(globals, matches)),
        // clap lets nothing else through.
        _ => return Exit::Usage,
    };
    match result {
        Ok(()) => Exit::Done,
        Err(problem) => out::failed(globals, verb, &problem, &Redactor::default()),
    }
}
