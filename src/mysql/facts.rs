//! What was seen of a server.

use serde::{Deserialize, Serialize};

use super::about::{About, TlsReason};
use super::greeting::{HOST_BLOCKED, Opening, Refusal};
use crate::net::NetError;
use crate::network::openssl::Openssl;

/// What was seen. Part of saved facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MysqlFacts {
    /// How the server opened; null: it was not asked.
    pub(crate) opening: Option<Opening>,
    /// Milliseconds from the connection's being there to the end of the first packet.
    pub(crate) opening_ms: u64,
    /// How the login went; null: none was tried.
    pub(crate) login: Option<Login>,
    /// What OpenSSL's client says, where the TLS library here could not look further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) openssl: Option<Openssl>,
}

/// How a login went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "login", rename_all = "kebab-case")]
pub(crate) enum Login {
    /// It is open.
    Open(Box<About>),
    /// The server said no.
    Refused {
        /// Its words.
        refusal: Refusal,
        /// Was it asked over TLS?
        tls: bool,
    },
    /// The conversation broke.
    Broken {
        /// How.
        error: NetError,
        /// Was TLS begun?
        tls: bool,
    },
    /// The account wants a way of logging in that is not spoken here.
    Plugin {
        /// Its name.
        plugin: String,
    },
    /// The account's way of logging in needs TLS, which is not to be had or not wanted.
    NeedsTls,
    /// TLS is wanted and the server has none.
    NoTls,
}

impl MysqlFacts {
    /// Each further connection would be turned away too, until somebody flushes the server's host cache.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(&self.opening, Some(Opening::Refusal(refusal)) if refusal.code == HOST_BLOCKED)
    }

    /// The server, or the account, is to be spoken to by TLS, and the settings do not say so.
    pub(crate) fn wants_tls(&self) -> bool {
        match (&self.opening, &self.login) {
            (Some(Opening::Refusal(refusal)), _) | (_, Some(Login::Refused { refusal, .. })) => refusal.wants_tls(),
            (Some(Opening::Greeting(greeting)), Some(Login::NeedsTls)) => greeting.offers_tls,
            (_, Some(Login::Open(about))) => {
                matches!(about.tls_because, Some(TlsReason::Required | TlsReason::Password))
            }
            _ => false,
        }
    }
}
