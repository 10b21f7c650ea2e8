//! Valid values from the layers.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::file::savable;
use super::found::Found;
use super::layers::{Layers, Origin, Setting, parse_switch};
use super::table::{Spec, TABLE, by_key, nearest};
use super::{Credentials, NoProxy, ProxyUrl, Scheme, Secret};
use crate::finding::{Finding, Ignored, Status};
use crate::platform::Strategy;
use crate::problem::Problem;

/// What the host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// MySQL and Redis elsewhere.
    Production,
    /// Everything on this host.
    TestDrive,
}

/// Something that is converged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetName {
    /// `/etc/environment` or `/etc/profile.d/proxy.sh`.
    SystemProxy,
    /// Proxy of the Docker daemon.
    DockerDaemon,
    /// Proxy of apt, dnf or yum.
    PackageManager,
    /// The product's environment.
    ProdEnv,
}

impl TargetName {
    /// All of them, in the order in which they are converged.
    pub const ALL: [Self; 4] = [Self::SystemProxy, Self::DockerDaemon, Self::PackageManager, Self::ProdEnv];

    /// The word for `--target`.
    pub fn word(self) -> &'static str {
        match self {
            Self::SystemProxy => "system-proxy",
            Self::DockerDaemon => "docker-daemon",
            Self::PackageManager => "package-manager",
            Self::ProdEnv => "prod-env",
        }
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
    /// Which proxies.
    pub proxies: Proxies,
    /// What is reached without them.
    pub exclusions: Exclusions,
    /// Members of the lists on the host.
    pub found_no_proxy: NoProxy,
    /// Take the proxy out again.
    pub remove_proxy: bool,
    /// Write upper-case names too.
    pub both_cases: bool,
    /// The product's folder.
    pub home: PathBuf,
    /// Targets named by the person; empty: the command's own.
    pub targets: Vec<TargetName>,
    /// Restart what must read the new settings; `None`: nobody said.
    pub restart: Option<bool>,
    /// Database and Redis values that were asked for, by key of the table.
    pub back_ends: BTreeMap<&'static str, BackEnd>,
    /// What `settings.toml` is to hold: values that a person gave, without passwords.
    pub saved: Vec<(&'static str, String)>,
    /// Every secret of this run.
    pub secrets: Vec<Secret>,
    /// Effective value as it may be shown and origin, by key.
    pub shown: Vec<(&'static str, Option<String>, Origin)>,
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

/// What settings refer to outside of themselves: other variables and files on the machine where the command runs.
pub struct Outside<'a> {
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
                let names: Vec<&str> = specs.iter().map(|spec| spec.key).collect();
                let problem = Problem::settings("settings-missing", format!("missing: {}", names.join(", ")));
                specs.iter().fold(problem, |problem, spec| {
                    let file = format!("{}_file", spec.key);
                    let flag = spec.flag.or_else(|| by_key(&file).and_then(|file| file.flag));
                    let flag = flag.map(|flag| format!("--{flag}, ")).unwrap_or_default();
                    problem.hint(format!(
                        "{}: {flag}{} or the key {} in a settings file",
                        spec.help, spec.variable, spec.key
                    ))
                })
            }
        }
    }
}

/// `--os`, which is needed before the host can be looked at.
pub fn strategy(layers: &Layers) -> Option<Strategy> {
    layers.get("os").and_then(|setting| Strategy::parse(&setting.value))
}

/// `--home`, which is needed before the host can be looked at.
///
/// # Errors
/// A path that is not absolute.
pub fn home(layers: &Layers) -> Result<PathBuf, Problem> {
    let default = by_key("home").and_then(|spec| spec.default).unwrap_or("/divvycloud");
    let setting = layers.get("home");
    let home = PathBuf::from(setting.map_or(default, |setting| setting.value.as_str()));
    match setting {
        Some(setting) if !home.is_absolute() => Err(Problem::settings(
            "setting-invalid",
            format!("{}: home must be an absolute path such as /divvycloud, not {:?}", setting.origin, setting.value),
        )),
        _ => Ok(home),
    }
}

