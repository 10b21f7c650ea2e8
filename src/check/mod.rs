//! `check`: is this host fit, with its proxy, its back ends and the product on it, and if not, what is to be done?
//!
//! Facts are collected by observers ([`crate::system`], [`crate::consumers`], …), then judged by pure functions, then rendered.
//! Facts hold no secret, so they can be saved and judged again elsewhere.
//!
//! A check is a unit type that implements [`Check`], in a file of its own; its group has it in `CHECKS`. What its ids mean
//! stands in `assets/checks/GROUP.toml`, and a test holds the two together.
//!
//! ```text
//! CheckSpec ─┬─ Check::collect ── Facts ──┬─ Check::judge ── Finding ── report
//! Secrets ───┘  (engine: threads,         └─ Record ⇄ file
//!                deadlines)
//! ```
//!
//! | module | what lives there |
//! | --- | --- |
//! | `unit` | the [`Check`] trait: what a check is |
//! | `spec` | what the settings ask for, without secrets; the secrets apart |
//! | `engine` | bounded threads, deadlines, order |
//! | `prelude` | the names that nearly every check uses |
//! | `run` | rounds (`--wait`), selection, from checks to findings |
//! | `record` | facts as a file |
//! | `requirements` | what a product release asks for, as data |
//! | `certificates` | why a certificate is not trusted or a handshake fails, and what mends it |
//! | `causes` | why a way to a proxy or to an endpoint ends, in words |
//! | `host`, `proxy`, `backends`, `network` (and agent), `runtime` | the checks |

pub(crate) mod backends;
pub(crate) mod engine;
pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod requirements;
pub(crate) mod runtime;

mod causes;
mod certificates;
#[cfg(test)]
mod law;
mod prelude;
mod run;
mod spec;
mod unit;

use std::time::Duration;

pub(crate) use crate::consumers::ProxySpec;
pub(crate) use crate::network::target::Target;
use crate::text::{Own, own, seconds};
pub(crate) use proxy::Authority;
pub use record::Record;
pub(crate) use run::{Run, Selection, in_turn};
#[cfg(test)]
pub(crate) use spec::RedisSpec;
pub(crate) use spec::{Address, CheckSpec, GivenList, Limits, MysqlSpec, Secrets, USUAL_USER, Unread, is_published};
pub(crate) use unit::{AnyCheck, Check, Group, Look, Meta};

/// Milliseconds as messages print them: `3 s`, `250 ms`.
fn took(millis: u64) -> Own<String> {
    own(seconds(Duration::from_millis(millis)))
}

/// Every check, in the order in which it is reported.
pub(crate) fn all() -> Vec<&'static dyn AnyCheck> {
    [host::CHECKS, proxy::CHECKS, backends::CHECKS, network::CHECKS, runtime::CHECKS].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::known;

    #[test]
    fn every_id_of_a_check_is_explained_in_its_group_and_names_are_unique() {
        let mut names: Vec<&str> = all().iter().map(|check| check.meta().name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for Meta { name, group, ids, gates } in all().iter().map(|check| check.meta()) {
            assert!(!ids.is_empty(), "{name} reports nothing");
            for id in ids {
                let group_of_id = known(id.as_str()).map(|known| known.id.group());
                assert_eq!(
                    group_of_id,
                    Some(group.as_str()),
                    "{id} of {name} in assets/checks/{}.toml",
                    group.as_str()
                );
            }
            assert!(gates.iter().all(|id| ids.contains(id)), "{name} has a gate that it does not report: {gates:?}");
        }
    }
}
