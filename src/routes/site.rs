//! The host whose ways are told, as it is and as it would be.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{Routes, asks};
use crate::clients::{self, Target};
use crate::consumers::{self, Ask, ConsumersFacts};
use crate::host::View;
use crate::net::Time;
use crate::network::catalogue::{Catalogue, Endpoint, EndpointNeeds, Needs, required_endpoints};
use crate::plan::{Change, PlannedHost};
use crate::platform::Platform;
use crate::sandbox::File;
use crate::settings::{Layers, NoProxy};
use crate::system::cloud::Direct;

/// No more hosts of lists are looked at.
const MOST: usize = 100;

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
        let curl = clients::curl_of(self.host.host);
        Routes::between(before, after, &asks::urls(&self.endpoints()), &internal(before), curl)
    }

    /// The endpoints that this host asks for.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let catalogue = Catalogue::get();
        let mut endpoints = required_endpoints(catalogue, &EndpointNeeds::known(self.layers, catalogue));
        // Where nobody answers, nobody asks.
        let is_answered =
            |host: &String| *host == Needs::get().metadata || self.direct.iter().any(|own| own.host == *host);
        endpoints.retain(|own| !own.direct || is_answered(&own.host));
        endpoints
    }
}

/// Hosts that lists keep from the proxy now.
fn internal(before: &ConsumersFacts) -> Vec<Target> {
    let lists = before.consumers.iter().filter_map(|consumer| consumer.exclusions()).map(NoProxy::found);
    let is_host = |member: &str| {
        member.starts_with(|c: char| c.is_ascii_alphanumeric())
            && member.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    let of_list = |list: NoProxy| list.members().filter(|own| is_host(own)).map(str::to_owned).collect::<Vec<_>>();
    let hosts: BTreeSet<String> = lists.flat_map(of_list).collect();
    hosts.iter().take(MOST).filter_map(|host| Target::to_host(false, host)).collect()
}
