//! What SELinux does now and after the next boot, and how the product's folder is labelled.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Seen, exists, text};
use crate::host::HostRead;
use crate::text::clean;

pub(crate) const ENFORCE: &str = "/sys/fs/selinux/enforce";
pub(crate) const CONFIG: &str = "/etc/selinux/config";

#[derive(Serialize, Deserialize)]
pub(crate) struct SelinuxFacts {
    /// What the kernel does now; nothing: it has no SELinux.
    pub(crate) running: Seen<Option<bool>>,
    /// `SELINUX=` for the next boot.
    pub(crate) configured: Option<String>,
    /// Is the product's folder there?
    pub(crate) home: bool,
    /// Its context.
    pub(crate) label: Option<String>,
}

/// Looks at the kernel, at SELinux's configuration and at the label of `home`.
pub(crate) fn observe(host: &dyn HostRead, home: &Path) -> SelinuxFacts {
    let running = Seen::live(host, || match text(host, ENFORCE) {
        Ok(found) => Seen::Is(found.map(|mode| mode.trim() == "1")),
        Err(why) => Seen::Unread(why),
    });
    let there = exists(host, home);
    let label = if there { host.label(home).ok().flatten() } else { None };
    SelinuxFacts {
        running,
        configured: text(host, CONFIG).ok().flatten().and_then(|text| mode(&text)),
        home: there,
        label: label.map(|label| clean(&label, 200)),
    }
}

/// The value of `SELINUX=`; the last one counts.
fn mode(config: &str) -> Option<String> {
    let value = config.lines().rev().find_map(|line| line.trim().strip_prefix("SELINUX="));
    value.map(|value| clean(value, 20).to_ascii_lowercase())
}
