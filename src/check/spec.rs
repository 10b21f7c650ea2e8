//! What the settings ask for, as far as checks judge by it. Saved along with the facts, so it holds no secret; those are
//! in [`Secrets`].

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::consumers::{ProxySpec, Wanted};
use crate::context::AuthoritySpec;
use crate::network::cause::Via;
use crate::network::target::Target;
use crate::redact::{self, Redactor};
use crate::settings::{Deployment, Effective, Key, NoProxy, ProxyUrl, Role, Secret, Setting, Settings, host_shown};
use crate::system::cloud::Cloud;
use crate::text::Text;

/// What the host is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// `production` or `test-drive`.
    pub deployment: Deployment,
    /// The product's release, where somebody named one.
    pub release: Option<String>,
    /// The product's folder.
    pub home: PathBuf,
    /// Where the web interface answers, where somebody said so; `None`: on its usual port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// At which address of this host, where somebody said so; `None`: at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// Is this host to have the web interface, where somebody said what it is for?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<bool>,
    /// The proxies to use: one for http requests, one for https requests; the same one twice is the usual case.
    pub http_proxy: Option<ProxySpec>,
    /// For https requests.
    pub https_proxy: Option<ProxySpec>,
    /// They stood on the host already: nobody asked for them in this run.
    #[serde(default)]
    pub proxy_found: bool,
    /// They stood in `prod.env` alone.
    #[serde(default)]
    pub proxy_of_product: bool,
    /// What is to be reached without them: the members that `prepare` would write, as they may be shown.
    pub no_proxy: Vec<String>,
    /// The list is to have no other members.
    #[serde(default)]
    pub no_proxy_only: bool,
    /// The list that somebody gave, as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<GivenList>,
    /// The authority of a proxy that inspects TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthoritySpec>,
    /// The secret that the product reads the databases from, and the line that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub databases: Option<Databases>,
    /// Where MySQL is; `None`: nothing says so.
    pub mysql: Option<MysqlSpec>,
    /// Where Redis is; `None`: nothing says so.
    pub redis: Option<RedisSpec>,
    /// Files that could not be read when it was looked what the host has.
    #[serde(default)]
    pub unread: Vec<Unread>,
    /// The endpoints that the settings call for.
    #[serde(default)]
    pub endpoints: Vec<Target>,
    /// The clouds that the product connects to, where somebody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clouds: Option<Vec<Cloud>>,
    /// Which ways to them are tried; empty: the one that the settings imply.
    #[serde(default)]
    pub via: Vec<Via>,
    /// The limits that the facts were collected within.
    pub limits: Limits,
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    /// Which file, and why.
    pub why: Text,
    /// Root could read it.
    pub needs_root: bool,
}

/// A list that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenList {
    /// As it was typed, and what is written besides; without passwords.
    pub text: String,
    /// Who gave it: `--no-proxy`.
    pub origin: String,
}

impl GivenList {
    /// `only`: nothing is written besides; else these members are.
    pub(crate) fn new(typed: &Setting<String>, only: bool, written: &[String]) -> Self {
        let given = NoProxy::found(&typed.value);
        let others = written.iter().filter(|member| !only && !given.contains(member)).map(String::as_str);
        let text = std::iter::once(typed.value.as_str()).chain(others).collect::<Vec<_>>().join(",");
        Self { text: redact::list(&text), origin: typed.origin.to_string() }
    }
}

/// Host and port, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Where the host's name came from, as `--mysql-host` or `found in /divvycloud/prod.env:3`.
    pub origin: String,
    /// It is a Test Drive's own container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub container: bool,
}

/// A secret with the databases in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Databases {
    /// What it is called: `AWS secret ics`.
    pub secret: String,
    /// Who names it: `found in /divvycloud/prod.env:1`.
    pub origin: String,
}

/// MySQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MysqlSpec {
    /// Where it is.
    pub at: Address,
    /// The user.
    pub user: Option<String>,
    /// Is there a password?
    pub has_password: bool,
    /// The main database.
    pub database: String,
    /// The database of keys.
    pub secret_database: String,
    /// TLS: asked for, not wanted, or nobody said.
    pub tls: Option<bool>,
}

/// The user of the vendor's files, where nobody names one.
pub(crate) const USUAL_USER: &str = "divvy";

impl MysqlSpec {
    /// The user that a product gets where nobody names one.
    pub(crate) fn of_usual_user(&mut self) {
        self.user.get_or_insert_with(|| USUAL_USER.to_owned());
    }
}

/// Redis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSpec {
    /// Where it is.
    pub at: Address,
    /// Is there a password?
    pub has_password: bool,
    /// TLS: asked for, not wanted, or nobody said.
    pub tls: Option<bool>,
}

/// The time model, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// One connection attempt.
    pub connect: u64,
    /// One check.
    pub check: u64,
    /// One round of all checks.
    pub run: u64,
    /// How long failing checks are repeated.
    pub wait: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: 3_000, check: 10_000, run: 60_000, wait: 0 }
    }
}

impl Limits {
    /// Of one connection attempt.
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect)
    }

    /// Of one check.
    pub fn check(&self) -> Duration {
        Duration::from_millis(self.check)
    }

    /// Of one round.
    pub fn run(&self) -> Duration {
        Duration::from_millis(self.run)
    }

    /// Of the repetitions.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait)
    }
}

