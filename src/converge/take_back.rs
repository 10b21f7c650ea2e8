//! The way back: the last run, the named one, all after one, or all.

use std::path::Path;

use super::recovered::foretold;
use super::{Around, Doing, Interface, Options, RunContext, many, nothing_fails};
use crate::apply::{Run, Session, State, Which, forgotten_after, last, plan_of, revert, runs};
use crate::authority::is_of_store;
use crate::consumers;
use crate::context::{HostContext, Inputs, Intent};
use crate::docker::compose;
use crate::envfile::unit::Release;
use crate::finding::{Finding, ids};
use crate::host::{HostWrite, View};
use crate::plan::{Change, Plan};
use crate::problem::{HostState, Problem, id};
use crate::progress::Progress;
use crate::report::Outcome;
use crate::routes::{self, Known, Routes, Site, Way};
use crate::sandbox::File;
use crate::settings::Layer;
use crate::signals::changes_begin;
use crate::targets;
use crate::text;
use crate::text::{Text, as_root, ics_setup, own};

/// A run of `revert`.
pub(crate) struct TakeBack<'a> {
    /// The host.
    pub(crate) host: &'a dyn HostWrite,
    /// The runs to take back. Where only a folder goes, the last one means none.
    pub(crate) which: Which<'a>,
    /// Files that were edited since are overwritten, and kept as backups.
    pub(crate) force: bool,
    /// How it is to go.
    pub(crate) options: Options<'a>,
    /// Who sees it and is asked.
    pub(crate) interface: &'a mut dyn Interface,
    /// What becomes of the product.
    pub(crate) around: &'a mut dyn Around,
    /// A folder that goes for good, whatever the files in it are now: there need not be a run to take back for that.
    pub(crate) going: Option<&'a Path>,
}

impl TakeBack<'_> {
    /// Goes the whole path.
    ///
    /// # Errors
    /// A conflict, or the effect that failed.
    pub(crate) fn run(self, context: &mut RunContext) -> Result<Outcome, Problem> {
        let _looking = Progress::looking();
        let was_last = last(self.host);
        let session = if self.options.dry_run {
            None
        } else {
            Session::resume(self.host, &mut |who| self.interface.waits(&who))?
        };
        if session.is_some() && last(self.host) != was_last {
            // What a person wanted to be taken back was another host than the one that is here now.
            let message = "another run has come to its end while this one waited for it";
            return Err(Problem::host(id::LOCKED, message)
                .because("what is to be taken back was said before that")
                .hint_command(as_root(ics_setup("status"))));
        }
        let mut all = runs(self.host)?;
        let interrupted = self.interrupted(&all);
        if let Some(session) = session.as_ref().filter(|_| interrupted.is_none()) {
            context.findings = session.recover()?;
            if !context.findings.is_empty() {
                all = runs(self.host)?;
            }
        }
        let of_folder = self.around.check(&all, self.which)?;
        let which = match (self.which, of_folder.as_deref()) {
            (Which::Last, Some(run)) => Which::Named(run),
            (which, _) => which,
        };
        let chosen = match (which, self.going) {
            (Which::Last, Some(_)) => Vec::new(),
            _ => which.choose(&all)?,
        };
        // Where nothing is done, this is planned with the rest: a real run has taken it back before it plans.
        let is_ahead = |run: &&Run| session.is_none() && run.state == State::Interrupted && interrupted.is_none();
        let ahead: Vec<&Run> = all.iter().rev().filter(is_ahead).collect();
        context.findings.extend(ahead.first().and_then(|_| foretold(self.host)));
        let planned: Vec<&Run> = ahead.into_iter().chain(chosen.iter().copied()).collect();
        context.plan = plan_of(&View::new(self.host), which, &planned, &all, self.force, self.going)?;
        context.findings.extend(many(self.host));
        let nothing = context.plan.is_empty();
        for run in chosen.iter().filter(|_| nothing) {
            // The files are back already, by hand perhaps; the run still has to be noted as taken back.
            let before =
                text!("nothing is left to do: the files of run {} are as they were before it", own(&run.begin.run));
            context.plan.next_steps.push(before);
        }
        if !nothing {
            match routes(self.host, &context.plan.changes) {
                Ok(routes) => context.routes = routes,
                Err(problem) => {
                    let title = "which ways out the way back turns cannot be told";
                    context.findings.push(Finding::skip(ids::FILE_UNREADABLE, title).observed(problem.message));
                }
            }
            let proxied = context.routes.rows.iter().any(|row| row.after.way == Way::Proxy);
            let known = Known { proxied, inspects: false, told: &|_| false, back: true };
            context.findings.extend(routes::judge(&context.routes, &known));
        }
        if which.since(&all).is_some_and(|since| forgotten_after(&all, since) > 0) {
            let stays = "take back by hand what runs have done that are forgotten (prune), if it is not to stay";
            context.plan.next_steps.push(stays.into());
        }
        self.around.foresee(context)?;
        self.options.ignored.apply(&mut context.findings);
        nothing_fails(&context.findings)?;
        let idle = nothing && self.around.is_idle();
        if idle && chosen.is_empty() && self.going.is_none() {
            return Ok(Outcome::Unchanged);
        }
        self.interface.show_plan(context);
        if self.options.dry_run {
            return Ok(if idle { Outcome::Unchanged } else { Outcome::Pending });
        }
        if !idle {
            self.interface.confirm(context)?;
        }
        let Some(session) = &session else { return Err(Problem::bug("a run without a state folder")) };
        let doing = &mut Doing { session, context, interface: self.interface, ignored: self.options.ignored };
        let _taking = Progress::begin("taking back");
        changes_begin();
        let stopped = self.around.before(doing);
        if let Err(problem) = stopped.and_then(|()| self.files(session, &chosen, interrupted.is_some(), context)) {
            return Err(self.around.give_up(
                &mut Doing { session, context, interface: self.interface, ignored: self.options.ignored },
                problem,
            ));
        }
        self.around.after(&mut Doing { session, context, interface: self.interface, ignored: self.options.ignored })?;
        // What else was done in a folder that is gone is no run in force any more.
        for other in self.going.iter().flat_map(|going| revert::ending_with(&all, going)) {
            if chosen.iter().all(|run| run.begin.run != other.begin.run) {
                session.apply(&Plan::default(), "revert", &[&other.begin.run])?;
            }
        }
        let steps = afterwards(self.host, &context.plan, self.around.is_idle());
        context.plan.next_steps.extend(steps);
        Ok(if idle { Outcome::Unchanged } else { Outcome::Changed })
    }

    /// The interrupted run that is meant by its name, or as the last one.
    fn interrupted(&self, all: &[Run]) -> Option<String> {
        let chosen = match (self.which, self.going) {
            (Which::Last, None) | (Which::Named(_), _) => self.which.choose(all).ok()?,
            _ => return None,
        };
        chosen.iter().find(|run| run.state == State::Interrupted).map(|run| run.begin.run.clone())
    }

    fn files(
        &self,
        session: &Session<'_>,
        chosen: &[&Run],
        interrupted: bool,
        context: &mut RunContext,
    ) -> Result<(), Problem> {
        if interrupted {
            for run in chosen.iter().filter(|_| self.force) {
                session.recover_by_force(run)?;
            }
            context.findings.splice(0..0, session.recover()?);
        } else if !chosen.is_empty() {
            let names: Vec<&str> = chosen.iter().map(|run| run.begin.run.as_str()).collect();
            let applied = session.apply(&context.plan, "revert", &names)?;
            let undo = text!("undo: {}", ics_setup(text!("revert {}", own(&applied.run))));
            context.run = Some(applied.run);
            // A product that was stopped for it comes up again first, and what goes with it goes: that is no time to stop.
            if applied.interrupted && self.around.is_idle() {
                let message = "cancelled after the files were taken back; they stay so, and nothing else was done";
                return Err(Problem::host(id::CANCELLED, message).hint(undo).leaving(HostState::Committed));
            }
        }
        Ok(())
    }
}

