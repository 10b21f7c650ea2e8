//! What `revert` does to the product: its containers go with the files that made them, or run again with the files of before.
//! Data, images and Docker stay, unless `--purge` names the product's folder.

mod purge;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{Duration, Instant};

use super::fates::{Services, fates, remounted};
use super::health::{Limits, Start};
use super::made::Made;
use super::product::{Product, ids, in_order, is_product, take_away};
use super::upgrade::taken_back;
use super::{LOOK, accounts, boot, engine, marker, no_answer};
use crate::apply::{Run, State, Which};
use crate::converge::{Around, Doing, RunContext};
use crate::docker::{Container, NoDocker, compose};
use crate::host::HostWrite;
use crate::net::Time;
use crate::plan::{Action, ContainerChange, Fate, Plan};
use crate::problem::{HostState, Problem, id};
use crate::product::{home_of, own_containers};
use crate::settings::{Key, parse_duration};
use crate::signals::Uninterrupted;
use crate::targets::UNIT;
use crate::text;
use crate::text::{Text, as_root, ics_setup, own};
use purge::{Besides, is_of_system};

/// Around the files of a run that are taken back.
pub(crate) struct Remove<'h> {
    host: &'h dyn HostWrite,
    /// `--purge`: the folder, as it was typed.
    purge: Option<&'h Path>,
    way: Way,
    /// Where it runs again: it is stopped for that. Another number of workers alone needs no more than Compose.
    stops: bool,
    /// The unit goes.
    unit: bool,
    /// It was enabled, until this run.
    was_enabled: bool,
    /// The run that goes is the only one in force that has installed the product.
    only_install: bool,
    /// The words behind `revert` that name what is taken back.
    words: String,
    /// Accounts, and a Compose of ours, go too.
    all: bool,
    /// What goes besides, where that was asked for.
    besides: Option<Besides>,
}

/// What becomes of the product.
enum Way {
    /// It is not touched.
    Stays,
    /// Its containers go.
    Goes(Product),
    /// It runs again with the files of before.
    Again(Product),
    /// It does not run, and its containers of these services are of an image that goes with the files: what they are of must not
    /// count for the files that come back.
    Rests(Vec<Container>, Vec<String>),
}

impl<'h> Remove<'h> {
    /// Nothing is known yet.
    pub(crate) fn new(host: &'h dyn HostWrite, purge: Option<&'h Path>) -> Self {
        let way = Way::Stays;
        Self {
            host,
            purge,
            way,
            stops: true,
            unit: false,
            was_enabled: false,
            only_install: false,
            words: String::new(),
            all: false,
            besides: None,
        }
    }
}

