//! What is worth knowing of a certificate, as facts.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::oid_registry;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

use crate::text::{clean, hex};

/// No name is kept longer, in characters.
const LONGEST: usize = 200;

/// The leaf that a server presented, and who signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    /// Whose it is, as one line.
    pub subject: String,
    /// Who signed it, as one line.
    pub issuer: String,
    /// The signer's organisation, where it has one; else its common name.
    pub issuer_organisation: String,
    /// The signer's common name, where it has one besides its organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_name: Option<String>,
    /// SHA-256 of the server's public key, in hex: boxes that inspect TLS reuse one key for many names.
    pub key: String,
    /// The first second of its life, Unix time.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
    /// Does it carry signed timestamps of public logs, as every certificate of a public authority does?
    pub logged: bool,
}

impl Certificate {
    /// Reads the presented chain (DER, leaf first). `None`: the leaf is no certificate that can be read.
    pub(crate) fn of(chain: &[Vec<u8>]) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
        let sct = oid_registry::OID_CT_LIST_SCT;
        let issuer_organisation = organisation(leaf.issuer());
        Some(Self {
            subject: line(leaf.subject()),
            issuer: line(leaf.issuer()),
            issuer_name: common_name(leaf.issuer()).filter(|name| *name != issuer_organisation),
            issuer_organisation,
            key: hex(&Sha256::digest(leaf.public_key().raw)),
            not_before: leaf.validity().not_before.timestamp(),
            not_after: leaf.validity().not_after.timestamp(),
            logged: leaf.extensions().iter().any(|extension| extension.oid == sct),
        })
    }

    /// Who signed it, by both names: `Corp Ltd (Corp Inspection CA)`.
    pub(crate) fn signer(&self) -> String {
        match &self.issuer_name {
            Some(name) => format!("{} ({name})", self.issuer_organisation),
            None => self.issuer_organisation.clone(),
        }
    }
}

fn line(name: &X509Name<'_>) -> String {
    clean(&name.to_string(), LONGEST)
}

fn organisation(name: &X509Name<'_>) -> String {
    text_of(name.iter_organization().next()).or_else(|| common_name(name)).unwrap_or_else(|| line(name))
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    text_of(name.iter_common_name().next())
}

fn text_of(attribute: Option<&AttributeTypeAndValue<'_>>) -> Option<String> {
    attribute.and_then(|attribute| attribute.as_str().ok()).map(|text| clean(text, LONGEST))
}
