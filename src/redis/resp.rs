//! Redis's protocol (RESP2): one command, one reply, within the deadline and budget of the line below. A client crate
//! would set its limits for each read, not for the whole, and bring TLS roots of its own.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use super::reply::Denial;
use crate::net::{Bounded, Line, NetError, Time, is_redis, unexpected};

/// Replies nest no deeper; those of `XRANGE`, the deepest asked for, have three levels.
const MAX_DEPTH: usize = 8;

/// A reply, as the protocol has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A null bulk string or array: there is no such thing.
    Nil,
    /// An integer.
    Int(i64),
    /// A simple string, such as `OK`.
    Simple(String),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// An array.
    Array(Vec<Self>),
    /// An error of the server.
    Error(Denial),
}

impl Value {
    /// The text of a string.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes)),
            Self::Simple(text) => Some(text.into()),
            _ => None,
        }
    }
}

/// A conversation with a Redis server.
pub(crate) struct Resp {
    line: BufReader<Line>,
}

impl Resp {
    /// Over a fresh connection.
    pub(crate) fn new(line: impl Into<Line>) -> Self {
        Self { line: BufReader::new(line.into()) }
    }

    /// Sets another deadline.
    pub(crate) fn until(&mut self, time: Time) {
        self.line.get_mut().until(time);
    }

    /// The version and cipher of TLS in use; `None`: plain.
    pub(crate) fn tls(&self) -> Option<String> {
        self.line.get_ref().tls()
    }

    /// Sends a command with its arguments and reads the reply. What the server refuses is a reply ([`Value::Error`]), no
    /// error.
    ///
    /// After a error the conversation is over: a late reply would be taken for that of the next command.
    ///
    /// # Errors
    /// Silence, more than the budget, a reset, or bytes that are no RESP.
    pub(crate) fn ask(&mut self, words: &[&[u8]]) -> Result<Value, NetError> {
        // A server that turns us away writes why and closes: what it wrote is read although our words went nowhere.
        let said = self.line.get_mut().send(&command(words));
        let head = match self.line.fill_buf() {
            Ok([]) => return Err(said.err().unwrap_or(NetError::Closed)),
            Ok(bytes) => bytes[..bytes.len().min(64)].to_vec(),
            Err(error) => return Err(NetError::of(error)),
        };
        value(&mut self.line, 0).map_err(|broken| match broken {
            Broken::Line(error) => NetError::of(error),
            Broken::Form if is_redis(&head) => NetError::unexpected("a malformed Redis reply"),
            Broken::Form => unexpected(&head),
        })
    }
}

/// A command is an array of bulk strings.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Why there is no reply.
enum Broken {
    /// The connection failed.
    Line(io::Error),
    /// It is no RESP, or not all of a reply.
    Form,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

/// One reply. Memory is taken for what came, never for what was announced; the line's budget bounds that.
fn value(input: &mut impl BufRead, depth: usize) -> Result<Value, Broken> {
    let kind = *input.fill_buf()?.first().ok_or(Broken::Form)?;
    if !b"+-:$*".contains(&kind) {
        return Err(Broken::Form);
    }
    let line = line(input)?;
    let rest = &line[1..];
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok()).ok_or(Broken::Form);
    Ok(match kind {
        b'+' => Value::Simple(text()),
        b'-' => Value::Error(Denial::new(&text())),
        b':' => Value::Int(number()?),
        _ => match (kind, number()?) {
            (_, -1) => Value::Nil,
            (b'$', length) => Value::Bulk(bulk(input, u64::try_from(length).map_err(|_| Broken::Form)?)?),
            (_, length) if (0..).contains(&length) && depth < MAX_DEPTH => {
                Value::Array((0..length).map(|_| value(input, depth + 1)).collect::<Result<_, _>>()?)
            }
            _ => return Err(Broken::Form),
        },
    })
}

/// A line without its end.
fn line(input: &mut impl BufRead) -> Result<Vec<u8>, Broken> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let length = line.strip_suffix(b"\r\n").ok_or(Broken::Form)?.len();
    line.truncate(length);
    Ok(line)
}

