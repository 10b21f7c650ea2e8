//! What SELinux does now and after the next boot, and how the product's folder is labelled.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Seen, exists, text};
use crate::host::HostRead;
use crate::text::{Text, clean};

pub(crate) const ENFORCE: &str = "/sys/fs/selinux/enforce";
pub(crate) const CONFIG: &str = "/etc/selinux/config";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SelinuxFacts {
    /// What the kernel does now; nothing: it has no SELinux.
    pub(crate) running: Seen<Option<bool>>,
    /// `SELINUX=` for the next boot.
    pub(crate) configured: Option<String>,
    /// Why that could not be read.
    #[serde(default)]
    pub(crate) unread: Option<Text>,
    /// Is the product's folder there?
    pub(crate) home: bool,
    /// Its context.
    pub(crate) label: Option<String>,
}

impl SelinuxFacts {
    /// Does SELinux forbid what its policy does not allow, now or after the next boot? What cannot be told may be so. Without
    /// SELinux in the kernel a configuration that is left over means nothing.
    pub(crate) fn is_enforcing(&self) -> bool {
        match self.running {
            Seen::Is(None) => false,
            Seen::Is(Some(true)) => true,
            _ => self.unread.is_some() || self.configured.as_deref() == Some("enforcing"),
        }
    }
}

/// Looks at the kernel, at SELinux's configuration and at the label of `home`.
pub(crate) fn observe(host: &dyn HostRead, home: &Path) -> SelinuxFacts {
    let running = match host.is_this_machine().then(|| text(host, ENFORCE)) {
        None => Seen::Image,
        Some(Ok(found)) => Seen::Is(found.map(|mode| mode.trim() == "1")),
        Some(Err(why)) => Seen::Unread(why),
    };
    let there = exists(host, home);
    let label = if there { host.label(home).ok().flatten() } else { None };
    let (configured, unread) = match text(host, CONFIG) {
        Ok(text) => (text.and_then(|text| mode(&text)), None),
        Err(why) => (None, Some(why)),
    };
    SelinuxFacts { running, configured, unread, home: there, label: label.map(|label| clean(&label, 200)) }
}

/// The value of `SELINUX=`; the last one counts.
fn mode(config: &str) -> Option<String> {
    let value = config.lines().rev().find_map(|line| line.trim().strip_prefix("SELINUX="));
    value.map(|value| clean(value, 20).to_ascii_lowercase())
}
