//! One TLS handshake, judged against the host's own certificates. There is no switch that turns verification off: a
//! handshake with an untrusted peer is completed to say who it is, and nothing secret can be sent through it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Bounded, Distrust, NetError, Time, TlsFault, Wire};
use crate::host::HostRead;
use crate::text::Foreign;

/// Where distributions keep the bundle of trusted certificates, most usual first: Debian and Ubuntu; Red Hat's kind;
/// its elder name; Alpine.
pub(crate) const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The certificates that this host trusts.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    /// The host's bundle; `None`: it has none.
    pub bundle: Option<PathBuf>,
    /// The certificates themselves: a server's own may stand among them.
    certificates: Arc<[CertificateDer<'static>]>,
    /// Judges by them; `None`: there are none.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Roots {
    /// The host's bundle and further certificates (`--proxy-ca`), as PEM.
    pub(crate) fn of(host: &dyn HostRead, more: &[u8]) -> Self {
        let bundle = BUNDLES.iter().map(Path::new).find_map(|path| Some((path, host.read(path).ok().flatten()?)));
        let mut store = RootCertStore::empty();
        let mut certificates = Vec::new();
        let pems = [bundle.as_ref().map(|(_, pem)| pem.as_slice()), Some(more)];
        for certificate in pems.into_iter().flatten().flat_map(CertificateDer::pem_slice_iter).flatten() {
            // A bundle may hold certificates that nobody can use; they trust nothing.
            if store.add(certificate.clone()).is_ok() {
                certificates.push(certificate);
            }
        }
        let bundle = bundle.map(|(path, _)| path.to_path_buf());
        Self { bundle, certificates: certificates.into(), verifier: verifier(store) }
    }
}

/// A TLS connection within the deadline and budget of its wire.
pub(crate) type TlsWire<S = Wire> = StreamOwned<ClientConnection, S>;

impl<S: Bounded> Bounded for TlsWire<S> {
    fn until(&mut self, time: Time) {
        self.sock.until(time);
    }
}

/// What a handshake has shown. Nothing secret may be sent through `wire` unless the host trusts the peer.
pub(crate) struct Handshake<S: Read + Write = Wire> {
    /// The connection.
    pub wire: TlsWire<S>,
    /// What was presented, the peer's own certificate first (DER).
    pub chain: Vec<Vec<u8>>,
    /// By this host's certificates and those given along: `None` is trust.
    pub by_host: Option<Distrust>,
    /// By the public certificates that are compiled in.
    pub by_public: Option<Distrust>,
}

/// Completes a handshake with whoever is there as `name`. The connection that it returns may be given secrets: the peer's
/// certificate is valid for the name, by this host's certificates.
///
/// # Errors
/// [`NetError::Untrusted`], [`NetError::Tls`] when there is no TLS to be had, [`NetError::Silent`], [`NetError::TooMuch`], ….
pub(crate) fn shake<S: Read + Write>(wire: S, name: &str, roots: &Roots) -> Result<TlsWire<S>, NetError> {
    let shaken = examine(wire, name, roots)?;
    match shaken.by_host {
        None => Ok(shaken.wire),
        Some(why) => Err(NetError::Untrusted { why }),
    }
}

/// Completes a handshake with whoever is there as `name`, and judges the certificate twice: by the host's certificates and
/// by the public ones that are compiled in. What differs between the two tells who stands in between.
///
/// # Errors
/// As [`shake`].
pub(crate) fn examine<S: Read + Write>(wire: S, name: &str, roots: &Roots) -> Result<Handshake<S>, NetError> {
    let name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned())
        .map_err(|_| other_fault(format!("{name:?} is no name that a certificate could have")))?;
    let config = CONFIG.clone().map_err(other_fault)?;
    let connection = ClientConnection::new(config, name.clone()).map_err(|error| other_fault(error.to_string()))?;
    let mut stream = StreamOwned::new(connection, wire);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(of_handshake)?;
    }
    let Some([end_entity, intermediates @ ..]) = stream.conn.peer_certificates() else {
        return Err(other_fault("the other side showed no certificate"));
    };
    let now = UnixTime::now();
    let judge = |verifier: &Option<Arc<WebPkiServerVerifier>>, pinned: &[CertificateDer<'static>]| match verifier {
        Some(verifier) => {
            let error = verifier.verify_server_cert(end_entity, intermediates, &name, &[], now).err();
            error.filter(|error| !is_pinned(error, pinned, end_entity, &name, now)).map(distrust)
        }
        None => Some(Distrust::NoRoots),
    };
    let (by_host, by_public) = (judge(&roots.verifier, &roots.certificates), judge(&PUBLIC, &[]));
    let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
    Ok(Handshake { wire: stream, chain, by_host, by_public })
}

