//! Redis's protocol: one question, one answer, within the deadline and budget of the wire below.

use std::io::{self, Read, Write};

use redis::{Parser, Value};

use super::{TlsWire, Trouble, Wire};

/// A conversation with a Redis server, plain or through TLS with a trusted peer.
pub struct Resp {
    stream: Stream,
    parser: Parser,
}

enum Stream {
    Plain(Wire),
    Tls(Box<TlsWire>),
}

impl From<Wire> for Resp {
    fn from(wire: Wire) -> Self {
        Self { stream: Stream::Plain(wire), parser: Parser::new() }
    }
}

impl From<TlsWire> for Resp {
    fn from(wire: TlsWire) -> Self {
        Self { stream: Stream::Tls(Box::new(wire)), parser: Parser::new() }
    }
}

impl Resp {
    /// Sends a command and reads its answer. What the server refuses is an answer ([`Value::ServerError`]), no trouble.
    ///
    /// After a trouble the conversation is over: a late answer would be taken for that of the next question.
    ///
    /// # Errors
    /// Silence, more than the budget, a reset, or bytes that are no RESP.
    pub fn ask(&mut self, command: &[&[u8]]) -> Result<Value, Trouble> {
        let Some((name, arguments)) = command.split_first() else {
            return Err(Trouble::Other { why: "an empty command".to_owned() });
        };
        let mut packed = redis::Cmd::new();
        packed.arg(*name);
        for argument in arguments {
            packed.arg(*argument);
        }
        let gone = |error| Trouble::of(error, std::time::Duration::ZERO);
        self.stream.write_all(&packed.get_packed_command()).and_then(|()| self.stream.flush()).map_err(gone)?;
        let mut watched = Watched { stream: &mut self.stream, trouble: None, first: Vec::new() };
        let answer = self.parser.parse_value(&mut watched);
        match (answer, watched.trouble) {
            (Ok(value), _) => Ok(value),
            (Err(_), Some(trouble)) => Err(trouble),
            (Err(_), None) if watched.first.is_empty() => Err(Trouble::Closed),
            (Err(_), None) => Err(Trouble::Unexpected { what: super::http::what(&watched.first) }),
        }
    }
}

/// Keeps what the parser's errors lose: why the wire failed, and what the answer began with.
struct Watched<'a> {
    stream: &'a mut Stream,
    trouble: Option<Trouble>,
    first: Vec<u8>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(count) => {
                let room = 64_usize.saturating_sub(self.first.len()).min(count);
                self.first.extend_from_slice(&buffer[..room]);
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.trouble = Some(Trouble::of(error, std::time::Duration::ZERO));
                Err(kind.into())
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Tls(wire) => wire.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Tls(wire) => wire.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Tls(wire) => wire.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::net::{Time, dial};

    /// A server that answers whatever is asked with these bytes, over and over where `flood`.
    fn asked(answer: &'static [u8], flood: bool) -> Result<Value, Trouble> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let _ = stream.read(&mut [0; 512]);
            while stream.write_all(answer).is_ok() && flood {}
            if answer.is_empty() || answer.starts_with(b"*1000000000") {
                thread::sleep(Duration::from_secs(2));
            }
        });
        let time = Time::new(Duration::from_millis(500), Duration::from_millis(500));
        let mut resp = Resp::from(dial("127.0.0.1", port, time, 64 << 10).unwrap());
        resp.ask(&[b"PING"])
    }

    #[test]
    fn answers_and_refusals_are_values_and_the_rest_is_trouble() {
        assert_eq!(asked(b"+PONG\r\n", false).unwrap(), Value::SimpleString("PONG".to_owned()));
        assert!(matches!(asked(b"-NOAUTH Authentication required.\r\n", false), Ok(Value::ServerError(_))));
        assert!(matches!(asked(b"*1000000000\r\n", false), Err(Trouble::Silent { .. })));
        assert!(matches!(asked(b"", false), Err(Trouble::Silent { .. })));
        assert!(
            matches!(asked(b"SSH-2.0-OpenSSH\r\n", false), Err(Trouble::Unexpected { what }) if what.contains("SSH"))
        );
        assert!(matches!(
            asked(b"$100\r\nab", false),
            Err(Trouble::Unexpected { .. } | Trouble::Closed | Trouble::Reset)
        ));
    }

    #[test]
    fn a_flood_ends_at_the_budget_and_in_time() {
        let began = Instant::now();
        for answer in [
            &b"xxxxxxxxxxxxxxxx"[..],
            b"*1000000\r\n",
            b"*1\r\n",
            b"~3\r\n_\r\n",
            b"$1000000000\r\nxxxxxxxxxxxxxxxxxxxxxxxxx",
            b"%1000000000\r\n",
            b"|-1\r\n",
        ] {
            let result = asked(answer, true);
            assert!(result.is_err(), "{answer:?}: {result:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}
