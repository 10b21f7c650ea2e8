//! Every stage against scripted peers: a TLS origin with an authority of its own, a proxy that does as it is told.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use rcgen::KeyPair;

use super::*;
use crate::host::MemoryHost;
use crate::net::testing::{authority, brief, drip, end, hear, hold, leaf, patient, serve, serve_tls, serve_with};
use crate::net::{NetError, Reason, Roots, Time, TlsFault};
use crate::network::cause::{Cause, Stage};
use crate::settings::ProxyUrl;

fn asked(port: u16) -> Asked<'static> {
    Asked { host: "origin.example", port, address: Some("127.0.0.1"), tls: true, path: Some("/") }
}

/// A proxy that answers CONNECT with `answer` and goes on with a tunnel, if that was 200 and there is an origin.
fn proxy(answer: &'static str, to: Option<u16>) -> ProxyUrl {
    url(serve(move |mut stream| {
        if hear(&mut stream).is_empty() || stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
        let Some(to) = to else { return end(&mut stream) };
        let mut far = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut back, mut away) = (far.try_clone().unwrap(), stream.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut back, &mut away));
        let _ = std::io::copy(&mut stream, &mut far);
    }))
}

fn url(port: u16) -> ProxyUrl {
    ProxyUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Length: 0\r\n\r\n";

#[test]
fn the_whole_way_is_gone_directly_and_through_a_proxy_and_judged_twice() {
    let ca = authority("Example Inspection");
    let port = serve_tls(&ca, leaf("origin.example"), OK);
    let roots = Roots::of(&MemoryHost::new(), ca.pem().as_bytes());
    let through = proxy("HTTP/1.1 200 Connection established\r\n\r\n", Some(port));
    for proxy in [None, Some(&through)] {
        let probe = probe(&asked(port), proxy, &roots, patient());
        assert_eq!(probe.failure, None);
        assert_eq!(probe.page.as_ref().unwrap().status, 200);
        // The authority is this host's own and no public one.
        assert_eq!((probe.by_host, probe.by_public), (None, Some(Reason::UnknownIssuer.into())));
        let certificate = probe.certificate.unwrap();
        assert_eq!(certificate.issuer_organisation, "Example Inspection");
        assert!(!certificate.logged && certificate.key.len() == 64);
    }
    let nobody = Roots::of(&MemoryHost::new(), b"");
    let probe = probe(&asked(port), None, &nobody, patient());
    assert_eq!(probe.by_host, Some(Reason::NoRoots.into()));
    let stranger = serve_tls(&ca, leaf("other.example"), OK);
    let probe = super::probe(&asked(stranger), None, &roots, patient());
    assert!(
        matches!(probe.by_host.as_ref().map(|why| &why.reason), Some(Reason::OtherName { names, .. }) if names.iter().any(|name| name.raw().contains("other.example"))),
        "{probe:?}"
    );
}

#[test]
fn who_does_not_have_the_key_of_the_certificate_that_it_shows_is_told_as_that() {
    let ca = authority("Example Inspection");
    let [own, other] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
    let port = serve_with(&leaf("origin.example").signed_by(&own, &ca).unwrap(), &other, OK);
    let roots = Roots::of(&MemoryHost::new(), ca.pem().as_bytes());
    let failure = probe(&asked(port), None, &roots, patient()).failure.unwrap();
    let why = "the handshake is not signed by the key of its certificate".into();
    assert_eq!(failure.why, Cause::NetError { error: NetError::Tls { why: TlsFault::Broken(why) } });
}

#[test]
fn what_the_proxy_answers_is_the_proxys() {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let cause = |answer: &'static str| {
        let failure = probe(&asked(443), Some(&proxy(answer, None)), &roots, patient()).failure.unwrap();
        (failure.stage, failure.why)
    };
    let (stage, why) =
        cause("HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n");
    let schemes = vec!["NTLM".to_owned(), "Basic".to_owned()];
    assert_eq!((stage, why), (Stage::Connect, Cause::ProxyLogin { schemes, sent: false }));
    assert_eq!(cause("HTTP/1.1 403 X\r\n\r\n").1, Cause::ProxyForbids { status: 403 });
    assert_eq!(cause("HTTP/1.1 503 X\r\n\r\n").1, Cause::ProxyFailed { status: 503, word: None });
    assert_eq!(cause("HTTP/1.1 302 X\r\nLocation: http://portal/\r\n\r\n").1, Cause::ProxyAnswered { status: 302 });
    assert_eq!(cause("").1, Cause::NetError { error: NetError::Closed });
    let (stage, why) = cause("HTTP/1.1 200 OK\r\n\r\n");
    assert!(matches!(why, Cause::NetError { error: NetError::Tls { .. } }), "{why:?}");
    assert_eq!(stage, Stage::Tls);
    let (stage, why) = cause("HTTP/1.1 200 OK\r\n\r\n<html><head><title>Access\n denied</title></head></html>");
    assert_eq!((stage, why), (Stage::Tls, Cause::Page { title: Some("Access denied".to_owned()) }));
    let (_, why) = cause("\x15\x03\x01\0\x02\x02\x46");
    assert!(
        matches!(&why, Cause::NetError { error: NetError::Unexpected { what, tls: true, .. } } if what.contains("TLS")),
        "{why:?}"
    );
}

