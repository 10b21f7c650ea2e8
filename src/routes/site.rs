//! The host whose ways are told, as it is and as it would be.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::{More, Routes, asks};
use crate::clients::Target;
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, programs};
use crate::host::View;
use crate::net::Time;
use crate::network::catalogue::{Catalogue, Endpoint, EndpointNeeds, Needs, required_endpoints};
use crate::plan::{Change, PlannedHost};
use crate::platform::Platform;
use crate::sandbox::File;
use crate::settings::{Layers, NoProxy};
use crate::system::cloud::Direct;
use crate::vendor::Vendor;

/// No more hosts of a list are looked at.
const MOST: usize = 300;

/// A host below a suffix.
const BELOW: &str = "host.";

/// How long all consumers may take together.
const DEADLINE: Duration = Duration::from_secs(40);

/// The host, and what decides which endpoints are asked for.
pub(crate) struct Site<'a> {
    pub(crate) host: &'a View<'a>,
    pub(crate) platform: Option<&'a Platform>,
    /// The product's folder.
    pub(crate) home: &'a Path,
    pub(crate) layers: &'a Layers,
    /// Hosts that only this cloud, or what runs here, answers for.
    pub(crate) direct: &'a [Direct],
}

impl Site<'_> {
    /// What consumers get after changes. `inside`: the host's programs are asked, with these files in their places.
    pub(crate) fn observe(&self, changes: &[Change], inside: Option<&[File]>) -> ConsumersFacts {
        let ask = Ask {
            host: &PlannedHost::new(self.host, changes),
            platform: self.platform,
            home: self.home,
            http_proxy: None,
            https_proxy: None,
            inside,
            quiet: true,
            sudo_by: None,
        };
        consumers::observe(&ask, None, Time::new(DEADLINE, DEADLINE))
    }

    /// The ways before a plan, and after it by what consumers get then. Consumers are asked over the files as they are in the
    /// same manner as over the planned ones.
    pub(crate) fn foretell(&self, after: &ConsumersFacts, inside: Option<&[File]>) -> Routes {
        self.ways(&self.observe(&[], inside.map(|_| &[][..])), after)
    }

    /// The ways by what consumers get before and after.
    pub(crate) fn ways(&self, before: &ConsumersFacts, after: &ConsumersFacts) -> Routes {
        let curl = programs::curl_of(self.host.host);
        Routes::between(before, after, &asks::urls(&self.endpoints()), More::OwnLists, curl)
    }

    /// The endpoints that this host asks for.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let catalogue = Catalogue::get();
        let mut endpoints = required_endpoints(catalogue, &EndpointNeeds::known(self.layers, catalogue, self.host));
        // Where nobody answers, nobody asks.
        let is_answered =
            |host: &String| *host == Needs::get().metadata || self.direct.iter().any(|own| own.host == *host);
        endpoints.retain(|own| !own.direct || is_answered(&own.host));
        endpoints
    }
}

/// Hosts that the list of a consumer keeps from the proxy: its members, one host below each suffix, one of each block.
pub(super) fn internal(consumer: &Consumer) -> Vec<Target> {
    let Some(list) = consumer.exclusions().filter(|_| consumer.consumer.profile().has_lists()) else {
        return Vec::new();
    };
    let list = NoProxy::found(list);
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    for member in list.members() {
        let plain = member.trim_start_matches("*.").trim_start_matches('.');
        let below = if plain == member { String::new() } else { BELOW.to_owned() };
        let host = match member.parse::<IpNet>() {
            Ok(block) => block.hosts().next().map(|address| address.to_string()),
            Err(_) => Some(format!("{below}{plain}")),
        };
        // Those of the catalogue, and what the vendor's own list has, are no names of the site's.
        let is_own = |host: &String| {
            let vendors =
                Needs::get().hosts.iter().any(|own| own.host == *host || own.host.ends_with(&format!(".{plain}")));
            let base = Vendor::get().no_proxy.base.iter().any(|own| own == host);
            !vendors && !base && *host != Needs::get().metadata
        };
        hosts.extend(host.filter(is_own));
    }
    let both = hosts.iter().take(MOST).flat_map(|host| [false, true].map(|tls| Target::to_host(tls, host)));
    both.flatten().collect()
}
