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
use crate::net::Time;

/// The check.
pub(crate) struct Consumers;

impl Check for Consumers {
    type Facts = ConsumersFacts;

    const META: Meta = Meta::new(
        "consumers",
        Group::Proxy,
        &[
            "proxy-docker",
            "proxy-login",
            "proxy-sudo",
            "proxy-cron",
            "proxy-systemd",
            "proxy-package-manager",
            "proxy-docker-client",
            "proxy-containers",
            "proxy-prod-env",
            "proxy-drift",
            "proxy-url",
            "proxy-url-scheme",
            "proxy-url-socks",
            "proxy-url-https",
            "proxy-url-port",
            "proxy-url-host",
            "proxy-url-reserved",
            "proxy-url-percent",
            "proxy-url-blank",
            "proxy-url-not-ascii",
            "proxy-url-no-password",
            "proxy-url-path",
            "proxy-url-two",
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
