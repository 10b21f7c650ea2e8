//! `reconfigure` of a product that runs: images are there, so it is stopped, edited, and started.

use std::time::Instant;

use super::databases::Databases;
use super::fates::{Services, fates, remounted};
use super::health::{Limits, Start};
use super::hosts::Hosts;
use super::install::moved;
use super::product::{Product, called_off, goes_on, is_product, not_reached, stays_as_it_is, take_back};
use super::upgrade::{Question, Upgrade};
use super::{LOOK, fetch, marker, no_answer, preflight};
use crate::context::found;
use crate::converge::{Around, Doing, RunContext};
use crate::docker::{self, Container, NoDocker, Server, compose};
use crate::finding::Finding;
use crate::host::{HostWrite, View};
use crate::net::Time;
use crate::plan::{ContainerChange, Fate, PlannedHost};
use crate::problem::{HostState, Problem, id};
use crate::product::own_containers;
use crate::progress::Progress;
use crate::settings::{Deployment, First, Found, Key, Settings};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{Text, as_root, ics_setup, own};

/// Around the change of its files.
pub(super) struct Reconfigure<'h> {
    host: &'h dyn HostWrite,
    running: Option<Product>,
    /// It is stopped for it; another number of workers alone needs no more than Compose.
    stops: bool,
    /// The product, which does not run, gets another image.
    upgrade: Option<Upgrade>,
    /// Services whose containers go, while others run on.
    gone: Vec<String>,
    /// Where the interface answers before.
    address: Option<(String, u16)>,
    /// Images of the planned compose file that are not here: they come before anything stops.
    missing: Option<(Settings, Server, Vec<String>)>,
}

impl<'h> Reconfigure<'h> {
    /// Nothing is known yet.
    pub(super) fn new(host: &'h dyn HostWrite) -> Self {
        Self { host, running: None, stops: true, upgrade: None, gone: Vec::new(), address: None, missing: None }
    }

    /// A scheduler of another host, where this one gets one.
    fn other_scheduler(
        &self,
        context: &RunContext,
        settings: &Settings,
        services: &Services,
        there: &[Container],
    ) -> Result<Option<Finding>, Problem> {
        let is_asked = services.gets_scheduler() && settings.deployment == Deployment::Production;
        let Some(found) = self.found(context, settings)?.filter(|_| is_asked) else { return Ok(None) };
        Ok(preflight::other_scheduler(self.host, &Databases::of(self.host, settings, &found)?, services, there))
    }

    /// What `prod.env` is going to have.
    fn found(&self, context: &RunContext, settings: &Settings) -> Result<Option<Found>, Problem> {
        let Some(platform) = &context.platform else { return Ok(None) };
        let view = View::new(self.host);
        let planned = PlannedHost::new(&view, &context.plan.changes);
        found(&View::new(&planned), platform, &settings.home, First::Product).map(Some)
    }

    /// The hosts that share the databases of a production.
    fn hosts(&self, context: &RunContext, settings: &Settings) -> Result<Option<Hosts>, Problem> {
        let found = self.found(context, settings)?.filter(|_| settings.deployment == Deployment::Production);
        Ok(found.map(|found| Databases::of(self.host, settings, &found)).transpose()?.and_then(|own| own.hosts()))
    }

    /// Images that the planned compose file names and that are not here.
    fn images(
        &self,
        context: &RunContext,
        planned: &[compose::Service],
    ) -> Result<Option<(Settings, Server, Vec<String>)>, Problem> {
        let images: Vec<String> = planned.iter().filter_map(|service| service.image.clone()).collect();
        let missing = fetch::missing(self.host, &images)?;
        let server = docker::versions(self.host, Time::new(LOOK, LOOK)).ok().and_then(|seen| seen.server.ok());
        let settings = context.settings.clone().filter(|_| !missing.is_empty());
        Ok(settings.zip(server).map(|(settings, server)| (settings, server, missing)))
    }

