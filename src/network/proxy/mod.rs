//! The proxy itself, asked: is it there, which language does its port speak, does it let this host through, does it take the
//! login? Facts without an opinion.
//!
//! | module | what it does |
//! | --- | --- |
//! | `probe` | the conversation: one connection for each question, none repeated |
//! | `answer` | one request, and what the proxy said to it |
//! | `cleaner` | keeps the login out of what the proxy sends back |

mod answer;
mod cleaner;
mod probe;

use serde::{Deserialize, Serialize};

use super::cause::{Failure, Stage};
use crate::net::{Distrust, NetError, TlsFault};
use crate::settings::ProxyUrl;
use crate::text::host_port;

pub(crate) use answer::Said;
pub(crate) use answer::{Request, ask, bracketed};
pub(crate) use cleaner::Cleaner;
pub(crate) use probe::probe;

/// What one place is asked.
pub(crate) struct Question<'a> {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The URL says TLS to the proxy itself.
    pub tls: bool,
    /// The URL that names the place and has a login, where there is one.
    pub login: Option<&'a ProxyUrl>,
    /// Knows every login that may come back in its words.
    pub cleaner: Cleaner,
    /// Only http requests go through it: it is asked for a page, not for a tunnel.
    pub only_http: bool,
}

/// One place: host and port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dialled {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Is the name in `/etc/hosts`?
    pub in_hosts_file: bool,
    /// The addresses that the resolver told.
    pub addresses: Vec<String>,
    /// Why there are none.
    pub unresolved: Option<NetError>,
    /// How long the resolver took, in milliseconds.
    pub resolved_ms: u64,
    /// Why no connection came about.
    pub unconnected: Option<NetError>,
    /// How long that took, in milliseconds.
    pub connected_ms: u64,
    /// The conversation; `None` where there was no connection.
    pub answers: Option<ProxyAnswers>,
}

/// What was said on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyAnswers {
    /// The request in plain HTTP.
    pub plain: Said,
    /// Did the TLS handshake come about?
    pub tls: TlsAnswer,
    /// The request within TLS, where the URL asks for that and the certificate is trusted.
    pub within_tls: Option<Said>,
}

/// How a TLS handshake with the proxy ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "shaken")]
pub(crate) enum TlsAnswer {
    /// It speaks TLS, and its certificate is trusted.
    Trusted,
    /// It speaks TLS; its certificate is not trusted.
    Untrusted {
        /// Why not.
        why: Distrust,
    },
    /// It speaks no TLS, or none that is still spoken.
    No {
        /// What happened.
        error: NetError,
    },
}

/// Which language a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// HTTP.
    Plain,
    /// TLS.
    Tls,
    /// Either, whichever it is spoken to in.
    Both,
    /// Something else, or nothing.
    Neither,
}

impl ProxyAnswers {
    /// By both answers.
    pub(crate) fn language(&self) -> Language {
        let tls = !matches!(self.tls, TlsAnswer::No { .. });
        // A TLS port may answer a plain request with a polite 400.
        let plain = self.plain.status.is_some_and(|status| !(tls && status == 400));
        // Whoever answers a ClientHello with bytes that are no TLS speaks something plain, also when it is slow with CONNECT.
        let garbled =
            matches!(&self.tls, TlsAnswer::No { error: NetError::Tls { why: TlsFault::NotTls | TlsFault::Http } });
        let waiting = matches!(self.plain.error, Some(NetError::Silent { .. }));
        match (plain || (garbled && waiting), tls) {
            (true, true) => Language::Both,
            (true, false) => Language::Plain,
            (false, true) => Language::Tls,
            (false, false) => Language::Neither,
        }
    }

    /// The answer that counts with a URL that says TLS, or does not. `None`: nothing was asked of a peer that is not trusted.
    /// With https:// in the URL and a plain port the plain answer is what there is, without the login.
    pub(crate) fn said(&self, tls: bool) -> Option<&Said> {
        match (&self.within_tls, &self.tls) {
            (Some(said), _) => Some(said),
            (None, TlsAnswer::Untrusted { .. }) if tls => None,
            _ => Some(&self.plain),
        }
    }

    /// Why the port does not fit a URL that says TLS, or does not: it speaks the other language.
    pub(crate) fn other_language(&self, tls: bool) -> Option<Failure> {
        let (stage, error) = match self.language() {
            Language::Plain if tls => (Stage::ProxyTls, NetError::Tls { why: TlsFault::Http }),
            Language::Tls if !tls => (Stage::Connect, NetError::unexpected_tls("it speaks TLS")),
            _ => return None,
        };
        Some(Failure { stage, why: error.into(), took_ms: self.plain.took_ms })
    }

    /// Why no TLS connection to the proxy itself came about that may be given a login.
    pub(crate) fn tls_failure(&self) -> Option<Failure> {
        let error = match &self.tls {
            TlsAnswer::Trusted => return None,
            TlsAnswer::Untrusted { why } => NetError::Untrusted { why: why.clone() },
            TlsAnswer::No { error } => error.clone(),
        };
        Some(Failure { stage: Stage::ProxyTls, why: error.into(), took_ms: 0 })
    }
}

impl Dialled {
    /// `proxy.corp:3128`
    pub(crate) fn place(&self) -> String {
        host_port(&self.host, self.port)
    }

    /// Why no connection came about: at the name, or at the port.
    fn unreached(&self) -> Option<Failure> {
        let of = |error: &NetError, stage, took_ms| Failure { stage, why: error.clone().into(), took_ms };
        let name = self.unresolved.as_ref().map(|error| of(error, Stage::Resolve, self.resolved_ms));
        name.or_else(|| self.unconnected.as_ref().map(|error| of(error, Stage::Tcp, self.connected_ms)))
    }

    /// Where the way through it ended first, with a URL that says TLS to the proxy itself, or does not; `None`: it is open.
    pub(crate) fn failure(&self, tls: bool) -> Option<Failure> {
        self.unreached().or_else(|| {
            let answers = self.answers.as_ref()?;
            let of_tls = || if tls { answers.tls_failure() } else { None };
            answers.other_language(tls).or_else(of_tls).or_else(|| answers.said(tls)?.failure())
        })
    }
}

/// Whoever answers a ClientHello in HTTP, by the first bytes of that answer, is told apart from what speaks anything else.
pub(super) fn named(error: NetError, first: &[u8]) -> NetError {
    match error {
        NetError::Tls { why: TlsFault::NotTls } if first.starts_with(b"HTTP/") => NetError::Tls { why: TlsFault::Http },
        other => other,
    }
}
