//! Endpoints as rules need them: each pattern of names once, each set of addresses once.

use std::net::IpAddr;

use super::names::Names;
use super::product::Product;
use crate::network::catalogue::{Block, Covers, Endpoint, Protocol, StaticIps};

/// A rule by name, and the endpoints that it is for.
#[derive(Clone, Debug)]
pub(crate) struct ByName<'a> {
    /// Which names.
    pub names: Names,
    /// TCP port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What for.
    pub endpoints: Vec<&'a Endpoint>,
}

/// A rule by address, and the endpoints that it is for.
#[derive(Clone, Debug)]
pub(crate) struct ByAddress<'a> {
    /// Which addresses.
    pub blocks: Vec<Block>,
    /// TCP port.
    pub port: u16,
    /// What for.
    pub endpoints: Vec<&'a Endpoint>,
}

/// An endpoint that a product cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// `host:port`.
    pub what: String,
    /// Why.
    pub why: String,
}

impl LeftOut {
    /// This endpoint, for this reason.
    pub(crate) fn new(endpoint: &Endpoint, why: impl Into<String>) -> Self {
        let shown = match endpoint.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => endpoint.shown().to_owned(),
        };
        Self { what: format!("{shown}:{}", endpoint.port), why: why.into() }
    }
}

/// Rules by name, in the order in which their first endpoint stands. Names that a wildcard of the same port covers stand
/// with the wildcard: Squid refuses both in one list, and elsewhere the second one is noise.
pub(crate) fn by_name<'a>(
    endpoints: &[&'a Endpoint],
    product: &Product,
    concrete: bool,
) -> (Vec<ByName<'a>>, Vec<LeftOut>) {
    let mut entries: Vec<ByName<'a>> = Vec::new();
    let mut left_out = Vec::new();
    for endpoint in endpoints {
        let names = names(endpoint, concrete || !product.covers_every_depth());
        if product.spell(&names).is_empty() {
            left_out.push(LeftOut::new(endpoint, format!("{} has no wildcard for every depth", product.name)));
            continue;
        }
        let same = entries.iter_mut().find(|entry| {
            (entry.port, entry.protocol) == (endpoint.port, endpoint.protocol) && entry.names.include(&names)
        });
        match same {
            Some(entry) => entry.endpoints.push(endpoint),
            None => {
                let mut entry =
                    ByName { names, port: endpoint.port, protocol: endpoint.protocol, endpoints: vec![endpoint] };
                entries.retain_mut(|other| {
                    let covered = (other.port, other.protocol) == (entry.port, entry.protocol)
                        && entry.names.include(&other.names);
                    if covered {
                        entry.endpoints.append(&mut other.endpoints);
                    }
                    !covered
                });
                entries.push(entry);
            }
        }
    }
    (entries, left_out)
}

fn names(endpoint: &Endpoint, concrete: bool) -> Names {
    let host = Names::Exactly(endpoint.host.clone());
    let Some(wildcard) = &endpoint.wildcard else { return host };
    if concrete && endpoint.representative.is_none() {
        return host;
    }
    match &wildcard.covers {
        Covers::Host(_) => host,
        Covers::Below(domain) => Names::Below { domain: domain.clone(), apex: false },
        Covers::AtAndBelow(domain) => Names::Below { domain: domain.clone(), apex: true },
    }
}

/// Rules by address, and the endpoints that have none.
pub(crate) fn by_address<'a>(endpoints: &[&'a Endpoint]) -> (Vec<ByAddress<'a>>, Vec<LeftOut>) {
    let mut entries: Vec<ByAddress<'a>> = Vec::new();
    let mut left_out = Vec::new();
    for endpoint in endpoints {
        let blocks = match (&endpoint.static_ips, endpoint.address()) {
            (StaticIps::Listed(blocks), _) => blocks.clone(),
            (_, Some(address)) => vec![Block::from(address)],
            (StaticIps::None, None) => {
                left_out.push(LeftOut::new(endpoint, "documented as having no static addresses"));
                continue;
            }
            (StaticIps::Unknown, None) => {
                left_out.push(LeftOut::new(endpoint, "no static addresses are known"));
                continue;
            }
        };
        match entries.iter_mut().find(|entry| entry.port == endpoint.port && entry.blocks == blocks) {
            Some(entry) => entry.endpoints.push(endpoint),
            None => entries.push(ByAddress { blocks, port: endpoint.port, endpoints: vec![endpoint] }),
        }
    }
    (entries, left_out)
}

