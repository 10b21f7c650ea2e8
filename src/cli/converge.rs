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
use crate::problem::{Left, Problem, id};
use crate::redact::Redactor;
use crate::report::{Outcome, Paint, Report, human_plan};
use crate::settings::{self, First, Found, Settings};
use crate::targets::{self, Context, Moment};

/// Runs one of the two verbs.
pub fn run(globals: &Globals, matches: &ArgMatches, moment: Moment) -> Exit {
    let mut told = Told::default();
    let outcome = machine::to_change(globals, moment.verb()).and_then(|host| {
        let inputs = Inputs::new(globals, flags(matches)?)?;
        Converge { globals, host: &host, inputs, moment, person: None }.run(&mut told)
    });
    report(globals, moment, &told, outcome)
}

/// Prints how the run ended.
pub fn report(globals: &Globals, moment: Moment, told: &Told, outcome: Result<Outcome, Problem>) -> Exit {
    let (outcome, problem) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(problem) if problem.id == id::NEEDS_ROOT && problem.r#try.is_empty() => {
            (Outcome::Failed, Some(sudo::with_line(problem, &globals.argv)))
        }
        Err(problem) => (Outcome::of(&problem), Some(problem)),
    };
    let kept = |problem: &Problem| matches!(problem.left, Left::Changed | Left::Committed);
    let changed_nothing = problem.as_ref().is_some_and(|problem| !kept(problem));
    let changes = if changed_nothing { &[][..] } else { &told.plan.changes };
    let whole = told.report(moment.verb(), outcome, globals.root.as_deref());
    let report = Report {
        changes,
        next_steps: if changed_nothing { &[] } else { &told.plan.next_steps },
        error: problem.as_ref(),
        ..whole
    };
    out::finish(globals, &report)
}

/// What has become known on the way, for the report, however it ends.
#[derive(Default)]
pub struct Told {
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

impl Told {
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
    fn consents(&mut self, told: &mut Told) -> Result<(), Problem>;

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
    pub moment: Moment,
    /// Who is asked instead of a plain confirmation.
    pub person: Option<&'a mut dyn Person>,
}

impl Converge<'_> {
    /// The one path.
    ///
    /// # Errors
    /// The problem that stopped it.
    pub fn run(mut self, told: &mut Told) -> Result<Outcome, Problem> {
        let mut session = if self.globals.dry_run { None } else { Session::resume(self.host)? };
        match &session {
            Some(session) => self.recover(session, told)?,
            None => told.recovered.extend(self.interrupted()),
        }
        self.plan_into(told)?;
        if told.plan.is_empty() {
            return self.unchanged(told);
        }
        self.show_and_confirm(told)?;
        if self.globals.dry_run {
            return Ok(Outcome::Pending);
        }
        if session.is_none() {
            // No run had been here when we looked. Where there is one now, somebody was quicker and our plan is old; edits by
            // others are noticed when files are published.
            let opened = Session::open(self.host)?;
            self.recover(&opened, told)?;
            if !runs(self.host)?.is_empty() {
                let shown = std::mem::take(&mut told.plan);
                self.plan_into(told)?;
                if told.plan.is_empty() {
                    return self.unchanged(told);
                }
                if !shown.same_changes(&told.plan) {
                    self.show_and_confirm(told)?;
                }
            }
            session = Some(opened);
        }
        let Some(session) = session else { return Err(Problem::bug("no session to apply the plan in")) };
        let Applied { run, interrupted } =
            session.apply_telling(&told.plan, self.moment.verb(), None, &mut |change| {
                if let Some(person) = &mut self.person {
                    person.hears(change);
                }
            })?;
        drop(session);
        let undo = format!("undo: ics-setup revert {run}");
        told.run = Some(run);
        if interrupted {
            let message = "cancelled after everything was written; it stays, and was not verified";
            return Err(Problem::host(id::CANCELLED, message).hint(undo).committed());
        }
        prove::restart(self.host, told)?;
        prove::verify(self.globals, self.host, told)?;
        Ok(Outcome::Changed)
    }

