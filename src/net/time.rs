//! Deadlines.

use std::time::{Duration, Instant};

/// What a conversation leaves of its time for the result itself.
pub(crate) const RESERVE: Duration = Duration::from_millis(200);

/// How long one check may take, and how long one connection within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    connect: Duration,
    since: Instant,
    until: Instant,
}

impl Time {
    /// From now on: `connect` for each connection, `total` for everything together.
    pub(crate) fn new(connect: Duration, total: Duration) -> Self {
        let since = Instant::now();
        Self { connect, since, until: since + total }
    }

    /// What is left of the whole; zero when the deadline has passed.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// All of it, from when it was set to the deadline: the limit that is told when it has passed, however much of it was left
    /// when the last wait began.
    pub(crate) fn whole(&self) -> Duration {
        self.until.saturating_duration_since(self.since)
    }

    /// What the next connection may take: its own limit, or what is left.
    pub(crate) fn for_connection(&self) -> Duration {
        self.connect.min(self.left())
    }

    /// The same connection limit within a shorter whole.
    #[must_use]
    pub(crate) fn at_most(self, total: Duration) -> Self {
        let shorter = Self::new(self.connect, total);
        if shorter.until < self.until { shorter } else { self }
    }

    /// The same, but for `reserve` at its end.
    #[must_use]
    pub(crate) fn leaving(self, reserve: Duration) -> Self {
        self.at_most(self.left().saturating_sub(reserve))
    }

    /// Has the deadline passed?
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::seconds;

    #[test]
    fn durations_read_as_people_write_them() {
        for (millis, text) in [(0, "0 ms"), (250, "250 ms"), (500, "0.5 s"), (3000, "3 s"), (9940, "9.9 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_connection_never_outlives_its_check() {
        let time = Time::new(Duration::from_secs(3), Duration::from_millis(100));
        assert!(time.for_connection() <= Duration::from_millis(100));
        assert!(time.at_most(Duration::ZERO).is_over());
    }

    #[test]
    fn the_whole_is_the_limit_that_counts() {
        let (short, long) = (Duration::from_secs(60), Duration::from_secs(600));
        let time = Time::new(short, long);
        assert_eq!(time.whole(), long);
        assert_eq!(time.at_most(short).whole(), short);
        // One that would end later changes nothing.
        assert_eq!(time.at_most(long).whole(), long);
        assert_eq!(time.at_most(short).at_most(long).whole(), short);
    }
}
