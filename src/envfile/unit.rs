//! `Environment=` assignments in the `[Service]` section of a systemd unit or drop-in.
//!
//! systemd splits the right side at blanks outside quotes, takes quotes and backslash escapes away and expands `%`
//! specifiers, so a literal `%` is written `%%` (systemd.exec(5), systemd.unit(5), systemd.syntax(7)).

use std::ops::Range;

use super::splice::{Splices, add_to_section, splice};

/// Who the new section belongs to, for whoever finds the file.
const HEADER: &str = "# Written by ics-setup. Take it back with: ics-setup revert\n";

/// One assignment in a unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Variable.
    pub name: Vec<u8>,
    /// Its value with quotes and escapes taken away and `%%` read as `%`.
    pub value: Vec<u8>,
    /// Counted from 1.
    pub line: usize,
    /// The bytes of the whole word, quotes included.
    span: Range<usize>,
}

/// All assignments that are in force at the end of the file, in order; an empty `Environment=` clears those before it.
pub fn assignments(bytes: &[u8]) -> Vec<Assignment> {
    let mut found = Vec::new();
    for line in service_lines(bytes) {
        let words = words(&bytes[line.value.clone()]);
        if words.is_empty() {
            found.clear();
        }
        for (span, word) in words {
            if let Some(at) = word.iter().position(|byte| *byte == b'=') {
                let value = String::from_utf8_lossy(&word[at + 1..]).replace("%%", "%").into_bytes();
                let span = line.value.start + span.start..line.value.start + span.end;
                found.push(Assignment { name: word[..at].to_vec(), value, line: line.number, span });
            }
        }
    }
    found
}

/// The value that systemd would give the service; the last assignment wins.
pub fn value<'a>(assignments: &'a [Assignment], name: &str) -> Option<&'a Assignment> {
    assignments.iter().rev().find(|assignment| assignment.name == name.as_bytes())
}

/// The file with these variables set (`Some`) or taken out (`None`); everything else stays as it is.
pub fn edit(bytes: &[u8], wishes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let present = assignments(bytes);
    let mut splices = Splices::new();
    let mut missing = Vec::new();
    for (name, wish) in wishes {
        let own: Vec<&Assignment> = present.iter().filter(|assignment| assignment.name == name.as_bytes()).collect();
        match (own.split_last(), wish) {
            (Some((last, _)), Some(value)) if last.value == value.as_bytes() => {}
            (Some((last, _)), Some(value)) => splices.push((last.span.clone(), word(name, value))),
            (None, Some(value)) => missing.extend([b"Environment=", &word(name, value)[..], b"\n"].concat()),
            (_, None) => splices.extend(own.iter().map(|assignment| (assignment.span.clone(), Vec::new()))),
        }
    }
    let mut out = splice(bytes, splices);
    if wishes.iter().any(|(_, wish)| wish.is_none()) {
        out = without_empty_lines(&out, bytes);
    }
    if !missing.is_empty() {
        if out.is_empty() {
            out.extend_from_slice(HEADER.as_bytes());
        }
        add_to_section(&mut out, "Service", missing);
    }
    out
}

/// Would the file say nothing at all: only comments, blank lines and section heads?
pub fn is_idle(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let line = line.trim_ascii();
        line.is_empty() || matches!(line[0], b'#' | b';' | b'[')
    })
}

fn word(name: &str, value: &str) -> Vec<u8> {
    let escaped: String = value
        .chars()
        .flat_map(|c| match c {
            '%' => vec!['%', '%'],
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    format!("\"{name}={escaped}\"").into_bytes()
}

/// Lines that became an empty `Environment=` would clear what others set: they go.
fn without_empty_lines(bytes: &[u8], before: &[u8]) -> Vec<u8> {
    let already: Vec<usize> = service_lines(before)
        .filter(|line| before[line.value.clone()].trim_ascii().is_empty())
        .map(|line| line.number)
        .collect();
    let mut out = Vec::new();
    let mut at = 0;
    for line in service_lines(bytes) {
        if bytes[line.value.clone()].trim_ascii().is_empty() && !already.contains(&line.number) {
            out.extend_from_slice(&bytes[at..line.span.start]);
            at = line.span.end;
        }
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

/// An `Environment=` line of a `[Service]` section, continuation lines included.
struct Line {
    number: usize,
    span: Range<usize>,
    value: Range<usize>,
}

fn service_lines(bytes: &[u8]) -> impl Iterator<Item = Line> + '_ {
    let (mut at, mut number, mut inside) = (0, 0, false);
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            let first = number + 1;
            let mut end;
            loop {
                end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed);
                number += 1;
                let line = bytes[at..end].trim_ascii_start();
                // A comment is complete in itself, also inside a continued line.
                let comment = matches!(line.first(), Some(b'#' | b';'));
                let alone = comment && at == start;
                at = (end + 1).min(bytes.len());
                if alone || end == bytes.len() || (!comment && !bytes[start..end].ends_with(b"\\")) {
                    break;
                }
            }
            let text = bytes[start..end].trim_ascii_start();
            if text.starts_with(b"[") {
                inside = text.trim_ascii_end() == b"[Service]";
            } else if inside && text.starts_with(b"Environment") {
                let after = text[b"Environment".len()..].trim_ascii_start();
                if after.first() == Some(&b'=') {
                    return Some(Line { number: first, span: start..at, value: end - after.len() + 1..end });
                }
            }
        }
        None
    })
}

