//! Whom does the host's firewall let reach the product, and does it say so itself?

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::data::Data;
use crate::check::prelude::*;
use crate::consumers::{self, DaemonSwitch};
use crate::docker;
use crate::envfile::unit::Release;
use crate::platform::Platform;
use crate::product::Known;
use crate::product::ways::{self, Way, WaysFacts};
use crate::system::firewall::{self, Entry, FirewallFacts, Firewalld, Switched, Ufw};
use crate::text::quoted;
use crate::version::Version;

pub(super) struct Firewall;

/// What was seen.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    firewall: FirewallFacts,
    ways: WaysFacts,
    /// Does the daemon lead on what comes for published ports by rules of its own?
    iptables: DaemonSwitch,
    /// The engine's release, where it is known.
    engine: Option<String>,
}

impl Facts {
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
        Facts {
            firewall: firewall::observe(look.host, limit),
            ways: ways::observe(look.host, &look.spec.home),
            iptables: consumers::daemon_switch(look.host, release, limit, "iptables", true),
            engine: docker::release(look.host, limit).map(|engine| engine.version.to_string()),
        }
    }

    fn judge(&self, facts: &Facts, spec: &CheckSpec) -> Vec<Finding> {
        judge_firewalls(facts, spec)
    }
}

/// A firewall that is on.
#[derive(Clone, Copy)]
enum On<'f> {
    Ufw(&'f Ufw),
    Firewalld(&'f Firewalld),
}

impl On<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Ufw(_) => "ufw",
            Self::Firewalld(_) => "firewalld",
        }
    }

    fn entry(self, port: u16) -> Entry {
        match self {
            Self::Ufw(ufw) => ufw.entry(port),
            Self::Firewalld(firewalld) => firewalld.entry(port, service(port)),
        }
    }

    /// What opens a port in it.
    fn opened(self, port: u16, engine: Option<&Version>) -> Text {
        let firewalld = match self {
            Self::Ufw(_) => return text!("{}", as_root(text!("ufw allow {}/tcp", port))),
            Self::Firewalld(firewalld) => firewalld,
        };
        let zone = firewalld.closed(port, service(port)).map(|zone| own(quoted(&zone.name)));
        let zone = zone.map(|zone| text!(" --zone={}", zone)).unwrap_or_default();
        let what = match service(port) {
            Some(name) => text!("--add-service={}", own(name)),
            None => text!("--add-port={}/tcp", port),
        };
        let open = text!("firewall-cmd --permanent{} {} && firewall-cmd --reload", zone, what);
        match engine {
            Some(engine) if *engine >= Data::get().firewall.zone_since => text!("{}", as_root(open)),
            _ => text!(
                "{}; with an engine before {}, restart Docker then: its rules go with the reload",
                as_root(open),
                own(&Data::get().firewall.zone_since)
            ),
        }
    }
}

/// firewalld's name of what has this port.
fn service(port: u16) -> Option<&'static str> {
    let (front, name) = &Data::get().firewall.front;
    (port == *front).then_some(name.as_str())
}

