//! What is known before anybody is asked.

use std::path::Path;

use crate::context::{found, has_product};
use crate::finding::Ignored;
use crate::host::{HostRead, View};
use crate::platform::Platform;
use crate::problem::Problem;
use crate::product::insight_agent;
use crate::settings::{First, Found, Key, Layer, Layers, ProxyUrl, SecretSources, Setting, Settings, Unresolved};

/// The settings that say whether there is a proxy, and which.
pub(super) const PROXY_KEYS: [Key; 5] =
    [Key::ProxyUrl, Key::ProxyHttp, Key::ProxyHttps, Key::ProxyRemove, Key::ProxyDirect];

/// The host and what people have said without being asked.
pub(crate) struct KnownState<'a> {
    /// The host.
    pub host: &'a dyn HostRead,
    /// What system it is.
    pub platform: &'a Platform,
    /// Flags, variables and the settings file.
    pub layers: &'a Layers,
    /// Variables and files that settings refer to.
    pub outside: &'a SecretSources<'a>,
    /// `--ignore-check`.
    pub ignored: &'a Ignored,
    /// Files that only root may read are taken for absent: for a dry run by anyone.
    pub lenient: bool,
}

impl KnownState<'_> {
    /// What the host has.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub(crate) fn found(&self, home: &Path, first: First) -> Result<Found, Problem> {
        let view = if self.lenient { View::lenient(self.host) } else { View::new(self.host) };
        Ok(found(&view, self.platform, home, first)?.counting(self.layers))
    }

    /// Is the product installed in this folder?
    pub(crate) fn has_product(&self, home: &Path) -> bool {
        has_product(self.host, home)
    }

    /// Is there something of an Insight Agent on the host, or what cannot be looked at?
    pub(crate) fn has_agent(&self) -> bool {
        !matches!(insight_agent::look(self.host).installed, insight_agent::Looked::Absent)
    }

    /// Was a value given with this very command? Then it is not asked for.
    pub(crate) fn given(&self, key: Key) -> bool {
        self.layers.flags.get(key).is_some() || self.layers.variables.get(key).is_some()
    }

    /// What a setting is without an answer: given, remembered, found or the default.
    pub(crate) fn known(&self, key: Key, found: &Found) -> Option<String> {
        let said = self.layers.get(key).or_else(|| found.get(key));
        let default = || key.spec().default.map(str::to_owned);
        said.map(|setting| setting.value.clone()).filter(|value| !value.is_empty()).or_else(default)
    }

    /// The proxy that is set already, for one scheme, and who says so.
    pub(crate) fn proxy(&self, key: Key, found: &Found) -> Option<Setting<ProxyUrl>> {
        let said =
            self.layers.first_of(&[key, Key::ProxyUrl]).map(|(_, setting)| setting).or_else(|| found.get(key))?;
        let mut url = ProxyUrl::parse(&said.value).ok()?;
        if url.credentials.is_none()
            && !url.anonymous
            && let Some(user) = self.layers.get(Key::ProxyUser)
        {
            let user = user.value.as_bytes().to_vec();
            url.credentials = Some(crate::settings::Credentials { user, password: None });
        }
        Some(Setting::new(url, said.origin.clone()))
    }

    /// Valid settings with these answers in the place of the flags.
    ///
    /// # Errors
    /// A value that is wrong or missing.
    pub(crate) fn resolve(&self, answers: &Layer, found: &Found) -> Result<Settings, Unresolved> {
        let layers = Layers { flags: answers.clone(), ..self.layers.clone() };
        Settings::resolve(&layers, found, self.outside, self.ignored).map(|(settings, _)| settings)
    }
}
