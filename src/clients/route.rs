//! A list and a target: through the proxy, directly, or not at all.

use std::net::IpAddr;

use ipnet::IpNet;

use super::own_ways;
use super::profile::{All, Client, Loopback, Rules, Way};
use super::target::{Host, Target};
use crate::redact;

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
        let no_match = || rules.would_look_up(target, no_proxy).or_else(|| self.as_property(no_proxy));
        decided.map_or_else(|| Route::Proxy { why: no_match() }, Route::Direct)
    }
}

impl Client {
    /// What a list becomes as a property, none of whose members matches.
    fn as_property(&self, list: &str) -> Option<String> {
        let members = self.reads.property.then(|| self.rules.members(list).join(","))?;
        Some(format!("no member of {} matches", redact::list(&members).replace(',', "|")))
    }
}

impl Rules {
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
        let is_localhost = target.is_localhost();
        match self.loopback {
            Loopback::None | Loopback::Alike => None,
            Loopback::Own => (is_localhost || target.address().is_some_and(|address| address.is_loopback()))
                .then_some("it never asks a proxy for localhost, 127.0.0.0/8 and ::1"),
            Loopback::Resolved => {
                let resolved = target.resolved.iter().copied().chain(target.address());
                (is_localhost || resolved.into_iter().any(|address| address.is_loopback()))
                    .then_some("it never asks a proxy for what resolves to 127.0.0.0/8 or ::1")
            }
            Loopback::UnlessEmpty => ((is_localhost || target.is_own_address()) && !list.is_empty())
                .then_some("it never asks a proxy for localhost, 127.* and [::1]"),
        }
    }
}
