//! One HTTP/1.1 request and the head of its answer.

use std::io::{Read, Write};

use super::NetError;

/// No honest head is larger.
pub(crate) const MAX_HEAD: usize = 64 << 10;

/// No more header lines are read.
const MAX_HEADERS: usize = 128;

/// The head of an answer and what came of its body along with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status code.
    pub status: u16,
    /// Its words, as the server wrote them.
    pub reason: String,
    /// Names in lower case, values trimmed, in order.
    pub headers: Vec<(String, String)>,
    /// The bytes behind the head that came along with it.
    pub rest: Vec<u8>,
}

impl Answer {
    /// The values of a header, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Is it a page for people, by its own word or by how it begins?
    pub(crate) fn is_html(&self) -> bool {
        self.get("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
            || looks_like_html(&self.rest)
    }
}

/// Sends a request (`GET http://…`, `CONNECT host:port`) with these header lines and `User-Agent`, and reads the head of the
/// answer.
///
/// Answers `1xx` are read over.
///
/// # Errors
/// Silence, too much, a reset, or bytes that are no HTTP.
pub(crate) fn request<S: Read + Write>(
    stream: &mut S,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, NetError> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(concat!("User-Agent: ics-setup/", env!("CARGO_PKG_VERSION"), "\r\n\r\n"));
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_err(NetError::of)?;
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes)? {
            if (100..200).contains(&answer.status) && answer.status != 101 {
                bytes = answer.rest;
                continue;
            }
            return Ok(answer);
        }
        if bytes.len() > MAX_HEAD {
            return Err(NetError::TooMuch { limit: MAX_HEAD });
        }
        let mut buffer = [0_u8; 4096];
        let count = stream.read(&mut buffer).map_err(NetError::of)?;
        if count == 0 {
            return Err(if bytes.is_empty() { NetError::Closed } else { unexpected(&bytes) });
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

/// Do the first bytes of something look like a page?
pub(crate) fn looks_like_html(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().take(64).map(u8::to_ascii_lowercase).collect();
    [&b"<!doctype html"[..], b"<html"].iter().any(|sign| memchr::memmem::find(&start, sign).is_some())
}

/// The value of `Authorization` and `Proxy-Authorization` for Basic.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> String {
    let login = [user, b":", password].concat();
    format!("Basic {}", crate::redact::base64_padded(&login))
}

/// A head, once it is there as a whole.
fn parse(bytes: &[u8]) -> Result<Option<Answer>, NetError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => Ok(Some(Answer {
            status: head.code.unwrap_or_default(),
            reason: head.reason.unwrap_or_default().to_owned(),
            headers: head
                .headers
                .iter()
                .map(|header| {
                    (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned())
                })
                .collect(),
            rest: bytes[end..].to_vec(),
        })),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(unexpected(bytes)),
    }
}

/// The error that an answer of another protocol is, by its first bytes.
pub(crate) fn unexpected(bytes: &[u8]) -> NetError {
    match protocol(bytes) {
        Some(protocol) if matches!(bytes, [0x15 | 0x16, 0x03, ..]) => NetError::unexpected_tls(protocol),
        Some(protocol) => NetError::unexpected(protocol),
        None => {
            let text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
                .chars()
                .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '.' } else { c })
                .collect();
            NetError::Unexpected { what: format!("it begins with {text:?}"), tls: false, quotes: true }
        }
    }
}

/// Do these bytes begin as a reply of Redis does?
pub(crate) fn is_redis(bytes: &[u8]) -> bool {
    matches!(bytes, [b'-' | b'+' | b'$' | b'*' | b':', ..] if bytes.contains(&b'\n'))
}

/// The protocol that is known by its first bytes.
fn protocol(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x15, 0x03, ..] => "a TLS alert",
        [0x16, 0x03, ..] => "a TLS handshake",
        [b'S', b'S', b'H', b'-', ..] => "an SSH greeting",
        [b'H', b'T', b'T', b'P', ..] => "HTTP",
        [_, _, _, 0, 10, ..] => "a MySQL greeting",
        _ if is_redis(bytes) => "a Redis reply",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scripted {
        answer: std::io::Cursor<Vec<u8>>,
        asked: Vec<u8>,
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.answer.read(buffer)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.asked.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn ask(answer: &[u8]) -> Result<Answer, NetError> {
        let mut stream = Scripted { answer: std::io::Cursor::new(answer.to_vec()), asked: Vec::new() };
        request(&mut stream, "GET", "/", &[("Host", "x")])
    }

    #[test]
    fn a_head_is_read_and_what_is_not_http_is_named() {
        let answer = ask(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\nA: 1\r\na:  2 \r\n\r\nbody").unwrap();
        assert_eq!((answer.status, answer.reason.as_str(), answer.rest.as_slice()), (407, "No", &b"body"[..]));
        assert_eq!(answer.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(ask(b"").unwrap_err(), NetError::Closed);
        for (bytes, words) in [
            (&b"SSH-2.0-x\r\n"[..], "SSH"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "TLS alert"),
            (b"\0\0\0\0\n5.7", "MySQL"),
            (b"-NOAUTH x\r\n", "Redis"),
        ] {
            let error = ask(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: ".to_vec(), vec![b'x'; MAX_HEAD + 10_000]].concat();
        assert_eq!(ask(&endless).unwrap_err(), NetError::TooMuch { limit: MAX_HEAD });
    }
}
