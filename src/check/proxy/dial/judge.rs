//! Is it there, and which language does it speak?

use std::time::Duration;

use super::super::super::causes;
use super::super::super::{CheckSpec, ProxySpec};
use super::{DialFacts, Uses, through, uses, wanted};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::seconds;
use crate::network::proxy::{Dialled, Language, ProxyAnswers, TlsAnswer};
use crate::text;
use crate::text::own;

const IDS: [FindingId; 5] =
    [ids::PROXY_RESOLVES, ids::PROXY_CONNECTS, ids::PROXY_LANGUAGE, ids::PROXY_CONNECT_METHOD, ids::PROXY_CREDENTIALS];

/// The findings of each place in turn.
pub(super) fn all(facts: &DialFacts, spec: &CheckSpec) -> Vec<Finding> {
    if spec.http_proxy.is_none() && spec.https_proxy.is_none() {
        let skip = |id: FindingId| {
            Finding::new(id, Status::Skip, "no proxy was looked at")
                .observed("no proxy is asked for and none is set on this host")
        };
        return IDS.into_iter().map(skip).collect();
    }
    let findings = facts.proxies.iter().flat_map(|proxy| one(proxy, spec));
    findings.map(|finding| Finding { path: Some("proxy"), ..finding }).collect()
}

fn one(proxy: &Dialled, spec: &CheckSpec) -> Vec<Finding> {
    let uses = uses(spec, &proxy.host, proxy.port);
    if uses.is_empty() {
        return Vec::new();
    }
    let (resolves, goes_on) = resolves(proxy, &uses);
    let mut findings = vec![resolves];
    if !goes_on {
        findings.extend(IDS[1..].iter().map(|id| not_reached(*id, proxy, "its name does not resolve")));
        return findings;
    }
    findings.push(connects(proxy, &uses));
    let Some(answers) = &proxy.answers else {
        findings.extend(IDS[2..].iter().map(|id| not_reached(*id, proxy, "there was no connection to it")));
        return findings;
    };
    findings.push(language(proxy, answers, &uses));
    findings.extend(certificate(proxy, answers, &uses));
    findings.extend(through::judge_through(proxy, answers, &uses, spec));
    findings
}

fn not_reached(id: FindingId, proxy: &Dialled, why: &str) -> Finding {
    Finding::new(id, Status::Skip, format!("{} was not asked", proxy.place())).observed(why.to_owned())
}

/// The finding, and whether there is an address to go on with.
fn resolves(proxy: &Dialled, uses: &Uses<'_>) -> (Finding, bool) {
    let new = |status, title: String| Finding::new(ids::PROXY_RESOLVES, status, title);
    let host = &proxy.host;
    let took = seconds(Duration::from_millis(proxy.resolved_ms));
    if let Some(trouble) = &proxy.unresolved {
        return (told(proxy, uses, ids::PROXY_RESOLVES).observed(format!("{trouble}, after {took}")), false);
    }
    let six = proxy.addresses.iter().filter(|address| address.contains(':')).count();
    let family = match (proxy.addresses.len() - six, six) {
        (_, 0) => "IPv4",
        (0, _) => "IPv6 only",
        _ => "IPv4 and IPv6",
    };
    let from = if proxy.in_hosts_file { ", from /etc/hosts" } else { "" };
    let is_literal = proxy.addresses.iter().any(|address| *address == host.trim_matches(['[', ']']));
    let title = if is_literal {
        format!("the proxy {host} is an address")
    } else {
        format!("the proxy's name {host} resolves")
    };
    let finding = new(Status::Pass, title)
        .observed(format!("{} ({family}{from}), after {took}", proxy.addresses.join(", ")))
        .evidence("addresses", proxy.addresses.clone());
    (finding, true)
}

fn connects(proxy: &Dialled, uses: &Uses<'_>) -> Finding {
    let new = |status, title: String| Finding::new(ids::PROXY_CONNECTS, status, title);
    let took = seconds(Duration::from_millis(proxy.connected_ms));
    let Some(trouble) = &proxy.unconnected else {
        let title = format!("a connection to {} comes about", proxy.place());
        return new(Status::Pass, title).observed(format!("after {took}"));
    };
    let address = proxy.addresses.first().map_or("<ADDRESS>", String::as_str);
    told(proxy, uses, ids::PROXY_CONNECTS)
        .observed(format!("{trouble} ({})", proxy.addresses.join(", ")))
        .look(text!("look: ip route get {}", own(address)))
}

