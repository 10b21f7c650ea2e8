//! firewalld: its own word where it runs, and what it would have after a boot by its files.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Entry, Switched, file, may_be_there, value, xml};
use crate::host::{Command, HostRead, Output};
use crate::system::pools::is_bridge;
use crate::text;
use crate::text::{Text, clean, own};

const PROGRAM: &str = "/usr/sbin/firewalld";

const CONF: &str = "/etc/firewalld/firewalld.conf";

/// Rules of people's that it loads as they are.
pub(super) const DIRECT: &str = "/etc/firewalld/direct.xml";

/// A unit that is masked leads to nothing.
const MASK: (&str, &str) = ("/etc/systemd/system/firewalld.service", "/dev/null");

/// What starts it at boot: the second up to RHEL 7.
const ENABLED: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/firewalld.service",
    "/etc/systemd/system/basic.target.wants/firewalld.service",
];

/// Where its zones are; the first that has a file of the name counts.
const ZONES: [&str; 2] = ["/etc/firewalld/zones", "/usr/lib/firewalld/zones"];

/// Where its services are, likewise.
const SERVICES: [&str; 2] = ["/etc/firewalld/services", "/usr/lib/firewalld/services"];

/// Files of other hands that put interfaces into zones: where they are, how their names begin, and the name of the zone in them.
const BY_OTHERS: [(&str, &str, &str); 2] =
    [("/etc/NetworkManager/system-connections", "", "zone"), ("/etc/sysconfig/network-scripts", "ifcfg-", "ZONE")];

/// The interfaces of this host.
const INTERFACES: &str = "/sys/class/net";

/// The zone that Docker has its bridges in, since 20.10.
const OF_DOCKER: &str = "docker";

/// The zone of interfaces that nobody has put into another, unless its file says which.
const USUAL_ZONE: &str = "public";

/// What `firewall-cmd --state` ends with where it does not run.
const NOT_RUNNING: i32 = 252;

/// What it does with what comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Firewalld {
    /// The zones of what comes from outside, or why they are not known.
    pub(crate) zones: Result<Vec<Zone>, Text>,
    /// Does it keep from published ports whoever it does not let through itself? `None`: its file cannot be read.
    pub(crate) is_strict: Option<bool>,
    /// `nftables`, `iptables`; `None`: its file does not say.
    pub(crate) backend: Option<String>,
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) name: String,
    /// Is everything let in?
    pub(crate) accepts: bool,
    /// Names of services.
    pub(crate) services: Vec<String>,
    /// `8001/tcp`, `8000-8100/tcp`.
    pub(crate) ports: Vec<String>,
    /// Rich rules that let something in.
    pub(crate) rich: Vec<String>,
    /// Rich rules that keep something out.
    pub(crate) barred: Vec<String>,
    /// A service of which it is not known what ports it has.
    pub(crate) unknown: Option<String>,
}

impl Zone {
    fn entry(&self, port: u16, service: Option<&str>) -> Entry {
        let is_it = |own: &String| own.strip_suffix("/tcp").is_some_and(|range| has(range, port));
        let by_name = service.is_some_and(|name| self.services.iter().any(|own| own == name));
        let named = |rules: &[String]| rules.iter().any(|rule| is_about(rule, port, service));
        if self.accepts || by_name || self.ports.iter().any(is_it) {
            return if named(&self.barred) { Entry::Some } else { Entry::All };
        }
        match &self.unknown {
            _ if named(&self.rich) => Entry::Some,
            Some(name) => {
                Entry::Unknown(text!("what ports the service {} of the zone {} has is not known", name, &self.name))
            }
            None => Entry::None,
        }
    }
}

