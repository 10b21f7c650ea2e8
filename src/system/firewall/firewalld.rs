//! firewalld: its own word where it runs, and what it would have after a boot by its files.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Entry, Switched, file, may_be_there, value};
use crate::host::{Command, HostRead, Output};
use crate::text;
use crate::text::{Text, clean, own};

const PROGRAM: &str = "/usr/sbin/firewalld";

const CONF: &str = "/etc/firewalld/firewalld.conf";

/// Rules of people's that it loads as they are.
pub(super) const DIRECT: &str = "/etc/firewalld/direct.xml";

/// What starts it at boot: the second up to RHEL 7.
const ENABLED: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/firewalld.service",
    "/etc/systemd/system/basic.target.wants/firewalld.service",
];

/// Where its zones are; the first that has a file of the name counts.
const ZONES: [&str; 2] = ["/etc/firewalld/zones", "/usr/lib/firewalld/zones"];

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
}

impl Zone {
    fn entry(&self, port: u16, service: Option<&str>) -> Entry {
        let is_it = |own: &String| {
            let Some((range, "tcp")) = own.split_once('/') else { return false };
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            matches!((first.parse::<u16>(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
        };
        let by_name = service.is_some_and(|name| self.services.iter().any(|own| own == name));
        if self.accepts || by_name || self.ports.iter().any(is_it) {
            return Entry::All;
        }
        let named = service.map(|name| format!("service name=\"{name}\""));
        let numbered = format!("port=\"{port}\"");
        let is_about = |rule: &String| rule.contains(&numbered) || named.as_ref().is_some_and(|own| rule.contains(own));
        if self.rich.iter().any(is_about) { Entry::Some } else { Entry::None }
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
        match () {
            () if !all.is_empty() && all.iter().all(|entry| *entry == Entry::All) => Entry::All,
            () if all.iter().all(|entry| *entry == Entry::None) => Entry::None,
            () => Entry::Some,
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
    let zones = told(&["--get-default-zone"])
        .and_then(|usual| told(&["--list-all-zones"]).map(|all| in_force(&all, usual.trim())));
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
    if !ENABLED.iter().any(|path| may_be_there(host, path)) {
        return Switched::Off;
    }
    Switched::On(with_conf(host, |conf| {
        let name = value(conf?, "DefaultZone").unwrap_or(USUAL_ZONE);
        for folder in ZONES {
            if let Some(xml) = file(host, &format!("{folder}/{name}.xml"))? {
                return Ok(vec![of_file(&xml, name)]);
            }
        }
        Err(text!("the zone {} has no file", name))
    }))
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

/// Of `--list-all-zones`: the zones of interfaces and sources that are not Docker's; where nobody has put any into one, the
/// usual one.
fn in_force(listed: &str, usual: &str) -> Vec<Zone> {
    let mut all: Vec<(Zone, bool)> = Vec::new();
    for line in listed.lines().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(char::is_whitespace) {
            let name = line.split_whitespace().next().unwrap_or_default().to_owned();
            all.push((Zone { name, ..Zone::default() }, false));
            continue;
        }
        let Some((zone, is_used)) = all.last_mut() else { continue };
        let words = |value: &str| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match line.trim().split_once(':').map(|(key, value)| (key, value.trim())) {
            Some(("target", target)) => zone.accepts = target == "ACCEPT",
            Some(("interfaces" | "sources", value)) => *is_used |= words(value).iter().any(|own| !is_of_docker(own)),
            Some(("services", value)) => zone.services = words(value),
            Some(("ports", value)) => zone.ports = words(value),
            _ if line.trim().starts_with("rule ") && line.trim().ends_with("accept") => {
                zone.rich.push(line.trim().to_owned())
            }
            _ => {}
        }
    }
    let is_used = all.iter().any(|(_, is_used)| *is_used);
    let counts = |(zone, own): &(Zone, bool)| if is_used { *own } else { zone.name == usual };
    all.into_iter().filter(counts).map(|(zone, _)| zone).collect()
}

fn is_of_docker(interface: &str) -> bool {
    interface == "lo"
        || interface.starts_with("docker")
        || interface.starts_with("br-")
        || interface.starts_with("veth")
}

/// A file of a zone: `<zone target="ACCEPT">`, `<service name="ssh"/>`, `<port port="8001" protocol="tcp"/>`. What stands in a rich rule
/// is not followed, but for its port or service.
fn of_file(xml: &str, name: &str) -> Zone {
    let mut zone = Zone { name: name.to_owned(), ..Zone::default() };
    let mut rule: Option<String> = None;
    for tag in xml.split('<').skip(1).filter_map(|part| part.split_once('>').map(|(tag, _)| tag)) {
        let attribute = |name: &str| {
            let (_, rest) = tag.split_once(&format!(" {name}="))?;
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            rest[1..].split_once(quote).map(|(value, _)| value.to_owned())
        };
        let service = || attribute("name");
        match (tag.split([' ', '/']).next().unwrap_or_default(), &mut rule) {
            ("zone", _) => zone.accepts = attribute("target").is_some_and(|target| target == "ACCEPT"),
            ("rule", _) => rule = Some(String::new()),
            ("service", Some(rule)) => rule.push_str(&format!("service name=\"{}\" ", service().unwrap_or_default())),
            ("port", Some(rule)) => rule.push_str(&format!("port=\"{}\" ", attribute("port").unwrap_or_default())),
            ("accept", Some(own)) => {
                zone.rich.push(own.clone());
                rule = None;
            }
            ("service", None) => zone.services.extend(service()),
            ("port", None) => {
                let of = attribute("port").zip(attribute("protocol"));
                zone.ports.extend(of.map(|(port, protocol)| format!("{port}/{protocol}")));
            }
            ("", Some(_)) if tag.starts_with("/rule") => rule = None,
            _ => {}
        }
    }
    zone
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
        let own = firewalld(Ok(in_force(LISTED, "work")));
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
        assert_eq!(in_force(&unused, "work")[0].name, "work");
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
        assert_eq!(found.zones.unwrap().len(), 1);
    }

    #[test]
    fn an_image_is_told_by_its_files() {
        let host = MemoryHost::new();
        assert_eq!(look(&host, LIMIT), Switched::Absent);
        host.put(PROGRAM, b"x");
        assert_eq!(look(&host, LIMIT), Switched::Off);
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
    }
}