    /// Whether the product gets another image, by its containers and by the plan. `there`: all of its containers.
    fn upgrade(&self, context: &mut RunContext, there: &[Container]) -> Result<Option<Upgrade>, Problem> {
        let Some(settings) = context.settings.clone() else { return Ok(None) };
        let services = Services::look(self.host, &settings.home, &context.plan);
        let moved = services.moved(there);
        let scheduler = services.new_scheduler(there);
        if moved.is_empty() && scheduler.is_none() && !services.is_blind() {
            return Ok(None);
        }
        let Some(found) = self.found(context, &settings)? else { return Ok(None) };
        let question = Question {
            host: self.host,
            settings: &settings,
            found: &found,
            moved: &moved,
            scheduler: scheduler.as_ref(),
            services: services.planned(),
            is_blind: services.is_blind(),
            there,
            is_left: settings.switch(Key::Restart) == Some(false),
        };
        let mut upgrade = Upgrade::foresee(&question, context)?;
        if let Some(upgrade) = upgrade.as_mut().filter(|_| settings.deployment == Deployment::Production) {
            let hosts = self.hosts(context, &settings)?;
            context.findings.extend(upgrade.look_around(self.host, hosts));
        }
        Ok(upgrade)
    }

    /// What was started over the new files is not well: it goes on with that, or is brought back.
    fn ended(&self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        let Some(running) = self.running.as_ref().filter(|_| goes_on(&problem)) else {
            return self.bring_back(doing, problem, true);
        };
        doing.context.containers = running.changes(self.host).unwrap_or_default();
        problem
    }

    /// What runs again, and how it ended: logs first, since going back removes the containers that have them; then the files
    /// as they were, and the product as it was.
    fn bring_back(&self, doing: &mut Doing<'_, '_>, problem: Problem, edited: bool) -> Problem {
        let Some(running) = &self.running else { return problem };
        let problem = match running.keep_logs(self.host, &doing.context.redactor) {
            Some(path) => problem.hint(text!("what its containers said: {}", own(path.display()))),
            None => problem,
        };
        let problem = match stays_as_it_is(doing, self.host, problem, running) {
            Ok(problem) => problem,
            Err(problem) => return problem,
        };
        doing.remark(&"that has failed; bringing the product back as it was".into());
        let _bringing = Progress::begin("bringing the product back");
        let failed = doing.context.stages.clone();
        let undone = if edited { take_back(doing, self.host) } else { Ok(()) };
        let up = undone.and_then(|()| running.start(self.host, doing, Start::Back));
        let problem = called_off(self.host, running.upgrade.as_ref(), up.is_ok(), problem);
        // What is told is how the run went, not how the way back did.
        doing.context.stages = failed;
        match up {
            Ok(()) => {
                doing.context.containers = running.changes(self.host).unwrap_or_default();
                match problem.host_state {
                    // Files of this run that could not be put back are named by the problem.
                    HostState::Changed if !edited => {
                        problem.hint("the product runs again, with the files that there are")
                    }
                    _ => problem.hint("the product runs again with the values of before").leaving(HostState::Restored),
                }
            }
            Err(second) => problem
                .hint(text!("it could not be brought back either: {}", second.sentence()))
                .hint_command(as_root(running.command("ps")))
                .hint(text!("undo: {}", ics_setup("revert")))
                .leaving(HostState::Changed),
        }
    }
}

