//! Goes the way to one endpoint and notes each stage with its time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::stream::{Behind, Bounded, Peeked};
use super::{Certificate, inspector};
use crate::net::{self, Answer, Distrust, Handshake, NetError, Roots, Time, basic, request};
use crate::settings::{ProxyUrl, Scheme};
use crate::text::{clean, host_port};

/// More is not read of one endpoint: handshake, head and the beginning of a page.
const BUDGET: usize = 256 << 10;

/// How much of a page is looked at.
const PAGE: usize = 4 << 10;

/// A stage of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Name → address; of the proxy, where there is one.
    Resolve,
    /// Connection; to the proxy, where there is one.
    Tcp,
    /// TLS to the proxy itself.
    ProxyTls,
    /// The proxy opens the tunnel.
    Connect,
    /// TLS to the endpoint.
    Tls,
    /// The certificate's verdict.
    Certificate,
    /// The answer to a request.
    Http,
}

impl Stage {
    /// The word in JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Tcp => "tcp",
            Self::ProxyTls => "proxy-tls",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Http => "http",
        }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Without the proxy.
    Direct,
    /// Through it.
    Proxy,
}

impl Via {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxy => "proxy",
        }
    }
}

/// One stage that was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// Why a stage was not passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Cause {
    /// Name, connection or conversation: see the trouble. At `resolve` and `tcp` with a proxy it is the proxy's.
    NetError {
        /// What.
        #[serde(flatten)]
        trouble: NetError,
    },
    /// The proxy asks for a login.
    ProxyLogin {
        /// Which ways to log in it offers.
        schemes: Vec<String>,
        /// Was one sent?
        sent: bool,
    },
    /// The proxy forbids it: its status.
    ProxyForbids {
        /// 4xx but 407.
        status: u16,
    },
    /// The proxy did not get there: its status.
    ProxyFailed {
        /// 5xx.
        status: u16,
        /// Its own word for why, where it has one: `ERR_DNS_FAIL`.
        #[serde(default)]
        word: Option<String>,
    },
    /// The proxy answered CONNECT with something else.
    ProxyAnswered {
        /// Its status.
        status: u16,
    },
    /// The endpoint's port does not speak TLS through this way, but answers with a page.
    Page {
        /// Words of its title, where there are.
        title: Option<String>,
    },
}

/// Where the way ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stage that was not passed.
    pub stage: Stage,
    /// Why.
    #[serde(flatten)]
    pub why: Cause,
    /// How long it took to fail, in milliseconds.
    pub took_ms: u64,
}

/// What came over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// `Server`.
    pub server: Option<String>,
    /// `Via`.
    pub via: Option<String>,
    /// The host that a redirect leads to.
    pub to: Option<String>,
    /// The title of a page of HTML.
    pub title: Option<String>,
    /// Is it HTML?
    pub html: bool,
    /// `Date`, as sent.
    pub date: Option<String>,
}

/// The whole way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathProbe {
    /// Which way.
    pub via: Via,
    /// The stages that were passed.
    pub steps: Vec<Step>,
    /// Where it ended, unless all were.
    pub failure: Option<Failure>,
    /// The addresses of the endpoint's name, as this host sees them (direct only).
    pub addresses: Vec<String>,
    /// The certificate that was presented.
    pub certificate: Option<Certificate>,
    /// By this host's certificates: `None` is trust.
    pub by_host: Option<Distrust>,
    /// By the public certificates.
    pub by_public: Option<Distrust>,
    /// What came over HTTP.
    pub page: Option<Page>,
}

impl PathProbe {
    fn begin(via: Via) -> Self {
        Self {
            via,
            steps: Vec::new(),
            failure: None,
            addresses: Vec::new(),
            certificate: None,
            by_host: None,
            by_public: None,
            page: None,
        }
    }

    /// Milliseconds of the whole way.
    pub fn millis(&self) -> u64 {
        // Facts may come from a file that anybody has edited.
        let steps = self.steps.iter().map(|step| step.millis);
        steps.chain(self.failure.iter().map(|end| end.took_ms)).fold(0, u64::saturating_add)
    }

    /// Runs one stage and notes its end.
    fn stage<T>(&mut self, stage: Stage, work: impl FnOnce(&mut Self) -> Result<T, Cause>) -> Option<T> {
        let began = Instant::now();
        let result = work(self);
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(value) => {
                self.steps.push(Step { stage, millis });
                Some(value)
            }
            Err(why) => {
                self.failure = Some(Failure { stage, why, took_ms: millis });
                None
            }
        }
    }
}

