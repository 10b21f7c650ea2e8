//! A connection, plain or with TLS. There is no third kind: TLS to a peer that is not trusted carries nothing.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use super::{Bounded, NetError, Roots, Time, TlsWire, Wire, shake};

/// A connected server.
pub(crate) enum Line {
    /// Anybody on the way can read along.
    Plain(Wire),
    /// The peer's certificate is valid here.
    Tls(Box<TlsWire>),
}

impl From<Wire> for Line {
    fn from(wire: Wire) -> Self {
        Self::Plain(wire)
    }
}

impl Line {
    /// Goes on with TLS.
    ///
    /// # Errors
    /// No TLS to be had, or with somebody who is not trusted.
    pub(crate) fn secured(self, host: &str, roots: &Roots) -> Result<Self, NetError> {
        match self {
            Self::Plain(wire) => Ok(Self::Tls(Box::new(shake(wire, host, roots)?))),
            Self::Tls(_) => Ok(self),
        }
    }

    fn stream(&mut self) -> &mut dyn Bounded {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(stream) => stream.as_mut(),
        }
    }

    /// The version and cipher in use, as `TLSv1_3, TLS13_AES_256_GCM_SHA384`; `None`: plain.
    pub(crate) fn tls(&self) -> Option<String> {
        let Self::Tls(stream) = self else { return None };
        let version = stream.conn.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let suite = stream.conn.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        Some([Some(version), suite].into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    /// The addresses of this end and of the other one.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn ends(&self) -> io::Result<[IpAddr; 2]> {
        match self {
            Self::Plain(wire) => wire.ends(),
            Self::Tls(stream) => stream.sock.ends(),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The other side does not take it in time, or is gone.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        self.write_all(bytes).and_then(|()| self.flush()).map_err(NetError::of)
    }

    /// Reads what there is, at most the buffer; `Ok(0)` is the end.
    ///
    /// # Errors
    /// Silence, too much, a reset.
    pub(crate) fn recv(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        loop {
            match self.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NetError::of(error)),
            }
        }
    }
}

impl Bounded for Line {
    fn until(&mut self, time: Time) {
        self.stream().until(time);
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream().read(buffer)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream().flush()
    }
}
