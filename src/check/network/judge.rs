//! From ways gone to findings: who breaks which path, and what to hand to whom.

use std::collections::BTreeSet;

use super::super::causes::{ENDPOINT, of_way, proxy_for, told, way};
use super::super::certificates;
use super::interception::{self, block_page};
use super::proxy::{broken, of_proxy};
use super::scope::Scope;
use super::{NetworkFacts, Seen, Static};
use crate::check::prelude::*;
use crate::network::cause::{Cause, Failure, Stage, Via};
use crate::network::openssl::Openssl;
use crate::network::path::{Page, PathProbe};
use crate::network::target::Target;
use crate::text::{host_port, typed};

/// Which proxy, in the findings of one endpoint: `path` and the way tell.
const THE_PROXY: &str = "the proxy";

/// The findings of one group: the way through the proxy, each endpoint, what the certificates say of all of them.
pub(super) fn judge_network(scope: Scope, facts: &NetworkFacts, spec: &CheckSpec) -> Vec<Finding> {
    let (proxies, resolver) = (broken(facts, spec), broken_resolver(facts));
    let mut findings: Vec<Finding> = proxies.iter().map(|broken| of_proxy(scope, broken, facts, spec)).collect();
    findings.extend(resolver.map(|broken| of_resolver(scope, broken, facts, spec)));
    for seen in &facts.seen {
        if seen.walks.is_empty() {
            let title = text!("{} was not reached in time", own(seen.target.name()));
            let why = "the run was over (--deadline) before its turn came";
            findings.push(Finding::new(scope.endpoint_of(&seen.target), Status::Error, title).observed(why));
        }
        for probe in &seen.walks {
            let common = match probe.via {
                Via::Proxy => proxies
                    .iter()
                    .find(|proxy| proxy.is_before(&seen.target))
                    .filter(|_| probe.failure.as_ref().is_some_and(Failure::is_of_proxy))
                    .map(|_| "the way through the proxy is broken for every endpoint"),
                Via::Direct => {
                    resolver.filter(|_| !seen.target.direct_only).map(|_| "no public name resolves on this host")
                }
            };
            findings.push(of_walk(scope, seen, probe, common, spec));
        }
    }
    findings.extend(interception::judge_interception(scope, facts, spec));
    if scope.is_agent() {
        findings.extend(facts.seen.iter().filter(|seen| !seen.addresses.is_empty()).map(of_addresses));
    }
    if facts.seen.is_empty() {
        let (title, advice) = scope.of(
            ("no endpoint was checked", text!("look what there is: {}", ics_setup("network list --all"))),
            (
                "no agent endpoint was checked",
                text!("name the platform's region: {} (or eu, ca, ap, au, us2, us3)", typed("--agent-region us")),
            ),
        );
        let why = "the settings call for none";
        findings.push(Finding::skip(scope.endpoint(), title).observed(why).advise(advice));
    }
    findings
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

fn of_resolver(scope: Scope, failure: &Failure, facts: &NetworkFacts, spec: &CheckSpec) -> Finding {
    let direct = |seen: &&Seen| seen.walks.iter().any(|probe| probe.via == Via::Direct) && !seen.target.direct_only;
    let names: Vec<&str> = facts.seen.iter().filter(direct).map(|seen| seen.target.host.as_str()).collect();
    let first = own(names.first().copied().unwrap_or_default());
    let title = text!("none of {} public names resolves on this host", names.len());
    let finding = Finding::fail(scope.resolver(), title)
        .expected("addresses for the endpoints' names, which the direct way needs")
        .observed(told(failure))
        .cause("name servers that do not answer, or do not know the internet, as is usual where everything goes through a proxy")
        .advise(match &spec.https_proxy {
            Some(_) => {
                text!("nothing is to be done where only the way through the proxy is meant: {}", typed("--via proxy"))
            }
            None => {
                text!("name the proxy, where there is one: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>"))
            }
        })
        .advise(text!("else look: {}; {}", typed("cat /etc/resolv.conf"), typed(text!("getent hosts {}", first))))
        .evidence("endpoints", names.len());
    Finding {
        stage: Some(failure.stage.as_str()),
        path: Some(Via::Direct.as_str()),
        duration_ms: Some(failure.took_ms),
        ..finding
    }
}

