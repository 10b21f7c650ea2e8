//! Judges what was seen of Redis: is it there, is it the right one, does it let the product in, and will it keep what it is
//! given?
//!
//! | module | what lives there |
//! | --- | --- |
//! | `access` | findings: reached? let in? TLS? |
//! | `judge` | findings: version, mode, memory, persistence |

mod access;
mod judge;

use super::words::Server;
use crate::check::prelude::*;
use crate::redis::{self, RedisFacts};

const SERVER: Server = Server { name: "Redis", word: "redis", reachable: ids::REDIS_REACHABLE };

/// The check of Redis.
pub(crate) struct Redis;

impl Check for Redis {
    type Facts = RedisFacts;

    const META: Meta = Meta::new(
        "redis",
        Group::Backends,
        &[
            ids::REDIS_REACHABLE,
            ids::REDIS_VERSION,
            ids::REDIS_LOGIN,
            ids::REDIS_TLS,
            ids::REDIS_MODE,
            ids::REDIS_MEMORY,
            ids::REDIS_PERSISTENCE,
        ],
    )
    .gates(&[ids::REDIS_REACHABLE, ids::REDIS_LOGIN, ids::REDIS_TLS, ids::REDIS_MODE]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.redis.iter().map(|redis| format!("host:{}", redis.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&RedisFacts>) -> RedisFacts {
        let Some(spec) = &look.spec.redis else { return RedisFacts::default() };
        if SERVER.is_container(look.spec, &spec.at) || SERVER.no_host(&spec.at).is_some() {
            return RedisFacts::default();
        }
        look.redis().map(|target| redis::look(&target, look.host, time)).unwrap_or_default()
    }

    fn judge(&self, facts: &RedisFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_redis(facts, spec)
    }
}

#[cfg(test)]
mod tests;
