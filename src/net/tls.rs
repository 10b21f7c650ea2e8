//! One TLS handshake, judged against the host's own certificates. There is no switch that turns verification off: a
//! handshake with an untrusted peer is completed to say who it is, and nothing secret can be sent through it.
//!
//! Two judges have to agree before a peer is trusted: the TLS library's own, and the model of what OpenSSL says ([`chain`]),
//! whose reasons are the ones that are told. Where the library says no to what OpenSSL takes (see [`is_known_to_differ`])
//! the model decides; any other difference is "cannot be told", which is no trust.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned,
};

use super::chain::{self, Name, Store};
use super::distrust::Reason;
use super::fault::{Beyond, TlsFault, fault};
use super::{Bounded, Distrust, NetError, Time, Wire};
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
    /// There are further ones than the bundle's.
    pub has_more: bool,
    /// The certificates themselves.
    store: Arc<Store>,
    /// The library's judge; `None`: there is no certificate that it could use.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Roots {
    /// The host's bundle and further certificates (`--proxy-ca`), as PEM.
    pub(crate) fn of(host: &dyn HostRead, more: &[u8]) -> Self {
        let bundle = BUNDLES.iter().map(Path::new).find_map(|path| Some((path, host.read(path).ok().flatten()?)));
        Self::of_pem(bundle, more)
    }

    fn of_pem(bundle: Option<(&Path, Vec<u8>)>, more: &[u8]) -> Self {
        let pems = [bundle.as_ref().map(|(_, pem)| pem.as_slice()), Some(more)];
        let pems = pems.into_iter().flatten();
        let certificates: Vec<_> = pems.flat_map(CertificateDer::pem_slice_iter).flatten().collect();
        let mut library = RootCertStore::empty();
        // A bundle may hold certificates that nobody can use; they trust nothing.
        library.add_parsable_certificates(certificates.iter().cloned());
        let bundle = bundle.map(|(path, _)| path.to_path_buf());
        let has_more = CertificateDer::pem_slice_iter(more).next().is_some();
        Self { bundle, has_more, store: Arc::new(Store::new(certificates)), verifier: verifier(library) }
    }

    /// For `tests/lab`: the verdict on a chain (PEM) with these roots alone, as OpenSSL's number and depth, `ok`, or `unsettled`.
    pub(crate) fn verdict(store: &[u8], shown: &[u8], name: &str) -> String {
        match Self::of_pem(None, store).judge_pem(shown, name) {
            None => "ok".to_owned(),
            Some(why) => match why.reason.openssl(why.place()) {
                Some((number, _)) => format!("{number} {}", why.certificate.map_or(0, |certificate| certificate.depth)),
                None if why.is_unsettled() => format!("unsettled: {why}"),
                None => format!("{why}"),
            },
        }
    }

    /// Judges the certificates of a text of PEM, the peer's own first. `None` is trust.
    pub(crate) fn judge_pem(&self, shown: &[u8], name: &str) -> Option<Distrust> {
        let shown: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(shown).flatten().map(|der| der.to_vec()).collect();
        match ServerName::try_from(name) {
            Ok(name) => self.judge(&shown, &name, UnixTime::now()),
            Err(_) => Some(Reason::OtherName { names: Vec::new(), address: false }.into()),
        }
    }

    /// Judges what was shown, the peer's own certificate first (DER). `None` is trust.
    fn judge(&self, shown: &[Vec<u8>], name: &ServerName<'_>, now: UnixTime) -> Option<Distrust> {
        let text = name.to_str();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let algorithms = &PROVIDER.signature_verification_algorithms;
        let by_model = chain::judge(shown, &self.store, &Name::parse(&text), seconds, algorithms);
        if by_model.is_some() {
            return by_model;
        }
        match by_library(self.verifier.as_ref(), shown, name, now) {
            None => None,
            Some(error) if is_known_to_differ(&error) => None,
            Some(error) => Some(Reason::Unsettled { why: format!("its TLS library says {error}").into() }.into()),
        }
    }
}

/// What the library says against a chain; `None`: nothing.
fn by_library(
    verifier: Option<&Arc<WebPkiServerVerifier>>,
    shown: &[Vec<u8>],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Option<rustls::Error> {
    let shown: Vec<CertificateDer<'_>> = shown.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let (Some(verifier), Some((own, others))) = (verifier, shown.split_first()) else {
        return Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
    };
    verifier.verify_server_cert(own, others, name, &[], now).err()
}

