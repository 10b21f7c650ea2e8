//! `install`: from a bare host to a healthy product, in stages. Each looks at the host whether it is done; nothing that runs is
//! touched before `start`.
//!
//! Files are published in one transaction, which also holds the stages that come before `start`: what fails up to there takes
//! all files back.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::health::Limits;
use super::product::{Product, ids, stale, take_back};
use super::{LOOK, accounts, boot};
use crate::converge::{Around, Doing, RunContext};
use crate::docker::{Container, NoDocker, compose};
use crate::host::{HostRead, HostWrite, View};
use crate::net::Time;
use crate::plan::{Change, ContainerChange, Fate, PlannedHost, Stage, StageId, StageState};
use crate::problem::{HostState, Problem, id};
use crate::product::{Known, Place, interface, own_containers};
use crate::settings::{Deployment, Key, Settings};
use crate::signals::Uninterrupted;
use crate::system::name::HOSTNAME;
use crate::targets::UNIT;
use crate::text;
use crate::text::{Text, ics_setup, own};
use crate::vendor::prod_env;

/// Why an image is not installed, but prepared for it.
const IMAGE: &str = "this needs the running system, and --root names an image of one";

/// The stages around the change of files.
pub(super) struct Install<'h> {
    host: &'h dyn HostWrite,
    ready: Option<Ready>,
    /// When `prepare` began.
    began: Option<Instant>,
    /// The daemon reads its files anew for this run.
    restarted: bool,
    accounts_made: bool,
    calm: Option<Uninterrupted>,
}

/// What is to be done, as it was foreseen.
struct Ready {
    home: PathBuf,
    limits: Limits,
    deployment: Deployment,
    accounts: accounts::Wish,
    /// Images of the planned compose file.
    images: Vec<String>,
    /// There is no container yet.
    is_first: bool,
    /// Nothing is to be done.
    is_idle: bool,
}

impl<'h> Install<'h> {
    /// Nothing is known yet.
    pub(super) fn new(host: &'h dyn HostWrite) -> Self {
        Self { host, ready: None, began: None, restarted: false, accounts_made: false, calm: None }
    }

    /// Engine and accounts, once the host is prepared and before the first file of the product.
    fn reach_files(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = self.ready.as_ref().filter(|_| is_pending(doing.context, StageId::Engine)) else {
            return Ok(());
        };
        let changed = doing
            .context
            .plan
            .changes
            .iter()
            .filter(|change| stage_of(change, &ready.home) == StageId::Prepare)
            .count();
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let (state, detail) = match changed {
            0 => (StageState::Done, "nothing has to change".into()),
            1 => (StageState::Changed, "1 file".into()),
            more => (StageState::Changed, text!("{} files", more)),
        };
        doing.note(Stage { id: StageId::Prepare, state, seconds, detail });
        let host = self.host;
        doing.stage(StageId::Engine, |doing| self.engine(doing))?;
        let made = &mut self.accounts_made;
        doing.stage(StageId::Accounts, |_| {
            let ended = ready.accounts.ensure(host)?;
            *made = ended.0 == StageState::Changed;
            Ok(ended)
        })?;
        self.cancelled()
    }

    fn engine(&self, _doing: &mut Doing<'_, '_>) -> Result<(StageState, Text), Problem> {
        Ok((StageState::Done, "it answers".into()))
    }

    /// Whoever wants an end gets it between two stages.
    fn cancelled(&self) -> Result<(), Problem> {
        match self.calm.as_ref().is_some_and(Uninterrupted::take_arrived) {
            true => Err(Problem::host(id::CANCELLED, "cancelled before anything that runs was touched")),
            false => Ok(()),
        }
    }

    /// It will not be well: logs first, then as it was.
    fn bring_back(&self, doing: &mut Doing<'_, '_>, product: &Product, problem: Problem) -> Problem {
        let Some(ready) = &self.ready else { return problem };
        let problem = match product.keep_logs(self.host, &doing.context.redactor) {
            Some(path) => problem.hint(text!("what its containers said: {}", own(path.display()))),
            None => problem,
        };
        let failed = doing.context.stages.clone();
        let back = if ready.is_first {
            doing.tell(&"that has failed; taking the containers away, data stays".into());
            product.compose(self.host, &["down"]).and_then(|()| take_back(doing, self.host))
        } else {
            doing.tell(&"that has failed; bringing the product back as it was".into());
            take_back(doing, self.host).and_then(|()| product.start(self.host, doing))
        };
        doing.context.stages = failed;
        doing.context.containers = product.changes(self.host).unwrap_or_default();
        match back {
            Ok(()) => {
                let problem = if ready.is_first { problem } else { problem.hint("the product runs again as before") };
                self.without_accounts(problem).leaving(HostState::Restored)
            }
            Err(second) => problem
                .hint(text!("it could not be brought back either: {}", second.sentence()))
                .hint(text!("undo: {}", ics_setup("revert")))
                .leaving(HostState::Changed),
        }
    }

