//! Who decrypts TLS on the way: each certificate was judged by the public authorities and by this host's store; what
//! differs tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Target};
use crate::finding::{Finding, Status};
use crate::net::Distrust;
use crate::network::path::{Page, Via, Walk, inspector};

/// What the two judgements say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Valid by both.
    Genuine,
    /// Valid by the host's store alone: a private CA was installed for a device that re-signs.
    Intercepted,
    /// Valid by neither: re-signed, and the CA is missing here.
    InterceptedUntrusted,
    /// Valid by the public ones alone: the host's store is old or absent.
    StaleStore,
    /// Out of its time: the clock, or a service that forgot.
    OutOfTime,
    /// Somebody else's certificate.
    OtherName,
    /// Anything else.
    Invalid,
}

fn verdict(walk: &Walk) -> Option<Verdict> {
    walk.certificate.as_ref()?;
    Some(match (&walk.by_public, &walk.by_host) {
        (None, None) => Verdict::Genuine,
        (None, Some(_)) => Verdict::StaleStore,
        (Some(_), None) => Verdict::Intercepted,
        (Some(Distrust::UnknownIssuer), Some(Distrust::UnknownIssuer | Distrust::NoRoots)) => {
            Verdict::InterceptedUntrusted
        }
        (Some(Distrust::Expired | Distrust::NotYet), Some(_)) => Verdict::OutOfTime,
        (Some(Distrust::OtherName { .. }), Some(_)) => Verdict::OtherName,
        _ => Verdict::Invalid,
    })
}

/// One finding for each verdict that occurs, with everything it holds for.
pub(super) fn judge(agent: bool, facts: &Facts) -> Vec<Finding> {
    by(facts, verdict).into_iter().map(|(verdict, met)| finding(agent, verdict, &met, facts)).collect()
}

fn finding(agent: bool, verdict: Verdict, met: &[(&Target, &Walk)], facts: &Facts) -> Finding {
    let (id, group) = if agent { ("agent-interception", "agent") } else { ("network-interception", "network") };
    let names: BTreeSet<&str> = met.iter().map(|(target, _)| target.host.as_str()).collect();
    let issuers: BTreeSet<&str> = met
        .iter()
        .filter_map(|(_, walk)| walk.certificate.as_ref())
        .map(|certificate| certificate.issuer_organisation.as_str())
        .collect();
    let by_whom = issuers.iter().copied().collect::<Vec<_>>().join(", ");
    let product = product(met);
    let device = product.map_or_else(|| format!("signed by {by_whom}"), |name| format!("{name}, signed by {by_whom}"));
    let count = |what: &str| match names.len() {
        1 => format!("{} {what}", names.first().copied().unwrap_or_default()),
        many => format!("{many} endpoints {what}"),
    };
    let make = |status, title: String| {
        let finding = Finding::new(id, group, status, title)
            .expected("certificates that are valid by the public authorities and by this host's store alike")
            .evidence("hosts", names.iter().copied().collect::<Vec<_>>())
            .evidence("issuers", issuers.iter().copied().collect::<Vec<_>>());
        let finding = match &facts.bundle {
            Some(bundle) => finding.evidence("store", bundle.as_str()),
            None => finding,
        };
        witnesses(finding, met)
    };
    let exclude = || {
        let list: Vec<&str> = names.iter().copied().collect();
        format!("have the proxy team exclude from decryption: {}", list.join(", "))
    };
    let whole = "the whole list in the device's own words: ics-setup network allowlist --decrypt-exclusions --format paloalto (or squid, fortigate, …)";
    let why =
        |walk: &Walk| walk.by_public.as_ref().or(walk.by_host.as_ref()).map(ToString::to_string).unwrap_or_default();
    let first_why = met.first().map(|(_, walk)| why(walk)).unwrap_or_default();
    match verdict {
        Verdict::Genuine => {
            make(Status::Pass, count("with the genuine certificate, so nobody decrypts in between")).observed(by_whom)
        }
        Verdict::Intercepted if agent => make(Status::Fail, count("decrypted on the way, which breaks the Insight Agent"))
            .observed(device)
            .cause("this host trusts the device's CA, but the platform takes agent data only with its own certificate")
            .fix(exclude())
            .fix(whole),
        Verdict::Intercepted => make(Status::Warn, count("decrypted on the way by a device that this host trusts"))
            .observed(device)
            .cause("Docker and the containers do not use this host's store: Python in them brings certificates of its own")
            .fix(exclude())
            .fix("or mount the device's CA into the containers as /usr/local/share/ca-certificates/proxy_cert.crt and set REQUESTS_CA_BUNDLE, AWS_CA_BUNDLE and SSL_CERT_FILE for them"),
        Verdict::InterceptedUntrusted => {
            let title = if agent { "decrypted on the way, which breaks the Insight Agent" } else { "decrypted on the way, and the device's CA is missing here" };
            let finding = make(Status::Fail, count(title))
                .observed(device)
                .cause("the issuer is none of the public authorities, and not in this host's store either")
                .fix(exclude());
            if agent {
                finding.fix(whole)
            } else {
                finding.fix("or have its CA certificate sent to you, then: cp CA.crt /usr/local/share/ca-certificates/ && update-ca-certificates (CentOS: /etc/pki/ca-trust/source/anchors/ and update-ca-trust), and mount it into the containers")
            }
        }
        Verdict::StaleStore => make(Status::Fail, count("with a genuine certificate that this host does not trust"))
            .observed(format!("{by_whom}; the host's store: {}", facts.bundle.as_deref().unwrap_or("none")))
            .cause("this host's certificates are old, or not installed")
            .fix("apt-get install --reinstall ca-certificates && update-ca-certificates (CentOS: yum update ca-certificates && update-ca-trust)"),
        Verdict::OutOfTime => make(Status::Fail, count("with a certificate that is out of its time"))
            .observed(format!("{by_whom}: {first_why}"))
            .cause("this host's clock is wrong, or a device in between signs with a certificate of its own that has run out")
            .fix("date; timedatectl"),
        Verdict::OtherName => make(Status::Fail, count("with somebody else's certificate"))
            .observed(format!("{by_whom}: {first_why}"))
            .cause("another server answers: a portal, a block page, or a name that resolves to the wrong place")
            .fix("getent hosts NAME, and compare with a host outside of this network"),
        Verdict::Invalid => make(Status::Fail, count("with a certificate that is not valid"))
            .observed(format!("{by_whom}: {first_why}"))
            .fix("openssl s_client -connect HOST:443 -servername HOST -showcerts"),
    }
}

