//! `Environment=` assignments in the `[Service]` section of a systemd unit or drop-in.
//!
//! systemd splits the right side at blanks outside quotes, takes quotes and backslash escapes away and expands `%`
//! specifiers, so a literal `%` is written `%%` (systemd.exec(5), systemd.unit(5), systemd.syntax(7)).
//!
//! | module | what it does |
//! | --- | --- |
//! | `release` | which systemd reads |
//! | `lines` | sections, continuation lines, comments |
//! | `words` | quotes and escapes |
//! | `specifiers` | `%` |

mod lines;
mod release;
mod specifiers;
mod words;

use std::ops::Range;

use super::splice::{Splices, add_to_section, splice};

pub(crate) use lines::{Entry, read};
pub(crate) use release::Release;
pub(crate) use specifiers::{Expanded, Names, Whose, expand};
pub(crate) use words::{Broken, Mode, Word, all, first, is_blank, is_plain};

/// Who the new section belongs to, for whoever finds the file.
const HEADER: &str = "# Written by ics-setup. Take it back with: ics-setup revert\n";

/// Which assignments of a file are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Environment=` in `[Service]` of a unit or drop-in.
    Service,
    /// `DefaultEnvironment=` in `[Manager]` of `system.conf` and its drop-ins (systemd-system.conf(5)).
    Manager,
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Service => ("Service", "Environment"),
            Self::Manager => ("Manager", "DefaultEnvironment"),
        }
    }

    fn lines(self, bytes: &[u8]) -> impl Iterator<Item = Entry> {
        let (section, key) = self.names();
        let all = read(bytes, section.as_bytes(), Release::MEASURED).entries.into_iter();
        all.filter(move |entry| entry.key == key)
    }
}

/// One assignment in a unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Variable.
    pub name: Vec<u8>,
    /// Its value with quotes, escapes and specifiers taken away.
    pub value: Vec<u8>,
    /// Counted from 1.
    pub line: usize,
}

/// All assignments that are in force at the end of the file, in order; an empty `Environment=` clears those before it. What
/// systemd does not take, and what only the running machine tells, is left out.
pub fn assignments(bytes: &[u8]) -> Vec<Assignment> {
    assignments_of(Kind::Service, bytes)
}

/// As [`assignments`], of either kind.
pub fn assignments_of(kind: Kind, bytes: &[u8]) -> Vec<Assignment> {
    let taken = |found: Found| Some(Assignment { name: found.name, value: found.value?, line: found.line });
    all_found(kind, bytes).into_iter().filter_map(taken).collect()
}

/// A word of the file that is meant to assign.
struct Found {
    name: Vec<u8>,
    /// `None`: systemd does not take it, or only the running machine tells.
    value: Option<Vec<u8>>,
    line: usize,
    /// The bytes of the whole word, quotes included.
    span: Range<usize>,
}

fn all_found(kind: Kind, bytes: &[u8]) -> Vec<Found> {
    let whose = if kind == Kind::Manager { Whose::Manager } else { Whose::Unit(None) };
    let mut found = Vec::new();
    for entry in kind.lines(bytes) {
        if entry.value.is_empty() {
            found.clear();
        }
        for word in all(&entry.value, Mode::Escapes).0 {
            let expanded = expand(&word.value, whose, Release::MEASURED);
            let (line, span) = (entry.line(word.span.start), entry.place(&word.span));
            let text = if let Expanded::Known(text) = &expanded { text } else { &word.value };
            let Some((name, value)) = split(text) else { continue };
            let value = matches!(expanded, Expanded::Known(_)) && std::str::from_utf8(value).is_ok();
            let value = value.then(|| text[name.len() + 1..].to_vec());
            found.push(Found { name: name.to_vec(), value, line, span });
        }
    }
    found
}

/// Name and value of an assignment, where the name is one that systemd takes.
pub(crate) fn split(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let sign = memchr::memchr(b'=', word)?;
    is_name(&word[..sign]).then(|| (&word[..sign], &word[sign + 1..]))
}

/// Is it a name of a variable, as `env_name_is_valid()` of systemd has it?
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The value that systemd would give the service; the last assignment wins.
pub fn value<'a>(assignments: &'a [Assignment], name: &str) -> Option<&'a Assignment> {
    assignments.iter().rev().find(|assignment| assignment.name == name.as_bytes())
}

/// The file with these variables set (`Some`) or taken out (`None`); everything else stays as it is.
pub fn edit(bytes: &[u8], wishes: &[(&str, Option<&str>)]) -> Vec<u8> {
    edit_of(Kind::Service, bytes, wishes)
}

/// As [`edit`], of either kind.
pub fn edit_of(kind: Kind, bytes: &[u8], wishes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let (section, key) = kind.names();
    let present = all_found(kind, bytes);
    let mut splices = Splices::new();
    let mut missing = Vec::new();
    for (name, wish) in wishes {
        let own: Vec<&Found> = present.iter().filter(|found| found.name == name.as_bytes()).collect();
        match (own.split_last(), wish) {
            (Some((last, _)), Some(value)) if last.value.as_deref() == Some(value.as_bytes()) => {}
            (Some((last, _)), Some(value)) => splices.push((last.span.clone(), word(name, value))),
            (None, Some(value)) => missing.extend([key.as_bytes(), b"=", &word(name, value), b"\n"].concat()),
            (_, None) => splices.extend(own.iter().map(|found| (found.span.clone(), Vec::new()))),
        }
    }
    let mut out = splice(bytes, splices);
    if wishes.iter().any(|(_, wish)| wish.is_none()) {
        out = without_empty_lines(kind, &out, bytes);
    }
    if !missing.is_empty() {
        if out.is_empty() {
            out.extend_from_slice(HEADER.as_bytes());
        }
        add_to_section(&mut out, section, missing);
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
fn without_empty_lines(kind: Kind, bytes: &[u8], before: &[u8]) -> Vec<u8> {
    let empty = |bytes: &[u8]| kind.lines(bytes).filter(|entry| entry.value.is_empty()).collect::<Vec<_>>();
    let already: Vec<usize> = empty(before).iter().map(|entry| entry.line(0)).collect();
    let mut out = Vec::new();
    let mut at = 0;
    for entry in empty(bytes).into_iter().filter(|entry| !already.contains(&entry.line(0))) {
        out.extend_from_slice(&bytes[at..entry.span.start]);
        at = entry.span.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
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
