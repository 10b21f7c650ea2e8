//! Error replies, and what they mean.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::net::shown;
use crate::text::Foreign;

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
    /// Reads the line of an error reply, without the sign before it.
    pub(crate) fn new(line: &str) -> Self {
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        Self { code: shown(code), text: shown(text).into() }
    }

    /// What it means.
    pub(crate) fn kind(&self) -> DenialKind {
        let text = self.text.raw().to_ascii_lowercase();
        let says = |words: &str| text.contains(words);
        match self.code.as_str() {
            "NOAUTH" => DenialKind::PasswordWanted,
            "WRONGPASS" => DenialKind::WrongPassword,
            "NOPERM" => DenialKind::Forbidden,
            "LOADING" => DenialKind::Loading,
            "DENIED" => DenialKind::ProtectedMode,
            "MASTERDOWN" => DenialKind::PrimaryLost,
            // Where two differ: Redis 6 and newer first, then 5 and older.
            _ if says("without any password configured") || says("no password is set") => DenialKind::NoPasswordSet,
            _ if says("invalid username-password") || says("invalid password") => DenialKind::WrongPassword,
            _ if says("max number of clients") => DenialKind::TooManyClients,
            _ if says("unknown command") => DenialKind::UnknownCommand,
            _ => DenialKind::Other,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reply_begins_with_its_code() {
        for (line, code, text) in
            [("NOAUTH Authentication required.", "NOAUTH", "Authentication required."), ("LOADING", "LOADING", "")]
        {
            assert_eq!(Denial::new(line), Denial { code: code.to_owned(), text: text.into() });
        }
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
