//! Does this host forward packets, now and after the next boot, and has it default routes?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Seen, exists, text};
use crate::host::HostRead;

pub(crate) const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
pub(crate) const ROUTES: [&str; 2] = ["/proc/self/net/route", "/proc/self/net/ipv6_route"];

/// Where sysctl's settings are; of two files with one name the first folder's counts, and all go by their names.
const FOLDERS: [&str; 4] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

/// The file that sysctl reads after all others.
const LAST: &str = "/etc/sysctl.conf";

/// The pid file of the Docker daemon, which is there while it runs.
const DAEMON: [&str; 2] = ["/run/docker.pid", "/var/run/docker.pid"];

#[derive(Serialize, Deserialize)]
pub(crate) struct ForwardingFacts {
    /// What the kernel does now.
    pub(crate) on: Seen<bool>,
    /// The file that switches it off at the next boot.
    pub(crate) off_in: Option<PathBuf>,
    pub(crate) docker_runs: bool,
    pub(crate) routes: Seen<Routes>,
}

/// Is there a default route?
#[derive(Serialize, Deserialize)]
pub(crate) struct Routes {
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
}

/// Looks at the kernel, at sysctl's files and at the Docker daemon's pid file.
pub(crate) fn observe(host: &dyn HostRead) -> ForwardingFacts {
    ForwardingFacts {
        on: Seen::in_file(host, FORWARD, |value| value.trim() != "0"),
        off_in: switched_off(host),
        docker_runs: host.is_live() && DAEMON.iter().any(|path| exists(host, Path::new(path))),
        routes: Seen::in_file(host, ROUTES[0], |ipv4| Routes {
            ipv4: ipv4.lines().any(is_default),
            ipv6: text(host, ROUTES[1]).ok().flatten().is_some_and(|table| table.lines().any(is_default_6)),
        }),
    }
}

/// The file whose `net.ipv4.ip_forward = 0` is the last word.
fn switched_off(host: &dyn HostRead) -> Option<PathBuf> {
    let mut files: BTreeMap<_, PathBuf> = BTreeMap::new();
    for folder in FOLDERS {
        for name in host.list(Path::new(folder)).unwrap_or_default() {
            let path = Path::new(folder).join(&name);
            if name.to_string_lossy().ends_with(".conf") {
                files.entry(name).or_insert(path);
            }
        }
    }
    let mut last = None;
    for path in files.into_values().chain([PathBuf::from(LAST)]) {
        let bytes = host.read(&path).ok().flatten().unwrap_or_default();
        if let Some(on) = String::from_utf8_lossy(&bytes).lines().rev().find_map(forward) {
            last = Some((path, on));
        }
    }
    last.filter(|(_, on)| !on).map(|(path, _)| host.shown(&path))
}

/// What a line of sysctl's says of forwarding.
fn forward(line: &str) -> Option<bool> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim().trim_start_matches('-').replace('/', ".");
    (key == "net.ipv4.ip_forward").then(|| value.trim() != "0")
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`: all zero, up, and no `reject`.
fn is_default(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, destination, _, flags, _, _, _, mask, ..] = words[..] else { return false };
    let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
    destination == "00000000" && mask == "00000000" && flags & 1 != 0 && flags & 0x200 == 0
}

/// `destination prefix-length source … device`: the kernel has a default route of its own that rejects, on lo.
fn is_default_6(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (Some(destination), Some(length), Some(device)) = (words.first(), words.get(1), words.get(9)) else {
        return false;
    };
    destination.bytes().all(|byte| byte == b'0') && *length == "00" && *device != "lo"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_route_that_rejects_is_no_default_route() {
        let zeros = "0".repeat(32);
        let six = |device| format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200 {device}");
        assert!(is_default_6(&six("eth0")) && !is_default_6(&six("lo")));
    }
}