impl Around for Remove<'_> {
    /// What `--purge` names, as it may be taken: the run that has installed the product there, where that is in force. `runs`: all
    /// so far; `which`: those that are to be taken back.
    ///
    /// # Errors
    /// It is no folder that a run has installed the product in, or one that others use too.
    fn check(&mut self, runs: &[Run], which: Which<'_>) -> Result<Option<String>, Problem> {
        let installs = || runs.iter().filter(|run| run.begin.command == "install" && run.begin.reverts.is_none());
        let in_force = |run: &&Run| run.state != State::Reverted;
        // Whoever takes it back says why it cannot be.
        let chosen = which.choose(runs).unwrap_or_default();
        let goes = |run: &Run| chosen.iter().any(|own| own.begin.run == run.begin.run);
        self.only_install = chosen.iter().any(|own| own.begin.command == "install" && own.begin.reverts.is_none())
            && installs().filter(in_force).all(goes);
        self.words = match chosen.as_slice() {
            [run] => Which::Named(&run.begin.run).words(),
            _ => which.words(),
        };
        let Some(purge) = self.purge else { return Ok(None) };
        let refused = |why: Text| Problem::settings(id::PURGE_REFUSED, why);
        if !self.host.is_live() {
            return Err(refused("--purge takes containers and volumes, and --root names an image of a system".into())
                .hint("take the files back, without --purge"));
        }
        let home = |run: &Run| home_of(run.begin.files().map(|file| file.path.as_path()));
        let mut here = installs().filter(|run| home(run).as_deref() == Some(purge)).peekable();
        if here.peek().is_none() {
            let problem = refused(text!(
                "--purge names {}, where no run of this tool has installed the product",
                purge.display()
            ));
            return Err(match installs().filter_map(home).next_back() {
                Some(home) => problem.hint(text!("the product's folder is {}", home.display())),
                None => problem.hint("take away by hand what others have installed"),
            });
        }
        let real = self.host.resolve(purge).unwrap_or_else(|_| purge.to_owned());
        if is_of_system(purge) || is_of_system(&real) {
            return Err(refused(text!("--purge would remove {}, which is not the product's alone", purge.display()))
                .hint(text!(
                    "take back the installation, then remove the product's files in it by hand: {}",
                    ics_setup("revert")
                )));
        }
        Ok(here.rfind(|run| run.state == State::Committed).map(|run| run.begin.run.clone()))
    }

    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        (self.way, self.unit, self.all, self.besides) = (Way::Stays, false, false, None);
        if !self.host.is_live() {
            return Ok(());
        }
        let plan = &context.plan.clone();
        self.unit = plan.changes.iter().any(|change| change.path.ends_with(UNIT) && change.action() == Action::Delete);
        let of_plan = || home_of(plan.changes.iter().map(|change| change.path.as_path()));
        let Some(home) = self.purge.map(Path::to_path_buf).or_else(of_plan) else { return Ok(()) };
        let goes = self.purge.is_some() || goes(plan, &home);
        self.all = goes || self.only_install;
        // Containers say what their files have told them.
        for change in &plan.changes {
            let before = change.before.as_ref().map(|file| file.bytes.as_slice()).unwrap_or_default();
            [before, change.new_bytes()].iter().for_each(|file| context.redactor.learn_assignments(file));
        }
        for name in ["prod.env", "mysql.env"] {
            // Of one that cannot be read, what looks like a secret is masked all the same.
            let file = self.host.read(&home.join(name)).ok().flatten().unwrap_or_default();
            context.redactor.learn_assignments(&file);
        }
        let found = match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
            Ok(found) => found.own,
            Err(NoDocker::Absent) => Vec::new(),
            // Volumes and images of a daemon that is down would stay, unseen.
            Err(NoDocker::Down { .. }) if self.purge.is_none() => Vec::new(),
            Err(error) => return Err(no_answer(&error)),
        };
        let moved = Services::look(self.host, &home, plan).moved(&found);
        if !goes {
            let limits = Limits { healthy: default(Key::HealthyWithin), migrate: default(Key::MigrateWithin) };
            let by_hand = || Ok(Product::look(self.host, &home, limits)?.by_hand(self.host));
            context.findings.extend(taken_back(self.host, &home, &moved, &found, &self.words, by_hand)?);
        }
        self.besides = self.purge.map(|folder| Besides::look(self.host, folder, &found)).transpose()?;
        context.for_good = self.besides.as_ref().map(Besides::list).unwrap_or_default();
        if found.is_empty() {
            return Ok(());
        }
        let limits = Limits { healthy: default(Key::HealthyWithin), migrate: default(Key::MigrateWithin) };
        let is_up = |one: &Container| matches!(one.state.status.as_str(), "running" | "restarting");
        if goes {
            let gone = |service| ContainerChange { service, fate: Fate::Remove };
            context.containers = in_order(ids(&found).into_keys().map(gone));
            self.way = Way::Goes(Product::look(self.host, &home, limits)?);
        } else if found.iter().any(|one| is_product(one) && is_up(one)) || marker::read(self.host)? {
            let services = Services::look(self.host, &home, plan);
            context.containers = fates(self.host, &home, plan, &services, &found);
            let runs_on = |change: &ContainerChange| services.leaves_others(change);
            self.stops = marker::read(self.host)? || !context.containers.iter().all(runs_on);
            let mut product = Product::look(self.host, &home, limits)?;
            product.remounted = remounted(self.host, &home, plan);
            self.way = Way::Again(product);
        } else {
            let mut services: Vec<String> = moved.into_iter().map(|moved| moved.service).collect();
            services.dedup();
            if !services.is_empty() {
                let gone = |service: &String| ContainerChange { service: service.clone(), fate: Fate::Remove };
                context.containers = in_order(services.iter().map(gone));
                self.way = Way::Rests(found, services);
            }
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        matches!(self.way, Way::Stays) && !self.unit && !self.all
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        match &mut self.way {
            Way::Stays | Way::Rests(..) => {}
            Way::Goes(product) => {
                product.remember(self.host)?;
                let what = if self.purge.is_some() { "data and images go after them" } else { "data and images stay" };
                doing.tell(&text!("taking the containers away; {}", own(what)));
                product.compose(self.host, &["down"])?;
            }
            Way::Again(product) if !self.stops => {
                product.calm = Some(Uninterrupted::begin());
                doing.remark(&"the product runs on meanwhile".into());
                marker::write(self.host)?;
            }
            Way::Again(product) => {
                product.calm = Some(Uninterrupted::begin());
                product.stopped = Some(Instant::now());
                doing.tell(&text!("stopping {}", own(product.product_services().collect::<Vec<_>>().join(", "))));
                product.stop(self.host)?;
            }
        }
        if self.unit {
            self.was_enabled = boot::is_done(self.host);
            boot::disable(self.host)?;
        }
        Ok(())
    }

    fn give_up(&mut self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        let enabled = if self.was_enabled { boot::enable(self.host).map(drop) } else { Ok(()) };
        let problem = match enabled {
            Ok(()) => problem,
            Err(second) => problem
                .hint(text!("the product does not start with the host any more: {}", second.sentence()))
                .hint_command(as_root(text!("systemctl enable {}", own(UNIT)))),
        };
        let (Way::Goes(product) | Way::Again(product)) = &self.way else { return problem };
        match product.start(self.host, doing, Start::Back) {
            Ok(()) => problem,
            Err(second) => problem
                .hint(text!("the product could not be started again: {}", second.sentence()))
                .hint_command(as_root(product.command("up -d")))
                .leaving(HostState::Changed),
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let stays = |problem: Problem| problem.leaving(HostState::Changed);
        if self.unit {
            boot::reload(self.host).map_err(stays)?;
        }
        if let Way::Rests(there, services) = &self.way {
            take_away(self.host, there, services).map_err(stays)?;
        }
        if let Way::Again(product) = &self.way {
            let look = || as_root(product.command("logs --tail 50"));
            product.start(self.host, doing, Start::On).map_err(|problem| stays(problem.hint_command(look())))?;
            doing.context.containers = product.changes(self.host).map_err(stays)?;
        }
        if self.all {
            let mut made = Made::read(self.host).map_err(stays)?;
            for gone in accounts::take_away(self.host, &mut made).map_err(stays)? {
                doing.remark(&gone);
            }
            if let Some(program) = engine::take_back(self.host, &mut made).map_err(stays)? {
                doing.remark(&text!("{} was removed", program));
            }
        }
        match &self.besides {
            Some(besides) => besides.remove(self.host, doing).map_err(stays),
            None => Ok(()),
        }
    }
}

/// Does the compose file go with the run?
fn goes(plan: &Plan, home: &Path) -> bool {
    let is_compose =
        |path: &Path| path.file_name().is_some_and(|name| compose::rank(&name.to_string_lossy()).is_some());
    plan.changes
        .iter()
        .any(|change| change.path.starts_with(home) && is_compose(&change.path) && change.action() == Action::Delete)
}

/// The time of a setting that nobody is asked for here.
fn default(key: Key) -> Duration {
    key.spec().default.and_then(parse_duration).unwrap_or_default()
}