impl From<NetError> for Cause {
    fn from(trouble: NetError) -> Self {
        Self::NetError { trouble }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Name of the endpoint.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Connect to this address instead of the name's; the name is still the one in TLS.
    pub address: Option<&'a str>,
    /// TLS, or a request in the clear.
    pub tls: bool,
    /// The path of the request; `None`: nothing is said, the open port is all that counts.
    pub path: Option<&'a str>,
}

/// Goes the whole way, direct or through `proxy`. Ends within `time`; never sends anything secret to anybody but the proxy,
/// and to that only over the language that its URL names.
pub fn probe(asked: &Asked<'_>, proxy: Option<&ProxyUrl>, roots: &Roots, time: Time) -> PathProbe {
    match proxy {
        None => direct(asked, roots, time),
        Some(proxy) => through(asked, proxy, roots, time),
    }
}

fn direct(asked: &Asked<'_>, roots: &Roots, time: Time) -> PathProbe {
    let mut probe = PathProbe::begin(Via::Direct);
    let host = asked.address.unwrap_or(asked.host);
    let Some(addresses) = probe.stage(Stage::Resolve, |_| Ok(net::resolve(host, asked.port, time)?)) else {
        return probe;
    };
    probe.addresses = addresses.iter().map(|address| address.ip().to_string()).take(16).collect();
    let Some(wire) = probe.stage(Stage::Tcp, |_| Ok(net::connect(&addresses, time, BUDGET)?)) else { return probe };
    beyond(&mut probe, wire, asked, roots);
    probe
}

fn through(asked: &Asked<'_>, proxy: &ProxyUrl, roots: &Roots, time: Time) -> PathProbe {
    let mut probe = PathProbe::begin(Via::Proxy);
    let host = proxy.host.to_string();
    let port = proxy.port.unwrap_or_else(|| proxy.scheme.usual_port());
    let Some(addresses) = probe.stage(Stage::Resolve, |_| Ok(net::resolve(&host, port, time)?)) else { return probe };
    let Some(wire) = probe.stage(Stage::Tcp, |_| Ok(net::connect(&addresses, time, BUDGET)?)) else { return probe };
    match proxy.scheme {
        Scheme::Http => {
            behind(&mut probe, wire, asked, proxy, roots, time);
            // A port that hangs up on plain words may be one for TLS: not all of them say so by an alert.
            if let Some(Failure { stage: Stage::Connect, why: why @ Cause::NetError { .. }, .. }) = &mut probe.failure
                && matches!(why, Cause::NetError { trouble: NetError::Reset | NetError::Closed })
                && speaks_tls(&addresses, &host, roots, time)
            {
                let what = "it hangs up on plain words, and speaks TLS".to_owned();
                *why = NetError::Unexpected { what, tls: true }.into();
            }
        }
        Scheme::Https => {
            let tls = probe.stage(Stage::ProxyTls, |_| Ok(net::shake(wire, &host, roots)?.trusted()?));
            if let Some(wire) = tls {
                behind(&mut probe, wire, asked, proxy, roots, time);
            }
        }
    }
    probe
}

fn speaks_tls(addresses: &[SocketAddr], host: &str, roots: &Roots, time: Time) -> bool {
    let time = time.at_most(time.for_connection());
    net::connect(addresses, time, BUDGET).is_ok_and(|wire| net::examine(wire, host, roots).is_ok())
}

/// What the proxy is asked for: a tunnel, or a page in the clear.
fn behind<S: Bounded>(probe: &mut PathProbe, wire: S, asked: &Asked<'_>, proxy: &ProxyUrl, roots: &Roots, time: Time) {
    match asked.path {
        Some(path) if !asked.tls => forwarded(probe, wire, asked, path, proxy),
        _ => tunnel(probe, wire, asked, proxy, roots, time),
    }
}

/// Asks the proxy for a page in the clear, as clients do for `http://`. Its own refusals are told from the origin's by what
/// proxies put into them.
fn forwarded<S: Read + Write>(probe: &mut PathProbe, mut wire: S, asked: &Asked<'_>, path: &str, proxy: &ProxyUrl) {
    probe.stage(Stage::Http, |probe| {
        let place = if asked.port == 80 { bracketed(asked.host) } else { host_port(asked.host, asked.port) };
        let target = format!("http://{place}{path}");
        let login = login_of(proxy);
        let mut headers = vec![("Host", place.as_str()), ("Connection", "close")];
        headers.extend(login.as_deref().map(|login| ("Proxy-Authorization", login)));
        let answer = request(&mut wire, "GET", &target, &headers)?;
        let own = is_of_proxy(&answer);
        match answer.status {
            407 => return Err(Cause::ProxyLogin { schemes: schemes(&answer), sent: login.is_some() }),
            status @ 400..500 if own => return Err(Cause::ProxyForbids { status }),
            500.. if own => return Err(failed(&answer)),
            // Proxies add `Via` to what they pass on.
            502..=504 if answer.get("via").is_none() => return Err(failed(&answer)),
            _ => {}
        }
        probe.page = Some(page(&answer, &mut wire));
        Ok(())
    });
}

/// A proxy that did not get there; squid says why.
fn failed(answer: &Answer) -> Cause {
    let word = answer.get("x-squid-error").and_then(|value| value.split_whitespace().next());
    Cause::ProxyFailed { status: answer.status, word: word.map(|word| clean(word, 40)) }
}

/// Did the proxy itself answer, in the origin's place? It gives itself away by headers that it keeps for its own pages.
fn is_of_proxy(answer: &Answer) -> bool {
    let server = answer.get("server").unwrap_or_default();
    answer.get("x-squid-error").is_some()
        || answer.get("proxy-connection").is_some()
        || server.starts_with("tinyproxy")
        || inspector(server).is_some()
}

/// The value of `Proxy-Authorization`, where there is a user with a password.
fn login_of(proxy: &ProxyUrl) -> Option<String> {
    let login = proxy.credentials.as_ref()?;
    Some(basic(&login.user, login.password.as_ref()?.expose()))
}

/// Asks the proxy for a tunnel and goes on inside of it. The tunnel is a connection like any other, so it has a connection's
/// time: a black hole behind the proxy costs no more than one in front of it.
fn tunnel<S: Bounded>(
    probe: &mut PathProbe,
    mut wire: S,
    asked: &Asked<'_>,
    proxy: &ProxyUrl,
    roots: &Roots,
    time: Time,
) {
    let opened = probe.stage(Stage::Connect, |_| {
        wire.until(time.at_most(time.for_connection()));
        let target = host_port(asked.address.unwrap_or(asked.host), asked.port);
        let login = login_of(proxy);
        let mut headers = vec![("Host", target.as_str())];
        headers.extend(login.as_deref().map(|login| ("Proxy-Authorization", login)));
        let answer = request(&mut wire, "CONNECT", &target, &headers)?;
        match answer.status {
            200..300 => Ok(answer.rest),
            407 => Err(Cause::ProxyLogin { schemes: schemes(&answer), sent: login.is_some() }),
            status @ 400..500 => Err(Cause::ProxyForbids { status }),
            500.. => Err(failed(&answer)),
            status => Err(Cause::ProxyAnswered { status }),
        }
    });
    if let Some(rest) = opened {
        wire.until(time);
        beyond(probe, Behind::new(rest, wire), asked, roots);
    }
}

/// The stages behind the connection: TLS, certificate, HTTP.
fn beyond<S: Read + Write>(probe: &mut PathProbe, wire: S, asked: &Asked<'_>, roots: &Roots) {
    let Some(path) = asked.path else { return };
    if !asked.tls {
        return read_page(probe, wire, asked, path);
    }
    let mut wire = Peeked::new(wire, PAGE);
    let shaken = probe.stage(Stage::Tls, |_| match net::examine(&mut wire, asked.host, roots) {
        Ok(shaken) => Ok(shaken),
        Err(trouble) => Err(Cause::from(trouble)),
    });
    let Some(Handshake { wire: mut tls, chain, by_host, by_public }) = shaken else {
        // Not TLS: a page from somebody in between says more than "no TLS".
        if wire.first().starts_with(b"HTTP/") || net::looks_like_html(wire.first()) {
            let title = title(wire.first());
            if let Some(failure) = &mut probe.failure {
                failure.why = Cause::Page { title };
            }
        }
        return;
    };
    probe.certificate = Certificate::of(&chain);
    (probe.by_host, probe.by_public) = (by_host, by_public);
    read_page(probe, &mut tls, asked, path);
}

fn read_page<S: Read + Write>(probe: &mut PathProbe, mut wire: S, asked: &Asked<'_>, path: &str) {
    probe.stage(Stage::Http, |probe| {
        let host = bracketed(asked.host);
        let headers = [("Host", host.as_str()), ("Accept", "*/*"), ("Connection", "close")];
        let answer = request(&mut wire, "GET", path, &headers)?;
        probe.page = Some(page(&answer, &mut wire));
        Ok(())
    });
}

/// As names and addresses stand in URLs.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn schemes(answer: &Answer) -> Vec<String> {
    let words = answer.all("proxy-authenticate").filter_map(|value| value.split_whitespace().next());
    let mut schemes: Vec<String> = words.map(|word| clean(word.trim_end_matches(','), 20)).collect();
    schemes.dedup();
    schemes.truncate(8);
    schemes
}

fn page(answer: &Answer, stream: &mut impl Read) -> Page {
    let mut body = answer.rest.clone();
    let html = answer.is_html();
    let mut buffer = [0_u8; 1024];
    while html && body.len() < PAGE && title(&body).is_none() {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => body.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    let header = |name: &str| answer.get(name).map(|value| clean(value, 120));
    let to = answer.get("location").and_then(|location| {
        let (_, rest) = location.split_once("://")?;
        Some(clean(rest.split(['/', '?', '#']).next()?.rsplit('@').next()?, 100))
    });
    Page {
        status: answer.status,
        server: header("server"),
        via: header("via"),
        to,
        title: title(&body),
        html,
        date: header("date"),
    }
}

/// The words between `<title>` and its end.
fn title(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(PAGE)]).into_owned();
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let words: Vec<&str> = text[start..end].split_whitespace().collect();
    Some(clean(&words.join(" "), 100)).filter(|title| !title.is_empty())
}
