//! Another image of the product over databases that have been worked with. Its scheduler brings the schema to its release, and
//! the image of before never starts on that again: so there is a backup first, and no way back by files alone afterwards.
//!
//! | module | what it does |
//! | --- | --- |
//! | `able` | whether a dump can be made, asked before anything is stopped |
//! | `back` | what leads back, once the schema may have moved |
//! | `dump` | a backup that the run makes itself |
//! | `others` | other hosts that use the databases meanwhile |
//! | `redis` | an upgrade that asks for a newer Redis |
//! | `schema` | what this host's containers tell about the schema |

mod able;
mod back;
mod dump;
mod others;
mod redis;
mod schema;

use std::path::PathBuf;

pub(super) use back::{ByHand, taken_back};
use back::{files, record, way_back};
use dump::Dump;
pub(super) use dump::remove as remove_dump;
use others::Others;
pub(super) use others::beside;

use super::LOOK;
use super::fetch::bytes_shown;
use super::made::{Made, Upgraded, push};
use super::task::task;
use crate::apply::Which;
use crate::check::requirements::Crossing;
use crate::converge::{Doing, RunContext};
use crate::docker::compose::Service;
use crate::docker::{self, Container};
use crate::finding::{Finding, ids};
use crate::host::{HostRead, HostWrite};
use crate::net::Time;
use crate::problem::{Problem, id};
use crate::product::images::{Step, release_of, step};
use crate::product::{Known, is_product, own_containers};
use crate::settings::{Deployment, Found, Key, Settings};
use crate::signals::Uninterrupted;
use crate::system::IMAGE;
use crate::text;
use crate::text::{Foreign, Text, ics_setup, own, typed};

/// A service of the product that gets another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// Its name.
    pub(super) service: String,
    /// That of its containers, or of the file where there are none.
    pub(super) from: String,
    /// As planned.
    pub(super) to: String,
    /// The file named it before this run: an earlier one wrote it and came no further.
    pub(super) is_written: bool,
}

impl Moved {
    fn step(&self) -> Step {
        step(&self.from, &self.to)
    }
}

/// What is known before anything is written.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) host: &'a dyn HostRead,
    pub(super) settings: &'a Settings,
    /// What `prod.env` is going to have.
    pub(super) found: &'a Found,
    /// The services that get another image.
    pub(super) moved: &'a [Moved],
    /// A scheduler that comes to a product which has none.
    pub(super) scheduler: Option<&'a Moved>,
    /// The services of the planned files.
    pub(super) services: &'a [Service],
    /// A compose file is changed, and not understood.
    pub(super) is_blind: bool,
    /// The product's containers.
    pub(super) there: &'a [Container],
    /// `--no-restart` leaves what runs.
    pub(super) is_left: bool,
}

/// An upgrade that is to be made.
#[derive(Debug)]
pub(super) struct Upgrade {
    home: PathBuf,
    from: String,
    to: String,
    /// The services that wait for the scheduler of this host; none where it has none.
    waiting: Vec<String>,
    has_scheduler: bool,
    backup: Backup,
    /// The other hosts, where the schema is moved from here and MySQL tells of them.
    others: Option<Others>,
    /// The file named the new image already.
    pub(super) is_written: bool,
}

/// What the databases are brought back from.
#[derive(Debug)]
enum Backup {
    /// Somebody has one.
    Taken,
    /// This run makes it.
    Own(Box<Dump>),
    /// Nothing has to be brought back.
    Needless,
    /// The scheduler, which alone moves the schema, is another host's, and so is the backup.
    Elsewhere,
    /// An earlier run has started the scheduler of the new image: what there was before is what that one has backed up.
    Begun,
}

