//! The clock, against the `Date` of somebody else's HTTP answer.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::data::Data;
use super::{GROUP, Seen, exists};
use crate::check::{Check, CheckSpec, Group, Look, Meta, ProxySpec};
use crate::finding::{Finding, Status};
use crate::host::HostRead;
use crate::net::{Answer, MAX_HEAD, NetError, Peer, Time, dial, request, seconds, shake};

/// A head and the records of a handshake; nothing more is asked for.
const BUDGET: usize = 2 * MAX_HEAD;

/// Of all attempts together.
const LIMIT: Duration = Duration::from_secs(6);

pub(super) struct Clock;

#[derive(Serialize, Deserialize)]
pub(super) struct ClockFacts {
    asked: Seen<Asked>,
    /// The program that keeps the clock in step, as far as its files tell.
    keeper: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    /// Attempts without an answer before the one that had one.
    in_vain: Vec<InVain>,
    status: Option<TimeStatus>,
}

#[derive(Serialize, Deserialize)]
struct InVain {
    whom: String,
    why: NetError,
}

/// Somebody status the time.
#[derive(Serialize, Deserialize)]
struct TimeStatus {
    whom: String,
    status: u16,
    date: String,
    /// How far this host's clock is ahead of it; negative: behind.
    ahead_seconds: i64,
}

impl Check for Clock {
    type Facts = ClockFacts;

    const META: Meta = Meta::new("clock", Group::Host, &["clock-skew"]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        vec![match proxy(spec) {
            Some(proxy) => format!("proxy:{}:{}", proxy.host, proxy.port),
            None => format!("host:{}", Data::get().clock.host),
        }]
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&ClockFacts>) -> ClockFacts {
        let keepers = &Data::get().clock.keepers;
        let keeper = keepers.iter().find(|(_, file)| exists(look.host, Path::new(file)));
        ClockFacts {
            asked: Seen::live(look.host, || Seen::Is(ask(look, time.at_most(LIMIT)))),
            keeper: keeper.map(|(name, _)| name.clone()),
        }
    }

