//! Who decrypts TLS on the way: each certificate was judged by the public authorities and by this host's store; what
//! differs tells.

use std::collections::{BTreeMap, BTreeSet};

use super::super::causes::{ENDPOINT, s_client, way};
use super::super::certificates;
use super::NetworkFacts;
use super::scope::Scope;
use crate::check::prelude::*;
use crate::net::{Distrust, Place, Reason};
use crate::network::cause::Via;
use crate::network::inspector;
use crate::network::openssl::Openssl;
use crate::network::path::{Certificate, Page, PathProbe};
use crate::network::target::Target;

/// What a verdict holds for: endpoints, each with the way to it.
type Met<'m, 'a> = &'m [(&'a Target, &'a PathProbe)];

/// What the two judgements say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Valid by both.
    Genuine,
    /// Valid by the host's store alone: a private CA was installed for a device that re-signs.
    Intercepted,
    /// Valid by neither: re-signed, and the CA is missing here.
    InterceptedUntrusted,
    /// Signed by nobody but itself.
    SelfSigned,
    /// Valid by the public ones alone: the host's store is old or absent.
    StaleStore,
    /// Out of its time: the clock, or a service that forgot.
    OutOfTime,
    /// Somebody else's certificate.
    OtherName,
    /// Anything else.
    Invalid,
    /// This program cannot tell.
    Unsettled,
}

fn verdict(probe: &PathProbe) -> Option<Verdict> {
    let certificate = probe.certificate.as_ref()?;
    let (public, host) = match (&probe.by_public, &probe.by_host) {
        (None, None) => return Some(Verdict::Genuine),
        (_, Some(host)) if host.is_unsettled() => return Some(Verdict::Unsettled),
        (None, Some(_)) => return Some(Verdict::StaleStore),
        (Some(_), None) => return Some(Verdict::Intercepted),
        (Some(public), Some(host)) => (&public.reason, &host.reason),
    };
    Some(match (public, host) {
        (Reason::UnknownIssuer | Reason::Other { .. }, _) if certificate.subject == certificate.issuer => {
            Verdict::SelfSigned
        }
        (_, Reason::SelfSigned) => Verdict::SelfSigned,
        (Reason::Expired | Reason::NotYet, _) | (_, Reason::Expired | Reason::NotYet) => Verdict::OutOfTime,
        (Reason::OtherName { .. }, _) | (_, Reason::OtherName { .. }) => Verdict::OtherName,
        (
            Reason::UnknownIssuer,
            Reason::UnknownIssuer | Reason::UnknownRoot | Reason::UntrustedRoot | Reason::NoRoots,
        ) => Verdict::InterceptedUntrusted,
        _ => Verdict::Invalid,
    })
}

/// The reason that is told: the host's, by which its clients decide.
fn told(probe: &PathProbe) -> Option<&Distrust> {
    let by_host = probe.by_host.as_ref().filter(|why| why.reason != Reason::NoRoots);
    by_host.or(probe.by_public.as_ref()).or(probe.by_host.as_ref())
}

/// What findings are told by: the verdict, and the reason where it decides what helps.
fn kind(probe: &PathProbe) -> Option<(Verdict, String)> {
    let verdict = verdict(probe)?;
    let apart = matches!(verdict, Verdict::OutOfTime | Verdict::Invalid | Verdict::Unsettled | Verdict::StaleStore);
    Some((verdict, told(probe).filter(|_| apart).map(of_one_kind).unwrap_or_default()))
}

/// What reasons of one kind have in common: OpenSSL's number and the place in the chain; not names, nor dates.
fn of_one_kind(why: &Distrust) -> String {
    let place = why.place();
    let reason = match why.reason.openssl(place) {
        Some((number, _)) => number.to_string(),
        None => Distrust::from(why.reason.clone()).to_string(),
    };
    format!("{reason} {}", place.map_or("", Place::as_str))
}

/// One finding for each verdict that occurs, with everything it holds for.
pub(super) fn judge_interception(scope: Scope, facts: &NetworkFacts, spec: &CheckSpec) -> Vec<Finding> {
    by(facts, kind).into_iter().map(|((verdict, _), met)| finding(scope, verdict, &met, facts, spec)).collect()
}

