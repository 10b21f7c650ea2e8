//! The processes that hold sockets.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::host::HostRead;
use crate::net::Time;
use crate::text::clean;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Its name, as the kernel keeps it.
    pub(crate) name: String,
    /// The container that it runs in, the first twelve digits of its id.
    pub(crate) container: Option<String>,
    /// The service of systemd's that it belongs to: `nginx.service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Where a forwarder of Docker's forwards to: `172.18.0.2:8001`.
    pub(crate) forwards_to: Option<String>,
}

/// The processes that there are, in the order of their numbers.
pub(crate) fn pids(host: &dyn HostRead) -> Vec<u32> {
    let names = host.list(Path::new("/proc")).unwrap_or_default();
    let mut pids: Vec<u32> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// Which processes hold these sockets, and could all processes be looked at? Ends with `time`.
pub(crate) fn owners(host: &dyn HostRead, inodes: &BTreeSet<u64>, time: Time) -> (Vec<(u64, Process)>, bool) {
    let Holders { found, denied, next } = holders(host, &pids(host), inodes, time);
    (found.into_iter().map(|(inode, pid)| (inode, process(host, pid))).collect(), !denied && next.is_none())
}

/// Which processes hold some sockets.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    /// The number of a socket and that of a process.
    pub(crate) found: Vec<(u64, u32)>,
    /// A process may not be looked at.
    pub(crate) denied: bool,
    /// The time was over before this one of the processes.
    pub(crate) next: Option<u32>,
}

/// The same of these processes, by their numbers alone.
pub(crate) fn holders(host: &dyn HostRead, pids: &[u32], inodes: &BTreeSet<u64>, time: Time) -> Holders {
    let mut holders = Holders::default();
    if inodes.is_empty() {
        return holders;
    }
    for pid in pids {
        if time.is_over() {
            return Holders { next: Some(*pid), ..holders };
        }
        let folder = Path::new("/proc").join(pid.to_string()).join("fd");
        // A process may end while we look; then its sockets are closed.
        let names = match host.list(&folder) {
            Ok(names) => names,
            Err(error) => {
                holders.denied |= error.kind() == std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        let mut own = BTreeSet::new();
        for name in names {
            let Ok(target) = host.read_link(&folder.join(name)) else { continue };
            let Some(inode) = target.to_str().and_then(socket) else { continue };
            if inodes.contains(&inode) && own.insert(inode) {
                holders.found.push((inode, *pid));
            }
        }
    }
    holders
}

/// The process that has started this one, or has taken it over; `None`: nobody, or it has ended.
pub(crate) fn parent(host: &dyn HostRead, pid: u32) -> Option<u32> {
    let stat = host.read(Path::new(&format!("/proc/{pid}/stat"))).ok()??;
    // The program's name stands in parentheses and may hold anything.
    let stat = String::from_utf8_lossy(&stat).into_owned();
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|pid| *pid != 0)
}

/// `socket:[12345]`
fn socket(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// What is to be told of a process.
pub(crate) fn process(host: &dyn HostRead, pid: u32) -> Process {
    // Of the command line only the addresses of a forwarder are kept: others may hold secrets.
    let arguments = text(host, pid, "cmdline");
    let arguments: Vec<&str> = arguments.split('\0').collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|word| *word == flag)?;
        let value = arguments.get(at + 1)?;
        value.chars().all(|c| c.is_ascii_hexdigit() || ".:".contains(c)).then(|| (*value).to_owned())
    };
    let forwards_to = after("-container-ip").zip(after("-container-port")).map(|(ip, port)| format!("{ip}:{port}"));
    let groups = text(host, pid, "cgroup");
    let unit = unit(&groups, &text(host, 1, "cgroup"));
    Process { pid, name: name(host, pid), container: container(&groups), unit, forwards_to }
}

/// The name of a process, as the kernel keeps it; empty: it has ended.
pub(crate) fn name(host: &dyn HostRead, pid: u32) -> String {
    clean(&text(host, pid, "comm"), 16)
}

/// A file of a process; empty: it has ended, or nobody may read it.
fn text(host: &dyn HostRead, pid: u32, file: &str) -> String {
    let bytes = host.read(&Path::new("/proc").join(pid.to_string()).join(file)).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The id of a container in the names of cgroups: `/docker/ID`, `docker-ID.scope`, `libpod-ID.scope`, `cri-containerd-ID`.
fn container(cgroups: &str) -> Option<String> {
    cgroups.split(['/', '\n', '-', '.', ':']).find_map(|word| {
        let is_id = word.len() == 64 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| word[..12].to_owned())
    })
}

/// The service in the names of cgroups: `/system.slice/nginx.service`, of the manager that is the `first` process here; what a
/// user's own manager runs, or that of a container, is none of the system's.
fn unit(cgroups: &str, first: &str) -> Option<String> {
    let paths = |text: &'_ str| -> Vec<String> {
        text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).map(str::to_owned).collect()
    };
    // Where there is no namespace of cgroups, all of them stand below that of the machine.
    let above = paths(first).into_iter().find_map(|path| path.strip_suffix("/init.scope").map(str::to_owned));
    let above = above.unwrap_or_default();
    let name = |path: &String| {
        let mut parts = path.strip_prefix(&above)?.strip_prefix("/system.slice/")?.split('/');
        let part = parts.find(|part| !part.ends_with(".slice")).filter(|part| part.ends_with(".service"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        (part.chars().all(plain) && !part.starts_with(['-', '.'])).then(|| part.to_owned())
    };
    paths(cgroups).iter().find_map(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn containers_and_services_are_recognised_by_their_cgroup() {
        let id = "0123456789ab".to_owned() + &"c".repeat(52);
        for cgroup in [
            format!("12:cpu,cpuacct:/docker/{id}\n"),
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("0::/machine.slice/libpod-{id}.scope/container\n"),
        ] {
            assert_eq!(
                (container(&cgroup).as_deref(), unit(&cgroup, "0::/init.scope\n")),
                (Some("0123456789ab"), None),
                "{cgroup}"
            );
        }
        let of_service = "1:name=systemd:/system.slice/nginx.service\n0::/system.slice/nginx.service\n";
        assert_eq!((container(of_service), unit(of_service, "").as_deref()), (None, Some("nginx.service")));
        for other in [
            "0::/user.slice/user-0.slice/session-1.scope\n",
            "0::/user.slice/user@0.service/a.service\n",
            "0::/-x.service",
            "0::/lxc/web/system.slice/nginx.service",
            "0::/system.slice/a.scope/b.service",
        ] {
            assert_eq!(unit(other, "0::/init.scope\n"), None, "{other}");
        }
        let below = "0::/machine/one/system.slice/system-a.slice/a@b.service\n";
        assert_eq!(unit(below, "0::/machine/one/init.scope\n").as_deref(), Some("a@b.service"));
        assert_eq!(unit(below, "0::/init.scope\n"), None);
    }

    #[test]
    fn parents_are_told_whatever_a_program_is_called() {
        let host = MemoryHost::new();
        host.put("/proc/9/stat", b"9 (a) b) S 7 9 9 0 -1\n");
        host.put("/proc/7/stat", b"7 (init) S 0 9 9 0 -1\n");
        assert_eq!((parent(&host, 9), parent(&host, 7), parent(&host, 8)), (Some(7), None, None));
    }

    proptest! {
        #[test]
        fn no_cgroup_breaks_it(cgroup in ".{0,100}") {
            container(&cgroup);
            unit(&cgroup, &cgroup);
        }
    }
}
