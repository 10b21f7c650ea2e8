//! What the files of the host say today to whoever gave a process its environment.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::names::Names;
use super::origin::Origin;
use crate::clients::Client;
use crate::consumers::judge::{decided_by, judge, shown, wrong};
use crate::consumers::sight::Sight;
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, NAMES, ProxySpec, State, Wanted, Who, place, units};
use crate::docker::{self, Container};
use crate::envfile::unit::Release;
use crate::finding::Finding;
use crate::host::{HostRead, View};
use crate::net::Time;
use crate::platform::Platform;
use crate::product::{Found, own_containers, service_of};
use crate::settings::Settings;
use crate::vendor::prod_env;

/// Reading all files may take so long, and Docker's answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// What says whether a consumer has the proxy.
pub(super) struct Files<'a> {
    host: &'a dyn HostRead,
    platform: Option<&'a Platform>,
    pub(super) home: &'a Path,
    facts: ConsumersFacts,
    pub(super) wanted: Wanted,
    /// All containers of the host, those of the product apart.
    containers: Vec<Container>,
    product: Found,
}

/// What the files of a consumer say today.
pub(super) enum Today {
    /// What is wanted, in this file, which was edited then (seconds since 1970).
    Wanted { file: PathBuf, edited: Option<u64> },
    /// Something else: what a check says of it.
    Else(Box<Finding>),
    /// Another value, in this file, which no check of ours is about.
    Other { file: PathBuf, last: Option<String> },
    /// Nothing, and no check of ours is about it: this file would say it. `last`: a line of a file that comes after whatever a unit's
    /// own files say.
    Nothing { file: Option<PathBuf>, last: Option<String> },
    /// That cannot be told.
    Unknown,
}

impl<'a> Files<'a> {
    /// Looks at the consumers through which these processes came.
    pub(super) fn look(
        host: &'a dyn HostRead,
        platform: Option<&'a Platform>,
        settings: &'a Settings,
        wanted: Wanted,
        whos: &[Who],
    ) -> Self {
        let proxies = &settings.proxies;
        let ask = Ask {
            host,
            platform,
            home: &settings.home,
            http_proxy: proxies.http.as_ref().map(|url| &url.value),
            https_proxy: proxies.https.as_ref().map(|url| &url.value),
            inside: None,
            quiet: true,
            sudo_by: None,
        };
        let facts = consumers::observe(&ask, Some(whos), Time::new(DEADLINE, DEADLINE));
        let time = Time::new(DEADLINE, DEADLINE);
        let (mut containers, mut product) = (Vec::new(), Found::default());
        if whos.contains(&Who::Container) {
            // Without an answer a container is known by its number alone.
            containers = docker::containers(host, time).map(|found| found.read).unwrap_or_default();
            product = own_containers(host, &settings.home, time).unwrap_or_default();
        }
        Self { host, platform, home: &settings.home, facts, wanted, containers, product }
    }

    pub(super) fn facts(&self) -> &ConsumersFacts {
        &self.facts
    }

    /// The container with this beginning of its id.
    pub(super) fn container(&self, id: &str) -> Option<&Container> {
        self.containers.iter().find(|own| own.id.starts_with(id))
    }

    /// The service of the product that a container is.
    pub(super) fn service(&self, id: &str) -> Option<&str> {
        self.product.own.iter().find(|own| own.id.starts_with(id)).map(service_of)
    }

    /// What is said today to whoever started this process. `user`: whose it is.
    pub(super) fn today(&self, origin: &Origin, user: Option<&str>, tls: bool, names: &Names) -> Today {
        match (origin.consumer, &origin.container, &origin.unit) {
            (Some(Who::Container), Some(id), _) if self.service(id).is_some() => self.of_product(tls),
            (Some(Who::Container), ..) => Today::Nothing { file: None, last: None },
            (Some(Who::Systemd), _, Some(unit)) => self.of_unit(unit, tls, names),
            (Some(who), ..) => self.of_consumer(who, user, tls),
            // Nobody knows what it reads; where not even a login has a proxy, that comes first.
            (None, ..) => match self.of_consumer(Who::Login, user, tls) {
                lacks @ Today::Else(_) => lacks,
                _ => Today::Unknown,
            },
        }
    }

    fn of_product(&self, tls: bool) -> Today {
        let all = || self.facts.consumers.iter().filter(|own| own.consumer == Who::ProdEnv && own.state == State::Seen);
        match all().find(|own| self.is_wrong(own, tls)).or_else(|| all().next()) {
            Some(own) if !own.unknown.is_empty() => Today::Unknown,
            Some(own) if self.is_wrong(own, tls) => self.judged(own),
            Some(_) => self.wanted_in(&prod_env(self.home)),
            None => Today::Unknown,
        }
    }

