//! `status`: where does this host stand on the whole way, what comes next, and what was done here?

use serde_json::Value;

use super::args::Globals;
use super::exit::Exit;
use super::{machine, out, terminal};
use crate::apply::{Run, at_work, history, named, newest, runs};
use crate::consumers::installed_docker;
use crate::context::Inputs;
use crate::converge::RunContext;
use crate::envfile::unit::Release;
use crate::host::{HostRead, RealHost};
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::{Outcome, Paint, human_run, run_json};
use crate::settings::Layer;
use crate::standing::{self, Next, Page, Question, Standing};
use crate::targets::docker_reads_again;
use crate::text;

/// Runs the verb.
///
/// # Errors
/// A run that there is not.
pub(super) fn run(globals: &Globals, named: Option<&str>, diff: bool) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let runs = runs(&host);
    if let Some(name) = named {
        return of_run(globals, &host, &runs?, name, diff);
    }
    // What is not known of the runs is told beside the rest.
    let unread = runs.as_ref().err().map(Exit::of);
    let standing = look(globals, &host, runs);
    if globals.json {
        out::json(&standing::json(&standing, &globals.person));
    } else {
        out::result(&standing::human(&standing, &page(globals)));
    }
    Ok(unread.unwrap_or(Exit::DONE))
}

/// As this terminal shows it.
pub(super) fn page(globals: &Globals) -> Page<'_> {
    Page {
        person: &globals.person,
        paint: Paint(globals.color),
        columns: terminal::columns(),
        unicode: terminal::unicode(),
        verbose: globals.verbose,
    }
}

/// How the host stands after these runs, for programs and for people.
pub(super) fn told(globals: &Globals, host: &RealHost, runs: Vec<Run>) -> (Value, String) {
    let standing = look(globals, host, Ok(runs));
    let page = Page { person: &globals.person, paint: Paint(false), columns: None, unicode: true, verbose: true };
    (standing::json(&standing, &globals.person), standing::human(&standing, &page))
}

fn look(globals: &Globals, host: &RealHost, runs: Result<Vec<Run>, Problem>) -> Standing {
    let question = Question {
        runs,
        // Where the settings cannot be read, that is what is told of them.
        inputs: Inputs::new(globals.settings.as_deref(), Layer::default()),
        at_work: at_work(host),
        ignored: &globals.ignored,
        after: None,
    };
    standing::look(host, question)
}

/// One run, with what it did.
fn of_run(globals: &Globals, host: &dyn HostRead, runs: &[Run], name: &str, diff: bool) -> Result<Exit, Problem> {
    let run = named(runs, name, "status")?;
    let files = history(host, run, runs)?;
    let mut redactor = Redactor::default();
    for change in files.iter().filter_map(|file| file.change.as_ref().ok()) {
        [change.old_bytes(), change.new_bytes()].iter().for_each(|bytes| redactor.learn_assignments(bytes));
    }
    if globals.json {
        out::json(&run_json(run, &files, diff, &redactor));
    } else {
        out::result(&human_run(run, &files, diff, &redactor, Paint(globals.color)));
    }
    Ok(Exit::DONE)
}

/// After a run that went well: the step that comes next on the whole way, behind those of the run itself. `said` is what it was
/// told: beside its flags, which are remembered, since what can be read only once is not read again.
pub(super) fn then(
    globals: &Globals,
    host: &RealHost,
    said: Result<Inputs, Problem>,
    outcome: &Result<Outcome, Problem>,
    context: &mut RunContext,
) {
    if !matches!(outcome, Ok(Outcome::Changed | Outcome::Unchanged)) {
        return;
    }
    if let Some(problem) = &context.not_kept {
        out::not_kept("what the proxy has answered", problem, &context.redactor);
    }
    // Nobody is told.
    if globals.quiet && !globals.json {
        return;
    }
    let inputs = said.map(|said| said.with_flags(Layer::default()));
    let question =
        Question { runs: newest(host), inputs, at_work: None, ignored: &globals.ignored, after: Some(context) };
    let Some(next) = Next::of(&standing::look(host, question)) else { return };
    if matches!(next, Next::AskProxy(..)) {
        // Nobody is to stop containers for a proxy that does not let them through.
        let restart = installed_docker(host, Release::UNKNOWN).map(docker_reads_again);
        let steps = context.plan.next_steps.iter_mut().filter(|step| Some(&**step) == restart.as_ref());
        steps.for_each(|step| *step = text!("once the proxy serves: {}", step.clone()));
    }
    let line = next.line();
    if !context.plan.next_steps.contains(&line) {
        context.plan.next_steps.push(line);
    }
}