/// Words with their places, quotes and escapes taken away.
fn words(text: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at].is_ascii_whitespace() || (text[at] == b'\\' && text.get(at + 1) == Some(&b'\n')) {
            at += 1;
            continue;
        }
        let (start, mut word, mut quote) = (at, Vec::new(), None);
        while at < text.len() {
            let byte = text[at];
            match quote {
                None if byte.is_ascii_whitespace() => break,
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                Some(open) if byte == open => quote = None,
                _ if byte == b'\\' && at + 1 < text.len() => {
                    at += 1;
                    word.push(text[at]);
                }
                _ => word.push(byte),
            }
            at += 1;
        }
        words.push((start..at, word));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_drop_in_and_its_percent_signs() {
        let bytes = edit(b"", &[("HTTP_PROXY", Some("http://u:p%40@h:1")), ("NO_PROXY", Some("a,b"))]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.ends_with("[Service]\nEnvironment=\"HTTP_PROXY=http://u:p%%40@h:1\"\nEnvironment=\"NO_PROXY=a,b\"\n"),
            "{text}"
        );
        assert_eq!(value(&assignments(&bytes), "HTTP_PROXY").unwrap().value, b"http://u:p%40@h:1");
    }

    #[test]
    fn somebody_elses_drop_in_keeps_its_words() {
        let before = b"[Unit]\nEnvironment=HTTP_PROXY=no\n[Service]\nEnvironment=FOO=1 \"HTTP_PROXY=http://o:1\" 'B A=2' \\\n  C=3\nExecStart=\n";
        let after = edit(before, &[("HTTP_PROXY", Some("http://p:1")), ("NO_PROXY", Some("x"))]);
        assert_eq!(
            String::from_utf8(after.clone()).unwrap(),
            "[Unit]\nEnvironment=HTTP_PROXY=no\n[Service]\nEnvironment=FOO=1 \"HTTP_PROXY=http://p:1\" 'B A=2' \\\n  C=3\nExecStart=\nEnvironment=\"NO_PROXY=x\"\n"
        );
        let gone = edit(&after, &[("HTTP_PROXY", None), ("NO_PROXY", None)]);
        assert_eq!(
            String::from_utf8(gone).unwrap(),
            "[Unit]\nEnvironment=HTTP_PROXY=no\n[Service]\nEnvironment=FOO=1  'B A=2' \\\n  C=3\nExecStart=\n"
        );
    }

    #[test]
    fn a_comment_ends_with_its_line() {
        let text = b"[Service]\n# see C:\\\nEnvironment=HTTP_PROXY=http://o:1\n";
        assert_eq!(value(&assignments(text), "HTTP_PROXY").unwrap().value, b"http://o:1");
        assert!(is_idle(&edit(text, &[("HTTP_PROXY", None)])));
    }

    proptest! {
        #[test]
        fn what_was_set_is_read_back_and_a_second_edit_changes_nothing(before in "(\\[Service\\]\n)?([ -~]{0,12}\n|Environment=[ -~]{0,20}\n){0,4}", value in "[ -~]{0,16}") {
            let wishes = [("HTTP_PROXY", Some(value.as_str()))];
            let once = edit(before.as_bytes(), &wishes);
            // An unbalanced quote or a trailing backslash of somebody else swallows what follows.
            if super::value(&assignments(&once), "HTTP_PROXY").is_some_and(|seen| seen.value == value.as_bytes()) {
                prop_assert_eq!(edit(&once, &wishes), once);
            }
        }
    }
}
