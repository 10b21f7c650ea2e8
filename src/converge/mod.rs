//! The one path of every run that changes a host: detect → plan → show → confirm → apply → restart → verify.
//!
//! Commands, the wizard and the demonstration call it; what it shows and asks goes through [`Interface`], and what has become
//! known on the way stands in [`RunContext`], however the run ends. [`Converge`] brings a host to its settings, [`TakeBack`]
//! takes a run back.

mod around;
mod context;
mod failure;
#[cfg(test)]
mod laws;
mod preflight;
mod probed;
mod prove;
mod recovered;
mod said;
mod take_back;
mod trust;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use around::Carry;
pub(crate) use around::{Around, Doing, Nothing};
pub(crate) use context::RunContext;
use failure::nothing_fails;
pub(crate) use failure::{or_ignored, problem_of, stop_on_failure};
pub(crate) use probed::{LastProbe, kept as last_probe};
use recovered::{foretold, recover, told_otherwise};
pub(crate) use take_back::TakeBack;

use crate::apply::{Applied, Session, Steps, count, digest};
use crate::context::{HostContext, Inputs, Intent, Subject};
use crate::finding::{Finding, Ignored, Status, ids};
use crate::host::{HostRead, HostWrite, View};
use crate::net::Time;
use crate::network::catalogue::foreign_region;
use crate::plan::{Change, Memory, Plan, Said, Stage};
use crate::platform::Platform;
use crate::problem::{HostState, Problem, id};
use crate::product::own_serving;
use crate::progress::Progress;
use crate::prove::Look;
use crate::report::Outcome;
use crate::settings::{First, Found, Key, Settings, Spec};
use crate::signals::{Uninterrupted, changes_begin};
use crate::targets::{self, Context, Mended, Phase};
use crate::text;
use crate::text::{Text, as_root, counted, ics_setup, own, quoted};

/// How long Docker may take to say what there is.
const DOCKER: Duration = Duration::from_secs(20);

/// Who sees what a run does and is asked before it does it.
pub(crate) trait Interface {
    /// Shows what is going to be done.
    fn show_plan(&mut self, context: &RunContext);

    /// May the plan be carried out? Not called for a dry run.
    ///
    /// # Errors
    /// `cancelled`.
    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem>;

    /// May it be so all the same, what only a person knows to be right? Asked before there is a whole plan.
    ///
    /// # Errors
    /// `cancelled`.
    fn accepts(&mut self, _finding: &Finding, _context: &RunContext) -> Result<bool, Problem> {
        Ok(false)
    }

    /// The value of a setting that nobody gave; `None`: there is nobody to ask.
    ///
    /// # Errors
    /// `cancelled`.
    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem>;

    /// Another run has the host, and this one waits for its end.
    fn waits(&mut self, _who: &Text) {}

    /// A change was made.
    fn progress(&mut self, _change: &Change) {}

    /// A stage has ended.
    fn stage(&mut self, _stage: &Stage, _context: &RunContext) {}

    /// Something that takes its time begins, `after` so long where that is worth to be told.
    fn step(&mut self, _what: &Text, _after: Option<Duration>, _context: &RunContext) {}

    /// Something is so now, and worth to be read later.
    fn remark(&mut self, _what: &Text, _context: &RunContext) {}

    /// How far it is.
    fn moving(&mut self, _what: &Text, _context: &RunContext) {}
}

/// How a run is to go, whoever started it.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    /// Nothing is written.
    pub(crate) dry_run: bool,
    /// The host's own programs are asked over the planned files before anything is written.
    pub(crate) prove: bool,
    /// The world is asked first: back ends that the run changes, host and proxy where the settings say so.
    pub(crate) preflight: bool,
    /// The proxy is asked once when everything is written and verified.
    pub(crate) probe: bool,
    /// A person is at a terminal, who sees what is remarked.
    pub(crate) attended: bool,
    /// Findings that do not stop the run.
    pub(crate) ignored: &'a Ignored,
}

