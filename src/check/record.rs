//! Facts as a file: collected on one machine, judged on another.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check::prelude::*;
use crate::problem::{Problem, id};
use crate::text::{Foreign, Text};

/// Name of the format.
pub(crate) const SCHEMA: &str = "ics-setup/facts/v2";

/// The format of 0.1.0, which has other facts.
const EARLIER: &str = "ics-setup/facts/v1";

/// Everything that was seen in one run, without secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of ics-setup that collected them.
    pub version: String,
    /// When, as RFC 3339.
    pub taken: String,
    /// Of which host; facts of an earlier release do not tell.
    #[serde(default)]
    pub host: Identity,
    /// What was wanted.
    pub spec: CheckSpec,
    /// What each check saw.
    pub checks: Vec<Entry>,
}

/// Which host it was, and how it was asked, for whoever reads of it elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// How it calls itself.
    pub name: Option<Foreign>,
    /// Its address towards the world.
    pub address: Option<String>,
    /// Its system, as that calls itself.
    pub system: Option<Foreign>,
    /// The command line, without secrets.
    pub command: Option<Text>,
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
    /// Reads a file's text.
    ///
    /// # Errors
    /// `facts-invalid`: what does not fit, with its line.
    pub fn parse(bytes: &[u8], shown: &str) -> Result<Self, Problem> {
        let invalid = || {
            Problem::settings(id::FACTS_INVALID, text!("{} does not hold facts of ics-setup", own(shown)))
                .hint(text!("make such a file: {}", ics_setup("check --save-facts <FILE>")))
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid().caused_by(error))?;
        match value["schema"].as_str() {
            Some(SCHEMA) => serde_json::from_slice(bytes).map_err(|error| invalid().caused_by(error)),
            Some(other) => {
                let by =
                    value["version"].as_str().unwrap_or(if other == EARLIER { "0.1.0" } else { "another version" });
                Err(invalid().because(text!(
                    "ics-setup {} saved them as {}, and ics-setup {} reads {}",
                    by,
                    other,
                    own(crate::build::NUMBER),
                    own(SCHEMA)
                )))
            }
            None => Err(invalid().because("it has no schema")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::CheckSpec;

    #[test]
    fn facts_of_an_earlier_release_are_refused_by_both_versions() {
        let facts = json!({"schema": "ics-setup/facts/v1", "taken": "", "want": {}, "checks": []});
        let problem = Record::parse(facts.to_string().as_bytes(), "x").unwrap_err();
        let why = problem.because.unwrap();
        assert!(
            why.contains("ics-setup/facts/v1") && why.contains("0.1.0") && why.contains(crate::build::NUMBER),
            "{why}"
        );
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_line() {
        let facts =
            json!({"schema": SCHEMA, "taken": 5, "version": "0.2.0", "spec": CheckSpec::default(), "checks": []});
        let problem = Record::parse(format!("{facts:#}").as_bytes(), "x").unwrap_err();
        assert!(problem.because.unwrap().contains(" at line "));
        assert!(Record::parse(br#"{"schema": "ics-setup/facts/v1", "want": 1, "checks": [1]}"#, "x").is_err());
    }
}
