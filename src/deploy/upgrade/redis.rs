//! An upgrade that crosses a release asks for a Redis of its time: it is asked before the product is stopped.

use super::Question;
use super::able::of_service;
use crate::check::requirements::Crossing;
use crate::check::{CheckSpec, Limits, Look};
use crate::context::{Named, roots};
use crate::finding::{Finding, ids};
use crate::net::Time;
use crate::problem::Problem;
use crate::redis::{self, Era, RedisAnswers, RedisFacts};
use crate::settings::{Effective, Key};
use crate::text;
use crate::text::{Text, host_port, own};
use crate::version::Version;

/// Asks Redis which one it is.
///
/// # Errors
/// The file of `--proxy-ca` cannot be read.
pub(super) fn look(question: &Question<'_>, crossing: &Crossing) -> Result<Finding, Problem> {
    let (host, settings) = (question.host, question.settings);
    let effective = Effective::new(settings, question.found);
    let (mut spec, secrets) = CheckSpec::new(settings, &effective, Vec::new(), Limits::default());
    let name = effective.text(Key::RedisHost).map_or_else(|| "redis".to_owned(), |(name, _)| name);
    if let Some(redis) = spec.redis.as_mut()
        && let Some(container) = of_service(question.there, &name)
        && let Some((at, port)) = container.reached(redis.at.port)
    {
        (redis.at.host, redis.at.port) = (at, port);
    }
    let Some(place) = spec.redis.as_ref().map(|redis| host_port(&redis.at.host, redis.at.port)) else {
        return Ok(judge(None, "the address that nothing names", crossing));
    };
    let roots = roots(host, Named::of(settings).as_ref())?;
    let look = Look { host, platform: None, spec: &spec, secrets: &secrets, roots: &roots, changes: Some(&[]) };
    let time = Time::new(spec.limits.connect(), spec.limits.check());
    let facts = look.redis().map(|target| redis::look(&target, host, time)).unwrap_or_default();
    Ok(judge(Some(&facts), &place, crossing))
}

/// Is it new enough? What is not known is not.
fn judge(facts: Option<&RedisFacts>, place: &str, crossing: &Crossing) -> Finding {
    let expected = text!("Redis {} or newer", own(&crossing.redis));
    let source = text!("{}; {}, read {}", own(&crossing.says), own(&crossing.source), own(&crossing.date));
    let answers = facts.and_then(RedisFacts::answers);
    let version = answers.and_then(version);
    let shown = answers.and_then(|own| redis::product(&own.fields)).map(|product| product.shown);
    let fail = |title: Text| Finding::fail(ids::UPGRADE_REDIS, title).expected(expected.clone()).cause(source.clone());
    match version {
        Some(version) if version >= crossing.redis => {
            let seen = shown.unwrap_or_else(|| text!("Redis {} or newer", own(&version)));
            Finding::pass(ids::UPGRADE_REDIS, text!("Redis on {} is new enough for the upgrade", place))
                .expected(expected)
                .observed(seen)
        }
        Some(version) => fail(text!("Redis on {} is {}, too old for the release that is wanted", place, own(&version)))
            .observed(shown.unwrap_or_else(|| text!("Redis {}", own(&version))))
            .advise(text!("bring Redis to {} first, then upgrade the product", own(&crossing.redis))),
        None => fail(text!("which Redis there is on {} is not known", place))
            .observed(match answers {
                Some(_) => "it answers and does not say its version",
                None => "it does not answer",
            })
            .advise("see that it answers this host, with the password of prod.env"),
    }
}

/// The release of Redis that it is, or is compatible with; the least that it can be.
fn version(answers: &RedisAnswers) -> Option<Version> {
    let said = answers.fields.get("redis_version").and_then(|text| Version::parse(text));
    said.or_else(|| redis::product(&answers.fields)?.version).or_else(|| match answers.era() {
        Some(Era::From6) => Version::parse("6"),
        Some(Era::UpTo5) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Status;
    use crate::redis::of_info;

    #[test]
    fn a_redis_before_5_is_too_old_and_one_that_says_nothing_is_not_known() {
        let version = |text| Version::parse(text).unwrap();
        let crossing = Crossing::of(&version("21.3.5"), &version("22.3.9")).unwrap();
        let says = |info: &str| RedisFacts {
            plain: Some(RedisAnswers { replied: true, fields: of_info(info), ..RedisAnswers::default() }),
            ..RedisFacts::default()
        };
        for (facts, status, words) in [
            (Some(says("redis_version:4.0.10\r\n")), Status::Fail, "is 4.0.10, too old"),
            (Some(says("redis_version:3.2.12\r\n")), Status::Fail, "is 3.2.12, too old"),
            (Some(says("redis_version:5.0.6\r\n")), Status::Pass, "new enough"),
            (Some(says("redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n")), Status::Pass, "new enough"),
            (Some(says("os:Linux\r\n")), Status::Fail, "not known"),
            (Some(RedisFacts::default()), Status::Fail, "not known"),
            (None, Status::Fail, "not known"),
        ] {
            let found = judge(facts.as_ref(), "redis:6379", crossing);
            assert!(found.status == status && found.title.contains(words), "{found:?}");
            let cause = found.cause.map(|cause| cause.to_string()).unwrap_or_default();
            assert_eq!(cause.contains("before 21.4"), status == Status::Fail, "{cause}");
        }
    }
}
