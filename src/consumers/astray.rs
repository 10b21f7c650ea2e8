//! Hosts that a consumer is told to ask and that are not what is meant, and what is known of names on the way there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::docker::compose::Network;
use crate::host::HostRead;
use crate::settings::NoHost;
use crate::system::names::{HOSTS, Resolvers};
use crate::text::Text;

/// A host that a consumer is told to ask and cannot, or not the one that is meant. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Astray {
    /// The variable: `http_proxy`, `DIVVY_DB_HOST`.
    pub(crate) variable: String,
    /// The host, or what stands in its place, as far as it may be shown.
    pub(crate) host: String,
    /// The line: `/divvycloud/prod.env:4`.
    pub(crate) at: String,
    /// What is wrong.
    pub(crate) fault: Fault,
}

/// Why a host is not the one that is meant. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// It is no host.
    NoHost {
        /// What it is.
        what: NoHost,
        /// All variables of the same setting mean the same host.
        agreed: bool,
    },
    /// It is no port.
    NoPort,
    /// Loopback: the container itself.
    Itself,
    /// A name that the hosts file of this host knows.
    HostsFile {
        /// The address there, where it is of use to a container.
        address: Option<IpAddr>,
        /// What name servers say of it.
        servers: Servers,
    },
    /// A name that name servers do not know.
    Unlisted {
        /// The address that this host knows by other means.
        address: Option<IpAddr>,
        /// What name servers say of it.
        servers: Servers,
    },
    /// Nobody can tell.
    Untold {
        /// Half a sentence why.
        why: Text,
    },
}

/// What the name servers say that containers ask. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Servers {
    /// They do not know the name.
    No,
    /// They do not answer.
    Silent,
    /// Nobody asked them: the host is an image.
    NotAsked,
}

/// Where the containers of a consumer are.
pub(super) struct Site {
    /// Whose network they use.
    pub(super) network: Network,
    /// Names that Docker, or their own hosts file, answers for.
    pub(super) answers: Vec<String>,
    /// These are all that there are.
    pub(super) whole: bool,
    /// The name servers that they are told to ask; empty: those of all containers.
    pub(super) servers: Vec<IpAddr>,
    /// The domains that they are told to search, likewise.
    pub(super) domains: Vec<String>,
}

impl Site {
    /// A network of Docker's with nobody else in it.
    pub(super) fn alone() -> Self {
        Self { network: Network::Bridge, answers: Vec::new(), whole: false, servers: Vec::new(), domains: Vec::new() }
    }
}

/// Who may be asked about names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nobody, and what is missing is no fault: a host that is planned.
    #[default]
    Quiet,
    /// Nobody: an image.
    Image,
    /// Name servers.
    Live,
}

/// What is known of names so far.
#[derive(Default)]
pub(super) struct Names {
    pub(super) mode: Mode,
    pub(super) hosts: String,
    /// Whom containers ask that are told nothing of their own; `None`: that was not looked at yet.
    pub(super) resolvers: Option<Resolvers>,
    /// By name and by whom it is asked of.
    pub(super) known: BTreeMap<(String, Vec<IpAddr>, Vec<String>), Option<Fault>>,
}

impl Names {
    pub(super) fn new(host: &dyn HostRead, mode: Mode) -> Self {
        let hosts = match host.read(Path::new(HOSTS)) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            // Of names in a file that cannot be read nothing is said.
            Ok(None) | Err(_) => String::new(),
        };
        Self { mode, hosts, resolvers: None, known: BTreeMap::new() }
    }
}
