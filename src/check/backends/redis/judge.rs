//! RedisFacts → findings. Pure.

use std::cmp::Ordering;

use super::super::words::at;
use super::SERVER;
use super::access::access;
use crate::check::requirements::{Profile, Window};
use crate::check::spec::{CheckSpec, RedisSpec};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::redis::{Era, Fields, Make, Product, RedisAnswers, RedisFacts, product};
use crate::settings::Deployment;
use crate::version::Version;

/// Judges what was seen.
pub(super) fn judge_redis(facts: &RedisFacts, spec: &CheckSpec) -> Vec<Finding> {
    let Some(redis) = &spec.redis else { return vec![SERVER.not_named(spec)] };
    if SERVER.is_container(spec, &redis.at) {
        return vec![SERVER.still_container(&redis.at)];
    }
    let (answers, mut findings) = access(facts, redis, spec);
    if let Some(answers) = answers {
        findings.push(version(answers, redis, spec));
        findings.extend(mode(&answers.fields, redis));
        findings.extend(memory(&answers.fields, redis));
        findings.extend(persistence(&answers.fields, redis, spec));
        if !answers.fields.contains_key("maxmemory_policy") && answers.info.is_some() {
            findings.push(
                Finding::new(
                    ids::REDIS_MEMORY,
                    Status::Skip,
                    format!("memory of Redis on {} was not looked at", at(&redis.at)),
                )
                .observed("this user may not see INFO")
                .fix("on the server: redis-cli ACL SETUSER default +info"),
            );
        }
    }
    findings
}

fn version(answers: &RedisAnswers, redis: &RedisSpec, spec: &CheckSpec) -> Finding {
    let profile = Profile::of(spec.release.as_deref());
    let window = &profile.redis;
    let place = at(&redis.at);
    let expected = format!("Redis {} ({}; {}, {})", window.shown, profile.name, profile.source, profile.date);
    let make = |status, title: String| Finding::new(ids::REDIS_VERSION, status, title).expected(expected.clone());
    if let Some(product) = product(&answers.fields) {
        let status = verdict(&product, window);
        let title = match (status, &product.version) {
            (Status::Pass, _) => format!("{} on {place} is a version that the product supports", product.shown),
            (_, None) => format!("the version of Redis on {place} cannot be read"),
            _ => format!("{} on {place} is not what the product asks for", product.shown),
        };
        let finding = make(status, title).observed(product.shown.clone()).evidence("product", product.shown.clone());
        return match status {
            Status::Pass => finding,
            _ => finding
                .cause("the product is tested with the versions above")
                .fix(format!("move the queues to Redis {}", window.shown))
                .fix("ics-setup check backends --release VERSION   # if another release of the product is meant"),
        };
    }
    let fix = "ics-setup check backends --redis-password-file FILE   # tells the version itself";
    match answers.era() {
        Some(Era::From6) => {
            // 6 is the least that it can be: only a window that ends before it is missed for certain.
            let missed = Version::parse("6").is_some_and(|six| window.place(&six) == Ordering::Greater);
            let status = if missed {
                Version::parse("6").map_or(Status::Warn, |six| window.verdict(&six))
            } else {
                Status::Skip
            };
            let title = if status == Status::Skip {
                format!("the version of Redis on {place} is not known")
            } else {
                format!("Redis on {place} is 6 or newer")
            };
            make(status, title)
                .observed("6 or newer: it knows HELLO, and does not tell more without a password")
                .fix(fix)
        }
        Some(Era::UpTo5) => make(Status::Skip, format!("Redis on {place} is 5 or older; which one is not known"))
            .observed("5 or older: it does not know HELLO, and does not tell more without a password")
            .fix(fix),
        None => make(Status::Skip, format!("the version of Redis on {place} is not known"))
            .observed("it names none")
            .fix(fix),
    }
}