fn finding(scope: Scope, verdict: Verdict, met: Met<'_, '_>, facts: &NetworkFacts, spec: &CheckSpec) -> Finding {
    let (id, agent) = (scope.interception(), scope.is_agent());
    let names: BTreeSet<&str> = met.iter().map(|(target, _)| target.host.as_str()).collect();
    let list: Vec<&str> = names.iter().copied().collect();
    let issuers: BTreeSet<String> = certificates(met).map(|(_, shown)| shown.signer()).collect();
    let issuers: Vec<String> = issuers.into_iter().collect();
    let by_whom = issuers.join(", ");
    let device = match product(met) {
        Some(name) => text!("{}, signed by {}", own(name), by_whom),
        None => text!("signed by {}", by_whom),
    };
    let way = the_way(met, facts, spec);
    let count = |verb: &str, verbs: &str, what: &str| match names.len() {
        1 => text!("{} {} {}{}", own(names.first().copied().unwrap_or_default()), own(verb), own(what), way),
        many => text!("{} endpoints {} {}{}", many, own(verbs), own(what), way),
    };
    let is = |what: &str| count("is", "are", what);
    let shows = |what: &str| count("shows", "show", what);
    let make = |status, title: Text| {
        let finding = Finding::new(id, status, title)
            .expected("certificates that are valid by the public authorities and by this host's store alike")
            .evidence("hosts", list.clone())
            .evidence("issuers", issuers.clone());
        let finding = match &facts.bundle {
            Some(bundle) => finding.evidence("store", own(bundle)),
            None => finding,
        };
        witnesses(finding, met, facts)
    };
    let crowd = || match common_issuer(met) {
        Some(operators) => {
            text!("; {} operators that have nothing in common show certificates of this one issuer", operators)
        }
        None => Text::default(),
    };
    let exclude = || text!("have the proxy team exclude from decryption: {}", own(list.join(", ")));
    let whole = || {
        let allowlist = ics_setup("network allowlist --decrypt-exclusions --format paloalto");
        text!("have the whole list in the device's own words: {} (or squid, fortigate, …)", allowlist)
    };
    let reason = met.first().and_then(|(_, probe)| told(probe));
    let first_why = whys(met);
    let remedied = |finding: Finding| match reason {
        Some(why) => certificates::remedied(finding, why, ENDPOINT),
        None => finding,
    };
    let (look, resolves) = looks(met, spec);
    match verdict {
        Verdict::Genuine => {
            make(Status::Pass, shows("the genuine certificate, so nobody decrypts in between")).observed(by_whom)
        }
        Verdict::Intercepted if agent => make(Status::Fail, is("decrypted on the way, which breaks the Insight Agent"))
            .observed(device)
            .cause(text!("this host trusts the device's CA, but the platform takes agent data only with its own certificate{}", crowd()))
            .advise(exclude())
            .advise(whole()),
        Verdict::Intercepted => make(Status::Warn, is("decrypted on the way by a device that this host trusts"))
            .observed(device)
            .cause(text!("Docker and the containers do not use this host's store: Python in them brings certificates of its own{}", crowd()))
            .advise(exclude())
            .advise(match &spec.authority {
                Some(named) if named.remembered => {
                    text!("or see that the containers are given its CA: {}", ics_setup("check --only proxy-ca-containers"))
                }
                _ => text!("or give the containers the device's CA, with the public roots for what it does not decrypt: {}", ics_setup("reconfigure --proxy-ca <CA.crt>")),
            }),
        Verdict::InterceptedUntrusted => {
            let title = if agent { "decrypted on the way, which breaks the Insight Agent" } else { "decrypted on the way, and the device's CA is missing here" };
            let finding = make(Status::Fail, is(title))
                .observed(device)
                .cause(text!("the issuer is none of the public authorities, and not in this host's store either{}", crowd()))
                .advise(exclude());
            if agent {
                finding.advise(whole())
            } else {
                finding.advise(text!("or have its CA certificate sent to you, then have host and containers trust it: {}", ics_setup("prepare --proxy-ca <CA.crt>")))
            }
        }
        Verdict::SelfSigned => make(Status::Fail, shows("a self-signed certificate"))
            .observed(text!("{}: {}", by_whom, first_why))
            .cause("not the vendor's server: a device or portal in between that was never given a certificate, or a name that leads to the wrong place")
            .look(look)
            .advise(resolves),
        Verdict::StaleStore => {
            let finding = make(Status::Fail, shows("a genuine certificate that this host does not trust"))
                .observed(text!("{}; the host's store: {}; {}", by_whom, own(facts.bundle.as_deref().unwrap_or("none")), first_why));
            if reason.is_some_and(Distrust::wants_authority) {
                finding
                    .cause("this host's certificates are old, or not installed")
                    .up_to(Actor::Host)
                    .advise(text!("install them anew: {}; on CentOS: {}", typed("apt-get install --reinstall ca-certificates && update-ca-certificates"), typed("yum update ca-certificates && update-ca-trust")))
            } else {
                remedied(finding)
            }
        }
        Verdict::OutOfTime => remedied(make(Status::Fail, shows("a certificate that is out of its time")))
            .observed(text!("{}: {}", by_whom, first_why))
            .cause("this host's clock is wrong, or a device in between signs with a certificate of its own that has run out")
            .look(look),
        Verdict::OtherName => make(Status::Fail, shows("somebody else's certificate"))
            .observed(text!("{}: {}", by_whom, first_why))
            .cause("another server answers: a portal, a block page, or a name that resolves to the wrong place")
            .advise(resolves)
            .look(look),
        Verdict::Invalid => remedied(make(Status::Fail, shows("a certificate that is not valid")))
            .observed(text!("{}: {}", by_whom, first_why))
            .look(look),
        Verdict::Unsettled => {
            let finding = remedied(make(Status::Skip, shows("a certificate that this tool cannot judge")));
            let missing = met.iter().filter_map(|(_, probe)| probe.openssl.as_ref()).find(|own| **own == Openssl::Missing);
            certificates::with_openssl(finding, missing)
            .observed(text!("{}: {}", by_whom, first_why))
            .look(look)
        }
    }
}

