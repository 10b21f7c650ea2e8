//! The product's containers in a run; `wait` until they are well.

mod wait;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::compose::Compose;
use super::health::{Health, Limits, Start};
use super::hosts::Hosts;
use super::made::{Made, push};
use super::pulse::Pulse;
use super::upgrade::{ByHand, Upgrade};
use super::{LOOK, marker, no_answer};
use crate::apply::{plan_back, revert, runs};
use crate::converge::Doing;
use crate::docker::text::{first_line, seconds_of};
use crate::docker::{self, Container};
use crate::finding::Ignored;
use crate::host::{HostRead, HostWrite, View};
use crate::net::{Time, seconds};
use crate::plan::{ContainerChange, Fate, StageId, StageState};
use crate::problem::{HostState, Problem, id};
use crate::product::{Known, Place, containers, environment, interface, own_containers, service_of};
use crate::settings::{Key, Settings};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{Foreign, Text, as_root, ics_setup, own};

pub(super) use crate::product::is_product;

/// How long containers that go may take: each has its own grace.
const GRACE: Duration = Duration::from_secs(300);

/// The product as it was before a run, and the program that serves it.
pub(super) struct Product {
    home: PathBuf,
    compose: Compose,
    /// Ids by service.
    before: BTreeMap<String, Vec<String>>,
    services: Vec<containers::Service>,
    limits: Limits,
    /// Services that mount a file which the run changes: their containers go before the start, since Compose sees no difference.
    pub(super) remounted: Vec<String>,
    /// When the run has begun to stop it.
    pub(super) stopped: Option<Instant>,
    /// Nobody ends the process before the product runs.
    pub(super) calm: Option<Uninterrupted>,
    /// It gets another image.
    pub(super) upgrade: Option<Upgrade>,
    /// The hosts that it shares its databases with; `None`: it has them alone, or nobody can be asked.
    pub(super) hosts: Option<Hosts>,
}

impl Limits {
    /// As the settings have them.
    pub(super) fn of(settings: &Settings) -> Self {
        Self { healthy: settings.duration(Key::HealthyWithin), migrate: settings.duration(Key::MigrateWithin) }
    }
}

impl Product {
    /// The product as it is, with Docker that answers.
    ///
    /// # Errors
    /// Docker does not answer, or the Compose that made the containers is not there.
    pub(super) fn look(host: &dyn HostRead, home: &Path, limits: Limits) -> Result<Self, Problem> {
        let found = own_containers(host, home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        let compose = Compose::of(host, &Place::look(host, home), home, &found.own)?;
        let services = containers::look(host, home, Time::new(LOOK, LOOK));
        let services = services.docker.and_then(Result::ok).map(|seen| seen.services).unwrap_or_default();
        Ok(Self {
            home: home.to_owned(),
            compose,
            before: ids(&found.own),
            services,
            limits,
            remounted: Vec::new(),
            stopped: None,
            calm: None,
            upgrade: None,
            hosts: None,
        })
    }

    /// The commands of a person that stop what works on the databases, and start it again.
    pub(super) fn by_hand(&self, host: &dyn HostRead) -> ByHand {
        let out = self.taken_out(host);
        let known = self.product_services().filter(|name| !out.iter().any(|own| own == name));
        let stop = ["stop"].into_iter().chain(known).collect::<Vec<_>>().join(" ");
        ByHand { stop: self.command(&stop), start: self.command("up -d") }
    }

    /// Were there no containers before?
    pub(super) fn is_new(&self) -> bool {
        self.before.is_empty()
    }

    /// The command, for a person.
    pub(super) fn command(&self, arguments: &str) -> Text {
        self.compose.shown(arguments)
    }

    /// Where its interface answers, by its files; `None`: this host has none.
    pub(super) fn address(&self, host: &dyn HostRead) -> Option<(String, u16)> {
        interface::address(host, &self.home, &Place::look(host, &self.home))
    }

    /// The step of a plan that its start does.
    pub(super) fn is_read(&self, host: &dyn HostRead) -> Text {
        crate::targets::product_reads_again(host, &self.home)
    }

    /// Runs Compose.
    ///
    /// # Errors
    /// It failed.
    pub(super) fn compose(&self, host: &dyn HostRead, arguments: &[&str]) -> Result<(), Problem> {
        self.compose.run(host, arguments).map(drop)
    }

    /// The services of the product's image that there are.
    pub(super) fn product_services(&self) -> impl Iterator<Item = &str> {
        self.before.keys().map(String::as_str).filter(|name| Known::get().is_of_product(name))
    }

    /// Notes what outlives the containers, for `--purge`.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub(super) fn remember(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        let place = Place::look(host, &self.home);
        let name = self.compose.project(host, &place, &self.home);
        let services = place.services(host, &self.home).unwrap_or_default();
        let images: Vec<String> = services.into_iter().filter_map(|service| service.image).collect();
        Made::default().note(host, |all| {
            let remains = all.products.entry(self.home.clone()).or_default();
            push(&mut remains.projects, name.clone());
            images.iter().for_each(|image| push(&mut remains.images, image.clone()));
        })
    }

