//! What every consumer is to get.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::value::shown;
use crate::settings::{Exclusions, Key, Origin, ProxyUrl, Scheme, Setting, Settings};
use crate::vendor::prod_env;

/// A proxy, without its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// The URL as it may be shown.
    pub url: String,
    /// TLS to the proxy itself (`https://`).
    pub tls: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The user, when there is one.
    pub user: Option<String>,
    /// Is there a password?
    pub has_password: bool,
    /// The file that it came from, where somebody named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// Where the setting came from.
    pub origin: String,
}

impl ProxySpec {
    /// A URL without its password.
    pub(crate) fn new(url: &ProxyUrl, origin: String) -> Self {
        Self {
            url: shown(url),
            tls: url.scheme == Scheme::Https,
            host: url.host.to_string(),
            port: url.asked_port(),
            user: url.credentials.as_ref().map(|login| String::from_utf8_lossy(&login.user).into_owned()),
            has_password: url.password().is_some(),
            password_file: None,
            origin,
        }
    }

    /// A proxy of the settings.
    pub(crate) fn of(setting: &Option<Setting<ProxyUrl>>, settings: &Settings) -> Option<Self> {
        let named = settings.shown.iter().find(|(key, ..)| *key == Key::ProxyPasswordFile);
        let password_file = named.and_then(|(_, file, _)| file.clone()).filter(|file| Path::new(file).is_absolute());
        let of_setting = |setting: &Setting<ProxyUrl>| Self::new(&setting.value, setting.origin.to_string());
        let spec = setting.as_ref().map(of_setting)?;
        let password_file = password_file.filter(|_| spec.has_password);
        Some(Self { password_file, ..spec })
    }
}

/// What every consumer is to get, as the settings say it. Passwords are compared by their numbers
/// ([`super::ConsumersFacts`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The proxy for http requests.
    pub(crate) http: Option<ProxySpec>,
    /// The proxy for https requests.
    pub(crate) https: Option<ProxySpec>,
    /// The members of the list, as they may be shown.
    pub(crate) no_proxy: Vec<String>,
    /// The list is to have no other members (`--no-proxy-only`).
    pub(crate) only: bool,
    /// Somebody asked for these in this run; else they stood on the host already.
    pub(crate) asked: bool,
    /// They stood in `prod.env` alone, from where `prepare` takes none for the system.
    pub(crate) of_product: bool,
    /// `prepare` has just written all of it, so writing it again mends nothing.
    pub(crate) written: bool,
    /// It has edited files of others too (`--mend-others`), or was to.
    pub(crate) mends_others: bool,
    /// No consumer is to have a proxy (`--remove-proxy`).
    pub(crate) removed: bool,
    /// The product's folder.
    pub(crate) home: PathBuf,
}

/// Does every proxy of these settings come from `prod.env`?
fn is_of_product(settings: &Settings) -> bool {
    let file = prod_env(&settings.home);
    let mut all = [&settings.proxies.http, &settings.proxies.https].into_iter().flatten().peekable();
    let is = |setting: &Setting<ProxyUrl>| matches!(&setting.origin, Origin::Found { path, .. } if *path == file);
    all.peek().is_some() && all.all(is)
}

impl Wanted {
    /// Are its proxies to be named in a command of this verb, which would not find them itself?
    pub(super) fn is_named(&self, verb: &str) -> bool {
        self.asked || (self.of_product && verb == "prepare")
    }

    /// What the settings say; `no_proxy` are the members that targets write.
    pub(crate) fn new(settings: &Settings, no_proxy: Vec<String>) -> Self {
        let proxies = [&settings.proxies.http, &settings.proxies.https];
        let found = |setting: &Setting<ProxyUrl>| matches!(setting.origin, Origin::Found { .. });
        Self {
            http: ProxySpec::of(proxies[0], settings),
            https: ProxySpec::of(proxies[1], settings),
            no_proxy,
            only: matches!(settings.exclusions, Exclusions::Only(_)),
            asked: !proxies.into_iter().flatten().all(found),
            of_product: is_of_product(settings),
            written: false,
            mends_others: settings.switch(Key::MendOthers) == Some(true),
            removed: settings.remove_proxy,
            home: settings.home.clone(),
        }
    }

    /// Is there a proxy to compare with?
    pub(crate) fn is_proxy(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }
}
