//! RedisFacts → findings. Pure.

use std::cmp::Ordering;

use super::super::words::{at, complete, other_release};
use super::SERVER;
use super::access::access;
use crate::check::prelude::*;
use crate::check::requirements::{Profile, Window};
use crate::check::spec::RedisSpec;
use crate::redis::{Era, Fields, Make, Product, RedisAnswers, RedisFacts, product};
use crate::settings::Deployment;
use crate::text::{quoted, typed};
use crate::version::Version;

/// Judges what was seen.
pub(super) fn judge_redis(facts: &RedisFacts, spec: &CheckSpec) -> Vec<Finding> {
    let all = |finding| complete(vec![finding], super::Redis::META);
    let Some(redis) = &spec.redis else { return all(SERVER.not_named(spec)) };
    if let Some(finding) = SERVER.no_host(&redis.at) {
        return all(finding);
    }
    if SERVER.is_container(spec, &redis.at) {
        return all(SERVER.still_container(&redis.at));
    }
    let (answers, mut findings) = access(facts, redis, spec);
    if let Some(answers) = answers {
        findings.push(version(answers, redis, spec));
        findings.extend(mode(&answers.fields, redis));
        findings.extend(memory(&answers.fields, redis));
        findings.extend(persistence(&answers.fields, redis, spec));
        if !answers.fields.contains_key("maxmemory_policy") && answers.info.is_some() {
            findings.push(
                Finding::skip(ids::REDIS_MEMORY, text!("memory of Redis on {} was not looked at", at(&redis.at)))
                    .observed("this user may not see INFO")
                    .advise(text!("allow it on the server: {}", typed("redis-cli ACL SETUSER default +info"))),
            );
        }
    }
    complete(findings, super::Redis::META)
}

fn version(answers: &RedisAnswers, redis: &RedisSpec, spec: &CheckSpec) -> Finding {
    let profile = Profile::of(spec.release.as_deref());
    let window = &profile.redis;
    let place = at(&redis.at);
    let expected = SERVER.asked_for(profile, window);
    let make = |status, title: Text| Finding::new(ids::REDIS_VERSION, status, title).expected(&expected);
    if let Some(product) = product(&answers.fields) {
        let status = verdict(&product, window);
        if status == Status::Warn && redis.at.container {
            // Nobody has chosen it but that file.
            let title = text!("{} on {} is the Test Drive's own, whose version is not judged", product.shown, place);
            return Finding::skip(ids::REDIS_VERSION, title)
                .observed("the vendor's file for a Test Drive names its image without a version")
                .evidence("product", product.shown);
        }
        let title = SERVER.version_title(status, &product.shown, product.version.is_some(), &place);
        let finding = make(status, title).observed(product.shown.clone()).evidence("product", product.shown.clone());
        return match status {
            Status::Pass => finding,
            _ => finding
                .cause(text!("the product is tested with Redis {}", own(&window.shown)))
                .advise(match &window.advice {
                    Some(advice) => text!("{}", own(advice)),
                    None => text!("move the queues to Redis {}", own(&window.shown)),
                })
                .advise(other_release()),
        };
    }
    let command = ics_setup("check backends --redis-password-file <FILE>");
    let advice = text!("give the password, and it tells the version itself: {}", command);
    match answers.era() {
        Some(Era::From6) => {
            // 6 is the least that it can be: only a window that ends before it is missed for certain.
            let six = Version::parse("6");
            let (status, title) = match six.filter(|six| window.place(six) == Ordering::Greater) {
                Some(six) => (window.verdict(&six), text!("Redis on {} is 6 or newer", place)),
                None => (Status::Skip, text!("the version of Redis on {} is not known", place)),
            };
            make(status, title)
                .cause(text!("the product is tested with Redis {}", own(&window.shown)))
                .observed("6 or newer: it knows HELLO, and does not tell more without a password")
                .advise(advice)
        }
        Some(Era::UpTo5) => make(Status::Skip, text!("Redis on {} is 5 or older; which one is not known", place))
            .observed("5 or older: it does not know HELLO, and does not tell more without a password")
            .advise(advice),
        None => make(Status::Skip, text!("the version of Redis on {} is not known", place))
            .observed("it names none")
            .advise(advice),
    }
}

fn mode(fields: &Fields, redis: &RedisSpec) -> Option<Finding> {
    let place = at(&redis.at);
    let get = |name: &str| fields.get(name).map(String::as_str);
    let mode = get("redis_mode").or_else(|| get("server_mode"))?;
    let role = get("role").unwrap_or("master");
    let make = |status, title: Text| {
        Finding::new(ids::REDIS_MODE, status, title)
            .expected("a single primary, not a Sentinel and not a cluster")
            .observed(text!("mode {}, role {}", mode, role))
    };
    Some(match (mode, role) {
        ("sentinel", _) => make(Status::Fail, text!("{} is a Redis Sentinel, not a Redis", place))
            .cause("a Sentinel (usually port 26379) knows where the primary is, and holds no data")
            .advise(text!("ask it for the primary's address: {}", typed(text!("redis-cli -h {} -p {} SENTINEL MASTERS", own(quoted(&redis.at.host)), redis.at.port))))
            .advise(text!("give the primary's address: {}", ics_setup("reconfigure --redis-host <HOST> --redis-port 6379"))),
        ("cluster", _) => make(Status::Warn, text!("Redis on {} is in cluster mode", place))
            .cause("a client that does not speak the cluster protocol is sent from node to node (MOVED); the vendor's templates have one primary with replicas")
            .advise("use a replication group with cluster mode off, and its primary's address"),
        (_, "slave" | "replica") => make(Status::Fail, text!("Redis on {} is a replica", place))
            .cause("replicas refuse writes (READONLY); the product writes its queues")
            .advise(text!("give the primary's address: {}", ics_setup("reconfigure --redis-host <HOST>"))),
        _ => make(Status::Pass, text!("Redis on {} is a single primary", place)),
    })
}

