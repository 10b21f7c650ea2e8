//! Hosts that are not, in the network of a container, what is meant by them: what is so, why, and what would do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::profile::{command, recreated};
use super::super::{Astray, Consumer, ConsumersFacts, Fault, ProxySpec, ProxyValue, Servers, Wanted, Who};
use super::{id, status, who};
use crate::finding::{Finding, Status, ids};
use crate::settings::{Key, NoHost, ProxyUrl, by_key};
use crate::text;
use crate::text::{CommandLine, Fix, Text, ics_setup, own, quoted};
use crate::vendor::Vendor;

/// The name by which a container can be given the host's own address.
const GATEWAY: &str = "host.docker.internal";

/// The finding of a consumer whose containers do not find a proxy of theirs; `None`: they find them.
pub(super) fn proxies(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Option<Finding> {
    let first = consumer.proxies_astray().next()?;
    let host = own(&first.host);
    let grave = first.fault == Fault::Itself && status(consumer.consumer, true, true, wanted) == Status::Fail;
    let says = match first.fault {
        Fault::Itself => "is the container itself",
        _ => "is no name that containers know",
    };
    let title = text!("the proxy {} of {} {}", host, who(consumer), own(says));
    let same = consumer.proxies_astray().filter(|own| own.host == first.host);
    let lines = same.map(|astray| text!("{} ({})", own(&astray.variable), own(&astray.at)));
    let finding = Finding::new(id(consumer.consumer), if grave { Status::Fail } else { Status::Warn }, title)
        .expected("a proxy by a name in DNS, or by an address that containers reach")
        .observed(text!("{}: {}", host, Text::join(lines, ", ")))
        .cause(cause(first));
    let write = |host: &str| of_proxies(consumer, &wanted.home, &first.host, host);
    Some(with_remedies(finding, first, facts, wanted, &write))
}

/// Why the host is not the one that is meant.
fn cause(astray: &Astray) -> Text {
    let host = own(&astray.host);
    let servers = |servers: Servers| match servers {
        Servers::No => "the name servers that containers ask do not know it",
        Servers::Silent => "no name server answers for it",
        Servers::NotAsked => "whether a name server knows it too cannot be told from an image",
    };
    match &astray.fault {
        Fault::Itself => {
            "loopback belongs to each network by itself: what listens on this host is not in the container".into()
        }
        Fault::HostsFile { servers: said, .. } => {
            text!("{} stands in /etc/hosts of this host, which containers do not read; {}", host, own(servers(*said)))
        }
        Fault::Unlisted { servers: Servers::NotAsked, .. } => {
            text!(
                "containers ask name servers alone, and a name such as {} is often known to a host by other means",
                host
            )
        }
        Fault::Unlisted { servers: said, .. } => {
            text!("{}, and nothing else is asked in a container", own(servers(*said)))
        }
        Fault::NoHost { what, .. } => what.says(),
        Fault::Untold { why } => why.clone(),
        Fault::NoPort if astray.host.is_empty() => "it is empty".into(),
        Fault::NoPort => text!("{} is no port from 1 to 65535", astray.host.clone()),
    }
}

/// What would do, with the values that are known; `write` names the command that sets another host, and says whether a person
/// has to complete it.
fn with_remedies(
    finding: Finding,
    astray: &Astray,
    facts: &ConsumersFacts,
    wanted: &Wanted,
    write: &dyn Fn(&str) -> Option<(CommandLine, bool)>,
) -> Finding {
    let host = own(&astray.host);
    let to = |host: &str| write(host).map(|(command, _)| command);
    let then = |host: &str| to(host).map(|command| text!(", then: {}", command)).unwrap_or_default();
    let address = match &astray.fault {
        Fault::HostsFile { address, .. } | Fault::Unlisted { address, .. } => *address,
        _ => None,
    };
    if let Some(address) = address {
        let address = address.to_string();
        let finding = match write(&address) {
            Some((command, true)) => {
                let fixes = [Fix::Command(command)].into_iter().chain(recreated(facts, wanted));
                Finding { fix: fixes.collect(), ..finding }
            }
            Some((command, false)) => finding.advise(text!("name the address: {}", command)),
            None => finding.advise(text!("name the address {} in its place", own(&address))),
        };
        return finding.advise(text!("or have {} put into DNS", host)).advise(text!(
            "or give each service in the compose file extra_hosts: [\"{}:{}\"]",
            host,
            own(&address)
        ));
    }
    match &astray.fault {
        Fault::Unlisted { .. } => finding
            .advise(text!("write the name that DNS has, or the address{}", then("<HOST>")))
            .advise(text!("or give each service in the compose file extra_hosts: [\"{}:<ADDRESS>\"]", host)),
        _ => {
            let bridge = if facts.bridge.is_empty() { "<ADDRESS>" } else { &facts.bridge };
            let at = text!("{} (docker0), which containers reach", own(bridge));
            finding.advise(text!("let it listen on {}{}", at, then(bridge))).advise(text!(
                "or give each service in the compose file extra_hosts: [\"{}:host-gateway\"] (Docker 20.10 and newer){}",
                own(GATEWAY),
                then(GATEWAY)
            ))
        }
    }
}

/// `reconfigure` with another host in the place of one, and whether it is complete.
fn of_proxies(consumer: &Consumer, home: &Path, from: &str, to: &str) -> Option<(CommandLine, bool)> {
    if consumer.consumer == Who::DockerClient {
        return None;
    }
    let moved = |value: Option<&ProxyValue>| {
        let spec = ProxySpec::new(&ProxyUrl::parse(&value?.shown).ok()?, String::new());
        let host = if spec.host == from { to } else { &spec.host };
        // Whatever the host: two proxies are one where all else is the same.
        Some(ProxySpec {
            url: format!("{}{host}{}{:?}", spec.tls, spec.port, spec.user),
            host: host.to_owned(),
            ..spec
        })
    };
    let (http, https) = (moved(consumer.proxy(false)), moved(consumer.proxy(true)));
    let complete = [&http, &https].into_iter().flatten().all(|proxy| proxy.user.is_none());
    let wanted = Wanted { http, https, asked: true, home: home.to_path_buf(), ..Wanted::default() };
    Some((command("reconfigure", &[], &wanted), complete))
}

/// The finding about the back ends that `prod.env` names, each setting once; none where all of them are what is meant.
pub(crate) fn back_ends(facts: &ConsumersFacts, wanted: &Wanted) -> Vec<Finding> {
    let mut by_setting: BTreeMap<(&str, &str), Vec<&Astray>> = BTreeMap::new();
    let mut untold: Vec<((&str, &Text), BTreeSet<&str>)> = Vec::new();
    for astray in facts.consumers.iter().flat_map(Consumer::back_ends_astray) {
        let Some(setting) = Vendor::get().setting_of(&astray.variable) else { continue };
        if let Fault::Untold { why } = &astray.fault {
            let place = (astray.at.as_str(), why);
            match untold.iter_mut().find(|(own, _)| *own == place) {
                Some((_, names)) => drop(names.insert(&astray.variable)),
                None => untold.push((place, BTreeSet::from([astray.variable.as_str()]))),
            }
            continue;
        }
        let same = by_setting.entry((setting, &astray.host)).or_default();
        if !same.contains(&astray) {
            same.push(astray);
        }
    }
    let of_setting =
        |((setting, _), astray): (_, Vec<&Astray>)| Some(back_end(by_key(setting)?.key, &astray, facts, wanted));
    let of_place = |((at, why), names): ((&str, &Text), BTreeSet<&str>)| {
        let names = own(names.into_iter().collect::<Vec<_>>().join(", "));
        let title = text!("what the containers make of {} cannot be told", names);
        Finding::skip(ids::PROD_ENV_HOSTS, title).observed(text!("{}: {}", own(at), why))
    };
    by_setting.into_iter().filter_map(of_setting).chain(untold.into_iter().map(of_place)).collect()
}

fn back_end(key: Key, all: &[&Astray], facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    let first = all[0];
    let flag = key.spec().flag.unwrap_or_default();
    let write = |host: &str| {
        let shown = if host.starts_with('<') { host.to_owned() } else { quoted(host) };
        Some((ics_setup(text!("reconfigure --{} {}", own(flag), own(&shown))), true))
    };
    let mut names: Vec<&str> = all.iter().map(|astray| astray.variable.as_str()).collect();
    names.dedup();
    let names = own(names.join(", "));
    let new = |status, title: Text| {
        let lines = Text::join(all.iter().map(|astray| text!("{}", own(&astray.at))), ", ");
        Finding::new(ids::PROD_ENV_HOSTS, status, title)
            .observed(text!("{}={} ({})", names, first.host.clone(), lines))
            .cause(cause(first))
    };
    match &first.fault {
        Fault::NoHost { what, agreed } => {
            let finding = new(Status::Fail, text!("{} in prod.env is no host", names))
                .expected("a host name or an address, alone");
            let Some(meant) = what.meant.as_ref() else {
                return finding.advise(text!(
                    "{}: {}",
                    own(NoHost::ADVICE),
                    ics_setup(text!("reconfigure --{} <HOST>", own(flag)))
                ));
            };
            let family = flag.split('-').next().unwrap_or_default();
            let port = meant.port.map(|port| text!(" --{}-port {}", own(family), port)).unwrap_or_default();
            let host = own(quoted(&meant.host));
            let login = if meant.login { text!(" --{}-password-file <FILE>", own(family)) } else { Text::default() };
            let command = ics_setup(text!("reconfigure --{} {}{}{}", own(flag), host, port, login));
            match (agreed, meant.login) {
                (true, false) => finding.fix(command),
                (true, true) => finding.advise(text!("{}: {}", own(NoHost::ADVICE), command)),
                (false, _) => finding.advise(text!("{}: {} in {}", own(NoHost::ADVICE), host, own(&first.at))),
            }
        }
        Fault::NoPort => {
            let finding =
                new(Status::Fail, text!("{} in prod.env is no port", names)).expected("a port from 1 to 65535, alone");
            let digits: String = first.host.chars().filter(char::is_ascii_digit).collect();
            match digits.parse::<u16>() {
                Ok(port) if port > 0 && first.host.trim_matches(['"', '\'', ' ', '\t']) == digits => {
                    finding.fix(ics_setup(text!("reconfigure --{} {}", own(flag), port)))
                }
                _ => finding.advise(text!("name it: {}", ics_setup(text!("reconfigure --{} <PORT>", own(flag))))),
            }
        }
        fault => {
            let (status, says) = match fault {
                Fault::Itself => (Status::Fail, "is the container itself"),
                _ => (Status::Warn, "is no name that containers know"),
            };
            let finding = new(status, text!("{} of {} in prod.env {}", own(&first.host), names, own(says)))
                .expected("a name in DNS, the name of a service, or an address that containers reach");
            with_remedies(finding, first, facts, wanted, &write)
        }
    }
}
