//! Text for people: one sentence first, detail after.

use std::fmt::Write as _;

use super::characters::{characters, diff_line, line as say, reasons, sentence, visible};
use super::{Outcome, Report, set, wrapped};
use crate::apply::Run;
use crate::consumers::Who;
use crate::finding::{Finding, Status, ids};
use crate::plan::{Action, Change, ContainerChange, Fate, Stage, StageId, StageState, unified};
use crate::problem::{HostState, Kind, Problem, id};
use crate::redact::Redactor;
use crate::text;
use crate::text::{Fix, Text, ics_setup, own};

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    /// Text in the colour of this SGR code.
    pub fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// As a remark in the background.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// As something that is wrong.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// As something that stands out.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// The word of a status in its colour.
    pub fn status(self, status: Status) -> String {
        match status {
            Status::Pass => self.with("32", "pass"),
            Status::Warn => self.with("33", "warn"),
            Status::Fail => self.with("31", "FAIL"),
            Status::Skip => self.with("2", "skip"),
            Status::Error => self.with("31", "ERROR"),
        }
    }
}

/// The diffs and their reasons.
pub fn plan(changes: &[Change], redactor: &Redactor, paint: Paint) -> String {
    let mut text = String::new();
    for change in changes {
        for line in &unified(change) {
            let code = match line.mark {
                "--- " | "+++ " => "1",
                "-" => "31",
                "+" => "32",
                "@@ " => "36",
                _ => "",
            };
            let line = diff_line(redactor, line);
            text.push_str(&if code.is_empty() { line } else { paint.with(code, &line) });
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// What has become of containers, or `planned` becomes of them, on one line; nothing where all stay.
pub fn containers(changes: &[ContainerChange], planned: bool) -> String {
    if changes.iter().all(|change| change.fate == Fate::Keep) {
        return String::new();
    }
    let of = |fate: Fate| {
        let names: Vec<String> =
            changes.iter().filter(|own| own.fate == fate).map(|own| visible(&own.service)).collect();
        let verb = if planned { fate.verb() } else { fate.past() };
        (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
    };
    format!("containers: {}\n", Fate::ALL.into_iter().filter_map(of).collect::<Vec<_>>().join("; "))
}

/// Findings, one line each and what to do below, broken at the window's width. Passing and skipped ones are left out unless
/// wanted. Commands to paste stay whole.
pub fn findings(findings: &[Finding], all: bool, redactor: &Redactor, paint: Paint, columns: Option<usize>) -> String {
    let mut text = String::new();
    for finding in findings {
        let passed = finding.status == Status::Pass;
        if !all && (passed || finding.status == Status::Skip) {
            continue;
        }
        let head = format!("{} [{}]", say(redactor, &finding.title), finding.id);
        let _ = writeln!(text, "{} {}", paint.status(finding.status), hanging(&head, 5, columns));
        let mut detail = |word: &str, value: &Text| {
            let _ = writeln!(text, "     {}", hanging(&format!("{word}: {}", say(redactor, value)), 7, columns));
        };
        if !passed {
            finding.expected.iter().for_each(|value| detail("expected", value));
            finding.observed.iter().for_each(|value| detail("seen", value));
        }
        finding.cause.iter().for_each(|value| detail("because", value));
        if !passed {
            for fix in &finding.fix {
                let said = sentence(redactor, fix.text()).labelled(fix.label());
                // What is to be pasted whole is not broken from its label.
                let columns = columns.filter(|_| !matches!(fix, Fix::Command(_)));
                let _ = writeln!(text, "     {}", set(&said, 7, columns).join("\n       "));
            }
        }
    }
    text
}

/// Text that is broken before the window ends, and goes on at this column.
fn hanging(text: &str, indent: usize, columns: Option<usize>) -> String {
    wrapped(text, indent, columns).join(&format!("\n{:indent$}", ""))
}

/// A problem: what is wrong, why, what to do.
pub fn problem(problem: &Problem, redactor: &Redactor, paint: Paint, columns: Option<usize>) -> String {
    let who = match problem.kind {
        Kind::Settings | Kind::Host => "",
        Kind::Outside => " (outside this host)",
        Kind::Bug => " (a bug in ics-setup)",
    };
    let message = hanging(&format!("error{who}: {}", say(redactor, &problem.message)), 2, columns);
    let mut text = format!("{}{}\n", paint.with("1;31", "error"), message.trim_start_matches("error"));
    if let Some(because) = &problem.because {
        let _ = writeln!(text, "  {}", hanging(&format!("because: {}", say(redactor, because)), 4, columns));
    }
    if let Some(excerpt) = &problem.excerpt {
        for line in characters(redactor, excerpt).trim_matches('\n').split('\n') {
            let _ = writeln!(text, "{}", visible(line));
        }
    }
    text.push_str(&hints(problem.hints.iter(), redactor, paint, columns));
    text
}

/// What to do, behind an empty line; nothing where there is none.
fn hints<'h>(
    hints: impl Iterator<Item = &'h Fix>,
    redactor: &Redactor,
    paint: Paint,
    columns: Option<usize>,
) -> String {
    let lines = |hint: &Fix| set(&sentence(redactor, hint.text()), 6, columns).join("\n      ");
    let lines: Vec<String> = hints.map(|hint| format!("{} {}\n", paint.with("36", "hint:"), lines(hint))).collect();
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

/// Why a run failed: what was noticed, the worst first, then the problem. One that is made of a failing finding has told all of
/// itself there but the ways around it.
pub fn failed(report: &Report<'_>, problem: &Problem, paint: Paint, columns: Option<usize>) -> String {
    let mut sorted = report.findings.to_vec();
    sorted.sort_by_key(|finding| finding.status != Status::Fail);
    let told = findings(&sorted, false, report.redactor, paint, columns);
    if problem.id == id::CHECKS_FAILED && sorted.first().is_some_and(|finding| finding.status == Status::Fail) {
        let is_new = |hint: &&Fix| sorted.iter().flat_map(|finding| &finding.fix).all(|own| own != *hint);
        return told + &hints(problem.hints.iter().filter(is_new), report.redactor, paint, columns);
    }
    let gap = if told.is_empty() { "" } else { "\n" };
    format!("{told}{gap}{}", self::problem(problem, report.redactor, paint, columns))
}

/// How a host stands that no run has touched.
pub(crate) const NOTHING_CHANGED: &str = "Nothing was changed.";

/// How the host stands after a run that failed.
pub fn stands(report: &Report<'_>, problem: &Problem) -> String {
    let recovered = report.findings.iter().any(|finding| finding.id == ids::RUN_RECOVERED);
    let stages =
        [(StageId::Engine, "Docker"), (StageId::Fetch, "images"), (StageId::Databases, "what was made on MySQL")];
    let is_made = |id: StageId| report.stages.iter().any(|own| own.id == id && own.state == StageState::Changed);
    let left: Vec<&str> = stages.into_iter().filter(|(id, _)| is_made(*id)).map(|(_, word)| word).collect();
    let head = match problem.host_state {
        HostState::AsItWas if recovered => "Nothing was changed beyond what was taken back of the interrupted run.",
        HostState::AsItWas => NOTHING_CHANGED,
        HostState::Restored if left.is_empty() => match problem.put_back {
            0 => "Nothing was changed: what had been written was put back.",
            1 => "Nothing was changed: 1 file that had been written was put back.",
            many => return format!("Nothing was changed: {many} files that had been written were put back."),
        },
        HostState::Restored => "What had been written was put back.",
        HostState::Changed => "The host is changed.",
        HostState::Committed => "The host is changed: everything was written and stays.",
    };
    match problem.host_state {
        HostState::Restored if !left.is_empty() => format!("{head} What stays: {}.", left.join(", ")),
        _ => head.to_owned(),
    }
}

/// How the host stands after a run of this verb that did not fail.
pub fn ended(verb: &str, outcome: Outcome, stages: &[Stage]) -> &'static str {
    let state = |id: StageId| stages.iter().find(|stage| stage.id == id).map(|stage| stage.state);
    let healthy = state(StageId::Healthy);
    match outcome {
        Outcome::Pending => "Dry run: nothing was written.",
        Outcome::Unchanged if verb == "install" && healthy == Some(StageState::Done) => {
            "Nothing to do: the product is installed and healthy."
        }
        Outcome::Unchanged => "Nothing to do: no file has to change.",
        Outcome::Changed => match (verb, healthy) {
            ("install", Some(StageState::Changed)) => "Done: the product is installed and healthy.",
            ("install", _) => "Done: the product's files are written; install on the running system starts it.",
            ("reconfigure", Some(StageState::Changed)) => "Done: the product runs with the new values and is healthy.",
            ("revert", Some(StageState::Changed)) => "Done: the product runs again as before and is healthy.",
            _ => "Done.",
        },
        Outcome::Failed => "Failed.",
        Outcome::Restored => "Failed; everything is as it was before.",
    }
}

/// What is done to a file, as people say it.
pub fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Modify => "change",
        Action::Delete => "delete",
    }
}

/// What was done to a file.
pub fn past(action: Action) -> String {
    format!("{}d", verb(action))
}

impl Report<'_> {
    /// What is said behind the diff.
    pub fn human(&self, verbose: bool, paint: Paint, columns: Option<usize>) -> String {
        let mut text = String::new();
        for change in self.changes {
            let done = match self.outcome {
                Outcome::Pending => format!("would {}", verb(change.action())),
                Outcome::Changed => past(change.action()),
                _ => "unchanged".to_owned(),
            };
            let reasons = reasons(self.redactor, change).join("; ");
            let path = visible(&change.path.display().to_string());
            let line = hanging(&format!("{done} {path}: {reasons}"), 2, columns);
            let _ = writeln!(text, "{}{}", paint.bold(&done), &line[done.len()..]);
        }
        if self.outcome != Outcome::Pending {
            text.push_str(&containers(self.containers, false));
        }
        // Stages that were gone through were told while they ended.
        let told = |stage: &&Stage| match self.outcome {
            Outcome::Pending => stage.state != StageState::Pending,
            _ => verbose && self.outcome == Outcome::Unchanged,
        };
        // On an image most of them are, for one reason.
        let (skipped, others): (Vec<&Stage>, Vec<&Stage>) =
            self.stages.iter().partition(|stage| stage.state == StageState::Skipped);
        for stage in others.into_iter().filter(told) {
            let _ = writeln!(text, "{}", hanging(&say(self.redactor, &stage.line()), 2, columns));
        }
        if let Some(first) = skipped.first().filter(|stage| stage.id == StageId::Engine) {
            let names: Vec<&str> = skipped.iter().map(|stage| stage.id.as_str()).collect();
            let skipped = format!("skipped: {}: {}", names.join(", "), say(self.redactor, &first.detail));
            let _ = writeln!(text, "{}", hanging(&skipped, 2, columns));
        }
        // After a change the proof is shown also where it passed. That the host was fit before is none.
        let all = verbose || self.outcome == Outcome::Changed;
        let is_idle = |finding: &&Finding| finding.status == Status::Pass && finding.id.group() == "host";
        // Of an installation that the product is healthy is the proof; who sees the proxy is told besides.
        let is_proof = |finding: &&Finding| {
            self.command != "install"
                || finding.status.is_wrong()
                || (finding.status == Status::Pass && Who::of(finding.id).is_some())
        };
        let told = self.findings.iter().filter(|own| verbose || (!is_idle(own) && is_proof(own)));
        let told: Vec<Finding> = told.cloned().collect();
        text.push_str(&findings(&told, all, self.redactor, paint, columns));
        let gap = if text.is_empty() || self.outcome == Outcome::Unchanged { "" } else { "\n" };
        let is_gone = !self.containers.is_empty() && self.containers.iter().all(|own| own.fate == Fate::Remove);
        let ended = match (self.outcome, self.for_good) {
            (Outcome::Changed, true) => "Done: the product is taken away, for good.",
            (Outcome::Changed, false) if is_gone => "Done: the product is taken away; its data and images stay.",
            _ => ended(self.command, self.outcome, self.stages),
        };
        let _ = writeln!(text, "{gap}{}", hanging(ended, 2, columns));
        if let (Outcome::Changed, Some(run), false) = (self.outcome, self.run, self.for_good) {
            let undo = text!("{}", ics_setup(text!("revert {}", own(run)))).pasted_by(self.person);
            let _ = writeln!(text, "undo: {}", say(self.redactor, &undo));
        }
        // What follows a change is no step as long as it is not made.
        let label = if self.outcome == Outcome::Pending { "then" } else { "next" };
        if self.outcome == Outcome::Pending {
            text.push_str("next: do it: the same without --dry-run\n");
        }
        for step in self.next_steps {
            let lines = set(&sentence(self.redactor, step), 6, columns);
            let _ = writeln!(text, "{label}: {}", lines.join("\n      "));
        }
        text
    }
}

/// Who ran it with which version, in a few words; journals of 0.1.0 do not say.
pub(crate) fn by(run: &Run) -> String {
    let by = run.begin.by.as_ref().map(|by| visible(&by.says()));
    match (by, &run.begin.tool) {
        (Some(by), Some(tool)) => format!("by {by} with {}", visible(tool)),
        _ => "by nobody knows whom".to_owned(),
    }
}
