//! `revert --purge`: what goes for good with the product's folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::made::{Made, push};
use super::super::upgrade::remove_dump;
use super::super::{LOOK, engine, no_answer};
use crate::converge::Doing;
use crate::docker::{self, Container, NoDocker, repository_and_tag};
use crate::host::{Command, HostRead, HostWrite, Output};
use crate::net::Time;
use crate::platform::{PackageManager, detect};
use crate::problem::{Problem, id};
use crate::product::Place;
use crate::settings::STATE;
use crate::targets::forget_passwords;
use crate::text;
use crate::text::{Foreign, Text, ics_setup, own, quoted};

/// Removing many small files takes a while.
const LONG: Duration = Duration::from_secs(600);

/// So many names in the folder are shown to whoever is asked.
const SHOWN: usize = 12;

/// What goes.
#[derive(Debug)]
pub(super) struct Besides {
    folder: PathBuf,
    /// Names in it.
    entries: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
    /// Dumps that were made before upgrades.
    dumps: Vec<PathBuf>,
    /// Of those that runs have installed, what is there.
    packages: Vec<String>,
    manager: PackageManager,
    program: Option<PathBuf>,
}

impl Besides {
    /// What there is of it now; `found`: its containers.
    ///
    /// # Errors
    /// It cannot be told what there is.
    pub(super) fn look(host: &dyn HostRead, folder: &Path, found: &[Container]) -> Result<Self, Problem> {
        let time = || Time::new(LOOK, LOOK);
        let manager = detect(host, None)?.0.package_manager(host);
        let made = Made::read(host)?;
        let all = docker::containers(host, time());
        let is_docker = !matches!(all, Err(NoDocker::Absent));
        let remains = made.products.get(folder).cloned().unwrap_or_default();
        let dumps = remains.upgrades.into_iter().filter_map(|own| own.dump).collect();
        let place = Place::look(host, folder);
        let mut projects = remains.projects;
        found.iter().filter_map(|one| one.project.clone()).for_each(|project| push(&mut projects, project));
        if place.is_installed() {
            push(&mut projects, place.project(host, folder));
        }
        let mut volumes = Vec::new();
        for project in projects.iter().filter(|_| is_docker) {
            let filter = format!("label=com.docker.compose.project={project}");
            let output = docker::run(host, time(), &["volume", "ls", "-q", "--filter", &filter]);
            lines(&output.map_err(|error| no_answer(&error))?).into_iter().for_each(|name| push(&mut volumes, name));
        }
        let tagged = |image: String| match repository_and_tag(&image) {
            _ if image.contains('@') => image,
            (repository, tag) => format!("{repository}:{tag}"),
        };
        let services = place.services(host, folder).unwrap_or_default();
        let of_files = services.into_iter().filter_map(|service| service.image).chain(remains.images).map(tagged);
        let image = |container: &Container| format!("{}:{}", container.state.repository, container.state.tag);
        let mut images: Vec<String> = found.iter().map(image).chain(of_files).collect();
        images.sort();
        images.dedup();
        // An engine that others use stays, and so does one that does not tell.
        let is_idle = all.as_ref().map_or(!is_docker, |all| all.all <= found.len());
        let packages = if is_idle { made.packages } else { Vec::new() };
        let packages = engine::installed(host, manager, &packages).map_err(|why| {
            Problem::host(id::PURGE_FAILED, "it cannot be told which packages are there").because(why)
        })?;
        let names = match host.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            names => names.map_err(|error| {
                Problem::host(id::PURGE_FAILED, text!("{} cannot be listed", folder.display())).caused_by(error)
            })?,
        };
        let mut entries: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        entries.sort();
        let more = entries.len().saturating_sub(SHOWN);
        entries.truncate(SHOWN);
        entries.extend((more > 0).then(|| format!("{more} more")));
        let program = made.compose.map(|program| program.path);
        Ok(Self { folder: folder.to_owned(), entries, volumes, images, dumps, packages, manager, program })
    }

    /// As whoever is asked reads it.
    pub(super) fn list(&self) -> Vec<Text> {
        let names = |names: &[String]| Text::from(Foreign::new(names.join(", ")));
        let mut lines = vec![text!("{}", self.folder.display())];
        if !self.entries.is_empty() {
            lines.push(text!("all that is in it, data of MySQL, backups and plugins too: {}", names(&self.entries)));
        }
        for (what, all) in
            [("volumes", &self.volumes), ("images", &self.images), ("packages that were installed", &self.packages)]
        {
            if !all.is_empty() {
                lines.push(text!("{}: {}", own(what), names(all)));
            }
        }
        lines.extend(self.dumps.iter().map(|path| text!("dump of the databases: {}", path.display())));
        lines.extend(self.program.iter().map(|path| text!("{}", path.display())));
        lines
    }

    /// For good, once nothing runs any more.
    ///
    /// # Errors
    /// Something cannot be removed; the rest goes by the same command.
    pub(super) fn remove(&self, host: &dyn HostWrite, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        for volume in &self.volumes {
            doing.tell(&text!("removing volume {}", Foreign::new(volume)));
            self.run(host, &["docker", "volume", "rm", volume])?;
        }
        for image in &self.images {
            match self.run(host, &["docker", "image", "rm", image]) {
                Ok(()) => doing.remark(&text!("removed image {}", Foreign::new(image))),
                // One that another container uses stays, and so does one that is gone already.
                Err(problem) => doing.remark(&text!("image {} stays: {}", Foreign::new(image), problem.sentence())),
            }
        }
        self.remove_folder(host, doing)?;
        for dump in &self.dumps {
            doing.tell(&text!("removing {}", dump.display()));
            remove_dump(host, dump).map_err(|error| {
                let message = text!("{} could not be removed", dump.display());
                self.again(Problem::host(id::PURGE_FAILED, message).caused_by(error))
            })?;
        }
        if !self.packages.is_empty() {
            doing.tell(&text!("removing {}", Foreign::new(self.packages.join(", "))));
            engine::remove(host, self.manager, &self.packages).map_err(|problem| self.again(problem))?;
        }
        Made::default().note(host, |all| {
            all.packages.retain(|name| !self.packages.contains(name));
            all.products.remove(&self.folder);
        })?;
        forget_passwords(host)
    }

    /// The folder, what a link leads to included. What is mounted in it stays, and is named; where it is itself the place of a
    /// mount, it stays empty.
    fn remove_folder(&self, host: &dyn HostWrite, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let folder = self.folder.as_path();
        let failed = |error: std::io::Error| {
            Problem::host(id::PURGE_FAILED, text!("{} could not be looked at", folder.display())).caused_by(error)
        };
        if host.lstat(folder).map_err(failed)?.is_none() {
            return Ok(());
        }
        doing.tell(&text!("removing {}", folder.display()));
        let real = host.resolve(folder).unwrap_or_else(|_| folder.to_owned());
        let removed = self.run(host, &["rm", "-rf", "--one-file-system", "--", &real.to_string_lossy()]);
        if host.list(&real).is_ok_and(|names| names.is_empty()) {
            return if real == folder { Ok(()) } else { host.remove_file(folder).map_err(failed) };
        }
        removed
    }

    fn run(&self, host: &dyn HostRead, argv: &[&str]) -> Result<(), Problem> {
        let line = argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let failed = || self.again(Problem::host(id::PURGE_FAILED, text!("{} failed", Foreign::new(&line))));
        match host.run(&Command { deadline: LONG, ..Command::new(argv.iter().copied()) }) {
            Ok(output) if output.code == Some(0) => Ok(()),
            Ok(output) => Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
            Err(error) => Err(failed().caused_by(error)),
        }
    }

    /// Once its cause is gone, the rest goes by the same command.
    fn again(&self, problem: Problem) -> Problem {
        let folder = quoted(&self.folder.to_string_lossy());
        problem.hint(text!("then run the same again: {}", ics_setup(text!("revert --purge={}", own(folder)))))
    }
}

/// Is it a folder that a system has for many (hier(7)), or one above the state folder?
pub(super) fn is_of_system(folder: &Path) -> bool {
    const SHARED: &str =
        "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var usr/local var/opt";
    let below = folder.strip_prefix("/").unwrap_or(folder);
    Path::new(STATE).starts_with(folder) || SHARED.split(' ').any(|shared| Path::new(shared) == below)
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::trim).filter(|line| docker::text::is_plain(line)).map(str::to_owned).collect()
}
