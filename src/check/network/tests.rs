//! Verdicts from facts alone.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::*;
use crate::check::ProxySpec;
use crate::check::spec::{Limits, Secrets};
use crate::finding::Status;
use crate::net::testing::{PATIENCE, end, hear, patient, serve};
use crate::net::{Beyond, Distrust, NetError, Reason, Roots, TlsFault};
use crate::network::catalogue::Confidence;
use crate::network::cause::{Cause, Stage};
use crate::network::openssl::Openssl;
use crate::network::path::{Certificate, Page, Step};

fn spec() -> CheckSpec {
    CheckSpec {
        https_proxy: Some(ProxySpec {
            url: "http://proxy:3128".to_owned(),
            tls: false,
            host: "proxy".to_owned(),
            port: 3128,
            user: None,
            has_password: false,
            password_file: None,
            origin: "--proxy".to_owned(),
        }),
        ..CheckSpec::default()
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
        confidence: Confidence::Verified,
        static_ips: Vec::new(),
    }
}

fn way(via: Via, stage: Stage, end: Option<Cause>) -> PathProbe {
    let failure = end.map(|why| Failure { stage, why, took_ms: 5 });
    PathProbe {
        via,
        steps: vec![Step { stage: Stage::Resolve, millis: 1 }],
        failure,
        addresses: Vec::new(),
        certificate: None,
        by_host: None,
        by_public: None,
        page: None,
        openssl: None,
    }
}

fn signed(issuer: &str, by_public: Option<Distrust>, by_host: Option<Distrust>) -> PathProbe {
    let certificate = Certificate {
        subject: "CN=x".to_owned(),
        issuer: format!("O={issuer}"),
        issuer_organisation: issuer.to_owned(),
        issuer_name: None,
        key: "00".to_owned(),
        not_before: 0,
        not_after: 0,
        logged: by_public.is_none(),
    };
    PathProbe { certificate: Some(certificate), by_host, by_public, ..way(Via::Proxy, Stage::Http, None) }
}

fn facts(walks: Vec<(Target, PathProbe)>) -> NetworkFacts {
    let seen = walks.into_iter().map(|(target, probe)| Seen { target, walks: vec![probe], addresses: Vec::new() });
    NetworkFacts { seen: seen.collect(), bundle: Some("/etc/ssl/certs/ca-certificates.crt".to_owned()) }
}

fn brief(findings: &[Finding]) -> Vec<(&'static str, Status)> {
    findings.iter().map(|finding| (finding.id.as_str(), finding.status)).collect()
}

#[test]
fn a_broken_proxy_is_said_once() {
    let down = || way(Via::Proxy, Stage::Tcp, Some(Cause::NetError { error: NetError::Refused }));
    let findings = judge::judge_network(
        Scope::Product,
        &facts(vec![(target("a.example", true), down()), (target("b.example", true), down())]),
        &spec(),
    );
    assert_eq!(
        brief(&findings),
        [("network-proxy", Status::Fail), ("network-endpoint", Status::Skip), ("network-endpoint", Status::Skip),]
    );
    assert!(findings[0].title.contains("proxy:3128 (--proxy)"), "{}", findings[0].title);
}

#[test]
fn the_list_of_exceptions_decides_for_the_product_only() {
    for (list, agent, around) in [
        (&["localhost", "169.254.169.254"][..], false, false),
        (&[".amazonaws.com"], false, true),
        (&["sts.amazonaws.com"], false, true),
        (&["*"], false, true),
        (&[".amazonaws.com"], true, false),
        (&[], false, false),
    ] {
        let spec = CheckSpec { no_proxy: list.iter().map(|member| (*member).to_owned()).collect(), ..spec() };
        assert_eq!(goes_around(&Target { agent, ..target("sts.amazonaws.com", true) }, &spec), around, "{list:?}");
    }
}

