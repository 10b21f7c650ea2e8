//! Checks of the group `backends`: the MySQL and the Redis that the product will use.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `words` | what both say about addresses, network troubles and certificates; foreign text made fit to be shown |
//! | `mysql` | one greeting, one login, what the server says of itself |
//! | `redis` | one conversation, what the server says of itself |

mod mysql;
#[cfg(test)]
mod peer;
mod redis;
mod words;

use super::AnyCheck;

const GROUP: &str = "backends";

/// All of them, in the order in which they are reported.
pub const CHECKS: &[&dyn AnyCheck] = &[&mysql::Mysql, &redis::Redis];