/// What the library refuses and OpenSSL takes: a server with the certificate of a CA (as `openssl req -x509` makes them),
/// certificates of version 1 (as `openssl x509 -req` made them up to 3.1), and the common name for want of other names.
fn is_known_to_differ(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(error) = error else { return false };
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => true,
        CertificateError::Other(why) => {
            let why = why.to_string();
            ["CaUsedAsEndEntity", "UnsupportedCertVersion"].iter().any(|name| why.contains(name))
        }
        _ => false,
    }
}

/// A TLS connection within the deadline and budget of its wire.
pub(crate) type TlsWire<S = Wire> = StreamOwned<ClientConnection, S>;

impl<S: Bounded> Bounded for TlsWire<S> {
    fn until(&mut self, time: Time) {
        self.sock.until(time);
    }
}

/// The certificates that a peer has shown, judged twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The certificates, the peer's own first (DER); empty: it showed none.
    pub chain: Vec<Vec<u8>>,
    /// By this host's certificates and those given along: `None` is trust.
    pub by_host: Option<Distrust>,
    /// By the public certificates that are compiled in.
    pub by_public: Option<Distrust>,
}

/// What a handshake has shown. Nothing secret may be sent through `wire` unless the host trusts the peer.
pub(crate) struct Handshake<S: Read + Write = Wire> {
    /// The connection.
    pub wire: TlsWire<S>,
    /// The peer's certificates.
    pub shown: Shown,
}

/// A handshake that did not come to its end.
pub(crate) struct Unfinished {
    /// Why.
    pub error: NetError,
    /// The certificates that it came as far as.
    pub shown: Shown,
}

impl From<NetError> for Box<Unfinished> {
    fn from(error: NetError) -> Self {
        Self::new(Unfinished { error, shown: Shown::default() })
    }
}

/// Completes a handshake with whoever is there as `name`. The connection that it returns may be given secrets: the peer's
/// certificate is valid for the name, by this host's certificates.
///
/// # Errors
/// [`NetError::Untrusted`], [`NetError::Tls`] when there is no TLS to be had, [`NetError::Silent`], [`NetError::TooMuch`], ….
pub(crate) fn shake<S: Read + Write>(wire: S, name: &str, roots: &Roots) -> Result<TlsWire<S>, NetError> {
    let shaken = examine(wire, name, roots).map_err(|unfinished| unfinished.error)?;
    match shaken.shown.by_host {
        None => Ok(shaken.wire),
        Some(why) => Err(NetError::Untrusted { why }),
    }
}

/// Completes a handshake with whoever is there as `name`, and judges the certificate twice: by the host's certificates and
/// by the public ones that are compiled in. What differs between the two tells who stands in between.
///
/// # Errors
/// As [`shake`], with the certificates where they were shown. The certificate is the error where it is what is wrong, also
/// where the library ends the handshake for it.
pub(crate) fn examine<S: Read + Write>(wire: S, name: &str, roots: &Roots) -> Result<Handshake<S>, Box<Unfinished>> {
    let name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned())
        .map_err(|_| other_fault(format!("{name:?} is no name that a certificate could have")))?;
    let mut config = CONFIG.clone().map_err(other_fault)?;
    let witness = Arc::new(Witness::default());
    config.dangerous().set_certificate_verifier(witness.clone());
    config.client_auth_cert_resolver = witness.clone();
    let connection =
        ClientConnection::new(Arc::new(config), name.clone()).map_err(|error| other_fault(error.to_string()))?;
    let mut stream = StreamOwned::new(connection, wire);
    let mut ended = None;
    while ended.is_none() && stream.conn.is_handshaking() {
        ended = stream.conn.complete_io(&mut stream.sock).err();
    }
    let shown = witness.shown(&name, roots);
    match ended {
        Some(error) => {
            let error = match &shown.by_host {
                Some(why) if !shown.chain.is_empty() && !why.is_unsettled() => NetError::Untrusted { why: why.clone() },
                _ => of_handshake(error, &witness, &shown.chain),
            };
            Err(Box::new(Unfinished { error, shown }))
        }
        None if shown.chain.is_empty() => Err(other_fault("the other side showed no certificate").into()),
        None => Ok(Handshake { wire: stream, shown }),
    }
}

