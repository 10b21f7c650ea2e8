//! The conversation with a proxy: a plain request and, separately, a TLS ClientHello, side by side; each once.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::super::super::{CheckSpec, Secrets};
use super::answer::{Cleaner, Said};
use super::{Dialled, ProxyAnswers, TlsAnswer, places, uses};
use crate::net::{MAX_HEAD, NetError, Peer, Roots, Time, Wire, basic, connect, request, resolve, shake};
use crate::network::catalogue::Needs;
use crate::settings::{ProxyUrl, Scheme};
use crate::text::host_port;

/// No more bytes than this are read of one connection: the head of an answer and a certificate chain fit well.
const BUDGET: usize = MAX_HEAD + (64 << 10);

/// How long a tunnel is watched for being closed again.
const QUIET: Duration = Duration::from_millis(300);

/// What is left over for reporting when the other side takes all the time that there is.
const RESERVE: Duration = Duration::from_millis(200);

/// What one place is asked.
pub(super) struct Task<'a> {
    host: String,
    port: u16,
    in_hosts_file: bool,
    /// The URL says TLS.
    tls: bool,
    /// The URL that names the place and has a login, where there is one.
    login: Option<&'a ProxyUrl>,
    /// What must never come back in its words.
    cleaner: Cleaner,
    /// Only http requests go through it: CONNECT is none of its business.
    only_http: bool,
}

impl<'a> Task<'a> {
    /// What the settings imply for this place.
    pub(super) fn new(spec: &CheckSpec, secrets: &'a Secrets, host: &str, port: u16, hosts: &str) -> Self {
        debug_assert!(places(spec).contains(&(host, port)));
        let uses = uses(spec, host, port);
        let urls = [(&secrets.https_proxy, "https"), (&secrets.http_proxy, "http")];
        let own: Vec<&ProxyUrl> = urls
            .iter()
            .filter(|(_, scheme)| uses.iter().any(|(used, _)| used == scheme))
            .filter_map(|(url, _)| url.as_ref())
            .collect();
        Self {
            host: host.to_owned(),
            port,
            in_hosts_file: in_hosts_file(hosts, host),
            tls: own.first().map_or_else(|| uses.iter().any(|(_, proxy)| proxy.tls), |url| url.scheme == Scheme::Https),
            login: own.iter().copied().find(|url| url.credentials.is_some()),
            cleaner: Cleaner::new(urls.iter().filter_map(|(url, _)| url.as_ref())),
            only_http: uses.iter().all(|(scheme, _)| *scheme == "http") && spec.https_proxy.is_some(),
        }
    }
}

/// Resolves, connects, asks.
pub(super) fn dialled(task: &Task<'_>, roots: &Roots, time: Time) -> Dialled {
    let time = time.at_most(time.left().saturating_sub(RESERVE));
    let mut seen = Dialled {
        host: task.host.clone(),
        port: task.port,
        in_hosts_file: task.in_hosts_file,
        addresses: Vec::new(),
        unresolved: None,
        resolved_ms: 0,
        unconnected: None,
        connected_ms: 0,
        answers: None,
    };
    let began = Instant::now();
    let addresses = match resolve(&task.host, task.port, time.at_most(time.left() / 2)) {
        Ok(addresses) => addresses,
        Err(trouble) => {
            seen.resolved_ms = millis(began);
            seen.unresolved = Some(trouble);
            return seen;
        }
    };
    seen.resolved_ms = millis(began);
    for address in addresses.iter().map(|address| address.ip().to_string()) {
        if !seen.addresses.contains(&address) {
            seen.addresses.push(address);
        }
    }
    let began = Instant::now();
    let first = connect(&addresses, time, BUDGET);
    seen.connected_ms = millis(began);
    let wire = match first {
        Ok(wire) => wire,
        Err(trouble) => {
            seen.unconnected = Some(trouble);
            return seen;
        }
    };
    // The one that came through is asked the second question too.
    let address = wire.peer().map_or_else(|_| addresses.clone(), |peer| vec![peer]);
    seen.answers = Some(std::thread::scope(|scope| {
        let other = scope.spawn(|| match connect(&address, time, BUDGET) {
            Ok(wire) => tls(task, wire, roots, time),
            Err(trouble) => (TlsAnswer::No { trouble }, None),
        });
        let plain = plain(task, wire, roots, time);
        // The thread is joined; it panics only where a library does, and then TLS is what could not be had.
        let (tls, within_tls) = other.join().unwrap_or_else(|_| (broken(), None));
        ProxyAnswers { plain, tls, within_tls }
    }));
    seen
}

