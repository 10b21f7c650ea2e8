//! Which containers of the host are the product's.

use std::path::{Path, PathBuf};

use super::known::Known;
use crate::docker::text::shown;
use crate::docker::{self, Container, Generation, NoDocker};
use crate::host::HostRead;
use crate::net::Time;
use crate::vendor::Vendor;

/// So many containers of the product are looked at.
pub(crate) const MAX_CONTAINERS: usize = 64;

/// The containers of the host, seen from the product.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The product's, in the order of the vendor's files.
    pub(crate) own: Vec<Container>,
    /// Others that publish ports.
    pub(crate) others: Vec<Container>,
    /// All containers of the host.
    pub(crate) all: usize,
    /// Other folders that containers with the vendor's images were started from.
    pub(crate) elsewhere: Vec<String>,
    /// Lines that could not be read.
    pub(crate) unread: usize,
}

/// The containers of the product whose folder is `home`.
///
/// # Errors
/// Docker does not answer.
pub(crate) fn containers(host: &dyn HostRead, home: &Path, time: Time) -> Result<Found, NoDocker> {
    let listed = docker::containers(host, time)?;
    let mut found = Found { all: listed.all, unread: listed.unread, ..Found::default() };
    let known = Known::get();
    for mut container in listed.read {
        let of_command = || known.service_of_command(&container.command).map(|service| service.name.clone());
        container.service = container.service.take().or_else(of_command);
        let belonging = belonging(host, home, &container);
        if !matches!(belonging, Belonging::Own)
            && !container.published.is_empty()
            && found.others.len() < MAX_CONTAINERS
        {
            found.others.push(container.clone());
        }
        match belonging {
            Belonging::Own if found.own.len() < MAX_CONTAINERS => found.own.push(container),
            Belonging::Elsewhere(folder) if !found.elsewhere.contains(&folder) && found.elsewhere.len() < 5 => {
                found.elsewhere.push(folder);
            }
            _ => {}
        }
    }
    let rank = |container: &Container| known.rank(container.service.as_deref().unwrap_or_default());
    found.own.sort_by(|a, b| (rank(a), &a.service, &a.state.name).cmp(&(rank(b), &b.service, &b.state.name)));
    Ok(found)
}

/// The Compose that serves the project, and the project's name.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// By whole paths: the generation that made the containers, where there are some. `None`: there is none, or none of that
    /// generation.
    pub(crate) program: Option<Vec<String>>,
    /// As the labels of the containers have it; `None`: there are none.
    pub(crate) project: Option<String>,
}

/// What serves the product in this folder.
pub(crate) fn serving(host: &dyn HostRead, home: &Path, time: Time) -> Serving {
    let found = containers(host, home, time).unwrap_or_default();
    let programs = docker::compose_programs(host);
    let fits = docker::serving(&programs, Generation::of_containers(&found.own));
    let project = found.own.iter().find_map(|container| container.project.clone());
    Serving { program: fits.and_then(|fits| whole(host, &fits.argv)), project }
}

/// The same command with the whole path of its program.
fn whole(host: &dyn HostRead, argv: &[String]) -> Option<Vec<String>> {
    let (name, rest) = argv.split_first()?;
    let vendor = Vendor::get();
    let is_there = |path: &&PathBuf| path.ends_with(name) && matches!(host.lstat(path), Ok(Some(_)));
    let whole = vendor.docker.clients.iter().chain(&vendor.compose.programs).find(is_there)?;
    Some([&[whole.to_string_lossy().into_owned()], rest].concat())
}

/// What Compose calls the project of a folder: its name in lower case, without what Compose does not take.
pub(crate) fn project(home: &Path) -> String {
    let folder = home.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    folder.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

enum Belonging {
    Own,
    Elsewhere(String),
    No,
}

/// Made from the compose file of the product's folder; or, where no label tells a folder (docker run, docker-compose
/// before 1.25), from the vendor's image or by a project named after the folder with a service of the vendor's.
fn belonging(host: &dyn HostRead, home: &Path, container: &Container) -> Belonging {
    let known = Known::get();
    let of_vendor = known.images.is_product(&container.state.repository);
    if container.one_off {
        return Belonging::No;
    }
    if let Some(folder) = container.folder.as_deref() {
        return match is_home(host, home, folder) {
            true => Belonging::Own,
            false if of_vendor => Belonging::Elsewhere(shown(folder, 200)),
            false => Belonging::No,
        };
    }
    let of_project = container.project.as_ref() == Some(&project(home));
    let of_service = container.service.as_deref().is_some_and(|name| known.service(name).is_some());
    if of_vendor || (of_project && of_service) { Belonging::Own } else { Belonging::No }
}

/// The service of a container; one without is known by its own name.
pub(crate) fn service_of(container: &Container) -> &str {
    container.service.as_ref().unwrap_or(&container.state.name)
}

/// Is it made from the product's image, so that it reads prod.env?
pub(crate) fn is_product(container: &Container) -> bool {
    Known::get().is_of_product(service_of(container))
}

/// Containers by service, in the order of the vendor's files; those without one under their own names.
pub(crate) fn by_service(found: &Found) -> Vec<(String, Vec<&Container>)> {
    let mut groups: Vec<(String, Vec<&Container>)> = Vec::new();
    for container in &found.own {
        let name = service_of(container);
        match groups.iter_mut().find(|(own, _)| own == name) {
            Some((_, group)) => group.push(container),
            None => groups.push((name.to_owned(), vec![container])),
        }
    }
    groups
}

/// Is the folder that a container's label names the product's?
fn is_home(host: &dyn HostRead, home: &Path, folder: &str) -> bool {
    let folder = Path::new(folder.trim_end_matches('/'));
    folder == home || host.resolve(home).is_ok_and(|real| host.resolve(folder).is_ok_and(|own| own == real))
}

#[cfg(test)]
mod tests;