#[test]
fn a_rule_that_forbids_does_not_show_that_the_login_works() {
    let login = || Cause::ProxyLogin { schemes: vec!["Basic".to_owned()], sent: true };
    let refused = |host| (target(host, true), way(Via::Proxy, Stage::Connect, Some(login())));
    let forbidden =
        (target("b.example", true), way(Via::Proxy, Stage::Connect, Some(Cause::ProxyForbids { status: 403 })));
    let all = facts(vec![refused("a.example"), forbidden.clone(), refused("c.example")]);
    let skipped = ("network-endpoint", Status::Skip);
    let expected = [("network-proxy", Status::Fail), skipped, ("network-endpoint", Status::Fail), skipped];
    assert_eq!(brief(&judge::judge_network(Scope::Product, &all, &spec())), expected);
    // Nothing but rules that forbid: the proxy is there, and the rules are what has to be changed.
    assert_eq!(
        brief(&judge::judge_network(Scope::Product, &facts(vec![forbidden]), &spec())),
        [("network-endpoint", Status::Fail)]
    );
}

#[test]
fn two_proxies_are_judged_apart() {
    let mut spec = spec();
    let http = ProxySpec { host: "other".to_owned(), ..spec.https_proxy.clone().unwrap() };
    spec.http_proxy = Some(http);
    let down = || way(Via::Proxy, Stage::Tcp, Some(Cause::NetError { error: NetError::Refused }));
    let clear = Target { tls: false, port: 80, ..target("b.example", true) };
    let all = facts(vec![(target("a.example", true), way(Via::Proxy, Stage::Http, None)), (clear, down())]);
    let findings = judge::judge_network(Scope::Product, &all, &spec);
    let endpoint = |status| ("network-endpoint", status);
    assert_eq!(brief(&findings), [("network-proxy", Status::Fail), endpoint(Status::Pass), endpoint(Status::Skip)]);
    assert!(findings[0].title.contains("other:3128"), "{}", findings[0].title);
    assert!(findings[1].title.contains("through proxy:3128") && findings[2].title.contains("through other:3128"));
}

#[test]
fn a_page_in_the_endpoints_place_is_no_answer_of_the_endpoint() {
    let page = |title: &str, server: Option<&str>| {
        Some(Page {
            status: 403,
            server: server.map(str::to_owned),
            via: Some("1.1 proxy (squid/5.7)".to_owned()),
            to: None,
            title: Some(title.to_owned()),
            html: true,
        })
    };
    let unknown = || Some(Reason::UnknownIssuer.into());
    let intercepted = || signed("Corp", unknown(), None);
    let clear = Target { tls: false, port: 80, ..target("a.example", true) };
    let plain = || way(Via::Proxy, Stage::Http, None);
    for (target, probe, page, status) in [
        (target("a.example", true), intercepted(), page("Access denied by policy", None), Status::Fail),
        (target("a.example", false), intercepted(), page("Access denied by policy", None), Status::Warn),
        (target("a.example", true), intercepted(), page("Hello", None), Status::Pass),
        // Its own certificate, so its own words.
        (target("a.example", true), signed("CA", None, None), page("Access denied", None), Status::Pass),
        (clear.clone(), plain(), page("403 Forbidden", Some("nginx")), Status::Pass),
        (clear.clone(), plain(), page("Sorry", Some("FortiGate")), Status::Fail),
        (clear, plain(), page("Web site blocked", None), Status::Fail),
    ] {
        let findings =
            judge::judge_network(Scope::Product, &facts(vec![(target, PathProbe { page, ..probe })]), &spec());
        assert_eq!(findings[0].status, status, "{}", findings[0].title);
    }
}

#[test]
fn ways_that_show_different_keys_are_told_apart() {
    let direct = PathProbe { via: Via::Direct, ..signed("Public", None, None) };
    let mut proxied = signed("Corp", Some(Reason::UnknownIssuer.into()), None);
    proxied.certificate.as_mut().unwrap().key = "11".to_owned();
    let seen = Seen { target: target("a.example", true), walks: vec![direct, proxied], addresses: Vec::new() };
    let findings =
        interception::judge_interception(Scope::Product, &NetworkFacts { seen: vec![seen], bundle: None }, &spec());
    assert_eq!(brief(&findings), [("network-interception", Status::Pass), ("network-interception", Status::Warn)]);
    assert!(findings.iter().all(|finding| finding.evidence["key_differs_between_ways"] == true));
    assert!(findings[0].title.ends_with("directly") && findings[1].title.ends_with("through proxy:3128"));
}

