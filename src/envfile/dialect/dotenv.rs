//! `env_file:` as docker-compose 1.26 to 1.29 reads it: with python-dotenv, 0.13.0 in the vendor's own
//! binary, up to 0.21 elsewhere.
//!
//! Source: docker/compose 1.29.2 `compose/config/environment.py`; python-dotenv `parser.py`, `variables.py`.
//! Where the two releases differ the value is [`Seen::Unknown`]. `${NAME}` is answered by 0.13 from the
//! caller's environment first and by 0.21 from the file first, so it is never known.

use std::borrow::Cow;

use super::Seen;
use super::collector::{Collector, control_of};
use super::python::{is_python_space, passed_on, utf8};

const UNREADABLE: &str = "docker-compose skips what it cannot parse here, with a warning only";
const SPLIT: &str = "releases of docker-compose read this value differently";

pub(super) fn read(out: &mut Collector<'_>) {
    let Some(text) = utf8(out) else { return };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Python opens the file with universal newlines.
    let text = match memchr::memchr(b'\r', text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        None => Cow::Borrowed(text),
    };
    let mut inner = out.over(text.as_bytes());
    Parser { text: &text, position: 0 }.run(&mut inner);
    out.adopt(inner);
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    fn run(mut self, out: &mut Collector<'_>) {
        while self.position < self.text.len() {
            self.skip(is_python_space);
            let start = self.position;
            if self.rest().is_empty() {
                break;
            }
            match self.binding(out) {
                Some((Some(name), Some(seen))) => out.set(name.as_bytes(), seen),
                Some((Some(name), None)) => {
                    out.complain(start, SPLIT);
                    out.set(name.as_bytes(), Seen::Unknown);
                }
                Some((None, _)) => {}
                None => {
                    out.complain(start, UNREADABLE);
                    self.skip(|c| c != '\n');
                    self.eat("\n");
                }
            }
        }
    }

    /// `parse_binding`: a name (none in a comment) and what is bound to it (`None`: the releases disagree); nothing where it
    /// does not parse.
    fn binding(&mut self, out: &Collector<'_>) -> Option<(Option<&'a str>, Option<Seen>)> {
        let after_export = self.rest().strip_prefix("export").map(|rest| rest.trim_start_matches(is_python_blank));
        if let Some(rest) = after_export
            && self.rest().len() - rest.len() > "export".len()
        {
            self.position = self.text.len() - rest.len();
        }
        let name = self.name()?;
        self.skip(is_python_blank);
        let mut found = Some(Seen::Inherited);
        if self.eat("=") {
            self.skip(is_python_blank);
            let wanted = name.is_some_and(|name| out.wants(name.as_bytes()));
            found = self.value(wanted)?;
        }
        let comment = self.rest().trim_start_matches(is_python_blank);
        if comment.starts_with('#') {
            self.skip(|c| c != '\n');
        } else {
            self.skip(is_python_blank);
        }
        (self.rest().is_empty() || self.eat("\n")).then_some((name, found))
    }

    /// `parse_key`.
    fn name(&mut self) -> Option<Option<&'a str>> {
        let rest = self.rest();
        if rest.starts_with('#') {
            return Some(None);
        }
        let name = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let name = &quoted[..memchr::memchr(b'\'', quoted.as_bytes())?];
                self.position += name.len() + 2;
                name
            }
            None => {
                let end = rest.find(|c| matches!(c, '=' | '#') || is_python_space(c));
                let name = &rest[..end.unwrap_or(rest.len())];
                self.position += name.len();
                name
            }
        };
        (!name.is_empty()).then_some(Some(name))
    }

    /// `parse_value`, with what [`binding`](Self::binding) says of it.
    fn value(&mut self, wanted: bool) -> Option<Option<Seen>> {
        let rest = self.rest();
        match rest.as_bytes().first() {
            None | Some(b'\n') => Some(Some(Seen::Value(Vec::new()))),
            Some(quote @ (b'"' | b'\'')) => {
                let inner = &rest[1..];
                let inner = &inner[..quote_end(inner.as_bytes(), *quote)?];
                self.position += inner.len() + 2;
                Some(Some(interpolated(&unescaped(inner, *quote == b'"'))))
            }
            Some(_) => {
                let line = &rest[..memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len())];
                self.position += line.len();
                if !wanted {
                    return Some(Some(Seen::Unknown));
                }
                let value = plain_of_0_21(line);
                Some((plain_of_0_13(line) == Some(value)).then(|| interpolated(value)))
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn skip(&mut self, kind: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.position += rest.find(|c| !kind(c)).unwrap_or(rest.len());
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.position += token.len();
        }
        there
    }
}

/// Where the regular expression `(?:\\'|[^'])*'` ends: at the first quote without a backslash before it or,
/// if there is none, at the last one with a backslash, which then belongs to the value.
fn quote_end(inner: &[u8], quote: u8) -> Option<usize> {
    let mut last = None;
    for at in memchr::memchr_iter(quote, inner) {
        last = Some(at);
        if at == 0 || inner[at - 1] != b'\\' {
            break;
        }
    }
    last
}

fn unescaped(inner: &str, double: bool) -> String {
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        value.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied();
        let plain = match escape {
            Some(b'\\') => Some('\\'),
            Some(b'\'') => Some('\''),
            Some(b'"') if double => Some('"'),
            Some(escape) if double => control_of(escape).map(char::from),
            _ => None,
        };
        value.push(plain.unwrap_or('\\'));
        rest = &rest[at + if plain.is_some() { 2 } else { 1 }..];
    }
    value.push_str(rest);
    value
}

/// `re.sub(r"\s+#.*", "", part).rstrip()`
fn plain_of_0_21(line: &str) -> &str {
    let hash = line.match_indices('#').find(|(at, _)| line[..*at].ends_with(is_python_space));
    let value = hash.map_or(line, |(at, _)| &line[..at]);
    value.trim_end_matches(is_python_space)
}

/// The loop of 0.13 over parts without spaces. Where it stops before anything but the end of the line or a
/// comment, the line does not parse.
fn plain_of_0_13(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let stop = memchr::memchr_iter(b' ', bytes).find(|at| matches!(bytes.get(at + 1), None | Some(b' ' | b'#')));
    let Some(stop) = stop else { return Some(line) };
    let after = line[stop..].trim_start_matches(is_python_blank);
    (after.is_empty() || after.starts_with('#')).then_some(&line[..stop])
}

fn interpolated(value: &str) -> Seen {
    if refers(value.as_bytes()) { Seen::Unknown } else { passed_on(value) }
}

/// Whether there is a `${NAME}` or `${NAME:-word}` anywhere; everything else with a `$` is literal.
fn refers(value: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&value[from..], b"${") {
        let name = from + at + 2;
        match memchr::memchr2(b'}', b':', &value[name..]).map(|end| name + end) {
            None => return false,
            Some(end) if value[end] == b'}' => return true,
            Some(end) if value.get(end + 1) == Some(&b'-') => return memchr::memchr(b'}', &value[end..]).is_some(),
            // No reference that starts before this colon can be complete.
            Some(end) => from = end,
        }
    }
    false
}

/// `[^\S\r\n]`
fn is_python_blank(c: char) -> bool {
    is_python_space(c) && !matches!(c, '\r' | '\n')
}
