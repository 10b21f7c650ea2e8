//! What `revert` does to the product: its containers go with the files that made them, or run again with the files of before.
//! Data, images and Docker stay, unless `--purge` names the product's folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::health::Limits;
use super::made::Made;
use super::product::{Product, ids, is_product};
use super::{LOOK, accounts, boot, engine, no_answer};
use crate::apply::{Run, State};
use crate::converge::{Around, Doing, RunContext};
use crate::docker::{self, Container, NoDocker, compose, repository_and_tag};
use crate::host::{Command, HostRead, HostWrite};
use crate::net::Time;
use crate::plan::{Action, ContainerChange, Fate, Plan};
use crate::problem::{HostState, Problem, id};
use crate::product::{Place, own_containers};
use crate::settings::{Key, parse_duration};
use crate::signals::Uninterrupted;
use crate::targets::UNIT;
use crate::text;
use crate::text::{Foreign, Text, as_root, ics_setup, own, quoted};

/// Removing many small files takes a while.
const LONG: Duration = Duration::from_secs(600);

/// Around the files of a run that are taken back.
pub(crate) struct Remove<'h> {
    host: &'h dyn HostWrite,
    /// `--purge`: the folder, as it was typed.
    purge: Option<&'h Path>,
    way: Way,
    /// The unit goes.
    unit: bool,
    /// What goes besides, where that was asked for.
    besides: Option<Besides>,
}

/// What becomes of the product.
enum Way {
    /// It is not touched.
    Stays,
    /// Its containers go.
    Goes(Product),
    /// It runs again with the files of before.
    Again(Product),
}

/// What `--purge` takes.
#[derive(Debug, Default)]
struct Besides {
    folder: PathBuf,
    volumes: Vec<String>,
    images: Vec<String>,
    packages: Vec<String>,
    program: Option<PathBuf>,
}

impl<'h> Remove<'h> {
    /// Nothing is known yet.
    pub(crate) fn new(host: &'h dyn HostWrite, purge: Option<&'h Path>) -> Self {
        Self { host, purge, way: Way::Stays, unit: false, besides: None }
    }

    /// What `--purge` names, as it may be taken: the run that has installed the product there, where that is in force. `runs`: all
    /// so far.
    ///
    /// # Errors
    /// It is no folder that a run has installed the product in.
    pub(crate) fn check(&self, runs: &[Run]) -> Result<Option<String>, Problem> {
        let Some(purge) = self.purge else { return Ok(None) };
        let home = |run: &Run| home_of(run.begin.files().map(|file| file.path.as_path()));
        let installs = || runs.iter().rev().filter(|run| run.begin.command == "install" && run.begin.reverts.is_none());
        let mut here = installs().filter(|run| home(run).as_deref() == Some(purge)).peekable();
        if here.peek().is_some() {
            return Ok(here.rfind(|run| run.state == State::Committed).map(|run| run.begin.run.clone()));
        }
        let message = text!("--purge names {}, where no run of this tool has installed the product", purge.display());
        let problem = Problem::settings(id::PURGE_REFUSED, message);
        Err(match installs().find_map(home) {
            Some(home) => problem.hint(text!("the product's folder is {}", home.display())),
            None => problem.hint("take away by hand what others have installed"),
        })
    }

    /// What goes for good, for whoever is asked; empty: nothing.
    fn list(&self) -> Vec<Text> {
        let Some(besides) = &self.besides else { return Vec::new() };
        let mut lines = vec![text!("{}", besides.folder.display())];
        lines.push("all that is in it: the data of MySQL, backups, plugins".into());
        let names = |names: &[String]| Text::from(Foreign::new(names.join(", ")));
        for (what, all) in [
            ("volumes", &besides.volumes),
            ("images", &besides.images),
            ("packages that were installed", &besides.packages),
        ] {
            if !all.is_empty() {
                lines.push(text!("{}: {}", own(what), names(all)));
            }
        }
        lines.extend(besides.program.iter().map(|path| text!("{}", path.display())));
        lines
    }

