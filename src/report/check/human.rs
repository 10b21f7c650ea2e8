//! Text for people: a heading per group, one line per check, and below what is not right what to do about it.
//!
//! On a terminal long texts are broken at blanks; elsewhere each fact is one line, so that `grep` finds it whole. What is to
//! be pasted is never broken: a terminal folds it by itself, and copies it as one line.

use std::fmt::Write as _;
use std::time::Duration;

use console::measure_text_width;

use super::{Checked, Definition, Page};
use crate::finding::Status;
use crate::report::characters::{Plain, one_line, visible};

pub(super) const FORMAT: Definition = Definition::new(render);

/// Where details begin.
const INDENT: usize = 6;

/// The longest label, with its colon and blank.
const LABEL: usize = "expected: ".len();

/// Lines longer than this are hard to read on any terminal, and shorter than that on none.
const COLUMNS: std::ops::RangeInclusive<usize> = 40..=100;

/// The result as text.
fn render(checked: &Checked<'_>, page: &Page) -> String {
    let findings = checked.plain();
    let mut text = String::new();
    let mut group = None;
    let mut rest = &findings[..];
    while let Some(finding) = rest.first() {
        let alike = rest.iter().take_while(|other| !page.verbose && skipped_alike(finding, other)).count().max(1);
        let (now, later) = rest.split_at(alike);
        rest = later;
        if page.quiet && matches!(finding.status, Status::Pass | Status::Skip) {
            continue;
        }
        if group != Some(finding.group) {
            let gap = if group.is_none() { "" } else { "\n" };
            group = Some(finding.group);
            let _ = writeln!(text, "{gap}{}", page.paint.bold(finding.group));
        }
        headline(&mut text, now, page);
        details(&mut text, finding, page);
    }
    if page.quiet && text.is_empty() {
        return text;
    }
    let gap = if text.is_empty() { "" } else { "\n" };
    let took = if checked.recorded {
        format!("facts of {}", checked.taken.chars().filter(|c| !c.is_control()).collect::<String>())
    } else {
        crate::net::seconds(Duration::from_millis(checked.took_ms))
    };
    text.push_str(gap);
    for line in wrapped(&format!("{} ({took})", checked.summary().words()), 0, page.columns) {
        let _ = writeln!(text, "{}", page.paint.bold(&line));
    }
    let worst = |status| findings.iter().find(|finding| finding.status == status);
    if let Some(finding) = worst(Status::Fail).or_else(|| worst(Status::Error))
        && !page.quiet
    {
        let _ = writeln!(text, "more on a check: ics-setup check --explain {}", finding.id);
    }
    text
}

/// Were both left out for the same reason? One line says it for all.
fn skipped_alike(one: &Plain, other: &Plain) -> bool {
    let skipped = one.status == Status::Skip && other.status == Status::Skip;
    skipped && one.group == other.group && one.observed.is_some() && one.observed == other.observed
}

/// How a status is drawn, and its colour.
pub(crate) fn mark(status: Status, unicode: bool) -> (&'static str, &'static str) {
    let (mark, ascii, color) = match status {
        Status::Pass => ("✓", "ok", "32"),
        Status::Warn => ("‼", "!!", "33"),
        Status::Fail | Status::Error => ("×", "xx", "31"),
        Status::Skip => ("-", "--", "2"),
    };
    (if unicode { mark } else { ascii }, color)
}

/// The one line of a check, or of several that were left out alike.
fn headline(text: &mut String, alike: &[Plain], page: &Page) {
    let Some(finding) = alike.first() else { return };
    let (mark, color) = mark(finding.status, page.unicode);
    let indent = 2 + measure_text_width(mark) + 1;
    let mut sentence = finding.title.clone();
    let others = alike.iter().filter(|other| other.title != finding.title).count();
    if others > 0 {
        let _ = write!(sentence, ", and {others} more");
    }
    if finding.status == Status::Skip
        && let Some(why) = finding.observed.as_ref().or(finding.cause.as_ref())
    {
        let _ = write!(sentence, " ({})", one_line(why));
    }
    let mut ids: Vec<&str> = alike.iter().map(|finding| finding.id).collect();
    ids.dedup();
    let id =
        if finding.status == Status::Pass && !page.verbose { String::new() } else { format!("[{}]", ids.join(",")) };
    let mut lines = wrapped(format!("{sentence} {id}").trim_end(), indent, page.columns);
    // An id has no blanks, so it stands whole at the end of the last line.
    if let Some(last) = lines.last_mut()
        && let Some(before) = last.strip_suffix(&id).filter(|_| !id.is_empty())
    {
        *last = format!("{before}{}", page.paint.with("2", &id));
    }
    let _ = writeln!(text, "  {} {}", page.paint.with(color, mark), joined(&lines, indent));
}

fn details(text: &mut String, finding: &Plain, page: &Page) {
    if matches!(finding.status, Status::Pass | Status::Skip) && !page.verbose {
        return;
    }
    for (word, value) in finding.facts() {
        detail(text, word, value, page);
    }
    if page.verbose {
        if !finding.evidence.is_empty()
            && let Ok(json) = serde_json::to_string(&finding.evidence)
        {
            detail(text, "data", &visible(&json), page);
        }
        let mut took: Vec<String> = Vec::new();
        took.extend(finding.duration_ms.map(|millis| crate::net::seconds(Duration::from_millis(millis))));
        took.extend(finding.attempts.filter(|attempts| *attempts > 1).map(|attempts| format!("{attempts} attempts")));
        took.extend(finding.path.map(|path| format!("path {path}")));
        took.extend(finding.stage.map(|stage| format!("stage {stage}")));
        if !took.is_empty() {
            detail(text, "took", &took.join(", "), page);
        }
    }
}

fn detail(text: &mut String, word: &str, value: &str, page: &Page) {
    let indent = INDENT + LABEL;
    let whole = matches!(word, "fix" | "more" | "data");
    let lines = wrapped(value, indent, page.columns.filter(|_| !whole));
    let label = format!("{:LABEL$}", format!("{word}:"));
    let label = if word == "fix" { page.paint.with("36", &label) } else { label };
    let _ = writeln!(text, "{:INDENT$}{label}{}", "", joined(&lines, indent));
}

fn joined(lines: &[String], indent: usize) -> String {
    lines.join(&format!("\n{:indent$}", ""))
}

/// `text` broken at blanks so that lines which begin at `indent` end before `columns`. Longer words stay whole.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return text.split('\n').map(str::to_owned).collect() };
    let room = columns.clamp(*COLUMNS.start(), *COLUMNS.end()).saturating_sub(indent);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start_matches(' ');
        let lead = line.len() - words.len();
        let mut now = " ".repeat(lead);
        let mut width = lead;
        for (at, word) in words.split(' ').enumerate() {
            let wide = measure_text_width(word);
            if at > 0 && width + 1 + wide > room {
                lines.push(std::mem::replace(&mut now, " ".repeat(lead)));
                width = lead;
            } else if at > 0 {
                now.push(' ');
                width += 1;
            }
            now.push_str(word);
            width += wide;
        }
        lines.push(now);
    }
    lines
}
