//! `revert`: take back the last run, or the named one.

use clap::ArgMatches;

use super::args::Globals;
use super::converge::RunContext;
use super::exit::Exit;
use super::{ask, machine, out, sudo};
use crate::apply::{Session, State, revert, runs};
use crate::host::{HostWrite, View};
use crate::plan::Plan;
use crate::problem::{Problem, id};
use crate::report::{Outcome, Report};
use crate::text;
use crate::text::{Text, own};

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let named = matches.get_one::<String>("run").map(String::as_str);
    let force = matches.get_flag("force");
    let mut context = RunContext::default();
    let result =
        machine::to_change(globals, "revert").and_then(|host| take_back(globals, &host, named, force, &mut context));
    let problem = match &result {
        Err(problem) if problem.id == id::NEEDS_ROOT && problem.hints.is_empty() => {
            Some(sudo::with_line(problem.clone(), &globals.argv))
        }
        Err(problem) => Some(problem.clone()),
        Ok(_) => None,
    };
    let outcome = problem.as_ref().map_or_else(|| result.unwrap_or(Outcome::Unchanged), Outcome::of);
    let changes = if problem.is_some() { &[][..] } else { &context.plan.changes };
    let whole = context.report("revert", outcome, globals.root.as_deref());
    let report = Report { changes, error: problem.as_ref(), ..whole };
    out::finish(globals, &report)
}

/// Takes a run back on this host.
///
/// # Errors
/// A conflict, or the effect that failed.
pub fn take_back(
    globals: &Globals,
    host: &dyn HostWrite,
    named: Option<&str>,
    force: bool,
    context: &mut RunContext,
) -> Result<Outcome, Problem> {
    let session = if globals.dry_run { None } else { Session::resume(host)? };
    let all = runs(host)?;
    let run = revert::choose(&all, named)?;
    let interrupted = run.state == State::Interrupted;
    if let Some(session) = session.as_ref().filter(|_| !interrupted) {
        context.findings = session.recover()?;
    }
    let view = View::new(host);
    context.plan = revert::plan(&view, run, &all, force)?;
    if context.plan.is_empty() {
        // The files are back already, by hand perhaps; the run still has to be noted as taken back.
        context.plan.next_steps.push(text!("the files of run {} are as they were before it", own(&run.begin.run)));
    }
    out::show_plan(globals, &context.report("revert", Outcome::Pending, None));
    if globals.dry_run {
        return Ok(if context.plan.is_empty() { Outcome::Unchanged } else { Outcome::Pending });
    }
    if globals.interactive() && !globals.yes && !context.plan.is_empty() {
        ask::confirm(context.plan.changes.len())?;
    }
    let Some(session) = &session else { return Err(Problem::bug("a run without a state folder")) };
    let nothing = context.plan.is_empty();
    let name = run.begin.run.clone();
    if interrupted {
        if force {
            session.recover_by_force(run)?;
        }
        context.findings = session.recover()?;
        context.plan.next_steps.extend(afterwards(&context.plan));
        return Ok(if nothing { Outcome::Unchanged } else { Outcome::Changed });
    }
    context.run = Some(session.apply(&context.plan, "revert", Some(&name))?.run);
    if !nothing {
        context.plan.next_steps.extend(afterwards(&context.plan));
    }
    Ok(if nothing { Outcome::Unchanged } else { Outcome::Changed })
}

/// Who has to read the old values again.
fn afterwards(plan: &Plan) -> Vec<Text> {
    let has = |part: &str| plan.changes.iter().any(|change| change.path.to_string_lossy().contains(part));
    let mut steps = Vec::new();
    if has("/etc/environment") || has("/etc/profile.d/") {
        steps.push("log in again: running sessions keep the environment they have".into());
    }
    if has("/docker") {
        steps.push("let the Docker daemon read its proxy (running containers stop): systemctl daemon-reload && systemctl restart docker".into());
    }
    if has("/prod.env") {
        steps.push("let the containers read prod.env: stop and start the product with docker-compose".into());
    }
    steps
}
