//! One TLS handshake, judged against the host's own certificates. There is no switch that turns verification off: a
//! handshake with an untrusted peer is completed to say who it is, and nothing secret can be sent through it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::StreamOwned;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Trouble, Wire};
use crate::host::HostRead;

/// Where distributions keep the bundle of trusted certificates, most usual first: Debian and Ubuntu; Red Hat's kind;
/// its elder name; Alpine.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The certificates that this host trusts.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The host's bundle; `None`: it has none.
    pub bundle: Option<PathBuf>,
    certificates: Vec<CertificateDer<'static>>,
    store: Arc<RootCertStore>,
}

impl Roots {
    /// The host's bundle and further certificates (`--proxy-ca`), as PEM.
    pub fn of(host: &dyn HostRead, more: &[u8]) -> Self {
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
        Self { bundle: bundle.map(|(path, _)| path.to_path_buf()), certificates, store: Arc::new(store) }
    }

    /// All of them, for libraries that do their own TLS.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

/// A TLS connection within the deadline and budget of its wire.
pub type TlsWire = StreamOwned<ClientConnection, Wire>;

/// Whom a handshake has met.
pub enum Peer {
    /// Its certificate is valid for the name, by this host's certificates. May be given secrets.
    Trusted(Box<TlsWire>),
    /// It speaks TLS; its certificate is not valid here. The connection is closed.
    Untrusted {
        /// Why not.
        why: String,
        /// What it presented, its own certificate first (DER).
        chain: Vec<Vec<u8>>,
    },
}

impl Peer {
    /// The connection, when the peer may be trusted.
    ///
    /// # Errors
    /// [`Trouble::Untrusted`].
    pub fn trusted(self) -> Result<TlsWire, Trouble> {
        match self {
            Self::Trusted(wire) => Ok(*wire),
            Self::Untrusted { why, .. } => Err(Trouble::Untrusted { why }),
        }
    }
}

/// Completes a handshake with whoever is there as `name`, and judges the certificate.
///
/// # Errors
/// [`Trouble::Tls`] when there is no TLS to be had, [`Trouble::Silent`], [`Trouble::TooMuch`], ….
pub fn shake(wire: Wire, name: &str, roots: &Roots) -> Result<Peer, Trouble> {
    let name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned())
        .map_err(|_| Trouble::Tls { why: format!("{name:?} is no name that a certificate could have") })?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Recorder::new(roots, provider.clone())?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Trouble::Tls { why: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| Trouble::Tls { why: error.to_string() })?;
    let mut stream = StreamOwned::new(connection, wire);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(of_handshake)?;
    }
    let seen = verifier.seen.lock().map(|mut seen| std::mem::take(&mut *seen)).unwrap_or_default();
    match seen.verdict {
        Some(Ok(())) => Ok(Peer::Trusted(Box::new(stream))),
        Some(Err(why)) => Ok(Peer::Untrusted { why, chain: seen.chain }),
        None => Err(Trouble::Tls { why: "the other side showed no certificate".to_owned() }),
    }
}

fn of_handshake(error: io::Error) -> Trouble {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map(|error| match error {
        rustls::Error::InvalidMessage(_) => "the other side does not speak TLS".to_owned(),
        rustls::Error::PeerIncompatible(why) => format!("no common TLS version or cipher (TLS 1.2 and 1.3): {why:?}"),
        rustls::Error::AlertReceived(alert) => format!("the other side ended it with the alert {alert:?}"),
        other => other.to_string(),
    });
    match tls {
        Some(why) => Trouble::Tls { why },
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Trouble::Tls { why: "the other side closed the connection during the handshake".to_owned() }
        }
        None => Trouble::of(error, std::time::Duration::ZERO),
    }
}

/// Lets every handshake complete, and remembers what the host's certificates say of it.
#[derive(Debug)]
struct Recorder {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<SeenChain>,
}

#[derive(Debug, Default)]
struct SeenChain {
    verdict: Option<Result<(), String>>,
    chain: Vec<Vec<u8>>,
}

impl Recorder {
    fn new(roots: &Roots, provider: Arc<CryptoProvider>) -> Result<Self, Trouble> {
        let verifier = if roots.is_empty() {
            None
        } else {
            let built = WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider.clone()).build();
            Some(built.map_err(|error| Trouble::Tls { why: error.to_string() })?)
        };
        Ok(Self { verifier, provider, seen: Mutex::default() })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.verifier {
            Some(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|_| ())
                .map_err(|error| why(&error)),
            None => Err("this host has no trusted certificates (package ca-certificates)".to_owned()),
        };
        if let Ok(mut seen) = self.seen.lock() {
            seen.chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
            seen.verdict = Some(verdict);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why a certificate is not valid here, in words.
fn why(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => "its issuer is not among this host's trusted certificates".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet (or this host's clock is behind)".to_owned()
            }
            CertificateError::NotValidForName => "it was issued for another name".to_owned(),
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<&str> = presented.iter().map(String::as_str).take(5).collect();
                format!("it was issued for another name: {}", names.join(", "))
            }
            CertificateError::Revoked => "it was revoked".to_owned(),
            other => format!("{other:?}"),
        },
        other => other.to_string(),
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trusted(_) => f.write_str("Trusted"),
            Self::Untrusted { why, .. } => write!(f, "Untrusted({why})"),
        }
    }
}

// A TLS wire is read and written like any other.
const _: fn() = || {
    fn is_stream<S: Read + Write>() {}
    is_stream::<TlsWire>();
};
