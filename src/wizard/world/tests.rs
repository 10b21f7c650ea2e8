use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::check::{Address, MysqlSpec, RedisSpec};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::host::MemoryHost;
use crate::net::Roots;
use crate::net::testing::{closed_port, serve};
use crate::settings::Secret;
use crate::text::ics_setup;

/// A server that talks; how often it was talked to.
fn server(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let port = serve(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        talk(stream);
    });
    (port, count)
}

/// Says this after each thing that it hears; at once where it does not wait.
fn saying(waits: bool, answers: &'static [&'static [u8]]) -> (u16, Arc<AtomicUsize>) {
    server(move |mut stream| {
        let mut buffer = [0; 4096];
        for (index, answer) in answers.iter().enumerate() {
            if (waits || index > 0) && stream.read(&mut buffer).is_ok_and(|count| count == 0) {
                return;
            }
            if stream.write_all(answer).is_err() {
                return;
            }
        }
        // Not closed before the other side has read.
        let _ = stream.read(&mut buffer);
    })
}

fn with_network<T>(work: impl FnOnce(&Network<'_>) -> T) -> T {
    let host = MemoryHost::new();
    work(&Network::new(&host, Roots::of(&host, b"")))
}

fn address(port: u16) -> Address {
    Address { host: "127.0.0.1".to_owned(), port, origin: "your answer".to_owned(), container: false }
}

fn want_mysql(port: u16, user: Option<&str>) -> CheckSpec {
    let (database, secret_database) = ("divvy".to_owned(), "divvykeys".to_owned());
    let user = user.map(str::to_owned);
    let mysql =
        MysqlSpec { at: address(port), has_password: user.is_some(), user, database, secret_database, tls: None };
    CheckSpec { mysql: Some(mysql), ..CheckSpec::default() }
}

fn want_redis(port: u16, has_password: bool) -> CheckSpec {
    CheckSpec { redis: Some(RedisSpec { at: address(port), has_password, tls: None }), ..CheckSpec::default() }
}

/// Everything that a person would read.
fn text(verdict: &Verdict) -> String {
    format!("{} {:?} {:?}", verdict.said, verdict.advice, verdict.noticed)
}

/// A packet of MySQL.
fn packet(number: u8, payload: &[&[u8]]) -> &'static [u8] {
    let payload = payload.concat();
    let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes();
    bytes[3] = number;
    Box::leak([&bytes[..], &payload].concat().into_boxed_slice())
}

fn greeting(version: &str) -> &'static [u8] {
    let rest =
        b"\0\x07\0\0\0abcdefgh\0\x01\xa2\x08\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";
    packet(0, &[b"\x0a", version.as_bytes(), rest])
}