fn of_walk(scope: Scope, seen: &Seen, probe: &PathProbe, common: Option<&'static str>, spec: &CheckSpec) -> Finding {
    let target = &seen.target;
    let (id, way) = (scope.endpoint_of(target), way(probe.via, target, spec));
    let finding = match (&probe.failure, common) {
        (None, _) => match block_page(target, probe) {
            Some(page) => blocked(id, target, probe, page, spec),
            None => {
                let around = probe.via == Via::Direct
                    && spec.via.is_empty()
                    && !target.direct_only
                    && proxy_for(target.tls, spec).is_some();
                let why = own(if around { "; no_proxy takes it away from the proxy" } else { "" });
                let title = text!("{} is reached {}", own(target.name()), way);
                Finding::pass(id, title).observed(text!("{}{}", reached(probe), why))
            }
        },
        (Some(_), Some(common)) => {
            Finding::skip(id, text!("{} was not reached {}", own(target.name()), way)).observed(common)
        }
        (Some(failure), None) if probe.openssl.is_some() => {
            let finding = of_way(failure, target, probe.via, &THE_PROXY.into(), spec, (id, target.missed()));
            asked_of_openssl(finding.observed(told(failure)), target, probe, &way)
        }
        (Some(failure), None) => {
            of_way(failure, target, probe.via, &THE_PROXY.into(), spec, (id, target.missed())).observed(told(failure))
        }
    };
    let stages: serde_json::Map<_, _> =
        probe.steps.iter().map(|step| (step.stage.as_str().to_owned(), step.millis.into())).collect();
    let mut finding = finding
        .evidence("host", own(&target.host))
        .evidence("port", target.port)
        .evidence("purpose", own(&target.purpose));
    if let Some(wildcard) = &target.stands_for {
        finding = finding.evidence("stands_for", own(wildcard));
    }
    finding = finding.evidence("stages_ms", stages);
    if let Some(certificate) = &probe.certificate {
        finding = finding.evidence("issuer", certificate.issuer.as_str());
    }
    let stage = probe.failure.as_ref().map(|failure| failure.stage.as_str()).or(finding.stage);
    Finding { stage, path: Some(probe.via.as_str()), duration_ms: Some(probe.millis()), ..finding }
}

/// What OpenSSL's client says where the TLS here cannot look further, in the finding about that.
fn asked_of_openssl(finding: Finding, target: &Target, probe: &PathProbe, way: &Text) -> Finding {
    let observed = finding.observed.clone().unwrap_or_default();
    // What was thought of it before it was asked does not stand beside what it says.
    let afresh = |status, title| Finding { status, title, cause: None, fix: Vec::new(), ..finding.clone() };
    let says = |words: Text| text!("{}; OpenSSL's client on this host: {}", observed, words);
    match &probe.openssl {
        None | Some(Openssl::Missing) => certificates::with_openssl(finding, probe.openssl.as_ref()),
        Some(Openssl::Trusted { cipher }) => {
            afresh(Status::Pass, text!("{} is reached {} by OpenSSL's client", own(target.name()), way))
                .observed(says(text!("{}", cipher)))
        }
        Some(Openssl::Untrusted { why }) => {
            let title = text!("{} shows a certificate that is not valid {}", own(target.name()), way);
            let failed = afresh(target.missed(), title).observed(says(text!("{}", why)));
            certificates::remedied(failed, why, ENDPOINT)
        }
        Some(Openssl::NoTls { why }) => Finding { status: target.missed(), ..finding }
            .observed(says(text!("{}", why)))
            .cause("neither this tool nor OpenSSL comes to TLS with it: a device in between cuts it, or the service is misconfigured")
            .advise(text!("have the network team let TLS to {} through, or ask whoever runs it", own(target.name()))),
    }
}

