//! Standard output carries the result, standard error everything else. A reader that went away is no error.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use clap::ArgMatches;

use super::args::{Globals, innermost, word};
use super::exit::Exit;
use super::{sudo, terminal};
use crate::finding::Finding;
use crate::problem::{Problem, id};
use crate::progress;
use crate::redact::Redactor;
use crate::report::check::{Format, prevented};
use crate::report::{Outcome, Paint, Report, human_failed, human_findings, human_problem, human_routes, line, stands};
use crate::routes::Routes;
use crate::text::{Again, Person, Text, changes_host, typed};

/// Writes to standard output. What keeps it from being written is remembered; how the command ends says what is made of it:
/// [`lost`], [`untold`].
pub(super) fn result(text: &str) {
    let written = progress::above(|| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    });
    if let Err(error) = written {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Has a result been lost that nobody has spoken of yet? Whatever else there is to say of the command, that is said. A reader
/// that went away (`| head`) made its choice.
pub(super) fn lost() -> bool {
    let lost = taken().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    lost.iter()
        .for_each(|error| message(&format!("error: the result could not be written to standard output: {error}\n")));
    lost.is_some()
}

/// How the command ended does not depend on who was told: one line for a result that did not arrive.
fn untold() {
    if let Some(error) = taken() {
        message(&format!("warning: done, but the result could not be written to standard output: {error}\n"));
    }
}

/// Whoever speaks of it takes it.
fn taken() -> Option<io::Error> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The first thing that kept a result from being written.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to standard error, in the place of a line that says how far something is.
pub(super) fn message(text: &str) {
    let _ = progress::above(|| io::stderr().lock().write_all(text.as_bytes()));
}

/// Prints what clap has to say: help and versions to standard output, mistakes to standard error.
pub(super) fn usage(error: &clap::Error, argv: &[OsString]) -> Exit {
    let wants_help = !error.use_stderr();
    let text = error.render();
    let text = if terminal::color_for(wants_help) { text.ansi().to_string() } else { text.to_string() };
    if wants_help {
        result(&text);
        return Exit::DONE;
    }
    message(&text);
    let asked = |format: Format| {
        let word = format.as_str();
        argv.windows(2).any(|pair| pair[0] == "--format" && pair[1] == word)
            || argv.iter().any(|argument| argument.to_str() == Some(&format!("--format={word}")))
    };
    let verb =
        || argv.iter().skip(1).filter_map(|word| word.to_str()).find(|word| !word.starts_with('-')).unwrap_or_default();
    let message = error.render().to_string();
    let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let problem = Problem::settings(id::USAGE, message).hint(typed("ics-setup --help"));
    if asked(Format::Json) {
        json_problem(verb(), &problem);
    }
    if let Some(format) = Format::ALL.into_iter().find(|format| format.tells_problems() && asked(*format))
        && let Some(exit) = prevented_check(verb(), format, &problem, &Redactor::default())
    {
        return exit;
    }
    Exit::USAGE
}

/// A problem before there was anything else to say.
pub(super) fn early(matches: &ArgMatches, verb: &str, problem: &Problem) -> Exit {
    let redactor = Redactor::default();
    let word = word(innermost(matches).0, "format").unwrap_or_default();
    if word == "json" {
        json_problem(verb, problem);
    } else {
        let paint = Paint(terminal::color_for(false));
        message(&human_problem(problem, &redactor, paint, terminal::window_of_messages()));
    }
    let format = Format::parse(word).unwrap_or(Format::Human);
    prevented_check(verb, format, problem, &redactor).unwrap_or(Exit::of(problem))
}

/// Tells a harness or a monitoring system that there will be no result, in the words of the format that it reads. The exit
/// code where that format has one of its own.
fn prevented_check(verb: &str, format: Format, problem: &Problem, redactor: &Redactor) -> Option<Exit> {
    if verb != "check" {
        return None;
    }
    if let Some(text) = prevented(format, problem, redactor) {
        result(&text);
    }
    format.exit_code(None).map(Exit)
}

/// Prints a problem as JSON.
fn json_problem(verb: &str, problem: &Problem) {
    json(&failure(verb, problem, &Redactor::default()).json());
}

/// Says what was noticed beside a result that has no place for it.
pub(super) fn notice(globals: &Globals, findings: &[Finding], redactor: &Redactor) {
    if !globals.quiet {
        let paint = Paint(globals.color_of_messages);
        message(&human_findings(findings, false, redactor, paint, terminal::window_of_messages()));
    }
}

/// Says that status will not know this: what was done and found is told all the same.
pub(super) fn not_kept(what: &str, problem: &Problem, redactor: &Redactor) {
    message(&format!("warning: {what} is not kept for status: {}\n", line(redactor, &problem.sentence())));
}

/// Prints a JSON result.
pub(super) fn json(value: &serde_json::Value) {
    result(&format!("{value:#}\n"));
}

/// Prints a problem in the form that was asked for.
pub(super) fn failed(globals: &Globals, problem: &Problem, redactor: &Redactor) -> Exit {
    let exit = finish(globals, &failure(&globals.verb, problem, redactor));
    let advised = sudo::advised(problem, &globals.argv);
    prevented_check(&globals.verb, globals.format, &advised, redactor).unwrap_or(exit)
}

fn failure<'a>(verb: &'a str, problem: &'a Problem, redactor: &'a Redactor) -> Report<'a> {
    Report {
        command: verb,
        outcome: Outcome::of(problem),
        run: None,
        os: None,
        changes: &[],
        containers: &[],
        stages: &[],
        routes: &NO_ROUTES,
        findings: &[],
        next_steps: &[],
        for_good: false,
        error: Some(problem),
        redactor,
        person: &NOBODY,
    }
}

