//! Proxies, in every way that they stand in the way.

use serde_json::Value;

use super::servers;
use super::world::{ENCODED, WRONG, World, head};

/// What squid cannot reach, and what is made of the reason that it gives: 503 ERR_CONNECT_FAIL; for a name that does not
/// exist squid 5.7 says 500 ERR_CANNOT_FORWARD to CONNECT and 502 ERR_READ_ERROR to the rest.
const CANNOT: [(&str, &str); 2] = [
    ("refused.lab", "own connection is refused, or gets no answer"),
    ("nowhere.lab", "itself cannot resolve the name or connect"),
];

fn world() -> World {
    let world = World::new();
    servers::squid(&world);
    world.trust(&["public", "other"]);
    world
}

/// Everything behind a broken proxy is skipped, and the proxy's fault is said once.
#[track_caller]
fn said_once(seen: &super::seen::Seen, stage: &str, words: &[&str]) {
    let finding = seen.expect("network-proxy", "fail", words);
    assert_eq!((&finding["stage"], &finding["path"]), (&Value::from(stage), &Value::from("proxy")), "{finding}");
    assert_eq!(seen.all("network-proxy", "").count(), 1);
    assert!(seen.count("network-endpoint", "skip") > 15, "{}", seen.human);
    // But for what squid forbids before it asks for a login.
    assert_eq!(seen.count("network-endpoint", "fail"), 0, "{}", seen.human);
    assert_eq!(seen.count("network-endpoint", "warn"), seen.all("network-endpoint", "the proxy forbids sts").count());
}

#[test]
fn squid_with_and_without_a_login_forbids_and_fails() {
    let world = world();
    let names = ["refused.lab", "nowhere.lab", "denied.lab"].map(|name| (name, 443));
    let file = world.endpoints("more.toml", &names);
    let (good, bad) =
        (format!("http://divvy:{ENCODED}@proxy.lab:3138"), format!("http://divvy:{WRONG}@proxy.lab:3138"));
    let seen = world.check(&["network", "--proxy", &good, "--endpoints", &file]);
    seen.expect(
        "network-endpoint",
        "pass",
        &["divvycentral.divvycloud.com:443 is reached through proxy.lab:3138", "HTTP 200"],
    );
    seen.expect("network-interception", "pass", &["genuine"]);
    let denied = seen.expect(
        "network-endpoint",
        "fail",
        &["the proxy forbids denied.lab:443 (HTTP 403)", "proxy team allow CONNECT", "--format squid"],
    );
    assert_eq!(denied["stage"], "connect");
    // The catalogue's wildcard is what the proxy team is asked for.
    seen.expect(
        "network-endpoint",
        "warn",
        &["the proxy forbids sts.amazonaws.com:443", "*.amazonaws.com (tried: sts.amazonaws.com)"],
    );
    for (name, words) in CANNOT {
        let title = format!("the proxy cannot reach {name}:443 (HTTP 50");
        let failed = seen.expect("network-endpoint", "fail", &[&title, "from the proxy", words]);
        assert_eq!(failed["stage"], "connect");
    }
    assert_eq!(seen.all("network-proxy", "").count(), 0);
    // Nobody answers there; what does answer has no part in this.
    let hole = world.endpoints("hole.toml", &[("hole.lab", 443)]);
    world.check(&["network", "--proxy", &good, "--endpoints", &hole, "--connect-timeout", "5s"]).expect(
        "network-endpoint",
        "fail",
        &["the proxy does not get to hole.lab:443 in time", "within 5", "behind it drops the packets"],
    );

    said_once(
        &world.check(&["network", "--proxy", &bad]),
        "connect",
        &[
            "proxy.lab:3138 rejects the login of divvy",
            "407, offering Basic, after a login by Basic",
            "--proxy-password-file",
        ],
    );
    said_once(
        &world.check(&["network", "--proxy", "http://proxy.lab:3138"]),
        "connect",
        &["asks for a login and none is set", "407, offering Basic"],
    );

    // Credentials went to the proxy and no further.
    let log = world.read("nginx.log");
    assert!(log.lines().count() > 15 && log.lines().all(|line| line.ends_with("login=\"--\"")), "{log}");
    assert!(world.read("access.log").contains("CONNECT divvycentral.divvycloud.com:443 divvy"));

    // What the list of exceptions has is gone to directly, as clients do.
    let seen = world.check(&["network", "--proxy", "http://proxy.lab:3128", "--no-proxy", ".amazonaws.com"]);
    seen.expect(
        "network-endpoint",
        "pass",
        &["sts.amazonaws.com:443 is reached directly", "no_proxy takes it away from the proxy"],
    );
    seen.expect("network-endpoint", "pass", &["management.azure.com:443 is reached through proxy.lab:3128"]);

    // Everything is forbidden: said of each, for it is the list of what has to be allowed.
    let seen = world.check(&["network", "--proxy", "http://proxy.lab:3148"]);
    assert!(
        seen.count("network-endpoint", "fail") > 2 && seen.count("network-endpoint", "pass") == 0,
        "{}",
        seen.human
    );
}

