//! Redis and its kin as a client meets them: one conversation within a deadline and a budget, and what the server says of itself.
//!
//! [`look`] asks `INFO`, `HELLO` and `AUTH`, and returns [`RedisFacts`]: serialisable, without secrets, without an opinion.
//! [`open`] gives a connection for further commands.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `resp` | the protocol: one command, one reply |
//! | `reply` | replies as far as they matter here; errors by their kind |
//! | `info` | fields of `INFO` and `HELLO`, products and versions |
//! | `answers` | the facts |
//! | `session` | the conversation |
//!
//! Only `INFO`, `HELLO` and `AUTH` are said: `CONFIG` is forbidden on managed services. A client that begins with TLS on a
//! plain port waits until it gives up, and one that begins plain on a TLS port is dropped at once: so plain is tried first.

mod answers;
mod info;
mod reply;
mod resp;
mod session;

pub(crate) use answers::{Era, RedisAnswers, RedisFacts};
pub(crate) use info::{Fields, Make, Product, product};
pub(crate) use reply::{Denial, DenialKind};
pub(crate) use resp::{Resp, Value};
pub(crate) use session::{look, open};

use crate::net::Roots;
use crate::secret::Secret;

#[cfg(test)]
pub(crate) use info::of_info;

/// Where a server is, and how it is spoken to.
pub(crate) struct Target<'a> {
    /// Name or address.
    pub(crate) host: &'a str,
    /// Port.
    pub(crate) port: u16,
    /// TLS: asked for, not wanted, or to be found out.
    pub(crate) tls: Option<bool>,
    /// The password; `None`: none is known, and none is sent.
    pub(crate) password: Option<&'a Secret>,
    /// Whom to trust.
    pub(crate) roots: &'a Roots,
}