#[test]
fn a_page_in_the_clear_is_asked_of_the_proxy_itself() {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let plain = Asked { tls: false, ..asked(80) };
    let end = |answer: &'static str| probe(&plain, Some(&proxy(answer, None)), &roots, patient());
    assert_eq!(end(OK).page.unwrap().status, 200);
    assert_eq!(end("HTTP/1.1 403 X\r\n\r\n").page.unwrap().status, 403);
    let why = |answer| end(answer).failure.unwrap().why;
    assert_eq!(
        why("HTTP/1.1 403 X\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n"),
        Cause::ProxyForbids { status: 403 }
    );
    assert_eq!(why("HTTP/1.1 503 X\r\n\r\n"), Cause::ProxyFailed { status: 503, word: None });
    assert_eq!(
        why("HTTP/1.1 500 X\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n"),
        Cause::ProxyFailed { status: 500, word: Some("ERR_DNS_FAIL".to_owned()) }
    );
    // An origin's own failure, passed on.
    assert_eq!(end("HTTP/1.1 503 X\r\nVia: 1.1 proxy\r\n\r\n").page.unwrap().status, 503);
    let port = proxy(OK, None).port.unwrap();
    let direct = probe(&Asked { port, ..plain }, None, &roots, patient());
    assert_eq!((direct.failure, direct.page.unwrap().status), (None, 200));
}

#[test]
fn a_proxy_url_that_names_the_wrong_language_is_found_out() {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let plain = proxy("HTTP/1.1 400 Bad\r\n\r\n", None);
    let tls = ProxyUrl::parse(&format!("https://127.0.0.1:{}", plain.port.unwrap())).unwrap();
    let failure = probe(&asked(443), Some(&tls), &roots, patient()).failure.unwrap();
    assert_eq!(failure.stage, Stage::ProxyTls);
    assert!(matches!(&failure.why, Cause::NetError { error: NetError::Tls { .. } }), "{failure:?}");
}

#[test]
fn hostile_peers_end_at_the_deadline_and_the_budget() {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let failure = &|talk: fn(TcpStream), through: bool, time: Time| {
        let port = serve(talk);
        probe(&asked(port), through.then(|| url(port)).as_ref(), &roots, time).failure.unwrap()
    };
    // Each in the middle of the language that is spoken there: a record of a handshake, a head.
    let hangs = [
        ((|mut stream| hold(&mut stream)) as fn(TcpStream), false),
        (|mut stream| hold(&mut stream), true),
        (|mut stream| drip(&mut stream, b"\x16\x03\x03\x40\x00\x02"), false),
        (|mut stream| drip(&mut stream, b"HTTP/1.1 200 OK\r\nA: "), true),
    ];
    thread::scope(|scope| {
        for (talk, through) in hangs {
            scope.spawn(move || {
                let failure = failure(talk, through, brief());
                assert!(matches!(failure.why, Cause::NetError { error: NetError::Silent { .. } }), "{failure:?}");
            });
        }
    });
    // What pours out is not waited for.
    for talk in [(|mut stream| while stream.write_all(&[b'x'; 65536]).is_ok() {}) as fn(TcpStream), |mut stream| {
        while stream.write_all(b"HTTP/1.1 200 OK\r\nA: b\r\n").is_ok() {}
    }] {
        for through in [false, true] {
            let failure = failure(talk, through, patient());
            assert!(!matches!(failure.why, Cause::NetError { error: NetError::Silent { .. } }), "{failure:?}");
        }
    }
}

#[test]
fn facts_survive_being_saved() {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let silent = url(serve(|mut stream| hold(&mut stream)));
    let walks = ["HTTP/1.1 407 X\r\n\r\n", "HTTP/1.1 503 X\r\n\r\n", "", "HTTP/1.1 200 OK\r\n\r\n<html>"]
        .map(|answer| probe(&asked(443), Some(&proxy(answer, None)), &roots, patient()));
    for probe in walks.into_iter().chain([probe(&asked(443), Some(&silent), &roots, brief())]) {
        let text = serde_json::to_string(&probe).unwrap();
        assert_eq!(serde_json::from_str::<PathProbe>(&text).unwrap(), probe, "{text}");
    }
}