impl Settings {
    /// Makes valid values of layers and host.
    ///
    /// # Errors
    /// The first wrong value, with its origin; or all values that are missing.
    pub fn resolve(
        layers: &Layers,
        found: &Found,
        outside: &Outside<'_>,
        ignored: &Ignored,
    ) -> Result<(Self, Vec<Finding>), Unresolved> {
        let mut findings = Vec::new();
        let remove_proxy = switch(layers, "proxy.remove");
        if remove_proxy
            && let Some(("proxy.url" | "proxy.http" | "proxy.https", asked)) =
                layers.flags_first(&["proxy.url", "proxy.http", "proxy.https"])
        {
            let message = format!("{} and --remove-proxy contradict each other", asked.origin);
            return Err(Problem::settings("settings-conflict", message).hint("leave one of them out").into());
        }
        let mut resolver = Resolver { layers, found, outside, missing: Vec::new() };
        let proxies = if remove_proxy { Proxies::default() } else { resolver.proxies(ignored, &mut findings)? };
        let exclusions = resolver.exclusions(&mut findings)?;
        let back_ends = resolver.back_ends()?;
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
            .collect();
        let test_drive = layers.get("deployment").is_some_and(|setting| setting.value == "test-drive");
        let settings = Self {
            deployment: if test_drive { Deployment::TestDrive } else { Deployment::Production },
            shown: shown(layers, found, &proxies),
            saved: saved(layers, remove_proxy),
            proxies,
            exclusions,
            found_no_proxy: found.no_proxy.clone(),
            remove_proxy,
            both_cases: switch(layers, "proxy.both_cases"),
            home: home(layers)?,
            targets: targets(layers)?,
            restart: layers.get("restart").and_then(|setting| parse_switch(&setting.value)),
            back_ends,
            secrets,
        };
        Ok((settings, findings))
    }
}

fn switch(layers: &Layers, key: &str) -> bool {
    layers.get(key).and_then(|setting| parse_switch(&setting.value)).unwrap_or(false)
}

fn targets(layers: &Layers) -> Result<Vec<TargetName>, Problem> {
    let Some(setting) = layers.get("target") else { return Ok(Vec::new()) };
    let words = setting.value.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            TargetName::ALL.into_iter().find(|target| target.word() == word).ok_or_else(|| {
                let all = TargetName::ALL.map(TargetName::word);
                let problem =
                    Problem::settings("setting-invalid", format!("{}: there is no target {word:?}", setting.origin));
                match nearest(word, all.into_iter()) {
                    Some(near) => problem.hint(format!("--target {near}")),
                    None => problem.hint(format!("targets: {}", all.join(", "))),
                }
            })
        })
        .collect()
}

/// What is worth keeping for the next run: what a person gave, now or before.
fn saved(layers: &Layers, remove_proxy: bool) -> Vec<(&'static str, String)> {
    const URLS: [&str; 3] = ["proxy.url", "proxy.http", "proxy.https"];
    const LISTS: [&str; 2] = ["proxy.no_proxy", "proxy.no_proxy_only"];
    TABLE
        .iter()
        .filter(|spec| spec.saved)
        .filter(|spec| !(remove_proxy && spec.key.starts_with("proxy.")))
        .filter_map(|spec| {
            let setting = layers.get(spec.key)?;
            // A URL for both schemes that came later replaces one for a single scheme that was kept, and so with lists.
            let rank = setting.origin.rank();
            let beaten = |keys: &[&str]| {
                keys.contains(&spec.key)
                    && keys.iter().filter_map(|key| layers.get(key)).any(|other| other.origin.rank() > rank)
            };
            let beaten = match spec.key {
                "proxy.http" | "proxy.https" => beaten(&[spec.key, "proxy.url"]),
                key if LISTS.contains(&key) => beaten(&LISTS),
                key if URLS.contains(&key) => ["proxy.http", "proxy.https"]
                    .iter()
                    .all(|key| layers.get(key).is_some_and(|o| o.origin.rank() > rank)),
                _ => false,
            };
            (!beaten).then(|| (spec.key, savable(spec.key, setting)))
        })
        .collect()
}

