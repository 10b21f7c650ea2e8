//! Proxies that answer as scripted, friendly and hostile, and what is found of them.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::*;
use crate::finding::Status;
use crate::net::testing::{self, PATIENCE, brief, closed_port, drip, end, hear, hold, patient};
use crate::net::{NetError, Roots};
use crate::settings::Deployment;

const LOGIN: &str = "divvy:p%40ss%3Aw0rd%2F%25@";
const FORMS: [&str; 6] = [
    "p@ss:w0rd/%",
    "p%40ss%3Aw0rd%2F%25",
    "p%40ss%3aw0rd%2f%25",
    "cEBzczp3MHJkLyU",
    "ZGl2dnk6cEBzczp3MHJkLyU",
    "p%40ss:w0rd%2F%25",
];

fn spec(http: Option<&str>, https: Option<&str>) -> (CheckSpec, Secrets) {
    let url = |text: Option<&str>| text.map(|text| ProxyUrl::parse(text).unwrap());
    let secrets = Secrets { http_proxy: url(http), https_proxy: url(https), ..Secrets::default() };
    let proxy = |url: &Option<ProxyUrl>| url.as_ref().map(|url| ProxySpec::new(url, "--proxy".to_owned()));
    let spec = CheckSpec {
        deployment: Deployment::Production,
        release: None,
        home: "/divvycloud".into(),
        http_proxy: proxy(&secrets.http_proxy),
        https_proxy: proxy(&secrets.https_proxy),
        no_proxy: Vec::new(),
        mysql: None,
        redis: None,
        ..CheckSpec::default()
    };
    (spec, secrets)
}

/// A server that treats each connection with the script, once it has heard the first words.
fn serve(script: impl Fn(&mut TcpStream, Vec<u8>) + Send + Sync + 'static) -> u16 {
    testing::serve(move |mut stream| {
        let first = hear(&mut stream);
        script(&mut stream, first);
        end(&mut stream);
    })
}

/// One that answers every request with these bytes and goes.
fn says(answer: &'static [u8]) -> u16 {
    serve(move |stream, _| drop(stream.write_all(answer)))
}

/// A proxy that answers.
fn dial(url: &str) -> (DialFacts, Vec<Finding>) {
    dial_within(patient(), url)
}

fn dial_within(time: Time, url: &str) -> (DialFacts, Vec<Finding>) {
    let (spec, secrets) = spec(Some(url), Some(url));
    let host = crate::host::MemoryHost::new();
    let facts = DialFacts { proxies: proxy::probe(&host, &questions(&spec, &secrets), &Roots::of(&host, b""), time) };
    let text = serde_json::to_string(&facts).unwrap();
    let findings = Dial.judge(&serde_json::from_str(&text).unwrap(), &spec);
    crate::check::law::each_has_a_way_out(&findings);
    let all = format!("{text}{}", serde_json::to_string(&findings).unwrap());
    for form in FORMS {
        assert!(!all.contains(form), "{form} in {all}");
    }
    assert!(all.len() < 20_000, "{} bytes of facts and findings", all.len());
    (facts, findings)
}

fn status(findings: &[Finding], id: &str) -> (Status, String) {
    let finding = findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}: {findings:#?}"));
    (finding.status, format!("{} | {}", finding.title, finding.observed.clone().unwrap_or_default()))
}

/// `id → status, and words of the title or of what was observed`.
fn expect(answer: &'static [u8], login: &str, expected: &[(&str, Status, &str)]) {
    let (_, findings) = dial(&format!("http://{login}127.0.0.1:{}", says(answer)));
    for (id, wanted, words) in expected {
        let (status, text) = status(&findings, id);
        assert!(status == *wanted && text.contains(words), "{id}: {status:?} {text}");
    }
}

