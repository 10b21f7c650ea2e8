//! Is it there, and which language does it speak?

use super::super::super::{CheckSpec, ProxySpec};
use super::through;
use super::{DialFacts, Dialled, Language, ProxyAnswers, TlsAnswer, uses};
use crate::finding::{Finding, Status};
use crate::net::{NetError, seconds};
use crate::text;
use std::time::Duration;

const IDS: [&str; 5] =
    ["proxy-resolves", "proxy-connects", "proxy-language", "proxy-connect-method", "proxy-credentials"];

/// The findings of each place in turn.
pub(super) fn all(facts: &DialFacts, spec: &CheckSpec) -> Vec<Finding> {
    if spec.http_proxy.is_none() && spec.https_proxy.is_none() {
        let skip = |id: &'static str| {
            Finding::new(id, "proxy", Status::Skip, "no proxy was looked at")
                .observed("no proxy is asked for and none is set on this host")
        };
        return IDS.into_iter().map(skip).collect();
    }
    let findings = facts.proxies.iter().flat_map(|proxy| one(proxy, spec));
    findings.map(|finding| Finding { path: Some("proxy"), ..finding }).collect()
}

fn one(proxy: &Dialled, spec: &CheckSpec) -> Vec<Finding> {
    let uses = uses(spec, &proxy.host, proxy.port);
    let Some((_, first)) = uses.first() else { return Vec::new() };
    let (resolves, goes_on) = resolves(proxy, first);
    let mut findings = vec![resolves];
    if !goes_on {
        findings.extend(IDS[1..].iter().map(|id| not_reached(id, proxy, "its name does not resolve")));
        return findings;
    }
    findings.push(connects(proxy, first, spec));
    let Some(answers) = &proxy.answers else {
        findings.extend(IDS[2..].iter().map(|id| not_reached(id, proxy, "there was no connection to it")));
        return findings;
    };
    findings.push(language(proxy, answers, &uses));
    findings.extend(certificate(proxy, answers, &uses));
    findings.extend(through::judge_through(proxy, answers, &uses));
    findings
}

/// `proxy.corp:3128`
pub(super) fn host_port(proxy: &Dialled) -> String {
    text::host_port(&proxy.host, proxy.port)
}

fn not_reached(id: &'static str, proxy: &Dialled, why: &str) -> Finding {
    Finding::new(id, "proxy", Status::Skip, format!("{} was not asked", host_port(proxy))).observed(why.to_owned())
}

