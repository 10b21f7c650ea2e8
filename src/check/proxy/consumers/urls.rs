//! How proxy URLs are written, at each place where one stands.

use crate::consumers::judge;
use crate::consumers::{Consumer, ConsumersFacts, Decided, Flaw, ProxyValue, Wanted};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::text;
use crate::text::{Fix, Text, ics_setup, own, quoted};

/// One finding for each kind of flaw that is there, naming all its places; one that passes where there is none.
pub(super) fn judge_urls(facts: &ConsumersFacts, wanted: &Wanted) -> Vec<Finding> {
    let places: Vec<Found<'_>> = facts.consumers.iter().flat_map(|consumer| values(facts, consumer)).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule.judge(&places, wanted)).collect();
    findings.extend(two(facts, wanted));
    if findings.is_empty() {
        let title = "every proxy URL is written so that all clients read the same";
        let shown = Text::join(places.iter().map(Found::shown), "; ");
        findings.push(Finding::new(ids::PROXY_URL, Status::Pass, title).observed(shown));
    }
    findings
}

/// A value at one place.
struct Found<'a> {
    facts: &'a ConsumersFacts,
    consumer: &'a Consumer,
    name: &'static str,
    value: &'a ProxyValue,
}

impl Found<'_> {
    /// `http://h:1 (http_proxy of a login, /etc/environment)`
    fn shown(&self) -> Text {
        let Self { consumer, name, value, .. } = self;
        text!("{} ({} of {}, {})", value.text(), own(name), judge::who(consumer), own(&consumer.source))
    }

    /// Host and port, where they can be told from a value that has these flaws alone and no login.
    fn place(&self) -> Option<&str> {
        let spelling = |flaw: &Flaw| matches!(flaw, Flaw::NoScheme | Flaw::OtherScheme | Flaw::Https | Flaw::Path);
        let ProxyValue { shown, flaws, .. } = self.value;
        if shown.contains('@') || !flaws.iter().all(spelling) {
            return None;
        }
        let rest = shown.split_once("://").map_or(shown.as_str(), |(_, rest)| rest);
        Some(&rest[..rest.find(['/', '?', '#', '…']).unwrap_or(rest.len())])
    }

    /// The verb that writes what this consumer reads, and more flags of it; `None`: a file of somebody else decides it.
    fn writer(&self) -> Option<Writer> {
        let decided = &self.consumer.decided;
        let others = |name: &String, at: &Decided| name.eq_ignore_ascii_case(self.name) && !at.ours;
        if decided.iter().any(|(name, at)| others(name, at)) {
            return None;
        }
        self.consumer.consumer.profile().writer()
    }
}

/// A verb, and more flags of it.
type Writer = (&'static str, &'static str);

fn values<'a>(facts: &'a ConsumersFacts, consumer: &'a Consumer) -> impl Iterator<Item = Found<'a>> {
    consumer.urls().map(move |(name, value)| Found { facts, consumer, name, value })
}

