//! Who listens on some ports.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use super::sockets::Process;
use super::sockets::{self, Socket, State};
use super::{Seen, exists, text};
use crate::host::HostRead;
use crate::net::Time;
use crate::vendor::prod_env;

/// The search for owners looks at every open file of the host. On a busy one it ends here and says so.
const SEARCH: Duration = Duration::from_secs(3);

#[derive(Serialize, Deserialize)]
pub(crate) struct PortsFacts {
    /// Is the product's folder filled already?
    pub(crate) installed: bool,
    pub(crate) listeners: Seen<Vec<Listener>>,
    /// Could every process be looked at?
    pub(crate) all_processes: bool,
    /// Was it root who looked?
    pub(crate) as_root: bool,
    /// The product's files have services, and no web interface among them.
    #[serde(default)]
    pub(crate) no_interface: bool,
    /// The containers that publish ports, where one was asked for and Docker told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) publishers: Option<Vec<Publisher>>,
}

/// A container that publishes a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publisher {
    pub(crate) port: u16,
    /// Its name.
    pub(crate) name: String,
    /// Of which project of Compose; null: of none.
    pub(crate) project: Option<String>,
    /// Is it the product's?
    pub(crate) own: bool,
    /// Is it the web interface?
    #[serde(default)]
    pub(crate) interface: bool,
}

/// Somebody listens on one of the ports.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) address: IpAddr,
    /// The user id that made the socket.
    pub(crate) uid: u32,
    /// The processes that hold it; none: it could not be seen.
    pub(crate) owners: Vec<Process>,
}

/// Looks at the kernel's tables of sockets and for the processes that hold them; `home` is the product's folder.
pub(crate) fn observe(host: &dyn HostRead, home: &Path, ports: &[u16], time: Time) -> PortsFacts {
    let mut all_processes = true;
    let listeners = Seen::live(host, || {
        // `self` is a link to the process, and sockets are the same for all of its threads.
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(|path| text(host, path));
        let tables: Vec<String> = match tables.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(tables) => tables.into_iter().flatten().collect(),
            Err(why) => return Seen::Unread(why),
        };
        if tables.is_empty() {
            return Seen::Unread("/proc/self/net/tcp is not there".into());
        }
        let sockets: Vec<Socket> = tables
            .iter()
            .flat_map(|table| sockets::sockets(table.as_bytes()))
            .filter(|socket| socket.state == State::Listen && ports.contains(&socket.local.port()))
            .collect();
        let inodes: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
        let (owners, all) = sockets::owners(host, &inodes, time.at_most(SEARCH));
        all_processes = all;
        let listener = |Socket { local, uid, inode, .. }| {
            let owners = owners.iter().filter(|(own, _)| *own == inode).map(|(_, process)| process.clone()).collect();
            Listener { port: local.port(), address: local.ip(), uid, owners }
        };
        Seen::Is(sockets.into_iter().map(listener).collect())
    });
    let installed = exists(host, &prod_env(home));
    PortsFacts { installed, listeners, all_processes, as_root: host.euid() == 0, no_interface: false, publishers: None }
}
