//! Every setting, once: its key, flag, variable, help and default, and what the wizard asks for it. Flags, variables, the TOML file, what a run
//! remembers, the example, the JSON Schema and `settings show` are all made from this table.
//!
//! A new setting is an entry here and a line in its reader, which asks [`super::Settings::text`] or
//! [`super::Settings::switch`]; `UPDATE_README=1 cargo test --test readme` writes the table of the reference.

use std::collections::BTreeMap;
use std::fmt;

use super::role::Role;
use crate::platform::Strategy;
use crate::system::cloud::Cloud;
use crate::text::shown_by_display;

/// Declares every setting in the order in which they are shown: [`Key`] names them, [`TABLE`] describes them.
macro_rules! settings {
    ($($key:ident = $name:literal: $kind:ident($($argument:expr),*) $(.$more:ident($($value:expr)?))*;)*) => {
        /// The name of a setting: its dotted TOML key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $(#[doc = concat!("`", $name, "`.")] $key,)*
        }

        impl Key {
            /// The dotted TOML key.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$key => $name,)*
                }
            }
        }

        /// All settings, in the order of the keys.
        pub static TABLE: &[Spec] = &[$($kind(Key::$key, $($argument),*)$(.$more($($value)?))*),*];
    };
}

settings! {
    Deployment = "deployment": choice("deployment", "ICS_SETUP_DEPLOYMENT", &["production", "test-drive"])
        .help("Test Drive runs MySQL and Redis on this host and adds the local addresses to no_proxy")
        .default("production").asks("Which deployment is this host for?");
    Release = "release": release("release", "ICS_SETUP_RELEASE")
        .help("Product release, such as 22.3.9; decides which requirements hold");
    ProxyUrl = "proxy.url": text("proxy", "ICS_SETUP_PROXY", "URL")
        .help("Proxy for http and https requests, as http://HOST:PORT")
        .asks("Proxy URL for http and https");
    ProxyHttp = "proxy.http": text("http-proxy", "ICS_SETUP_HTTP_PROXY", "URL")
        .help("Proxy for http requests only, where it differs");
    ProxyHttps = "proxy.https": text("https-proxy", "ICS_SETUP_HTTPS_PROXY", "URL")
        .help("Proxy for https requests only [default: the http proxy]");
    ProxyUser = "proxy.user": text("proxy-user", "ICS_SETUP_PROXY_USER", "USER")
        .help("User name at the proxy, as it is (it is encoded where needed)")
        .asks("User at the proxy");
    ProxyPassword = "proxy.password": secret("ICS_SETUP_PROXY_PASSWORD")
        .help("Password at the proxy, as it is; best given as a file, or by a variable that --proxy-password-env names")
        .asks("Password at the proxy");
    ProxyPasswordFile = "proxy.password_file": password_file("proxy-password-file", "ICS_SETUP_PROXY_PASSWORD_FILE")
        .help("File whose content, without the final newline, is the proxy password");
    ProxyPasswordEnv = "proxy.password_env": text("proxy-password-env", "ICS_SETUP_PROXY_PASSWORD_ENV", "VARIABLE")
        .help("Name of the environment variable that holds the proxy password")
        .unsaved();
    ProxyNoProxy = "proxy.no_proxy": list("no-proxy", "ICS_SETUP_NO_PROXY", "LIST")
        .help("Hosts reached without the proxy, added to the built-in members and to those found on the host")
        .asks("Hosts that are reached without the proxy");
    ProxyNoProxyOnly = "proxy.no_proxy_only": list("no-proxy-only", "ICS_SETUP_NO_PROXY_ONLY", "LIST")
        .help("Exactly these hosts are reached without the proxy; nothing is added or kept");
    ProxyRemove = "proxy.remove": switch("remove-proxy", "ICS_SETUP_REMOVE_PROXY")
        .help("Take the proxy variables out again (in prod.env: comment them)")
        .default("false").unsaved();
    ProxyDirect = "proxy.direct": switch("direct", "ICS_SETUP_DIRECT")
        .help("This site has no proxy: requests go out directly, and no run asks for one")
        .default("false");
    ProxyCa = "proxy.ca": path("proxy-ca", "ICS_SETUP_PROXY_CA", "FILE")
        .help("CA certificate (PEM) of a proxy that inspects TLS: host and containers are made to trust it");
    ProxyCaSha256 = "proxy.ca_sha256": text("", "ICS_SETUP_PROXY_CA_SHA256", "HEX").unflagged()
        .help("SHA-256 of the certificates of --proxy-ca, as a run remembers it: others are not taken in their place");
    ProxyBothCases = "proxy.both_cases": switch("both-cases", "ICS_SETUP_BOTH_CASES")
        .help("Write HTTP_PROXY, HTTPS_PROXY and NO_PROXY beside the lower-case names")
        .default("false");
    MysqlHost = "mysql.host": text("mysql-host", "ICS_SETUP_MYSQL_HOST", "HOST")
        .help("MySQL host of both databases")
        .asks("MySQL host");
    MysqlPort = "mysql.port": port("mysql-port", "ICS_SETUP_MYSQL_PORT")
        .help("MySQL port")
        .asks("MySQL port");
    MysqlUser = "mysql.user": text("mysql-user", "ICS_SETUP_MYSQL_USER", "USER")
        .help("MySQL user")
        .asks("MySQL user");
    MysqlPassword = "mysql.password": secret("ICS_SETUP_MYSQL_PASSWORD")
        .help("MySQL password, as it is")
        .asks("MySQL password");
    MysqlPasswordFile = "mysql.password_file": password_file("mysql-password-file", "ICS_SETUP_MYSQL_PASSWORD_FILE")
        .help("File whose content, without the final newline, is the MySQL password");
    MysqlDatabase = "mysql.database": text("mysql-database", "ICS_SETUP_MYSQL_DATABASE", "NAME")
        .help("Main database")
        .asks("Name of the main database");
    MysqlSecretDatabase = "mysql.secret_database":
        text("mysql-secret-database", "ICS_SETUP_MYSQL_SECRET_DATABASE", "NAME")
        .help("Database of the encryption keys")
        .asks("Name of the key database");
    MysqlTls = "mysql.tls": switch("mysql-tls", "ICS_SETUP_MYSQL_TLS")
        .help("Connect to MySQL with TLS");
    RedisHost = "redis.host": text("redis-host", "ICS_SETUP_REDIS_HOST", "HOST")
        .help("Redis host")
        .asks("Redis host");
    RedisPort = "redis.port": port("redis-port", "ICS_SETUP_REDIS_PORT")
        .help("Redis port")
        .asks("Redis port");
    RedisPassword = "redis.password": secret("ICS_SETUP_REDIS_PASSWORD")
        .help("Redis password, as it is")
        .asks("Redis password");
    RedisPasswordFile = "redis.password_file": password_file("redis-password-file", "ICS_SETUP_REDIS_PASSWORD_FILE")
        .help("File whose content, without the final newline, is the Redis password");
    RedisTls = "redis.tls": switch("redis-tls", "ICS_SETUP_REDIS_TLS")
        .help("Connect to Redis with TLS");
    AwsSecret = "aws.secret_name": text("aws-secret", "ICS_SETUP_AWS_SECRET", "NAME")
        .help("Secret of AWS Secrets Manager that the product takes its databases from, in place of --mysql-…").of_product();
    AwsRegion = "aws.region": text("aws-region", "ICS_SETUP_AWS_REGION", "REGION")
        .help("AWS region of that secret").of_product();
    NoSecretsProvider = "aws.no_secrets_provider": switch("no-secrets-provider", "ICS_SETUP_NO_SECRETS_PROVIDER")
        .help("Take the databases from prod.env again: its lines about them are as they stood before --aws-secret")
        .unsaved().of_product();
    Os = "os": choice("os", "ICS_SETUP_OS", Strategy::NAMES)
        .help("Treat the host as this family, whatever it says of itself");
    // Which regions there are, the catalogue of endpoints knows; a user's file can add one.
    AgentRegion = "agent.region": text("agent-region", "ICS_SETUP_AGENT_REGION", "REGION")
        .help("Data region of the Insight Agent: us, us2, us3, ca, eu, ap, au")
        .asks("Insight platform region");
    AgentCollector = "agent.collector": list("collector", "ICS_SETUP_COLLECTOR", "HOST")
        .help("Collector that agents on this host talk to; may be repeated")
        .asks("Collector hosts");
    Clouds = "clouds": words("clouds", "ICS_SETUP_CLOUDS", Cloud::NAMES)
        .help("Clouds that the product will connect to: their endpoints are required, those of the others left out [default: all of them optional; on an EC2 instance AWS is required]");
    Home = "home": path("home", "ICS_SETUP_HOME", "DIR")
        .help("Folder of the product, where prod.env is")
        .default("/divvycloud");
    Target = "target": list("target", "ICS_SETUP_TARGET", "NAME")
        .help("Limit the run to these targets, or add one: trust, system-proxy, docker-daemon, package-manager, prod-env, compose-file, boot")
        .unsaved();
    MendOthers = "mend_others": switch("mend-others", "ICS_SETUP_MEND_OTHERS")
        .help("Edit also files that a package or a configuration tool owns, where they would win over what is written")
        .unsaved();
    CheckFirst = "check_first": switch("check-first", "ICS_SETUP_CHECK_FIRST")
        .help("Check host and proxy before anything is written, and write nothing where that fails")
        .unsaved();
    Restart = "restart": switch("restart", "ICS_SETUP_RESTART")
        .help("Restart the services that must read the new settings (--no-restart: leave them)")
        .unsaved();
    Image = "image": text("image", "ICS_SETUP_IMAGE", "REF")
        .help("Image of the product with its tag [default: that of the release]").of_product();
    Role = "role": words("role", "ICS_SETUP_ROLE", Role::NAMES)
        .help("What this host of a production with several does [default: as its compose file says, else all]").of_product();
    Workers = "workers": number("workers", "ICS_SETUP_WORKERS")
        .help("How many workers run on this host [default: by its memory]").of_product();
    Port = "port": port("port", "ICS_SETUP_PORT")
        .help("Port of this host where the web interface answers [default: 8001]").of_product();
    Bind = "bind": text("bind", "ICS_SETUP_BIND", "ADDRESS")
        .help("Address of this host where the web interface answers [default: all]").of_product();
    ReverseProxy = "reverse_proxy": switch("reverse-proxy", "ICS_SETUP_REVERSE_PROXY")
        .help("The web interface stands behind a proxy or load balancer that ends TLS").of_product();
    CreateDatabases = "mysql.create_databases": switch("create-databases", "ICS_SETUP_CREATE_DATABASES")
        .help("Create both databases and the product's user, as --mysql-admin-user").unsaved().of_product();
    MysqlAdminUser = "mysql.admin_user": text("mysql-admin-user", "ICS_SETUP_MYSQL_ADMIN_USER", "USER")
        .help("MySQL user who may create databases and users").unsaved().of_product()
        .asks("MySQL administrator");
    MysqlAdminPassword = "mysql.admin_password": secret("ICS_SETUP_MYSQL_ADMIN_PASSWORD")
        .help("Password of that user, as it is").of_product()
        .asks("Password of the administrator");
    MysqlAdminPasswordFile = "mysql.admin_password_file":
        password_file("mysql-admin-password-file", "ICS_SETUP_MYSQL_ADMIN_PASSWORD_FILE")
        .help("File whose content, without the final newline, is that password").of_product();
    Bundle = "bundle": path("bundle", "ICS_SETUP_BUNDLE", "DIR")
        .help("Folder with images, compose file and SHA256SUMS, for hosts without internet").unsaved().of_product();
    From = "from": text("from", "ICS_SETUP_FROM", "URL")
        .help("Compose file to take instead of the built-in one; its checksum is --from-sha256").unsaved().of_product();
    FromSha256 = "from_sha256": text("from-sha256", "ICS_SETUP_FROM_SHA256", "HEX")
        .help("SHA-256 of what --from names").unsaved().of_product();
    ComposeBinary = "compose_binary": path("compose-binary", "ICS_SETUP_COMPOSE_BINARY", "FILE")
        .help("Compose to install where the system has none; its checksum is --compose-sha256").unsaved().of_product();
    ComposeSha256 = "compose_sha256": text("compose-sha256", "ICS_SETUP_COMPOSE_SHA256", "HEX")
        .help("SHA-256 of --compose-binary").unsaved().of_product();
    DockerRepo = "docker_repo": text("docker-repo", "ICS_SETUP_DOCKER_REPO", "URL")
        .help("Package repository of Docker, where the system's own has none").unsaved().of_product();
    DockerRepoKey = "docker_repo_key": path("docker-repo-key", "ICS_SETUP_DOCKER_REPO_KEY", "FILE")
        .help("Key that signs --docker-repo").unsaved().of_product();
    DockerGroup = "docker_group": text("docker-group", "ICS_SETUP_DOCKER_GROUP", "USER")
        .help("User who joins the group docker, whose members are as mighty as root").unsaved().of_product();
    BackupTaken = "backup_taken": switch("backup-taken", "ICS_SETUP_BACKUP_TAKEN")
        .help("Both databases were backed up just now, so an upgrade makes no dump of its own").unsaved().of_product();
    HealthyWithin = "healthy_within": duration("healthy-within", "ICS_SETUP_HEALTHY_WITHIN")
        .help("How long the product may take to be healthy after its start")
        .default("10m").unsaved().of_product();
    MigrateWithin = "migrate_within": duration("migrate-within", "ICS_SETUP_MIGRATE_WITHIN")
        .help("The same while it upgrades the schema of its database")
        .default("2h").unsaved().of_product();
}

