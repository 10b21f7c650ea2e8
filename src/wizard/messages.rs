//! What is said before the questions, about each change, and at the end.

use std::fmt::Write as _;
use std::path::Path;

use super::known::KnownState;
use crate::consumers::{Touched, Who};
use crate::converge::RunContext;
use crate::finding::{Finding, Status};
use crate::plan::Change;
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::{self, Outcome, Paint, human_findings, sentence, set, visible, wrapped};
use crate::settings::{First, Key, SETTINGS_FILE, TABLE, home};
use crate::targets::Phase;
use crate::text;
use crate::text::{Person, Text, ics_setup, own, typed};
use crate::vendor::prod_env;

/// What the host is and has, in a few lines, and how to move between questions.
///
/// # Errors
/// A file that is there and cannot be read.
pub(crate) fn opening(known: &KnownState<'_>, paint: Paint, columns: usize) -> Result<String, Problem> {
    let home = home(known.layers)?;
    let found = known.found(&home, First::Product)?;
    let os = &known.platform.os;
    let broken = |text: &str, indent: usize| wrapped(text, indent, Some(columns)).join(&format!("\n{:indent$}", ""));
    let title = broken("ics-setup wizard: nothing is changed before you have seen the plan", 0);
    let mut text = format!("{}\n\n", paint.bold(&title));
    let mut row = |word: &str, what: &str| {
        let _ = writeln!(text, "  {word:9} {}", broken(&visible(what), 12));
    };
    row("system", &format!("{}, treated like {}", os.pretty, os.strategy));
    let file = known.host.shown(&prod_env(&home));
    let product = match known.has_product(&home) {
        true => format!("{} is there", file.display()),
        false => format!("not installed: {} is not there", file.display()),
    };
    row("product", &product);
    let proxies: Vec<_> =
        [Key::ProxyHttp, Key::ProxyHttps].into_iter().filter_map(|key| known.proxy(key, &found)).collect();
    match proxies.as_slice() {
        [] => row("proxy", "none: neither a file for logins nor prod.env names one"),
        [first, rest @ ..] => {
            row("proxy", &format!("{} ({})", first.value.masked(), first.origin));
            for other in rest.iter().filter(|other| other.value != first.value) {
                row("", &format!("{} ({})", other.value.masked(), other.origin));
            }
        }
    }
    if !known.host.is_live() {
        row("network", "servers are asked from this machine; the image may see others");
    }
    let file = known.host.shown(Path::new(SETTINGS_FILE));
    if known.host.lstat(Path::new(SETTINGS_FILE)).is_ok_and(|stat| stat.is_some()) {
        row("settings", &format!("{} is there; its values are offered", file.display()));
    }
    if let Some(told) = TABLE.iter().find_map(|spec| known.layers.last_run.get(spec.key)) {
        row("settings", &format!("what the {} was told is offered", told.origin));
    }
    let keys = "Enter takes what is marked or in brackets, < or Esc goes back, Ctrl-C leaves.";
    let _ = write!(text, "\n{}", broken(keys, 0));
    Ok(text)
}

/// Each change: what, why, who reads it.
pub(super) fn explain(changes: &[Change], redactor: &Redactor, paint: Paint, columns: usize) -> String {
    let broken = |text: &str| wrapped(text, 4, Some(columns)).join("\n    ");
    let mut text = String::new();
    for (index, change) in changes.iter().enumerate() {
        let path = visible(&change.path.display().to_string());
        let head = format!("{}/{} {} {path}", index + 1, changes.len(), report::verb(change.action()));
        let _ = writeln!(text, "\n{}", paint.bold(&head));
        for reason in &change.reasons {
            let _ = writeln!(text, "  - {}", broken(&report::line(redactor, reason)));
        }
        let _ = writeln!(text, "  {}", broken(&format!("read by {}", Touched::readers(&change.path))));
        match change.before {
            Some(_) => text.push_str("  its owner, mode and other lines stay; a backup is kept for revert\n"),
            None => text.push_str("  it is new; revert takes it away again\n"),
        }
    }
    text
}

/// The end of a run that went well: who sees it now, what is next, the way back, and the command that repeats it.
pub(crate) fn closing(
    context: &RunContext,
    (phase, outcome): (Phase, Outcome),
    person: &Person,
    command: &str,
    (paint, columns): (Paint, Option<usize>),
) -> String {
    let mut text = format!("{}\n", report::ended(phase.verb(), outcome, &context.stages));
    let mut part = |title: &str, body: &str| {
        if !body.is_empty() {
            let _ = write!(text, "\n{}\n{body}", paint.bold(title));
        }
    };
    let line = |text: &Text| {
        let lines = set(&sentence(&context.redactor, text), 4, columns);
        format!("  {}\n", lines.join("\n    "))
    };
    let pasted = |text: &Text| line(&text.pasted_by(person));
    let findings: Vec<Finding> = context.findings.iter().map(|finding| finding.pasted_by(person)).collect();
    if outcome != Outcome::Changed {
        let others: Vec<_> = findings.iter().filter(|finding| Who::of(finding.id).is_none()).cloned().collect();
        part("Noticed", &human_findings(&others, false, &context.redactor, paint, columns));
    }
    part("Who sees it", &proof_table(&findings, &context.redactor, paint, columns));
    let ignorant = |finding: &Finding| {
        finding.status == Status::Warn && Who::of(finding.id).is_some_and(|who| !who.has_file_of_ours())
    };
    if context.findings.iter().any(ignorant) {
        part("Who does not see it, and what to do", &pasted(&ics_setup("check proxy").into()));
    }
    part("Next", &context.plan.next_steps.iter().map(pasted).collect::<String>());
    if let Some(run) = &context.run {
        part("Undo", &pasted(&ics_setup(text!("revert {}", own(run))).into()));
    }
    let again = if outcome == Outcome::Pending { "To do it, without questions" } else { "The same without questions" };
    part(again, &line(&typed(text!("{}", own(command))).into()));
    text
}

/// What each consumer sees, as a table; below a row what to do where one of our files should have told it. Empty: nothing was
/// looked at.
fn proof_table(findings: &[Finding], redactor: &Redactor, paint: Paint, columns: Option<usize>) -> String {
    let rows: Vec<&Finding> = findings.iter().filter(|finding| Who::of(finding.id).is_some()).collect();
    let name = |finding: &Finding| Who::of(finding.id).map_or("", Who::as_str);
    let has_file_of_ours = |finding: &Finding| Who::of(finding.id).is_some_and(Who::has_file_of_ours);
    let width = rows.iter().map(|finding| name(finding).len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in rows {
        let what = match finding.status {
            Status::Skip => finding.observed.as_ref().unwrap_or(&finding.title),
            _ => &finding.title,
        };
        let below = format!("\n{:1$}", "", 10 + width);
        let what = wrapped(&report::line(redactor, what), 10 + width, columns).join(&below);
        let _ = writeln!(text, "  {}  {:width$}  {what}", paint.status(finding.status), name(finding));
        if finding.status != Status::Pass && has_file_of_ours(finding) {
            for fix in &finding.fix {
                let what = sentence(redactor, fix.text()).labelled(fix.label());
                let what = set(&what, 10 + width, columns).join(&below);
                let _ = writeln!(text, "{}{what}", below.trim_start_matches('\n'));
            }
        }
    }
    text
}
