//! How proxy URLs are written, at each place where one stands.

use crate::consumers::judge;
use crate::consumers::{Consumer, ConsumersFacts, Flaw, ProxyValue};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::text;
use crate::text::{Text, ics_setup, own};

/// One finding for each kind of flaw that is there, naming all its places; one that passes where there is none.
pub(super) fn judge_urls(facts: &ConsumersFacts) -> Vec<Finding> {
    let places: Vec<(Text, &ProxyValue)> = facts.consumers.iter().flat_map(values).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule.judge(&places)).collect();
    findings.extend(two(facts));
    if findings.is_empty() {
        let title = "every proxy URL is written so that all clients read the same";
        let shown = Text::join(places.iter().map(|(place, value)| text!("{} ({})", value.text(), place)), "; ");
        findings.push(Finding::new(ids::PROXY_URL, Status::Pass, title).observed(shown));
    }
    findings
}

/// `http_proxy of a login (/etc/environment)` and so on.
fn values(consumer: &Consumer) -> impl Iterator<Item = (Text, &ProxyValue)> {
    let place = |name: &str| text!("{} of {}, {}", own(name), judge::who(consumer), own(&consumer.source));
    consumer.urls().map(move |(name, value)| (place(name), value))
}

/// What is said of a kind of flaw.
struct Rule {
    flaws: &'static [Flaw],
    id: FindingId,
    status: Status,
    title: &'static str,
    expected: &'static str,
    cause: &'static str,
    advice: fn() -> Text,
}

fn set_anew() -> Text {
    text!("set it anew: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>"))
}

fn with_login() -> Text {
    ics_setup("prepare --proxy http://<HOST>:<PORT> --proxy-user <USER> --proxy-password-file <FILE>")
}

fn encode() -> Text {
    text!("let ics-setup encode it: {}", with_login())
}

