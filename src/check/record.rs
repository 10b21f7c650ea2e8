//! Facts as a file: collected on one machine, judged on another.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
            // The second reading names the line of what does not fit.
            Some(SCHEMA) => serde_json::from_value(with_reasons(value))
                .or_else(|_| serde_json::from_slice(bytes))
                .map_err(|error| invalid(error.to_string())),
            Some(other) => Err(invalid(format!("its schema is {other:?}, and this version reads {SCHEMA:?}"))),
            None => Err(invalid("it has no schema".to_owned())),
        }
    }
}

/// Facts that 0.1.0 saved tell some reasons in words alone. Adds them as later releases have them: this is the only place that
/// reads those words.
fn with_reasons(mut facts: Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(spec) = facts.get_mut("want").and_then(Value::as_object_mut) {
        let proxies = ["http_proxy", "https_proxy"].map(|name| spec.get(name).filter(|proxy| proxy.is_object()));
        let found = proxies.into_iter().flatten().all(|proxy| text(&proxy["origin"]).starts_with("found in "));
        spec.entry("proxy_found").or_insert(found.into());
        let unread = spec.get_mut("unread").and_then(Value::as_array_mut);
        for file in unread.into_iter().flatten().filter(|file| file.is_string()) {
            let why = text(file);
            *file = json!({"needs_root": why.ends_with("can be read by root only"), "why": why});
        }
    }
    let checks = facts.get_mut("checks").and_then(Value::as_array_mut);
    for check in checks.into_iter().flatten().filter(|check| check["check"] == "consumers") {
        let consumers = check.pointer_mut("/facts/consumers").and_then(Value::as_array_mut);
        for consumer in consumers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let why = consumer.get("why").map(text).unwrap_or_default();
            if consumer.get("state").is_some_and(|state| state == "skipped")
                && (why.contains("root only") || why.contains("only root"))
            {
                consumer.insert("state".to_owned(), "needs-root".into());
            }
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{CheckSpec, Unread};

    #[test]
    fn reasons_that_an_earlier_release_saved_as_words_are_read() {
        let mut spec = serde_json::to_value(CheckSpec::default()).unwrap();
        spec.as_object_mut().unwrap().remove("proxy_found");
        let proxy = |origin: &str| json!({"url": "", "tls": false, "host": "", "port": 1, "user": null, "has_password": false, "origin": origin});
        spec["http_proxy"] = proxy("found in /etc/environment:4");
        spec["unread"] = json!(["/a can be read by root only", "/b could not be read"]);
        let consumer = |why: &str| json!({"state": "skipped", "why": why});
        let consumers = [consumer("only root may start a login of another user"), consumer("it is not installed")];
        let check = json!({"check": "consumers", "ended": "done", "took_ms": 1, "attempts": 1, "facts": {"consumers": consumers}});
        let read = |spec: &Value| {
            let facts = json!({"schema": SCHEMA, "taken": "", "want": spec, "checks": [check]});
            Record::parse(facts.to_string().as_bytes(), "x").unwrap()
        };
        let record = read(&spec);
        let unread = |why: &str, needs_root| Unread { why: why.to_owned(), needs_root };
        assert_eq!(
            record.spec.unread,
            [unread("/a can be read by root only", true), unread("/b could not be read", false)]
        );
        let states = record.checks[0].facts["consumers"].as_array().unwrap().iter().map(|one| one["state"].clone());
        assert_eq!(states.collect::<Vec<_>>(), ["needs-root", "skipped"]);
        assert!(record.spec.proxy_found);
        spec["https_proxy"] = proxy("--proxy");
        assert!(!read(&spec).spec.proxy_found);
        let again = Record::parse(serde_json::to_string(&record).unwrap().as_bytes(), "x").unwrap();
        assert_eq!(again.spec, record.spec);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_line() {
        let facts = json!({"schema": SCHEMA, "taken": 5, "want": CheckSpec::default(), "checks": []});
        let problem = Record::parse(format!("{facts:#}").as_bytes(), "x").unwrap_err();
        assert!(problem.because.unwrap().contains(" at line "));
        assert!(Record::parse(br#"{"schema": "ics-setup/facts/v1", "want": 1, "checks": [1]}"#, "x").is_err());
    }
}
