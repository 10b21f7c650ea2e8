//! Who listens on the product's ports: nobody, the product, or something in its way.

use std::collections::BTreeSet;

use serde_json::json;

use super::data::{Data, Port};
use crate::check::prelude::*;
use crate::docker::{Container, Published};
use crate::product::interface::{address, is_interface};
use crate::product::{Found, own_containers, service_of};
use crate::settings::Deployment;
use crate::system::Seen;
use crate::system::ports::{self, Listener, PortsFacts, Process, Publisher};
use crate::text::{quoted, typed};

pub(super) struct Ports;

impl Check for Ports {
    type Facts = PortsFacts;

    const META: Meta = Meta::new("ports", Group::Host, &[ids::PORT_IN_USE]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&PortsFacts>) -> PortsFacts {
        let numbers: Vec<u16> = Data::get().ports.iter().map(|port| at(port, look.spec)).collect();
        let half = time.at_most(time.left() / 2);
        let mut facts = ports::observe(look.host, &look.spec.home, &numbers, half);
        let home = &look.spec.home;
        facts.no_interface = address(look.host, home, &crate::product::Place::look(look.host, home)).is_none();
        let listeners = if let Seen::Is(listeners) = &facts.listeners { listeners.as_slice() } else { &[] };
        if listeners.iter().flat_map(|listener| &listener.owners).any(is_container) {
            // Where Docker does not tell, a container of an installed product passes for its own.
            facts.publishers = own_containers(look.host, &look.spec.home, time).ok().map(|found| publishers(&found));
        }
        facts
    }

    fn judge(&self, facts: &PortsFacts, spec: &CheckSpec) -> Vec<Finding> {
        if !spec.interface.unwrap_or(!facts.no_interface) {
            return vec![
                Finding::skip(ids::PORT_IN_USE, "no port of this host is for the product")
                    .observed("it does not have the role interface, and other roles publish none"),
            ];
        }
        let listeners = match facts.listeners.or_skip(ids::PORT_IN_USE, "ports") {
            Ok(listeners) => listeners,
            Err(skipped) => return vec![*skipped],
        };
        let wanted = |port: &&Port| spec.deployment == Deployment::TestDrive || !port.test_drive_only;
        let place = |port: &Port| Place { port: at(port, spec), interface: port.interface, facts };
        Data::get().ports.iter().filter(wanted).map(|port| judge_port(port, listeners, &place(port))).collect()
    }
}

/// The number of a port: that of the web interface can be another.
fn at(port: &Port, spec: &CheckSpec) -> u16 {
    spec.port.filter(|_| port.interface).unwrap_or(port.number)
}

/// Which containers publish what.
fn publishers(found: &Found) -> Vec<Publisher> {
    let of = |container: &Container, own: bool| {
        let publisher = |published: &Published| Publisher {
            port: published.outside,
            name: container.state.name.clone(),
            project: container.project.clone(),
            own,
            interface: own && is_interface(service_of(container), &container.command),
        };
        container.published.iter().map(publisher).collect::<Vec<_>>()
    };
    let own = found.own.iter().flat_map(|container| of(container, true));
    own.chain(found.others.iter().flat_map(|container| of(container, false))).collect()
}

/// A port, and what was seen besides who listens on it.
struct Place<'f> {
    port: u16,
    /// It is that of the web interface.
    interface: bool,
    facts: &'f PortsFacts,
}

impl Place<'_> {
    /// The container that publishes it and is not to.
    fn other(&self) -> Option<&Publisher> {
        self.publishers().find(|publisher| !self.is_rightful(publisher))
    }

    fn publishers(&self) -> impl Iterator<Item = &Publisher> {
        self.facts.publishers.iter().flatten().filter(|publisher| publisher.port == self.port)
    }

    /// May it have the port? Another service of the product has that of the web interface only where it stands in front of one
    /// that publishes none.
    fn is_rightful(&self, publisher: &Publisher) -> bool {
        let publishes = |own: &Publisher| own.interface;
        publisher.own
            && (!self.interface || publisher.interface || !self.facts.publishers.iter().flatten().any(publishes))
    }

    /// Is a container that listens here the product's?
    fn is_own(&self) -> bool {
        match self.publishers().next() {
            Some(publisher) => self.is_rightful(publisher),
            None => self.facts.installed,
        }
    }
}

