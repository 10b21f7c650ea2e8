//! When an element was put into its queue, where it tells: the id of a stream's entry, a score that is a time, a member of
//! a JSON element, a time in plain text. Anything else (pickle among it) stays unknown; nothing is guessed.

use std::sync::LazyLock;

use regex::Regex;

use super::collect::bytes;
use crate::check::runtime::known::Known;
use crate::check::runtime::text::epoch;
use crate::redis::Value;

/// A job may have waited for so long, in seconds; what claims more is no time of a job.
const OLDEST: u64 = 366 * 86_400;

/// Clocks may differ by so much, in seconds.
const AHEAD: u64 = 86_400;

/// Longer elements are not searched.
const MAX_ELEMENT: usize = 128 << 10;

/// JSON is searched this deep.
const MAX_DEPTH: usize = 4;

/// Seconds since 1970 of the element that LINDEX, ZRANGE WITHSCORES or XRANGE gave.
pub(super) fn of(value: &Value, kind: &str, now: u64) -> Option<u64> {
    match (kind, value) {
        ("list", value) => of_element(&bytes(value.clone())?, now),
        ("zset", Value::Array(parts)) => {
            let element = bytes(parts.first()?.clone())?;
            let score = String::from_utf8(bytes(parts.get(1)?.clone())?).ok();
            let score = score.and_then(|score| of_number(score.parse().ok()?, now));
            score.or_else(|| of_element(&element, now))
        }
        ("stream", Value::Array(entries)) => {
            let Value::Array(entry) = entries.first()? else { return None };
            let id = String::from_utf8(bytes(entry.first()?.clone())?).ok()?;
            plausible(id.split('-').next()?.parse::<u64>().ok()? / 1000, now)
        }
        _ => None,
    }
}

fn of_element(element: &[u8], now: u64) -> Option<u64> {
    if element.len() > MAX_ELEMENT {
        return None;
    }
    let text = std::str::from_utf8(element).ok()?;
    if text.trim_start().starts_with(['{', '[']) {
        return of_json(&serde_json::from_str(text).ok()?, now, 0);
    }
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    // One time alone; of two, nobody knows which is meant.
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("[0-9.]+").ok());
    let mut times = NUMBER.as_ref()?.find_iter(text).filter_map(|found| {
        let (whole, fraction) = found.as_str().split_once('.').unwrap_or((found.as_str(), ""));
        let honest = whole.len() == 10 && !fraction.contains('.');
        honest.then(|| plausible(whole.parse().ok()?, now)).flatten()
    });
    let first = times.next()?;
    times.next().is_none().then_some(first)
}

/// The first of the known members, at most so deep.
fn of_json(value: &serde_json::Value, now: u64, depth: usize) -> Option<u64> {
    let names = &Known::get().queues.times;
    let time = |value: &serde_json::Value| match value {
        serde_json::Value::Number(number) => of_number(number.as_f64()?, now),
        serde_json::Value::String(text) => {
            epoch(text).and_then(|seconds| plausible(seconds, now)).or_else(|| of_number(text.parse().ok()?, now))
        }
        _ => None,
    };
    match value {
        serde_json::Value::Object(members) => {
            let own = names.iter().find_map(|name| members.get(name).and_then(time));
            own.or_else(|| {
                (depth < MAX_DEPTH).then(|| members.values().find_map(|value| of_json(value, now, depth + 1)))?
            })
        }
        serde_json::Value::Array(values) if depth < MAX_DEPTH => {
            values.iter().take(20).find_map(|value| of_json(value, now, depth + 1))
        }
        _ => None,
    }
}

/// Seconds, milliseconds or microseconds, whichever is a time that a job can have.
fn of_number(number: f64, now: u64) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates, and NaN is 0
    [1.0, 1e3, 1e6].into_iter().find_map(|unit| plausible((number / unit) as u64, now))
}

fn plausible(seconds: u64, now: u64) -> Option<u64> {
    (seconds <= now.saturating_add(AHEAD) && seconds >= now.saturating_sub(OLDEST)).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_where_they_are_one_and_never_guessed() {
        let now = 1_795_291_262;
        for (element, seconds) in [
            (&br#"{"id": 1, "timestamp": 1795291000.5}"#[..], Some(1_795_291_000)),
            (br#"{"created_at": "2026-11-21T20:01:02Z"}"#, Some(now)),
            (br#"{"job": {"enqueued_at": 1795291000123}}"#, Some(1_795_291_000)),
            (br#"["x", {"ts": "1795291000"}]"#, Some(1_795_291_000)),
            (b"job 17 put at 1795291000.25 by scheduler", Some(1_795_291_000)),
            (br#"{"timestamp": 5}"#, None),
            (br#"{"id": 1795291000}"#, None),
            (b"1795291000 1795291001", None),
            (b"17952910001", None),
            (b"\x80\x04\x95\x10\x001795291000", None),
            (b"c__builtin__\n\x001795291000", None),
            (b"{", None),
            (b"", None),
            (b"2f7c1d8e-1795-2910-aaaa-000000000000", None),
        ] {
            assert_eq!(of_element(element, now), seconds, "{}", String::from_utf8_lossy(element));
        }
        assert_eq!(of_element(&vec![b'['; 100_000], now), None);
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let zset = Value::Array(vec![bulk("job"), bulk("1795291000.123")]);
        assert_eq!(of(&zset, "zset", now), Some(1_795_291_000));
        let stream = Value::Array(vec![Value::Array(vec![bulk("1795291000123-0"), Value::Nil])]);
        assert_eq!(of(&stream, "stream", now), Some(1_795_291_000));
        for (value, kind) in [(Value::Nil, "list"), (Value::Array(vec![]), "zset"), (Value::Array(vec![]), "stream")] {
            assert_eq!(of(&value, kind, now), None);
        }
        assert_eq!((of_number(f64::NAN, now), of_number(f64::INFINITY, now), of_number(-1.0, now)), (None, None, None));
    }
}
