//! Images of the product that no container and no compose file refers to any more: those of releases before.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::made::Made;
use super::words::last_lines;
use super::{LOOK, no_answer};
use crate::docker::{self, NoDocker, repository_and_tag};
use crate::host::{Command, HostRead};
use crate::net::Time;
use crate::problem::{Problem, id};
use crate::product::{Known, Place};
use crate::settings::Key;
use crate::text;
use crate::text::{Foreign, ics_setup};

/// Removing the layers of one may take a while.
const LONG: Duration = Duration::from_secs(300);

/// One of them.
#[derive(Debug)]
pub(crate) struct OldImage {
    /// As it is named; its id where it has no tag any more.
    pub(crate) image: String,
    /// How much of the disk it takes, with layers that others share.
    pub(crate) bytes: u64,
    id: String,
}

/// What there is, in the order of their names. `homes`: folders of the product that are known beside those that runs have noted
/// and that containers were started from.
///
/// # Errors
/// Docker does not say what there is, or a compose file cannot be understood: what it refers to is not known then.
pub(crate) fn old_images(host: &dyn HostRead, homes: &[PathBuf]) -> Result<Vec<OldImage>, Problem> {
    let time = || Time::new(LOOK, LOOK);
    let lines = |arguments: &[&str]| -> Result<Vec<String>, Problem> {
        let output = docker::run(host, time(), arguments).map_err(|error| no_answer(&error))?;
        if output.code != Some(0) {
            let why = Foreign::new(last_lines(&output.stderr, 2));
            return Err(no_answer(&NoDocker::Odd { why }));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    };
    let containers = docker::containers(host, time()).map_err(|error| no_answer(&error))?;
    let usual = Key::Home.spec().default.map(PathBuf::from);
    let folders = containers.read.iter().filter_map(|own| own.folder.as_deref().map(PathBuf::from));
    let mut all: BTreeSet<PathBuf> = homes.iter().cloned().chain(usual).chain(folders).collect();
    all.extend(Made::read(host)?.products.into_keys());
    let mut wanted: BTreeSet<String> = containers.read.iter().map(docker::Container::image).collect();
    for home in &all {
        wanted.extend(named(host, home)?);
    }
    let wanted: BTreeSet<(&str, &str)> = wanted.iter().map(|image| repository_and_tag(image)).collect();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let ids = lines(&["ps", "-a", "-q", "--no-trunc"])?;
    for some in ids.chunks(100) {
        let words = ["inspect", "--type", "container", "--format", "{{.Image}}"];
        used.extend(lines(&[&words[..], &some.iter().map(String::as_str).collect::<Vec<_>>()].concat())?);
    }
    let mut old = Vec::new();
    for line in lines(&["image", "ls", "--no-trunc", "--format", "{{.Repository}} {{.Tag}} {{.ID}}"])? {
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(repository), Some(tag), Some(id)) = (words.next(), words.next(), words.next()) else { continue };
        if !Known::get().images.is_product(&repository) || used.contains(&id) || wanted.contains(&(&repository, &tag)) {
            continue;
        }
        let image = if tag == "<none>" { id.clone() } else { format!("{repository}:{tag}") };
        let bytes = super::upgrade::size(host, &image).unwrap_or_default();
        old.push(OldImage { image, bytes, id });
    }
    old.sort_by(|one, other| one.image.cmp(&other.image));
    Ok(old)
}

/// The images that the compose files of a folder name.
fn named(host: &dyn HostRead, home: &Path) -> Result<Vec<String>, Problem> {
    let place = Place::look(host, home);
    if place.compose.is_empty() && place.unreadable.is_none() {
        return Ok(Vec::new());
    }
    let services = place.services(host, home).ok_or_else(|| {
        let message = text!(
            "the compose file in {} is not understood, so it is not known which images it refers to",
            home.display()
        );
        Problem::host(id::PRUNE_FAILED, message).hint(text!("mend it first: {}", ics_setup("check runtime")))
    })?;
    Ok(services.into_iter().filter_map(|service| service.image).collect())
}

/// What all of them take together: two names of one image take it once.
pub(crate) fn bytes_of(images: &[OldImage]) -> u64 {
    let ids: BTreeSet<(&str, u64)> = images.iter().map(|own| (own.id.as_str(), own.bytes)).collect();
    ids.into_iter().map(|(_, bytes)| bytes).sum()
}

/// Removes one.
///
/// # Errors
/// Docker does not, as where a container has been made of it meanwhile.
pub(crate) fn remove(host: &dyn HostRead, old: &OldImage) -> Result<(), Problem> {
    let failed = || Problem::host(id::PRUNE_FAILED, text!("{} could not be removed", Foreign::new(&old.image)));
    let command = Command { deadline: LONG, ..Command::new(["docker", "image", "rm", old.image.as_str()]) };
    match host.run(&command) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => Err(failed().because(Foreign::new(last_lines(&output.stderr, 2)))),
        Err(error) => Err(failed().caused_by(error)),
    }
}