#[test]
fn a_proxy_that_is_not_there_is_said_once() {
    let world = world();
    said_once(
        &world.check(&["network", "--proxy", "http://proxy.lab:9"]),
        "tcp",
        &["nothing listens at the proxy proxy.lab:9 (--proxy)", "refused"],
    );
    said_once(
        &world.check(&["network", "--proxy", "http://hole.lab:3128", "--connect-timeout", "500ms"]),
        "tcp",
        &["the proxy hole.lab:3128 does not answer", "within 0.5 s", "network team open TCP"],
    );
    said_once(
        &world.check(&["network", "--proxy", "http://unknown.lab:3128"]),
        "resolve",
        &["the proxy's name in unknown.lab:3128 does not resolve", "getent hosts unknown.lab"],
    );
}

#[test]
fn tls_to_the_proxy_is_trusted_or_nothing_is_sent() {
    let world = world();
    let ca = world.path("corp.crt");
    let url = format!("https://divvy:{ENCODED}@proxy.lab:3140");
    let seen = world.check(&["network", "--proxy", &url, "--proxy-ca", &ca]);
    seen.expect("network-endpoint", "pass", &["divvycentral.divvycloud.com:443 is reached through proxy.lab:3140"]);
    seen.expect("network-interception", "pass", &["genuine"]);
    let asked = || world.read("access.log").matches("CONNECT ").count();
    let before = asked();
    assert!(before > 15);
    said_once(
        &world.check(&["network", "--proxy", &url]),
        "proxy-tls",
        &["the certificate of the proxy proxy.lab:3140 is not trusted (--proxy)", "issuer", "--proxy-ca <CA.crt>"],
    );
    let by_address = format!("https://divvy:{ENCODED}@10.9.0.1:3140");
    said_once(
        &world.check(&["network", "--proxy", &by_address, "--proxy-ca", &ca]),
        "proxy-tls",
        &["is not trusted", "another name", "by a name that its certificate has"],
    );
    assert_eq!(asked(), before, "something was asked of a proxy that is not trusted");

    // The scheme and the port do not fit.
    let wrong = format!("https://divvy:{ENCODED}@proxy.lab:3138");
    said_once(
        &world.check(&["network", "--proxy", &wrong]),
        "proxy-tls",
        &["begins with https:// and proxy.lab:3138 speaks plain HTTP", "--proxy http://proxy.lab:3138"],
    );
    said_once(
        &world.check(&["network", "--proxy", "http://proxy.lab:3130"]),
        "connect",
        &["begins with http:// and proxy.lab:3130 speaks TLS", "--proxy https://proxy.lab:3130"],
    );
}

