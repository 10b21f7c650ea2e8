//! What runs containers in place of the daemon that is served: podman, and daemons of users.

use std::path::{Path, PathBuf};

use super::super::reader::FileProbe;
use super::super::{Consumer, State, Who};
use crate::host::FileKind;
use crate::text;
use crate::text::{Text, own};

/// Where podman puts itself into the place of the docker command (package podman-docker).
pub(super) const COMMANDS: [&str; 3] = ["/usr/bin/docker", "/usr/local/bin/docker", "/bin/docker"];

/// The unit of a daemon without root's rights, below a home folder (`dockerd-rootless-setuptool.sh`).
const ROOTLESS: &str = ".config/systemd/user/docker.service";

/// Homes of more accounts than these are not looked into.
const MOST_ACCOUNTS: usize = 200;

/// podman in docker's place.
pub(super) fn podman(probe: &FileProbe<'_>) -> Option<Consumer> {
    let is_there = |path: &str| probe.host.lstat(Path::new(path)).ok().flatten();
    let is_podman = |path: &str| match is_there(path)?.kind {
        FileKind::Symlink => Some(probe.host.resolve(Path::new(path)).ok()?.ends_with("podman")),
        _ => {
            let bytes = probe.host.read(Path::new(path)).ok()??;
            // A script of some lines; the client itself has tens of megabytes and mentions everything.
            Some(bytes.starts_with(b"#!") && bytes.len() < 1 << 16 && memchr::memmem::find(&bytes, b"podman").is_some())
        }
    };
    let command = COMMANDS.into_iter().find(|path| is_podman(path) == Some(true));
    let nothing_else = || COMMANDS.iter().all(|path| is_there(path).is_none());
    let source = match command {
        Some(command) => command,
        None if is_there("/usr/bin/podman").is_some() && nothing_else() => "/usr/bin/podman",
        None => return None,
    };
    let why: Text = match command {
        Some(_) => "this host's docker is podman: it has no daemon and takes the proxy from the environment of its caller".into(),
        None => "Docker is not installed, podman is: it has no daemon and takes the proxy from the environment of its caller".into(),
    };
    Some(Consumer::unseen(Who::Docker, probe.shown(Path::new(source)), State::NotServed, why))
}

/// Daemons of users: each is a service of its user's manager, with files of its own.
pub(super) fn rootless(probe: &FileProbe<'_>) -> Vec<Consumer> {
    let passwd = probe.host.read(Path::new("/etc/passwd")).ok().flatten().unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    let account = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), PathBuf::from(fields.nth(4)?)))
    };
    let mut homes: Vec<(String, PathBuf)> = passwd.lines().take(MOST_ACCOUNTS).filter_map(account).collect();
    if !homes.iter().any(|(name, _)| name == "divvy") {
        homes.push(("divvy".to_owned(), "/home/divvy".into()));
    }
    let consumer = |(user, home): (String, PathBuf)| {
        let unit = home.join(ROOTLESS);
        probe.host.lstat(&unit).ok().flatten()?;
        let of_home = |path: &str| probe.shown(&home.join(path));
        let why = text!(
            "a daemon without root's rights runs as {}: it reads {} and {}, and nothing below /etc/systemd/system or /etc/docker",
            own(&user),
            own(of_home(".config/systemd/user/docker.service.d")),
            own(of_home(".config/docker/daemon.json"))
        );
        let consumer = Consumer::unseen(Who::Docker, probe.shown(&unit), State::NotServed, why);
        Some(Consumer { name: Some(user), ..consumer })
    };
    homes.into_iter().filter_map(consumer).collect()
}
