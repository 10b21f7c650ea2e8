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

/// What the next boot makes of `SELINUX=`, as libselinux reads it (`src/enabled.c`, `selinux_getenforcemode`): the first line that
/// begins with it, and goes on with one of the three words, whatever follows. Where there is none, the first that begins so.
fn mode(config: &str) -> Option<String> {
    let values = || config.lines().filter_map(|line| line.strip_prefix("SELINUX="));
    let begins = |value: &str, word: &str| value.get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word));
    let word = |value: &str| ["enforcing", "permissive", "disabled"].into_iter().find(|word| begins(value, word));
    let other = || values().next().map(|value| clean(value, 20).to_ascii_lowercase());
    values().find_map(word).map(str::to_owned).or_else(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_says_a_mode_counts() {
        for (config, found) in [
            ("# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", Some("enforcing")),
            ("SELINUX=enforcing # x\n", Some("enforcing")),
            ("SELINUX=enforcing\nSELINUX=disabled\n", Some("enforcing")),
            ("SELINUX=Permissive\nSELINUX=enforcing\n", Some("permissive")),
            ("SELINUX=on\nSELINUX=enforcing\n", Some("enforcing")),
            ("  SELINUX=enforcing\nSELINUX=on\n", Some("on")),
            ("SELINUXTYPE=targeted\n", None),
        ] {
            assert_eq!(mode(config).as_deref(), found, "{config}");
        }
    }
}