impl Upgrade {
    /// Looks; `None`: every service keeps its release. What stands in the way is found, or is a problem.
    ///
    /// # Errors
    /// There is no backup, and none can be made.
    pub(super) fn foresee(question: &Question<'_>, context: &mut RunContext) -> Result<Option<Self>, Problem> {
        question.is_seen()?;
        let planned = question.services;
        let is_scheduler =
            |name: &str| planned.iter().any(|own| own.name == name && Known::get().is_scheduler(name, own.command()));
        let mut all: Vec<&Moved> = question.moved.iter().filter(|moved| moved.step() != Step::Same).collect();
        // Its images are those that count for the schema.
        all.sort_by_key(|moved| !is_scheduler(&moved.service));
        let has_scheduler = planned.iter().any(|own| is_scheduler(&own.name));
        let worst = |wanted: Step| all.iter().copied().find(|moved| moved.step() == wanted);
        let (moved, step) = match (worst(Step::Down), worst(Step::Unknown), worst(Step::Up), question.new_scheduler()) {
            (Some(moved), ..) => (moved, Step::Down),
            (_, Some(moved), ..) => (moved, Step::Unknown),
            (_, _, Some(moved), _) => (moved, Step::Up),
            (.., Some(moved)) => (moved, Step::Same),
            _ => return Ok(None),
        };
        if step != Step::Same {
            context.findings.push(direction(moved, step));
        }
        if !question.host.is_live() {
            context.findings.push(
                Finding::skip(ids::UPGRADE_BACKUP, "no backup of the databases was looked for or made")
                    .observed(IMAGE)
                    .advise("back both databases up before a host starts the new image"),
            );
            return Ok(None);
        }
        let crossing = release_of(&moved.from).zip(release_of(&moved.to));
        if let Some(crossing) = crossing.and_then(|(from, to)| Crossing::of(&from, &to)) {
            context.findings.push(redis::look(question, crossing)?);
        }
        let backup = match step {
            _ if has_begun(question.there, &moved.to) => Backup::Begun,
            Step::Down => Backup::Needless,
            _ if !has_scheduler => Backup::Elsewhere,
            step => question.backup(step)?,
        };
        if step == Step::Same && matches!(backup, Backup::Needless) {
            return Ok(None);
        }
        let title: Text = match &backup {
            Backup::Taken => "a backup of both databases was taken before the upgrade".into(),
            Backup::Own(_) => "both databases are dumped before the upgrade".into(),
            Backup::Needless => "nothing in the databases has to be backed up".into(),
            Backup::Elsewhere => "the databases are backed up by the host that has the scheduler".into(),
            Backup::Begun => "an earlier run has begun this upgrade, with the backup that there was".into(),
        };
        let finding = Finding::pass(ids::UPGRADE_BACKUP, title);
        context.findings.push(match &backup {
            Backup::Own(dump) => finding.observed(text!(
                "{}, some {}, once the product is stopped and before the new image starts",
                dump.shown(),
                own(bytes_shown(dump.bytes))
            )),
            _ => finding,
        });
        Ok(Some(Self {
            home: question.settings.home.clone(),
            from: moved.from.clone(),
            to: moved.to.clone(),
            waiting: if has_scheduler {
                planned.iter().map(|own| own.name.clone()).filter(|name| !is_scheduler(name)).collect()
            } else {
                Vec::new()
            },
            has_scheduler,
            backup,
            others: None,
            is_written: moved.is_written && all.iter().all(|moved| moved.is_written),
        }))
    }

    /// Once nothing of the product works on the databases any more: notes the upgrade, and dumps them where nobody else has.
    ///
    /// # Errors
    /// `dump-failed`, `cancelled`; or the record cannot be written.
    pub(super) fn back_up(
        &self,
        host: &dyn HostWrite,
        calm: Option<&Uninterrupted>,
        doing: &mut Doing<'_, '_>,
    ) -> Result<(), Problem> {
        if matches!(self.backup, Backup::Begun | Backup::Elsewhere) {
            return Ok(());
        }
        // Of an attempt that came to nothing there may be a dump of an older day.
        self.forget(host)?;
        Made::default().note(host, |all| {
            let fresh = Upgraded { from: self.from.clone(), to: self.to.clone(), ..Upgraded::default() };
            all.products.entry(self.home.clone()).or_default().upgrades.push(fresh);
        })?;
        let Backup::Own(dump) = &self.backup else { return Ok(()) };
        let folder = dump::next(host);
        self.note(host, |own| own.dump = Some(folder.clone()))?;
        doing.tell(&text!("dumping the databases into {}, some {}", folder.display(), own(bytes_shown(dump.bytes))));
        let bytes = task(host, calm, doing, |task| dump.make(task, &folder))?;
        doing.remark(&text!("they are dumped: {}", own(bytes_shown(bytes))));
        Ok(())
    }