/// The proxy's own failure, in the words of all checks.
fn told(proxy: &Dialled, uses: &Uses<'_>, id: FindingId) -> Finding {
    let tls = uses.first().is_some_and(|(_, wanted)| wanted.tls);
    match proxy.failure(tls) {
        Some(failure) => causes::of_proxy(&failure, &wanted(uses), |title| Finding::new(id, Status::Fail, title)),
        None => Finding::new(id, Status::Fail, format!("the proxy {} does not answer", proxy.place())),
    }
}

fn language(proxy: &Dialled, answers: &ProxyAnswers, uses: &Uses<'_>) -> Finding {
    let new = |status, title: String| Finding::new(ids::PROXY_LANGUAGE, status, title);
    let place = proxy.place();
    let seen = match answers.language() {
        Language::Plain => "plain HTTP, no TLS",
        Language::Tls => "TLS, no plain HTTP",
        Language::Both => "plain HTTP and TLS",
        Language::Neither => "neither HTTP nor TLS",
    };
    let observed =
        format!("{seen}: to a plain request {}; to a TLS ClientHello {}", plain_words(answers), tls_words(answers));
    if answers.language() == Language::Neither {
        let mut finding = told(proxy, uses, ids::PROXY_LANGUAGE);
        finding.title = text!("{} does not speak HTTP", own(&place));
        return finding.expected("an HTTP proxy, plain or within TLS").observed(observed);
    }
    let misfits = |proxy: &ProxySpec| answers.other_language(proxy.tls);
    let wrong: Vec<(&'static str, &ProxySpec)> =
        uses.iter().copied().filter(|(_, proxy)| misfits(proxy).is_some()).collect();
    let Some((first, failure)) = wrong.first().and_then(|(_, proxy)| Some((*proxy, misfits(proxy)?))) else {
        let asked = if uses.iter().any(|(_, proxy)| proxy.tls) { "TLS" } else { "plain HTTP" };
        return new(Status::Pass, format!("{place} speaks {asked}, as the URL says")).observed(observed);
    };
    let (was, is) = if first.tls { ("https", "http") } else { ("http", "https") };
    let right = first.url.replacen(was, is, 1);
    let names: Vec<String> = wrong.iter().map(|(scheme, _)| format!("{scheme}_proxy")).collect();
    causes::of_proxy(&failure, &wanted(&wrong), |title| Finding::new(ids::PROXY_LANGUAGE, Status::Fail, title))
        .expected(format!("{}={right}", names.join("=, ")))
        .observed(format!("{} ({}); {observed}", first.url, first.origin))
        .evidence("right", right)
}

/// The certificate of a proxy that is spoken to within TLS.
fn certificate(proxy: &Dialled, answers: &ProxyAnswers, uses: &Uses<'_>) -> Option<Finding> {
    uses.iter().find(|(_, proxy)| proxy.tls)?;
    let place = proxy.place();
    let new = |status, title: String| Finding::new(ids::PROXY_CERTIFICATE, status, title);
    match &answers.tls {
        TlsAnswer::Trusted => Some(
            new(Status::Pass, format!("the certificate of {place} is trusted"))
                .observed(format!("valid for {} by this host's certificates and --proxy-ca", proxy.host)),
        ),
        TlsAnswer::Untrusted { why } => {
            let make = |title| Finding::new(ids::PROXY_CERTIFICATE, Status::Fail, title);
            let told = causes::of_proxy(&answers.tls_failure()?, &wanted(uses), make);
            Some(told.observed(why.to_string()))
        }
        TlsAnswer::No { .. } => None,
    }
}

fn plain_words(answers: &ProxyAnswers) -> String {
    match (&answers.plain.status, &answers.plain.trouble) {
        (Some(status), _) => format!("it answered {status} {}", answers.plain.reason).trim_end().to_owned(),
        (None, Some(trouble)) => trouble.to_string(),
        (None, None) => "nothing".to_owned(),
    }
}

fn tls_words(answers: &ProxyAnswers) -> String {
    match &answers.tls {
        TlsAnswer::Trusted => "it showed a trusted certificate".to_owned(),
        TlsAnswer::Untrusted { why } => format!("it showed a certificate that is not trusted ({why})"),
        TlsAnswer::No { trouble } => trouble.to_string(),
    }
}
