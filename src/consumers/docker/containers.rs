//! The product's containers as they run: what they were created with.

use std::time::Duration;

use super::super::astray::Site;
use super::super::reader::{FileProbe, IMAGE};
use super::super::{Consumer, Known, State, Who};
use crate::docker::compose::Network;
use crate::docker::{Container, NoDocker};
use crate::environment;
use crate::net::seconds;
use crate::product::{is_product, own_containers};
use crate::text;
use crate::text::{Foreign, Text, own};

/// No more containers than this are looked into.
const MOST_CONTAINERS: usize = 20;

/// The running containers of the product in `home`.
pub(super) fn containers(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let skipped = |why: Text| vec![Consumer::unseen(Who::Container, "docker inspect", State::Skipped, why)];
    if !probe.host.is_live() {
        return skipped(IMAGE.into());
    }
    let found = match own_containers(probe.host, probe.home, probe.of_programs(2)) {
        Ok(found) => found,
        // A daemon that does not run is the daemon's finding, not a second one.
        Err(NoDocker::Absent) => return skipped("docker is not installed".into()),
        Err(NoDocker::Late { millis }) => {
            return skipped(text!("docker gave no answer within {}", own(seconds(Duration::from_millis(millis)))));
        }
        Err(other) => return skipped(text!("docker does not answer: {}", other.why())),
    };
    let names = |own: &Container| own.service.iter().chain([&own.state.name]).cloned().collect::<Vec<_>>();
    let all_names: Vec<String> = found.own.iter().flat_map(names).collect();
    // Back ends ask nobody outside, and read no prod.env.
    let asks = |container: &Container| container.state.status == "running" && is_product(container);
    let running = found.own.into_iter().filter(asks);
    let consumers: Vec<Consumer> = running
        .take(MOST_CONTAINERS)
        .map(|container| {
            let name = container.state.name.clone();
            let source = format!("docker inspect {}", Foreign::new(&name));
            let mut consumer =
                Consumer { known: Known::Asked, ..Consumer::new(Who::Container, Some(name.clone()), source) };
            let pairs = container.environment.iter().filter_map(|pair| pair.split_once('='));
            let variables: environment::Variables =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            probe.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
            let network = match container.network.as_str() {
                "host" => Network::Host,
                other if other.is_empty() || other == "none" || other.starts_with("container:") => Network::Other,
                _ => Network::Bridge,
            };
            let own = container.extra_hosts.iter().filter_map(|entry| Some(entry.split_once(':')?.0.to_owned()));
            probe.placed(
                consumer,
                &Site {
                    network,
                    answers: all_names.iter().cloned().chain(own).collect(),
                    whole: true,
                    servers: container.dns.iter().filter_map(|server| server.parse().ok()).collect(),
                    domains: container.dns_search.clone(),
                },
            )
        })
        .collect();
    if consumers.is_empty() { skipped("no container of the product runs".into()) } else { consumers }
}