#[test]
fn a_certificate_that_signs_itself_is_no_interception() {
    let mut probe = signed("x", Some(Reason::UnknownIssuer.into()), Some(Reason::UnknownIssuer.into()));
    probe.certificate.as_mut().unwrap().issuer = "CN=x".to_owned();
    let findings =
        interception::judge_interception(Scope::Product, &facts(vec![(target("a.example", true), probe)]), &spec());
    assert!(findings[0].title.contains("a.example shows a self-signed certificate"), "{}", findings[0].title);
    assert!(findings[0].fix[0].contains("-proxy proxy:3128 -connect a.example:443"), "{:?}", findings[0].fix);
}

#[test]
fn a_resolver_that_knows_nothing_is_said_once() {
    let lost = || way(Via::Direct, Stage::Resolve, Some(Cause::NetError { error: NetError::NameUnknown }));
    let two = vec![(target("a.example", true), lost()), (target("b.example", true), lost())];
    let findings = judge::judge_network(Scope::Product, &facts(two), &CheckSpec::default());
    let skipped = ("network-endpoint", Status::Skip);
    assert_eq!(brief(&findings), [("network-resolver", Status::Fail), skipped, skipped]);
    // One name that resolves shows that the resolver works.
    let mixed =
        vec![(target("a.example", true), lost()), (target("b.example", true), way(Via::Direct, Stage::Http, None))];
    let findings = judge::judge_network(Scope::Product, &facts(mixed), &CheckSpec::default());
    assert_eq!(brief(&findings), [("network-endpoint", Status::Fail), ("network-endpoint", Status::Pass)]);
}

#[test]
fn who_must_act_is_named_for_each_cause() {
    let required = || target("a.example", true);
    for (stage, cause, words, who) in [
        (Stage::Connect, Cause::ProxyForbids { status: 403 }, "forbids a.example:443", "proxy team"),
        (Stage::Connect, Cause::ProxyFailed { status: 503, word: None }, "cannot reach a.example:443", "proxy team"),
        (Stage::Tls, Cause::Page { title: Some("Zscaler: blocked".to_owned()) }, "a page answers", "whoever runs it"),
        (Stage::Tls, Cause::NetError { error: NetError::Reset }, "TLS to a.example:443", "proxy team"),
    ] {
        let reached = (target("b.example", true), way(Via::Proxy, Stage::Http, None));
        let facts = facts(vec![(required(), way(Via::Proxy, stage, Some(cause))), reached]);
        let findings = judge::judge_network(Scope::Product, &facts, &spec());
        assert_eq!(brief(&findings), [("network-endpoint", Status::Fail), ("network-endpoint", Status::Pass)]);
        assert!(findings[0].title.contains(words), "{}", findings[0].title);
        assert!(findings[0].fix[0].contains(who), "{:?}", findings[0].fix);
        assert_eq!(findings[0].stage, Some(stage.as_str()));
    }
    let cause = Cause::ProxyLogin { schemes: vec!["NTLM".to_owned(), "Negotiate".to_owned()], sent: false };
    let findings = judge::judge_network(
        Scope::Agent,
        &facts(vec![(required(), way(Via::Proxy, Stage::Connect, Some(cause)))]),
        &spec(),
    );
    assert_eq!(findings[0].id, "agent-proxy");
    assert!(findings[0].title.contains("NTLM, Negotiate only"), "{}", findings[0].title);
}

#[test]
fn an_optional_endpoint_only_warns() {
    let cause = Cause::ProxyForbids { status: 403 };
    let findings = judge::judge_network(
        Scope::Product,
        &facts(vec![(target("a.example", false), way(Via::Proxy, Stage::Connect, Some(cause)))]),
        &spec(),
    );
    assert_eq!(brief(&findings), [("network-endpoint", Status::Warn)]);
}

