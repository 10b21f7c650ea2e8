//! One certificate, with what OpenSSL keeps of it (`x509v3_cache_extensions`).

use x509_parser::asn1_rs::{Any, FromDer, Oid};
use x509_parser::extensions::{
    ExtendedKeyUsage, GeneralName, KeyUsage, NSCertType, NameConstraints, ParsedExtension, X509Extension,
};
use x509_parser::prelude::{X509Certificate, X509Name, X509Version};

use super::super::distrust::NoCa;
use crate::text::clean;

/// No name is kept longer, in characters.
const LONGEST: usize = 200;

/// The extensions that OpenSSL knows how to heed (`X509_supported_extension`): any other one must not be critical.
const HEEDED: [&str; 15] = [
    "2.16.840.1.113730.1.1",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.32",
    "2.5.29.31",
    "2.5.29.37",
    "1.3.6.1.5.5.7.1.7",
    "1.3.6.1.5.5.7.1.8",
    "1.3.6.1.5.5.7.48.1.5",
    "2.5.29.36",
    "1.3.6.1.5.5.7.1.14",
    "2.5.29.30",
    "2.5.29.33",
    "2.5.29.54",
];

/// Purposes that count as "for servers" beside `serverAuth`: Microsoft's and Netscape's of the 1990s.
const SERVER_GATED: [&str; 2] = ["1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"];

/// A certificate that was read.
pub(super) struct Certificate<'a> {
    /// All of its bytes.
    pub(super) der: &'a [u8],
    /// The signature's algorithm: what is in its sequence.
    pub(super) signature_algorithm: &'a [u8],
    /// The key's algorithm: what is in its sequence.
    pub(super) key_algorithm: &'a [u8],
    /// The key.
    pub(super) key: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
    /// As the library reads it.
    pub(super) x509: X509Certificate<'a>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

/// What makes a certificate one of a CA, as `check_ca` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ca {
    /// basicConstraints.
    Plain,
    /// A root of version 1.
    OldRoot,
    /// A key that may sign certificates, without basicConstraints.
    ByKeyUsage,
    /// Netscape's type of certificate.
    ByNetscape,
}

impl Ca {
    pub(super) fn is_plain(self) -> bool {
        self == Self::Plain
    }
}