/// Every setting as `settings show` prints it.
fn shown(layers: &Layers, found: &Found, proxies: &Proxies) -> Vec<(&'static str, Option<String>, Origin)> {
    TABLE
        .iter()
        .map(|spec| {
            let url = match spec.key {
                "proxy.http" => proxies.http.as_ref(),
                "proxy.https" => proxies.https.as_ref(),
                _ => None,
            };
            if let Some(url) = url {
                return (spec.key, Some(url.value.masked()), url.origin.clone());
            }
            match layers.get(spec.key).or_else(|| found.get(spec.key)) {
                Some(setting) if spec.secret => {
                    (spec.key, Some(crate::redact::MASK.to_owned()), setting.origin.clone())
                }
                Some(setting) if spec.value_name == "URL" => {
                    let masked = ProxyUrl::parse(&setting.value).map_or_else(|_| String::new(), |url| url.masked());
                    (spec.key, Some(masked), setting.origin.clone())
                }
                Some(setting) => (spec.key, Some(setting.value.clone()), setting.origin.clone()),
                None => (spec.key, spec.default.map(str::to_owned), Origin::Default),
            }
        })
        .collect()
}

struct Resolver<'a> {
    layers: &'a Layers,
    found: &'a Found,
    outside: &'a Outside<'a>,
    missing: Vec<&'static Spec>,
}

