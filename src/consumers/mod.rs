//! Who reads proxy settings on this host, and what each of them gets.
//!
//! Every consumer is asked where it can be, and told by its files otherwise. Passwords stay inside: values leave with their
//! passwords masked and numbered, so that equal ones can be told from different ones.
//!
//! | module | what it does |
//! | --- | --- |
//! | `value` | one value without its password, and what is wrong with how it is written |
//! | `reader` | what looks: the host, the deadline, the passwords met so far |
//! | `collect` | every consumer in turn |
//! | `files` | cron and services by their files; `prod.env`; logins, from what `logins` says |
//! | `sight` | what a reader makes of a variable, and which line decides it |
//! | `logins` | the files of login shells, read as one program |
//! | `docker` | the Docker daemon, its command line client, the product's containers |
//! | `packages` | apt, dnf, yum |
//! | `places` | the files with a `no_proxy` list, each as it stands |

mod collect;
mod docker;
mod files;
mod logins;
mod packages;
pub(crate) mod places;
mod reader;
pub(crate) mod sight;
#[cfg(test)]
mod tests;
mod value;

use serde::{Deserialize, Serialize};

use crate::text::Text;

pub(crate) use collect::{Ask, observe};
pub(crate) use value::{Flaw, ProxyValue};

/// The names that are looked for, each followed by its upper-case twin.
const NAMES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/// What every consumer gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsumersFacts {
    /// Which password the wanted proxy for http requests has, numbered as in [`ProxyValue::password`].
    pub(crate) http_password: Option<u32>,
    /// Which one the proxy for https requests has.
    pub(crate) https_password: Option<u32>,
    /// In the order in which they are reported.
    pub(crate) consumers: Vec<Consumer>,
}

/// One consumer, and what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consumer {
    /// Which consumer it is.
    pub(crate) consumer: Who,
    /// Which one of several: the user who logs in, a package manager, a container, the readers of an env file.
    pub(crate) name: Option<String>,
    /// The file or process that was read.
    pub(crate) source: String,
    /// Is it known what the consumer gets?
    pub(crate) state: State,
    /// Why not; or, where it is known, why it may change.
    pub(crate) why: Option<Text>,
    /// `http_proxy`, or what plays its part.
    pub(crate) http: Option<ProxyValue>,
    /// `HTTP_PROXY`.
    pub(crate) http_upper: Option<ProxyValue>,
    /// `https_proxy`.
    pub(crate) https: Option<ProxyValue>,
    /// `HTTPS_PROXY`.
    pub(crate) https_upper: Option<ProxyValue>,
    /// `no_proxy`, as it stands.
    pub(crate) no_proxy: Option<String>,
    /// `NO_PROXY`.
    pub(crate) no_proxy_upper: Option<String>,
    /// Names whose value the files alone do not tell.
    pub(crate) unknown: Vec<String>,
    /// Its files were changed after it was started, so that another start may change what it gets.
    pub(crate) stale: bool,
}

/// Who reads proxy settings. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
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
pub(crate) enum State {
    /// What it gets is known.
    Seen,
    /// It is not there, or cannot be asked in this way of running.
    Skipped,
    /// Only root may look, and this is not root.
    NeedsRoot,
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

    fn unseen(consumer: Who, source: impl Into<String>, state: State, why: impl Into<Text>) -> Self {
        Self { state, why: Some(why.into()), ..Self::new(consumer, None, source) }
    }

    /// The proxy that it uses for http (or https) requests. Go programs such as the Docker daemon ask the upper-case name
    /// first, most others the lower-case one.
    pub(crate) fn proxy(&self, https: bool) -> Option<&ProxyValue> {
        let (lower, upper) = if https { (&self.https, &self.https_upper) } else { (&self.http, &self.http_upper) };
        if self.asks_upper_first() { upper.as_ref().or(lower.as_ref()) } else { lower.as_ref().or(upper.as_ref()) }
    }

    /// The list of exclusions that it uses.
    pub(crate) fn exclusions(&self) -> Option<&str> {
        let (lower, upper) = (self.no_proxy.as_deref(), self.no_proxy_upper.as_deref());
        if self.asks_upper_first() { upper.or(lower) } else { lower.or(upper) }
    }

    /// Does anything at all say that it uses a proxy?
    pub(crate) fn has_proxy(&self) -> bool {
        self.proxy(false).is_some() || self.proxy(true).is_some()
    }

    fn asks_upper_first(&self) -> bool {
        self.consumer == Who::Docker
    }
}
