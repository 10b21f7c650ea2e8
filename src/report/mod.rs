//! One set of records to every format.

mod characters;
pub mod check;
mod human;
mod json;

use crate::finding::Finding;
use crate::plan::Change;
use crate::platform::Os;
use crate::problem::{HostState, Problem};
use crate::redact::Redactor;
use crate::text::Text;

pub use characters::{characters, clean, finding_json, line, value, visible};
pub use human::{
    Paint, findings as human_findings, plan as human_plan, problem as human_problem, status as human_status,
};
pub use json::{SCHEMA, status as json_status};

/// How a command that may change the host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something was changed.
    Changed,
    /// Nothing had to be.
    Unchanged,
    /// Something would be changed.
    Pending,
    /// It failed.
    Failed,
    /// It failed, and what was done was taken back.
    Restored,
}

impl Outcome {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Restored => "restored",
        }
    }

    /// What a problem makes of a run.
    pub fn of(problem: &Problem) -> Self {
        match problem.host_state {
            HostState::Restored => Self::Restored,
            HostState::Committed => Self::Changed,
            HostState::AsItWas | HostState::Changed => Self::Failed,
        }
    }
}

/// Everything a changing command has to say at its end.
pub struct Report<'a> {
    /// The verb.
    pub command: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// The name of the run, when there was one.
    pub run: Option<&'a str>,
    /// What system it was.
    pub os: Option<&'a Os>,
    /// What was or would be changed.
    pub changes: &'a [Change],
    /// What was noticed.
    pub findings: &'a [Finding],
    /// What the person has to do.
    pub next_steps: &'a [Text],
    /// Why it failed.
    pub error: Option<&'a Problem>,
    /// Keeps secrets out.
    pub redactor: &'a Redactor,
    /// `--root`, which the command that undoes it needs too.
    pub root: Option<&'a std::path::Path>,
}
