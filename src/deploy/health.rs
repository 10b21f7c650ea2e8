//! Is the product healthy, will it be, or not any more?
//!
//! `up -d` succeeds as soon as containers are started, whatever they do next (measured with Compose 1.29 and 2.40), and `/Status`
//! may answer before the workers are well. So both count, twice in a row; and a container that is started again and again
//! ends the wait at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::product::Known;
use crate::product::containers::{One, Service, Wanted};
use crate::text;
use crate::text::{Text, own};

/// So many polls in a row have to find everything well,
const STEADY: u32 = 2;
/// and every container has to be in the same run for so long: one that ends soon after its start, again and again, may be
/// running in two polls that lie close together.
const LASTING: Duration = Duration::from_secs(3);
/// A container that was started again meanwhile, and all of a product that is brought back or has no interface that would speak
/// for them, have more to prove: so long Docker itself takes no run for a good one.
pub(super) const PROVEN: Duration = Duration::from_secs(10);

/// The line of whoever waits for the database's schema, by its name in `assets/runtime.toml`.
pub(super) const SCHEMA_WAITING: &str = "schema-waiting";

/// A line that does not pass by itself counts when it came again in so many polls,
const REPEATED: u32 = 4;
/// and not before this long after the start.
const SETTLED: Duration = Duration::from_secs(20);

/// What one look at the product found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Poll {
    /// What `/Status` answered; `None`: it did not. A host without an interface has none to ask.
    pub(crate) status: Option<u16>,
    /// Does this host run the interface?
    pub(crate) has_interface: bool,
    /// Is this host to run no scheduler?
    pub(crate) no_scheduler: bool,
    /// What the compose file asks for.
    pub(crate) wanted: Vec<Wanted>,
    /// What there is.
    pub(crate) services: Vec<Service>,
    /// Known log lines since the start, by name, and how often each, as they were read last; on a host without an interface
    /// those alone that a container has said last.
    pub(crate) log: Vec<(String, usize)>,
    /// How long it took to look.
    pub(crate) took: Duration,
}

impl Poll {
    /// How far it is.
    pub(crate) fn measure(&self) -> Text {
        let runs = |(service, one): &(&str, &One)| is_expected(self, service) && one.status == "running";
        let running = every(&self.services).filter(runs).count();
        text!("{} of {} running", own(running), own(self.wanted.iter().map(|wanted| wanted.count).sum::<u32>()))
    }

    /// Does a container say that it can do no work, on a host without an interface that would say so?
    fn is_idle(&self) -> bool {
        self.log.iter().any(|(name, _)| Known::get().log.iter().any(|line| line.name == *name && line.idle))
    }
}

/// Where the wait stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Containers are being started, or `/Status` does not answer yet.
    Starting,
    /// The scheduler brings the schema of the database to its release; everything else waits for it.
    Migrating,
    /// `/Status` answers; containers are not steady yet.
    Answering,
    /// All is well.
    Healthy,
}

impl State {
    /// For whoever waits.
    pub(crate) fn sentence(self, poll: &Poll) -> Text {
        Text::from(match self {
            Self::Starting if !poll.has_interface => "waiting until all containers run and do their work",
            Self::Starting => "waiting for the product to answer",
            Self::Migrating if poll.no_scheduler => {
                "the schema of the database is not that of this release; waiting for the scheduler of another host"
            }
            Self::Migrating => "the scheduler upgrades the schema of the database; the others wait for it",
            Self::Answering if !poll.has_interface => "its containers run; waiting until they are steady",
            Self::Answering => "it answers; waiting until its containers are steady",
            Self::Healthy => "it is healthy",
        })
    }
}

/// Why the wait is over without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was started again and again.
    CrashLoop { service: String, container: String, restarts: u64 },
    /// It ended and is not started again, or could not be started.
    Ended { service: String, container: String, code: Option<i64> },
    /// The kernel killed it for want of memory.
    OutOfMemory { service: String, container: String },
    /// It says again and again what does not pass by itself.
    Rejected { name: String },
    /// Not well in time.
    Late { state: State, missing: Vec<String> },
}

impl Failure {
    /// Its container.
    pub(crate) fn container(&self) -> Option<&str> {
        match self {
            Self::CrashLoop { container, .. } | Self::Ended { container, .. } | Self::OutOfMemory { container, .. } => {
                Some(container)
            }
            Self::Late { .. } | Self::Rejected { .. } => None,
        }
    }
}

/// How long may be waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Until it is healthy.
    pub(crate) healthy: Duration,
    /// The same while the schema of the database is upgraded.
    pub(crate) migrate: Duration,
}

/// Where a start leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// To what was wanted.
    On,
    /// To how it was: the run has failed.
    Back,
}

