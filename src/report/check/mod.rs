//! The result of `check`, in every format from one record.
//!
//! | module | for |
//! | --- | --- |
//! | `document` | whoever it is forwarded to: a page of HTML, a ticket's Markdown |
//! | `human` | people: host and verdict, what is wrong and what to do about it |
//! | `json` | scripts: keys and their order are a contract |
//! | `junit` | CI: JUnit XML as Jenkins and GitLab read it |
//! | `tap` | test harnesses: TAP version 14 |
//! | `nagios` | Nagios and its heirs: status line, performance data, exit code |
//! | `prometheus` | node_exporter's textfile collector |
//!
//! | module | what they have in common |
//! | --- | --- |
//! | `things` | what is alike, told once |
//! | `actor` | who must act |
//!
//! A new format is a module with a constant `FORMAT`, declared here and named in the list of `formats!`.

mod actor;
mod document;
mod human;
mod json;
mod junit;
mod nagios;
mod prometheus;
mod tap;
#[cfg(test)]
mod tests;
mod things;

use crate::check::Group;
pub use crate::check::Record;
use crate::finding::{Finding, Status};
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::text::words::words;
use crate::text::{Fix, Text, counted};
use serde::{Deserialize, Serialize};

use super::Paint;
use super::characters::{self, Plain};

pub use document::{html, markdown};
pub(crate) use human::mark;

/// How a format is made: the constant `FORMAT` of its module.
struct Definition {
    /// The result as text.
    render: fn(&Checked<'_>, &Page) -> String,
    /// What is printed when a problem, given on one line, kept the checks from being made; `None`: nothing.
    prevented: Option<fn(&str) -> String>,
    /// The exit codes of a format that has its own: for this summary, or without one when the checks could not be made.
    exit_code: Option<fn(Option<&Summary>) -> u8>,
}

impl Definition {
    /// Of a format without words for a prevented check and without exit codes of its own.
    const fn new(render: fn(&Checked<'_>, &Page) -> String) -> Self {
        Self { render, prevented: None, exit_code: None }
    }
}

macro_rules! formats {
    ($($name:ident = $word:literal in $module:ident,)*) => {
        words! {
            /// A form of the result.
            pub enum Format {
                $(#[doc = concat!("Of the module `", stringify!($module), "`.")] $name = $word,)*
            }
        }

        impl Format {
            fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$name => &$module::FORMAT,)*
                }
            }
        }
    };
}

formats! {
    Human = "human" in human,
    Json = "json" in json,
    Junit = "junit" in junit,
    Tap = "tap" in tap,
    Nagios = "nagios" in nagios,
    Prometheus = "prometheus" in prometheus,
}

impl Format {
    /// Has it words for a problem that kept the checks from being made? See [`prevented`].
    pub(crate) fn tells_problems(self) -> bool {
        self.definition().prevented.is_some()
    }

    /// The exit code of a format that has its own: for this summary, or without one when the checks could not be made.
    pub(crate) fn exit_code(self, summary: Option<&Summary>) -> Option<u8> {
        self.definition().exit_code.map(|code| code(summary))
    }
}

