//! The product's containers: services up, ended, restarting, unhealthy; versions of their images.

mod judge;

use serde::{Deserialize, Serialize};

use super::compose;
use super::docker::{self, Found, NoDocker, by_service, repository_and_tag};
use super::known::Known;
use super::place::Place;
use super::text::{is_plain, seconds_of, shown};
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::Finding;
use crate::net::Time;

/// See the module.
pub(super) struct Containers;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ContainersFacts {
    pub(super) place: Place,
    /// `None`: was not asked.
    docker: Option<Result<Seen, NoDocker>>,
    /// When it was looked, seconds since 1970.
    now: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Containers of the host.
    all: usize,
    /// Lines of docker's output that could not be read.
    unread: usize,
    /// Other folders that the vendor's images were started from.
    elsewhere: Vec<String>,
    /// What the compose file asks for; `None`: it could not be read.
    wanted: Option<Vec<Wanted>>,
    /// In the order of the vendor's files.
    services: Vec<Service>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    service: String,
    count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Service {
    name: String,
    containers: Vec<One>,
}

/// One container, without its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct One {
    name: String,
    /// Docker's word: `running`, `exited`, `restarting`, `created`, `paused`, `dead`.
    status: String,
    exit_code: Option<i64>,
    /// Docker's mark, which it does not set for every such end.
    oom_killed: bool,
    /// Bytes; `None`: it may use all that the host has.
    memory_limit: Option<u64>,
    /// Docker's words on why it could not be started.
    error: String,
    restarts: u64,
    started: Option<u64>,
    finished: Option<u64>,
    health: Option<String>,
    repository: String,
    tag: String,
}

impl Check for Containers {
    type Facts = ContainersFacts;

    const META: Meta = Meta::new(
        "containers",
        Group::Runtime,
        &[
            "docker-reachable",
            "service-running",
            "service-exited",
            "service-restarting",
            "service-unhealthy",
            "image-version",
        ],
    )
    .gates(&["docker-reachable", "service-running"]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&ContainersFacts>) -> ContainersFacts {
        let mut place = Place::look(look);
        let now = seconds_of(look.host.now());
        if !place.is_running_system() {
            return ContainersFacts { place, docker: None, now };
        }
        let docker = docker::containers(look, time).map(|found| {
            place.prefer(&found);
            seen(look, &place, &found)
        });
        ContainersFacts { place, docker: Some(docker), now }
    }

    fn judge(&self, facts: &ContainersFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_containers(facts, spec)
    }

    fn is_settled(&self, facts: &ContainersFacts) -> bool {
        matches!(facts.docker, Some(Err(NoDocker::Absent | NoDocker::Denied { .. })))
    }
}

fn seen(look: &Look<'_>, place: &Place, found: &Found) -> Seen {
    let services = by_service(found).into_iter().map(|(name, containers)| Service {
        name: shown(&name, 60),
        containers: containers
            .into_iter()
            .map(|own| {
                let (repository, tag) = repository_and_tag(&own.image);
                One {
                    name: shown(&own.name, 80),
                    status: shown(&own.status, 20),
                    exit_code: own.exit_code,
                    oom_killed: own.oom_killed,
                    memory_limit: own.memory_limit,
                    error: shown(&own.error, 200),
                    restarts: own.restarts,
                    started: own.started,
                    finished: own.finished,
                    health: own.health.as_deref().map(|word| shown(word, 20)),
                    repository: shown(repository, 120),
                    tag: shown(tag, 80),
                }
            })
            .collect(),
    });
    Seen {
        all: found.all,
        unread: found.unread,
        elsewhere: found.elsewhere.clone(),
        wanted: wanted(look, place),
        services: services.collect(),
    }
}

/// What the compose file asks for, services that end by themselves left out.
fn wanted(look: &Look<'_>, place: &Place) -> Option<Vec<Wanted>> {
    let file = look.host.read(&look.spec.home.join(place.compose.first()?)).ok()??;
    let services = compose::services(&file)?.into_iter();
    let lasting = services
        .filter(|service| is_plain(&service.name))
        .filter(|service| !Known::get().service(&service.name).is_some_and(|known| known.once));
    Some(lasting.map(|service| Wanted { service: shown(&service.name, 60), count: service.scale }).collect())
}

#[cfg(test)]
mod tests;
