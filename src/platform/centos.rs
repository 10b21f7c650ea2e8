//! CentOS and the systems made like it: login environment through `/etc/profile.d`, packages with dnf or yum.

use std::path::Path;

use super::family::{Family, PackageManager};
use crate::host::HostRead;

/// `/etc/profile.d/proxy.sh` is sourced by login shells, so written as shell.
pub(super) const FAMILY: Family = Family {
    name: "centos",
    shown: "CentOS",
    habits: "dnf or yum, and the system proxy in /etc/profile.d/proxy.sh",
    system_proxy_file: "/etc/profile.d/proxy.sh",
    system_proxy_is_shell: true,
    package_manager,
};

/// dnf where it is set up, else yum. `/etc/yum.conf` of a dnf system is a link to `dnf/dnf.conf`: asking for the latter
/// first names the file itself. A path that cannot be looked at counts as there, so that the edit fails and says why.
fn package_manager(host: &dyn HostRead) -> PackageManager {
    let dnf = Path::new("/etc/dnf/dnf.conf");
    match host.lstat(dnf) {
        Ok(None) => PackageManager::Yum { conf: Path::new("/etc/yum.conf") },
        _ => PackageManager::Dnf { conf: dnf },
    }
}
