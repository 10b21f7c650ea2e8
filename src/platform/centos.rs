//! CentOS and the systems made like it: login environment through `/etc/profile.d`, packages with dnf or yum.

use std::path::Path;

use super::PackageManager;
use crate::host::HostRead;

/// What this strategy takes for granted, in words.
pub(super) const HABITS: &str = "dnf or yum, and the system proxy in /etc/profile.d/proxy.sh";

/// Sourced by login shells, so written as shell.
pub(super) fn system_proxy_file() -> &'static Path {
    Path::new("/etc/profile.d/proxy.sh")
}

/// dnf where it is set up, else yum. `/etc/yum.conf` of a dnf system is a link to `dnf/dnf.conf`: asking for the latter
/// first names the file itself. A path that cannot be looked at counts as there, so that the edit fails and says why.
pub(super) fn package_manager(host: &dyn HostRead) -> PackageManager {
    let dnf = Path::new("/etc/dnf/dnf.conf");
    match host.lstat(dnf) {
        Ok(None) => PackageManager::Yum { conf: Path::new("/etc/yum.conf") },
        _ => PackageManager::Dnf { conf: dnf },
    }
}
