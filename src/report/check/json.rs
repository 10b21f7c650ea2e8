//! JSON: keys and their order are a contract.

use serde_json::{Value, json};

use super::Checked;
use crate::report::SCHEMA;

/// The result as JSON.
pub fn render(checked: &Checked<'_>) -> Value {
    let summary = checked.summary();
    checked.redactor.value(json!({
            "schema": SCHEMA,
            "command": "check",
            "summary": {
                "pass": summary.pass,
                "warn": summary.warn,
                "fail": summary.fail,
                "skip": summary.skip,
                "error": summary.error,
            },
            "findings": checked.findings,
    }))
}
