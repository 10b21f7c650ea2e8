//! The wait until the product is well: what is looked at, how often, and what is said where it will not be.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Product;
use crate::converge::Doing;
use crate::deploy::compose::Compose;
use crate::deploy::health::{Failure, Health, Poll, SCHEMA_WAITING, State};
use crate::deploy::hosts::Saying;
use crate::deploy::pulse::{ASK, Pulse};
use crate::deploy::{LOOK, no_answer};
use crate::docker::text::seconds_of;
use crate::docker::{self, compose};
use crate::host::{HostRead, HostWrite};
use crate::mysql::Waits;
use crate::net::Time;
use crate::problem::{HostState, Problem, id};
use crate::product::images::{Step, step};
use crate::product::{Known, Line, Place, containers, is_product, logs, own_containers};
use crate::redact::Redactor;
use crate::settings::STATE;
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{Foreign, Text, as_root, ics_setup, own, typed};

/// So long after a look at the containers there is another,
const PAUSE: Duration = Duration::from_secs(1);
/// and so long where the interface is well.
const WELL: Duration = Duration::from_millis(300);

/// Logs, which cost one call of docker for each container, are read when nothing has answered for so long,
const SILENT: Duration = Duration::from_secs(3);
/// and again after so long.
const LOGS: Duration = Duration::from_secs(5);

/// Whoever waits for the schema says so again and again: where nobody has for so many seconds, that wait is over, whatever else
/// keeps the product from being well.
const WAITING: u64 = 120;

/// Where the host with the scheduler does not hear of it.
const SILENT_WAIT: &str =
    "that this host waits cannot be said to the others: MySQL cannot be asked, or the image has no plain name";

/// So many of the last lines of a container that failed are shown.
const LAST_LINES: &str = "20";

/// What the logs say, as far as they were read.
struct Lines {
    hits: Vec<(String, usize)>,
    /// How long after the begin of the wait they are read.
    next: Duration,
}

impl Product {
    /// Until it is healthy.
    pub(super) fn wait(
        &self,
        host: &dyn HostRead,
        doing: &mut Doing<'_, '_>,
        health: &mut Health,
        pulse: &mut Pulse,
        since: u64,
    ) -> Result<(), Problem> {
        let (began, mut told) = (Instant::now(), None);
        let mut lines = Lines { hits: Vec::new(), next: SILENT };
        let mut looked: Option<(Instant, bool)> = None;
        let services = Place::look(host, &self.home).services(host, &self.home);
        let waits = self.waits(services.as_deref(), doing.context.run.clone());
        let no_scheduler = self.has_no_scheduler(services.as_deref());
        // Once it has waited, it has the image of those that wait, to the end.
        let mut saying: Option<Saying> = None;
        loop {
            pulse.ask();
            let is_well = pulse.is_well();
            let pause = if is_well { WELL } else { PAUSE };
            if looked.is_none_or(|(at, was_well)| was_well != is_well || at.elapsed() >= pause) {
                let at = began.elapsed();
                // Where nothing can be asked, what the containers say is all that there is.
                let speaks = pulse.has_interface();
                if !speaks || (!is_well && at >= lines.next) {
                    lines = Lines { hits: self.read_logs(host, since, speaks), next: began.elapsed() + LOGS };
                }
                let (at, mut poll) = (began.elapsed(), self.poll(host, pulse, &lines)?);
                poll.no_scheduler = no_scheduler;
                let state = health.see(at, &poll).map_err(|failure| {
                    poll.log = self.read_logs(host, since, true);
                    let problem = unhealthy(&failure, &poll, &self.compose);
                    match self.last_words(host, &failure, &doing.context.redactor) {
                        Some(lines) => problem.excerpt(lines),
                        None => problem,
                    }
                })?;
                if told.replace(state) != Some(state) {
                    if saying.is_none() && no_scheduler && state == State::Migrating {
                        saying = self.hosts.as_ref().zip(waits.as_ref()).and_then(|(hosts, waits)| hosts.say(waits));
                        if saying.is_none() {
                            doing.remark(&SILENT_WAIT.into());
                        }
                    }
                    doing.tell_after(&state.sentence(&poll), began.elapsed());
                }
                doing.moving(&poll.measure());
                if state == State::Healthy {
                    return Ok(());
                }
                looked = Some((Instant::now(), is_well));
            }
            if self.calm.as_ref().is_some_and(Uninterrupted::take_arrived) {
                let message = "cancelled while the product was starting; it goes on with that";
                return Err(Problem::host(id::CANCELLED, message)
                    .hint_command(ics_setup("check runtime"))
                    .leaving(HostState::Committed));
            }
            std::thread::sleep(ASK);
        }
    }

