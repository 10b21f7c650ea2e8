//! What the product's containers see, against what prod.env says. Values are compared here and stay here: facts hold for
//! each name whether it is the same, and values of places and proxies only, passwords masked.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::own::{Found, by_service};
use super::place::Place;
use crate::docker::text::shown;
use crate::docker::{Container, NoDocker, compose};
use crate::envfile::{Dialect, Reading, Seen};
use crate::host::HostRead;
use crate::net::Time;
use crate::text::Foreign;
use crate::vendor::{Vendor, prod_env};

/// More variables than this are not compared.
const MAX_NAMES: usize = 500;

/// What a proxy is set with. The upper-case forms are read by some clients, so they count as well.
const PROXIES: [&str; 8] =
    ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct EnvironmentFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) services: Option<Result<Vec<Service>, NoDocker>>,
    /// Why prod.env could not be read.
    pub(crate) unreadable: Option<Foreign>,
    /// When prod.env was last changed, seconds since 1970.
    pub(crate) changed: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) containers: usize,
    /// When its oldest container was created, seconds since 1970.
    pub(crate) created: Option<u64>,
    /// Who read prod.env for it: `docker-compose 1.29`.
    pub(crate) reader: String,
    /// That reader rejects the file: why.
    pub(crate) rejects: Option<Foreign>,
    /// How many names are the same.
    pub(crate) same: usize,
    /// Names whose value the file alone does not tell, or that the compose file sets itself.
    pub(crate) left_out: usize,
    pub(crate) differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) name: String,
    pub(crate) how: How,
    /// Of prod.env, where it may be shown.
    pub(crate) file: Option<Foreign>,
    /// Of the container, where it may be shown.
    pub(crate) container: Option<Foreign>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// Another value.
    Differs,
    /// prod.env has it, the container does not.
    Missing,
    /// The container has it, prod.env does not.
    Extra,
}

/// Compares the environment of the containers of the product whose folder is `home` with its prod.env.
pub(crate) fn look(host: &dyn HostRead, home: &Path, time: Time) -> EnvironmentFacts {
    let place = Place::look(host, home);
    if !place.is_running_system() || !place.prod_env {
        return EnvironmentFacts { place, ..EnvironmentFacts::default() };
    }
    let read = host.snapshot(&prod_env(home)).map_err(|error| error.to_string());
    let file = match read.and_then(|file| file.ok_or_else(|| "it has gone".to_owned())) {
        Ok(file) => file,
        Err(why) => return EnvironmentFacts { place, unreadable: Some(why.into()), ..EnvironmentFacts::default() },
    };
    let changed = file.attributes.mtime.and_then(|nanos| u64::try_from(nanos / 1_000_000_000).ok());
    let (place, services) = place.with_containers(host, home, time, |place, found| {
        compared(found, &file.bytes, &place.services(host, home).unwrap_or_default())
    });
    EnvironmentFacts { place, services, unreadable: None, changed }
}

/// Every service made from the product's image, its containers taken together.
fn compared(found: &Found, file: &[u8], compose: &[compose::Service]) -> Vec<Service> {
    let reads = |name: &str| Known::get().is_of_product(name);
    let from_image = |container: &Container| {
        let (state, images) = (&container.state, &Known::get().images);
        images.is_product(&state.repository) && !images.is_apart(&state.repository, &state.tag)
    };
    let services = by_service(found).into_iter().filter(|(name, containers)| {
        reads(name) && (Known::get().service(name).is_some() || containers.iter().any(|one| from_image(one)))
    });
    services
        .map(|(name, containers)| {
            let own = compose.iter().find(|service| service.name == name);
            let set_by_compose = |name: &str| own.is_some_and(|service| service.sets(name));
            let mut service = Service {
                name: shown(&name, 60),
                containers: containers.len(),
                created: containers.iter().filter_map(|one| one.created).min(),
                ..Service::default()
            };
            for (index, container) in containers.iter().enumerate() {
                let dialect = dialect(container);
                let reading = dialect.read(file);
                if index == 0 {
                    dialect.name().clone_into(&mut service.reader);
                    service.rejects = reading
                        .complaints
                        .iter()
                        .find(|complaint| complaint.fatal)
                        .map(|complaint| format!("line {}: {}", complaint.line, complaint.message).into());
                }
                compare(&reading, container, &set_by_compose, index == 0, &mut service);
            }
            service.differences.sort_by(|a, b| (a.how, &a.name).cmp(&(b.how, &b.name)));
            service
        })
        .collect()
}

/// Who read prod.env for this container: the compose that made it, else `docker run --env-file`.
fn dialect(container: &Container) -> Dialect {
    container.compose_version.as_deref().and_then(Dialect::of_compose).unwrap_or(Dialect::DockerEnvFile)
}

fn compare(
    reading: &Reading,
    container: &Container,
    set_by_compose: &dyn Fn(&str) -> bool,
    count: bool,
    service: &mut Service,
) {
    let entries = || container.environment.iter().filter_map(|entry| entry.split_once('='));
    let seen = |name: &str| entries().rev().find(|(own, _)| *own == name).map(|(_, value)| value);
    let mut differ = |name: &str, how, file: Option<&str>, inside: Option<&str>| {
        let known = service.differences.iter().any(|other| other.name == name && other.how == how);
        if !known && service.differences.len() < MAX_NAMES {
            let show =
                |value: Option<&str>| value.filter(|_| may_be_shown(name)).map(|value| masked(name, value).into());
            let (file, container) = (show(file), show(inside));
            service.differences.push(Difference { name: shown(name, 80), how, file, container });
        }
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in reading.variables.iter().take(MAX_NAMES) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        names.push(name);
        let by_compose = set_by_compose(name);
        match value {
            Seen::Value(value) if !by_compose => {
                let file = String::from_utf8_lossy(value);
                match seen(name) {
                    Some(inside) if inside == file => service.same += usize::from(count),
                    Some(inside) => differ(name, How::Differs, Some(&file), Some(inside)),
                    None => differ(name, How::Missing, Some(&file), None),
                }
            }
            _ => service.left_out += usize::from(count),
        }
    }
    for (name, value) in entries().take(2 * MAX_NAMES) {
        // Other names of the container may well be the image's own.
        let ours = PROXIES.contains(&name) || Vendor::get().setting_of(name).is_some();
        if ours && !names.contains(&name) && !set_by_compose(name) && !value.is_empty() {
            differ(name, How::Extra, None, Some(value));
        }
    }
}

/// Proxies (their passwords masked), hosts, ports, users and names of databases. Nothing else: any other name may hold
/// a secret.
fn may_be_shown(name: &str) -> bool {
    PROXIES.contains(&name) || Vendor::get().setting_of(name).is_some_and(|key| !key.ends_with("password"))
}

fn masked(name: &str, value: &str) -> String {
    let line = shown(&format!("{name}={value}"), 300 + name.len());
    line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_compose_docker_itself_has_read_the_file() {
        assert_eq!(dialect(&Container::default()), Dialect::DockerEnvFile);
    }
}
