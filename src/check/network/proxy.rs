//! The proxy's own faults, which everything behind it has in common: said once.

use super::super::{CheckSpec, ProxySpec};
use super::judge::{Words, told};
use super::{NetworkFacts, Target};
use crate::finding::{Finding, Status};
use crate::net::NetError;
use crate::network::path::{Cause, Failure, Stage, Via};

/// A proxy that works for no endpoint.
pub(super) struct Broken<'a> {
    /// Only the one for http requests (`Some(false)`), for https requests; `None`: there is but one.
    tls: Option<bool>,
    failure: &'a Failure,
}

impl Broken<'_> {
    /// Does the endpoint lie behind it?
    pub(super) fn is_before(&self, target: &Target) -> bool {
        self.tls.is_none_or(|tls| tls == target.tls)
    }
}

/// The proxy for requests of this kind.
pub(super) fn proxy_for(tls: bool, spec: &CheckSpec) -> Option<&ProxySpec> {
    if tls { spec.https_proxy.as_ref() } else { spec.http_proxy.as_ref().or(spec.https_proxy.as_ref()) }
}

/// The proxies whose own failure everything behind them has in common. None: each works for at least one endpoint.
pub(super) fn broken<'a>(facts: &'a NetworkFacts, spec: &CheckSpec) -> Vec<Broken<'a>> {
    let one = spec.http_proxy.is_none() || spec.https_proxy.is_none() || spec.http_proxy == spec.https_proxy;
    let kinds: &[Option<bool>] = if one { &[None] } else { &[Some(true), Some(false)] };
    kinds.iter().filter_map(|tls| Some(Broken { tls: *tls, failure: common(facts, *tls)? })).collect()
}

fn common(facts: &NetworkFacts, tls: Option<bool>) -> Option<&Failure> {
    let seen = facts.seen.iter().filter(|seen| tls.is_none_or(|tls| seen.target.tls == tls));
    let walks = seen.flat_map(|seen| &seen.walks).filter(|probe| probe.via == Via::Proxy);
    // What its rules forbid does not show that it would let anything through: many forbid before they ask for a login.
    let forbidden = |failure: &Failure| matches!(failure.why, Cause::ProxyForbids { .. });
    let walks = walks.filter(|probe| !probe.failure.as_ref().is_some_and(forbidden));
    let failures: Vec<&Failure> =
        walks.map(|probe| probe.failure.as_ref().filter(|failure| is_of_proxy(failure))).collect::<Option<_>>()?;
    failures.first().copied()
}

/// Is it the proxy itself, whatever the endpoint?
pub(super) fn is_of_proxy(failure: &Failure) -> bool {
    matches!(
        (&failure.why, failure.stage),
        (_, Stage::Resolve | Stage::Tcp | Stage::ProxyTls)
            | (Cause::ProxyLogin { .. } | Cause::NetError { .. }, Stage::Connect)
    )
}

/// The finding of a broken proxy.
pub(super) fn of_proxy(agent: bool, broken: &Broken<'_>, facts: &NetworkFacts, spec: &CheckSpec) -> Finding {
    let failure = broken.failure;
    let (id, group) = if agent { ("agent-proxy", "agent") } else { ("network-proxy", "network") };
    let Words { title, observed, cause, fix, expected } =
        words_of_proxy(agent, failure, proxy_for(broken.tls.unwrap_or(true), spec));
    let behind = facts
        .seen
        .iter()
        .filter(|seen| broken.is_before(&seen.target))
        .flat_map(|seen| &seen.walks)
        .filter(|probe| probe.via == Via::Proxy)
        .count();
    let mut finding = Finding::new(id, group, Status::Fail, title)
        .expected(expected)
        .observed(observed)
        .evidence("endpoints_behind_it", behind);
    finding.cause = cause;
    finding.fix = fix;
    finding.stage = Some(failure.stage.as_str());
    finding.path = Some(Via::Proxy.as_str());
    finding.duration_ms = Some(failure.took_ms);
    finding
}