/// A run of `prepare` or `reconfigure`.
pub(crate) struct Converge<'a> {
    /// The host.
    pub(crate) host: &'a dyn HostWrite,
    /// What people have said.
    pub(crate) inputs: Inputs,
    /// The verb.
    pub(crate) phase: Phase,
    /// How it is to go.
    pub(crate) options: Options<'a>,
    /// Who sees it and is asked.
    pub(crate) interface: &'a mut dyn Interface,
    /// What is done to services that run.
    pub(crate) around: &'a mut dyn Around,
}

impl<'a> Converge<'a> {
    /// Goes the whole path.
    ///
    /// # Errors
    /// The problem that stopped it.
    pub(crate) fn run(self, context: &mut RunContext) -> Result<Outcome, Problem> {
        let looking = Progress::looking();
        let ended = self.go(context);
        drop(looking);
        if matches!(&ended, Err(problem) if problem.host_state == HostState::Restored) {
            context.files_are_back();
        }
        ended
    }

    fn go(mut self, context: &mut RunContext) -> Result<Outcome, Problem> {
        let mut session = if self.options.dry_run {
            None
        } else {
            Session::resume(self.host, &mut |who| self.interface.waits(&who))?
        };
        match &session {
            Some(session) => recover(session, self.host, context)?,
            None => context.recovered.extend(foretold(self.host)),
        }
        self.plan_into(context)?;
        if self.is_idle(context) {
            return self.unchanged(session, context);
        }
        context.findings.extend(many(self.host));
        self.options.ignored.apply(&mut context.findings);
        self.show_and_confirm(context)?;
        if self.options.dry_run {
            return Ok(Outcome::Pending);
        }
        if session.is_none() {
            // No run had been here when we looked. Where there is one now, somebody was quicker and our plan is old; edits by
            // others are noticed when files are published.
            let opened = Session::open(self.host, &mut |who| self.interface.waits(&who))?;
            recover(&opened, self.host, context)?;
            if digest(self.host)?.seq > 0 {
                let shown = std::mem::take(&mut context.plan);
                self.plan_into(context)?;
                if self.is_idle(context) {
                    return self.unchanged(Some(opened), context);
                }
                if !shown.same_changes(&context.plan) {
                    self.show_and_confirm(context)?;
                }
            }
            session = Some(opened);
        }
        let Some(session) = session else { return Err(Problem::bug("no session to apply the plan in")) };
        changes_begin();
        // Whoever is started or restarted in this run is to read it.
        trust::take_up(self.host, context)?;
        self.around.before(&mut Doing {
            session: &session,
            context,
            interface: self.interface,
            ignored: self.options.ignored,
        })?;
        let applied = self.apply(&session, context);
        let Applied { run, interrupted } = match applied {
            Ok(Some(applied)) => applied,
            Ok(None) => return self.finish(&session, context),
            Err(problem) => return Err(self.give_up(&session, context, problem)),
        };
        let undo = text!("undo: {}", ics_setup(text!("revert {}", own(&run))));
        context.run = Some(run);
        if interrupted {
            let message = "cancelled after everything was written; it stays, and was not verified";
            let problem = Problem::host(id::CANCELLED, message)
                .hint(text!("what is in force now: {}", ics_setup("status")))
                .hint(undo)
                .leaving(HostState::Committed);
            return Err(self.give_up(&session, context, problem));
        }
        self.finish(&session, context)
    }

    /// Whether another host has the interface, which this one is to lose, a person may know.
    fn ask_about_interface(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        let is_it = |own: &Finding| own.id == ids::INTERFACE_DROPPED && own.status == Status::Fail;
        let Some(at) = context.plan.findings.iter().position(is_it) else { return Ok(()) };
        let asks = !self.options.dry_run && !self.options.ignored.covers(ids::INTERFACE_DROPPED);
        if !context.accepted && asks {
            context.accepted = self.interface.accepts(&context.plan.findings[at], context)?;
        }
        if context.accepted {
            context.plan.findings[at].status = Status::Warn;
            context.plan.findings[at].title.push(" (confirmed)");
        }
        Ok(())
    }

