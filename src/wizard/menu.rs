//! What is to become of the plan: the last question, and the progress after it.

use super::messages::explain;
use super::prompt::{Ask, Gone, Prompter, Reply};
use crate::converge::RunContext;
use crate::finding::Finding;
use crate::plan::{Change, Fate};
use crate::report::{Paint, human_findings, past};
use crate::text::Person;

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
    /// Who pastes what is printed; where there is no image, programs of the host can be asked what they see.
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

    /// Asks what to do with the plan.
    ///
    /// # Errors
    /// Nobody is there any more.
    pub(crate) fn consent(&mut self, context: &RunContext) -> Result<Consent, Gone> {
        const APPLY: &str = "apply";
        const EXPLAIN: &str = "explain each change";
        const CANCEL: &str = "cancel";
        let words = [APPLY, EXPLAIN, CANCEL];
        let options = words.map(str::to_owned);
        let question = format!("{}. What now?", counted(context));
        let findings: Vec<Finding> = context.findings.iter().map(|finding| finding.pasted_by(self.person)).collect();
        let warnings = human_findings(&findings, false, &context.redactor, self.paint);
        if !warnings.is_empty() {
            self.prompter.say(warnings.trim_end());
        }
        loop {
            // Enter by habit does no harm here.
            let ask = Ask { careful: true, ..Ask::of(&question, "", true) };
            let Reply::Given(index) = self.prompter.choose(&ask, &options, 1)? else { return Ok(Consent::Back) };
            match words.get(index).copied() {
                Some(APPLY) => break,
                Some(EXPLAIN) => {
                    let text = explain(&context.plan.changes, &context.redactor, self.paint);
                    self.prompter.say(text.trim_end());
                }
                _ => return Ok(Consent::Cancel),
            }
        }
        (self.number, self.total, self.stages) = (0, context.plan.changes.len(), !context.stages.is_empty());
        Ok(Consent::Apply)
    }

    /// A change was made.
    pub(crate) fn progress(&mut self, change: &Change) {
        if self.stages {
            return;
        }
        self.number += 1;
        let what = format!("{} {}", past(change.action()), change.path.display());
        self.prompter.done(self.number, self.total.max(self.number), &what);
        if self.person.image.is_none() && self.number == self.total {
            // A login may take seconds.
            self.prompter.say("  asking logins and services what they see ...");
        }
    }
}

/// What there is to say yes to.
fn counted(context: &RunContext) -> String {
    let changes = match context.plan.changes.len() {
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    };
    match context.containers.iter().filter(|own| own.fate != Fate::Keep).count() {
        0 => changes,
        1 => format!("{changes}, containers of 1 service"),
        count => format!("{changes}, containers of {count} services"),
    }
}
