//! How much of a processor watching takes, and how long it rests for that.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// Looks take no more of one processor than this. Whoever stays below it is below 5 % also where one look takes longer than the
/// last.
const SHARE: f64 = 0.03;

/// Nor more than this where the next look takes as long as the last; so one that does not fit any more is none.
const BOUND: f64 = 0.045;

/// Between the beginnings of two looks there is at least this.
const PAUSE: Duration = Duration::from_millis(200);

/// Since when it is counted.
pub(super) struct Load {
    began: Instant,
    before: Duration,
}

/// A look that has begun.
pub(super) struct Begun {
    at: Duration,
    used: Duration,
}

impl Load {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), before: used() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A look begins.
    pub(super) fn look(&self) -> Begun {
        Begun { at: self.elapsed(), used: self.used() }
    }

    /// When the next look may begin, after this one.
    pub(super) fn next(&self, last: &Begun) -> Duration {
        let used = self.used();
        next(last.at, used.saturating_sub(last.used), used)
    }

    fn used(&self) -> Duration {
        used().saturating_sub(self.before)
    }

    /// Of one processor.
    pub(super) fn percent(&self) -> f64 {
        let share = self.used().as_secs_f64() / self.elapsed().as_secs_f64().max(0.001);
        (share * 1000.0).round() / 10.0
    }
}

fn next(last: Duration, cost: Duration, used: Duration) -> Duration {
    (last + PAUSE).max(used.div_f64(SHARE)).max((used + cost).div_f64(BOUND))
}

/// What this process has used of processors so far.
fn used() -> Duration {
    let part = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
    };
    // It cannot fail for this process; without an answer the least pause counts.
    getrusage(UsageWho::RUSAGE_SELF)
        .map(|usage| part(usage.user_time()) + part(usage.system_time()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_more_rests_longer() {
        let millis = Duration::from_millis;
        assert_eq!(next(millis(1000), millis(1), millis(3)), millis(1200));
        assert_eq!(next(millis(1000), millis(9), millis(300)), millis(10_000));
        // However long one look takes, all of them together stay below the bound.
        let (mut now, mut used) = (Duration::ZERO, Duration::ZERO);
        for cost in [5, 5, 80, 400, 2, 2, 30] {
            let began = now;
            used += millis(cost);
            now = next(began, millis(cost), used);
            assert!(used.as_secs_f64() / now.as_secs_f64() <= 0.0301, "{used:?} of {now:?}");
        }
        // A look that takes as long as all before fits into the bound as well, whenever it is the last one.
        let (cost, used) = (millis(500), millis(500));
        let began = next(millis(0), cost, used);
        assert!((used + cost).as_secs_f64() / began.as_secs_f64() < 0.05, "{began:?}");
        assert!(began > millis(20_000), "in twenty seconds it has no place any more: {began:?}");
    }
}
