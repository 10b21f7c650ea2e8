//! The conversation with a proxy: a plain request and, separately, a TLS ClientHello, side by side; each once.

use std::path::Path;
use std::time::Instant;

use super::answer::{Request, Said, ask};
use super::{Dialled, ProxyAnswers, Question, TlsAnswer, named};
use crate::host::HostRead;
use crate::net::{Bounded, MAX_HEAD, NetError, RESERVE, Roots, Time, TlsFault, Wire, connect, resolve, shake};
use crate::network::catalogue::Needs;
use crate::network::stream::Peeked;
use crate::settings::ProxyUrl;
use crate::system::names::{HOSTS, in_hosts_file};
use crate::text::millis;

/// No more bytes than this are read of one connection: the head of an answer and a certificate chain fit well.
const BUDGET: usize = MAX_HEAD + (64 << 10);

/// So much of an answer to a ClientHello is remembered: enough to know HTTP.
const FIRST: usize = 16;

/// Asks each proxy within `time`, all side by side. `host` tells whose names stand in `/etc/hosts`. Facts hold nothing of a
/// login.
pub(crate) fn probe(host: &dyn HostRead, questions: &[Question<'_>], roots: &Roots, time: Time) -> Vec<Dialled> {
    let hosts = host.read(Path::new(HOSTS)).ok().flatten().unwrap_or_default();
    let hosts = String::from_utf8_lossy(&hosts);
    std::thread::scope(|scope| {
        let jobs: Vec<_> = questions
            .iter()
            .map(|question| {
                let listed = in_hosts_file(&hosts, &question.host).is_some();
                scope.spawn(move || dialled(question, listed, roots, time))
            })
            .collect();
        jobs.into_iter().filter_map(|job| job.join().ok()).collect()
    })
}

/// Resolves, connects, asks.
fn dialled(question: &Question<'_>, in_hosts_file: bool, roots: &Roots, time: Time) -> Dialled {
    let time = time.leaving(RESERVE);
    let mut seen = Dialled { host: question.host.clone(), port: question.port, in_hosts_file, ..Dialled::default() };
    let began = Instant::now();
    let resolved = resolve(&question.host, question.port, time.at_most(time.left() / 2));
    seen.resolved_ms = millis(began.elapsed());
    let addresses = match resolved {
        Ok(addresses) => addresses,
        Err(error) => return Dialled { unresolved: Some(error), ..seen },
    };
    for address in addresses.iter().map(|address| address.ip().to_string()) {
        if !seen.addresses.contains(&address) {
            seen.addresses.push(address);
        }
    }
    let began = Instant::now();
    let connected = connect(&addresses, time, BUDGET);
    seen.connected_ms = millis(began.elapsed());
    let wire = match connected {
        Ok(wire) => wire,
        Err(error) => return Dialled { unconnected: Some(error), ..seen },
    };
    // The one that came through is asked the second question too.
    let address = wire.peer().map_or_else(|_| addresses.clone(), |peer| vec![peer]);
    seen.answers = Some(std::thread::scope(|scope| {
        let other = scope.spawn(|| match connect(&address, time, BUDGET) {
            Ok(wire) => tls(question, wire, roots, time),
            Err(error) => (TlsAnswer::No { error }, None),
        });
        let plain = plain(question, wire, roots, time);
        // The thread is joined; it panics only where a library does, and then TLS is what could not be had.
        let broken = NetError::Other { why: "the handshake broke off".into() };
        let (tls, within_tls) = other.join().unwrap_or((TlsAnswer::No { error: broken }, None));
        ProxyAnswers { plain, tls, within_tls }
    }));
    seen
}

/// Which language a port speaks besides is not worth a long wait: some proxies never answer what they do not understand.
fn for_the_other_language(time: Time) -> Time {
    time.at_most(time.for_connection() / 2)
}

/// The plain request: with the login where the URL says that the proxy speaks plain HTTP.
fn plain(question: &Question<'_>, mut wire: Wire, roots: &Roots, time: Time) -> Said {
    wire.until(if question.tls { for_the_other_language(time) } else { time });
    asked(question, wire, question.login.filter(|_| !question.tls), roots, time)
}

/// The handshake, and within it the request where the URL says TLS and the certificate is trusted.
fn tls(question: &Question<'_>, mut wire: Wire, roots: &Roots, time: Time) -> (TlsAnswer, Option<Said>) {
    wire.until(if question.tls { time.at_most(time.for_connection()) } else { for_the_other_language(time) });
    let mut wire = Peeked::new(wire, FIRST);
    let mut stream = match shake(&mut wire, &question.host, roots) {
        Ok(stream) => stream,
        Err(NetError::Untrusted { why }) => {
            return (TlsAnswer::Untrusted { why: question.cleaner.distrust(why) }, None);
        }
        Err(error) => {
            return (TlsAnswer::No { error: question.cleaner.error(named(error, wire.first())) }, None);
        }
    };
    if !question.tls {
        return (TlsAnswer::Trusted, None);
    }
    stream.until(time);
    (TlsAnswer::Trusted, Some(asked(question, stream, question.login, roots, time)))
}

/// The one request, and what becomes of the tunnel. The name is asked for, not its address: the proxy resolves it.
fn asked<S: Bounded>(
    question: &Question<'_>,
    mut stream: S,
    login: Option<&ProxyUrl>,
    roots: &Roots,
    time: Time,
) -> Said {
    let endpoint = &Needs::get().probe;
    let request = if question.only_http {
        Request::page(&endpoint.host, 80, "/")
    } else {
        Request::tunnel(&endpoint.host, endpoint.port)
    };
    let (mut said, _) = ask(&mut stream, &request, login, &question.cleaner);
    if let Some(NetError::Silent { millis }) = &mut said.error {
        *millis = said.took_ms;
    }
    if said.is_connect() && said.cause(true).is_none() {
        stream.until(time.at_most(time.for_connection()));
        said.error = tunnel(stream, roots);
    }
    said
}

/// What becomes of a tunnel: a ClientHello is sent through it, and any answer will do. Whose certificate comes back is not
/// judged here.
fn tunnel<S: Bounded>(stream: S, roots: &Roots) -> Option<NetError> {
    match shake(stream, &Needs::get().probe.host, roots) {
        Err(NetError::Tls { why: TlsFault::Closed }) => Some(NetError::Closed),
        Err(error @ (NetError::Closed | NetError::Reset | NetError::Silent { .. })) => Some(error),
        // Some answer came through, trusted or not.
        Ok(_) | Err(_) => None,
    }
}
