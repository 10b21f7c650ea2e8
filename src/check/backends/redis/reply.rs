//! Replies, as far as they matter here.

use redis::{Cmd, Value};
use serde::{Deserialize, Serialize};

use crate::check::backends::words::shown;
use crate::net::{Resp, Trouble};

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

/// Asks, and waits for the reply.
///
/// # Errors
/// The network's, or bytes of another protocol.
pub fn ask(resp: &mut Resp, command: &Cmd) -> Result<Reply, Trouble> {
    reply(resp.ask(command)?)
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

#[cfg(test)]
mod tests {
    use redis::Parser;

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
}