/// Somebody answered in the endpoint's place.
fn blocked(id: FindingId, target: &Target, probe: &PathProbe, page: &Page, spec: &CheckSpec) -> Finding {
    let why = Cause::Page { title: page.title.clone() };
    let failure = Failure { stage: Stage::Http, why, took_ms: 0 };
    let server = page.server.as_ref().map(|server| text!(", Server: {}", server)).unwrap_or_default();
    let finding = of_way(&failure, target, probe.via, &THE_PROXY.into(), spec, (id, target.missed()));
    Finding { stage: Some(failure.stage.as_str()), ..finding.observed(text!("{}{}", reached(probe), server)) }
}

fn reached(probe: &PathProbe) -> Text {
    let mut parts = Vec::new();
    if let Some(page) = &probe.page {
        parts.push(match &page.to {
            Some(to) => text!("HTTP {}, which leads to {}", page.status, to),
            None => text!("HTTP {}", page.status),
        });
    }
    if let Some(certificate) = &probe.certificate {
        parts.push(text!("certificate by {}", certificate.issuer_organisation));
    }
    if parts.is_empty() {
        parts.push("the port is open".into());
    }
    text!("{} after {} ms", Text::join(parts, ", "), probe.millis())
}

/// The static addresses of one endpoint.
fn of_addresses(seen: &Seen) -> Finding {
    let name = own(seen.target.name());
    let failed = |tried: &Static| Some(text!("{} ({})", own(&tried.address), told(tried.failure.as_ref()?)));
    let bad: Vec<Text> = seen.addresses.iter().filter_map(failed).collect();
    let listed: BTreeSet<&str> = seen.target.static_ips.iter().map(String::as_str).collect();
    let resolved: BTreeSet<&str> =
        seen.walks.iter().flat_map(|probe| probe.addresses.iter().map(String::as_str)).collect();
    let strangers: Vec<&str> = resolved.difference(&listed).copied().collect();
    let finding = |status, title: Text| {
        Finding::new(ids::AGENT_STATIC_ADDRESS, status, title)
            .expected(text!("{} answer as {}", own(seen.target.static_ips.join(", ")), own(&seen.target.host)))
            .evidence("host", own(&seen.target.host))
            .evidence("dns", resolved.iter().copied().collect::<Vec<_>>())
    };
    if !bad.is_empty() {
        let title = text!("{} of {} static addresses of {} do not answer", bad.len(), seen.addresses.len(), name);
        let allowlist = ics_setup("network allowlist --format nftables");
        return finding(Status::Fail, title)
            .observed(Text::join(bad, "; "))
            .cause("a firewall that is opened for the name only, or addresses that are no longer used")
            .advise(text!("have the firewall opened for each address: {}", allowlist));
    }
    let stranger = |tried: &Static| {
        // The platform takes agent data with the public certificate alone.
        let why = tried.by_public.as_ref()?;
        let why = tried.by_host.as_ref().unwrap_or(why);
        Some(text!("{} ({})", own(&tried.address), why))
    };
    let others: Vec<Text> = seen.addresses.iter().filter_map(stranger).collect();
    if let Some(first) = seen.addresses.iter().find(|tried| stranger(tried).is_some()) {
        let title = text!(
            "{} of {} static addresses of {} do not show its certificate",
            others.len(),
            seen.addresses.len(),
            name
        );
        return finding(Status::Fail, title)
            .observed(Text::join(others, "; "))
            .cause("something else answers there: a device that decrypts or redirects by address, or an address that is another's by now")
            .advise(text!("have the network team exclude these addresses from decryption and redirection: {}", own(seen.target.static_ips.join(", "))))
            .look(text!("look who it is: {}", typed(text!("openssl s_client -connect {} -servername {} </dev/null", own(host_port(&first.address, seen.target.port)), own(&seen.target.host)))));
    }
    if !strangers.is_empty() {
        return finding(Status::Warn, text!("DNS gives {} other addresses than the static ones", name))
            .observed(strangers.join(", "))
            .cause("a firewall that is opened for the static addresses only will not let these through")
            .advise("open the name where the firewall can, or pin the static addresses in /etc/hosts");
    }
    finding(Status::Pass, text!("the static addresses of {} answer", name))
        .observed(text!("{} tried", seen.addresses.len()))
}
