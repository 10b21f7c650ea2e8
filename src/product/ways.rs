//! The ports of this host by which the services of the compose file are reached.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::interface::is_interface;
use super::known::Known;
use super::place::Place;
use crate::docker::compose::{self, Network};
use crate::host::HostRead;
use crate::settings::Role;
use crate::text;
use crate::text::{Text, own};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WaysFacts {
    /// The compose file; `None`: there is none.
    pub(crate) file: Option<PathBuf>,
    /// Why not all of them can be told.
    pub(crate) unknown: Option<Text>,
    pub(crate) ways: Vec<Way>,
}

/// A port of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// Whose.
    pub(crate) service: String,
    /// At this address of the host; `None`: at all.
    pub(crate) address: Option<String>,
    pub(crate) port: u16,
    /// The port of the container that it leads to.
    pub(crate) inside: u16,
    /// Users come by it to the web interface, if through a balancer.
    pub(crate) interface: bool,
    /// It is listened on in the host's own network, and published by nobody.
    pub(crate) in_host: bool,
}

impl Way {
    /// Does it lead to the product itself?
    pub(crate) fn is_of_product(&self) -> bool {
        self.interface && self.inside == Known::get().health.port
    }

    /// Does it serve this host alone?
    pub(crate) fn is_loopback(&self) -> bool {
        let address = self.address.as_deref().unwrap_or_default();
        address == "localhost" || address.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Looks at the compose file of the product's folder.
pub(crate) fn observe(host: &dyn HostRead, home: &Path) -> WaysFacts {
    let place = Place::look(host, home);
    if place.compose.is_empty() && place.unreadable.is_none() {
        return WaysFacts::default();
    }
    let mut facts = WaysFacts { file: Some(host.shown(&place.compose_file(home))), ..WaysFacts::default() };
    let services = match place.read_services(host, home) {
        _ if place.unreadable.is_some() => {
            facts.unknown = place.unreadable.map(|why| text!("{} could not be listed: {}", host.shown(home), why));
            return facts;
        }
        Ok(services) => services,
        Err(stop) => {
            facts.unknown = Some(text!("{}:{}: {}", host.shown(&stop.at.path), own(stop.at.line), stop.why));
            return facts;
        }
    };
    for service in &services {
        let known = Known::get().service_of(&service.name, service.command());
        let interface = known.is_some_and(|known| known.role == Some(Role::Interface));
        let way = |address, port, inside, in_host| {
            let service = service.name.clone();
            Way { service, address, port, inside, interface, in_host }
        };
        let own = Known::get().health.port;
        if let Some(at) = service.odd_ports.first() {
            let (path, line) = (host.shown(&at.path), crate::text::own(at.line));
            facts.unknown = Some(text!("what {}:{} opens cannot be told from the files", path, line));
        }
        match (service.network(), compose::ways(&service.ports)) {
            (Network::Host, _) if is_interface(&service.name, service.command()) => {
                facts.ways.push(way(None, own, own, true))
            }
            // The others of the product's listen nowhere.
            (Network::Host, _) if known.is_some_and(|known| known.product) => {}
            (Network::Host, _) => {
                facts.unknown = Some(text!("what ports {} opens, which is in the host's own network", &service.name));
            }
            (_, Ok(ways)) => facts.ways.extend(ways.into_iter().map(|(at, port, inside)| way(at, port, inside, false))),
            (_, Err(odd)) => facts.unknown = Some(text!("what ports: {} of {} opens", odd, &service.name)),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;

    #[test]
    fn ports_lead_to_addresses_or_are_not_told() {
        let of = |ports: &str| {
            let host = Double::installed();
            let compose = format!("services:\n  interfaceserver: {{image: a, ports: [{ports}]}}\n");
            host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
            let facts = observe(&host, Path::new("/divvycloud"));
            let ways = facts.ways.iter().map(|way| (way.port, way.address.clone(), way.is_loopback()));
            (ways.collect::<Vec<_>>(), facts.unknown.is_some())
        };
        let at = |port, address: Option<&str>, is_loopback| (port, address.map(str::to_owned), is_loopback);
        assert_eq!(of("'8001:8001'"), (vec![at(8001, None, false)], false));
        assert_eq!(of("'0.0.0.0:80:8001/tcp', '53:53/udp'"), (vec![at(80, None, false)], false));
        assert_eq!(of("'[::1]:8001:8001'"), (vec![at(8001, Some("::1"), true)], false));
        assert_eq!(of("'127.0.0.1:8001:8001'"), (vec![at(8001, Some("127.0.0.1"), true)], false));
        assert_eq!(of("'10.0.0.5:8001:8001'"), (vec![at(8001, Some("10.0.0.5"), false)], false));
        assert_eq!(of("{target: 53, published: 53, protocol: udp}"), (Vec::new(), false));
        assert_eq!(of("{target: 8001, published: 80}"), (vec![at(80, None, false)], false));
        for odd in [
            "'8001'",
            "'8000-8010:8000-8010'",
            "{target: 8001, mode: host}",
            "'${A:-${B:-8001}}:8001'",
            "'80:8001-8002'",
        ] {
            assert_eq!(of(odd), (Vec::new(), true), "{odd}");
        }
    }

    #[test]
    fn what_listens_in_the_hosts_own_network_is_the_products_or_not_known() {
        let of = |services: &str| {
            let host = Double::installed();
            host.files.put("/divvycloud/docker-compose.yml", format!("services:\n{services}").as_bytes());
            let facts = observe(&host, Path::new("/divvycloud"));
            (facts.ways.len(), facts.unknown.is_some())
        };
        assert_eq!(of("  interfaceserver: {image: a, network_mode: host}\n"), (1, false));
        assert_eq!(of("  scheduler: {image: a, network_mode: host}\n"), (0, false));
        assert_eq!(of("  mysql: {image: m, network_mode: host}\n"), (0, true));
    }
}
