//! Why a certificate is not trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Foreign;

/// Why a certificate is not valid here. Part of saved facts: the names are a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "distrust", rename_all = "kebab-case")]
pub enum Distrust {
    /// Nobody who is trusted has issued it.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come, or our clock is behind.
    NotYet,
    /// It is somebody else's.
    OtherName {
        /// Whose it is, the first few.
        names: Vec<Foreign>,
    },
    /// It was taken back.
    Revoked,
    /// There is nothing to judge it by.
    NoRoots,
    /// It is the certificate of a CA, used by a server, and not in the store itself.
    CaAsServer,
    /// Anything else.
    Other {
        /// In the library's words.
        why: Foreign,
    },
}

impl Distrust {
    /// The same, with `by` applied to each text that comes from the certificate or the library.
    pub(crate) fn cleaned(self, by: impl Fn(&Foreign) -> Foreign) -> Self {
        match self {
            Self::OtherName { names } => Self::OtherName { names: names.iter().map(by).collect() },
            Self::Other { why } => Self::Other { why: by(&why) },
            other => other,
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("its issuer is not among the trusted certificates"),
            Self::Expired => f.write_str("it has expired (or this host's clock is ahead)"),
            Self::NotYet => f.write_str("it is not valid yet (or this host's clock is behind)"),
            Self::OtherName { names } if names.is_empty() => f.write_str("it was issued for another name"),
            Self::OtherName { names } => {
                let names: Vec<&str> = names.iter().map(Foreign::raw).collect();
                write!(f, "it was issued for another name: {}", Foreign::from(names.join(", ")))
            }
            Self::Revoked => f.write_str("it was revoked"),
            Self::NoRoots => f.write_str("this host has no trusted certificates (package ca-certificates)"),
            Self::CaAsServer => {
                f.write_str("it is the certificate of a CA, used by a server (as `openssl req -x509` makes them)")
            }
            Self::Other { why } => why.fmt(f),
        }
    }
}
