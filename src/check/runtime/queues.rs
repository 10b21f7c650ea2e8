//! Tells how long the product's lists in Redis are. How long is too long, no source says: that is for who reads it. A Redis
//! that does not answer is the business of the group `backends`.

use super::text::{count, nothing};
use crate::check::prelude::*;
use crate::product::Known;
use crate::product::queues::{self, Queue, QueuesFacts, Seen, Unasked};
use crate::text::{host_port, typed};

/// See the module.
pub(super) struct Queues;

impl Check for Queues {
    type Facts = QueuesFacts;

    const META: Meta = Meta::new("queues", Group::Runtime, &[ids::QUEUE_WAITING]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.redis.iter().map(|redis| format!("host:{}", redis.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&QueuesFacts>) -> QueuesFacts {
        queues::look(look.host, &look.spec.home, look.redis().as_ref(), time)
    }

    fn judge(&self, facts: &QueuesFacts, spec: &CheckSpec) -> Vec<Finding> {
        if let Some(nothing) = nothing(&facts.place, ids::QUEUE_WAITING, "the queues were") {
            return nothing;
        }
        let skip = || Finding::skip(ids::QUEUE_WAITING, "the queues were not looked at");
        let Some(redis) = &spec.redis else {
            return vec![
                skip()
                    .observed("nothing says where Redis is")
                    .advise(text!("name it: {}, or DIVVY_REDIS_HOST in prod.env", typed("--redis-host <HOST>"))),
            ];
        };
        let server = host_port(&redis.at.host, redis.at.port);
        let seen = match &facts.redis {
            None => return Vec::new(),
            Some(Ok(seen)) => seen,
            Some(Err(why)) => {
                let finding = match why {
                    Unasked::Refused { code, .. } if matches!(code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM") => {
                        skip()
                            .observed(text!("Redis at {} does not let this login read them ({})", own(&server), code))
                            .advise(text!("name the password: {}", typed("--redis-password-file <FILE>")))
                    }
                    why => skip().observed(text!("Redis at {}: {}", own(&server), words(why))),
                };
                return vec![finding.advise(text!("look at Redis: {}", ics_setup("check backends")))];
            }
        };
        let mut findings: Vec<Finding> = seen.queues.iter().map(|queue| one(queue, &server)).collect();
        if findings.is_empty() {
            let why = "an empty list has no key in Redis, and the vendor does not document the names, so others may be in use";
            let title = text!("no list that is the product's by name is in Redis at {}", own(server));
            let none = Finding::skip(ids::QUEUE_WAITING, title);
            findings.push(none.observed(text!("{}; {}", walked(seen), own(why))));
        } else if let Some(why) = &seen.stopped {
            let title = "not all keys of Redis were looked at";
            findings.push(Finding::skip(ids::QUEUE_WAITING, title).observed(words(why)));
        }
        findings
    }
}

/// How much was looked at.
fn walked(seen: &Seen) -> Text {
    let keys = seen.keys.map_or_else(|| "an unknown number of keys".into(), |keys| text!("{} keys", keys));
    match (&seen.stopped, seen.complete) {
        (Some(why), _) => text!("database 0 with {}, not all of them looked at: {}", keys, words(why)),
        (None, false) => text!("database 0 with {}, not all of them looked at within the time", keys),
        (None, true) => text!("database 0 with {}, all of them looked at", keys),
    }
}

fn one(queue: &Queue, server: &str) -> Finding {
    let Queue { key, waiting } = queue;
    let elements = count(usize::try_from(*waiting).unwrap_or(usize::MAX), "element");
    let queues = &Known::get().queues;
    let level = queues.level.iter().find(|level| level.name == *key);
    let title = match level {
        Some(level) => text!("queue {} ({}) has {}", own(key), own(queues.shown(level)), elements),
        None => text!("the list {} has {}", own(key), elements),
    };
    let mut finding = Finding::pass(ids::QUEUE_WAITING, title);
    if let Some(priority) = level.and_then(|level| level.priority.as_ref()) {
        finding = finding.evidence("priority", own(&priority.own)).evidence("monitored_as", own(&priority.monitored));
    }
    if let Some(level) = level {
        finding = finding.evidence("work", own(&level.what));
    }
    finding
        .observed(text!("{} in the list {} in Redis at {}", elements, own(key), own(server)))
        .evidence("key", key.as_str())
        .evidence("waiting", *waiting)
        .evidence("server", own(server))
}

/// Why it was not asked, for people.
fn words(unasked: &Unasked) -> Text {
    match unasked {
        Unasked::NetError { error } => text!("{}", error),
        Unasked::Refused { command, code } => text!("Redis answers {} with {}", own(command), code),
        Unasked::Odd { command } => text!("{} gave an answer of another form", own(command)),
    }
}

#[cfg(test)]
mod tests;
