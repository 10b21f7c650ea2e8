//! Words: texts of others made fit for messages, words made fit for a shell, places, words that were nearly right.

mod command;
mod evidence;
mod fix;
mod fragments;
mod hcl;
#[cfg(test)]
mod plain;
mod template;
pub(crate) mod words;

use std::fmt::Display;
use std::time::Duration;

pub use command::typed;
pub(crate) use command::{
    Again, CommandLine, Person, as_root, changes_host, ics_setup, ics_setup_before, ics_setup_there, of_host,
};
pub(crate) use evidence::Evidence;
pub(crate) use fix::Fix;
pub(crate) use fragments::{
    Foreign, Fragment, Marked, Own, SECRET, Shown, Text, fragments, has_no_captures, own, shown_by_display,
};
pub(crate) use hcl::hcl;
pub(crate) use template::Template;

/// `text` as one line without what could steer a terminal or mislead a reader, trimmed, and at most `max` characters long.
///
/// Control characters (with them every terminal escape), characters that reorder or hide text, and line separators become
/// `?`, line ends and tabs blanks; what is cut off becomes `…`.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut cleaned = String::new();
    for (count, character) in text.trim().chars().enumerate() {
        if count == max {
            cleaned.push('…');
            break;
        }
        cleaned.push(match character {
            '\n' | '\r' | '\t' => ' ',
            character if misleads(character) => '?',
            character => character,
        });
    }
    cleaned
}

/// For a terminal that shows nothing beyond ASCII: what has a plain form gets it, what has none becomes `?`.
pub(crate) fn ascii(text: &str) -> String {
    let text = text.replace('…', "...").replace(" · ", ", ").replace('›', ">");
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// The first line with something on it, as [`clean`]. Of endless output only the beginning is looked at.
pub(crate) fn first_line(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]);
    clean(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default(), max)
}

/// Does a character steer the terminal, hide, or turn the direction of what stands around it?
pub(crate) fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A word as a POSIX shell takes it: in single quotes where it needs them.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `db.corp.example:3306`, with brackets around IPv6.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The nearest of several words, when it is near enough to be meant.
pub(crate) fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a word of ours by a text of that length, and comparing it would take long.
    if typed.len() > 64 {
        return None;
    }
    candidates
        // The share of characters that the two have in common and in order, from 0 to 1.
        .map(|candidate| (similar::TextDiff::from_chars(typed, candidate).ratio(), candidate))
        .filter(|(near, _)| *near > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `1 run`, `2 runs`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    format!("{number} {what}{}", if number == N::from(1) { "" } else { "s" })
}

/// An age as people say it: `40 s`, `12 min`, `5 h`, `3 days`.
pub(crate) fn long(seconds: u64) -> Text {
    match seconds {
        0..=119 => crate::text!("{} s", seconds),
        120..=7199 => crate::text!("{} min", seconds / 60),
        7200..=172_799 => crate::text!("{} h", seconds / 3600),
        _ => crate::text!("{} days", seconds / 86_400),
    }
}

/// How long something lasts so far: `38 s`, `3 min 05 s`, `1 h 02 min`.
pub(crate) fn elapsed(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=59 => format!("{seconds} s"),
        seconds @ 60..=3599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A duration in whole milliseconds, as facts keep it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as messages print it: `3 s`, `0.5 s`, `250 ms`. To the nearest millisecond: of a limit of 500 ms some
/// microseconds are gone before the waiting begins.
pub(crate) fn seconds(duration: Duration) -> String {
    let millis = duration.saturating_add(Duration::from_micros(500)).as_millis();
    match millis {
        0..=499 => format!("{millis} ms"),
        _ if millis.is_multiple_of(1000) => format!("{} s", millis / 1000),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_are_taken_out_and_length_is_kept_in_bounds() {
        assert_eq!(clean(" \u{1b}[31mred\0\u{202e}x\u{9b}7\r\n", 50), "?[31mred??x?7");
        assert_eq!(clean("a\r\nb\tc", 50), "a  b c");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("Größe 18.04", 50), "Größe 18.04");
        assert_eq!(clean(&"é".repeat(5000), 200).chars().count(), 201);
        assert_eq!(first_line(b"\n \n\xff one\ntwo", 50), "\u{fffd} one");
        assert_eq!(first_line(&[0xff; 100_000], 20).chars().count(), 21);
    }

    #[test]
    fn words_and_places_are_ready_to_paste() {
        for (word, shell) in
            [("db-1.corp", "db-1.corp"), ("a'b;c", r"'a'\''b;c'"), ("", "''"), ("~", "'~'"), ("é", "'é'")]
        {
            assert_eq!(quoted(word), shell);
        }
        for (host, shown) in [("::1", "[::1]:1"), ("[::1]", "[::1]:1"), ("db", "db:1"), ("192.0.2.1", "192.0.2.1:1")] {
            assert_eq!(host_port(host, 1), shown);
        }
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }

    #[test]
    fn a_word_that_was_meant_is_found() {
        let words = || ["proxy.http", "proxy.https", "deployment", "home"].into_iter();
        assert_eq!(nearest("proxy.htpp", words()), Some("proxy.http"));
        assert_eq!(nearest("deploiment", words()), Some("deployment"));
        assert_eq!(nearest("xyz", words()), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["proxy"].into_iter()), None);
    }
}