    /// The services that wait for the schema, and keep no scheduler from being the last to start: what keeps them from it is
    /// seen while the old image could still run.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().map(String::as_str)
    }

    /// Notes that the scheduler of the new image is started now.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(super) fn begin(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        // Nothing was noted where there is none.
        self.note(host, |own| own.started = true)
    }

    /// The product is well with the new image: where the scheduler of another host has moved the schema, it has done so.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(super) fn end(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        if !matches!(self.backup, Backup::Elsewhere) {
            return Ok(());
        }
        Made::default().note(host, |all| {
            let own = Upgraded { from: self.from.clone(), to: self.to.clone(), dump: None, started: true };
            push(&mut all.products.entry(self.home.clone()).or_default().upgrades, own);
        })
    }

    /// Is it certain that no scheduler of the new image was ever started, so that the old image finds its own schema?
    pub(super) fn is_untouched(&self, host: &dyn HostRead) -> bool {
        let Ok(found) = own_containers(host, &self.home, Time::new(LOOK, LOOK)) else { return false };
        self.has_scheduler && !has_begun(&found.own, &self.to)
    }

    /// Nothing of it was started, as [`Upgrade::is_untouched`] says: neither record nor dump is left.
    ///
    /// # Errors
    /// The record cannot be written, or a dump not be removed.
    pub(super) fn call_off(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        if matches!(self.backup, Backup::Begun | Backup::Elsewhere) {
            return Ok(());
        }
        self.note(host, |own| own.started = false)?;
        self.forget(host)
    }

    /// Forgets upgrades that came to nothing, with their dumps: the databases are still as those have them, or further.
    fn forget(&self, host: &dyn HostWrite) -> Result<(), Problem> {
        let made = Made::read(host)?;
        let of_home = made.products.get(&self.home).map(|remains| remains.upgrades.as_slice()).unwrap_or_default();
        // What a person has started with an image of before is no attempt that came to nothing.
        let is_void = |own: &Upgraded| !own.started && own.from == self.from;
        for dump in of_home.iter().filter(|own| is_void(own)).filter_map(|own| own.dump.as_deref()) {
            remove_dump(host, dump).map_err(|error| {
                Problem::host(id::DUMP_FAILED, text!("{} could not be removed", dump.display())).caused_by(error)
            })?;
        }
        Made::default().note(host, |all| {
            if let Some(remains) = all.products.get_mut(&self.home) {
                remains.upgrades.retain(|own| !is_void(own));
            }
        })
    }

    /// Changes the record of it, where there is one.
    fn note(&self, host: &dyn HostWrite, change: impl Fn(&mut Upgraded)) -> Result<(), Problem> {
        Made::default().note(host, |all| {
            let upgrades = all.products.get_mut(&self.home).map(|remains| &mut remains.upgrades);
            let is_own = |own: &&mut Upgraded| own.from == self.from && own.to == self.to;
            if let Some(own) = upgrades.and_then(|upgrades| upgrades.iter_mut().rfind(is_own)) {
                change(own);
            }
        })
    }

    /// The run ends here, with what it has begun: how somebody gets back all the same.
    /// `run`: that one.
    pub(super) fn no_way_back(
        &self,
        host: &dyn HostRead,
        problem: Problem,
        run: Option<&str>,
        by_hand: ByHand,
    ) -> Problem {
        let words = run.map_or_else(String::new, |run| Which::Named(run).words());
        if !self.has_scheduler {
            return problem
                .hint("nothing was taken back: whether the host that has the scheduler has upgraded the schema already cannot be seen from here")
                .hint(text!(
                    "where the run there has ended without that, this leads back to {}: {}",
                    Foreign::new(&self.from),
                    files(&words)
                ));
        }
        let problem = problem.hint(
            "nothing was taken back: the schema of the database may be that of the new image already, and the old one would wait for its own for ever",
        );
        let record = record(host, &self.home, &self.from, &self.to);
        way_back(record.as_ref(), &self.from, &words, by_hand).into_iter().fold(problem, Problem::hint)
    }

    /// What whoever has upgraded wants to know.
    pub(super) fn steps(&self, host: &dyn HostRead) -> Vec<Text> {
        let mut steps = Vec::new();
        if let Some(dump) = record(host, &self.home, &self.from, &self.to).and_then(|own| own.dump) {
            steps.push(text!(
                "the databases as they were before the upgrade are in {}; to bring them back, stop the product, then: {}",
                dump.join("dump.sql").display(),
                dump::restore(&dump)
            ));
        }
        if let Some(bytes) = size(host, &self.from).filter(|_| step(&self.from, &self.to) != Step::Same) {
            steps.push(text!(
                "the old image {} takes {}; once you are sure of the new one: {}",
                Foreign::new(&self.from),
                own(bytes_shown(bytes)),
                ics_setup("prune --images")
            ));
        }
        steps
    }
}

