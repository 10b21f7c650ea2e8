//! What the shipped catalogue says to those who never list it: which hosts need the proxy, which address must not have it,
//! and whom a proxy is asked for.

use std::sync::LazyLock;

use super::{Catalogue, Component, Endpoint, NeededBy};
use crate::clients::Required;
use crate::system::cloud::Cloud;

/// The product's needs.
#[derive(Debug)]
pub(crate) struct Needs {
    /// Hosts that the product asks through the proxy, some of them only where accounts of a cloud are connected.
    pub hosts: Vec<Required>,
    /// The same, as the catalogue has them.
    endpoints: Vec<Endpoint>,
    /// Where a cloud tells an instance its role: link-local, and never through a proxy, which would answer with its own.
    pub metadata: String,
    /// What a proxy is asked for, to see what it lets through: every deployment needs it.
    pub probe: Endpoint,
}

impl Needs {
    /// The facts.
    pub(crate) fn get() -> &'static Self {
        static NEEDS: LazyLock<Needs> = LazyLock::new(|| {
            let of_product = |endpoint: &Endpoint| {
                endpoint.component == Component::Product && endpoint.needed_by == NeededBy::Server
            };
            let all = Catalogue::shipped().endpoints.into_iter().filter(of_product);
            let (direct, endpoints): (Vec<Endpoint>, Vec<Endpoint>) = all.partition(|endpoint| endpoint.direct);
            // The file is part of the binary, and a test looks at both.
            #[allow(clippy::expect_used)]
            Needs {
                hosts: endpoints.iter().map(required).collect(),
                metadata: direct
                    .into_iter()
                    .find(Endpoint::is_link_local)
                    .map(|endpoint| endpoint.host)
                    .expect("assets/endpoints.toml has the metadata address"),
                probe: endpoints
                    .iter()
                    .find(|endpoint| endpoint.required)
                    .cloned()
                    .expect("assets/endpoints.toml has a host that every deployment needs"),
                endpoints,
            }
        });
        &NEEDS
    }

    /// The hosts without those of clouds that are not connected; `None`: nobody says which are.
    pub(crate) fn hosts_of(&self, clouds: Option<&[Cloud]>) -> Vec<Required> {
        let connected = |cloud: Cloud| clouds.is_none_or(|all| all.contains(&cloud));
        self.endpoints.iter().filter(|own| own.only.cloud.is_none_or(connected)).map(required).collect()
    }
}

fn required(endpoint: &Endpoint) -> Required {
    Required { pattern: endpoint.shown().to_owned(), host: endpoint.host.clone(), purpose: endpoint.purpose.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::excluded;
    use crate::vendor::Vendor;

    #[test]
    fn the_catalogue_names_them() {
        let needs = Needs::get();
        assert!(needs.hosts.iter().all(|host| host.target().is_some() && !host.purpose.is_empty()));
        let patterns: Vec<&str> = needs.hosts.iter().map(|host| host.pattern.as_str()).collect();
        for pattern in ["divvycentral.divvycloud.com", "*.amazonaws.com", "management.azure.com", "*.aliyuncs.com"] {
            assert!(patterns.contains(&pattern), "{pattern}: {patterns:?}");
        }
        assert!(!patterns.iter().any(|pattern| pattern.contains("zopim") || pattern.starts_with("169.")));
        let only = needs.hosts_of(Some(&[Cloud::Azure]));
        assert!(only.iter().any(|host| host.pattern == "management.azure.com") && only.len() < patterns.len());
        assert!(!only.iter().any(|host| host.pattern.contains("amazonaws")));
        assert_eq!(needs.hosts_of(None).len(), patterns.len());
        assert_eq!(needs.metadata, "169.254.169.254");
        assert!(Vendor::get().no_proxy.base.contains(&needs.metadata));
        assert_eq!((needs.probe.host.as_str(), needs.probe.port), ("divvycentral.divvycloud.com", 443));
    }

    #[test]
    fn a_list_that_takes_the_vendors_hosts_away_is_noticed() {
        let hosts = &Needs::get().hosts;
        assert!(excluded("mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1,127.0.0.1", hosts).is_empty());
        let found = excluded("mysql,amazonaws.com", hosts);
        let [(host, member, clients)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((host.pattern.as_str(), member.as_str()), ("*.amazonaws.com", "amazonaws.com"));
        assert!(clients.iter().any(|client| client.id == "curl-7.88"));
        assert!(!clients.iter().any(|client| client.id == "axios-1.21"));
    }
}