impl<'a> Certificate<'a> {
    /// Reads one. `None`: it cannot be read.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (_, x509) = X509Certificate::from_der(der).ok()?;
        let (_, whole) = Any::from_der(der).ok()?;
        let rest = whole.data.get(x509.tbs_certificate.as_ref().len()..)?;
        let (rest, algorithm) = Any::from_der(rest).ok()?;
        let (_, signature) = Any::from_der(rest).ok()?;
        let (_, key) = Any::from_der(x509.tbs_certificate.subject_pki.raw).ok()?;
        let (key, key_algorithm) = Any::from_der(key.data).ok()?;
        let (_, key) = Any::from_der(key).ok()?;
        let (subject, issuer) = (canonical(x509.subject()), canonical(x509.issuer()));
        let (signature_algorithm, key_algorithm) = (algorithm.data, key_algorithm.data);
        // Bit strings begin with the number of bits that are left over.
        let (signature, key) = (signature.data.get(1..)?, key.data.get(1..)?);
        Some(Self { der, signature_algorithm, key_algorithm, key, signature, x509, subject, issuer })
    }

    fn find<'s, T>(&'s self, pick: impl Fn(&'s ParsedExtension<'a>) -> Option<T>) -> Option<T> {
        self.x509.extensions().iter().map(X509Extension::parsed_extension).find_map(pick)
    }

    /// Whose it is, as one line.
    pub(super) fn subject(&self) -> String {
        clean(&self.x509.subject().to_string(), LONGEST)
    }

    /// Who signed it, as one line.
    pub(super) fn issuer(&self) -> String {
        clean(&self.x509.issuer().to_string(), LONGEST)
    }

    /// Its subject, as names are compared.
    pub(super) fn subject_key(&self) -> &[u8] {
        &self.subject
    }

    /// Its issuer, as names are compared.
    pub(super) fn issuer_key(&self) -> &[u8] {
        &self.issuer
    }

    /// The first and the last second of its life, Unix time.
    pub(super) fn validity(&self) -> (i64, i64) {
        let validity = self.x509.validity();
        (validity.not_before.timestamp(), validity.not_after.timestamp())
    }

    /// Subject and issuer are the same.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Self-issued, and its key identifiers and its algorithms say nothing to the contrary (`EXFLAG_SS`).
    pub(super) fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.is_issuer_of(self)
    }

    /// Is it the likely issuer of `other` (`ossl_x509_likely_issued`)?
    pub(super) fn is_issuer_of(&self, other: &Self) -> bool {
        self.subject == other.issuer && self.fits_identifier_of(other) && self.key_could_sign(other)
    }

    /// `X509_check_akid`.
    fn fits_identifier_of(&self, other: &Self) -> bool {
        let wanted = other.find(|extension| match extension {
            ParsedExtension::AuthorityKeyIdentifier(identifier) => Some(identifier),
            _ => None,
        });
        let Some(wanted) = wanted else { return true };
        let own = self.find(|extension| match extension {
            ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
            _ => None,
        });
        let key = wanted.key_identifier.as_ref().zip(own).is_none_or(|(wanted, own)| wanted.0 == own);
        let serial = wanted.authority_cert_serial.is_none_or(|serial| serial == self.x509.tbs_certificate.raw_serial());
        let issuer = wanted.authority_cert_issuer.iter().flatten().find_map(|name| match name {
            GeneralName::DirectoryName(name) => Some(canonical(name)),
            _ => None,
        });
        key && serial && issuer.is_none_or(|issuer| issuer == self.issuer)
    }

    /// Is the other's signature of the kind that this key makes?
    fn key_could_sign(&self, other: &Self) -> bool {
        let family = |oid: &Oid<'_>| {
            match oid.to_id_string().as_str() {
                "1.2.840.10045.2.1" => "ec",
                id if id.starts_with("1.2.840.10045.4.") => "ec",
                id if id.starts_with("1.2.840.113549.1.1.") || id == "1.3.14.3.2.29" => "rsa",
                id if id.starts_with("1.2.840.10040.4.") || id.starts_with("2.16.840.1.101.3.4.3.2") => "dsa",
                id => return id.to_owned(),
            }
            .to_owned()
        };
        family(&self.x509.public_key().algorithm.algorithm) == family(&other.x509.signature_algorithm.algorithm)
    }

    /// Is it of version 1?
    pub(super) fn is_v1(&self) -> bool {
        self.x509.version() == X509Version::V1
    }

    fn key_usage(&self) -> Option<&KeyUsage> {
        self.find(|extension| if let ParsedExtension::KeyUsage(usage) = extension { Some(usage) } else { None })
    }

    fn netscape(&self) -> Option<&NSCertType> {
        self.find(|extension| if let ParsedExtension::NSCertType(kind) = extension { Some(kind) } else { None })
    }

    fn purposes(&self) -> Option<&ExtendedKeyUsage<'a>> {
        self.find(|extension| if let ParsedExtension::ExtendedKeyUsage(usage) = extension { Some(usage) } else { None })
    }

    /// The name constraints that it lays on those below it.
    pub(super) fn constraints(&self) -> Option<&NameConstraints<'a>> {
        self.find(|extension| if let ParsedExtension::NameConstraints(own) = extension { Some(own) } else { None })
    }

    /// The names of subjectAltName.
    pub(super) fn alternative_names(&self) -> impl Iterator<Item = &GeneralName<'a>> {
        let names = self.find(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
        names.into_iter().flatten()
    }

    /// The common names of its subject.
    pub(super) fn common_names(&self) -> impl Iterator<Item = &str> {
        let names = self.x509.subject().iter_common_name();
        names.filter_map(|name| std::str::from_utf8(name.attr_value().data).ok())
    }

    /// How many CAs may stand below it.
    pub(super) fn most_below(&self) -> Option<usize> {
        let most = self.find(|extension| match extension {
            ParsedExtension::BasicConstraints(own) => own.path_len_constraint,
            _ => None,
        });
        most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// The first critical extension that nobody heeds.
    pub(super) fn unknown_critical(&self) -> Option<String> {
        let critical = self.x509.extensions().iter().filter(|extension| extension.critical);
        critical.map(|extension| extension.oid.to_id_string()).find(|oid| !HEEDED.contains(&oid.as_str()))
    }

    /// May it sign certificates (`check_ca`)?
    pub(super) fn is_ca(&self) -> Result<Ca, NoCa> {
        let usage = self.key_usage();
        if usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(NoCa::KeyUsage);
        }
        let basic = self.find(|extension| match extension {
            ParsedExtension::BasicConstraints(own) => Some(own.ca),
            _ => None,
        });
        match basic {
            Some(true) => Ok(Ca::Plain),
            Some(false) => Err(NoCa::Denied),
            None if self.is_v1() && self.is_self_signed() => Ok(Ca::OldRoot),
            None if usage.is_some() => Ok(Ca::ByKeyUsage),
            None if self.netscape().is_some_and(|own| own.ssl_ca() || own.smime_ca() || own.object_signing_ca()) => {
                Ok(Ca::ByNetscape)
            }
            None if self.is_v1() => Err(NoCa::Version),
            None => Err(NoCa::Absent),
        }
    }

    /// `check_purpose_ssl_server`, for one that signs others or not.
    pub(super) fn is_for_servers(&self, signs: bool) -> bool {
        let gated = |oid: &Oid<'_>| SERVER_GATED.contains(&oid.to_id_string().as_str());
        if self.purposes().is_some_and(|own| !own.server_auth && !own.other.iter().any(gated)) {
            return false;
        }
        if signs {
            return match self.is_ca() {
                Ok(Ca::ByNetscape) => self.netscape().is_some_and(NSCertType::ssl_ca),
                Ok(_) => true,
                Err(_) => false,
            };
        }
        let usable = |own: &KeyUsage| own.digital_signature() || own.key_encipherment() || own.key_agreement();
        self.netscape().is_none_or(NSCertType::ssl_server) && self.key_usage().is_none_or(usable)
    }
}

/// A name as OpenSSL compares it (`x509_name_canon`): kinds of strings do not count, nor case, nor more than one blank.
pub(super) fn canonical(name: &X509Name<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in name.iter() {
        out.push(0xff);
        for attribute in part.iter() {
            out.extend_from_slice(attribute.attr_type().as_bytes());
            out.push(0);
            match std::str::from_utf8(attribute.attr_value().data) {
                Ok(text) => {
                    let words: Vec<&str> = text.split_ascii_whitespace().collect();
                    out.extend_from_slice(words.join(" ").to_ascii_lowercase().as_bytes());
                }
                Err(_) => out.extend_from_slice(attribute.attr_value().data),
            }
            out.push(0);
        }
    }
    out
}