impl Resolver<'_> {
    fn proxies(&mut self, ignored: &Ignored, findings: &mut Vec<Finding>) -> Result<Proxies, Unresolved> {
        let http = self.url("proxy.http")?;
        let https = match self.url("proxy.https")? {
            Some(https) => Some(https),
            None => http.clone(),
        };
        let mut proxies = Proxies { http, https };
        let in_argv = |url: &Setting<ProxyUrl>| matches!(url.origin, Origin::Flag(_)) && url.value.password().is_some();
        let typed: Vec<Origin> = proxies.iter().filter(|url| in_argv(url)).map(|url| url.origin.clone()).collect();
        let password =
            self.password("proxy.password", &["proxy.password", "proxy.password_file", "proxy.password_env"])?;
        for url in [&mut proxies.http, &mut proxies.https].into_iter().flatten() {
            self.log_in(url, password.as_ref())?;
        }
        let mut judged: Vec<&ProxyUrl> = Vec::new();
        for url in [&mut proxies.http, &mut proxies.https].into_iter().flatten() {
            require_port(url, ignored, findings)?;
        }
        for url in proxies.iter() {
            if !judged.contains(&&url.value) {
                judge(url, typed.contains(&url.origin), findings);
                judged.push(&url.value);
            }
        }
        Ok(proxies)
    }

    /// The URL for one scheme: within a layer the specific setting beats `--proxy`.
    fn url(&self, key: &'static str) -> Result<Option<Setting<ProxyUrl>>, Problem> {
        let asked = self.layers.first_of(&[key, "proxy.url"]).map(|(_, setting)| setting);
        let Some(setting) = asked.or_else(|| self.found.get(key)) else { return Ok(None) };
        let url = ProxyUrl::parse(&setting.value).map_err(|error| {
            Problem::settings("proxy-url-invalid", format!("{}: {error}", setting.origin))
                .hint("a proxy URL looks like http://proxy.corp.example:3128")
        })?;
        Ok(Some(Setting::new(url, setting.origin.clone())))
    }

    /// Puts user and password into a URL.
    fn log_in(&mut self, url: &mut Setting<ProxyUrl>, password: Option<&Setting<Secret>>) -> Result<(), Problem> {
        let rank = url.origin.rank();
        if let Some(user) = self.layers.get("proxy.user")
            && (user.origin.rank() >= rank || (url.value.credentials.is_none() && !url.value.anonymous))
        {
            let raw = user.value.as_bytes();
            let same = url.value.credentials.as_ref().filter(|login| login.user == raw);
            let password = same.and_then(|login| login.password.clone());
            url.value.credentials = Some(Credentials { user: raw.to_vec(), password });
        }
        let place = url.value.clone();
        let Some(login) = &mut url.value.credentials else {
            return match password {
                Some(password) if password.origin.rank() >= rank && !place.anonymous => Err(Problem::settings(
                    "proxy-user-missing",
                    format!("{}: there is a proxy password but no user", password.origin),
                )
                .hint("--proxy-user USER")),
                _ => Ok(()),
            };
        };
        if let Some(password) = password
            && (login.password.is_none() || password.origin.rank() > rank)
        {
            login.password = Some(password.value.clone());
        }
        if login.password.is_none() {
            login.password = self.found.password_of(&login.user, &place);
        }
        if login.password.is_none()
            && let Some(spec) = by_key("proxy.password")
            && !self.missing.iter().any(|missing| missing.key == spec.key)
        {
            self.missing.push(spec);
        }
        Ok(())
    }

    /// A secret from the strongest layer that has one: directly, from a file, or from a variable named by another setting.
    fn password(&self, key: &str, keys: &[&'static str]) -> Result<Option<Setting<Secret>>, Problem> {
        let Some((face, setting)) = self.layers.first_of(keys) else { return Ok(None) };
        let origin = setting.origin.clone();
        if face.ends_with("_file") {
            let bytes = (self.outside.file)(Path::new(&setting.value)).map_err(|error| {
                Problem::settings("password-file", format!("{origin}: {} could not be read", setting.value))
                    .because(error)
            })?;
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            return self.checked(key, bytes.to_vec(), origin).map(Some);
        }
        if face.ends_with("_env") {
            use std::os::unix::ffi::OsStringExt;
            let value = (self.outside.variable)(&setting.value).ok_or_else(|| {
                Problem::settings("password-env", format!("{origin}: the variable {} is not set", setting.value))
                    .hint("sudo does not pass variables on: sudo --preserve-env=NAME …, or use a file")
            })?;
            return self.checked(key, value.into_vec(), origin).map(Some);
        }
        self.checked(key, setting.value.clone().into_bytes(), origin).map(Some)
    }

    fn checked(&self, key: &str, bytes: Vec<u8>, origin: Origin) -> Result<Setting<Secret>, Problem> {
        let wrong = |what: &str| Err(Problem::settings("password-invalid", format!("{origin}: {key} {what}")));
        if bytes.is_empty() {
            return wrong("is empty");
        }
        if bytes.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r')) {
            return wrong("has more than one line or a NUL");
        }
        Ok(Setting::new(Secret::new(bytes), origin))
    }

    fn exclusions(&self, findings: &mut Vec<Finding>) -> Result<Exclusions, Problem> {
        let parse = |setting: &Setting<String>| {
            NoProxy::parse(&setting.value)
                .map_err(|error| Problem::settings("no-proxy-invalid", format!("{}: {error}", setting.origin)))
        };
        let in_one_layer =
            |layer: &&super::Layer| layer.get("proxy.no_proxy").is_some() && layer.get("proxy.no_proxy_only").is_some();
        if self.layers.in_order().iter().any(in_one_layer) {
            let message = "--no-proxy adds to the built-in members and --no-proxy-only replaces them: give one of them";
            return Err(Problem::settings("settings-conflict", message));
        }
        let exclusions = match self.layers.first_of(&["proxy.no_proxy_only", "proxy.no_proxy"]) {
            None => Exclusions::Added(NoProxy::default()),
            Some(("proxy.no_proxy_only", setting)) => Exclusions::Only(parse(setting)?),
            Some((_, setting)) => Exclusions::Added(parse(setting)?),
        };
        let (Exclusions::Added(list) | Exclusions::Only(list)) = &exclusions;
        if let Some(member) = list.members().find(|member| member.contains('[')) {
            findings.push(
                Finding::new(
                    "no-proxy-ipv6-brackets",
                    "proxy",
                    Status::Warn,
                    format!("no_proxy member {member} stops programs that use httpx"),
                )
                .cause("httpx 0.28 raises InvalidURL for every request when the list has a bracketed IPv6 address")
                .fix("write the address without brackets, or use a host name"),
            );
        }
        Ok(exclusions)
    }

    fn back_ends(&self) -> Result<BTreeMap<&'static str, BackEnd>, Problem> {
        let mut values = BTreeMap::new();
        for spec in TABLE {
            let plain = matches!(
                spec.key,
                "mysql.host"
                    | "mysql.port"
                    | "mysql.user"
                    | "mysql.database"
                    | "mysql.secret_database"
                    | "redis.host"
                    | "redis.port"
            );
            if let Some(setting) = self.layers.get(spec.key).filter(|_| plain) {
                if spec.key.ends_with(".host") {
                    host_name(setting)?;
                }
                values.insert(spec.key, BackEnd::Plain(setting.value.clone()));
            }
        }
        for (key, faces) in [
            ("mysql.password", ["mysql.password", "mysql.password_file"]),
            ("redis.password", ["redis.password", "redis.password_file"]),
        ] {
            if let (Some(secret), Some(spec)) = (self.password(key, &faces)?, by_key(key)) {
                values.insert(spec.key, BackEnd::Hidden(secret.value));
            }
        }
        Ok(values)
    }
}