fn of_handshake(error: io::Error) -> NetError {
    let why = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => TlsFault::NotTls,
        Some(rustls::Error::PeerIncompatible(why)) => {
            return other_fault(format!("no common TLS version or cipher (TLS 1.2 and 1.3): {why:?}"));
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            return other_fault(format!("the other side ended it with the alert {alert:?}"));
        }
        Some(other) => return other_fault(other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => TlsFault::Closed,
        None => return NetError::of(error),
    };
    NetError::Tls { why }
}

fn other_fault(why: impl Into<Foreign>) -> NetError {
    NetError::Tls { why: TlsFault::Other(why.into()) }
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

/// The public authorities, as compiled in.
static PUBLIC: LazyLock<Option<Arc<WebPkiServerVerifier>>> = LazyLock::new(|| verifier(public_roots()));

/// One for all handshakes: to make it takes longer than to use it. Nothing is remembered from one handshake for the next,
/// which would then show no certificate.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(|| {
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unjudged))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
});

/// It can be made of every store that is not empty: there are no revocation lists.
fn verifier(store: RootCertStore) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), PROVIDER.clone()).build().ok()
}

/// Lets every handshake complete whose signatures are right; [`examine`] judges the certificates after it.
#[derive(Debug)]
struct Unjudged;

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &PROVIDER.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &PROVIDER.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

fn public_roots() -> RootCertStore {
    #[allow(unused_mut)] // the laboratory adds its own
    let mut store: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    // A laboratory has no certificate of a public authority. Builds for use have no such variable.
    #[cfg(feature = "lab")]
    if let Some(pem) = std::env::var_os("ICS_SETUP_LAB_PUBLIC_ROOTS").and_then(|path| std::fs::read(path).ok()) {
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    }
    store
}

fn distrust(error: rustls::Error) -> Distrust {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Distrust::Other { why: error.to_string().into() };
    };
    match error {
        CertificateError::UnknownIssuer => Distrust::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYet,
        CertificateError::NotValidForName => Distrust::OtherName { names: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            Distrust::OtherName { names: presented.into_iter().take(5).map(Foreign::from).collect() }
        }
        CertificateError::Revoked => Distrust::Revoked,
        CertificateError::BadEncoding => other("it is damaged: its encoding cannot be read"),
        CertificateError::BadSignature => other("the signature on it is wrong: damaged, or forged"),
        CertificateError::UnhandledCriticalExtension => other("it has a critical extension that is not known here"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            other("it was not issued for servers (extended key usage)")
        }
        CertificateError::Other(error) if error.to_string().contains(CA_AS_SERVER) => Distrust::CaAsServer,
        CertificateError::Other(error) => other(&of_webpki(&error.to_string())),
        unusual => other(&of_webpki(&format!("{unusual:?}"))),
    }
}

fn other(why: &str) -> Distrust {
    Distrust::Other { why: why.into() }
}

/// The library tells what is rare by its own names only.
fn of_webpki(name: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("UnsupportedCertVersion", "it is of X.509 version 1, which is no longer accepted"),
        ("NameConstraintViolation", "its CA may not issue certificates for this name (name constraints)"),
        ("PathLenConstraintViolated", "there are more CAs in its chain than the first one allows"),
        (
            "UnsupportedSignatureAlgorithm",
            "it is signed in an old or unusual way (SHA-1, or a key of less than 2048 bits)",
        ),
        ("MaximumSignatureChecksExceeded", "its chain is too long to be checked"),
    ];
    let known = WORDS.iter().find(|(sign, _)| name.contains(sign));
    known.map_or_else(|| format!("it is not valid: {name}"), |(_, words)| (*words).to_owned())
}

const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Is it a server's own CA certificate that stands in the store itself? OpenSSL, and so nearly every client, takes it then;
/// the library here never does.
fn is_pinned(
    error: &rustls::Error,
    store: &[CertificateDer<'static>],
    leaf: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(why)) = error else { return false };
    let in_time = || {
        let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
        let now = i64::try_from(now.as_secs()).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now))
    };
    why.to_string().contains(CA_AS_SERVER)
        && store.iter().any(|own| own.as_ref() == leaf.as_ref())
        && ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
        && in_time().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_says_is_put_into_words() {
        for (error, words) in [
            (CertificateError::BadSignature, "signature on it is wrong"),
            (CertificateError::InvalidPurpose, "not issued for servers"),
            (
                CertificateError::Other(rustls::OtherError(Arc::new(webpki(CA_AS_SERVER)))),
                "it is the certificate of a CA, used by a server",
            ),
            (
                CertificateError::Other(rustls::OtherError(Arc::new(webpki("UnsupportedCertVersion")))),
                "X.509 version 1",
            ),
            (CertificateError::ApplicationVerificationFailure, "it is not valid: ApplicationVerificationFailure"),
        ] {
            let why = distrust(rustls::Error::InvalidCertificate(error)).to_string();
            assert!(why.contains(words), "{why}");
        }
    }

    /// The library's own error is not at hand here; its text is what counts.
    fn webpki(name: &'static str) -> io::Error {
        io::Error::other(name)
    }
}
