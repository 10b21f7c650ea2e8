//! ufw by its files: what it loads at boot, and keeps in step with them while it is on.
//!
//! Source: ufw 0.36.2, `src/backend_iptables.py` (`### tuple ###` lines of `user.rules`), whose files were written by it with these
//! rules, 2026-11-29.

use serde::{Deserialize, Serialize};

use super::{Entry, Switched, file, in_ranges, may_be_there, ranges, shell_value};
use crate::host::HostRead;
use crate::text;
use crate::text::{Text, own};

/// Its program: removed and not purged it leaves its files behind.
const PROGRAM: &str = "/usr/sbin/ufw";

/// Is it on?
const CONF: &str = "/etc/ufw/ufw.conf";

/// What becomes of what no rule is about.
const DEFAULTS: &str = "/etc/default/ufw";

/// Its rules; up to 0.34 in another place.
const RULES: [&str; 2] = ["/etc/ufw/user.rules", "/lib/ufw/user.rules"];

/// Rules that are asked before its own, in which people put theirs, too.
const BEFORE: &str = "/etc/ufw/before.rules";

/// Rules of people's that are loaded behind its own.
pub(super) const AFTER: &str = "/etc/ufw/after.rules";

/// What it does with what comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ufw {
    /// Is everything let in that no rule is about?
    pub(crate) accepts: Result<bool, Text>,
    /// Its rules for TCP that comes in, in order, or why they could not be read.
    pub(crate) rules: Result<Vec<Rule>, Text>,
    /// Ports that are decided before those are asked.
    pub(crate) before: Result<Vec<(u16, u16)>, Text>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) allows: bool,
    /// First and last of each range; none: all ports.
    pub(crate) ports: Vec<(u16, u16)>,
    /// From everywhere, to every address, through every interface.
    pub(crate) is_for_all: bool,
}

impl Ufw {
    /// Whom it lets reach a port: the first rule counts.
    pub(crate) fn entry(&self, port: u16) -> Entry {
        let (rules, accepts) = match (&self.rules, &self.accepts) {
            (Ok(rules), Ok(accepts)) => (rules, *accepts),
            (Err(why), _) | (_, Err(why)) => return Entry::Unknown(why.clone()),
        };
        match &self.before {
            Ok(before) if !in_ranges(before, port) => {}
            Ok(_) => return Entry::Unknown(text!("{} has a rule of its own for port {}", own(BEFORE), port)),
            Err(why) => return Entry::Unknown(why.clone()),
        }
        let mut some = false;
        for rule in rules.iter().filter(|rule| rule.is_about(port)) {
            match (rule.is_for_all, rule.allows) {
                (true, true) => return Entry::All,
                (true, false) => return if some { Entry::Some } else { Entry::None },
                (false, allows) => some |= allows,
            }
        }
        match (accepts, some) {
            (true, _) => Entry::All,
            (false, true) => Entry::Some,
            (false, false) => Entry::None,
        }
    }
}

impl Rule {
    fn is_about(&self, port: u16) -> bool {
        self.ports.is_empty() || in_ranges(&self.ports, port)
    }

    /// `### tuple ### ACTION PROTOCOL PORTS TO PORTS-FROM FROM [APPLICATION APPLICATION-FROM] in[_INTERFACE] [comment=…]`; `None`: it is
    /// no rule, or not about TCP that comes in.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.strip_prefix("### tuple ###")?.split_whitespace().collect();
        let [action, protocol, ports, to, from_ports, from, rest @ ..] = words.as_slice() else { return None };
        let direction = rest.iter().find(|word| **word == "in" || word.starts_with("in_"))?;
        let action = action.trim_end_matches("_log").trim_end_matches("_log-all");
        if !matches!(*protocol, "tcp" | "any") || action.starts_with("route:") {
            return None;
        }
        let ports = match *ports {
            "any" => Vec::new(),
            list => ranges(list)?,
        };
        let is_any = |address: &str| matches!(address, "0.0.0.0/0" | "::/0" | "any");
        let is_for_all = is_any(to) && is_any(from) && *from_ports == "any" && *direction == "in";
        Some(Self { allows: matches!(action, "allow" | "limit"), ports, is_for_all })
    }
}

pub(super) fn look(host: &dyn HostRead) -> Switched<Ufw> {
    if !may_be_there(host, PROGRAM) {
        return Switched::Absent;
    }
    match file(host, CONF) {
        Ok(None) => Switched::Absent,
        Ok(Some(conf)) if shell_value(&conf, "ENABLED").is_some_and(|word| word.eq_ignore_ascii_case("yes")) => {
            let accepts = file(host, DEFAULTS).map(|defaults| {
                let policy = shell_value(defaults.as_deref().unwrap_or_default(), "DEFAULT_INPUT_POLICY");
                policy.is_some_and(|word| word.eq_ignore_ascii_case("ACCEPT"))
            });
            let before = file(host, BEFORE).map(|text| text.as_deref().map(before).unwrap_or_default());
            Switched::On(Ufw { accepts, rules: rules(host), before })
        }
        Ok(Some(_)) => Switched::Off,
        Err(why) => Switched::Unknown(why),
    }
}

