//! What a run shows and asks when it was started by flags: a person at the terminal, a machine that reads JSON, or nobody.

use super::args::Globals;
use super::{ask, out, terminal};
use crate::converge::{Interface, Options, RunContext};
use crate::problem::Problem;
use crate::report::{Paint, human_plan};
use crate::settings::Spec;

/// The flags decide what is shown and whether anybody is asked.
pub(super) struct ByFlags<'a>(pub &'a Globals);

impl ByFlags<'_> {
    /// Nobody says yes to what was not shown: where the result is to be JSON or silence, the plan goes to standard error.
    pub(super) fn show_before_asking(&self, context: &RunContext) {
        if self.0.json || self.0.quiet {
            out::message(&human_plan(&context.plan.changes, &context.redactor, Paint(false)));
        }
    }

    /// May somebody be asked for a confirmation?
    pub(super) fn confirms(&self) -> bool {
        self.0.interactive() && !self.0.yes
    }
}

impl Interface for ByFlags<'_> {
    fn show_plan(&mut self, context: &RunContext) {
        if !self.0.json && !self.0.quiet {
            let diff = human_plan(&context.plan.changes, &context.redactor, Paint(self.0.color));
            out::result(&terminal::shown(diff));
        }
    }

    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem> {
        if !self.confirms() {
            return Ok(());
        }
        self.show_before_asking(context);
        ask::confirm(context.plan.changes.len())
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        ask::secret(self.0, spec)
    }
}

/// A plan is made without a word.
pub(super) struct Quiet<'a>(pub &'a Globals);

impl Interface for Quiet<'_> {
    fn show_plan(&mut self, _: &RunContext) {}

    fn confirm(&mut self, _: &RunContext) -> Result<(), Problem> {
        Ok(())
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        ask::secret(self.0, spec)
    }
}

/// How the flags want a run to go.
pub(super) fn options(globals: &Globals) -> Options<'_> {
    Options { dry_run: globals.dry_run, prove: false, preflight: true, probe: true, ignored: &globals.ignored }
}
