//! Valid values from the layers. `resolver` makes each value; here is what they are and how they come together.

mod provider;
mod resolver;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::found::Found;
use super::last_run::{self, Told};
use super::layers::{Layers, Origin, Setting, URLS, parse_duration, parse_switch};
use super::table::{Key, Spec, TABLE};
use super::{NoProxy, ProxyUrl, Secret, host_shown};
use crate::finding::{Finding, Ignored};
use crate::platform::Strategy;
use crate::problem::{Problem, id};
use crate::redact::{MASK, list};
use crate::system::cloud::{Cloud, Direct};
use crate::text;
use crate::text::words::words;
use crate::text::{Text, nearest, own, typed};
pub use provider::SecretsProvider;
use resolver::Resolver;

words! {
    /// What the host is for.
    pub enum Deployment {
        /// MySQL and Redis elsewhere.
        Production = "production",
        /// Everything on this host.
        TestDrive = "test-drive",
    }

    /// Something that is converged, in the order in which that happens; the words are those of `--target`.
    pub enum TargetName {
        /// The authority of a proxy that inspects TLS, on the host and in the containers.
        Trust = "trust",
        /// `/etc/environment` or `/etc/profile.d/proxy.sh`.
        SystemProxy = "system-proxy",
        /// Proxy of the Docker daemon.
        DockerDaemon = "docker-daemon",
        /// Proxy of apt, dnf or yum.
        PackageManager = "package-manager",
        /// The product's environment.
        ProdEnv = "prod-env",
        /// The product's compose file.
        ComposeFile = "compose-file",
        /// What starts the product at boot.
        Boot = "boot",
    }
}

/// Which proxies are to be used.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For http requests.
    pub http: Option<Setting<ProxyUrl>>,
    /// For https requests.
    pub https: Option<Setting<ProxyUrl>>,
}

impl Proxies {
    /// Is there any?
    pub fn any(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }

    /// Where it is, or both are where they are two.
    pub fn places(&self) -> Option<String> {
        let [http, https] = [&self.http, &self.https].map(|own| own.as_ref().map(|own| own.value.place()));
        match (http, https) {
            (Some(http), Some(https)) if http != https => Some(format!("{http} for http and {https} for https")),
            (http, https) => https.or(http),
        }
    }

    /// Both, where they are.
    pub fn iter(&self) -> impl Iterator<Item = &Setting<ProxyUrl>> {
        self.http.iter().chain(&self.https)
    }
}

/// What is reached without the proxy.
#[derive(Clone, Debug)]
pub enum Exclusions {
    /// These beside the built-in ones and those found.
    Added(NoProxy),
    /// Exactly these.
    Only(NoProxy),
}

/// Everything a command needs to know, valid.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the host is for.
    pub deployment: Deployment,
    /// The product's release, where somebody named one.
    pub release: Option<String>,
    /// Which proxies.
    pub proxies: Proxies,
    /// Certificate (PEM) of a proxy that inspects TLS.
    pub proxy_ca: Option<Setting<PathBuf>>,
    /// What is reached without them.
    pub exclusions: Exclusions,
    /// Members of the lists on the host.
    pub found_no_proxy: NoProxy,
    /// Hosts that clients ask on this host and that no proxy can answer for.
    pub(crate) direct: Vec<Direct>,
    /// Take the proxy out again.
    pub remove_proxy: bool,
    /// This site has no proxy: none is asked for, and none that is found is taken up.
    pub(crate) goes_directly: bool,
    /// The product's folder.
    pub home: PathBuf,
    /// Targets named by the person; empty: the command's own.
    pub targets: Vec<TargetName>,
    /// Database and Redis values that were asked for, by key of the table.
    pub back_ends: BTreeMap<Key, BackEnd>,
    /// The secret that the databases come from, where something is said about it.
    pub secrets_provider: Option<SecretsProvider>,
    /// TLS to MySQL: asked for, not wanted, or nobody said.
    pub mysql_tls: Option<bool>,
    /// TLS to Redis.
    pub redis_tls: Option<bool>,
    /// Who makes databases and users; `None`: they are not to be made.
    pub mysql_admin: Option<MysqlAdmin>,
    /// What is remembered for the next run: what people said, without passwords.
    pub told: Told,
    /// Every secret of this run.
    pub secrets: Vec<Secret>,
    /// Effective value as it may be shown and origin, by key.
    pub shown: Vec<(Key, Option<String>, Origin)>,
}

/// A value for `prod.env`.
#[derive(Clone, Debug)]
pub enum BackEnd {
    /// May be shown.
    Plain(String),
    /// May not.
    Hidden(Secret),
}

