//! Verdicts from facts alone.

use super::*;
use crate::check::ProxyWant;
use crate::finding::Status;
use crate::net::{Distrust, Trouble};
use crate::network::path::{Cause, Certificate, Stage, Step};

fn want() -> Want {
    Want {
        https_proxy: Some(ProxyWant {
            url: "http://proxy:3128".to_owned(),
            tls: false,
            host: "proxy".to_owned(),
            port: 3128,
            user: None,
            has_password: false,
            origin: "--proxy".to_owned(),
        }),
        ..Want::default()
    }
}

fn target(host: &str, required: bool) -> Target {
    Target {
        agent: false,
        host: host.to_owned(),
        port: 443,
        purpose: "licensing".to_owned(),
        stands_for: None,
        tls: true,
        path: Some("/".to_owned()),
        direct_only: false,
        required,
        static_ips: Vec::new(),
    }
}

fn way(via: Via, stage: Stage, end: Option<Cause>) -> Walk {
    let failure = end.map(|why| Failure { stage, why, took_ms: 5 });
    Walk {
        via,
        steps: vec![Step { stage: Stage::Resolve, millis: 1 }],
        failure,
        addresses: Vec::new(),
        certificate: None,
        by_host: None,
        by_public: None,
        page: None,
    }
}

fn signed(issuer: &str, by_public: Option<Distrust>, by_host: Option<Distrust>) -> Walk {
    let certificate = Certificate {
        subject: "CN=x".to_owned(),
        issuer: format!("O={issuer}"),
        issuer_organisation: issuer.to_owned(),
        key: "00".to_owned(),
        not_before: 0,
        not_after: 0,
        logged: by_public.is_none(),
        chain: 2,
    };
    Walk { certificate: Some(certificate), by_host, by_public, ..way(Via::Proxy, Stage::Http, None) }
}

fn facts(walks: Vec<(Target, Walk)>) -> Facts {
    let seen = walks.into_iter().map(|(target, walk)| Seen { target, walks: vec![walk], addresses: Vec::new() });
    Facts { seen: seen.collect(), bundle: Some("/etc/ssl/certs/ca-certificates.crt".to_owned()) }
}

fn brief(findings: &[Finding]) -> Vec<(&'static str, Status)> {
    findings.iter().map(|finding| (finding.id, finding.status)).collect()
}

#[test]
fn a_broken_proxy_is_said_once() {
    let down = || way(Via::Proxy, Stage::Tcp, Some(Cause::Trouble { trouble: Trouble::Refused }));
    let findings = judge::judge(
        false,
        &facts(vec![(target("a.example", true), down()), (target("b.example", true), down())]),
        &want(),
    );
    assert_eq!(
        brief(&findings),
        [("network-proxy", Status::Fail), ("network-endpoint", Status::Skip), ("network-endpoint", Status::Skip),]
    );
    assert!(findings[0].title.contains("proxy:3128 (--proxy)"), "{}", findings[0].title);
}

#[test]
fn a_resolver_that_knows_nothing_is_said_once() {
    let lost = || way(Via::Direct, Stage::Resolve, Some(Cause::Trouble { trouble: Trouble::NameUnknown }));
    let two = vec![(target("a.example", true), lost()), (target("b.example", true), lost())];
    let findings = judge::judge(false, &facts(two), &Want::default());
    let skipped = ("network-endpoint", Status::Skip);
    assert_eq!(brief(&findings), [("network-resolver", Status::Fail), skipped, skipped]);
    // One name that resolves shows that the resolver works.
    let mixed =
        vec![(target("a.example", true), lost()), (target("b.example", true), way(Via::Direct, Stage::Http, None))];
    let findings = judge::judge(false, &facts(mixed), &Want::default());
    assert_eq!(brief(&findings), [("network-endpoint", Status::Fail), ("network-endpoint", Status::Pass)]);
}

