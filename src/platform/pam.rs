//! Which linux-pam reads `/etc/environment` on a host, and how long a line it can bear.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Os;
use super::facts::System;
use super::sources::shown;
use crate::assets;
use crate::envfile::PamLimit;
use crate::host::HostRead;
use crate::text::clean;
use crate::version::Version;

pub(crate) const DPKG: &str = "/var/lib/dpkg/status";

/// The linux-pam of a host.
#[derive(Clone, Debug)]
pub(crate) struct PamFacts {
    /// `1.5.2`, or `unknown`.
    pub release: String,
    /// How that is known, in words.
    pub known_from: String,
    /// What its `pam_env` does to long lines.
    pub limit: PamLimit,
}

/// Asks the package database, then the table of what the systems ship; else assumes the strictest.
pub(super) fn facts(host: &dyn HostRead, os: &Os, system: Option<&System>) -> PamFacts {
    let table = Table::get();
    installed(host, table).or_else(|| shipped(table, os, system?)).unwrap_or_else(|| PamFacts {
        release: "unknown".to_owned(),
        known_from: "nothing on this host tells; the strictest limit of all releases is assumed".to_owned(),
        limit: table.strictest(),
    })
}

/// Reading is best effort: without a readable package database the table answers.
fn installed(host: &dyn HostRead, table: &Table) -> Option<PamFacts> {
    let status = host.read(Path::new(DPKG)).ok()??;
    let full = clean(&String::from_utf8_lossy(dpkg_version(&status, "libpam-modules")?), 60);
    let upstream = upstream(&full);
    let limit = table.limit(&Version::parse(upstream)?, None);
    let known_from = format!("package libpam-modules {full} in {}", shown(host, DPKG));
    Some(PamFacts { release: upstream.to_owned(), known_from, limit })
}

/// The release of `1:1.5.2-6+deb12u1`, which is the epoch, the release, the packager's revision.
pub(crate) fn upstream(version: &str) -> &str {
    let release = version.split_once(':').map_or(version, |(_, rest)| rest);
    release.split_once('-').map_or(release, |(release, _)| release)
}

/// The version of a package in dpkg's database. The file has megabytes, so nothing but the one entry is looked at.
pub(crate) fn dpkg_version<'s>(status: &'s [u8], package: &str) -> Option<&'s [u8]> {
    let entry = format!("Package: {package}\n");
    let name = memchr::memmem::Finder::new(&entry);
    name.find_iter(status).filter(|&at| at == 0 || status[at - 1] == b'\n').find_map(|at| {
        let entry = &status[at..];
        let entry = &entry[..memchr::memmem::find(entry, b"\n\n").unwrap_or(entry.len())];
        let field = |name: &[u8]| entry.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(name));
        // Removed packages stay in the file as "deinstall ok config-files".
        field(b"Status: ")?.ends_with(b" installed").then(|| field(b"Version: "))?
    })
}

fn shipped(table: &Table, os: &Os, system: &System) -> Option<PamFacts> {
    let row = table.shipped(system, &Version::parse(&os.version)?)?;
    let built_with = row.built_with.as_deref();
    let with = built_with.map(|library| format!(", built with {library}")).unwrap_or_default();
    Some(PamFacts {
        release: row.release.clone(),
        known_from: format!("what {} {} ships{with} (not looked up on this host)", system.name, os.version),
        limit: table.limit(&Version::parse(&row.release)?, built_with),
    })
}

/// `assets/linux-pam.toml`; its comments say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    ships: BTreeMap<String, Releases>,
    limit: Vec<Limit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Releases {
    releases: Vec<Release>,
}

/// The linux-pam that a system ships from one version on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    from: Version,
    release: String,
    built_with: Option<String>,
}

/// The longest line of `/etc/environment` for some releases of linux-pam.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    before: Option<Version>,
    built_with: Option<String>,
    cut: Option<usize>,
    drop: Option<usize>,
}

impl Table {
    /// The table.
    pub(super) fn get() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| assets::read(&assets::LINUX_PAM));
        &TABLE
    }

    /// The release that this version of this system ships.
    pub(super) fn shipped(&self, system: &System, version: &Version) -> Option<&Release> {
        self.ships.get(&system.pam)?.releases.iter().rev().find(|row| row.from <= *version)
    }

    /// The limit of the oldest releases, which the file names first.
    pub(super) fn strictest(&self) -> PamLimit {
        self.limit.first().map_or(PamLimit::None, Limit::meaning)
    }

    fn limit(&self, release: &Version, built_with: Option<&str>) -> PamLimit {
        let fits = |row: &&Limit| match (&row.before, row.built_with.as_deref()) {
            (Some(before), _) => release < before,
            (None, library) => library.is_some() && library == built_with,
        };
        self.limit.iter().find(fits).map_or(PamLimit::None, Limit::meaning)
    }
}

impl Limit {
    fn meaning(&self) -> PamLimit {
        match (self.cut, self.drop) {
            (Some(bytes), _) => PamLimit::Cut(bytes),
            (None, Some(bytes)) => PamLimit::Drop(bytes),
            (None, None) => PamLimit::None,
        }
    }
}
