//! From ways gone to findings: who breaks which path, and what to hand to whom.

use std::collections::BTreeSet;

use super::super::Want;
use super::interception;
use super::{Facts, Seen, Target};
use crate::finding::{Finding, Status};
use crate::net::Trouble;
use crate::network::path::{Cause, Failure, Stage, Via, Walk, inspector};
use crate::text::place;

/// The findings of one group: the way through the proxy, each endpoint, what the certificates say of all of them.
pub(super) fn judge(agent: bool, facts: &Facts, want: &Want) -> Vec<Finding> {
    let group = if agent { "agent" } else { "network" };
    let (proxy, resolver) = (broken_proxy(facts), broken_resolver(facts));
    let mut findings: Vec<Finding> = proxy.iter().map(|broken| of_proxy(agent, broken, facts, want)).collect();
    findings.extend(resolver.map(|broken| of_resolver(agent, broken, facts)));
    for seen in &facts.seen {
        if seen.walks.is_empty() {
            let title = format!("{} was not reached in time", seen.target.name());
            let why = "the run was over (--deadline) before its turn came";
            findings.push(Finding::new(id(agent, &seen.target), group, Status::Error, title).observed(why));
        }
        for walk in &seen.walks {
            let common = match walk.via {
                Via::Proxy => proxy.map(|_| "the way through the proxy is broken for every endpoint"),
                Via::Direct => {
                    resolver.filter(|_| !seen.target.direct_only).map(|_| "no public name resolves on this host")
                }
            };
            findings.push(of_walk(agent, seen, walk, common, want));
        }
    }
    findings.extend(interception::judge(agent, facts));
    if agent {
        findings.extend(facts.seen.iter().filter(|seen| !seen.addresses.is_empty()).map(of_addresses));
    }
    if facts.seen.is_empty() {
        let (title, fix) = if agent {
            (
                "no agent endpoint was checked",
                "name the platform's region: --agent-region us (or eu, ca, ap, au, us2, us3)",
            )
        } else {
            ("no endpoint was checked", "look what there is: ics-setup network list --all")
        };
        let why = "the settings call for none";
        findings.push(Finding::new(id_of_endpoint(agent), group, Status::Skip, title).observed(why).fix(fix));
    }
    findings
}

fn id_of_endpoint(agent: bool) -> &'static str {
    if agent { "agent-endpoint" } else { "network-endpoint" }
}

fn id(agent: bool, target: &Target) -> &'static str {
    if agent && target.direct_only { "agent-collector" } else { id_of_endpoint(agent) }
}

/// The failure that everything behind the proxy has in common: the proxy's own. `None`: the proxy works for at least one.
fn broken_proxy(facts: &Facts) -> Option<&Failure> {
    let mut walks = facts.seen.iter().flat_map(|seen| &seen.walks).filter(|walk| walk.via == Via::Proxy).peekable();
    walks.peek()?;
    let failures: Vec<&Failure> = walks.map(|walk| walk.failure.as_ref().filter(is_of_proxy)).collect::<Option<_>>()?;
    failures.first().copied()
}

/// The failure that all direct ways have in common, where that is the resolver's. One endpoint alone is not enough to tell.
fn broken_resolver(facts: &Facts) -> Option<&Failure> {
    let public = facts.seen.iter().filter(|seen| !seen.target.direct_only);
    let walks = public.flat_map(|seen| &seen.walks).filter(|walk| walk.via == Via::Direct);
    let failures: Vec<&Failure> = walks
        .map(|walk| walk.failure.as_ref().filter(|failure| failure.stage == Stage::Resolve))
        .collect::<Option<_>>()?;
    failures.first().copied().filter(|_| failures.len() > 1)
}

fn of_resolver(agent: bool, failure: &Failure, facts: &Facts) -> Finding {
    let (id, group) = if agent { ("agent-resolver", "agent") } else { ("network-resolver", "network") };
    let names: Vec<&str> =
        facts.seen.iter().filter(|seen| !seen.target.direct_only).map(|seen| seen.target.host.as_str()).collect();
    let title = format!("none of {} public names resolves on this host", names.len());
    let mut finding = Finding::new(id, group, Status::Fail, title)
        .expected("addresses for the endpoints' names, because no proxy is used")
        .observed(told(failure))
        .cause("name servers that do not answer, or do not know the internet, as is usual where everything goes through a proxy")
        .fix("where there is a proxy: ics-setup prepare --proxy http://HOST:PORT")
        .fix(format!("else look: cat /etc/resolv.conf; getent hosts {}", names.first().copied().unwrap_or_default()))
        .evidence("endpoints", names.len());
    finding.stage = Some(failure.stage.word());
    finding.path = Some(Via::Direct.word());
    finding.duration_ms = Some(failure.took_ms);
    finding
}