const RULES: [Rule; 11] = [
    Rule {
        flaws: &[Flaw::NoScheme, Flaw::OtherScheme],
        id: ids::PROXY_URL_SCHEME,
        status: Status::Fail,
        title: "a proxy URL does not begin with http://",
        expected: "http://HOST:PORT",
        cause: "without http:// apt, Ruby, undici and aiohttp refuse the value or go around the proxy",
        advice: set_anew,
    },
    Rule {
        flaws: &[Flaw::Socks],
        id: ids::PROXY_URL_SOCKS,
        status: Status::Fail,
        title: "a proxy URL names a SOCKS proxy",
        expected: "http://HOST:PORT of an HTTP proxy",
        cause: "only curl and Go speak SOCKS without further packages; the product's Python does not",
        advice: || text!("ask the proxy team for an HTTP proxy: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>")),
    },
    Rule {
        flaws: &[Flaw::Https],
        id: ids::PROXY_URL_HTTPS,
        status: Status::Warn,
        title: "a proxy URL begins with https://",
        expected: "http://HOST:PORT, for http and https requests alike",
        cause: "https:// means TLS to the proxy itself; with an ordinary proxy port clients fail with wrong version number",
        advice: || {
            text!(
                "set it anew, unless the port speaks TLS (proxy-language tells): {}",
                ics_setup("prepare --proxy http://<HOST>:<PORT>")
            )
        },
    },
    Rule {
        flaws: &[Flaw::NoPort, Flaw::BadPort],
        id: ids::PROXY_URL_PORT,
        status: Status::Fail,
        title: "a proxy URL names no port",
        expected: "http://HOST:PORT",
        cause: "without a port curl asks port 1080, most other clients 80, urllib and apt 443 for https requests",
        advice: set_anew,
    },
    Rule {
        flaws: &[Flaw::BadHost],
        id: ids::PROXY_URL_HOST,
        status: Status::Fail,
        title: "a proxy URL names no host that can be reached",
        expected: "a host name, an IPv4 address or an IPv6 address in brackets",
        cause: "what stands between http:// and the port is no name and no address",
        advice: set_anew,
    },
    Rule {
        flaws: &[Flaw::Reserved],
        id: ids::PROXY_URL_RESERVED,
        status: Status::Fail,
        title: "user or password in a proxy URL are not percent-encoded",
        expected: "only A-Z a-z 0-9 - . _ ~ and %XX in user and password",
        cause: "@ : / # ? and others have a meaning in URLs: curl, wget, Ruby and reqwest fail, or log in with a part of the password",
        advice: encode,
    },
    Rule {
        flaws: &[Flaw::BarePercent],
        id: ids::PROXY_URL_PERCENT,
        status: Status::Fail,
        title: "a % in a proxy URL begins no escape",
        expected: "%25 for a % in user or password",
        cause: "Go takes such a value for no proxy at all and goes direct, Ruby and undici fail",
        advice: encode,
    },
    Rule {
        flaws: &[Flaw::Blank],
        id: ids::PROXY_URL_BLANK,
        status: Status::Fail,
        title: "a proxy URL has blanks or quotes in it",
        expected: "the bare URL",
        cause: "its reader takes quotes and blanks as parts of the value: docker and Compose 1.25 keep the quotes of prod.env, pam_env keeps blanks at the end",
        advice: || {
            text!(
                "write the line again without them: {}; for prod.env: {}",
                ics_setup("prepare"),
                ics_setup("reconfigure")
            )
        },
    },
    Rule {
        flaws: &[Flaw::NotAscii],
        id: ids::PROXY_URL_NOT_ASCII,
        status: Status::Warn,
        title: "the user or password in a proxy URL is not ASCII",
        expected: "an account with an ASCII name and password",
        cause: "some clients send it as UTF-8, others as Latin-1, and botocore stops with an exception",
        advice: || "ask the proxy team for an ASCII password".into(),
    },
    Rule {
        flaws: &[Flaw::NoPassword],
        id: ids::PROXY_URL_NO_PASSWORD,
        status: Status::Warn,
        title: "a proxy URL names a user and no password",
        expected: "http://USER:PASSWORD@HOST:PORT, or no user",
        cause: "some clients log in with an empty password, others do not log in at all",
        advice: || text!("set it anew with the password: {}", with_login()),
    },
    Rule {
        flaws: &[Flaw::Path],
        id: ids::PROXY_URL_PATH,
        status: Status::Warn,
        title: "a proxy URL has something behind its port",
        expected: "http://HOST:PORT and nothing behind it",
        cause: "a proxy has no path: clients ignore it, or refuse the value",
        advice: set_anew,
    },
];

impl Rule {
    fn judge(&self, places: &[(Text, &ProxyValue)]) -> Option<Finding> {
        let has = |value: &ProxyValue| value.flaws.iter().any(|flaw| self.flaws.contains(flaw));
        let shown: Vec<Text> = places
            .iter()
            .filter(|(_, value)| has(value))
            .map(|(place, value)| text!("{} ({})", value.text(), place))
            .collect();
        if shown.is_empty() {
            return None;
        }
        Some(
            Finding::new(self.id, self.status, self.title)
                .expected(self.expected)
                .observed(Text::join(shown.iter().cloned(), "; "))
                .cause(self.cause)
                .advise((self.advice)())
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
    let shown: Vec<Text> = facts
        .consumers
        .iter()
        .filter(differ)
        .map(|consumer| text!("{}: {}", judge::who(consumer), judge::shown(consumer, &[])))
        .collect();
    (!shown.is_empty()).then(|| {
        let title = "http and https requests go through different proxies";
        Finding::new(ids::PROXY_URL_TWO, Status::Warn, title)
            .expected("one proxy URL for both, unless the proxy team says otherwise")
            .observed(Text::join(shown, "; "))
            .cause(
                "usually one of the two was forgotten when the proxy or its password moved, or has https:// by mistake",
            )
            .advise(text!("set one for both: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>")))
    })
}
