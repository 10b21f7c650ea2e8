//! What a run learns on its way.

use crate::check::backends::{Mysql, Redis};
use crate::check::{Check, CheckSpec, Secrets};
use crate::consumers::{ConsumersFacts, Wanted};
use crate::finding::{Finding, Status};
use crate::net::Roots;
use crate::network::cause::Via;
use crate::plan::{ContainerChange, Plan, Stage, StageId, StageState};
use crate::platform::Platform;
use crate::problem::{HostState, Kind, Problem, id};
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::report::{Outcome, Report};
use crate::routes::Routes;
use crate::settings::{Settings, Told};
use crate::text::{Person, Text};

/// The proxy that is to be asked when everything is written.
pub(super) struct Probe {
    pub(super) spec: CheckSpec,
    pub(super) secrets: Secrets,
    pub(super) roots: Roots,
}

/// What has become known on the way, for the report, however it ends.
#[derive(Default)]
pub(crate) struct RunContext {
    /// What system it is.
    pub(crate) platform: Option<Platform>,
    /// What is or was to be done.
    pub(crate) plan: Plan,
    /// What was noticed.
    pub(crate) findings: Vec<Finding>,
    /// Secrets of this run.
    pub(crate) redactor: Redactor,
    /// The name of the run.
    pub(crate) run: Option<String>,
    /// Services are to be restarted so that they read the new settings.
    pub(crate) restart: bool,
    /// The Docker daemon was restarted, and has read all of its files.
    pub(crate) restarted: bool,
    /// This run had what lay in the host's store taken up, and the Docker daemon was not started since.
    pub(super) took_up: bool,
    /// What was wanted.
    pub(crate) settings: Option<Settings>,
    /// What becomes or has become of the product's containers.
    pub(crate) containers: Vec<ContainerChange>,
    /// What was done to the product, step by step.
    pub(crate) stages: Vec<Stage>,
    /// Which way requests go before and after.
    pub(crate) routes: Routes,
    /// What goes for good, which nothing brings back; the folder that holds the data comes first.
    pub(crate) for_good: Vec<Text>,
    /// What was wanted, and what consumers get by the planned files.
    pub(super) ahead: Option<(Wanted, ConsumersFacts)>,
    /// Why the proxy's answer is not remembered, where it could not be.
    pub(crate) not_kept: Option<Problem>,
    /// What the proxy is to be asked when everything is written.
    pub(super) probe: Option<Probe>,
    /// What had to be taken back of an interrupted run.
    pub(super) recovered: Vec<Finding>,
    /// What that run was told.
    pub(super) interrupted: Option<Told>,
    /// Somebody has said that another host has the interface.
    pub(super) accepted: bool,
    /// How many of the findings, from the first, were made before there was a plan; the others tell of its files.
    pub(super) before_plan: usize,
}

impl RunContext {
    /// How a stage ended, in the place of what was noted of it before.
    pub(crate) fn note(&mut self, stage: Stage) {
        match self.stages.iter_mut().find(|own| own.id == stage.id) {
            Some(own) => *own = stage,
            None => self.stages.push(stage),
        }
    }

    /// Shows that this stage is gone through, and which come after it.
    pub(crate) fn at(&self, id: StageId) -> Progress {
        let comes = |stage: &&Stage| stage.state == StageState::Pending && stage.id > id;
        Progress::stage(id.as_str(), self.stages.iter().filter(comes).map(|stage| stage.id.as_str()).collect())
    }

    /// Leaves out what was noticed of files that were put back; what failed, and what proxy and servers say, holds.
    pub(super) fn files_are_back(&mut self) {
        let asked = |own: &Finding| {
            own.path == Some(Via::Proxy.as_str())
                || [Mysql::META, Redis::META].iter().any(|of| of.ids.contains(&own.id))
        };
        let planned = self.findings.split_off(self.before_plan.min(self.findings.len()));
        self.findings.extend(planned.into_iter().filter(|own| own.status == Status::Fail || asked(own)));
    }

    /// Names the stage that a problem has ended, where none says so itself.
    pub(crate) fn ended(&mut self, problem: &Problem) {
        let is_failed = self.stages.iter().any(|stage| stage.state == StageState::Failed);
        if is_failed || problem.id == id::CANCELLED {
            return;
        }
        let waits = |id: &StageId| {
            self.stages.iter().find(|stage| stage.id == *id).is_none_or(|stage| stage.state == StageState::Pending)
        };
        let first = StageId::ALL.into_iter().find(waits);
        let of_host = first == Some(StageId::Settings) && problem.kind != Kind::Settings;
        if let Some(id) = if of_host { Some(StageId::Preflight) } else { first } {
            self.note(Stage::idle(id, StageState::Failed, problem.message.clone()));
        }
    }

    /// The report of a command that ended so. Of a failed run that left nothing behind, neither changes nor next steps are
    /// told.
    pub(crate) fn report<'t>(
        &'t self,
        command: &'t str,
        outcome: &'t Result<Outcome, Problem>,
        person: &'t Person,
    ) -> Report<'t> {
        let error = outcome.as_ref().err();
        let keeps = |problem: &Problem| matches!(problem.host_state, HostState::Changed | HostState::Committed);
        let (changes, next_steps) = match error {
            Some(problem) if !keeps(problem) => (&[][..], &[][..]),
            _ => (&self.plan.changes[..], &self.plan.next_steps[..]),
        };
        Report {
            command,
            outcome: outcome.as_ref().map_or_else(Outcome::of, |outcome| *outcome),
            run: self.run.as_deref(),
            os: self.platform.as_ref().map(|platform| &platform.os),
            changes,
            containers: &self.containers,
            stages: &self.stages,
            findings: &self.findings,
            next_steps,
            for_good: !self.for_good.is_empty(),
            routes: &self.routes,
            error,
            redactor: &self.redactor,
            person,
        }
    }
}
