//! Facts as a file: collected on one machine, judged on another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::CheckSpec;
use crate::problem::Problem;
use crate::redact::Redactor;

/// Name of the format.
pub const SCHEMA: &str = "ics-setup/facts/v1";

/// Everything that was seen in one run, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// When, as RFC 3339.
    pub taken: String,
    /// What was wanted.
    #[serde(rename = "want")]
    pub spec: CheckSpec,
    /// What each check saw.
    pub checks: Vec<Entry>,
}

/// What one check saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`super::Meta::name`].
    pub check: String,
    /// How it ended.
    pub ended: Ending,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How often it was tried (`--wait`).
    pub attempts: u32,
    /// What it saw; null unless done.
    pub facts: Value,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It saw what there was to see.
    Done,
    /// Not within the time of one check.
    Late,
    /// The time of the whole run was over.
    OutOfTime,
    /// It broke.
    Broke,
}

impl Record {
    /// The file's text. Facts hold no secrets by design; the redactor is the second net.
    pub fn text(&self, redactor: &Redactor) -> String {
        // Strings, numbers and lists only: nothing in it can fail to be serialised.
        let value = redactor.value(serde_json::to_value(self).unwrap_or_default());
        format!("{value:#}\n")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// `facts-invalid`: what does not fit, with its line.
    pub fn parse(bytes: &[u8], shown: &str) -> Result<Self, Problem> {
        let invalid = |because: String| {
            Problem::settings("facts-invalid", format!("{shown} does not hold facts of ics-setup"))
                .because(because)
                .hint("make such a file: ics-setup check --save-facts FILE")
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string())),
            Some(other) => Err(invalid(format!("its schema is {other:?}, and this version reads {SCHEMA:?}"))),
            None => Err(invalid("it has no schema".to_owned())),
        }
    }
}
