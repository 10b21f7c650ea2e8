//! A monitoring plug-in's output: one status line with counts as performance data, below it what is not right, and at the
//! very end the durations, so that a short buffer on the way loses those first.

use std::fmt::Write as _;

use super::{Definition, Page, Summary, in_seconds, series};
use crate::finding::Status;
use crate::report::characters::Plain;

pub(super) const FORMAT: Definition = Definition {
    prevented: Some(unknown),
    exit_code: Some(|summary| summary.map_or(State::Unknown, State::of) as u8),
    ..Definition::new(|checked, page| render(&checked.plain(), page))
};

/// What a plug-in reports; its number is the exit code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is wrong.
    Ok = 0,
    /// Works, but will hurt.
    Warning = 1,
    /// Does not work.
    Critical = 2,
    /// It could not be found out.
    Unknown = 3,
}

impl State {
    /// Of all findings: a failure is critical; what could not be checked makes the state unknown also beside warnings, so
    /// that a known warning hides nothing.
    fn of(summary: &Summary) -> Self {
        let total = summary.pass + summary.warn + summary.fail + summary.skip + summary.error;
        match summary {
            summary if summary.fail > 0 => Self::Critical,
            summary if summary.error > 0 || total == 0 => Self::Unknown,
            summary if summary.warn > 0 => Self::Warning,
            _ => Self::Ok,
        }
    }

    fn of_one(status: Status) -> Self {
        match status {
            Status::Pass | Status::Skip => Self::Ok,
            Status::Warn => Self::Warning,
            Status::Fail => Self::Critical,
            Status::Error => Self::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The result as a plug-in prints it.
fn render(findings: &[Plain], page: &Page) -> String {
    let summary = Summary::of(findings.iter().map(|finding| finding.status));
    let state = State::of(&summary);
    let first = findings.iter().find(|finding| state != State::Ok && State::of_one(finding.status) == state);
    let first = first.map(|finding| format!(": {}", without_bar(&finding.title))).unwrap_or_default();
    let mut text = format!("ICS-SETUP {} - {}{first} | {}\n", state.as_str(), summary.words(), counts(&summary));
    for finding in findings.iter().filter(|finding| shown(finding.status, page)) {
        let word = if finding.status == Status::Skip { "SKIPPED" } else { State::of_one(finding.status).as_str() };
        let _ = writeln!(text, "[{word}] {} [{}]", without_bar(&finding.title), without_bar(finding.id));
        for (word, value) in finding.facts() {
            // A changed command must not be pasted.
            let value = match word {
                "fix" if value.contains('|') => format!("shown by: ics-setup check --only {}", without_bar(finding.id)),
                _ => without_bar(value).replace('\n', "\n    "),
            };
            let _ = writeln!(text, "  {word}: {value}");
        }
    }
    let durations = durations(findings);
    if !durations.is_empty() {
        // Behind a bar everything to the end is performance data.
        let _ = writeln!(text, "durations | {}", durations.join(" "));
    }
    text
}

/// The line of a run that could not begin.
fn unknown(message: &str) -> String {
    format!("ICS-SETUP {} - {}\n", State::Unknown.as_str(), without_bar(message))
}

fn shown(status: Status, page: &Page) -> bool {
    match status {
        Status::Pass | Status::Skip => page.verbose,
        Status::Warn | Status::Fail | Status::Error => !page.quiet,
    }
}

/// `label=value;warn;crit;min`: any failure is critical, any warning a warning.
fn counts(summary: &Summary) -> String {
    format!(
        "checks_failed={};;0;0 checks_error={};;;0 checks_warning={};0;;0 checks_skipped={};;;0 checks_passed={};;;0",
        summary.fail, summary.error, summary.warn, summary.skip, summary.pass
    )
}

/// The longest of each id: labels are unique.
fn durations(findings: &[Plain]) -> Vec<String> {
    let label = |finding: &Plain| finding.id.replace('\'', "''").replace(['=', '|'], "-");
    let took = series(findings, label).into_iter().filter_map(|series| Some((series.labels, series.took_ms?)));
    took.map(|(label, millis)| format!("'{label}'={}s;;;0", in_seconds(millis))).collect()
}

/// The bar separates text from performance data, and there is no way to escape it.
fn without_bar(text: &str) -> String {
    text.replace('|', "¦")
}
