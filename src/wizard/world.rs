//! Does the world agree with an answer? One bounded look each; a person may always go on anyway.

use std::time::Duration;

use crate::net::{self, Roots, Time, Trouble};
use crate::network::path::{Asked, Cause, Stage, walk};
use crate::settings::ProxyUrl;
use crate::vendor::Vendor;

/// Limit of one connection.
const CONNECT: Duration = Duration::from_secs(3);

/// Limit of one look.
const LOOK: Duration = Duration::from_secs(6);

/// More is not read of a back end's greeting.
const GREETING: usize = 4 << 10;

/// What the world says to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Can it be used as answered?
    pub good: bool,
    /// One sentence.
    pub said: String,
    /// The proxy asked for a login that it was not given.
    pub wants_login: bool,
}

impl Verdict {
    fn good(said: impl Into<String>) -> Self {
        Self { good: true, said: said.into(), wants_login: false }
    }

    fn bad(said: impl Into<String>) -> Self {
        Self { good: false, said: said.into(), wants_login: false }
    }

    /// The word for it.
    pub fn mark(&self) -> &'static str {
        if self.good { "ok" } else { "no" }
    }
}

/// Who can be asked whether an answer holds.
pub trait World {
    /// Is the proxy there, and does it take the login?
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict;
    /// Does a MySQL server answer?
    fn mysql(&self, host: &str, port: u16) -> Verdict;
    /// Does a Redis server answer?
    fn redis(&self, host: &str, port: u16) -> Verdict;
}

/// The network that this process is in.
pub struct Network {
    /// Certificates for a proxy that speaks TLS itself.
    pub roots: Roots,
}

impl World for Network {
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict {
        let probe = &Vendor::get().probe;
        let asked = Asked { host: &probe.host, port: probe.port, address: None, tls: false, path: None };
        let name = format!("{}:{}", probe.host, probe.port);
        let place = proxy.masked();
        let walked = walk(&asked, Some(proxy), &self.roots, Time::new(CONNECT, LOOK));
        let Some(failure) = walked.failure else { return Verdict::good(format!("{place} opens a tunnel to {name}")) };
        match (failure.stage, failure.why) {
            (Stage::Resolve | Stage::Tcp, Cause::Trouble { trouble }) => Verdict::bad(format!("{place}: {trouble}")),
            (Stage::ProxyTls, Cause::Trouble { trouble }) => {
                Verdict::bad(format!("{place} is there and speaks no TLS that is trusted: {trouble}"))
            }
            (_, Cause::ProxyLogin { sent: true, .. }) => {
                Verdict::bad(format!("{place} is there and refuses the user or the password (407)"))
            }
            (_, Cause::ProxyLogin { sent: false, schemes }) => {
                let ways = if schemes.is_empty() { String::new() } else { format!(": {}", schemes.join(", ")) };
                let said = format!("{place} is there and asks for a login (407{ways})");
                Verdict { wants_login: true, ..Verdict::bad(said) }
            }
            (_, Cause::ProxyForbids { status }) => {
                Verdict::bad(format!("{place} is there and forbids {name} ({status}): its rules have to allow it"))
            }
            (_, Cause::ProxyFailed { status }) => {
                Verdict::bad(format!("{place} is there and did not get to {name} ({status})"))
            }
            (_, Cause::ProxyAnswered { status }) => {
                Verdict::bad(format!("{place} answers CONNECT with {status}: it is perhaps no proxy"))
            }
            (_, Cause::Trouble { trouble }) => Verdict::bad(format!("{place} does not talk like a proxy: {trouble}")),
            (_, Cause::Page { .. }) => Verdict::bad(format!("{place} answers with a page: it is perhaps no proxy")),
        }
    }

    fn mysql(&self, host: &str, port: u16) -> Verdict {
        match greeting(host, port, b"") {
            Err(trouble) => Verdict::bad(format!("{host}:{port}: {trouble}")),
            Ok(bytes) => match mysql_version(&bytes) {
                Some(Ok(version)) => Verdict::good(format!("{host}:{port} is MySQL {version}")),
                Some(Err(words)) => Verdict::bad(format!("MySQL at {host}:{port} refuses this host: {words}")),
                None => Verdict::bad(format!("{host}:{port} is there and does not greet like MySQL")),
            },
        }
    }

    fn redis(&self, host: &str, port: u16) -> Verdict {
        match greeting(host, port, b"PING\r\n") {
            Err(trouble) => Verdict::bad(format!("{host}:{port}: {trouble}")),
            Ok(bytes) => match bytes.first() {
                Some(b'+') => Verdict::good(format!("{host}:{port} is Redis and answers")),
                Some(b'-') if bytes.starts_with(b"-NOAUTH") => {
                    Verdict::good(format!("{host}:{port} is Redis and asks for a password"))
                }
                Some(b'-') => Verdict::bad(format!("Redis at {host}:{port} refuses: {}", words(&bytes[1..]))),
                _ => Verdict::bad(format!("{host}:{port} is there and does not answer like Redis")),
            },
        }
    }
}