/// The product that signs, by the certificate or by a page that it shows.
fn product(met: &[(&Target, &Walk)]) -> Option<&'static str> {
    let of_certificate = met
        .iter()
        .filter_map(|(_, walk)| walk.certificate.as_ref())
        .find_map(|certificate| inspector(&certificate.issuer).or_else(|| inspector(&certificate.subject)));
    of_certificate.or_else(|| {
        let mut pages = met.iter().filter_map(|(_, walk)| walk.page.as_ref()).filter(|page| is_block_page(page));
        pages.find_map(|page| {
            [&page.server, &page.via, &page.title].into_iter().flatten().find_map(|text| inspector(text))
        })
    })
}

/// Further signs, for programs and doubters: one issuer or one key for operators that have nothing in common, no public
/// log, and another key by the other way.
fn witnesses(finding: Finding, met: &[(&Target, &Walk)]) -> Finding {
    let certificates = || met.iter().filter_map(|(target, walk)| Some((*target, walk.via, walk.certificate.as_ref()?)));
    let operators: BTreeSet<String> = certificates().map(|(target, ..)| operator(&target.host)).collect();
    let keys: BTreeSet<&str> = certificates().map(|(_, _, certificate)| certificate.key.as_str()).collect();
    let issuers: BTreeSet<&str> = certificates().map(|(_, _, certificate)| certificate.issuer.as_str()).collect();
    let unlogged = certificates().filter(|(_, _, certificate)| !certificate.logged).count();
    let differ = certificates().any(|(target, via, certificate)| {
        via == Via::Proxy
            && certificates()
                .any(|(other, way, seen)| way == Via::Direct && other == target && seen.key != certificate.key)
    });
    finding
        .evidence("operators", operators.len())
        .evidence("one_issuer_for_all", operators.len() > 1 && issuers.len() == 1)
        .evidence("one_key_for_all", operators.len() > 1 && keys.len() == 1)
        .evidence("without_public_log", unlogged)
        .evidence("key_differs_between_ways", differ)
}

/// The last two labels of a name: good enough to tell Rapid7 from Amazon.
fn operator(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

/// A block page that came through the real tunnel is the origin's own; this one came instead of it.
fn is_block_page(page: &Page) -> bool {
    let signs = [&page.server, &page.via, &page.title];
    page.html
        && matches!(page.status, 200 | 302 | 307 | 403 | 451 | 503)
        && (page.title.as_deref().is_some_and(|title| {
            let title = title.to_ascii_lowercase();
            ["block", "denied", "forbidden", "policy", "access", "login"].iter().any(|word| title.contains(word))
        }) || signs.into_iter().flatten().any(|text| inspector(text).is_some()))
}

/// Endpoints by a key, in order.
fn by<'a, K: Ord>(facts: &'a Facts, key: impl Fn(&'a Walk) -> Option<K>) -> BTreeMap<K, Vec<(&'a Target, &'a Walk)>> {
    let mut groups: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for seen in &facts.seen {
        for walk in &seen.walks {
            if let Some(key) = key(walk) {
                groups.entry(key).or_default().push((&seen.target, walk));
            }
        }
    }
    groups
}
