//! What was seen of a server.

use serde::{Deserialize, Serialize};

use super::info::Fields;
use super::reply::{Denial, DenialKind};
use crate::net::NetError;
use crate::network::openssl::Openssl;

/// What was seen. Part of saved facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisFacts {
    /// How a plain connection went: null where none was tried.
    pub(crate) plain: Option<RedisAnswers>,
    /// How one with TLS went: null where none was tried.
    pub(crate) tls: Option<RedisAnswers>,
    /// What OpenSSL's client says, where the TLS library here could not look further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) openssl: Option<Openssl>,
}

/// How a connection went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisAnswers {
    /// Where it broke off.
    pub(crate) error: Option<NetError>,
    /// Did the other side reply in Redis's own protocol?
    pub(crate) replied: bool,
    /// Version and cipher of TLS.
    pub(crate) cipher: Option<String>,
    /// What it said to `INFO` before any password; null: it answered.
    pub(crate) denied: Option<Denial>,
    /// What it said to `HELLO` without a password; null: not asked, or answered.
    pub(crate) hello: Option<Denial>,
    /// What it said to the password; null: not asked, or fine.
    pub(crate) login: Option<Denial>,
    /// Was a password taken?
    pub(crate) logged_in: bool,
    /// What it said to `INFO` after the password; null: not asked, or answered.
    pub(crate) info: Option<Denial>,
    /// What it says of itself.
    pub(crate) fields: Fields,
}

/// Which era of Redis a server is of, told by how it refuses `HELLO` to a stranger: up to 5 it looks the command up before
/// it asks for the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// 5 or older.
    UpTo5,
    /// 6 or newer.
    From6,
}

impl RedisFacts {
    /// The connection on which the server replied, the one with TLS first; `None`: it replied on none.
    pub(crate) fn answers(&self) -> Option<&RedisAnswers> {
        [&self.tls, &self.plain].into_iter().flatten().find(|answers| answers.replied)
    }

    /// The server asks for a password, and none was sent.
    pub(crate) fn wants_password(&self) -> bool {
        self.answers().is_some_and(|answers| {
            let wanted = answers.denied.as_ref().is_some_and(|denial| denial.kind() == DenialKind::PasswordWanted);
            wanted && answers.login.is_none() && !answers.logged_in
        })
    }

    /// Nobody said whether to speak TLS, plain words went nowhere, and with TLS the server serves.
    pub(crate) fn wants_tls(&self) -> bool {
        let serves = |answers: &RedisAnswers| answers.replied && answers.turned_away().is_none();
        self.plain.is_some() && self.tls.as_ref().is_some_and(serves)
    }
}

impl RedisAnswers {
    /// A connection that came to nothing.
    pub(crate) fn broken(error: NetError) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Why the server serves nobody now, or not this host; `None`: it does, at most it asks for a login.
    pub(crate) fn turned_away(&self) -> Option<&Denial> {
        let goes_on = |kind| matches!(kind, DenialKind::PasswordWanted | DenialKind::Forbidden);
        self.denied.as_ref().filter(|denial| !goes_on(denial.kind()))
    }

    /// Which era, where the server would not say more.
    pub(crate) fn era(&self) -> Option<Era> {
        match self.hello.as_ref()?.kind() {
            DenialKind::PasswordWanted => Some(Era::From6),
            DenialKind::UnknownCommand => Some(Era::UpTo5),
            _ => None,
        }
    }
}