fn judge_firewalls(facts: &Facts, spec: &CheckSpec) -> Vec<Finding> {
    let FirewallFacts { ufw, firewalld, .. } = &facts.firewall;
    if spec.interface == Some(false) && facts.ways.ways.is_empty() {
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
                .advise("look at what is published: docker ps --format '{{.Names}} {{.Ports}}'"),
        );
    }
    // What a host without a file is going to have.
    let planned = [Way {
        service: "interfaceserver".to_owned(),
        address: spec.bind.clone().filter(|bind| !["0.0.0.0", "::", "[::]"].contains(&bind.as_str())),
        port: spec.port.unwrap_or(Known::get().health.port),
        interface: true,
        in_host: false,
    }];
    let ways = if facts.ways.file.is_some() { facts.ways.ways.as_slice() } else { &planned };
    let (inner, outer): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.is_loopback());
    let by_docker = |way: &&&Way| facts.iptables != DaemonSwitch::Off && !way.in_host;
    let led: Vec<&Way> = outer.iter().filter(by_docker).copied().collect();
    if !led.is_empty() {
        findings.push(judge_led(facts, on, &led));
    }
    findings.extend(
        outer.iter().filter(|way| !by_docker(way)).map(|way| judge_direct(facts, on, way.port, &Reached::Itself)),
    );
    // A load balancer elsewhere comes by the port of the product itself.
    if inner.iter().any(|way| way.interface) {
        findings.push(judge_direct(facts, on, Data::get().firewall.front.0, &Reached::Front));
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

/// Ports that Docker leads on by rules of its own.
fn judge_led(facts: &Facts, on: On<'_>, led: &[&Way]) -> Finding {
    let data = &Data::get().firewall;
    let name = own(on.name());
    let mut ports: Vec<u16> = led.iter().map(|way| way.port).collect();
    ports.dedup();
    let noun = own(if ports.len() == 1 { "port" } else { "ports" });
    let listed = text!("{} {}", noun, own(ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")));
    let published = led.iter().map(|way| match &way.address {
        Some(address) => text!("{} at {} ({})", way.port, address, &way.service),
        None => text!("{} at every address ({})", way.port, &way.service),
    });
    let published = Text::join(published, ", ");
    let observed = match &facts.ways.file {
        Some(file) => text!("{} publishes {}", file, published),
        None => text!("no compose file yet; it is going to publish {}", published),
    };
    let finding = |status, title: Text, observed: Text, docs: &str| {
        let finding = Finding::new(ids::FIREWALL, status, title).expected(EXPECTED).observed(observed);
        let finding = Finding { docs: Some(text!("{}", own(docs))), ..finding };
        finding.evidence("ports", json!(ports)).evidence("firewall", own(on.name()))
    };
    let front = |finding: Finding| {
        let interface = led.iter().find(|way| way.interface).map(|_| {
            "let users come through a server that ends TLS, and this host alone reach the product: --bind 127.0.0.1 --reverse-proxy (ics-setup render nginx prints its site)"
        });
        interface.into_iter().fold(finding, Finding::advise)
    };
    if let On::Firewalld(firewalld) = on {
        let is_older = facts.engine().is_some_and(|engine| engine < data.zone_since);
        let rejects = is_older && firewalld.backend.as_deref() == Some("nftables");
        if firewalld.is_strict == Some(true) || rejects {
            let (why, docs) = match rejects {
                true => (
                    "firewalld's nftables rejects what an engine before 20.10 leads on, since its bridges are in no zone",
                    &data.older_engine,
                ),
                false => (
                    "StrictForwardPorts=yes in firewalld.conf keeps everybody from published ports whom firewalld does not let through itself",
                    &data.firewalld,
                ),
            };
            let title = text!("firewalld keeps users from {}, although it is published", listed);
            let finding = front(finding(Status::Warn, title, observed, docs).cause(why));
            return match rejects {
                true => finding.advise("or update Docker to 20.10 or newer, which puts its bridges into a zone of its own"),
                false => ports.iter().fold(finding, |finding, port| {
                    let line = text!("firewall-cmd --permanent --add-forward-port=port={}:proto=tcp:toport=<PORT-OF-THE-CONTAINER>:toaddr=<ITS-ADDRESS>", port);
                    finding.advise(text!("or let it through: {}", as_root(line)))
                }),
            };
        }
    }
    let observed = match (&facts.iptables, &facts.firewall.before_docker) {
        (_, Ok(true)) => {
            let title = text!("{} is on, and rules in DOCKER-USER decide who reaches {}", name, listed);
            return finding(Status::Pass, title, text!("{}; there are rules in DOCKER-USER", observed), &data.docker)
                .look("see them: iptables -S DOCKER-USER");
        }
        (DaemonSwitch::Unknown(why), _) => {
            text!("{}; whether the daemon leaves iptables alone is not known: {}", observed, why.clone())
        }
        (_, Err(why)) => text!("{}; whether there are rules in DOCKER-USER is not known: {}", observed, why.clone()),
        _ => text!("{}; there is no rule in DOCKER-USER", observed),
    };
    let docs = match on {
        On::Ufw(_) => &data.ufw,
        On::Firewalld(_) => &data.firewalld,
    };
    let is_known = facts.firewall.before_docker.is_ok() && !matches!(facts.iptables, DaemonSwitch::Unknown(_));
    let seen = own(if is_known { "" } else { "as far as can be seen " });
    let title = text!("{} is on, and {}keeps nobody from {}", name.clone(), seen, listed);
    let mut finding = front(finding(Status::Warn, title, observed, docs).cause(text!(
        "Docker leads on what comes for a published port before the rules of {} are asked, so it is open whatever they say",
        name
    )));
    for way in led.iter().filter(|way| !way.interface) {
        let (service, port) = (&way.service, way.port);
        finding = finding.advise(text!("let this host alone reach {}: 127.0.0.1:{} in its ports:", service, port));
    }
    let rule = text!(
        "iptables -I DOCKER-USER -i <INTERFACE> ! -s <NETWORK-OF-USERS> -p tcp -m conntrack --ctorigdstport {} --ctdir ORIGINAL -j DROP",
        ports.first().copied().unwrap_or_default()
    );
    let keep = match on {
        On::Ufw(_) => "keep it in /etc/ufw/after.rules for the next boot",
        On::Firewalld(_) => "keep it for the next boot, after Docker's start",
    };
    finding
        .advise(text!("or let through whom you mean: {}; {}", as_root(rule), own(keep)))
        .advise("where everybody is meant to reach it, pass over this: --ignore-check firewall")
}

/// What is reached by a port whose rules are asked.
enum Reached {
    /// The product.
    Itself,
    /// What ends TLS in front of it.
    Front,
}

/// A port that something listens on in the host's own network.
fn judge_direct(facts: &Facts, on: On<'_>, port: u16, reached: &Reached) -> Finding {
    let name = own(on.name());
    let what = own(match reached {
        Reached::Itself => "the product",
        Reached::Front => "the server in front of the product",
    });
    let why = match reached {
        Reached::Itself if facts.iptables == DaemonSwitch::Off => {
            "the daemon leaves iptables alone, so the firewall is asked"
        }
        Reached::Itself => "it listens in the host's own network, so the firewall is asked",
        Reached::Front => "the product is reached through a server that ends TLS",
    };
    let finding = |status, title: Text, said: Text| {
        Finding::new(ids::FIREWALL, status, title)
            .expected(EXPECTED)
            .observed(text!("{}; {}", own(why), said))
            .evidence("ports", json!([port]))
            .evidence("firewall", own(on.name()))
    };
    match on.entry(port) {
        Entry::All => finding(
            Status::Pass,
            text!("{} lets users reach port {}, {}", name, port, what),
            text!("port {} is open to everybody", port),
        ),
        Entry::Some => finding(
            Status::Pass,
            text!("{} lets some users reach port {}, {}", name, port, what),
            text!("port {} is open to some", port),
        ),
        Entry::None => finding(
            Status::Warn,
            text!("{} keeps users from port {}, {}", name.clone(), port, what),
            text!("no rule of {} opens port {}", name, port),
        )
        .cause("what no rule lets in is dropped or rejected: a browser waits, or says that it was refused")
        .advise(text!("open it: {}", on.opened(port, facts.engine().as_ref())))
        .advise("where users come by another way, pass over this: --ignore-check firewall"),
        Entry::Unknown(why) => {
            Finding::skip(ids::FIREWALL, text!("whether {} lets users reach port {} is not known", name, port))
                .observed(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::docker::double::Double;
    use crate::host::Output;

    fn ufw(compose: &str, rules: &str) -> Double {
        let host = Double::installed().prints("dockerd --version", "Docker version 26.1.5, build 411e817\n");
        host.files.put("/etc/ufw/ufw.conf", b"ENABLED=yes\n");
        host.files.put("/etc/default/ufw", b"DEFAULT_INPUT_POLICY=\"DROP\"\n");
        host.files.put("/etc/ufw/user.rules", rules.as_bytes());
        host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
        host
    }

    fn firewalld(compose: &str, conf: &str, services: &str) -> Double {
        let state = || Ok(Output { code: Some(0), stdout: b"running\n".to_vec(), stderr: Vec::new() });
        let host = Double::installed().answers("firewall-cmd --state", state);
        host.files.put("/etc/firewalld/firewalld.conf", conf.as_bytes());
        host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
        let zones =
            format!("public (active)\n  target: default\n  interfaces: eth0\n  services: {services}\n  ports: \n");
        host.prints("firewall-cmd --get-default-zone", "public\n").prints("firewall-cmd --list-all-zones", zones)
    }

    fn engine(host: Double, version: &str) -> Double {
        host.prints("dockerd --version", format!("Docker version {version}, build 1\n"))
    }

    const OPEN: &str =
        "services:\n  interfaceserver:\n    ports: [\"8001:8001\"]\n  mysql:\n    ports: [\"127.0.0.1:3306:3306\"]\n";
    const BEHIND: &str = "services:\n  interfaceserver:\n    command: divvycloud webserver --reverse-proxy\n    ports: [\"127.0.0.1:8001:8001\"]\n";
    const HTTPS: &str = "### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in\n";

    fn judged(host: &Double) -> Vec<(Status, String)> {
        let found = checked(&Firewall, host, &production());
        found.iter().map(|found| (found.status, found.title.to_string())).collect()
    }

    fn one(host: &Double, status: Status, words: &str) -> Finding {
        let found = checked(&Firewall, host, &production());
        assert!(found.len() == 1 && found[0].status == status && found[0].title.contains(words), "{found:#?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn published_ports_are_open_whatever_ufw_says() {
        let found = one(&ufw(OPEN, HTTPS), Status::Warn, "ufw is on, and keeps nobody from port 8001");
        assert!(found.fix[0].contains("--bind 127.0.0.1 --reverse-proxy"), "{found:?}");
        assert!(found.fix[1].contains("--ctorigdstport 8001 --ctdir ORIGINAL -j DROP"), "{found:?}");
        let ruled = ufw(OPEN, "").prints("iptables", "-A DOCKER-USER -i eth0 -j DROP\n-A DOCKER-USER -j RETURN\n");
        one(&ruled, Status::Pass, "rules in DOCKER-USER decide");
        let both = ufw(&OPEN.replace("127.0.0.1:3306", "3306"), "");
        let found = one(&both, Status::Warn, "ports 8001, 3306");
        assert!(found.fix.iter().any(|fix| fix.contains("127.0.0.1:3306 in its ports")), "{found:?}");
    }

    #[test]
    fn a_front_door_needs_its_port_open() {
        let closed = one(&ufw(BEHIND, ""), Status::Warn, "ufw keeps users from port 443");
        assert!(closed.fix[0].contains("ufw allow 443/tcp"), "{closed:?}");
        one(&ufw(BEHIND, HTTPS), Status::Pass, "ufw lets users reach port 443");
        let closed =
            one(&engine(firewalld(BEHIND, "", "ssh"), "26.1.5"), Status::Warn, "firewalld keeps users from port 443");
        assert!(
            closed.fix[0]
                .ends_with("firewall-cmd --permanent --zone=public --add-service=https && firewall-cmd --reload")
                || closed.fix[0].contains("--zone=public --add-service=https"),
            "{closed:?}"
        );
        assert!(!closed.fix[0].contains("restart Docker"), "{closed:?}");
        let older = one(&engine(firewalld(BEHIND, "", "ssh"), "19.03.1"), Status::Warn, "firewalld keeps users");
        assert!(older.fix[0].contains("restart Docker"), "{older:?}");
        one(&firewalld(BEHIND, "", "https ssh"), Status::Pass, "firewalld lets users reach port 443");
    }

    #[test]
    fn engines_and_settings_of_firewalld_decide_what_is_closed() {
        one(
            &engine(firewalld(OPEN, "FirewallBackend=nftables\n", "ssh"), "26.1.5"),
            Status::Warn,
            "keeps nobody from port 8001",
        );
        one(
            &engine(firewalld(OPEN, "FirewallBackend=iptables\n", "ssh"), "19.03.1"),
            Status::Warn,
            "keeps nobody from port 8001",
        );
        let rejected = one(
            &engine(firewalld(OPEN, "FirewallBackend=nftables\n", "ssh"), "19.03.1"),
            Status::Warn,
            "firewalld keeps users from port 8001",
        );
        assert!(rejected.fix.iter().any(|fix| fix.contains("20.10")), "{rejected:?}");
        let strict = one(
            &engine(firewalld(OPEN, "StrictForwardPorts=yes\n", "ssh"), "28.0.1"),
            Status::Warn,
            "firewalld keeps users from port 8001",
        );
        assert!(strict.cause.unwrap().contains("StrictForwardPorts"));
    }

    #[test]
    fn where_docker_leaves_iptables_alone_the_rules_decide() {
        let left = |rules: &str| {
            let host = ufw(OPEN, rules);
            host.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
            host.files.put("/etc/docker/daemon.json", b"{\"iptables\": false}");
            host
        };
        one(&left(""), Status::Warn, "ufw keeps users from port 8001");
        one(
            &left("### tuple ### allow tcp 8001 0.0.0.0/0 any 10.1.0.0/16 in\n"),
            Status::Pass,
            "ufw lets some users reach port 8001",
        );
        one(
            &ufw(&OPEN.replace("ports: [\"8001:8001\"]", "network_mode: host"), ""),
            Status::Warn,
            "ufw keeps users from port 8001",
        );
    }

    #[test]
    fn what_is_not_known_is_not_fine() {
        one(&Double::installed(), Status::Pass, "neither ufw nor firewalld is on");
        let refused =
            || Ok(Output { code: Some(253), stdout: b"Authorization failed.\n".to_vec(), stderr: Vec::new() });
        let host = Double::installed().answers("firewall-cmd --state", refused);
        one(&host, Status::Skip, "whether firewalld is on is not known");
        let odd = judged(&ufw(&OPEN.replace("8001:8001", "8000-8010:8000-8010"), ""));
        assert_eq!((odd[0].0, odd.len()), (Status::Warn, 1), "{odd:?}");
        let host = ufw(OPEN, "");
        host.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
        host.files.put("/etc/docker/daemon.json", b"{\"iptables\": \"no\"}");
        one(&host, Status::Warn, "as far as can be seen keeps nobody from port 8001");
        let bare = Double::with(crate::host::MemoryHost::new());
        bare.files.put("/etc/ufw/ufw.conf", b"ENABLED=yes\n");
        let found = one(&bare, Status::Warn, "keeps nobody from port 8001");
        assert!(found.observed.unwrap().contains("no compose file yet"));
        let spec = CheckSpec { bind: Some("127.0.0.1".into()), ..production() };
        let found = checked(&Firewall, &bare, &spec);
        assert!(found.len() == 1 && found[0].title.contains("ufw keeps users from port 443"), "{found:?}");
        let spec = CheckSpec { interface: Some(false), ..production() };
        assert_eq!(checked(&Firewall, &bare, &spec)[0].status, Status::Skip);
    }
}
