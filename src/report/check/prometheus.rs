//! Prometheus text for node_exporter's textfile collector: a set of states per check, so that an alert on one of them
//! neither misses nor outlives a change, and no series with another's labels.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::in_seconds;
use super::{Checked, Definition, Summary};
use crate::finding::Status;
use crate::report::characters::Plain;

pub(super) const FORMAT: Definition = Definition {
    word: "prometheus",
    render: |checked, _| render(checked, &checked.plain()),
    prevented: None,
    exit_code: None,
};

const STATES: [(Status, &str); 5] = [
    (Status::Pass, "pass"),
    (Status::Warn, "warn"),
    (Status::Fail, "fail"),
    (Status::Skip, "skip"),
    (Status::Error, "error"),
];

/// The result as metrics.
fn render(checked: &Checked<'_>, findings: &[Plain]) -> String {
    let mut text = String::new();
    let all = series(findings);
    if !all.is_empty() {
        head(
            &mut text,
            "check_status",
            "Whether a check is in this state: 1 for the worst state it has, 0 for the others.",
        );
        for (labels, worst, _) in &all {
            for (status, word) in STATES {
                let is = u8::from(status == *worst);
                let _ = writeln!(text, "ics_setup_check_status{{{labels},status=\"{word}\"}} {is}");
            }
        }
    }
    if all.iter().any(|(.., took)| took.is_some()) {
        head(&mut text, "check_duration_seconds", "How long a check took.");
        for (labels, _, took) in &all {
            if let Some(took) = took {
                let _ = writeln!(text, "ics_setup_check_duration_seconds{{{labels}}} {}", in_seconds(*took));
            }
        }
    }
    head(&mut text, "check_findings", "How many findings of the last run are in this state.");
    let summary = Summary::of(findings.iter().map(|finding| finding.status));
    for (status, word) in STATES {
        let count = match status {
            Status::Pass => summary.pass,
            Status::Warn => summary.warn,
            Status::Fail => summary.fail,
            Status::Skip => summary.skip,
            Status::Error => summary.error,
        };
        let _ = writeln!(text, "ics_setup_check_findings{{status=\"{word}\"}} {count}");
    }
    head(&mut text, "check_run_duration_seconds", "How long the longest check of the last run took.");
    let _ = writeln!(text, "ics_setup_check_run_duration_seconds {}", in_seconds(checked.took_ms));
    if let Some(taken) = crate::stamp::seconds_of(checked.taken) {
        head(&mut text, "check_last_run_timestamp_seconds", "When the last run looked, as a Unix time.");
        let _ = writeln!(text, "ics_setup_check_last_run_timestamp_seconds {taken}");
    }
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP ics_setup_{name} {help}\n# TYPE ics_setup_{name} gauge");
}

/// One entry per check: labels, the worst status, the longest duration.
fn series(findings: &[Plain]) -> Vec<(String, Status, Option<u64>)> {
    let mut all: Vec<(String, Status, Option<u64>)> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let labels = format!("check=\"{}\",group=\"{}\"", escaped(finding.id), escaped(finding.group));
        let at = *index.entry(labels.clone()).or_insert_with(|| {
            all.push((labels, finding.status, None));
            all.len() - 1
        });
        let (_, worst, took) = &mut all[at];
        if badness(finding.status) > badness(*worst) {
            *worst = finding.status;
        }
        *took = (*took).max(finding.duration_ms);
    }
    all
}

fn badness(status: Status) -> u8 {
    match status {
        Status::Skip => 0,
        Status::Pass => 1,
        Status::Warn => 2,
        Status::Error => 3,
        Status::Fail => 4,
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
