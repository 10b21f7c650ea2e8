//! The clock, against the `Date` of somebody else's HTTP answer.

use std::time::Duration;

use super::data::Data;
use crate::check::ProxySpec;
use crate::check::prelude::*;
use crate::system::clock::{self, Ask, Asked, ClockFacts, TimeStatus};

pub(super) struct Clock;

impl Check for Clock {
    type Facts = ClockFacts;

    const META: Meta = Meta::new("clock", Group::Host, &[ids::CLOCK_SKEW]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        vec![match proxy(spec) {
            Some(proxy) => format!("proxy:{}:{}", proxy.host, proxy.port),
            None => format!("host:{}", Data::get().clock.host),
        }]
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&ClockFacts>) -> ClockFacts {
        let data = &Data::get().clock;
        let proxy = proxy(look.spec).map(|proxy| clock::Proxy { host: &proxy.host, port: proxy.port, tls: proxy.tls });
        clock::observe(look.host, look.roots, &Ask { server: &data.host, proxy, keepers: &data.keepers }, time)
    }

    fn judge(&self, facts: &ClockFacts, spec: &CheckSpec) -> Vec<Finding> {
        let path = if proxy(spec).is_some() { "proxy" } else { "direct" };
        let finding = match facts.asked.or_skip(ids::CLOCK_SKEW, "the clock") {
            Ok(Asked { status: Some(status), .. }) => judge_clock(status, facts.keeper.as_deref()),
            Ok(Asked { in_vain, .. }) => {
                let tried = in_vain.iter().map(|tried| text!("{}: {}", tried.whom, tried.why));
                let observed = text!("{}; {}", Text::join(tried, "; "), kept(facts.keeper.as_deref()));
                Finding::skip(ids::CLOCK_SKEW, "the clock: nobody told the time").observed(observed)
            }
            Err(skipped) => return vec![*skipped],
        };
        vec![Finding { path: Some(path), ..finding }]
    }
}

fn judge_clock(status: &TimeStatus, keeper: Option<&str>) -> Finding {
    let data = &Data::get().clock;
    let TimeStatus { whom, status: answer, date, ahead_seconds } = status;
    let off = ahead_seconds.unsigned_abs();
    let status = match off {
        _ if off > data.fail_seconds => Status::Fail,
        _ if off > data.warn_seconds => Status::Warn,
        _ => Status::Pass,
    };
    let side = own(if *ahead_seconds < 0 { "behind" } else { "ahead of" });
    let date = own(date);
    let [shown, warn, fail] =
        [off, data.warn_seconds, data.fail_seconds].map(|secs| own(seconds(Duration::from_secs(secs))));
    let title = match status {
        Status::Pass => "the clock is right".into(),
        _ => text!("the clock is {} {} what {} says", shown, side, whom),
    };
    let finding = Finding::new(ids::CLOCK_SKEW, status, title)
        .expected(text!("no more than {} off; from {} on AWS refuses signed requests", warn, fail))
        .observed(text!("{} {} the Date {:?} of {} (answer {}); {}", shown, side, date, whom, answer, kept(keeper)))
        .evidence("ahead_seconds", *ahead_seconds)
        .evidence("keeper", keeper.map(|keeper| text!("{}", own(keeper))));
    let finding = Finding { docs: Some(text!("{}", own(&data.source))), ..finding };
    match status {
        Status::Pass => finding,
        _ => finding
            .cause("certificates seem expired or not valid yet, signed requests to cloud APIs are refused, jobs run at wrong times")
            .advise(match keeper {
                Some(keeper) => text!("look why {} does not: {}", own(keeper), as_root("timedatectl timesync-status || chronyc tracking")),
                None => text!("have it kept in step: {}", as_root("timedatectl set-ntp true")),
            })
            .advise("name a time server inside, where UDP port 123 is closed: NTP=<HOST> in /etc/systemd/timesyncd.conf, or server <HOST> iburst in /etc/chrony.conf, then restart that service")
            .advise(text!("set it once, by hand: {}", typed(text!("date -u -s '{}'", date)))),
    }
}

fn kept(keeper: Option<&str>) -> Text {
    match keeper {
        Some(keeper) => text!("{} keeps it in step", own(keeper)),
        None => "no NTP service was seen".into(),
    }
}

fn proxy(spec: &CheckSpec) -> Option<&ProxySpec> {
    spec.http_proxy.as_ref().or(spec.https_proxy.as_ref())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn skew_at_the_boundaries() {
        for (ahead_seconds, status) in [
            (0, Status::Pass),
            (60, Status::Pass),
            (-60, Status::Pass),
            (61, Status::Warn),
            (-300, Status::Warn),
            (301, Status::Fail),
            (-301, Status::Fail),
            (i64::MIN, Status::Fail),
        ] {
            let time = TimeStatus { whom: "x".into(), status: 200, date: String::new(), ahead_seconds };
            let found = judge_clock(&time, None);
            assert_eq!(found.status, status, "{ahead_seconds}");
            assert_eq!(found.title.contains("behind"), ahead_seconds < -60, "{}", found.title);
        }
    }

    #[test]
    fn an_image_has_no_clock() {
        assert_eq!(checked(&Clock, &MemoryHost::new(), &production())[0].status, Status::Skip);
    }
}
