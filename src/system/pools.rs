//! Which addresses Docker has taken for its networks, and which it would take next.
//!
//! Sources: moby/moby `libnetwork/ipamutils/utils.go` (the pools that it has without `default-address-pools`),
//! `libnetwork/network.go` (`requestPoolHelper`: a pool that a route of the host or a name server lies in is passed over, a
//! default route is none), read 2026-11-29.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::forwarding::ROUTES;
use super::{Seen, text};
use crate::environment::daemon_json;
use crate::host::HostRead;
use crate::net::{Time, resolve};
use crate::vendor::Vendor;

/// The addresses of this host.
const OWN: &str = "/proc/self/net/fib_trie";
const OWN_6: &str = "/proc/self/net/if_inet6";

/// No more networks are counted through for the next free one.
const MOST: u32 = 4096;

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolsFacts {
    /// Networks that this host has a route to, default routes left out.
    pub(crate) routes: Vec<Route>,
    /// The pools, each with the length of the networks that are taken from it.
    pub(crate) pools: Vec<(Network, u8)>,
    /// The network of the engine's own bridge, where `daemon.json` says it.
    pub(crate) bip: Option<Network>,
    /// Whom the product or its containers have to reach, with an address that is not this host's: what it is, its address.
    pub(crate) needed: Vec<(String, Ipv4Addr)>,
}

/// A route of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    /// Where to.
    pub(crate) network: Network,
    /// Through which interface.
    pub(crate) interface: String,
}

impl Route {
    /// Is it to containers?
    pub(crate) fn is_docker(&self) -> bool {
        is_bridge(&self.interface)
    }
}

/// Is that interface a bridge of Docker's? It names them `docker0` and `br-` with twelve digits of the network's id.
pub(crate) fn is_bridge(interface: &str) -> bool {
    let id = interface.strip_prefix("br-").unwrap_or_default();
    interface == "docker0" || (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A network of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Network {
    address: u32,
    length: u8,
}

impl Network {
    fn new(address: Ipv4Addr, length: u8) -> Option<Self> {
        let length = (length <= 32).then_some(length)?;
        Some(Self { address: u32::from(address) & mask(length), length })
    }

    /// `172.17.0.0/16`; the address may be one within the network.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        Self::new(address.parse().ok()?, length.parse().ok()?)
    }

    /// Does the address lie in it?
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.length) == self.address
    }

    fn overlaps(&self, other: &Self) -> bool {
        let length = self.length.min(other.length);
        self.address & mask(length) == other.address & mask(length)
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.address), self.length)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("no network: {text}"))
    }
}

impl PoolsFacts {
    /// The networks that the next ones would get: the engine's own, where it has none yet, then one of a project.
    pub(crate) fn next(&self) -> Vec<Network> {
        let has_own = self.routes.iter().any(|route| route.interface == "docker0");
        let mut next: Vec<Network> = self.bip.into_iter().filter(|_| !has_own).collect();
        let wanted = if has_own { 1 } else { 2 };
        let all = self.pools.iter().flat_map(|(pool, length)| {
            let count = 1_u32.checked_shl(u32::from(length.saturating_sub(pool.length))).unwrap_or(MOST).min(MOST);
            let step = 1_u32.checked_shl(32 - u32::from((*length).min(32))).unwrap_or(0);
            let at = move |index: u32| pool.address.wrapping_add(index.wrapping_mul(step));
            (0..count).filter_map(move |index| Network::new(Ipv4Addr::from(at(index)), *length))
        });
        for network in all {
            if next.len() >= wanted {
                break;
            }
            let is_taken = self.routes.iter().any(|route| route.network.overlaps(&network))
                || next.iter().any(|own| own.overlaps(&network));
            if !is_taken {
                next.push(network);
            }
        }
        next
    }
}

