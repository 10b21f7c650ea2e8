//! Saving: single places of the text change, and every other byte stays, whoever wrote it.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Page, plain};
use crate::problem::Problem;
use crate::settings::parse_switch;
use crate::settings::table::{Key, Shape, Spec, TABLE};

/// Where the settings of the last run are kept.
pub const SAVED: &str = "/etc/ics-setup/settings.toml";

const HEADER: &str = "# Settings of the last ics-setup run. Passwords are not kept here: they are found again on the host.\n# All keys: ics-setup settings example\n\n";

const BOM: &str = "\u{feff}";

/// A place of the text and what comes there.
type Edit = (Range<usize>, String);

/// The saved settings with these values in place of the old ones; every other byte stays. `None`: there is nothing to
/// save and no file yet.
///
/// # Errors
/// When the present text is not TOML.
pub fn save(present: Option<&str>, values: &[(Key, String)]) -> Result<Option<String>, Problem> {
    if present.is_none() && values.is_empty() {
        return Ok(None);
    }
    let mut text = present.unwrap_or(HEADER).to_owned();
    let eol = line_end(&text);
    for spec in TABLE.iter().filter(|spec| spec.saved) {
        let wanted = values.iter().find(|(key, _)| *key == spec.key);
        let wanted = wanted.map(|(_, value)| canonical(spec.shape, value)).filter(|value| !value.is_empty());
        let (_, root) = Page::parse(&text, Path::new(SAVED))?;
        let sheet = Sheet { text: &text, root: &root, eol };
        if let Some((range, new)) = sheet.edit(spec, wanted.as_deref()) {
            text.replace_range(range, &new);
        }
    }
    // Better no change than a file that no later run can read.
    Page::parse(&text, Path::new(SAVED))?;
    Ok(Some(text))
}

/// A value as TOML, on one line.
pub(super) fn rendered(shape: Shape, value: &str) -> String {
    match shape {
        Shape::Switch => parse_switch(value).unwrap_or(false).to_string(),
        Shape::Port => value.parse::<i64>().map_or_else(|_| quoted(value), |number| number.to_string()),
        Shape::List => format!("[{}]", members(value).map(quoted).collect::<Vec<_>>().join(", ")),
        Shape::Text | Shape::Path | Shape::Choice(_) => quoted(value),
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

fn members(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|member| !member.is_empty())
}

/// One spelling for all that mean the same: `"a, b"` and `["a", "b"]`, `yes` and `true`, `0x10` and `16`.
fn canonical(shape: Shape, value: &str) -> String {
    match shape {
        Shape::Switch => parse_switch(value).map_or_else(|| value.to_owned(), |switch| switch.to_string()),
        Shape::Port => value.parse::<i64>().map_or_else(|_| value.to_owned(), |it| it.to_string()),
        Shape::List => members(value).collect::<Vec<_>>().join(","),
        Shape::Text | Shape::Path | Shape::Choice(_) => value.to_owned(),
    }
}

/// How the keys of a section are written.
enum Home {
    /// Lines before the first `[section]`.
    Top,
    /// Lines below this `[section]`.
    Header(Range<usize>),
    /// `section.key = …` above every `[section]`; the last value ends here.
    Dotted(usize),
    /// `section = { … }`.
    Inline(Range<usize>),
    /// Not at all.
    Nowhere,
}

/// The text before an edit.
struct Sheet<'t> {
    text: &'t str,
    root: &'t DeTable<'t>,
    /// How lines of this file end.
    eol: &'static str,
}

