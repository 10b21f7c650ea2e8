//! What is to become of the plan: the last question, and the progress after it.

use std::fmt::Write as _;

use super::messages::explain;
use super::prompt::{Ask, Gone, PARTS, Prompter, Reply};
use crate::converge::RunContext;
use crate::finding::{Finding, Status};
use crate::plan::{Change, Fate, unified};
use crate::problem::Problem;
use crate::report::{
    Paint, human_containers, human_findings, human_plan, human_routes, line, past, verb, visible, wrapped,
};
use crate::text::{Person, counted};

/// Rows of the window that the question below the plan takes: a gap, its line, seven answers, the line below.
const BELOW: usize = 10;

/// Of more findings that fail the number is told.
const MOST: usize = 3;

/// What the person has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The plan, as it stands now, is carried out.
    Apply,
    /// The questions are to be seen again.
    Back,
    /// Nothing is done.
    Cancel,
}

/// Asks about the plan and counts the changes while they are made.
pub(crate) struct Menu<'a> {
    prompter: &'a mut dyn Prompter,
    paint: Paint,
    /// Who pastes what is printed.
    person: &'a Person,
    number: usize,
    total: usize,
    /// Stages are told, which count the changes in themselves.
    stages: bool,
}

impl<'a> Menu<'a> {
    /// For a plan of the host, or of the image of this person.
    pub(crate) fn new(prompter: &'a mut dyn Prompter, paint: Paint, person: &'a Person) -> Self {
        Self { prompter, paint, person, number: 0, total: 0, stages: false }
    }

    /// Asks what to do with the plan: what it does to requests, which files it touches and what is noticed stand above the
    /// question, on one screen; the rest is a choice away.
    ///
    /// # Errors
    /// Nobody is there any more.
    pub(crate) fn consent(&mut self, context: &RunContext) -> Result<Consent, Gone> {
        let question = format!("{}. What now?", asked_for(context));
        let findings: Vec<Finding> = context.findings.iter().map(|finding| finding.pasted_by(self.person)).collect();
        let noticed = human_findings(&findings, false, &context.redactor, self.paint, Some(self.prompter.window().1));
        let mut choices = vec![(Choice::Apply, "apply"), (Choice::Show, "show the differences")];
        choices.extend((!noticed.is_empty()).then_some((Choice::Noticed, "read what to know")));
        choices.extend((!context.routes.rows.is_empty()).then_some((Choice::Ways, "show which ways change")));
        choices.extend([(Choice::Explain, "explain each change"), (Choice::Cancel, "cancel")]);
        let options: Vec<String> = choices.iter().map(|(_, words)| (*words).to_owned()).collect();
        // Nobody applies by habit what was not shown.
        let mut default = 1;
        self.counts(context);
        loop {
            let window = self.prompter.window();
            self.prompter.say(summary(context, &findings, window, self.paint).trim_end());
            let ask = Ask { careful: true, part: Some(PARTS), ..Ask::of(&question, "", true) };
            let chosen = self.prompter.choose(&ask, &options, default)?;
            self.prompter.answered(&[]);
            let Reply::Given(index) = chosen else { return Ok(Consent::Back) };
            let text = match choices.get(index).map(|(choice, _)| *choice) {
                Some(Choice::Apply) => break,
                Some(Choice::Show) => human_plan(&context.plan.changes, &context.redactor, self.paint),
                Some(Choice::Noticed) => noticed.clone(),
                Some(Choice::Ways) => {
                    let ways = human_routes(&context.routes, false, &context.redactor, self.paint);
                    wrapped(&ways, 0, Some(self.prompter.window().1)).join("\n")
                }
                Some(Choice::Explain) => {
                    explain(&context.plan.changes, &context.redactor, self.paint, self.prompter.window().1)
                }
                Some(Choice::Cancel) | None => return Ok(Consent::Cancel),
            };
            self.prompter.page(text.trim_end())?;
            self.prompter.begin();
            default = 0;
        }
        Ok(Consent::Apply)
    }

    /// Says which checks of the plan have failed, and asks what to do; nothing was changed. The findings that are to blame come
    /// first in the context.
    ///
    /// # Errors
    /// Nobody is there any more.
    pub(crate) fn refused(&mut self, context: &RunContext, problem: &Problem) -> Result<Consent, Gone> {
        let findings: Vec<Finding> = context.findings.iter().map(|finding| finding.pasted_by(self.person)).collect();
        let failing = || findings.iter().filter(|finding| finding.status == Status::Fail);
        let (told, redactor) = (failing().cloned().collect::<Vec<_>>(), &context.redactor);
        let told = human_findings(&told, false, redactor, self.paint, Some(self.prompter.window().1));
        let mut options = vec!["go back to the questions".to_owned()];
        options.extend((!told.is_empty()).then(|| "show what was found".to_owned()));
        options.push("cancel".to_owned());
        loop {
            self.prompter.say("");
            if told.is_empty() {
                self.prompter.complain(&line(redactor, &problem.message));
            }
            for finding in failing().take(MOST) {
                self.prompter.complain(&line(redactor, &finding.title));
            }
            if let more @ 1.. = failing().count().saturating_sub(MOST) {
                self.prompter.detail(&format!("and {more} more"));
            }
            self.prompter.detail("Nothing was changed, and your answers are kept.");
            let ask =
                Ask { careful: true, part: Some(PARTS), ..Ask::of("The plan does not hold. What now?", "", false) };
            let chosen = self.prompter.choose(&ask, &options, 0)?;
            self.prompter.answered(&[]);
            match chosen {
                Reply::Back | Reply::Given(0) => return Ok(Consent::Back),
                Reply::Given(1) if options.len() > 2 => self.prompter.page(told.trim_end())?,
                Reply::Given(_) => return Ok(Consent::Cancel),
            }
            self.prompter.begin();
        }
    }

