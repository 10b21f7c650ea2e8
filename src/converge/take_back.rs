//! The way back: the last run, or the named one.

use std::path::Path;

use super::{Around, Doing, Interface, Options, RunContext, nothing_fails};
use crate::apply::{Run, Session, State, revert, runs};
use crate::authority::is_of_store;
use crate::consumers;
use crate::context::{HostContext, Inputs, Intent};
use crate::docker::compose;
use crate::envfile::unit::Release;
use crate::host::{HostWrite, View};
use crate::plan::{Change, Plan};
use crate::problem::Problem;
use crate::report::Outcome;
use crate::routes::{self, Known, Routes, Site};
use crate::sandbox::File;
use crate::settings::Layer;
use crate::targets;
use crate::text;
use crate::text::{Text, own};

/// A run of `revert`.
pub(crate) struct TakeBack<'a> {
    /// The host.
    pub(crate) host: &'a dyn HostWrite,
    /// The run to take back; `None`: the last one, or none where only a folder goes.
    pub(crate) named: Option<&'a str>,
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
        let session = if self.options.dry_run { None } else { Session::resume(self.host)? };
        let all = runs(self.host)?;
        let run = match (self.named, self.going) {
            (None, Some(_)) => None,
            _ => Some(revert::choose(&all, self.named)?),
        };
        let interrupted = run.is_some_and(|run| run.state == State::Interrupted);
        if let Some(session) = session.as_ref().filter(|_| !interrupted) {
            context.findings = session.recover()?;
        }
        if let Some(run) = run {
            context.plan = revert::plan_but(&View::new(self.host), run, &all, self.force, self.going)?;
        }
        let nothing = context.plan.is_empty();
        if let Some(run) = run.filter(|_| nothing) {
            // The files are back already, by hand perhaps; the run still has to be noted as taken back.
            context.plan.next_steps.push(text!("the files of run {} are as they were before it", own(&run.begin.run)));
        }
        if !nothing {
            context.routes = routes(self.host, &context.plan.changes).unwrap_or_default();
            let known = Known { proxied: true, inspects: false, told: &[] };
            context.findings.extend(routes::judge(&context.routes, &known));
        }
        self.around.foresee(context)?;
        self.options.ignored.apply(&mut context.findings);
        nothing_fails(&context.findings)?;
        let idle = nothing && self.around.is_idle();
        self.interface.show_plan(context);
        if self.options.dry_run {
            return Ok(if idle { Outcome::Unchanged } else { Outcome::Pending });
        }
        if !idle {
            self.interface.confirm(context)?;
        }
        let Some(session) = &session else { return Err(Problem::bug("a run without a state folder")) };
        let doing = &mut Doing { session, context, interface: self.interface, ignored: self.options.ignored };
        let stopped = self.around.before(doing);
        if let Err(problem) = stopped.and_then(|()| self.files(session, run, context)) {
            return Err(self.around.give_up(
                &mut Doing { session, context, interface: self.interface, ignored: self.options.ignored },
                problem,
            ));
        }
        self.around.after(&mut Doing { session, context, interface: self.interface, ignored: self.options.ignored })?;
        // What else was done in a folder that is gone is no run in force any more.
        for other in self.going.iter().flat_map(|going| revert::ending_with(&all, going)) {
            if run.is_none_or(|run| run.begin.run != other.begin.run) {
                session.apply(&Plan::default(), "revert", Some(&other.begin.run))?;
            }
        }
        let steps = afterwards(self.host, &context.plan, self.around.is_idle());
        context.plan.next_steps.extend(steps);
        Ok(if idle { Outcome::Unchanged } else { Outcome::Changed })
    }

    fn files(&self, session: &Session<'_>, run: Option<&Run>, context: &mut RunContext) -> Result<(), Problem> {
        let Some(run) = run else { return Ok(()) };
        if run.state == State::Interrupted {
            if self.force {
                session.recover_by_force(run)?;
            }
            context.findings = session.recover()?;
        } else {
            context.run = Some(session.apply(&context.plan, "revert", Some(&run.begin.run))?.run);
        }
        Ok(())
    }
}

/// The ways before and after the changes, for which nothing is wanted; `None`: what this host is cannot be told.
fn routes(host: &dyn HostWrite, changes: &[Change]) -> Option<Routes> {
    let known = HostContext::load(host, &Inputs::alone(Layer::default()), Intent::Show).ok()?;
    let home = crate::settings::home(&known.layers).ok()?;
    let (layers, direct) = (&known.layers, known.found.direct.as_slice());
    let site = Site { host: &known.view, platform: known.platform.as_ref(), home: &home, layers, direct };
    let files: Vec<File> = changes.iter().map(Change::file).collect();
    let inside = host.is_live().then_some(files.as_slice());
    Some(site.foretell(&site.observe(changes, inside), inside))
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
    let product = plan.changes.iter().find(|change| as_is && change.path.ends_with("prod.env"));
    steps.extend(product.and_then(|change| Some(targets::product_reads_again(host, change.path.parent()?))));
    // An image has no sessions and no daemons.
    let later = |step| if host.is_live() { step } else { text!("once the image runs: {}", step) };
    steps.into_iter().map(later).collect()
}
