//! What hosts that a consumer is told to ask are in its own network: in a container loopback is the container, and names are
//! known by Docker itself, by the container's own hosts file and by name servers, and by nothing else that this host knows.
//!
//! Sources: Docker's documentation of bridge networks and of `--add-host` (`host-gateway`, 20.10); moby/moby
//! `libnetwork/etchosts` (a hosts file of its own), see also [`crate::system::names`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::astray::{Astray, Fault, Mode, Servers, Site};
use super::reader::FileProbe;
use super::{Consumer, docker};
use crate::docker::compose::{At, Got, Network, Stop};
use crate::host::Command;
use crate::net::{Listed, resolve};
use crate::settings::{Key, Layer, ProxyUrl, by_key, host_alone, host_shown};
use crate::system::names::{Resolvers, in_hosts_file};
use crate::vendor::{Generation, Vendor};

/// How long all questions about one name may take.
const LIMIT: Duration = Duration::from_secs(3);

impl FileProbe<'_> {
    /// The consumer with those of its proxies that are not where its containers look for them.
    pub(super) fn placed(&mut self, mut consumer: Consumer, site: &Site) -> Consumer {
        if site.network != Network::Bridge {
            return consumer;
        }
        let proxies: Vec<_> = consumer.urls().map(|(name, value)| (name, value.clone())).collect();
        for (name, value) in proxies {
            let Some(host) = ProxyUrl::parse(&value.shown).ok().map(|url| url.host) else { continue };
            let at =
                consumer.decided.get(name).map_or_else(|| consumer.source.clone(), |decided| decided.shown.clone());
            let host = host.to_string();
            // Whether a proxy has an address is told by who asks it.
            if let Some(fault) = self.fault(&host, site).filter(|fault| !matches!(fault, Fault::Untold { .. })) {
                consumer.astray.push(Astray { variable: name.to_owned(), host, at, fault });
            }
        }
        consumer
    }

    /// Hosts and ports of the back ends that are not what is meant, or cannot be told; the host's own network knows what this
    /// host knows.
    pub(super) fn back_ends(&mut self, gets: &BTreeMap<&String, &Got>, site: &Site) -> Vec<Astray> {
        let known = |(name, got): (&&String, &&Got)| Some(((*name).clone(), got.value.clone().ok()?, got.at.clone()));
        let values: Vec<_> = gets.iter().filter_map(known).collect();
        let untold = |(name, got): (&&String, &&Got)| {
            let fault = Fault::Untold { why: (*got.value.as_ref().err()?).into() };
            Some(Astray { variable: (*name).clone(), host: String::new(), at: self.line(&got.at), fault })
        };
        let mut found: Vec<Astray> = gets.iter().filter_map(untold).collect();
        let provider = &Vendor::get().secrets_provider.variable;
        let has_secret = values.iter().any(|(name, value, _)| name == provider && !value.is_empty());
        for (variable, value, at) in &values {
            let Some(key) = Vendor::get().setting_of(variable).and_then(by_key).map(|spec| spec.key) else { continue };
            if has_secret && key.is_in("mysql") {
                // A line that counts for nothing.
                continue;
            }
            let fault = match key {
                Key::MysqlPort | Key::RedisPort => {
                    let wrong = value.is_empty() || Layer::wrong(key.spec(), value).is_some();
                    wrong.then_some(Fault::NoPort)
                }
                Key::MysqlHost | Key::RedisHost => match host_alone(value) {
                    Err(what) => {
                        let of_key =
                            values.iter().filter(|(name, ..)| Vendor::get().setting_of(name) == Some(key.as_str()));
                        let meant = |value: &str| match host_alone(value) {
                            Ok(()) => Some((value.to_owned(), None)),
                            Err(other) => other.meant.map(|meant| (meant.host, meant.port)),
                        };
                        let agreed = of_key.map(|(_, other, _)| meant(other)).all(|other| other == meant(value));
                        Some(Fault::NoHost { what, agreed })
                    }
                    Ok(()) if site.network == Network::Bridge => {
                        // What no compose file tells of may be a service all the same.
                        let may_be_service = !site.whole && !value.contains('.') && self.names.mode == Mode::Image;
                        self.fault(value, site)
                            .filter(|fault| !(may_be_service && matches!(fault, Fault::Unlisted { .. })))
                    }
                    Ok(()) => None,
                },
                _ => None,
            };
            if let Some(fault) = fault {
                found.push(Astray { variable: variable.clone(), host: host_shown(value), at: self.line(at), fault });
            }
        }
        found
    }

    /// All of them, where the files stop telling.
    pub(super) fn untold(&self, stop: &Stop) -> Vec<Astray> {
        let fault = Fault::Untold { why: stop.why.clone() };
        let one = |name: &str| Astray {
            variable: name.to_owned(),
            host: String::new(),
            at: self.line(&stop.at),
            fault: fault.clone(),
        };
        variables().map(one).collect()
    }

    /// `/divvycloud/prod.env:4`.
    fn line(&self, at: &At) -> String {
        let shown = self.shown(&at.path);
        if at.line == 0 { shown } else { format!("{shown}:{}", at.line) }
    }

    /// What a host is in a container; `None`: what is meant.
    fn fault(&mut self, host: &str, site: &Site) -> Option<Fault> {
        let name = host.to_ascii_lowercase();
        let name = name.trim_matches(['[', ']']);
        if let Ok(address) = name.parse::<IpAddr>() {
            return (address.is_loopback() || address.is_unspecified()).then_some(Fault::Itself);
        }
        if name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain" {
            return Some(Fault::Itself);
        }
        // The vendor's own names of containers are judged where it is known which deployment this is.
        let is_vendors = Vendor::get().no_proxy.base.iter().any(|own| own == name);
        if is_vendors || site.answers.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return None;
        }
        let key = (name.to_owned(), site.servers.clone(), site.domains.clone());
        if let Some(known) = self.names.known.get(&key) {
            return known.clone();
        }
        let fault = self.of_name(name, site);
        self.names.known.insert(key, fault.clone());
        fault
    }

    /// Whom the containers of a site ask. Without a server there is no answer.
    fn resolvers(&mut self, site: &Site) -> Resolvers {
        let usual = self.names.resolvers.take().unwrap_or_else(|| {
            let own = Resolvers::of_containers(self.host);
            let told = docker::for_containers(self.host, self.systemd(), self.limit());
            let both = own.and_then(|own| told.map(|told| own.told(&told.dns, &told.dns_search)));
            both.unwrap_or_default()
        });
        self.names.resolvers.insert(usual).clone().told(&site.servers, &site.domains)
    }

    fn of_name(&mut self, name: &str, site: &Site) -> Option<Fault> {
        let time = self.time.at_most(self.at_most(LIMIT));
        let servers = match self.names.mode {
            Mode::Quiet => return None,
            Mode::Image => Servers::NotAsked,
            Mode::Live => match self.resolvers(site).listed(name, time) {
                Listed::Yes => return None,
                Listed::No => Servers::No,
                Listed::Unanswered => Servers::Silent,
            },
        };
        let of_use =
            |address: IpAddr| Some(address).filter(|address| !address.is_loopback() && !address.is_unspecified());
        if let Some(address) = in_hosts_file(&self.names.hosts, name) {
            return Some(Fault::HostsFile { address: of_use(address), servers });
        }
        match servers {
            Servers::No => {
                let own = resolve(name, 0, time).ok().and_then(|found| found.first().map(|address| address.ip()));
                Some(Fault::Unlisted { address: own.and_then(of_use), servers })
            }
            Servers::Silent => Some(Fault::Untold { why: "no name server answers for it".into() }),
            Servers::NotAsked => {
                let by_other_means = !name.contains('.') || name.ends_with(".local");
                by_other_means.then_some(Fault::Unlisted { address: None, servers })
            }
        }
    }

    /// The address of this host in Docker's own bridge, which containers of every network reach.
    pub(super) fn bridge(&self) -> IpAddr {
        let argv = ["ip", "-4", "-o", "addr", "show", "dev", "docker0"];
        let command = Command { deadline: self.limit(), ..Command::new(argv) };
        let said = self.host.query(&command).ok().filter(|output| output.code == Some(0));
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let of_kernel = said.split_whitespace().skip_while(|word| *word != "inet").nth(1).map(str::to_owned);
        // A file that cannot be read is told by the daemon's own consumer.
        let told = || docker::for_containers(self.host, self.systemd(), self.limit()).ok()?.bridge_ip;
        let address = of_kernel.or_else(told);
        let address = address.and_then(|own| own.split('/').next()?.parse().ok());
        address.unwrap_or(Vendor::get().docker.bridge)
    }
}

/// Variables of `prod.env` that name hosts and ports of the back ends, and the one that outranks those of the databases.
pub(super) fn variables() -> impl Iterator<Item = &'static str> {
    let keys = [Key::MysqlHost, Key::MysqlPort, Key::RedisHost, Key::RedisPort];
    let generations = [Generation::Current, Generation::Older].into_iter();
    let all = generations.flat_map(move |generation| {
        keys.into_iter().flat_map(move |key| Vendor::get().variables(generation, key.as_str()))
    });
    // Both generations have the same names for Redis.
    all.chain([&Vendor::get().secrets_provider.variable]).map(String::as_str).collect::<BTreeSet<_>>().into_iter()
}
