//! The proxy itself: is it there, which language does its port speak, does it let this host through?
//!
//! | module | what it does |
//! | --- | --- |
//! | `probe` | the conversation: one connection for each question, none repeated |
//! | `answer` | what a proxy said, cut, without control characters and without what it may have sent back of the login |
//! | `judge` | findings on place, language and certificate |
//! | `through` | findings on what it lets through |

mod answer;
mod judge;
mod probe;
mod through;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::{Check, CheckSpec, Group, Look, Meta, ProxySpec};
use crate::finding::Finding;
use crate::net::{NetError, Time};

pub use answer::Said;

/// The check.
pub struct Dial;

/// What was seen of one or two proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialFacts {
    /// Each place once, however many URLs name it.
    pub proxies: Vec<Dialled>,
}

/// One place: host and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialled {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Is the name in `/etc/hosts`?
    pub in_hosts_file: bool,
    /// The addresses that the resolver told.
    pub addresses: Vec<String>,
    /// Why there are none.
    pub unresolved: Option<NetError>,
    /// How long the resolver took, in milliseconds.
    pub resolved_ms: u64,
    /// Why no connection came about.
    pub unconnected: Option<NetError>,
    /// How long that took, in milliseconds.
    pub connected_ms: u64,
    /// The conversation; `None` where there was no connection.
    pub answers: Option<ProxyAnswers>,
}

/// What was said on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyAnswers {
    /// The request in plain HTTP.
    pub plain: Said,
    /// Did the TLS handshake come about?
    pub tls: TlsAnswer,
    /// The request within TLS, where the URL asks for that and the certificate is trusted.
    pub within_tls: Option<Said>,
}

/// How a TLS handshake with the proxy ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "shaken")]
pub enum TlsAnswer {
    /// It speaks TLS, and its certificate is trusted.
    Trusted,
    /// It speaks TLS; its certificate is not trusted.
    Untrusted {
        /// Why not.
        why: String,
    },
    /// It speaks no TLS, or none that is still spoken.
    No {
        /// What happened.
        trouble: NetError,
    },
}

/// Which language a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Plain,
    Tls,
    Both,
    Neither,
}

impl ProxyAnswers {
    fn language(&self) -> Language {
        let tls = !matches!(self.tls, TlsAnswer::No { .. });
        // A TLS port may answer a plain request with a polite 400.
        let plain = self.plain.status.is_some_and(|status| !(tls && status == 400));
        // Whoever answers a ClientHello with bytes that are no TLS speaks something plain, also when it is slow with CONNECT.
        let garbled =
            matches!(&self.tls, TlsAnswer::No { trouble: NetError::Tls { why } } if why.contains("does not speak TLS"));
        let waiting = matches!(self.plain.trouble, Some(NetError::Silent { .. }));
        match (plain || (garbled && waiting), tls) {
            (true, true) => Language::Both,
            (true, false) => Language::Plain,
            (false, true) => Language::Tls,
            (false, false) => Language::Neither,
        }
    }
}

/// The URLs that name a place, each with what it is for: `http`, `https` or both.
fn uses<'w>(spec: &'w CheckSpec, host: &str, port: u16) -> Vec<(&'static str, &'w ProxySpec)> {
    let all = [("http", &spec.http_proxy), ("https", &spec.https_proxy)];
    all.into_iter()
        .filter_map(|(scheme, proxy)| Some((scheme, proxy.as_ref()?)))
        .filter(|(_, proxy)| proxy.host == host && proxy.port == port)
        .collect()
}

/// Host and port of the wanted proxies, each once.
fn places(spec: &CheckSpec) -> Vec<(&str, u16)> {
    let mut places: Vec<(&str, u16)> = Vec::new();
    for proxy in [&spec.https_proxy, &spec.http_proxy].into_iter().flatten() {
        let place = (proxy.host.as_str(), proxy.port);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

impl Check for Dial {
    type Facts = DialFacts;

    const META: Meta = Meta::new(
        "proxy",
        Group::Proxy,
        &[
            "proxy-connects",
            "proxy-resolves",
            "proxy-language",
            "proxy-certificate",
            "proxy-connect-method",
            "proxy-credentials",
        ],
    )
    .gates(&["proxy-resolves", "proxy-connects", "proxy-language", "proxy-certificate"]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        places(spec).into_iter().map(|(host, port)| format!("proxy:{host}:{port}")).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _: Option<&DialFacts>) -> DialFacts {
        let places = places(look.spec);
        let hosts = look.host.read(Path::new("/etc/hosts")).ok().flatten().unwrap_or_default();
        let hosts = String::from_utf8_lossy(&hosts);
        let tasks: Vec<probe::Task<'_>> =
            places.iter().map(|(host, port)| probe::Task::new(look.spec, look.secrets, host, *port, &hosts)).collect();
        let roots = look.roots;
        // Each has the whole time: they are asked side by side.
        let proxies = std::thread::scope(|scope| {
            let jobs: Vec<_> =
                tasks.iter().map(|task| scope.spawn(move || probe::dialled(task, roots, time))).collect();
            jobs.into_iter().filter_map(|job| job.join().ok()).collect()
        });
        DialFacts { proxies }
    }

    fn judge(&self, facts: &DialFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::all(facts, spec)
    }

    /// A login that was rejected once is not sent again and again: that locks accounts.
    fn is_settled(&self, facts: &DialFacts) -> bool {
        let rejected = |said: &Said| said.logged_in && said.status == Some(407);
        facts
            .proxies
            .iter()
            .filter_map(|proxy| proxy.answers.as_ref())
            .any(|answers| rejected(&answers.plain) || answers.within_tls.as_ref().is_some_and(rejected))
    }
}
