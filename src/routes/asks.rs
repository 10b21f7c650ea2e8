//! Who asks for what, from `assets/asks.toml`.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::assets;
use crate::clients::{self, Client, Target};
use crate::consumers::{Consumer, Who};
use crate::network::catalogue::{Component, Endpoint, NeededBy, Protocol};
use crate::text::host_port;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[allow(dead_code, reason = "for readers of the file")]
    date: String,
    #[allow(dead_code, reason = "for readers of the file")]
    source: String,
    asks: Vec<Asks>,
}

/// What asks behind one consumer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asks {
    consumer: Who,
    clients: Vec<String>,
    components: Vec<Component>,
    #[serde(default)]
    hosts: Vec<String>,
}

/// What stands for the curl of the host.
const CURL: &str = "curl";

fn file() -> &'static File {
    static FILE: LazyLock<File> = LazyLock::new(|| assets::read(&assets::ASKS));
    &FILE
}

/// A URL of an endpoint that a server asks for by HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) target: Target,
}

/// The endpoints that a server asks for by HTTP.
pub(crate) fn urls(endpoints: &[Endpoint]) -> Vec<Asked> {
    let by_http = endpoints.iter().filter(|own| own.needed_by == NeededBy::Server && own.protocol != Protocol::Tcp);
    let mut found: Vec<Asked> = Vec::new();
    for endpoint in by_http {
        let usual = if endpoint.protocol == Protocol::Https { 443 } else { 80 };
        let scheme = if endpoint.protocol == Protocol::Https { "https" } else { "http" };
        let host = host_port(&endpoint.host, endpoint.port);
        let Ok(target) = Target::parse(&format!("{scheme}://{host}/")) else { continue };
        let target = Target { port: target.port.filter(|port| *port != usual), ..target };
        // Regions and components share some of them.
        match found.iter_mut().find(|known| known.target == target && known.endpoint.component == endpoint.component) {
            Some(known) => Arc::make_mut(&mut known.endpoint).required |= endpoint.required,
            None => found.push(Asked { endpoint: Arc::new(endpoint.clone()), target }),
        }
    }
    found
}

/// The clients behind a consumer, the most usual one first. `curl`: that of the host.
pub(crate) fn clients_of(consumer: &Consumer, curl: &'static Client) -> Vec<&'static Client> {
    let Some(asks) = of(consumer.consumer) else { return Vec::new() };
    let is_own = |id: &&String| {
        let name = consumer.name.as_deref().unwrap_or_default();
        consumer.consumer != Who::PackageManager || (id.starts_with("apt") == (name == "apt"))
    };
    let profile = |id: &String| match id.as_str() {
        CURL => Some(curl),
        id => clients::by_id(id),
    };
    asks.clients.iter().filter(is_own).filter_map(profile).collect()
}

/// Does a consumer ask for this endpoint?
pub(super) fn is_asked(who: Who, endpoint: &Endpoint) -> bool {
    of(who).is_some_and(|asks| {
        asks.components.contains(&endpoint.component) && (asks.hosts.is_empty() || asks.hosts.contains(&endpoint.host))
    })
}

fn of(who: Who) -> Option<&'static Asks> {
    file().asks.iter().find(|asks| asks.consumer == who)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::catalogue::Catalogue;

    #[test]
    fn every_client_and_host_of_the_file_is_known() {
        let catalogue = Catalogue::shipped().endpoints;
        for asks in &file().asks {
            let known = |id: &String| id == CURL || clients::by_id(id).is_some();
            assert!(!asks.clients.is_empty() && asks.clients.iter().all(known), "{asks:?}");
            let is_listed = |host: &String| {
                catalogue.iter().any(|own| own.host == *host && asks.components.contains(&own.component))
            };
            assert!(asks.hosts.iter().all(is_listed), "{asks:?}");
        }
        // A container that runs gets what prod.env and the docker client give to it.
        let missing = Who::ALL.into_iter().filter(|who| of(*who).is_none());
        assert_eq!(missing.collect::<Vec<_>>(), [Who::Container]);
    }
}
