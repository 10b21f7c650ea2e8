//! Why there was no answer, or none that could be understood.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{TlsFault, fault};
use super::{Distrust, seconds};
use crate::text::{Foreign, shown_by_display};

/// What kept a conversation from happening. Part of saved facts: the names are a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case")]
pub enum NetError {
    /// The resolver says that there is no such name.
    NameUnknown,
    /// The resolver did not answer, or could not.
    NameUnanswered {
        /// Its words, or how long was waited.
        why: Foreign,
    },
    /// Nothing listens on the port (or a firewall rejects).
    Refused,
    /// No answer to the connection attempt.
    ConnectTimeout {
        /// Milliseconds waited.
        millis: u64,
    },
    /// No way to that network or host.
    Unreachable {
        /// The system's words.
        why: Foreign,
    },
    /// Connected, and closed without a byte.
    Closed,
    /// Connected, and reset.
    Reset,
    /// Connected, and nothing (more) came in time.
    Silent {
        /// The limit, in milliseconds.
        millis: u64,
    },
    /// More came than any honest answer has.
    TooMuch {
        /// The largest size that is read, in bytes.
        limit: usize,
    },
    /// The answer is not what was asked for.
    Unexpected {
        /// What it looks like.
        what: String,
        /// The other side speaks TLS.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tls: bool,
        /// `what` repeats bytes that the other side sent.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        quotes: bool,
    },
    /// No TLS connection came about.
    Tls {
        /// Why.
        why: TlsFault,
    },
    /// The peer's certificate is not trusted: nothing secret was sent.
    Untrusted {
        /// Why.
        why: Distrust,
    },
    /// Anything else.
    Other {
        /// The system's words.
        why: Foreign,
    },
}

impl NetError {
    /// An answer of another protocol than the one spoken here, and not TLS.
    pub fn unexpected(what: impl Into<String>) -> Self {
        Self::Unexpected { what: what.into(), tls: false, quotes: false }
    }

    /// An answer of another protocol than the one spoken here: TLS.
    pub fn unexpected_tls(what: &str) -> Self {
        Self::Unexpected { what: what.to_owned(), tls: true, quotes: false }
    }

    /// A limit that passed while waiting for bytes.
    pub fn silent(limit: Duration) -> Self {
        Self::Silent { millis: millis(limit) }
    }

    /// A connection attempt that ran out of time.
    pub fn connect_timeout(waited: Duration) -> Self {
        Self::ConnectTimeout { millis: millis(waited) }
    }

    /// What an error of a connected socket means. Troubles that travel inside an [`io::Error`] come out again.
    pub fn of(error: io::Error) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return error.clone();
        }
        // In TLS 1.3 what the other side makes of the client comes behind the handshake.
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::Tls { why: fault(error) };
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            io::ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Other { why: error.to_string().into() },
        }
    }
}

/// To the nearest: of a limit of 500 ms some microseconds are gone before the waiting begins.
fn millis(duration: Duration) -> u64 {
    crate::text::millis(duration.saturating_add(Duration::from_micros(500)))
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waited = |millis: &u64| seconds(Duration::from_millis(*millis));
        match self {
            Self::NameUnknown => f.write_str("the name does not resolve"),
            Self::NameUnanswered { why } => write!(f, "the name could not be looked up: {why}"),
            Self::Refused => f.write_str("connection refused: nothing listens on that port, or a firewall rejects it"),
            Self::ConnectTimeout { millis } => {
                write!(f, "no answer to the connection attempt within {}", waited(millis))
            }
            Self::Unreachable { why } => write!(f, "no way there: {why}"),
            Self::Closed => f.write_str("connected, and the other side closed without a word"),
            Self::Reset => f.write_str("connected, and the other side reset the connection"),
            Self::Silent { millis } => write!(f, "connected, and nothing came within {}", waited(millis)),
            Self::TooMuch { limit } => write!(f, "the answer is larger than {limit} bytes; the rest was not read"),
            Self::Unexpected { what, quotes, .. } => {
                f.write_str("an answer that is not of this protocol: ")?;
                if *quotes { Foreign::from(what.as_str()).fmt(f) } else { f.write_str(what) }
            }
            Self::Tls { why } => write!(f, "no TLS connection: {why}"),
            Self::Untrusted { why } => write!(f, "the certificate is not trusted: {why}"),
            Self::Other { why } => why.fmt(f),
        }
    }
}

shown_by_display!(NetError, Distrust);

impl std::error::Error for NetError {}

impl From<NetError> for io::Error {
    fn from(error: NetError) -> Self {
        Self::other(error)
    }
}
