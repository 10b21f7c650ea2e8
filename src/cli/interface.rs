//! What a run shows and asks when it was started by flags: a person at the terminal, a machine that reads JSON, or nobody.

use std::time::Duration;

use super::args::Globals;
use super::{ask, out, terminal};
use crate::converge::{Interface, Options, RunContext};
use crate::finding::Finding;
use crate::plan::Stage;
use crate::problem::Problem;
use crate::progress::{self, Face};
use crate::redact::Redactor;
use crate::report::check::Format;
use crate::report::{
    NOTHING_CHANGED, Paint, human_containers, human_findings, human_plan, human_routes, human_stage, line, wrapped,
};
use crate::settings::Spec;
use crate::text::{Text, ics_setup};

/// Where it is shown what long work is at; `None`: nowhere. A harness or a monitoring system that reads a format of its own may
/// read both streams as one.
fn face(globals: &Globals) -> Option<Face> {
    let of_people = globals.json || globals.word == Format::Human.as_str();
    match terminal::moves() {
        _ if globals.quiet => None,
        true => Some(Face::Terminal { unicode: terminal::unicode(), colour: globals.color_of_messages }),
        false => of_people.then_some(Face::Log),
    }
}

/// From now on it is shown what long work is at, and a signal that ends the process is told with how the host stands.
pub(super) fn begin_to_show(globals: &Globals) {
    let status = Text::from(ics_setup("status")).pasted_by(&globals.person);
    let status = line(&Redactor::default(), &status);
    progress::ends_with(
        format!("error: cancelled\n\n{NOTHING_CHANGED}\n"),
        format!("error: cancelled\n\nWhat was done until then: {status}\n"),
    );
    face(globals).into_iter().for_each(progress::show);
}

/// The flags decide what is shown and whether anybody is asked.
pub(super) struct ByFlags<'a>(pub &'a Globals);

impl ByFlags<'_> {
    /// Nobody says yes to what was not shown: where the result is to be JSON or silence, the plan goes to standard error.
    pub(super) fn show_before_asking(&self, context: &RunContext) {
        if self.0.json || self.0.quiet {
            out::message(&plan(context, self.0.verbose, Paint(false)));
        }
    }

    /// What whoever says yes has to know: it stands below the plan, and above the question.
    fn noticed(&self, context: &RunContext) -> String {
        let wrong = context.findings.iter().filter(|own| own.status.is_wrong());
        let wrong: Vec<Finding> = wrong.map(|own| own.pasted_by(&self.0.person)).collect();
        let paint = Paint(self.0.color_of_messages);
        let told = human_findings(&wrong, false, &context.redactor, paint, terminal::window_of_messages());
        if told.is_empty() { told } else { format!("{told}\n") }
    }

    /// May somebody be asked for a confirmation?
    pub(super) fn confirms(&self) -> bool {
        self.0.interactive() && !self.0.yes
    }
}

impl Interface for ByFlags<'_> {
    fn show_plan(&mut self, context: &RunContext) {
        if !self.0.json && !self.0.quiet {
            out::result(&terminal::shown(plan(context, self.0.verbose, Paint(self.0.color))));
        }
    }

    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem> {
        if !self.confirms() {
            return Ok(());
        }
        self.show_before_asking(context);
        out::message(&self.noticed(context));
        if let Some(folder) = context.for_good.first() {
            return ask::confirm_by_word(&line(&context.redactor, folder));
        }
        ask::confirm(context.plan.changes.len(), &context.containers, context.restart)
    }

    fn accepts(&mut self, finding: &Finding, context: &RunContext) -> Result<bool, Problem> {
        if !self.confirms() {
            return Ok(false);
        }
        let cause = finding.cause.as_ref().map(|cause| line(&context.redactor, cause)).unwrap_or_default();
        out::message(&format!("{}: {cause}\n", line(&context.redactor, &finding.title)));
        ask::go_on().map(|()| true)
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        ask::secret(self.0, spec)
    }

    fn waits(&mut self, who: &Text) {
        let who = line(&Redactor::default(), who);
        match terminal::moves() {
            _ if self.0.quiet => {}
            // It is no part of the line that moves: it says more than many a window has room for.
            true => out::message(&format!("{who}\n")),
            false => progress::step(&who, None),
        }
    }

    fn step(&mut self, what: &Text, after: Option<Duration>, context: &RunContext) {
        progress::step(&line(&context.redactor, what), after);
    }

    fn remark(&mut self, what: &Text, context: &RunContext) {
        if !self.0.quiet {
            out::message(&format!("  {}\n", line(&context.redactor, what)));
        }
    }

    fn stage(&mut self, stage: &Stage, context: &RunContext) {
        if self.0.quiet {
            return;
        }
        out::message(&match terminal::moves() {
            true => human_stage(
                stage,
                (terminal::unicode(), terminal::columns()),
                &context.redactor,
                Paint(self.0.color_of_messages),
            ),
            false => format!("{}\n", line(&context.redactor, &stage.line())),
        });
    }

    fn moving(&mut self, what: &Text, context: &RunContext) {
        progress::so_far(&line(&context.redactor, what));
    }
}

/// Diffs, what they do, and what becomes of containers.
pub(super) fn plan(context: &RunContext, verbose: bool, paint: Paint) -> String {
    let diff = human_plan(&context.plan.changes, &context.redactor, paint);
    let routes = human_routes(&context.routes, verbose, &context.redactor, paint);
    let routes = wrapped(&routes, 0, terminal::columns()).join("\n");
    let diff = if routes.is_empty() { diff } else { format!("{diff}{routes}\n") };
    let containers = human_containers(&context.containers, true);
    let gone: Vec<String> =
        context.for_good.iter().map(|what| format!("  {}\n", line(&context.redactor, what))).collect();
    let gone =
        if gone.is_empty() { String::new() } else { format!("for good, nothing brings it back:\n{}", gone.concat()) };
    match containers.is_empty() && gone.is_empty() {
        true => diff,
        false => format!("{diff}{containers}{gone}\n"),
    }
}

/// A plan is made without a word.
pub(super) struct Quiet<'a>(pub &'a Globals);

impl Interface for Quiet<'_> {
    fn show_plan(&mut self, _: &RunContext) {}

    fn confirm(&mut self, _: &RunContext) -> Result<(), Problem> {
        Ok(())
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        ask::secret(self.0, spec)
    }
}

/// How the flags want a run to go.
pub(super) fn options(globals: &Globals) -> Options<'_> {
    Options {
        dry_run: globals.dry_run,
        prove: false,
        preflight: true,
        probe: true,
        attended: globals.interactive(),
        ignored: &globals.ignored,
    }
}