/// A container from one start to its end.
#[derive(Clone, Copy, Debug)]
struct Run {
    restarts: u64,
    started: Option<u64>,
    /// When it was there for certain.
    seen: Duration,
}

/// The wait, poll by poll.
pub(crate) struct Health {
    limits: Limits,
    way: Start,
    /// Restarts of each container when it was first seen.
    base: BTreeMap<String, u64>,
    /// The run of each container at the last poll.
    last: BTreeMap<String, Run>,
    steady: u32,
    migrated_until: Option<Duration>,
    /// How often each line was there that does not pass by itself, and how many polls found more of it.
    refused: BTreeMap<String, (usize, u32)>,
}

impl Health {
    /// Before the start: the containers that are there, which a start may keep.
    pub(crate) fn new(limits: Limits, before: &[Service], way: Start) -> Self {
        let base = every(before).map(|(_, one)| (one.name.clone(), one.restarts)).collect();
        Self { limits, way, base, last: BTreeMap::new(), steady: 0, migrated_until: None, refused: BTreeMap::new() }
    }

    /// What the poll makes of it, which began so long `since` the start.
    ///
    /// # Errors
    /// It will not be healthy.
    pub(crate) fn see(&mut self, since: Duration, poll: &Poll) -> Result<State, Failure> {
        let (mut steady, mut lasting) = (true, true);
        for (service, one) in every(&poll.services).filter(|(service, _)| is_expected(poll, service)) {
            let base = match self.base.get(&one.name) {
                // A container that was created anew under the same name counts from nought.
                Some(base) if *base <= one.restarts => *base,
                _ => 0,
            };
            self.base.insert(one.name.clone(), base);
            let named = || (service.to_owned(), one.name.clone());
            if one.oom_killed && one.restarts >= base && (one.restarts > base || one.status != "running") {
                let (service, container) = named();
                return Err(Failure::OutOfMemory { service, container });
            }
            if one.restarts >= base + Known::get().restarts.loop_count {
                let (service, container) = named();
                return Err(Failure::CrashLoop { service, container, restarts: one.restarts - base });
            }
            let neighbours_run =
                || every(&poll.services).any(|(other, one)| other != service && one.status == "running");
            let stuck = one.status == "created" && !one.error.raw().is_empty() && neighbours_run();
            if matches!(one.status.as_str(), "exited" | "dead") || stuck {
                let (service, container) = named();
                return Err(Failure::Ended { service, container, code: one.exit_code });
            }
            let same = |run: &&Run| (run.restarts, run.started) == (one.restarts, one.started);
            let before = self.last.get(&one.name).filter(same).copied();
            let new = Run { restarts: one.restarts, started: one.started, seen: since + poll.took };
            let run = before.unwrap_or(new);
            self.last.insert(one.name.clone(), run);
            steady &= one.status == "running" && before.is_some();
            let has_more_to_prove = self.way == Start::Back || one.restarts > base || !poll.has_interface;
            let enough = if has_more_to_prove { PROVEN } else { LASTING };
            // Who gives it little time gets an answer all the same.
            lasting &= since.saturating_sub(run.seen) >= enough.min(self.limits.healthy / 2);
        }
        let missing = missing(poll);
        let answers = if poll.has_interface { poll.status == Some(200) } else { !poll.is_idle() };
        if !answers
            && steady
            && let Some(name) = self.rejected(since, poll)
        {
            return Err(Failure::Rejected { name });
        }
        let state = match (answers, steady && missing.is_empty()) {
            (true, true) => {
                self.steady += 1;
                if self.steady >= STEADY && lasting { State::Healthy } else { State::Answering }
            }
            (true, false) => State::Answering,
            // The same line is printed for ever by a release that is older than its schema; then the scheduler restarts.
            (false, true) if poll.log.iter().any(|(name, _)| name == SCHEMA_WAITING) => {
                self.migrated_until = Some(since);
                State::Migrating
            }
            (false, _) => State::Starting,
        };
        if !(answers && steady && missing.is_empty()) {
            self.steady = 0;
        }
        let late = if state == State::Migrating { self.limits.migrate } else { self.limits.healthy };
        // What was migrated until now gets the usual time from then on.
        let from = self.migrated_until.filter(|_| state != State::Migrating).unwrap_or_default();
        if state != State::Healthy && since.saturating_sub(from) >= late {
            return Err(Failure::Late { state, missing });
        }
        Ok(state)
    }
}

impl Health {
    /// A line that does not pass by itself, and that came again in several polls after everything had had its time to start:
    /// a database that creates its accounts refuses everybody for some seconds.
    fn rejected(&mut self, since: Duration, poll: &Poll) -> Option<String> {
        for (name, count) in &poll.log {
            if !Known::get().log.iter().any(|line| line.name == *name && line.lasting) {
                continue;
            }
            let (before, times) = self.refused.entry(name.clone()).or_default();
            if *count > *before {
                (*before, *times) = (*count, *times + 1);
            }
            if *times >= REPEATED && since >= SETTLED {
                return Some(name.clone());
            }
        }
        None
    }
}

