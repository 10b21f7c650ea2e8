//! Hosts that need the proxy and addresses that must not have it, from `assets/required-hosts.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::profile::{Client, all};
use super::rules::Route;
use super::target::Target;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Hosts that the product asks through the proxy.
    #[serde(rename = "host")]
    pub hosts: Vec<Required>,
    /// The instance's metadata.
    pub metadata: Metadata,
    /// How a machine tells in which cloud it is.
    #[serde(rename = "cloud")]
    pub clouds: Vec<Cloud>,
}

/// A host that the product asks through the proxy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Required {
    /// A name, or `*.` and a domain.
    pub pattern: String,
    /// A name that stands for a pattern.
    pub probe: Option<String>,
    /// What for.
    pub purpose: String,
    /// Who says so.
    pub source: String,
    /// When that was read.
    pub date: String,
}

/// Where a cloud tells an instance who it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// A link-local address.
    pub address: String,
    /// Who says so.
    pub source: String,
    /// When that was read.
    pub date: String,
}

/// One sign of a cloud.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// Its name for people.
    pub name: String,
    /// The file that tells.
    pub file: String,
    /// What it begins with there.
    pub begins: String,
}

impl Needs {
    /// The facts.
    pub fn get() -> &'static Self {
        static FACTS: LazyLock<Needs> = LazyLock::new(|| {
            #[allow(clippy::expect_used)] // part of the binary, and a test parses it
            toml::from_str(include_str!("../../assets/required-hosts.toml"))
                .expect("assets/required-hosts.toml is valid")
        });
        &FACTS
    }
}

impl Required {
    /// A request for it; `None`: the pattern has no host that could stand for it.
    pub fn target(&self) -> Option<Target> {
        Target::to_host(true, self.probe.as_deref().unwrap_or(&self.pattern))
    }
}

/// The hosts that a list takes away from the proxy: for each the member that does it and the clients that obey.
pub fn excluded<'h>(list: &str, hosts: &'h [Required]) -> Vec<(&'h Required, String, Vec<&'static Client>)> {
    let mut found = Vec::new();
    for host in hosts {
        let Some(target) = host.target() else { continue };
        let mut by = None;
        let mut obeying = Vec::new();
        for client in all() {
            if let Route::Direct(super::By::Member(member)) = client.route(&target, list) {
                by.get_or_insert(member);
                obeying.push(client);
            }
        }
        if let Some(member) = by {
            found.push((host, member, obeying));
        }
    }
    found
}
