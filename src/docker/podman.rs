//! podman in docker's place.

use std::path::Path;

use crate::host::{FileKind, HostRead};

/// Where podman puts itself into the place of the docker command (package podman-docker).
pub(crate) const COMMANDS: [&str; 3] = ["/usr/bin/docker", "/usr/local/bin/docker", "/bin/docker"];

/// Its own program.
const PODMAN: &str = "/usr/bin/podman";

/// Where podman stands in place of docker; with `true`, under docker's own name.
pub(crate) fn podman(host: &dyn HostRead) -> Option<(&'static Path, bool)> {
    let is_there = |path: &str| host.lstat(Path::new(path)).ok().flatten();
    let is_podman = |path: &str| match is_there(path)?.kind {
        FileKind::Symlink => Some(host.resolve(Path::new(path)).ok()?.ends_with("podman")),
        _ => {
            let bytes = host.read(Path::new(path)).ok()??;
            // A script of some lines; the client itself has tens of megabytes and mentions everything.
            Some(bytes.starts_with(b"#!") && bytes.len() < 1 << 16 && memchr::memmem::find(&bytes, b"podman").is_some())
        }
    };
    if let Some(command) = COMMANDS.into_iter().find(|path| is_podman(path) == Some(true)) {
        return Some((Path::new(command), true));
    }
    let nothing_else = COMMANDS.iter().all(|path| is_there(path).is_none());
    (nothing_else && is_there(PODMAN).is_some()).then_some((Path::new(PODMAN), false))
}