    fn recover(&self, session: &Session<'_>, told: &mut Told) -> Result<(), Problem> {
        let recovered = session.recover()?;
        told.findings.splice(0..0, recovered.clone());
        told.recovered.extend(recovered);
        Ok(())
    }

    /// What a dry run does not do, and a real one would do first.
    fn interrupted(&self) -> Option<Finding> {
        // Where the runs cannot be read, nothing can be said about them.
        let run = runs(self.host).ok()?.into_iter().find(|run| run.state == State::Interrupted)?.begin.run;
        let title = format!("run {run} was interrupted; a real run takes it back first, and its plan may differ");
        Some(Finding::new("run-interrupted", "host", Status::Warn, title).fix(format!("ics-setup revert {run}")))
    }

    fn unchanged(&self, told: &mut Told) -> Result<Outcome, Problem> {
        if !self.globals.dry_run {
            prove::restart(self.host, told)?;
        }
        prove::verify(self.globals, self.host, told)?;
        Ok(Outcome::Unchanged)
    }

    fn show_and_confirm(&mut self, told: &mut Told) -> Result<(), Problem> {
        let globals = self.globals;
        out::show_plan(globals, &told.report(self.moment.verb(), Outcome::Pending, None));
        if globals.dry_run || globals.yes || !globals.interactive() {
            return Ok(());
        }
        if globals.json || globals.quiet {
            out::message(&human_plan(&told.plan.changes, &told.redactor, Paint(false)));
        }
        match &mut self.person {
            Some(person) => person.consents(told),
            None => ask::confirm(told.plan.changes.len()),
        }
    }

    /// Looks at host and settings and makes the plan; a failing finding ends it here.
    fn plan_into(&mut self, told: &mut Told) -> Result<(), Problem> {
        told.findings.clone_from(&told.recovered);
        let layers = self.inputs.layers(self.host)?;
        let (platform, findings) = platform::detect(self.host, settings::strategy(&layers))?;
        told.findings.extend(findings);
        told.platform = Some(platform.clone());
        let view = if self.globals.dry_run { View::lenient(self.host) } else { View::new(self.host) };
        let home = settings::home(&layers)?;
        let first = if self.moment == Moment::Prepare { First::System } else { First::Product };
        let found = Found::look(&view, &platform, &home, first)?;
        found.secrets().for_each(|secret| told.redactor.learn(secret));
        let region = foreign_region(&layers);
        let (settings, noticed) = self.inputs.resolve(layers, &found)?;
        settings.secrets.iter().for_each(|secret| told.redactor.learn(secret));
        told.findings.extend(noticed);
        told.findings.extend(region);
        told.findings.extend(self.inputs.remarks());
        self.globals.ignored.apply(&mut told.findings);
        // An old system is not touched before the person has said so.
        stop_on_failure(&told.findings)?;
        let context =
            Context { view: &view, platform: &platform, settings: &settings, found: &found, moment: self.moment };
        told.plan = targets::plan(&context)?;
        told.findings.append(&mut told.plan.findings);
        told.findings.extend(view.unread().into_iter().map(|path| {
            let title = format!(
                "{} can be read by root only; what is planned for it may differ",
                self.host.shown(&path).display()
            );
            Finding::new("file-unreadable", "host", Status::Warn, title).fix("run the same with sudo")
        }));
        self.globals.ignored.apply(&mut told.findings);
        told.restart = settings.restart == Some(true);
        told.settings = Some(settings);
        stop_on_failure(&told.findings)
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
    let problem = Problem::host(id::CHECKS_FAILED, format!("{}{more}", first.title));
    let problem = match &first.observed {
        Some(observed) => problem.because(format!("seen: {observed}")),
        None => problem,
    };
    let problem = first.fix.iter().fold(problem, |problem, fix| problem.hint(fix));
    Err(problem.hint(format!("go on all the same: --ignore-check {}", first.id)))
}