#[test]
fn interception_is_judged_by_what_both_stores_say() {
    let unknown = || Some(Reason::UnknownIssuer.into());
    for (by_public, by_host, agent, status, words) in [
        (None, None, false, Status::Pass, "genuine"),
        (unknown(), None, false, Status::Warn, "a device that this host trusts"),
        (unknown(), None, true, Status::Fail, "breaks the Insight Agent"),
        (unknown(), unknown(), false, Status::Fail, "CA is missing"),
        (unknown(), Some(Reason::NoRoots.into()), true, Status::Fail, "breaks the Insight Agent"),
        (None, unknown(), false, Status::Fail, "does not trust"),
        (Some(Reason::Expired.into()), Some(Reason::Expired.into()), false, Status::Fail, "out of its time"),
        (
            Some(Reason::OtherName { names: vec![], address: false }.into()),
            Some(Reason::OtherName { names: vec![], address: false }.into()),
            false,
            Status::Fail,
            "somebody else's",
        ),
    ] {
        let probe = signed("Zscaler Inc.", by_public, by_host);
        let facts = facts(vec![
            (target("sts.amazonaws.com", true), probe.clone()),
            (target("management.azure.com", true), probe),
        ]);
        let findings =
            interception::judge_interception(if agent { Scope::Agent } else { Scope::Product }, &facts, &spec());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].status, status, "{words}");
        assert!(findings[0].title.contains(words), "{} / {words}", findings[0].title);
        assert_eq!(findings[0].evidence["one_issuer_for_all"], true);
        if status == Status::Fail && words != "genuine" && by_name(&findings[0]) {
            assert!(findings[0].fix[0].contains("management.azure.com, sts.amazonaws.com"), "{:?}", findings[0].fix);
        }
    }
}

#[test]
fn certificates_that_ran_out_on_different_days_are_one_finding() {
    let expired = |day: i64| {
        let certificate = serde_json::json!({
            "place": "leaf", "depth": 0, "subject": "CN=x", "issuer": "CN=y", "not_before": 0, "not_after": day * 86_400
        });
        Distrust { reason: Reason::Expired, certificate: Some(serde_json::from_value(certificate).unwrap()) }
    };
    let of =
        |day| (target(&format!("e{day}.example"), true), signed("y", Some(Reason::Expired.into()), Some(expired(day))));
    let findings = interception::judge_interception(Scope::Product, &facts((1..6).map(of).collect()), &spec());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].evidence["hosts"].as_array().unwrap().len(), 5);
    let observed = findings[0].observed.as_ref().unwrap();
    assert!(observed.contains("1970-01-02") && observed.ends_with("; and 2 more"), "{observed}");
}