/// The first bytes that a server says, after it was told something or nothing.
fn greeting(host: &str, port: u16, say: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut wire = net::dial(host, port, Time::new(CONNECT, LOOK), GREETING)?;
    if !say.is_empty() {
        wire.say(say)?;
    }
    let mut buffer = [0; 512];
    match wire.some(&mut buffer)? {
        0 => Err(Trouble::Closed),
        count => Ok(buffer[..count].to_vec()),
    }
}

/// The version in MySQL's first packet, or its words of refusal; `None`: no such packet.
fn mysql_version(bytes: &[u8]) -> Option<Result<String, String>> {
    let (head, body) = bytes.split_at_checked(4)?;
    if head[3] != 0 {
        return None;
    }
    match body.split_first()? {
        (10, rest) => {
            let version = &rest[..memchr::memchr(0, rest)?];
            let version = version.iter().all(u8::is_ascii_graphic).then(|| words(version))?;
            Some(Ok(version))
        }
        (0xff, rest) => Some(Err(words(rest.get(2..)?))),
        _ => None,
    }
}

/// Foreign text, fit for a sentence.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server that takes one connection, reads what is there if wanted, says something and closes.
    fn server(reads: bool, says: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            if reads {
                let _ = stream.read(&mut [0; 1024]);
            }
            let _ = stream.write_all(says);
            // Not closed before the other side has read.
            let _ = stream.read(&mut [0; 1024]);
        });
        port
    }

    fn network() -> Network {
        Network { roots: Roots::of(&crate::host::MemoryHost::new(), b"") }
    }

    fn closed() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn a_proxy_is_judged_by_its_answer() {
        for (says, login, good, wants, word) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "", true, false, "opens a tunnel"),
            (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", "", false, true, "asks for a login"),
            (b"HTTP/1.1 407 X\r\n\r\n", "u:p@", false, false, "refuses the user or the password"),
            (b"HTTP/1.1 403 X\r\n\r\n", "", false, false, "forbids"),
            (b"HTTP/1.1 503 X\r\n\r\n", "", false, false, "did not get to"),
            (b"SSH-2.0-OpenSSH\r\n", "", false, false, "does not talk like a proxy"),
        ] {
            let url = format!("http://{login}127.0.0.1:{}", server(true, says));
            let verdict = network().proxy(&ProxyUrl::parse(&url).unwrap());
            assert_eq!((verdict.good, verdict.wants_login), (good, wants), "{verdict:?}");
            assert!(verdict.said.contains(word) && !verdict.said.contains("u:p@"), "{verdict:?}");
        }
        let verdict = network().proxy(&ProxyUrl::parse(&format!("http://127.0.0.1:{}", closed())).unwrap());
        assert!(!verdict.good && verdict.said.contains("connection refused"), "{verdict:?}");
    }

    #[test]
    fn back_ends_are_known_by_their_first_bytes() {
        let look = network();
        let verdict = look.mysql("127.0.0.1", server(false, b"\x4a\0\0\0\x0a5.7.44-log\0\x01\0\0\0"));
        assert_eq!((verdict.good, verdict.said.contains("MySQL 5.7.44-log")), (true, true), "{verdict:?}");
        let verdict = look.mysql("127.0.0.1", server(false, b"\x30\0\0\0\xff\x6a\x04Host '10.0.0.1' is not allowed"));
        assert!(!verdict.good && verdict.said.contains("not allowed"), "{verdict:?}");
        assert!(!look.mysql("127.0.0.1", server(false, b"HTTP/1.1 400\r\n")).good);
        assert!(!look.mysql("127.0.0.1", closed()).good);
        assert!(look.redis("127.0.0.1", server(true, b"+PONG\r\n")).good);
        assert!(look.redis("127.0.0.1", server(true, b"-NOAUTH Authentication required.\r\n")).good);
        assert!(!look.redis("127.0.0.1", server(true, b"-DENIED protected mode\r\n")).good);
        assert!(!look.redis("127.0.0.1", server(false, b"\x15\x03\x01")).good);
    }

    #[test]
    fn hostile_greetings_do_no_harm() {
        for bytes in
            [&b""[..], b"\0", b"\0\0\0\0", b"\0\0\0\0\x0a", b"\0\0\0\0\xff", b"\0\0\0\0\x0a\x1b[2J\0", b"\0\0\0\x01"]
        {
            assert_eq!(mysql_version(bytes), None, "{bytes:?}");
        }
    }
}
