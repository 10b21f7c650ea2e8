//! Whom does the host's firewall let reach the product, and does it say so itself?
//!
//! | module | what it judges |
//! | --- | --- |
//! | `led` | ports that Docker leads on before the firewall is asked |
//! | `direct` | ports of which the firewall decides |

mod direct;
mod led;

use serde::{Deserialize, Serialize};

use self::direct::On;
use crate::check::prelude::*;
use crate::consumers::{self, DaemonSwitch};
use crate::docker;
use crate::envfile::unit::Release;
use crate::platform::Platform;
use crate::product::Known;
use crate::product::ways::{self, Way, WaysFacts};
use crate::system::firewall::{self, FirewallFacts, Switched};
use crate::version::Version;

pub(super) struct Firewall;

/// What was seen.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    firewall: FirewallFacts,
    ways: WaysFacts,
    /// Does the daemon lead on what comes for published ports by rules of its own?
    iptables: DaemonSwitch,
    /// Has it them in nftables, and no chain of iptables?
    #[serde(default)]
    by_nftables: bool,
    /// The engine's release, where it is known.
    engine: Option<String>,
}

impl Facts {
    /// Where none is on, nothing else is looked at.
    fn off(firewall: FirewallFacts) -> Self {
        let iptables = DaemonSwitch::Unknown("nobody asks where no firewall is on".into());
        Self { firewall, ways: WaysFacts::default(), iptables, by_nftables: false, engine: None }
    }

    fn engine(&self) -> Option<Version> {
        self.engine.as_deref().and_then(Version::parse)
    }
}

impl Check for Firewall {
    type Facts = Facts;

    const META: Meta = Meta::new("firewall", Group::Host, &[ids::FIREWALL]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&Facts>) -> Facts {
        let limit = time.left() / 8;
        let release = look.platform.map_or(Release::UNKNOWN, Platform::systemd);
        let firewall = firewall::observe(look.host, limit);
        if firewall.is_off() {
            return Facts::off(firewall);
        }
        Facts {
            firewall,
            ways: ways::observe(look.host, &look.spec.home),
            iptables: consumers::daemon_switch(look.host, release, limit, "iptables", true),
            by_nftables: consumers::daemon_says(look.host, release, limit, "firewall-backend", "nftables"),
            engine: docker::release(look.host, limit).map(|engine| engine.version.to_string()),
        }
    }

    fn judge(&self, facts: &Facts, spec: &CheckSpec) -> Vec<Finding> {
        judge_firewalls(facts, spec)
    }
}

fn judge_firewalls(facts: &Facts, spec: &CheckSpec) -> Vec<Finding> {
    let FirewallFacts { ufw, firewalld, .. } = &facts.firewall;
    if !facts.firewall.is_off()
        && spec.interface == Some(false)
        && facts.ways.ways.is_empty()
        && facts.ways.unknown.is_none()
    {
        return vec![
            Finding::skip(ids::FIREWALL, "no port of this host is for users")
                .observed("it does not have the role interface, and other roles publish none"),
        ];
    }
    let states = [("ufw", state(ufw)), ("firewalld", state(firewalld))];
    let observed = Text::join(states.iter().map(|(name, (_, said))| text!("{}: {}", own(name), said.clone())), "; ");
    let mut findings: Vec<Finding> = Vec::new();
    for (name, (is_known, _)) in &states {
        if !is_known {
            let title = text!("whether {} is on is not known", own(name));
            findings.push(Finding::skip(ids::FIREWALL, title).observed(&observed));
        }
    }
    let on = match (ufw, firewalld) {
        (Switched::On(ufw), Switched::On(firewalld)) => vec![On::Ufw(ufw), On::Firewalld(firewalld)],
        (Switched::On(ufw), _) => vec![On::Ufw(ufw)],
        (_, Switched::On(firewalld)) => vec![On::Firewalld(firewalld)],
        _ if findings.is_empty() => {
            return vec![Finding::pass(ids::FIREWALL, "neither ufw nor firewalld is on").expected(EXPECTED).observed(
                text!("{}; rules of other hands, and firewalls beyond this host, are not looked at", observed),
            )];
        }
        _ => return findings,
    };
    findings.extend(on.into_iter().flat_map(|on| judge(facts, spec, on)));
    findings
}

/// Is it known whether it is on, and what is it?
fn state<T>(firewall: &Switched<T>) -> (bool, Text) {
    match firewall {
        Switched::Absent => (true, "not installed".into()),
        Switched::Off => (true, "off".into()),
        Switched::On(_) => (true, "on".into()),
        Switched::Unknown(why) => (false, why.clone()),
    }
}

const EXPECTED: &str =
    "the host's firewall lets users reach the product, and keeps from it whom it says that it keeps from it";

fn judge(facts: &Facts, spec: &CheckSpec, on: On<'_>) -> Vec<Finding> {
    let name = own(on.name());
    let mut findings = Vec::new();
    if let Some(why) = &facts.ways.unknown {
        let title = text!("{} is on, and which ports the product opens is not known", name.clone());
        findings.push(
            Finding::warn(ids::FIREWALL, title)
                .expected(EXPECTED)
                .observed(why.clone())
                .cause("what is not read from the compose file cannot be held against the firewall")
                .advise(text!(
                    "look at what is published, and what listens: {}; {}",
                    typed("docker ps --format '{{.Names}} {{.Ports}}'"),
                    typed("ss -ltn")
                )),
        );
    }
    // What a host without a file is going to have.
    let planned = [Way {
        service: "interfaceserver".to_owned(),
        address: spec.bind.clone().filter(|bind| !["0.0.0.0", "::", "[::]"].contains(&bind.as_str())),
        port: spec.port.unwrap_or(Known::get().health.port),
        inside: Known::get().health.port,
        interface: true,
        in_host: false,
    }];
    let ways = if facts.ways.file.is_some() { facts.ways.ways.as_slice() } else { &planned };
    let (inner, outer): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.is_loopback());
    let by_docker = |way: &Way| facts.iptables != DaemonSwitch::Off && !way.in_host;
    let (led, asked): (Vec<&Way>, Vec<&Way>) = outer.into_iter().partition(|way| by_docker(way));
    if !led.is_empty() {
        findings.extend(led::judge(facts, on, &led));
    }
    findings.extend(asked.into_iter().map(|way| direct::judge(facts, on, way)));
    // A load balancer elsewhere comes by the port of the product itself.
    if inner.iter().any(|way| way.interface) {
        findings.push(direct::judge_front(facts, on));
    }
    if findings.is_empty() {
        let observed = text!("{}; no port is published but for this host alone", shown(facts));
        findings.push(
            Finding::pass(ids::FIREWALL, text!("{} is on, and the product publishes no port for others", name))
                .expected(EXPECTED)
                .observed(observed),
        );
    }
    findings
}

fn shown(facts: &Facts) -> Text {
    facts.ways.file.as_ref().map_or_else(|| "no compose file yet".into(), |file| text!("{}", file))
}

#[cfg(test)]
mod tests;