    /// Is there nothing to write, and nothing to start?
    fn is_idle(&self, context: &RunContext) -> bool {
        context.plan.is_empty() && self.around.is_idle()
    }

    /// Writes the files, with what is done beside them; `None`: they are as wanted.
    fn apply(&mut self, session: &Session<'_>, context: &mut RunContext) -> Result<Option<Applied>, Problem> {
        let plan = context.plan.clone();
        let _writing = Progress::begin(format!("writing {}", counted(plan.changes.len(), "file")));
        let doing = Doing { session, context, interface: &mut *self.interface, ignored: self.options.ignored };
        let mut carry = Carry { around: &mut *self.around, doing };
        if plan.is_empty() {
            return carry.before_commit().map(|()| None);
        }
        session.apply_with(&plan, self.phase.verb(), &[], &mut carry).map(Some)
    }

    /// Once everything is written.
    fn finish(&mut self, session: &Session<'_>, context: &mut RunContext) -> Result<Outcome, Problem> {
        let is_down = self.around.is_down();
        // Whoever ends the process now would hear nothing of what was written.
        let calm = Uninterrupted::begin();
        let ready = prove::restart(self.host, context)
            .and_then(|_| if is_down { Ok(()) } else { self.verify(Some(session), context) });
        let is_over = calm.take_arrived();
        drop(calm);
        if let Err(problem) = ready {
            return Err(self.give_up(session, context, problem));
        }
        if is_over {
            let undo = context.run.iter().map(|run| text!("undo: {}", ics_setup(text!("revert {}", own(run)))));
            let problem = Problem::host(id::CANCELLED, "cancelled after everything was written; it stays");
            let problem = undo.fold(problem, Problem::hint).leaving(HostState::Committed);
            return Err(self.give_up(session, context, problem));
        }
        self.around.after(&mut Doing { session, context, interface: self.interface, ignored: self.options.ignored })?;
        if is_down {
            self.verify(Some(session), context)?;
        }
        context.findings.extend(prove::restarted_nothing(self.host, context));
        Ok(Outcome::Changed)
    }

    /// The run ends with this problem; nobody stays stopped for it.
    fn give_up(&mut self, session: &Session<'_>, context: &mut RunContext, problem: Problem) -> Problem {
        self.around
            .give_up(&mut Doing { session, context, interface: self.interface, ignored: self.options.ignored }, problem)
    }

    /// `--prove`: a wanted way that is not taken ends the run here.
    fn prove_first(&self, context: &mut RunContext) -> Result<(), Problem> {
        let Some(settings) = context.settings.as_ref().filter(|_| self.options.prove) else { return Ok(()) };
        let look = Look {
            host: self.host,
            platform: context.platform.as_ref(),
            settings,
            no_proxy: targets::no_proxy(settings),
            changes: Some(&context.plan.changes),
            consumers: &context.plan.consumers,
            endpoint: crate::prove::endpoint(&self.inputs.layers(self.host)?)?,
            only: None,
        };
        context.findings.extend(crate::prove::prove(&look).findings);
        self.options.ignored.apply(&mut context.findings);
        stop_on_failure(&context.findings)
    }

    fn unchanged(&mut self, mut session: Option<Session<'a>>, context: &mut RunContext) -> Result<Outcome, Problem> {
        self.prove_first(context)?;
        if !self.options.dry_run {
            changes_begin();
            session = self.remember(session, &context.plan.memory)?;
            trust::take_up(self.host, context)?;
            prove::restart(self.host, context)?;
            context.findings.extend(prove::restarted_nothing(self.host, context));
        }
        self.verify(session.as_ref(), context)?;
        Ok(Outcome::Unchanged)
    }

