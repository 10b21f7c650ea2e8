//! What the vendor's patterns cover.

use serde::{Deserialize, Serialize};

use super::address::host_name;
use crate::text;
use crate::text::Text;

/// A pattern as the vendor prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wildcard {
    /// As printed.
    pub printed: String,
    /// What is meant.
    pub covers: Covers,
}

/// What a pattern covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covers {
    /// `*.x`: every name below, at any depth.
    Below(String),
    /// `*x`: x itself and every name below, at any depth.
    AtAndBelow(String),
    /// `x/*`: a pattern of URLs, so one host.
    Host(String),
}

impl Wildcard {
    /// Reads the forms that the vendor's documents have.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(printed: &str) -> Result<Self, Text> {
        let covers = match (printed.strip_prefix("*."), printed.strip_prefix('*'), printed.split_once('/')) {
            (Some(domain), ..) => Covers::Below(host_name(domain)?),
            (None, Some(domain), _) => Covers::AtAndBelow(host_name(domain)?),
            (None, None, Some((host, _))) => Covers::Host(host_name(host)?),
            _ => {
                return Err(text!(
                    "{:?} is no wildcard: *.example.com, *example.com or example.com/* was expected",
                    printed
                ));
            }
        };
        Ok(Self { printed: printed.to_owned(), covers })
    }

    /// Does it cover this name?
    pub fn is_match(&self, name: &str) -> bool {
        match &self.covers {
            Covers::Below(domain) => is_below(name, domain),
            Covers::AtAndBelow(domain) => name == domain || is_below(name, domain),
            Covers::Host(host) => name == host,
        }
    }
}

impl TryFrom<String> for Wildcard {
    type Error = String;

    fn try_from(printed: String) -> Result<Self, String> {
        Self::parse(&printed).map_err(|_| format!("{printed:?} is no wildcard"))
    }
}

impl From<Wildcard> for String {
    fn from(wildcard: Wildcard) -> Self {
        wildcard.printed
    }
}

/// Is the name below the domain, at any depth?
pub(crate) fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_the_vendor_means() {
        for (printed, covered, not) in [
            (
                "*endpoint.ingress.rapid7.com",
                &["endpoint.ingress.rapid7.com", "us.storage.main.endpoint.ingress.rapid7.com"][..],
                &["ingress.rapid7.com", "endpoint.ingress.rapid7.com.evil.example"][..],
            ),
            (
                "*.insight.rapid7.com",
                &["us.data.logs.insight.rapid7.com"],
                &["insight.rapid7.com", "xinsight.rapid7.com"],
            ),
            ("www.googleapis.com/*", &["www.googleapis.com"], &["oauth2.googleapis.com", "x.www.googleapis.com"]),
        ] {
            let wildcard = Wildcard::parse(printed).unwrap();
            assert!(covered.iter().all(|name| wildcard.is_match(name)), "{printed}");
            assert!(!not.iter().any(|name| wildcard.is_match(name)), "{printed}");
        }
        for wrong in ["", "*", "*.", "example.com", "a.*.b", "**.x", "/x"] {
            assert!(Wildcard::parse(wrong).is_err(), "{wrong}");
        }
    }
}
