//! Which way one request of a consumer's client goes, and what decides it.

use super::Way;
use crate::clients::{By, Client, Environment, Host, Route, Target};
use crate::consumers::{Consumer, Decided, ProxyValue, State, Who};
use crate::redact;
use crate::settings::ProxyUrl;
use crate::text::host_port;

/// The way of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) way: Way,
    /// `host:port` of the proxy.
    pub(crate) via: Option<String>,
    /// The line that decides, as a person on this machine looks it up.
    pub(crate) at: Option<String>,
    /// The member or the rule that decides; empty: the line says it all.
    pub(crate) rule: String,
}

impl Taken {
    /// Nobody asks.
    pub(super) fn nobody() -> Self {
        Self { way: Way::None, via: None, at: None, rule: "it is not there".to_owned() }
    }

    /// Do both go the same way, through the same proxy?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.way == other.way && self.via == other.via
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
        State::Refused => return Taken { rule: "it does not start with its files".to_owned(), ..Taken::nobody() },
        State::NeedsRoot | State::Unreadable => {
            let rule = format!("{} could not be looked at", consumer.source);
            return Taken { way: Way::Unknown, via: None, at: None, rule };
        }
    }
    if consumer.consumer == Who::PackageManager {
        return of_manager(consumer, client, target);
    }
    let environment = environment(consumer);
    let asked = client.asked_in(target, &environment);
    let unknown = |names: &[String]| names.iter().find(|name| consumer.unknown.contains_key(*name)).cloned();
    let proxy = unknown(client.proxy_names(target.tls));
    // Without a proxy it does not matter what the list says.
    let list = asked.proxy.and_then(|_| unknown(client.list_names()));
    if let Some(name) = proxy.or(list).filter(|_| client.reads_environment()) {
        let rule = format!("what {name} is cannot be told");
        return Taken { way: Way::Unknown, via: None, at: place(consumer, &name), rule };
    }
    let of_proxy = || asked.proxy.and_then(|(name, _)| place(consumer, name));
    let decided_by = redact::list(asked.route.decided_by());
    match &asked.route {
        Route::Proxy { why } => {
            let via = asked.proxy.and_then(|(_, url)| via(url));
            let rule = why.as_deref().map(redact::list).unwrap_or_default();
            Taken { way: Way::Proxy, via, at: of_proxy(), rule }
        }
        Route::Direct(By::Member(_)) => {
            let at = asked.no_proxy.and_then(|(name, _)| place(consumer, name));
            Taken { way: Way::Direct, via: None, at, rule: decided_by }
        }
        // What takes a variable away is the line that decides.
        Route::Direct(By::Rule(_)) => Taken { way: Way::Direct, via: None, at: None, rule: decided_by },
        Route::Error { .. } => Taken { way: Way::None, via: None, at: of_proxy(), rule: decided_by },
    }
}

/// Package managers have settings without lists; some hosts have a rule of their own.
fn of_manager(consumer: &Consumer, client: &Client, target: &Target) -> Taken {
    let host = target.host.to_string();
    if consumer.direct.iter().any(|own| own.eq_ignore_ascii_case(&host)) {
        return Taken { way: Way::Direct, via: None, at: None, rule: format!("a rule of its own for {host}") };
    }
    let names = if target.tls { ["https_proxy", "http_proxy"] } else { ["http_proxy", "https_proxy"] };
    if let Some(name) = names.into_iter().find(|name| consumer.unknown.contains_key(*name)) {
        let rule = format!("what {name} is cannot be told");
        return Taken { way: Way::Unknown, via: None, at: place(consumer, name), rule };
    }
    match consumer.proxy(target.tls) {
        Some(value) => {
            let taken = Taken { way: Way::Proxy, via: None, at: place(consumer, names[0]), rule: String::new() };
            match client.refuses(&value.shown) {
                Some(why) => Taken { way: Way::None, rule: why.to_owned(), ..taken },
                None => Taken { via: via(&value.shown), ..taken },
            }
        }
        None => Taken { way: Way::Direct, via: None, at: None, rule: "its configuration names no proxy".to_owned() },
    }
}

/// The line that decides a variable, in whichever spelling it is told.
pub(super) fn decided<'c>(consumer: &'c Consumer, name: &str) -> Option<&'c Decided> {
    consumer
        .decided
        .get(name)
        .or_else(|| consumer.decided.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, decided)| decided))
}

fn place(consumer: &Consumer, name: &str) -> Option<String> {
    match decided(consumer, name) {
        Some(decided) => Some(decided.shown.clone()),
        None => {
            let said = |own: &&crate::consumers::Exception| own.variable.as_deref() == Some(name);
            consumer.exceptions.iter().find(said).map(|own| own.at.clone())
        }
    }
}

/// `host:port` of a proxy's URL, whatever is spoken there.
fn via(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let by_http = ProxyUrl::parse(&format!("http://{rest}")).ok()?;
    let usual = match scheme.to_ascii_lowercase().as_str() {
        "http" => Some(80),
        "https" => Some(443),
        scheme if scheme.starts_with("socks") => Some(1080),
        _ => None,
    };
    let host = by_http.host.to_string();
    Some(by_http.port.or(usual).map_or(host.clone(), |port| host_port(&host, port)))
}

/// The variables of a consumer. Passwords are masked, which changes no way.
pub(crate) fn environment(consumer: &Consumer) -> Environment {
    let url = |value: &Option<ProxyValue>| value.as_ref().map(|value| value.shown.clone());
    let all = [
        ("http_proxy", url(&consumer.http)),
        ("HTTP_PROXY", url(&consumer.http_upper)),
        ("https_proxy", url(&consumer.https)),
        ("HTTPS_PROXY", url(&consumer.https_upper)),
        ("no_proxy", consumer.no_proxy.clone()),
        ("NO_PROXY", consumer.no_proxy_upper.clone()),
    ];
    let others = consumer.exceptions.iter().filter_map(|own| Some((own.variable.as_deref()?, own.value.clone())));
    let others = others.map(|(name, value)| (name, url(&value)));
    all.into_iter().chain(others).filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Is the host of a package manager's rule?
pub(super) fn direct_hosts(consumer: &Consumer) -> impl Iterator<Item = Target> {
    let hosts = consumer.direct.iter().filter(|_| consumer.consumer == Who::PackageManager);
    hosts.filter_map(|host| Target::to_host(false, host)).filter(|target| matches!(target.host, Host::Name(_)))
}
