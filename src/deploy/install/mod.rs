//! `install`: from a bare host to a healthy product, in stages. Each looks at the host whether it is done; nothing that runs is
//! touched before `start`.
//!
//! Files are published in one transaction, which also holds the stages that come before `start`: what fails up to there takes
//! all files back.
//!
//! | module | what it does |
//! | --- | --- |
//! | `ready` | what is to be done, and what stands in the way, before anything is written |
//! | `over` | what whoever gets the product wants to know |

mod over;
mod ready;

use std::time::Instant;

pub(super) use over::moved;
use ready::{Ready, stage_of};

use super::databases::Databases;
use super::fates::remounted;
use super::health::Start;
use super::made::Made;
use super::product::{Product, called_off, goes_on, not_reached, stays_as_it_is, take_back};
use super::task::{Task, task};
use super::{accounts, boot, engine, fetch, probe_container};
use crate::consumers::labels_mounts;
use crate::converge::{Around, Doing, RunContext};
use crate::host::HostWrite;
use crate::plan::{Change, Stage, StageId, StageState};
use crate::problem::{HostState, Problem, id};
use crate::product::Place;
use crate::progress::Progress;
use crate::settings::{Found, Layers};
use crate::signals::Uninterrupted;
use crate::targets::forget_passwords;
use crate::text;
use crate::text::{Text, ics_setup, own};

/// The stages around the change of files.
pub(super) struct Install<'h> {
    host: &'h dyn HostWrite,
    ready: Option<Ready>,
    /// When `prepare` began, and what shows that it goes on.
    preparing: Option<(Instant, Progress)>,
    calm: Option<Uninterrupted>,
    /// The daemon was restarted in this run, or was to be.
    restarted: bool,
    /// What this run has made beside files.
    made: Made,
    /// As the stage `engine` has found or made it.
    engine: Option<engine::Ensured>,
}

impl<'h> Install<'h> {
    /// Nothing is known yet.
    pub(super) fn new(host: &'h dyn HostWrite) -> Self {
        Self { host, ready: None, preparing: None, calm: None, restarted: false, made: Made::default(), engine: None }
    }

    /// Engine and accounts, once the host is prepared and before the first file of the product.
    fn reach_files(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = self.ready.as_ref().filter(|_| self.engine.is_none()) else { return Ok(()) };
        let seconds = self.preparing.take().map_or(0.0, |(began, _)| began.elapsed().as_secs_f64());
        let prepared = ready.files(doing.context, |stage| stage == StageId::Prepare);
        doing.note(Stage { id: StageId::Prepare, seconds, ..prepared });
        let (host, calm, restarted, made) = (self.host, &self.calm, &mut self.restarted, &mut self.made);
        let mut found = None;
        doing.stage(StageId::Engine, |doing| {
            let home = &ready.settings.home;
            let work = |task: &mut Task<'_>| engine::ensure(task, &ready.platform, &ready.wish, home, made);
            let ensured = found.insert(task(host, calm.as_ref(), doing, work)?);
            let mut detail = ensured.detail.clone();
            let mut changed = ensured.changed;
            if ensured.started {
                doing.daemon_was_started();
            }
            // One that was started just now has read them; its containers were down until then.
            let behind = if ensured.started { doing.daemon_has_read_other(host) } else { ready.daemon_behind };
            let may = ensured.started || ensured.server.running == 0 || ready.restart == Some(true);
            if behind && may {
                // One that fails to start with them is down.
                *restarted = true;
                *restarted = doing.restart_daemon(host)?;
                if *restarted {
                    changed = true;
                    detail.push("; restarted, so that it reads its proxy");
                }
            }
            Ok((if changed { StageState::Changed } else { StageState::Done }, detail))
        })?;
        doing.stage(StageId::Accounts, |_| ready.accounts.ensure(host, made))?;
        self.engine = found;
        self.cancelled()
    }

    /// Images.
    fn fetch(&self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let (Some(ready), Some(engine)) = (&self.ready, &self.engine) else { return Ok(()) };
        fetch::stage(self.host, self.calm.as_ref(), doing, &ready.settings, &engine.server, &ready.images, true)
    }

