//! Why a certificate is not trusted.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::shown::marked;
use crate::text::Shown;

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
        names: Vec<String>,
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
        why: String,
    },
}

impl Distrust {
    /// The reason that its words ([`fmt::Display`]) stand for: facts of 0.1.0 have no more.
    pub(crate) fn from_words(words: String) -> Self {
        let other_name = Self::OtherName { names: Vec::new() };
        let known = [
            Self::UnknownIssuer,
            Self::Expired,
            Self::NotYet,
            Self::Revoked,
            Self::NoRoots,
            Self::CaAsServer,
            other_name.clone(),
        ];
        if let Some(distrust) = known.into_iter().find(|distrust| distrust.to_string() == words) {
            return distrust;
        }
        match words.split_once(": ") {
            Some((begin, names)) if begin == other_name.to_string() => {
                Self::OtherName { names: names.split(", ").map(str::to_owned).collect() }
            }
            _ => Self::Other { why: words },
        }
    }

    /// The same, with `by` applied to each text that comes from the certificate or the library.
    pub(crate) fn cleaned(self, by: impl Fn(&str) -> String) -> Self {
        match self {
            Self::OtherName { names } => Self::OtherName { names: names.iter().map(|name| by(name)).collect() },
            Self::Other { why } => Self::Other { why: by(&why) },
            other => other,
        }
    }
}

impl Distrust {
    /// Its words. `quote` writes what the certificate or the library says.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, quote: fn(&str) -> String) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("its issuer is not among the trusted certificates"),
            Self::Expired => f.write_str("it has expired (or this host's clock is ahead)"),
            Self::NotYet => f.write_str("it is not valid yet (or this host's clock is behind)"),
            Self::OtherName { names } if names.is_empty() => f.write_str("it was issued for another name"),
            Self::OtherName { names } => write!(f, "it was issued for another name: {}", quote(&names.join(", "))),
            Self::Revoked => f.write_str("it was revoked"),
            Self::NoRoots => f.write_str("this host has no trusted certificates (package ca-certificates)"),
            Self::CaAsServer => {
                f.write_str("it is the certificate of a CA, used by a server (as `openssl req -x509` makes them)")
            }
            Self::Other { why } => f.write_str(&quote(why)),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, str::to_owned)
    }
}

impl Shown for Distrust {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, marked)
    }
}

/// Reads a [`Distrust`] as it is saved, or the words in which 0.1.0 saved it.
///
/// # Errors
/// It is neither.
pub(crate) fn distrust_or_words<'de, D: Deserializer<'de>>(saved: D) -> Result<Distrust, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Saved {
        Typed(Distrust),
        Words(String),
    }
    Ok(match Saved::deserialize(saved)? {
        Saved::Typed(distrust) => distrust,
        Saved::Words(words) => Distrust::from_words(words),
    })
}