/// The ways before and after the changes, for which nothing is wanted.
///
/// # Errors
/// What this host is cannot be told.
fn routes(host: &dyn HostWrite, changes: &[Change]) -> Result<Routes, Problem> {
    let known = HostContext::load(host, &Inputs::alone(Layer::default()), Intent::Show)?;
    let home = crate::settings::home(&known.layers)?;
    let (layers, direct) = (&known.layers, known.found.direct.as_slice());
    let site = Site { host: &known.view, platform: known.platform.as_ref(), home: &home, layers, direct };
    let files: Vec<File> = changes.iter().map(Change::file).collect();
    let inside = host.is_live().then_some(files.as_slice());
    Ok(site.foretell(&site.observe(changes, inside), inside))
}

/// Who has to read the old values again. `as_is`: nothing was done to the product.
fn afterwards(host: &dyn HostWrite, plan: &Plan, as_is: bool) -> Vec<Text> {
    let has = |part: &str| plan.changes.iter().any(|change| change.path.to_string_lossy().contains(part));
    let mut steps = Vec::new();
    if has("/etc/environment") || has("/etc/profile.d/") {
        steps.push(targets::LOG_IN_AGAIN.into());
    }
    let of_daemon = |path: &Path| {
        let is_of_product = path.ends_with("prod.env")
            || path.file_name().is_some_and(|name| compose::rank(&name.to_string_lossy()).is_some());
        let is_of_packages = ["/etc/apt", "/etc/yum.repos.d", "/etc/pki"].iter().any(|folder| path.starts_with(folder));
        path.to_string_lossy().contains("docker") && !is_of_product && !is_of_packages
    };
    if plan.changes.iter().any(|change| of_daemon(&change.path)) {
        steps.extend(consumers::installed_docker(host, Release::UNKNOWN).map(targets::docker_reads_again));
    }
    if plan.changes.iter().any(|change| is_of_store(&change.path)) {
        steps.extend(consumers::installed_docker(host, Release::UNKNOWN).map(targets::docker_reads_roots));
    }
    let is_read = |change: &&Change| change.after.is_some() && change.path.ends_with("prod.env");
    let product = plan.changes.iter().filter(|_| as_is).find(is_read);
    steps.extend(product.and_then(|change| Some(targets::product_reads_again(host, change.path.parent()?))));
    // An image has no sessions and no daemons.
    let later = |step| if host.is_live() { step } else { text!("once the image runs: {}", step) };
    steps.into_iter().map(later).collect()
}
