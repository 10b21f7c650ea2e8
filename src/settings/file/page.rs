//! A settings file as messages show it: the user's line with the place marked, and no secret on it.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, ProblemId, id};
use crate::redact::MASK;
use crate::settings::redact_line;
use crate::settings::table::TABLE;
use crate::text;
use crate::text::{Text, nearest, own};

/// What stands in place of text that may be part of a secret, or not: nobody can tell where its string ends.
const UNKNOWN: &str = "…";

/// A settings file being read, for messages.
pub(super) struct Page<'a> {
    pub(super) text: &'a str,
    pub(super) shown: &'a Path,
    is_toml: bool,
}

impl<'a> Page<'a> {
    /// Parses a settings file.
    pub(super) fn parse(text: &'a str, shown: &'a Path) -> Result<(Self, DeTable<'a>), Problem> {
        let (table, errors) = DeTable::parse_recoverable(text);
        // The first place is where it went wrong; what is complained of first may be the end of it.
        let first = errors.iter().min_by_key(|error| error.span().map_or(usize::MAX, |span| span.start));
        if let Some(error) = first {
            let page = Self { text, shown, is_toml: false };
            let span = error.span().unwrap_or(0..0);
            let (_, line) = page.line_at(span.start);
            let is_open = comment(line).is_none() && !["\"\"\"", "'''"].iter().any(|quotes| line.contains(quotes));
            let message = match is_open {
                true => "a quote is opened on this line, and none closes it",
                false => error.message().lines().next().unwrap_or_default(),
            };
            return Err(page.problem(id::SETTINGS_NOT_TOML, span, message.to_owned()));
        }
        Ok((Self { text, shown, is_toml: true }, table.into_inner()))
    }

    /// Where stands what must not be shown. `None`: the text is not TOML, so nobody knows.
    fn hidden(&self) -> Option<Vec<Range<usize>>> {
        let table = DeTable::parse(self.text).ok().filter(|_| self.is_toml)?;
        let mut hidden = Vec::new();
        hide(self.text, table.get_ref(), false, &mut hidden);
        hidden.sort_by_key(|range| range.start);
        Some(hidden)
    }

    /// The number of the line at this byte, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Where the line at this byte begins, and the line.
    fn line_at(&self, at: usize) -> (usize, &'a str) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        (start, self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default())
    }

    /// The message, then the user's line with the place marked. Secrets on that line are masked.
    pub(super) fn problem(&self, id: ProblemId, span: Range<usize>, message: impl Into<Text>) -> Problem {
        let at = span.start.min(self.text.len());
        let number = self.line(at);
        let (start, line) = self.line_at(at);
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        let (masked, column) = match self.hidden() {
            Some(hidden) => {
                let (part, part_column) = without(line, start, &hidden, at);
                let (pairs, words) = part.split_at(comment(&part).unwrap_or(part.len()));
                let masked = redact_line(&format!("{pairs}{}", mask_words(words)));
                let column = moved(&part, &masked, part_column);
                (masked, column)
            }
            None => {
                let masked = shown_of_broken(self.text.get(..start).unwrap_or_default(), line);
                let column = moved(line, &masked, column);
                (masked, column)
            }
        };
        let width =
            if masked == line { span.len().clamp(1, line.chars().count().saturating_sub(column).max(1)) } else { 1 };
        let gutter = " ".repeat(number.to_string().len());
        Problem::settings(id, text!("{}:{}: {}", own(self.shown.display()), number, message.into())).excerpt(text!(
            "\n{} |\n{} | {}\n{} | {}{}",
            own(&gutter),
            number,
            masked,
            own(&gutter),
            own(" ".repeat(column)),
            own("^".repeat(width))
        ))
    }
}

/// Collects where values of secret-looking names stand, whatever is below such a name, and strings of several lines.
fn hide(text: &str, table: &DeTable<'_>, below_secret: bool, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        if below_secret || mask_words(key.get_ref()) != *key.get_ref() {
            hidden.push(key.span());
        }
        hide_value(text, value, below_secret || is_secret(key.get_ref()), hidden);
    }
}

fn hide_value(text: &str, value: &toml::Spanned<DeValue<'_>>, secret: bool, hidden: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => hide(text, table, secret, hidden),
        DeValue::Array(members) => members.iter().for_each(|member| hide_value(text, member, secret, hidden)),
        _ if secret || tells(text, value.span()) => hidden.push(value.span()),
        _ => {}
    }
}

/// May it have several lines, or does it speak of a secret itself? Then it may have swallowed what was meant to follow it.
fn tells(text: &str, span: Range<usize>) -> bool {
    text.get(span).is_none_or(|part| {
        part.contains('\n') || part.starts_with("\"\"\"") || part.starts_with("'''") || mask_words(part) != part
    })
}