    fn look_besides(&mut self, found: &[Container]) -> Result<(), Problem> {
        let Some(folder) = self.purge else { return Ok(()) };
        let installed = engine::installed(self.host)?;
        let time = || Time::new(LOOK, LOOK);
        let mut besides = Besides {
            folder: folder.to_owned(),
            packages: installed.packages,
            program: installed.compose.map(|program| program.path),
            ..Besides::default()
        };
        let project = found.iter().find_map(|container| container.project.clone());
        if let Some(project) = &project {
            let filter = format!("label=com.docker.compose.project={project}");
            besides.volumes = lines(docker::run(self.host, time(), &["volume", "ls", "-q", "--filter", &filter]));
        }
        let all = docker::containers(self.host, time());
        let others = all.as_ref().map_or(0, |all| all.all.saturating_sub(found.len()));
        let image = |container: &Container| format!("{}:{}", container.state.repository, container.state.tag);
        besides.images = found.iter().map(image).collect();
        let services = Place::look(self.host, folder).services(self.host, folder).unwrap_or_default();
        let images = services.into_iter().filter_map(|service| service.image);
        let tagged = |image: String| match repository_and_tag(&image) {
            _ if image.contains('@') => image,
            (repository, tag) => format!("{repository}:{tag}"),
        };
        besides.images.extend(images.map(tagged));
        besides.images.sort();
        besides.images.dedup();
        // An engine that others use stays.
        if others > 0 || matches!(all, Err(NoDocker::Denied { .. } | NoDocker::Late { .. } | NoDocker::Odd { .. })) {
            besides.packages.clear();
        }
        self.besides = Some(besides);
        Ok(())
    }

    /// The folder, what a link leads to included. What is mounted in it stays, and is named; where it is itself the place of a
    /// mount, it stays empty.
    fn remove(&self, folder: &Path, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let failed = |error: std::io::Error| {
            Problem::host(id::PURGE_FAILED, text!("{} could not be looked at", folder.display())).caused_by(error)
        };
        if self.host.lstat(folder).map_err(failed)?.is_none() {
            return Ok(());
        }
        doing.tell(&text!("removing {}", folder.display()));
        let real = self.host.resolve(folder).unwrap_or_else(|_| folder.to_owned());
        let removed = run(self.host, &["rm", "-rf", "--one-file-system", "--", &real.to_string_lossy()]);
        if self.host.list(&real).is_ok_and(|names| names.is_empty()) {
            return if real == folder { Ok(()) } else { self.host.remove_file(folder).map_err(failed) };
        }
        removed
    }

    /// For good, once nothing runs any more.
    fn purge(&self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let Some(besides) = &self.besides else { return Ok(()) };
        for volume in &besides.volumes {
            doing.tell(&text!("removing volume {}", Foreign::new(volume)));
            run(self.host, &["docker", "volume", "rm", volume])?;
        }
        for image in &besides.images {
            // One that another container uses stays, and so does one that is gone already.
            if run(self.host, &["docker", "image", "rm", image]).is_ok() {
                doing.tell(&text!("removed image {}", Foreign::new(image)));
            }
        }
        self.remove(&besides.folder, doing)?;
        if !besides.packages.is_empty() {
            doing.tell(&text!("removing {}", Foreign::new(besides.packages.join(", "))));
            let manager: &[&str] = match self.host.lstat(Path::new("/usr/bin/apt-get")).ok().flatten() {
                Some(_) => &["apt-get", "-y", "purge"],
                None => &["yum", "-y", "remove"],
            };
            let packages: Vec<&str> = besides.packages.iter().map(String::as_str).collect();
            run(self.host, &[manager, &packages].concat())?;
        }
        engine::forget(self.host)?;
        crate::targets::forget_passwords(self.host)
    }
}

