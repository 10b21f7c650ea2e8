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
    /// The variable beside it that names the region once more.
    pub region_variable: String,
    /// How the value begins where the secret is one of AWS.
    pub aws: String,
    /// What stands before the secret's name in its value.
    pub name: String,
    /// What stands before its region.
    pub region: String,
    /// Settings whose lines it stands in the place of.
    pub lines: Vec<String>,
    /// Members of the secret.
    pub keys: Vec<String>,
}

impl SecretsProvider {
    /// Both variables.
    pub(crate) fn variables(&self) -> [&str; 2] {
        [&self.variable, &self.region_variable]
    }

    /// Is it a secret of AWS?
    pub(crate) fn is_aws(&self, value: &str) -> bool {
        first_member(value).trim() == self.aws
    }

    /// A member of the value.
    pub(crate) fn member<'v>(&self, value: &'v str, key: &str) -> Option<&'v str> {
        let mut parts = value.split(',').filter_map(|part| part.trim().split_once('='));
        parts.find(|(own, _)| *own == key).map(|(_, member)| member).filter(|member| !member.is_empty())
    }

    /// The secret for people: its name, or of what kind it is where it names none.
    pub(crate) fn shown(&self, value: &str) -> String {
        let kind = if self.is_aws(value) { "AWS secret" } else { "secret" };
        let name = self.member(value, &self.name).map_or_else(|| self.masked(first_member(value)), str::to_owned);
        format!("{kind} {name}")
    }

    /// The value with what may be shown of it: its kind, name and region, and of all else the names. What other kinds of
    /// secrets need to be read may stand in it.
    pub(crate) fn masked(&self, value: &str) -> String {
        let is_word = |kind: &str| kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let of_member = |(at, member): (usize, &str)| match member.split_once('=') {
            Some((key, _)) if [&self.name, &self.region].iter().any(|own| *own == key.trim()) => member.to_owned(),
            Some((key, _)) if is_word(key.trim()) => format!("{key}=…"),
            None if at == 0 && is_word(member.trim()) => member.to_owned(),
            _ => "…".to_owned(),
        };
        value.split(',').enumerate().map(of_member).collect::<Vec<_>>().join(",")
    }

    /// The value for a secret of AWS; what else stands in the `present` one stays.
    pub(crate) fn value(&self, present: Option<&str>, secret: &str, region: &str) -> String {
        let wanted = [(self.region.as_str(), region), (self.name.as_str(), secret)];
        let present = present.filter(|present| self.is_aws(present)).unwrap_or(&self.aws);
        let mut parts: Vec<String> = present.split(',').map(|part| part.trim().to_owned()).collect();
        for (key, value) in wanted {
            let own = format!("{key}={value}");
            match parts.iter_mut().find(|part| part.split_once('=').is_some_and(|(name, _)| name == key)) {
                Some(part) => *part = own,
                None => parts.push(own),
            }
        }
        parts.join(",")
    }

    /// The variables that it stands in the place of, of both generations.
    pub(crate) fn outranked(&self) -> impl Iterator<Item = &'static str> {
        let of_setting = |key: &'static String| {
            [Generation::Current, Generation::Older].into_iter().flat_map(|own| Vendor::get().variables(own, key))
        };
        Vendor::get().secrets_provider.lines.iter().flat_map(of_setting).map(String::as_str)
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

/// What kind of secret a value names.
fn first_member(value: &str) -> &str {
    value.split(',').next().unwrap_or_default()
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
        let by_hand = "AWSAssumeRole,region=us-east-1, secret_name=ics, role=x=y";
        assert_eq!(provider.shown(by_hand), "AWS secret ics");
        assert_eq!(provider.shown("Other"), "secret Other");
        for (value, shown, masked) in [
            ("Vault,addr=x:1,token=T7x", "secret Vault", "Vault,addr=…,token=…"),
            ("token=T7x,region=eu", "secret token=…", "token=…,region=eu"),
            ("AWSAssumeRole, secret_name=a,key=T7x=,T7x", "AWS secret a", "AWSAssumeRole, secret_name=a,key=…,…"),
            ("https://T7x@h/", "secret …", "…"),
            ("{\"token\":\"T7x=\"}", "secret …", "…"),
        ] {
            assert_eq!((provider.shown(value), provider.masked(value)), (shown.to_owned(), masked.to_owned()));
        }
        assert_eq!(provider.member(by_hand, &provider.region), Some("us-east-1"));
        assert_eq!(provider.value(None, "a=b", "eu-west-1"), "AWSAssumeRole,region=eu-west-1,secret_name=a=b");
        let moved = "AWSAssumeRole,region=eu-west-1,secret_name=new,role=x=y";
        assert_eq!(provider.value(Some(by_hand), "new", "eu-west-1"), moved);
        assert_eq!(provider.outranked().count(), 16);
    }
}
