//! What was answered so far.

use std::collections::BTreeMap;

use super::known::KnownState;
use crate::finding::FindingId;
use crate::problem::Problem;
use crate::settings::{Key, Layer, Layers, Origin, ProxyUrl, TABLE};
use crate::targets::Phase;

/// What is to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Logins and the Docker daemon: `prepare`.
    #[default]
    System,
    /// The system and `prod.env`: `prepare --target prod-env`.
    Both,
    /// `prod.env`: `reconfigure`.
    Product,
    /// The product, from here to healthy: `install`.
    Install,
}

/// What becomes of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// Nothing is said about it.
    #[default]
    None,
    /// Those that are set already stay, and are brought to everybody.
    Keep,
    /// The one that is named.
    Set,
    /// It goes.
    Remove,
}

/// What questions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Deployment,
    Proxy,
    Exclusions,
    /// What is to be done.
    Task,
    PackageManager,
    /// Are they named?
    BackEnds,
    Mysql,
    /// Who makes what is missing on MySQL.
    Administrator,
    Redis,
    Agent,
}

/// Everything that was answered. Values outlive a step back, so that they are offered again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// What is to be set.
    pub scope: Scope,
    /// That was chosen, and is not what follows from the host.
    pub scope_chosen: bool,
    /// What becomes of the proxy.
    pub proxy: Proxy,
    /// That was chosen.
    pub proxy_chosen: bool,
    /// The proxy that was named, without user.
    pub url: Option<ProxyUrl>,
    /// The proxies that stay, for http and https.
    pub kept: Vec<(Key, ProxyUrl)>,
    /// The proxy wants a login.
    pub login: bool,
    /// The proxy was asked whether it wants a login.
    pub login_seen: bool,
    /// And it has said so, or that it wants none: nobody else has to be asked.
    pub login_known: bool,
    /// It was not reached, and the person went on: a login changes nothing of that.
    pub unreached: bool,
    /// apt, dnf or yum too.
    pub package_manager: bool,
    /// Database and Redis are named.
    pub back_ends: bool,
    /// MySQL did not answer as it should, and the person went on.
    pub mysql_passed: bool,
    /// So with Redis.
    pub redis_passed: bool,
    /// What was wrong with Redis and with MySQL when the person went on: the run is not to stop for it.
    pub passed: [Vec<FindingId>; 2],
    /// An administrator of MySQL makes databases, user and rights.
    pub creates: bool,
    /// Redis was seen to want a password.
    pub redis_login: bool,
    /// The Insight Agent is wanted.
    pub agent: bool,
    /// What the world said last, and whether that is good.
    pub said: BTreeMap<Topic, (bool, String)>,
    values: BTreeMap<Key, String>,
}

impl Answers {
    /// Nothing was answered; what was given decides what is left to ask.
    pub(crate) fn new(known: &KnownState<'_>) -> Self {
        let targets = known.layers.get(Key::Target).map(|setting| setting.value.as_str()).unwrap_or_default();
        let named: Vec<&str> = targets.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        let scope = match named.as_slice() {
            ["prod-env"] => Scope::Product,
            named if named.contains(&"prod-env") => Scope::Both,
            _ => Scope::System,
        };
        let creates = known.layers.switch(Key::CreateDatabases) == Some(true);
        // What the last run or the settings have is offered; what was given now is not asked for.
        let agent = [Key::AgentRegion, Key::AgentCollector];
        let agent = known.layers.first_of(&agent).is_some() && !agent.into_iter().any(|key| known.given(key));
        Self { scope, creates, agent, ..Self::default() }
    }

    /// An answer.
    pub(crate) fn get(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(String::as_str)
    }

