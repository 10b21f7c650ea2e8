//! JSON, as scripts read it. Keys and their order are a contract.

use serde_json::{Value, json};

use super::Report;
use super::characters::{Plain, characters, diff_text, problem_json, reasons};
use crate::apply::{Run, State};
use crate::plan::{Change, StageId};
use crate::product::home_of;
use crate::redact::Redactor;
use crate::routes::{Routes, Row};

/// Name of the format.
pub const SCHEMA: &str = "ics-setup/v1";

impl Report<'_> {
    /// The result as JSON.
    pub fn json(&self) -> Value {
        let os = self.os.map(|os| json!({"id": os.id, "version": os.version, "strategy": os.strategy.as_str()}));
        let containers: Vec<Value> = self
            .containers
            .iter()
            .map(|change| json!({"service": change.service, "action": change.fate.as_str()}))
            .collect();
        let changes: Vec<Value> = self.changes.iter().map(|change| change_json(change, self.redactor)).collect();
        let mut report = json!({
            "schema": SCHEMA,
            "command": self.command,
            "outcome": self.outcome.as_str(),
            "run": self.run,
            "os": os,
            "changes": changes,
            "findings": self.findings.iter().map(|own| Plain::exact(self.redactor, own)).collect::<Vec<_>>(),
            "next_steps": self.next_steps.iter().map(|step| characters(self.redactor, step)).collect::<Vec<_>>(),
            "error": self.error.map(|problem| problem_json(self.redactor, problem)),
        });
        if self.command == "bundle create" {
            report["holds"] = json!([]);
            report["missing"] = json!([]);
        }
        if self.is_of_product() {
            report["containers"] = containers.into();
            report["stages"] = self.stages(self.redactor).into();
        }
        if matches!(self.command, "prepare" | "install" | "reconfigure" | "revert" | "wizard") {
            report["routes"] = routes(self.routes, self.redactor).into();
            report["ways"] = self.routes.rows.len().into();
            report["ways_unknown"] = self.routes.untold().into();
        }
        report
    }

    /// Verbs that may touch what runs tell of it, also where they did not.
    fn is_of_product(&self) -> bool {
        matches!(self.command, "install" | "reconfigure") || !self.containers.is_empty()
    }

    /// All stages, in their order.
    fn stages(&self, redactor: &Redactor) -> Vec<Value> {
        let all = StageId::ALL.into_iter().map(|id| match self.stages.iter().rev().find(|stage| stage.id == id) {
            Some(stage) => json!({
                "id": id.as_str(),
                "state": stage.state.as_str(),
                "seconds": (stage.seconds * 100.0).round() / 100.0,
                "detail": characters(redactor, &stage.detail),
            }),
            None if self.command == "install" => {
                json!({"id": id.as_str(), "state": "pending", "seconds": 0, "detail": ""})
            }
            None => json!({"id": id.as_str(), "state": "skipped", "seconds": 0, "detail": "not a part of this run"}),
        });
        all.collect()
    }
}

/// The ways that change.
fn routes(routes: &Routes, redactor: &Redactor) -> Vec<Value> {
    let row = |row: &Row| {
        json!({
            "consumer": row.who.as_str(),
            "name": characters(redactor, &row.name),
            "doors": row.doors().collect::<Vec<_>>(),
            "client": row.client.id,
            "url": row.target.to_string(),
            "before": row.before.way.as_str(),
            "after": row.after.way.as_str(),
            "via_before": row.before.via,
            "via_after": row.after.via,
            "spoken_before": row.before.spoken(),
            "spoken_after": row.after.spoken(),
            "cause": row.after.cause(),
        })
    };
    routes.changed().map(row).collect()
}

fn change_json(change: &Change, redactor: &Redactor) -> Value {
    json!({
        "path": change.path.display().to_string(),
        "action": change.action().as_str(),
        "reasons": reasons(redactor, change),
        "diff": diff_text(redactor, change),
    })
}

/// The run in force that has installed the product, and its folder.
pub(crate) fn installed(runs: &[Run]) -> Option<(&Run, String)> {
    let is_install = |run: &&Run| run.begin.command == "install" && run.state == State::Committed;
    runs.iter().rev().filter(is_install).find_map(|run| {
        let folder = home_of(run.begin.files().map(|intent| intent.path.as_path()))?;
        Some((run, folder.display().to_string()))
    })
}

/// A run in a list, as JSON.
pub(crate) fn listed(run: &Run) -> Value {
    let changes: Vec<String> = run.begin.files().map(|intent| intent.path.display().to_string()).collect();
    json!({
        "run": run.begin.run,
        "command": run.begin.command,
        "state": run.state.as_str(),
        "time": run.begin.time,
        "user": run.begin.by.as_ref().map(|by| by.user.as_str()),
        "sudo_user": run.begin.by.as_ref().and_then(|by| by.sudo_user.as_deref()),
        "uid": run.begin.by.as_ref().map(|by| by.uid),
        "version": run.begin.tool,
        "reverts": run.begin.takes_back().collect::<Vec<_>>(),
        "changes": changes,
    })
}