    /// Asks the consumers, then the proxy that they were given.
    fn verify(&self, session: Option<&Session<'_>>, context: &mut RunContext) -> Result<(), Problem> {
        let verifying = Progress::begin("asking this host what it sees of the proxy now");
        trust::verify(self.options, self.host, context);
        prove::verify(self.options, self.host, context)?;
        drop(verifying);
        let _asking = Progress::begin("asking the proxy");
        preflight::probe(self.host, self.options, context);
        context.not_kept = session.and_then(|session| probed::keep(self.host, session, context).err());
        Ok(())
    }

    /// What a run was told that had nothing to change. A host where no run has ever been told anything gets no folder.
    fn remember(&mut self, session: Option<Session<'a>>, memory: &Memory) -> Result<Option<Session<'a>>, Problem> {
        let Memory::Told(told) = memory else { return Ok(session) };
        let session = match session {
            None if told.is_empty() => return Ok(None),
            None => Session::open(self.host, &mut |who| self.interface.waits(&who))?,
            Some(session) => session,
        };
        session.remember(told)?;
        Ok(Some(session))
    }

    fn show_and_confirm(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        self.interface.show_plan(context);
        self.prove_first(context)?;
        if self.options.dry_run { Ok(()) } else { self.interface.confirm(context) }
    }

    /// Where no proxy is set, the one of the shell that this was called from is what a person may have meant.
    fn hint_at_shell(&self, findings: &mut [Finding]) {
        let Some(advice) = self.of_shell() else { return };
        for finding in findings.iter_mut().filter(|finding| finding.id == ids::PROXY_NOT_SET) {
            *finding = finding.clone().advise(&advice);
        }
    }

    fn of_shell(&self) -> Option<Text> {
        let (name, url) = self.inputs.of_shell()?;
        let command = ics_setup(text!("{} --proxy {}", own(self.phase.verb()), own(quoted(&url))));
        Some(text!("{} of your shell names one; take it: {}", own(name), command))
    }

    /// Looks at host and settings and makes the plan; a failing finding ends it here.
    fn plan_into(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        let ignored = self.options.ignored;
        context.findings.clone_from(&context.recovered);
        let subject = Subject::identify(self.host, &self.inputs)?;
        context.findings.extend(subject.findings.iter().cloned());
        context.platform = subject.platform.as_ref().ok().cloned();
        let first = if self.phase == Phase::Prepare { First::System } else { First::Product };
        let mut host = subject.look(self.host, Intent::Change { first, dry_run: self.options.dry_run })?;
        host.found.secrets().for_each(|secret| context.redactor.learn(secret));
        let region = foreign_region(&host.layers);
        if self.phase == Phase::Install {
            host.installs = true;
            host.make_up_password(&mut self.inputs)?;
        }
        let interface = &mut *self.interface;
        let (mut settings, noticed) = host.settings(&mut self.inputs, ignored, &mut |spec| interface.secret(spec))?;
        settings.secrets.iter().for_each(|secret| context.redactor.learn(secret));
        said::is_enough(&host, &settings, self.phase, self.options).map_err(|problem| match self.of_shell() {
            Some(hint) if problem.id == id::SETTINGS_MISSING => problem.hint(hint),
            _ => problem,
        })?;
        if self.phase == Phase::Install {
            host.found.brought = targets::bring(self.host, &settings)?;
            if self.host.is_live() {
                let serving = own_serving(self.host, &settings.home, Time::new(DOCKER, DOCKER));
                (host.found.compose, host.found.project) = (serving.program, serving.project);
            }
        }
        context.findings.extend(noticed);
        context.findings.extend(context.interrupted.as_ref().and_then(|told| told_otherwise(told, &settings.told)));
        context.findings.extend(region);
        context.findings.extend(self.inputs.remark(self.host));
        context.before_plan = context.findings.len();
        ignored.apply(&mut context.findings);
        // An old system is not touched before the person has said so.
        stop_on_failure(&context.findings)?;
        let HostContext { view, found, platform: Some(platform), .. } = &host else {
            return Err(Problem::bug("a plan for a system that is not known"));
        };
        context.plan = mended(self.host, view, platform, found, &mut settings, self.phase, true)?;
        context.plan.said = Said::of(&settings);
        self.ask_about_interface(context)?;
        self.hint_at_shell(&mut context.plan.findings);
        context.findings.append(&mut context.plan.findings);
        context.findings.extend(targets::asked_of_compose(self.host, &settings, found, &context.plan));
        context.findings.extend(host.root_only().into_iter().map(|path| {
            let title = text!("{} can be read by root only; what is planned for it may differ", path.display());
            Finding::warn(ids::FILE_UNREADABLE, title).advise("run the same with sudo")
        }));
        context.restart = settings.switch(Key::Restart) == Some(true);
        context.settings = Some(settings);
        let check_first = preflight::is_wanted(self.options, self.phase, context);
        let foretold = prove::plan(view, &host.layers, context, (self.options.dry_run, check_first));
        context.findings.extend(foretold);
        let trusted = trust::plan(view, context);
        context.findings.extend(trusted);
        ignored.apply(&mut context.findings);
        if !check_first {
            // Nobody is asked for a plan that will not be carried out.
            stop_on_failure(&context.findings)?;
        }
        let _asking = Progress::begin(if check_first {
            "checking this host, its proxy and its back ends"
        } else {
            "looking at what the plan needs"
        });
        let mut seen = preflight::look(self.options, &host, self.phase, context)?;
        // What every plan says of its host, the checks say in the same words.
        seen.retain(|new| !context.findings.iter().any(|known| (known.id, &known.title) == (new.id, &new.title)));
        context.findings.extend(seen);
        ignored.apply(&mut context.findings);
        nothing_fails(&context.findings)?;
        self.around.foresee(context)?;
        ignored.apply(&mut context.findings);
        nothing_fails(&context.findings)
    }
}

/// From so many runs on it is said that older ones can be forgotten.
const MANY: usize = 100;

/// Are there so many runs that most of them are of no use any more?
fn many(host: &dyn HostRead) -> Option<Finding> {
    let count = count(host).ok().filter(|count| *count > MANY)?;
    let title = text!("{} runs are kept, each with the files as they were before it", own(count));
    let finding = Finding::warn(ids::RUNS_MANY, title).cause("old passwords in their backups, and room on the disk");
    Some(finding.fix(as_root(ics_setup("prune --yes"))))
}

/// How long logins may be asked while a plan is made, all together.
const ASKING: Duration = Duration::from_secs(30);

/// The plan of a verb, with what would win over it mended. Lists that are edited on the way add their members to the settings.
/// `asks`: a login that no model can tell is asked.
///
/// # Errors
/// The first thing that stands in the way; nothing has been written.
pub(crate) fn mended(
    host: &dyn HostRead,
    view: &View<'_>,
    platform: &Platform,
    found: &Found,
    settings: &mut Settings,
    phase: Phase,
    asks: bool,
) -> Result<Plan, Problem> {
    let end = asks.then(|| Instant::now() + ASKING);
    let written = written(host);
    let members = targets::taken_up(&Context { view, platform, settings, found, phase })?;
    settings.found_no_proxy = settings.found_no_proxy.clone().merged(&members);
    loop {
        let context = Context { view, platform, settings, found, phase };
        let plan = targets::plan(&context)?;
        let consumers = plan.consumers.clone();
        let observe = |changes: &[Change]| prove::look(view, changes, (context.settings, platform), &consumers, end);
        // Each turn the list has more members than before, and files have only so many.
        match targets::mend(&context, plan, &written, &observe)? {
            Mended::Plan(plan) => return Ok(*plan),
            Mended::Members(members) => settings.found_no_proxy = settings.found_no_proxy.clone().merged(&members),
        }
    }
}

/// The files, links followed, that runs in force have written.
fn written(host: &dyn HostRead) -> BTreeSet<PathBuf> {
    // Whoever may not read the runs, as in a dry run of a user, edits nothing by them.
    digest(host).map_or_else(|_| BTreeSet::new(), |digest| digest.written)
}