/// How many findings ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        // In the order in which `Status` declares them.
        let [pass, warn, fail, skip, error] = all;
        Self { pass, warn, fail, skip, error }
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
    /// The facts that they were judged by.
    pub record: &'a Record,
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
        (format.definition().render)(self, page)
    }

    /// How many ended how.
    pub fn summary(&self) -> Summary {
        Summary::of(self.findings.iter().map(|finding| finding.status))
    }

    /// When the facts were collected.
    fn taken(&self) -> String {
        self.say(&self.record.taken)
    }

    /// The name of the host.
    fn host(&self) -> String {
        self.known(self.record.host.name.as_ref()).unwrap_or_else(|| "host without a name".to_owned())
    }

    fn address(&self) -> Option<String> {
        self.known(self.record.host.address.as_ref())
    }

    /// Release and system, as far as they are known.
    fn system(&self) -> Vec<String> {
        let release = self.known(self.record.spec.release.as_ref()).map(|own| format!("InsightCloudSec {own}"));
        release.into_iter().chain(self.known(self.record.host.system.as_ref())).collect()
    }

    fn known(&self, text: Option<impl Into<Text>>) -> Option<String> {
        text.map(|text| self.say(text)).filter(|text| !text.is_empty())
    }

    /// Commands of ours that look at what was skipped, each once: of what only root may look at.
    fn further(&self) -> Vec<String> {
        let skipped = self.findings.iter().filter(|finding| finding.status == Status::Skip);
        let lines = skipped.flat_map(|finding| &finding.fix).filter(|fix| matches!(fix, Fix::Command(_)));
        let mut further: Vec<String> = Vec::new();
        for line in lines.map(Fix::text).filter(|line| line.names_ics_setup()) {
            further.extend(Some(self.say(line.clone())).filter(|line| !further.contains(line)));
        }
        further
    }

    /// The worst of them.
    fn worst(&self) -> Status {
        self.findings.iter().map(|own| own.status).max_by_key(|status| badness(*status)).unwrap_or(Status::Skip)
    }

    /// The answer, of so many things that are in the way.
    fn verdict(&self, wrong: usize) -> String {
        let summary = self.summary();
        let checks = summary.fail + summary.error;
        let things = |one: &str, many: &str| {
            let things = match wrong {
                1 => format!("1 thing {one}"),
                count => format!("{count} things {many}"),
            };
            // What several checks see is one thing; the end counts checks.
            if checks == wrong { things } else { format!("{things}, seen by {}", counted(checks, "check")) }
        };
        // Who looks at a part of the host hears of that part.
        let is_whole = Group::ALL.iter().all(|group| self.findings.iter().any(|own| own.id.group() == group.as_str()));
        match summary {
            Summary { fail: 0, error: 0, warn: 0, pass: 0, .. } => "Nothing was checked".to_owned(),
            Summary { fail: 0, error: 0, warn: 0, pass, .. } => {
                format!("{}{} passed", if is_whole { "Ready: " } else { "" }, counted(pass, "check"))
            }
            Summary { fail: 0, error: 0, warn, .. } => {
                format!("{} {}", if is_whole { "Ready, with" } else { "Passed, with" }, counted(warn, "warning"))
            }
            Summary { fail: 0, .. } => {
                format!("Not known: {}", things("could not be found out", "could not be found out"))
            }
            Summary { .. } => format!("Not ready: {}", things("stands in the way", "stand in the way")),
        }
    }

    /// The findings as characters.
    fn plain(&self) -> Vec<Plain> {
        self.findings.iter().map(|finding| Plain::of(self.redactor, finding)).collect()
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
    let told = format.definition().prevented?;
    Some(told(&characters::line(redactor, &problem.message)))
}

/// How bad a status is: the larger, the worse.
fn badness(status: Status) -> u8 {
    match status {
        Status::Skip => 0,
        Status::Pass => 1,
        Status::Warn => 2,
        Status::Error => 3,
        Status::Fail => 4,
    }
}

/// Each group once, in the order in which they come.
fn groups(of_findings: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for group in of_findings {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// The worst status and the longest duration in milliseconds of all findings with the same labels.
struct Series {
    labels: String,
    worst: Status,
    took_ms: Option<u64>,
}

/// One entry for all findings with the same labels, in the order in which they come, for readers that want no label twice.
fn series(findings: &[Plain], labels: impl Fn(&Plain) -> String) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for finding in findings {
        let labels = labels(finding);
        match all.iter_mut().find(|series| series.labels == labels) {
            Some(series) => {
                series.worst = std::cmp::max_by_key(series.worst, finding.status, |status| badness(*status));
                series.took_ms = series.took_ms.max(finding.duration_ms);
            }
            None => all.push(Series { labels, worst: finding.status, took_ms: finding.duration_ms }),
        }
    }
    all
}

/// Seconds with three decimals, as most readers want them.
fn in_seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
