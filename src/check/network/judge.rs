//! From ways gone to findings: who breaks which path, and what to hand to whom.

use std::collections::BTreeSet;

use super::super::CheckSpec;
use super::interception::{self, block_page};
use super::proxy::{broken, is_of_proxy, of_proxy, proxy_for};
use super::{NetworkFacts, Seen, Target};
use crate::finding::{Finding, Status};
use crate::net::NetError;
use crate::network::path::{Cause, Failure, PathProbe, Stage, Via, inspector};
use crate::text::Fix;

/// The findings of one group: the way through the proxy, each endpoint, what the certificates say of all of them.
pub(super) fn judge_network(agent: bool, facts: &NetworkFacts, spec: &CheckSpec) -> Vec<Finding> {
    let group = if agent { "agent" } else { "network" };
    let (proxies, resolver) = (broken(facts, spec), broken_resolver(facts));
    let mut findings: Vec<Finding> = proxies.iter().map(|broken| of_proxy(agent, broken, facts, spec)).collect();
    findings.extend(resolver.map(|broken| of_resolver(agent, broken, facts, spec)));
    for seen in &facts.seen {
        if seen.walks.is_empty() {
            let title = format!("{} was not reached in time", seen.target.name());
            let why = "the run was over (--deadline) before its turn came";
            findings.push(Finding::new(id(agent, &seen.target), group, Status::Error, title).observed(why));
        }
        for probe in &seen.walks {
            let common = match probe.via {
                Via::Proxy => proxies
                    .iter()
                    .find(|proxy| proxy.is_before(&seen.target))
                    .filter(|_| probe.failure.as_ref().is_some_and(is_of_proxy))
                    .map(|_| "the way through the proxy is broken for every endpoint"),
                Via::Direct => {
                    resolver.filter(|_| !seen.target.direct_only).map(|_| "no public name resolves on this host")
                }
            };
            findings.push(of_walk(agent, seen, probe, common, spec));
        }
    }
    findings.extend(interception::judge_interception(agent, facts, spec));
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

/// The failure that all direct ways have in common, where that is the resolver's. One endpoint alone is not enough to tell.
fn broken_resolver(facts: &NetworkFacts) -> Option<&Failure> {
    let public = facts.seen.iter().filter(|seen| !seen.target.direct_only);
    let walks = public.flat_map(|seen| &seen.walks).filter(|probe| probe.via == Via::Direct);
    let failures: Vec<&Failure> = walks
        .map(|probe| probe.failure.as_ref().filter(|failure| failure.stage == Stage::Resolve))
        .collect::<Option<_>>()?;
    failures.first().copied().filter(|_| failures.len() > 1)
}

/// The endpoints that were gone to directly.
fn direct(facts: &NetworkFacts) -> impl Iterator<Item = &Seen> {
    facts.seen.iter().filter(|seen| seen.walks.iter().any(|probe| probe.via == Via::Direct))
}

fn of_resolver(agent: bool, failure: &Failure, facts: &NetworkFacts, spec: &CheckSpec) -> Finding {
    let (id, group) = if agent { ("agent-resolver", "agent") } else { ("network-resolver", "network") };
    let names: Vec<&str> =
        direct(facts).filter(|seen| !seen.target.direct_only).map(|seen| seen.target.host.as_str()).collect();
    let title = format!("none of {} public names resolves on this host", names.len());
    let mut finding = Finding::new(id, group, Status::Fail, title)
        .expected("addresses for the endpoints' names, which the direct way needs")
        .observed(told(failure))
        .cause("name servers that do not answer, or do not know the internet, as is usual where everything goes through a proxy")
        .fix(match &spec.https_proxy {
            Some(_) => "nothing is to be done where only the way through the proxy is meant: --via proxy".to_owned(),
            None => "where there is a proxy: ics-setup prepare --proxy http://HOST:PORT".to_owned(),
        })
        .fix(format!("else look: cat /etc/resolv.conf; getent hosts {}", names.first().copied().unwrap_or_default()))
        .evidence("endpoints", names.len());
    finding.stage = Some(failure.stage.as_str());
    finding.path = Some(Via::Direct.as_str());
    finding.duration_ms = Some(failure.took_ms);
    finding
}

fn of_walk(agent: bool, seen: &Seen, probe: &PathProbe, common: Option<&str>, spec: &CheckSpec) -> Finding {
    let target = &seen.target;
    let group = if agent { "agent" } else { "network" };
    let way = way(probe.via, target, spec);
    let mut finding = match &probe.failure {
        None if block_page(target, probe).is_some() => blocked(agent, target, probe, spec),
        None => {
            let title = format!("{} is reached {way}", target.name());
            let around = probe.via == Via::Direct
                && spec.via.is_empty()
                && !target.direct_only
                && proxy_for(target.tls, spec).is_some();
            let why = if around { "; no_proxy takes it away from the proxy" } else { "" };
            Finding::new(id(agent, target), group, Status::Pass, title).observed(format!("{}{why}", reached(probe)))
        }
        Some(failure) if common.is_some() => {
            let title = format!("{} was not reached {way}", target.name());
            let observed = common.unwrap_or_default();
            let mut finding = Finding::new(id(agent, target), group, Status::Skip, title).observed(observed.to_owned());
            finding.stage = Some(failure.stage.as_str());
            finding
        }
        Some(failure) => {
            let status = if target.required { Status::Fail } else { Status::Warn };
            let Words { title, observed, cause, fix, expected } = words(target, probe.via, failure, spec);
            let mut finding =
                Finding::new(id(agent, target), group, status, title).expected(expected).observed(observed);
            finding.cause = cause.map(Into::into);
            finding.fix = fix.into_iter().map(|text| Fix::Advice(text.into())).collect();
            finding.stage = Some(failure.stage.as_str());
            finding
        }
    };
    finding.path = Some(probe.via.as_str());
    finding.duration_ms = Some(probe.millis());
    finding = finding.evidence("host", target.host.as_str()).evidence("port", target.port);
    finding = finding.evidence("purpose", target.purpose.as_str());
    if let Some(wildcard) = &target.stands_for {
        finding = finding.evidence("stands_for", wildcard.as_str());
    }
    let stages: serde_json::Map<_, _> =
        probe.steps.iter().map(|step| (step.stage.as_str().to_owned(), step.millis.into())).collect();
    finding = finding.evidence("stages_ms", stages);
    if let Some(certificate) = &probe.certificate {
        finding = finding.evidence("issuer", certificate.issuer.as_str());
    }
    finding
}

/// Which way, in words.
pub(super) fn way(via: Via, target: &Target, spec: &CheckSpec) -> String {
    match (via, proxy_for(target.tls, spec)) {
        (Via::Proxy, Some(proxy)) => format!("through {}:{}", proxy.host, proxy.port),
        (Via::Proxy, None) => "through the proxy".to_owned(),
        (Via::Direct, _) => "directly".to_owned(),
    }
}

/// Somebody answered in the endpoint's place.
fn blocked(agent: bool, target: &Target, probe: &PathProbe, spec: &CheckSpec) -> Finding {
    let status = if target.required { Status::Fail } else { Status::Warn };
    let page = block_page(target, probe);
    let why = Cause::Page { title: page.and_then(|page| page.title.clone()) };
    let failure = Failure { stage: Stage::Http, why, took_ms: 0 };
    let Words { title, cause, fix, expected, .. } = words(target, probe.via, &failure, spec);
    let server = page.and_then(|page| page.server.as_ref()).map(|server| format!(", Server: {server}"));
    let mut finding = Finding::new(id(agent, target), if agent { "agent" } else { "network" }, status, title)
        .expected(expected)
        .observed(format!("{}{}", reached(probe), server.unwrap_or_default()));
    finding.cause = cause.map(Into::into);
    finding.fix = fix.into_iter().map(|text| Fix::Advice(text.into())).collect();
    finding.stage = Some(Stage::Http.as_str());
    finding
}

fn reached(probe: &PathProbe) -> String {
    let mut parts = Vec::new();
    if let Some(page) = &probe.page {
        parts.push(match &page.to {
            Some(to) => format!("HTTP {}, which leads to {to}", page.status),
            None => format!("HTTP {}", page.status),
        });
    }
    if let Some(certificate) = &probe.certificate {
        parts.push(format!("certificate by {}", certificate.issuer_organisation));
    }
    if parts.is_empty() {
        parts.push("the port is open".to_owned());
    }
    format!("{} after {} ms", parts.join(", "), probe.millis())
}

/// The texts of a finding.
pub(super) struct Words {
    pub(super) title: String,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) cause: Option<String>,
    pub(super) fix: Vec<String>,
}