fn host_name(setting: &Setting<String>) -> Result<(), Problem> {
    if setting.value.parse::<std::net::IpAddr>().is_ok() || super::proxy_url::parse_host(&setting.value).is_ok() {
        return Ok(());
    }
    let message = format!("{}: {:?} is no host name and no address", setting.origin, setting.value);
    Err(Problem::settings("setting-invalid", message).hint("write the host alone; the port has a setting of its own"))
}

/// A URL without a port means three different ports to three clients. Whoever confirms it gets the usual one, written out.
fn require_port(url: &mut Setting<ProxyUrl>, ignored: &Ignored, findings: &mut Vec<Finding>) -> Result<(), Problem> {
    const ID: &str = "proxy-port-missing";
    if url.value.port.is_some() {
        return Ok(());
    }
    let (origin, usual) = (&url.origin, url.value.scheme.usual_port());
    let because = "without a port curl asks port 1080, most other clients 80 and some 443";
    if !ignored.covers(ID) {
        return Err(Problem::settings(ID, format!("{origin}: the proxy URL {} has no port", url.value.masked()))
            .because(because)
            .hint(format!("name it, as in {}://{}:3128", url.value.scheme.name(), url.value.host))
            .hint(format!("or confirm port {usual}: --ignore-check {ID}")));
    }
    if !findings.iter().any(|finding| finding.id == ID) {
        let title = format!("{origin}: the proxy URL had no port; {usual} is written out (ignored)");
        findings.push(Finding::new(ID, "proxy", Status::Warn, title).observed(url.value.masked()).cause(because));
    }
    url.value.port = Some(usual);
    Ok(())
}

/// What is worth saying about a URL that is valid.
fn judge(url: &Setting<ProxyUrl>, in_argv: bool, findings: &mut Vec<Finding>) {
    let (value, origin) = (&url.value, &url.origin);
    if value.scheme == Scheme::Https {
        findings.push(
            Finding::new("proxy-https-scheme", "proxy", Status::Warn, format!("{origin}: https:// means TLS to the proxy itself"))
                .expected("http://, which an ordinary forward proxy speaks for http and https requests alike")
                .observed(value.masked())
                .cause("curl, Go, requests and others open TLS to the proxy port; an ordinary proxy answers with \"wrong version number\"")
                .fix("use http:// unless the proxy's port really speaks TLS"),
        );
    }
    if in_argv {
        findings.push(
            Finding::new(
                "password-in-argv",
                "settings",
                Status::Warn,
                format!("{origin}: every user of this host can read a password in the process list"),
            )
            .fix("give user and password apart: --proxy-user USER --proxy-password-file FILE"),
        );
    }
    if value.password().is_some_and(|secret| !secret.expose().is_ascii()) {
        findings.push(
            Finding::new("proxy-password-not-ascii", "proxy", Status::Warn, "the proxy password has characters outside ASCII")
                .cause("it is written as percent-encoded UTF-8; requests and aiohttp send it as Latin-1 and botocore stops with an exception")
                .fix("use a password of ASCII characters for this account"),
        );
    }
}