/// `8001`, `8000-8100`
fn has(range: &str, port: u16) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    matches!((first.parse::<u16>(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
}

/// Is a rich rule about this port? One that names no port, service, … is about everything.
fn is_about(rule: &str, port: u16, service: Option<&str>) -> bool {
    let word = |name: &str| rule.split_once(name).and_then(|(_, rest)| rest.split('"').next());
    match (word(" port port=\""), word("service name=\"")) {
        (Some(range), _) => has(range, port),
        (None, Some(name)) => service == Some(name),
        (None, None) => {
            let others = ["protocol value=", "icmp-", "masquerade", "forward-port", "source-port"];
            !others.iter().any(|other| rule.contains(other))
        }
    }
}

impl Firewalld {
    /// Whom it lets reach a port, which may have a service of that name.
    pub(crate) fn entry(&self, port: u16, service: Option<&str>) -> Entry {
        let zones = match &self.zones {
            Ok(zones) => zones,
            Err(why) => return Entry::Unknown(why.clone()),
        };
        let all: Vec<Entry> = zones.iter().map(|zone| zone.entry(port, service)).collect();
        let unknown = all.iter().find(|entry| matches!(entry, Entry::Unknown(_)));
        match unknown {
            _ if !all.is_empty() && all.iter().all(|entry| *entry == Entry::All) => Entry::All,
            _ if all.iter().any(|entry| matches!(entry, Entry::All | Entry::Some)) => Entry::Some,
            Some(unknown) => unknown.clone(),
            None => Entry::None,
        }
    }

    /// The first zone that keeps everybody from it.
    pub(crate) fn closed(&self, port: u16, service: Option<&str>) -> Option<&Zone> {
        self.zones.as_ref().ok()?.iter().find(|zone| zone.entry(port, service) == Entry::None)
    }
}

pub(super) fn look(host: &dyn HostRead, limit: Duration) -> Switched<Firewalld> {
    if host.is_this_machine() { running(host, limit) } else { at_boot(host) }
}

fn running(host: &dyn HostRead, limit: Duration) -> Switched<Firewalld> {
    let asked = |arguments: &[&str]| {
        let argv = ["firewall-cmd"].iter().chain(arguments).copied();
        host.query(&Command { deadline: limit, ..Command::new(argv) })
    };
    let state = match asked(&["--state"]) {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Switched::Absent,
        Err(error) => return Switched::Unknown(text!("firewall-cmd --state could not be run: {}", error)),
    };
    match state.code {
        Some(0) => {}
        Some(NOT_RUNNING) => return Switched::Off,
        _ => return Switched::Unknown(text!("firewall-cmd --state: {}", said(&state))),
    }
    let told = |arguments: &[&str]| match asked(arguments) {
        Ok(output) if output.code == Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(text!("firewall-cmd {}: {}", own(arguments.join(" ")), said(&output))),
        Err(error) => Err(text!("firewall-cmd {} could not be run: {}", own(arguments.join(" ")), error)),
    };
    // What cannot be listed may be an interface that nobody has put into a zone.
    let interfaces = host.list(Path::new(INTERFACES)).unwrap_or_default();
    let interfaces: Vec<String> = interfaces.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let zones = told(&["--get-default-zone"])
        .and_then(|usual| told(&["--list-all-zones"]).map(|all| in_force(&all, usual.trim(), &interfaces)))
        .map(|zones| zones.into_iter().map(|zone| with_services(host, zone)).collect());
    Switched::On(with_conf(host, |_| zones))
}

fn said(output: &Output) -> String {
    let words = [&output.stderr, &output.stdout].map(|stream| String::from_utf8_lossy(stream).into_owned());
    clean(words.iter().flat_map(|words| words.lines()).next().unwrap_or("it said nothing"), 120)
}

fn at_boot(host: &dyn HostRead) -> Switched<Firewalld> {
    if !may_be_there(host, PROGRAM) {
        return Switched::Absent;
    }
    let is_masked = host.read_link(Path::new(MASK.0)).is_ok_and(|target| target == Path::new(MASK.1));
    if is_masked || !ENABLED.iter().any(|path| may_be_there(host, path)) {
        return Switched::Off;
    }
    Switched::On(with_conf(host, |conf| {
        let name = value(conf?, "DefaultZone").unwrap_or(USUAL_ZONE);
        if let Some(by) = puts_elsewhere(host, name)? {
            return Err(text!("interfaces are put into zones by {}", by));
        }
        for folder in ZONES {
            if let Some(xml) = file(host, &format!("{folder}/{name}.xml"))? {
                return Ok(vec![with_services(host, of_file(&xml, name).0)]);
            }
        }
        Err(text!("the zone {} has no file", name))
    }))
}

/// A file that puts an interface, or what comes from somewhere, into another zone than the usual one.
fn puts_elsewhere(host: &dyn HostRead, usual: &str) -> Result<Option<String>, Text> {
    let list = |folder: &str| match host.list(Path::new(folder)) {
        Ok(names) => Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(text!("{} could not be listed: {}", folder, error)),
    };
    for name in list(ZONES[0])?.into_iter().filter(|name| name.ends_with(".xml")) {
        let path = format!("{}/{name}", ZONES[0]);
        let is_usual = name.strip_suffix(".xml") == Some(usual);
        if !is_usual && file(host, &path)?.is_some_and(|xml| of_file(&xml, usual).1) {
            return Ok(Some(path));
        }
    }
    for (folder, begin, key) in BY_OTHERS {
        for name in list(folder)?.into_iter().filter(|name| name.starts_with(begin)) {
            let path = format!("{folder}/{name}");
            let text = file(host, &path)?.unwrap_or_default();
            if value(&text, key).is_some_and(|zone| zone.trim_matches(['"', '\'']) != usual) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// With the ports of its services.
fn with_services(host: &dyn HostRead, mut zone: Zone) -> Zone {
    for name in &zone.services {
        let text = SERVICES.iter().find_map(|folder| file(host, &format!("{folder}/{name}.xml")).transpose());
        let Some(Ok(text)) = text else {
            zone.unknown = Some(clean(name, 60));
            continue;
        };
        let plain = xml::uncommented(&text);
        for (tag, _) in xml::tags(&plain) {
            match xml::name(tag) {
                "port" => zone.ports.extend(port_of(tag)),
                "include" => zone.unknown = Some(clean(name, 60)),
                _ => {}
            }
        }
    }
    zone
}

/// `8001/tcp`, of `<port port="8001" protocol="tcp"/>`.
fn port_of(tag: &str) -> Option<String> {
    Some(format!("{}/{}", xml::attribute(tag, "port")?, xml::attribute(tag, "protocol")?))
}

fn with_conf(host: &dyn HostRead, zones: impl FnOnce(Result<&str, Text>) -> Result<Vec<Zone>, Text>) -> Firewalld {
    let conf = file(host, CONF).map(Option::unwrap_or_default);
    let said = |name: &str| conf.as_deref().ok().and_then(|conf| value(conf, name));
    Firewalld {
        is_strict: conf
            .is_ok()
            .then(|| said("StrictForwardPorts").is_some_and(|word| word.eq_ignore_ascii_case("yes"))),
        backend: said("FirewallBackend").map(|word| clean(word, 20)),
        zones: zones(conf.as_deref().map_err(Text::clone)),
    }
}

/// Of `--list-all-zones`: the zones of interfaces that are not Docker's; the usual one, which has all those that nobody has put into
/// another; and those of sources.
fn in_force(listed: &str, usual: &str, interfaces: &[String]) -> Vec<Zone> {
    let mut all: Vec<(Zone, Vec<String>, bool)> = Vec::new();
    for line in listed.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(char::is_whitespace) {
            let name = line.split_whitespace().next().unwrap_or_default().to_owned();
            all.push((Zone { name, ..Zone::default() }, Vec::new(), false));
            continue;
        }
        let Some((zone, own, has_sources)) = all.last_mut() else { continue };
        let words = |value: &str| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match line.trim().split_once(':').map(|(key, value)| (key, value.trim())) {
            Some(("target", target)) => zone.accepts = target == "ACCEPT",
            Some(("interfaces", value)) => *own = words(value),
            Some(("sources", value)) => *has_sources = !value.is_empty(),
            Some(("services", value)) => zone.services = words(value),
            Some(("ports", value)) => zone.ports = words(value),
            _ if line.trim().starts_with("rule ") => {
                let rule = line.trim();
                let ends = |words: &[&str]| words.iter().any(|word| rule.contains(word));
                if ends(&[" accept"]) {
                    zone.rich.push(rule.to_owned());
                } else if ends(&[" drop", " reject"]) {
                    zone.barred.push(rule.to_owned());
                }
            }
            _ => {}
        }
    }
    let is_put = |name: &String| all.iter().any(|(_, own, _)| own.contains(name));
    let others = || interfaces.iter().filter(|name| !is_of_docker(name));
    let all_are_put = others().next().is_some() && others().all(is_put);
    // Those of interfaces first: it is these that are opened.
    let rank = |(zone, own, has_sources): &(Zone, Vec<String>, bool)| match () {
        () if zone.name == OF_DOCKER => None,
        () if own.iter().any(|name| !is_of_docker(name)) => Some(0),
        () if zone.name == usual && !all_are_put => Some(1),
        () if *has_sources => Some(2),
        () => None,
    };
    let mut counted: Vec<(u8, Zone)> = all.iter().filter_map(|one| Some((rank(one)?, one.0.clone()))).collect();
    counted.sort_by_key(|(rank, _)| *rank);
    counted.into_iter().map(|(_, zone)| zone).collect()
}

fn is_of_docker(interface: &str) -> bool {
    is_bridge(interface) || ["lo", "docker_gwbridge"].contains(&interface) || interface.starts_with("veth")
}

/// A file of a zone: `<zone target="ACCEPT">`, `<service name="ssh"/>`, `<port port="8001" protocol="tcp"/>`; and whether it has
/// interfaces or sources. What stands in a rich rule is not followed, but for its port or service.
fn of_file(text: &str, name: &str) -> (Zone, bool) {
    let mut zone = Zone { name: name.to_owned(), ..Zone::default() };
    let (mut rule, mut is_used): (Option<String>, bool) = (None, false);
    let plain = xml::uncommented(text);
    for (tag, _) in xml::tags(&plain) {
        let attribute = |name: &str| xml::attribute(tag, name).map(str::to_owned);
        match (xml::name(tag), &mut rule) {
            ("zone", _) => zone.accepts = attribute("target").is_some_and(|target| target == "ACCEPT"),
            ("rule", _) => rule = Some("rule".to_owned()),
            ("/rule", _) => rule = None,
            ("interface" | "source", None) => is_used = true,
            ("service", Some(rule)) => {
                rule.push_str(&format!(" service name=\"{}\"", attribute("name").unwrap_or_default()))
            }
            ("port", Some(rule)) => rule.push_str(&format!(" port port=\"{}\"", attribute("port").unwrap_or_default())),
            ("protocol", Some(rule)) => rule.push_str(" protocol value="),
            (other @ ("icmp-block" | "icmp-type" | "masquerade" | "forward-port" | "source-port"), Some(rule)) => {
                rule.push_str(&format!(" {other}"))
            }
            ("accept", Some(own)) => zone.rich.push(own.clone()),
            ("drop" | "reject", Some(own)) => zone.barred.push(own.clone()),
            ("service", None) => zone.services.extend(attribute("name")),
            ("port", None) => zone.ports.extend(port_of(tag)),
            _ => {}
        }
    }
    (zone, is_used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;

    /// As firewall-cmd 1.3.3 has printed them.
    const LISTED: &str = "docker (active)\n  target: ACCEPT\n  interfaces: docker0\n  sources: \n  services: \n  ports: \n\n\
        public (active)\n  target: default\n  icmp-block-inversion: no\n  interfaces: eth9\n  sources: \n  services: dhcpv6-client https ssh\n  \
        ports: 8001/tcp 9000-9010/tcp\n  protocols: \n  forward: yes\n  rich rules: \n\trule family=\"ipv4\" source address=\"10.0.0.0/8\" port port=\"8443\" protocol=\"tcp\" accept\n\n\
        work\n  target: default\n  interfaces: \n  sources: \n  services: ssh\n  ports: \n";

    const LIMIT: Duration = Duration::from_secs(1);

    #[test]
    fn the_zones_in_force_tell_whom_a_port_lets_in() {
        let firewalld = |zones| Firewalld { zones, is_strict: Some(false), backend: None };
        let own = firewalld(Ok(in_force(LISTED, "work", &["eth9".to_owned(), "lo".to_owned(), "veth1".to_owned()])));
        assert_eq!(own.zones.as_ref().unwrap().iter().map(|zone| &*zone.name).collect::<Vec<_>>(), ["public"]);
        for (port, service, entry) in [
            (443, Some("https"), Entry::All),
            (8001, None, Entry::All),
            (9005, None, Entry::All),
            (8443, None, Entry::Some),
            (80, Some("http"), Entry::None),
        ] {
            assert_eq!(own.entry(port, service), entry, "{port}");
        }
        assert_eq!(own.closed(80, Some("http")).map(|zone| &*zone.name), Some("public"));
        let unused = LISTED.replace("eth9", "");
        assert_eq!(in_force(&unused, "work", &[])[0].name, "work");
        // What nobody has put into a zone is in the usual one, and is told behind the others.
        let both = in_force(LISTED, "work", &["eth9".to_owned(), "eth1".to_owned()]);
        assert_eq!(both.iter().map(|zone| &*zone.name).collect::<Vec<_>>(), ["public", "work"]);
        assert_eq!(firewalld(Ok(both)).entry(443, Some("https")), Entry::Some);
        let bridge = LISTED.replace("eth9", "br-lan");
        assert_eq!(
            in_force(&bridge, "work", &["br-lan".to_owned()])[0].name,
            "public",
            "a bridge that is not Docker's"
        );
        // Rich rules keep some out of what is open.
        let reject =
            "rule family=\"ipv4\" source address=\"192.0.2.0/24\" port port=\"8000-8001\" protocol=\"tcp\" reject";
        let barred =
            firewalld(Ok(in_force(&LISTED.replace("\trule ", &format!("\t{reject}\n\trule ")), "public", &[])));
        assert_eq!((barred.entry(8001, None), barred.entry(9005, None)), (Entry::Some, Entry::All));
        assert_eq!(firewalld(Err("x".into())).entry(443, None), Entry::Unknown("x".into()));
    }

    #[test]
    fn it_is_asked_where_it_runs() {
        let host = |state: &'static str, code| {
            let answer = move || Ok(Output { code: Some(code), stdout: state.into(), stderr: Vec::new() });
            let host = Double::installed().answers("firewall-cmd --state", answer);
            host.files.put(CONF, b"FirewallBackend=nftables\nStrictForwardPorts=no\n");
            host.prints("firewall-cmd --get-default-zone", "public\n").prints("firewall-cmd --list-all-zones", LISTED)
        };
        assert_eq!(look(&Double::installed(), LIMIT), Switched::Absent);
        assert_eq!(look(&host("not running\n", 252), LIMIT), Switched::Off);
        assert!(matches!(look(&host("Authorization failed.\n", 253), LIMIT), Switched::Unknown(_)));
        let Switched::On(found) = look(&host("running\n", 0), LIMIT) else { panic!("it runs") };
        assert_eq!((found.is_strict, found.backend.as_deref()), (Some(false), Some("nftables")));
        assert!(matches!(found.entry(8002, None), Entry::Unknown(_)), "no file tells what its services are");
        assert_eq!(found.entry(8001, None), Entry::All);
        assert_eq!(found.zones.unwrap().len(), 1);
        let told = host("running\n", 0);
        for (name, port) in [("dhcpv6-client", "546"), ("https", "443"), ("ssh", "22")] {
            let text = format!("<service><port protocol=\"tcp\" port=\"{port}\"/></service>");
            told.files.put(&format!("{}/{name}.xml", SERVICES[1]), text.as_bytes());
        }
        let Switched::On(found) = look(&told, LIMIT) else { panic!("it runs") };
        assert_eq!((found.entry(22, None), found.entry(8002, None)), (Entry::All, Entry::None));
    }

    #[test]
    fn an_image_is_told_by_its_files() {
        let host = MemoryHost::new();
        assert_eq!(look(&host, LIMIT), Switched::Absent);
        host.put(PROGRAM, b"x");
        assert_eq!(look(&host, LIMIT), Switched::Off);
        for name in ["ssh", "http"] {
            host.put(&format!("{}/{name}.xml", SERVICES[1]), b"<service/>");
        }
        host.put_link(ENABLED[0], "/usr/lib/systemd/system/firewalld.service", 0);
        host.put(CONF, b"# x\nDefaultZone=corp\nFirewallBackend=iptables\n");
        let Switched::On(found) = look(&host, LIMIT) else { panic!("it is on") };
        assert!(matches!(found.entry(443, None), Entry::Unknown(_)), "{found:?}");
        let zone = "<?xml version=\"1.0\"?>\n<zone>\n  <short>Corp</short>\n  <service name=\"ssh\"/>\n  <port port='8001' protocol=\"tcp\"/>\n  \
                    <rule family=\"ipv4\"><source address=\"10.0.0.0/8\"/><service name=\"https\"/><accept/></rule>\n  \
                    <rule><port port=\"9000\" protocol=\"tcp\"/><drop/></rule><service name=\"http\"/></zone>\n";
        host.put("/etc/firewalld/zones/corp.xml", zone.as_bytes());
        let Switched::On(found) = look(&host, LIMIT) else { panic!("it is on") };
        let entries = [(8001, None), (443, Some("https")), (80, Some("http")), (9000, None)];
        let entries = entries.map(|(port, service)| found.entry(port, service));
        assert_eq!(entries, [Entry::All, Entry::Some, Entry::All, Entry::None]);
        let commented =
            zone.replace("<port port='8001'", "<!-- <port port='8002' protocol=\"tcp\"/> --><port\n port='8001'");
        host.put("/etc/firewalld/zones/corp.xml", commented.as_bytes());
        let Switched::On(found) = look(&host, LIMIT) else { panic!("it is on") };
        assert_eq!((found.entry(8001, None), found.entry(8002, None)), (Entry::All, Entry::None));
        // Who puts interfaces into other zones decides what counts, and that is not followed.
        for (path, text) in [
            ("/etc/firewalld/zones/dmz.xml", "<zone><interface name=\"eth1\"/></zone>"),
            ("/etc/NetworkManager/system-connections/eth0.nmconnection", "[connection]\nzone=dmz\n"),
            ("/etc/sysconfig/network-scripts/ifcfg-eth0", "ZONE=\"dmz\"\n"),
        ] {
            host.put(path, text.as_bytes());
            let Switched::On(found) = look(&host, LIMIT) else { panic!("it is on") };
            assert!(matches!(found.entry(8001, None), Entry::Unknown(why) if why.contains(path)), "{path}");
            host.put(path, b"<zone><rule><source address=\"10.0.0.0/8\"/><drop/></rule></zone>\nZONE=corp\n");
            let Switched::On(found) = look(&host, LIMIT) else { panic!("it is on") };
            assert_eq!(found.entry(8001, None), Entry::All, "{path}");
        }
        host.put_link(MASK.0, MASK.1, 0);
        assert_eq!(look(&host, LIMIT), Switched::Off);
    }
}
