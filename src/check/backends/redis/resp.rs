//! Questions and replies over a [`Line`]. Encoding and parsing are the `redis` crate's; its connection is not used,
//! because its limits are on each read, not on the whole, and its TLS has roots of its own.

use std::io::{self, Read};

use redis::{Cmd, Parser, Value};
use serde::{Deserialize, Serialize};

use crate::check::backends::line::Line;
use crate::check::backends::words::shown;
use crate::net::{Time, Trouble, what};

/// A conversation.
pub struct Talk {
    line: Line,
    parser: Parser,
}

/// What a server says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`, `+PONG`.
    Fine,
    /// A text.
    Text(String),
    /// A list of texts; what is no text is empty.
    List(Vec<String>),
    /// An error.
    Error(Denial),
}

/// An error reply: part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Its first word: `NOAUTH`.
    pub code: String,
    /// The rest, fit to be shown.
    pub text: String,
}

impl Talk {
    /// Over a fresh connection.
    pub fn new(line: Line) -> Self {
        Self { line, parser: Parser::new() }
    }

    /// Sets another deadline.
    pub fn until(&mut self, time: Time) {
        self.line.until(time);
    }

    /// The version and cipher of TLS in use.
    pub fn tls(&self) -> Option<String> {
        self.line.tls()
    }

    /// Asks, and waits for the reply.
    ///
    /// # Errors
    /// The network's, or bytes of another protocol.
    pub fn ask(&mut self, command: &Cmd) -> Result<Reply, Trouble> {
        // A server that turns us away writes why and closes: what it wrote is read although our words went nowhere.
        let said = self.line.say(&command.get_packed_command());
        let mut tap = Tap { line: &mut self.line, head: Vec::new(), trouble: None, read: false };
        match self.parser.parse_value(&mut tap) {
            Ok(value) => reply(value),
            Err(_) => Err(match (tap.trouble, said) {
                (Some(trouble), _) => trouble,
                (None, Err(trouble)) if !tap.read => trouble,
                (None, _) if !tap.read => Trouble::Closed,
                (None, _) => {
                    let looks = what(&tap.head);
                    let what = if looks == "a Redis reply" { "a malformed Redis reply".to_owned() } else { looks };
                    Trouble::Unexpected { what }
                }
            }),
        }
    }
}

fn reply(value: Value) -> Result<Reply, Trouble> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(match value {
        Value::Okay | Value::SimpleString(_) => Reply::Fine,
        Value::BulkString(bytes) => Reply::Text(text(bytes)),
        Value::VerbatimString { text, .. } => Reply::Text(text),
        Value::Array(values) => Reply::List(
            values
                .into_iter()
                .map(|value| match value {
                    Value::BulkString(bytes) => text(bytes),
                    Value::SimpleString(text) => text,
                    _ => String::new(),
                })
                .collect(),
        ),
        Value::ServerError(error) => {
            Reply::Error(Denial { code: shown(error.code()), text: shown(error.details().unwrap_or_default()) })
        }
        _ => return Err(Trouble::Unexpected { what: "a Redis reply of a kind that was not asked for".to_owned() }),
    })
}

/// Passes bytes on to the parser, and remembers how they began and what ended them. The parser takes memory for what came
/// only, and stops at a hundred levels; the line's budget and deadline do the rest.
struct Tap<'a> {
    line: &'a mut Line,
    head: Vec<u8>,
    trouble: Option<Trouble>,
    read: bool,
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.line.some(buffer).map_err(|trouble| {
            self.trouble = Some(trouble.clone());
            io::Error::from(trouble)
        })?;
        let bytes = &buffer[..count];
        self.read |= count > 0;
        self.head.extend(bytes.iter().take(64_usize.saturating_sub(self.head.len())));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(bytes: &[u8]) -> Option<Reply> {
        Parser::new().parse_value(bytes).ok().and_then(|value| reply(value).ok())
    }

    #[test]
    fn replies_are_told_apart() {
        assert_eq!(parse(b"+OK\r\n"), Some(Reply::Fine));
        assert_eq!(parse(b"$2\r\nab\r\n"), Some(Reply::Text("ab".to_owned())));
        let denial = Denial { code: "NOAUTH".to_owned(), text: "Authentication required.".to_owned() };
        assert_eq!(parse(b"-NOAUTH Authentication required.\r\n"), Some(Reply::Error(denial)));
        let list = Reply::List(vec!["server".to_owned(), "redis".to_owned(), String::new()]);
        assert_eq!(parse(b"*3\r\n$6\r\nserver\r\n$5\r\nredis\r\n*0\r\n"), Some(list));
        assert_eq!(parse(b":7\r\n"), None);
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