#[cfg(test)]
mod tests {
    use super::super::product::with_one_label;
    use super::*;
    use crate::network::catalogue::Catalogue;

    fn spelled(product: &Product, concrete: bool, component: &str) -> (Vec<String>, Vec<LeftOut>) {
        let catalogue = Catalogue::shipped();
        let endpoints: Vec<&Endpoint> = catalogue
            .endpoints
            .iter()
            .filter(|endpoint| {
                endpoint.component.as_str() == component && matches!(endpoint.region.as_str(), "us" | "any")
            })
            .collect();
        let (entries, left_out) = by_name(&endpoints, product, concrete);
        (entries.iter().flat_map(|entry| product.spell(&entry.names)).collect(), left_out)
    }

    #[test]
    fn the_vendors_wildcard_in_each_grammar() {
        for (word, agent, collector) in [
            ("squid", &[".endpoint.ingress.rapid7.com"][..], &[".insight.rapid7.com", "s3.amazonaws.com"][..]),
            ("aws-network-firewall", &[".endpoint.ingress.rapid7.com"], &[".insight.rapid7.com", "s3.amazonaws.com"]),
            (
                "azure-firewall",
                &["endpoint.ingress.rapid7.com", "*.endpoint.ingress.rapid7.com"],
                &["*.insight.rapid7.com", "s3.amazonaws.com"],
            ),
            (
                "paloalto",
                &["endpoint.ingress.rapid7.com/", "*.endpoint.ingress.rapid7.com/"],
                &["*.insight.rapid7.com/", "s3.amazonaws.com/"],
            ),
            (
                "fortigate",
                &["endpoint.ingress.rapid7.com", "*.endpoint.ingress.rapid7.com"],
                &["*.insight.rapid7.com", "s3.amazonaws.com"],
            ),
        ] {
            let product = Product::get(word).unwrap();
            assert_eq!(spelled(product, false, "agent").0, agent, "{word}");
            assert_eq!(spelled(product, false, "collector").0, collector, "{word}");
        }
    }

    #[test]
    fn a_wildcard_for_one_label_covers_none_of_the_names_so_they_stand_by_themselves() {
        let product = with_one_label();
        let (names, left_out) = spelled(&product, false, "agent");
        assert_eq!((names.len(), left_out.len()), (8, 0));
        assert!(names.contains(&"us.storage.main.endpoint.ingress.rapid7.com".to_owned()));
        let (names, left_out) = spelled(&product, false, "product");
        assert!(names.contains(&"www.googleapis.com".to_owned()) && !names.iter().any(|name| name.contains("aws")));
        assert!(left_out.iter().any(|left| left.what == "*.amazonaws.com:443"), "{left_out:?}");
        let squid = Product::get("squid").unwrap();
        assert_eq!(spelled(squid, true, "agent").0.len(), 8, "asked for by --concrete");
    }

    #[test]
    fn a_name_below_a_wildcard_stands_with_it_whichever_came_first() {
        let squid = Product::get("squid").unwrap();
        let (names, _) = spelled(squid, false, "product");
        assert!(names.contains(&".googleapis.com".to_owned()), "{names:?}");
        assert!(!names.contains(&"www.googleapis.com".to_owned()), "{names:?}");
        let catalogue = Catalogue::shipped();
        let all: Vec<&Endpoint> = catalogue.endpoints.iter().collect();
        let (entries, _) = by_name(&all, squid, false);
        assert_eq!(entries.iter().map(|entry| entry.endpoints.len()).sum::<usize>(), all.len(), "nothing is lost");
    }

    #[test]
    fn documented_as_none_is_not_unknown() {
        let catalogue = Catalogue::shipped();
        let all: Vec<&Endpoint> =
            catalogue.endpoints.iter().filter(|endpoint| endpoint.component.as_str() == "collector").collect();
        let (entries, left_out) = by_address(&all);
        assert!(entries.is_empty());
        let why = |what: &str| left_out.iter().find(|left| left.what == what).unwrap().why.clone();
        assert_eq!(why("data.insight.rapid7.com:443"), "documented as having no static addresses");
        assert_eq!(why("eu.data.insight.rapid7.com:443"), "no static addresses are known");
    }
}