/// The reasons of all of them, each once; the first few.
fn whys(met: Met<'_, '_>) -> Text {
    const MOST: usize = 3;
    let all: BTreeSet<String> = met.iter().filter_map(|(_, probe)| told(probe)).map(ToString::to_string).collect();
    let more = if all.len() > MOST { text!("; and {} more", all.len() - MOST) } else { Text::default() };
    text!("{}{}", Text::join(all.iter().take(MOST).map(|why| text!("{}", why)), "; "), more)
}

/// The certificates of all of them, each with the endpoint that it came in place of.
fn certificates<'a>(met: Met<'_, 'a>) -> impl Iterator<Item = (&'a Target, &'a Certificate)> {
    met.iter().filter_map(|(target, probe)| Some((*target, probe.certificate.as_ref()?)))
}

/// The product that signs, by the certificate or by a page that it shows.
fn product(met: Met<'_, '_>) -> Option<&'static str> {
    let of_certificate = certificates(met)
        .find_map(|(_, certificate)| inspector(&certificate.issuer).or_else(|| inspector(&certificate.subject)));
    of_certificate.or_else(|| {
        let mut pages = met.iter().filter_map(|(target, probe)| block_page(target, probe));
        pages.find_map(|page| {
            [&page.server, &page.via, &page.title].into_iter().flatten().find_map(|text| inspector(text))
        })
    })
}

/// Where both ways were gone and these came by one of them: which.
fn the_way(met: Met<'_, '_>, facts: &NetworkFacts, spec: &CheckSpec) -> Text {
    let ways: BTreeSet<Via> = met.iter().map(|(_, probe)| probe.via).collect();
    let all = facts.seen.iter().flat_map(|seen| &seen.walks);
    match (ways.first(), met.first()) {
        (Some(via), Some((target, _))) if ways.len() == 1 && all.map(|probe| probe.via).any(|own| own != *via) => {
            text!(" {}", way(*via, target, spec))
        }
        _ => Text::default(),
    }
}