    /// Accounts of this run go with it.
    fn without_accounts(&self, problem: Problem) -> Problem {
        if !self.accounts_made {
            return problem;
        }
        match accounts::take_away(self.host) {
            Ok(_) => problem,
            Err(error) => problem.hint(text!("an account that was made stays: {}", error.sentence())),
        }
    }
}

impl Around for Install<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        let began = Instant::now();
        self.ready = None;
        let Some(settings) = context.settings.clone() else { return Err(Problem::bug("a plan without settings")) };
        let home = settings.home.clone();
        context.stages = StageId::ALL.into_iter().map(|id| Stage::idle(id, StageState::Pending, "")).collect();
        context.note(Stage::idle(StageId::Settings, StageState::Done, said(&settings)));
        context.plan.changes.sort_by_key(|change| stage_of(change, &home));
        if !self.host.is_live() {
            for id in StageId::ALL
                .into_iter()
                .filter(|id| !matches!(id, StageId::Settings | StageId::Prepare | StageId::Files))
            {
                context.note(Stage::idle(id, StageState::Skipped, IMAGE));
            }
            return Ok(());
        }
        let accounts = accounts::Wish { member: settings.text(Key::DockerGroup).map(str::to_owned) };
        let accounts_done = accounts.is_done(self.host)?;
        let changes = context.plan.changes.clone();
        let view = View::new(self.host);
        let planned = PlannedHost::new(&view, &changes);
        let after = Place::look(&planned, &home).services(&planned, &home).unwrap_or_default();
        let before = Place::look(self.host, &home).services(self.host, &home).unwrap_or_default();
        let found = match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
            Ok(found) => Some(found.own),
            Err(NoDocker::Absent | NoDocker::Down { .. }) => None,
            Err(error) => return Err(super::no_answer(&error)),
        };
        let there = found.as_deref().unwrap_or_default();
        context.containers = fates(self.host, &home, context, &before, &after, there);
        let mut images: Vec<String> = after.iter().filter_map(|service| service.image.clone()).collect();
        images.sort();
        images.dedup();
        let is_idle = context.plan.is_empty()
            && accounts_done
            && context.containers.iter().all(|change| change.fate == Fate::Keep)
            && after.iter().all(|service| runs(there, &service.name, service.scale()))
            && !after.is_empty()
            && is_well(self.host, &home)
            && boot::is_done(self.host);
        context.note(Stage {
            seconds: began.elapsed().as_secs_f64(),
            ..Stage::idle(StageId::Preflight, StageState::Done, "the host is fit")
        });
        let is_first = there.is_empty();
        if is_idle {
            for id in StageId::ALL.into_iter().skip(2) {
                context.note(Stage::idle(id, StageState::Done, "it is so already"));
            }
        }
        self.ready = Some(Ready {
            limits: Limits::of(&settings),
            deployment: settings.deployment,
            home,
            accounts,
            images,
            is_first,
            is_idle,
        });
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.ready.as_ref().is_none_or(|ready| ready.is_idle)
    }

    fn before(&mut self, _doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        self.began = Some(Instant::now());
        self.calm = Some(Uninterrupted::begin());
        Ok(())
    }

    fn before_change(&mut self, doing: &mut Doing<'_, '_>, change: &Change) -> Result<(), Problem> {
        let Some(ready) = &self.ready else { return Ok(()) };
        if stage_of(change, &ready.home) == StageId::Prepare { Ok(()) } else { self.reach_files(doing) }
    }

    fn before_commit(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        if self.ready.is_none() {
            return Ok(());
        }
        self.reach_files(doing)?;
        let Some(ready) = &self.ready else { return Ok(()) };
        let files = doing
            .context
            .plan
            .changes
            .iter()
            .filter(|change| stage_of(change, &ready.home) != StageId::Prepare)
            .count();
        let detail = match files {
            0 => "nothing has to change".into(),
            1 => "1 file".into(),
            more => text!("{} files", more),
        };
        doing.note(Stage::idle(
            StageId::Files,
            if files == 0 { StageState::Done } else { StageState::Changed },
            detail,
        ));
        self.cancelled()?;
        Ok(())
    }

    fn give_up(&mut self, _doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        // Until the commit nothing but files and accounts was made; after it the product has not been started yet.
        match problem.host_state {
            HostState::AsItWas | HostState::Restored => self.without_accounts(problem),
            HostState::Changed | HostState::Committed => problem,
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = &self.ready else { return Ok(()) };
        let host = self.host;
        let mut product = Product::look(host, &ready.home, ready.limits)?;
        product.stopped = self.calm.take().map(|calm| (Instant::now(), calm));
        if let Err(problem) = product.start(host, doing) {
            return Err(match problem.id == id::CANCELLED {
                true => problem,
                false => self.bring_back(doing, &product, problem),
            });
        }
        doing.context.containers = product.changes(host)?;
        let stays = |problem: Problem| {
            problem
                .hint("the product is healthy: this is what is missing")
                .hint(text!("undo: {}", ics_setup("revert")))
                .leaving(HostState::Changed)
        };
        doing.stage(StageId::Boot, |_| boot::enable(host)).map_err(stays)?;
        product.verify(host, doing).map_err(stays)?;
        let steps = handed_over(host, &ready.home);
        doing.context.plan.next_steps = steps;
        Ok(())
    }
}