    fn of_consumer(&self, who: Who, user: Option<&str>, tls: bool) -> Today {
        let all = || self.facts.consumers.iter().filter(|own| own.consumer == who);
        let of_user = |own: &&Consumer| own.held.iter().any(|(held, _)| user == Some(held));
        match all().find(of_user).or_else(|| all().next()) {
            // What it will get when it is started again.
            Some(own) if own.next.as_ref().is_some_and(|next| !self.is_wrong(next, tls)) => {
                own.next.as_ref().map_or(Today::Unknown, |next| self.decided(next, tls))
            }
            Some(own) if own.state != State::Seen || !own.unknown.is_empty() => Today::Unknown,
            Some(own) if self.is_wrong(own, tls) => self.judged(own),
            Some(own) => self.decided(own, tls),
            None => Today::Unknown,
        }
    }

    /// A service that no consumer is about, by its own files.
    fn of_unit(&self, unit: &str, tls: bool, names: &Names) -> Today {
        let view = View::new(self.host);
        let release = self.platform.map_or(Release::UNKNOWN, Platform::systemd);
        let service = units::service(&view, unit, release);
        let variables = if tls { ["https_proxy", "HTTPS_PROXY"] } else { ["http_proxy", "HTTP_PROXY"] };
        let sights: Vec<Sight> = variables.iter().filter_map(|name| service.sight(name)).collect();
        if service.refused.is_some() || sights.iter().any(|sight| matches!(sight, Sight::Unknown { .. })) {
            return Today::Unknown;
        }
        let last = NAMES.iter().filter_map(|name| service.sight(name)).find(|sight| is_of_file(&sight.at().path));
        let last = last.map(|sight| sight.at().shown(self.host));
        match sights.iter().find_map(|sight| Some((sight.value()?, sight.at()))) {
            Some((value, at)) => {
                let file = at.path.clone();
                let spec = if tls { &self.wanted.https } else { &self.wanted.http };
                match spec.as_ref().is_some_and(|spec| is_proxy(None, value, spec, names)) {
                    true => Today::Wanted { edited: self.edited(&file), file },
                    false => Today::Other { file, last },
                }
            }
            None => Today::Nothing { file: service.fragment, last },
        }
    }

    fn is_wrong(&self, consumer: &Consumer, tls: bool) -> bool {
        let name = if tls { "https_proxy" } else { "http_proxy" };
        let of_list = |own: &str| own.eq_ignore_ascii_case("no_proxy");
        wrong(consumer, &self.facts, &self.wanted).into_iter().any(|own| own.eq_ignore_ascii_case(name) || of_list(own))
    }

    fn judged(&self, consumer: &Consumer) -> Today {
        let mut finding = judge(consumer, &self.facts, &self.wanted);
        if finding.observed.is_none() {
            finding = finding.observed(shown(consumer, &self.wanted.no_proxy));
        }
        Today::Else(Box::new(finding))
    }

    /// The file that decides, as it has what is wanted.
    fn decided(&self, consumer: &Consumer, tls: bool) -> Today {
        let name = if tls { "https_proxy" } else { "http_proxy" };
        let place = decided_by(consumer, name).map_or(consumer.source.as_str(), |(_, decided)| decided.shown.as_str());
        let file = place.rsplit_once(':').filter(|(_, line)| line.parse::<u32>().is_ok());
        let file = file.map_or(place, |(file, _)| file);
        self.wanted_in(Path::new(file))
    }

    fn wanted_in(&self, file: &Path) -> Today {
        Today::Wanted { file: file.to_path_buf(), edited: self.edited(file) }
    }

    /// When a file was edited last.
    fn edited(&self, file: &Path) -> Option<u64> {
        let nanos = self.host.snapshot(file).ok()??.attributes.mtime?;
        u64::try_from(nanos / 1_000_000_000).ok()
    }
}

/// Is it a file of `EnvironmentFile=`, and none of systemd's own, whose `Environment=` comes before it?
fn is_of_file(path: &Path) -> bool {
    let of_systemd = path.components().any(|part| part.as_os_str() == "systemd");
    !(of_systemd && path.extension().is_some_and(|extension| extension == "conf" || extension == "service"))
}

/// Does a value lead to this proxy, as this client reads it: by its name, or by an address that it is known to have?
pub(super) fn is_proxy(client: Option<&Client>, value: &str, spec: &ProxySpec, names: &Names) -> bool {
    let Some((_, host, Some(port))) = place(client, value) else { return false };
    let is_address = |address: IpAddr| names.all(&spec.host).any(|own| own == address.to_canonical());
    let by_address = || host.trim_matches(['[', ']']).parse().is_ok_and(is_address);
    port == spec.port && (host.eq_ignore_ascii_case(&spec.host) || by_address())
}

#[cfg(test)]
pub(super) mod tests;
