//! Everything that is talked to: proxies, endpoints, MySQL, Redis.

use super::super::backends::{Mysql, Redis};
use super::super::causes::{self, Proxy};
use super::super::network;
use super::super::proxy::{Dial, DialFacts};
use super::super::spec::{Address, MysqlSpec, RedisSpec};
use super::super::{Check, CheckSpec, ProxySpec};
use super::each_has_a_way_out;
use super::errors::{distrusts, errors, faults};
use crate::finding::{Status, ids};
use crate::mysql::{About, Database, Greeting, Login, MysqlFacts, Opening, Refusal, There, TlsReason};
use crate::net::{Distrust, NetError, TlsFault};
use crate::network::cause::{Cause, Failure, Stage, Via};
use crate::network::openssl::Openssl;
use crate::network::path::{Certificate, Page, PathProbe};
use crate::network::proxy::{Dialled, ProxyAnswers, Said, TlsAnswer};
use crate::network::target::Target;
use crate::redis::{Denial, RedisAnswers, RedisFacts};
use crate::settings::ProxyUrl;

/// What OpenSSL's client may say, and nothing.
fn openssl() -> Vec<Option<Openssl>> {
    let untrusted = |why: &Distrust| Some(Openssl::Untrusted { why: why.clone() });
    let all = [
        None,
        Some(Openssl::Missing),
        Some(Openssl::Trusted { cipher: "x".into() }),
        Some(Openssl::NoTls { why: "x".into() }),
    ];
    all.into_iter().chain(distrusts().iter().map(untrusted)).collect()
}

fn at(port: u16) -> Address {
    Address { host: "db.corp.example".to_owned(), port, origin: "--mysql-host".to_owned(), container: false }
}

fn specs() -> Vec<CheckSpec> {
    let spec = |tls, user: Option<&str>, has_password| CheckSpec {
        mysql: Some(MysqlSpec {
            at: at(3306),
            user: user.map(str::to_owned),
            has_password,
            database: "divvy".to_owned(),
            secret_database: "divvykeys".to_owned(),
            tls,
        }),
        redis: Some(RedisSpec { at: at(6379), has_password, tls }),
        ..CheckSpec::default()
    };
    vec![spec(None, Some("divvy"), true), spec(Some(true), Some("divvy"), false), spec(Some(false), None, true)]
}

#[test]
fn whatever_mysql_does_has_a_cause_and_a_way_out() {
    let greeting = |offers_tls| Greeting { version: "5.7.44".to_owned(), mysql_bit: true, offers_tls, plugin: None };
    let refusal = |code| Refusal { code, message: "as the server has it".into() };
    let codes = (1000..1300)
        .chain([1524, 1698, 1820, 1862])
        .chain(2000..2070)
        .chain(3000..3200)
        .chain(3900..4200)
        .chain(9000..9010);
    let mut logins =
        vec![None, Some(Login::NeedsTls), Some(Login::NoTls), Some(Login::Plugin { plugin: "x".to_owned() })];
    for tls in [false, true] {
        logins.extend(codes.clone().map(|code| Some(Login::Refused { refusal: refusal(code), tls })));
        logins.push(Some(Login::Refused {
            refusal: Refusal { code: 1045, message: "This RDS Proxy requires TLS connections".into() },
            tls,
        }));
        logins.extend(errors().into_iter().map(|error| Some(Login::Broken { error, tls })));
    }
    for because in [None, Some(TlsReason::Asked), Some(TlsReason::Required), Some(TlsReason::Password)] {
        for there in There::ALL {
            for broke in [None, Some(NetError::Reset)] {
                for value in ["ON", "OFF"] {
                    let names = ["read_only", "super_read_only", "innodb_read_only", "require_secure_transport"];
                    let mut variables: std::collections::BTreeMap<_, _> =
                        names.map(|name| (name.to_owned(), value.to_owned())).into();
                    variables.insert("max_connections".to_owned(), "10".to_owned());
                    let database = |charset: &str| Database {
                        name: "divvy".to_owned(),
                        there,
                        charset: Some(charset.to_owned()),
                        collation: Some("x".to_owned()),
                    };
                    let about = About {
                        tls: because.map(|_| "TLSv1_3".to_owned()),
                        tls_because: because,
                        version: Some("8.0.36".to_owned()),
                        account: Some("divvy@%".to_owned()),
                        variables,
                        clients: Some(10),
                        databases: vec![database("latin1"), database("koi8r")],
                        grants: Some(Vec::new()),
                        clock: Some(crate::mysql::Clock { before: 0, server: 9_000_000, after: 0 }),
                        broke: broke.clone(),
                    };
                    logins.push(Some(Login::Open(Box::new(about))));
                }
            }
        }
    }
    let judge = |facts: &MysqlFacts, spec: &CheckSpec| {
        let findings = Mysql.judge(facts, spec);
        each_has_a_way_out(&findings);
        for id in Mysql::META.ids {
            assert!(findings.iter().any(|finding| finding.id == *id), "no {id} for {facts:?}");
        }
    };
    let errors = errors();
    for spec in &specs() {
        let openings = errors.iter().map(|error| Opening::NetError(error.clone()));
        for opening in openings.chain(codes.clone().map(|code| Opening::Refusal(refusal(code)))) {
            judge(&MysqlFacts { opening: Some(opening), ..MysqlFacts::default() }, spec);
        }
        for login in &logins {
            let alike = matches!(login, Some(Login::Refused { .. } | Login::Broken { .. }));
            for offers_tls in if alike { &[true][..] } else { &[false, true] }.iter().copied() {
                let facts = MysqlFacts {
                    opening: Some(Opening::Greeting(greeting(offers_tls))),
                    opening_ms: 3000,
                    login: login.clone(),
                    openssl: None,
                };
                judge(&facts, spec);
            }
        }
    }
    for openssl in openssl() {
        for why in faults() {
            let login = Some(Login::Broken { error: NetError::Tls { why }, tls: true });
            let opening = Some(Opening::Greeting(greeting(true)));
            judge(&MysqlFacts { opening, opening_ms: 1, login, openssl: openssl.clone() }, &specs()[1]);
        }
    }
}

