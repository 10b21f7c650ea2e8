//! What is to be done by an installation, and what stands in the way, before anything is written.

use std::path::Path;
use std::time::Instant;

use super::counted;
use crate::context::found;
use crate::converge::RunContext;
use crate::deploy::databases::Databases;
use crate::deploy::fates::{Services, fates};
use crate::deploy::health::Limits;
use crate::deploy::hosts::Hosts;
use crate::deploy::upgrade::{Question, Upgrade};
use crate::deploy::{LOOK, accounts, boot, bundle, engine, fetch, no_answer, preflight};
use crate::docker::{Container, NoDocker, compose};
use crate::finding::Status;
use crate::host::{HostRead, HostWrite, View};
use crate::net::Time;
use crate::plan::{Change, Draft, Fate, PlannedHost, Stage, StageId, StageState};
use crate::platform::Platform;
use crate::problem::Problem;
use crate::product::{Known, interface, own_containers};
use crate::settings::{Deployment, First, Found, Key, Role, Settings};
use crate::system::IMAGE;
use crate::targets::UNIT;
use crate::text;
use crate::text::{Text, own};

/// What is to be done.
pub(super) struct Ready {
    pub(super) settings: Settings,
    pub(super) platform: Platform,
    /// What `prod.env` is going to have.
    pub(super) found: Found,
    pub(super) limits: Limits,
    pub(super) wish: engine::Wish,
    pub(super) accounts: accounts::Wish,
    /// `--restart`, `--no-restart`.
    pub(super) restart: Option<bool>,
    /// Images of the planned compose file.
    pub(super) images: Vec<String>,
    /// That of the product among them.
    pub(super) image: Option<String>,
    /// Images are not here yet.
    pub(super) loads: bool,
    /// The daemon has not read what its files say, or are going to say.
    pub(super) daemon_behind: bool,
    /// It had not before this run.
    pub(super) was_behind: bool,
    /// The product that is there gets another image; the stage `start` takes it.
    pub(super) upgrade: Option<Upgrade>,
    /// The hosts that share the databases of a production.
    pub(super) hosts: Option<Hosts>,
    /// Nothing is to be done.
    pub(super) is_idle: bool,
}

impl Ready {
    /// The files of a stage.
    pub(super) fn files(&self, context: &RunContext, of: impl Fn(StageId) -> bool) -> Stage {
        let home = &self.settings.home;
        let count = context.plan.changes.iter().filter(|change| of(stage_of(change, home))).count();
        let (state, detail) = counted(count);
        Stage::idle(StageId::Files, state, detail)
    }
}