    fn judge(&self, facts: &ClockFacts, spec: &CheckSpec) -> Vec<Finding> {
        let path = if proxy(spec).is_some() { "proxy" } else { "direct" };
        let finding =
            match facts.asked.or_skip("clock-skew", "the clock") {
                Ok(Asked { status: Some(status), .. }) => judge_clock(status, facts.keeper.as_deref()),
                Ok(Asked { in_vain, .. }) => {
                    let tried: Vec<String> =
                        in_vain.iter().map(|tried| format!("{}: {}", tried.whom, tried.why)).collect();
                    Finding::new("clock-skew", GROUP, Status::Skip, "the clock: nobody status the time")
                        .observed(format!("{}; {}", tried.join("; "), kept(facts.keeper.as_deref())))
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
    let side = if *ahead_seconds < 0 { "behind" } else { "ahead of" };
    let shown = seconds(Duration::from_secs(off));
    let title = match status {
        Status::Pass => "the clock is right".to_owned(),
        _ => format!("the clock is {shown} {side} what {whom} says"),
    };
    let finding = Finding::new("clock-skew", GROUP, status, title)
        .expected(format!(
            "no more than {} off; from {} on AWS refuses signed requests",
            seconds(Duration::from_secs(data.warn_seconds)),
            seconds(Duration::from_secs(data.fail_seconds))
        ))
        .observed(format!("{shown} {side} the Date {date:?} of {whom} (answer {answer}); {}", kept(keeper)))
        .evidence("ahead_seconds", *ahead_seconds)
        .evidence("keeper", keeper);
    let finding = Finding { docs: Some(data.source.clone()), ..finding };
    match status {
        Status::Pass => finding,
        _ => finding
            .cause("certificates seem expired or not valid yet, signed requests to cloud APIs are refused, jobs run at wrong times")
            .fix("timedatectl set-ntp true; where UDP port 123 is closed, name a time server inside: NTP=HOST in /etc/systemd/timesyncd.conf, or server HOST iburst in /etc/chrony.conf, then restart that service")
            .fix(format!("once, by hand: date -u -s '{date}'")),
    }
}

fn kept(keeper: Option<&str>) -> String {
    match keeper {
        Some(keeper) => format!("{keeper} keeps it in step"),
        None => "no NTP service was seen".to_owned(),
    }
}

fn proxy(spec: &CheckSpec) -> Option<&ProxySpec> {
    spec.http_proxy.as_ref().or(spec.https_proxy.as_ref())
}

fn ask(look: &Look<'_>, time: Time) -> Asked {
    let host = Data::get().clock.host.as_str();
    type Attempt<'a> = (String, Box<dyn Fn() -> Result<(Answer, i64), NetError> + 'a>);
    let attempts: Vec<Attempt<'_>> = match proxy(look.spec) {
        // Without credentials: a 407 has a Date as well.
        Some(proxy) => vec![(
            format!("the proxy {}:{}", proxy.host, proxy.port),
            Box::new(move || through(look, proxy, host, time)),
        )],
        None => vec![
            (
                format!("{host}:443"),
                Box::new(move || {
                    let wire = dial(host, 443, time, BUDGET)?;
                    head(look.host, &mut shake(wire, host, look.roots)?.trusted()?, host, "/")
                }),
            ),
            // A clock that is far off makes every certificate look wrong; plain HTTP tells the time all the same.
            (format!("{host}:80"), Box::new(move || head(look.host, &mut dial(host, 80, time, BUDGET)?, host, "/"))),
        ],
    };
    let mut in_vain = Vec::new();
    for (whom, attempt) in attempts {
        match attempt().and_then(|(answer, middle)| status(&whom, &answer, middle)) {
            Ok(status) => return Asked { in_vain, status: Some(status) },
            Err(why) => in_vain.push(InVain { whom, why }),
        }
    }
    Asked { in_vain, status: None }
}

fn through(look: &Look<'_>, proxy: &ProxySpec, host: &str, time: Time) -> Result<(Answer, i64), NetError> {
    let mut wire = dial(&proxy.host, proxy.port, time, BUDGET)?;
    let target = format!("http://{host}/");
    if !proxy.tls {
        return head(look.host, &mut wire, host, &target);
    }
    match shake(wire, &proxy.host, look.roots)? {
        Peer::Trusted(mut wire) => head(look.host, wire.as_mut(), host, &target),
        untrusted @ Peer::Untrusted { .. } => Err(untrusted.trusted().err().unwrap_or(NetError::Closed)),
    }
}

/// Asks for a head; the answer, and our clock (milliseconds since 1970) half-way between question and answer.
fn head<S: Read + Write>(
    clock: &dyn HostRead,
    stream: &mut S,
    host: &str,
    target: &str,
) -> Result<(Answer, i64), NetError> {
    let asked = millis(clock.now());
    let headers = [("Host", host), ("Cache-Control", "no-cache"), ("Connection", "close")];
    let answer = request(stream, "HEAD", target, &headers)?;
    let answered = millis(clock.now());
    Ok((answer, asked.midpoint(answered)))
}

fn status(whom: &str, answer: &Answer, middle: i64) -> Result<TimeStatus, NetError> {
    let no_date = |what: String| NetError::Unexpected { what };
    let date = answer.get("date").ok_or_else(|| no_date(format!("HTTP {} without a Date", answer.status)))?;
    let time =
        httpdate::parse_http_date(date).map_err(|_| no_date(format!("the Date {:?}", crate::text::clean(date, 40))))?;
    // An answer out of a cache has the Date of its origin, and how old it is.
    let age: i64 = answer.get("age").and_then(|age| age.parse::<u32>().ok()).unwrap_or(0).into();
    // A Date is cut to whole seconds, so on average half a second old.
    let there = millis(time).saturating_add(500).saturating_add(age * 1000);
    let ahead = middle.saturating_sub(there);
    // The nearest second.
    let ahead_seconds = ahead.saturating_add(500 * ahead.signum()) / 1000;
    Ok(TimeStatus { whom: whom.to_owned(), status: answer.status, date: httpdate::fmt_http_date(time), ahead_seconds })
}

/// Milliseconds since 1970; negative before.
fn millis(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status: 407, reason: String::new(), headers, rest: Vec::new() }
    }

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
            let time = TimeStatus { whom: "x".to_owned(), status: 200, date: String::new(), ahead_seconds };
            let found = judge_clock(&time, None);
            assert_eq!(found.status, status, "{ahead_seconds}");
            assert_eq!(found.title.contains("behind"), ahead_seconds < -60, "{}", found.title);
        }
    }

    #[test]
    fn every_form_of_a_date_is_read_and_a_cached_one_is_aged() {
        let at = 1_795_000_000_000 + 500;
        for date in ["Wed, 18 Nov 2026 11:06:40 GMT", "Wednesday, 18-Nov-26 11:06:40 GMT", "Wed Nov 18 11:06:40 2026"] {
            let found = status("x", &answer(&[("date", date)]), at + 90_000);
            assert_eq!(found.unwrap().ahead_seconds, 90, "{date}");
        }
        let cached = answer(&[("date", "Wed, 18 Nov 2026 11:06:40 GMT"), ("age", "3600")]);
        assert_eq!(status("x", &cached, at + 3_600_000).unwrap().ahead_seconds, 0);
        for headers in [&[][..], &[("date", "yesterday")], &[("date", "\u{1b}[31m")]] {
            assert!(matches!(status("x", &answer(headers), at), Err(NetError::Unexpected { .. })), "{headers:?}");
        }
    }

    #[test]
    fn an_image_has_no_clock() {
        assert_eq!(checked(&Clock, &MemoryHost::new(), &production())[0].status, Status::Skip);
    }
}