/// What is wrong with the proxy itself.
fn words_of_proxy(agent: bool, failure: &Failure, proxy: Option<&ProxySpec>) -> Words {
    let (place, origin, tls) = match proxy {
        Some(proxy) => (format!("{}:{}", proxy.host, proxy.port), format!(" ({})", proxy.origin), proxy.tls),
        None => ("the proxy".to_owned(), String::new(), false),
    };
    let scheme = if tls { "https" } else { "http" };
    let corrected = |scheme: &str| format!("ics-setup prepare --proxy {scheme}://{place}");
    let (title, expected, cause, fix) = match (&failure.why, failure.stage) {
        (Cause::NetError { trouble: NetError::NameUnknown | NetError::NameUnanswered { .. } }, Stage::Resolve) => (
            format!("the proxy's name in {place} does not resolve{origin}"),
            "an address for the proxy's name".to_owned(),
            "a slip in the name, or name servers that do not know the company's inside".to_owned(),
            vec![format!("getent hosts {}", host_of(&place)), "cat /etc/resolv.conf".to_owned()],
        ),
        (Cause::NetError { trouble: NetError::Refused }, Stage::Tcp) => (
            format!("nothing listens at the proxy {place}{origin}"),
            "an open port".to_owned(),
            "a wrong port, a proxy that is down, or a firewall that rejects".to_owned(),
            vec![format!("ask the proxy team for host and port, then: {}", corrected("http"))],
        ),
        (_, Stage::Tcp) => (
            format!("the proxy {place} does not answer{origin}"),
            "an open port".to_owned(),
            "a firewall between this host and the proxy drops the packets, or the proxy is down".to_owned(),
            vec![format!("have the network team open TCP from this host to {place}")],
        ),
        (Cause::NetError { trouble: NetError::Untrusted { why } }, Stage::ProxyTls) => {
            let (cause, fix) = untrusted(&why.to_string(), &place);
            (
                format!("the certificate of the proxy {place} is not trusted{origin}"),
                "a certificate that this host trusts; without one no credentials are sent".to_owned(),
                cause,
                fix,
            )
        }
        (_, Stage::ProxyTls) => (
            format!("the proxy {place} does not speak TLS, as https:// in its URL asks for{origin}"),
            "TLS to the proxy itself".to_owned(),
            "an ordinary proxy port is plain also for https requests".to_owned(),
            vec![corrected("http")],
        ),
        (Cause::ProxyLogin { schemes, sent }, _) => return words_of_login(agent, schemes, *sent, &place, &origin),
        (Cause::NetError { trouble: NetError::Unexpected { tls: true, .. } }, _) if !tls => (
            format!("the proxy's port {place} speaks TLS, and its URL says http://{origin}"),
            "an answer to CONNECT".to_owned(),
            "this port wants TLS to the proxy itself".to_owned(),
            vec![corrected("https"), "or ask the proxy team for the plain port".to_owned()],
        ),
        (Cause::NetError { trouble: NetError::Silent { .. } }, Stage::Connect) => (
            format!("the proxy {place} does not answer CONNECT in time{origin}"),
            "an answer to CONNECT within --connect-timeout".to_owned(),
            "the proxy reaches nothing outside itself, is overloaded, or wants TLS to itself (https:// in its URL)"
                .to_owned(),
            vec![
                format!(
                    "look: curl -v --connect-timeout 60 -x {scheme}://{place} https://divvycentral.divvycloud.com/"
                ),
                "where that works, but slowly: --connect-timeout 20s".to_owned(),
            ],
        ),
        _ => (
            format!("the proxy {place} does not answer CONNECT{origin}"),
            "an answer to CONNECT".to_owned(),
            "the port belongs to something else, or the proxy allows no CONNECT".to_owned(),
            vec![format!("look: curl -v -x {scheme}://{place} https://divvycentral.divvycloud.com/")],
        ),
    };
    Words { title, expected, observed: told(failure), cause: Some(cause), fix }
}

/// Why a certificate is not trusted decides what helps.
fn untrusted(why: &str, place: &str) -> (String, Vec<String>) {
    let look = format!("look: openssl s_client -connect {place} -showcerts </dev/null");
    if why.contains("expired") || why.contains("not valid yet") {
        (
            "the certificate is out of its time, or this host's clock is wrong".to_owned(),
            vec!["date; timedatectl".to_owned(), look],
        )
    } else if why.contains("another name") {
        (
            "the proxy is set by another name, or by its address".to_owned(),
            vec!["set the proxy by a name that its certificate has".to_owned(), look],
        )
    } else if why.contains("issuer") || why.contains("no trusted certificates") || why.contains("CA, used by a server")
    {
        (
            "the CA of the proxy is not in this host's store".to_owned(),
            vec![
                "give its certificate along: --proxy-ca FILE".to_owned(),
                "or add it to the store: update-ca-certificates (Ubuntu), update-ca-trust (CentOS)".to_owned(),
            ],
        )
    } else {
        (
            "the certificate itself is not valid".to_owned(),
            vec!["have the proxy team issue another one".to_owned(), look],
        )
    }
}

fn host_of(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(host, _)| host)
}

fn words_of_login(agent: bool, schemes: &[String], sent: bool, place: &str, origin: &str) -> Words {
    let offered = if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") };
    let basic = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let observed = format!("407, offering {offered}{}", if sent { ", after a login by Basic" } else { "" });
    let expected = "a tunnel".to_owned();
    if !basic && !schemes.is_empty() {
        let who = if agent { "the Insight Agent" } else { "the product and the Insight Agent" };
        return Words {
            title: format!("the proxy {place} wants a login by {offered} only{origin}"),
            expected,
            observed,
            cause: Some(format!("{who} can log in by Basic only")),
            fix: vec![
                "have the proxy team offer Basic, or let this host through without a login (by its address)".to_owned(),
            ],
        };
    }
    if sent {
        return Words {
            title: format!("the proxy {place} rejects the login{origin}"),
            expected,
            observed,
            cause: Some("wrong user or password, or an account that is locked".to_owned()),
            fix: vec!["ics-setup prepare --proxy-user USER --proxy-password-file FILE".to_owned()],
        };
    }
    Words {
        title: format!("the proxy {place} wants a login, and none is set{origin}"),
        expected,
        observed,
        cause: None,
        fix: vec!["ics-setup prepare --proxy-user USER --proxy-password-file FILE".to_owned()],
    }
}
