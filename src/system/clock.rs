//! What somebody else's HTTP says of this host's clock, by the `Date` of an answer.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Seen, exists};
use crate::host::HostRead;
use crate::net::{Answer, MAX_HEAD, NetError, Roots, Time, dial, request, shake};
use crate::stamp::unix_millis;
use crate::text;
use crate::text::{Text, own};

/// A head and the records of a handshake; nothing more is asked for.
const BUDGET: usize = 2 * MAX_HEAD;

/// The time that all attempts together may take.
const LIMIT: Duration = Duration::from_secs(6);

#[derive(Serialize, Deserialize)]
pub(crate) struct ClockFacts {
    pub(crate) asked: Seen<Asked>,
    /// The program that keeps the clock in step, as far as its files tell.
    pub(crate) keeper: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Attempts without an answer before the one that had one.
    pub(crate) in_vain: Vec<InVain>,
    #[serde(rename = "told")]
    pub(crate) status: Option<TimeStatus>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InVain {
    pub(crate) whom: Text,
    pub(crate) why: NetError,
}

/// What somebody told of the time.
#[derive(Serialize, Deserialize)]
pub(crate) struct TimeStatus {
    pub(crate) whom: Text,
    pub(crate) status: u16,
    pub(crate) date: String,
    /// How far this host's clock is ahead of it; negative: behind.
    pub(crate) ahead_seconds: i64,
}

/// Who is asked, and what keeps the clock in step.
pub(crate) struct Ask<'a> {
    /// A server that every host can reach.
    pub(crate) server: &'a str,
    /// The way to it; without one it is asked directly.
    pub(crate) proxy: Option<Proxy<'a>>,
    /// Programs that keep clocks in step: name, and a file that is there where it is used.
    pub(crate) keepers: &'a [(String, String)],
}

/// A proxy, asked without credentials.
pub(crate) struct Proxy<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// TLS to the proxy itself.
    pub(crate) tls: bool,
}

/// Asks for the time, within 6 seconds at most.
pub(crate) fn observe(host: &dyn HostRead, roots: &Roots, ask: &Ask<'_>, time: Time) -> ClockFacts {
    let keeper = ask.keepers.iter().find(|(_, file)| exists(host, Path::new(file)));
    ClockFacts {
        asked: Seen::live(host, || Seen::Is(asked(host, roots, ask, time.at_most(LIMIT)))),
        keeper: keeper.map(|(name, _)| name.clone()),
    }
}

fn asked(host: &dyn HostRead, roots: &Roots, ask: &Ask<'_>, time: Time) -> Asked {
    let server = ask.server;
    let attempts = match &ask.proxy {
        // Without credentials: a 407 has a Date as well.
        Some(proxy) => {
            let whom = text!("the proxy {}:{}", own(proxy.host), proxy.port);
            vec![(whom, proxy.host, proxy.port, proxy.tls, format!("http://{server}/"))]
        }
        None => vec![
            (text!("{}:443", own(server)), server, 443, true, "/".to_owned()),
            // A clock that is far off makes every certificate look wrong; plain HTTP tells the time all the same.
            (text!("{}:80", own(server)), server, 80, false, "/".to_owned()),
        ],
    };
    let mut in_vain = Vec::new();
    for (whom, at, port, tls, target) in attempts {
        let answered = dial(at, port, time, BUDGET).and_then(|mut wire| match tls {
            true => head(host, &mut shake(wire, at, roots)?, server, &target),
            false => head(host, &mut wire, server, &target),
        });
        match answered.and_then(|(answer, middle)| status(&whom, &answer, middle)) {
            Ok(status) => return Asked { in_vain, status: Some(status) },
            Err(why) => in_vain.push(InVain { whom, why }),
        }
    }
    Asked { in_vain, status: None }
}

/// Asks for a head; the answer, and our clock (milliseconds since 1970) half-way between question and answer.
fn head<S: Read + Write>(
    clock: &dyn HostRead,
    stream: &mut S,
    host: &str,
    target: &str,
) -> Result<(Answer, i64), NetError> {
    let asked = unix_millis(clock.now());
    let headers = [("Host", host), ("Cache-Control", "no-cache"), ("Connection", "close")];
    let answer = request(stream, "HEAD", target, &headers)?;
    let answered = unix_millis(clock.now());
    Ok((answer, asked.midpoint(answered)))
}

fn status(whom: &Text, answer: &Answer, middle: i64) -> Result<TimeStatus, NetError> {
    let date =
        answer.get("date").ok_or_else(|| NetError::unexpected(format!("HTTP {} without a Date", answer.status)))?;
    let time = httpdate::parse_http_date(date).map_err(|_| {
        let what = format!("the Date {:?}", crate::text::clean(date, 40));
        NetError::Unexpected { what, tls: false, quotes: true }
    })?;
    // An answer out of a cache has the Date of its origin, and how old it is.
    let age: i64 = answer.get("age").and_then(|age| age.parse::<u32>().ok()).unwrap_or(0).into();
    // A Date is cut to whole seconds, so on average half a second old.
    let there = unix_millis(time).saturating_add(500).saturating_add(age * 1000);
    let ahead = middle.saturating_sub(there);
    // The nearest second.
    let ahead_seconds = ahead.saturating_add(500 * ahead.signum()) / 1000;
    Ok(TimeStatus { whom: whom.clone(), status: answer.status, date: httpdate::fmt_http_date(time), ahead_seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status: 407, reason: String::new(), headers, rest: Vec::new() }
    }

    #[test]
    fn every_form_of_a_date_is_read_and_a_cached_one_is_aged() {
        let at = 1_795_000_000_000 + 500;
        for date in ["Wed, 18 Nov 2026 11:06:40 GMT", "Wednesday, 18-Nov-26 11:06:40 GMT", "Wed Nov 18 11:06:40 2026"] {
            let found = status(&"x".into(), &answer(&[("date", date)]), at + 90_000);
            assert_eq!(found.unwrap().ahead_seconds, 90, "{date}");
        }
        let cached = answer(&[("date", "Wed, 18 Nov 2026 11:06:40 GMT"), ("age", "3600")]);
        assert_eq!(status(&"x".into(), &cached, at + 3_600_000).unwrap().ahead_seconds, 0);
        for headers in [&[][..], &[("date", "yesterday")], &[("date", "\u{1b}[31m")]] {
            assert!(
                matches!(status(&"x".into(), &answer(headers), at), Err(NetError::Unexpected { .. })),
                "{headers:?}"
            );
        }
    }
}
