//! Certificates of authorities as people hand them over: files of PEM.

use std::collections::BTreeSet;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;
use crate::redact::base64_padded;
use crate::text;
use crate::text::{Foreign, Text, typed};

/// Length of a line of PEM.
const LINE: usize = 64;

/// Certificates, each once, in the order of their file (DER).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certificates(Vec<Vec<u8>>);

/// Why a file is not taken for an authority's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It holds a private key, which is nobody else's to have.
    PrivateKey,
    /// It is binary.
    Der,
    /// It has no certificate.
    NoCertificate,
    /// A certificate in it cannot be read.
    Damaged,
    /// A certificate may not sign others.
    NotCa(Foreign),
    /// The time of a certificate is over.
    Expired(Foreign),
    /// The time of a certificate has not come.
    NotYet(Foreign),
}

impl Unfit {
    /// Half a sentence.
    pub(crate) fn why(&self) -> Text {
        match self {
            Self::PrivateKey => "it holds a private key, which belongs to the proxy alone".into(),
            Self::Der => "it is binary (DER), and clients read PEM".into(),
            Self::NoCertificate => "it holds no certificate as PEM (-----BEGIN CERTIFICATE-----)".into(),
            Self::Damaged => "a certificate in it is damaged or cut".into(),
            Self::NotCa(subject) => text!("the certificate of {} may not sign others (no CA:TRUE)", subject),
            Self::Expired(subject) => text!("the certificate of {} has expired", subject),
            Self::NotYet(subject) => {
                text!("the certificate of {} is not valid yet, or this host's clock is behind", subject)
            }
        }
    }

    /// What mends it, for the file of this name as a shell takes it.
    pub(crate) fn mend(&self, file: &str) -> Text {
        match self {
            Self::PrivateKey => {
                text!(
                    "take the certificates alone: {}",
                    typed(text!("openssl x509 -in {} -out <CA.pem>", Foreign::new(file)))
                )
            }
            Self::Der => text!(
                "make PEM of it: {}",
                typed(text!("openssl x509 -inform DER -in {} -out <CA.pem>", Foreign::new(file)))
            ),
            Self::NoCertificate | Self::Damaged => {
                text!(
                    "have the authority's certificate sent as PEM; look: {}",
                    typed(text!("head {}", Foreign::new(file)))
                )
            }
            Self::NotCa(_) | Self::Expired(_) | Self::NotYet(_) => {
                text!(
                    "have the authority's own certificate sent; look: {}",
                    typed(text!("openssl x509 -in {} -noout -text", Foreign::new(file)))
                )
            }
        }
    }
}