    /// Notes an answer; empty text takes one back.
    pub(crate) fn set(&mut self, key: Key, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.values.remove(&key);
        } else {
            self.values.insert(key, value);
        }
    }

    /// The verb that does it.
    pub(crate) fn phase(&self) -> Phase {
        match self.scope {
            Scope::System | Scope::Both => Phase::Prepare,
            Scope::Product => Phase::Reconfigure,
            Scope::Install => Phase::Install,
        }
    }

    /// Is it said where MySQL and Redis are? The product cannot start without.
    pub(super) fn names_back_ends(&self) -> bool {
        self.back_ends || self.scope == Scope::Install
    }

    /// The flags that say the same: those that were given, and an own one for each answer that counts.
    ///
    /// # Errors
    /// A value of the wrong shape, which no question lets through.
    pub(crate) fn layer(&self, known: &KnownState<'_>) -> Result<Layer, Problem> {
        let mut layer = known.layers.flags.clone();
        for (key, value) in self.counting(known) {
            if !known.given(key) {
                let spec = key.spec();
                let origin = if spec.secret { "asked for".to_owned() } else { spec.shown() };
                layer.insert(spec, value, Origin::Flag(origin))?;
            }
        }
        // Nothing is made before it is said by whom.
        let said = Layers { flags: layer.clone(), ..known.layers.clone() };
        let has_password = said.first_of(&[Key::MysqlAdminPassword, Key::MysqlAdminPasswordFile]).is_some();
        let has_admin = has_password && said.get(Key::MysqlAdminUser).is_some();
        if said.switch(Key::CreateDatabases) == Some(true) && !has_admin {
            let spec = Key::CreateDatabases.spec();
            layer.insert(spec, "false".to_owned(), Origin::Flag(spec.shown()))?;
        }
        Ok(layer)
    }

    /// The answers that still count, by key: a step back may have made others idle.
    fn counting(&self, known: &KnownState<'_>) -> Vec<(Key, String)> {
        let mut counting: Vec<(Key, String)> = Vec::new();
        let named = self.proxy == Proxy::Set;
        let given = [Key::ProxyUrl, Key::ProxyHttp, Key::ProxyHttps].into_iter().any(|key| known.given(key));
        let sets = given || matches!(self.proxy, Proxy::Set | Proxy::Keep);
        let production = self.get(Key::Deployment) != Some("test-drive");
        for spec in TABLE {
            let counts = match spec.key {
                Key::ProxyUser => named && self.login,
                Key::ProxyPassword if named => self.login,
                Key::ProxyPassword | Key::ProxyNoProxy => sets,
                Key::MysqlAdminUser | Key::MysqlAdminPassword => self.creates && production,
                key if key.is_in("mysql") || key.is_in("redis") => self.names_back_ends() && production,
                key if key.is_in("agent") => self.agent,
                _ => true,
            };
            counting.extend(self.get(spec.key).filter(|_| counts).map(|value| (spec.key, value.to_owned())));
        }
        match self.proxy {
            Proxy::None if self.proxy_chosen => counting.push((Key::ProxyDirect, "true".to_owned())),
            Proxy::None => {}
            Proxy::Remove => counting.push((Key::ProxyRemove, "true".to_owned())),
            Proxy::Keep => counting.extend(self.kept.iter().map(|(key, url)| (*key, url.without_password()))),
            Proxy::Set => {
                if let Some(url) = &self.url {
                    // A user that was kept would come back, unless the URL says that there is none.
                    let anonymous = !self.login && known.layers.get(Key::ProxyUser).is_some();
                    let place = url.render();
                    let place = if anonymous { place.replacen("://", "://@", 1) } else { place };
                    counting.push((Key::ProxyUrl, place));
                }
            }
        }
        if self.creates && production && self.get(Key::MysqlAdminPassword).is_some() {
            counting.push((Key::CreateDatabases, "true".to_owned()));
        }
        let targets = [(self.scope == Scope::Both, "prod-env"), (self.package_manager, "package-manager")];
        let targets: Vec<&str> = targets.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word).collect();
        if !targets.is_empty() && self.phase() == Phase::Prepare {
            counting.push((Key::Target, targets.join(",")));
        }
        counting
    }
}