#[test]
fn each_answer_of_a_proxy_has_its_verdict() {
    use Status::{Fail, Pass, Skip};
    const CONNECT: &str = "proxy-connect-method";
    const LOGIN_ID: &str = "proxy-credentials";
    let plain = |status| ("proxy-language", status, "plain HTTP, no TLS");
    expect(
        b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
        "",
        &[plain(Pass), (CONNECT, Skip, "407 Auth"), (LOGIN_ID, Fail, "asks for a login and none is set")],
    );
    expect(
        b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
        LOGIN,
        &[(LOGIN_ID, Fail, "rejects the login of divvy | 407 Auth; offered: Negotiate, Basic")],
    );
    expect(
        b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate, NTLM\r\n\r\n",
        LOGIN,
        &[(LOGIN_ID, Fail, "wants a login by Negotiate, NTLM only | 407 Auth; offered: Negotiate, NTLM")],
    );
    expect(b"HTTP/1.1 407 Auth\r\n\r\n", "", &[(LOGIN_ID, Fail, "offered: no scheme")]);
    expect(
        b"HTTP/1.1 403 Forbidden\r\nVia: 1.1 px (squid/5.7)\r\nServer: squid\r\n\r\n",
        LOGIN,
        &[
            (CONNECT, Fail, "forbids divvycentral.divvycloud.com:443 (HTTP 403) | 403 Forbidden"),
            (CONNECT, Fail, "Via: 1.1 px (squid/5.7), Server: squid"),
            (LOGIN_ID, Skip, "before it looks at the login"),
        ],
    );
    for answer in [&b"HTTP/1.1 502 Bad Gateway\r\n\r\n"[..], b"HTTP/1.0 503 x\r\n\r\n", b"HTTP/1.1 504 y\r\n\r\n"] {
        expect(answer, LOGIN, &[(CONNECT, Fail, "cannot reach divvycentral"), (LOGIN_ID, Pass, "does not reject")]);
    }
    expect(
        b"HTTP/1.1 302 Found\r\nLocation: http://portal.corp/login?u=1\r\n\r\n",
        "",
        &[(CONNECT, Fail, "to http://portal.corp/login")],
    );
    expect(b"HTTP/1.1 405 Not Allowed\r\nServer: nginx\r\n\r\n", "", &[(CONNECT, Fail, "does not understand CONNECT")]);
    expect(b"HTTP/1.1 451 Unavailable\r\n\r\n", "", &[(CONNECT, Fail, "forbids")]);
    expect(
        b"SSH-2.0-OpenSSH_9.2\r\n",
        "",
        &[
            ("proxy-language", Fail, "an SSH greeting"),
            (CONNECT, Fail, "does not answer CONNECT"),
            (LOGIN_ID, Skip, "no answer of HTTP"),
        ],
    );
}

#[test]
fn a_tunnel_that_is_closed_again_or_stays_silent_is_told() {
    let closes = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        hear(stream);
    });
    let (_, findings) = dial(&format!("http://127.0.0.1:{closes}"));
    let (found, text) = status(&findings, "proxy-connect-method");
    assert!(
        found == Status::Fail
            && text.contains("TLS to divvycentral")
            && text.contains("200 OK")
            && text.contains("closed without a word"),
        "{text}"
    );
    let silent = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        hold(stream);
    });
    // The tunnel has a connection's time, and the answer before it all that there is.
    let time = Time::new(Duration::from_millis(400), PATIENCE);
    let (_, findings) = dial_within(time, &format!("http://127.0.0.1:{silent}"));
    let (found, text) = status(&findings, "proxy-connect-method");
    assert!(found == Status::Warn && text.contains("nothing comes back") && text.contains("within 400 ms"), "{text}");
    let answers = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        hear(stream);
        let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x28");
    });
    let (_, findings) = dial(&format!("http://{LOGIN}127.0.0.1:{answers}"));
    assert_eq!(status(&findings, "proxy-connect-method").0, Status::Pass);
    assert_eq!(status(&findings, "proxy-credentials").0, Status::Pass);
}

