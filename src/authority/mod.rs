//! The authority of a proxy that inspects TLS: who on a host trusts it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `store` | the host's own store: files that runs place, and the bundles that a program of the system makes of them |
//! | `containers` | what the product's containers are given: mounts, and variables that clients read |

mod containers;
mod store;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use containers::Variable;
pub(crate) use containers::{
    ContainersFacts, Elsewhere, WrongBundle, bundle_file, is_mount_line, is_variable, mounts, product_file, variables,
};
pub(crate) use store::{Asked, Bundle, Store, anew, is_of_store, is_taken_up, refresh};

use crate::environment::{dockerd, started};
use crate::host::HostRead;
use crate::net::Certificates;
use crate::platform::Platform;
use crate::text::Foreign;

/// How long systemd may take to name the daemon.
const DAEMON: Duration = Duration::from_secs(2);

/// Who trusts an authority, as far as that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorityFacts {
    /// Whose certificates.
    pub(crate) subjects: Vec<Foreign>,
    /// What stands in the host's store.
    pub(crate) host: HostFacts,
    /// What the product's containers are given; `None`: there is no product.
    pub(crate) containers: Option<ContainersFacts>,
}

/// The host's store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostFacts {
    /// The bundle; `None`: there is none.
    pub(crate) bundle: Option<String>,
    /// Whose certificates are not in it.
    pub(crate) missing: Vec<Foreign>,
    /// All of those lie where the system's program takes them up.
    pub(crate) placed: bool,
    /// The program has not to be waited for: it runs with the plan that is looked at.
    pub(crate) planned: bool,
    /// Programs can be run here.
    pub(crate) live: bool,
    /// The folder of the store.
    pub(crate) folder: String,
    /// The program that takes up what is in it.
    pub(crate) program: String,
    /// What OpenSSL says to the certificates that were placed.
    pub(crate) openssl: Asked,
    /// Intermediates without their roots.
    pub(crate) without_root: Vec<Foreign>,
    /// The Docker daemon was started before they were placed.
    pub(crate) daemon_is_older: bool,
}

/// As [`observe`], of certificates as PEM.
pub(crate) fn observe_pem(host: &dyn HostRead, platform: &Platform, home: &Path, pem: &str) -> AuthorityFacts {
    observe(host, platform, home, &Certificates::of_bundle(pem.as_bytes()))
}

/// Looks who trusts these certificates on a host, or on one as it is planned.
pub(crate) fn observe(
    host: &dyn HostRead,
    platform: &Platform,
    home: &Path,
    certificates: &Certificates,
) -> AuthorityFacts {
    let store = Store::of(platform);
    let bundle = Bundle::of(host);
    let known = bundle.as_ref().map(|bundle| bundle.certificates.clone()).unwrap_or_default();
    let missing = certificates.without(&known);
    // What lies there and cannot be read is not taken up either.
    let there = store.certificates(host).unwrap_or_default();
    let placed = Store::files(host).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    AuthorityFacts {
        subjects: certificates.subjects(),
        host: HostFacts {
            bundle: bundle.map(|bundle| bundle.path.display().to_string()),
            placed: there.has(&missing),
            planned: !host.is_live() && host.is_this_machine(),
            live: host.is_live(),
            folder: store.folder.display().to_string(),
            program: store.program.to_owned(),
            openssl: if missing.is_empty() { store::ask(host, &placed) } else { Asked::Not },
            without_root: certificates.without_root(&known),
            daemon_is_older: daemon_is_older(host),
            missing: missing.subjects(),
        },
        containers: containers::observe(host, home, certificates, &known),
    }
}

/// Runs the Docker daemon since before what runs have placed in the store? It reads the system's roots once.
pub(crate) fn daemon_is_older(host: &dyn HostRead) -> bool {
    let newest =
        Store::files(host).into_iter().filter_map(|(path, _)| host.snapshot(&path).ok()??.attributes.mtime).max();
    let Some(newest) = newest.filter(|_| host.is_live()) else { return false };
    let since = dockerd(host, DAEMON).and_then(|daemon| started(host, daemon.pid));
    // A process' start is known to the second.
    since.is_some_and(|since| i128::from(newest) > (i128::from(since) + 1) * 1_000_000_000)
}
