//! Which endpoints the settings call for.

use super::{ANY, Block, COLLECTOR, Catalogue, Component, Endpoint, StaticIps, host_name};
use crate::finding::{Finding, Status, ids};
use crate::host::HostRead;
use crate::problem::{Problem, id};
use crate::settings::{Deployment, Key, Layers};
use crate::system::cloud::{self, Cloud};
use crate::text;
use crate::text::{Text, ics_setup, nearest, own, typed};
use crate::version::Version;

/// What the settings say that decides about endpoints.
#[derive(Clone, Debug)]
pub(crate) struct EndpointNeeds {
    deployment: Deployment,
    /// `None`: not named, or no number; then no endpoint is left out for its release.
    release: Option<Version>,
    region: Option<String>,
    collectors: Vec<String>,
    clouds: Clouds,
}

/// Which clouds the product connects to.
#[derive(Clone, Debug)]
enum Clouds {
    /// Nobody says; whether others are connected than the one that the host is seen to be in, nothing tells.
    Unsaid(Option<Cloud>),
    /// These and no others.
    Said(Vec<Cloud>),
}

impl Clouds {
    /// Are accounts of this cloud connected? `None`: nobody knows.
    fn connects(&self, cloud: Cloud) -> Option<bool> {
        match self {
            Self::Unsaid(found) => (*found == Some(cloud)).then_some(true),
            Self::Said(clouds) => Some(clouds.contains(&cloud)),
        }
    }
}

impl EndpointNeeds {
    /// The settings that decide.
    pub(crate) const KEYS: [Key; 5] =
        [Key::Deployment, Key::Release, Key::AgentRegion, Key::AgentCollector, Key::Clouds];

    /// Reads [`Self::KEYS`]. The cloud that the host is seen to be in counts where nobody names clouds.
    ///
    /// # Errors
    /// A region that the catalogue does not have, a Collector that is no host.
    pub(crate) fn of(layers: &Layers, catalogue: &Catalogue, host: &dyn HostRead) -> Result<Self, Problem> {
        Ok(Self::with(layers, region(layers, catalogue)?, collectors(layers)?, Some(host)))
    }

    /// The same, where a region or a Collector that is none is told of elsewhere: what it would call for is left out.
    pub(crate) fn known(layers: &Layers, catalogue: &Catalogue, host: &dyn HostRead) -> Self {
        let region = region(layers, catalogue).ok().flatten();
        Self::with(layers, region, collectors(layers).unwrap_or_default(), Some(host))
    }

    /// What the settings alone call for, wherever the host is.
    ///
    /// # Errors
    /// As of [`Self::of`].
    pub(crate) fn anywhere(layers: &Layers, catalogue: &Catalogue) -> Result<Self, Problem> {
        Ok(Self::with(layers, region(layers, catalogue)?, collectors(layers)?, None))
    }

    fn with(layers: &Layers, region: Option<String>, collectors: Vec<String>, host: Option<&dyn HostRead>) -> Self {
        let text = |key| layers.get(key).map(|setting| setting.value.as_str());
        Self {
            deployment: match text(Key::Deployment) {
                Some("test-drive") => Deployment::TestDrive,
                _ => Deployment::Production,
            },
            release: text(Key::Release).and_then(|text| Version::parse(text.trim_start_matches(['v', 'V']))),
            region,
            collectors,
            clouds: match text(Key::Clouds) {
                Some(list) => Clouds::Said(Cloud::of_list(list)),
                None => Clouds::Unsaid(host.and_then(cloud::connected)),
            },
        }
    }

    /// Are accounts of the endpoint's cloud connected? `None`: nobody knows, or it is of none.
    fn connects(&self, endpoint: &Endpoint) -> Option<bool> {
        self.clouds.connects(endpoint.only.cloud?)
    }