fn mode(fields: &Fields, redis: &RedisSpec) -> Option<Finding> {
    let place = at(&redis.at);
    let get = |name: &str| fields.get(name).map(String::as_str);
    let mode = get("redis_mode").or_else(|| get("server_mode"))?;
    let role = get("role").unwrap_or("master");
    let make = |status, title: String| {
        Finding::new(ids::REDIS_MODE, status, title)
            .expected("a single primary, not a Sentinel and not a cluster")
            .observed(format!("mode {mode}, role {role}"))
    };
    Some(match (mode, role) {
        ("sentinel", _) => make(Status::Fail, format!("{place} is a Redis Sentinel, not a Redis"))
            .cause("a Sentinel (usually port 26379) knows where the primary is, and holds no data")
            .fix(format!("redis-cli -h {} -p {} SENTINEL MASTERS   # the primary's address", redis.at.host, redis.at.port))
            .fix("sudo ics-setup reconfigure --redis-host HOST --redis-port 6379"),
        ("cluster", _) => make(Status::Warn, format!("Redis on {place} is in cluster mode"))
            .cause("a client that does not speak the cluster protocol is sent from node to node (MOVED); the vendor's templates have one primary with replicas")
            .fix("use a replication group with cluster mode off, and its primary's address"),
        (_, "slave" | "replica") => make(Status::Fail, format!("Redis on {place} is a replica"))
            .cause("replicas refuse writes (READONLY); the product writes its queues")
            .fix("sudo ics-setup reconfigure --redis-host HOST   # the primary's address"),
        _ => make(Status::Pass, format!("Redis on {place} is a single primary")),
    })
}

fn memory(fields: &Fields, redis: &RedisSpec) -> Option<Finding> {
    let policy = fields.get("maxmemory_policy")?;
    let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    let (most, used, evicted) = (number("maxmemory"), number("used_memory"), number("evicted_keys"));
    let place = at(&redis.at);
    let limit = if most == 0 { "no limit".to_owned() } else { format!("limit {} MiB", most >> 20) };
    let observed = format!("{policy}, {limit}, {} MiB in use, {evicted} keys evicted so far", used >> 20);
    let make = |status, title: String| {
        Finding::new(ids::REDIS_MEMORY, status, title)
            .observed(observed.clone())
            .evidence("maxmemory_policy", policy.clone())
            .evidence("evicted_keys", evicted)
    };
    let full = most > 0 && used.saturating_mul(10) >= most.saturating_mul(9);
    let why = if evicted > 0 {
        format!("Redis on {place} has thrown keys away")
    } else if policy.starts_with("allkeys") {
        format!("Redis on {place} would throw queues away when it is full")
    } else if full {
        format!("Redis on {place} is nearly full")
    } else {
        return Some(make(Status::Pass, format!("Redis on {place} does not throw queues away")));
    };
    Some(
        make(Status::Warn, why)
            .expected("maxmemory-policy noeviction (or volatile-…), memory to spare, nothing evicted")
            .cause("the product keeps its job queues in Redis: an evicted key is jobs that are never run")
            .fix("on the server: redis-cli CONFIG SET maxmemory-policy noeviction   # and the same in redis.conf or the parameter group")
            .fix("give it more memory: the vendor asks for 2 GB"),
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
    let observed = format!(
        "append-only file {}, last dump {}, changes since then {}",
        if on { "on" } else { "off" },
        save.unwrap_or("unknown"),
        get("rdb_changes_since_last_save").unwrap_or("unknown")
    );
    let make = |status, title: String| Finding::new(ids::REDIS_PERSISTENCE, status, title).observed(observed.clone());
    let failed = save.is_some_and(|status| status != "ok") || append.is_some_and(|status| status != "ok");
    Some(if failed {
        make(Status::Fail, format!("Redis on {place} cannot write its data to disk"))
            .expected("dumps and append-only file that are written")
            .cause("by default Redis refuses every write as long as its dumps fail (stop-writes-on-bgsave-error)")
            .fix("on the server: df -h; ls -ld $(redis-cli CONFIG GET dir | tail -n 1); tail /var/log/redis/redis-server.log")
    } else {
        let title = match spec.deployment {
            Deployment::Production => format!("Redis on {place} has no trouble with its disk"),
            Deployment::TestDrive => {
                format!("Redis on {place} has no trouble with its disk (a Test Drive's keeps nothing on it)")
            }
        };
        make(Status::Pass, title)
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