impl Question<'_> {
    /// Is it known which image each service gets, where another one is asked for?
    fn is_seen(&self) -> Result<(), Problem> {
        let asked = [Key::Image, Key::Release].into_iter().any(|key| self.settings.said(key).is_some());
        let taken = self.settings.switch(Key::BackupTaken) == Some(true);
        if asked && !taken && !self.there.is_empty() && self.is_blind {
            let why = "the compose files are not understood as a whole, so that nobody can tell which image each service gets";
            return Err(able::missing(why.into()));
        }
        Ok(())
    }

    /// The scheduler that comes to a product which has none, in production, unless what runs here shows that the schema is that
    /// of its image already.
    fn new_scheduler(&self) -> Option<&Moved> {
        let new = self.scheduler.filter(|_| self.settings.deployment == Deployment::Production)?;
        Some(new).filter(|new| !schema::is_of(self.host, &self.settings.home, self.there, &new.to))
    }

    /// What the databases can be brought back from.
    fn backup(&self, step: Step) -> Result<Backup, Problem> {
        let runs = |own: &Container| matches!(own.state.status.as_str(), "running" | "restarting");
        let left = self.is_left && self.there.iter().any(|own| is_product(own) && runs(own));
        if self.settings.switch(Key::BackupTaken) == Some(true) {
            return Ok(Backup::Taken);
        }
        if step == Step::Unknown {
            return Err(able::missing("the tags of the two images do not tell which release is the newer one".into()));
        }
        if left {
            return Err(able::missing("--no-restart leaves the old image running, which goes on writing".into()));
        }
        let dump = able::look(self.host, self.settings, self.found, self.there)?;
        Ok(dump.map_or(Backup::Needless, |dump| Backup::Own(Box::new(dump))))
    }
}

/// Which way it goes, as a finding.
fn direction(moved: &Moved, step: Step) -> Finding {
    let seen =
        text!("{} runs {}, and is to run {}", &moved.service, Foreign::new(&moved.from), Foreign::new(&moved.to));
    match step {
        Step::Down => Finding::fail(
            ids::UPGRADE_DIRECTION,
            text!("{} is an older release than {}", Foreign::new(&moved.to), Foreign::new(&moved.from)),
        )
        .expected("the same release or a newer one")
        .observed(seen)
        .cause("the schema of the database is that of the newer release, and an older one waits for its own for ever")
        .advise("bring back a backup of the databases from before the upgrade first; then let this pass"),
        Step::Unknown => Finding::warn(
            ids::UPGRADE_DIRECTION,
            text!("whether {} is newer than {} is not known", Foreign::new(&moved.to), Foreign::new(&moved.from)),
        )
        .expected("tags that name a release, such as v22.3.9")
        .observed(seen)
        .cause("an older release waits for ever for a schema of its own")
        .advise(text!("name images whose tags are releases: {}", typed("--image <REPOSITORY:TAG>"))),
        Step::Up | Step::Same => {
            Finding::pass(ids::UPGRADE_DIRECTION, text!("{} is the newer release", Foreign::new(&moved.to)))
                .observed(seen)
        }
    }
}

