//! Who goes around the proxy: what each HTTP client makes of the proxy variables, and of a NO_PROXY list.
//!
//! There is no standard, so each client is a profile of its own (`assets/clients.toml`), and a few rules in code. The
//! profiles are right for every row of `tests/data/no-proxy-vectors.tsv` and `proxy-environment.tsv`, which were measured
//! with the real clients, and `tests/lab/clients.rs` holds them against those that install here.
//!
//! | module | what it does |
//! | --- | --- |
//! | `target` | the part of a URL that decides |
//! | `profile` | the clients, as data |
//! | `rules` | the members of a list, and whether one stands for a target |
//! | `own_ways` | clients that read a list in a way of their own |
//! | `route` | a list and a target: proxy, direct, error |
//! | `environment` | which variables are read at all |
//! | `needs` | hosts that need the proxy, and a list that takes them away from it |
//!
//! Not modelled: names written otherwise than in ASCII, IPv4 addresses in octal, hexadecimal or shortened form, and what
//! a name resolves to unless [`Target::resolved`] says it. Only Ruby would ask.

mod environment;
mod needs;
mod own_ways;
mod profile;
mod route;
mod rules;
mod target;
#[cfg(test)]
mod tests;

pub use environment::{Asked, Environment};
pub use needs::{Required, excluded};
pub(crate) use profile::curl_release;
pub use profile::{Client, all, by_id, curl};
pub use route::{By, Route};
pub use target::{Host, Target, TargetError};