/// What to type to see the certificate of the first of them, and where its name leads.
fn looks(met: Met<'_, '_>, spec: &CheckSpec) -> (Text, Text) {
    let Some((target, probe)) = met.first() else { return (Text::default(), Text::default()) };
    let host = own(&target.host);
    (
        text!("look: {}", typed(text!("{} -showcerts </dev/null", s_client(target, probe.via, spec)))),
        text!(
            "look where the name leads, and compare with a host outside of this network: {}",
            typed(text!("getent hosts {}", host))
        ),
    )
}

/// How many operators without anything in common show certificates of one issuer; `None`: no such thing.
fn common_issuer(met: Met<'_, '_>) -> Option<usize> {
    let operators: BTreeSet<String> = met.iter().map(|(target, _)| operator(&target.host)).collect();
    let issuers: BTreeSet<&str> = certificates(met).map(|(_, certificate)| certificate.issuer.as_str()).collect();
    Some(operators.len()).filter(|operators| *operators > 1 && issuers.len() == 1)
}

/// Further signs, for programs and doubters: one issuer or one key for operators that have nothing in common, no public
/// log, and another key by the other way.
fn witnesses(finding: Finding, met: Met<'_, '_>, facts: &NetworkFacts) -> Finding {
    let certificates = || certificates(met);
    let operators: BTreeSet<String> = certificates().map(|(target, _)| operator(&target.host)).collect();
    let keys: BTreeSet<&str> = certificates().map(|(_, certificate)| certificate.key.as_str()).collect();
    let unlogged = certificates().filter(|(_, certificate)| !certificate.logged).count();
    // Two ways lead to two verdicts where one of them is intercepted, so the other way is looked up among all.
    let other_key = |target: &Target, key: &str| {
        let walks = facts.seen.iter().filter(|seen| seen.target == *target).flat_map(|seen| &seen.walks);
        walks.filter_map(|probe| probe.certificate.as_ref()).any(|certificate| certificate.key != key)
    };
    let differ = certificates().any(|(target, certificate)| other_key(target, &certificate.key));
    finding
        .evidence("operators", operators.len())
        .evidence("one_issuer_for_all", common_issuer(met).is_some())
        .evidence("one_key_for_all", operators.len() > 1 && keys.len() == 1)
        .evidence("without_public_log", unlogged)
        .evidence("key_differs_between_ways", differ)
}

/// The last two labels of a name: good enough to tell Rapid7 from Amazon.
fn operator(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

/// The page that came in the endpoint's place, where one did: through a connection that somebody decrypts, or in the clear.
/// What came within TLS that is the endpoint's own is the endpoint's answer, whatever it says.
pub(super) fn block_page<'a>(target: &Target, probe: &'a PathProbe) -> Option<&'a Page> {
    let page = probe.page.as_ref().filter(|_| probe.failure.is_none())?;
    let foreign = !target.tls || probe.by_public.is_some();
    // A server that answers in the clear may well say "403 Forbidden" itself.
    let words: &[&str] = if target.tls {
        &["block", "denied", "policy", "login"]
    } else {
        &["blocked", "policy", "captive", "log in", "login"]
    };
    Some(page).filter(|page| foreign && is_block_page(page, words))
}

fn is_block_page(page: &Page, words: &[&str]) -> bool {
    let says = |title: &str| {
        let title = title.to_ascii_lowercase();
        words.iter().any(|word| title.contains(word))
    };
    // `Via` stands in everything that a proxy passes on.
    let mut signs = [&page.server, &page.title].into_iter().flatten();
    page.html
        && matches!(page.status, 200 | 302 | 307 | 403 | 451 | 503)
        && (page.title.as_deref().is_some_and(says) || signs.any(|text| inspector(text).is_some()))
}

/// Endpoints by a key, in order.
fn by<'a, K: Ord>(
    facts: &'a NetworkFacts,
    key: impl Fn(&'a PathProbe) -> Option<K>,
) -> BTreeMap<K, Vec<(&'a Target, &'a PathProbe)>> {
    let mut groups: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for seen in &facts.seen {
        for probe in &seen.walks {
            if let Some(key) = key(probe) {
                groups.entry(key).or_default().push((&seen.target, probe));
            }
        }
    }
    groups
}
