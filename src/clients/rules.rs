//! A list and a target: through the proxy, directly, or not at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::own_ways;
use super::profile::{
    All, Blanks, Client, Dot, EndDot, Loopback, Name, Port, Ranges, Rules, Star, V4, V6, Way, ZeroMask,
};
use super::target::{Host, Target};

/// Which way a client sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through the proxy.
    Proxy {
        /// Why, where that is not simply that no member matches.
        why: Option<String>,
    },
    /// Directly.
    Direct(By),
    /// Not at all: the client gives up.
    Error {
        /// Why.
        why: String,
    },
}

/// What decided that a request goes directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This member of the list.
    Member(String),
    /// A rule of the client.
    Rule(String),
}

impl Route {
    /// `proxy`, `direct` or `error`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Proxy { .. } => "proxy",
            Self::Direct(_) => "direct",
            Self::Error { .. } => "error",
        }
    }

    /// The member or the rule that decided.
    pub fn decided_by(&self) -> &str {
        match self {
            Self::Proxy { why } => why.as_deref().unwrap_or("no member matches"),
            Self::Direct(By::Member(member)) => member,
            Self::Direct(By::Rule(rule)) => rule,
            Self::Error { why } => why,
        }
    }

    /// Directly?
    pub fn is_direct(&self) -> bool {
        matches!(self, Self::Direct(_))
    }

    /// Through the proxy?
    pub fn is_proxy(&self) -> bool {
        matches!(self, Self::Proxy { .. })
    }

    pub(super) fn rule(text: &str) -> Self {
        Self::Direct(By::Rule(text.to_owned()))
    }
}

impl Client {
    /// Which way a request goes where a proxy is set for it and the list is `no_proxy`.
    ///
    /// Total on any text, in time linear in its length for one target.
    pub fn route(&self, target: &Target, no_proxy: &str) -> Route {
        if let Some(instead) = self.reads.instead.as_ref().filter(|_| !self.reads.property) {
            return Route::rule(&format!("it reads no proxy variables, only {instead}"));
        }
        let rules = &self.rules;
        if let Some(rule) = rules.loopback_rule(target, no_proxy) {
            return Route::rule(rule);
        }
        if rules.all == All::Whole && no_proxy == "*" {
            return Route::Direct(By::Member("*".to_owned()));
        }
        let decided = match rules.way {
            Way::Members => {
                rules.members(no_proxy).into_iter().find(|member| rules.matches(target, member)).map(By::Member)
            }
            Way::Curl786 => own_ways::curl_7_86(target, no_proxy).map(By::Member),
            Way::Ruby => own_ways::ruby(target, no_proxy).map(By::Member),
            Way::Httpx => match own_ways::httpx(rules, target, no_proxy) {
                Ok(decided) => decided.map(By::Member),
                Err(why) => return Route::Error { why },
            },
        };
        decided.map_or_else(|| Route::Proxy { why: rules.would_look_up(target, no_proxy) }, Route::Direct)
    }
}

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

    /// A name was not looked up here, and the client would compare what it resolves to.
    fn would_look_up(&self, target: &Target, list: &str) -> Option<String> {
        let is_unknown = matches!(target.host, Host::Name(_)) && target.resolved.is_empty();
        let is_address = |member: &String| member.parse::<IpNet>().is_ok() || member.parse::<IpAddr>().is_ok();
        let found = (self.way == Way::Ruby && is_unknown).then(|| self.members(list).into_iter().find(is_address));
        found.flatten().map(|member| {
            format!("no member matches the name; {member} would where the name resolves to it (not looked up)")
        })
    }

    fn loopback_rule(&self, target: &Target, list: &str) -> Option<&'static str> {
        let is_localhost = target.host == Host::Name("localhost".to_owned());
        match self.loopback {
            Loopback::None | Loopback::Alike => None,
            Loopback::Own => (is_localhost || target.address().is_some_and(|address| address.is_loopback()))
                .then_some("it never asks a proxy for localhost, 127.0.0.0/8 and ::1"),
            Loopback::Resolved => {
                let resolved = target.resolved.iter().copied().chain(target.address());
                (is_localhost || resolved.into_iter().any(|address| address.is_loopback()))
                    .then_some("it never asks a proxy for what resolves to 127.0.0.0/8 or ::1")
            }
            Loopback::UnlessEmpty => {
                let own = match &target.host {
                    Host::Name(_) => is_localhost,
                    Host::V4(address) => address.is_loopback() || address.is_unspecified(),
                    Host::V6(address) => address.is_loopback() || address.is_unspecified(),
                };
                (own && !list.is_empty()).then_some("it never asks a proxy for localhost, 127.* and [::1]")
            }
        }
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
        if self.loopback == Loopback::Alike && is_some_loopback(pattern) && is_loopback_host(&target.host) {
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
    text == "localhost"
        || text.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
        || text.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

fn is_loopback_host(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::V4(address) => address.is_loopback() || address.is_unspecified(),
        Host::V6(address) => address.is_loopback() || address.is_unspecified(),
    }
}
