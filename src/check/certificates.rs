//! Why a certificate is not trusted and what mends it, by each reason: one table for back ends, proxies and endpoints.

use crate::check::prelude::*;
use crate::net::{Beyond, Distrust, NoCa, Place, Reason, TlsFault};
use crate::network::openssl::Openssl;

/// Whose certificate it is.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    /// Who has it changed: `the proxy team`.
    pub who: &'static str,
    /// `MySQL`, `the proxy`.
    pub server: &'static str,
    /// Is it asked in its own network, where nothing but a server ends a handshake? Then a handshake beyond this program's TLS
    /// is no finding against it. On the way to all others devices cut TLS by the same alerts.
    pub is_backend: bool,
}

/// Adds the cause, and what mends it. What this program cannot tell is no fault of the other side.
pub(super) fn remedied(finding: Finding, why: &Distrust, owner: Owner) -> Finding {
    let status = if why.is_unsettled() { Status::Skip } else { finding.status };
    let finding = Finding { status, ..finding }.cause(cause(why, owner));
    advice(why, owner).into_iter().fold(finding, Finding::advise)
}

/// Where OpenSSL's client would have been asked and there is none: what makes that possible.
pub(super) fn with_openssl(finding: Finding, openssl: Option<&Openssl>) -> Finding {
    match openssl {
        Some(Openssl::Missing) => finding.advise("install openssl on this host: this check asks it then"),
        _ => finding,
    }
}

/// Why it is so.
pub(super) fn cause(why: &Distrust, owner: Owner) -> Text {
    let server = own(owner.server);
    match (&why.reason, why.place()) {
        (Reason::UnknownIssuer, Some(Place::Leaf)) => text!(
            "{} does not send the intermediate certificates along, or it has a certificate of the company's own authority, and that is not in this host's store",
            server
        ),
        (Reason::UnknownIssuer, _) => text!("{} usually has a certificate of the company's own authority then, and that is not in this host's store", server),
        (Reason::UntrustedRoot, _) => {
            text!("{} sends its authority's root along, which makes nobody trust it: it has to be in this host's store", server)
        }
        (Reason::UnknownRoot, _) => {
            "this host's store has an intermediate certificate without its root, and OpenSSL trusts no chain but up to a root".into()
        }
        (Reason::SelfSigned, _) => text!("nobody vouches for {}: each client has to be given this very certificate", server),
        (Reason::Expired, Some(Place::Root)) => {
            "the root in this host's store is too old, or this host's clock is ahead; OpenSSL looks at the dates of roots too".into()
        }
        (Reason::Expired, _) => "it has expired and nobody has renewed it, or this host's clock is ahead".into(),
        (Reason::NotYet, _) => "it is not valid yet, or this host's clock is behind".into(),
        (Reason::OtherName { address: true, .. }, _) => {
            text!("{} is set by its address, and the certificate does not have that (subjectAltName, IP)", server)
        }
        (Reason::OtherName { .. }, _) => text!("{} is set by another name than its certificate has, or somebody else answers", server),
        (Reason::WeakKey { .. } | Reason::WeakSignature { .. }, _) => {
            "OpenSSL of current systems refuses it (security level 2), whoever has issued it".into()
        }
        (Reason::NotCa { why: NoCa::Absent }, _) => "made without basicConstraints, as by openssl without a section of extensions for CAs".into(),
        (Reason::NotCa { why: NoCa::Denied }, _) => "a server's certificate was used to sign another one".into(),
        (Reason::NotCa { why: NoCa::KeyUsage }, _) => "it was issued for other uses than signing certificates".into(),
        (Reason::NotCa { why: NoCa::Version }, _) => "made without extensions, which no CA but a root may be".into(),
        (Reason::PathLength, _) => "a CA was made below one that may have none".into(),
        (Reason::NameConstraints { .. }, _) => "its authority may issue certificates for other names only".into(),
        (Reason::CriticalExtension { .. }, _) => "whoever issued it says that clients without knowledge of the extension must refuse it".into(),
        (Reason::Purpose, _) => "it is one for clients, mail or code: extendedKeyUsage without serverAuth, or a keyUsage that no TLS server can do with".into(),
        (Reason::BadSignature, _) => "an intermediate or root of the same name, but of another key, is in its place; or somebody forges it".into(),
        (Reason::TooLong, _) => "certificates that sign each other in a circle".into(),
        (Reason::Damaged, _) => "the file on the server is not a certificate, or is cut".into(),
        (Reason::Revoked, _) => "its authority has taken it back".into(),
        (Reason::NoRoots, _) => "this host has no trusted certificates".into(),
        (Reason::Unsettled { .. }, _) => "a limit of this tool, not a fault of the other side; OpenSSL's clients can look further".into(),
        (Reason::Other { .. }, _) => "the certificate itself is not valid".into(),
    }
}

