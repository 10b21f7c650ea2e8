//! Clients that read a list in a way that no table of rules tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::profile::{Name, Rules};
use super::rules::at_a_dot;
use super::target::{Host, Target};

/// curl 7.86.0: an address without mask is compared with all that follows it, so it matches only at the end of the list;
/// a plain name does not cover what is below it; a dotted one does so only at the end of the list.
pub(super) fn curl_7_86(target: &Target, list: &str) -> Option<String> {
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
        let (member, behind) = rest.split_at(end);
        let text = member.to_ascii_lowercase();
        let is_last = behind.is_empty();
        let matched = match &target.host {
            Host::V4(address) => match text.split_once('/') {
                Some(_) => in_range(&text, (*address).into()),
                None => is_last && text.parse() == Ok(*address),
            },
            Host::Name(name) => dotted(name, &text, is_last),
            Host::V6(address) => dotted(&address.to_string(), &text, is_last),
        };
        if matched {
            return Some(member.to_owned());
        }
        rest = behind;
    }
}

fn dotted(host: &str, member: &str, is_last: bool) -> bool {
    match member.strip_prefix('.') {
        Some(name) => host == name || (is_last && host.ends_with(name)),
        None => host == member,
    }
}

fn in_range(text: &str, address: IpAddr) -> bool {
    text.parse::<IpNet>()
        .is_ok_and(|range| if range.prefix_len() == 0 { range.addr() == address } else { range.contains(&address) })
}

/// Ruby takes everything up to a colon, a comma or a blank for a host, so IPv6 addresses fall to pieces. A name is also
/// looked up, and addresses and ranges are compared with what it resolves to.
pub(super) fn ruby(target: &Target, list: &str) -> Option<String> {
    let host = target.host.to_string();
    // Only the first address is asked.
    let address = target.address().or_else(|| target.resolved.first().copied());
    for (member, port) in scan(list) {
        if port.is_some_and(|port| port != target.effective_port().to_string()) {
            continue;
        }
        let pattern = member.to_ascii_lowercase();
        let by_name = if pattern.starts_with('.') { host.ends_with(&pattern) } else { at_a_dot(&host, &pattern) };
        let by_address = || {
            let range = pattern.parse::<IpNet>().ok().or_else(|| pattern.parse::<IpAddr>().ok().map(IpNet::from));
            range.zip(address).is_some_and(|(range, address)| range.contains(&address))
        };
        if by_name || by_address() {
            return Some(port.map_or_else(|| member.to_owned(), |port| format!("{member}:{port}")));
        }
    }
    None
}

/// Hosts with their ports: `([^:,\s]+)(?::(\d+))?`, again and again.
fn scan(list: &str) -> Vec<(&str, Option<&str>)> {
    let ends = |c: char| c == ':' || c == ',' || c.is_ascii_whitespace();
    let mut found = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches(ends);
        if rest.is_empty() {
            return found;
        }
        let (host, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        let digits = behind
            .strip_prefix(':')
            .map_or("", |port| port.split_at(port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len())).0);
        found.push((host, Some(digits).filter(|digits| !digits.is_empty())));
        rest = if digits.is_empty() { behind } else { &behind[1 + digits.len()..] };
    }
}

/// httpx makes a URL of every member; one that is none makes every request of the program fail.
///
/// # Errors
/// The member that kills, in a sentence.
pub(super) fn httpx(rules: &Rules, target: &Target, list: &str) -> Result<Option<String>, String> {
    let members = rules.members(list);
    if members.iter().any(|member| member == "*") {
        return Ok(Some("*".to_owned()));
    }
    let mut decided = None;
    for member in members {
        let pattern = Pattern::parse(&member)
            .map_err(|()| format!("{member} makes every request, to whatever host, fail with InvalidURL"))?;
        if decided.is_none() && pattern.matches(rules, target) {
            decided = Some(member);
        }
    }
    Ok(decided)
}

struct Pattern {
    host: PatternHost,
    port: Option<u32>,
    /// A member with a scheme counts for that scheme only.
    tls: Option<bool>,
}

enum PatternHost {
    V4(Ipv4Addr),
    /// Compared as text, so only the shortest spelling in lower case matches.
    V6(String),
    Exact(String),
    Name(String),
}

impl Pattern {
    fn parse(member: &str) -> Result<Self, ()> {
        if member.chars().any(|c| !c.is_ascii() || c.is_ascii_control()) {
            return Err(());
        }
        let first = member.split('/').next().unwrap_or_default();
        let plain = |host| Ok(Self { host, port: None, tls: None });
        if let Some((scheme, rest)) = member.split_once("://") {
            let (host, port) = authority(rest)?;
            let tls = match scheme {
                "http" => Some(false),
                "https" => Some(true),
                _ => None,
            };
            return Ok(Self { host: PatternHost::Exact(host), port, tls });
        }
        if let Ok(address) = first.parse() {
            return plain(PatternHost::V4(address));
        }
        if first.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().is_ok() {
            return if member == first { plain(PatternHost::V6(first.to_owned())) } else { Err(()) };
        }
        if member.eq_ignore_ascii_case("localhost") {
            return plain(PatternHost::Exact("localhost".to_owned()));
        }
        let (host, port) = authority(member)?;
        Ok(Self { host: PatternHost::Name(host), port, tls: None })
    }

    fn matches(&self, rules: &Rules, target: &Target) -> bool {
        // A port that is the scheme's own counts as not spelled.
        let port = target.port.filter(|port| *port != target.usual_port()).map(u32::from);
        if self.tls.is_some_and(|tls| tls != target.tls) || (self.port.is_some() && self.port != port) {
            return false;
        }
        let text = target.host.to_string();
        match &self.host {
            PatternHost::V4(address) => target.address() == Some((*address).into()),
            PatternHost::V6(address) | PatternHost::Exact(address) => text == *address,
            PatternHost::Name(name) => rules.name(&text, name, Name::Subdomains),
        }
    }
}

/// Host and port of what stands before a path.
fn authority(text: &str) -> Result<(String, Option<u32>), ()> {
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let text = text.split_once('@').map_or(text, |(_, host)| host);
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let port = if port.is_empty() { None } else { Some(port.parse().map_err(|_| ())?) };
    Ok((host.to_ascii_lowercase(), port))
}
