//! The product around a change of its files: stopped before, started after, proven healthy, or brought back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `compose` | Compose as a program |
//! | `databases` | databases, user and rights on MySQL |
//! | `health` | is it healthy, will it be, or not any more? |
//! | `preflight` | what is found before anything is written |
//! | `probe_container` | what a container of the product reaches |
//! | `marker` | which services a run has stopped, for the run that goes on |

mod compose;
mod databases;
mod health;
mod marker;
#[expect(dead_code, reason = "before install and reconfigure write")]
mod preflight;
#[expect(dead_code, reason = "before install starts the product")]
mod probe_container;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compose::Compose;
pub(crate) use databases::trial as databases_trial;
use health::{Failure, Health, Limits, Poll, State};

use crate::apply::{revert, runs};
use crate::converge::{Around, Doing, Nothing, RunContext};
use crate::docker::{self, Container, NoDocker};
use crate::host::{HostRead, HostWrite, View};
use crate::net::Time;
use crate::plan::{ContainerChange, Fate, Stage, StageId, StageState};
use crate::problem::{HostState, Problem, id};
use crate::product::{Known, Place, containers, environment, interface, logs, own_containers};
use crate::redact::Redactor;
use crate::settings::{Key, STATE};
use crate::signals::Uninterrupted;
use crate::targets::Phase;
use crate::text;
use crate::text::{Foreign, Text, as_root, ics_setup, own};
use crate::vendor::prod_env;

/// How long Docker may take to say what there is.
const LOOK: Duration = Duration::from_secs(20);

/// So often the product is looked at while it starts.
const PAUSE: Duration = Duration::from_secs(1);

/// What a verb does to the product around its change of files.
pub(crate) fn around<'h>(host: &'h dyn HostWrite, phase: Phase) -> Box<dyn Around + 'h> {
    match phase {
        Phase::Reconfigure => Box::new(Reconfigure { host, running: None }),
        Phase::Prepare | Phase::Install => Box::new(Nothing),
    }
}

/// `reconfigure` of a product that runs: images are there, so it is stopped, edited, and started.
struct Reconfigure<'h> {
    host: &'h dyn HostWrite,
    running: Option<Running>,
}

/// The product as it ran before.
struct Running {
    home: PathBuf,
    compose: Compose,
    /// Ids by service.
    before: BTreeMap<String, Vec<String>>,
    services: Vec<containers::Service>,
    limits: Limits,
    /// When it was stopped. From then on nobody ends the process before the product runs again.
    stopped: Option<(Instant, Uninterrupted)>,
}

impl Around for Reconfigure<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        self.running = None;
        let Some(settings) = &context.settings else { return Ok(()) };
        let (home, wanted) = (settings.home.clone(), settings.switch(Key::Restart));
        let limits =
            Limits { healthy: settings.duration(Key::HealthyWithin), migrate: settings.duration(Key::MigrateWithin) };
        if !self.host.is_live() || wanted == Some(false) {
            return Ok(());
        }
        let found = match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
            Ok(found) if !found.own.is_empty() => found,
            Ok(_) | Err(NoDocker::Absent | NoDocker::Down { .. }) => return Ok(()),
            Err(error) => return Err(no_answer(&error)),
        };
        let place = Place::look(self.host, &home);
        let is_up = |container: &Container| matches!(container.state.status.as_str(), "running" | "restarting");
        let was_stopped = marker::read(self.host)?;
        if wanted != Some(true) && !was_stopped && !found.own.iter().any(|one| is_product(one) && is_up(one)) {
            return Ok(());
        }
        let edited = context.plan.touches(&prod_env(&home));
        let stale = stale(self.host, &home);
        let readers = place.services(self.host, &home);
        let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for container in &found.own {
            before.entry(service_of(container)).or_default().push(container.id.clone());
        }
        let reads = |name: &str| match &readers {
            Some(services) => services.iter().any(|own| own.name == name && own.reads(&prod_env(&home))),
            None => Known::get().service(name).is_none_or(|known| known.product),
        };
        let change = |name: &String| {
            let anew = (edited && reads(name)) || stale.contains(name);
            ContainerChange { service: name.clone(), fate: if anew { Fate::Recreate } else { Fate::Keep } }
        };
        context.containers = before.keys().map(change).collect();
        let idle = context.containers.iter().all(|change| change.fate == Fate::Keep);
        if idle && !was_stopped && wanted != Some(true) {
            return Ok(());
        }
        let compose = Compose::of(self.host, &place, &home, &found.own)?;
        let services = containers::look(self.host, &home, Time::new(LOOK, LOOK));
        let services = services.docker.and_then(Result::ok).map(|seen| seen.services).unwrap_or_default();
        self.running = Some(Running { home, compose, before, services, limits, stopped: None });
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.running.is_none()
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let calm = Uninterrupted::begin();
        marker::write(self.host)?;
        running.stopped = Some((Instant::now(), calm));
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
        match running.start(self.host, doing) {
            Ok(()) => {
                doing.context.containers = running.changes(self.host)?;
                marker::clear(self.host)
            }
            Err(problem) if problem.id == id::CANCELLED => marker::clear(self.host).and(Err(problem)),
            Err(problem) => Err(self.bring_back(doing, problem, true)),
        }
    }
}

