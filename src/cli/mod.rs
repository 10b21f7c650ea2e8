//! The command line: parse, run, say how it ended.

mod args;
mod ask;
mod bundle;
mod check;
mod converge;
mod demo;
mod exit;
mod export;
mod files;
mod interface;
mod machine;
mod manual;
mod network;
mod out;
mod progress;
mod prove;
mod prune;
mod render;
mod revert;
mod settings;
mod status;
mod sudo;
mod support;
mod terminal;
mod trace;
mod wizard;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::problem::Problem;
use crate::redact::Redactor;
use crate::sandbox;
use crate::targets::Phase;
use args::Globals;
use exit::Exit;

/// Runs one command and returns its exit code. Writes to standard output and standard error; never panics on input.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    if let Some(exit) = sandbox::inside(&argv) {
        return exit;
    }
    let matches = match args::command().try_get_matches_from(&argv) {
        Ok(matches) => matches,
        Err(error) => return out::usage(&error, &argv).into(),
    };
    let Some((verb, matches)) = matches.subcommand() else { return alone(&matches, argv).into() };
    let globals = match Globals::new(verb, matches, argv) {
        Ok(globals) => globals,
        Err(problem) => return out::early(matches, verb, &problem).into(),
    };
    let mut redactor = Redactor::default();
    let result = match verb {
        "wizard" => wizard::run(&globals, matches),
        "prepare" => Ok(converge::run(&globals, matches, Phase::Prepare)),
        "install" => Ok(converge::run(&globals, matches, Phase::Install)),
        "reconfigure" => Ok(converge::run(&globals, matches, Phase::Reconfigure)),
        "bundle" => bundle::run(&globals, matches, &mut redactor),
        "check" => check::run(&globals, matches, &mut redactor),
        "prove" => prove::run(&globals, matches, &mut redactor),
        "trace" => trace::run(&globals, matches, &mut redactor),
        "network" => network::run(&globals, matches),
        "revert" => Ok(revert::run(&globals, matches)),
        "status" => status::run(&globals, args::word(matches, "run"), matches.get_flag("diff")),
        "support-bundle" => support::run(&globals, matches, &mut redactor),
        "prune" => prune::run(&globals, matches),
        "render" => render::run(&globals, matches),
        "settings" => settings::run(&globals, matches),
        "demo" => demo::run(&globals, matches),
        "completions" => Ok(manual::completions(matches)),
        "man" => manual::man(matches),
        // clap lets nothing else through.
        _ => Ok(Exit::USAGE),
    };
    ended(&globals, result, &redactor).into()
}

/// No command: at a terminal the wizard on a fresh host and `status` on a provisioned one; help elsewhere.
fn alone(matches: &clap::ArgMatches, argv: Vec<OsString>) -> Exit {
    if !terminal::is_terminal() || matches.get_flag("non-interactive") {
        return match args::strict().try_get_matches_from(&argv) {
            Err(error) => out::usage(&error, &argv),
            Ok(_) => Exit::USAGE,
        };
    }
    let mut globals = match Globals::new("wizard", matches, argv) {
        Ok(globals) => globals,
        Err(problem) => return out::early(matches, "wizard", &problem),
    };
    if !wizard::is_provisioned(&globals) {
        return ended(&globals, wizard::run(&globals, matches), &Redactor::default());
    }
    globals.verb = "status".to_owned();
    let exit = ended(&globals, status::run(&globals, None, false), &Redactor::default());
    out::message("\nTo change something: ics-setup wizard. All commands: ics-setup --help\n");
    exit
}

/// Says why a command failed. One that was done, and whose result did not arrive, has failed.
fn ended(globals: &Globals, result: Result<Exit, Problem>, redactor: &Redactor) -> Exit {
    match result.unwrap_or_else(|problem| out::failed(globals, &problem, redactor)) {
        // Nothing was changed, and what was asked for did not arrive.
        Exit::DONE | Exit::PENDING if out::lost() => Exit::FAILED,
        exit => exit,
    }
}