    /// Stops what works first, and the interface that people look at last. Until it is started again a marker stands for whoever
    /// goes on.
    ///
    /// # Errors
    /// The marker cannot be written, or Compose failed.
    pub(super) fn stop(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        self.stop_those(host, |_| true)
    }

    /// The same of some services; others run on.
    ///
    /// # Errors
    /// As of [`Product::stop`].
    pub(super) fn stop_those(&self, host: &dyn HostWrite, which: impl Fn(&str) -> bool) -> Result<(), Problem> {
        marker::write(host)?;
        // Compose knows those of its file alone.
        let unknown = self.taken_out(host);
        let known = self.product_services().filter(|name| which(name) && !unknown.iter().any(|own| own == name));
        let (web, others): (Vec<&str>, Vec<&str>) = known.partition(|name| interface::is_interface(name, ""));
        [others, web].into_iter().filter(|services| !services.is_empty()).try_for_each(|services| {
            // Without a time of ours, so that each container gets the grace that its file gives it.
            let arguments: Vec<&str> = ["stop"].into_iter().chain(services).collect();
            self.compose(host, &arguments)
        })
    }

    /// Starts it, and waits until it is well.
    ///
    /// # Errors
    /// It did not start, or will not be well.
    pub(super) fn start(&self, host: &dyn HostWrite, doing: &mut Doing<'_, '_>, way: Start) -> Result<(), Problem> {
        let started = self.up(host, doing, way);
        if let Some(upgrade) = self.upgrade.as_ref().filter(|_| started.is_ok() && way == Start::On) {
            // Without the record its containers say it, as long as they are there.
            let _ = upgrade.end(host);
        }
        if started.as_ref().err().is_none_or(goes_on) {
            // It runs. That the marker stays is told by the next run.
            let _ = marker::clear(host);
        }
        started
    }

    /// Stops it where it gets another image, so that nothing writes to the databases any more, and has them backed up.
    ///
    /// # Errors
    /// Nothing of the new image has been started.
    pub(super) fn back_up(&mut self, host: &dyn HostWrite, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        if self.upgrade.is_none() {
            return Ok(());
        }
        self.stopped = Some(Instant::now());
        doing.tell(&text!("stopping {}", own(self.product_services().collect::<Vec<_>>().join(", "))));
        self.stop(host)?;
        // Those that the file has kept since this run are unknown to Compose, and write all the same.
        self.remove_taken_out(host)?;
        self.upgrade.iter().try_for_each(|upgrade| upgrade.back_up(host, self.calm.as_ref(), doing))
    }

    /// Stops what may have been started of an image that an earlier run has written, whose scheduler was not.
    fn stays_stopped(&self, host: &dyn HostWrite, problem: Problem) -> Problem {
        match self.stop(host) {
            Ok(()) => problem.hint(
                "the product stays stopped: its files name the new image since an earlier run, and its scheduler was not started",
            ),
            Err(second) => problem
                .hint(text!("its scheduler was not started; what else runs could not be stopped: {}", second.sentence()))
                .hint_command(as_root(self.by_hand(host).stop)),
        }
    }

    /// Has all containers started. Of an upgrade the scheduler, which moves the schema, comes last: the others wait for it, and
    /// what keeps them from starting is seen before.
    fn launch(&self, host: &dyn HostWrite, way: Start, ignored: &Ignored) -> Result<(), Problem> {
        self.remove_taken_out(host)?;
        if !self.remounted.is_empty() {
            let services = self.remounted.iter().map(String::as_str);
            self.compose(host, &["rm", "-f", "-s"].into_iter().chain(services).collect::<Vec<_>>())?;
        }
        if let Some(upgrade) = self.upgrade.as_ref().filter(|_| way == Start::On) {
            let waiting: Vec<&str> = upgrade.waiting().collect();
            if !waiting.is_empty() {
                upgrade.is_alone(host, ignored)?;
                // A file that has one of them depend on the scheduler would start that.
                self.compose(host, &[&["up", "-d", "--no-deps"][..], &waiting].concat())?;
            }
            upgrade.is_alone(host, ignored)?;
            upgrade.begin(host)?;
        }
        self.compose(host, &["up", "-d"])
    }

