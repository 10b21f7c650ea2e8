//! Ports that Docker leads on by rules of its own, before those of the firewall are asked.

use serde_json::json;

use super::super::data::Data;
use super::direct::{self, On};
use super::{EXPECTED, Facts};
use crate::check::prelude::*;
use crate::consumers::DaemonSwitch;
use crate::product::ways::Way;
use crate::system::firewall::Firewalld;

pub(super) fn judge(facts: &Facts, on: On<'_>, led: &[&Way]) -> Vec<Finding> {
    if let On::Firewalld(firewalld) = on
        && let Some(shut) = shut(facts, firewalld, &Led::new(facts, on, led.to_vec()))
    {
        return vec![shut];
    }
    if facts.by_nftables {
        let led = Led::new(facts, on, led.to_vec());
        let title = text!("whom {} keeps from {} is not known", own(on.name()), led.listed());
        let why = "the engine has its rules in nftables (firewall-backend), and those are not looked at";
        return vec![led.finding(
            Status::Skip,
            title,
            text!("{}; {}", led.published(), own(why)),
            &Data::get().firewall.docker,
        )];
    }
    let is_decided =
        |way: &&Way| facts.firewall.before_docker.as_ref().is_ok_and(|before| before.decides(way.port, way.inside));
    let (decided, open): (Vec<&Way>, Vec<&Way>) = led.iter().partition(|way| is_decided(way));
    let decided = (!decided.is_empty()).then(|| decide(&Led::new(facts, on, decided)));
    let open = (!open.is_empty()).then(|| pass(facts, &Led::new(facts, on, open)));
    decided.into_iter().chain(open).collect()
}

/// Some of the ports.
struct Led<'f> {
    facts: &'f Facts,
    on: On<'f>,
    ways: Vec<&'f Way>,
    /// Each once.
    ports: Vec<u16>,
}

impl<'f> Led<'f> {
    fn new(facts: &'f Facts, on: On<'f>, ways: Vec<&'f Way>) -> Self {
        let mut ports: Vec<u16> = Vec::new();
        for way in &ways {
            if !ports.contains(&way.port) {
                ports.push(way.port);
            }
        }
        Self { facts, on, ways, ports }
    }

