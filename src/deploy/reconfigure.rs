//! `reconfigure` of a product that runs: images are there, so it is stopped, edited, and started.

use std::time::Instant;

use super::health::Limits;
use super::product::{Product, has_other_image, ids, is_product, stale, stays_as_it_is, take_back};
use super::{LOOK, fetch, marker, no_answer};
use crate::converge::{Around, Doing, RunContext};
use crate::docker::{self, Container, NoDocker, Server, compose};
use crate::host::{HostWrite, View};
use crate::net::Time;
use crate::plan::{ContainerChange, Fate, PlannedHost};
use crate::problem::{HostState, Problem, id};
use crate::product::{Known, Place, own_containers};
use crate::settings::{Key, Settings};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{as_root, ics_setup, own};
use crate::vendor::prod_env;

/// Around the change of its files.
pub(super) struct Reconfigure<'h> {
    host: &'h dyn HostWrite,
    running: Option<Product>,
    /// The product gets another image.
    other_image: bool,
    /// Images of the planned compose file that are not here: they come before anything stops.
    missing: Option<(Settings, Server, Vec<String>)>,
}

impl<'h> Reconfigure<'h> {
    /// Nothing is known yet.
    pub(super) fn new(host: &'h dyn HostWrite) -> Self {
        Self { host, running: None, other_image: false, missing: None }
    }

    /// Images that the planned compose file names and that are not here.
    fn images(
        &self,
        context: &RunContext,
        planned: Vec<compose::Service>,
    ) -> Result<Option<(Settings, Server, Vec<String>)>, Problem> {
        let images: Vec<String> = planned.into_iter().filter_map(|service| service.image).collect();
        let missing = fetch::missing(self.host, &images)?;
        let server = docker::versions(self.host, Time::new(LOOK, LOOK)).ok().and_then(|seen| seen.server.ok());
        let settings = context.settings.clone().filter(|_| !missing.is_empty());
        Ok(settings.zip(server).map(|(settings, server)| (settings, server, missing)))
    }

    /// What runs again, and how it ended: logs first, since going back removes the containers that have them; then the files
    /// as they were, and the product as it was.
    fn bring_back(&self, doing: &mut Doing<'_, '_>, problem: Problem, edited: bool) -> Problem {
        let Some(running) = &self.running else { return problem };
        let problem = match running.keep_logs(self.host, &doing.context.redactor) {
            Some(path) => problem.hint(text!("what its containers said: {}", own(path.display()))),
            None => problem,
        };
        if edited && self.other_image {
            return stays_as_it_is(problem, running);
        }
        doing.tell(&"that has failed; bringing the product back as it was".into());
        let failed = doing.context.stages.clone();
        let undone = if edited { take_back(doing, self.host) } else { Ok(()) };
        let up = undone.and_then(|()| running.start(self.host, doing));
        // What is told is how the run went, not how the way back did.
        doing.context.stages = failed;
        match up {
            Ok(()) => {
                // That the marker stays is told by the next run; the product runs.
                let _ = marker::clear(self.host);
                doing.context.containers = running.changes(self.host).unwrap_or_default();
                problem.hint("the product runs again with the values of before").leaving(HostState::Restored)
            }
            Err(second) => problem
                .hint(text!("it could not be brought back either: {}", second.sentence()))
                .hint_command(as_root(running.command("ps")))
                .hint(text!("undo: {}", ics_setup("revert")))
                .leaving(HostState::Changed),
        }
    }
}

/// Is a service of this name made from the product's image?
fn is_of_product_name(name: &str) -> bool {
    Known::get().service(name).is_none_or(|known| known.product)
}

