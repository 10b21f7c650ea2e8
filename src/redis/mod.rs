//! Redis and its kin as a client meets them: one conversation within a deadline and a budget, and what the server says of itself.
//!
//! `look` asks `INFO`, `HELLO` and `AUTH`, and returns `RedisFacts`: serialisable, without secrets, without an opinion.
//! `open` gives a connection for further commands.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `resp` | the protocol: one command, one reply |
//! | `reply` | error replies by their kind |
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
pub(crate) use session::{Target, look, open};

#[cfg(test)]
pub(crate) use info::of_info;