/// The line that begins at `start` without the hidden ranges, and the column of byte `at` in it.
fn without(line: &str, start: usize, hidden: &[Range<usize>], at: usize) -> (String, usize) {
    let mut shown = String::with_capacity(line.len());
    let mut column = None;
    let mut done = 0;
    for range in hidden {
        let from = range.start.saturating_sub(start).max(done).min(line.len());
        let to = range.end.saturating_sub(start).min(line.len());
        if to <= from {
            continue;
        }
        if column.is_none() && at < start + to {
            let before = line.get(done..from.min(at.saturating_sub(start).max(done))).unwrap_or_default();
            column = Some(shown.chars().count() + before.chars().count());
        }
        shown.push_str(line.get(done..from).unwrap_or_default());
        shown.push_str(MASK);
        done = to;
    }
    let before = line.get(done..at.saturating_sub(start).clamp(done, line.len())).unwrap_or_default();
    let column = column.unwrap_or_else(|| shown.chars().count() + before.chars().count());
    shown.push_str(line.get(done..).unwrap_or_default());
    (shown, column)
}

/// The column after something in the middle of a line was replaced: of a place inside that, where it begins.
fn moved(before: &str, after: &str, column: usize) -> usize {
    if before == after {
        return column;
    }
    let same = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let (long, short) = (before.chars().count(), after.chars().count());
    let tail = before.chars().rev().zip(after.chars().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(long.min(short) - same);
    match long.checked_sub(column) {
        _ if column <= same => column,
        Some(from_end) if from_end <= tail => short - from_end,
        _ => same,
    }
}

/// A line of a text that is not TOML, as far as it cannot be part of a secret.
fn shown_of_broken(before: &str, line: &str) -> String {
    let open = has_open_string(line);
    let in_string = before.lines().any(has_open_string);
    let known = !in_string && first_secret(before).is_none();
    // Where secrets may run on into this line, only names that are ours can be told from them.
    let key = line.split_once('=').map(|(key, _)| key);
    let ours = line_is_ours(key.unwrap_or(line));
    match key {
        _ if !known && !ours => UNKNOWN.to_owned(),
        Some(key) if (open || in_string) && (ours || is_one_key(key)) => format!("{}= {UNKNOWN}", mask_words(key)),
        _ if open || in_string => UNKNOWN.to_owned(),
        _ => mask_words(&redact_line(line)),
    }
}

/// Does a string begin on this line that does not end on it, or one of those that may have several lines?
fn has_open_string(line: &str) -> bool {
    line.contains("\"\"\"") || line.contains("'''") || comment(line).is_none()
}

/// Where the comment of a line begins, or the line ends. `None`: inside a string.
fn comment(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '#') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some('"'), '\\') => drop(chars.next()),
            (Some(begun), c) if begun == c => quote = None,
            _ => {}
        }
    }
    quote.is_none().then_some(line.len())
}

/// Only names of our settings: the head of a line that cannot be the rest of a secret.
fn line_is_ours(head: &str) -> bool {
    head.trim_matches([' ', '\t', '[', ']', '"', '\'']).split('.').all(|word| {
        TABLE.iter().any(|spec| spec.key.as_str().split('.').any(|part| part == word.trim_matches([' ', '"', '\''])))
    })
}

/// A key as most people write it.
fn is_one_key(head: &str) -> bool {
    let head = head.trim();
    !head.is_empty() && head.chars().all(|c| is_word(c) || c == '.')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Would the value of this name be a secret, as it is spelled or with a slip in it?
fn is_secret(name: &str) -> bool {
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    if TABLE.iter().any(|spec| !spec.secret && last(spec.key.as_str()) == name) {
        return false;
    }
    let name = name.to_lowercase();
    // Words of other lengths are not near enough, and long files have many.
    let near = |word: &str| (4..=18).contains(&word.len()) && nearest(word, ["password"].into_iter()).is_some();
    redact_line(&format!("{name}=x")).ends_with(MASK) || near(&name) || name.split(['_', '-']).any(near)
}

/// The first word on these lines whose value would be a secret.
fn first_secret(text: &str) -> Option<Range<usize>> {
    let mut rest = 0;
    while let Some(start) = text[rest..].find(is_word).map(|at| rest + at) {
        let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |at| start + at);
        if is_secret(&text[start..end]) {
            return Some(start..end);
        }
        rest = end;
    }
    None
}

/// Masks everything that follows the first secret-looking word, whatever stands between.
pub(super) fn mask_words(line: &str) -> String {
    let Some(word) = first_secret(line) else { return line.to_owned() };
    let rest = &line[word.end..];
    if rest.trim().is_empty() {
        return line.to_owned();
    }
    let blank = [' ', '\t'];
    let sign = rest.trim_start_matches(['"', '\'']).trim_start_matches(blank);
    let value = sign.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(blank);
    if value.is_empty() || value == MASK {
        return line.to_owned();
    }
    format!("{}{MASK}", &line[..line.len() - value.len()])
}
