//! Errors of the network, each of them.

use crate::net::{Beyond, Distrust, NetError, NoCa, Place, Reason, TlsFault};

/// Each reason, at each place in the chain, and without a certificate.
pub(super) fn distrusts() -> Vec<Distrust> {
    let mut reasons = vec![
        Reason::UnknownIssuer,
        Reason::UnknownRoot,
        Reason::SelfSigned,
        Reason::UntrustedRoot,
        Reason::Expired,
        Reason::NotYet,
        Reason::OtherName { names: vec!["other.example".into()], address: false },
        Reason::OtherName { names: Vec::new(), address: true },
        Reason::WeakKey { key: "RSA, 1024 bits".into() },
        Reason::WeakSignature { digest: "SHA-1".into() },
        Reason::PathLength,
        Reason::NameConstraints { excluded: true },
        Reason::NameConstraints { excluded: false },
        Reason::CriticalExtension { oid: "1.2.3".into() },
        Reason::Purpose,
        Reason::BadSignature,
        Reason::TooLong,
        Reason::Damaged,
        Reason::Revoked,
        Reason::NoRoots,
        Reason::Unsettled { why: "x".into() },
        Reason::Other { why: "x".into() },
    ];
    reasons.extend(NoCa::ALL.map(|why| Reason::NotCa { why }));
    // A reason that is added has to be added above, too.
    for reason in &reasons {
        match reason {
            Reason::UnknownIssuer | Reason::UnknownRoot | Reason::SelfSigned | Reason::UntrustedRoot => {}
            Reason::Expired | Reason::NotYet | Reason::OtherName { .. } | Reason::WeakKey { .. } => {}
            Reason::WeakSignature { .. } | Reason::NotCa { .. } | Reason::PathLength | Reason::Purpose => {}
            Reason::NameConstraints { .. } | Reason::CriticalExtension { .. } | Reason::BadSignature => {}
            Reason::TooLong | Reason::Damaged | Reason::Revoked | Reason::NoRoots => {}
            Reason::Unsettled { .. } | Reason::Other { .. } => {}
        }
    }
    let whose = |place| {
        let certificate = serde_json::json!({
            "place": place, "depth": 1, "subject": "CN=x", "issuer": "CN=y", "not_before": 0, "not_after": 1
        });
        serde_json::from_value(certificate).unwrap()
    };
    let places = std::iter::once(None).chain(Place::ALL.map(Some)).collect::<Vec<_>>();
    let each = |reason: Reason| {
        places
            .iter()
            .map(move |place| Distrust { reason: reason.clone(), certificate: place.map(whose) })
            .collect::<Vec<_>>()
    };
    reasons.into_iter().flat_map(each).collect()
}

pub(super) fn faults() -> Vec<TlsFault> {
    let mut faults = vec![
        TlsFault::NotTls,
        TlsFault::Http,
        TlsFault::Closed,
        TlsFault::ClientCertificate,
        TlsFault::UnknownName,
        TlsFault::Refused("x".into()),
        TlsFault::Broken("x".into()),
        TlsFault::Other("x".into()),
    ];
    faults.extend(Beyond::ALL.map(TlsFault::Beyond));
    for fault in &faults {
        match fault {
            TlsFault::NotTls | TlsFault::Http | TlsFault::Closed | TlsFault::ClientCertificate => {}
            TlsFault::UnknownName | TlsFault::Refused(_) | TlsFault::Broken(_) | TlsFault::Other(_) => {}
            TlsFault::Beyond(_) => {}
        }
    }
    faults
}

/// Each error of a conversation.
pub(super) fn errors() -> Vec<NetError> {
    let mut errors = vec![
        NetError::NameUnknown,
        NetError::NameUnanswered { why: "x".into() },
        NetError::Refused,
        NetError::ConnectTimeout { millis: 1 },
        NetError::Unreachable { why: "x".into() },
        NetError::Closed,
        NetError::Reset,
        NetError::Silent { millis: 1 },
        NetError::TooMuch { limit: 1 },
        NetError::unexpected("x"),
        NetError::unexpected_tls("x"),
        NetError::Other { why: "x".into() },
    ];
    errors.extend(faults().into_iter().map(|why| NetError::Tls { why }));
    errors.extend(distrusts().into_iter().map(|why| NetError::Untrusted { why }));
    for error in &errors {
        match error {
            NetError::NameUnknown | NetError::NameUnanswered { .. } | NetError::Refused => {}
            NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } | NetError::Closed | NetError::Reset => {}
            NetError::Silent { .. } | NetError::TooMuch { .. } | NetError::Unexpected { .. } => {}
            NetError::Tls { .. } | NetError::Untrusted { .. } | NetError::Other { .. } => {}
        }
    }
    errors
}