fn memory(fields: &Fields, redis: &RedisSpec) -> Option<Finding> {
    let policy = fields.get("maxmemory_policy")?;
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let (most, used, evicted) = (number("maxmemory"), number("used_memory"), number("evicted_keys"));
    let place = at(&redis.at);
    let limit = if most == 0 { Text::from("no limit") } else { text!("limit {} MiB", most >> 20) };
    let observed = text!("{}, {}, {} MiB in use, {} keys evicted so far", policy, limit, used >> 20, evicted);
    let make = |status, title: Text| {
        Finding::new(ids::REDIS_MEMORY, status, title)
            .observed(observed.clone())
            .evidence("maxmemory_policy", policy.clone())
            .evidence("evicted_keys", evicted)
    };
    let full = most > 0 && used.saturating_mul(10) >= most.saturating_mul(9);
    let why = if evicted > 0 {
        text!("Redis on {} has thrown keys away", place)
    } else if policy.starts_with("allkeys") {
        text!("Redis on {} would throw queues away when it is full", place)
    } else if full {
        text!("Redis on {} is nearly full", place)
    } else {
        return Some(make(Status::Pass, text!("Redis on {} does not throw queues away", place)));
    };
    Some(
        make(Status::Warn, why)
            .expected("maxmemory-policy noeviction (or volatile-…), memory to spare, nothing evicted")
            .cause("the product keeps its job queues in Redis: an evicted key is jobs that are never run")
            .advise(text!(
                "set it on the server, and the same in redis.conf or the parameter group: {}",
                typed("redis-cli CONFIG SET maxmemory-policy noeviction")
            ))
            .advise("give it more memory: the vendor asks for 2 GB"),
    )
}

fn persistence(fields: &Fields, redis: &RedisSpec, spec: &CheckSpec) -> Option<Finding> {
    let get = |name: &str| fields.get(name).map(String::as_str);
    let (save, append) = (get("rdb_last_bgsave_status"), get("aof_last_write_status"));
    if save.is_none() && append.is_none() {
        return None;
    }
    let place = at(&redis.at);
    let on = get("aof_enabled") == Some("1");
    let told = |word: Option<&str>| word.map_or_else(|| Text::from("unknown"), |word| text!("{}", word));
    let (file, changes) = (own(if on { "on" } else { "off" }), told(get("rdb_changes_since_last_save")));
    let observed = text!("append-only file {}, last dump {}, changes since then {}", file, told(save), changes);
    let make = |status, title: Text| Finding::new(ids::REDIS_PERSISTENCE, status, title).observed(observed.clone());
    let failed = save.into_iter().chain(append).any(|status| status != "ok");
    Some(if failed {
        make(Status::Fail, text!("Redis on {} cannot write its data to disk", place))
            .expected("dumps and append-only file that are written")
            .cause("by default Redis refuses every write as long as its dumps fail (stop-writes-on-bgsave-error)")
            .advise(text!(
                "look on the server: {}; {}; {}",
                typed("df -h"),
                typed("ls -ld $(redis-cli CONFIG GET dir | tail -n 1)"),
                typed("tail /var/log/redis/redis-server.log")
            ))
    } else {
        let but = match spec.deployment {
            Deployment::Production => "",
            Deployment::TestDrive => " (a Test Drive's keeps nothing on it)",
        };
        make(Status::Pass, text!("Redis on {} has no trouble with its disk{}", place, own(but)))
    })
}

/// What becomes of a product under a window of versions.
fn verdict(product: &Product, window: &Window) -> Status {
    match (product.make, &product.version) {
        (Make::Redis, Some(version)) => window.verdict(version),
        (Make::Redis, None) => Status::Warn,
        _ => window.other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::of_info;

    #[test]
    fn every_product_gets_its_verdict() {
        use Status::*;
        let window = &Profile::of(None).redis;
        for (info, status) in [
            ("# Server\r\nredis_version:5.0.6\r\nredis_mode:standalone\r\n", Pass),
            ("redis_version:4.0.10\r\n", Fail),
            ("redis_version:7.1.0\r\n", Warn),
            ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n", Warn),
            ("redis_version:6.3.4\r\nexecutable:/usr/bin/keydb-server\r\n", Warn),
            ("redis_version:6.3.4\r\n# KeyDB\r\nmvcc_depth:0\r\n", Warn),
            ("redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\n", Warn),
            ("redis_version:unstable\r\n", Warn),
        ] {
            assert_eq!(verdict(&product(&of_info(info)).unwrap(), window), status, "{info}");
        }
    }
}
