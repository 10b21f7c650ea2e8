//! The proxy itself, judged: is it there, which language does its port speak, does it let this host through?
//!
//! | module | what it does |
//! | --- | --- |
//! | `judge` | findings on place, language and certificate |
//! | `through` | findings on what it lets through |

mod judge;
mod through;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::super::causes::Proxy;
use super::super::{ProxySpec, Secrets};
use crate::check::prelude::*;
use crate::consumers::Known;
use crate::network::proxy::{self, Cleaner, Dialled, Question, Said};
use crate::settings::{ProxyUrl, Scheme};

/// The check.
pub(crate) struct Dial;

/// What was seen of one or two proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialFacts {
    /// Each place once, however many URLs name it.
    pub(crate) proxies: Vec<Dialled>,
}

/// The URLs that name a place, each with what it is for: `http`, `https`, or one for each.
type Uses<'w> = [(&'static str, &'w ProxySpec)];

/// Those of one place.
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

/// What each wanted proxy is asked.
fn questions<'a>(spec: &CheckSpec, secrets: &'a Secrets) -> Vec<Question<'a>> {
    places(spec).into_iter().map(|(host, port)| question(spec, secrets, host, port)).collect()
}

/// What the settings imply for one place.
fn question<'a>(spec: &CheckSpec, secrets: &'a Secrets, host: &str, port: u16) -> Question<'a> {
    let uses = uses(spec, host, port);
    let urls = [(&secrets.https_proxy, "https"), (&secrets.http_proxy, "http")];
    let own: Vec<&ProxyUrl> = urls
        .iter()
        .filter(|(_, scheme)| uses.iter().any(|(used, _)| used == scheme))
        .filter_map(|(url, _)| url.as_ref())
        .collect();
    Question {
        host: host.to_owned(),
        port,
        tls: own.first().map_or_else(|| uses.iter().any(|(_, proxy)| proxy.tls), |url| url.scheme == Scheme::Https),
        login: own.iter().copied().find(|url| url.credentials.is_some()),
        cleaner: Cleaner::new(urls.iter().filter_map(|(url, _)| url.as_ref())),
        only_http: uses.iter().all(|(scheme, _)| *scheme == "http") && spec.https_proxy.is_some(),
    }
}

/// The first proxy of these uses, as it is told of, with the flag that sets them.
fn wanted<'w>(uses: &Uses<'w>) -> Proxy<'w> {
    let flag = match uses {
        [("http", _)] => "--http-proxy",
        [("https", _)] => "--https-proxy",
        _ => "--proxy",
    };
    Proxy::new(uses.first().map(|(_, proxy)| *proxy), flag)
}

impl Check for Dial {
    type Facts = DialFacts;

    const META: Meta = Meta::new(
        "proxy",
        Group::Proxy,
        &[
            ids::PROXY_CONNECTS,
            ids::PROXY_RESOLVES,
            ids::PROXY_LANGUAGE,
            ids::PROXY_CERTIFICATE,
            ids::PROXY_CONNECT_METHOD,
            ids::PROXY_CREDENTIALS,
        ],
    )
    .gates(&[ids::PROXY_RESOLVES, ids::PROXY_CONNECTS, ids::PROXY_LANGUAGE, ids::PROXY_CERTIFICATE]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        places(spec).into_iter().map(|(host, port)| format!("proxy:{host}:{port}")).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _: Option<&DialFacts>) -> DialFacts {
        let questions = questions(look.spec, look.secrets);
        DialFacts { proxies: proxy::probe(look.host, &questions, look.roots, time) }
    }

    fn judge(&self, facts: &DialFacts, spec: &CheckSpec) -> Vec<Finding> {
        let known = |finding: Finding| finding.evidence("known", own(Known::Asked.as_str()));
        judge::all(facts, spec).into_iter().map(known).collect()
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