impl BackEnd {
    /// The bytes to write.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Hidden(secret) => secret.expose(),
        }
    }
}

/// A user of the MySQL server who may make databases and users.
#[derive(Clone, Debug)]
pub struct MysqlAdmin {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// What settings refer to outside of themselves: other variables and files on the machine where the command runs.
pub struct SecretSources<'a> {
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Reads a file.
    pub file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// Why there are no valid settings.
#[derive(Debug)]
pub enum Unresolved {
    /// Values that nobody gave; a person at a terminal may be asked.
    Missing(Vec<&'static Spec>),
    /// A value is wrong.
    Wrong(Problem),
}

impl From<Problem> for Unresolved {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem)
    }
}

impl Unresolved {
    /// The problem to report where nobody can be asked: everything missing at once, with all its faces.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Wrong(problem) => problem,
            Self::Missing(specs) => {
                let names: Vec<&str> = specs.iter().map(|spec| spec.key.as_str()).collect();
                let problem = Problem::settings(id::SETTINGS_MISSING, text!("missing: {}", own(names.join(", "))));
                specs.iter().fold(problem, |problem, spec| problem.hint(faces(spec)))
            }
        }
    }
}

/// What a setting is for, with each of its names.
pub(crate) fn faces(spec: &Spec) -> Text {
    let flag = spec.flag.or_else(|| spec.key.file_of_password()?.spec().flag);
    let flag = flag.map(|flag| format!("--{flag}, ")).unwrap_or_default();
    text!("{}: {}{} or the key {} in a settings file", own(spec.help), own(flag), own(spec.variable), spec.key)
}

/// The rank of what was said in an earlier run.
const LAST_RUN: u8 = Origin::LastRun(None).rank();

/// Back-end values as they count: what was asked for, else what `prod.env` has.
pub struct Effective<'a> {
    settings: &'a Settings,
    found: &'a Found,
}

impl<'a> Effective<'a> {
    /// Of these settings on this host.
    pub fn new(settings: &'a Settings, found: &'a Found) -> Self {
        Self { settings, found }
    }

    /// The secret that the databases come from, unless somebody names them in this run.
    pub fn databases(&self) -> Option<&'a Setting<String>> {
        let said =
            |(key, _, origin): &&(Key, Option<String>, Origin)| *key == Key::MysqlHost && origin.rank() > LAST_RUN;
        let said = self.settings.shown.iter().find(said);
        match &self.settings.secrets_provider {
            Some(SecretsProvider::Aws { shown, .. }) => Some(shown),
            Some(SecretsProvider::Removed) => None,
            None => self.found.databases.as_ref().filter(|_| said.is_none()),
        }
    }

    /// Why `prod.env`, which is there, says nothing.
    pub(crate) fn no_product(&self) -> Option<&'a Text> {
        self.found.no_product.as_ref()
    }

    /// Does the secret outrank whatever is known of this setting?
    fn is_outranked(&self, key: Key) -> bool {
        key.is_in("mysql") && self.databases().is_some()
    }

    /// A value that may be shown, with its origin.
    pub fn text(&self, key: Key) -> Option<(String, String)> {
        if self.is_outranked(key) {
            return None;
        }
        let origin = self.settings.shown.iter().find(|(own, ..)| *own == key).map(|(_, _, origin)| origin.to_string());
        match self.settings.back_ends.get(&key) {
            Some(BackEnd::Plain(text)) => Some((text.clone(), origin.unwrap_or_default())),
            Some(BackEnd::Hidden(_)) => None,
            None => self.on_host(key).map(|found| (found.value.clone(), found.origin.to_string())),
        }
    }

    /// A password.
    pub fn secret(&self, key: Key) -> Option<Secret> {
        if self.is_outranked(key) {
            return None;
        }
        match self.settings.back_ends.get(&key) {
            Some(BackEnd::Hidden(secret)) => Some(secret.clone()),
            Some(BackEnd::Plain(_)) => None,
            None => self.on_host(key).map(|found| Secret::new(found.value.as_bytes())),
        }
    }

    fn on_host(&self, key: Key) -> Option<&Setting<String>> {
        self.found.get(key).filter(|found| !found.value.is_empty())
    }
}

/// `--os`, which is needed before the host can be looked at.
pub fn strategy(layers: &Layers) -> Option<Strategy> {
    layers.get(Key::Os).and_then(|setting| Strategy::parse(&setting.value))
}