/// The finding, and whether there is an address to go on with.
fn resolves(proxy: &Dialled, wanted: &ProxySpec) -> (Finding, bool) {
    let new = |status, title: String| Finding::new("proxy-resolves", "proxy", status, title);
    let host = &proxy.host;
    let took = seconds(Duration::from_millis(proxy.resolved_ms));
    if let Some(trouble) = &proxy.unresolved {
        let finding = new(Status::Fail, format!("the proxy's name {host} does not resolve"))
            .expected(format!("an address for {host} ({})", wanted.origin))
            .observed(format!("{trouble}, after {took}"));
        let finding = match trouble {
            NetError::NameUnknown => finding
                .cause("the name is misspelt, or this host asks a name server that does not know the company's names")
                .fix(format!("look: getent hosts {host}; cat /etc/resolv.conf"))
                .fix(format!("with an address from the proxy team: echo 'ADDRESS {host}' >> /etc/hosts")),
            _ => finding
                .cause("no name server of this host answers: the proxy's name has to resolve here, all others at the proxy")
                .fix(format!("look: cat /etc/resolv.conf; getent hosts {host}")),
        };
        return (finding, false);
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

fn connects(proxy: &Dialled, wanted: &ProxySpec, spec: &CheckSpec) -> Finding {
    let new = |status, title: String| Finding::new("proxy-connects", "proxy", status, title);
    let place = host_port(proxy);
    let took = seconds(Duration::from_millis(proxy.connected_ms));
    let Some(trouble) = &proxy.unconnected else {
        return new(Status::Pass, format!("a connection to {place} comes about")).observed(format!("after {took}"));
    };
    let limit = seconds(spec.limits.connect());
    let finding = new(Status::Fail, format!("no connection to the proxy {place}"))
        .expected(format!("a TCP connection within {limit} (--connect-timeout; {})", wanted.origin))
        .observed(format!("{} ({})", trouble, proxy.addresses.join(", ")));
    let cause = match trouble {
        NetError::Refused => "the port is wrong, the proxy does not run, or a firewall in between rejects",
        NetError::ConnectTimeout { .. } => {
            "a firewall or security group between this host and the proxy drops packets, or the address is wrong"
        }
        NetError::Unreachable { .. } => "this host has no route there",
        _ => "something between this host and the proxy ends connections",
    };
    finding
        .cause(cause)
        .fix(format!("look: ip route get {}", proxy.addresses.first().map_or("ADDRESS", String::as_str)))
        .fix(format!("ask the network team to let this host connect to {place}, or name the right one: ics-setup prepare --proxy http://HOST:PORT"))
}

fn language(proxy: &Dialled, answers: &ProxyAnswers, uses: &[(&'static str, &ProxySpec)]) -> Finding {
    let new = |status, title: String| Finding::new("proxy-language", "proxy", status, title);
    let place = host_port(proxy);
    let seen = match answers.language() {
        Language::Plain => "plain HTTP, no TLS",
        Language::Tls => "TLS, no plain HTTP",
        Language::Both => "plain HTTP and TLS",
        Language::Neither => "neither HTTP nor TLS",
    };
    let observed =
        format!("{seen}: to a plain request {}; to a TLS ClientHello {}", plain_words(answers), tls_words(answers));
    let language = answers.language();
    if language == Language::Neither {
        return new(Status::Fail, format!("{place} does not speak HTTP"))
            .expected("an HTTP proxy, plain or within TLS")
            .observed(observed)
            .cause("something else listens on this port, or a device in between keeps the answer back")
            .fix(format!(
                "see for yourself: curl -v --connect-timeout 3 -x http://{place} https://{}/",
                target_host(answers)
            ))
            .fix("ask the proxy team for the right port: ics-setup prepare --proxy http://HOST:PORT");
    }
    let wrong: Vec<&(&str, &ProxySpec)> = uses
        .iter()
        .filter(|(_, proxy)| if proxy.tls { language == Language::Plain } else { language == Language::Tls })
        .collect();
    let Some((_, first)) = wrong.first() else {
        let asked = if uses.iter().any(|(_, proxy)| proxy.tls) { "TLS" } else { "plain HTTP" };
        return new(Status::Pass, format!("{place} speaks {asked}, as the URL says")).observed(observed);
    };
    let (was, is) = if first.tls { ("https", "http") } else { ("http", "https") };
    let right = first.url.replacen(was, is, 1);
    let title = format!(
        "the proxy URL begins with {was}:// and {place} speaks {}",
        if first.tls { "plain HTTP" } else { "TLS" }
    );
    let names: Vec<String> = wrong.iter().map(|(scheme, _)| format!("{scheme}_proxy")).collect();
    let cause = if first.tls {
        "https:// in a proxy URL means TLS to the proxy itself: curl, Go and Python fail here with wrong version number, also though the vendor's example is written so"
    } else {
        "http:// in a proxy URL means plain HTTP to the proxy, and this port expects TLS first"
    };
    let same = wrong.len() == 2 || uses.len() == 1 && wrong.len() == 1;
    let flag = match wrong.as_slice() {
        [(scheme, _)] if !same || uses.len() == 1 => format!("--{scheme}-proxy"),
        _ => "--proxy".to_owned(),
    };
    let login =
        first.user.as_ref().map(|user| format!(" --proxy-user '{}'", user.replace('\'', "'\\''"))).unwrap_or_default();
    new(Status::Fail, title)
        .expected(format!("{}={right}", names.join("=, ")))
        .observed(format!("{} ({}); {observed}", first.url, first.origin))
        .cause(cause)
        .fix(format!("ics-setup prepare {flag} {is}://{place}{login}"))
        .fix(format!("where the product is installed: ics-setup reconfigure {flag} {is}://{place}{login}"))
        .evidence("right", right)
}

/// The certificate of a proxy that is spoken to within TLS.
fn certificate(proxy: &Dialled, answers: &ProxyAnswers, uses: &[(&'static str, &ProxySpec)]) -> Option<Finding> {
    if !uses.iter().any(|(_, proxy)| proxy.tls) {
        return None;
    }
    let place = host_port(proxy);
    let new = |status, title: String| Finding::new("proxy-certificate", "proxy", status, title);
    match &answers.tls {
        TlsAnswer::Trusted => Some(
            new(Status::Pass, format!("the certificate of {place} is trusted"))
                .observed(format!("valid for {} by this host's certificates and --proxy-ca", proxy.host)),
        ),
        TlsAnswer::Untrusted { why } => Some(
            new(Status::Fail, format!("the certificate of the proxy {place} is not trusted"))
                .expected(format!("a certificate for {} whose issuer this host trusts", proxy.host))
                .observed(why)
                .cause("a proxy within TLS usually has a certificate of the company's own authority; nothing secret was sent to it")
                .fix("with the authority's certificate from the proxy team: ics-setup check proxy --proxy-ca FILE")
                .fix("for all programs, Ubuntu: cp FILE /usr/local/share/ca-certificates/proxy.crt && update-ca-certificates")
                .fix("for all programs, CentOS: cp FILE /etc/pki/ca-trust/source/anchors/ && update-ca-trust"),
        ),
        TlsAnswer::No { .. } => None,
    }
}

fn target_host(answers: &ProxyAnswers) -> &str {
    answers.plain.target.split(':').next().unwrap_or_default()
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