/// What a listener is to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// A container, where the product's containers are to be.
    Product,
    /// A web server in front of the product.
    Front,
    /// It could not be seen.
    Unknown,
    /// Something else.
    Foreign,
}

fn judge_port(port: &Port, listeners: &[Listener], place: &Place<'_>) -> Finding {
    let Place { port: number, facts, .. } = *place;
    let here: Vec<&Listener> = listeners.iter().filter(|listener| listener.port == number).collect();
    let finished = |status, title, observed| finished(port, number, status, title, observed);
    let Some(worst) = here.iter().map(|listener| owner(listener, port, place)).max() else {
        return finished(Status::Pass, text!("port {} is free", number), "nothing listens on it".into());
    };
    let mut seen: Vec<Text> = here.iter().map(|listener| shown(listener)).collect();
    seen.dedup();
    let observed = Text::join(seen, "; ");
    let names: BTreeSet<_> = here.iter().flat_map(|listener| &listener.owners).map(|process| &process.name).collect();
    let names = Text::join(names.into_iter().map(|name| text!("{}", name)), ", ");
    let finding = match worst {
        Owner::Product => {
            finished(Status::Pass, text!("port {} is held by the product's containers", number), observed)
        }
        Owner::Front => finished(Status::Pass, text!("port {} is held by {}", number, names), observed),
        Owner::Unknown => {
            let status = if facts.installed { Status::Warn } else { port.otherwise };
            let why = match (facts.as_root, facts.all_processes) {
                (false, _) => "who it is can be seen by root only",
                (true, false) => "who it is was not found in the time that there is for it",
                (true, true) => {
                    "no process that can be seen from here holds it: it is in another container, or the kernel's own"
                }
            };
            let finding = finished(status, text!("something listens on port {}", number), observed)
                .cause(why)
                .advise(text!("see who it is: {}", as_root(text!("ss -ltnp 'sport = :{}'", number))));
            let again = as_root(ics_setup("check --only port-in-use"));
            if facts.as_root { finding.advise(text!("look again: {}", again)) } else { finding.fix(again) }
        }
        Owner::Foreign => foreign(port, place, &here, &names, observed),
    };
    let owners = here.iter().flat_map(|listener| &listener.owners);
    let owners =
        owners.map(|Process { pid, name, container, .. }| json!({"pid": pid, "name": name, "container": container}));
    finding.evidence("port", number).evidence("owners", owners.collect::<Vec<_>>())
}

fn foreign(port: &Port, place: &Place<'_>, here: &[&Listener], names: &Text, observed: Text) -> Finding {
    let number = place.port;
    let owners = || here.iter().flat_map(|listener| &listener.owners);
    let taken_by = match place.other() {
        Some(Publisher { name, project: Some(project), .. }) => {
            text!("the container {} of the project {}", name, project)
        }
        Some(Publisher { name, .. }) => text!("the container {}", name),
        None => text!("{}", names),
    };
    let title = text!("port {} is taken by {}", number, taken_by);
    let finding = finished(port, number, port.otherwise, title, observed).cause(text!(
        "port {} is for {}; only one program can have it",
        number,
        own(&port.used_for)
    ));
    let other_port = |finding: Finding| {
        if port.interface {
            finding.advise(text!("or give the product another port: {}", typed("--port <PORT>")))
        } else {
            finding
        }
    };
    if place.other().is_some_and(|other| other.own) {
        return finding.advise(text!("give the web interface another port: {}", typed("--port <PORT>")));
    }
    if owners().any(is_container) {
        let id = owners().find_map(|process| process.container.as_ref());
        let id = match (place.other(), id) {
            (Some(other), _) => text!("{}", own(quoted(&other.name))),
            (None, Some(id)) => text!("{}", own(id)),
            (None, None) => "<CONTAINER>".into(),
        };
        let finding = finding
            .advise(text!("see which container it is: {}", typed(text!("docker ps --filter publish={}", number))))
            .advise(text!("stop it: {}", typed(text!("docker stop {} && docker update --restart=no {}", id, id))));
        return other_port(finding);
    }
    let pid = owners().map(|process| process.pid).next().unwrap_or_default();
    let finding = finding
        .advise(text!("see which service it is: {}", typed(text!("systemctl status {}", pid))))
        .advise(text!("stop it for good: {}; or give it another port", typed("systemctl disable --now <SERVICE>")));
    other_port(finding)
}