#[test]
fn what_openssl_says_takes_nothing_away_and_advises_itself_only_where_it_is_missing() {
    let beyond = || NetError::Tls { why: TlsFault::Beyond(Beyond::Suites) };
    let finding = |openssl| {
        let probe = PathProbe { openssl, ..way(Via::Direct, Stage::Tls, Some(beyond().into())) };
        judge::judge_network(Scope::Product, &facts(vec![(target("a.example", true), probe)]), &spec()).remove(0)
    };
    let plain = finding(None);
    for (openssl, status) in [
        (None, Status::Fail),
        (Some(Openssl::Missing), Status::Fail),
        (Some(Openssl::Trusted { cipher: "x".into() }), Status::Pass),
        (Some(Openssl::Untrusted { why: Reason::Expired.into() }), Status::Fail),
        (Some(Openssl::NoTls { why: "x".into() }), Status::Fail),
    ] {
        let told = finding(openssl.clone());
        assert_eq!((told.status, &told.expected), (status, &plain.expected), "{openssl:?}");
        let installs = told.fix.iter().any(|fix| fix.text().contains("install openssl"));
        assert_eq!(installs, openssl == Some(Openssl::Missing), "{told:#?}");
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
    let make = |dns: &str, end: Option<Failure>| NetworkFacts {
        seen: vec![Seen {
            target: agent.clone(),
            walks: vec![PathProbe { addresses: vec![dns.to_owned()], ..way(Via::Direct, Stage::Http, None) }],
            addresses: vec![Static {
                address: "192.0.2.1".to_owned(),
                failure: end,
                key: None,
                by_host: None,
                by_public: None,
            }],
        }],
        bundle: None,
    };
    let status = |facts: &NetworkFacts| {
        judge::judge_network(Scope::Agent, facts, &spec())
            .last()
            .map(|finding| (finding.id.as_str(), finding.status))
            .unwrap()
    };
    assert_eq!(status(&make("192.0.2.2", None)), ("agent-static-address", Status::Pass));
    assert_eq!(status(&make("198.51.100.7", None)), ("agent-static-address", Status::Warn));
    let refused = Failure { stage: Stage::Tcp, why: Cause::NetError { error: NetError::Refused }, took_ms: 1 };
    assert_eq!(status(&make("192.0.2.2", Some(refused))), ("agent-static-address", Status::Fail));
}

#[test]
fn a_proxy_that_turns_a_crowd_away_is_asked_again_by_few() {
    const MOST: usize = 10;
    // Whoever brings more than 10 connections at once is turned away without a word; the others learn that it is forbidden.
    // How many are here, and how many were turned away.
    let crowd = Arc::new((Mutex::new((0, 0)), Condvar::new()));
    let seen = crowd.clone();
    let port = serve(move |mut stream| {
        let (count, changed) = &*seen;
        let mut crowd = count.lock().unwrap();
        crowd.0 += 1;
        if crowd.0 > MOST {
            crowd.0 -= 1;
            crowd.1 += 1;
            changed.notify_all();
            return;
        }
        // Nobody is answered before there was a crowd.
        crowd = changed.wait_timeout_while(crowd, PATIENCE, |crowd| crowd.1 == 0).unwrap().0;
        drop(crowd);
        hear(&mut stream);
        // Gone before the other side can come again.
        count.lock().unwrap().0 -= 1;
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        end(&mut stream);
    });
    let facts = collected(&format!("http://127.0.0.1:{port}"));
    assert!(crowd.0.lock().unwrap().1 > 0, "it was no crowd");
    for seen in facts.seen {
        let why = seen.walks[0].failure.as_ref().map(|failure| &failure.why);
        assert_eq!(why, Some(&Cause::ProxyForbids { status: 403 }), "{}", seen.target.host);
    }
}

/// What is seen of 40 endpoints behind a proxy that answers.
fn collected(proxy: &str) -> NetworkFacts {
    let secrets = Secrets { https_proxy: Some(ProxyUrl::parse(proxy).unwrap()), ..Secrets::default() };
    let endpoints = (0..40).map(|n| target(&format!("e{n}.example"), true)).collect();
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap();
    let limits = Limits { connect: patience, check: patience, run: patience, ..Limits::default() };
    let spec = CheckSpec { endpoints, limits, ..spec() };
    let host = crate::host::MemoryHost::new();
    let roots = Roots::of(&host, b"");
    let look = Look { host: &host, platform: None, spec: &spec, secrets: &secrets, roots: &roots, changes: None };
    Check::collect(&Network::<false>, &look, patient(), None)
}

#[test]
fn a_login_that_is_rejected_is_sent_once_and_not_for_every_endpoint() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let port = serve(move |mut stream| {
        if String::from_utf8_lossy(&hear(&mut stream)).contains("Proxy-Authorization: Basic ") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let _ =
            stream.write_all(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
        end(&mut stream);
    });
    let facts = collected(&format!("http://svc:wrong@127.0.0.1:{port}"));
    assert_eq!(sent.load(Ordering::SeqCst), 1);
    assert_eq!(facts.seen.len(), 40);
    for seen in facts.seen {
        let why = seen.walks[0].failure.as_ref().map(|failure| &failure.why);
        assert!(matches!(why, Some(Cause::ProxyLogin { sent: true, .. })), "{}: {why:?}", seen.target.host);
    }
}

#[test]
fn an_endpoint_that_is_only_inferred_is_never_failed() {
    let inferred = Target { confidence: Confidence::Inferred, ..target("e.example", true) };
    assert_eq!((target("e.example", true).missed(), inferred.missed()), (Status::Fail, Status::Warn));
}
