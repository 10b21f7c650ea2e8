//! The vendor's facts, from `assets/vendor.toml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;
use crate::text::words::words;
use crate::version::Version;

/// What the product's documents and files say.
#[derive(Debug, Deserialize)]
pub(crate) struct Vendor {
    /// Passwords that are published as defaults, so no secrets.
    pub published_passwords: Vec<String>,
    /// Members of `no_proxy`.
    pub no_proxy: NoProxyMembers,
    /// Files of the Docker daemon.
    pub docker: DockerFiles,
    /// Files of Compose.
    pub compose: ComposeFiles,
    /// What prod.env says of a secret with the databases in it.
    pub secrets_provider: SecretsProvider,
    /// Variables by which clients are led to certificates.
    pub authority: AuthorityVariables,
    /// The first release that reads the newer names of `prod.env`.
    pub current_since: Version,
    generation: BTreeMap<Generation, BTreeMap<String, Vec<String>>>,
}

/// Built-in members of `no_proxy`.
#[derive(Debug, Deserialize)]
pub(crate) struct NoProxyMembers {
    /// For every deployment, in the documented order.
    pub base: Vec<String>,
    /// For Test Drive, behind the base, as documented.
    pub test_drive: Vec<String>,
    /// For Test Drive, not documented but needed.
    pub test_drive_added: Vec<String>,
}

/// Variables that name a file of trusted certificates to clients in the product's containers.
#[derive(Debug, Deserialize)]
pub(crate) struct AuthorityVariables {
    /// Its certificates take the place of the client's own.
    pub replace: Vec<String>,
    /// Its certificates are trusted besides.
    pub add: Vec<String>,
}

/// Where the Docker daemon finds its proxy.
#[derive(Debug, Deserialize)]
pub(crate) struct DockerFiles {
    /// systemd drop-in, read by every engine.
    pub drop_in: PathBuf,
    /// `proxies` in here outrank the environment (engine 23 and newer).
    pub daemon_json: PathBuf,
    /// The first engine that knows `proxies` there.
    pub proxies_since: Version,
    /// The address of the host in the engine's own bridge, where nobody chose another.
    pub bridge: IpAddr,
    /// Where its networks come from without `default-address-pools`: a network, and the length of those that are cut from it.
    pub pools: Vec<(String, u8)>,
    /// Packages of the engine.
    pub packages: Vec<String>,
    /// Where its client is, as root's search path finds it; podman puts itself there too (package podman-docker).
    pub clients: Vec<PathBuf>,
}

/// Where Compose is.
#[derive(Debug, Deserialize)]
pub(crate) struct ComposeFiles {
    /// The program of its own; first the path that root's crontab names.
    pub programs: Vec<PathBuf>,
    /// The plugin behind `docker compose`.
    pub plugins: Vec<PathBuf>,
}

/// How prod.env names a secret that outranks its lines about the databases.
#[derive(Debug, Deserialize)]
pub(crate) struct SecretsProvider {
    /// The variable.
    pub variable: String,
    /// What stands before the secret's name in its value.
    pub name: String,
    /// Members of the secret.
    pub keys: Vec<String>,
}

impl SecretsProvider {
    /// The secret's name; the whole value where it names none.
    pub(crate) fn secret<'v>(&self, value: &'v str) -> &'v str {
        let mut parts = value.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(key, _)| *key == self.name).map_or(value, |(_, name)| name)
    }
}

words! {
    /// Which names the variables of `prod.env` have.
    pub enum Generation {
        /// `DIVVY_DB_*`, 2019 and newer.
        Current = "current",
        /// `DIVVY_MYSQL_*`, 2016 to 2018.
        Older = "older",
    }
}

impl Vendor {
    /// The facts.
    pub(crate) fn get() -> &'static Self {
        static FACTS: LazyLock<Vendor> = LazyLock::new(|| assets::read(&assets::VENDOR));
        &FACTS
    }

    /// The variables of `prod.env` that a setting stands in.
    pub(crate) fn variables(&self, generation: Generation, key: &str) -> &[String] {
        self.generation.get(&generation).and_then(|names| names.get(key)).map_or(&[], Vec::as_slice)
    }

    /// The settings that stand in `prod.env`, in stable order.
    pub(crate) fn prod_env_keys(&self) -> impl Iterator<Item = &str> {
        let names = self.generation.get(&Generation::Current).into_iter().flat_map(BTreeMap::keys);
        names.map(String::as_str).filter(|key| *key != "prefixes")
    }

    /// The setting that stands in this variable of `prod.env`, in either generation.
    pub(crate) fn setting_of(&self, name: &str) -> Option<&str> {
        let mut settings = self.generation.values().flatten().filter(|(key, _)| *key != "prefixes");
        settings.find(|(_, names)| names.iter().any(|own| own == name)).map(|(key, _)| key.as_str())
    }

    /// What the names that belong to one generation alone begin with.
    pub(crate) fn prefixes(&self, generation: Generation) -> &[String] {
        self.variables(generation, "prefixes")
    }
}

/// `prod.env` below the product's folder.
pub(crate) fn prod_env(home: &Path) -> PathBuf {
    home.join("prod.env")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_have_the_same_settings() {
        let vendor = Vendor::get();
        for key in vendor.prod_env_keys() {
            assert!(!vendor.variables(Generation::Current, key).is_empty(), "{key}");
            assert!(!vendor.variables(Generation::Older, key).is_empty(), "{key}");
            assert!(crate::settings::by_key(key).is_some(), "{key}");
        }
        assert_eq!(vendor.no_proxy.base.join(","), "mysql,redis,169.254.169.254");
        let provider = &vendor.secrets_provider;
        assert_eq!(provider.secret("AWSAssumeRole,region=us-east-1, secret_name=ics"), "ics");
        assert_eq!(provider.secret("Other"), "Other");
    }
}