fn finished(port: &Port, number: u16, status: Status, title: Text, observed: Text) -> Finding {
    let used_for = own(&port.used_for);
    let front = own(if port.front { ", or a web server" } else { "" });
    let finding = Finding::new(ids::PORT_IN_USE, status, title)
        .expected(text!("port {} free, or held by the product{}: it is for {}", number, front, used_for))
        .observed(observed);
    Finding { docs: port.source.as_ref().map(|source| text!("{}", own(source))), ..finding }
}

fn owner(listener: &Listener, port: &Port, place: &Place<'_>) -> Owner {
    let front = |process: &Process| port.front && Data::get().owners.front.contains(&process.name);
    match listener.owners.as_slice() {
        [] => Owner::Unknown,
        owners if place.is_own() && owners.iter().all(is_container) => Owner::Product,
        owners if owners.iter().all(front) => Owner::Front,
        _ => Owner::Foreign,
    }
}

fn is_container(process: &Process) -> bool {
    process.container.is_some() || Data::get().owners.forwarders.contains(&process.name)
}

fn shown(listener: &Listener) -> Text {
    let at = core::net::SocketAddr::new(listener.address, listener.port);
    if listener.owners.is_empty() {
        return text!("a process of user id {} listens on {}", listener.uid, at);
    }
    let owners = listener.owners.iter().map(|Process { pid, name, container, forwards_to, .. }| {
        let within = container.as_ref().map(|id| text!(", container {}", own(id))).unwrap_or_default();
        let to = forwards_to.as_ref().map(|to| text!(", forwards to the container at {}", own(to))).unwrap_or_default();
        text!("{} (process {}{}{})", name, pid, within, to)
    });
    text!("{} listens on {}", Text::join(owners, ", "), at)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production, spec};
    use super::*;
    use crate::host::MemoryHost;

    fn process(name: &str, container: Option<&str>) -> Process {
        Process {
            pid: 42,
            name: name.to_owned(),
            container: container.map(str::to_owned),
            unit: None,
            forwards_to: None,
        }
    }

    fn facts(installed: bool, port: u16, owners: Vec<Process>) -> PortsFacts {
        let address = "0.0.0.0".parse().unwrap();
        let listeners = Seen::Is(vec![Listener { port, address, uid: 1000, owners }]);
        PortsFacts { installed, listeners, all_processes: true, as_root: true, no_interface: false, publishers: None }
    }

    #[test]
    fn a_container_of_another_project_is_in_the_way_and_one_of_ours_is_not() {
        let publisher = |name: &str, own: bool| Publisher {
            port: 9001,
            name: name.to_owned(),
            project: (!own).then(|| "shop".to_owned()),
            own,
            interface: name.contains("interface"),
        };
        for (installed, publishers, status, words) in [
            (
                true,
                Some(vec![publisher("shop_web_1", false)]),
                Status::Fail,
                "the container shop_web_1 of the project shop",
            ),
            (
                false,
                Some(vec![publisher("divvycloud_interfaceserver_1", true)]),
                Status::Pass,
                "the product's containers",
            ),
            (true, Some(vec![]), Status::Pass, "the product's containers"),
            (false, None, Status::Fail, "taken by docker-proxy"),
        ] {
            let facts = PortsFacts { publishers, ..facts(installed, 9001, vec![process("docker-proxy", None)]) };
            let spec = CheckSpec { port: Some(9001), ..production() };
            let findings = Ports.judge(&facts, &spec);
            crate::check::law::each_has_a_way_out(&findings);
            let found = findings.iter().find(|found| found.evidence.contains_key("port")).unwrap();
            assert_eq!(found.status, status, "{found:?}");
            assert!(found.title.contains(words), "{found:?}");
            assert!(status != Status::Fail || found.fix.iter().any(|fix| fix.text().contains("--port <PORT>")));
        }
    }

    #[test]
    fn what_another_service_of_the_product_has_is_taken_for_its_interface_alone() {
        let publisher = |name: &str, port: u16| Publisher {
            port,
            name: name.to_owned(),
            project: Some("divvycloud".to_owned()),
            own: true,
            interface: name == "interfaceserver",
        };
        let judged = |publishers: Vec<Publisher>| {
            let facts =
                PortsFacts { publishers: Some(publishers), ..facts(true, 3306, vec![process("docker-proxy", None)]) };
            let findings = Ports.judge(&facts, &CheckSpec { port: Some(3306), ..spec(Deployment::TestDrive) });
            crate::check::law::each_has_a_way_out(&findings);
            let is_here = |found: &&Finding| found.evidence.get("port") == Some(&3306.into());
            findings.iter().filter(is_here).map(|found| found.status).collect::<Vec<_>>()
        };
        let taken = judged(vec![publisher("mysql", 3306), publisher("interfaceserver", 8001)]);
        assert!(taken.contains(&Status::Fail) && taken.contains(&Status::Pass) && taken.len() == 2, "{taken:?}");
        assert_eq!(judged(vec![publisher("interfaceserver", 3306)]), [Status::Pass; 2]);
        assert_eq!(judged(vec![publisher("nginx", 3306)]), [Status::Pass; 2]);
    }

    #[test]
    fn every_owner_has_its_verdict() {
        let proxy = || vec![process("docker-proxy", None)];
        let inside = || vec![process("mysqld", Some("0123456789ab"))];
        let nginx = || vec![process("nginx", None)];
        for (installed, port, owners, status, words) in [
            (true, 8001, proxy(), Status::Pass, "the product's containers"),
            (true, 8001, inside(), Status::Pass, "the product's containers"),
            (false, 8001, proxy(), Status::Fail, "taken by docker-proxy"),
            (true, 8001, nginx(), Status::Fail, "taken by nginx"),
            (true, 443, nginx(), Status::Pass, "held by nginx"),
            (false, 80, vec![process("python3", None)], Status::Warn, "taken by python3"),
            (false, 8001, vec![], Status::Fail, "something listens"),
            (true, 8001, vec![], Status::Warn, "something listens"),
        ] {
            let findings = Ports.judge(&facts(installed, port, owners), &production());
            crate::check::law::each_has_a_way_out(&findings);
            assert_eq!(findings.len(), 3, "80, 443, 8001");
            let found = findings.iter().find(|found| found.evidence.contains_key("port")).unwrap();
            assert_eq!(found.status, status, "{found:?}");
            assert!(found.title.contains(words), "{found:?}");
        }
    }

    #[test]
    fn mysql_and_redis_matter_to_a_test_drive_only() {
        let facts = facts(false, 3306, vec![process("mariadbd", None)]);
        assert!(Ports.judge(&facts, &production()).iter().all(|found| found.status == Status::Pass));
        let findings = Ports.judge(&facts, &spec(Deployment::TestDrive));
        crate::check::law::each_has_a_way_out(&findings);
        assert_eq!(findings.len(), 5);
        assert!(findings.iter().any(|found| found.status == Status::Fail && found.title.contains("mariadbd")));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_owner_is_found_by_its_open_files() {
        let host = MemoryHost::new();
        let line = "0: 00000000:1F41 00000000:0000 0A 0:0 0:0 0 0 0 1528 1 x\n";
        host.put("/proc/self/net/tcp", format!("head\n{line}").as_bytes());
        host.put_link("/proc/77/fd/3", "socket:[1528]", 0);
        host.put_link("/proc/77/fd/4", "/dev/null", 0);
        host.put("/proc/77/comm", b"docker-proxy\n");
        host.put(
            "/proc/77/cmdline",
            b"/usr/bin/docker-proxy\0-proto\0tcp\0-host-ip\x000.0.0.0\0-host-port\08001\0-container-ip\x00172.18.0.2\0-container-port\08001\0",
        );
        host.put("/divvycloud/prod.env", b"");
        let findings = checked(&Ports, &Live(host.clone()), &production());
        let found = findings.iter().find(|found| found.title.contains("8001")).unwrap();
        assert_eq!(found.status, Status::Pass, "{found:?}");
        assert!(
            found.observed.as_deref().unwrap().contains("forwards to the container at 172.18.0.2:8001"),
            "{found:?}"
        );
        assert_eq!(checked(&Ports, &host, &production())[0].status, Status::Skip);
    }
}