/// Looks; `None`: the host is an image, which is prepared and gets its files, and no more.
///
/// # Errors
/// Docker or the user database gives no answer that can be used; settings that do not go together.
pub(super) fn look(host: &dyn HostWrite, context: &mut RunContext) -> Result<Option<Ready>, Problem> {
    let began = Instant::now();
    let (Some(settings), Some(platform)) = (context.settings.clone(), context.platform.clone()) else {
        return Err(Problem::bug("a plan without settings"));
    };
    let home = settings.home.clone();
    context.stages = StageId::ALL.into_iter().map(|id| Stage::idle(id, StageState::Pending, "")).collect();
    context.note(Stage::idle(StageId::Settings, StageState::Done, said(&settings)));
    if !host.is_live() {
        context.plan.changes.sort_by_key(|change| stage_of(change, &home));
        let has_files = |id: &StageId| matches!(id, StageId::Settings | StageId::Prepare | StageId::Files);
        for id in StageId::ALL.into_iter().filter(|id| !has_files(id)) {
            context.note(Stage::idle(id, StageState::Skipped, IMAGE));
        }
        let services = Services::look(host, &home, &context.plan);
        let (settings, found, moved) = (&settings, &Found::default(), &services.moved(&[]));
        let question = Question {
            host,
            settings,
            found,
            moved,
            scheduler: None,
            services: services.planned(),
            is_blind: false,
            there: &[],
            is_left: false,
        };
        Upgrade::foresee(&question, context)?;
        return Ok(None);
    }
    let facts = engine::look(host, platform.systemd());
    let there = match own_containers(host, &home, Time::new(LOOK, LOOK)) {
        Ok(found) => found.own,
        Err(NoDocker::Absent | NoDocker::Down { .. }) => Vec::new(),
        // What is wrong with it, its own findings say.
        Err(_) if matches!(facts.client, engine::Client::Podman(_)) => Vec::new(),
        Err(error) => return Err(no_answer(&error)),
    };
    let wish = engine::Wish::of(&settings, &there)?;
    let view = View::new(host);
    if facts.server().is_none() {
        let mut draft = Draft::new(&view);
        engine::draft_repository(&settings, &platform, &mut draft)?;
        context.plan.changes.splice(0..0, draft.plan.changes);
    }
    context.plan.changes.sort_by_key(|change| stage_of(change, &home));
    let accounts = accounts::Wish { member: settings.text(Key::DockerGroup).map(str::to_owned) };
    let accounts_done = accounts.is_done(host)?;
    let changes = context.plan.changes.clone();
    let planned = PlannedHost::new(&view, &changes);
    let services = Services::look(host, &home, &context.plan);
    context.containers = fates(host, &home, &context.plan, &services, &there);
    let mut images: Vec<String> = services.planned().iter().filter_map(|service| service.image.clone()).collect();
    images.sort();
    images.dedup();
    let of_product =
        |service: &&compose::Service| Known::get().service(&service.name).is_some_and(|known| known.product);
    let image = services.planned().iter().find(of_product).and_then(|service| service.image.clone());
    let image = image.or_else(|| images.iter().find(|image| Known::get().images.is_product(image)).cloned());
    let missing = match facts.server() {
        Some(_) => fetch::missing(host, &images)?,
        None => images.clone(),
    };
    let restart = settings.switch(Key::Restart);
    let archives = wish.bundle.as_deref().map(fetch::size).transpose()?;
    let bundle = wish.bundle.as_deref().and_then(bundle::Manifest::of);
    let question =
        engine::Question { host, platform: &platform, facts: &facts, wish: &wish, missing: &missing, archives };
    context.findings.extend(engine::findings(&question));
    let (was_behind, daemon_behind) = context.daemon(host);
    let running = facts.server().map_or(0, |server| server.running);
    context.findings.extend(engine::unread_proxy(running, daemon_behind, &missing, &wish, restart));
    let planned_view = View::new(&planned);
    let found = found(&planned_view, &platform, &home, First::Product)?;
    let databases = Databases::of(host, &settings, &found)?;
    let scheduler = services.new_scheduler(&there);
    let question = Question {
        host,
        settings: &settings,
        found: &found,
        moved: &services.moved(&there),
        scheduler: scheduler.as_ref(),
        services: services.planned(),
        is_blind: services.is_blind(),
        there: &there,
        is_left: false,
    };
    let mut upgrade = Upgrade::foresee(&question, context)?;
    let here = facts.server().map(|server| server.arch.as_str());
    let mut hosts = None;
    if settings.deployment == Deployment::Production {
        context.findings.extend(preflight::other_scheduler(host, &databases, &services, &there));
        hosts = databases.hosts();
        let upgrade = upgrade.as_mut();
        context.findings.extend(upgrade.and_then(|upgrade| upgrade.look_around(host, hosts.clone())));
    }
    context.findings.extend(preflight::findings(
        host,
        &databases,
        image.as_deref().unwrap_or_default(),
        here,
        bundle.as_ref(),
    ));
    context.findings.extend(bundle.and_then(|bundle| bundle::lacking(&bundle, &missing)));
    let is_idle = context.plan.is_empty()
        && accounts_done
        && missing.is_empty()
        && facts.server().is_some()
        && context.containers.iter().all(|change| change.fate == Fate::Keep)
        && services.planned().iter().all(|service| runs(&there, &service.name, service.scale()))
        && !services.planned().is_empty()
        && is_well(host, &home)
        && boot::is_done(host);
    let failed = context.findings.iter().any(|finding| finding.status == Status::Fail);
    if !failed {
        let seconds = began.elapsed().as_secs_f64();
        context
            .note(Stage { seconds, ..Stage::idle(StageId::Preflight, StageState::Done, "nothing stands in the way") });
    }
    if is_idle {
        for id in StageId::ALL.into_iter().skip(2) {
            context.note(Stage::idle(id, StageState::Done, "it is so already"));
        }
    }
    let limits = Limits::of(&settings);
    Ok(Some(Ready {
        settings,
        platform,
        found,
        limits,
        wish,
        accounts,
        restart,
        images,
        image,
        loads: !missing.is_empty(),
        daemon_behind,
        was_behind,
        upgrade,
        hosts,
        is_idle,
    }))
}

/// The stage in which a change is made.
pub(super) fn stage_of(change: &Change, home: &Path) -> StageId {
    if change.path.starts_with(home) {
        StageId::Files
    } else if change.path.starts_with("/var/spool/cron") || change.path.ends_with(UNIT) {
        StageId::Boot
    } else {
        StageId::Prepare
    }
}

/// Does this step of the plan still hold, once the product runs? Nobody has to create containers or restart the daemon then.
pub(super) fn still_holds(step: &Text) -> bool {
    let again: Text = crate::targets::LOG_IN_AGAIN.into();
    again == *step
}

/// The first line of a run: which product, and by which way its requests go.
fn said(settings: &Settings) -> Text {
    let proxy = match settings.proxies.iter().next() {
        Some(proxy) => text!("through the proxy {}", &proxy.value),
        None => "directly, since no proxy was said and none was found".into(),
    };
    let role = settings.text(Key::Role).map(Role::of_list).map(|roles| text!(" as {}", own(Role::list(&roles))));
    let deployment = own(settings.deployment.as_str());
    text!("{}{} in {}; requests go {}", deployment, role.unwrap_or_default(), settings.home.display(), proxy)
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