    fn call_for(&self, endpoint: &Endpoint) -> bool {
        let only = &endpoint.only;
        let region = endpoint.region == ANY || self.region.as_ref() == Some(&endpoint.region);
        let with_collector = !only.with_collector || !self.collectors.is_empty();
        let deployment = only.deployment.is_none_or(|deployment| deployment == self.deployment);
        let release = self.release.as_ref().is_none_or(|release| {
            only.from_release.as_ref().is_none_or(|from| from <= release)
                && only.below_release.as_ref().is_none_or(|below| release < below)
        });
        let in_any_case = only.or_deployment == Some(self.deployment);
        // The agent's part is called for by naming its region.
        let asked = match endpoint.component {
            Component::Agent | Component::Collector => self.region.is_some(),
            Component::Product | Component::Install | Component::AgentToCollector => true,
        };
        let connected = self.connects(endpoint) != Some(false);
        asked && region && with_collector && connected && ((deployment && release) || in_any_case)
    }
}

/// The data region that is named.
fn region(layers: &Layers, catalogue: &Catalogue) -> Result<Option<String>, Problem> {
    match layers.get(Key::AgentRegion) {
        Some(setting) if !catalogue.regions.contains_key(&setting.value) => {
            Err(no_region(text!("{}", own(&setting.origin)), &setting.value, catalogue))
        }
        setting => Ok(setting.map(|setting| setting.value.clone())),
    }
}

/// The hosts of Collectors that are named.
fn collectors(layers: &Layers) -> Result<Vec<String>, Problem> {
    let Some(setting) = layers.get(Key::AgentCollector) else { return Ok(Vec::new()) };
    let hosts = setting.value.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts
        .map(|host| {
            host_name(host).map_err(|why| {
                Problem::settings(id::SETTING_INVALID, text!("{}: {}", own(&setting.origin), why))
                    .hint(text!("name its host: {}", typed("--collector collector.corp.example")))
            })
        })
        .collect()
}

/// The endpoints that the settings call for, in the catalogue's order, each Collector in its place.
pub(crate) fn required_endpoints(catalogue: &Catalogue, calls: &EndpointNeeds) -> Vec<Endpoint> {
    catalogue
        .endpoints
        .iter()
        .filter(|endpoint| calls.call_for(endpoint))
        .flat_map(|endpoint| in_place(endpoint, calls))
        .filter(|endpoint| endpoint.host != COLLECTOR)
        .collect()
}

/// All endpoints; where no Collector is named, [`COLLECTOR`] stands in its place.
pub(crate) fn all(catalogue: &Catalogue, calls: &EndpointNeeds) -> Vec<Endpoint> {
    catalogue.endpoints.iter().flat_map(|endpoint| in_place(endpoint, calls)).collect()
}

fn in_place(endpoint: &Endpoint, calls: &EndpointNeeds) -> Vec<Endpoint> {
    if calls.connects(endpoint) == Some(true) {
        return vec![Endpoint { required: true, when: None, ..endpoint.clone() }];
    }
    if endpoint.host != COLLECTOR || calls.collectors.is_empty() {
        return vec![endpoint.clone()];
    }
    calls.collectors.iter().map(|host| at(endpoint, host)).collect()
}

fn at(endpoint: &Endpoint, host: &str) -> Endpoint {
    let mut endpoint = Endpoint { host: host.to_owned(), ..endpoint.clone() };
    if let Some(address) = endpoint.address() {
        endpoint.static_ips = StaticIps::Listed(vec![Block::from(address)]);
    }
    endpoint
}