/// Looks at routes, `daemon.json`, name servers, and where these hosts are: what each is, its name or address, its port.
pub(crate) fn observe(host: &dyn HostRead, hosts: &[(&str, &str, u16)], time: Time) -> Seen<PoolsFacts> {
    if !host.is_live() {
        return Seen::Image;
    }
    let table = match text(host, ROUTES[0]) {
        Ok(table) => table.unwrap_or_default(),
        Err(why) => return Seen::Unread(why),
    };
    let own = match text(host, OWN) {
        Ok(own) => locals(&own.unwrap_or_default()),
        Err(why) => return Seen::Unread(why),
    };
    let file = &Vendor::get().docker.daemon_json;
    let bytes = match host.read(file) {
        Ok(bytes) => bytes,
        Err(error) => return Seen::Unread(super::unread(&host.shown(file), &error)),
    };
    // With one that is no JSON there is no daemon: that is told elsewhere.
    let json = bytes.and_then(|bytes| daemon_json(&bytes).ok()).unwrap_or_default();
    let chosen: Vec<(Network, u8)> = json.members.get("default-address-pools").map(pools).unwrap_or_default();
    let built_in = || Vendor::get().docker.pools.iter().filter_map(|(base, size)| Some((Network::parse(base)?, *size)));
    let mut needed: Vec<(String, Ipv4Addr)> = Vec::new();
    let mut need = |what: String, address: Ipv4Addr| {
        let is_other = !address.is_loopback() && !address.is_link_local() && !own.contains(&address);
        if is_other && !needed.iter().any(|(_, known)| *known == address) {
            needed.push((what, address));
        }
    };
    for server in name_servers(&text(host, "/etc/resolv.conf").ok().flatten().unwrap_or_default()) {
        need("a name server".to_owned(), server);
    }
    for (what, name, port) in hosts {
        // A name that has no address is told of by who looks for it.
        for address in resolve(name, *port, time).unwrap_or_default() {
            if let IpAddr::V4(address) = address.ip() {
                need(format!("{what} ({name})"), address);
            }
        }
    }
    Seen::Is(PoolsFacts {
        routes: table.lines().filter_map(route).collect(),
        pools: if chosen.is_empty() { built_in().collect() } else { chosen },
        bip: json.bridge_ip.as_deref().and_then(Network::parse),
        needed,
    })
}

/// The addresses of this host; with or without those of Docker's bridges, which are alike on many hosts. What cannot be read has
/// none.
pub(crate) fn own_addresses(host: &dyn HostRead, bridges: bool) -> Vec<IpAddr> {
    let [own, own_6, table] = [OWN, OWN_6, ROUTES[0]].map(|path| text(host, path).ok().flatten().unwrap_or_default());
    let routes: Vec<Route> = table.lines().filter_map(route).filter(Route::is_docker).collect();
    let is_one = |own: &Ipv4Addr| bridges || !routes.iter().any(|route| route.network.has(*own));
    let ipv4 = locals(&own).into_iter().filter(is_one).map(IpAddr::from);
    let is_one_6 = |(_, interface): &(Ipv6Addr, &str)| bridges || !is_bridge(interface);
    ipv4.chain(own_6.lines().filter_map(local_6).filter(is_one_6).map(|(own, _)| own.into())).collect()
}

/// `fd000000000000000000000000000005 02 40 00 80 eth0`; those of a link are no names of a host.
fn local_6(line: &str) -> Option<(Ipv6Addr, &str)> {
    let mut words = line.split_ascii_whitespace();
    let address = Ipv6Addr::from(u128::from_str_radix(words.next()?, 16).ok()?);
    Some((address, words.nth(4)?)).filter(|_| !address.is_unicast_link_local())
}

