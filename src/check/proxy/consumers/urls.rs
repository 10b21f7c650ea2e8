//! How proxy URLs are written, at each place where one stands.

use super::judge;
use crate::consumers::{Consumer, ConsumersFacts, Flaw, ProxyValue};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};

/// One finding for each kind of flaw that is there, naming all its places; one that passes where there is none.
pub(super) fn judge_urls(facts: &ConsumersFacts) -> Vec<Finding> {
    let mut places: Vec<(String, &ProxyValue)> = Vec::new();
    for consumer in &facts.consumers {
        places.extend(values(consumer));
    }
    if places.is_empty() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule.judge(&places)).collect();
    findings.extend(two(facts));
    if findings.is_empty() {
        let title = "every proxy URL is written so that all clients read the same";
        let shown: Vec<String> = places.iter().map(|(place, value)| format!("{} ({place})", value.shown)).collect();
        findings.push(Finding::new(ids::PROXY_URL, Status::Pass, title).observed(shown.join("; ")));
    }
    findings
}

/// `http_proxy of a login (/etc/environment)` and so on.
fn values(consumer: &Consumer) -> Vec<(String, &ProxyValue)> {
    let all = [
        ("http_proxy", &consumer.http),
        ("HTTP_PROXY", &consumer.http_upper),
        ("https_proxy", &consumer.https),
        ("HTTPS_PROXY", &consumer.https_upper),
    ];
    let place = |name: &str| format!("{name} of {}, {}", judge::who(consumer), consumer.source);
    all.into_iter().filter_map(|(name, value)| Some((place(name), value.as_ref()?))).collect()
}

/// What is said of a kind of flaw.
struct Rule {
    flaws: &'static [Flaw],
    id: FindingId,
    status: Status,
    title: &'static str,
    expected: &'static str,
    cause: &'static str,
    fix: &'static str,
}

const ENCODE: &str =
    "let ics-setup encode it: ics-setup prepare --proxy http://HOST:PORT --proxy-user USER --proxy-password-file FILE";