/// Of a run without a plan.
static NO_ROUTES: Routes = Routes::NONE;

/// Of whom nothing is known.
static NOBODY: Person = Person { image: None, privileged: false, again: Again::No, home: None, settings: None };

/// Prints the end of a changing command and returns its exit code.
pub(super) fn finish(globals: &Globals, report: &Report<'_>) -> Exit {
    // Commands to paste have to work on the same host, and with what was said in this run.
    let is_done = matches!(report.outcome, Outcome::Changed | Outcome::Unchanged);
    let again = match report.command {
        "prepare" if !is_done => Again::Prepare,
        "reconfigure" if !is_done => Again::Reconfigure,
        "install" if !is_done => Again::Install,
        _ => Again::No,
    };
    let person = &Person { again, ..globals.person.clone() };
    let findings: Vec<Finding> = report.findings.iter().map(|finding| finding.pasted_by(person)).collect();
    let mut error = report.error.map(|problem| sudo::advised(problem, &globals.argv));
    error.iter_mut().flat_map(|problem| &mut problem.hints).for_each(|advice| *advice = advice.pasted_by(person));
    let next_steps: Vec<Text> = report.next_steps.iter().map(|step| step.pasted_by(person)).collect();
    let report = &Report { findings: &findings, error: error.as_ref(), next_steps: &next_steps, ..*report };
    if globals.json {
        json(&report.json());
    } else if report.error.is_none() && !globals.quiet {
        let paint = Paint(globals.color);
        if globals.verbose && report.outcome == Outcome::Unchanged {
            result(&human_routes(report.routes, true, report.redactor, paint));
        }
        result(&report.human(globals.verbose, paint, terminal::columns()));
    }
    match report.error {
        Some(problem) => {
            let paint = Paint(globals.color_of_messages);
            if !globals.json {
                message(&human_failed(report, problem, paint, terminal::window_of_messages()));
                // Who cancels a look is told so too.
                if changes_host(report.command) || problem.id == id::CANCELLED {
                    message(&format!("\n{}\n", stands(report, problem)));
                }
            }
            Exit::of(problem)
        }
        None => exit(globals, report.outcome),
    }
}

/// The exit code of a changing command that went well, once its result was written. What it has done is done also where nobody
/// reads of it; a dry run has nothing but its result, see [`lost`].
pub(super) fn exit(globals: &Globals, outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Pending if globals.exit_code => return Exit::PENDING,
        Outcome::Changed | Outcome::Unchanged if !globals.dry_run => untold(),
        _ => {}
    }
    Exit::DONE
}