/// The remark on a region that the shipped catalogue does not have, for commands that only keep it: it may be one of the
/// user's own file.
pub(crate) fn foreign_region(layers: &Layers) -> Option<Finding> {
    let catalogue = Catalogue::shipped();
    let setting = layers.get(Key::AgentRegion).filter(|setting| !catalogue.regions.contains_key(&setting.value))?;
    let region = &setting.value;
    let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
    let title = text!("the region {:?} of the Insight Agent is none that is known here", region);
    let finding = Finding::new(ids::AGENT_REGION_UNKNOWN, Status::Warn, title)
        .expected(text!("one of {}", own(all.join(", "))))
        .observed(text!("{}", own(&setting.origin)))
        .cause("it is kept as it is, and ics-setup check and network refuse it without a file that has it");
    let finding = match nearest(region, all.iter().copied()) {
        Some(near) => {
            finding.advise(text!("did you mean {}? {}", own(near), typed(text!("--agent-region {}", own(near)))))
        }
        None => finding.advise(text!("name one of these: {}", typed("--agent-region <REGION>"))),
    };
    Some(finding.advise(text!("if it is a region of your own file: {}", ics_setup("check agent --endpoints <FILE>"))))
}

/// The refusal of a region that nobody knows.
pub(super) fn no_region(place: Text, region: &str, catalogue: &Catalogue) -> Problem {
    let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
    let problem = Problem::settings(id::REGION_UNKNOWN, text!("{}: there is no region {:?}", place, region))
        .because(text!("regions: {}", own(all.join(", "))));
    let problem = match nearest(region, all.iter().copied()) {
        Some(near) => problem.hint(text!("did you mean {}?", own(near))),
        None => problem,
    };
    problem.hint("a newer region, and its endpoints, can be added with --endpoints <FILE>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, Origin};

    fn layers(pairs: &[(Key, &str)]) -> Layers {
        let mut flags = Layer::default();
        for (key, value) in pairs {
            flags.insert(key.spec(), (*value).to_owned(), Origin::Flag(format!("--{key}"))).unwrap();
        }
        Layers { flags, ..Layers::default() }
    }

    fn hosts(pairs: &[(Key, &str)]) -> Vec<String> {
        let catalogue = Catalogue::shipped();
        let calls = EndpointNeeds::anywhere(&layers(pairs), &catalogue).unwrap();
        required_endpoints(&catalogue, &calls)
            .iter()
            .map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port))
            .collect()
    }

    #[test]
    fn the_settings_decide() {
        let has = |pairs: &[(Key, &str)], host: &str| hosts(pairs).iter().any(|own| own == host);
        let docker_hub = "registry-1.docker.io:443";
        for (pairs, host, expected) in [
            (&[][..], "divvycentral.divvycloud.com:443", true),
            (&[], "endpoint.ingress.rapid7.com:443", false),
            (&[], "get.divvycloud.com:80", false),
            (&[(Key::Deployment, "test-drive")], "get.divvycloud.com:80", true),
            (&[], docker_hub, true),
            (&[(Key::Release, "v21.8")], docker_hub, true),
            (&[(Key::Release, "21.8")], "public.ecr.aws:443", false),
            (&[(Key::Release, "22.3.9")], docker_hub, false),
            (&[(Key::Release, "22.3.9"), (Key::Deployment, "test-drive")], docker_hub, true),
            (&[(Key::AgentRegion, "us")], "endpoint.ingress.rapid7.com:443", true),
            (&[(Key::AgentRegion, "us")], "data.insight.rapid7.com:443", true),
            (&[(Key::AgentRegion, "us")], "eu.endpoint.ingress.rapid7.com:443", false),
            (&[(Key::AgentRegion, "eu")], "s3.eu-central-1.amazonaws.com:443", false),
            (&[(Key::AgentRegion, "eu"), (Key::AgentCollector, "c1")], "s3.eu-central-1.amazonaws.com:443", true),
            (&[(Key::AgentCollector, "C1, 10.0.0.9")], "c1:5508", true),
            (&[(Key::AgentCollector, "C1, 10.0.0.9")], "10.0.0.9:8037", true),
            (&[], "<collector>:5508", false),
            (&[], "management.azure.com:443", true),
            (&[(Key::Clouds, "azure")], "management.azure.com:443", true),
            (&[(Key::Clouds, "azure")], "graph.microsoft.com:443", true),
            (&[(Key::Clouds, "aws,azure")], "sts.amazonaws.com:443", true),
            (&[(Key::Clouds, "azure")], "sts.amazonaws.com:443", false),
            (&[(Key::Clouds, "azure")], "ecs.aliyuncs.com:443", false),
            (&[(Key::Clouds, "azure")], "oauth2.googleapis.com:443", false),
            (&[(Key::Clouds, "azure")], "divvycentral.divvycloud.com:443", true),
            (&[(Key::Clouds, "azure")], "s3.amazonaws.com:443", true),
            (&[(Key::Clouds, "azure")], "169.254.169.254:80", true),
        ] {
            assert_eq!(has(pairs, host), expected, "{pairs:?} {host}");
        }
    }

    #[test]
    fn endpoints_of_connected_clouds_are_required() {
        let catalogue = Catalogue::shipped();
        let required = |calls: EndpointNeeds| {
            let endpoints = required_endpoints(&catalogue, &calls);
            let of_cloud = endpoints.iter().filter(|endpoint| endpoint.only.cloud.is_some());
            let (required, optional): (Vec<_>, Vec<_>) = of_cloud.partition(|endpoint| endpoint.required);
            assert!(required.iter().all(|endpoint| endpoint.when.is_none()));
            let hosts = |own: Vec<&Endpoint>| own.iter().map(|own| own.host.clone()).collect::<Vec<_>>().join(" ");
            (hosts(required), optional.len())
        };
        let anywhere = |pairs: &[(Key, &str)]| EndpointNeeds::anywhere(&layers(pairs), &catalogue).unwrap();
        let ec2 = crate::host::MemoryHost::new();
        ec2.put("/sys/class/dmi/id/sys_vendor", b"Amazon EC2\n");
        let on_ec2 = |pairs: &[(Key, &str)]| EndpointNeeds::known(&layers(pairs), &catalogue, &ec2);
        let google = "www.googleapis.com oauth2.googleapis.com".to_owned();
        for (calls, expected) in [
            (anywhere(&[]), (String::new(), 7)),
            (on_ec2(&[]), ("sts.amazonaws.com".to_owned(), 6)),
            (anywhere(&[(Key::Clouds, "gcp")]), (google.clone(), 0)),
            (on_ec2(&[(Key::Clouds, "gcp")]), (google, 0)),
        ] {
            assert_eq!(required(calls), expected);
        }
    }

    #[test]
    fn all_of_them_have_the_collector_in_its_place_or_a_stand_in() {
        let catalogue = Catalogue::shipped();
        let hosts = |pairs: &[(Key, &str)]| {
            let calls = EndpointNeeds::anywhere(&layers(pairs), &catalogue).unwrap();
            all(&catalogue, &calls).into_iter().map(|endpoint| endpoint.host).collect::<Vec<_>>()
        };
        assert_eq!(hosts(&[]).iter().filter(|host| *host == COLLECTOR).count(), 3);
        let named = hosts(&[(Key::AgentCollector, "c1,c2")]);
        assert_eq!(
            (named.contains(&COLLECTOR.to_owned()), named.iter().filter(|host| *host == "c2").count()),
            (false, 3)
        );
    }

    #[test]
    fn a_region_that_nobody_knows_is_refused_with_what_there_is() {
        let catalogue = Catalogue::shipped();
        let problem = EndpointNeeds::anywhere(&layers(&[(Key::AgentRegion, "us1")]), &catalogue).unwrap_err();
        assert!(problem.because.unwrap().contains("ap, au, ca, eu, us, us2, us3"));
        assert!(problem.hints.last().unwrap().contains("--endpoints <FILE>"));
        let problem = EndpointNeeds::anywhere(&layers(&[(Key::AgentCollector, "c1:8037")]), &catalogue).unwrap_err();
        assert!(problem.message.contains("the port stands apart"), "{}", problem.message);
    }
}