/// `--home`, which is needed before the host can be looked at.
///
/// # Errors
/// A path that is not absolute.
pub fn home(layers: &Layers) -> Result<PathBuf, Problem> {
    let default = Key::Home.spec().default.unwrap_or("/divvycloud");
    let setting = layers.get(Key::Home);
    let home = PathBuf::from(setting.map_or(default, |setting| setting.value.as_str()));
    match setting {
        Some(setting) if !home.is_absolute() => Err(Problem::settings(
            id::SETTING_INVALID,
            text!("{}: home must be an absolute path such as /divvycloud, not {:?}", setting.origin, setting.value),
        )),
        _ => Ok(home),
    }
}

/// That folder, where it is not the usual one.
pub fn unusual_home(home: &Path) -> Option<PathBuf> {
    let is_usual = Key::Home.spec().default.is_some_and(|usual| home == Path::new(usual));
    (!is_usual).then(|| home.to_path_buf())
}

impl Settings {
    /// Makes valid values of layers and host.
    ///
    /// # Errors
    /// The first wrong value, with its origin; or all values that are missing.
    pub fn resolve(
        layers: &Layers,
        found: &Found,
        outside: &SecretSources<'_>,
        ignored: &Ignored,
    ) -> Result<(Self, Vec<Finding>), Unresolved> {
        let mut findings = Vec::new();
        let removal = layers.get(Key::ProxyRemove).filter(|own| parse_switch(&own.value) == Some(true));
        let remove_proxy = removal.is_some();
        if let Some(removal) = removal {
            // Said in the same place, neither outranks the other.
            let beside = |(_, url): &(Key, &Setting<String>)| {
                url.origin.rank() == removal.origin.rank() && url.origin.rank() > LAST_RUN
            };
            if let Some((_, asked)) = layers.flags_first(&URLS).or_else(|| layers.first_of(&URLS).filter(beside)) {
                let message = text!("{} and {} contradict each other", asked.origin, removal.origin);
                return Err(Problem::settings(id::SETTINGS_CONFLICT, message).hint("leave one of them out").into());
            }
        }
        let goes_directly = directly(layers, found)?;
        let without_proxy = remove_proxy || goes_directly;
        findings.extend(last_run::outlived(layers, remove_proxy));
        let mut resolver = Resolver { layers, found, outside, missing: Vec::new() };
        let proxies = if without_proxy { Proxies::default() } else { resolver.proxies(ignored, &mut findings)? };
        let exclusions = resolver.exclusions(&mut findings)?;
        let secrets_provider = resolver.secrets_provider()?;
        let mut back_ends = resolver.back_ends()?;
        let is_secret = secrets_provider.as_ref().is_some_and(|own| own.aws().is_some());
        back_ends.retain(|key, _| !(is_secret && key.is_in("mysql")));
        resolver.refuse_to_create(secrets_provider.as_ref())?;
        let mysql_admin = resolver.mysql_admin()?;
        if !resolver.missing.is_empty() {
            return Err(Unresolved::Missing(resolver.missing));
        }
        let secrets = found
            .secrets()
            .cloned()
            .chain(proxies.iter().filter_map(|url| url.value.password().cloned()))
            .chain(back_ends.values().filter_map(|value| match value {
                BackEnd::Hidden(secret) => Some(secret.clone()),
                BackEnd::Plain(_) => None,
            }))
            .chain(mysql_admin.iter().map(|admin| admin.password.clone()))
            .collect();
        let deployment = layers.get(Key::Deployment).and_then(|setting| Deployment::parse(&setting.value));
        let settings = Self {
            deployment: deployment.unwrap_or(Deployment::Production),
            release: layers.get(Key::Release).map(|setting| setting.value.clone()),
            proxy_ca: layers.get(Key::ProxyCa).cloned().map(|setting| setting.map(PathBuf::from)),
            mysql_tls: layers.switch(Key::MysqlTls),
            redis_tls: layers.switch(Key::RedisTls),
            shown: shown(layers, found, &proxies),
            told: last_run::told(layers, without_proxy, secrets_provider.as_ref().and_then(SecretsProvider::aws)),
            proxies,
            exclusions,
            found_no_proxy: found.no_proxy.clone(),
            direct: found.direct.clone(),
            remove_proxy,
            goes_directly,
            home: home(layers)?,
            targets: targets(layers)?,
            back_ends,
            secrets_provider,
            mysql_admin,
            secrets,
        };
        Ok((settings, findings))
    }

    /// The effective value of a setting that needs no field of its own: its shape is all that is asked of it. Passwords, also
    /// those in URLs, are masked.
    pub fn text(&self, key: Key) -> Option<&str> {
        self.shown.iter().find(|(own, ..)| *own == key)?.1.as_deref()
    }