impl Sheet<'_> {
    /// What must change so that the setting has the value. `None`: nothing.
    fn edit(&self, spec: &Spec, wanted: Option<&str>) -> Option<Edit> {
        let Self { text, root, .. } = *self;
        let (section, name) = spec.key.parts();
        let empty = DeTable::new();
        let (table, home) = match entry(root, section) {
            _ if section.is_empty() => (root, Home::Top),
            None => (&empty, Home::Nowhere),
            Some((_, value)) => {
                let DeValue::Table(table) = value.get_ref() else { return None };
                (table, home(text, table, value.span()))
            }
        };
        match (entry(table, name), wanted) {
            (None, None) => None,
            (None, Some(wanted)) => Some(self.insertion(table, &home, section, name, &rendered(spec.shape, wanted))),
            (Some((key, value)), _) if is_header(text, &key, value) || matches!(value.get_ref(), DeValue::Table(_)) => {
                None
            }
            (Some((key, value)), wanted) => {
                let present = plain(value.get_ref()).map(|present| canonical(spec.shape, &present));
                match wanted {
                    _ if present.as_deref() == Some(wanted.unwrap_or_default()) => None,
                    Some(wanted) => Some((value.span(), rendered(spec.shape, wanted))),
                    None => Some(self.removal(table, &home, key.start..value.span().end)),
                }
            }
        }
    }

    fn insertion(&self, table: &DeTable<'_>, home: &Home, section: &str, name: &str, value: &str) -> Edit {
        let Self { text, root, eol } = *self;
        let line = format!("{name} = {value}");
        match home {
            Home::Nowhere => self.append(&[&format!("[{section}]"), &line], true),
            Home::Dotted(end) => self.after_line(*end, &format!("{section}.{line}")),
            Home::Header(span) => self.after_line(body_end(text, table).unwrap_or(span.end), &line),
            Home::Inline(span) => match body_end(text, table) {
                Some(end) => (end..end, format!(", {line}")),
                None => (span.start + 1..span.start + 1, format!(" {line} ")),
            },
            Home::Top => match (body_end(text, root), headers(text, root).into_iter().min()) {
                (Some(end), _) => self.after_line(end, &line),
                (None, None) => self.append(&[&line], false),
                (None, Some(header)) => {
                    // Above the comment that belongs to the header.
                    let mut at = line_start(text, header);
                    while at > 0 && text[line_start(text, at - 1)..at].trim_start().starts_with('#') {
                        at = line_start(text, at - 1);
                    }
                    let at = if at == 0 && text.starts_with(BOM) { BOM.len() } else { at };
                    (at..at, format!("{line}{eol}{eol}"))
                }
            },
        }
    }

    /// Takes a key and its value out; a comment that stands beside it stays.
    fn removal(&self, table: &DeTable<'_>, home: &Home, pair: Range<usize>) -> Edit {
        let Self { text, root, .. } = *self;
        if matches!(home, Home::Inline(_)) {
            return self.member_removal(pair);
        }
        let start = line_start(text, pair.start);
        let end = text[pair.end..].find('\n').map_or(text.len(), |at| pair.end + at + 1);
        let beside = text[pair.end..end].trim_start();
        if !beside.is_empty() {
            let indent = text[start..].len() - text[start..].trim_start_matches([' ', '\t', '\u{feff}']).len();
            return (start + indent..end - beside.len(), String::new());
        }
        if let Home::Header(header) = home
            && table.len() == 1
        {
            // The last key goes and nobody wrote anything else below the header: that goes too.
            let next = headers(text, root).into_iter().filter(|at| *at > header.start).min();
            let below = next.map_or(text.len(), |at| line_start(text, at));
            let rest = [&text[header.end..start], &text[end..below]];
            if rest.iter().all(|rest| rest.trim().is_empty()) {
                return match next {
                    Some(_) => (line_start(text, header.start)..below, String::new()),
                    None => self.cut_end(line_start(text, header.start)),
                };
            }
        }
        let last = end == text.len() && !text.ends_with('\n');
        if last { self.cut_end(start) } else { (start.max(bom(text))..end, String::new()) }
    }

    /// Ends the text here, with a final newline only where it has one.
    fn cut_end(&self, at: usize) -> Edit {
        let text = self.text;
        let kept = text[..at].trim_end_matches(['\r', '\n']).len().max(bom(text));
        let newline = text.ends_with('\n') && kept > bom(text);
        (kept..text.len(), if newline { self.eol } else { "" }.to_owned())
    }

    /// Takes a member out of an inline table, with one of the commas around it.
    fn member_removal(&self, pair: Range<usize>) -> Edit {
        let text = self.text;
        let mut after = pair.end;
        loop {
            after = text.len() - text[after..].trim_start().len();
            if !text[after..].starts_with('#') {
                break;
            }
            after = text[after..].find('\n').map_or(text.len(), |at| after + at);
        }
        if text[after..].starts_with(',') {
            // What stands between value and comma is blank, or a comment that stays.
            let between = text[pair.end..after].trim().to_owned();
            if between.is_empty() {
                let blanks = text[after + 1..].len() - text[after + 1..].trim_start_matches([' ', '\t']).len();
                return (pair.start..after + 1 + blanks, String::new());
            }
            return (pair.start..after + 1, format!("{between}{}", self.eol));
        }
        let before = text[..pair.start].trim_end();
        let start = if before.ends_with(',') { before.len() - 1 } else { pair.start };
        (start..pair.end, String::new())
    }

    fn after_line(&self, at: usize, line: &str) -> Edit {
        let text = self.text;
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let end = if text[at..end].ends_with('\r') { end - 1 } else { end };
        (end..end, format!("{}{line}", self.eol))
    }

    /// Adds lines at the end. A text without a final newline has none afterwards.
    fn append(&self, lines: &[&str], apart: bool) -> Edit {
        let Self { text, eol, .. } = *self;
        let nothing = text.len() == bom(text);
        let ends = nothing || text.ends_with('\n');
        let blank = nothing || text.ends_with("\n\n") || text.ends_with("\n\r\n");
        let mut new = String::new();
        if !ends {
            new.push_str(eol);
        }
        if apart && !blank {
            new.push_str(eol);
        }
        new.push_str(&lines.join(eol));
        if ends {
            new.push_str(eol);
        }
        (text.len()..text.len(), new)
    }
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(Range<usize>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value))
}

