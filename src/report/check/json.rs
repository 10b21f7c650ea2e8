//! JSON for scripts.

use serde_json::json;

use super::{Checked, Definition};
use crate::report::SCHEMA;
use crate::report::characters::finding_json;

pub(super) const FORMAT: Definition =
    Definition { word: "json", render: |checked, _| render(checked), prevented: None, exit_code: None };

/// The result as JSON: keys and their order are a contract.
fn render(checked: &Checked<'_>) -> String {
    let summary = checked.summary();
    let result = json!({
        "schema": SCHEMA,
        "command": "check",
        "summary": {
            "pass": summary.pass,
            "warn": summary.warn,
            "fail": summary.fail,
            "skip": summary.skip,
            "error": summary.error,
        },
        "findings": checked.findings.iter().map(|own| finding_json(checked.redactor, own)).collect::<Vec<_>>(),
    });
    format!("{result:#}\n")
}
