//! The product's containers: services up, ended, restarting, unhealthy; versions of their images.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::own::{self, Found, by_service};
use super::place::Place;
use crate::docker::text::{is_plain, seconds_of, shown};
use crate::docker::{NoDocker, repository_and_tag};
use crate::host::HostRead;
use crate::net::Time;
use crate::text::Foreign;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ContainersFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) docker: Option<Result<Seen, NoDocker>>,
    /// When it was looked, seconds since 1970.
    pub(crate) now: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Containers of the host.
    pub(crate) all: usize,
    /// Lines of docker's output that could not be read.
    pub(crate) unread: usize,
    /// Other folders that the vendor's images were started from.
    pub(crate) elsewhere: Vec<String>,
    /// What the compose file asks for; `None`: it could not be read.
    pub(crate) wanted: Option<Vec<Wanted>>,
    /// In the order of the vendor's files.
    pub(crate) services: Vec<Service>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    pub(crate) count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) containers: Vec<One>,
}

/// One container, without its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct One {
    pub(crate) name: String,
    /// Docker's word: `running`, `exited`, `restarting`, `created`, `paused`, `dead`.
    pub(crate) status: String,
    pub(crate) exit_code: Option<i64>,
    /// Docker's mark, which it does not set for every such end.
    pub(crate) oom_killed: bool,
    /// Bytes; `None`: it may use all that the host has.
    pub(crate) memory_limit: Option<u64>,
    /// Docker's words on why it could not be started.
    pub(crate) error: Foreign,
    pub(crate) restarts: u64,
    pub(crate) started: Option<u64>,
    pub(crate) finished: Option<u64>,
    pub(crate) health: Option<String>,
    pub(crate) repository: String,
    pub(crate) tag: String,
}

/// Looks at the containers of the product whose folder is `home`, and at what its compose file asks for.
pub(crate) fn look(host: &dyn HostRead, home: &Path, time: Time) -> ContainersFacts {
    let mut place = Place::look(host, home);
    let now = seconds_of(host.now());
    if !place.is_running_system() {
        return ContainersFacts { place, docker: None, now };
    }
    let docker = own::containers(host, home, time).map(|found| {
        place.prefer(&found);
        seen(host, home, &place, &found)
    });
    ContainersFacts { place, docker: Some(docker), now }
}

fn seen(host: &dyn HostRead, home: &Path, place: &Place, found: &Found) -> Seen {
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
                    error: shown(&own.error, 200).into(),
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
        wanted: wanted(host, home, place),
        services: services.collect(),
    }
}

/// What the compose file asks for, services that end by themselves left out.
fn wanted(host: &dyn HostRead, home: &Path, place: &Place) -> Option<Vec<Wanted>> {
    let lasting = place
        .services(host, home)?
        .into_iter()
        .filter(|service| is_plain(&service.name))
        .filter(|service| !Known::get().service(&service.name).is_some_and(|known| known.once));
    Some(lasting.map(|service| Wanted { service: shown(&service.name, 60), count: service.scale }).collect())
}
