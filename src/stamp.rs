//! Times as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The name of a run: `20261121T200102Z-1f3a`. The last part is the fraction of the second, so names sort by time.
pub(crate) fn run_name(now: SystemTime, bump: u16) -> String {
    let nanos = now.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let fraction = u16::try_from((u64::from(nanos) << 16) / 1_000_000_000).unwrap_or(u16::MAX).wrapping_add(bump);
    format!("{}-{fraction:04x}", written(now, "", ""))
}

/// Is this what [`run_name`] makes? Other names in the folder of runs are not ours.
pub(crate) fn is_run_name(name: &str) -> bool {
    let shape = b"dddddddd_dddddd_-xxxx";
    name.len() == shape.len()
        && name.bytes().zip(shape).enumerate().all(|(at, (byte, kind))| match kind {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            b'-' => byte == b'-',
            _ => byte == if at == 8 { b'T' } else { b'Z' },
        })
}

/// `2026-11-21T20:01:02Z`.
pub(crate) fn rfc3339(now: SystemTime) -> String {
    written(now, "-", ":")
}

/// Seconds since 1970 of a time that [`rfc3339`] wrote; `None`: it is none.
pub(crate) fn seconds_of(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u16>().ok()
    };
    let byte = |at: usize| u8::try_from(number(at, at + 2)?).ok();
    let month = time::Month::try_from(byte(5)?).ok()?;
    let date = time::Date::from_calendar_date(i32::from(number(0, 4)?), month, byte(8)?).ok()?;
    let seconds = date.with_hms(byte(11)?, byte(14)?, byte(17)?).ok()?.assume_utc().unix_timestamp();
    // The signs between the numbers, and nothing behind them.
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?);
    (rfc3339(at) == text).then_some(seconds)
}

/// Milliseconds since 1970; negative before.
pub(crate) fn unix_millis(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -whole(before.duration()), whole)
}

/// UTC, with these signs between the parts of the date and of the time. Clocks before 1970 read as 1970.
fn written(now: SystemTime, day: &str, clock: &str) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let date = date.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month) = (date.year(), u8::from(date.month()));
    let (hour, minute, second) = (date.hour(), date.minute(), date.second());
    format!("{year:04}{day}{month:02}{day}{:02}T{hour:02}{clock}{minute:02}{clock}{second:02}Z", date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dated_and_bumped() {
        let at = UNIX_EPOCH + Duration::new(1_795_291_262, 500_000_000);
        assert_eq!(run_name(at, 0), "20261121T200102Z-8000");
        assert_eq!(run_name(at, 1), "20261121T200102Z-8001");
        assert!(is_run_name(&run_name(at, 0)) && !is_run_name("lost+found") && !is_run_name("README"));
        assert_eq!(rfc3339(at), "2026-11-21T20:01:02Z");
    }

    #[test]
    fn a_time_is_read_back_and_nothing_else() {
        assert_eq!(seconds_of("2026-11-21T20:01:02Z"), Some(1_795_291_262));
        for text in [
            "",
            "2026-11-21T20:01:02",
            "2026-11-21 20:01:02Z",
            "2026-13-21T20:01:02Z",
            "2026-11-21T20:01:02Zx",
            "é026-11-21T20:01:02Z",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}
