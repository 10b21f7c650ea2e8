//! Every setting, once: its key, flag, variable, help and default, and what the wizard asks for it. Flags, variables, the TOML file, the saved
//! settings, the example, the JSON Schema and `settings show` are all made from this table.
//!
//! A new setting is an entry here and a line in its reader, which asks [`super::Settings::text`] or
//! [`super::Settings::switch`]; `UPDATE_README=1 cargo test --test readme` writes the table of the README.

use std::collections::BTreeMap;
use std::fmt;

use crate::platform::Strategy;
use crate::text::Shown;

macro_rules! keys {
    ($($key:ident = $name:literal),* $(,)?) => {
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
    };
}

keys! {
    Deployment = "deployment",
    Release = "release",
    ProxyUrl = "proxy.url",
    ProxyHttp = "proxy.http",
    ProxyHttps = "proxy.https",
    ProxyUser = "proxy.user",
    ProxyPassword = "proxy.password",
    ProxyPasswordFile = "proxy.password_file",
    ProxyPasswordEnv = "proxy.password_env",
    ProxyNoProxy = "proxy.no_proxy",
    ProxyNoProxyOnly = "proxy.no_proxy_only",
    ProxyRemove = "proxy.remove",
    ProxyCa = "proxy.ca",
    ProxyBothCases = "proxy.both_cases",
    MysqlHost = "mysql.host",
    MysqlPort = "mysql.port",
    MysqlUser = "mysql.user",
    MysqlPassword = "mysql.password",
    MysqlPasswordFile = "mysql.password_file",
    MysqlDatabase = "mysql.database",
    MysqlSecretDatabase = "mysql.secret_database",
    MysqlTls = "mysql.tls",
    RedisHost = "redis.host",
    RedisPort = "redis.port",
    RedisPassword = "redis.password",
    RedisPasswordFile = "redis.password_file",
    RedisTls = "redis.tls",
    Os = "os",
    AgentRegion = "agent.region",
    AgentCollector = "agent.collector",
    Home = "home",
    Target = "target",
    Restart = "restart",
}