/// Has a scheduler of this image ever been started here?
fn has_begun(there: &[Container], image: &str) -> bool {
    there.iter().any(|one| is_scheduler(one) && was_started(one, image))
}

/// Is the container of this image, and was it ever started?
fn was_started(one: &Container, image: &str) -> bool {
    step(&one.image(), image) == Step::Same && (one.state.started.is_some() || one.state.status != "created")
}

fn is_scheduler(container: &Container) -> bool {
    Known::get().is_scheduler(crate::product::service_of(container), &container.command)
}

/// How much of the disk an image takes; `None`: it is not here, or Docker does not say.
pub(super) fn size(host: &dyn HostRead, image: &str) -> Option<u64> {
    let output =
        docker::run(host, Time::new(LOOK, LOOK), &["image", "inspect", "--format", "{{.Size}}", image]).ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok().filter(|_| output.code == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ContainerState;
    use crate::docker::double::Double;
    use crate::finding::Ignored;
    use crate::settings::{Layers, Origin, SecretSources};

    const IMAGE: &str = "ics/core:v22.12.7";

    fn settings(values: &[(Key, &str)]) -> Settings {
        let mut layers = Layers::default();
        for (key, value) in values {
            layers.flags.insert(key.spec(), (*value).to_owned(), Origin::Flag(key.spec().shown())).unwrap();
        }
        let outside = SecretSources { variable: &|_: &str| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
        let resolved = Settings::resolve(&layers, &Found::default(), &outside, &Ignored::default());
        resolved.map(|(settings, _)| settings).unwrap_or_else(|_| panic!("{values:?}"))
    }

    #[test]
    fn a_scheduler_that_comes_to_a_product_moves_the_schema_as_that_of_another_image() {
        let (host, found) = (Double::installed(), Found::default());
        let state = ContainerState {
            status: "running".to_owned(),
            repository: "ics/core".to_owned(),
            tag: "v22.12.7".to_owned(),
            ..ContainerState::default()
        };
        let there = [Container { service: Some("worker".to_owned()), state, ..Container::default() }];
        let own = |name: &str| {
            let mut service = Service::named(name);
            service.image = Some(IMAGE.to_owned());
            service
        };
        let services = [own("scheduler"), own("worker")];
        let new =
            Moved { service: "scheduler".to_owned(), from: IMAGE.to_owned(), to: IMAGE.to_owned(), is_written: false };
        let foresee = |values: &[(Key, &str)], scheduler| {
            let question = Question {
                host: &host,
                settings: &settings(values),
                found: &found,
                moved: &[],
                scheduler,
                services: &services,
                is_blind: false,
                there: &there,
                is_left: false,
            };
            let mut context = RunContext::default();
            Upgrade::foresee(&question, &mut context).map(|upgrade| (upgrade, context.findings))
        };
        assert_eq!(foresee(&[], Some(&new)).unwrap_err().id, id::BACKUP_MISSING);
        let (upgrade, findings) = foresee(&[(Key::BackupTaken, "true")], Some(&new)).unwrap();
        let upgrade = upgrade.unwrap();
        assert!(matches!(upgrade.backup, Backup::Taken) && !upgrade.is_written);
        assert_eq!(upgrade.waiting().collect::<Vec<_>>(), ["worker"]);
        assert!(matches!(findings.as_slice(), [one] if one.id == ids::UPGRADE_BACKUP), "{findings:?}");
        // The database of a Test Drive is its own.
        assert!(foresee(&[(Key::Deployment, "test-drive")], Some(&new)).unwrap().0.is_none());
        assert!(foresee(&[], None).unwrap().0.is_none());
    }
}
