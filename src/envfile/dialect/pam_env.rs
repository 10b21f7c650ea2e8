//! `/etc/environment` as pam_env reads it at login.
//!
//! Source: linux-pam `modules/pam_env/pam_env.c`: `_assemble_line` (up to 1.5.3; since 1.6
//! `libpam_internal/pam_line.c`) puts continued lines together, `_parse_env_file` takes one such line
//! apart. Builds with libeconf (SUSE, newer Fedora) read otherwise and are not covered.

use super::{PamLimit, Seen, collector::Collector};

const TOO_LONG_CUT: &str = "pam_env cuts the line at its buffer's end and reads the remainder as one more line";
const TOO_LONG_DROPPED: &str = "pam_env drops this line and every line after it: it is too long for its buffer";
const NUL_DROPPED: &str = "pam_env drops this line and every line after it: it contains a NUL byte";
const UNFINISHED: &str = "pam_env drops the last line: it ends in a backslash and nothing follows";
const BAD_NAME: &str = "pam_env ignores the line: the name is not made of letters, digits and underscores";
const NO_NAME: &str = "pam_env ignores the line: there is no name before the equals sign";
const HASH: &str = "pam_env ends the value at the # even inside quotes";
const QUOTE_STAYS: &str = "pam_env keeps the closing quote: something follows it on the line";
const CR_STAYS: &str = "pam_env keeps the carriage return at the end of the value";

pub(super) fn read(limit: PamLimit, out: &mut Collector<'_>) {
    each_line(limit, out, read_line);
}

fn each_line<'a>(limit: PamLimit, out: &mut Collector<'a>, mut take: impl FnMut(&[u8], usize, &mut Collector<'a>)) {
    let mut file = File { rest: out.bytes, position: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let assembled = match limit {
            PamLimit::Cut(limit) => file.assemble_old(&mut line, limit, false, out),
            PamLimit::Drop(limit) => file.assemble_old(&mut line, limit, true, out),
            PamLimit::None => file.assemble_new(&mut line, out),
        };
        match assembled {
            Some(start) => take(&line, start, out),
            None => return,
        }
    }
}

/// The part of the file that is still to be read.
struct File<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> File<'a> {
    /// C's `fgets`: up to and with the next line end, but at most `most` bytes.
    /// Tells also whether the end of the file was hit on the way.
    fn gets(&mut self, most: usize) -> Option<(&'a [u8], bool)> {
        if self.rest.is_empty() {
            return None;
        }
        let window = &self.rest[..most.min(self.rest.len())];
        let end = memchr::memchr(b'\n', window).map(|at| at + 1);
        let hit_end = end.is_none() && window.len() < most;
        let (piece, rest) = self.rest.split_at(end.unwrap_or(window.len()));
        self.rest = rest;
        self.position += piece.len();
        Some((piece, hit_end))
    }

    /// One line with its continuations in a buffer of `limit` bytes and a NUL; the place where it began.
    fn assemble_old(
        &mut self,
        line: &mut Vec<u8>,
        limit: usize,
        strict: bool,
        out: &mut Collector<'_>,
    ) -> Option<usize> {
        let mut start = self.position;
        loop {
            let here = self.position;
            if line.is_empty() {
                start = here;
            }
            // Never 0: a continued line leaves room for at least its backslash.
            let room = limit.saturating_sub(line.len()).max(1);
            let Some((piece, hit_end)) = self.gets(room) else {
                if !line.is_empty() {
                    out.complain(start, UNFINISHED);
                }
                return None;
            };
            let complete = piece.ends_with(b"\n") || hit_end;
            let text = c_string(piece);
            if strict && (text.is_empty() || (text.len() < piece.len() && !hit_end)) {
                out.complain(here, NUL_DROPPED);
                return None;
            }
            if !complete {
                out.complain(here, if strict { TOO_LONG_DROPPED } else { TOO_LONG_CUT });
                if strict {
                    return None;
                }
            }
            let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
            let body = &text[blanks..];
            if body.is_empty() || body.starts_with(b"#") {
                continue;
            }
            if let Some(hash) = memchr::memchr(b'#', body) {
                line.extend_from_slice(&text[..blanks + hash]);
                complain_of_hash(&body[..hash], here, out);
                return Some(start);
            }
            match continued(body) {
                Some(kept) => line.extend_from_slice(&text[..blanks + kept]),
                None => {
                    line.extend_from_slice(text);
                    return Some(start);
                }
            }
        }
    }

    /// The same since 1.6: no limit; a blank or comment line ends a continued one; its blanks at the front go.
    fn assemble_new(&mut self, line: &mut Vec<u8>, out: &mut Collector<'_>) -> Option<usize> {
        let mut start = self.position;
        let mut continuing = false;
        loop {
            let here = self.position;
            if !continuing {
                start = here;
            }
            let Some((piece, _)) = self.gets(usize::MAX) else {
                if continuing {
                    out.complain(start, UNFINISHED);
                }
                return None;
            };
            let kept = continued(piece);
            let text = &piece[..kept.unwrap_or(piece.len())];
            let blanks = c_string(text).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let body = &text[blanks..];
            let hash = memchr::memchr(b'#', c_string(body));
            if let Some(hash) = hash {
                complain_of_hash(&body[..hash], here, out);
                line.extend_from_slice(&body[..hash]);
                line.push(0);
            } else {
                let nothing = line.is_empty() && (body.is_empty() || matches!(body[0], 0 | b'\n'));
                if !(kept.is_none() && nothing) {
                    line.extend_from_slice(body);
                }
            }
            continuing = kept.is_some() && hash.is_none();
            if continuing {
                continue;
            }
            if line.first().is_some_and(|byte| *byte != 0) {
                return Some(start);
            }
            line.clear();
        }
    }
}