    /// `ports 8001, 3306`
    fn listed(&self) -> Text {
        let noun = own(if self.ports.len() == 1 { "port" } else { "ports" });
        text!("{} {}", noun, own(self.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")))
    }

    /// Who publishes them.
    fn published(&self) -> Text {
        let published = self.ways.iter().map(|way| match &way.address {
            Some(address) => text!("{} at {} ({})", way.port, address, &way.service),
            None => text!("{} at every address ({})", way.port, &way.service),
        });
        let published = Text::join(published, ", ");
        match &self.facts.ways.file {
            Some(file) => text!("{} publishes {}", file, published),
            None => text!("no compose file yet; it is going to publish {}", published),
        }
    }

    fn finding(&self, status: Status, title: Text, observed: Text, docs: &str) -> Finding {
        let finding = Finding::new(ids::FIREWALL, status, title).expected(EXPECTED).observed(observed);
        let finding = Finding { docs: Some(text!("{}", own(docs))), ..finding };
        finding.evidence("ports", json!(self.ports)).evidence("firewall", own(self.on.name()))
    }

    fn with_front(&self, finding: Finding) -> Finding {
        match self.ways.iter().any(|way| way.is_of_product()) {
            true => finding.advise(
                text!("let users come through a server that ends TLS, and this host alone reach the product: {}; its site is printed by {}", typed("--bind 127.0.0.1 --reverse-proxy"), ics_setup("render nginx")),
            ),
            false => finding,
        }
    }
}

/// firewalld keeps users from what is published all the same.
fn shut(facts: &Facts, firewalld: &Firewalld, led: &Led<'_>) -> Option<Finding> {
    let data = &Data::get().firewall;
    let is_older = facts.engine().is_some_and(|engine| engine < data.zone_since);
    let rejects = is_older && firewalld.backend.as_deref() == Some("nftables");
    if firewalld.is_strict != Some(true) && !rejects {
        return None;
    }
    let since = own(&data.zone_since);
    let (why, docs) = match rejects {
        true => (
            text!("firewalld's nftables rejects what an engine before {} leads on, since its bridges are in no zone", since.clone()),
            &data.older_engine,
        ),
        false => (
            "StrictForwardPorts=yes in firewalld.conf keeps everybody from published ports whom firewalld does not let through itself".into(),
            &data.firewalld,
        ),
    };
    let title = text!("firewalld keeps users from {}, although it is published", led.listed());
    let finding = led.with_front(led.finding(Status::Warn, title, led.published(), docs).cause(why));
    Some(match rejects {
        true => finding.advise(text!("or update Docker to {} or newer, which puts its bridges into a zone of its own", since)),
        false => led.ports.iter().fold(finding, |finding, port| {
            let line = text!("firewall-cmd --permanent --add-forward-port=port={}:proto=tcp:toport=<PORT-OF-THE-CONTAINER>:toaddr=<ITS-ADDRESS> && firewall-cmd --reload", port);
            finding.advise(text!("or let it through: {}", as_root(line)))
        }),
    })
}

/// Rules of somebody's decide.
fn decide(led: &Led<'_>) -> Finding {
    let title = text!("{} is on, and rules in DOCKER-USER decide who reaches {}", own(led.on.name()), led.listed());
    let observed = text!("{}; there are rules in DOCKER-USER", led.published());
    led.finding(Status::Pass, title, observed, &Data::get().firewall.docker)
        .look(text!("see them: {}", typed("iptables -S DOCKER-USER")))
}

/// Everybody passes.
fn pass(facts: &Facts, led: &Led<'_>) -> Finding {
    let data = &Data::get().firewall;
    let name = own(led.on.name());
    let observed = match (&facts.iptables, &facts.firewall.before_docker) {
        (DaemonSwitch::Unknown(why), _) => {
            text!("whether the daemon leaves iptables alone is not known: {}", why.clone())
        }
        (_, Err(why)) => text!("whether there are rules in DOCKER-USER is not known: {}", why.clone()),
        (_, Ok(before)) if before.has_rules => {
            text!("there are rules in DOCKER-USER, and none is seen that decides who reaches {}", led.listed())
        }
        _ => "there is no rule in DOCKER-USER".into(),
    };
    let docs = match led.on {
        On::Ufw(_) => &data.ufw,
        On::Firewalld(_) => &data.firewalld,
    };
    let is_known = facts.firewall.before_docker.is_ok() && !matches!(facts.iptables, DaemonSwitch::Unknown(_));
    let seen = own(if is_known { "" } else { "as far as can be seen " });
    let title = text!("{} is on, and {}keeps nobody from {}", name.clone(), seen, led.listed());
    let finding = led.finding(Status::Warn, title, text!("{}; {}", led.published(), observed), docs).cause(text!(
        "Docker leads on what comes for a published port before the rules of {} are asked, so it is open whatever they say",
        name
    ));
    let finding = led.ways.iter().filter(|way| !way.interface).fold(led.with_front(finding), |finding, way| {
        let (service, port) = (&way.service, way.port);
        finding.advise(direct::inner(service, port))
    });
    rules(finding, led)
        .advise(text!("where everybody is meant to reach it, pass over this: {}", typed("--ignore-check firewall")))
}

/// The rules that let through whom somebody means: now, and after the next boot.
fn rules(finding: Finding, led: &Led<'_>) -> Finding {
    let rule = |port: &u16| {
        format!(
            "DOCKER-USER -i <INTERFACE> ! -s <NETWORK-OF-USERS> -p tcp -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP"
        )
    };
    let finding = led.ports.iter().fold(finding, |finding, port| {
        let line = own(format!("iptables -I {}", rule(port)));
        finding.advise(text!("or let through whom you mean: {}; Docker has to run", as_root(text!("{}", line))))
    });
    match led.on {
        On::Ufw(_) => {
            let lines = led.ports.iter().map(|port| format!("'-A {}' ", rule(port))).collect::<String>();
            let line = format!("printf '%s\\n' '*filter' ':DOCKER-USER - [0:0]' {lines}COMMIT >> /etc/ufw/after.rules");
            finding.advise(text!("keep that for the next boot: {}", as_root(text!("{}", own(line)))))
        }
        On::Firewalld(_) => {
            finding.advise("that lasts until the next boot: have it done again after docker.service has started")
        }
    }
}
