//! Checks of the group `host`: is this machine fit for the product, before and after it is installed? What they judge is seen
//! by [`crate::system`].
//!
//! | module | what it judges |
//! | --- | --- |
//! | `os` | which system, how old |
//! | `hardware` | cores, memory |
//! | `disk` | size, free space and inodes of `/`, the product's folder, Docker's folder |
//! | `ports` | who listens on the product's ports |
//! | `clock` | the clock against the `Date` of somebody else's HTTP |
//! | `name` | does the host know its own name? |
//! | `selinux` | does SELinux keep containers from what they mount? |
//! | `firewall` | whom ufw and firewalld let reach the product |
//! | `mounts` | places that nothing may be started in, or written to |
//! | `files` | files that say what the settings are, and could not be read |
//! | `forwarding` | can containers reach anything through this host? |
//! | `pools` | do Docker's networks swallow addresses that the product needs? |
//! | `sudo`, `umask` | traps for commands under sudo, and for files that root makes |
//! | `compose` | is docker-compose where root's crontab looks for it? |
//! | `ecs` | is this part of Amazon ECS, where settings stand elsewhere? |
//! | `runs` | a run of ics-setup that did not come to its end |
//! | `data` | `assets/host.toml` |

mod clock;
mod compose;
mod data;
mod disk;
mod ecs;
mod files;
mod firewall;
mod forwarding;
mod hardware;
mod mounts;
mod name;
mod os;
mod pools;
mod ports;
mod runs;
mod selinux;
mod sudo;
mod umask;

use std::path::Path;

use super::AnyCheck;
use crate::check::prelude::*;
use crate::system::{IMAGE, Seen};
use crate::text::{Own, quoted};

/// All of them, in the order in which they are reported.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[
    &os::Os,
    &hardware::Hardware,
    &disk::Disk,
    &mounts::Mounts,
    &ports::Ports,
    &clock::Clock,
    &name::Name,
    &selinux::Selinux,
    &firewall::Firewall,
    &forwarding::Forwarding,
    &pools::Pools,
    &sudo::Sudo,
    &umask::Umask,
    &compose::Compose,
    &ecs::InEcs,
    &runs::Runs,
    &files::Files,
];

impl<T> Seen<T> {
    /// What was seen, or the finding that says why it was not: it passes for skipped, by name.
    fn or_skip(&self, id: FindingId, what: impl Into<Text>) -> Result<&T, Box<Finding>> {
        let why = match self {
            Self::Is(seen) => return Ok(seen),
            Self::Image => IMAGE.into(),
            Self::Unread(why) => why.clone(),
        };
        Err(Box::new(Finding::skip(id, text!("{}: not looked at", what.into())).observed(why)))
    }

    /// What holds now, for messages; `of` names what was seen.
    fn now(&self, of: impl FnOnce(&T) -> &'static str) -> Text {
        match self {
            Self::Is(seen) => of(seen).into(),
            Self::Image => "an image, nothing runs".into(),
            Self::Unread(why) => why.clone(),
        }
    }
}

/// A path as an argument of a command line.
fn argument(path: &Path) -> Own<String> {
    own(quoted(&path.to_string_lossy()))
}

/// Judges what was seen by `judge`, or says why it was not.
fn judged<T>(seen: &Seen<T>, id: FindingId, what: &'static str, judge: impl FnOnce(&T) -> Finding) -> Finding {
    seen.or_skip(id, what).map_or_else(|skipped| *skipped, judge)
}

#[cfg(test)]
mod testing;
