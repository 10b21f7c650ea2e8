//! Texts and times of programs, made fit for facts and messages.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::redact::redact_line;
use crate::stamp;
use crate::text::clean;

/// What is looked at of one line; masked before it is cut shorter, so that no half of a secret stays.
const LONGEST: usize = 16 << 10;

/// One line of somebody else's: [`clean`], without what looks like a secret, and not longer than `max` characters.
pub(crate) fn shown(text: &str, max: usize) -> String {
    clean(&redact_line(&clean(text, LONGEST)), max)
}

/// May this stand unquoted in a command to paste?
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
}

/// The first line with something on it, as [`shown`].
pub(crate) fn first_line(bytes: &[u8], max: usize) -> String {
    shown(&crate::text::first_line(bytes, LONGEST), max)
}

/// Seconds since 1970 of an RFC 3339 time (`2026-11-21T20:01:02.5Z`, `…+01:00`). Years before 1970 (Docker's zero time)
/// are none.
pub(crate) fn epoch(text: &str) -> Option<u64> {
    let (date, clock) = text.split_at_checked(10)?;
    let (clock, zone) = clock.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let zone = zone.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.split_at_checked(1) {
        None | Some(("Z" | "z", _)) => 0,
        Some((sign @ ("+" | "-"), zone)) => {
            let part = |from: usize, to: usize| zone.get(from..to)?.parse::<i64>().ok();
            let minutes = part(0, 2)? * 60 + part(3, 5).or_else(|| part(2, 4))?;
            if sign == "+" { minutes * 60 } else { -minutes * 60 }
        }
        _ => return None,
    };
    u64::try_from(stamp::seconds_of(&format!("{date}T{clock}Z"))? - offset).ok()
}

/// Seconds since 1970.
pub(crate) fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_docker_and_of_json_are_read() {
        for (text, seconds) in [
            ("2026-11-21T20:01:02Z", Some(1_795_291_262)),
            ("2026-11-21T21:01:02.123456789+01:00", Some(1_795_291_262)),
            ("2026-11-21 20:01:02.5", Some(1_795_291_262)),
            ("2026-11-21T19:01:02-0100", Some(1_795_291_262)),
            ("0001-01-01T00:00:00Z", None),
            ("2026-13-21T20:01:02Z", None),
            ("2026-11-21T20:01:0é", None),
            ("", None),
        ] {
            assert_eq!(epoch(text), seconds, "{text}");
        }
    }

    #[test]
    fn texts_of_others_are_cleaned_masked_and_cut() {
        assert_eq!(shown("\u{1b}[31mx http://u:p@h", 50), "?[31mx http://u:***@h");
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(first_line(b"\n\nDB_PASSWORD=x y\nz", 50), "DB_PASSWORD=***");
    }
}
