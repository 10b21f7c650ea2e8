//! What the tests of several modules need of servers and limits.

use std::io::{Read, Write, copy, sink};
pub(crate) use std::net::TcpStream;
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Time;

/// For whoever answers: no machine is so loaded that this is not enough.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A check's time where the other side answers.
pub(crate) fn patient() -> Time {
    Time::new(PATIENCE, PATIENCE)
}

/// A check's time where the other side never does.
pub(crate) fn brief() -> Time {
    Time::new(Duration::from_millis(1000), Duration::from_millis(1500))
}

/// A server whose connections are each handled by `talk`, as long as the process lives.
pub(crate) fn serve(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            thread::spawn(move || talk(stream));
        }
    });
    port
}

/// A certificate authority that nobody knows.
pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, name);
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("{name} root"));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server's certificate for this name says.
pub(crate) fn leaf(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// A TLS server with such a certificate that answers each request with `answer`.
pub(crate) fn serve_tls(
    ca: &CertifiedIssuer<'static, KeyPair>,
    certificate: CertificateParams,
    answer: &'static str,
) -> u16 {
    let key = KeyPair::generate().unwrap();
    let leaf = certificate.signed_by(&key, ca).unwrap();
    serve_with(&leaf, &key, answer)
}

/// A TLS server that shows this certificate and signs with this key, which need not be its own.
pub(crate) fn serve_with(leaf: &rcgen::Certificate, key: &KeyPair, answer: &'static str) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = provider.key_provider.load_private_key(der).unwrap();
    let own = CertifiedKey::new(vec![leaf.der().clone()], signer);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    let config = Arc::new(config);
    serve(move |stream| {
        let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let mut buffer = [0_u8; 2048];
        if tls.read(&mut buffer).is_ok_and(|count| count > 0) {
            let _ = tls.write_all(answer.as_bytes()).and_then(|()| tls.flush());
        }
    })
}

/// Says no more, and hears the other side out: who closes with words unread resets the connection, and what was said may be
/// lost with it.
pub(crate) fn end(stream: &mut TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    hold(stream);
}

/// Stays silent until the other side goes.
pub(crate) fn hold(stream: &mut TcpStream) {
    let _ = copy(stream, &mut sink());
}

/// Says these bytes one at a time and then goes, after a minute at the earliest: who has a shorter limit does not see it.
pub(crate) fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().chain(std::iter::repeat(&b'1')).take(6000) {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Hears one request out, as far as it comes in one piece.
pub(crate) fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).unwrap_or(0);
    bytes.truncate(count);
    bytes
}

/// A port on which nothing listens, and which nobody else gets: it is one end of a connection that lasts as long as the
/// process.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = client.local_addr().unwrap().port();
    std::mem::forget((client, listener.accept().unwrap()));
    port
}

/// A server that does to each connection what its script says.
pub(crate) struct Peer {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
    /// How many bytes the other side has sent, and how many were sent to it, as far as scripts say so.
    pub(crate) sent: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) fn new(script: impl Fn(TcpStream, &AtomicUsize) + Send + Sync + 'static) -> Self {
        let (connections, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, bytes) = (connections.clone(), sent.clone());
        let port = serve(move |stream| {
            count.fetch_add(1, Ordering::SeqCst);
            script(stream, &bytes);
        });
        Self { port, connections, sent }
    }

    /// Says these bytes at once, then waits for the other side to go.
    pub(crate) fn saying(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |mut stream, _| {
            let _ = stream.write_all(&bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// Says this, then pours out as much as is taken.
    pub(crate) fn pouring(head: &[u8]) -> Self {
        let head = head.to_vec();
        Self::new(move |mut stream, sent| {
            let _ = stream.write_all(&head);
            while let Ok(count) = stream.write(&[b'x'; 65536]) {
                sent.fetch_add(count, Ordering::SeqCst);
            }
        })
    }

    /// Says this, one byte a moment.
    pub(crate) fn dripping(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |mut stream, _| drip(&mut stream, &bytes))
    }
}