#[test]
fn scripted_proxies_are_told_by_what_they_answer() {
    let world = world();
    world.answers(
        4001,
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
    );
    world.answers(4002, "HTTP/1.1 200 Connection established\r\n\r\n");
    world.answers(
        4003,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><head><title>Zscaler: blocked</title></head></html>",
    );
    world.answers(4004, "HTTP/1.1 302 Found\r\nLocation: http://portal.lab/login\r\n\r\n");
    world.answers(4005, "");
    world.peer("10.9.0.1", 4006, |mut stream| {
        let _ = head(&mut stream);
        std::thread::sleep(crate::common::PATIENCE);
    });
    let url = |port: u16| format!("http://proxy.lab:{port}");
    let through = |port: u16| world.check(&["network", "--proxy", &url(port)]);
    let with = format!("http://divvy:{ENCODED}@proxy.lab:4001");
    for url in ["http://proxy.lab:4001", &with] {
        said_once(
            &world.check(&["network", "--proxy", url]),
            "connect",
            &["wants a login by Negotiate, NTLM only", "Basic only", "ask the proxy team for Basic"],
        );
    }
    let seen = through(4002);
    let closed = seen.expect(
        "network-endpoint",
        "fail",
        &["TLS to divvycentral.divvycloud.com:443 does not come about through proxy.lab:4002"],
    );
    assert_eq!(closed["stage"], "tls");
    assert_eq!(seen.all("network-proxy", "").count(), 0);
    through(4003).expect(
        "network-endpoint",
        "fail",
        &["instead of divvycentral.divvycloud.com:443 a page answers: \"Zscaler: blocked\"", "a block page of Zscaler"],
    );
    through(4004).expect(
        "network-endpoint",
        "fail",
        &["the proxy answered CONNECT to divvycentral.divvycloud.com:443 with HTTP 302"],
    );
    said_once(&through(4005), "connect", &["does not answer CONNECT", "closed without a word"]);
    said_once(
        &world.check(&["network", "--proxy", &url(4006), "--connect-timeout", "1s", "--timeout", "10s"]),
        "connect",
        &["the proxy proxy.lab:4006 does not answer CONNECT in time", "nothing came within 1"],
    );
}

#[test]
fn in_the_clear_the_proxys_answer_is_told_from_the_origins() {
    let world = world();
    let file = world.endpoints(
        "clear.toml",
        &["hello.lab", "forbids.lab", "denied.lab", "refused.lab", "nowhere.lab"].map(|name| (name, 80)),
    );
    let url = format!("http://divvy:{ENCODED}@proxy.lab:3138");
    let seen = world.check(&["network", "--proxy", &url, "--endpoints", &file]);
    seen.expect("network-endpoint", "pass", &["hello.lab:80 is reached through proxy.lab:3138", "HTTP 200"]);
    // The origin's own 403 is an answer; the way is open.
    seen.expect("network-endpoint", "pass", &["forbids.lab:80 is reached through proxy.lab:3138", "HTTP 403"]);
    let denied = seen.expect(
        "network-endpoint",
        "fail",
        &["the proxy forbids denied.lab:80 (HTTP 403)", "HTTP 403 from the proxy"],
    );
    assert_eq!(denied["stage"], "http");
    for (name, words) in CANNOT {
        let title = format!("the proxy cannot reach {name}:80 (HTTP 50");
        seen.expect("network-endpoint", "fail", &[&title, "from the proxy", words, &format!("curl -v http://{name}/")]);
    }
    // squid takes the login off.
    let log = world.read("nginx.log");
    assert!(log.contains("forbids.lab") && !log.contains("login=\"Basic"), "{log}");
    let seen = world.check(&["network", "--endpoints", &file, "--via", "direct"]);
    seen.expect("network-endpoint", "pass", &["forbids.lab:80 is reached directly", "HTTP 403"]);
    seen.expect("network-endpoint", "fail", &["refused.lab:80 refuses the connection directly"]);

    // Proxies of their own for http and https: the one that is broken is named, the other is not.
    let seen = world.check(&[
        "network",
        "--endpoints",
        &file,
        "--http-proxy",
        "http://proxy.lab:9",
        "--https-proxy",
        "http://proxy.lab:3128",
    ]);
    seen.expect("network-proxy", "fail", &["nothing listens at the proxy proxy.lab:9 (--http-proxy)"]);
    seen.expect("network-endpoint", "skip", &["hello.lab:80 was not reached through proxy.lab:9"]);
    seen.expect("network-endpoint", "pass", &["divvycentral.divvycloud.com:443 is reached through proxy.lab:3128"]);
}