/// Is it the proxy itself, whatever the endpoint?
fn is_of_proxy(failure: &&Failure) -> bool {
    matches!(
        (&failure.why, failure.stage),
        (_, Stage::Resolve | Stage::Tcp | Stage::ProxyTls)
            | (Cause::ProxyLogin { .. } | Cause::Trouble { .. }, Stage::Connect)
    )
}

fn of_proxy(agent: bool, failure: &Failure, facts: &Facts, want: &Want) -> Finding {
    let (id, group) = if agent { ("agent-proxy", "agent") } else { ("network-proxy", "network") };
    let Words { title, observed, cause, fix, expected } = words_of_proxy(agent, failure, want);
    let behind = facts.seen.iter().flat_map(|seen| &seen.walks).filter(|walk| walk.via == Via::Proxy).count();
    let mut finding = Finding::new(id, group, Status::Fail, title)
        .expected(expected)
        .observed(observed)
        .evidence("endpoints_behind_it", behind);
    finding.cause = cause;
    finding.fix = fix;
    finding.stage = Some(failure.stage.word());
    finding.path = Some(Via::Proxy.word());
    finding.duration_ms = Some(failure.took_ms);
    finding
}

fn of_walk(agent: bool, seen: &Seen, walk: &Walk, common: Option<&str>, want: &Want) -> Finding {
    let target = &seen.target;
    let group = if agent { "agent" } else { "network" };
    let way = way(walk.via, want);
    let mut finding = match &walk.failure {
        None => {
            let title = format!("{} is reached {way}", target.name());
            Finding::new(id(agent, target), group, Status::Pass, title).observed(reached(walk))
        }
        Some(failure) if common.is_some() => {
            let title = format!("{} was not reached {way}", target.name());
            let observed = common.unwrap_or_default();
            let mut finding = Finding::new(id(agent, target), group, Status::Skip, title).observed(observed);
            finding.stage = Some(failure.stage.word());
            finding
        }
        Some(failure) => {
            let status = if target.required { Status::Fail } else { Status::Warn };
            let Words { title, observed, cause, fix, expected } = words(target, walk.via, failure, want);
            let mut finding =
                Finding::new(id(agent, target), group, status, title).expected(expected).observed(observed);
            finding.cause = cause;
            finding.fix = fix;
            finding.stage = Some(failure.stage.word());
            finding
        }
    };
    finding.path = Some(walk.via.word());
    finding.duration_ms = Some(walk.millis());
    finding = finding.evidence("host", target.host.as_str()).evidence("port", target.port);
    finding = finding.evidence("purpose", target.purpose.as_str());
    if let Some(wildcard) = &target.stands_for {
        finding = finding.evidence("stands_for", wildcard.as_str());
    }
    let stages: serde_json::Map<_, _> =
        walk.steps.iter().map(|step| (step.stage.word().to_owned(), step.millis.into())).collect();
    finding = finding.evidence("stages_ms", stages);
    if let Some(certificate) = &walk.certificate {
        finding = finding.evidence("issuer", certificate.issuer.as_str());
    }
    finding
}

fn way(via: Via, want: &Want) -> String {
    match (via, &want.https_proxy) {
        (Via::Proxy, Some(proxy)) => format!("through {}:{}", proxy.host, proxy.port),
        (Via::Proxy, None) => "through the proxy".to_owned(),
        (Via::Direct, _) => "directly".to_owned(),
    }
}

fn reached(walk: &Walk) -> String {
    let mut parts = Vec::new();
    if let Some(page) = &walk.page {
        parts.push(format!("HTTP {}", page.status));
    }
    if let Some(certificate) = &walk.certificate {
        parts.push(format!("certificate by {}", certificate.issuer_organisation));
    }
    if parts.is_empty() {
        parts.push("the port is open".to_owned());
    }
    format!("{} after {} ms", parts.join(", "), walk.millis())
}

/// The texts of a finding.
struct Words {
    title: String,
    expected: String,
    observed: String,
    cause: Option<String>,
    fix: Vec<String>,
}

