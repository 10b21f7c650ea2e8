//! Checks of the group `backends`: the MySQL and the Redis that the product will use.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `hosts` | what `prod.env` calls them |
//! | `words` | what both say about addresses, network errors and certificates |
//! | `mysql` | the greeting, the login, what the server says of itself |
//! | `redis` | the replies, what the server says of itself |

mod hosts;
mod mysql;
#[cfg(test)]
mod peer;
mod redis;
mod words;

pub(crate) use hosts::ProdEnvHosts;
pub(crate) use mysql::Mysql;
pub(crate) use redis::Redis;

use super::AnyCheck;

/// All of them, in the order in which they are reported.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[&ProdEnvHosts, &Mysql, &Redis];
