//! The host's own name, and whether the host can resolve it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::host::HostRead;
use crate::net::{NetError, Time, resolve};
use crate::text::{clean, millis};

/// Where the kernel tells it.
pub(crate) const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// How long the resolver is waited for.
const LIMIT: Duration = Duration::from_secs(3);

#[derive(Serialize, Deserialize)]
pub(crate) struct NameFacts {
    pub(crate) seen: Seen<Host>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) error: Option<NetError>,
    pub(crate) took_ms: u64,
}

/// Asks the kernel for the name and the resolver for its addresses, within 3 seconds at most.
pub(crate) fn observe(host: &dyn HostRead, time: Time) -> NameFacts {
    NameFacts { seen: Seen::in_file(host, HOSTNAME, |name| asked(name.trim(), time.at_most(LIMIT))) }
}

fn asked(name: &str, time: Time) -> Host {
    let began = Instant::now();
    let resolved = if name.is_empty() { Err(NetError::NameUnknown) } else { resolve(name, 0, time) };
    let took_ms = millis(began.elapsed());
    let (found, error) = match resolved {
        Ok(found) => (found, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut addresses: Vec<IpAddr> = found.into_iter().take(16).map(|address| address.ip()).collect();
    // One entry per kind of socket.
    addresses.dedup();
    Host { name: clean(name, 64), addresses, error, took_ms }
}
