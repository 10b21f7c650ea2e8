//! Proxies that misbehave: `check proxy` and `check network` give the same cause for each.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use rcgen::{CertificateParams, date_time_ymd};

use super::*;
use crate::check::proxy::Dial;
use crate::check::spec::{Limits, Secrets};
use crate::check::{AnyCheck, Look, network};
use crate::finding::Status;
use crate::host::MemoryHost;
use crate::net::testing::{authority, closed_port, end, hear, hold, leaf, serve, serve_tls};
use crate::net::{Roots, Time};
use crate::settings::ProxyUrl;

/// What goes wrong, told by each check.
struct Told {
    by_proxy: Vec<Finding>,
    by_network: Finding,
}

/// Both checks, of a proxy that never does what it is asked.
fn told(url: &str, ca: &[u8], seconds: u64) -> Told {
    let host = MemoryHost::new();
    let roots = Roots::of(&host, ca);
    let url = ProxyUrl::parse(url).unwrap();
    let proxy = Some(ProxySpec::new(&url, "--proxy".to_owned()));
    let probe = &crate::network::catalogue::Needs::get().probe;
    let spec = CheckSpec {
        http_proxy: proxy.clone(),
        https_proxy: proxy,
        endpoints: Target::of(probe).into_iter().collect(),
        via: vec![Via::Proxy],
        limits: Limits { connect: seconds * 1000, check: seconds * 1000, run: seconds * 2000, wait: 0 },
        ..CheckSpec::default()
    };
    let secrets = Secrets { http_proxy: Some(url.clone()), https_proxy: Some(url), ..Secrets::default() };
    let look = Look { host: &host, platform: None, spec: &spec, secrets: &secrets, roots: &roots, changes: None };
    let time = || Time::new(spec.limits.connect(), spec.limits.run());
    let found = |check: &dyn AnyCheck| {
        let findings = check.judge(&check.collect(&look, time(), None), &spec).unwrap();
        crate::check::law::each_has_a_way_out(&findings);
        findings
    };
    let (by_proxy, by_network) = (found(&Dial), found(network::CHECKS[0]));
    let wrong = |finding: &Finding| matches!(finding.status, Status::Fail | Status::Warn);
    let by_network = by_network.into_iter().find(wrong).expect("nothing is wrong by check network");
    Told { by_proxy: by_proxy.into_iter().filter(wrong).collect(), by_network }
}

/// Both give one cause, with one advice, and it has these words.
#[track_caller]
fn agree(told: &Told, words: &str) {
    let Told { by_proxy, by_network } = told;
    let cause = by_network.cause.clone().unwrap_or_default();
    assert!(cause.contains(words), "{words}: {by_network:#?}");
    let same = |finding: &&Finding| finding.cause.as_ref() == Some(&cause) && finding.fix.starts_with(&by_network.fix);
    assert!(by_proxy.iter().any(|finding| same(&finding)), "{words}: {by_network:#?}\n{by_proxy:#?}");
}

fn answers(answer: &'static str) -> u16 {
    serve(move |mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(answer.as_bytes());
        end(&mut stream);
    })
}

