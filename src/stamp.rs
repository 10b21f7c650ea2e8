//! Times as text.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The name of a run: `20261121T200102Z-1f3a`. The last part is the fraction of the second, so names sort by time.
pub fn run_name(now: SystemTime, bump: u16) -> String {
    let (date, nanos) = parts(now);
    let fraction = u16::try_from((u64::from(nanos) << 16) / 1_000_000_000).unwrap_or(u16::MAX).wrapping_add(bump);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{fraction:04x}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    )
}

/// Is this what [`run_name`] makes? Other names in the folder of runs are not ours.
pub fn is_run_name(name: &str) -> bool {
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
pub fn rfc3339(now: SystemTime) -> String {
    let (date, _) = parts(now);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        date.hour(),
        date.minute(),
        date.second()
    )
}

/// Clocks before 1970 read as 1970.
fn parts(now: SystemTime) -> (OffsetDateTime, u32) {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    (OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH), since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_are_dated_and_bumped() {
        let at = UNIX_EPOCH + Duration::new(1_795_291_262, 500_000_000);
        assert_eq!(run_name(at, 0), "20261121T200102Z-8000");
        assert_eq!(run_name(at, 1), "20261121T200102Z-8001");
        assert!(is_run_name(&run_name(at, 0)) && !is_run_name("lost+found") && !is_run_name("README"));
        assert_eq!(rfc3339(at), "2026-11-21T20:01:02Z");
    }
}