/// The flag without which this verb refuses.
fn others(places: &[&Found<'_>], (verb, _): Writer, wanted: Option<&Wanted>) -> &'static str {
    places.first().map_or("", |found| judge::others(verb, found.facts, wanted))
}

/// The commands that set the proxy anew for all of these, where it is known which one: the wanted one, else the one that
/// the values name. The words of `otherwise` where a person has to say.
fn set(places: &[&Found<'_>], wanted: &Wanted, otherwise: Option<fn() -> Text>) -> Vec<Fix> {
    let mut writers: Vec<Writer> = places.iter().filter_map(|found| found.writer()).collect();
    writers.sort_unstable();
    writers.dedup();
    let complete = places.iter().all(|found| found.writer().is_some());
    if complete && wanted.asked && wanted.is_proxy() {
        let write = |(verb, more)| Some(judge::write(verb, more, places.first()?.facts, wanted));
        return writers.into_iter().filter_map(write).collect();
    }
    let mut known: Vec<Option<&str>> = places.iter().map(|found| found.place()).collect();
    known.sort_unstable();
    known.dedup();
    match (otherwise, known.as_slice()) {
        (Some(_), [Some(place)]) if complete => {
            let url = quoted(&format!("http://{place}"));
            let command = |writer @ (verb, more): Writer| {
                ics_setup(text!(
                    "{} --proxy {}{}{}",
                    own(verb),
                    own(&url),
                    own(more),
                    own(others(places, writer, None))
                ))
            };
            writers.into_iter().map(|writer| Fix::Command(command(writer))).collect()
        }
        (Some(words), _) => vec![Fix::Advice(words())],
        (None, _) => Vec::new(),
    }
}

/// What is said of a kind of flaw.
struct Rule {
    flaws: &'static [Flaw],
    id: FindingId,
    status: Status,
    title: &'static str,
    expected: &'static str,
    cause: &'static str,
    fix: fn(&[&Found<'_>], &Wanted) -> Vec<Fix>,
}

fn set_anew() -> Text {
    text!("set it anew: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>"))
}

fn with_login() -> Text {
    ics_setup("prepare --proxy http://<HOST>:<PORT> --proxy-user <USER> --proxy-password-file <FILE>").into()
}

fn encode() -> Text {
    text!("let ics-setup encode it: {}", with_login())
}

/// What is wanted; else what stands there already, without the blanks.
fn write_again(places: &[&Found<'_>], wanted: &Wanted) -> Vec<Fix> {
    let fixes = set(places, wanted, None);
    if !fixes.is_empty() {
        return fixes;
    }
    // Without a proxy that is wanted or found there is nothing to write.
    if !wanted.is_proxy() {
        return set(places, wanted, Some(set_anew));
    }
    let mut writers: Vec<Option<Writer>> = places.iter().map(|found| found.writer()).collect();
    writers.sort_unstable();
    writers.dedup();
    let again = |writer| match writer {
        Some(writer @ (verb, more)) => {
            Fix::Command(ics_setup(text!("{}{}{}", own(verb), own(more), own(others(places, writer, Some(wanted))))))
        }
        None => Fix::Advice("write the other lines again without them".into()),
    };
    writers.into_iter().map(again).collect()
}

/// Where nobody says which proxy is wanted, the file is mended and its proxy stays.
fn without_carriage_returns() -> Text {
    "take the line ends of Windows out of its file: env-file-line-ends names the command".into()
}

const RULES: [Rule; 12] = [
    Rule {
        flaws: &[Flaw::NoScheme, Flaw::OtherScheme],
        id: ids::PROXY_URL_SCHEME,
        status: Status::Fail,
        title: "a proxy URL does not begin with http://",
        expected: "http://HOST:PORT",
        cause: "without http:// apt, Ruby, undici and aiohttp refuse the value or go around the proxy",
        fix: |places, wanted| set(places, wanted, Some(set_anew)),
    },
    Rule {
        flaws: &[Flaw::Socks],
        id: ids::PROXY_URL_SOCKS,
        status: Status::Fail,
        title: "a proxy URL names a SOCKS proxy",
        expected: "http://HOST:PORT of an HTTP proxy",
        cause: "only curl and Go speak SOCKS without further packages; the product's Python does not",
        fix: |places, wanted| {
            let ask =
                || text!("ask the proxy team for an HTTP proxy: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>"));
            set(places, wanted, Some(ask))
        },
    },
    Rule {
        flaws: &[Flaw::Https],
        id: ids::PROXY_URL_HTTPS,
        status: Status::Warn,
        title: "a proxy URL begins with https://",
        expected: "http://HOST:PORT, for http and https requests alike",
        cause: "https:// means TLS to the proxy itself; with an ordinary proxy port clients fail with wrong version number",
        fix: |places, wanted| {
            let mut fixes = set(places, wanted, Some(set_anew));
            fixes.push(Fix::Advice("leave it where the port speaks TLS (proxy-language tells)".into()));
            fixes
        },
    },
    Rule {
        flaws: &[Flaw::NoPort, Flaw::BadPort],
        id: ids::PROXY_URL_PORT,
        status: Status::Fail,
        title: "a proxy URL names no port",
        expected: "http://HOST:PORT",
        cause: "without a port curl asks port 1080, most other clients 80, urllib and apt 443 for https requests",
        fix: |places, wanted| set(places, wanted, Some(set_anew)),
    },
    Rule {
        flaws: &[Flaw::BadHost],
        id: ids::PROXY_URL_HOST,
        status: Status::Fail,
        title: "a proxy URL names no host that can be reached",
        expected: "a host name, an IPv4 address or an IPv6 address in brackets",
        cause: "what stands between http:// and the port is no name and no address",
        fix: |places, wanted| set(places, wanted, Some(set_anew)),
    },
    Rule {
        flaws: &[Flaw::Reserved],
        id: ids::PROXY_URL_RESERVED,
        status: Status::Fail,
        title: "user or password in a proxy URL are not percent-encoded",
        expected: "only A-Z a-z 0-9 - . _ ~ and %XX in user and password",
        cause: "@ : / # ? and others have a meaning in URLs: curl, wget, Ruby and reqwest fail, or log in with a part of the password",
        fix: |places, wanted| set(places, wanted, Some(encode)),
    },
    Rule {
        flaws: &[Flaw::BarePercent],
        id: ids::PROXY_URL_PERCENT,
        status: Status::Fail,
        title: "a % in a proxy URL begins no escape",
        expected: "%25 for a % in user or password",
        cause: "Go takes such a value for no proxy at all and goes direct, Ruby and undici fail",
        fix: |places, wanted| set(places, wanted, Some(encode)),
    },
    Rule {
        flaws: &[Flaw::Blank],
        id: ids::PROXY_URL_BLANK,
        status: Status::Fail,
        title: "a proxy URL has blanks or quotes in it",
        expected: "the bare URL",
        cause: "its reader takes quotes and blanks as parts of the value: docker and Compose 1.25 keep the quotes of prod.env, pam_env keeps blanks at the end",
        fix: write_again,
    },
    Rule {
        flaws: &[Flaw::CarriageReturn],
        id: ids::PROXY_URL_BLANK,
        status: Status::Fail,
        title: "a proxy URL ends in a carriage return, which nothing shows",
        expected: "lines that end in a line feed alone",
        cause: "its file has line ends of Windows, and its reader takes the carriage return for the last character of the port",
        fix: |places, wanted| match wanted.asked {
            true => set(places, wanted, Some(without_carriage_returns)),
            false => vec![Fix::Advice(without_carriage_returns())],
        },
    },
    Rule {
        flaws: &[Flaw::NotAscii],
        id: ids::PROXY_URL_NOT_ASCII,
        status: Status::Warn,
        title: "the user or password in a proxy URL is not ASCII",
        expected: "an account with an ASCII name and password",
        cause: "some clients send it as UTF-8, others as Latin-1, and botocore stops with an exception",
        fix: |_, _| vec![Fix::Advice("ask the proxy team for an ASCII password".into())],
    },
    Rule {
        flaws: &[Flaw::NoPassword],
        id: ids::PROXY_URL_NO_PASSWORD,
        status: Status::Warn,
        title: "a proxy URL names a user and no password",
        expected: "http://USER:PASSWORD@HOST:PORT, or no user",
        cause: "some clients log in with an empty password, others do not log in at all",
        fix: |places, wanted| set(places, wanted, Some(|| text!("set it anew with the password: {}", with_login()))),
    },
    Rule {
        flaws: &[Flaw::Path],
        id: ids::PROXY_URL_PATH,
        status: Status::Warn,
        title: "a proxy URL has something behind its port",
        expected: "http://HOST:PORT and nothing behind it",
        cause: "a proxy has no path: clients ignore it, or refuse the value",
        fix: |places, wanted| set(places, wanted, Some(set_anew)),
    },
];

impl Rule {
    fn judge(&self, places: &[Found<'_>], wanted: &Wanted) -> Option<Finding> {
        let has = |found: &&Found<'_>| found.value.flaws.iter().any(|flaw| self.flaws.contains(flaw));
        let places: Vec<&Found<'_>> = places.iter().filter(has).collect();
        if places.is_empty() {
            return None;
        }
        let shown: Vec<Text> = places.iter().map(|found| found.shown()).collect();
        let finding = Finding {
            fix: (self.fix)(&places, wanted),
            ..Finding::new(self.id, self.status, self.title)
                .expected(self.expected)
                .observed(Text::join(shown.iter().cloned(), "; "))
                .cause(self.cause)
        };
        Some(finding.evidence("places", shown))
    }
}

/// Consumers with one proxy for http and another for https requests, which is rarely meant.
fn two(facts: &ConsumersFacts, wanted: &Wanted) -> Option<Finding> {
    let differ = |consumer: &&Consumer| match (consumer.proxy(false), consumer.proxy(true)) {
        (Some(http), Some(https)) => (&http.shown, http.password) != (&https.shown, https.password),
        _ => false,
    };
    let consumers: Vec<&Consumer> = facts.consumers.iter().filter(differ).collect();
    let shown = consumers.iter().map(|consumer| text!("{}: {}", judge::who(consumer), judge::shown(consumer, &[])));
    let shown: Vec<Text> = shown.collect();
    (!shown.is_empty()).then(|| {
        let title = "http and https requests go through different proxies";
        let found: Vec<Found<'_>> = consumers.into_iter().flat_map(|consumer| values(facts, consumer)).collect();
        let one: fn() -> Text = || text!("set one for both: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>"));
        let same = wanted.http.as_ref().map(|own| &own.url) == wanted.https.as_ref().map(|own| &own.url);
        let fix = match same {
            true => set(&found.iter().collect::<Vec<_>>(), wanted, Some(one)),
            false => vec![Fix::Advice(one())],
        };
        let finding = Finding::new(ids::PROXY_URL_TWO, Status::Warn, title)
            .expected("one proxy URL for both, unless the proxy team says otherwise")
            .observed(Text::join(shown, "; "))
            .cause(
                "usually one of the two was forgotten when the proxy or its password moved, or has https:// by mistake",
            );
        Finding { fix, ..finding }
    })
}
