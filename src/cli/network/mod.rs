//! `network list|allowlist|explain`.

mod allowlist;
mod as_consumer;
mod explain;
mod list;
mod wanted;

use clap::ArgMatches;

use super::args::Globals;
use super::exit::Exit;
use crate::problem::Problem;
pub(super) use wanted::catalogue;

/// Runs the verb.
///
/// # Errors
/// Flags and settings that are wrong, files that cannot be read.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    match matches.subcommand() {
        Some(("list", matches)) => list::run(globals, matches)?,
        Some(("allowlist", matches)) => allowlist::run(globals, matches)?,
        Some(("explain", matches)) => explain::run(globals, matches)?,
        // clap lets nothing else through.
        _ => return Ok(Exit::USAGE),
    }
    Ok(Exit::DONE)
}
