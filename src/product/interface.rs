//! Does the web interface answer `/Status`, and what?

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::place::Place;
use crate::docker::compose;
use crate::docker::text::shown;
use crate::host::HostRead;
use crate::net::{self, NetError, Time};
use crate::settings::Role;
use crate::text::host_port;

/// So much of an answer is read.
const BUDGET: usize = 80 << 10;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct InterfaceFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) asked: Option<Asked>,
    /// The compose file has other services, and no interface.
    pub(crate) not_here: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// `127.0.0.1`, or the address that the compose file publishes on.
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) took_ms: u64,
    pub(crate) answer: Result<Answer, NetError>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) html: bool,
}

/// Asks the interface of the product whose folder is `home`, where its compose file publishes it.
pub(crate) fn look(host: &dyn HostRead, home: &Path, time: Time) -> InterfaceFacts {
    let place = Place::look(host, home);
    if !place.is_running_system() {
        return InterfaceFacts { place, ..InterfaceFacts::default() };
    }
    match address(host, home, &place) {
        None => InterfaceFacts { place, asked: None, not_here: true },
        Some((address, port)) => InterfaceFacts { place, asked: Some(ask(address, port, time)), not_here: false },
    }
}

/// Where the compose file publishes the interface; `None`: it has other services alone.
pub(crate) fn address(host: &dyn HostRead, home: &Path, place: &Place) -> Option<(String, u16)> {
    let services = place.services(host, home);
    let port = Known::get().health.port;
    let interface = services.as_ref().map(|all| all.iter().find(|one| is_interface(&one.name, one.command())));
    let (address, port) = match interface {
        Some(None) => return None,
        Some(Some(service)) => compose::published(&service.ports, port).unwrap_or((None, port)),
        None => (None, port),
    };
    Some((address.unwrap_or_else(|| "127.0.0.1".to_owned()), port))
}

/// Is a service of this name and command the web interface itself, and not what stands before it?
pub(crate) fn is_interface(name: &str, command: &str) -> bool {
    Known::get().service_of(name, command).is_some_and(|known| known.product && known.role == Some(Role::Interface))
}

/// One request for the page of health.
pub(crate) fn ask(address: String, port: u16, time: Time) -> Asked {
    let path = &Known::get().health.path;
    let began = Instant::now();
    // Room for the engine to hear the result before it counts the check as late.
    let time = time.leaving(Duration::from_millis(100));
    let answer = net::dial(&address, port, time, BUDGET).and_then(|mut wire| {
        let host = host_port(&address, port);
        let headers = [("Host", host.as_str()), ("Connection", "close"), ("Accept", "*/*")];
        let answer = net::request(&mut wire, "GET", path, &headers)?;
        let header = |name: &str| answer.get(name).map(|value| shown(value, 200));
        Ok(Answer {
            status: answer.status,
            location: header("location"),
            server: header("server"),
            html: answer.is_html(),
        })
    });
    Asked { address, port, took_ms: crate::text::millis(began.elapsed()), answer }
}
