//! Listening sockets and who holds them, from `/proc`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::host::HostRead;
use crate::net::Time;
use crate::text::clean;

/// The state LISTEN, as the kernel writes it.
const LISTEN: &str = "0A";

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Who made it.
    pub(super) uid: u32,
    pub(super) inode: u64,
}

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Its name, as the kernel keeps it.
    pub(crate) name: String,
    /// The container that it runs in, the first twelve digits of its id.
    pub(crate) container: Option<String>,
    /// Where a forwarder of Docker's forwards to: `172.18.0.2:8001`.
    pub(crate) forwards_to: Option<String>,
}

/// The listening sockets of `/proc/net/tcp` or `tcp6`; lines that are no such lines are passed over.
pub(super) fn listeners(table: &str) -> Vec<Listener> {
    table.lines().filter_map(listener).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn listener(line: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1)?;
    if words.nth(1)? != LISTEN {
        return None;
    }
    let uid = words.nth(3)?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    Some(Listener { address: ip(address)?, port: u16::from_str_radix(port, 16).ok()?, uid, inode })
}

/// The kernel prints each 32-bit word of the address as the number that the machine's byte order makes of it.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0_u8; 16];
            for (index, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

/// Which processes hold these sockets, and could all processes be looked at? Ends with `time`.
pub(super) fn owners(host: &dyn HostRead, inodes: &BTreeSet<u64>, time: Time) -> (Vec<(u64, Process)>, bool) {
    let mut found: Vec<(u64, Process)> = Vec::new();
    let mut complete = true;
    if inodes.is_empty() {
        return (found, complete);
    }
    let mut pids: Vec<u32> = host
        .list(Path::new("/proc"))
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    for pid in pids {
        if time.is_over() {
            return (found, false);
        }
        let folder = Path::new("/proc").join(pid.to_string()).join("fd");
        // A process may end while we look; then its sockets are closed.
        let names = match host.list(&folder) {
            Ok(names) => names,
            Err(error) => {
                complete &= error.kind() != std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        let mut own = BTreeSet::new();
        for name in names {
            let Ok(target) = host.read_link(&folder.join(name)) else { continue };
            let Some(inode) = target.to_str().and_then(socket) else { continue };
            if inodes.contains(&inode) && own.insert(inode) {
                found.push((inode, process(host, pid)));
            }
        }
    }
    (found, complete)
}

/// `socket:[12345]`
fn socket(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn process(host: &dyn HostRead, pid: u32) -> Process {
    let text = |name: &str| {
        let bytes = host.read(&Path::new("/proc").join(pid.to_string()).join(name)).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // Of the command line only the addresses of a forwarder are kept: others may hold secrets.
    let arguments = text("cmdline");
    let arguments: Vec<&str> = arguments.split('\0').collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|word| *word == flag)?;
        let value = arguments.get(at + 1)?;
        value.chars().all(|c| c.is_ascii_hexdigit() || ".:".contains(c)).then(|| (*value).to_owned())
    };
    let forwards_to = after("-container-ip").zip(after("-container-port")).map(|(ip, port)| format!("{ip}:{port}"));
    Process { pid, name: clean(&text("comm"), 16), container: container(&text("cgroup")), forwards_to }
}

/// The id of a container in the names of cgroups: `/docker/ID`, `docker-ID.scope`, `libpod-ID.scope`, `cri-containerd-ID`.
fn container(cgroups: &str) -> Option<String> {
    cgroups.split(['/', '\n', '-', '.', ':']).find_map(|word| {
        let is_id = word.len() == 64 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| word[..12].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1528 1 000000009700f007 100 0 0 10 0
   1: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 77001 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F41 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 34 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_are_found() {
        let found = listeners(TCP);
        assert_eq!(
            found,
            [
                Listener { address: "0.0.0.0".parse().unwrap(), port: 8001, uid: 0, inode: 1528 },
                Listener { address: "127.0.0.1".parse().unwrap(), port: 3306, uid: 999, inode: 77001 },
            ]
        );
        let six = Listener { address: "::1".parse().unwrap(), port: 6379, uid: 1000, inode: 34 };
        assert_eq!(listeners(TCP6), [six]);
    }

    #[test]
    fn containers_are_recognised_by_their_cgroup() {
        let id = "0123456789ab".to_owned() + &"c".repeat(52);
        for cgroup in [
            format!("12:cpu,cpuacct:/docker/{id}\n"),
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("0::/machine.slice/libpod-{id}.scope/container\n"),
        ] {
            assert_eq!(container(&cgroup).as_deref(), Some("0123456789ab"), "{cgroup}");
        }
        assert_eq!(container("0::/system.slice/nginx.service\n"), None);
    }

    proptest! {
        #[test]
        fn no_table_breaks_it(table in ".{0,200}", cgroup in ".{0,100}") {
            listeners(&table);
            container(&cgroup);
        }

        #[test]
        fn no_field_breaks_it(local in "[0-9A-Fa-f:é]{0,40}", uid in "[0-9-]{0,12}", inode in "[0-9]{0,30}") {
            listeners(&format!("0: {local} 0:0 0A 0:0 0:0 0 {uid} 0 {inode} 1"));
        }
    }
}
