//! Names and their addresses: those of /etc/hosts, and new ones for names that are not in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// Names that programs inside can resolve.
#[derive(Default)]
pub(super) struct Names {
    addresses: BTreeMap<String, IpAddr>,
    /// What an address is called when it is asked; a name that was wanted counts more than one of the file.
    called: BTreeMap<IpAddr, String>,
    given: u16,
}

impl Names {
    /// Reads the host's own file (`hosts(5)`); the first address of a name counts.
    pub(super) fn of(file: &str) -> Self {
        let mut names = Self::default();
        for line in file.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words.map(str::to_ascii_lowercase) {
                names.called.entry(address).or_insert_with(|| name.clone());
                names.addresses.entry(name).or_insert(address);
            }
        }
        names
    }

    /// The lines that have to be added to the file so that each of these resolves.
    pub(super) fn wanted<'a>(&mut self, wanted: impl IntoIterator<Item = &'a str>) -> String {
        let mut lines = String::new();
        for name in wanted {
            let name = name.to_ascii_lowercase();
            if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
                // Who is told of an address asks for it, whatever the file calls it.
                self.called.insert(address, address.to_string());
                continue;
            }
            if name.is_empty() {
                continue;
            }
            let address = self.addresses.get(&name).copied().unwrap_or_else(|| {
                // 198.18.0.0/15, which nobody has (RFC 2544).
                self.given += 1;
                let [high, low] = self.given.to_be_bytes();
                let address = IpAddr::V4(Ipv4Addr::new(198, 18, high, low));
                let _ = writeln!(lines, "{address} {name}");
                self.addresses.insert(name.clone(), address);
                address
            });
            self.called.insert(address, name);
        }
        lines
    }

    /// What an address is called.
    pub(super) fn name(&self, address: IpAddr) -> String {
        self.called.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_file_keep_their_addresses_and_others_get_one() {
        let mut names = Names::of("127.0.0.1 localhost\n10.1.2.3 gate Proxy.corp.example # p\n#10.0.0.1 no\n");
        let lines = names.wanted(["proxy.corp.example", "a.example", "10.0.0.9", "[::1]", "a.example"]);
        assert_eq!(lines, "198.18.0.1 a.example\n");
        assert_eq!(names.name("10.1.2.3".parse().unwrap()), "proxy.corp.example");
        assert_eq!(names.name("198.18.0.1".parse().unwrap()), "a.example");
        assert_eq!(names.name("10.0.0.1".parse().unwrap()), "10.0.0.1");
        assert_eq!(names.name("127.0.0.1".parse().unwrap()), "localhost");
        assert_eq!(names.wanted(["127.0.0.1"]), "");
        assert_eq!(names.name("127.0.0.1".parse().unwrap()), "127.0.0.1");
    }
}