fn broken() -> TlsAnswer {
    TlsAnswer::No { trouble: NetError::Other { why: "the handshake broke off".to_owned() } }
}

/// Which language a port speaks besides is not worth a long wait: some proxies never answer what they do not understand.
fn for_the_other_language(time: Time) -> Time {
    time.at_most(time.for_connection() / 2)
}

/// The plain request: with the login where the URL says that the proxy speaks plain HTTP.
fn plain(task: &Task<'_>, mut wire: Wire, roots: &Roots, time: Time) -> Said {
    wire.until(if task.tls { for_the_other_language(time) } else { time });
    let login = task.login.filter(|_| !task.tls);
    let (mut said, open) = ask(task, &mut wire, login);
    if open {
        said.trouble = tunnel(wire, roots, time);
    }
    said
}

/// The handshake, and within it the request where the URL says TLS and the certificate is trusted.
fn tls(task: &Task<'_>, mut wire: Wire, roots: &Roots, time: Time) -> (TlsAnswer, Option<Said>) {
    wire.until(if task.tls { time.at_most(time.for_connection()) } else { for_the_other_language(time) });
    let mut stream = match shake(wire, &task.host, roots) {
        Ok(Peer::Trusted(stream)) => stream,
        Ok(Peer::Untrusted { why, .. }) => {
            return (TlsAnswer::Untrusted { why: task.cleaner.line(&why.to_string()) }, None);
        }
        Err(trouble) => return (TlsAnswer::No { trouble: task.cleaner.trouble(trouble) }, None),
    };
    if !task.tls {
        return (TlsAnswer::Trusted, None);
    }
    stream.sock.until(time);
    let (mut said, open) = ask(task, &mut *stream, task.login);
    if open {
        stream.sock.until(time.at_most(QUIET));
        said.trouble = match stream.read(&mut [0]) {
            Ok(0) => Some(NetError::Closed),
            Err(error) => match NetError::of(error) {
                NetError::Silent { .. } => None,
                trouble => Some(task.cleaner.trouble(trouble)),
            },
            Ok(_) => None,
        };
    }
    (TlsAnswer::Trusted, Some(said))
}

/// One request; whether a tunnel is open afterwards. The name is asked for, not its address: the proxy resolves it.
fn ask<S: Read + Write>(task: &Task<'_>, stream: &mut S, login: Option<&ProxyUrl>) -> (Said, bool) {
    let endpoint = &Needs::get().probe;
    let place = host_port(&endpoint.host, endpoint.port);
    let (method, target, host) = if task.only_http {
        ("GET", format!("http://{}/", endpoint.host), endpoint.host.clone())
    } else {
        ("CONNECT", place.clone(), place)
    };
    let mut headers = vec![("Host", host.as_str())];
    let authorization = login
        .and_then(|url| url.credentials.as_ref())
        .map(|login| basic(&login.user, login.password.as_ref().map_or(&b""[..], |password| password.expose())));
    headers.extend(authorization.as_deref().map(|value| ("Proxy-Authorization", value)));
    if task.only_http {
        headers.push(("Connection", "close"));
    }
    let logged_in = authorization.is_some();
    let mut said = Said { method: method.to_owned(), target: target.clone(), logged_in, ..Said::default() };
    let began = Instant::now();
    let answer = request(stream, method, &target, &headers);
    said.took_ms = millis(began);
    match answer {
        Ok(answer) => said.take(&answer, &task.cleaner),
        Err(NetError::Silent { .. }) => said.trouble = Some(NetError::Silent { millis: said.took_ms }),
        Err(trouble) => said.trouble = Some(task.cleaner.trouble(trouble)),
    }
    let open = method == "CONNECT" && said.status.is_some_and(|status| (200..300).contains(&status));
    (said, open)
}

/// What becomes of a tunnel: a ClientHello is sent through it, and any answer will do. Whose certificate comes back is not
/// judged here.
fn tunnel(mut wire: Wire, roots: &Roots, time: Time) -> Option<NetError> {
    wire.until(time.at_most(time.for_connection()));
    match shake(wire, &Needs::get().probe.host, roots) {
        Ok(_) => None,
        Err(NetError::Tls { why }) if why.contains("closed the connection") => Some(NetError::Closed),
        Err(trouble @ (NetError::Closed | NetError::Reset | NetError::Silent { .. })) => Some(trouble),
        // Some answer came through.
        Err(_) => None,
    }
}

/// Does a line of `/etc/hosts` name it?
fn in_hosts_file(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let entry = line.split('#').next().unwrap_or_default();
        entry.split_whitespace().skip(1).any(|own| own.eq_ignore_ascii_case(name))
    })
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
