//! The firewalls of this host, ufw and firewalld, and whether somebody has put rules before Docker's own.
//!
//! | module | what it reads |
//! | --- | --- |
//! | `ufw` | ufw's files, which it loads as they stand there |
//! | `firewalld` | firewalld's own word where it runs, else its files |

mod firewalld;
mod ufw;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text as file;
use crate::host::{Command, HostRead};
use crate::text::Text;

pub(crate) use firewalld::Firewalld;
pub(crate) use ufw::Ufw;

/// Where rules before Docker's own are kept for the next boot.
const KEPT: [&str; 2] = [ufw::AFTER, firewalld::DIRECT];

/// The chain that Docker asks before its own, and leaves to people.
const CHAIN: &str = "DOCKER-USER";

/// What was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FirewallFacts {
    pub(crate) ufw: Switched<Ufw>,
    pub(crate) firewalld: Switched<Firewalld>,
    /// Are there rules of somebody's in the chain that Docker asks first?
    pub(crate) before_docker: Result<bool, Text>,
}

/// A firewall, as far as it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Switched<T> {
    /// There is none.
    Absent,
    /// It is there, and off.
    Off,
    /// It is on.
    On(T),
    /// It cannot be told, for a reason.
    Unknown(Text),
}

/// Whom a firewall lets reach a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// Everybody.
    All,
    /// Some: from where, or through which interface, its rules say.
    Some,
    /// Nobody.
    None,
    /// It cannot be told, for a reason.
    Unknown(Text),
}

/// Looks. `limit`: how long one program may take.
pub(crate) fn observe(host: &dyn HostRead, limit: Duration) -> FirewallFacts {
    let ufw = ufw::look(host);
    let firewalld = firewalld::look(host, limit);
    let is_on = matches!(ufw, Switched::On(_)) || matches!(firewalld, Switched::On(_));
    let before_docker = if is_on { before_docker(host, limit) } else { Ok(false) };
    FirewallFacts { ufw, firewalld, before_docker }
}

fn before_docker(host: &dyn HostRead, limit: Duration) -> Result<bool, Text> {
    if host.is_this_machine() {
        let command = Command { deadline: limit, ..Command::new(["iptables", "-w", "-S", CHAIN]) };
        if let Ok(output) = host.query(&command)
            && output.code == Some(0)
            && String::from_utf8_lossy(&output.stdout).lines().any(is_rule)
        {
            return Ok(true);
        }
    }
    // Where it says nothing: the chain comes with the daemon, and what is kept for it is loaded then.
    for path in KEPT {
        let kept = file(host, path)?.unwrap_or_default();
        if kept.lines().any(|line| line.contains(CHAIN) && !line.trim_start().starts_with(['#', ':'])) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Is it a rule that decides something? Docker itself has the last one there.
fn is_rule(line: &str) -> bool {
    let rule = line.strip_prefix("-A ").and_then(|rest| rest.strip_prefix(CHAIN)).map(str::trim);
    rule.is_some_and(|rule| rule != "-j RETURN")
}

/// The last value that a file of `NAME=value` gives a name, without its quotes.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
}

/// Is there anything at that path? What cannot be looked at may be there.
fn may_be_there(host: &dyn HostRead, path: &str) -> bool {
    !matches!(host.lstat(Path::new(path)), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;

    #[test]
    fn rules_before_dockers_own_are_found_in_the_kernel_and_in_files() {
        let on = || {
            let files = MemoryHost::new();
            files.put("/etc/ufw/ufw.conf", b"ENABLED=yes\n");
            Double::with(files)
        };
        let before = |host: &Double| observe(host, Duration::from_secs(1)).before_docker;
        let own = "-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n";
        assert_eq!(before(&on().prints("iptables", own)), Ok(false));
        assert_eq!(before(&on()), Ok(false), "no such program");
        let rule = format!("-N DOCKER-USER\n-A DOCKER-USER -i eth0 -j DROP\n{own}");
        assert_eq!(before(&on().prints("iptables", rule)), Ok(true));
        for (line, is_rule) in [
            ("-A DOCKER-USER -j ufw-user-forward", true),
            ("# -A DOCKER-USER -j X", false),
            (":DOCKER-USER - [0:0]", false),
        ] {
            let host = on().fails("iptables", "Permission denied");
            host.files.put(ufw::AFTER, format!("*filter\n{line}\nCOMMIT\n").as_bytes());
            assert_eq!(before(&host), Ok(is_rule), "{line}");
        }
    }
}
