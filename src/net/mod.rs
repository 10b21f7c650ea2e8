//! Talking to servers that may be absent, slow, hostile or not what they seem: every step has a deadline, every answer a
//! largest size, and what went wrong is a value ([`NetError`]) that can be saved and judged later.
//!
//! | module | what it does |
//! | --- | --- |
//! | `time` | the deadline of one check and the limit of one connection |
//! | `error` | why there was no answer, in words |
//! | `fault` | why a TLS handshake failed |
//! | `distrust` | why a certificate is not trusted |
//! | `chain` | what OpenSSL says to a chain of certificates |
//! | `dial` | name → addresses → connection |
//! | `dns` | a name asked of name servers themselves |
//! | `wire` | a connection that reads and writes within its deadline and budget |
//! | `line` | a connection, plain or with TLS to a trusted peer |
//! | `tls` | one handshake, judged against the host's store; only a trusted peer is given secrets |
//! | `shown` | a server's texts, made fit to be shown |
//! | `http` | one request, the head of its answer, `CONNECT` |

mod chain;
mod dial;
mod distrust;
mod dns;
mod error;
mod fault;
mod http;
mod line;
mod shown;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod tls;
mod wire;

pub(crate) use chain::{Certificates, Unfit};
pub(crate) use dial::{connect, dial, resolve};
pub(crate) use distrust::{Distrust, NoCa, Place, Reason};
pub(crate) use dns::{Listed, listed};
pub(crate) use error::NetError;
pub(crate) use fault::{Beyond, TlsFault};
pub(crate) use http::{Answer, MAX_HEAD, basic, is_redis, looks_like_html, request, unexpected};
pub(crate) use line::Line;
pub(crate) use shown::{shown, shown_bytes};
pub(crate) use time::{RESERVE, Time};

pub(crate) use crate::text::seconds;
pub(crate) use tls::{BUNDLES, Handshake, Roots, Shown, TlsWire, Unfinished, examine, shake};
pub(crate) use wire::{Bounded, Wire};