#[test]
fn both_checks_give_one_cause_for_what_a_proxy_answers() {
    let plain = |login: &'static str, answer: &'static str, words: &'static str| {
        (format!("http://{login}127.0.0.1:{}", answers(answer)), 60, words)
    };
    let silent = |mut stream: TcpStream| hold(&mut stream);
    let basic = "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    let cases = [
        (format!("http://127.0.0.1:{}", closed_port()), 60, "the port is wrong, the proxy does not run"),
        (format!("http://127.0.0.1:{}", serve(silent)), 1, "reaches nothing outside itself, is overloaded"),
        (format!("https://127.0.0.1:{}", serve(silent)), 1, "or the port belongs to something else"),
        plain("", basic, "lets nobody through without a login"),
        plain("u:s3cret@", basic, "the password is wrong"),
        plain("", "HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\n\r\n", "with Basic only"),
        plain("u:s3cret@", "HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate, NTLM\r\n\r\n", "with Basic only"),
        plain("", "HTTP/1.1 407 X\r\nProxy-Authenticate: Digest realm=\"x\", qop=\"auth\"\r\n\r\n", "with Basic only"),
        plain("", "HTTP/1.1 407 X\r\n\r\n", "lets nobody through without a login"),
        plain("", "HTTP/1.1 403 X\r\n\r\n", "its rules do not have this host"),
        plain("u:s3cret@", "HTTP/1.1 451 X\r\n\r\n", "its rules do not have this host"),
        plain("", "HTTP/1.1 502 X\r\n\r\n", "cannot resolve the name or connect"),
        plain("", "HTTP/1.1 503 X\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n", "own name servers do not know the name"),
        plain("", "HTTP/1.1 504 X\r\n\r\n", "no answer from there in time"),
        plain("", "HTTP/1.1 302 X\r\nLocation: http://portal.corp/\r\n\r\n", "a portal"),
        plain("", "HTTP/1.1 405 X\r\n\r\n", "a web server or a reverse proxy"),
        plain("", "HTTP/1.1 501 X\r\n\r\n", "a web server or a reverse proxy"),
        plain("", "HTTP/1.1 200 X\r\n\r\n", "says yes before it has reached the other side"),
        plain("", "\u{1}garbage\r\n\r\n", "the port belongs to something else"),
        plain("u:s3cret@", "SSH-2.0-OpenSSH_9.2\r\n", "the port belongs to something else"),
        plain("", "", "the port belongs to something else"),
        (format!("https://127.0.0.1:{}", answers("HTTP/1.1 400 X\r\n\r\n")), 60, "https:// in a proxy URL means TLS"),
        (format!("https://127.0.0.1:{}", answers("SSH-2.0-x\r\n")), 60, "or the port belongs to something else"),
    ];
    thread::scope(|scope| {
        for (url, seconds, words) in cases {
            scope.spawn(move || agree(&told(&url, b"", seconds), words));
        }
    });
}

#[test]
fn both_checks_give_one_cause_for_what_a_proxy_shows_in_tls() {
    let ca = authority("Example Corp");
    let port = |params: CertificateParams| serve_tls(&ca, params, "HTTP/1.1 403 X\r\n\r\n");
    let url = |params| format!("https://u:s3cret@127.0.0.1:{}", port(params));
    let closes = serve_tls(&ca, leaf("127.0.0.1"), "HTTP/1.1 200 X\r\n\r\n");
    let (pem, other) = (ca.pem().into_bytes(), authority("Another").pem().into_bytes());
    let mut expired = leaf("127.0.0.1");
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let mut early = leaf("127.0.0.1");
    early.not_before = date_time_ymd(4000, 1, 1);
    let cases = [
        (url(leaf("127.0.0.1")), &other, "the company's own authority"),
        (url(leaf("127.0.0.1")), &pem, "its rules do not have this host"),
        (url(expired), &pem, "has expired"),
        (url(early), &pem, "is not valid yet"),
        (url(leaf("proxy.corp.example")), &pem, "is set by its address"),
        (format!("http://127.0.0.1:{}", port(leaf("127.0.0.1"))), &pem, "this port expects TLS first"),
        (format!("https://127.0.0.1:{}", closes), &pem, "says yes before it has reached the other side"),
    ];
    for (url, ca, words) in cases {
        let told = told(&url, ca, 60);
        agree(&told, words);
        let own = "the company's own authority";
        let says = |finding: &Finding| finding.cause.as_deref().is_some_and(|cause| cause.contains(own));
        assert_eq!(told.by_proxy.iter().any(says), words == own, "{:#?}", told.by_proxy);
    }
}

#[test]
fn what_is_looked_with_goes_the_way_that_failed() {
    let probe = &crate::network::catalogue::Needs::get().probe;
    let target = Target::of(probe).unwrap();
    let url = ProxyUrl::parse("http://proxy.corp.example:3128").unwrap();
    let spec = CheckSpec { https_proxy: Some(ProxySpec::new(&url, "--proxy".to_owned())), ..CheckSpec::default() };
    let failure = Failure { stage: Stage::Tls, why: Cause::NetError { error: NetError::Closed }, took_ms: 1 };
    for (via, words) in [
        (Via::Proxy, "openssl s_client -proxy proxy.corp.example:3128 -connect "),
        (Via::Direct, "openssl s_client -connect "),
    ] {
        let id = (crate::finding::ids::NETWORK_ENDPOINT, Status::Fail);
        let finding = of_way(&failure, &target, via, &"the proxy".into(), &spec, id);
        assert!(finding.fix.iter().any(|fix| fix.text().contains(words)), "{finding:#?}");
    }
}
