//! What each consumer of proxy settings really gets, side by side.
//!
//! | module | what it does |
//! | --- | --- |
//! | `value` | one value without its password, and what is wrong with how it is written |
//! | `collect` | every consumer in turn: of the running system, or as the files of an image say |
//! | `files` | logins, cron and services by their files; `prod.env` |
//! | `docker` | the Docker daemon, its command line client, the product's containers |
//! | `packages` | apt, dnf, yum |
//! | `judge`, `drift`, `urls` | findings |

mod collect;
mod docker;
mod drift;
mod files;
mod judge;
mod packages;
#[cfg(test)]
mod tests;
mod urls;
mod value;

use serde::{Deserialize, Serialize};

use super::super::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::Finding;
use crate::net::Time;

pub use value::{Flaw, ProxyValue};

/// The names that are looked for, each followed by its upper-case twin.
pub(super) const NAMES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/// The check.
pub struct Consumers;

/// What every consumer gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumersFacts {
    /// Which password the wanted proxy for http requests has, numbered as in [`ProxyValue::password`].
    pub http_password: Option<u32>,
    /// Which one the proxy for https requests has.
    pub https_password: Option<u32>,
    /// In the order in which they are reported.
    pub consumers: Vec<Consumer>,
}

/// One consumer, and what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Who.
    pub consumer: Who,
    /// Which one of several: the user who logs in, a package manager, a container, the readers of an env file.
    pub name: Option<String>,
    /// The file or process that was read.
    pub source: String,
    /// Is it known what the consumer gets?
    pub state: State,
    /// Why not; or, where it is known, why it may change.
    pub why: Option<String>,
    /// `http_proxy`, or what plays its part.
    pub http: Option<ProxyValue>,
    /// `HTTP_PROXY`.
    pub http_upper: Option<ProxyValue>,
    /// `https_proxy`.
    pub https: Option<ProxyValue>,
    /// `HTTPS_PROXY`.
    pub https_upper: Option<ProxyValue>,
    /// `no_proxy`, as it stands.
    pub no_proxy: Option<String>,
    /// `NO_PROXY`.
    pub no_proxy_upper: Option<String>,
    /// Names whose value the files alone do not tell.
    pub unknown: Vec<String>,
    /// Its files were changed after it was started, so that another start may change what it gets.
    pub stale: bool,
}

/// Who reads proxy settings. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// A login shell.
    Login,
    /// A command under sudo.
    Sudo,
    /// A cron job.
    Cron,
    /// A systemd service.
    Systemd,
    /// The Docker daemon.
    Docker,
    /// apt, dnf or yum.
    PackageManager,
    /// Containers that the docker client starts, by its `config.json`.
    DockerClient,
    /// A running container of the product.
    Container,
    /// `prod.env`, as its readers see it.
    ProdEnv,
}

/// Is it known what a consumer gets? Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Yes.
    Seen,
    /// It is not there, or cannot be asked in this way of running.
    Skipped,
    /// It is there and did not answer, or its file could not be read.
    Unreadable,
}

impl Consumer {
    fn new(consumer: Who, name: Option<String>, source: impl Into<String>) -> Self {
        Self {
            consumer,
            name,
            source: source.into(),
            state: State::Seen,
            why: None,
            http: None,
            http_upper: None,
            https: None,
            https_upper: None,
            no_proxy: None,
            no_proxy_upper: None,
            unknown: Vec::new(),
            stale: false,
        }
    }

    fn unseen(consumer: Who, source: impl Into<String>, state: State, why: impl Into<String>) -> Self {
        Self { state, why: Some(why.into()), ..Self::new(consumer, None, source) }
    }

    /// The proxy that it uses for http (or https) requests. Go programs such as the Docker daemon ask the upper-case name
    /// first, most others the lower-case one.
    pub fn proxy(&self, https: bool) -> Option<&ProxyValue> {
        let (lower, upper) = if https { (&self.https, &self.https_upper) } else { (&self.http, &self.http_upper) };
        if self.asks_upper_first() { upper.as_ref().or(lower.as_ref()) } else { lower.as_ref().or(upper.as_ref()) }
    }

    /// The list of exclusions that it uses.
    pub fn exclusions(&self) -> Option<&str> {
        let (lower, upper) = (self.no_proxy.as_deref(), self.no_proxy_upper.as_deref());
        if self.asks_upper_first() { upper.or(lower) } else { lower.or(upper) }
    }

    /// Does anything at all say that it uses a proxy?
    pub fn has_proxy(&self) -> bool {
        self.proxy(false).is_some() || self.proxy(true).is_some()
    }

    fn asks_upper_first(&self) -> bool {
        self.consumer == Who::Docker
    }
}

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
        collect::all(look, time)
    }

    fn judge(&self, facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
        let mut findings = judge::all(facts, spec);
        findings.extend(drift::judge_drift(facts, spec));
        findings.extend(urls::judge_urls(facts));
        findings
    }
}
