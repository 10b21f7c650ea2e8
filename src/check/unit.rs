//! What a check is: it looks, and says what it saw; and apart from that, it judges what was seen.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::spec::{CheckSpec, Secrets};
use crate::finding::{Finding, FindingId};
use crate::host::HostRead;
use crate::net::{Roots, Time};
use crate::plan::Change;
use crate::platform::Platform;
use crate::secret::Secret;
use crate::text::words::words;
use crate::{mysql, redis};

words! {
    /// What a check is about, in the order of the report; also what `check GROUP` takes.
    pub enum Group {
        /// The host itself.
        Host = "host",
        /// Proxy settings of every consumer, and the proxy.
        Proxy = "proxy",
        /// MySQL and Redis.
        Backends = "backends",
        /// What the product needs from the internet.
        Network = "network",
        /// What the Insight Agent needs, from the internet and from its Collectors.
        Agent = "agent",
        /// The installed product.
        Runtime = "runtime",
    }
}

/// What a check may look at while it collects.
pub(crate) struct Look<'a> {
    /// The host.
    pub host: &'a dyn HostRead,
    /// What system it is; `None`: none that there is a strategy for.
    pub platform: Option<&'a Platform>,
    /// What the settings ask for.
    pub spec: &'a CheckSpec,
    /// Passwords. Nothing of them may get into facts.
    pub secrets: &'a Secrets,
    /// The certificates that the host trusts, and `--proxy-ca`.
    pub roots: &'a Roots,
    /// What `prepare` and `reconfigure` would change on the host now; `None`: that is not known.
    pub changes: Option<&'a [Change]>,
}

impl<'a> Look<'a> {
    /// The MySQL of the settings, as it is asked; `None`: nothing says where it is.
    pub(crate) fn mysql(&self) -> Option<mysql::Target<'a>> {
        let spec = self.spec.mysql.as_ref()?;
        let password = self.secrets.mysql.as_ref().map(Secret::expose).unwrap_or_default();
        Some(mysql::Target {
            host: &spec.at.host,
            port: spec.at.port,
            tls: spec.tls,
            account: spec.user.as_deref().map(|user| mysql::Account { user, password }),
            databases: [&spec.database, &spec.secret_database],
            roots: self.roots,
        })
    }

    /// The Redis of the settings, as it is asked; `None`: nothing says where it is.
    pub(crate) fn redis(&self) -> Option<redis::Target<'a>> {
        let spec = self.spec.redis.as_ref()?;
        let password = self.secrets.redis.as_ref();
        Some(redis::Target { host: &spec.at.host, port: spec.at.port, tls: spec.tls, password, roots: self.roots })
    }
}

/// What there is to know of a check before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    /// Its name in saved facts; unique.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// The ids of the findings that it can report, most important first. Each stands in `assets/checks/`.
    pub ids: &'static [FindingId],
    /// Those of its ids that keep it from judging the others when they are not as they should be.
    pub gates: &'static [FindingId],
}

impl Meta {
    /// Of a check without gates.
    pub(crate) const fn new(name: &'static str, group: Group, ids: &'static [FindingId]) -> Self {
        Self { name, group, ids, gates: &[] }
    }

    /// With these gates.
    #[must_use]
    pub(crate) const fn gates(self, gates: &'static [FindingId]) -> Self {
        Self { gates, ..self }
    }
}

/// One thing that is looked at, and judged in one or several findings.
pub(crate) trait Check: Sync + Send + 'static {
    /// What it saw. Serialised into saved facts: no secrets, stable names.
    type Facts: Serialize + DeserializeOwned + Send + 'static;

    /// Name, group and ids.
    const META: Meta;

    /// What it talks to (`host:db.corp.example`, `proxy:…`): the engine limits how many do so at once.
    fn talks_to(&self, _spec: &CheckSpec) -> Vec<String> {
        Vec::new()
    }

    /// How long it may take. One check, unless it makes many of its own.
    fn limit(&self, spec: &CheckSpec) -> Duration {
        spec.limits.check()
    }

    /// Looks, by calling observers. Ends within `time`, whatever the other side does. `earlier` is what the last round of
    /// `--wait` saw.
    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&Self::Facts>) -> Self::Facts;

    /// Judges what was seen. Pure: the same facts, wherever they were collected, give the same findings.
    fn judge(&self, facts: &Self::Facts, spec: &CheckSpec) -> Vec<Finding>;

    /// Is it pointless to look again, because waiting does not change what was seen?
    fn is_settled(&self, _facts: &Self::Facts) -> bool {
        false
    }
}

/// A check whose facts are kept as JSON, so that all checks are of one type.
pub(crate) trait AnyCheck: Sync + Send {
    /// See [`Check::META`].
    fn meta(&self) -> Meta;
    /// See [`Check::talks_to`].
    fn talks_to(&self, spec: &CheckSpec) -> Vec<String>;
    /// See [`Check::limit`].
    fn limit(&self, spec: &CheckSpec) -> Duration;
    /// See [`Check::collect`].
    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&Value>) -> Value;
    /// See [`Check::judge`].
    ///
    /// # Errors
    /// The facts are not of this check: its word for what does not fit.
    fn judge(&self, facts: &Value, spec: &CheckSpec) -> Result<Vec<Finding>, String>;
    /// See [`Check::is_settled`].
    fn is_settled(&self, facts: &Value) -> bool;
}

impl<C: Check> AnyCheck for C {
    fn meta(&self) -> Meta {
        C::META
    }

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        Check::talks_to(self, spec)
    }

    fn limit(&self, spec: &CheckSpec) -> Duration {
        Check::limit(self, spec)
    }

    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&Value>) -> Value {
        let earlier: Option<C::Facts> = earlier.and_then(|value| serde_json::from_value(value.clone()).ok());
        // Facts are plain data: strings, numbers, lists. What cannot be serialised would be no facts at all, and is
        // reported as such by `judge`.
        serde_json::to_value(Check::collect(self, look, time, earlier.as_ref())).unwrap_or_default()
    }

    fn judge(&self, facts: &Value, spec: &CheckSpec) -> Result<Vec<Finding>, String> {
        let facts: C::Facts = serde_json::from_value(facts.clone()).map_err(|error| error.to_string())?;
        Ok(Check::judge(self, &facts, spec))
    }

    fn is_settled(&self, facts: &Value) -> bool {
        serde_json::from_value(facts.clone()).is_ok_and(|facts| Check::is_settled(self, &facts))
    }
}
