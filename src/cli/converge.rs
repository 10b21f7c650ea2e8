//! `prepare` and `reconfigure`: detect → plan → show → confirm → apply → verify → report.

use std::path::Path;

use clap::ArgMatches;

use super::args::{Globals, flags};
use super::exit::Exit;
use super::inputs::Inputs;
use super::{ask, machine, out, prove, sudo};
use crate::apply::{Applied, Session, State, runs};
use crate::finding::{Finding, Status};
use crate::host::{HostWrite, View};
use crate::network::catalogue::foreign_region;
use crate::plan::{Change, Plan};
use crate::platform::{self, Platform};
use crate::problem::{HostState, Problem, id};
use crate::redact::Redactor;
use crate::report::{Outcome, Paint, Report, human_plan};
use crate::settings::{self, First, Found, Settings};
use crate::targets::{self, Context, Phase};
use crate::text;
use crate::text::own;

/// Runs one of the two verbs.
pub fn run(globals: &Globals, matches: &ArgMatches, phase: Phase) -> Exit {
    let mut context = RunContext::default();
    let outcome = machine::to_change(globals, phase.verb()).and_then(|host| {
        let inputs = Inputs::new(globals, flags(matches)?)?;
        Converge { globals, host: &host, inputs, phase, person: None }.run(&mut context)
    });
    report(globals, phase, &context, outcome)
}

/// Prints how the run ended.
pub fn report(globals: &Globals, phase: Phase, context: &RunContext, outcome: Result<Outcome, Problem>) -> Exit {
    let (outcome, problem) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(problem) if problem.id == id::NEEDS_ROOT && problem.hints.is_empty() => {
            (Outcome::Failed, Some(sudo::with_line(problem, &globals.argv)))
        }
        Err(problem) => (Outcome::of(&problem), Some(problem)),
    };
    let kept = |problem: &Problem| matches!(problem.host_state, HostState::Changed | HostState::Committed);
    let changed_nothing = problem.as_ref().is_some_and(|problem| !kept(problem));
    let changes = if changed_nothing { &[][..] } else { &context.plan.changes };
    let whole = context.report(phase.verb(), outcome, globals.root.as_deref());
    let report = Report {
        changes,
        next_steps: if changed_nothing { &[] } else { &context.plan.next_steps },
        error: problem.as_ref(),
        ..whole
    };
    out::finish(globals, &report)
}

/// What has become known on the way, for the report, however it ends.
#[derive(Default)]
pub struct RunContext {
    /// What system it is.
    pub platform: Option<Platform>,
    /// What is or was to be done.
    pub plan: Plan,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// Secrets of this run.
    pub redactor: Redactor,
    /// The name of the run.
    pub run: Option<String>,
    /// Services are to be restarted so that they read the new settings.
    pub restart: bool,
    /// What was wanted.
    pub settings: Option<Settings>,
    /// What had to be taken back of an interrupted run.
    recovered: Vec<Finding>,
}

impl RunContext {
    /// All of it, as the report of a command that ended so.
    pub fn report<'t>(&'t self, command: &'t str, outcome: Outcome, root: Option<&'t Path>) -> Report<'t> {
        Report {
            command,
            outcome,
            run: self.run.as_deref(),
            os: self.platform.as_ref().map(|platform| &platform.os),
            changes: &self.plan.changes,
            findings: &self.findings,
            next_steps: &self.plan.next_steps,
            error: None,
            redactor: &self.redactor,
            root,
        }
    }
}

/// Somebody at the terminal who wants more than a yes or no.
pub trait Person {
    /// May the plan be carried out? It may be made smaller here.
    ///
    /// # Errors
    /// `cancelled`.
    fn consents(&mut self, context: &mut RunContext) -> Result<(), Problem>;

    /// A change was made.
    fn hears(&mut self, change: &Change);
}

/// One run of a converging verb.
pub struct Converge<'a> {
    /// Flags of every command.
    pub globals: &'a Globals,
    /// The host.
    pub host: &'a dyn HostWrite,
    /// What people have said.
    pub inputs: Inputs<'a>,
    /// The verb.
    pub phase: Phase,
    /// Who is asked instead of a plain confirmation.
    pub person: Option<&'a mut dyn Person>,
}