/// `[{"base": "10.200.0.0/16", "size": 24}, …]`
fn pools(value: &serde_json::Value) -> Vec<(Network, u8)> {
    let entries = value.as_array().into_iter().flatten();
    let entry = |entry: &serde_json::Value| {
        let base = Network::parse(entry["base"].as_str()?)?;
        let size = u8::try_from(entry["size"].as_u64()?).ok()?;
        (base.length..=32).contains(&size).then_some((base, size))
    };
    entries.filter_map(entry).collect()
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`; no default route.
fn route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, destination, _, _, _, _, _, mask, ..] = words[..] else { return None };
    let number = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|word| u32::from_be_bytes(word.to_ne_bytes()));
    let (address, mask) = (number(destination)?, number(mask)?);
    let length = u8::try_from(mask.leading_ones()).ok().filter(|length| *length > 0)?;
    Some(Route { network: Network::new(address.into(), length)?, interface: interface.to_owned() })
}

/// The addresses behind which the table says `/32 host LOCAL`.
fn locals(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

fn name_servers(text: &str) -> Vec<Ipv4Addr> {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    servers.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::MemoryHost;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn facts(routes: &[(&str, &str)], bip: Option<&str>, pools: &[(&str, u8)]) -> PoolsFacts {
        let of =
            |(text, interface): &(&str, &str)| Route { network: network(text), interface: (*interface).to_owned() };
        PoolsFacts {
            routes: routes.iter().map(of).collect(),
            pools: pools.iter().map(|(base, size)| (network(base), *size)).collect(),
            bip: bip.and_then(Network::parse),
            needed: Vec::new(),
        }
    }

    #[test]
    fn the_next_network_is_the_first_that_nothing_of_this_host_lies_in() {
        let built_in: Vec<(&str, u8)> =
            Vendor::get().docker.pools.iter().map(|(base, size)| (base.as_str(), *size)).collect();
        let next = |routes: &[(&str, &str)], bip, pools: &[(&str, u8)]| {
            facts(routes, bip, pools).next().iter().map(Network::to_string).collect::<Vec<_>>()
        };
        assert_eq!(next(&[], None, &built_in), ["172.17.0.0/16", "172.18.0.0/16"]);
        assert_eq!(next(&[], Some("10.9.0.1/24"), &built_in), ["10.9.0.0/24", "172.17.0.0/16"]);
        let own = [("172.17.0.0/16", "docker0"), ("172.18.5.0/24", "eth0"), ("172.20.0.0/15", "br-0123456789ab")];
        assert_eq!(next(&own, None, &built_in), ["172.19.0.0/16"]);
        let most = [("172.16.0.0/12", "eth0"), ("192.168.0.0/20", "eth1")];
        assert_eq!(next(&most, None, &built_in), ["192.168.16.0/20", "192.168.32.0/20"]);
        let chosen = [("10.200.0.0/16", 24)];
        assert_eq!(next(&[("10.200.0.0/24", "docker0")], None, &chosen), ["10.200.1.0/24"]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn files_of_the_kernel_and_of_docker_are_read() {
        let line = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0";
        let found = route(line).unwrap();
        assert_eq!((found.network, found.is_docker()), (network("172.17.0.0/16"), true));
        assert_eq!(route("eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0"), None);
        assert_eq!(route("Iface\tDestination\tGateway"), None);
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.5\n        /32 host LOCAL\n";
        assert_eq!(locals(trie), [Ipv4Addr::new(10, 0, 0, 5)]);
        let own = "20010db8000000000000000000000005 02 40 00 80     eth0\nfe800000000000000042acfffe110002 03 40 20 80  docker0\n\
                   fd000000000000000000000000000001 04 40 00 80 br-0123456789ab\n";
        let routes = format!("{line}\neth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        let trie = format!("{trie}     |-- 172.17.0.1\n        /32 host LOCAL\n");
        let host = MemoryHost::new().with(OWN, trie).with(OWN_6, own).with(ROUTES[0], routes);
        let own = |bridges| own_addresses(&host, bridges).iter().map(IpAddr::to_string).collect::<Vec<_>>();
        assert_eq!(own(false), ["10.0.0.5", "2001:db8::5"]);
        assert_eq!(own(true), ["10.0.0.5", "172.17.0.1", "2001:db8::5", "fd00::1"]);
        let value =
            serde_json::json!([{"base": "10.1.0.0/16", "size": 24}, {"base": "x"}, {"base": "10.0.0.0/16", "size": 8}]);
        assert_eq!(pools(&value), [(network("10.1.0.0/16"), 24)]);
        assert_eq!(
            name_servers("nameserver 10.0.0.2\n# nameserver 1.1.1.1\nnameserver fe80::1\n"),
            [Ipv4Addr::new(10, 0, 0, 2)]
        );
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(table in "[a-z0-9\\t .|/+LOCA\\n-]{0,200}", size in 0_u64..300, text in "[0-9./]{0,20}") {
            let _ = (locals(&table), table.lines().filter_map(route).count(), name_servers(&table));
            let value = serde_json::json!([{"base": text, "size": size}]);
            let facts = PoolsFacts { pools: pools(&value), ..PoolsFacts::default() };
            prop_assert!(facts.next().len() <= 2);
        }
    }
}