impl Around for Reconfigure<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        (self.running, self.missing, self.upgrade) = (None, None, None);
        self.gone.clear();
        let Some(settings) = context.settings.clone() else { return Ok(()) };
        let (home, wanted) = (settings.home.clone(), settings.switch(Key::Restart));
        let limits = Limits::of(&settings);
        let there = if self.host.is_live() {
            match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
                Ok(found) => found.own,
                Err(NoDocker::Absent | NoDocker::Down { .. }) => Vec::new(),
                Err(error) => return Err(no_answer(&error)),
            }
        } else {
            Vec::new()
        };
        self.upgrade = self.upgrade(context, &there)?;
        let services = Services::look(self.host, &home, &context.plan);
        context.findings.extend(self.other_scheduler(context, &settings, &services, &there)?);
        if there.is_empty() || wanted == Some(false) {
            return Ok(());
        }
        let is_up = |container: &Container| matches!(container.state.status.as_str(), "running" | "restarting");
        let was_stopped = marker::read(self.host)?;
        if wanted != Some(true) && !was_stopped && !there.iter().any(|one| is_product(one) && is_up(one)) {
            return Ok(());
        }
        context.containers = fates(self.host, &home, &context.plan, &services, &there);
        let runs_on = |change: &ContainerChange| services.leaves_others(change);
        self.stops =
            was_stopped || wanted == Some(true) || self.upgrade.is_some() || !context.containers.iter().all(runs_on);
        let is_other = |change: &ContainerChange| change.fate != Fate::Keep || services.is_scaled(&change.service);
        if !self.stops && !context.containers.iter().any(is_other) {
            return Ok(());
        }
        let gone = context.containers.iter().filter(|change| change.fate == Fate::Remove);
        self.gone = gone.map(|change| change.service.clone()).collect();
        if services.edited {
            self.missing = self.images(context, services.planned())?;
        }
        let mut running = Product::look(self.host, &home, limits)?;
        running.upgrade = self.upgrade.take();
        running.hosts = self.hosts(context, &settings)?;
        running.remounted = remounted(self.host, &home, &context.plan);
        self.address = running.address(self.host);
        self.running = Some(running);
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    fn is_down(&self) -> bool {
        self.running.is_some()
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(running) = &mut self.running else {
            // Nothing of it works on the databases.
            let calm = Uninterrupted::begin();
            return self.upgrade.iter().try_for_each(|upgrade| upgrade.back_up(self.host, Some(&calm), doing));
        };
        let calm = Uninterrupted::begin();
        if let Some((settings, server, images)) = &self.missing {
            let fetched = fetch::stage(self.host, Some(&calm), doing, settings, server, images, false);
            fetched.map_err(|problem| not_reached(running.upgrade.as_ref(), problem))?;
        }
        running.calm = Some(calm);
        if !self.stops {
            doing.remark(&"the product runs on meanwhile".into());
            if self.gone.is_empty() {
                return marker::write(self.host);
            }
            doing.tell(&text!("stopping {}", own(self.gone.join(", "))));
            return match running.stop_those(self.host, |name| self.gone.iter().any(|own| own == name)) {
                Ok(()) => Ok(()),
                Err(problem) => Err(self.bring_back(doing, problem, false)),
            };
        }
        let stopped = if running.upgrade.is_some() {
            running.back_up(self.host, doing)
        } else {
            running.stopped = Some(Instant::now());
            doing.tell(&text!("stopping {}", own(running.product_services().collect::<Vec<_>>().join(", "))));
            running.stop(self.host)
        };
        match stopped {
            Ok(()) => Ok(()),
            Err(problem) => Err(self.bring_back(doing, problem, false)),
        }
    }

    fn give_up(&mut self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        let Some(running) = self.running.as_ref().filter(|running| running.calm.is_some()) else {
            let upgrade = self.upgrade.as_ref().filter(|_| doing.context.run.is_none());
            return called_off(self.host, upgrade, true, problem);
        };
        // A run that was committed has written its files.
        let edited = doing.context.run.is_some();
        if problem.id != id::CANCELLED || !edited {
            return self.bring_back(doing, problem, edited);
        }
        // Whoever ends it then gets what was written.
        match running.start(self.host, doing, Start::On) {
            Ok(()) => {
                doing.context.containers = running.changes(self.host).unwrap_or_default();
                problem.hint("the product runs, with what was written")
            }
            Err(second) => self.ended(doing, second),
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(running) = &self.running else {
            let steps: Vec<Text> = self.upgrade.iter().flat_map(|upgrade| upgrade.steps(self.host)).collect();
            doing.context.plan.next_steps.extend(steps);
            return Ok(());
        };
        match running.start(self.host, doing, Start::On).and_then(|()| running.verify(self.host, doing)) {
            Ok(()) => {
                let stays = |problem: Problem| problem.leaving(HostState::Changed);
                doing.context.containers = running.changes(self.host).map_err(stays)?;
                // They have read it.
                let read = running.is_read(self.host);
                doing.context.plan.next_steps.retain(|step| *step != read);
                let now = running.address(self.host).filter(|now| self.address.as_ref() != Some(now));
                let steps = now.map(|(address, port)| moved(self.host, &address, port));
                doing.context.plan.next_steps.extend(steps.into_iter().flatten());
                let upgraded = running.upgrade.iter().flat_map(|upgrade| upgrade.steps(self.host));
                doing.context.plan.next_steps.extend(upgraded);
                Ok(())
            }
            Err(problem) => Err(self.ended(doing, problem)),
        }
    }
}
