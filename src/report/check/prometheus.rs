//! Prometheus text for node_exporter's textfile collector: a set of states per check, so that an alert on one of them
//! neither misses nor outlives a change, and no series with another's labels.

use std::fmt::Write as _;

use super::{Checked, Definition, Series, in_seconds, series};
use crate::finding::Status;
use crate::report::characters::Plain;

pub(super) const FORMAT: Definition = Definition::new(|checked, _| render(checked, &checked.plain()));

/// The result as metrics.
fn render(checked: &Checked<'_>, findings: &[Plain]) -> String {
    let mut text = String::new();
    let labels = |own: &Plain| format!("check=\"{}\",group=\"{}\"", escaped(own.id), escaped(own.group));
    let all = series(findings, labels);
    if !all.is_empty() {
        let help = "Whether a check is in this state: 1 for the worst state it has, 0 for the others.";
        head(&mut text, "check_status", help);
    }
    for Series { labels, worst, .. } in &all {
        for status in Status::ALL {
            let is = u8::from(status == *worst);
            let _ = writeln!(text, "ics_setup_check_status{{{labels},status=\"{}\"}} {is}", status.as_str());
        }
    }
    let timed: Vec<_> = all.iter().filter_map(|series| Some((&series.labels, series.took_ms?))).collect();
    if !timed.is_empty() {
        head(&mut text, "check_duration_seconds", "How long a check took.");
    }
    for (labels, took) in timed {
        let _ = writeln!(text, "ics_setup_check_duration_seconds{{{labels}}} {}", in_seconds(took));
    }
    head(&mut text, "check_findings", "How many findings of the last run are in this state.");
    for status in Status::ALL {
        let count = findings.iter().filter(|finding| finding.status == status).count();
        let _ = writeln!(text, "ics_setup_check_findings{{status=\"{}\"}} {count}", status.as_str());
    }
    head(&mut text, "check_run_duration_seconds", "How long the longest check of the last run took.");
    let _ = writeln!(text, "ics_setup_check_run_duration_seconds {}", in_seconds(checked.took_ms));
    if let Some(taken) = crate::stamp::seconds_of(&checked.record.taken) {
        head(&mut text, "check_last_run_timestamp_seconds", "When the last run looked, as a Unix time.");
        let _ = writeln!(text, "ics_setup_check_last_run_timestamp_seconds {taken}");
    }
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP ics_setup_{name} {help}\n# TYPE ics_setup_{name} gauge");
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
