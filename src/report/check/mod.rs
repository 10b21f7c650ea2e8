//! The result of `check`, in every format from one record.
//!
//! | module | for |
//! | --- | --- |
//! | `human` | people: one line per check, detail below what is not right |
//! | `json` | scripts: the contract of `ics-setup/v1` |

mod human;
mod json;
mod page;

use crate::finding::{Finding, Status};
use crate::redact::Redactor;

use super::Paint;

pub use page::{html, markdown};

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// For scripts.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Human, Self::Json];

    /// The word for `--format`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }

    /// The format of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
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
    pub fn of(findings: &[Finding]) -> Self {
        let count = |status| findings.iter().filter(|finding| finding.status == status).count();
        Self {
            pass: count(Status::Pass),
            warn: count(Status::Warn),
            fail: count(Status::Fail),
            skip: count(Status::Skip),
            error: count(Status::Error),
        }
    }
}

/// Everything that a check has to say at its end. Text that leaves here has gone through the redactor.
pub struct Checked<'a> {
    /// What was found, in declared order.
    pub findings: &'a [Finding],
    /// When the facts were collected, as RFC 3339.
    pub taken: &'a str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Keeps secrets out.
    pub redactor: &'a Redactor,
}

impl Checked<'_> {
    /// The result as text in this format.
    pub fn render(&self, format: Format, verbose: bool, quiet: bool, paint: Paint) -> String {
        match format {
            Format::Human => human::render(self, verbose, quiet, paint),
            Format::Json => format!("{:#}\n", json::render(self)),
        }
    }

    /// How many ended how.
    pub fn summary(&self) -> Summary {
        Summary::of(self.findings)
    }

    /// A text without secrets and control characters.
    fn say(&self, text: &str) -> String {
        super::human::say(self.redactor, text)
    }
}