fn every(services: &[Service]) -> impl Iterator<Item = (&str, &One)> {
    services.iter().flat_map(|service| service.containers.iter().map(|one| (service.name.as_str(), one)))
}

fn is_expected(poll: &Poll, service: &str) -> bool {
    poll.wanted.iter().any(|wanted| wanted.service == service)
}

/// Services with fewer containers than the compose file asks for.
fn missing(poll: &Poll) -> Vec<String> {
    let count = |name: &str| poll.services.iter().find(|own| own.name == name).map_or(0, |own| own.containers.len());
    let short = poll
        .wanted
        .iter()
        .filter(|wanted| count(&wanted.service) < usize::try_from(wanted.count).unwrap_or(usize::MAX));
    short.map(|wanted| wanted.service.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { healthy: Duration::from_secs(600), migrate: Duration::from_secs(7200) };

    fn one(status: &str, restarts: u64) -> One {
        One { name: "c".to_owned(), status: status.to_owned(), restarts, ..One::default() }
    }

    fn poll(status: Option<u16>, one: One) -> Poll {
        Poll {
            status,
            has_interface: true,
            wanted: vec![Wanted { service: "worker".to_owned(), count: 1 }],
            services: vec![Service { name: "worker".to_owned(), containers: vec![one] }],
            ..Poll::default()
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn well_is_an_answer_and_the_same_containers_in_two_polls() {
        let mut health = Health::new(LIMITS, &[], Start::On);
        assert_eq!(health.see(at(0), &poll(None, one("running", 0))), Ok(State::Starting));
        assert_eq!(health.see(at(1), &poll(Some(200), one("running", 0))), Ok(State::Answering));
        assert_eq!(health.see(at(2), &poll(Some(200), one("restarting", 1))), Ok(State::Answering));
        assert_eq!(health.see(at(3), &poll(Some(200), one("running", 1))), Ok(State::Answering));
        assert_eq!(health.see(at(4), &poll(Some(200), one("running", 1))), Ok(State::Answering));
        assert_eq!(health.see(at(11), &poll(Some(200), one("running", 1))), Ok(State::Answering));
        assert_eq!(health.see(at(12), &poll(Some(200), one("running", 1))), Ok(State::Healthy));
        let mut none = poll(Some(200), one("running", 1));
        none.services.clear();
        assert_eq!(health.see(at(14), &none), Ok(State::Answering));
        // A container that somebody has started anew is another run, though nothing counts that.
        let mut health = Health::new(LIMITS, &[], Start::On);
        let started = |second| poll(Some(200), One { started: Some(second), ..one("running", 0) });
        for (second, run, state) in [(0, 1, State::Answering), (3, 1, State::Answering), (6, 2, State::Answering)] {
            assert_eq!(health.see(at(second), &started(run)), Ok(state));
        }
    }

    #[test]
    fn what_ends_again_and_again_is_never_well() {
        // Docker waits 100 ms before it starts a container again, and twice as long each time.
        let ends = |milli: u64, lasts: u64| {
            let (mut begin, mut pause, mut restarts) = (0, 100, 0);
            while milli >= begin + lasts + pause {
                (begin, pause, restarts) = (begin + lasts + pause, 2 * pause, restarts + 1);
            }
            one(if milli < begin + lasts { "running" } else { "restarting" }, restarts)
        };
        // Within three seconds where everything answers at once; later where that takes as long, or on the way back.
        for (way, lasts, answers) in [
            (Start::On, 2000, 0),
            (Start::On, 2900, 0),
            (Start::On, 7000, 7200),
            (Start::Back, 2900, 0),
            (Start::Back, 9500, 0),
        ] {
            for first in (0..4500).step_by(70) {
                for pause in [200, 330, 1000, 1900, 2100] {
                    let mut health = Health::new(LIMITS, &[], way);
                    let found = (0..).map(|look| first + look * pause).map(|milli| {
                        let status = if milli < answers { None } else { Some(200) };
                        health.see(Duration::from_millis(milli - first), &poll(status, ends(milli, lasts)))
                    });
                    let end = found.take_while(|state| *state != Ok(State::Healthy)).find(Result::is_err);
                    assert!(
                        matches!(end, Some(Err(Failure::CrashLoop { .. }))),
                        "{way:?} {lasts} {first} {pause}: {end:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn two_looks_that_lie_close_together_count_where_the_run_has_lasted() {
        let mut health = Health::new(LIMITS, &[], Start::On);
        let millis = Duration::from_millis;
        for milli in [0, 300, 2900] {
            assert_ne!(health.see(millis(milli), &poll(Some(503), one("running", 0))), Ok(State::Healthy));
        }
        assert_eq!(health.see(millis(3100), &poll(Some(200), one("running", 0))), Ok(State::Answering));
        assert_eq!(health.see(millis(3400), &poll(Some(200), one("running", 0))), Ok(State::Healthy));
    }

    #[test]
    fn a_loop_an_end_and_want_of_memory_end_the_wait_at_once() {
        // Restarts of before do not count, those of a container of the same name that is new do.
        let before = [Service { name: "worker".to_owned(), containers: vec![one("running", 7)] }];
        let mut health = Health::new(LIMITS, &before, Start::On);
        assert_eq!(health.see(at(1), &poll(None, one("running", 9))), Ok(State::Starting));
        assert!(matches!(
            health.see(at(2), &poll(None, one("running", 10))),
            Err(Failure::CrashLoop { restarts: 3, .. })
        ));
        let mut health = Health::new(LIMITS, &before, Start::On);
        assert_eq!(health.see(at(1), &poll(None, one("running", 2))), Ok(State::Starting));
        assert!(matches!(health.see(at(2), &poll(None, one("restarting", 3))), Err(Failure::CrashLoop { .. })));
        let mut health = Health::new(LIMITS, &[], Start::On);
        let ended = One { exit_code: Some(4), ..one("exited", 0) };
        assert!(matches!(health.see(at(1), &poll(Some(200), ended)), Err(Failure::Ended { code: Some(4), .. })));
        let killed = One { oom_killed: true, ..one("running", 1) };
        assert!(matches!(health.see(at(1), &poll(None, killed)), Err(Failure::OutOfMemory { .. })));
    }

    #[test]
    fn without_an_interface_steady_containers_that_do_not_wait_are_well() {
        let alone = |log: &[&str]| Poll {
            has_interface: false,
            no_scheduler: true,
            log: log.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            ..poll(None, one("running", 0))
        };
        let mut health = Health::new(LIMITS, &[], Start::On);
        for (second, state) in
            [(0, State::Answering), (1, State::Answering), (9, State::Answering), (10, State::Healthy)]
        {
            assert_eq!(health.see(at(second), &alone(&[])), Ok(state), "{second}");
        }
        // The schema is brought by another host, which may take longer; what does not pass by itself ends it.
        let mut health = Health::new(LIMITS, &[], Start::On);
        let waiting = alone(&[SCHEMA_WAITING]);
        assert_eq!(health.see(at(0), &waiting), Ok(State::Starting));
        assert_eq!(health.see(at(7199), &waiting), Ok(State::Migrating));
        assert!(State::Migrating.sentence(&waiting).contains("of another host"));
        assert_eq!(health.see(at(7199), &alone(&[])), Ok(State::Answering));
        assert_eq!(health.see(at(7199), &alone(&[])), Ok(State::Healthy));
        let mut health = Health::new(LIMITS, &[], Start::On);
        health.see(at(0), &waiting).unwrap();
        let late = Failure::Late { state: State::Migrating, missing: Vec::new() };
        assert_eq!(health.see(at(7200), &waiting), Err(late));
        let mut health = Health::new(LIMITS, &[], Start::On);
        for second in 0..600 {
            assert_eq!(health.see(at(second), &alone(&["database-unreachable"])), Ok(State::Starting));
        }
        assert!(health.see(at(600), &alone(&["database-unreachable"])).is_err());
    }

    #[test]
    fn a_migration_is_waited_for_only_while_the_scheduler_is_steady() {
        let mut health = Health::new(LIMITS, &[], Start::On);
        let waiting = |one: One| Poll { log: vec![(SCHEMA_WAITING.to_owned(), 1)], ..poll(Some(503), one) };
        assert_eq!(health.see(at(1), &waiting(one("running", 0))), Ok(State::Starting));
        assert_eq!(health.see(at(2), &waiting(one("running", 0))), Ok(State::Migrating));
        assert_eq!(health.see(at(3000), &waiting(one("running", 0))), Ok(State::Migrating));
        assert_eq!(health.see(at(3100), &poll(None, one("running", 0))), Ok(State::Starting));
        assert_eq!(health.see(at(3101), &poll(Some(200), one("running", 0))), Ok(State::Answering));
        assert_eq!(health.see(at(3102), &poll(Some(200), one("running", 0))), Ok(State::Healthy));
        let mut health = Health::new(LIMITS, &[], Start::On);
        assert_eq!(
            health.see(at(600), &waiting(one("restarting", 1))),
            Err(Failure::Late { state: State::Starting, missing: Vec::new() })
        );
    }
}