impl Reconfigure<'_> {
    /// What runs again, and how it ended: logs first, since going back removes the containers that have them; then the files
    /// as they were, and the product as it was.
    fn bring_back(&self, doing: &mut Doing<'_, '_>, problem: Problem, edited: bool) -> Problem {
        let Some(running) = &self.running else { return problem };
        doing.tell(&"that has failed; bringing the product back as it was".into());
        let problem = match running.keep_logs(self.host, &doing.context.redactor) {
            Some(path) => problem.hint(text!("what its containers said: {}", own(path.display()))),
            None => problem,
        };
        let undone = if edited { take_back(doing, self.host) } else { Ok(()) };
        let up = undone.and_then(|()| running.start(self.host, doing));
        let watch = as_root(running.compose.shown("ps"));
        match up {
            Ok(()) => {
                // That the marker stays is told by the next run; the product runs.
                let _ = marker::clear(self.host);
                doing.context.containers = running.changes(self.host).unwrap_or_default();
                let restored = HostState::Restored;
                problem.hint("the product runs again with the values of before").leaving(restored)
            }
            Err(second) => problem
                .hint(text!("it could not be brought back either: {}", second.sentence()))
                .hint_command(watch)
                .hint(text!("undo: {}", ics_setup("revert")))
                .leaving(HostState::Changed),
        }
    }
}

/// Takes the files of this run back.
fn take_back(doing: &Doing<'_, '_>, host: &dyn HostWrite) -> Result<(), Problem> {
    let Some(run) = doing.context.run.clone() else { return Ok(()) };
    let all = runs(host)?;
    let plan = revert::plan(&View::new(host), revert::choose(&all, Some(&run))?, &all, false)?;
    doing.session.apply(&plan, "revert", Some(&run)).map(drop)
}

impl Running {
    /// Services of the product's image that there are.
    fn product_services(&self) -> impl Iterator<Item = &str> {
        let is_of_product = |name: &&str| Known::get().service(name).is_none_or(|known| known.product);
        self.before.keys().map(String::as_str).filter(is_of_product)
    }

    /// Stops what works first, and the interface that people look at last.
    fn stop(&self, host: &dyn HostRead) -> Result<(), Problem> {
        let (web, others): (Vec<&str>, Vec<&str>) =
            self.product_services().partition(|name| name.eq_ignore_ascii_case("interfaceserver"));
        [others, web].into_iter().filter(|services| !services.is_empty()).try_for_each(|services| {
            // Without a time of ours, so that each container gets the grace that its file gives it.
            let arguments: Vec<&str> = ["stop"].into_iter().chain(services).collect();
            self.compose.run(host, &arguments).map(drop)
        })
    }