/// What is wrong with the proxy itself.
fn words_of_proxy(agent: bool, failure: &Failure, want: &Want) -> Words {
    let (place, origin, tls) = match &want.https_proxy {
        Some(proxy) => (place(&proxy.host, proxy.port), format!(" ({})", proxy.origin), proxy.tls),
        None => ("the proxy".to_owned(), String::new(), false),
    };
    let corrected = |scheme: &str| format!("ics-setup prepare --proxy {scheme}://{place}");
    let (title, expected, cause, fix) = match (&failure.why, failure.stage) {
        (Cause::Trouble { trouble: Trouble::NameUnknown | Trouble::NameUnanswered { .. } }, Stage::Resolve) => (
            format!("the proxy's name in {place} does not resolve{origin}"),
            "an address for the proxy's name".to_owned(),
            "a slip in the name, or name servers that do not know the company's inside".to_owned(),
            vec![format!("getent hosts {}", host_of(&place)), "cat /etc/resolv.conf".to_owned()],
        ),
        (Cause::Trouble { trouble: Trouble::Refused }, Stage::Tcp) => (
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
        (Cause::Trouble { trouble: Trouble::Untrusted { .. } }, Stage::ProxyTls) => (
            format!("the certificate of the proxy {place} is not trusted{origin}"),
            "a certificate that this host trusts; without one no credentials are sent".to_owned(),
            "the CA of the proxy is not in this host's store".to_owned(),
            vec![
                "give its certificate along: --proxy-ca FILE".to_owned(),
                "or add it to the store: update-ca-certificates (Ubuntu), update-ca-trust (CentOS)".to_owned(),
            ],
        ),
        (_, Stage::ProxyTls) => (
            format!("the proxy {place} does not speak TLS, as https:// in its URL asks for{origin}"),
            "TLS to the proxy itself".to_owned(),
            "an ordinary proxy port is plain also for https requests".to_owned(),
            vec![corrected("http")],
        ),
        (Cause::ProxyLogin { schemes, sent }, _) => return words_of_login(agent, schemes, *sent, &place, &origin),
        (Cause::Trouble { trouble: Trouble::Unexpected { what } }, _) if what.contains("TLS") && !tls => (
            format!("the proxy's port {place} speaks TLS, and its URL says http://{origin}"),
            "an answer to CONNECT".to_owned(),
            "this port wants TLS to the proxy itself".to_owned(),
            vec![corrected("https"), "or ask the proxy team for the plain port".to_owned()],
        ),
        _ => (
            format!("the proxy {place} does not answer CONNECT{origin}"),
            "an answer to CONNECT".to_owned(),
            "the port belongs to something else, or the proxy allows no CONNECT".to_owned(),
            vec![format!("look: curl -v -x http://{place} https://divvycentral.divvycloud.com/")],
        ),
    };
    Words { title, expected, observed: told(failure), cause: Some(cause), fix }
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

/// What is wrong with the way to one endpoint.
fn words(target: &Target, via: Via, failure: &Failure, want: &Want) -> Words {
    let name = target.name();
    let way = way(via, want);
    let (title, cause, fix): (String, String, Vec<String>) = match (&failure.why, failure.stage, via) {
        (Cause::ProxyForbids { status }, ..) => (
            format!("the proxy forbids {name} (HTTP {status})"),
            "its rules do not have this host".to_owned(),
            vec![
                format!("have the proxy team allow CONNECT to {}", covered(target)),
                "all of them in the proxy's own words: ics-setup network allowlist --format squid".to_owned(),
            ],
        ),
        (Cause::ProxyFailed { status }, ..) => (
            format!("the proxy does not get to {name} (HTTP {status})"),
            "the proxy itself cannot resolve the name or connect".to_owned(),
            vec![format!("have the proxy team try from there: curl -v https://{}/", target.host)],
        ),
        (Cause::ProxyAnswered { status }, ..) => (
            format!("the proxy answered CONNECT to {name} with HTTP {status}"),
            "no tunnel: a portal or a block page".to_owned(),
            vec![format!("have the proxy team allow CONNECT to {}", covered(target))],
        ),
        (Cause::Page { title }, ..) => (
            match title {
                Some(words) => format!("instead of {name} a page answers: {words:?}"),
                None => format!("instead of {name} a page answers"),
            },
            match title.as_deref().and_then(inspector) {
                Some(product) => format!("a block page of {product}"),
                None => "a block page or a login portal in between".to_owned(),
            },
            vec![format!("have whoever runs it let {} through", covered(target))],
        ),
        (Cause::ProxyLogin { .. }, ..) => (
            format!("the proxy wants a login for {name}"),
            "other endpoints got through".to_owned(),
            vec![format!("have the proxy team look at the rule for {}", target.host)],
        ),
        (Cause::Trouble { trouble: Trouble::NameUnknown | Trouble::NameUnanswered { .. } }, Stage::Resolve, _) => (
            format!("{} does not resolve", target.host),
            "name servers that do not know the internet, as is usual where everything goes through a proxy".to_owned(),
            vec![format!("getent hosts {}", target.host), "or name the proxy: --proxy http://HOST:PORT".to_owned()],
        ),
        (Cause::Trouble { trouble: Trouble::Refused }, ..) => (
            format!("{name} refuses the connection {way}"),
            "a firewall that rejects, or the service is down".to_owned(),
            vec![open(target)],
        ),
        (Cause::Trouble { trouble }, Stage::Tcp, _) => (
            format!("{name} does not answer {way}"),
            match trouble {
                Trouble::Unreachable { .. } => "this host has no route there".to_owned(),
                _ => "a firewall on the way drops the packets".to_owned(),
            },
            vec![open(target)],
        ),
        (Cause::Trouble { trouble }, Stage::Tls, _) => (
            format!("TLS to {name} does not come about {way}"),
            match trouble {
                Trouble::Closed | Trouble::Reset | Trouble::Tls { .. } => {
                    "a device in between cuts connections by the name in TLS, or wants another TLS version".to_owned()
                }
                _ => "the connection is there, and nothing answers behind it".to_owned(),
            },
            vec![open(target), format!("look: openssl s_client -connect {name} -servername {}", target.host)],
        ),
        _ => (
            format!("{name} gives no answer {way}"),
            "the way is open, and the service behind it does not answer".to_owned(),
            vec![format!("look: curl -v https://{}/", target.host)],
        ),
    };
    let expected = match &target.stands_for {
        Some(wildcard) => format!("reached; {} stands for {wildcard}: {}", target.host, target.purpose),
        None => format!("reached: {}", target.purpose),
    };
    Words { title, expected, observed: told(failure), cause: Some(cause), fix }
}

fn told(failure: &Failure) -> String {
    match &failure.why {
        Cause::Trouble { trouble } => trouble.to_string(),
        Cause::ProxyLogin { schemes, .. } => format!("HTTP 407, offering {}", schemes.join(", ")),
        Cause::ProxyForbids { status } | Cause::ProxyFailed { status } | Cause::ProxyAnswered { status } => {
            format!("HTTP {status} from the proxy")
        }
        Cause::Page { .. } => "HTML where TLS was expected".to_owned(),
    }
}

/// The name as it is asked for: the wildcard where there is one.
fn covered(target: &Target) -> String {
    match &target.stands_for {
        Some(wildcard) => format!("{wildcard} (tried: {})", target.host),
        None => target.name(),
    }
}

fn open(target: &Target) -> String {
    format!("have the network team open TCP {} from this host to {}", target.port, covered(target))
}

/// The static addresses of one endpoint.
fn of_addresses(seen: &Seen) -> Finding {
    let (id, group) = ("agent-static-address", "agent");
    let name = seen.target.name();
    let bad: Vec<String> = seen
        .addresses
        .iter()
        .filter_map(|address| {
            let failure = address.failure.as_ref()?;
            Some(format!("{} ({})", address.address, told(failure)))
        })
        .collect();
    let listed: BTreeSet<&str> = seen.target.static_ips.iter().map(String::as_str).collect();
    let resolved: BTreeSet<&str> =
        seen.walks.iter().flat_map(|walk| walk.addresses.iter().map(String::as_str)).collect();
    let strangers: Vec<&str> = resolved.difference(&listed).copied().collect();
    let finding = |status, title: String| {
        Finding::new(id, group, status, title)
            .expected(format!("{} answer as {}", seen.target.static_ips.join(", "), seen.target.host))
            .evidence("host", seen.target.host.as_str())
            .evidence("dns", resolved.iter().copied().collect::<Vec<_>>())
    };
    if !bad.is_empty() {
        return finding(
            Status::Fail,
            format!("{} of {} static addresses of {name} do not answer", bad.len(), seen.addresses.len()),
        )
        .observed(bad.join("; "))
        .cause("a firewall that is opened for the name only, or addresses that are no longer used")
        .fix("ics-setup network allowlist --format nftables");
    }
    if !strangers.is_empty() {
        return finding(Status::Warn, format!("DNS gives {name} other addresses than the static ones"))
            .observed(strangers.join(", "))
            .cause("a firewall that is opened for the static addresses only will not let these through")
            .fix("open the name where the firewall can, or pin the static addresses in /etc/hosts");
    }
    finding(Status::Pass, format!("the static addresses of {name} answer"))
        .observed(format!("{} tried", seen.addresses.len()))
}
