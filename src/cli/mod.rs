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

use clap::error::ErrorKind;

use crate::problem::Problem;
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::sandbox;
use crate::signals;
use crate::targets::Phase;
use args::Globals;
use exit::Exit;

/// Runs one command and returns its exit code. Writes to standard output and standard error; never panics on input.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    if let Some(exit) = sandbox::inside(&argv) {
        return exit;
    }
    // Without it such a write ends the process, and the next run takes it back.
    let _ = signals::limits_of_files_are_errors();
    let exit = done(argv);
    // However it ended, that its result did not arrive is said.
    match (out::lost(), exit) {
        (true, Exit::DONE | Exit::PENDING) => Exit::FAILED,
        (_, exit) => exit,
    }
    .into()
}

/// Does what the command line asks for.
fn done(argv: Vec<OsString>) -> Exit {
    let mut matches = args::command().try_get_matches_from(&argv);
    if matches.as_ref().is_err_and(|error| error.kind() == ErrorKind::DisplayHelp) && asks_briefly(&argv) {
        matches = args::brief().try_get_matches_from(&argv);
    }
    let matches = match matches {
        Ok(matches) => matches,
        Err(error) => return out::usage(&error, &argv),
    };
    let Some((verb, matches)) = matches.subcommand() else { return alone(&matches, argv) };
    let globals = match Globals::new(verb, matches, argv) {
        Ok(globals) => globals,
        Err(problem) => return out::early(matches, verb, &problem),
    };
    interface::begin_to_show(&globals);
    // Whatever a verb is at that says nothing of it by itself. The wizard and the demonstration are at the person's questions.
    let looks = !["wizard", "demo", "completions", "man"].contains(&verb);
    let looking = looks.then(Progress::looking);
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
    drop(looking);
    ended(&globals, result, &redactor)
}

/// Is it `-h` that the help was asked for with, alone or among other flags of one letter (`-qh`), and not `--help`?
fn asks_briefly(argv: &[OsString]) -> bool {
    let words = argv.iter().skip(1).map(|word| word.as_encoded_bytes()).take_while(|word| *word != b"--");
    let is_brief = |word: &[u8]| word.starts_with(b"-") && !word.starts_with(b"--") && word.contains(&b'h');
    words.into_iter().find(|word| *word == b"--help" || is_brief(word)).is_some_and(is_brief)
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
    interface::begin_to_show(&globals);
    let looking = Progress::looking();
    let is_provisioned = wizard::is_provisioned(&globals);
    if !is_provisioned {
        drop(looking);
        return ended(&globals, wizard::run(&globals, matches), &Redactor::default());
    }
    globals.verb = "status".to_owned();
    let exit = ended(&globals, status::run(&globals, None, false), &Redactor::default());
    drop(looking);
    out::message("\nTo change something: ics-setup wizard. All commands: ics-setup --help\n");
    exit
}

/// Says why a command failed.
fn ended(globals: &Globals, result: Result<Exit, Problem>, redactor: &Redactor) -> Exit {
    result.unwrap_or_else(|problem| out::failed(globals, &problem, redactor))
}
