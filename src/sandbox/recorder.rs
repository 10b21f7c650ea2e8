//! Stands in for the world and its proxies: whoever connects is written down, and sent away.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hosts::Names;
use super::{Asked, Login};

/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(3);

/// No head of a request is longer.
const LONGEST: usize = 16 << 10;

/// Asks for a login. The realm is what people would see.
const LOGIN_WANTED: &[u8] =
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"recorder\"\r\n\
    Content-Length: 0\r\nConnection: close\r\nProxy-Connection: close\r\n\r\n";
const REFUSED: &[u8] = b"HTTP/1.1 502 recorded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// Listens, and remembers.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// What a right login looks like in its header.
    logins: Mutex<BTreeSet<String>>,
    names: Mutex<Names>,
    ports: Mutex<BTreeSet<u16>>,
    step: Mutex<Step>,
    asked: Mutex<Vec<Asked>>,
}

type Step = Option<Box<dyn Fn() -> String + Send>>;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that broke while it held the lock has left a list, at worst without its own line.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Who tells which step runs.
    pub(super) fn steps(&self, step: impl Fn() -> String + Send + 'static) {
        *locked(&self.0.step) = Some(Box::new(step));
    }

    /// The names that are known.
    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        locked(&self.0.names)
    }

    /// A header that a right login sends.
    pub(super) fn expect(&self, login: String) {
        locked(&self.0.logins).insert(login);
    }

    /// Answers on this port of every address from now on.
    pub(super) fn listen(&self, port: u16) {
        if port == 0 || !locked(&self.0.ports).insert(port) {
            return;
        }
        // A kernel without IPv6 has the other one alone.
        let both = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
        let listener = both.or_else(|_| TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
        let (Ok(listener), recorder) = (listener, self.clone()) else { return };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let recorder = recorder.clone();
                std::thread::spawn(move || recorder.receive(stream));
            }
        });
    }

    /// What was asked for since the last time.
    pub(super) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut locked(&self.0.asked))
    }

    fn receive(&self, mut stream: TcpStream) {
        let Ok(local) = stream.local_addr() else { return };
        let step = locked(&self.0.step).as_ref().map(|step| step()).unwrap_or_default();
        let head = head(&mut stream);
        let logins = locked(&self.0.logins).clone();
        let called = locked(&self.0.names).name(local.ip().to_canonical());
        let Some((mut asked, answer)) = read(&head, (&called, local.port()), &logins) else { return };
        asked.step = step;
        // Written down before it is answered: the step is over when it has its answer.
        locked(&self.0.asked).push(asked);
        let _ = stream.write_all(answer);
    }
}

/// The head of a request, or the beginning of a TLS handshake.
fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut part = [0; 2048];
    if stream.set_read_timeout(Some(PATIENCE)).is_err() {
        return head;
    }
    while let Ok(count @ 1..) = stream.read(&mut part) {
        head.extend_from_slice(&part[..count]);
        let is_whole = memchr::memmem::find(&head, b"\r\n\r\n").is_some();
        if is_tls(&head) || is_whole || head.len() > LONGEST {
            break;
        }
    }
    head
}

fn is_tls(head: &[u8]) -> bool {
    head.first() == Some(&0x16)
}

/// What a request says that came in at this name and port, and what it is answered.
fn read(head: &[u8], (called, port): (&str, u16), logins: &BTreeSet<String>) -> Option<(Asked, &'static [u8])> {
    let asked = |host: &str, proxy, login| Asked { step: String::new(), host: host.to_ascii_lowercase(), proxy, login };
    if is_tls(head) {
        return Some((asked(called, None, Login::None), b""));
    }
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
    let wanted = match (method, target.split_once("://")) {
        ("CONNECT", _) => target,
        (_, Some((_, rest))) => rest.split(['/', '?']).next()?,
        _ => {
            let host = header("host").map_or(called, without_port);
            return Some((asked(host, None, Login::None), NOTHING));
        }
    };
    let login = match header("proxy-authorization") {
        Some(sent) if logins.contains(sent) => Login::Right,
        Some(_) => Login::Wrong,
        None => Login::None,
    };
    let answer = match (login, method) {
        (Login::None, _) if !logins.is_empty() => LOGIN_WANTED,
        (_, "CONNECT") => REFUSED,
        _ => NOTHING,
    };
    Some((asked(without_port(wanted), Some((called.to_owned(), port)), login), answer))
}

/// `host` of `user@host:port`, an IPv6 address without its brackets.
fn without_port(authority: &str) -> &str {
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    if let Some((address, _)) = place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    if place.parse::<IpAddr>().is_ok() { place } else { place.split(':').next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_first_line_and_its_login_by_comparison() {
        let logins = BTreeSet::from(["Basic dTpw".to_owned()]);
        let at = ("proxy.corp.example", 3128);
        let proxy = Some((at.0.to_owned(), at.1));
        for (head, host, via, login, code) in [
            ("CONNECT A.example:443 HTTP/1.1\r\n\r\n", "a.example", &proxy, Login::None, "407"),
            ("CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: Basic dTpw\r\n\r\n", "a", &proxy, Login::Right, "502"),
            ("GET http://a/x HTTP/1.1\r\nproxy-authorization:Basic eDp5\r\n\r\n", "a", &proxy, Login::Wrong, "204"),
            ("GET http://[fd00::1]:80/ HTTP/1.1\r\n\r\n", "fd00::1", &proxy, Login::None, "407"),
            ("GET /latest HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", "169.254.169.254", &None, Login::None, "204"),
            ("GET / HTTP/1.0\r\n\r\n", "proxy.corp.example", &None, Login::None, "204"),
            ("\u{16}\u{3}\u{1}", "proxy.corp.example", &None, Login::None, ""),
        ] {
            let (asked, answer) = read(head.as_bytes(), at, &logins).unwrap();
            assert_eq!((asked.host.as_str(), &asked.proxy, asked.login), (host, via, login), "{head}");
            assert!(String::from_utf8_lossy(answer).get(9..).unwrap_or_default().starts_with(code), "{head}");
        }
        assert!(read(b"", at, &logins).is_none());
    }
}
