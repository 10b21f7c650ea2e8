//! Checks of the group `host`: is this machine fit for the product, before and after it is installed?
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `os` | which system, how old |
//! | `hardware` | cores, memory |
//! | `disk` | size, free space and inodes of `/`, the product's folder, Docker's folder |
//! | `ports` | who listens on the product's ports |
//! | `clock` | the clock against the `Date` of somebody else's HTTP |
//! | `name` | does the host know its own name? |
//! | `selinux` | does SELinux keep containers from the product's folder? |
//! | `mounts` | places that nothing may be started in, or written to |
//! | `files` | files that say what the settings are, and could not be read |
//! | `forwarding` | can containers reach anything through this host? |
//! | `sudo`, `umask` | traps for commands under sudo, and for files that root makes |
//! | `compose` | is docker-compose where root's crontab looks for it? |
//! | `runs` | a run of ics-setup that did not come to its end |
//! | `data` | `assets/host.toml` |

mod clock;
mod compose;
mod data;
mod disk;
mod files;
mod forwarding;
mod hardware;
mod mounts;
mod name;
mod os;
mod ports;
mod runs;
mod selinux;
mod sudo;
mod umask;

use std::fmt::Display;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::AnyCheck;
use crate::finding::{Finding, Status};
use crate::host::{FileKind, HostRead};

/// All of them, in the order in which they are reported.
pub const CHECKS: &[&dyn AnyCheck] = &[
    &os::Os,
    &hardware::Hardware,
    &disk::Disk,
    &mounts::Mounts,
    &ports::Ports,
    &clock::Clock,
    &name::Name,
    &selinux::Selinux,
    &forwarding::Forwarding,
    &sudo::Sudo,
    &umask::Umask,
    &compose::Compose,
    &runs::Runs,
    &files::Files,
];

/// [`Finding::group`] of all of them.
const GROUP: &str = "host";

/// A part of the facts that is not there on every host, or not for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Seen<T> {
    /// This was seen.
    Is(T),
    /// There is no running system to ask: the host is an image.
    Image,
    /// It could not be looked at.
    Unread(String),
}

impl<T> Seen<T> {
    /// Asks a running system only.
    fn live(host: &dyn HostRead, look: impl FnOnce() -> Self) -> Self {
        if host.is_live() { look() } else { Self::Image }
    }

    /// What was seen, or the finding that says why it was not: it passes for skipped, by name.
    fn or_skip(&self, id: &'static str, what: &str) -> Result<&T, Box<Finding>> {
        let why = match self {
            Self::Is(seen) => return Ok(seen),
            Self::Image => "this needs the running system, and --root names an image of one",
            Self::Unread(why) => why,
        };
        Err(Box::new(Finding::new(id, GROUP, Status::Skip, format!("{what}: not looked at")).observed(why)))
    }
}

/// Judges what was seen by `judge`, or says why it was not.
fn judged<T>(seen: &Seen<T>, id: &'static str, what: &str, judge: impl FnOnce(&T) -> Finding) -> Finding {
    seen.or_skip(id, what).map_or_else(|skipped| *skipped, judge)
}

/// A file's text; `None`: it is not there.
fn text(host: &dyn HostRead, path: &str) -> Result<Option<String>, String> {
    match host.read(Path::new(path)) {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(unread(&host.shown(Path::new(path)).display(), &error)),
    }
}

fn unread(shown: &dyn Display, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => format!("{shown} can be read by root only: run the same with sudo"),
        _ => format!("{shown} could not be read: {error}"),
    }
}

/// Is there anything (links followed) at `path`? What cannot be looked at counts as absent.
fn exists(host: &dyn HostRead, path: &Path) -> bool {
    host.resolve(path).is_ok_and(|path| host.lstat(&path).is_ok_and(|stat| stat.is_some()))
}

/// Is there a file with an x-bit at `path`?
fn is_program(host: &dyn HostRead, path: &Path) -> bool {
    let stat = host.resolve(path).ok().and_then(|path| host.lstat(&path).ok().flatten());
    stat.is_some_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0)
}

#[cfg(test)]
mod testing;
