//! `/Status` of a product that starts. It is asked often and on a connection of its own: an answer costs little beside a look at
//! the containers, which is some calls of docker.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::LOOK;
use crate::host::HostRead;
use crate::net::Time;
use crate::product::{Place, interface};

/// So long after an answer it is asked again.
pub(super) const ASK: Duration = Duration::from_millis(200);

/// How long an answer may take while something else is done, whose end would have to wait for it.
const BESIDE: Duration = Duration::from_secs(2);

/// The interface, as it answered last.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Address and port; `None`: this host has no interface.
    at: Option<(String, u16)>,
    /// What it answered last; `None`: it did not.
    pub(super) status: Option<u16>,
    /// Since when it is, or was, down.
    since: Option<Instant>,
    /// How long it was, until its first 200.
    pub(super) down: Option<Duration>,
}

impl Pulse {
    /// The interface of the product whose folder is `home`; `since`: it was stopped then.
    pub(super) fn new(host: &dyn HostRead, home: &Path, since: Option<Instant>) -> Self {
        let at = interface::address(host, home, &Place::look(host, home));
        Self { at, status: None, since, down: None }
    }

    /// Does this host run it?
    pub(super) fn has_interface(&self) -> bool {
        self.at.is_some()
    }

    /// Does it say that all is well?
    pub(super) fn is_well(&self) -> bool {
        self.status == Some(200)
    }

    /// Asks once.
    pub(super) fn ask(&mut self) {
        self.ask_within(LOOK);
    }

    fn ask_within(&mut self, limit: Duration) {
        let Some((address, port)) = &self.at else { return };
        let asked = interface::ask(address.clone(), *port, Time::new(limit, limit));
        self.note(asked.answer.ok().map(|answer| answer.status), Instant::now());
    }

    fn note(&mut self, status: Option<u16>, now: Instant) {
        self.status = status;
        match self.since {
            Some(since) if status == Some(200) => _ = self.down.get_or_insert(now.saturating_duration_since(since)),
            None if status != Some(200) => self.since = Some(now),
            _ => {}
        }
    }

    /// Asks again and again while `work` is done: a start may last longer than the interface is down.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.ask_within(BESIDE);
                    std::thread::sleep(ASK);
                }
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(since: Option<Instant>) -> Pulse {
        Pulse { at: Some(("127.0.0.1".to_owned(), 1)), status: None, since, down: None }
    }

    #[test]
    fn down_is_from_the_stop_to_the_first_200() {
        let stop = Instant::now();
        let after = |seconds| stop + Duration::from_secs(seconds);
        let mut stopped = pulse(Some(stop));
        for (status, at, down) in [
            (None, 1, None),
            (Some(503), 2, None),
            (Some(200), 3, Some(3)),
            (Some(503), 4, Some(3)),
            (Some(200), 9, Some(3)),
        ] {
            stopped.note(status, after(at));
            assert_eq!(stopped.down, down.map(Duration::from_secs));
        }
        // Nobody has stopped it: it is down from the first answer that it does not give.
        let mut ran = pulse(None);
        for (status, at, down) in [(Some(200), 1, None), (None, 2, None), (Some(200), 4, Some(2))] {
            ran.note(status, after(at));
            assert_eq!(ran.down, down.map(Duration::from_secs));
        }
    }

    #[test]
    fn work_does_not_wait_for_an_interface_that_is_not_there() {
        assert_eq!(pulse(None).during(|| 7), 7);
        assert_eq!(Pulse { at: None, ..pulse(None) }.during(|| 7), 7);
    }
}
