//! JSON, as scripts read it. Keys and their order are a contract.

use serde_json::{Value, json};

use super::Report;
use crate::apply::{Drift, Run, State};
use crate::plan::{Change, unified};
use crate::redact::Redactor;

/// Name of the format.
pub const SCHEMA: &str = "ics-setup/v1";

impl Report<'_> {
    /// The result as JSON.
    pub fn json(&self) -> Value {
        let os = self.os.map(|os| json!({"id": os.id, "version": os.version, "strategy": os.strategy.name()}));
        let changes: Vec<Value> = self.changes.iter().map(|change| change_json(change, self.redactor)).collect();
        self.redactor.value(json!({
            "schema": SCHEMA,
            "command": self.command,
            "outcome": self.outcome.as_str(),
            "run": self.run,
            "os": os,
            "changes": changes,
            "findings": self.findings,
            "next_steps": self.next_steps,
            "error": self.error,
        }))
    }
}

fn change_json(change: &Change, redactor: &Redactor) -> Value {
    json!({
        "path": change.path.display().to_string(),
        "action": change.action().as_str(),
        "reasons": change.reasons,
        "diff": unified(change, redactor),
    })
}

/// The result of `status`.
pub fn status(runs: &[Run], drift: &[Drift]) -> Value {
    let run = |run: &Run| {
        let changes: Vec<String> = run.begin.intents.iter().map(|intent| intent.path.display().to_string()).collect();
        json!({
            "run": run.begin.run,
            "command": run.begin.command,
            "state": run.state.as_str(),
            "time": run.begin.time,
            "changes": changes,
        })
    };
    let drift: Vec<Value> = drift.iter().map(|drift| json!({"path": drift.path, "cause": drift.cause})).collect();
    json!({
        "schema": SCHEMA,
        "command": "status",
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "drift": drift,
        "interrupted": runs.iter().find(|run| run.state == State::Interrupted).map(run),
    })
}