/// The stage in which a change is made.
fn stage_of(change: &Change, home: &Path) -> StageId {
    let is_cron = change.path.starts_with("/var/spool/cron");
    if change.path.starts_with(home) {
        StageId::Files
    } else if is_cron || change.path.ends_with(UNIT) {
        StageId::Boot
    } else {
        StageId::Prepare
    }
}

fn is_pending(context: &RunContext, id: StageId) -> bool {
    context.stages.iter().any(|stage| stage.id == id && stage.state == StageState::Pending)
}

/// The first line of a run: which product, and by which way its requests go.
fn said(settings: &Settings) -> Text {
    let proxy = match settings.proxies.iter().next() {
        Some(proxy) => text!("through the proxy {}", &proxy.value),
        None => "directly, since no proxy was said and none was found".into(),
    };
    text!("{} in {}; requests go {}", own(settings.deployment.as_str()), settings.home.display(), proxy)
}

/// What becomes of the containers of each service.
fn fates(
    host: &dyn HostRead,
    home: &Path,
    context: &RunContext,
    before: &[compose::Service],
    after: &[compose::Service],
    there: &[Container],
) -> Vec<ContainerChange> {
    let ids = ids(there);
    let edited = context.plan.touches(&prod_env(home));
    let stale = if there.is_empty() { Vec::new() } else { stale(host, home) };
    let of_service = |service: &compose::Service| {
        let other = before.iter().find(|own| own.name == service.name);
        let anew = (edited && service.reads(&prod_env(home)))
            || stale.contains(&service.name)
            || other.is_some_and(|other| !other.makes_same(service));
        let fate = match ids.contains_key(&service.name) {
            false => Fate::Create,
            true if anew => Fate::Recreate,
            true => Fate::Keep,
        };
        ContainerChange { service: service.name.clone(), fate }
    };
    let others = ids.keys().filter(|name| !after.iter().any(|service| service.name == **name));
    let others = others.map(|service| ContainerChange { service: service.clone(), fate: Fate::Keep });
    let mut all: Vec<ContainerChange> = after.iter().map(of_service).chain(others).collect();
    all.sort_by_key(|change| Known::get().rank(&change.service));
    all
}

/// Do so many containers of the service run?
fn runs(there: &[Container], service: &str, count: u32) -> bool {
    let is_up = |one: &&Container| one.service.as_deref() == Some(service) && one.state.status == "running";
    there.iter().filter(is_up).count() >= usize::try_from(count).unwrap_or(usize::MAX)
}

/// Does the interface say that it is well, where this host has one?
fn is_well(host: &dyn HostRead, home: &Path) -> bool {
    let facts = interface::look(host, home, Time::new(LOOK, LOOK));
    facts.not_here || facts.asked.is_some_and(|asked| asked.answer.is_ok_and(|answer| answer.status == 200))
}

/// What whoever gets the product wants to know.
fn handed_over(host: &dyn HostRead, home: &Path) -> Vec<Text> {
    let facts = interface::look(host, home, Time::new(LOOK, LOOK));
    let Some(asked) = facts.asked else { return vec![text!("look how it is: {}", ics_setup("status"))] };
    let known = &Known::get().health;
    let address = match asked.address.as_str() {
        "127.0.0.1" | "0.0.0.0" | "::" => own_name(host).unwrap_or_else(|| "<HOST>".to_owned()),
        other => other.to_owned(),
    };
    let url = format!("http://{address}:{}", asked.port);
    vec![
        text!(
            "open {} in Google Chrome, the browser that the product supports, and make the first administrator",
            own(format!("{url}{}", known.setup))
        ),
        text!("give the licence: {}", own(format!("{url}{}", known.license))),
        text!("let users reach TCP port {} of this host, or the load balancer in front of it", own(asked.port)),
        text!("look how it is: {}", ics_setup("status")),
    ]
}

/// What the host calls itself.
fn own_name(host: &dyn HostRead) -> Option<String> {
    let bytes = host.read(Path::new(HOSTNAME)).ok()??;
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!name.is_empty() && name != "localhost").then_some(name)
}
