//! MySQL and its kin as a client meets them: one greeting, one login where an account is given, and what the server says of
//! itself. Queries only read.
//!
//! [`look`] asks within a deadline and a budget, and returns [`MysqlFacts`]: serialisable, without secrets, without an opinion.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `greeting` | the first packet, from any bytes |
//! | `exchange` | opening, login, queries over one connection |
//! | `session` | which logins are tried, plain and by TLS |
//! | `about` | what a server says of itself after the login |
//! | `product` | makes and versions |
//! | `grants` | `SHOW GRANTS` |
//!
//! A conversation that ends at the greeting counts as an aborted one on the server, and too many of them block this host.
//! So there is one in a run, and where a user is known it goes on to a full login, which clears that count.

mod about;
mod exchange;
mod grants;
mod greeting;
mod product;
mod session;

use serde::{Deserialize, Serialize};

pub(crate) use about::{About, There};
pub(crate) use grants::{Grant, has_reload, missing, roles};
pub(crate) use greeting::{Greeting, Opening, Refusal};
pub(crate) use product::{Make, Product, advertised, real};
pub(crate) use session::look;

use crate::net::{NetError, Roots};

#[cfg(test)]
pub(crate) use about::{Clock, Database};
#[cfg(test)]
pub(crate) use greeting::tests as packets;

/// `Host '…' is blocked because of many connection errors`.
pub(crate) const HOST_BLOCKED: u16 = 1129;

/// `Access denied for user …`.
pub(crate) const ACCESS_DENIED: u16 = 1045;

/// Where a server is, and what is asked of it.
pub(crate) struct Target<'a> {
    /// Name or address.
    pub(crate) host: &'a str,
    /// Port.
    pub(crate) port: u16,
    /// TLS: asked for, not wanted, or to be found out.
    pub(crate) tls: Option<bool>,
    /// Who logs in; `None`: the greeting is all that is looked at.
    pub(crate) account: Option<Account<'a>>,
    /// The databases that are looked for.
    pub(crate) databases: [&'a str; 2],
    /// Whom to trust.
    pub(crate) roots: &'a Roots,
}

/// Who logs in.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    /// The user.
    pub(crate) user: &'a str,
    /// The password; empty: none.
    pub(crate) password: &'a [u8],
}

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
        trouble: NetError,
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

/// Why TLS was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MysqlFailure {
    /// The settings say so.
    Asked,
    /// The server lets nobody in without (`require_secure_transport`), or not this account (`REQUIRE SSL`).
    Required,
    /// The account's way of logging in needs it.
    Password,
}

impl MysqlFacts {
    /// Each further connection would be turned away too, until somebody flushes the server's host cache.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(&self.opening, Some(Opening::Refusal(refusal)) if refusal.code == HOST_BLOCKED)
    }

    /// The server, or the account, is to be spoken to by TLS, and the settings do not say so.
    pub(crate) fn wants_tls(&self) -> bool {
        match (&self.opening, &self.login) {
            (Some(Opening::Refusal(refusal)), _) | (_, Some(Login::Refused { refusal, .. })) => {
                refusal.code != ACCESS_DENIED && refusal.wants_tls()
            }
            (Some(Opening::Greeting(greeting)), Some(Login::NeedsTls)) => greeting.offers_tls,
            (_, Some(Login::Open(about))) => {
                matches!(about.tls_because, Some(MysqlFailure::Required | MysqlFailure::Password))
            }
            _ => false,
        }
    }
}

impl Refusal {
    /// Is it for want of TLS, in so many words? MySQL has a number for it.
    pub(crate) fn wants_tls(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.code == 3159 || message.contains("require_secure_transport") || message.contains("insecure transport")
    }
}