const RULES: [Rule; 11] = [
    Rule {
        flaws: &[Flaw::NoScheme, Flaw::OtherScheme],
        id: ids::PROXY_URL_SCHEME,
        status: Status::Fail,
        title: "a proxy URL does not begin with http://",
        expected: "http://HOST:PORT",
        cause: "without http:// apt, Ruby, undici and aiohttp refuse the value or go around the proxy",
        fix: "ics-setup prepare --proxy http://HOST:PORT",
    },
    Rule {
        flaws: &[Flaw::Socks],
        id: ids::PROXY_URL_SOCKS,
        status: Status::Fail,
        title: "a proxy URL names a SOCKS proxy",
        expected: "http://HOST:PORT of an HTTP proxy",
        cause: "only curl and Go speak SOCKS without further packages; the product's Python does not",
        fix: "ask the proxy team for an HTTP proxy: ics-setup prepare --proxy http://HOST:PORT",
    },
    Rule {
        flaws: &[Flaw::Https],
        id: ids::PROXY_URL_HTTPS,
        status: Status::Warn,
        title: "a proxy URL begins with https://",
        expected: "http://HOST:PORT, for http and https requests alike",
        cause: "https:// means TLS to the proxy itself; with an ordinary proxy port clients fail with wrong version number",
        fix: "unless the port speaks TLS (proxy-language tells): ics-setup prepare --proxy http://HOST:PORT",
    },
    Rule {
        flaws: &[Flaw::NoPort, Flaw::BadPort],
        id: ids::PROXY_URL_PORT,
        status: Status::Fail,
        title: "a proxy URL names no port",
        expected: "http://HOST:PORT",
        cause: "without a port curl asks port 1080, most other clients 80, urllib and apt 443 for https requests",
        fix: "ics-setup prepare --proxy http://HOST:PORT",
    },
    Rule {
        flaws: &[Flaw::BadHost],
        id: ids::PROXY_URL_HOST,
        status: Status::Fail,
        title: "a proxy URL names no host that can be reached",
        expected: "a host name, an IPv4 address or an IPv6 address in brackets",
        cause: "what stands between http:// and the port is no name and no address",
        fix: "ics-setup prepare --proxy http://HOST:PORT",
    },
    Rule {
        flaws: &[Flaw::Reserved],
        id: ids::PROXY_URL_RESERVED,
        status: Status::Fail,
        title: "user or password in a proxy URL are not percent-encoded",
        expected: "only A-Z a-z 0-9 - . _ ~ and %XX in user and password",
        cause: "@ : / # ? and others have a meaning in URLs: curl, wget, Ruby and reqwest fail, or log in with a part of the password",
        fix: ENCODE,
    },
    Rule {
        flaws: &[Flaw::BarePercent],
        id: ids::PROXY_URL_PERCENT,
        status: Status::Fail,
        title: "a % in a proxy URL begins no escape",
        expected: "%25 for a % in user or password",
        cause: "Go takes such a value for no proxy at all and goes direct, Ruby and undici fail",
        fix: ENCODE,
    },
    Rule {
        flaws: &[Flaw::Blank],
        id: ids::PROXY_URL_BLANK,
        status: Status::Fail,
        title: "a proxy URL has blanks or quotes in it",
        expected: "the bare URL",
        cause: "its reader takes quotes and blanks as parts of the value: docker and Compose 1.25 keep the quotes of prod.env, pam_env keeps blanks at the end",
        fix: "write the line again without them: ics-setup prepare; for prod.env: ics-setup reconfigure",
    },
    Rule {
        flaws: &[Flaw::NotAscii],
        id: ids::PROXY_URL_NOT_ASCII,
        status: Status::Warn,
        title: "the user or password in a proxy URL is not ASCII",
        expected: "an account with an ASCII name and password",
        cause: "some clients send it as UTF-8, others as Latin-1, and botocore stops with an exception",
        fix: "ask the proxy team for an ASCII password",
    },
    Rule {
        flaws: &[Flaw::NoPassword],
        id: ids::PROXY_URL_NO_PASSWORD,
        status: Status::Warn,
        title: "a proxy URL names a user and no password",
        expected: "http://USER:PASSWORD@HOST:PORT, or no user",
        cause: "some clients log in with an empty password, others do not log in at all",
        fix: "ics-setup prepare --proxy http://HOST:PORT --proxy-user USER --proxy-password-file FILE",
    },
    Rule {
        flaws: &[Flaw::Path],
        id: ids::PROXY_URL_PATH,
        status: Status::Warn,
        title: "a proxy URL has something behind its port",
        expected: "http://HOST:PORT and nothing behind it",
        cause: "a proxy has no path: clients ignore it, or refuse the value",
        fix: "ics-setup prepare --proxy http://HOST:PORT",
    },
];

impl Rule {
    fn judge(&self, places: &[(String, &ProxyValue)]) -> Option<Finding> {
        let has = |value: &ProxyValue| value.flaws.iter().any(|flaw| self.flaws.contains(flaw));
        let shown: Vec<String> = places
            .iter()
            .filter(|(_, value)| has(value))
            .map(|(place, value)| format!("{} ({place})", value.shown))
            .collect();
        if shown.is_empty() {
            return None;
        }
        Some(
            Finding::new(self.id, self.status, self.title)
                .expected(self.expected)
                .observed(shown.join("; "))
                .cause(self.cause)
                .fix(self.fix)
                .evidence("places", shown),
        )
    }
}

/// Consumers with one proxy for http and another for https requests, which is rarely meant.
fn two(facts: &ConsumersFacts) -> Option<Finding> {
    let differ = |consumer: &&Consumer| match (consumer.proxy(false), consumer.proxy(true)) {
        (Some(http), Some(https)) => (&http.shown, http.password) != (&https.shown, https.password),
        _ => false,
    };
    let shown: Vec<String> = facts
        .consumers
        .iter()
        .filter(differ)
        .map(|consumer| format!("{}: {}", judge::who(consumer), judge::shown(consumer)))
        .collect();
    (!shown.is_empty()).then(|| {
        let title = "http and https requests go through different proxies";
        Finding::new(ids::PROXY_URL_TWO, Status::Warn, title)
            .expected("one proxy URL for both, unless the proxy team says otherwise")
            .observed(shown.join("; "))
            .cause(
                "usually one of the two was forgotten when the proxy or its password moved, or has https:// by mistake",
            )
            .fix("one for both: ics-setup prepare --proxy http://HOST:PORT")
    })
}
