//! `check`: is this host fit, with its proxy, its back ends and the product on it, and if not, what is to be done?
//!
//! Facts are collected, then judged by pure functions, then rendered. Facts hold no secret, so they can be saved and judged
//! again elsewhere.
//!
//! ```text
//! CheckSpec ──┬─ Check::collect ── Facts ──┬─ Check::judge ── Finding ── report
//! Secrets┘   (engine: threads,        └─ Record ⇄ file
//!             deadlines)
//! ```
//!
//! | module | what lives there |
//! | --- | --- |
//! | `unit` | the [`Check`] trait: what a check is |
//! | `want` | what the settings ask for, without secrets; the secrets apart |
//! | `engine` | bounded threads, deadlines, order |
//! | `run` | rounds (`--wait`), selection, from checks to findings |
//! | `record` | facts as a file |
//! | `requirements` | what a product release asks for, as data |
//! | `causes` | why a way to a proxy or to an endpoint ends, in words |
//! | `host`, `proxy`, `backends`, `network` (and agent), `runtime` | the checks |

pub mod backends;
pub mod engine;
pub mod host;
pub mod network;
pub mod proxy;
pub mod record;
pub mod requirements;
pub mod runtime;

mod causes;
mod run;
mod spec;
mod unit;

pub use crate::network::target::Target;
pub use record::{Entry, Record};
pub use run::{Run, Selection};
pub use spec::{Address, CheckSpec, Limits, MysqlSpec, ProxySpec, RedisSpec, Secrets};
pub use unit::{AnyCheck, Check, Group, Look};

/// Every check, in the order in which it is reported.
pub fn all() -> Vec<Box<dyn AnyCheck>> {
    [host::checks(), proxy::checks(), backends::checks(), network::checks(), runtime::checks()]
        .into_iter()
        .flatten()
        .collect()
}