impl Certificates {
    /// What a person hands over: nothing but certificates, all of which can be read.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, Unfit> {
        let text = String::from_utf8_lossy(file).replace("X509 CERTIFICATE-----", "CERTIFICATE-----");
        if text.contains("PRIVATE KEY-----") {
            return Err(Unfit::PrivateKey);
        }
        let begun = text.matches("-----BEGIN CERTIFICATE-----").count();
        if begun == 0 {
            return Err(if file.starts_with(&[0x30]) { Unfit::Der } else { Unfit::NoCertificate });
        }
        let read: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).flatten().collect();
        if read.len() != begun || read.iter().any(|der| Certificate::read(der).is_none()) {
            return Err(Unfit::Damaged);
        }
        Ok(Self::of(read))
    }

    /// The certificates of a bundle that can be read.
    pub(crate) fn of_bundle(file: &[u8]) -> Self {
        Self::of(CertificateDer::pem_slice_iter(file).flatten())
    }

    fn of<'d>(all: impl IntoIterator<Item = CertificateDer<'d>>) -> Self {
        let mut seen = BTreeSet::new();
        Self(all.into_iter().map(|der| der.to_vec()).filter(|der| seen.insert(der.clone())).collect())
    }

    /// Is each of them a CA's, and valid at `now` (Unix time)?
    ///
    /// # Errors
    /// The first that is not.
    pub(crate) fn fit(&self, now: i64) -> Result<(), Unfit> {
        self.0.iter().filter_map(|der| Certificate::read(der)).try_for_each(|own| {
            let (from, until) = own.validity();
            let subject = || own.subject().into();
            match own.is_ca() {
                Err(_) => Err(Unfit::NotCa(subject())),
                Ok(_) if until < now => Err(Unfit::Expired(subject())),
                Ok(_) if from > now => Err(Unfit::NotYet(subject())),
                Ok(_) => Ok(()),
            }
        })
    }

    /// Those that neither have signed themselves nor have their issuer among these or `others`: OpenSSL trusts no chain but up
    /// to a root.
    pub(crate) fn without_root(&self, others: &Self) -> Vec<Foreign> {
        let all: Vec<Certificate<'_>> =
            self.0.iter().chain(&others.0).filter_map(|der| Certificate::read(der)).collect();
        let is_lost = |own: &Certificate<'_>| !own.is_self_signed() && !all.iter().any(|other| other.is_issuer_of(own));
        self.0.iter().filter_map(|der| Certificate::read(der)).filter(is_lost).map(|own| own.subject().into()).collect()
    }

    /// Whose they are.
    pub(crate) fn subjects(&self) -> Vec<Foreign> {
        self.0.iter().filter_map(|der| Certificate::read(der)).map(|own| own.subject().into()).collect()
    }

    /// As PEM, always in the same form.
    pub(crate) fn pem(&self) -> Vec<u8> {
        let mut text = String::new();
        for der in &self.0 {
            let body = base64_padded(der);
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            for line in body.as_bytes().chunks(LINE) {
                // Base64 is ASCII.
                text.push_str(&String::from_utf8_lossy(line));
                text.push('\n');
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        text.into_bytes()
    }

    /// Each of them alone.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        self.0.iter().map(|der| Self(vec![der.clone()]))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Are all of these among them?
    pub(crate) fn has(&self, these: &Self) -> bool {
        these.0.iter().all(|der| self.0.contains(der))
    }

    /// Are both the same, in whatever order?
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.has(other) && other.has(self)
    }

    /// Without these.
    pub(crate) fn without(&self, these: &Self) -> Self {
        Self(self.0.iter().filter(|der| !these.0.contains(der)).cloned().collect())
    }

    /// With these behind them.
    pub(crate) fn and(&self, these: &Self) -> Self {
        let these = these.without(self);
        Self([&self.0[..], &these.0].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::authority;

    /// 2026-11-29.
    const NOW: i64 = 1_795_910_400;

    fn pem(name: &str) -> String {
        authority(name).pem()
    }

    #[test]
    fn certificates_come_out_as_they_went_in_each_once() {
        let (one, two) = (pem("One"), pem("Two"));
        let odd = format!("\u{feff}a remark: é\n{}\n{two}{one}", one.replace('\n', "\r\n"));
        let read = Certificates::parse(odd.as_bytes()).unwrap();
        assert_eq!((read.len(), read.subjects().len()), (2, 2));
        assert_eq!(Certificates::parse(&read.pem()).unwrap(), read);
        assert_eq!(read.fit(NOW), Ok(()));
        assert!(read.without_root(&Certificates::default()).is_empty());
        let own = Certificates::parse(one.as_bytes()).unwrap();
        assert!(read.has(&own) && !own.has(&read) && read.without(&own).and(&own).same_as(&read));
        let old = pem("One").replace("CERTIFICATE-----", "X509 CERTIFICATE-----");
        assert_eq!(Certificates::parse(old.as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_authority_is_told_apart() {
        let ca = pem("One");
        let key = format!("{ca}-----BEGIN ENCRYPTED PRIVATE KEY-----\nxx\n");
        let der = Certificates::parse(ca.as_bytes()).unwrap().0.concat();
        for (file, expected) in [
            (key.as_bytes(), Unfit::PrivateKey),
            (&der, Unfit::Der),
            (b"", Unfit::NoCertificate),
            (b"-----BEGIN CERTIFICATE REQUEST-----\nMII=\n-----END CERTIFICATE REQUEST-----\n", Unfit::NoCertificate),
            (&ca.as_bytes()[..ca.len() - 40], Unfit::Damaged),
            (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", Unfit::Damaged),
        ] {
            assert_eq!(Certificates::parse(file), Err(expected), "{}", String::from_utf8_lossy(file));
        }
        let own = Certificates::parse(ca.as_bytes()).unwrap();
        assert!(matches!(own.fit(i64::MAX), Err(Unfit::Expired(_))) && matches!(own.fit(0), Err(Unfit::NotYet(_))));
    }
}
