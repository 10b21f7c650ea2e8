//! Names as rules have them: one, or everything below a domain.

use std::net::IpAddr;

use crate::network::catalogue::is_below;

/// Names that a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// This one.
    Exactly(String),
    /// Everything below the domain at any depth, and with `apex` the domain too.
    Below {
        /// Without a dot in front.
        domain: String,
        /// The domain itself too.
        apex: bool,
    },
}

impl Names {
    /// Are all of the other's names among these?
    pub(super) fn include(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exactly(own), Self::Exactly(host)) => own == host,
            (Self::Exactly(_), Self::Below { .. }) => false,
            (Self::Below { domain, apex }, Self::Exactly(host)) => is_below(host, domain) || (*apex && host == domain),
            (Self::Below { domain, apex }, Self::Below { domain: other, apex: others }) => {
                is_below(other, domain) || (domain == other && (*apex || !*others))
            }
        }
    }

    /// The host where it is an address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Exactly(host) => host.parse().ok(),
            Self::Below { .. } => None,
        }
    }
}