    /// Looks at the containers once.
    fn poll(&self, host: &dyn HostRead, pulse: &Pulse, lines: &Lines) -> Result<Poll, Problem> {
        let began = Instant::now();
        let found = own_containers(host, &self.home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        let seen = containers::of(host, &self.home, &found);
        Ok(Poll {
            status: pulse.status,
            has_interface: pulse.has_interface(),
            wanted: seen.wanted.unwrap_or_else(|| self.expected()),
            services: seen.services,
            log: lines.hits.clone(),
            took: began.elapsed(),
            ..Poll::default()
        })
    }

    /// Is this host to run no scheduler, as far as its files say, or what ran before?
    fn has_no_scheduler(&self, services: Option<&[compose::Service]>) -> bool {
        let known = Known::get();
        match services {
            Some(services) => !services.iter().any(|own| known.is_scheduler(&own.name, own.command())),
            None => !self.before.is_empty() && !self.before.keys().any(|name| known.is_scheduler(name, "")),
        }
    }

    /// What it says of itself while it waits for the scheduler of another host; `None`: its services have several images.
    fn waits(&self, services: Option<&[compose::Service]>, run: Option<String>) -> Option<Waits> {
        let own = Known::get().of_product(services?, |own| (&own.name, own.image.as_deref()));
        let mut images = own.into_iter().filter_map(|own| own.image.as_deref());
        let image = images.next()?;
        images.all(|other| step(image, other) == Step::Same).then(|| Waits { run, image: image.to_owned() })
    }

    /// Known lines of the logs since then, by name, and how often each; `all`, or those alone after which a container has said
    /// nothing else. What cannot be read says nothing.
    fn read_logs(&self, host: &dyn HostRead, since: u64, all: bool) -> Vec<(String, usize)> {
        let lines = logs::look(host, &self.home, Time::new(LOOK, LOOK)).logs.and_then(Result::ok).unwrap_or_default();
        let now = seconds_of(host.now());
        // What a container has said last holds for it until it says something else, however long ago that was.
        let is_new = |hit: &logs::Hit| {
            let counts =
                |last| if all { counts(&hit.name, last, since, now) } else { hit.said_last > 0 && last >= since };
            hit.last.is_some_and(counts)
        };
        lines.hits.into_iter().filter(is_new).map(|hit| (hit.name, hit.count)).collect()
    }

    /// What ran before, where the compose file is not understood.
    fn expected(&self) -> Vec<containers::Wanted> {
        let count = |ids: &Vec<String>| u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let wanted = |(service, ids): (&String, _)| containers::Wanted { service: service.clone(), count: count(ids) };
        self.before.iter().map(wanted).collect()
    }

    /// The last lines of the container that failed, without secrets.
    fn last_words(&self, host: &dyn HostRead, failure: &Failure, redactor: &Redactor) -> Option<Text> {
        let container = failure.container()?;
        let output = docker::run(host, Time::new(LOOK, LOOK), &["logs", "--tail", LAST_LINES, container]).ok()?;
        let said = [output.stdout, output.stderr].concat();
        let said = redactor.foreign(&String::from_utf8_lossy(&said));
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let lines = &lines[lines.len().saturating_sub(20)..];
        let numbered = lines.iter().map(|line| text!("  {} | {}", Foreign::new(container), Foreign::new(*line)));
        (!lines.is_empty()).then(|| Text::join(numbered, "\n"))
    }

    /// Keeps the last lines of each container where root alone can read them; `None`: there are none, or no place for them.
    pub(in crate::deploy) fn keep_logs(&self, host: &dyn HostWrite, redactor: &Redactor) -> Option<PathBuf> {
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
}

/// Does a line of the logs count, whose last time was this? All in seconds of the host's clock.
fn counts(name: &str, last: u64, since: u64, now: u64) -> bool {
    last >= since && (name != SCHEMA_WAITING || last + WAITING >= now)
}

/// The known line of that name.
fn known_line(name: &str) -> Option<&'static Line> {
    Known::get().log.iter().find(|line| line.name == name)
}

/// Why the product will not be well.
fn unhealthy(failure: &Failure, poll: &Poll, compose: &Compose) -> Problem {
    let message = match failure {
        Failure::CrashLoop { service, restarts, .. } => {
            text!("{} ends again and again: {} times since the start", Foreign::new(service), own(restarts))
        }
        Failure::Ended { service, code: Some(code), .. } => {
            text!("{} ended with code {}", Foreign::new(service), own(code))
        }
        Failure::Ended { service, code: None, .. } => text!("{} could not be started", Foreign::new(service)),
        Failure::OutOfMemory { service, .. } => text!("{} was killed for want of memory", Foreign::new(service)),
        Failure::Rejected { name } => {
            let known = known_line(name);
            text!("the product cannot start: {}", own(known.map_or(name.as_str(), |line| line.title.as_str())))
        }
        Failure::Late { missing, .. } if !missing.is_empty() => {
            text!("containers are missing: {}", Foreign::new(missing.join(", ")))
        }
        Failure::Late { state: State::Migrating, .. } => "the schema of the database is still being upgraded".into(),
        Failure::Late { .. } if !poll.has_interface => match poll.log.first().and_then(|(name, _)| known_line(name)) {
            Some(line) => text!("containers wait: {}", own(&line.title)),
            None => "containers do not stay up".into(),
        },
        Failure::Late { .. } => match poll.status {
            Some(status) => text!("the web interface still answers {}", own(status)),
            None => "the web interface does not answer".into(),
        },
    };
    let problem = Problem::host(id::UNHEALTHY, message);
    let is_seen = |name: &str| poll.log.iter().any(|(own, _)| own == name);
    let known = Known::get().log.iter().find(|line| is_seen(&line.name));
    let problem = match known {
        Some(line) => problem.because(text!("the log says: {}; {}", own(&line.title), own(&line.cause))),
        None => problem,
    };
    match failure {
        Failure::OutOfMemory { .. } => problem.hint(text!("give the host more memory, or run fewer workers: {}", typed("--workers <N>"))),
        Failure::Late { state: State::Migrating, .. } => problem
            .hint("its containers were left running: an upgrade that is ended half way leaves a schema of neither release")
            .hint(match poll.no_scheduler {
                false => text!("watch it: {}", as_root(compose.shown("logs --tail 100 -f scheduler"))),
                true => text!("watch the scheduler on the host that runs it, and the others here: {}", as_root(compose.shown("logs --tail 100 -f"))),
            })
            .hint("once that has ended, run the same command again: it does what is left")
            .leaving(HostState::Changed),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::product::goes_on;

    #[test]
    fn a_wait_for_the_schema_is_over_when_nobody_speaks_of_it_any_more() {
        assert!(counts(SCHEMA_WAITING, 100, 90, 100 + WAITING) && !counts(SCHEMA_WAITING, 100, 90, 101 + WAITING));
        assert!(counts("other", 100, 90, 10_000) && !counts("other", 80, 90, 100));
    }

    #[test]
    fn an_upgrade_of_the_schema_that_takes_longer_is_not_taken_back() {
        let compose = Compose::double();
        let late = |state| unhealthy(&Failure::Late { state, missing: Vec::new() }, &Poll::default(), &compose);
        let slow = late(State::Migrating);
        assert!(goes_on(&slow) && slow.hints.iter().any(|hint| hint.text().contains("logs --tail 100 -f scheduler")));
        assert!(!goes_on(&late(State::Starting)) && !goes_on(&late(State::Answering)));
    }
}