/// Why a handshake ended.
fn of_handshake(error: io::Error, witness: &Witness, shown: &[Vec<u8>]) -> NetError {
    let library = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why =
        match library {
            // In TLS 1.2 a server that misses the client's certificate says no more than this.
            Some(rustls::Error::AlertReceived(
                AlertDescription::HandshakeFailure | AlertDescription::BadCertificate,
            )) if witness.wanted.load(Ordering::Relaxed) => TlsFault::ClientCertificate,
            // The certificate is fine by OpenSSL; the signature of the handshake is not, or the library cannot use the key.
            Some(rustls::Error::InvalidCertificate(CertificateError::BadSignature))
                if shown
                    .first()
                    .is_some_and(|own| chain::can_use_key(own, &PROVIDER.signature_verification_algorithms)) =>
            {
                TlsFault::Broken("the handshake is not signed by the key of its certificate".into())
            }
            Some(rustls::Error::InvalidCertificate(_)) if !shown.is_empty() => TlsFault::Beyond(Beyond::Key),
            Some(error) => fault(error),
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

/// What all handshakes have in common. Nothing is remembered from one handshake for the next, which would then show no
/// certificate.
static CONFIG: LazyLock<Result<ClientConfig, String>> = LazyLock::new(|| {
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Witness::default()))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
});

/// It can be made of every store that is not empty: there are no revocation lists.
fn verifier(store: RootCertStore) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), PROVIDER.clone()).build().ok()
}

/// Remembers what one handshake shows, and lets it complete where its signatures are right; [`examine`] judges the
/// certificates after it.
#[derive(Debug, Default)]
struct Witness {
    chain: Mutex<Vec<Vec<u8>>>,
    /// The peer asked for a certificate of the client.
    wanted: AtomicBool,
}

impl Witness {
    fn shown(&self, name: &ServerName<'_>, roots: &Roots) -> Shown {
        let chain = std::mem::take(&mut *self.chain.lock().unwrap_or_else(PoisonError::into_inner));
        if chain.is_empty() {
            return Shown::default();
        }
        let now = UnixTime::now();
        let by_host = roots.judge(&chain, name, now);
        let by_public = by_library(PUBLIC.as_ref(), &chain, name, now).map(distrust);
        Shown { chain, by_host, by_public }
    }
}

/// The library's verdict on the signature of a handshake; of a certificate that it cannot read, the one by its key.
fn signed(
    by_library: Result<HandshakeSignatureValid, rustls::Error>,
    by_key: impl FnOnce() -> Option<bool>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    match by_library {
        Err(error @ rustls::Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding)) => {
            if by_key() == Some(true) {
                Ok(HandshakeSignatureValid::assertion())
            } else {
                Err(error)
            }
        }
        verdict => verdict,
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = all.map(|der| der.to_vec()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        own: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        signed(verify_tls12_signature(message, certificate, own, algorithms), || {
            chain::verify_by_key(certificate, own.scheme, message, own.signature(), false, algorithms)
        })
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        own: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        signed(verify_tls13_signature(message, certificate, own, algorithms), || {
            chain::verify_by_key(certificate, own.scheme, message, own.signature(), true, algorithms)
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.wanted.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn public_roots() -> RootCertStore {
    #[allow(unused_mut)] // the laboratory adds its own
    let mut store: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    // A laboratory has no certificate of a public authority. Builds for use have no such variable.
    #[cfg(feature = "lab")]
    if let Some(pem) = std::env::var_os("LAB_PUBLIC_ROOTS").and_then(|path| std::fs::read(path).ok()) {
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    }
    store
}

/// What the library says, by the names that OpenSSL has. Only of the public authorities, whose certificates are not at hand:
/// what is told to people comes from the model.
fn distrust(error: rustls::Error) -> Distrust {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Reason::Other { why: error.to_string().into() }.into();
    };
    let reason = match error {
        CertificateError::UnknownIssuer => Reason::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Reason::NotYet,
        CertificateError::NotValidForName => Reason::OtherName { names: Vec::new(), address: false },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.into_iter().take(5).map(Foreign::from).collect();
            Reason::OtherName { names, address: false }
        }
        CertificateError::Revoked => Reason::Revoked,
        CertificateError::BadEncoding => Reason::Damaged,
        CertificateError::BadSignature => Reason::BadSignature,
        CertificateError::UnhandledCriticalExtension => Reason::CriticalExtension { oid: Foreign::default() },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Reason::Purpose,
        other => Reason::Other { why: format!("{other:?}").into() },
    };
    reason.into()
}
