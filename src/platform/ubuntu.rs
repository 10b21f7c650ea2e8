//! Ubuntu and the systems made like it: login environment through pam_env, packages with apt.

use std::path::Path;

use super::family::{Family, PackageManager};

/// pam_env reads `/etc/environment` for every way of logging in; no shell file. A file of our own for apt, which reads
/// `apt.conf.d` in the order of names: 95 leaves the administrator room behind us.
pub(super) const FAMILY: Family = Family {
    name: "ubuntu",
    shown: "Ubuntu",
    habits: "apt, and the system proxy in /etc/environment",
    system_proxy_file: "/etc/environment",
    system_proxy_is_shell: false,
    package_manager: |_| PackageManager::Apt { conf: Path::new("/etc/apt/apt.conf.d/95ics-setup-proxy") },
};
