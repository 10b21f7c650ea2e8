//! Why a TLS handshake failed, by what the TLS library says.

use std::fmt;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};
use serde::{Deserialize, Serialize};

use crate::text::Foreign;
use crate::text::words::words;

/// Why a TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsFault {
    /// The other side answered with something that is not TLS.
    NotTls,
    /// The other side answered in plain HTTP.
    Http,
    /// The other side closed the connection.
    Closed,
    /// The other side wants a certificate of the client.
    ClientCertificate,
    /// The other side knows no such name.
    UnknownName,
    /// The other side ended it with an alert that says that it has a trouble of its own, or forbids it.
    Refused(Foreign),
    /// What the other side asks for is more than the TLS library of this program can do.
    Beyond(Beyond),
    /// The other side does not keep to the protocol.
    Broken(Foreign),
    /// Anything else.
    Other(Foreign),
}

words! {
    /// What the TLS library does not do, and OpenSSL does or did.
    pub enum Beyond {
        /// No cipher suite in common: it has none but ECDHE with AES-GCM or ChaCha20.
        Suites = "suites",
        /// TLS 1.0 and 1.1.
        Versions = "versions",
        /// No group in common: it has X25519, P-256 and P-384.
        Groups = "groups",
        /// No way of signing in common.
        Signatures = "signatures",
        /// Certificates of more than 64 kB.
        Size = "size",
        /// A kind of key that it does not use: P-521, RSA below 2048 bits.
        Key = "key",
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suites => "no cipher suite in common: this tool has ECDHE with AES-GCM or ChaCha20 alone, the other side perhaps DHE or RSA",
            Self::Versions => "no TLS version in common: this tool has 1.2 and 1.3 alone, the other side older ones",
            Self::Groups => "no key exchange group in common: this tool has X25519, P-256 and P-384 alone",
            Self::Signatures => "no signature algorithm in common with this tool",
            Self::Size => "the server's certificates are larger than this tool's TLS takes (64 kB)",
            Self::Key => "the server's key is of a kind that this tool does not use",
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTls => "the other side does not speak TLS",
            Self::Http => "the other side does not speak TLS but plain HTTP",
            Self::Closed => "the other side closed the connection during the handshake",
            Self::ClientCertificate => "the other side asks for a client certificate",
            Self::UnknownName => "the other side knows no server of that name (alert unrecognized_name)",
            Self::Refused(why) => return write!(f, "the other side ended it with the alert {why}"),
            Self::Beyond(what) => return what.fmt(f),
            Self::Broken(why) => return write!(f, "the other side does not keep to the protocol: {why}"),
            Self::Other(why) => return why.fmt(f),
        })
    }
}

/// What an error of the library means. Both of its enums can grow; what they grow by is told in their own words.
pub(super) fn fault(error: &Error) -> TlsFault {
    match error {
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::PeerIncompatible(why) => of_incompatible(why),
        Error::InvalidMessage(why) => of_message(why),
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::NoCertificatesPresented
        | Error::PeerSentOversizedRecord
        | Error::NoApplicationProtocol
        | Error::InvalidEncryptedClientHello(_) => TlsFault::Broken(error.to_string().into()),
        Error::InvalidCertificate(_) => TlsFault::Beyond(Beyond::Key),
        _ => TlsFault::Other(error.to_string().into()),
    }
}

/// What another side says in bytes that are no TLS record is no TLS. Behind records that are, it is a message that is damaged,
/// or larger than the library takes.
fn of_message(why: &InvalidMessage) -> TlsFault {
    use InvalidMessage as Why;
    match why {
        Why::CertificatePayloadTooLarge | Why::HandshakePayloadTooLarge => TlsFault::Beyond(Beyond::Size),
        Why::InvalidContentType
        | Why::UnknownProtocolVersion
        | Why::MessageTooLarge
        | Why::MessageTooShort
        | Why::InvalidEmptyPayload => TlsFault::NotTls,
        other => TlsFault::Broken(format!("{other:?}").into()),
    }
}

fn of_alert(alert: AlertDescription) -> TlsFault {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => TlsFault::ClientCertificate,
        Alert::HandshakeFailure | Alert::InsufficientSecurity => TlsFault::Beyond(Beyond::Suites),
        Alert::ProtocolVersion => TlsFault::Beyond(Beyond::Versions),
        Alert::UnrecognisedName => TlsFault::UnknownName,
        Alert::CloseNotify => TlsFault::Closed,
        other => TlsFault::Refused(format!("{other:?}").into()),
    }
}

fn of_incompatible(why: &PeerIncompatible) -> TlsFault {
    use PeerIncompatible as Why;
    match why {
        Why::NoCipherSuitesInCommon => TlsFault::Beyond(Beyond::Suites),
        Why::ServerDoesNotSupportTls12Or13
        | Why::ServerTlsVersionIsDisabledByOurConfig
        | Why::Tls12NotOffered
        | Why::Tls12NotOfferedOrEnabled => TlsFault::Beyond(Beyond::Versions),
        Why::NoKxGroupsInCommon
        | Why::NoEcPointFormatsInCommon
        | Why::EcPointsExtensionRequired
        | Why::UncompressedEcPointsRequired
        | Why::NamedGroupsExtensionRequired
        | Why::KeyShareExtensionRequired => TlsFault::Beyond(Beyond::Groups),
        Why::NoSignatureSchemesInCommon
        | Why::NoCertificateRequestSignatureSchemesInCommon
        | Why::SignatureAlgorithmsExtensionRequired => TlsFault::Beyond(Beyond::Signatures),
        other => TlsFault::Broken(format!("{other:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_no_tls_and_what_is_too_large_for_the_library_is_beyond_it() {
        for (why, told) in [
            (InvalidMessage::InvalidContentType, TlsFault::NotTls),
            (InvalidMessage::UnknownProtocolVersion, TlsFault::NotTls),
            (InvalidMessage::HandshakePayloadTooLarge, TlsFault::Beyond(Beyond::Size)),
            (InvalidMessage::CertificatePayloadTooLarge, TlsFault::Beyond(Beyond::Size)),
            (InvalidMessage::InvalidServerName, TlsFault::Broken("InvalidServerName".into())),
        ] {
            assert_eq!(fault(&Error::InvalidMessage(why)), told);
        }
    }
}
