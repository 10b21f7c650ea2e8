//! Ports that something listens on in the host's own network, of which the firewall decides.

use serde_json::json;

use super::super::data::Data;
use super::{EXPECTED, Facts};
use crate::check::prelude::*;
use crate::product::Known;
use crate::product::ways::Way;
use crate::system::firewall::{Entry, Firewalld, Ufw};
use crate::text::{quoted, typed};
use crate::version::Version;

/// A firewall that is on.
#[derive(Clone, Copy)]
pub(super) enum On<'f> {
    Ufw(&'f Ufw),
    Firewalld(&'f Firewalld),
}

impl On<'_> {
    pub(super) fn name(self) -> &'static str {
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

/// A port of a service.
pub(super) fn judge(facts: &Facts, on: On<'_>, way: &Way) -> Finding {
    let asked = Asked {
        facts,
        on,
        port: way.port,
        why: match way.in_host {
            true => "it listens in the host's own network, so the firewall is asked",
            false => "the daemon leaves iptables alone, so the firewall is asked",
        },
    };
    if way.interface { asked.of_users("the product") } else { asked.of_service(&way.service) }
}

/// What keeps others from a service that is not known to be for users.
pub(super) fn inner(service: &str, port: u16) -> Text {
    let line = text!("let this host alone reach {}: 127.0.0.1:{} in its ports:", service, port);
    match Known::get().service_of(service, "") {
        Some(_) => line,
        None => text!("where no user comes by it, {}", line),
    }
}

/// The port of what ends TLS in front of the product.
pub(super) fn judge_front(facts: &Facts, on: On<'_>) -> Finding {
    let (port, why) = (Data::get().firewall.front.0, "the product is reached through a server that ends TLS");
    Asked { facts, on, port, why }.of_users("the server in front of the product")
}

/// A port, and why the firewall is asked about it.
struct Asked<'f> {
    facts: &'f Facts,
    on: On<'f>,
    port: u16,
    why: &'static str,
}

impl Asked<'_> {
    fn finding(&self, status: Status, title: Text, said: Text) -> Finding {
        Finding::new(ids::FIREWALL, status, title)
            .expected(EXPECTED)
            .observed(text!("{}; {}", own(self.why), said))
            .evidence("ports", json!([self.port]))
            .evidence("firewall", own(self.on.name()))
    }

    /// Users have to reach it.
    fn of_users(&self, what: &'static str) -> Finding {
        let (name, port, what) = (own(self.on.name()), self.port, own(what));
        match self.on.entry(port) {
            Entry::All => self.finding(
                Status::Pass,
                text!("{} lets users reach port {}, {}", name, port, what),
                text!("port {} is open to everybody", port),
            ),
            Entry::Some => self.finding(
                Status::Pass,
                text!("{} lets some users reach port {}, {}", name, port, what),
                text!("port {} is open to some", port),
            ),
            Entry::None => self
                .finding(
                    Status::Warn,
                    text!("{} keeps users from port {}, {}", name.clone(), port, what),
                    text!("no rule of {} opens port {}", name, port),
                )
                .cause("what no rule lets in is dropped or rejected: a browser waits, or says that it was refused")
                .advise(text!("open it: {}", self.on.opened(port, self.facts.engine().as_ref())))
                .advise(text!("where users come by another way, pass over this: {}", typed("--ignore-check firewall"))),
            Entry::Unknown(why) => {
                Finding::skip(ids::FIREWALL, text!("whether {} lets users reach port {} is not known", name, port))
                    .observed(why)
            }
        }
    }

    /// The product alone has to reach it, from its own network, or nobody knows who.
    fn of_service(&self, service: &str) -> Finding {
        let (name, port) = (own(self.on.name()), self.port);
        match self.on.entry(port) {
            Entry::All => self
                .finding(
                    Status::Warn,
                    text!("{} lets everybody reach port {} of {}", name, port, service),
                    text!("port {} is open to everybody", port),
                )
                .cause("what is for the product alone, as databases and queues are, no user has to reach")
                .advise(inner(service, port))
                .advise(text!(
                    "where everybody is meant to reach it, pass over this: {}",
                    typed("--ignore-check firewall")
                )),
            Entry::Some => self.finding(
                Status::Pass,
                text!("{} lets some reach port {} of {}", name, port, service),
                text!("port {} is open to some", port),
            ),
            Entry::None => self.finding(
                Status::Pass,
                text!("{} keeps others from port {} of {}", name.clone(), port, service),
                text!("no rule of {} opens port {}", name, port),
            ),
            Entry::Unknown(why) => {
                let title = text!("whom {} lets reach port {} of {} is not known", name, port, service);
                Finding::skip(ids::FIREWALL, title).observed(why)
            }
        }
    }
}
