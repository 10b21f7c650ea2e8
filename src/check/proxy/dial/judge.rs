//! Is it there, and which language does it speak?

use super::super::super::ProxySpec;
use super::super::super::causes;
use super::{DialFacts, Uses, through, uses, wanted};
use crate::check::prelude::*;
use crate::network::proxy::{Dialled, Language, ProxyAnswers, TlsAnswer};

const IDS: [FindingId; 5] =
    [ids::PROXY_RESOLVES, ids::PROXY_CONNECTS, ids::PROXY_LANGUAGE, ids::PROXY_CONNECT_METHOD, ids::PROXY_CREDENTIALS];

/// The findings of each place in turn.
pub(super) fn all(facts: &DialFacts, spec: &CheckSpec) -> Vec<Finding> {
    if spec.http_proxy.is_none() && spec.https_proxy.is_none() {
        let why: Text = match spec.unread.first() {
            None => "no proxy is asked for, and neither a file for logins nor prod.env names one".into(),
            Some(unread) => text!("no proxy is asked for, and whether one is set is not known: {}", unread.why),
        };
        let skip = |id: FindingId| Finding::skip(id, "no proxy was looked at").observed(why.clone());
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

fn not_reached(id: FindingId, proxy: &Dialled, why: &'static str) -> Finding {
    Finding::skip(id, text!("{} was not asked", own(proxy.place()))).observed(why)
}

/// The finding, and whether there is an address to go on with.
fn resolves(proxy: &Dialled, uses: &Uses<'_>) -> (Finding, bool) {
    let host = own(&proxy.host);
    let took = took(proxy.resolved_ms);
    if let Some(error) = &proxy.unresolved {
        return (told(proxy, uses, ids::PROXY_RESOLVES).observed(text!("{}, after {}", error, took)), false);
    }
    let six = proxy.addresses.iter().filter(|address| address.contains(':')).count();
    let family = match (proxy.addresses.len() - six, six) {
        (_, 0) => "IPv4",
        (0, _) => "IPv6 only",
        _ => "IPv4 and IPv6",
    };
    let from = if proxy.in_hosts_file { ", from /etc/hosts" } else { "" };
    let is_literal = proxy.addresses.iter().any(|address| *address == proxy.host.trim_matches(['[', ']']));
    let title = if is_literal {
        text!("the proxy {} is an address", host)
    } else {
        text!("the proxy's name {} resolves", host)
    };
    let addresses = own(proxy.addresses.join(", "));
    let finding = Finding::pass(ids::PROXY_RESOLVES, title)
        .observed(text!("{} ({}{}), after {}", addresses, own(family), own(from), took))
        .evidence("addresses", proxy.addresses.iter().map(|address| text!("{}", own(address))).collect::<Vec<_>>());
    (finding, true)
}

fn connects(proxy: &Dialled, uses: &Uses<'_>) -> Finding {
    let took = took(proxy.connected_ms);
    let Some(error) = &proxy.unconnected else {
        let title = text!("a connection to {} comes about", own(proxy.place()));
        return Finding::pass(ids::PROXY_CONNECTS, title).observed(text!("after {}", took));
    };
    let address = proxy.addresses.first().map_or("<ADDRESS>", String::as_str);
    told(proxy, uses, ids::PROXY_CONNECTS)
        .observed(text!("{} ({})", error, own(proxy.addresses.join(", "))))
        .advise(text!("look at the route: {}", typed(text!("ip route get {}", own(address)))))
}

/// The proxy's own failure, in the words of all checks.
fn told(proxy: &Dialled, uses: &Uses<'_>, id: FindingId) -> Finding {
    let tls = uses.first().is_some_and(|(_, wanted)| wanted.tls);
    match proxy.failure(tls) {
        Some(failure) => causes::of_proxy(&failure, &wanted(uses), id),
        None => Finding::fail(id, text!("the proxy {} does not answer", own(proxy.place()))),
    }
}

fn language(proxy: &Dialled, answers: &ProxyAnswers, uses: &Uses<'_>) -> Finding {
    let place = own(proxy.place());
    let seen = match answers.language() {
        Language::Plain => "plain HTTP, no TLS",
        Language::Tls => "TLS, no plain HTTP",
        Language::Both => "plain HTTP and TLS",
        Language::Neither => "neither HTTP nor TLS",
    };
    let (plain, tls) = (plain_words(answers), tls_words(answers));
    let observed = text!("{}: to a plain request {}; to a TLS ClientHello {}", own(seen), plain, tls);
    if answers.language() == Language::Neither {
        let finding = told(proxy, uses, ids::PROXY_LANGUAGE);
        return Finding { title: text!("{} does not speak HTTP", place), ..finding }
            .expected("an HTTP proxy, plain or within TLS")
            .observed(observed);
    }
    let misfits = |proxy: &ProxySpec| answers.other_language(proxy.tls);
    let wrong: Vec<(&'static str, &ProxySpec)> =
        uses.iter().copied().filter(|(_, proxy)| misfits(proxy).is_some()).collect();
    let Some((first, failure)) = wrong.first().and_then(|(_, proxy)| Some((*proxy, misfits(proxy)?))) else {
        let asked = if uses.iter().any(|(_, proxy)| proxy.tls) { "TLS" } else { "plain HTTP" };
        let title = text!("{} speaks {}, as the URL says", place, own(asked));
        return Finding::pass(ids::PROXY_LANGUAGE, title).observed(observed);
    };
    let (was, is) = if first.tls { ("https", "http") } else { ("http", "https") };
    let right = first.url.replacen(was, is, 1);
    let names: Vec<String> = wrong.iter().map(|(scheme, _)| format!("{scheme}_proxy")).collect();
    causes::of_proxy(&failure, &wanted(&wrong), ids::PROXY_LANGUAGE)
        .expected(text!("{}={}", own(names.join("=, ")), own(&right)))
        .observed(text!("{} ({}); {}", own(&first.url), own(&first.origin), observed))
        .evidence("right", own(right))
}

/// The certificate of a proxy that is spoken to within TLS.
fn certificate(proxy: &Dialled, answers: &ProxyAnswers, uses: &Uses<'_>) -> Option<Finding> {
    uses.iter().find(|(_, proxy)| proxy.tls)?;
    let place = own(proxy.place());
    match &answers.tls {
        TlsAnswer::Trusted => Some(
            Finding::pass(ids::PROXY_CERTIFICATE, text!("the certificate of {} is trusted", place))
                .observed(text!("valid for {} by this host's certificates and --proxy-ca", own(&proxy.host))),
        ),
        TlsAnswer::Untrusted { why } => {
            let failure = answers.tls_failure()?;
            let told = causes::of_proxy(&failure, &wanted(uses), ids::PROXY_CERTIFICATE);
            Some(told.observed(text!("{}", why)))
        }
        TlsAnswer::No { .. } => None,
    }
}

fn plain_words(answers: &ProxyAnswers) -> Text {
    match (&answers.plain.status, &answers.plain.error) {
        (Some(_), _) => text!("it answered {}", through::answer(&answers.plain)),
        (None, Some(error)) => text!("{}", error),
        (None, None) => "nothing".into(),
    }
}

fn tls_words(answers: &ProxyAnswers) -> Text {
    match &answers.tls {
        TlsAnswer::Trusted => "it showed a trusted certificate".into(),
        TlsAnswer::Untrusted { why } => text!("it showed a certificate that is not trusted ({})", why),
        TlsAnswer::No { error } => text!("{}", error),
    }
}
