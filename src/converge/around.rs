//! What is done beside the files of a run: to services that run, and in stages between the files.

use std::time::{Duration, Instant};

use super::{Interface, RunContext, prove, stop_on_failure};
use crate::apply::{Run, Session, Steps, Which};
use crate::finding::{Finding, Ignored};
use crate::host::HostRead;
use crate::plan::{Change, Stage, StageId, StageState};
use crate::problem::Problem;
use crate::text::Text;

/// A run whose plan is being carried out.
pub(crate) struct Doing<'a, 'h> {
    /// The lock.
    pub(crate) session: &'a Session<'h>,
    /// What is known.
    pub(crate) context: &'a mut RunContext,
    /// Who sees it.
    pub(crate) interface: &'a mut dyn Interface,
    /// Findings that do not stop the run.
    pub(crate) ignored: &'a Ignored,
}

impl Doing<'_, '_> {
    /// Says what begins.
    pub(crate) fn tell(&mut self, what: &Text) {
        self.interface.step(what, None, self.context);
    }

    /// The same, and after how long that was.
    pub(crate) fn tell_after(&mut self, what: &Text, after: Duration) {
        self.interface.step(what, Some(after), self.context);
    }

    /// Says what is worth to be read later.
    pub(crate) fn remark(&mut self, what: &Text) {
        self.interface.remark(what, self.context);
    }

    /// Says how far it is.
    pub(crate) fn moving(&mut self, what: &Text) {
        self.interface.moving(what, self.context);
    }

    /// Goes through a stage: notes and says how it ended, and how long it took.
    ///
    /// # Errors
    /// What `work` could not do.
    pub(crate) fn stage(
        &mut self,
        id: StageId,
        work: impl FnOnce(&mut Self) -> Result<(StageState, Text), Problem>,
    ) -> Result<(), Problem> {
        let began = Instant::now();
        let at = self.context.at(id);
        let ended = work(self);
        drop(at);
        let (state, detail) = match &ended {
            Ok((state, detail)) => (*state, detail.clone()),
            Err(problem) => (StageState::Failed, problem.message.clone()),
        };
        self.note(Stage { id, state, seconds: began.elapsed().as_secs_f64(), detail });
        ended.map(drop)
    }

    /// How a stage ended, in the place of what was noted of it before.
    pub(crate) fn note(&mut self, stage: Stage) {
        self.interface.stage(&stage, self.context);
        self.context.note(stage);
    }

    /// Says how a stage ended that was gone through before the plan was confirmed.
    pub(crate) fn told(&mut self, id: StageId) {
        if let Some(stage) = self.context.stages.iter().find(|stage| stage.id == id) {
            self.interface.stage(stage, self.context);
        }
    }

    /// Notes what was found.
    ///
    /// # Errors
    /// A finding that fails, and that nobody lets pass.
    pub(crate) fn found(&mut self, mut findings: Vec<Finding>) -> Result<(), Problem> {
        self.ignored.apply(&mut findings);
        let ended = stop_on_failure(&findings);
        self.context.findings.extend(findings);
        ended
    }

    /// Somebody has started the Docker daemon in this run: it reads the system's roots as they are now.
    pub(crate) fn daemon_was_started(&mut self) {
        self.context.took_up = false;
    }

    /// Restarts the Docker daemon where it has not read what its files say.
    ///
    /// # Errors
    /// `systemctl` failed.
    pub(crate) fn restart_daemon(&mut self, host: &dyn HostRead) -> Result<bool, Problem> {
        self.context.restart = true;
        prove::restart(host, self.context)
    }

    /// Has the daemon read something else than its files say?
    pub(crate) fn daemon_has_read_other(&self, host: &dyn HostRead) -> bool {
        prove::has_read_other(host, self.context)
    }

    /// Starts the daemon anew over files that are as before.
    ///
    /// # Errors
    /// `systemctl` failed.
    pub(crate) fn daemon_as_before(&mut self, host: &dyn HostRead) -> Result<(), Problem> {
        prove::restart_as_before(host, self.context)
    }
}

/// The steps of [`Around`] while files are published.
pub(super) struct Carry<'a, 'h> {
    pub(super) around: &'a mut dyn Around,
    pub(super) doing: Doing<'a, 'h>,
}

impl Steps for Carry<'_, '_> {
    fn before(&mut self, change: &Change) -> Result<(), Problem> {
        self.around.before_change(&mut self.doing, change)
    }

    fn made(&mut self, change: &Change) {
        self.doing.interface.progress(change);
    }

    fn before_commit(&mut self) -> Result<(), Problem> {
        self.around.before_commit(&mut self.doing)
    }
}

/// What is done to services that run around the change of their files.
pub(crate) trait Around {
    /// Which run has to be taken back for what is asked for beside the files, of all so far; `which`: those that were named.
    ///
    /// # Errors
    /// That may not be done.
    fn check(&mut self, _runs: &[Run], _which: Which<'_>) -> Result<Option<String>, Problem> {
        Ok(None)
    }

    /// Looks what becomes of them when the plan of `context` is carried out. Nothing is touched.
    ///
    /// # Errors
    /// What would be done could not be done.
    fn foresee(&mut self, _context: &mut RunContext) -> Result<(), Problem> {
        Ok(())
    }

    /// Would nothing be done?
    fn is_idle(&self) -> bool {
        true
    }

    /// Is somebody without it until [`Around::after`]? Then what can be asked later is asked later.
    fn is_down(&self) -> bool {
        false
    }

    /// Once the plan is confirmed; nothing has been written.
    ///
    /// # Errors
    /// They run again as before, unless the problem says otherwise.
    fn before(&mut self, _doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        Ok(())
    }

    /// Before the file of a change gets its new content.
    ///
    /// # Errors
    /// It cannot be made yet; all files are taken back.
    fn before_change(&mut self, _doing: &mut Doing<'_, '_>, _change: &Change) -> Result<(), Problem> {
        Ok(())
    }

    /// All files have their new contents, and can still be taken back.
    ///
    /// # Errors
    /// They are taken back.
    fn before_commit(&mut self, _doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        Ok(())
    }

    /// The run ends with this problem: they are started again, with the files that there are.
    fn give_up(&mut self, _doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        problem
    }

    /// Once everything is written, and verified where nobody waits for it.
    ///
    /// # Errors
    /// Files and services are as before, unless the problem says otherwise.
    fn after(&mut self, _doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// Nothing that runs is touched.
pub(crate) struct Nothing;

impl Around for Nothing {}