    fn up(&self, host: &dyn HostWrite, doing: &mut Doing<'_, '_>, way: Start) -> Result<(), Problem> {
        let began = seconds_of(host.now());
        let mut health = Health::new(self.limits, &self.services, way);
        let mut pulse = Pulse::new(host, &self.home, self.stopped);
        doing.stage(StageId::Start, |doing| {
            doing.tell(&"starting the product".into());
            let ignored = doing.ignored;
            pulse.during(|| self.launch(host, way, ignored))?;
            Ok((StageState::Changed, text!("{}", self.command("up -d"))))
        })?;
        doing.stage(StageId::Healthy, |doing| {
            self.wait(host, doing, &mut health, &mut pulse, began)?;
            let detail = match pulse.down.filter(|_| !self.before.is_empty()) {
                Some(down) => text!("down for {}", own(seconds(down))),
                None if pulse.has_interface() => "it answers, and its containers are steady".into(),
                None => "its containers are steady; no interface of this host could answer".into(),
            };
            Ok((StageState::Changed, detail))
        })
    }

    /// Services that the compose file only keeps. Where that cannot be told, none of them is touched.
    fn taken_out(&self, host: &dyn HostRead) -> Vec<String> {
        Place::look(host, &self.home).taken_out(host, &self.home).unwrap_or_default()
    }