fn rules(host: &dyn HostRead) -> Result<Vec<Rule>, Text> {
    for path in RULES {
        if let Some(text) = file(host, path)? {
            return Ok(text.lines().filter_map(Rule::read).collect());
        }
    }
    Err(text!("{} is not there", own(RULES[0])))
}

/// The ports of TCP that rules of `before.rules` for what comes in name.
fn before(text: &str) -> Vec<(u16, u16)> {
    let rules = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_input = rules.filter(|words| {
        let is_udp = words.windows(2).any(|pair| pair == ["-p", "udp"]);
        matches!(words.as_slice(), ["-A" | "-I", "ufw-before-input", ..]) && !is_udp
    });
    let named = of_input.flat_map(|words| {
        let lists = words.windows(2).filter(|pair| matches!(pair[0], "--dport" | "--dports" | "--ports"));
        lists.filter_map(|pair| ranges(pair[1])).flatten().collect::<Vec<_>>()
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    /// As ufw 0.36.2 has written them.
    const WRITTEN: &str = "*filter\n### RULES ###\n\n### tuple ### reject_log tcp 5000 0.0.0.0/0 any 0.0.0.0/0 in\n\
        -A ufw-user-input -p tcp --dport 5000 -j REJECT\n### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in\n\
        ### tuple ### allow tcp 8001 0.0.0.0/0 any 10.1.0.0/16 in\n### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n\
        ### tuple ### allow any 80 0.0.0.0/0 any 0.0.0.0/0 in_eth0\n\
        ### tuple ### allow tcp 8100:8200 0.0.0.0/0 any 0.0.0.0/0 in\n\
        ### tuple ### allow tcp 81,444 0.0.0.0/0 any 0.0.0.0/0 WWW%20Full - in\n### tuple ### deny any 9000 0.0.0.0/0 any 0.0.0.0/0 in\n\
        ### tuple ### route:allow tcp 8002 0.0.0.0/0 any 0.0.0.0/0 in\n### tuple ### allow udp 8003 0.0.0.0/0 any 0.0.0.0/0 in\n";

    fn host(policy: &str) -> MemoryHost {
        let host = MemoryHost::new();
        host.put(PROGRAM, b"x");
        host.put(CONF, b"# /etc/ufw/ufw.conf\nENABLED=yes\n\nLOGLEVEL=low\n");
        host.put(DEFAULTS, format!("IPV6=yes\nDEFAULT_INPUT_POLICY=\"{policy}\"\n").as_bytes());
        host.put(RULES[0], WRITTEN.as_bytes());
        host
    }

    #[test]
    fn rules_tell_whom_a_port_lets_in() {
        let Switched::On(ufw) = look(&host("DROP")) else { panic!("it is on") };
        for (port, entry) in [
            (443, Entry::All),
            (22, Entry::All),
            (8001, Entry::Some),
            (80, Entry::Some),
            (8150, Entry::All),
            (444, Entry::All),
            (5000, Entry::None),
            (9000, Entry::None),
            (8002, Entry::None),
            (8003, Entry::None),
        ] {
            assert_eq!(ufw.entry(port), entry, "{port}");
        }
        let Switched::On(open) = look(&host("ACCEPT")) else { panic!("it is on") };
        assert_eq!((open.entry(8002), open.entry(9000)), (Entry::All, Entry::None));
        let unread = Ufw { rules: Err("x".into()), ..ufw };
        assert_eq!(unread.entry(443), Entry::Unknown("x".into()));
    }

    #[test]
    fn what_is_asked_before_its_rules_is_not_known() {
        let host = host("DROP");
        let rules = "-A ufw-before-input -i lo -j ACCEPT\n-A ufw-before-input -p udp --dport 443 -j ACCEPT\n\
             # -A ufw-before-input -p tcp --dport 443 -j ACCEPT\n-A ufw-before-input -p tcp -m multiport --dports 8000:8100,22 -j ACCEPT\n";
        host.put(BEFORE, rules.as_bytes());
        let Switched::On(ufw) = look(&host) else { panic!("it is on") };
        assert_eq!(ufw.entry(443), Entry::All);
        assert!(matches!(ufw.entry(8001), Entry::Unknown(_)) && matches!(ufw.entry(22), Entry::Unknown(_)));
    }

    #[test]
    fn it_is_on_where_its_file_says_so() {
        let host = MemoryHost::new();
        assert_eq!(look(&host), Switched::Absent);
        host.put(CONF, b"ENABLED=yes\n");
        assert_eq!(look(&host), Switched::Absent, "removed and not purged");
        host.put(PROGRAM, b"x");
        for (conf, is_on) in [
            ("ENABLED=no\n", false),
            ("ENABLED=no # yes\n", false),
            ("#ENABLED=yes\n", false),
            ("ENABLED=Yes\n", true),
            ("ENABLED=yes # on\n", true),
            ("ENABLED=\"yes\" # on\n", true),
        ] {
            host.put(CONF, conf.as_bytes());
            assert_eq!(matches!(look(&host), Switched::On(_)), is_on, "{conf}");
        }
        let Switched::On(ufw) = look(&host) else { panic!("it is on") };
        assert!(matches!(ufw.entry(443), Entry::Unknown(_)), "there are no rules to read");
    }
}