fn home(text: &str, table: &DeTable<'_>, span: Range<usize>) -> Home {
    match text.as_bytes().get(span.start) {
        Some(b'{') => Home::Inline(span),
        Some(b'[') => Home::Header(span),
        // Neither: it exists through `section.key` or through `[section.other]` alone.
        _ => body_end(text, table).map_or(Home::Nowhere, Home::Dotted),
    }
}

/// Is this a `[section]` or `[[section]]`, and not a value after a `=`? The span of such a table is its header.
fn is_header(text: &str, key: &Range<usize>, value: &Spanned<DeValue<'_>>) -> bool {
    let start = value.span().start;
    text.as_bytes().get(start) == Some(&b'[') && start < key.start
}

/// Where the last value of a table ends that is not below a header of its own.
fn body_end(text: &str, table: &DeTable<'_>) -> Option<usize> {
    table
        .iter()
        .filter(|(key, value)| !is_header(text, &key.span(), value))
        .filter_map(|(_, value)| match value.get_ref() {
            DeValue::Table(inner) if text.as_bytes().get(value.span().start) != Some(&b'{') => body_end(text, inner),
            _ => Some(value.span().end),
        })
        .max()
}

/// Where headers begin.
fn headers(text: &str, table: &DeTable<'_>) -> Vec<usize> {
    let mut all = Vec::new();
    for (key, value) in table {
        if is_header(text, &key.span(), value) {
            all.push(value.span().start);
        }
        match value.get_ref() {
            DeValue::Table(inner) => all.extend(headers(text, inner)),
            DeValue::Array(tables) => tables.iter().for_each(|one| {
                if let DeValue::Table(inner) = one.get_ref() {
                    all.extend(headers(text, inner));
                }
            }),
            _ => {}
        }
    }
    all
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// How lines of this text end.
fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

fn bom(text: &str) -> usize {
    if text.starts_with(BOM) { BOM.len() } else { 0 }
}
