//! Goes the way to one endpoint and notes each stage with its time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Certificate;
use crate::net::{self, Answer, Bounded, Distrust, Handshake, NetError, Roots, Shown, Time, Unfinished, Wire, request};
use crate::network::cause::{Cause, Failure, Stage, Via};
use crate::network::openssl::Openssl;
use crate::network::proxy::{Cleaner, Request, ask, bracketed, named};
use crate::network::stream::{Behind, Peeked};
use crate::settings::{ProxyUrl, Scheme};
use crate::text::clean;

/// More is not read of one endpoint: handshake, head and the beginning of a page.
const BUDGET: usize = 256 << 10;

/// How much of a page is looked at.
const PAGE: usize = 4 << 10;

/// One stage that was passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which.
    pub stage: Stage,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What came over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
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
}

/// The whole way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PathProbe {
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
    /// What OpenSSL's client says, where the TLS library here could not look further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openssl: Option<Openssl>,
}

impl PathProbe {
    /// Milliseconds of the whole way.
    pub(crate) fn millis(&self) -> u64 {
        // Facts may come from a file that anybody has edited.
        let steps = self.steps.iter().map(|step| step.millis);
        steps.chain(self.failure.iter().map(|end| end.took_ms)).fold(0, u64::saturating_add)
    }

    /// The stages up to the connection: the addresses, and the connection to one of them.
    fn connect(&mut self, host: &str, port: u16, time: Time) -> (Vec<SocketAddr>, Option<Wire>) {
        let resolved = self.stage(Stage::Resolve, |_| Ok(net::resolve(host, port, time)?));
        let wire = resolved
            .as_ref()
            .and_then(|addresses| self.stage(Stage::Tcp, |_| Ok(net::connect(addresses, time, BUDGET)?)));
        (resolved.unwrap_or_default(), wire)
    }

    /// Runs one stage and notes its end.
    fn stage<T>(&mut self, stage: Stage, work: impl FnOnce(&mut Self) -> Result<T, Cause>) -> Option<T> {
        let began = Instant::now();
        let result = work(self);
        let millis = crate::text::millis(began.elapsed());
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

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
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
pub(crate) fn probe(asked: &Asked<'_>, proxy: Option<&ProxyUrl>, roots: &Roots, time: Time) -> PathProbe {
    match proxy {
        None => direct(asked, roots, time),
        Some(proxy) => through(asked, proxy, roots, time),
    }
}

fn direct(asked: &Asked<'_>, roots: &Roots, time: Time) -> PathProbe {
    let mut probe = PathProbe { via: Via::Direct, ..PathProbe::default() };
    let host = asked.address.unwrap_or(asked.host);
    let (addresses, wire) = probe.connect(host, asked.port, time);
    probe.addresses = addresses.iter().map(|address| address.ip().to_string()).take(16).collect();
    if let Some(wire) = wire {
        beyond(&mut probe, wire, asked, roots, &Cleaner::new(std::iter::empty()));
    }
    probe
}

fn through(asked: &Asked<'_>, proxy: &ProxyUrl, roots: &Roots, time: Time) -> PathProbe {
    let mut probe = PathProbe { via: Via::Proxy, ..PathProbe::default() };
    let host = proxy.host.to_string();
    let port = proxy.asked_port();
    let (addresses, wire) = probe.connect(&host, port, time);
    let Some(wire) = wire else { return probe };
    let cleaner = Cleaner::new(std::iter::once(proxy));
    let way = Way { asked, proxy, cleaner: &cleaner, roots, time };
    match proxy.scheme {
        Scheme::Http => {
            way.behind(&mut probe, wire);
            // A port that hangs up on plain words may be one for TLS: not all of them say so by an alert.
            if let Some(Failure { stage: Stage::Connect, why, .. }) = &mut probe.failure
                && matches!(
                    why,
                    Cause::NetError { error: NetError::Reset | NetError::Closed }
                        | Cause::ProxyMisunderstands { status: 400 }
                )
                && speaks_tls(&addresses, &host, roots, time)
            {
                *why = NetError::unexpected_tls("it hangs up on plain words, and speaks TLS").into();
            }
        }
        Scheme::Https => {
            let mut wire = Peeked::new(wire, PAGE);
            match probe.stage(Stage::ProxyTls, |_| Ok(net::shake(&mut wire, &host, roots)?)) {
                Some(wire) => way.behind(&mut probe, wire),
                None => {
                    if let Some(Failure { why: Cause::NetError { error }, .. }) = &mut probe.failure {
                        *error = cleaner.error(named(error.clone(), wire.first()));
                    }
                }
            }
        }
    }
    probe
}

fn speaks_tls(addresses: &[SocketAddr], host: &str, roots: &Roots, time: Time) -> bool {
    let time = time.at_most(time.for_connection());
    net::connect(addresses, time, BUDGET).is_ok_and(|wire| net::examine(wire, host, roots).is_ok())
}

/// The way from a connected proxy on.
struct Way<'a> {
    asked: &'a Asked<'a>,
    proxy: &'a ProxyUrl,
    cleaner: &'a Cleaner,
    roots: &'a Roots,
    time: Time,
}

impl Way<'_> {
    /// What the proxy is asked for: a tunnel, or a page in the clear.
    fn behind<S: Bounded>(&self, probe: &mut PathProbe, wire: S) {
        match self.asked.path {
            Some(path) if !self.asked.tls => self.forwarded(probe, wire, path),
            _ => self.tunnel(probe, wire),
        }
    }

