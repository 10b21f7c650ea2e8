//! The members of a list, and whether one stands for a target.

use std::net::IpAddr;

use ipnet::IpNet;

use super::profile::{All, Blanks, Dot, EndDot, Loopback, Name, Port, Ranges, Rules, Star, V4, V6, ZeroMask};
use super::target::{Host, Target, is_own};

impl Rules {
    /// The members, as this client tells them apart.
    pub(super) fn members(&self, list: &str) -> Vec<String> {
        let list = match self.blanks {
            Blanks::Delete => list.replace(' ', ""),
            _ => list.to_owned(),
        };
        let mut members = Vec::new();
        for (index, part) in list.split(|c| self.split.contains(c)).enumerate() {
            let part = match self.blanks {
                Blanks::Trim | Blanks::Delete => part.trim(),
                Blanks::Leading if index > 0 => part.trim_start(),
                Blanks::Leading | Blanks::Keep => part,
            };
            if !part.is_empty() {
                members.push(part.to_owned());
            }
        }
        if self.blank_ends {
            members.truncate(before_a_lone_blank(&list));
        }
        members
    }

    /// Does this member stand for this target?
    pub(super) fn matches(&self, target: &Target, member: &str) -> bool {
        let member = &*member.to_ascii_lowercase();
        if member == "*" {
            let everything = self.all == All::Member || (self.all == All::Names && target.address().is_none());
            if everything || self.all != All::Never {
                return everything;
            }
        }
        if let Some(range) = self.range(member) {
            return target.address().is_some_and(|address| range.contains(&address));
        }
        let (pattern, port) = match self.port {
            Port::Effective => without_port(member),
            Port::Lax => without_port(host_before_nothing(member)),
            _ => (member, None),
        };
        if port.is_some_and(|port| port != target.effective_port().to_string()) {
            return false;
        }
        if self.loopback == Loopback::Alike
            && is_some_loopback(pattern)
            && (target.is_localhost() || target.is_own_address())
        {
            return true;
        }
        match &target.host {
            Host::Name(name) => self.text(name, target, pattern, self.name),
            Host::V4(address) => match self.v4 {
                V4::Text => self.text(&address.to_string(), target, pattern, self.name),
                V4::Dotted => self.text(&address.to_string(), target, pattern, Name::Subdomains),
                V4::Address => pattern.parse() == Ok(*address),
                V4::Either => {
                    pattern.parse() == Ok(*address) || self.text(&address.to_string(), target, pattern, self.name)
                }
            },
            Host::V6(address) => match self.v6 {
                V6::Bare => self.text(&address.to_string(), target, pattern, self.name),
                V6::Bracketed => self.text(&format!("[{address}]"), target, pattern, self.name),
                // Brackets belong to the port.
                V6::Address if port.is_some() => inside_brackets(pattern).parse() == Ok(*address),
                V6::Address => pattern.parse() == Ok(*address),
                V6::Any => inside_brackets(pattern).parse() == Ok(*address),
                V6::Never => false,
            },
        }
    }

    /// Compares text, with the port behind it where the client does so.
    fn text(&self, host: &str, target: &Target, pattern: &str, name: Name) -> bool {
        let with_port = match (self.port, target.port) {
            (Port::WrittenNames, _) if matches!(target.host, Host::V4(_)) => None,
            (Port::Written | Port::WrittenNames, Some(port)) => Some(format!("{host}:{port}")),
            _ => None,
        };
        self.name(host, pattern, name) || with_port.is_some_and(|host| self.name(&host, pattern, name))
    }

    /// Does a pattern without port stand for this name?
    pub(super) fn name(&self, host: &str, pattern: &str, name: Name) -> bool {
        let (host, pattern) = match self.end_dot {
            EndDot::Drop => (host.strip_suffix('.').unwrap_or(host), pattern.strip_suffix('.').unwrap_or(pattern)),
            _ => (host, pattern),
        };
        if pattern.is_empty() {
            return false;
        }
        match (self.star, pattern.strip_prefix('*')) {
            (Star::Dot, Some(rest)) if rest.starts_with('.') => return host.ends_with(rest),
            (Star::Both, Some(rest)) => {
                return match rest.strip_suffix('*') {
                    Some(inner) => host.contains(inner),
                    None => host.ends_with(rest),
                };
            }
            (Star::Ends | Star::Either, Some(rest)) => return host.ends_with(rest),
            _ => {}
        }
        if pattern.starts_with('.') {
            match self.dot {
                Dot::Keep => return host.ends_with(pattern),
                Dot::Literal => return host == pattern,
                // At the dot, whatever the rule for plain names is.
                Dot::Drop => return at_a_dot(host, pattern.strip_prefix('.').unwrap_or(pattern)),
                Dot::DropAll => return at_a_dot(host, pattern.trim_start_matches('.')),
            }
        }
        if let (Star::Either | Star::Both, Some(start)) = (self.star, pattern.strip_suffix('*')) {
            return host.starts_with(start);
        }
        if self.end_dot == EndDot::Prefix && pattern.ends_with('.') {
            return host.starts_with(pattern);
        }
        match name {
            Name::Exact => host == pattern,
            Name::Subdomains => at_a_dot(host, pattern),
            Name::Suffix => host.ends_with(pattern),
        }
    }

    /// A member that is a range to this client.
    fn range(&self, member: &str) -> Option<IpNet> {
        if self.ranges == Ranges::None {
            return None;
        }
        let (address, bits) = member.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        if address.is_ipv6() && self.ranges == Ranges::V4 {
            return None;
        }
        let bits: u8 = bits.parse().ok()?;
        if bits == 0 && self.zero_mask == ZeroMask::Nothing {
            return None;
        }
        let full = if address.is_ipv4() { 32 } else { 128 };
        let bits = if bits == 0 && self.zero_mask == ZeroMask::Exact { full } else { bits };
        IpNet::new(address, bits).ok()
    }
}

/// The host itself or one below it.
pub(super) fn at_a_dot(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// How many members stand before the first blank that has no comma beside it.
fn before_a_lone_blank(list: &str) -> usize {
    let mut count = 0;
    for part in list.split(',') {
        let mut words = part.split([' ', '\t']).filter(|word| !word.is_empty());
        count += usize::from(words.next().is_some());
        if words.next().is_some() {
            break;
        }
    }
    count
}

/// `host:port` and `[v6]:port` apart; several colons without brackets are an address.
fn without_port(member: &str) -> (&str, Option<&str>) {
    match member.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let bracketed = host.starts_with('[') && host.ends_with(']');
            if bracketed || !host.contains(':') { (host, Some(port)) } else { (member, None) }
        }
        _ => (member, None),
    }
}

/// `host:` is `host`.
fn host_before_nothing(member: &str) -> &str {
    member.strip_suffix(':').filter(|host| !host.contains(':')).unwrap_or(member)
}

fn inside_brackets(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

fn is_some_loopback(pattern: &str) -> bool {
    let text = inside_brackets(pattern);
    text == "localhost" || text.parse().is_ok_and(is_own)
}