impl Key {
    /// The setting's entry in the table.
    pub fn spec(self) -> &'static Spec {
        // `TABLE` is checked below to have one entry a key, in the order of the keys.
        &TABLE[self as usize]
    }

    /// Of a password: the setting that names a file with it.
    pub fn file_of_password(self) -> Option<Self> {
        match self {
            Self::ProxyPassword => Some(Self::ProxyPasswordFile),
            Self::MysqlPassword => Some(Self::MysqlPasswordFile),
            Self::RedisPassword => Some(Self::RedisPasswordFile),
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

const _: () = {
    let mut at = 0;
    while at < TABLE.len() {
        assert!(TABLE[at].key as usize == at, "TABLE has the order of the keys");
        at += 1;
    }
};

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Shown for Key {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the text of a setting must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// Members separated by commas; the flag may be repeated.
    List,
    /// A number from 1 to 65535.
    Port,
    /// A path on this machine.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
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
    /// Kept in `/etc/ics-setup/settings.toml` for the next run.
    pub saved: bool,
    /// The value when nobody gives one, as text.
    pub default: Option<&'static str>,
    /// What the wizard asks; `None`: it does not ask for this.
    pub question: Option<&'static str>,
    /// One sentence for `--help`, the example file and the schema.
    pub help: &'static str,
}

impl Spec {
    /// The name a person would use for it in a message: the flag where there is one.
    pub fn shown(&self) -> String {
        self.flag.map_or_else(|| self.variable.to_owned(), |flag| format!("--{flag}"))
    }
}

const fn text(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec {
        key,
        flag: Some(flag),
        variable,
        shape: Shape::Text,
        value_name: "TEXT",
        secret: false,
        saved: true,
        default: None,
        question: None,
        help: "",
    }
}

const fn secret(key: Key, variable: &'static str) -> Spec {
    Spec { flag: None, secret: true, saved: false, value_name: "PASSWORD", ..text(key, "", variable) }
}

const fn password_file(key: Key, flag: &'static str, variable: &'static str) -> Spec {
    Spec { shape: Shape::Path, value_name: "FILE", saved: false, ..text(key, flag, variable) }
}

/// All settings, in the order in which they are shown.
pub static TABLE: &[Spec] = &[
    Spec {
        shape: Shape::Choice(&["production", "test-drive"]),
        default: Some("production"),
        question: Some("Which deployment is this host for?"),
        help: "Test Drive runs MySQL and Redis on this host and adds the local addresses to no_proxy",
        ..text(Key::Deployment, "deployment", "ICS_SETUP_DEPLOYMENT")
    },
    Spec {
        value_name: "VERSION",
        help: "Product release, such as 22.3.9; decides which requirements hold",
        ..text(Key::Release, "release", "ICS_SETUP_RELEASE")
    },
    Spec {
        value_name: "URL",
        question: Some("Proxy URL for http and https?"),
        help: "Proxy for http and https requests, as http://HOST:PORT",
        ..text(Key::ProxyUrl, "proxy", "ICS_SETUP_PROXY")
    },
    Spec {
        value_name: "URL",
        help: "Proxy for http requests only, where it differs",
        ..text(Key::ProxyHttp, "http-proxy", "ICS_SETUP_HTTP_PROXY")
    },
    Spec {
        value_name: "URL",
        help: "Proxy for https requests only [default: the http proxy]",
        ..text(Key::ProxyHttps, "https-proxy", "ICS_SETUP_HTTPS_PROXY")
    },
    Spec {
        value_name: "USER",
        question: Some("User at the proxy?"),
        help: "User name at the proxy, as it is (it is encoded where needed)",
        ..text(Key::ProxyUser, "proxy-user", "ICS_SETUP_PROXY_USER")
    },
    Spec {
        question: Some("Password at the proxy?"),
        help: "Password at the proxy, as it is; best given as a file or by an otherwise named variable",
        ..secret(Key::ProxyPassword, "ICS_SETUP_PROXY_PASSWORD")
    },
    Spec {
        help: "File whose content, without the final newline, is the proxy password",
        ..password_file(Key::ProxyPasswordFile, "proxy-password-file", "ICS_SETUP_PROXY_PASSWORD_FILE")
    },
    Spec {
        shape: Shape::Text,
        value_name: "VARIABLE",
        help: "Name of the environment variable that holds the proxy password",
        ..password_file(Key::ProxyPasswordEnv, "proxy-password-env", "ICS_SETUP_PROXY_PASSWORD_ENV")
    },
    Spec {
        shape: Shape::List,
        value_name: "LIST",
        question: Some("Hosts that are reached without the proxy?"),
        help: "Hosts reached without the proxy, added to the built-in members and to those found on the host",
        ..text(Key::ProxyNoProxy, "no-proxy", "ICS_SETUP_NO_PROXY")
    },
    Spec {
        shape: Shape::List,
        value_name: "LIST",
        help: "Exactly these hosts are reached without the proxy; nothing is added or kept",
        ..text(Key::ProxyNoProxyOnly, "no-proxy-only", "ICS_SETUP_NO_PROXY_ONLY")
    },
    Spec {
        shape: Shape::Switch,
        value_name: "BOOL",
        saved: false,
        default: Some("false"),
        help: "Take the proxy variables out again (in prod.env: comment them)",
        ..text(Key::ProxyRemove, "remove-proxy", "ICS_SETUP_REMOVE_PROXY")
    },
    Spec {
        shape: Shape::Path,
        value_name: "FILE",
        help: "CA certificate (PEM) of a proxy that inspects TLS",
        ..text(Key::ProxyCa, "proxy-ca", "ICS_SETUP_PROXY_CA")
    },
    Spec {
        shape: Shape::Switch,
        value_name: "BOOL",
        default: Some("false"),
        help: "Write HTTP_PROXY, HTTPS_PROXY and NO_PROXY beside the lower-case names",
        ..text(Key::ProxyBothCases, "both-cases", "ICS_SETUP_BOTH_CASES")
    },
    Spec {
        value_name: "HOST",
        question: Some("MySQL host?"),
        help: "MySQL host of both databases",
        ..text(Key::MysqlHost, "mysql-host", "ICS_SETUP_MYSQL_HOST")
    },
    Spec {
        shape: Shape::Port,
        value_name: "PORT",
        question: Some("MySQL port?"),
        help: "MySQL port",
        ..text(Key::MysqlPort, "mysql-port", "ICS_SETUP_MYSQL_PORT")
    },
    Spec {
        value_name: "USER",
        question: Some("MySQL user?"),
        help: "MySQL user",
        ..text(Key::MysqlUser, "mysql-user", "ICS_SETUP_MYSQL_USER")
    },
    Spec {
        question: Some("MySQL password?"),
        help: "MySQL password, as it is",
        ..secret(Key::MysqlPassword, "ICS_SETUP_MYSQL_PASSWORD")
    },
    Spec {
        help: "File whose content, without the final newline, is the MySQL password",
        ..password_file(Key::MysqlPasswordFile, "mysql-password-file", "ICS_SETUP_MYSQL_PASSWORD_FILE")
    },
    Spec {
        value_name: "NAME",
        question: Some("Name of the main database?"),
        help: "Main database",
        ..text(Key::MysqlDatabase, "mysql-database", "ICS_SETUP_MYSQL_DATABASE")
    },
    Spec {
        value_name: "NAME",
        question: Some("Name of the key database?"),
        help: "Database of the encryption keys",
        ..text(Key::MysqlSecretDatabase, "mysql-secret-database", "ICS_SETUP_MYSQL_SECRET_DATABASE")
    },
    Spec {
        shape: Shape::Switch,
        value_name: "BOOL",
        help: "Connect to MySQL with TLS",
        ..text(Key::MysqlTls, "mysql-tls", "ICS_SETUP_MYSQL_TLS")
    },
    Spec {
        value_name: "HOST",
        question: Some("Redis host?"),
        help: "Redis host",
        ..text(Key::RedisHost, "redis-host", "ICS_SETUP_REDIS_HOST")
    },
    Spec {
        shape: Shape::Port,
        value_name: "PORT",
        question: Some("Redis port?"),
        help: "Redis port",
        ..text(Key::RedisPort, "redis-port", "ICS_SETUP_REDIS_PORT")
    },
    Spec {
        question: Some("Redis password?"),
        help: "Redis password, as it is",
        ..secret(Key::RedisPassword, "ICS_SETUP_REDIS_PASSWORD")
    },
    Spec {
        help: "File whose content, without the final newline, is the Redis password",
        ..password_file(Key::RedisPasswordFile, "redis-password-file", "ICS_SETUP_REDIS_PASSWORD_FILE")
    },
    Spec {
        shape: Shape::Switch,
        value_name: "BOOL",
        help: "Connect to Redis with TLS",
        ..text(Key::RedisTls, "redis-tls", "ICS_SETUP_REDIS_TLS")
    },
    Spec {
        shape: Shape::Choice(Strategy::NAMES),
        help: "Treat the host as this family, whatever it says of itself",
        ..text(Key::Os, "os", "ICS_SETUP_OS")
    },
    Spec {
        // Which regions there are, the catalogue of endpoints knows; a user's file can add one.
        value_name: "REGION",
        question: Some("Insight platform region?"),
        help: "Data region of the Insight Agent: us, us2, us3, ca, eu, ap, au",
        ..text(Key::AgentRegion, "agent-region", "ICS_SETUP_AGENT_REGION")
    },
    Spec {
        shape: Shape::List,
        value_name: "HOST",
        question: Some("Collector hosts?"),
        help: "Collector that agents on this host talk to; may be repeated",
        ..text(Key::AgentCollector, "collector", "ICS_SETUP_COLLECTOR")
    },
    Spec {
        shape: Shape::Path,
        value_name: "DIR",
        default: Some("/divvycloud"),
        question: Some("Folder of the product?"),
        help: "Folder of the product, where prod.env is",
        ..text(Key::Home, "home", "ICS_SETUP_HOME")
    },
    Spec {
        shape: Shape::List,
        value_name: "NAME",
        saved: false,
        help: "Limit the run to these targets, or add one: system-proxy, docker-daemon, package-manager, prod-env",
        ..text(Key::Target, "target", "ICS_SETUP_TARGET")
    },
    Spec {
        shape: Shape::Switch,
        value_name: "BOOL",
        saved: false,
        help: "Restart the services that must read the new settings (--no-restart: leave them)",
        ..text(Key::Restart, "restart", "ICS_SETUP_RESTART")
    },
];

/// Keys that version 0.2.0 saved although nothing read them: files that have them are read all the same.
pub(super) const RETIRED: [&str; 4] = ["roles", "workers", "image", "bundle"];

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
