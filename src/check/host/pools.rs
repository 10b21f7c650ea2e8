//! Do the networks of Docker swallow addresses that the product has to reach?

use super::judged;
use crate::check::prelude::*;
use crate::system::Seen;
use crate::system::pools::{self, PoolsFacts};

pub(super) struct Pools;

impl Check for Pools {
    type Facts = Seen<PoolsFacts>;

    const META: Meta = Meta::new("pools", Group::Host, &[ids::DOCKER_NETWORKS]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&Self::Facts>) -> Self::Facts {
        let spec = look.spec;
        let proxies = [&spec.http_proxy, &spec.https_proxy].into_iter().flatten();
        let mut hosts: Vec<(&str, &str, u16)> = proxies.map(|proxy| ("the proxy", &*proxy.host, proxy.port)).collect();
        hosts.extend(spec.mysql.as_ref().map(|mysql| ("MySQL", &*mysql.at.host, mysql.at.port)));
        hosts.extend(spec.redis.as_ref().map(|redis| ("Redis", &*redis.at.host, redis.at.port)));
        pools::observe(look.host, &hosts, time)
    }

    fn judge(&self, facts: &Self::Facts, _spec: &CheckSpec) -> Vec<Finding> {
        vec![judged(facts, ids::DOCKER_NETWORKS, "Docker's networks", judge_pools)]
    }
}

fn judge_pools(facts: &PoolsFacts) -> Finding {
    let there = facts.routes.iter().filter(|route| route.is_docker()).map(|route| (route.network, true));
    let networks: Vec<_> = there.chain(facts.next().into_iter().map(|network| (network, false))).collect();
    let mut swallowed = Vec::new();
    for (what, address) in &facts.needed {
        let network = networks.iter().find(|(network, _)| network.has(*address));
        swallowed.extend(network.map(|(network, is_there)| {
            let when = own(if *is_there { "which Docker has" } else { "which Docker would take next" });
            (text!("{} at {} lies in {}, {}", what, own(address), own(network), when), *is_there)
        }));
    }
    let shown = networks
        .iter()
        .map(|(network, is_there)| text!("{} ({})", own(network), own(if *is_there { "there" } else { "next" })));
    let shown = Text::join(shown, ", ");
    let expected = "proxy, back ends and name servers outside of the networks of Docker";
    if swallowed.is_empty() {
        return Finding::pass(ids::DOCKER_NETWORKS, "the networks of Docker swallow no address that is needed")
            .expected(expected)
            .observed(text!("its networks: {}", shown));
    }
    let is_there = swallowed.iter().any(|(_, is_there)| *is_there);
    let title = match is_there {
        true => "a network of Docker has the address of something that the product has to reach",
        false => "the next network of Docker would have the address of something that the product has to reach",
    };
    Finding::warn(ids::DOCKER_NETWORKS, title)
        .expected(expected)
        .observed(Text::join(swallowed.into_iter().map(|(text, _)| text), "; "))
        .cause("containers, and this host, look for it among containers then; fine only where it is a container of this host")
        .advise("ask for a range that nobody uses, and write it into /etc/docker/daemon.json: \"bip\": \"<ADDRESS>/24\", \"default-address-pools\": [{\"base\": \"<NETWORK>/16\", \"size\": 24}]")
        .advise("restart Docker then; a network that is there keeps its addresses until docker network rm and docker-compose up -d make it anew")
        .look(text!("see which networks there are: {}; {}", typed("ip -4 route"), typed("docker network ls")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::production;
    use super::*;
    use crate::system::pools::{Network, Route};

    fn facts(needed: &[(&str, [u8; 4])], routes: &[(&str, &str)]) -> Seen<PoolsFacts> {
        let network = |text: &str| Network::parse(text).unwrap();
        let route = |(text, interface): &(&str, &str)| Route { network: network(text), interface: (*interface).into() };
        Seen::Is(PoolsFacts {
            routes: routes.iter().map(route).collect(),
            pools: vec![(network("172.17.0.0/16"), 16), (network("172.18.0.0/15"), 16)],
            bip: None,
            needed: needed.iter().map(|(what, address)| ((*what).to_owned(), (*address).into())).collect(),
        })
    }

    #[test]
    fn what_lies_in_a_network_of_docker_is_named() {
        let own = [("172.17.0.0/16", "docker0"), ("10.0.0.0/24", "eth0")];
        for (needed, status, words) in [
            (("MySQL (db)", [10, 0, 0, 9]), Status::Pass, ""),
            (("MySQL (db)", [172, 17, 3, 4]), Status::Warn, "lies in 172.17.0.0/16, which Docker has"),
            (("the proxy (p)", [172, 18, 3, 4]), Status::Warn, "172.18.0.0/16, which Docker would take next"),
            (("the proxy (p)", [172, 19, 3, 4]), Status::Pass, ""),
        ] {
            let findings = Pools.judge(&facts(&[needed], &own), &production());
            crate::check::law::each_has_a_way_out(&findings);
            assert_eq!(findings[0].status, status, "{findings:?}");
            assert!(findings[0].observed.as_ref().unwrap().contains(words), "{findings:?}");
        }
        assert_eq!(Pools.judge(&Seen::Image, &production())[0].status, Status::Skip);
    }
}
