//! What each consumer of proxy settings really gets, side by side, judged: [`crate::consumers`] sees it.
//!
//! | module | what it judges |
//! | --- | --- |
//! | `judge` | one consumer: does it get what the settings ask for? |
//! | `drift` | consumers that disagree |
//! | `urls` | how the URLs are written |

mod drift;
mod judge;
#[cfg(test)]
mod tests;
mod urls;

use super::super::{Check, CheckSpec, Group, Look, Meta};
use crate::consumers::{self, Ask, ConsumersFacts};
use crate::finding::Finding;
use crate::finding::ids;
use crate::net::Time;

/// The check.
pub(crate) struct Consumers;

impl Check for Consumers {
    type Facts = ConsumersFacts;

    const META: Meta = Meta::new(
        "consumers",
        Group::Proxy,
        &[
            ids::PROXY_DOCKER,
            ids::PROXY_LOGIN,
            ids::PROXY_SUDO,
            ids::PROXY_CRON,
            ids::PROXY_SYSTEMD,
            ids::PROXY_PACKAGE_MANAGER,
            ids::PROXY_DOCKER_CLIENT,
            ids::PROXY_CONTAINERS,
            ids::PROXY_PROD_ENV,
            ids::PROXY_DRIFT,
            ids::PROXY_URL,
            ids::PROXY_URL_SCHEME,
            ids::PROXY_URL_SOCKS,
            ids::PROXY_URL_HTTPS,
            ids::PROXY_URL_PORT,
            ids::PROXY_URL_HOST,
            ids::PROXY_URL_RESERVED,
            ids::PROXY_URL_PERCENT,
            ids::PROXY_URL_BLANK,
            ids::PROXY_URL_NOT_ASCII,
            ids::PROXY_URL_NO_PASSWORD,
            ids::PROXY_URL_PATH,
            ids::PROXY_URL_TWO,
        ],
    );

    fn collect(&self, look: &Look<'_>, time: Time, _: Option<&ConsumersFacts>) -> ConsumersFacts {
        let ask = Ask {
            host: look.host,
            platform: look.platform,
            home: &look.spec.home,
            http_proxy: look.secrets.http_proxy.as_ref(),
            https_proxy: look.secrets.https_proxy.as_ref(),
        };
        consumers::observe(&ask, time)
    }

    fn judge(&self, facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
        let mut findings = judge::all(facts, spec);
        findings.extend(drift::judge_drift(facts, spec));
        findings.extend(urls::judge_urls(facts));
        findings
    }
}
