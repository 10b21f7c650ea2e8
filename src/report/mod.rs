//! One set of records to every format.

mod archive;
mod characters;
pub mod check;
mod human;
mod json;
mod routes;
mod run;
mod spoken;
mod window;

use crate::finding::Finding;
use crate::plan::{Change, ContainerChange, Stage};
use crate::platform::Os;
use crate::problem::{HostState, Problem};
use crate::redact::Redactor;
use crate::routes::Routes;
use crate::text::words::words;
use crate::text::{Person, Text};

pub(crate) use archive::tar_gz;
pub(crate) use characters::diff_text;
pub(crate) use characters::sentence;
pub use characters::{characters, clean, finding_json, line, value, visible};
pub(crate) use human::{NOTHING_CHANGED, by as run_by};
pub use human::{
    Paint, containers as human_containers, ended, failed as human_failed, findings as human_findings, past,
    plan as human_plan, problem as human_problem, stands, verb,
};
pub use json::SCHEMA;
pub(crate) use json::{installed, listed as run_listed};
pub(crate) use routes::human as human_routes;
pub(crate) use run::{
    forgotten as run_forgotten, human_run, of_run as run_json, stage as human_stage, stay as runs_stay,
};
pub(crate) use spoken::{Spoken, set};
pub use window::wrapped;

words! {
    /// How a command that may change the host ended.
    pub enum Outcome {
        /// Something was changed.
        Changed = "changed",
        /// Nothing had to be changed.
        Unchanged = "unchanged",
        /// A dry run found something to change.
        Pending = "pending",
        /// It failed.
        Failed = "failed",
        /// It failed, and what was done was taken back.
        Restored = "restored",
    }
}

impl Outcome {
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
    /// What became or would become of the product's containers.
    pub containers: &'a [ContainerChange],
    /// What was done to the product, step by step.
    pub stages: &'a [Stage],
    /// Which way requests go before and after.
    pub(crate) routes: &'a Routes,
    /// What was noticed.
    pub findings: &'a [Finding],
    /// What the person has to do.
    pub next_steps: &'a [Text],
    /// Something has gone that nothing brings back.
    pub for_good: bool,
    /// Why it failed.
    pub error: Option<&'a Problem>,
    /// Keeps secrets out.
    pub redactor: &'a Redactor,
    /// Who undoes it.
    pub person: &'a Person,
}
