//! Do the queues p0 to p3 in Redis get worked off?
//!
//! The names of their keys are not documented. The likely ones are asked for, then all keys are walked with SCAN, which
//! blocks nobody; what looks like a queue is counted. A Redis that does not answer is the business of the group
//! `backends`.

mod age;
mod collect;
mod judge;

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::Finding;
use crate::net::{NetError, Time};

/// See the module.
pub(super) struct Queues;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct QueuesFacts {
    place: Place,
    /// `None`: was not asked.
    redis: Option<Result<Seen, Unasked>>,
    /// When it was looked, seconds since 1970.
    now: u64,
}

/// Why Redis told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "unasked", rename_all = "kebab-case")]
enum Unasked {
    /// No conversation.
    NetError {
        /// Why.
        trouble: NetError,
    },
    /// It answered with an error: the first word (`NOAUTH`, `WRONGPASS`, `NOPERM`, `LOADING`).
    Refused {
        /// The command.
        command: String,
        /// The word.
        code: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Keys of the database as it says itself.
    keys: Option<u64>,
    /// Was every key walked over?
    complete: bool,
    /// The walk was refused or broke: why.
    stopped: Option<String>,
    /// By level and key.
    queues: Vec<Queue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Queue {
    /// `p0`.
    level: String,
    key: String,
    /// Redis's word: `list`, `zset`, `stream`.
    kind: String,
    waiting: u64,
    /// When the oldest element was put there, seconds since 1970, where it tells.
    oldest: Option<u64>,
}

impl Check for Queues {
    type Facts = QueuesFacts;

    const META: Meta = Meta::new("queues", Group::Runtime, &["queue-waiting"]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.redis.iter().map(|redis| format!("host:{}", redis.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&QueuesFacts>) -> QueuesFacts {
        collect::collect(look, time)
    }

    fn judge(&self, facts: &QueuesFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_queues(facts, spec)
    }
}

#[cfg(test)]
mod tests;