impl Around for Remove<'_> {
    fn foresee(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        (self.way, self.unit, self.besides) = (Way::Stays, false, None);
        if !self.host.is_live() {
            return Ok(());
        }
        let plan = &context.plan;
        self.unit = plan.changes.iter().any(|change| change.path.ends_with(UNIT) && change.action() == Action::Delete);
        let home = home_of(plan.changes.iter().map(|change| change.path.as_path()));
        let Some(home) = home.or_else(|| self.purge.map(Path::to_path_buf)) else { return Ok(()) };
        let found = match own_containers(self.host, &home, Time::new(LOOK, LOOK)) {
            Ok(found) => found.own,
            Err(NoDocker::Absent) => Vec::new(),
            // Volumes and images of a daemon that is down would stay, unseen.
            Err(NoDocker::Down { .. }) if self.purge.is_none() => Vec::new(),
            Err(error) => return Err(no_answer(&error)),
        };
        self.look_besides(&found)?;
        context.for_good = self.list();
        if found.is_empty() {
            return Ok(());
        }
        let limits = Limits { healthy: default(Key::HealthyWithin), migrate: default(Key::MigrateWithin) };
        let fate = |fate: Fate| {
            let change = move |service: &String| ContainerChange { service: service.clone(), fate };
            ids(&found).keys().map(change).collect()
        };
        let is_up = |one: &Container| matches!(one.state.status.as_str(), "running" | "restarting");
        if goes(plan, &home) || self.purge.is_some() {
            context.containers = fate(Fate::Remove);
            self.way = Way::Goes(Product::look(self.host, &home, limits)?);
        } else if found.iter().any(|one| is_product(one) && is_up(one)) {
            context.containers = fate(Fate::Recreate);
            self.way = Way::Again(Product::look(self.host, &home, limits)?);
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        matches!(self.way, Way::Stays) && !self.unit && self.besides.is_none()
    }

    fn before(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        if self.unit {
            boot::disable(self.host)?;
        }
        match &mut self.way {
            Way::Stays => Ok(()),
            Way::Goes(product) => {
                let what = if self.purge.is_some() { "data and images go after them" } else { "data and images stay" };
                doing.tell(&text!("taking the containers away; {}", own(what)));
                product.compose(self.host, &["down"])
            }
            Way::Again(product) => {
                product.calm = Some(Uninterrupted::begin());
                product.stopped = Some(Instant::now());
                doing.tell(&text!("stopping {}", own(product.product_services().collect::<Vec<_>>().join(", "))));
                product.stop(self.host)
            }
        }
    }

    fn give_up(&mut self, doing: &mut Doing<'_, '_>, problem: Problem) -> Problem {
        let (Way::Goes(product) | Way::Again(product)) = &self.way else { return problem };
        match product.start(self.host, doing) {
            Ok(()) => problem,
            Err(second) => problem
                .hint(text!("the product could not be started again: {}", second.sentence()))
                .hint_command(as_root(product.command("up -d")))
                .leaving(HostState::Changed),
        }
    }

    fn after(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let stays = |problem: Problem| problem.leaving(HostState::Changed);
        if self.unit {
            boot::reload(self.host).map_err(stays)?;
        }
        match &self.way {
            Way::Stays => {}
            Way::Goes(_) => {
                let made = Made::read(self.host).map_err(stays)?;
                for gone in accounts::take_away(self.host, &made).map_err(stays)? {
                    doing.tell(&gone);
                }
                if let Some(program) = engine::take_back(self.host).map_err(stays)? {
                    doing.tell(&text!("{} was removed", program));
                }
            }
            Way::Again(product) => {
                let look = || as_root(product.command("logs --tail 50"));
                product.start(self.host, doing).map_err(|problem| stays(problem.hint_command(look())))?;
                doing.context.containers = product.changes(self.host).map_err(stays)?;
            }
        }
        self.purge(doing).map_err(stays)
    }
}

/// The product's folder, by the files of a run.
fn home_of<'p>(mut paths: impl Iterator<Item = &'p Path>) -> Option<PathBuf> {
    let is_of_product = |path: &&Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name == "prod.env" || compose::rank(&name).is_some()
    };
    paths.find(is_of_product)?.parent().map(Path::to_path_buf)
}

/// Does the compose file go with the run?
fn goes(plan: &Plan, home: &Path) -> bool {
    let is_compose =
        |path: &Path| path.file_name().is_some_and(|name| compose::rank(&name.to_string_lossy()).is_some());
    plan.changes
        .iter()
        .any(|change| change.path.starts_with(home) && is_compose(&change.path) && change.action() == Action::Delete)
}

/// The time of a setting that nobody is asked for here.
fn default(key: Key) -> Duration {
    key.spec().default.and_then(parse_duration).unwrap_or_default()
}

fn lines(output: Result<crate::host::Output, NoDocker>) -> Vec<String> {
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| docker::text::is_plain(line)).map(str::to_owned).collect()
}

fn run(host: &dyn HostRead, argv: &[&str]) -> Result<(), Problem> {
    let line = argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let failed = || {
        Problem::host(id::PURGE_FAILED, text!("{} failed", Foreign::new(&line)))
            .hint(text!("then run the same again: {}", ics_setup("revert --purge <FOLDER>")))
    };
    match host.run(&Command { deadline: LONG, ..Command::new(argv.iter().copied()) }) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) => Err(failed().caused_by(error)),
    }
}