#[test]
fn https_in_the_url_of_a_plain_port_gets_the_right_value_and_no_login() {
    let (sender, asked) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let port = serve(move |stream, first| {
        let _ = sender.lock().unwrap().send(first);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let (_, findings) = dial(&format!("https://{LOGIN}127.0.0.1:{port}"));
    let finding = findings.iter().find(|finding| finding.id == "proxy-language").unwrap();
    assert_eq!(finding.status, Status::Fail);
    let right = format!("http://divvy:***@127.0.0.1:{port}");
    assert_eq!(finding.evidence["right"], right);
    assert_eq!(finding.fix[0], format!("ics-setup prepare --proxy http://127.0.0.1:{port} --proxy-user 'divvy'"));
    assert_eq!(status(&findings, "proxy-credentials").0, Status::Skip);
    for first in asked.try_iter() {
        assert!(!String::from_utf8_lossy(&first).contains("Authorization"), "a login in the clear");
    }
}

#[test]
fn hostile_proxies_cost_no_more_than_the_time_and_show_nothing() {
    let echo = serve(|stream, first| {
        let text = String::from_utf8_lossy(&first).into_owned();
        let login = text.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: ")).unwrap_or("none");
        let answer = format!(
            "HTTP/1.1 407 {login}\r\nVia: {login}\r\nServer: p%40ss%3aw0rd%2f%25 {login}\r\nProxy-Authenticate: {}\r\nLocation: http://x/{login}\r\n\r\n",
            &login.replace("Basic ", "")
        );
        let _ = stream.write_all(answer.as_bytes());
    });
    let parrot = serve(|stream, first| {
        let text = String::from_utf8_lossy(&first).into_owned();
        let login = text.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: Basic ")).unwrap_or("none");
        let _ = stream.write_all(&login.as_bytes()[..login.len().min(20)]);
    });
    let flood = serve(|stream, _| while stream.write_all(&[b'x'; 65536]).is_ok() {});
    let head = serve(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 407 x\r\n");
        while stream
            .write_all(b"Proxy-Authenticate: Basic realm=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\r\n")
            .is_ok()
        {}
    });
    let drips = serve(|stream, _| drip(stream, b"HTTP/1.1 200 OK\r\nX: "));
    let silent = serve(|stream, _| hold(stream));
    let cases = [
        ("one byte a moment", drips, true),
        ("silent", silent, true),
        ("echo", echo, false),
        ("parrot", parrot, false),
        ("flood", flood, false),
        ("endless head", head, false),
        ("closes", serve(|_, _| {}), false),
        ("garbage", says(b"\xff\xfe\0\0\x1b[2Jgarbage\r\n\r\n"), false),
    ];
    thread::scope(|scope| {
        for (name, port, hangs) in cases {
            for scheme in ["http", "https"] {
                scope.spawn(move || {
                    let time = if hangs { brief() } else { patient() };
                    let (facts, findings) = dial_within(time, &format!("{scheme}://{LOGIN}127.0.0.1:{port}"));
                    let plain = &facts.proxies[0].answers.as_ref().unwrap().plain;
                    let silent = matches!(plain.error, Some(NetError::Silent { .. }));
                    assert!(silent == hangs, "{name} {scheme}: {plain:?}");
                    assert!(
                        findings.iter().any(|finding| finding.status == Status::Fail),
                        "{name} {scheme}: {findings:#?}"
                    );
                    for finding in &findings {
                        let text = format!("{}{}", finding.title, finding.observed.clone().unwrap_or_default());
                        assert!(!text.chars().any(char::is_control), "{name}: {text:?}");
                    }
                });
            }
        }
    });
}

#[test]
fn a_dead_port_and_an_unknown_name_end_before_the_conversation() {
    let (_, findings) = dial(&format!("http://127.0.0.1:{}", closed_port()));
    let states: Vec<_> = findings.iter().map(|finding| (finding.id.as_str(), finding.status)).collect();
    assert_eq!(
        states,
        [
            ("proxy-resolves", Status::Pass),
            ("proxy-connects", Status::Fail),
            ("proxy-language", Status::Skip),
            ("proxy-connect-method", Status::Skip),
            ("proxy-credentials", Status::Skip),
        ]
    );
    // Some resolvers say no, and some nothing.
    let (_, findings) = dial_within(brief(), "http://no-such-proxy.invalid:3128");
    assert_eq!(status(&findings, "proxy-resolves").0, Status::Fail);
    assert_eq!(findings.iter().filter(|finding| finding.status == Status::Skip).count(), 4);
}

#[test]
fn no_proxy_wanted_is_skipped_by_name_and_one_place_is_asked_once() {
    let (nothing, secrets) = spec(None, None);
    let findings = Dial.judge(&DialFacts::default(), &nothing);
    assert!(findings.len() == 5 && findings.iter().all(|finding| finding.status == Status::Skip));
    assert!(secrets.http_proxy.is_none());
    let (both, _) = spec(Some("http://p.corp:3128"), Some("https://u:x@p.corp:3128"));
    assert_eq!(places(&both), [("p.corp", 3128)]);
    let (two, secrets) = spec(Some("http://a.corp:1"), Some("http://b.corp:2"));
    assert_eq!(places(&two), [("b.corp", 2), ("a.corp", 1)]);
    assert!(question(&two, &secrets, "a.corp", 1).only_http);
    assert!(!question(&two, &secrets, "b.corp", 2).only_http);
}

#[test]
fn a_rejected_login_is_not_sent_again() {
    let port = says(b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n");
    let (facts, _) = dial(&format!("http://{LOGIN}127.0.0.1:{port}"));
    assert!(Dial.is_settled(&facts));
    let (facts, _) = dial(&format!("http://127.0.0.1:{port}"));
    assert!(!Dial.is_settled(&facts), "without a login it may be asked again");
}

#[test]
fn two_places_are_asked_side_by_side_and_the_one_for_http_is_asked_for_a_page() {
    let (sender, asked) = std::sync::mpsc::channel();
    let sender = std::sync::Arc::new(std::sync::Mutex::new(sender));
    let answering = |answer: &'static [u8]| {
        let sender = sender.clone();
        serve(move |stream, first| {
            let _ = sender.lock().unwrap().send(String::from_utf8_lossy(&first).into_owned());
            let _ = stream.write_all(answer);
        })
    };
    let http = answering(b"HTTP/1.1 301 Moved\r\nLocation: https://divvycentral.divvycloud.com/x?y\r\n\r\n");
    let https = answering(b"HTTP/1.1 403 No\r\n\r\n");
    let (spec, secrets) =
        spec(Some(&format!("http://{LOGIN}127.0.0.1:{http}")), Some(&format!("http://127.0.0.1:{https}")));
    let host = crate::host::MemoryHost::new();
    let roots = Roots::of(&host, b"");
    let look = crate::check::Look {
        host: &host,
        platform: None,
        spec: &spec,
        secrets: &secrets,
        roots: &roots,
        changes: None,
    };
    let facts = Dial.collect(&look, patient(), None);
    let findings = Dial.judge(&facts, &spec);
    assert_eq!(facts.proxies.iter().map(|proxy| proxy.port).collect::<Vec<_>>(), [https, http]);
    assert_eq!(findings.iter().filter(|finding| finding.id == "proxy-language").count(), 2);
    let through: Vec<_> = findings.iter().filter(|finding| finding.id == "proxy-connect-method").collect();
    assert_eq!((through[0].status, through[1].status), (Status::Fail, Status::Pass), "{through:#?}");
    let lines: Vec<String> = asked.try_iter().filter(|text| text.is_ascii() && text.contains("HTTP/1.1")).collect();
    let with = |words: &str| lines.iter().filter(|text| text.starts_with(words)).collect::<Vec<_>>();
    let page = with("GET http://divvycentral.divvycloud.com/ HTTP/1.1\r\nHost: divvycentral.divvycloud.com\r\n");
    assert!(page.len() == 1 && page[0].contains("Proxy-Authorization: Basic "), "{lines:?}");
    let tunnel = with("CONNECT divvycentral.divvycloud.com:443 HTTP/1.1\r\n");
    assert!(tunnel.len() == 1 && !tunnel[0].contains("Authorization"), "{lines:?}");
}
