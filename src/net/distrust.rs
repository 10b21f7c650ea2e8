//! Why a certificate is not trusted, by the names that OpenSSL has for it, and which certificate of the chain it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Foreign;
use crate::text::words::words;

/// Why a peer is not trusted. Part of saved facts: the names are a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distrust {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// The certificate that it is about; absent: all of them, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Whose>>,
}

words! {
    /// The place of a certificate in its chain.
    pub enum Place {
        /// The server's own.
        Leaf = "leaf",
        /// Between the server's own and the root.
        Intermediate = "intermediate",
        /// Signed by itself.
        Root = "root",
    }

    /// What keeps a certificate from being the one of a CA.
    pub enum NoCa {
        /// It is of version 3 and says nothing about it.
        Absent = "no-basic-constraints",
        /// It says that it is none.
        Denied = "ca-false",
        /// Its key may not sign certificates.
        KeyUsage = "no-key-cert-sign",
        /// It is of version 1, which only a root may be.
        Version = "version-1",
    }
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Which of the chain.
    pub place: Place,
    /// Its place counted from the server's own, which is 0: OpenSSL's depth.
    pub depth: usize,
    /// Whose it is, as one line.
    pub subject: Foreign,
    /// Who signed it, as one line.
    pub issuer: Foreign,
    /// The first second of its life, Unix time.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

/// Why a certificate is not valid here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "distrust", rename_all = "kebab-case")]
pub enum Reason {
    /// Its issuer was neither sent along nor is it trusted.
    UnknownIssuer,
    /// Its issuer is trusted, but is no root, and its own issuer is not there.
    UnknownRoot,
    /// It is the server's own, signed by itself, and does not stand in the store.
    SelfSigned,
    /// The chain ends at a root that is not trusted.
    UntrustedRoot,
    /// Its time is over.
    Expired,
    /// Its time has not come, or our clock is behind.
    NotYet,
    /// It is somebody else's.
    OtherName {
        /// Whose it is, the first few.
        names: Vec<Foreign>,
        /// It was asked for an address.
        #[serde(default)]
        address: bool,
    },
    /// Its key is too short.
    WeakKey {
        /// `RSA, 1024 bits`.
        key: Foreign,
    },
    /// It is signed with a digest that can be forged.
    WeakSignature {
        /// `SHA-1`.
        digest: Foreign,
    },
    /// It signs others and is no CA's.
    NotCa {
        /// Why not.
        why: NoCa,
    },
    /// There are more CAs below it than it allows.
    PathLength,
    /// A CA above it may not issue certificates for its names.
    NameConstraints {
        /// They are excluded by name; else they are not among those permitted.
        excluded: bool,
    },
    /// It has a critical extension that is unknown.
    CriticalExtension {
        /// Its number.
        oid: Foreign,
    },
    /// It was not issued for servers.
    Purpose,
    /// The signature on it is wrong.
    BadSignature,
    /// The chain is too long.
    TooLong,
    /// It cannot be read.
    Damaged,
    /// It was taken back.
    Revoked,
    /// There is nothing to judge it by.
    NoRoots,
    /// This program cannot tell: neither yes nor no.
    Unsettled {
        /// Why not.
        why: Foreign,
    },
    /// Anything else.
    Other {
        /// In the words of whoever says so.
        why: Foreign,
    },
}

impl Reason {
    /// OpenSSL's number for it (`X509_V_ERR_…`, include/openssl/x509_vfy.h) and its words (crypto/x509/x509_txt.c), of
    /// OpenSSL 3.0. `None`: it has none.
    pub fn openssl(&self, place: Option<Place>) -> Option<(u32, &'static str)> {
        Some(match self {
            Self::UnknownRoot => (2, "unable to get issuer certificate"),
            Self::BadSignature => (7, "certificate signature failure"),
            Self::NotYet => (9, "certificate is not yet valid"),
            Self::Expired => (10, "certificate has expired"),
            Self::SelfSigned => (18, "self-signed certificate"),
            Self::UntrustedRoot => (19, "self-signed certificate in certificate chain"),
            Self::UnknownIssuer => (20, "unable to get local issuer certificate"),
            Self::TooLong => (22, "certificate chain too long"),
            Self::Revoked => (23, "certificate revoked"),
            Self::PathLength => (25, "path length constraint exceeded"),
            Self::Purpose => (26, "unsuitable certificate purpose"),
            Self::CriticalExtension { .. } => (34, "unhandled critical extension"),
            Self::NameConstraints { excluded: false } => (47, "permitted subtree violation"),
            Self::NameConstraints { excluded: true } => (48, "excluded subtree violation"),
            Self::OtherName { address: false, .. } => (62, "hostname mismatch"),
            Self::OtherName { address: true, .. } => (64, "IP address mismatch"),
            Self::WeakKey { .. } if place == Some(Place::Leaf) => (66, "EE certificate key too weak"),
            Self::WeakKey { .. } => (67, "CA certificate key too weak"),
            Self::WeakSignature { .. } => (68, "CA signature digest algorithm too weak"),
            Self::NotCa { .. } => (79, "invalid CA certificate"),
            Self::Damaged | Self::NoRoots | Self::Unsettled { .. } | Self::Other { .. } => return None,
        })
    }

    /// The reason that has this number of OpenSSL's, without its particulars.
    pub(crate) fn of_openssl(number: u32, words: &str) -> Self {
        match number {
            2 => Self::UnknownRoot,
            7 => Self::BadSignature,
            9 => Self::NotYet,
            10 => Self::Expired,
            18 => Self::SelfSigned,
            19 => Self::UntrustedRoot,
            20 | 21 => Self::UnknownIssuer,
            22 => Self::TooLong,
            23 => Self::Revoked,
            25 => Self::PathLength,
            26 => Self::Purpose,
            34 => Self::CriticalExtension { oid: Foreign::default() },
            47 => Self::NameConstraints { excluded: false },
            48 => Self::NameConstraints { excluded: true },
            62 => Self::OtherName { names: Vec::new(), address: false },
            64 => Self::OtherName { names: Vec::new(), address: true },
            66 | 67 => Self::WeakKey { key: Foreign::default() },
            68 => Self::WeakSignature { digest: Foreign::default() },
            _ => Self::Other { why: format!("OpenSSL: {words}").into() },
        }
    }
}

impl From<Reason> for Distrust {
    fn from(reason: Reason) -> Self {
        Self { reason, certificate: None }
    }
}

impl Distrust {
    /// Is it this program that cannot tell? Then nothing is known against the peer, and nothing for it.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self.reason, Reason::Unsettled { .. })
    }

    /// Would its authority in this host's store mend it?
    pub(crate) fn wants_authority(&self) -> bool {
        matches!(
            self.reason,
            Reason::UnknownIssuer | Reason::UnknownRoot | Reason::SelfSigned | Reason::UntrustedRoot | Reason::NoRoots
        )
    }

    /// The place of the certificate that it is about.
    pub(crate) fn place(&self) -> Option<Place> {
        self.certificate.as_ref().map(|certificate| certificate.place)
    }

    /// The same, with `by` applied to each text that comes from a certificate or a library.
    pub(crate) fn cleaned(self, by: impl Fn(&Foreign) -> Foreign) -> Self {
        let reason = match self.reason {
            Reason::OtherName { names, address } => {
                Reason::OtherName { names: names.iter().map(&by).collect(), address }
            }
            Reason::Other { why } => Reason::Other { why: by(&why) },
            Reason::Unsettled { why } => Reason::Unsettled { why: by(&why) },
            Reason::CriticalExtension { oid } => Reason::CriticalExtension { oid: by(&oid) },
            other => other,
        };
        let clean = |own: Box<Whose>| Box::new(Whose { subject: by(&own.subject), issuer: by(&own.issuer), ..*own });
        Self { reason, certificate: self.certificate.map(clean) }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |second: i64| time::OffsetDateTime::from_unix_timestamp(second).ok().map(|moment| moment.date());
        let own = self.certificate.as_deref();
        match own {
            Some(Whose { place: place @ (Place::Intermediate | Place::Root), subject, .. }) => {
                write!(f, "its {} {subject} ", place.as_str())?;
            }
            _ => f.write_str("it ")?,
        }
        match &self.reason {
            Reason::UnknownIssuer => match own {
                Some(own) => write!(f, "is issued by {}, who was not sent along and is not trusted here", own.issuer),
                None => f.write_str("has an issuer that is not trusted here"),
            },
            Reason::UnknownRoot => match own {
                Some(own) => {
                    write!(f, "is trusted here, but is no root, and its own issuer {} is not there", own.issuer)
                }
                None => f.write_str("is trusted here, but is no root, and its own issuer is not there"),
            },
            Reason::SelfSigned => f.write_str("is signed by nobody but itself, and is not trusted here"),
            Reason::UntrustedRoot => f.write_str("is not trusted here"),
            Reason::Expired => {
                f.write_str("has expired")?;
                if let Some(day) = own.and_then(|own| day(own.not_after)) {
                    write!(f, " on {day}")?;
                }
                f.write_str(" (or this host's clock is ahead)")
            }
            Reason::NotYet => {
                f.write_str("is not valid yet")?;
                if let Some(day) = own.and_then(|own| day(own.not_before)) {
                    write!(f, ", but from {day} on")?;
                }
                f.write_str(" (or this host's clock is behind)")
            }
            Reason::OtherName { names, .. } if names.is_empty() => f.write_str("was issued for another name"),
            Reason::OtherName { names, .. } => {
                let names: Vec<&str> = names.iter().map(Foreign::raw).collect();
                write!(f, "was issued for another name: {}", Foreign::from(names.join(", ")))
            }
            Reason::WeakKey { key } if key.raw().is_empty() => f.write_str("has a key that is too short"),
            Reason::WeakKey { key } => write!(f, "has a key that is too short: {key}"),
            Reason::WeakSignature { digest } if digest.raw().is_empty() => {
                f.write_str("is signed with a digest that can be forged")
            }
            Reason::WeakSignature { digest } => write!(f, "is signed with {digest}, which can be forged"),
            Reason::NotCa { why } => write!(
                f,
                "signs others, but is not a CA's: {}",
                match why {
                    NoCa::Absent => "it has no basicConstraints",
                    NoCa::Denied => "basicConstraints says CA:FALSE",
                    NoCa::KeyUsage => "its keyUsage has no keyCertSign",
                    NoCa::Version => "it is of X.509 version 1, which only a root may be",
                }
            ),
            Reason::PathLength => f.write_str("allows fewer CAs below it than there are (pathlen)"),
            Reason::NameConstraints { excluded: true } => {
                f.write_str("has a name that a CA above it excludes (name constraints)")
            }
            Reason::NameConstraints { excluded: false } => {
                f.write_str("has a name that no CA above it permits (name constraints)")
            }
            Reason::CriticalExtension { oid } if oid.raw().is_empty() => {
                f.write_str("has a critical extension that is unknown")
            }
            Reason::CriticalExtension { oid } => write!(f, "has a critical extension that is unknown: {oid}"),
            Reason::Purpose => f.write_str("was not issued for servers (extendedKeyUsage, keyUsage)"),
            Reason::BadSignature => {
                f.write_str("has a wrong signature: damaged, forged, or by another key of that name")
            }
            Reason::TooLong => f.write_str("stands in a chain that is too long"),
            Reason::Damaged => f.write_str("is damaged: its encoding cannot be read"),
            Reason::Revoked => f.write_str("was revoked"),
            Reason::NoRoots => f.write_str(
                "has nothing to be judged by: no trusted certificates on this host (package ca-certificates)",
            ),
            Reason::Unsettled { why } => write!(f, "cannot be judged by this tool: {why}"),
            Reason::Other { why } => write!(f, "is not valid: {why}"),
        }?;
        match self.reason.openssl(self.place()) {
            Some((_, words)) => write!(f, " (OpenSSL: {words})"),
            None => Ok(()),
        }
    }
}
