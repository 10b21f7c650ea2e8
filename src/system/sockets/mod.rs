//! TCP sockets of every network namespace that a process has, and the processes that hold them, from `/proc`.
//!
//! | module | what it does |
//! | --- | --- |
//! | `table` | the kernel's tables of sockets |
//! | `process` | the processes that hold sockets |
//! | `address` | the addresses that a namespace has itself |

mod address;
mod process;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::HostRead;

pub(crate) use address::addresses;
pub(crate) use process::{Process, holders, name, owners, parent, pids, process};
pub(crate) use table::{Socket, State, sockets};

/// The two tables of a namespace.
const TABLES: [&str; 2] = ["tcp", "tcp6"];

/// So many processes of a namespace are tried, where those before have ended.
const MOST_TRIES: usize = 3;

/// A network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// Its number.
    pub(crate) id: u64,
    /// The processes that are in it, in order.
    pub(crate) pids: Vec<u32>,
    /// It is that of this process, so of the host.
    pub(crate) own: bool,
}

/// The network namespaces that processes have, in the order of their numbers.
pub(crate) fn spaces(host: &dyn HostRead) -> Vec<Space> {
    let own = number(host, "self");
    let mut found: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for pid in pids(host) {
        // One that ended meanwhile is in none.
        if let Some(id) = number(host, &pid.to_string()) {
            found.entry(id).or_default().push(pid);
        }
    }
    found.into_iter().map(|(id, pids)| Space { id, pids, own: own == Some(id) }).collect()
}

/// The number of the network namespace that a process is in.
fn number(host: &dyn HostRead, pid: &str) -> Option<u64> {
    let link = host.read_link(&Path::new("/proc").join(pid).join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Is one of its processes still in this namespace?
pub(crate) fn is_there(host: &dyn HostRead, space: &Space) -> bool {
    space.pids.iter().any(|pid| number(host, &pid.to_string()) == Some(space.id))
}

/// The sockets of a namespace; `None`: all its processes have ended, or its tables cannot be read.
pub(crate) fn of_space(host: &dyn HostRead, space: &Space) -> Option<Vec<Socket>> {
    let read = |pid: &u32| {
        let of = |name: &str| -> PathBuf { format!("/proc/{pid}/net/{name}").into() };
        let [Some(mut all), six] = TABLES.map(|name| Some(sockets(&host.read(&of(name)).ok()??))) else { return None };
        // A kernel without IPv6 has one table.
        all.extend(six.unwrap_or_default());
        Some(all)
    };
    // The namespace's first process is its longest-lived one, as a rule.
    space.pids.iter().take(MOST_TRIES).find_map(read)
}
