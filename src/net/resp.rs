//! Redis's protocol: one question, one answer, within the deadline and budget of the line below. Encoding and parsing are
//! the `redis` crate's; its connection is not used, because its limits are on each read, not on the whole, and its TLS has
//! roots of its own.

use std::io::{self, Read};

use redis::{Cmd, Parser, Value};

use super::{Line, Time, Trouble};

/// A conversation with a Redis server.
pub struct Resp {
    line: Line,
    parser: Parser,
}

impl Resp {
    /// Over a fresh connection.
    pub fn new(line: impl Into<Line>) -> Self {
        Self { line: line.into(), parser: Parser::new() }
    }

    /// Sets another deadline.
    pub fn until(&mut self, time: Time) {
        self.line.until(time);
    }

    /// The version and cipher of TLS in use; `None`: plain.
    pub fn tls(&self) -> Option<String> {
        self.line.tls()
    }

    /// Sends a command and reads its answer. What the server refuses is an answer ([`Value::ServerError`]), no trouble.
    ///
    /// After a trouble the conversation is over: a late answer would be taken for that of the next question.
    ///
    /// # Errors
    /// Silence, more than the budget, a reset, or bytes that are no RESP.
    pub fn ask(&mut self, command: &Cmd) -> Result<Value, Trouble> {
        // A server that turns us away writes why and closes: what it wrote is read although our words went nowhere.
        let said = self.line.say(&command.get_packed_command());
        let mut tap = Tap { line: &mut self.line, head: Vec::new(), trouble: None };
        self.parser.parse_value(&mut tap).map_err(|_| match (tap.trouble, said) {
            (Some(trouble), _) => trouble,
            (None, Err(trouble)) if tap.head.is_empty() => trouble,
            (None, _) if tap.head.is_empty() => Trouble::Closed,
            (None, _) => {
                let looks = super::http::what(&tap.head);
                let what = if looks == "a Redis reply" { "a malformed Redis reply".to_owned() } else { looks };
                Trouble::Unexpected { what }
            }
        })
    }
}

/// Keeps what the parser's errors lose: why the line failed, and what the answer began with. The parser takes memory for
/// what came only, and stops at a hundred levels; the line's budget and deadline do the rest.
struct Tap<'a> {
    line: &'a mut Line,
    head: Vec<u8>,
    trouble: Option<Trouble>,
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.line.some(buffer).map_err(|trouble| {
            self.trouble = Some(trouble.clone());
            io::Error::from(trouble)
        })?;
        self.head.extend(buffer[..count].iter().take(64_usize.saturating_sub(self.head.len())));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

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
        let mut resp = Resp::new(dial("127.0.0.1", port, time, 64 << 10).unwrap());
        resp.ask(&redis::cmd("PING"))
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

    fn parse(bytes: &[u8]) -> Option<Value> {
        Parser::new().parse_value(bytes).ok()
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
