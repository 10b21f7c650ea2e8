//! The result of `check`, in every format from one record.
//!
//! | module | for |
//! | --- | --- |
//! | `document` | whoever it is forwarded to: a page of HTML, a ticket's Markdown |
//! | `human` | people: one line per check, detail below what is not right |
//! | `junit` | CI: JUnit XML as Jenkins and GitLab read it |
//! | `tap` | test harnesses: TAP version 14 |
//! | `nagios` | Nagios and its heirs: status line, performance data, exit code |
//! | `prometheus` | node_exporter's textfile collector |

mod document;
mod human;
mod junit;
mod nagios;
mod prometheus;
mod tap;
#[cfg(test)]
mod tests;

use crate::check::Record;
use crate::finding::{Finding, Status};
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::text::Text;
use serde_json::{Value, json};

use super::Paint;
use super::SCHEMA;
use super::characters::{self, Plain, finding_json};

pub use document::{html, markdown};
pub use nagios::State;

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// For scripts.
    Json,
    /// JUnit XML.
    Junit,
    /// Test Anything Protocol.
    Tap,
    /// A monitoring plug-in's output.
    Nagios,
    /// Prometheus text, for node_exporter's textfile collector.
    Prometheus,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Human, Self::Json, Self::Junit, Self::Tap, Self::Nagios, Self::Prometheus];

    /// The word for `--format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Nagios => "nagios",
            Self::Prometheus => "prometheus",
        }
    }

    /// The format of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// How many findings ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// As expected.
    pub pass: usize,
    /// Works, but will hurt.
    pub warn: usize,
    /// Does not work.
    pub fail: usize,
    /// Not looked at.
    pub skip: usize,
    /// The check itself broke.
    pub error: usize,
}

impl Summary {
    /// Of these findings.
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let mut all = [0; 5];
        statuses.into_iter().for_each(|status| all[status as usize] += 1);
        let count = |status: Status| all[status as usize];
        Self {
            pass: count(Status::Pass),
            warn: count(Status::Warn),
            fail: count(Status::Fail),
            skip: count(Status::Skip),
            error: count(Status::Error),
        }
    }

    /// In words, the worst first: `1 failed, 12 passed`.
    pub fn words(&self) -> String {
        let counts: Vec<String> = [
            (self.fail, "failed"),
            (self.error, "could not be checked"),
            (self.warn, if self.warn == 1 { "warning" } else { "warnings" }),
            (self.skip, "skipped"),
            (self.pass, "passed"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        if counts.is_empty() { "nothing was checked".to_owned() } else { counts.join(", ") }
    }
}

/// What text for people is written on, and how much of it they want.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Details of passing checks too.
    pub verbose: bool,
    /// Only what is not right.
    pub quiet: bool,
    /// Colours.
    pub paint: Paint,
    /// How many columns the terminal has; `None`: no terminal, and lines are not broken.
    pub columns: Option<usize>,
    /// Can it show more than ASCII?
    pub unicode: bool,
}

/// Everything that a check has to say at its end. Text that leaves here has gone through the redactor.
pub struct Checked<'a> {
    /// What was found, in declared order.
    pub findings: &'a [Finding],
    /// When the facts were collected, as RFC 3339.
    pub taken: &'a str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Were the facts read from a file?
    pub recorded: bool,
    /// Keeps secrets out.
    pub redactor: &'a Redactor,
}

impl Checked<'_> {
    /// The result as text in this format. The page is for people; Nagios's long output heeds its `verbose` and `quiet`.
    pub fn render(&self, format: Format, page: &Page) -> String {
        let findings = match format {
            Format::Json => Vec::new(),
            _ => self.plain(),
        };
        match format {
            Format::Human => human::render(self, &findings, page),
            Format::Json => format!("{:#}\n", self.json()),
            Format::Junit => junit::render(self, &findings),
            Format::Tap => tap::render(&findings),
            Format::Nagios => nagios::render(&findings, page),
            Format::Prometheus => prometheus::render(self, &findings),
        }
    }

    /// How many ended how.
    pub fn summary(&self) -> Summary {
        Summary::of(self.findings.iter().map(|finding| finding.status))
    }

    /// The findings as characters.
    fn plain(&self) -> Vec<Plain> {
        self.findings.iter().map(|finding| Plain::of(self.redactor, finding)).collect()
    }

    /// JSON: keys and their order are a contract.
    fn json(&self) -> Value {
        let summary = self.summary();
        json!({
            "schema": SCHEMA,
            "command": "check",
            "summary": {
                "pass": summary.pass,
                "warn": summary.warn,
                "fail": summary.fail,
                "skip": summary.skip,
                "error": summary.error,
            },
            "findings": self.findings.iter().map(|own| finding_json(self.redactor, own)).collect::<Vec<_>>(),
        })
    }

    /// A text that may be shown, on one line.
    fn say(&self, text: impl Into<Text>) -> String {
        characters::line(self.redactor, &text.into())
    }
}

/// Facts as a file's text.
pub fn facts(record: &Record, redactor: &Redactor) -> String {
    // Strings, numbers and lists only: nothing in it can fail to be serialised.
    let value = characters::value(redactor, &serde_json::to_value(record).unwrap_or_default());
    format!("{value:#}\n")
}

/// A problem that kept the checks from being made, in the words that a format has for it; `None`: it has none.
pub fn prevented(format: Format, problem: &Problem, redactor: &Redactor) -> Option<String> {
    let message = characters::line(redactor, &problem.message);
    match format {
        Format::Tap => Some(tap::bail_out(&message)),
        Format::Nagios => Some(nagios::unknown(&message)),
        Format::Human | Format::Json | Format::Junit | Format::Prometheus => None,
    }
}

/// `text` broken at blanks so that lines which begin at `indent` end before `columns`. Longer words stay whole.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    human::wrapped(text, indent, columns)
}

/// Seconds with three decimals, as most readers want them.
fn in_seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
