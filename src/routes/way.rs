//! Which way one request of a consumer's client goes, and what decides it.

use super::Way;
use crate::clients::{By, Client, Environment, Host, Route, Target};
use crate::consumers::{self, Consumer, OwnRule, State, Who};
use crate::redact;
use crate::text::host_port;

/// The way of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) way: Way,
    /// `host:port` of the proxy.
    pub(crate) via: Option<String>,
    /// What is spoken to it: `http`, `socks5`.
    spoken: Option<String>,
    /// The line that decides, as a person on this machine looks it up.
    pub(crate) at: Option<String>,
    /// The member or the rule that decides; empty: the line says it all.
    pub(crate) rule: String,
    /// It is a member of a list.
    pub(super) by_member: bool,
}

impl Taken {
    /// Without a proxy, by a rule.
    fn by_rule(way: Way, at: Option<String>, rule: impl Into<String>) -> Self {
        Self { way, via: None, spoken: None, at, rule: rule.into(), by_member: false }
    }

    /// Nobody asks.
    pub(super) fn nobody() -> Self {
        Self::by_rule(Way::None, None, "it is not there")
    }

    /// Do both go the same way, through the same proxy in the same manner?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.way == other.way && self.via == other.via && self.spoken == other.spoken
    }

    /// What is spoken to the proxy: `http`, `socks5`.
    pub(crate) fn spoken(&self) -> Option<&str> {
        self.spoken.as_deref().filter(|_| self.via.is_some())
    }

    /// `FILE:LINE`, or the rule where no line decides.
    pub(crate) fn cause(&self) -> &str {
        self.at.as_deref().unwrap_or(&self.rule)
    }
}

/// The way that a client takes with what a consumer gives to it.
pub(crate) fn taken(consumer: &Consumer, client: &Client, target: &Target) -> Taken {
    match consumer.state {
        State::Seen => {}
        State::Skipped | State::NotServed => return Taken::nobody(),
        State::Refused => return Taken::by_rule(Way::None, None, "it does not start with its files"),
        State::NeedsRoot | State::Unreadable => {
            return Taken::by_rule(Way::Unknown, None, format!("{} could not be looked at", consumer.source));
        }
    }
    if consumer.consumer == Who::PackageManager {
        return of_manager(consumer, client, target);
    }
    let environment = environment(consumer);
    let asked = client.asked_in(target, &environment);
    // Names are asked one after the other, so what comes behind the one that counts does not matter.
    let unknown = |names: &[String], counts: Option<&str>| {
        let before = names.iter().take_while(|name| Some(name.as_str()) != counts);
        before.into_iter().find(|name| consumer.is_untold(name)).cloned()
    };
    let proxy = unknown(client.proxy_names(target.tls), asked.proxy.map(|(name, _)| name));
    // Without a proxy it does not matter what the list says.
    let list = asked.proxy.and_then(|_| unknown(client.list_names(), asked.no_proxy.map(|(name, _)| name)));
    if let Some(name) = proxy.or(list).filter(|_| client.reads_environment()) {
        return Taken::by_rule(Way::Unknown, place(consumer, &name), format!("what {name} is cannot be told"));
    }
    let of_proxy = || asked.proxy.and_then(|(name, _)| place(consumer, name));
    let decided_by = redact::list(asked.route.decided_by());
    match &asked.route {
        Route::Proxy { why } => {
            let at = of_proxy();
            // An answer tells no line.
            let known = || format!("{}: {}", consumer.known.as_str(), consumer.source);
            let rule =
                why.as_deref().map(redact::list).unwrap_or_else(|| if at.is_none() { known() } else { String::new() });
            through(client, asked.proxy.map_or("", |(_, url)| url), Taken::by_rule(Way::Proxy, at, rule))
        }
        Route::Direct(By::Member(_)) => {
            let at = asked.no_proxy.and_then(|(name, _)| place(consumer, name));
            Taken { by_member: true, ..Taken::by_rule(Way::Direct, at, decided_by) }
        }
        // What takes a variable away is the line that decides.
        Route::Direct(By::Rule(_)) => Taken::by_rule(Way::Direct, None, decided_by),
        Route::Error { .. } => Taken::by_rule(Way::None, of_proxy(), decided_by),
    }
}

/// Through the proxy of this URL.
fn through(client: &Client, url: &str, taken: Taken) -> Taken {
    match consumers::place(Some(client), url) {
        Some((scheme, host, port)) => {
            let via = port.map_or(host.clone(), |port| host_port(&host, port));
            Taken { via: Some(via), spoken: Some(scheme), ..taken }
        }
        // What is no URL for us is another proxy where it is another text.
        None => Taken { via: None, spoken: Some(url.to_owned()), ..taken },
    }
}

/// Package managers have settings without lists; some requests have a rule of their own.
fn of_manager(consumer: &Consumer, client: &Client, target: &Target) -> Taken {
    let name = if target.tls { "https_proxy" } else { "http_proxy" };
    if let Some(rule) = own_rule(consumer, target) {
        let whom = match &rule.host {
            Some(host) => format!("a rule of its own for {host}"),
            None => "a repository or a program has a rule of its own".to_owned(),
        };
        return match (&rule.way, &rule.host) {
            (Some(None), Some(_)) => Taken::by_rule(Way::Direct, Some(rule.at.clone()), whom),
            (Some(Some(value)), Some(_)) => {
                through(client, &value.shown, Taken::by_rule(Way::Proxy, Some(rule.at.clone()), whom))
            }
            // Which requests a repository or a program makes is not known here.
            _ => Taken::by_rule(Way::Unknown, Some(rule.at.clone()), whom),
        };
    }
    if consumer.is_untold(name) {
        return Taken::by_rule(Way::Unknown, place(consumer, name), format!("what {name} is cannot be told"));
    }
    match consumer.proxy(target.tls) {
        Some(value) => match client.refuses(&value.shown) {
            Some(why) => Taken::by_rule(Way::None, place(consumer, name), why),
            None => through(client, &value.shown, Taken::by_rule(Way::Proxy, place(consumer, name), "")),
        },
        None => Taken::by_rule(Way::Direct, None, "its configuration names no proxy"),
    }
}

/// The rule of a package manager that comes before its proxy: that for the host, https before http; else one for what may make
/// the request.
pub(super) fn own_rule<'c>(consumer: &'c Consumer, target: &Target) -> Option<&'c OwnRule> {
    let host = target.host.to_string();
    let of_host = |rule: &&OwnRule| rule.host.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&host));
    let of_scheme =
        |tls: bool| consumer.rules.iter().rev().filter(of_host).find(move |rule| rule.tls.is_none_or(|own| own == tls));
    let by_host = if target.tls { of_scheme(true).or_else(|| of_scheme(false)) } else { of_scheme(false) };
    by_host.or_else(|| consumer.rules.iter().find(|rule| rule.host.is_none()))
}

fn place(consumer: &Consumer, name: &str) -> Option<String> {
    consumer.line_of(name).map(|line| line.shown.to_owned())
}

/// The variables of a consumer. Passwords are masked, which changes no way.
pub(super) fn environment(consumer: &Consumer) -> Environment {
    consumer.variables().collect()
}

/// The hosts of a package manager's rules.
pub(super) fn hosts_of_rules(consumer: &Consumer) -> impl Iterator<Item = Target> {
    let hosts = consumer.rules.iter().filter_map(|rule| Some((rule.host.as_ref()?, rule.tls == Some(true))));
    hosts.filter_map(|(host, tls)| Target::to_host(tls, host)).filter(|target| matches!(target.host, Host::Name(_)))
}