#[test]
fn whatever_redis_does_has_a_cause_and_a_way_out() {
    let lines = [
        "NOAUTH x",
        "WRONGPASS x",
        "NOPERM x",
        "LOADING x",
        "DENIED x",
        "MASTERDOWN x",
        "MISCONF x",
        "READONLY x",
        "BUSY x",
        "CLUSTERDOWN x",
        "NOREPLICAS x",
        "OOM x",
        "ERR max number of clients reached",
        "ERR unknown command",
        "ERR invalid password",
        "ERR Client sent AUTH, but no password is set",
        "ERR x",
    ];
    let judge = |facts: &RedisFacts, spec: &CheckSpec| {
        let findings = Redis.judge(facts, spec);
        each_has_a_way_out(&findings);
        for id in Redis::META.ids {
            assert!(findings.iter().any(|finding| finding.id == *id), "no {id} for {facts:?}");
        }
    };
    let broken = |error: &NetError| Some(RedisAnswers::broken(error.clone()));
    for spec in &specs() {
        for error in &errors() {
            for openssl in openssl().into_iter().take(5) {
                judge(&RedisFacts { plain: None, tls: broken(error), openssl: openssl.clone() }, spec);
                judge(&RedisFacts { plain: broken(&NetError::Reset), tls: broken(error), openssl }, spec);
            }
            judge(&RedisFacts { plain: broken(error), ..RedisFacts::default() }, spec);
            let answers = RedisAnswers { replied: true, error: Some(error.clone()), ..RedisAnswers::default() };
            judge(&RedisFacts { plain: Some(answers), ..RedisFacts::default() }, spec);
        }
        for line in lines {
            let answers = |change: fn(&mut RedisAnswers, &str), cipher: bool| {
                let mut answers = RedisAnswers { replied: true, ..RedisAnswers::default() };
                answers.cipher = cipher.then(|| "TLSv1_3".to_owned());
                change(&mut answers, line);
                answers
            };
            let changes: [fn(&mut RedisAnswers, &str); 4] = [
                |answers, line| answers.denied = Some(Denial::new(line)),
                |answers, line| answers.login = Some(Denial::new(line)),
                |answers, line| answers.hello = Some(Denial::new(line)),
                |answers, line| answers.info = Some(Denial::new(line)),
            ];
            for change in changes {
                judge(&RedisFacts { plain: Some(answers(change, false)), ..RedisFacts::default() }, spec);
                judge(&RedisFacts { tls: Some(answers(change, true)), ..RedisFacts::default() }, spec);
            }
        }
        let fields = [
            ("redis_version", ["4.0.10", "7.0.11", "unstable"].as_slice()),
            ("redis_mode", &["standalone", "sentinel", "cluster"]),
            ("role", &["master", "slave"]),
            ("maxmemory_policy", &["noeviction", "allkeys-lru"]),
            ("evicted_keys", &["0", "7"]),
            ("rdb_last_bgsave_status", &["ok", "err"]),
            ("valkey_version", &["9.0"]),
        ];
        for (name, values) in fields {
            for value in values {
                let mut answers = RedisAnswers { replied: true, ..RedisAnswers::default() };
                answers.fields.insert("redis_mode".to_owned(), "standalone".to_owned());
                answers.fields.insert(name.to_owned(), (*value).to_owned());
                judge(&RedisFacts { plain: Some(answers), ..RedisFacts::default() }, spec);
            }
        }
    }
}

