//! Replies, as far as they matter here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resp::{Resp, Value};
use crate::net::{NetError, shown};
use crate::text::Foreign;

/// What a server says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
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
pub(crate) struct Denial {
    /// Its first word: `NOAUTH`.
    pub(crate) code: String,
    /// The rest, fit to be shown.
    pub(crate) text: Foreign,
}

/// What an error reply means, by the codes and words that servers of every age use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DenialKind {
    /// A password is needed first (`NOAUTH`).
    PasswordWanted,
    /// The password is not the server's, or its user is turned off.
    WrongPassword,
    /// A password was sent, and the server has none.
    NoPasswordSet,
    /// The user may not do this (`NOPERM`).
    Forbidden,
    /// The server still reads its data (`LOADING`).
    Loading,
    /// Protected mode: without a password it serves its own host only (`DENIED`).
    ProtectedMode,
    /// No connection is left (`maxclients`).
    TooManyClients,
    /// A replica whose primary is gone (`MASTERDOWN`).
    PrimaryLost,
    /// The server does not know the command.
    UnknownCommand,
    /// Anything else.
    Other,
}

impl Denial {
    /// What it means.
    pub(crate) fn kind(&self) -> DenialKind {
        match self.code.as_str() {
            "NOAUTH" => return DenialKind::PasswordWanted,
            "WRONGPASS" => return DenialKind::WrongPassword,
            "NOPERM" => return DenialKind::Forbidden,
            "LOADING" => return DenialKind::Loading,
            "DENIED" => return DenialKind::ProtectedMode,
            "MASTERDOWN" => return DenialKind::PrimaryLost,
            _ => {}
        }
        let text = self.text.raw().to_ascii_lowercase();
        // Where two differ: Redis 6 and newer first, then 5 and older.
        [
            ("without any password configured", DenialKind::NoPasswordSet),
            ("no password is set", DenialKind::NoPasswordSet),
            ("invalid username-password", DenialKind::WrongPassword),
            ("invalid password", DenialKind::WrongPassword),
            ("max number of clients", DenialKind::TooManyClients),
            ("unknown command", DenialKind::UnknownCommand),
        ]
        .into_iter()
        .find(|(words, _)| text.contains(words))
        .map_or(DenialKind::Other, |(_, kind)| kind)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// Asks, and waits for the reply.
///
/// # Errors
/// The network's, or bytes of another protocol.
pub(crate) fn ask(resp: &mut Resp, words: &[&[u8]]) -> Result<Reply, NetError> {
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
            Reply::Error(Denial { code: shown(code), text: shown(text).into() })
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
            let denial = Denial { code: code.to_owned(), text: text.into() };
            assert_eq!(reply(Value::Error(error.to_owned())), Ok(Reply::Error(denial)));
        }
        let list = Reply::List(vec!["server".to_owned(), "redis".to_owned(), String::new()]);
        assert_eq!(reply(Value::Array(vec![text("server"), text("redis"), Value::Array(vec![])])), Ok(list));
        assert!(reply(Value::Int(7)).is_err());
        assert!(reply(Value::Nil).is_err());
    }

    #[test]
    fn refusals_of_every_age_are_told_by_their_kind() {
        use DenialKind::*;
        for (code, text, kind) in [
            ("NOAUTH", "Authentication required.", PasswordWanted),
            ("WRONGPASS", "invalid username-password pair or user is disabled.", WrongPassword),
            ("ERR", "invalid password", WrongPassword),
            ("ERR", "Client sent AUTH, but no password is set", NoPasswordSet),
            ("ERR", "AUTH <password> called without any password configured for the default user.", NoPasswordSet),
            ("NOPERM", "this user has no permissions to run the 'info' command", Forbidden),
            ("LOADING", "Redis is loading the dataset in memory", Loading),
            ("DENIED", "Redis is running in protected mode", ProtectedMode),
            ("ERR", "max number of clients reached", TooManyClients),
            ("MASTERDOWN", "Link with MASTER is down", PrimaryLost),
            ("ERR", "unknown command `HELLO`, with args beginning with: ", UnknownCommand),
            ("MISCONF", "x", Other),
        ] {
            assert_eq!(Denial { code: code.to_owned(), text: text.into() }.kind(), kind, "{code} {text}");
        }
    }
}
