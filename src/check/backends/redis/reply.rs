//! Replies, as far as they matter here.

use serde::{Deserialize, Serialize};

use crate::check::backends::words::shown;
use crate::net::{NetError, Resp, Value};

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
pub fn ask(resp: &mut Resp, words: &[&[u8]]) -> Result<Reply, NetError> {
    reply(resp.ask(words)?)
}

fn reply(value: Value) -> Result<Reply, NetError> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(match value {
        Value::Simple(_) => Reply::Fine,
        Value::Bulk(bytes) => Reply::Text(text(bytes)),
        Value::Array(values) => Reply::List(
            values
                .into_iter()
                .map(|value| match value {
                    Value::Bulk(bytes) => text(bytes),
                    Value::Simple(text) => text,
                    _ => String::new(),
                })
                .collect(),
        ),
        Value::Error(error) => {
            let (code, text) = error.split_once(' ').unwrap_or((&error, ""));
            Reply::Error(Denial { code: shown(code), text: shown(text) })
        }
        _ => return Err(NetError::unexpected("a Redis reply of a kind that was not asked for")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart() {
        let text = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        assert_eq!(reply(Value::Simple("OK".to_owned())), Ok(Reply::Fine));
        assert_eq!(reply(text("ab")), Ok(Reply::Text("ab".to_owned())));
        for (error, code, text) in
            [("NOAUTH Authentication required.", "NOAUTH", "Authentication required."), ("LOADING", "LOADING", "")]
        {
            let denial = Denial { code: code.to_owned(), text: text.to_owned() };
            assert_eq!(reply(Value::Error(error.to_owned())), Ok(Reply::Error(denial)));
        }
        let list = Reply::List(vec!["server".to_owned(), "redis".to_owned(), String::new()]);
        assert_eq!(reply(Value::Array(vec![text("server"), text("redis"), Value::Array(vec![])])), Ok(list));
        assert!(reply(Value::Int(7)).is_err());
        assert!(reply(Value::Nil).is_err());
    }
}
