//! Rules of people's in the chain that Docker asks before its own.
//!
//! A rule decides who reaches a port where everybody comes to it, and it keeps out whoever it does not except: one that names whom
//! it keeps out lets all the others pass. Rules of containers see the port of the container, and by conntrack that of the host.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{file, in_ranges, ranges, xml};
use crate::host::{Command, HostRead};
use crate::system::pools::is_bridge;
use crate::text;
use crate::text::{Text, clean, own};

/// The chain.
const CHAIN: &str = "DOCKER-USER";

/// What iptables ends with, and says, where there is no such chain.
const NO_CHAIN: (i32, &str) = (1, "No chain/target/match by that name");

/// Targets that keep nobody out: what lets through, and what only notes or marks (`iptables-extensions(8)`).
const PASSING: [&str; 16] = [
    "ACCEPT",
    "AUDIT",
    "CLASSIFY",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DSCP",
    "LOG",
    "MARK",
    "NFLOG",
    "NFQUEUE",
    "RETURN",
    "SECMARK",
    "SET",
    "TCPMSS",
    "ULOG",
];

/// What the names of fail2ban's chains begin with, which keep out whom it has banned.
const BANS: &str = "f2b-";

/// The rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Are there any?
    pub(crate) has_rules: bool,
    keepers: Vec<Keeper>,
}

/// A rule that keeps out whoever it does not except.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Keeper {
    /// The ports of the host that it is about; `None`: all.
    published: Option<Ports>,
    /// Those of containers.
    inside: Option<Ports>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ports {
    /// All but these.
    except: bool,
    /// First and last of each range.
    ranges: Vec<(u16, u16)>,
}

impl Before {
    /// Does one of them decide who reaches what is published by this port of the host, and has that one in the container?
    pub(crate) fn decides(&self, published: u16, inside: u16) -> bool {
        let has = |ports: &Option<Ports>, port: u16| ports.as_ref().is_none_or(|ports| ports.have(port));
        self.keepers.iter().any(|own| has(&own.published, published) && has(&own.inside, inside))
    }

    /// Of rules without the name of the chain, in their order.
    fn of<'r>(rules: impl Iterator<Item = &'r str>) -> Self {
        // Docker itself has the last one there; what is appended behind it is never asked.
        let asked: Vec<&str> =
            rules.map(str::trim).take_while(|rule| !["-j RETURN", "-j ACCEPT"].contains(rule)).collect();
        Self { has_rules: !asked.is_empty(), keepers: asked.into_iter().filter_map(Keeper::read).collect() }
    }

    fn and(mut self, other: Self) -> Self {
        self.has_rules |= other.has_rules;
        self.keepers.extend(other.keepers);
        self
    }
}

impl Ports {
    fn have(&self, port: u16) -> bool {
        in_ranges(&self.ranges, port) != self.except
    }
}

impl Keeper {
    /// `None`: it keeps nobody out, or those alone that it names, or what it keeps out is not told.
    fn read(rule: &str) -> Option<Self> {
        // Words in quotes are comments.
        let plain = rule.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        // What stands behind an option, and whether all but that is meant.
        let option = |names: &[&str]| {
            let at = words.iter().position(|word| names.contains(word))?;
            let is_not = at > 0 && words[at - 1] == "!";
            Some((words.get(at + 1).copied().unwrap_or_default(), is_not))
        };
        let ports = |names: &[&str]| match option(names) {
            None => Some(None),
            Some((list, except)) => Some(Some(Ports { except, ranges: ranges(list)? })),
        };
        let (target, _) = option(&["-j", "--jump", "-g", "--goto"])?;
        let of_tcp = |(name, is_not): (&str, bool)| matches!(name, "tcp" | "6" | "all") != is_not;
        let of_new = |(states, is_not): (&str, bool)| states.split(',').any(|state| state == "NEW") && !is_not;
        let of_others = |(_, is_not): (&str, bool)| is_not;
        let from_outside = |(interface, is_not): (&str, bool)| is_not || !is_bridge(interface);
        let to_bridge = |(interface, is_not): (&str, bool)| is_not || is_bridge(interface);
        let to_many = |(to, is_not): (&str, bool)| is_not || to.split_once('/').is_some_and(|(_, size)| size != "32");
        let counts = !PASSING.contains(&target)
            && !target.starts_with(BANS)
            && option(&["-p", "--protocol"]).is_none_or(of_tcp)
            && option(&["--ctstate", "--state"]).is_none_or(of_new)
            && option(&["-s", "--source", "--src", "--src-range", "--match-set"]).is_none_or(of_others)
            && option(&["-i", "--in-interface"]).is_none_or(from_outside)
            && option(&["-o", "--out-interface"]).is_none_or(to_bridge)
            && option(&["-d", "--destination", "--dst"]).is_none_or(to_many);
        let inside = ports(&["--dport", "--destination-port", "--dports", "--destination-ports", "--port", "--ports"])?;
        counts.then_some(Self { published: ports(&["--ctorigdstport"])?, inside })
    }
}

