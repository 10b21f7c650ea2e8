//! Ubuntu and the systems made like it: login environment through pam_env, packages with apt.

use std::path::Path;

use super::PackageManager;

/// What this strategy takes for granted, in words.
pub(super) const HABITS: &str = "apt, and the system proxy in /etc/environment";

/// Read by pam_env for every way of logging in; no shell file.
pub(super) fn system_proxy_file() -> &'static Path {
    Path::new("/etc/environment")
}

/// A file of our own: apt reads `apt.conf.d` in the order of names, and 95 leaves the administrator room behind us.
pub(super) fn package_manager() -> PackageManager {
    PackageManager::Apt { conf: Path::new("/etc/apt/apt.conf.d/95ics-setup-proxy") }
}
