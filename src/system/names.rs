//! What this host says of names: its hosts file, and the name servers that containers on it come to ask.
//!
//! Sources: moby/moby `libnetwork/resolvconf` (`Path`: where the one server is 127.0.0.53, the file of systemd-resolved),
//! `libnetwork/sandbox_dns_unix.go` (`setupDNS`, `rebuildDNS`: servers, search domains and options of the host's file, loopback
//! servers asked from the host's network), `libnetwork/resolver.go` (`ndots:0`; where the host's file has `ndots`, a name of
//! one label is not passed on alone). Read 2026-11-29; measured with 20.10.24 in its own bridge and in a network of a project: names
//! of the host's hosts file are unknown, a name of one label is found through the host's search domain.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use crate::host::HostRead;
use crate::net::{Listed, Time, listed};

/// The hosts file.
pub(crate) const HOSTS: &str = "/etc/hosts";

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The servers and domains that systemd-resolved has from elsewhere.
const OF_RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// The address at which systemd-resolved stands for them.
const STUB: [u8; 4] = [127, 0, 0, 53];

/// No more domains are tried.
const MOST_DOMAINS: usize = 6;

/// The names of a hosts file with their addresses, line by line.
pub(crate) fn hosts_file(text: &str) -> impl Iterator<Item = (IpAddr, impl Iterator<Item = &str>)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words))
    })
}

/// The address that a hosts file gives a name.
pub(crate) fn in_hosts_file(text: &str, name: &str) -> Option<IpAddr> {
    hosts_file(text).find_map(|(address, mut names)| names.any(|own| own.eq_ignore_ascii_case(name)).then_some(address))
}

/// Whom a container asks for names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolvers {
    servers: Vec<IpAddr>,
    domains: Vec<String>,
    /// A name of one label is asked for with a domain behind it alone.
    never_bare: bool,
}

impl Resolvers {
    /// Of containers in a bridge network of Docker that are told nothing else.
    ///
    /// # Errors
    /// A file cannot be read: whom they ask is not known then.
    pub(crate) fn of_containers(host: &dyn HostRead) -> io::Result<Self> {
        let text = |path: &str| match host.read(Path::new(path)) {
            Ok(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(None) => Ok(String::new()),
            Err(error) => Err(error),
        };
        let mut found = Self::parse(&text(RESOLV_CONF)?);
        if found.servers == [IpAddr::from(STUB)] {
            found = Self::parse(&text(OF_RESOLVED)?);
        }
        Ok(found)
    }

    /// The same with what the daemon, or a container, is told to ask in their place; a domain `.` is none.
    pub(crate) fn told(mut self, servers: &[IpAddr], domains: &[String]) -> Self {
        if !servers.is_empty() {
            self.servers = servers.to_vec();
        }
        if !domains.is_empty() {
            self.domains = domains.iter().filter(|domain| *domain != ".").take(MOST_DOMAINS).cloned().collect();
        }
        self
    }

    /// As `resolv.conf(5)`: the last `search` or `domain` counts.
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => found.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
                Some("search" | "domain") => {
                    found.domains = words.filter(|word| *word != ".").map(str::to_owned).take(MOST_DOMAINS).collect();
                }
                Some("options") => found.never_bare |= words.any(|word| word.starts_with("ndots:")),
                _ => {}
            }
        }
        found
    }

    /// What they say of a name, with each domain behind it where it does not end in a dot.
    pub(crate) fn listed(&self, name: &str, time: Time) -> Listed {
        let is_bare = !name.trim_end_matches('.').contains('.');
        let alone = (!(is_bare && self.never_bare)).then(|| name.to_owned());
        let domains = self.domains.iter().filter(|_| !name.ends_with('.'));
        let mut said = Listed::Unanswered;
        for name in alone.into_iter().chain(domains.map(|domain| format!("{name}.{domain}"))) {
            match listed(&name, &self.servers, time) {
                Listed::Yes => return Listed::Yes,
                Listed::No => said = Listed::No,
                // Who does not answer once is not waited for again.
                Listed::Unanswered => return said,
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn names_of_the_hosts_file_are_known_whatever_their_case() {
        let text = "10.0.0.1 x P.Corp # y\n# 10.0.0.2 z\nfe80::1 six\n";
        assert_eq!(in_hosts_file(text, "p.corp"), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(in_hosts_file(text, "six"), "fe80::1".parse().ok());
        assert_eq!((in_hosts_file(text, "y"), in_hosts_file(text, "z")), (None, None));
    }

    #[test]
    fn containers_ask_whom_docker_passes_their_questions_to() {
        let host = MemoryHost::new();
        assert_eq!(Resolvers::of_containers(&host).unwrap(), Resolvers::default());
        host.put(RESOLV_CONF, b"domain old\nsearch a.corp b.corp\nnameserver 127.0.0.53\noptions edns0 ndots:2\n");
        host.put(OF_RESOLVED, b"nameserver 10.0.0.53\nnameserver fd00::53\nsearch c.corp .\n");
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let seen = Resolvers::of_containers(&host).unwrap();
        assert_eq!(seen.servers, [address("10.0.0.53"), address("fd00::53")]);
        assert_eq!((seen.domains.as_slice(), seen.never_bare), (&["c.corp".to_owned()][..], false));
        // A second server, and systemd-resolved is one of several.
        host.put(RESOLV_CONF, b"nameserver 127.0.0.53\nnameserver 10.0.0.1\noptions ndots:2\n");
        let seen = Resolvers::of_containers(&host).unwrap();
        assert!(seen.servers.len() == 2 && seen.never_bare && seen.domains.is_empty());
        let seen = seen.told(&[address("10.0.0.9")], &["d.corp".to_owned(), ".".to_owned()]).told(&[], &[]);
        assert_eq!((seen.servers, seen.domains), (vec![address("10.0.0.9")], vec!["d.corp".to_owned()]));
    }
}
