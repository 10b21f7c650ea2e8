//! The addresses that a network namespace has itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::host::HostRead;

/// The addresses of the namespace that a process is in; what cannot be read says nothing.
pub(crate) fn addresses(host: &dyn HostRead, pid: u32) -> BTreeSet<IpAddr> {
    let read = |name: &str| host.read(format!("/proc/{pid}/net/{name}").as_ref()).ok().flatten().unwrap_or_default();
    let four = of_routes(&String::from_utf8_lossy(&read("fib_trie")));
    four.into_iter().chain(of_interfaces(&String::from_utf8_lossy(&read("if_inet6")))).collect()
}

/// Those of `/proc/net/fib_trie`: the routes of one address that lead to the host itself.
fn of_routes(text: &str) -> Vec<IpAddr> {
    let mut last = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<IpAddr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found
}

/// Those of `/proc/net/if_inet6`, whose digits stand in the order of the network.
fn of_interfaces(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let hex = line.split_ascii_whitespace().next().filter(|hex| hex.len() == 32)?;
        u128::from_str_radix(hex, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn addresses_of_both_families_are_found() {
        let host = MemoryHost::new();
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 172.17.0.2\n        \
                    /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n";
        host.put("/proc/7/net/fib_trie", trie.as_bytes());
        host.put("/proc/7/net/if_inet6", b"fd000000000000000000000000000005 02 40 00 80     eth0\nodd\n");
        let expected = ["127.0.0.1", "172.17.0.2", "fd00::5"].map(|text| text.parse().unwrap());
        assert_eq!(addresses(&host, 7), expected.into());
        assert!(addresses(&host, 8).is_empty());
    }
}