    /// Removes the containers of services that the compose file only keeps: Compose does not know them.
    fn remove_taken_out(&self, host: &dyn HostRead) -> Result<(), Problem> {
        let out = self.taken_out(host);
        if out.is_empty() {
            return Ok(());
        }
        let found = own_containers(host, &self.home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        take_away(host, &found.own, &out)
    }

    /// Do its containers see what the files say?
    ///
    /// # Errors
    /// One does not.
    pub(super) fn verify(&self, host: &dyn HostRead, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        doing.stage(StageId::Verify, |_| match stale(host, &self.home).first() {
            None => Ok((StageState::Done, "the containers see what prod.env says".into())),
            Some(service) => {
                let message = text!("{} does not see what prod.env says", Foreign::new(service));
                Err(Problem::host(id::VERIFY_FAILED, message).hint_command(ics_setup("check runtime")))
            }
        })
    }

    /// What has become of each service's containers since before.
    ///
    /// # Errors
    /// Docker does not answer.
    pub(super) fn changes(&self, host: &dyn HostRead) -> Result<Vec<ContainerChange>, Problem> {
        let found = own_containers(host, &self.home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        let after = ids(&found.own);
        let is_within = |some: &[String], all: &[String]| some.iter().all(|id| all.contains(id));
        let change = |(service, ids): (String, Vec<String>)| {
            let fate = match self.before.get(&service) {
                None => Fate::Create,
                // Of another number those that stay are the same.
                Some(before) if is_within(before, &ids) || is_within(&ids, before) => Fate::Keep,
                Some(_) => Fate::Recreate,
            };
            ContainerChange { service, fate }
        };
        let gone = self.before.keys().filter(|service| !after.contains_key(*service)).cloned();
        let gone: Vec<_> = gone.map(|service| ContainerChange { service, fate: Fate::Remove }).collect();
        Ok(in_order(after.into_iter().map(change).chain(gone)))
    }
}

/// In the order of the vendor's files, others behind them by their names: what was foretold and what was done alike.
pub(super) fn in_order(changes: impl Iterator<Item = ContainerChange>) -> Vec<ContainerChange> {
    let mut changes: Vec<_> = changes.collect();
    changes.sort_by_cached_key(|change| (Known::get().rank(&change.service), change.service.clone()));
    changes
}

/// Does the product go on with what has begun, so that nothing of it may be taken back?
pub(super) fn goes_on(problem: &Problem) -> bool {
    matches!(problem.host_state, HostState::Changed | HostState::Committed)
}

/// Removes the containers of these services, without Compose.
///
/// # Errors
/// Docker did not.
pub(super) fn take_away(host: &dyn HostRead, there: &[Container], services: &[String]) -> Result<(), Problem> {
    let goes = |one: &&Container| services.iter().any(|name| name == service_of(one));
    let ids: Vec<&str> = there.iter().filter(goes).map(|one| one.id.as_str()).collect();
    // Removing one that runs would not let it end its work.
    for verb in ["stop", "rm"].into_iter().filter(|_| !ids.is_empty()) {
        let ran = docker::run(host, Time::new(GRACE, GRACE), &[&[verb], &ids[..]].concat());
        let ran = ran.map_err(|error| no_answer(&error))?;
        if ran.code != Some(0) {
            let message = text!("containers of {} could not be removed", Foreign::new(services.join(", ")));
            return Err(Problem::host(id::COMPOSE_FAILED, message)
                .because(Foreign::new(first_line(&ran.stderr, 200)))
                .hint_command(as_root(text!("docker rm -f {}", own(ids.join(" "))))));
        }
    }
    Ok(())
}

/// Takes the files of this run back.
///
/// # Errors
/// A file was edited meanwhile, or cannot be written.
pub(super) fn take_back(doing: &Doing<'_, '_>, host: &dyn HostWrite) -> Result<(), Problem> {
    let Some(run) = doing.context.run.clone() else { return Ok(()) };
    let all = runs(host)?;
    let plan = plan_back(&View::new(host), revert::choose(&all, Some(&run))?, &all, false)?;
    doing.session.apply(&plan, "revert", &[&run]).map(drop)
}

/// An upgrade came to nothing: where the product is as it was, its dump goes, or is named. What other hosts wait for is named.
pub(super) fn called_off(host: &dyn HostWrite, upgrade: Option<&Upgrade>, is_back: bool, problem: Problem) -> Problem {
    let ended = upgrade.filter(|_| is_back).map_or(Ok(()), |upgrade| upgrade.call_off(host));
    let problem = match ended {
        Err(second) => problem.hint(text!("the dump of this run stays: {}", second.sentence())),
        Ok(()) => problem,
    };
    not_reached(upgrade, problem)
}

/// The schema has not moved: what is left to be done on other hosts, which wait for that, is named.
pub(super) fn not_reached(upgrade: Option<&Upgrade>, problem: Problem) -> Problem {
    upgrade.into_iter().flat_map(Upgrade::on_other_hosts).fold(problem, Problem::hint)
}

/// Where files of before would start an image that waits for its schema for ever, or would move it without a backup, the run
/// ends here.
///
/// # Errors
/// So does it.
pub(super) fn stays_as_it_is(
    doing: &Doing<'_, '_>,
    host: &dyn HostWrite,
    problem: Problem,
    product: &Product,
) -> Result<Problem, Problem> {
    let Some(upgrade) = &product.upgrade else { return Ok(problem) };
    if !upgrade.is_untouched(host) {
        let problem = upgrade.no_way_back(host, problem, doing.context.run.as_deref(), product.by_hand(host));
        return Err(problem.hint_command(as_root(product.command("ps"))).leaving(HostState::Changed));
    }
    if upgrade.is_written {
        let problem = product
            .stays_stopped(host, problem)
            .hint("go on: run the same command again, once that is mended")
            .hint(text!("or take back that run, which starts the old image: {}", ics_setup("revert")));
        return Err(not_reached(Some(upgrade), problem).leaving(HostState::Changed));
    }
    Ok(problem)
}

/// Ids of containers by service.
pub(super) fn ids(containers: &[Container]) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for container in containers {
        ids.entry(service_of(container).to_owned()).or_default().push(container.id.clone());
    }
    ids
}

/// Services whose containers do not see what the files say.
pub(super) fn stale(host: &dyn HostRead, home: &Path) -> Vec<String> {
    let facts = environment::look(host, home, Time::new(LOOK, LOOK));
    let services = facts.services.and_then(Result::ok).unwrap_or_default();
    services.into_iter().filter(|service| !service.differences.is_empty()).map(|service| service.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;

    fn host() -> Double {
        let host = Double::installed();
        host.files.put_dir("/var/lib/ics-setup");
        host
    }

    fn product() -> Product {
        Product {
            home: PathBuf::from("/divvycloud"),
            compose: Compose::double(),
            before: ["interfaceserver", "scheduler", "worker"].map(|name| (name.to_owned(), Vec::new())).into(),
            services: Vec::new(),
            limits: Limits { healthy: Duration::ZERO, migrate: Duration::ZERO },
            remounted: Vec::new(),
            stopped: None,
            calm: None,
            upgrade: Some(Upgrade::double(&["interfaceserver", "worker"])),
            hosts: None,
        }
    }

    fn ran(host: &Double) -> Vec<String> {
        let ran = host.ran.lock().unwrap();
        ran.iter().map(|own| own.argv.join(" ")).filter(|line| line.starts_with("docker-compose ")).collect()
    }

    #[test]
    fn what_waits_for_the_scheduler_does_not_start_it() {
        let host = host().prints("docker-compose", "");
        product().launch(&host, Start::On, &Ignored::default()).unwrap();
        assert_eq!(ran(&host), ["docker-compose up -d --no-deps interfaceserver worker", "docker-compose up -d"]);
    }

    #[test]
    fn what_was_started_before_a_refusal_is_stopped_where_the_files_stay() {
        let problem = || Problem::host(id::UPGRADE_HOSTS, "other hosts");
        let said = |host: &Double| product().stays_stopped(host, problem()).hints[0].text().to_string();
        let stops = host().prints("docker-compose", "");
        assert!(said(&stops).contains("the product stays stopped"));
        assert_eq!(ran(&stops), ["docker-compose stop scheduler worker", "docker-compose stop interfaceserver"]);
        assert!(said(&host().fails("docker-compose", "no")).contains("what else runs could not be stopped"));
    }
}
