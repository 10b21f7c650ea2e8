//! Which engine a host has.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::host::{Command, HostRead};
use crate::platform::{DPKG, dpkg_version, upstream};
use crate::text::clean;
use crate::vendor::Vendor;
use crate::version::Version;

/// Databases of rpm, by its releases (`%_dbpath`; rpm 4.16 and newer: sqlite, ndb).
const RPM: [&str; 5] = [
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
    "/var/lib/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/Packages.db",
];

/// An engine's release, and how it is known.
#[derive(Clone, Debug)]
pub(crate) struct EngineRelease {
    /// The release.
    pub(crate) version: Version,
    /// For a sentence: `dockerd --version`.
    pub(crate) source: String,
}

impl EngineRelease {
    /// Does it know `proxies` in `daemon.json`?
    pub(crate) fn knows_proxies(&self) -> bool {
        self.version >= Vendor::get().docker.proxies_since
    }
}

/// The engine: by its own word on a live host, else by the lists of installed packages; `None`: neither tells.
pub(crate) fn release(host: &dyn HostRead, limit: Duration) -> Option<EngineRelease> {
    asked(host, limit).or_else(|| installed(host))
}

/// `Docker version 20.10.24+dfsg1, build 5d6db84`, which needs no running daemon.
fn asked(host: &dyn HostRead, limit: Duration) -> Option<EngineRelease> {
    if !host.is_live() {
        return None;
    }
    let output = host.run(&Command { deadline: limit, ..Command::new(["dockerd", "--version"]) }).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = Version::parse(text.split_once(" version ")?.1.trim())?;
    Some(EngineRelease { version, source: "dockerd --version".to_owned() })
}

/// A list that cannot be read tells nothing.
fn installed(host: &dyn HostRead) -> Option<EngineRelease> {
    let packages = &Vendor::get().docker.packages;
    let read = |path: &str| host.read(Path::new(path)).ok().flatten();
    let known = |package: &str, version: &str, list: &str| {
        let source = format!("package {package} {} in {}", clean(version, 60), host.shown(Path::new(list)).display());
        Some(EngineRelease { version: Version::parse(upstream(version))?, source })
    };
    if let Some(status) = read(DPKG) {
        // Debian's package of the name docker is something else.
        return packages.iter().filter(|package| *package != "docker").find_map(|package| {
            let version = String::from_utf8_lossy(dpkg_version(&status, package)?).into_owned();
            known(package, &version, DPKG)
        });
    }
    RPM.into_iter().find_map(|list| {
        let database = read(list)?;
        packages.iter().find_map(|package| known(package, &rpm_version(&database, package)?, list))
    })
}

/// The version of a package in a database of rpm, whichever of its formats: the header of a package has the locale `C`, its
/// name, version and release one behind the other (`rpmtag.h`: tags 100, 1000, 1001, 1002). `None` also where an old
/// header is left over beside the new one.
fn rpm_version(database: &[u8], package: &str) -> Option<String> {
    let header = format!("C\0{package}\0");
    let version = |at: usize| {
        let rest = &database[at + header.len()..];
        let end = memchr::memchr(0, &rest[..rest.len().min(60)])?;
        std::str::from_utf8(&rest[..end]).ok().filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
    };
    let found: BTreeSet<&str> = memchr::memmem::find_iter(database, &header).filter_map(version).collect();
    (found.len() == 1).then(|| found.into_iter().next().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::double::Double;
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn the_lists_of_packages_tell_the_release() {
        let of = |path: &str, bytes: &[u8]| {
            let host = MemoryHost::new();
            host.put(path, bytes);
            release(&host, Duration::ZERO).map(|engine| (engine.version.to_string(), engine.knows_proxies()))
        };
        let status = b"Package: docker.io\nStatus: install ok installed\nVersion: 20.10.21-0ubuntu1~22.04.3\n";
        assert_eq!(of(DPKG, status), Some(("20.10.21".to_owned(), false)));
        let status = b"Package: docker-ce\nStatus: install ok installed\nVersion: 5:24.0.7-1~ubuntu.22.04~jammy\n";
        assert_eq!(of(DPKG, status), Some(("24.0.7".to_owned(), true)));
        assert_eq!(of(DPKG, b"Package: docker\nStatus: install ok installed\nVersion: 1.5\n"), None);
        assert_eq!(of(RPM[0], b"xxC\0docker-ce\x0020.10.8\x003.el8\0"), Some(("20.10.8".to_owned(), false)));
        assert_eq!(of(RPM[1], b"C\0docker-ce\x0019.03.1\x003.el7\0 C\0docker-ce\x0024.0.1\x001.el7\0"), None);
        assert_eq!(of(RPM[1], b"C\0docker-ce-cli\x0024.0.1\x003.el7\0"), None);
    }

    #[test]
    fn a_live_host_is_asked() {
        let host = Double::installed().prints("dockerd --version", "Docker version 26.1.5+dfsg1, build 411e817\n");
        assert_eq!(release(&host, Duration::ZERO).unwrap().version.to_string(), "26.1.5");
    }
}