impl Key {
    /// The setting's entry in the table.
    pub fn spec(self) -> &'static Spec {
        // `settings!` gives each key its entry, in the order of the keys.
        &TABLE[self as usize]
    }

    /// Of a password: the setting that names a file with it.
    pub fn file_of_password(self) -> Option<Self> {
        match self {
            Self::ProxyPassword => Some(Self::ProxyPasswordFile),
            Self::MysqlPassword => Some(Self::MysqlPasswordFile),
            Self::RedisPassword => Some(Self::RedisPasswordFile),
            Self::MysqlAdminPassword => Some(Self::MysqlAdminPasswordFile),
            _ => None,
        }
    }

    /// TOML table, empty for a key outside of all tables, and name in it.
    pub fn parts(self) -> (&'static str, &'static str) {
        self.as_str().split_once('.').unwrap_or(("", self.as_str()))
    }

    /// Is it a key of this TOML table?
    pub fn is_in(self, section: &str) -> bool {
        self.parts().0 == section
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

shown_by_display!(Key);

/// What the text of a setting must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// Members separated by commas; the flag may be repeated.
    List,
    /// Numbers with dots between them, a `v` in front at most: a release of the product.
    Release,
    /// A number from 1 to 65535.
    Port,
    /// A number from 1 to 999.
    Number,
    /// A path on this machine.
    Path,
    /// A time such as `90s`, `10m` or `2h`.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words, separated by commas; the flag may be repeated.
    Words(&'static [&'static str]),
}