    /// What is going to be done, of which [`Self::progress`] tells.
    pub(crate) fn counts(&mut self, context: &RunContext) {
        (self.number, self.total, self.stages) = (0, context.plan.changes.len(), !context.stages.is_empty());
    }

    /// A change was made.
    pub(crate) fn progress(&mut self, change: &Change) {
        if self.stages {
            return;
        }
        self.number += 1;
        let what = format!("{} {}", past(change.action()), visible(&change.path.display().to_string()));
        self.prompter.done(self.number, self.total.max(self.number), &what);
    }
}

/// What can be done about a plan.
#[derive(Clone, Copy)]
enum Choice {
    Apply,
    Show,
    Noticed,
    Ways,
    Explain,
    Cancel,
}

/// The plan on one screen, the files last: what does not fit is left out and counted.
fn summary(context: &RunContext, findings: &[Finding], (rows, columns): (usize, usize), paint: Paint) -> String {
    let noticed: Vec<&Finding> = findings.iter().filter(|finding| finding.status.is_wrong()).collect();
    let noticed = noticed
        .into_iter()
        .map(|finding| format!("  {} {}", paint.status(finding.status), line(&context.redactor, &finding.title)));
    let files = context.plan.changes.iter().map(|change| {
        let marks: Vec<&str> = unified(change).iter().map(|line| line.mark).collect();
        let count = |wanted: &str| marks.iter().filter(|mark| **mark == wanted).count();
        let path = visible(&change.path.display().to_string());
        let lines = [("+", "32"), ("-", "31")].map(|(mark, color)| (count(mark), mark, color));
        let lines = lines.into_iter().filter(|(count, ..)| *count > 0);
        let lines: Vec<String> = lines.map(|(n, mark, color)| paint.with(color, &format!("{mark}{n}"))).collect();
        format!("  {:6}  {path}  {}", verb(change.action()), lines.join(" "))
    });
    let titled = |title: String, lines: Vec<String>| Some((title, lines)).filter(|(_, lines)| !lines.is_empty());
    let routes = human_routes(&context.routes, false, &context.redactor, paint);
    let mut routes = routes.lines().map(str::to_owned);
    let ways = routes.next().map(|title| (title, routes.collect::<Vec<_>>()));
    let noticed: Vec<String> = noticed.collect();
    let noticed = titled(paint.bold(&format!("{} to know", counted(noticed.len(), "thing"))), noticed);
    let containers = human_containers(&context.containers, true);
    let containers = containers.lines().next().map(|line| (line.to_owned(), Vec::new()));
    let files = titled(paint.bold(&counted(context.plan.changes.len(), "file")), files.collect());

    // The last part has its rows first, then those above it.
    let mut free = rows.saturating_sub(BELOW);
    let mut parts: Vec<String> = Vec::new();
    for (title, lines) in [files, containers, noticed, ways].into_iter().flatten() {
        if free < 2 && !parts.is_empty() {
            break;
        }
        let title = wrapped(&title, 0, Some(columns)).join("\n  ");
        let mut part = format!("\n{title}\n");
        free = free.saturating_sub(1 + title.lines().count());
        let lines: Vec<String> = lines.iter().map(|line| wrapped(line, 0, Some(columns)).join("\n  ")).collect();
        let mut left = lines.len();
        for line in &lines {
            let takes = line.lines().count();
            // One row says how many more there are.
            if takes + usize::from(left > 1) > free {
                break;
            }
            let _ = writeln!(part, "{line}");
            (free, left) = (free - takes, left - 1);
        }
        // The title has counted them.
        if left > 0 && left < lines.len() {
            let _ = writeln!(part, "  and {left} more");
            free = free.saturating_sub(1);
        }
        parts.push(part);
    }
    parts.reverse();
    parts.concat()
}

/// What there is to say yes to.
fn asked_for(context: &RunContext) -> String {
    let changes = counted(context.plan.changes.len(), "change");
    match context.containers.iter().filter(|own| own.fate != Fate::Keep).count() {
        0 => changes,
        1 => format!("{changes}, containers of 1 service"),
        count => format!("{changes}, containers of {count} services"),
    }
}