#[test]
fn who_must_act_is_named_for_each_cause() {
    let required = || target("a.example", true);
    for (stage, cause, words, who) in [
        (Stage::Connect, Cause::ProxyForbids { status: 403 }, "forbids a.example:443", "proxy team"),
        (Stage::Connect, Cause::ProxyFailed { status: 503 }, "does not get to a.example:443", "proxy team"),
        (Stage::Tls, Cause::Page { title: Some("Zscaler: blocked".to_owned()) }, "a page answers", "whoever runs it"),
        (Stage::Tls, Cause::Trouble { trouble: Trouble::Reset }, "TLS to a.example:443", "network team"),
    ] {
        let reached = (target("b.example", true), way(Via::Proxy, Stage::Http, None));
        let facts = facts(vec![(required(), way(Via::Proxy, stage, Some(cause))), reached]);
        let findings = judge::judge(false, &facts, &want());
        assert_eq!(brief(&findings), [("network-endpoint", Status::Fail), ("network-endpoint", Status::Pass)]);
        assert!(findings[0].title.contains(words), "{}", findings[0].title);
        assert!(findings[0].fix[0].contains(who), "{:?}", findings[0].fix);
        assert_eq!(findings[0].stage, Some(stage.word()));
    }
    let cause = Cause::ProxyLogin { schemes: vec!["NTLM".to_owned(), "Negotiate".to_owned()], sent: false };
    let findings =
        judge::judge(true, &facts(vec![(required(), way(Via::Proxy, Stage::Connect, Some(cause)))]), &want());
    assert_eq!(findings[0].id, "agent-proxy");
    assert!(findings[0].title.contains("NTLM, Negotiate only"), "{}", findings[0].title);
}

#[test]
fn an_optional_endpoint_only_warns() {
    let cause = Cause::ProxyForbids { status: 403 };
    let findings = judge::judge(
        false,
        &facts(vec![(target("a.example", false), way(Via::Proxy, Stage::Connect, Some(cause)))]),
        &want(),
    );
    assert_eq!(brief(&findings), [("network-endpoint", Status::Warn)]);
}

#[test]
fn interception_is_judged_by_what_both_stores_say() {
    let unknown = || Some(Distrust::UnknownIssuer);
    for (by_public, by_host, agent, status, words) in [
        (None, None, false, Status::Pass, "genuine"),
        (unknown(), None, false, Status::Warn, "a device that this host trusts"),
        (unknown(), None, true, Status::Fail, "breaks the Insight Agent"),
        (unknown(), unknown(), false, Status::Fail, "CA is missing"),
        (unknown(), Some(Distrust::NoRoots), true, Status::Fail, "breaks the Insight Agent"),
        (None, unknown(), false, Status::Fail, "does not trust"),
        (Some(Distrust::Expired), Some(Distrust::Expired), false, Status::Fail, "out of its time"),
        (
            Some(Distrust::OtherName { names: vec![] }),
            Some(Distrust::OtherName { names: vec![] }),
            false,
            Status::Fail,
            "somebody else's",
        ),
    ] {
        let walk = signed("Zscaler Inc.", by_public, by_host);
        let facts = facts(vec![
            (target("sts.amazonaws.com", true), walk.clone()),
            (target("management.azure.com", true), walk),
        ]);
        let findings = interception::judge(agent, &facts);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].status, status, "{words}");
        assert!(findings[0].title.contains(words), "{} / {words}", findings[0].title);
        assert_eq!(findings[0].evidence["one_issuer_for_all"], true);
        if status == Status::Fail && words != "genuine" && by_name(&findings[0]) {
            assert!(findings[0].fix[0].contains("management.azure.com, sts.amazonaws.com"), "{:?}", findings[0].fix);
        }
    }
}

fn by_name(finding: &Finding) -> bool {
    finding.observed.as_deref().is_some_and(|text| text.starts_with("Zscaler, signed by"))
}

#[test]
fn static_addresses_are_compared_with_dns() {
    let mut agent = Target {
        agent: true,
        static_ips: vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()],
        ..target("e.example", true)
    };
    agent.purpose = "messages".to_owned();
    let make = |dns: &str, end: Option<Failure>| Facts {
        seen: vec![Seen {
            target: agent.clone(),
            walks: vec![Walk { addresses: vec![dns.to_owned()], ..way(Via::Direct, Stage::Http, None) }],
            addresses: vec![Static { address: "192.0.2.1".to_owned(), failure: end, key: None }],
        }],
        bundle: None,
    };
    let status =
        |facts: &Facts| judge::judge(true, facts, &want()).last().map(|finding| (finding.id, finding.status)).unwrap();
    assert_eq!(status(&make("192.0.2.2", None)), ("agent-static-address", Status::Pass));
    assert_eq!(status(&make("198.51.100.7", None)), ("agent-static-address", Status::Warn));
    let refused = Failure { stage: Stage::Tcp, why: Cause::Trouble { trouble: Trouble::Refused }, took_ms: 1 };
    assert_eq!(status(&make("192.0.2.2", Some(refused))), ("agent-static-address", Status::Fail));
}