/// So many bytes and the end of the line.
fn bulk(input: &mut impl BufRead, length: u64) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length || !line(input)?.is_empty() {
        return Err(Broken::Form);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::net::dial;
    use crate::net::testing::{brief, end, hear, hold, patient, serve};

    /// What comes of a server that answers whatever is asked with these bytes and then goes.
    fn asked(answer: &'static [u8]) -> Result<Value, NetError> {
        of_server(patient(), move |stream| {
            hear(stream);
            let _ = stream.write_all(answer);
            end(stream);
        })
    }

    fn of_server(
        time: Time,
        talk: impl Fn(&mut std::net::TcpStream) + Send + Sync + 'static,
    ) -> Result<Value, NetError> {
        let port = serve(move |mut stream| talk(&mut stream));
        Resp::new(dial("127.0.0.1", port, time, 64 << 10).unwrap()).ask(&[b"PING"])
    }

    #[test]
    fn answers_and_refusals_are_values_and_the_rest_is_trouble() {
        assert_eq!(asked(b"+PONG\r\n"), Ok(Value::Simple("PONG".to_owned())));
        assert!(matches!(asked(b"-NOAUTH Authentication required.\r\n"), Ok(Value::Error(_))));
        assert_eq!(asked(b""), Err(NetError::Closed));
        assert!(
            matches!(asked(b"SSH-2.0-OpenSSH\r\n"), Err(NetError::Unexpected { what, .. }) if what.contains("SSH"))
        );
        assert!(matches!(asked(b"$100\r\nab"), Err(NetError::Unexpected { what, .. }) if what.contains("malformed")));
    }

    #[test]
    fn a_server_that_never_says_all_is_silent() {
        for said in [&b""[..], b"*1000000000\r\n", b"$100\r\nab", b"+PON"] {
            let answer = of_server(brief(), move |stream| {
                let _ = stream.write_all(said);
                hold(stream);
            });
            assert!(matches!(answer, Err(NetError::Silent { .. })), "{said:?}: {answer:?}");
        }
    }

    #[test]
    fn a_flood_ends_at_the_budget() {
        for (said, flooded) in [
            (&b"+xxxxxxxxxxxxxxx"[..], NetError::TooMuch { limit: 64 << 10 }),
            (b"*1000000\r\n:1\r\n", NetError::unexpected("a malformed Redis reply")),
            (b"*1\r\n", NetError::unexpected("a malformed Redis reply")),
            (b"$1000000000\r\nxxxxxxxxxxxxxxxxxxxxxxxxx", NetError::TooMuch { limit: 64 << 10 }),
        ] {
            let answer = of_server(patient(), move |stream| while stream.write_all(said).is_ok() {});
            assert_eq!(answer, Err(flooded), "{said:?}");
        }
        for other in [&b"xxxxxxxxxxxxxxxx"[..], b"~3\r\n_\r\n", b"%1000000000\r\n", b"|-1\r\n"] {
            let answer = of_server(patient(), move |stream| while stream.write_all(other).is_ok() {});
            assert!(matches!(answer, Err(NetError::Unexpected { .. })), "{other:?}: {answer:?}");
        }
    }

    fn parse(mut bytes: &[u8]) -> Option<Value> {
        value(&mut bytes, 0).ok()
    }

    #[test]
    fn every_kind_of_reply_is_read_and_nothing_behind_it() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        for (bytes, expected) in [
            ("+OK\r\n+more\r\n", Value::Simple("OK".to_owned())),
            ("-ERR no\r\n", Value::Error(Denial::new("ERR no"))),
            (":-7\r\n", Value::Int(-7)),
            ("$2\r\n\r\n\r\n", bulk("\r\n")),
            ("$0\r\n\r\n", bulk("")),
            ("$-1\r\n", Value::Nil),
            ("*-1\r\n", Value::Nil),
            ("*0\r\n", Value::Array(vec![])),
            ("*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", Value::Array(vec![Value::Array(vec![Value::Int(1)]), bulk("x")])),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Some(expected), "{bytes:?}");
        }
        for bytes in [
            "",
            "+",
            "+OK",
            "+OK\n",
            ":\r\n",
            ":1x\r\n",
            "$-2\r\n",
            "$3\r\nab\r\n",
            "$1\r\nab\r\n",
            "*2\r\n:1\r\n",
            "%0\r\n",
        ] {
            assert_eq!(parse(bytes.as_bytes()), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        assert_eq!(command(&[b"AUTH", b"p w\r\n"]), b"*2\r\n$4\r\nAUTH\r\n$5\r\np w\r\n\r\n");
    }

    #[test]
    fn hostile_lengths_and_depths_end_on_a_thread_of_usual_size() {
        let lengths = ["$", "*", "%", "|", "~", ">", "=", "!"].iter().flat_map(|kind| {
            ["9223372036854775807", "4611686018427387903", "-1", "-2", "0", ""]
                .map(|n| format!("{kind}{n}\r\n:1\r\n:1\r\n"))
        });
        let depths = ["*1\r\n", "%1\r\n:1\r\n", "|1\r\n:1\r\n", "~1\r\n", ">2\r\n+a\r\n"]
            .iter()
            .flat_map(|kind| [99, 100, 40_000].map(|times| kind.repeat(times)));
        for bytes in lengths.chain(depths) {
            let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || drop(parse(bytes.as_bytes())));
            thread.unwrap().join().unwrap();
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn nor_any_that_look_like_replies(text in "([$*%|~>=!:+,#_(-](-?[0-9]{0,4}|[a-z]{0,5})(\r\n)?){0,30}") {
            let _ = parse(text.as_bytes());
        }
    }
}