/// `head` is cut off by a `#`: says so when people expect the `#` to be part of the value.
fn complain_of_hash(head: &[u8], position: usize, out: &mut Collector<'_>) {
    let value = memchr::memchr(b'=', head).map(|equals| &head[equals + 1..]);
    let open = value.is_some_and(|value| match value.split_first() {
        Some((quote @ (b'"' | b'\''), inner)) => memchr::memchr(*quote, inner).is_none(),
        _ => false,
    });
    let glued = head.last().is_some_and(|byte| !is_blank(*byte));
    if open || glued {
        out.complain(position, HASH);
    }
}

/// The length up to the backslash, if that is the last thing on the line but blanks.
fn continued(text: &[u8]) -> Option<usize> {
    let last = text.iter().rposition(|byte| !is_blank(*byte))?;
    (text[last] == b'\\').then_some(last)
}

fn read_line(line: &[u8], start: usize, out: &mut Collector<'_>) {
    match assignment(line) {
        Err(complaint) => out.complain(start, complaint),
        Ok((name, None)) => out.unset(name),
        Ok((name, Some(value))) if out.wants(name) => {
            let value = unquoted(value);
            if value.ends_with(b"\r") {
                out.complain(start, CR_STAYS);
            } else if value.trim_ascii_end().len() < value.len() && value.trim_ascii_end().ends_with(b"\"") {
                out.complain(start, QUOTE_STAYS);
            }
            out.set(name, Seen::Value(value));
        }
        Ok(_) => {}
    }
}

/// Name and value as written. A bare name is a request to forget what was set before.
fn assignment(line: &[u8]) -> Result<(&[u8], Option<&[u8]>), &'static str> {
    let text = c_string(line);
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    let text = &text[blanks..];
    let text = text.strip_prefix(b"export ").unwrap_or(text);
    let text = &text[..memchr::memchr2(b'\n', b'#', text).unwrap_or(text.len())];
    if text.starts_with(b"=") {
        return Err(NO_NAME);
    }
    let equals = memchr::memchr(b'=', text);
    let name = &text[..equals.unwrap_or(text.len())];
    if !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err(BAD_NAME);
    }
    Ok((name, equals.map(|equals| &text[equals + 1..])))
}

/// A file as linux-pam's reader of lines takes it apart: `/etc/environment`, `pam_env.conf`, the stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PamLines {
    /// Lines with their continuations, without comments, each with the number of its first line.
    pub(crate) lines: Vec<(usize, Vec<u8>)>,
    /// The line from which on something is lost or read in pieces.
    pub(crate) lost: Option<usize>,
}

impl PamLines {
    /// Takes the file apart. Total on any bytes, in linear time.
    pub(crate) fn read(bytes: &[u8], limit: PamLimit) -> Self {
        let mut found = Self::default();
        let mut complaints = Collector::new(bytes, Some(&[]));
        let (mut counted, mut number) = (0, 1);
        each_line(limit, &mut complaints, |line, start, _| {
            number += memchr::memchr_iter(b'\n', &bytes[counted..start]).count();
            counted = start;
            found.lines.push((number, c_string(line).to_vec()));
        });
        let lost = [TOO_LONG_CUT, TOO_LONG_DROPPED, NUL_DROPPED];
        let complaints = complaints.finish().complaints;
        found.lost = complaints.iter().find(|own| lost.contains(&own.message)).map(|own| own.line);
        found
    }

    /// The lines as `pam_env` reads them in `/etc/environment`: names with their values; no value: the name is forgotten.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (usize, &[u8], Option<Vec<u8>>)> {
        let read = |line| assignment(line).ok();
        self.lines.iter().filter_map(move |(number, line)| {
            let (name, value) = read(line.as_slice())?;
            Some((*number, name, value.map(unquoted)))
        })
    }
}

/// A quote at the front goes, and with it a quote of either kind at the very end.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    match value.split_first() {
        Some((first, inner)) if is_quote(first) => match inner.split_last() {
            Some((last, middle)) if is_quote(last) => middle.to_vec(),
            _ => inner.to_vec(),
        },
        _ => value.to_vec(),
    }
}

fn c_string(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}
