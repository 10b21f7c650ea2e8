//! One file over HTTP, directly or through the proxy: within a deadline, not larger than is allowed, and no page for people.
//! Nobody is followed to another place.

use std::io::{Read, Write};

use super::cause::Cause;
use super::proxy::{Cleaner, Request, ask, bracketed};
use super::stream::Behind;
use crate::clients::{Target, TargetError};
use crate::net::{Answer, MAX_HEAD, NetError, Roots, Time, dial, request, shake};
use crate::settings::{ProxyUrl, Scheme};
use crate::text::host_port;

/// What TLS and heads may take beside the file.
const SLACK: usize = MAX_HEAD + (64 << 10);

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// The URL is none.
    Url(TargetError),
    /// The URL has a user or a password in it, which everybody can read in the process list.
    Login,
    /// The way there ends.
    Way(Cause),
    /// The server answers with another status, and the place that it names, its query left out.
    Status(u16, Option<String>),
    /// It is a page for people.
    Page,
    /// It is larger than so many bytes.
    TooLarge(usize),
    /// It ends before its end.
    Cut,
}

impl From<NetError> for NoFile {
    fn from(error: NetError) -> Self {
        match error {
            NetError::TooMuch { limit } => Self::TooLarge(limit),
            error => Self::Way(error.into()),
        }
    }
}

/// The file at a URL, of at most `most` bytes.
///
/// # Errors
/// Why there is none.
pub(crate) fn get(
    url: &str,
    proxy: Option<&ProxyUrl>,
    roots: &Roots,
    time: Time,
    most: usize,
) -> Result<Vec<u8>, NoFile> {
    let target = Target::parse(url).map_err(NoFile::Url)?;
    let rest = url.trim().split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(NoFile::Login);
    }
    let path = rest[authority.len()..].split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let (host, usual) = (target.host.to_string(), if target.tls { 443 } else { 80 });
    let port = target.port.unwrap_or(usual);
    let named = if port == usual { bracketed(&host) } else { host_port(&host, port) };
    let budget = most.saturating_add(SLACK);
    let Some(proxy) = proxy else {
        let wire = dial(&host, port, time, budget)?;
        return match target.tls {
            true => asked(shake(wire, &host, roots)?, &named, &path, most),
            false => asked(wire, &named, &path, most),
        };
    };
    let at = proxy.host.to_string();
    let wire = dial(&at, proxy.asked_port(), time, budget)?;
    let way = Way { proxy, roots, host: &host, port, named: &named, path: &path, most };
    match proxy.scheme {
        Scheme::Http => way.through(wire, target.tls),
        Scheme::Https => way.through(shake(wire, &at, roots)?, target.tls),
    }
}

/// The way from a connected proxy on.
struct Way<'a> {
    proxy: &'a ProxyUrl,
    roots: &'a Roots,
    host: &'a str,
    port: u16,
    named: &'a str,
    path: &'a str,
    most: usize,
}

impl Way<'_> {
    fn through<S: Read + Write>(&self, mut stream: S, tls: bool) -> Result<Vec<u8>, NoFile> {
        let request =
            if tls { Request::tunnel(self.host, self.port) } else { Request::page(self.host, self.port, self.path) };
        let cleaner = Cleaner::new(std::iter::once(self.proxy));
        let (said, answer) = ask(&mut stream, &request, Some(self.proxy), &cleaner);
        if let Some(why) = said.cause(tls) {
            return Err(NoFile::Way(why));
        }
        let Some(answer) = answer else { return Err(NoFile::Way(NetError::Closed.into())) };
        if !tls {
            return body(answer, &mut stream, self.most);
        }
        asked(shake(Behind::new(answer.rest, stream), self.host, self.roots)?, self.named, self.path, self.most)
    }
}

fn asked<S: Read + Write>(mut stream: S, named: &str, path: &str, most: usize) -> Result<Vec<u8>, NoFile> {
    let headers = [("Host", named), ("Accept", "*/*"), ("Connection", "close")];
    let answer = request(&mut stream, "GET", path, &headers)?;
    body(answer, &mut stream, most)
}