/// One setting in all its faces.
#[derive(Debug)]
pub struct Spec {
    /// Dotted TOML key, also the name in `settings show`.
    pub key: Key,
    /// Long flag without dashes; `None`: no flag, because a value in argv can be read by every user.
    pub flag: Option<&'static str>,
    /// Environment variable.
    pub variable: &'static str,
    /// What the value must look like.
    pub shape: Shape,
    /// What stands for the value in help texts.
    pub value_name: &'static str,
    /// Must never be shown.
    pub secret: bool,
    /// Remembered for the next run.
    pub saved: bool,
    /// The value when nobody gives one, as text.
    pub default: Option<&'static str>,
    /// What the wizard asks; `None`: it does not ask for this.
    pub question: Option<&'static str>,
    /// Only runs about the product itself know its flag.
    pub product: bool,
    /// One sentence for `--help`, the example file and the schema.
    pub help: &'static str,
}

impl Shape {
    /// Does it take several values?
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Words(_))
    }
}

impl Spec {
    /// The name a person would use for it in a message: the flag where there is one.
    pub fn shown(&self) -> String {
        self.flag.map_or_else(|| self.variable.to_owned(), |flag| format!("--{flag}"))
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn asks(self, question: &'static str) -> Self {
        Self { question: Some(question), ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn unflagged(self) -> Self {
        Self { flag: None, ..self }
    }

    const fn of_product(self) -> Self {
        Self { product: true, ..self }
    }

    const fn unsaved(self) -> Self {
        Self { saved: false, ..self }
    }
}

const fn text(key: Key, flag: &'static str, variable: &'static str, value_name: &'static str) -> Spec {
    Spec {
        key,
        flag: Some(flag),
        variable,
        shape: Shape::Text,
        value_name,
        secret: false,
        saved: true,
        default: None,
        question: None,
        product: false,
        help: "",
    }
}

const fn list(key: Key, flag: &'static str, variable: &'static str, value_name: &'static str) -> Spec {
    Spec { shape: Shape::List, ..text(key, flag, variable, value_name) }
}

const fn path(key: Key, flag: &'static str, variable: &'static str, value_name: &'static str) -> Spec {
    Spec { shape: Shape::Path, ..text(key, flag, variable, value_name) }
}

const fn switch(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Switch, ..text(key, flag, variable, "BOOL") }
}

const fn port(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Port, ..text(key, flag, variable, "PORT") }
}

const fn release(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Release, ..text(key, flag, variable, "VERSION") }
}

