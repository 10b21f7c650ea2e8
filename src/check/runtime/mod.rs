//! Checks of the group `runtime`: does the installed product run?
//!
//! | module | what it judges |
//! | --- | --- |
//! | `product` | is it installed in its folder? |
//! | `containers` | services up, ended, restarting, unhealthy; versions of images |
//! | `environment` | what the containers see, against prod.env |
//! | `interface` | `/Status` on the interface's port |
//! | `queues` | lists in Redis |
//! | `logs` | lines with a known cause |
//! | `text` | words |

mod containers;
mod environment;
mod interface;
mod logs;
mod product;
mod queues;
#[cfg(test)]
mod testing;
mod text;

use super::AnyCheck;

/// All of them, in the order in which they are reported.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[
    &product::Product,
    &containers::Containers,
    &environment::Environment,
    &interface::Interface,
    &queues::Queues,
    &logs::Logs,
];
