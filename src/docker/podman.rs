//! podman in docker's place.

use std::path::Path;

use crate::host::{FileKind, HostRead};
use crate::vendor::Vendor;

/// Its own program.
const PODMAN: &str = "/usr/bin/podman";

/// What makes room for Docker where podman stands in its place.
pub(crate) const MAKE_ROOM: &str = "remove the package podman-docker";

/// Where podman stands in place of docker; with `true`, under docker's own name.
pub(crate) fn podman(host: &dyn HostRead) -> Option<(&'static Path, bool)> {
    let is_there = |path: &Path| host.lstat(path).ok().flatten();
    let is_podman = |path: &Path| match is_there(path)?.kind {
        FileKind::Symlink => Some(host.resolve(path).ok()?.ends_with("podman")),
        _ => {
            let bytes = host.read(path).ok()??;
            // A script of some lines; the client itself has tens of megabytes and mentions everything.
            Some(bytes.starts_with(b"#!") && bytes.len() < 1 << 16 && memchr::memmem::find(&bytes, b"podman").is_some())
        }
    };
    let clients = &Vendor::get().docker.clients;
    if let Some(command) = clients.iter().find(|path| is_podman(path) == Some(true)) {
        return Some((command, true));
    }
    let nothing_else = clients.iter().all(|path| is_there(path).is_none());
    (nothing_else && is_there(Path::new(PODMAN)).is_some()).then_some((Path::new(PODMAN), false))
}
