//! Checks of the group `runtime`: does the installed product run?
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `product` | is it installed in its folder? |
//! | `containers` | services up, ended, restarting, unhealthy; versions of images |
//! | `environment` | what the containers see, against prod.env |
//! | `interface` | `/Status` on the interface's port |
//! | `queues` | p0 to p3 in Redis |
//! | `logs` | lines with a known cause |
//! | `known` | the facts behind all of them, from `assets/runtime.toml` |
//! | `docker`, `compose`, `place`, `text` | the docker command, compose files, the product's folder, words |

mod compose;
mod containers;
pub(super) mod docker;
mod environment;
mod interface;
mod known;
mod logs;
mod place;
mod product;
mod queues;
mod text;

#[cfg(test)]
mod double;

use super::AnyCheck;

/// All of them, in the order in which they are reported.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &product::Product,
    &containers::Containers,
    &environment::Environment,
    &interface::Interface,
    &queues::Queues,
    &logs::Logs,
];