    /// One throw-away container of the product's own image asks the proxy from where the product will.
    fn ask_from_a_container(&self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = self.ready.as_ref().filter(|ready| ready.settings.proxies.any()) else { return Ok(()) };
        let Some(image) = &ready.image else { return Ok(()) };
        let endpoint = crate::prove::endpoint(&Layers::default())?;
        let home = &ready.settings.home;
        let name = ready.found.project.clone().unwrap_or_else(|| Place::look(self.host, home).project(self.host, home));
        let network = format!("{name}_default");
        let question = probe_container::Question {
            home: &ready.settings.home,
            labels: labels_mounts(self.host, home, ready.platform.systemd()),
            image,
            network: Some(&network),
            endpoint: (&endpoint, 443),
        };
        doing.tell(&"asking the proxy from a container of the product".into());
        let found = probe_container::findings(self.host, &question);
        let ended = doing.found(found);
        if let Err(problem) = &ended {
            doing.note(Stage::idle(StageId::Start, StageState::Failed, problem.message.clone()));
        }
        ended
    }

    /// Whoever wants an end gets it between two stages.
    fn cancelled(&self) -> Result<(), Problem> {
        match self.calm.as_ref().is_some_and(Uninterrupted::take_arrived) {
            true => Err(Problem::host(id::CANCELLED, "cancelled before anything that runs was touched")),
            false => Ok(()),
        }
    }

    /// It will not be well: logs first, then as it was.
    fn bring_back(&mut self, doing: &mut Doing<'_, '_>, product: &Product, problem: Problem) -> Problem {
        if self.ready.is_none() {
            return problem;
        }
        let problem = match product.keep_logs(self.host, &doing.context.redactor) {
            Some(path) => problem.hint(text!("what its containers said: {}", own(path.display()))),
            None => problem,
        };
        let is_first = product.is_new();
        let problem = match stays_as_it_is(doing, self.host, problem, product) {
            Ok(problem) => problem,
            Err(problem) => return problem,
        };
        let failed = doing.context.stages.clone();
        let back = if is_first {
            doing.remark(&"that has failed; taking the containers away, data stays".into());
            let _taking = Progress::begin("taking the containers away");
            let gone = product.compose(self.host, &["down"]).and_then(|()| take_back(doing, self.host));
            gone.and_then(|()| self.daemon_as_before(doing))
        } else {
            doing.remark(&"that has failed; bringing the product back as it was".into());
            let _bringing = Progress::begin("bringing the product back");
            let back = take_back(doing, self.host).and_then(|()| self.daemon_as_before(doing));
            back.and_then(|()| product.start(self.host, doing, Start::Back))
        };
        let problem = called_off(self.host, product.upgrade.as_ref(), back.is_ok(), problem);
        doing.context.stages = failed;
        doing.context.containers = product.changes(self.host).unwrap_or_default();
        match back {
            Ok(()) if is_first => {
                let problem = problem.hint("no container is left; the data of databases stays");
                self.without_accounts(problem).leaving(HostState::Restored)
            }
            Ok(()) => {
                let problem = problem.hint("the product runs again as before");
                self.without_accounts(problem).leaving(HostState::Restored)
            }
            Err(second) => problem
                .hint(text!("it could not be brought back either: {}", second.sentence()))
                .hint(undo())
                .leaving(HostState::Changed),
        }
    }

    /// Once its files are as before: the daemon reads them, where it has read, or did not start with, those of this run.
    fn daemon_as_before(&self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = &self.ready else { return Ok(()) };
        let is_ours = ready.daemon_behind && !ready.was_behind;
        if self.restarted || (is_ours && doing.daemon_has_read_other(self.host)) {
            doing.daemon_as_before(self.host)?;
        }
        Ok(())
    }

    /// What this run has made beside files goes with it; packages and images stay.
    fn without_accounts(&mut self, problem: Problem) -> Problem {
        let accounts = accounts::take_away(self.host, &mut self.made);
        let compose = engine::take_back(self.host, &mut self.made);
        // A password that was made up is of use as long as there is data of it.
        let home = self.ready.as_ref().map(|ready| &ready.settings.home);
        let is_gone = home.is_some_and(|home| matches!(self.host.lstat(home), Ok(None)));
        let passwords = if is_gone { forget_passwords(self.host) } else { Ok(()) };
        match accounts.map(drop).and(compose.map(drop)).and(passwords) {
            Ok(_) => problem,
            Err(error) => problem.hint(text!("something that this run has made stays: {}", error.sentence())),
        }
    }
}