const fn number(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Number, ..text(key, flag, variable, "N") }
}

const fn duration(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Duration, ..text(key, flag, variable, "TIME") }
}

const fn choice(key: Key, flag: &'static str, variable: &'static str, words: &'static [&'static str]) -> Spec {
    Spec { shape: Shape::Choice(words), ..text(key, flag, variable, "TEXT") }
}

const fn words(key: Key, flag: &'static str, variable: &'static str, words: &'static [&'static str]) -> Spec {
    Spec { shape: Shape::Words(words), ..text(key, flag, variable, "LIST") }
}

const fn secret(key: Key, variable: &'static str) -> Spec {
    Spec { flag: None, secret: true, ..text(key, "", variable, "PASSWORD").unsaved() }
}

const fn password_file(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    path(key, flag, variable, "FILE").unsaved()
}

/// Keys that version 0.1.0 saved although nothing read them: files that have them are read all the same.
pub(super) const RETIRED: [&str; 1] = ["roles"];

/// The setting with this key.
pub fn by_key(key: &str) -> Option<&'static Spec> {
    TABLE.iter().find(|spec| spec.key.as_str() == key)
}

/// The settings grouped by TOML table, top-level ones first under `""`; the order of the table is kept within a group.
pub(super) fn by_section() -> BTreeMap<&'static str, Vec<(&'static str, &'static Spec)>> {
    let mut sections: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for spec in TABLE {
        let (section, name) = spec.key.parts();
        sections.entry(section).or_default().push((name, spec));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_flags_and_variables_are_unique_and_regular() {
        for spec in TABLE {
            let same = |f: fn(&Spec) -> &str| TABLE.iter().filter(|other| f(other) == f(spec)).count();
            assert_eq!(same(|spec| spec.key.as_str()), 1, "{}", spec.key);
            assert_eq!(same(|spec| spec.variable), 1, "{}", spec.variable);
            if let Some(flag) = spec.flag {
                let variable = format!("ICS_SETUP_{}", flag.replace('-', "_").to_uppercase());
                assert_eq!(variable, spec.variable);
            }
            assert!(!spec.help.is_empty() && spec.question != Some(""), "{}", spec.key);
            assert!(!spec.secret || (spec.flag.is_none() && !spec.saved), "{}", spec.key);
        }
    }
}