impl Converge<'_> {
    /// The one path.
    ///
    /// # Errors
    /// The problem that stopped it.
    pub fn run(mut self, context: &mut RunContext) -> Result<Outcome, Problem> {
        let mut session = if self.globals.dry_run { None } else { Session::resume(self.host)? };
        match &session {
            Some(session) => self.recover(session, context)?,
            None => context.recovered.extend(self.interrupted()),
        }
        self.plan_into(context)?;
        if context.plan.is_empty() {
            return self.unchanged(context);
        }
        self.show_and_confirm(context)?;
        if self.globals.dry_run {
            return Ok(Outcome::Pending);
        }
        if session.is_none() {
            // No run had been here when we looked. Where there is one now, somebody was quicker and our plan is old; edits by
            // others are noticed when files are published.
            let opened = Session::open(self.host)?;
            self.recover(&opened, context)?;
            if !runs(self.host)?.is_empty() {
                let shown = std::mem::take(&mut context.plan);
                self.plan_into(context)?;
                if context.plan.is_empty() {
                    return self.unchanged(context);
                }
                if !shown.same_changes(&context.plan) {
                    self.show_and_confirm(context)?;
                }
            }
            session = Some(opened);
        }
        let Some(session) = session else { return Err(Problem::bug("no session to apply the plan in")) };
        let Applied { run, interrupted } =
            session.apply_telling(&context.plan, self.phase.verb(), None, &mut |change| {
                if let Some(person) = &mut self.person {
                    person.hears(change);
                }
            })?;
        drop(session);
        let undo = format!("undo: ics-setup revert {run}");
        context.run = Some(run);
        if interrupted {
            let message = "cancelled after everything was written; it stays, and was not verified";
            return Err(Problem::host(id::CANCELLED, message).hint(undo).committed());
        }
        prove::restart(self.host, context)?;
        prove::verify(self.globals, self.host, context)?;
        Ok(Outcome::Changed)
    }

    fn recover(&self, session: &Session<'_>, context: &mut RunContext) -> Result<(), Problem> {
        let recovered = session.recover()?;
        context.findings.splice(0..0, recovered.clone());
        context.recovered.extend(recovered);
        Ok(())
    }

    /// What a dry run does not do, and a real one would do first.
    fn interrupted(&self) -> Option<Finding> {
        // Where the runs cannot be read, nothing can be said about them.
        let run = runs(self.host).ok()?.into_iter().find(|run| run.state == State::Interrupted)?.begin.run;
        let title = format!("run {run} was interrupted; a real run takes it back first, and its plan may differ");
        Some(Finding::new("run-interrupted", "host", Status::Warn, title).fix(format!("ics-setup revert {run}")))
    }

    fn unchanged(&self, context: &mut RunContext) -> Result<Outcome, Problem> {
        if !self.globals.dry_run {
            prove::restart(self.host, context)?;
        }
        prove::verify(self.globals, self.host, context)?;
        Ok(Outcome::Unchanged)
    }

    fn show_and_confirm(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        let globals = self.globals;
        out::show_plan(globals, &context.report(self.phase.verb(), Outcome::Pending, None));
        if globals.dry_run || globals.yes || !globals.interactive() {
            return Ok(());
        }
        if globals.json || globals.quiet {
            out::message(&human_plan(&context.plan.changes, &context.redactor, Paint(false)));
        }
        match &mut self.person {
            Some(person) => person.consents(context),
            None => ask::confirm(context.plan.changes.len()),
        }
    }

    /// Looks at host and settings and makes the plan; a failing finding ends it here.
    fn plan_into(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        context.findings.clone_from(&context.recovered);
        let layers = self.inputs.layers(self.host)?;
        let (platform, findings) = platform::detect(self.host, settings::strategy(&layers))?;
        context.findings.extend(findings);
        context.platform = Some(platform.clone());
        let view = if self.globals.dry_run { View::lenient(self.host) } else { View::new(self.host) };
        let home = settings::home(&layers)?;
        let first = if self.phase == Phase::Prepare { First::System } else { First::Product };
        let found = Found::look(&view, &platform, &home, first)?;
        found.secrets().for_each(|secret| context.redactor.learn(secret));
        let region = foreign_region(&layers);
        let (settings, noticed) = self.inputs.resolve(layers, &found)?;
        settings.secrets.iter().for_each(|secret| context.redactor.learn(secret));
        context.findings.extend(noticed);
        context.findings.extend(region);
        context.findings.extend(self.inputs.remarks());
        self.globals.ignored.apply(&mut context.findings);
        // An old system is not touched before the person has said so.
        stop_on_failure(&context.findings)?;
        let inputs =
            Context { view: &view, platform: &platform, settings: &settings, found: &found, phase: self.phase };
        context.plan = targets::plan(&inputs)?;
        context.findings.append(&mut context.plan.findings);
        context.findings.extend(view.unread().into_iter().map(|path| {
            let title = format!(
                "{} can be read by root only; what is planned for it may differ",
                self.host.shown(&path).display()
            );
            Finding::new("file-unreadable", "host", Status::Warn, title).fix("run the same with sudo")
        }));
        self.globals.ignored.apply(&mut context.findings);
        context.restart = settings.restart == Some(true);
        context.settings = Some(settings);
        stop_on_failure(&context.findings)
    }
}

/// The problem of the first failing finding.
///
/// # Errors
/// Where there is one.
pub fn stop_on_failure(findings: &[Finding]) -> Result<(), Problem> {
    let failing: Vec<&Finding> = findings.iter().filter(|finding| finding.status == Status::Fail).collect();
    let Some(first) = failing.first() else { return Ok(()) };
    let more = if failing.len() > 1 { format!(" (and {} more)", failing.len() - 1) } else { String::new() };
    let problem = Problem::host(id::CHECKS_FAILED, text!("{}{}", first.title, own(more)));
    let problem = match &first.observed {
        Some(observed) => problem.because(text!("seen: {}", observed)),
        None => problem,
    };
    let problem = first.fix.iter().cloned().fold(problem, Problem::hint_fix);
    Err(problem.hint(format!("go on all the same: --ignore-check {}", first.id)))
}
