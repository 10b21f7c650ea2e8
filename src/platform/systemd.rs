//! Which release of systemd a host has, as far as its system tells.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Os;
use super::facts::System;
use crate::assets;
use crate::envfile::unit::Release;
use crate::version::Version;

/// The release that the system ships; unknown where the table does not have it.
pub(super) fn release(os: &Os, system: Option<&System>) -> Release {
    let shipped = || {
        let version = Version::parse(&os.version)?;
        let rows = &Table::get().ships.get(&system?.pam)?.releases;
        rows.iter().rev().find(|row| row.from <= version).map(|row| &row.release)
    };
    Release::of(shipped())
}

/// `assets/systemd.toml`; its comments say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    ships: BTreeMap<String, Releases>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Releases {
    releases: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    from: Version,
    release: Version,
}

impl Table {
    fn get() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| assets::read(&assets::SYSTEMD));
        &TABLE
    }
}

#[cfg(test)]
mod tests {
    use crate::envfile::unit::Release;
    use crate::host::MemoryHost;
    use crate::platform::detect;

    #[test]
    fn systems_and_their_systemd() {
        for (os, version, known, unknown) in [
            ("centos", "7", 219, 220),
            ("ubuntu", "22.04", 249, 250),
            ("rocky", "9.4", 252, 253),
            ("ubuntu", "14.04", 0, 0),
        ] {
            let host = MemoryHost::new();
            host.put("/etc/os-release", format!("ID={os}\nVERSION_ID=\"{version}\"\n").as_bytes());
            let Ok((platform, _)) = detect(&host, None) else { panic!("{os} {version}") };
            let release = platform.systemd();
            if known == 0 {
                assert_eq!(release, Release::UNKNOWN, "{os} {version}");
            } else {
                assert_eq!((release.since(known), release.since(unknown)), (Some(true), Some(false)), "{os} {version}");
            }
        }
    }
}