impl Around for Reconfigure<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        (self.running, self.missing) = (None, None);
        let Some(settings) = &context.settings else { return Ok(()) };
        let (home, wanted) = (settings.home.clone(), settings.switch(Key::Restart));
        let limits = Limits::of(settings);
        if !self.host.is_live() || wanted == Some(false) {
            return Ok(());
        }
        let found = match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
            Ok(found) if !found.own.is_empty() => found,
            Ok(_) | Err(NoDocker::Absent | NoDocker::Down { .. }) => return Ok(()),
            Err(error) => return Err(no_answer(&error)),
        };
        let is_up = |container: &Container| matches!(container.state.status.as_str(), "running" | "restarting");
        let was_stopped = marker::read(self.host)?;
        if wanted != Some(true) && !was_stopped && !found.own.iter().any(|one| is_product(one) && is_up(one)) {
            return Ok(());
        }
        let place = Place::look(self.host, &home);
        let edited = context.plan.touches(&prod_env(&home));
        let compose_edited = place.files(&home).iter().any(|file| context.plan.touches(file));
        let stale = stale(self.host, &home);
        let readers = place.services(self.host, &home);
        let (view, changes) = (View::new(self.host), context.plan.changes.clone());
        let planned = PlannedHost::new(&view, &changes);
        let after = Place::look(&planned, &home).services(&planned, &home);
        let of = |services: &Option<Vec<compose::Service>>, name: &str| {
            services.as_ref().and_then(|all| all.iter().find(|own| own.name == name)).cloned()
        };
        let is_other = |name: &str| match (of(&readers, name), of(&after, name)) {
            (Some(before), Some(after)) => !before.makes_same(&after),
            _ => is_of_product_name(name),
        };
        let reads = |name: &str| match &readers {
            Some(services) => services.iter().any(|own| own.name == name && own.reads(&prod_env(&home))),
            None => is_of_product_name(name),
        };
        let change = |name: &String| {
            let anew = (edited && reads(name)) || (compose_edited && is_other(name)) || stale.contains(name);
            ContainerChange { service: name.clone(), fate: if anew { Fate::Recreate } else { Fate::Keep } }
        };
        context.containers = ids(&found.own).keys().map(change).collect();
        let count = |services: &Option<Vec<compose::Service>>, name: &str| of(services, name).map(|own| own.scale());
        let is_scaled = |change: &ContainerChange| count(&readers, &change.service) != count(&after, &change.service);
        let is_same = |change: &ContainerChange| change.fate == Fate::Keep && !(compose_edited && is_scaled(change));
        let idle = context.containers.iter().all(is_same);
        if idle && !was_stopped && wanted != Some(true) {
            return Ok(());
        }
        if compose_edited {
            let after = after.unwrap_or_default();
            self.other_image = has_other_image(readers.as_deref().unwrap_or_default(), &after);
            self.missing = self.images(context, after)?;
        }
        self.running = Some(Product::look(self.host, &home, limits)?);
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    fn is_down(&self) -> bool {
        self.running.is_some()
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let calm = Uninterrupted::begin();
        if let Some((settings, server, images)) = &self.missing {
            fetch::stage(self.host, Some(&calm), doing, settings, server, images, false)?;
        }
        running.calm = Some(calm);
        marker::write(self.host)?;
        running.stopped = Some(Instant::now());
        doing.tell(&text!("stopping {}", own(running.product_services().collect::<Vec<_>>().join(", "))));
        match running.stop(self.host) {
            Ok(()) => Ok(()),
            Err(problem) => Err(self.bring_back(doing, problem, false)),
        }
    }

    fn give_up(&mut self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        match &self.running {
            Some(running) if running.stopped.is_some() => self.bring_back(doing, problem, false),
            _ => problem,
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(running) = &self.running else { return Ok(()) };
        match running.start(self.host, doing).and_then(|()| running.verify(self.host, doing)) {
            Ok(()) => {
                doing.context.containers = running.changes(self.host)?;
                // They have read it.
                let read = running.is_read(self.host);
                doing.context.plan.next_steps.retain(|step| *step != read);
                marker::clear(self.host)
            }
            Err(problem) if problem.id == id::CANCELLED => marker::clear(self.host).and(Err(problem)),
            Err(problem) => Err(self.bring_back(doing, problem, true)),
        }
    }
}
