//! How much of a processor watching takes, and how long it rests for that.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// Looks take no more of one processor than this. Whoever stays below it is below 5 % also where one look takes longer than the
/// last.
const SHARE: f64 = 0.03;

/// Between the beginnings of two looks there is at least this.
const PAUSE: Duration = Duration::from_millis(200);

/// Since when it is counted.
pub(super) struct Load {
    began: Instant,
    before: Duration,
}

impl Load {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), before: used() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// When the next look may begin, after one that began then.
    pub(super) fn next(&self, last: Duration) -> Duration {
        next(last, used().saturating_sub(self.before))
    }

    /// Of one processor.
    pub(super) fn percent(&self) -> f64 {
        let share = used().saturating_sub(self.before).as_secs_f64() / self.elapsed().as_secs_f64().max(0.001);
        (share * 1000.0).round() / 10.0
    }
}

fn next(last: Duration, used: Duration) -> Duration {
    (last + PAUSE).max(used.div_f64(SHARE))
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
        assert_eq!(next(millis(1000), millis(3)), millis(1200));
        assert_eq!(next(millis(1000), millis(300)), millis(10_000));
        // However long one look takes, all of them together stay below the bound.
        let (mut now, mut used) = (Duration::ZERO, Duration::ZERO);
        for cost in [5, 5, 80, 400, 2, 2, 30] {
            let began = now;
            used += millis(cost);
            now = next(began, used);
            assert!(used.as_secs_f64() / now.as_secs_f64() <= 0.0301, "{used:?} of {now:?}");
        }
    }
}