/// Looks: `kept`: files that are loaded at boot, with the reader of each. `limit`: how long a program may take.
pub(super) fn look(host: &dyn HostRead, kept: &[Kept], limit: Duration) -> Result<Before, Text> {
    if host.is_this_machine() {
        let command = Command { deadline: limit, ..Command::new(["iptables", "-w", "-S", CHAIN]) };
        match host.query(&command) {
            Ok(output) if output.code == Some(0) => {
                let listed = String::from_utf8_lossy(&output.stdout).into_owned();
                return Ok(Before::of(listed.lines().filter_map(rule)));
            }
            // The chain comes with the daemon, and what is kept for it is loaded then.
            Ok(output)
                if output.code == Some(NO_CHAIN.0) && String::from_utf8_lossy(&output.stderr).contains(NO_CHAIN.1) => {}
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let said = clean(said.lines().next().unwrap_or("it said nothing"), 120);
                return Err(text!("iptables -S {}: {}", own(CHAIN), said));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(text!("iptables could not be run: {}", error)),
        }
    }
    kept.iter().try_fold(Before::default(), |before, (path, read)| {
        Ok(before.and(read(&file(host, path)?.unwrap_or_default())))
    })
}

/// A file that is loaded at boot.
pub(super) type Kept = (&'static str, fn(&str) -> Before);

/// What stands behind the name of the chain in a line that puts a rule there.
fn rule(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = ["-A ", "-I ", "--append ", "--insert "].iter().find_map(|word| line.strip_prefix(word))?;
    let rest = rest.trim_start().strip_prefix(CHAIN)?;
    rest.starts_with(char::is_whitespace).then_some(rest)
}

/// Of a file for `iptables-restore`.
pub(super) fn of_rules(text: &str) -> Before {
    Before::of(text.lines().filter_map(rule))
}

/// Of firewalld's `direct.xml`: `<rule ipv="ipv4" table="filter" chain="DOCKER-USER" priority="0">-j DROP</rule>`,
/// `<passthrough ipv="ipv4">-I DOCKER-USER -j DROP</passthrough>`.
pub(super) fn of_direct(text: &str) -> Before {
    let plain = xml::uncommented(text);
    let of_tag = |(tag, words): (&'_ str, &'_ str)| -> Option<Before> {
        let of_chain = xml::attribute(tag, "chain") == Some(CHAIN);
        let words = match xml::name(tag) {
            _ if xml::attribute(tag, "ipv") != Some("ipv4") => None,
            "rule" if of_chain => Some(words),
            "passthrough" => rule(words.trim().trim_start_matches("-t filter")),
            _ => None,
        };
        Some(Before::of(words?.lines().take(1)))
    };
    xml::tags(&plain).filter_map(of_tag).fold(Before::default(), Before::and)
}

#[cfg(test)]
mod tests {
    use super::super::{firewalld, ufw};
    use super::*;
    use crate::docker::double::Double;
    use crate::host::{MemoryHost, Output};

    const OWN: &str = "-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n";

    #[test]
    fn a_rule_decides_about_the_ports_that_everybody_reaches_by_it() {
        for (rule, decides) in [
            ("-i eth0 -j DROP", true),
            ("! -s 10.0.0.0/8 -i eth0 -j REJECT --reject-with icmp-port-unreachable", true),
            ("-j ufw-user-forward", true),
            ("-p tcp -m conntrack --ctorigdstport 8001 --ctdir ORIGINAL -j DROP", true),
            ("-p tcp -m multiport --dports 80,8000:8100 -j DROP", true),
            ("-p tcp -m tcp ! --dport 443 -j DROP", true),
            ("-m conntrack --ctstate NEW -j DROP", true),
            ("-p tcp -m conntrack --ctorigdstport 3306 --ctdir ORIGINAL -j DROP", false),
            ("-p tcp -m multiport --dports 22 -j f2b-sshd", false),
            ("-p tcp -j f2b-recidive", false),
            ("-p tcp -m tcp --dport 9001 -j DROP", false),
            ("-p tcp -m tcp --dport http -j DROP", false),
            ("-p udp -j DROP", false),
            ("-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN", false),
            ("-m conntrack --ctstate INVALID -j DROP", false),
            ("-s 192.0.2.7/32 -j DROP", false),
            ("-m set --match-set banned src -j DROP", false),
            ("-d 169.254.169.254/32 -j DROP", false),
            ("-i docker0 -o eth0 -j DROP", false),
            ("-j LOG --log-prefix \"x -j DROP\"", false),
            ("-m comment --comment \"-j DROP\" -j RETURN", false),
        ] {
            let before = Before::of([rule].into_iter());
            assert_eq!(
                (before.decides(9001, 8001) || before.decides(8001, 8001), before.has_rules),
                (decides, true),
                "{rule}"
            );
        }
        let by_host = of_rules("-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 9001 -j DROP\n");
        assert!(by_host.decides(9001, 8001) && !by_host.decides(8001, 9001));
        // Behind Docker's own last rule nothing is asked.
        let late = Before::of(["-j RETURN", "-j DROP"].into_iter());
        assert_eq!(late, Before::default());
    }

    #[test]
    fn the_kernel_tells_and_files_do_where_the_chain_is_not_there_yet() {
        let kept: [Kept; 2] = [(ufw::AFTER, of_rules), (firewalld::DIRECT, of_direct)];
        let of = |host: &Double| look(host, &kept, Duration::from_secs(1)).map(|before| before.decides(8001, 8001));
        let host = || {
            let files = MemoryHost::new();
            files.put(ufw::AFTER, b"*filter\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -i eth0 -j DROP\nCOMMIT\n");
            Double::with(files)
        };
        assert_eq!(of(&host()), Ok(true), "no such program");
        assert_eq!(of(&host().prints("iptables", OWN)), Ok(false), "what is not loaded does not count");
        assert_eq!(of(&host().prints("iptables", format!("-A DOCKER-USER -i eth0 -j DROP\n{OWN}"))), Ok(true));
        assert!(of(&host().fails("iptables", "Permission denied (you must be root)")).is_err());
        let none = || {
            let stderr = b"iptables: No chain/target/match by that name.\n".to_vec();
            Ok(Output { code: Some(1), stdout: Vec::new(), stderr })
        };
        assert_eq!(of(&host().answers("iptables", none)), Ok(true));
        for (text, decides) in [
            ("# -A DOCKER-USER -j X\n:DOCKER-USER - [0:0]\n", false),
            ("-A DOCKER-USERS -j DROP\n", false),
            ("-I DOCKER-USER 1 -j REJECT\n", true),
        ] {
            assert_eq!(of_rules(text).decides(8001, 8001), decides, "{text}");
        }
        for (text, decides) in [
            ("<direct><chain ipv=\"ipv4\" table=\"filter\" chain=\"DOCKER-USER\"/></direct>", false),
            ("<!-- <rule ipv=\"ipv4\" table=\"filter\" chain=\"DOCKER-USER\" priority=\"0\">-j DROP</rule> -->", false),
            ("<rule priority=\"0\" table=\"filter\" ipv=\"ipv4\" chain=\"DOCKER-USER\">-i eth0 -j DROP</rule>", true),
            ("<rule ipv=\"ipv6\" table=\"filter\" chain=\"DOCKER-USER\" priority=\"0\">-j DROP</rule>", false),
            ("<passthrough ipv=\"ipv4\">-I DOCKER-USER -j DROP</passthrough>", true),
            ("<passthrough ipv=\"ipv4\">-I INPUT -j DROP</passthrough>", false),
        ] {
            assert_eq!(of_direct(text).decides(8001, 8001), decides, "{text}");
        }
    }
}