fn causes() -> Vec<Cause> {
    let mut causes: Vec<Cause> = errors().into_iter().map(Cause::from).collect();
    for sent in [false, true] {
        for schemes in [vec![], vec!["Basic".to_owned()], vec!["NTLM".to_owned()]] {
            causes.push(Cause::ProxyLogin { schemes, sent });
        }
    }
    causes.extend([400, 403, 404, 429, 451].map(|status| Cause::ProxyForbids { status }));
    for word in [None, Some("ERR_DNS_FAIL".to_owned()), Some("ERR_CONNECT_FAIL".to_owned()), Some("X".to_owned())] {
        causes.extend([500, 502, 503, 504].map(|status| Cause::ProxyFailed { status, word: word.clone() }));
    }
    causes.extend([400, 405, 501].map(|status| Cause::ProxyMisunderstands { status }));
    causes.extend([201, 302].map(|status| Cause::ProxyAnswered { status }));
    causes.extend([None, Some("Zscaler".to_owned())].map(|title| Cause::Page { title }));
    causes
}

const STAGES: [Stage; 7] = Stage::ALL;

fn target(agent: bool, tls: bool) -> Target {
    Target {
        agent,
        host: "e.example".to_owned(),
        port: if tls { 443 } else { 80 },
        purpose: "x".to_owned(),
        stands_for: None,
        tls,
        path: Some("/".to_owned()),
        direct_only: false,
        required: true,
        confidence: crate::network::catalogue::Confidence::Verified,
        static_ips: vec!["192.0.2.1".to_owned()],
    }
}

fn proxied(url: &str) -> CheckSpec {
    let url = ProxyUrl::parse(url).unwrap();
    let proxy = Some(ProxySpec::new(&url, "--proxy".to_owned()));
    CheckSpec { http_proxy: proxy.clone(), https_proxy: proxy, ..CheckSpec::default() }
}