    /// Starts it, and waits until it is well and its containers see what the files say.
    fn start(&self, host: &dyn HostRead, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let began = Instant::now();
        doing.tell(&"starting the product".into());
        self.compose.run(host, &["up", "-d"])?;
        doing.context.stages.push(stage(StageId::Start, began, text!("")));
        let began = Instant::now();
        self.wait(host, doing)?;
        let down = self.stopped.as_ref().map_or(Duration::ZERO, |(stopped, _)| stopped.elapsed());
        let detail = text!("down for {}", own(crate::net::seconds(down)));
        doing.context.stages.push(stage(StageId::Healthy, began, detail));
        let began = Instant::now();
        if let Some(service) = stale(host, &self.home).first() {
            let message = text!("{} does not see what prod.env says", Foreign::new(service));
            return Err(Problem::host(id::VERIFY_FAILED, message).hint_command(ics_setup("check runtime")));
        }
        doing.context.stages.push(stage(StageId::Verify, began, text!("")));
        Ok(())
    }

    /// Until it is healthy.
    fn wait(&self, host: &dyn HostRead, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let mut health = Health::new(self.limits, &self.services);
        let (began, mut told) = (Instant::now(), None);
        loop {
            let poll = self.poll(host)?;
            let state =
                health.see(began.elapsed(), &poll).map_err(|failure| unhealthy(&failure, &poll, &self.compose))?;
            if told.replace(state) != Some(state) {
                doing.tell(&state.sentence());
            }
            if state == State::Healthy {
                return Ok(());
            }
            if self.stopped.as_ref().is_some_and(|(_, calm)| calm.take_arrived()) {
                let message = "cancelled while the product was starting; it goes on with that";
                return Err(Problem::host(id::CANCELLED, message)
                    .hint_command(ics_setup("check runtime"))
                    .leaving(HostState::Committed));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn poll(&self, host: &dyn HostRead) -> Result<Poll, Problem> {
        let time = || Time::new(LOOK, LOOK);
        let seen = match containers::look(host, &self.home, time()).docker {
            Some(Ok(seen)) => seen,
            Some(Err(error)) => return Err(no_answer(&error)),
            None => return Err(Problem::bug("a product without a folder was started")),
        };
        let asked = interface::look(host, &self.home, time());
        let lines = logs::look(host, &self.home, time()).logs.and_then(Result::ok).unwrap_or_default();
        Ok(Poll {
            status: asked.asked.as_ref().and_then(|asked| Some(asked.answer.as_ref().ok()?.status)),
            has_interface: !asked.not_here,
            wanted: seen.wanted.unwrap_or_else(|| self.expected()),
            services: seen.services,
            log: lines.hits.into_iter().map(|hit| hit.name).collect(),
        })
    }

    /// What ran before, where the compose file is not understood.
    fn expected(&self) -> Vec<containers::Wanted> {
        let count = |ids: &Vec<String>| u32::try_from(ids.len()).unwrap_or(u32::MAX);
        self.before
            .iter()
            .map(|(service, ids)| containers::Wanted { service: service.clone(), count: count(ids) })
            .collect()
    }
}

impl Running {
    /// Keeps the last lines of each container where root alone can read them; `None`: there are none, or no place for them.
    fn keep_logs(&self, host: &dyn HostWrite, redactor: &Redactor) -> Option<PathBuf> {
        let found = own_containers(host, &self.home, Time::new(LOOK, LOOK)).ok()?;
        let mut text = String::new();
        for container in found.own.iter().filter(|one| is_product(one)) {
            let arguments = ["logs", "--timestamps", "--tail", "200", container.id.as_str()];
            let Ok(output) = docker::run(host, Time::new(LOOK, LOOK), &arguments) else { continue };
            text.push_str(&format!("== {}\n", container.state.name));
            for stream in [&output.stdout, &output.stderr] {
                text.push_str(&redactor.foreign(&String::from_utf8_lossy(stream)));
            }
        }
        let path = PathBuf::from(STATE).join("failed-start.log");
        let write = || {
            match host.remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = host.create(&path, 0o600)?;
            file.write_all(text.as_bytes())?;
            file.sync()
        };
        write().ok().map(|()| path)
    }

    /// What has become of each service's containers since before.
    fn changes(&self, host: &dyn HostRead) -> Result<Vec<ContainerChange>, Problem> {
        let found = own_containers(host, &self.home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        let mut after: BTreeMap<String, Vec<String>> = BTreeMap::new();
        found.own.into_iter().for_each(|one| after.entry(service_of(&one)).or_default().push(one.id));
        let change = |(service, ids): (String, Vec<String>)| {
            let fate = match self.before.get(&service) {
                None => Fate::Create,
                Some(before) if before.iter().all(|id| ids.contains(id)) => Fate::Keep,
                Some(_) => Fate::Recreate,
            };
            ContainerChange { service, fate }
        };
        Ok(after.into_iter().map(change).collect())
    }
}

/// The service that a container is of; its name, where no label says.
fn service_of(container: &Container) -> String {
    container.service.clone().unwrap_or_else(|| container.state.name.clone())
}

fn is_product(container: &Container) -> bool {
    Known::get().service(&service_of(container)).is_none_or(|known| known.product)
}

/// Services whose containers do not see what the files say.
fn stale(host: &dyn HostRead, home: &Path) -> Vec<String> {
    let facts = environment::look(host, home, Time::new(LOOK, LOOK));
    let services = facts.services.and_then(Result::ok).unwrap_or_default();
    services.into_iter().filter(|service| !service.differences.is_empty()).map(|service| service.name).collect()
}

fn stage(id: StageId, began: Instant, detail: Text) -> Stage {
    Stage { id, state: StageState::Changed, seconds: began.elapsed().as_secs_f64(), detail }
}

fn no_answer(error: &NoDocker) -> Problem {
    let why: Text = match error {
        NoDocker::Absent => "there is no docker command".into(),
        NoDocker::Down { why } | NoDocker::Denied { why } | NoDocker::Odd { why } => text!("{}", why),
        NoDocker::Late { millis } => text!("no answer within {} ms", own(millis)),
    };
    Problem::host(id::DOCKER_SILENT, "Docker does not say which containers there are")
        .because(why)
        .hint_command(as_root("docker ps -a"))
}

/// Why the product will not be well.
fn unhealthy(failure: &Failure, poll: &Poll, compose: &Compose) -> Problem {
    let (message, service) = match failure {
        Failure::CrashLoop { service, restarts, .. } => (
            text!("{} ends again and again: {} times since the start", Foreign::new(service), own(restarts)),
            Some(service),
        ),
        Failure::Ended { service, code: Some(code), .. } => {
            (text!("{} ended with code {}", Foreign::new(service), own(code)), Some(service))
        }
        Failure::Ended { service, code: None, .. } => {
            (text!("{} could not be started", Foreign::new(service)), Some(service))
        }
        Failure::OutOfMemory { service, .. } => {
            (text!("{} was killed for want of memory", Foreign::new(service)), Some(service))
        }
        Failure::Late { missing, .. } if !missing.is_empty() => {
            (text!("containers are missing: {}", Foreign::new(missing.join(", "))), missing.first())
        }
        Failure::Late { .. } => (
            match poll.status {
                Some(status) => text!("the web interface still answers {}", own(status)),
                None => "the web interface does not answer".into(),
            },
            None,
        ),
    };
    let problem = Problem::host(id::UNHEALTHY, message);
    let known = Known::get().log.iter().find(|line| poll.log.contains(&line.name));
    let problem = match known {
        Some(line) => problem.because(text!("the log says: {}; {}", own(&line.title), own(&line.cause))),
        None => problem,
    };
    problem.hint_command(as_root(compose.shown(&format!("logs --tail 50 {}", service.map_or("", String::as_str)))))
}