/// The passwords that checks log in with.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The whole URL for http requests.
    pub http_proxy: Option<ProxyUrl>,
    /// The whole URL for https requests.
    pub https_proxy: Option<ProxyUrl>,
    /// MySQL's.
    pub mysql: Option<Secret>,
    /// Redis's.
    pub redis: Option<Secret>,
}

/// Of a host that nobody has said anything about.
impl Default for CheckSpec {
    fn default() -> Self {
        Self {
            deployment: Deployment::Production,
            release: None,
            home: PathBuf::from("/divvycloud"),
            port: None,
            bind: None,
            interface: None,
            http_proxy: None,
            https_proxy: None,
            proxy_found: false,
            proxy_of_product: false,
            no_proxy: Vec::new(),
            no_proxy_only: false,
            list: None,
            authority: None,
            databases: None,
            mysql: None,
            redis: None,
            unread: Vec::new(),
            endpoints: Vec::new(),
            clouds: None,
            via: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Secrets {
    /// Keeps all of them, and the forms in which they travel, out of every output.
    pub fn teach(&self, redactor: &mut Redactor) {
        for url in [&self.http_proxy, &self.https_proxy].into_iter().flatten() {
            if let Some(login) = &url.credentials
                && let Some(password) = &login.password
            {
                redactor.learn_login(&login.user, password);
            }
        }
        [&self.mysql, &self.redis].into_iter().flatten().for_each(|secret| redactor.learn(secret));
    }
}

/// Is this the name of a Test Drive's container? Such a name means something inside of containers only.
pub(crate) fn is_published(deployment: Deployment, name: &str) -> bool {
    deployment == Deployment::TestDrive && !name.contains('.') && name != "localhost"
}

impl CheckSpec {
    /// What every consumer of proxy settings is to get.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            http: self.http_proxy.clone(),
            https: self.https_proxy.clone(),
            no_proxy: self.no_proxy.clone(),
            only: self.no_proxy_only,
            asked: !self.proxy_found,
            of_product: self.proxy_of_product,
            written: false,
            mends_others: false,
            removed: false,
            home: self.home.clone(),
        }
    }

    /// What the settings and the host say together.
    pub fn new(
        settings: &Settings,
        effective: &Effective<'_>,
        no_proxy: Vec<String>,
        limits: Limits,
    ) -> (Self, Secrets) {
        let wanted = Wanted::new(settings, no_proxy);
        let proxies = [&settings.proxies.http, &settings.proxies.https];
        let [http_url, https_url] = proxies.map(|setting| setting.as_ref().map(|url| url.value.clone()));
        let databases = effective.databases();
        let databases = databases.map(|own| Databases { secret: own.value.clone(), origin: own.origin.to_string() });
        let text = |key: Key, default: &str| effective.text(key).map_or_else(|| default.to_owned(), |(text, _)| text);
        let address = |host: Key, port: Key, usual: u16| {
            let test_drive = settings.deployment == Deployment::TestDrive;
            let (host, origin, container) = match effective.text(host) {
                // Their ports are published here.
                Some((name, _)) if is_published(settings.deployment, &name) => {
                    ("127.0.0.1".to_owned(), format!("the port that the container {name} publishes"), true)
                }
                // Nobody is asked by what is no host.
                Some((name, origin)) => (host_shown(&name), origin, false),
                None if test_drive => ("127.0.0.1".to_owned(), "a Test Drive has it on this host".to_owned(), true),
                None => return None,
            };
            let port = effective.text(port).and_then(|(port, _)| port.parse().ok()).unwrap_or(usual);
            Some(Address { host, port, origin, container })
        };
        let secrets = Secrets {
            http_proxy: http_url,
            https_proxy: https_url,
            mysql: effective.secret(Key::MysqlPassword),
            redis: effective.secret(Key::RedisPassword),
        };
        let spec = Self {
            deployment: settings.deployment,
            release: settings.release.clone(),
            home: settings.home.clone(),
            port: settings.text(Key::Port).and_then(|port| port.parse().ok()),
            bind: settings.text(Key::Bind).map(str::to_owned),
            interface: settings.said(Key::Role).map(|list| Role::of_list(list).contains(&Role::Interface)),
            proxy_found: !wanted.asked,
            proxy_of_product: wanted.of_product,
            http_proxy: wanted.http,
            https_proxy: wanted.https,
            no_proxy: wanted.no_proxy,
            mysql: address(Key::MysqlHost, Key::MysqlPort, 3306).map(|at| MysqlSpec {
                at,
                user: effective.text(Key::MysqlUser).map(|(user, _)| user),
                has_password: secrets.mysql.is_some(),
                database: text(Key::MysqlDatabase, "divvy"),
                secret_database: text(Key::MysqlSecretDatabase, "divvykeys"),
                tls: settings.mysql_tls,
            }),
            redis: address(Key::RedisHost, Key::RedisPort, 6379).map(|at| RedisSpec {
                at,
                has_password: secrets.redis.is_some(),
                tls: settings.redis_tls,
            }),
            databases,
            unread: effective
                .no_product()
                .map(|why| Unread { why: why.clone(), needs_root: false })
                .into_iter()
                .collect(),
            clouds: settings.clouds(),
            limits,
            ..Self::default()
        };
        (spec, secrets)
    }
}
