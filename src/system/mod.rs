//! What this system has: its clock, disks, mounts, ports, …
//!
//! Each module asks one thing, with bounds on time and size, and returns what it saw: plain data that can be saved, without
//! an opinion and without secrets. Their fields are part of saved facts.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `accounts` | users and groups of this machine |
//! | `clock` | the `Date` of somebody else's HTTP |
//! | `cloud` | in which cloud this is |
//! | `compose` | docker-compose, and what root's crontab calls |
//! | `disk` | size, free space and inodes |
//! | `ecs` | is this a task of ECS, or a host that tasks run on? |
//! | `firewall` | ufw and firewalld, and whom they let reach a port |
//! | `forwarding` | forwarding of packets, default routes |
//! | `hardware` | cores, memory |
//! | `mounts` | the mounts that some places lie on |
//! | `name` | the host's name, by its own resolver |
//! | `names` | the hosts file, and the name servers that containers ask |
//! | `owner` | whose a file is: nobody's, a package's, a tool's, a user's |
//! | `pools` | the addresses of Docker's networks |
//! | `ports` | listening sockets and who holds them |
//! | `profile_d` | the scripts that login shells source |
//! | `selinux` | SELinux's mode, the label of a folder |
//! | `sockets` | TCP sockets of every network namespace, and the processes that hold them |
//! | `sudo` | what sudo sets for everybody |
//! | `umask` | umasks that files of the system set |
//!
//! Which system it is tells [`crate::platform`].

pub(crate) mod accounts;
pub(crate) mod clock;
pub(crate) mod cloud;
pub(crate) mod compose;
pub(crate) mod disk;
pub(crate) mod ecs;
pub(crate) mod firewall;
pub(crate) mod forwarding;
pub(crate) mod hardware;
pub(crate) mod mounts;
pub(crate) mod name;
pub(crate) mod names;
pub(crate) mod owner;
pub(crate) mod pools;
pub(crate) mod ports;
pub(crate) mod profile_d;
pub(crate) mod selinux;
pub(crate) mod sockets;
pub(crate) mod sudo;
pub(crate) mod umask;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::host::{FileKind, HostRead};
use crate::text;
use crate::text::{Text, own};

/// Why what only a running system has was not looked at.
pub(crate) const IMAGE: &str = "this needs the running system, and --root names an image of one";

/// A part of the facts that is not there on every host, or not for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Seen<T> {
    /// This was seen.
    Is(T),
    /// There is no running system to ask: the host is an image.
    Image,
    /// It could not be looked at.
    Unread(Text),
}

impl<T> Seen<T> {
    /// Asks a running system only.
    fn live(host: &dyn HostRead, look: impl FnOnce() -> Self) -> Self {
        if host.is_live() { look() } else { Self::Image }
    }

    /// What `read` makes of the text of a file that every running system has.
    fn in_file(host: &dyn HostRead, path: &'static str, read: impl FnOnce(&str) -> T) -> Self {
        Self::live(host, || match text(host, path) {
            Ok(Some(text)) => Self::Is(read(&text)),
            Ok(None) => Self::Unread(text!("{} is not there", own(path))),
            Err(why) => Self::Unread(why),
        })
    }
}

/// A file's text; `None`: it is not there.
fn text(host: &dyn HostRead, path: &str) -> Result<Option<String>, Text> {
    match host.read(Path::new(path)) {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(unread(&host.shown(Path::new(path)), &error)),
    }
}

fn unread(shown: &Path, error: &std::io::Error) -> Text {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => text!("{} can be read by root only: run the same with sudo", shown),
        _ => text!("{} could not be read: {}", shown, error),
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
