//! `assets/host.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;
use crate::finding::Status;
use crate::version::Version;

/// The whole file; its comments say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub(super) clock: Clock,
    pub(super) disk: Disk,
    pub(super) temporary: Temporary,
    #[serde(rename = "port")]
    pub(super) ports: Vec<Port>,
    pub(super) owners: Owners,
    pub(super) compose: Compose,
    pub(super) firewall: Firewall,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clock {
    pub(super) host: String,
    pub(super) warn_seconds: u64,
    pub(super) fail_seconds: u64,
    /// Name, file.
    pub(super) keepers: Vec<(String, String)>,
    pub(super) source: String,
    #[allow(dead_code)] // for readers of the file
    date: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    pub(super) running_kib: u64,
    pub(super) full_kib: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Temporary {
    pub(super) folders: Vec<String>,
    pub(super) source: String,
    #[allow(dead_code)] // for readers of the file
    date: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Port {
    pub(super) number: u16,
    #[serde(rename = "use")]
    pub(super) used_for: String,
    /// What becomes of it when something else has it.
    pub(super) otherwise: Status,
    #[serde(default)]
    pub(super) front: bool,
    /// Is it the web interface's, which the settings can move?
    #[serde(default)]
    pub(super) interface: bool,
    #[serde(default)]
    pub(super) test_drive_only: bool,
    pub(super) source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owners {
    pub(super) front: Vec<String>,
    pub(super) forwarders: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compose {
    pub(super) crontabs: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Firewall {
    pub(super) docker: String,
    pub(super) ufw: String,
    pub(super) firewalld: String,
    pub(super) older_engine: String,
    #[allow(dead_code)] // for readers of the file
    reload: String,
    #[allow(dead_code)] // for readers of the file
    strict: String,
    #[allow(dead_code)] // for readers of the file
    date: String,
    /// The first engine that has a zone of its own.
    pub(super) zone_since: Version,
    pub(super) front: (u16, String),
}

impl Data {
    pub(super) fn get() -> &'static Self {
        static DATA: LazyLock<Data> = LazyLock::new(|| assets::read(&assets::HOST));
        &DATA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_fit_into_what_the_kernel_keeps() {
        let owners = &Data::get().owners;
        assert!(owners.front.iter().chain(&owners.forwarders).all(|name| name.len() <= 15), "{owners:?}");
        let hosts = crate::network::catalogue::Catalogue::shipped().endpoints;
        assert!(hosts.iter().any(|endpoint| endpoint.host == Data::get().clock.host), "it has to be reachable anyway");
        assert!(Data::get().clock.warn_seconds < Data::get().clock.fail_seconds);
    }
}
