//! The firewalls of this host, ufw and firewalld, and whether somebody has put rules before Docker's own.
//!
//! | module | what it reads |
//! | --- | --- |
//! | `ufw` | ufw's files, which it loads as they stand there |
//! | `firewalld` | firewalld's own word where it runs, else its files |
//! | `before` | rules in the chain that Docker asks first |
//! | `xml` | as much of XML as firewalld's files need |

mod before;
mod firewalld;
mod ufw;
mod xml;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::text as file;
use crate::host::HostRead;
use crate::text::Text;

pub(crate) use before::Before;
pub(crate) use firewalld::Firewalld;
pub(crate) use ufw::Ufw;

/// What was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FirewallFacts {
    pub(crate) ufw: Switched<Ufw>,
    pub(crate) firewalld: Switched<Firewalld>,
    /// Rules of somebody's in the chain that Docker asks first, as far as a firewall is on.
    pub(crate) before_docker: Result<Before, Text>,
}

impl FirewallFacts {
    /// Is it certain that neither is on?
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.ufw, Switched::Absent | Switched::Off)
            && matches!(self.firewalld, Switched::Absent | Switched::Off)
    }
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
    let kept: [(bool, before::Kept); 2] = [
        (matches!(ufw, Switched::On(_)), (ufw::AFTER, before::of_rules)),
        (matches!(firewalld, Switched::On(_)), (firewalld::DIRECT, before::of_direct)),
    ];
    let kept: Vec<before::Kept> = kept.into_iter().filter(|(is_on, _)| *is_on).map(|(_, kept)| kept).collect();
    let before_docker = if kept.is_empty() { Ok(Before::default()) } else { before::look(host, &kept, limit) };
    FirewallFacts { ufw, firewalld, before_docker }
}

/// The last value that a file of `NAME=value` gives a name.
fn value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// The same of a file that a shell sources: a word without its quotes, and without the comment behind it.
fn shell_value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    let word = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next(),
        _ => value.split([' ', '\t', ';', '#']).next(),
    };
    word.filter(|word| !word.is_empty())
}

/// Ports as iptables takes them: `8001`, `8000:8010,9000`; first and last of each range.
fn ranges(list: &str) -> Option<Vec<(u16, u16)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.split(',').map(range).collect()
}

fn in_ranges(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&port))
}

/// Is there anything at that path? What cannot be looked at may be there.
fn may_be_there(host: &dyn HostRead, path: &str) -> bool {
    !matches!(host.lstat(Path::new(path)), Ok(None))
}