/// What mends it.
fn advice(why: &Distrust, owner: Owner) -> Vec<Text> {
    let who = own(owner.who);
    let renew = |what: &'static str| text!("have {} {}", who, own(what));
    let reissue = |what: &'static str| match why.place() {
        Some(Place::Root | Place::Intermediate) => text!("have the CA's certificate issued anew {}", own(what)),
        _ => text!("have {} issue another one {}", who, own(what)),
    };
    match (&why.reason, why.place()) {
        (Reason::UnknownIssuer, Some(Place::Leaf)) => {
            let mut all =
                vec![renew("have the server send its whole chain: its own certificate, then the intermediate ones")];
            all.extend(trust(owner));
            all
        }
        (Reason::UnknownIssuer | Reason::UntrustedRoot | Reason::SelfSigned | Reason::UnknownRoot, _) => trust(owner),
        (Reason::Expired, Some(Place::Root)) => {
            let mut all =
                vec![clock(), "put the authority's new root into this host's store, and take the old one out".into()];
            all.extend(trust(owner));
            all
        }
        (Reason::Expired, Some(Place::Intermediate)) => {
            vec![clock(), renew("send the authority's new intermediate certificate in place of the old one")]
        }
        (Reason::Expired, _) => vec![clock(), text!("where the clock is right, have {} renew it", who)],
        (Reason::NotYet, _) => vec![clock(), text!("where the clock is right, have {} look at its dates", who)],
        (Reason::OtherName { .. }, _) => vec![text!("set {} by a name that its certificate has", own(owner.server))],
        (Reason::WeakKey { .. }, _) => vec![reissue("with an RSA key of 2048 bits or more, or one on P-256")],
        (Reason::WeakSignature { .. }, _) => vec![reissue("that is signed with SHA-256")],
        (Reason::NotCa { .. }, _) => {
            vec![reissue(
                "with basicConstraints = critical, CA:TRUE and keyUsage = keyCertSign, and put it where the old one is",
            )]
        }
        (Reason::PathLength, _) => vec![reissue("with a larger pathlen, or without")],
        (Reason::NameConstraints { .. }, _) => vec![reissue("by a CA that may issue for this name")],
        (Reason::CriticalExtension { .. }, _) => vec![reissue("without that extension, or with it as not critical")],
        (Reason::Purpose, _) => vec![reissue("for servers: extendedKeyUsage = serverAuth")],
        (Reason::BadSignature, _) => {
            let mut all = vec![renew("look which intermediate and root belong to the certificate")];
            all.extend(trust(owner));
            all
        }
        (Reason::TooLong, _) => {
            vec![renew("send the server's own certificate and the intermediate ones, and no others")]
        }
        (Reason::Damaged, _) => {
            let look = typed("openssl x509 -in <FILE> -noout -text");
            vec![text!("have {} look at the certificate's file on the server: {}", who, look)]
        }
        (Reason::Revoked, _) => vec![reissue("in its place")],
        (Reason::NoRoots, _) => {
            let [debian, redhat] = ["apt-get install ca-certificates", "yum install ca-certificates"].map(typed);
            vec![text!("install them: {}; on CentOS: {}", debian, redhat)]
        }
        (Reason::Unsettled { .. }, _) => Vec::new(),
        (Reason::Other { .. }, _) => vec![reissue("in its place")],
    }
}

fn clock() -> Text {
    text!("look whether this host's clock is right: {}", typed("timedatectl"))
}

/// What has a host trust an authority. That of a back end is nothing for the containers.
fn trust(owner: Owner) -> Vec<Text> {
    if !owner.is_backend {
        let command = ics_setup("prepare --proxy-ca <CA.crt>");
        return vec![text!("have its CA's certificate sent as PEM, then have this host trust it: {}", command)];
    }
    let [debian, redhat] = [
        "cp <CA.crt> /usr/local/share/ca-certificates/ && update-ca-certificates",
        "cp <CA.crt> /etc/pki/ca-trust/source/anchors/ && update-ca-trust",
    ];
    vec![
        text!("trust its CA on Ubuntu, Debian: {}", as_root(debian)),
        text!("trust its CA on CentOS, Red Hat: {}", as_root(redhat)),
    ]
}

/// A handshake that did not come about: its status, its cause and what mends it. `None`: the fault says nothing by itself.
pub(super) fn of_fault(finding: Finding, fault: &TlsFault, owner: Owner) -> Option<Finding> {
    let (who, server) = (own(owner.who), own(owner.server));
    Some(match fault {
        TlsFault::ClientCertificate => finding
            .cause(text!("{} wants each client to show a certificate of its own, which the product cannot do", server))
            .advise(text!("have {} let clients in without one", who)),
        TlsFault::UnknownName => finding
            .cause("the server has certificates for other names, or another server answers there")
            .advise(text!("set {} by a name that the server knows", server)),
        TlsFault::Beyond(what) if owner.is_backend => Finding { status: Status::Skip, ..finding }.cause(text!(
            "a limit of this tool, not a fault of {}: its TLS cannot look further{}",
            server,
            own(match what {
                Beyond::Versions =>
                    "; clients of OpenSSL 1.0 can, current ones only where TLS 1.0 and 1.1 were allowed",
                _ => ", and OpenSSL's clients can",
            })
        )),
        TlsFault::Beyond(_) => finding
            .cause(text!(
                "a device in between cuts TLS, or {} speaks none that current clients and this tool have in common",
                server
            ))
            .advise(text!(
                "have {} look which TLS versions and cipher suites are allowed there, and who ended the connection",
                who
            )),
        TlsFault::Refused(_) => finding
            .cause(text!("{} took part in the handshake and ended it: a setting of its own, or a trouble", server))
            .advise(text!("have {} look into the server's log for this moment", who)),
        TlsFault::Broken(_) => finding
            .cause("an old or odd TLS, or a device in between that changes what passes through it")
            .advise(text!("have {} look which TLS library the server has, and update it", who)),
        TlsFault::NotTls | TlsFault::Http | TlsFault::Closed | TlsFault::Other(_) => return None,
    })
}
