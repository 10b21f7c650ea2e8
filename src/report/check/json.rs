//! JSON for scripts.

use serde_json::json;

use super::{Checked, Definition};
use crate::report::SCHEMA;
use crate::report::characters::Plain;

pub(super) const FORMAT: Definition = Definition::new(|checked, _| render(checked));

/// The result as JSON: keys and their order are a contract.
fn render(checked: &Checked<'_>) -> String {
    let result = json!({
        "schema": SCHEMA,
        "command": "check",
        "summary": checked.summary(),
        "findings": checked.findings.iter().map(|own| Plain::exact(checked.redactor, own)).collect::<Vec<_>>(),
    });
    format!("{result:#}\n")
}
