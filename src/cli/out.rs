//! Standard output carries the result, standard error everything else. A reader that went away is no error.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ArgMatches;

use super::args::{Globals, is_json};
use super::exit::Exit;
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::check::{Format, State, prevented};
use crate::report::{Outcome, Paint, Report, human_plan, human_problem};
use crate::text::{Fix, Text, quoted};

/// Writes to standard output. A reader that went away (`| head`) made its choice; anything else that keeps the result from
/// being written is remembered until [`lost`] asks.
pub fn result(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) => {
            message(&format!("error: the result could not be written to standard output: {error}\n"));
        }
        _ => {}
    }
}

/// Has a result been lost on its way to standard output?
pub fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

static LOST: AtomicBool = AtomicBool::new(false);

/// Writes to standard error.
pub fn message(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Are there eyes and a keyboard?
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Colours by default: a terminal that can, and no `NO_COLOR`.
pub fn color_for(stdout: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let terminal = if stdout { io::stdout().is_terminal() } else { io::stderr().is_terminal() };
    terminal && !no_color && !dumb
}

/// How many columns standard output has; `None`: it is no terminal.
pub fn columns() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns)))
}

/// Does the locale say that more than ASCII can be shown?
pub fn unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    locale.is_some_and(|locale| is_utf8(&locale.to_string_lossy()))
}

/// `language_COUNTRY.CODESET@modifier`: is the codeset UTF-8, however it is spelt?
fn is_utf8(locale: &str) -> bool {
    let codeset = locale.split_once('.').map_or("", |(_, rest)| rest).split('@').next().unwrap_or_default();
    codeset.replace('-', "").eq_ignore_ascii_case("utf8")
}

/// A problem before there was anything else to say.
pub fn early(matches: &ArgMatches, verb: &str, problem: &Problem) -> Exit {
    let redactor = Redactor::default();
    let mut inner = matches;
    while let Some((_, next)) = inner.subcommand() {
        inner = next;
    }
    if is_json(inner) {
        json_problem(verb, problem);
    } else {
        message(&human_problem(problem, &redactor, Paint(color_for(false))));
    }
    let format = inner.get_one::<String>("format").and_then(|word| Format::parse(word)).unwrap_or(Format::Human);
    prevented_check(verb, format, problem, &redactor).unwrap_or(Exit::of(problem))
}

/// Tells a harness or a monitoring system that there will be no result, in the words of the format that it reads. The exit
/// code where that format has one of its own.
pub fn prevented_check(verb: &str, format: Format, problem: &Problem, redactor: &Redactor) -> Option<Exit> {
    if verb != "check" {
        return None;
    }
    if let Some(text) = prevented(format, problem, redactor) {
        result(&text);
    }
    (format == Format::Nagios).then_some(Exit::Nagios(State::Unknown.code()))
}

/// Prints a problem as JSON.
pub fn json_problem(verb: &str, problem: &Problem) {
    json(&failure(verb, problem, &Redactor::default()).json());
}

/// Prints a JSON result.
pub fn json(value: &serde_json::Value) {
    result(&format!("{value:#}\n"));
}

/// Prints a problem in the form that was asked for.
pub fn failed(globals: &Globals, verb: &str, problem: &Problem, redactor: &Redactor) -> Exit {
    finish(globals, &failure(verb, problem, redactor))
}

fn failure<'a>(verb: &'a str, problem: &'a Problem, redactor: &'a Redactor) -> Report<'a> {
    Report {
        command: verb,
        outcome: Outcome::of(problem),
        run: None,
        os: None,
        changes: &[],
        findings: &[],
        next_steps: &[],
        error: Some(problem),
        redactor,
        root: None,
    }
}

/// Prints the diff of what is going to be done, unless the result will be JSON or silence was asked for.
pub fn show_plan(globals: &Globals, report: &Report<'_>) {
    if !globals.json && !globals.quiet {
        result(&human_plan(report.changes, report.redactor, Paint(globals.color)));
    }
}

/// Prints the end of a changing command and returns its exit code.
pub fn finish(globals: &Globals, report: &Report<'_>) -> Exit {
    // Commands to paste have to work on the same host.
    let mut findings = report.findings.to_vec();
    findings.iter_mut().flat_map(|finding| &mut finding.fix).for_each(|fix| on_the_same_host(globals, fix));
    let mut error = report.error.cloned();
    error.iter_mut().flat_map(|problem| &mut problem.hints).for_each(|advice| on_the_same_host(globals, advice));
    let report = &Report { findings: &findings, error: error.as_ref(), ..*report };
    if globals.json {
        json(&report.json());
    } else if report.error.is_none() && !globals.quiet {
        result(&report.human(globals.verbose, Paint(globals.color)));
    }
    match report.error {
        Some(problem) => {
            let paint = Paint(globals.color_of_messages);
            if !globals.json {
                let findings = crate::report::human_findings(report.findings, false, report.redactor, paint);
                let gap = if findings.is_empty() { "" } else { "\n" };
                message(&format!("{findings}{gap}"));
                message(&human_problem(problem, report.redactor, paint));
            }
            Exit::of(problem)
        }
        None if lost() && report.outcome == Outcome::Changed => Exit::FailedChanged,
        None if report.outcome == Outcome::Pending && globals.exit_code => Exit::Pending,
        None => Exit::Done,
    }
}

/// Adds `--root` to an `ics-setup` command at the end of a piece of advice.
pub fn on_the_same_host(globals: &Globals, fix: &mut Fix) {
    if let Some(root) = &globals.root {
        let (Fix::Command(text) | Fix::Advice(text)) = fix;
        let mut marked = text.marked().to_owned();
        add_root(root, &mut marked);
        *text = Text::of_marked(marked);
    }
}

fn add_root(root: &Path, advice: &mut String) {
    const VERBS: [&str; 6] = ["prepare", "reconfigure", "revert", "status", "check", "wizard"];
    if VERBS.iter().any(|verb| advice.contains(&format!("ics-setup {verb}"))) && !advice.contains("--root") {
        // What stands behind a `#` is for the reader, and no part of the command.
        let end = advice.find("   #").unwrap_or(advice.len());
        advice.insert_str(end, &format!(" --root {}", quoted(&root.to_string_lossy())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_paste_names_the_same_root() {
        for (advice, with_root) in [
            ("sudo ics-setup prepare", "sudo ics-setup prepare --root '/mnt/a b'"),
            (
                "ics-setup check --redis-tls   # a TLS port?",
                "ics-setup check --redis-tls --root '/mnt/a b'   # a TLS port?",
            ),
            ("ics-setup status --root /x", "ics-setup status --root /x"),
            ("add it, then: ics-setup check --only x", "add it, then: ics-setup check --only x --root '/mnt/a b'"),
            ("redis-cli ping", "redis-cli ping"),
        ] {
            let mut advice = advice.to_owned();
            add_root(Path::new("/mnt/a b"), &mut advice);
            assert_eq!(advice, with_root);
        }
    }

    #[test]
    fn the_codeset_of_a_locale_decides() {
        for (locale, utf8) in [
            ("C.UTF-8", true),
            ("de_DE.utf8@euro", true),
            ("en_US.UTF8", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE@euro", false),
            ("en_US.ISO-8859-1", false),
            ("utf8", false),
        ] {
            assert_eq!(is_utf8(locale), utf8, "{locale}");
        }
    }
}