    /// Asks the proxy for a page in the clear, as clients do for `http://`. Its own refusals are told from the origin's by what
    /// proxies put into them.
    fn forwarded<S: Bounded>(&self, probe: &mut PathProbe, mut wire: S, path: &str) {
        probe.stage(Stage::Http, |probe| {
            let request = Request::page(self.asked.host, self.asked.port, path);
            let (said, answer) = ask(&mut wire, &request, Some(self.proxy), self.cleaner);
            if let Some(why) = said.cause(false) {
                return Err(why);
            }
            probe.page = answer.map(|answer| page(&answer, &mut wire, self.cleaner));
            Ok(())
        });
    }

    /// Asks the proxy for a tunnel and goes on inside of it. The tunnel is a connection like any other, so it has a connection's
    /// time: a black hole behind the proxy costs no more than one in front of it.
    fn tunnel<S: Bounded>(&self, probe: &mut PathProbe, mut wire: S) {
        let opened = probe.stage(Stage::Connect, |_| {
            wire.until(self.time.at_most(self.time.for_connection()));
            let request = Request::tunnel(self.asked.address.unwrap_or(self.asked.host), self.asked.port);
            let (said, answer) = ask(&mut wire, &request, Some(self.proxy), self.cleaner);
            match said.cause(true) {
                Some(why) => Err(why),
                None => Ok(answer.map(|answer| answer.rest).unwrap_or_default()),
            }
        });
        if let Some(rest) = opened {
            wire.until(self.time);
            beyond(probe, Behind::new(rest, wire), self.asked, self.roots, self.cleaner);
        }
    }
}

/// The stages behind the connection: TLS, certificate, HTTP.
fn beyond<S: Read + Write>(probe: &mut PathProbe, wire: S, asked: &Asked<'_>, roots: &Roots, cleaner: &Cleaner) {
    let Some(path) = asked.path else { return };
    if !asked.tls {
        return read_page(probe, wire, asked, path, cleaner);
    }
    let mut wire = Peeked::new(wire, PAGE);
    let mut shown = Shown::default();
    let shaken = probe.stage(Stage::Tls, |_| match net::examine(&mut wire, asked.host, roots) {
        Ok(Handshake { wire, shown: own }) => {
            shown = own;
            Ok(wire)
        }
        Err(unfinished) => {
            let Unfinished { error, shown: own } = *unfinished;
            shown = own;
            Err(error.into())
        }
    });
    probe.certificate = Certificate::of(&shown.chain);
    (probe.by_host, probe.by_public) = (shown.by_host, shown.by_public);
    let Some(mut tls) = shaken else {
        // Not TLS: a page from somebody in between says more than "no TLS".
        if wire.first().starts_with(b"HTTP/") || net::looks_like_html(wire.first()) {
            let title = title(wire.first()).map(|title| cleaner.line(&title));
            if let Some(failure) = &mut probe.failure {
                failure.why = Cause::Page { title };
            }
        }
        return;
    };
    read_page(probe, &mut tls, asked, path, cleaner);
}

fn read_page<S: Read + Write>(probe: &mut PathProbe, mut wire: S, asked: &Asked<'_>, path: &str, cleaner: &Cleaner) {
    probe.stage(Stage::Http, |probe| {
        let host = bracketed(asked.host);
        let headers = [("Host", host.as_str()), ("Accept", "*/*"), ("Connection", "close")];
        let answer = request(&mut wire, "GET", path, &headers)?;
        probe.page = Some(page(&answer, &mut wire, cleaner));
        Ok(())
    });
}

fn page(answer: &Answer, stream: &mut impl Read, cleaner: &Cleaner) -> Page {
    let mut body = answer.rest.clone();
    let html = answer.is_html();
    let mut buffer = [0_u8; 1024];
    while html && body.len() < PAGE && title(&body).is_none() {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => body.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    let header = |name: &str| answer.get(name).map(|value| cleaner.line(value));
    let to = answer.get("location").and_then(|location| {
        let (_, rest) = location.split_once("://")?;
        Some(clean(&cleaner.line(rest.split(['/', '?', '#']).next()?.rsplit('@').next()?), 100))
    });
    Page {
        status: answer.status,
        server: header("server"),
        via: header("via"),
        to,
        title: title(&body).map(|title| cleaner.line(&title)),
        html,
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