    /// The same where somebody says it in this run: by a flag, a variable or the settings file.
    pub fn said(&self, key: Key) -> Option<&str> {
        let (_, value, origin) = self.shown.iter().find(|(own, ..)| *own == key)?;
        value.as_deref().filter(|_| origin.rank() > LAST_RUN)
    }

    /// The clouds that the product connects to, where somebody says so.
    pub(crate) fn clouds(&self) -> Option<Vec<Cloud>> {
        self.text(Key::Clouds).map(Cloud::of_list)
    }

    /// Are the databases to come from another place than `prod.env` names now: into a secret, or out of it?
    pub(crate) fn moves_databases(&self, found: &Found) -> bool {
        let is = |key: Key, value: &str| found.get(key).is_some_and(|own| own.value == value);
        match &self.secrets_provider {
            Some(SecretsProvider::Aws { secret, region, .. }) => {
                !is(Key::AwsSecret, secret) || !is(Key::AwsRegion, region)
            }
            Some(SecretsProvider::Removed) => found.databases.is_some(),
            None => false,
        }
    }

    /// How strongly it is said: the rank of its origin.
    pub(crate) fn rank(&self, key: Key) -> u8 {
        self.shown.iter().find(|(own, ..)| *own == key).map_or(0, |(.., origin)| origin.rank())
    }

    /// The same of a time that has a default.
    pub fn duration(&self, key: Key) -> Duration {
        // Every layer holds what its shape allows, and so does the default.
        self.text(key).and_then(parse_duration).unwrap_or_default()
    }

    /// The same of a switch; `None`: nobody said, and there is no default.
    pub fn switch(&self, key: Key) -> Option<bool> {
        self.text(key).and_then(parse_switch)
    }
}

/// Has this site no proxy? What an earlier run was told does not stand against a proxy that is known to be there now.
///
/// # Errors
/// A proxy is named in the same place.
fn directly(layers: &Layers, found: &Found) -> Result<bool, Problem> {
    let Some(said) = layers.get(Key::ProxyDirect).filter(|_| layers.is_direct()) else { return Ok(false) };
    match layers.first_of(&URLS) {
        Some((_, url)) if url.origin.rank() == said.origin.rank() => {
            let message = text!("{} and {} contradict each other", url.origin, said.origin);
            Err(Problem::settings(id::SETTINGS_CONFLICT, message).hint("leave one of them out"))
        }
        _ => Ok(said.origin.rank() > LAST_RUN || found.known_proxy().is_none()),
    }
}

fn targets(layers: &Layers) -> Result<Vec<TargetName>, Problem> {
    let Some(setting) = layers.get(Key::Target) else { return Ok(Vec::new()) };
    let words = setting.value.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            TargetName::parse(word).ok_or_else(|| {
                let all = TargetName::ALL.map(TargetName::as_str);
                let problem =
                    Problem::settings(id::SETTING_INVALID, text!("{}: there is no target {:?}", setting.origin, word));
                match nearest(word, all.into_iter()) {
                    Some(near) => problem.hint(typed(text!("--target {}", own(near)))),
                    None => problem.hint(text!("targets: {}", own(all.join(", ")))),
                }
            })
        })
        .collect()
}

/// Every setting as `settings show` prints it.
fn shown(layers: &Layers, found: &Found, proxies: &Proxies) -> Vec<(Key, Option<String>, Origin)> {
    let shown = |spec: &Spec| {
        let url = match spec.key {
            Key::ProxyHttp => proxies.http.as_ref(),
            Key::ProxyHttps => proxies.https.as_ref(),
            _ => None,
        };
        if let Some(url) = url {
            return (spec.key, Some(url.value.masked()), url.origin.clone());
        }
        let Some(setting) = layers.get(spec.key).or_else(|| found.get(spec.key)) else {
            if let Some((path, line)) = found.untold(spec.key) {
                return (spec.key, None, Origin::Untold { path: path.to_path_buf(), line });
            }
            return (spec.key, spec.default.map(str::to_owned), Origin::Default);
        };
        let value = match spec.key {
            _ if spec.secret => MASK.to_owned(),
            Key::ProxyUrl | Key::ProxyHttp | Key::ProxyHttps => {
                ProxyUrl::parse(&setting.value).map_or_else(|_| String::new(), |url| url.masked())
            }
            Key::ProxyNoProxy | Key::ProxyNoProxyOnly => list(&setting.value),
            Key::MysqlHost | Key::RedisHost => host_shown(&setting.value),
            _ => setting.value.clone(),
        };
        (spec.key, Some(value), setting.origin.clone())
    };
    TABLE.iter().map(shown).collect()
}
