//! What the queues mean.

use super::collect::words;
use super::{Queue, QueuesFacts, Seen, Unasked};
use crate::check::runtime::known::{Known, Level};
use crate::check::runtime::text::{at, long};
use crate::check::spec::CheckSpec;
use crate::finding::{Finding, Status};
use crate::text::host_port;

pub(super) fn judge_queues(facts: &QueuesFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = facts.place.nothing("queue-waiting", "the queues were") {
        return nothing;
    }
    let finding = |status, title: String| Finding::new("queue-waiting", "runtime", status, title);
    let skip = |title: &str| finding(Status::Skip, title.to_owned());
    let redis = match (&spec.redis, &facts.redis) {
        (None, _) => {
            return vec![
                skip("the queues were not looked at")
                    .observed("nothing says where Redis is")
                    .fix("name it: --redis-host HOST, or DIVVY_REDIS_HOST in prod.env"),
            ];
        }
        (Some(_), None) => return Vec::new(),
        (Some(redis), Some(seen)) => (redis, seen),
    };
    let server = host_port(&redis.0.at.host, redis.0.at.port);
    let seen = match redis.1 {
        Err(Unasked::Refused { code, .. }) if matches!(code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM") => {
            return vec![
                skip("the queues were not looked at")
                    .observed(format!("Redis at {server} does not let this login read them ({code})"))
                    .fix("name the password: --redis-password-file FILE")
                    .fix("ics-setup check backends"),
            ];
        }
        Err(why) => {
            return vec![
                skip("the queues were not looked at")
                    .observed(format!("Redis at {server}: {}", words(why)))
                    .fix("ics-setup check backends"),
            ];
        }
        Ok(seen) => seen,
    };
    let mut findings: Vec<Finding> = seen.queues.iter().filter_map(|queue| one(queue, facts, spec, &server)).collect();
    if findings.is_empty() {
        let why =
            "an empty queue has no key in Redis, and the vendor does not document the names, so others may be in use";
        let none = skip(&format!("no key that looks like a queue is in Redis at {server}"));
        findings.push(none.observed(format!("{}; {why}", walked(seen))));
    } else if let Some(why) = &seen.stopped {
        findings.push(skip("not all keys of Redis were looked at").observed(why));
    }
    findings
}

/// How much was looked at.
fn walked(seen: &Seen) -> String {
    let keys = seen.keys.map_or_else(|| "an unknown number of keys".to_owned(), |keys| format!("{keys} keys"));
    match (&seen.stopped, seen.complete) {
        (Some(why), _) => format!("database 0 with {keys}, not all of them looked at: {why}"),
        (None, false) => format!("database 0 with {keys}, not all of them looked at within the time"),
        (None, true) => format!("database 0 with {keys}, all of them looked at"),
    }
}

fn one(queue: &Queue, facts: &QueuesFacts, spec: &CheckSpec, server: &str) -> Option<Finding> {
    // QueuesFacts of another version may name a level that this one does not have.
    let level: &Level = Known::get().queues.level.iter().find(|level| level.name == queue.level)?;
    let age = queue.oldest.map(|oldest| facts.now.saturating_sub(oldest));
    let old = age.is_some_and(|age| age > level.warn_age);
    let many = queue.waiting > level.warn_waiting;
    let mut observed = format!("{} waiting in the {} {}", queue.waiting, queue.kind, queue.key);
    match (age, queue.oldest) {
        (Some(age), Some(oldest)) => {
            observed.push_str(&format!(", the oldest for {} (since {})", long(age), at(oldest)))
        }
        _ if queue.waiting > 0 => observed.push_str(", age not readable"),
        _ => {}
    }
    let expected = format!("at most {} waiting, none for longer than {}", level.warn_waiting, long(level.warn_age));
    let (status, title) = match (many, old) {
        (false, false) => (Status::Pass, format!("queue {} ({}) is worked off", queue.level, level.what)),
        (true, _) => {
            (Status::Warn, format!("queue {} ({}) is long: {} waiting", queue.level, level.what, queue.waiting))
        }
        (false, true) => (
            Status::Warn,
            format!(
                "queue {} ({}) stands still: the oldest job waits for {}",
                queue.level,
                level.what,
                long(age.unwrap_or(0))
            ),
        ),
    };
    let mut finding = Finding::new("queue-waiting", "runtime", status, title)
        .expected(expected)
        .observed(observed)
        .evidence("queue", queue.level.as_str())
        .evidence("key", queue.key.as_str())
        .evidence("type", queue.kind.as_str())
        .evidence("waiting", queue.waiting)
        .evidence("age_seconds", age)
        .evidence("server", server);
    if status == Status::Warn {
        let command = facts.place.command(spec);
        finding = finding
            .cause(format!("the workers of {} do not run, hang, or are too few; the limits are those of ics-setup, not of the vendor", queue.level))
            .fix(format!("do they run: {command} ps"))
            .fix(format!("what they say: {command} logs --tail 50 worker"))
            .fix(format!("more of them (about 1 GB each): raise scale of worker in the compose file, then {command} up -d"));
    }
    Some(finding)
}
