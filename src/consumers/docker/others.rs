//! What runs containers in place of the daemon that is served: podman, and daemons of users.

use std::path::{Path, PathBuf};

use super::super::reader::FileProbe;
use super::super::{Consumer, State, Who};
use crate::docker;
use crate::environment::PRODUCT_USER;
use crate::system::accounts;
use crate::text;
use crate::text::{Text, own};

/// The unit of a daemon without root's rights, below a home folder (`dockerd-rootless-setuptool.sh`).
const ROOTLESS: &str = ".config/systemd/user/docker.service";

/// Homes of more accounts than these are not looked into.
const MOST_ACCOUNTS: usize = 200;

/// podman in docker's place.
pub(super) fn podman(probe: &FileProbe<'_>) -> Option<Consumer> {
    let (source, in_place) = docker::podman(probe.host)?;
    let why: Text = match in_place {
        true => "this host's docker is podman: it has no daemon and takes the proxy from the environment of its caller".into(),
        false => "Docker is not installed, podman is: it has no daemon and takes the proxy from the environment of its caller".into(),
    };
    Some(Consumer::unseen(Who::Docker, probe.shown(source), State::NotServed, why))
}

/// Daemons of users: each is a service of its user's manager, with files of its own.
pub(super) fn rootless(probe: &FileProbe<'_>) -> Vec<Consumer> {
    let passwd = probe.host.read(Path::new(accounts::PASSWD)).ok().flatten().unwrap_or_default();
    let accounts = accounts::users(&passwd).into_iter().take(MOST_ACCOUNTS);
    let mut homes: Vec<(String, PathBuf)> = accounts.map(|own| (own.name, own.home.into())).collect();
    if !homes.iter().any(|(name, _)| name == PRODUCT_USER) {
        homes.push((PRODUCT_USER.to_owned(), Path::new("/home").join(PRODUCT_USER)));
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