#[test]
fn however_a_way_ends_it_has_a_cause_and_a_way_out() {
    for cause in causes() {
        for stage in STAGES {
            let failure = Failure { stage, why: cause.clone(), took_ms: 1 };
            for url in ["http://u@proxy.example:3128", "https://proxy.example:3128"] {
                let spec = proxied(url);
                for proxy in [Proxy::new(spec.https_proxy.as_ref(), "--proxy"), Proxy::new(None, "--proxy")] {
                    let finding = causes::of_proxy(&failure, &proxy, ids::PROXY_CONNECTS).observed("x");
                    each_has_a_way_out(&[finding]);
                }
                for via in [Via::Direct, Via::Proxy] {
                    for tls in [false, true] {
                        let of_finding = (ids::NETWORK_ENDPOINT, Status::Fail);
                        let finding =
                            causes::of_way(&failure, &target(false, tls), via, &"the proxy".into(), &spec, of_finding);
                        // A handshake beyond this program's TLS is most often a device's doing.
                        let untold =
                            |error: &NetError| matches!(error, NetError::Untrusted { why } if why.is_unsettled());
                        let untold = matches!(&cause, Cause::NetError { error } if untold(error));
                        assert_eq!(finding.status == Status::Skip, untold && stage == Stage::Tls, "{finding:#?}");
                        each_has_a_way_out(&[finding.observed("x")]);
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_certificates_say_has_a_cause_and_a_way_out() {
    let certificate = |subject: &str| Certificate {
        subject: subject.to_owned(),
        issuer: "CN=y".to_owned(),
        issuer_organisation: "y".to_owned(),
        issuer_name: None,
        key: "00".to_owned(),
        not_before: 0,
        not_after: 1,
        logged: false,
    };
    let all: Vec<Option<Distrust>> = std::iter::once(None).chain(distrusts().into_iter().map(Some)).collect();
    // The two judges' verdicts decide by their reasons alone.
    let public: Vec<Option<Distrust>> =
        all.iter().filter(|why| why.as_ref().is_none_or(|why| why.certificate.is_none())).cloned().collect();
    let page = Page { status: 403, server: None, via: None, to: None, title: Some("Blocked".to_owned()), html: true };
    for (index, agent) in [false, true].into_iter().enumerate() {
        let mut seen = Vec::new();
        for by_public in &public {
            for by_host in &all {
                for subject in if by_host.as_ref().is_some_and(|why| why.certificate.is_some()) {
                    &["CN=x"][..]
                } else {
                    &["CN=x", "CN=y"]
                } {
                    let probe = PathProbe {
                        certificate: Some(certificate(subject)),
                        by_host: by_host.clone(),
                        by_public: by_public.clone(),
                        page: Some(page.clone()),
                        ..PathProbe::default()
                    };
                    seen.push(probe);
                }
            }
        }
        for error in errors() {
            for openssl in openssl().into_iter().take(5) {
                let failure = Some(Failure { stage: Stage::Tls, why: error.clone().into(), took_ms: 1 });
                seen.push(PathProbe { failure, openssl, ..PathProbe::default() });
            }
        }
        for probe in seen {
            let address = serde_json::json!({
                "address": "192.0.2.1", "failure": probe.failure, "key": null,
                "by_host": probe.by_host, "by_public": probe.by_public
            });
            let one = serde_json::json!({ "target": target(agent, true), "walks": [probe], "addresses": [address] });
            let facts = serde_json::json!({ "seen": [one], "bundle": null });
            let findings = network::CHECKS[index].judge(&facts, &CheckSpec::default()).unwrap();
            each_has_a_way_out(&findings);
        }
    }
}

#[test]
fn whatever_a_proxy_does_has_a_cause_and_a_way_out() {
    let errors = errors();
    let said = |status: Option<u16>, error: Option<NetError>, method: &str| Said {
        method: method.to_owned(),
        target: "e.example:443".to_owned(),
        logged_in: true,
        status,
        schemes: vec!["Basic".to_owned()],
        is_own: true,
        error,
        took_ms: 4000,
        ..Said::default()
    };
    let mut answers = Vec::new();
    for status in [200, 204, 302, 400, 401, 403, 404, 405, 407, 429, 451, 500, 501, 502, 503, 504, 511] {
        answers.push(said(Some(status), None, "CONNECT"));
        answers.push(said(Some(status), None, "GET"));
    }
    answers.extend(errors.iter().map(|error| said(None, Some(error.clone()), "CONNECT")));
    answers.extend(errors.iter().map(|error| said(Some(200), Some(error.clone()), "CONNECT")));
    let shaken = errors.iter().map(|error| TlsAnswer::No { error: error.clone() });
    let shaken = shaken.chain(distrusts().into_iter().map(|why| TlsAnswer::Untrusted { why }));
    let shaken: Vec<TlsAnswer> = shaken.chain([TlsAnswer::Trusted]).collect();
    let mut dialled = Vec::new();
    let place = || Dialled { host: "proxy.example".to_owned(), port: 3128, ..Dialled::default() };
    for error in &errors {
        dialled.push(Dialled { unresolved: Some(error.clone()), ..place() });
        dialled.push(Dialled { unconnected: Some(error.clone()), ..place() });
    }
    for tls in &shaken {
        let plain = said(Some(200), None, "CONNECT");
        let own = ProxyAnswers { plain, tls: tls.clone(), within_tls: None };
        dialled.push(Dialled { answers: Some(own), ..place() });
        let plain = said(None, Some(NetError::Closed), "CONNECT");
        dialled.push(Dialled { answers: Some(ProxyAnswers { plain, tls: tls.clone(), within_tls: None }), ..place() });
    }
    for plain in answers {
        for tls in [TlsAnswer::Trusted, TlsAnswer::No { error: NetError::Tls { why: TlsFault::NotTls } }] {
            let within_tls = matches!(tls, TlsAnswer::Trusted).then(|| plain.clone());
            let own = ProxyAnswers { plain: plain.clone(), tls, within_tls };
            dialled.push(Dialled { answers: Some(own), ..place() });
        }
    }
    for url in ["http://u@proxy.example:3128", "https://u@proxy.example:3128"] {
        let spec = proxied(url);
        for proxy in &dialled {
            each_has_a_way_out(&Dial.judge(&DialFacts { proxies: vec![proxy.clone()] }, &spec));
        }
    }
}