/// What an answer brings.
fn body(answer: Answer, stream: &mut impl Read, most: usize) -> Result<Vec<u8>, NoFile> {
    if answer.status != 200 {
        let to = answer.get("location").map(|to| to.split(['?', '#']).next().unwrap_or_default().to_owned());
        return Err(NoFile::Status(answer.status, to));
    }
    if answer.is_html() {
        return Err(NoFile::Page);
    }
    let chunked = answer.get("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    let length = answer.get("content-length").and_then(|length| length.parse::<usize>().ok()).filter(|_| !chunked);
    if length.is_some_and(|length| length > most) {
        return Err(NoFile::TooLarge(most));
    }
    // Marks of chunks are no part of the file; there are not as many of them as bytes.
    let limit = if chunked { most.saturating_mul(2) } else { most };
    let mut bytes = answer.rest;
    let mut buffer = [0_u8; 8192];
    while length.is_none_or(|length| bytes.len() < length) && !(chunked && is_whole(&bytes)) {
        if bytes.len() > limit {
            return Err(NoFile::TooLarge(most));
        }
        match stream.read(&mut buffer).map_err(NetError::of) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            // Many servers close TLS without a word.
            Err(NetError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = match length {
        _ if chunked => without_chunks(&bytes).ok_or(NoFile::Cut)?,
        Some(length) if bytes.len() < length => return Err(NoFile::Cut),
        Some(length) => bytes[..length].to_vec(),
        None => bytes,
    };
    match () {
        () if bytes.len() > most => Err(NoFile::TooLarge(most)),
        () if crate::net::looks_like_html(&bytes) => Err(NoFile::Page),
        () => Ok(bytes),
    }
}

fn is_whole(chunks: &[u8]) -> bool {
    chunks.ends_with(b"0\r\n\r\n") && without_chunks(chunks).is_some()
}

/// RFC 9112, 7.1; `None`: it is cut, or no chunks.
fn without_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let end = memchr::memmem::find(rest, b"\r\n")?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(head.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(bytes);
        }
        bytes.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;
    use crate::net::testing::{closed_port, patient, serve};

    /// Asks a server that answers so, directly and through a proxy that answers the same.
    fn both(answer: &'static [u8]) -> [Result<Vec<u8>, NoFile>; 2] {
        let port = serve(move |mut stream| {
            let mut buffer = [0_u8; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(answer);
        });
        let roots = Roots::of(&MemoryHost::new(), b"");
        let proxy = ProxyUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        [
            get(&format!("http://127.0.0.1:{port}/x?y#z"), None, &roots, patient(), 20),
            get("http://files.example/x", Some(&proxy), &roots, patient(), 20),
        ]
    }

    #[test]
    fn a_file_comes_whole_and_what_is_none_is_named() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd"[..], Ok(b"abc".to_vec())),
            (b"HTTP/1.1 200 OK\r\n\r\nabc", Ok(b"abc".to_vec())),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                Ok(b"abc".to_vec()),
            ),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1", Err(NoFile::Cut)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Err(NoFile::Cut)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n", Err(NoFile::TooLarge(20))),
            (b"HTTP/1.1 200 OK\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Err(NoFile::TooLarge(20))),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>x</", Err(NoFile::Page)),
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx", Err(NoFile::Page)),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Err(NoFile::Status(404, None))),
            (
                b"HTTP/1.1 302 Found\r\nLocation: https://b.example/y?token=1\r\n\r\n",
                Err(NoFile::Status(302, Some("https://b.example/y".to_owned()))),
            ),
        ] {
            for seen in both(answer) {
                assert_eq!(seen, expected, "{}", String::from_utf8_lossy(answer));
            }
        }
        let roots = Roots::of(&MemoryHost::new(), b"");
        let closed = format!("https://127.0.0.1:{}/", closed_port());
        assert_eq!(get(&closed, None, &roots, patient(), 9), Err(NoFile::Way(NetError::Refused.into())));
        assert_eq!(get("https://u:p@x/", None, &roots, patient(), 9), Err(NoFile::Login));
        assert!(matches!(get("ftp://x/", None, &roots, patient(), 9), Err(NoFile::Url(_))));
    }
}