/// What is wrong with the way to one endpoint.
fn words(target: &Target, via: Via, failure: &Failure, spec: &CheckSpec) -> Words {
    let name = target.name();
    let way = way(via, target, spec);
    let (title, cause, fix): (String, String, Vec<String>) = match (&failure.why, failure.stage, via) {
        (Cause::ProxyForbids { status }, ..) => (
            format!("the proxy forbids {name} (HTTP {status})"),
            "its rules do not have this host".to_owned(),
            vec![
                format!(
                    "have the proxy team allow {}{}",
                    if target.tls { "CONNECT to " } else { "http requests to " },
                    covered(target)
                ),
                "all of them in the proxy's own words: ics-setup network allowlist --format squid".to_owned(),
            ],
        ),
        (Cause::ProxyFailed { status, word }, ..) => (
            format!("the proxy does not get to {name} (HTTP {status})"),
            match word.as_deref() {
                Some("ERR_DNS_FAIL") => "the proxy's own name servers do not know the name",
                Some("ERR_CONNECT_FAIL") => "the proxy's own connection is refused, or gets no answer",
                _ => "the proxy itself cannot resolve the name or connect",
            }
            .to_owned(),
            vec![from_the_proxy(target)],
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
        (Cause::NetError { trouble: NetError::Silent { .. } }, Stage::Connect, _) => (
            format!("the proxy does not get to {name} in time"),
            "nothing answers the proxy there: a firewall behind it drops the packets (limit: --connect-timeout)"
                .to_owned(),
            vec![from_the_proxy(target)],
        ),
        (Cause::NetError { trouble: NetError::NameUnknown | NetError::NameUnanswered { .. } }, Stage::Resolve, _) => (
            format!("{} does not resolve", target.host),
            "name servers that do not know the internet, as is usual where everything goes through a proxy".to_owned(),
            vec![format!("getent hosts {}", target.host), "or name the proxy: --proxy http://HOST:PORT".to_owned()],
        ),
        (Cause::NetError { trouble: NetError::Refused }, ..) => (
            format!("{name} refuses the connection {way}"),
            "a firewall that rejects, or the service is down".to_owned(),
            vec![open(target)],
        ),
        (Cause::NetError { trouble }, Stage::Tcp, _) => (
            format!("{name} does not answer {way}"),
            match trouble {
                NetError::Unreachable { .. } => "this host has no route there".to_owned(),
                _ => "a firewall on the way drops the packets".to_owned(),
            },
            vec![open(target)],
        ),
        (Cause::NetError { trouble }, Stage::Tls, _) => (
            format!("TLS to {name} does not come about {way}"),
            match trouble {
                NetError::Closed | NetError::Reset | NetError::Tls { .. } => {
                    "a device in between cuts connections by the name in TLS, or wants another TLS version".to_owned()
                }
                _ => "the connection is there, and nothing answers behind it".to_owned(),
            },
            vec![open(target), format!("look: openssl s_client -connect {name} -servername {}", target.host)],
        ),
        _ => (
            format!("{name} gives no answer {way}"),
            "the way is open, and the service behind it does not answer".to_owned(),
            vec![format!("look: curl -v {}", url(target))],
        ),
    };
    let expected = match &target.stands_for {
        Some(wildcard) => format!("reached; {} stands for {wildcard}: {}", target.host, target.purpose),
        None => format!("reached: {}", target.purpose),
    };
    Words { title, expected, observed: told(failure), cause: Some(cause), fix }
}

pub(super) fn told(failure: &Failure) -> String {
    match &failure.why {
        Cause::NetError { trouble } => trouble.to_string(),
        Cause::ProxyLogin { schemes, .. } => format!("HTTP 407, offering {}", schemes.join(", ")),
        Cause::ProxyFailed { status, word: Some(word) } => format!("HTTP {status} from the proxy ({word})"),
        Cause::ProxyForbids { status } | Cause::ProxyFailed { status, .. } | Cause::ProxyAnswered { status } => {
            format!("HTTP {status} from the proxy")
        }
        Cause::Page { .. } => "HTML where TLS was expected".to_owned(),
    }
}

fn from_the_proxy(target: &Target) -> String {
    format!("have the proxy team try from there: curl -v {}", url(target))
}

fn url(target: &Target) -> String {
    let path = target.path.as_deref().unwrap_or("/");
    match (target.tls, target.port) {
        (true, 443) => format!("https://{}{path}", target.host),
        (false, 80) => format!("http://{}{path}", target.host),
        (tls, port) => format!("{}://{}:{port}{path}", if tls { "https" } else { "http" }, target.host),
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
        seen.walks.iter().flat_map(|probe| probe.addresses.iter().map(String::as_str)).collect();
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
