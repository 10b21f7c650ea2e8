//! The product's containers: services up, ended, restarting, unhealthy; versions of their images.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::own::{Found, by_service};
use super::place::Place;
use crate::docker::NoDocker;
use crate::docker::text::{is_plain, seconds_of, shown};
use crate::host::HostRead;
use crate::net::Time;

pub(crate) use crate::docker::ContainerState as One;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ContainersFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) docker: Option<Result<Seen, NoDocker>>,
    /// When it was looked, seconds since 1970.
    pub(crate) now: u64,
    /// The unit that starts the daemon, as people name it; `None`: there is none.
    #[serde(default)]
    pub(crate) unit: Option<String>,
    /// Where the daemon keeps images and containers.
    #[serde(default)]
    pub(crate) data_root: PathBuf,
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

impl Seen {
    /// How many containers run, and of how many that should; those that end by themselves are left out.
    pub(crate) fn running(&self) -> (usize, usize) {
        let number = |own: &Wanted| usize::try_from(own.count).unwrap_or(usize::MAX);
        let is = |name: &str, own: &Wanted| own.service.eq_ignore_ascii_case(name);
        let wanted = |name: &str| {
            let all = self.wanted.as_ref()?;
            Some(all.iter().filter(|own| is(name, own)).map(number).sum())
        };
        let mut total = (0, 0);
        for Service { name, containers } in self.services.iter().filter(|own| !ends(&own.name)) {
            let running = containers.iter().filter(|one| one.status == "running").count();
            total.0 += running;
            total.1 += wanted(name).unwrap_or(containers.len()).max(running);
        }
        let is_absent = |own: &&Wanted| !self.services.iter().any(|service| is(&service.name, own));
        total.1 += self.wanted.iter().flatten().filter(is_absent).map(number).sum::<usize>();
        total
    }
}

/// Does this service end by itself?
fn ends(name: &str) -> bool {
    Known::get().service(name).is_some_and(|known| known.once)
}

/// Looks at the containers of the product whose folder is `home`, and at what its compose file asks for.
pub(crate) fn look(host: &dyn HostRead, home: &Path, time: Time) -> ContainersFacts {
    let now = seconds_of(host.now());
    let (place, docker) =
        Place::look(host, home).with_containers(host, home, time, |place, found| seen(host, home, place, found));
    ContainersFacts { place, docker, now, ..ContainersFacts::default() }
}

/// The same of containers that were looked at already.
pub(crate) fn of(host: &dyn HostRead, home: &Path, found: &Found) -> Seen {
    let mut place = Place::look(host, home);
    place.prefer(found);
    seen(host, home, &place, found)
}

fn seen(host: &dyn HostRead, home: &Path, place: &Place, found: &Found) -> Seen {
    let services = by_service(found).into_iter().map(|(name, containers)| Service {
        name: shown(&name, 60),
        containers: containers.into_iter().map(|container| container.state.clone()).collect(),
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
        .filter(|service| !ends(&service.name));
    Some(lasting.map(|service| Wanted { service: shown(&service.name, 60), count: service.scale() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_run_are_counted_against_what_the_compose_file_wants() {
        let service = |name: &str, states: &[&str]| Service {
            name: name.to_owned(),
            containers: states.iter().map(|own| One { status: (*own).to_owned(), ..One::default() }).collect(),
        };
        let wanted = |name: &str, count| Wanted { service: name.to_owned(), count };
        let services = vec![
            service("interfaceserver", &["running"]),
            service("worker", &["running", "restarting", "exited"]),
            service("gone-from-the-file", &["exited"]),
        ];
        let seen = Seen { services, ..Seen::default() };
        assert_eq!(seen.running(), (2, 5), "no compose file that can be read");
        let wants = vec![wanted("interfaceserver", 1), wanted("scheduler", 1), wanted("worker", 2)];
        assert_eq!(Seen { wanted: Some(wants), ..seen }.running(), (2, 4));
    }
}
