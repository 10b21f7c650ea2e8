//! Text for people: a heading per group, one line per check, and below what is not right what to do about it.

use std::fmt::Write as _;

use super::Checked;
use crate::finding::{Finding, Status};
use crate::report::Paint;

/// The result as text. Verbose: details of passing checks too. Quiet: only what is not right.
pub fn render(checked: &Checked<'_>, verbose: bool, quiet: bool, paint: Paint) -> String {
    let mut text = String::new();
    let mut group = "";
    for finding in checked.findings {
        let right = matches!(finding.status, Status::Pass | Status::Skip);
        if quiet && right {
            continue;
        }
        if finding.group != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = finding.group;
            let _ = writeln!(text, "{gap}{}", paint.bold(group));
        }
        one(&mut text, checked, finding, verbose, paint);
    }
    let summary = checked.summary();
    let mut counts = Vec::new();
    for (count, word) in [
        (summary.fail, "failed"),
        (summary.error, "could not be checked"),
        (summary.warn, "with a warning"),
        (summary.skip, "skipped"),
        (summary.pass, "passed"),
    ] {
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    let counts = if counts.is_empty() { "nothing was checked".to_owned() } else { counts.join(", ") };
    let gap = if text.is_empty() { "" } else { "\n" };
    let took = crate::net::seconds(std::time::Duration::from_millis(checked.took_ms));
    let _ = writeln!(text, "{gap}{} ({took})", paint.bold(&counts));
    text
}

fn one(text: &mut String, checked: &Checked<'_>, finding: &Finding, verbose: bool, paint: Paint) {
    let (mark, code) = match finding.status {
        Status::Pass => ("✓", "32"),
        Status::Warn => ("‼", "33"),
        Status::Fail | Status::Error => ("×", "31"),
        Status::Skip => ("-", "2"),
    };
    let id = match finding.status {
        Status::Pass if !verbose => String::new(),
        _ => format!(" {}", paint.with("2", &format!("[{}]", finding.id))),
    };
    let _ = writeln!(text, "  {} {}{id}", paint.with(code, mark), checked.say(&finding.title));
    let mut detail = |word: &str, value: Option<&String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "      {word}: {}", checked.say(value).replace('\n', "\n        "));
        }
    };
    match finding.status {
        Status::Pass if !verbose => return,
        Status::Skip => return detail("because", finding.observed.as_ref().or(finding.cause.as_ref())),
        _ => {}
    }
    detail("expected", finding.expected.as_ref());
    detail("seen", finding.observed.as_ref());
    detail("because", finding.cause.as_ref());
    if finding.status != Status::Pass {
        finding.fix.iter().for_each(|fix| detail("fix", Some(fix)));
        detail("more", finding.docs.as_ref());
    }
}