impl Around for Install<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        self.engine = None;
        self.ready = ready::look(self.host, context)?;
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.ready.as_ref().is_none_or(|ready| ready.is_idle)
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        doing.told(StageId::Settings);
        doing.told(StageId::Preflight);
        self.preparing = Some((Instant::now(), doing.context.at(StageId::Prepare)));
        let calm = self.calm.insert(Uninterrupted::begin());
        // Reading them takes a while, so that a dry run does not.
        let bundle = self.ready.as_ref().filter(|ready| ready.loads).and_then(|ready| ready.wish.bundle.as_deref());
        let Some(bundle) = bundle else { return Ok(()) };
        let proven = task(self.host, Some(calm), doing, |task| fetch::prove(task, bundle));
        if let Err(problem) = &proven {
            doing.note(Stage::idle(StageId::Preflight, StageState::Failed, problem.message.clone()));
        }
        proven
    }

    fn before_change(&mut self, doing: &mut Doing<'_, '_>, change: &Change) -> Result<(), Problem> {
        let Some(ready) = &self.ready else { return Ok(()) };
        if stage_of(change, &ready.settings.home) == StageId::Prepare { Ok(()) } else { self.reach_files(doing) }
    }

    fn before_commit(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        self.reach_files(doing)?;
        let Some(ready) = &self.ready else { return Ok(()) };
        let files = ready.files(doing.context, |stage| stage != StageId::Prepare);
        doing.note(Stage { id: StageId::Files, ..files });
        self.cancelled()?;
        self.fetch(doing)?;
        let found: &Found = &ready.found;
        let databases = Databases::of(self.host, &ready.settings, found)?;
        let mut steps = Vec::new();
        doing.stage(StageId::Databases, |doing| {
            let done = databases.ensure(&mut |what| doing.tell(what))?;
            steps = done.next_steps;
            Ok((done.state, done.detail))
        })?;
        doing.context.plan.next_steps.extend(steps);
        self.ask_from_a_container(doing)?;
        self.cancelled()
    }

    fn give_up(&mut self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        // Until the commit nothing but files and accounts was made; after it the product has not been started yet.
        if matches!(problem.host_state, HostState::Changed | HostState::Committed) {
            return problem;
        }
        let problem = not_reached(self.ready.as_ref().and_then(|ready| ready.upgrade.as_ref()), problem);
        let problem = self.without_accounts(problem);
        match self.daemon_as_before(doing) {
            Ok(()) => problem,
            Err(error) => problem.hint(text!("the daemon still has the proxy of this run: {}", error.sentence())),
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(ready) = &mut self.ready else { return Ok(()) };
        let host = self.host;
        let written = |problem: Problem| {
            problem
                .hint("everything is written, and nothing was started: run the same command again")
                .leaving(HostState::Changed)
        };
        let mut product = Product::look(host, &ready.settings.home, ready.limits).map_err(written)?;
        product.remounted = remounted(host, &ready.settings.home, &doing.context.plan);
        product.calm = self.calm.take();
        product.remember(host).map_err(written)?;
        product.upgrade = ready.upgrade.take();
        product.hosts = ready.hosts.take();
        let started = product.back_up(host, doing).and_then(|()| product.start(host, doing, Start::On));
        if let Err(problem) = started {
            if goes_on(&problem) {
                doing.context.containers = product.changes(host).unwrap_or_default();
                return Err(match problem.id == id::CANCELLED {
                    true => problem.hint("go on with it: run the same command again").hint(undo()),
                    false => problem,
                });
            }
            return Err(self.bring_back(doing, &product, problem));
        }
        let stays = |problem: Problem| {
            problem.hint("the product is healthy: this is what is missing").hint(undo()).leaving(HostState::Changed)
        };
        doing.context.containers = product.changes(host).map_err(stays)?;
        doing.stage(StageId::Boot, |_| boot::enable(host)).map_err(stays)?;
        product.verify(host, doing).map_err(stays)?;
        let mut steps = over::steps(host, &ready.settings.home);
        steps.extend(product.upgrade.iter().flat_map(|upgrade| upgrade.steps(host)));
        std::mem::swap(&mut doing.context.plan.next_steps, &mut steps);
        doing.context.plan.next_steps.extend(steps.into_iter().filter(ready::still_holds));
        Ok(())
    }
}

fn undo() -> Text {
    text!("undo: {}", ics_setup("revert"))
}

/// Files of a stage, as a person counts them.
fn counted(count: usize) -> (StageState, Text) {
    match count {
        0 => (StageState::Done, "nothing has to change".into()),
        1 => (StageState::Changed, "1 file".into()),
        more => (StageState::Changed, text!("{} files", more)),
    }
}
