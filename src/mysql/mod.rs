//! MySQL and its kin as a client meets them: one greeting, one login where an account is given, and what the server says of
//! itself. Queries only read, but for those of `provision`.
//!
//! `look` asks within a deadline and a budget, and returns `MysqlFacts`: serialisable, without secrets, without an opinion.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `greeting` | the first packet, from any bytes |
//! | `exchange` | opening, login, queries over one connection |
//! | `session` | which logins are tried, plain and by TLS |
//! | `about` | what a server says of itself after the login |
//! | `facts` | what was seen, as it is saved |
//! | `product` | makes and versions |
//! | `grants` | `SHOW GRANTS` |
//! | `neighbours` | which other hosts use the databases at this moment, and which of them say that they wait |
//! | `sql` | names and texts in statements |
//! | `provision` | databases, user and rights, made by an administrator |
//!
//! A conversation that ends at the greeting counts as an aborted one on the server, and too many of them block this host.
//! So there is one in a run, and where a user is known it goes on to a full login, which clears that count.

mod about;
mod exchange;
mod facts;
mod grants;
mod greeting;
mod neighbours;
mod product;
mod provision;
mod session;
pub(crate) mod sql;

pub(crate) use about::{About, There, TlsReason};
pub(crate) use facts::{Login, MysqlFacts};
pub(crate) use grants::{Grant, has_reload, missing, roles, writes_read_only};
pub(crate) use greeting::{ACCESS_DENIED, Greeting, HOST_BLOCKED, Opening, Refusal};
pub(crate) use neighbours::{Neighbour, Waits, may_be_one_of_many, neighbours, say};
pub(crate) use product::{Make, Product, advertised, real};
pub(crate) use provision::{CANNOT_USER, Missing, Need, Step, Stopped};
pub(crate) use session::{Account, Target, look, look_and};

#[cfg(test)]
pub(crate) use about::{Clock, Database};
#[cfg(test)]
pub(crate) use greeting::tests as packets;