fn lasting(answers: &[&'static [u8]]) -> &'static [&'static [u8]] {
    Box::leak(answers.to_vec().into_boxed_slice())
}

#[test]
fn a_proxy_is_judged_by_its_answer() {
    for (says, login, good, wants, about, word) in [
        (
            &b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n\r\n"[..],
            "",
            false,
            true,
            "proxy-credentials",
            "(407: Basic)",
        ),
        (
            b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n\r\n",
            "u:s3cret@",
            false,
            false,
            "proxy-credentials",
            "rejects the login of u",
        ),
        (
            b"HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\n\r\n",
            "",
            false,
            false,
            "proxy-credentials",
            "ask the proxy team for Basic",
        ),
        (b"HTTP/1.1 403 X\r\n\r\n", "", false, false, "proxy-connect-method", "forbids"),
        (b"HTTP/1.1 503 X\r\n\r\n", "", false, false, "proxy-connect-method", "cannot reach"),
        (b"SSH-2.0-OpenSSH\r\n", "", false, false, "proxy-language", "does not speak HTTP"),
    ] {
        let (port, _) = saying(true, lasting(&[says]));
        let url = ProxyUrl::parse(&format!("http://{login}127.0.0.1:{port}")).unwrap();
        let verdict = with_network(|network| network.proxy(&url));
        assert_eq!(
            (verdict.good, verdict.wants_login, verdict.about.map_or("", FindingId::as_str)),
            (good, wants, about),
            "{verdict:?}"
        );
        let is_no_help = says.windows(4).any(|part| part == b"NTLM" || part == b" 403");
        assert_eq!(verdict.login_is_no_help, is_no_help, "{verdict:?}");
        let text = text(&verdict);
        assert_eq!(text.contains("a login would not change that"), is_no_help, "{text}");
        assert!(text.contains(word) && !text.contains("s3cret"), "{text}");
        // Answers are not written yet: our own commands are no help.
        assert!(!text.contains("ics-setup prepare"), "{text}");
    }
    let (port, _) = saying(true, &[b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03\0\x02\x02\x28"]);
    let url = ProxyUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let verdict = with_network(|network| network.proxy(&url));
    assert!(verdict.good && verdict.said.contains("lets CONNECT"), "{verdict:?}");

    let url = ProxyUrl::parse("http://nobody.invalid:3128").unwrap();
    let verdict = with_network(|network| network.proxy(&url));
    assert_eq!(verdict.said.matches("does not resolve").count(), 1, "{}", verdict.said);
    let url = ProxyUrl::parse(&format!("http://127.0.0.1:{}", closed_port())).unwrap();
    let verdict = with_network(|network| network.proxy(&url));
    assert!(!verdict.good && text(&verdict).contains("connection refused"), "{verdict:?}");
}

#[test]
fn a_proxy_url_with_https_for_a_plain_port_is_seen() {
    let (port, _) = saying(true, &[b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]);
    let url = ProxyUrl::parse(&format!("https://127.0.0.1:{port}")).unwrap();
    let verdict = with_network(|network| network.proxy(&url));
    assert!(!verdict.good && verdict.wrong_scheme, "{verdict:?}");
    assert!(verdict.said.contains("begins with https://"), "{verdict:?}");
}

#[test]
fn mysql_is_judged_by_greeting_and_login() {
    with_network(|network| {
        let (port, count) = saying(
            false,
            lasting(&[greeting("5.7.44-log"), packet(2, &[b"\xff\x15\x04#28000Access denied for user 'u'"])]),
        );
        for _ in 0..3 {
            let verdict = network.mysql(&want_mysql(port, None), &Secrets::default());
            assert!(verdict.good && verdict.said.contains("5.7.44"), "{verdict:?}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "one greeting for each answer");
        let secrets = Secrets { mysql: Some(Secret::new("no")), ..Secrets::default() };
        let verdict = network.mysql(&want_mysql(port, Some("u")), &secrets);
        assert_eq!((verdict.good, verdict.about.map_or("", FindingId::as_str)), (false, "mysql-login"), "{verdict:?}");
        assert!(text(&verdict).contains("error 1045") && text(&verdict).contains("mysql -h 127.0.0.1"), "{verdict:?}");

        let (port, count) = saying(false, lasting(&[packet(0, &[b"\xff\x6a\x04Host '10.0.0.1' is not allowed"])]));
        for looks in 1..3 {
            let verdict = network.mysql(&want_mysql(port, None), &Secrets::default());
            assert!(!verdict.good && text(&verdict).contains("not allowed"), "{verdict:?}");
            assert_eq!(count.load(Ordering::SeqCst), looks, "what was wrong is looked at again");
        }
        let verdict = network.mysql(&want_mysql(closed_port(), None), &Secrets::default());
        assert_eq!(verdict.about.map_or("", FindingId::as_str), "mysql-reachable");
        assert!(
            text(&verdict).contains("connection refused") && text(&verdict).contains("on the server: ss"),
            "{verdict:?}"
        );
        let (port, _) = saying(false, &[b"HTTP/1.1 400\r\n"]);
        assert!(!network.mysql(&want_mysql(port, None), &Secrets::default()).good);
    });
}

#[test]
fn a_version_that_is_not_supported_names_the_one_that_is() {
    with_network(|network| {
        let (port, _) = saying(false, lasting(&[greeting("8.0.36")]));
        let verdict = network.mysql(&want_mysql(port, None), &Secrets::default());
        assert_eq!(
            (verdict.good, verdict.about.map_or("", FindingId::as_str)),
            (false, "mysql-version"),
            "{verdict:?}"
        );
        assert!(verdict.said.contains("8.0.36") && verdict.said.contains("wants MySQL 5.7"), "{verdict:?}");
    });
}

#[test]
fn redis_is_judged_by_its_replies() {
    with_network(|network| {
        let info = b"$45\r\nredis_version:5.0.14\r\nredis_mode:standalone\r\n\r\n";
        let none = Secrets::default();
        let (port, _) = saying(true, lasting(&[info, info]));
        let verdict = network.redis(&want_redis(port, false), &none);
        assert!(verdict.good && !verdict.wants_login && verdict.said.contains("5.0.14"), "{verdict:?}");
        let denied: &[&[u8]] = &[
            b"-NOAUTH Authentication required.\r\n",
            b"-ERR unknown command `HELLO`\r\n",
            b"-ERR invalid password\r\n",
        ];
        let (port, _) = saying(true, denied);
        let verdict = network.redis(&want_redis(port, false), &none);
        assert!(verdict.good && verdict.wants_login && verdict.said.contains("asks for a password"), "{verdict:?}");
        let secrets = Secrets { redis: Some(Secret::new("wrong-one")), ..Secrets::default() };
        let verdict = network.redis(&want_redis(port, true), &secrets);
        assert_eq!((verdict.good, verdict.about.map_or("", FindingId::as_str)), (false, "redis-login"), "{verdict:?}");
        let (port, _) = saying(true, &[b"-DENIED Redis is running in protected mode\r\n"]);
        assert!(!network.redis(&want_redis(port, false), &none).good);
        let verdict = network.redis(&want_redis(closed_port(), false), &none);
        assert!(!verdict.good && text(&verdict).contains("connection refused"), "{verdict:?}");
    });
}

#[test]
fn the_two_worst_are_told_and_warnings_alone_are_no_refusal() {
    let finding = |id: FindingId, status, title: &str| Finding::new(id, status, title.to_owned()).observed("seen");
    let warn =
        finding(ids::MYSQL_CAPACITY, Status::Warn, "few connections").cause("so it is").fix(ics_setup("reconfigure"));
    let pass = finding(ids::MYSQL_VERSION, Status::Pass, "it is 5.7");
    let fail =
        finding(ids::MYSQL_GRANTS, Status::Fail, "no rights").fix(ics_setup("check")).advise("on the server: GRANT");
    let redactor = Redactor::default();
    let verdict = Verdict::of(&[pass.clone(), warn.clone()], 2, &[ids::MYSQL_VERSION], &redactor);
    assert_eq!((verdict.good, verdict.said.as_str()), (true, "it is 5.7"));
    assert_eq!(verdict.noticed, [("few connections: seen".to_owned(), Some(Advice::Know("so it is".to_owned())))]);
    let verdict = Verdict::of(&[warn.clone(), fail, warn], 2, &[], &redactor);
    assert_eq!(
        (verdict.good, verdict.about.map_or("", FindingId::as_str), verdict.noticed.len()),
        (false, "mysql-grants", 1)
    );
    assert!(matches!(&verdict.advice, Some(Advice::Do(what)) if what.as_str() == "on the server: GRANT"));
    assert!(!Verdict::of(&[], 2, &[], &redactor).good);
}
