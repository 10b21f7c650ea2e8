//! The host's own name, and whether the host can resolve it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::host::HostRead;
use crate::net::{NetError, Time, resolve};
use crate::text::{clean, first_line, millis};

/// Where the kernel tells it.
pub(crate) const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// How the host calls itself; an image has it in a file.
pub(crate) fn own_name(host: &dyn HostRead) -> Option<String> {
    let path = if host.is_live() { HOSTNAME } else { "/etc/hostname" };
    let bytes = host.read(Path::new(path)).ok().flatten()?;
    Some(first_line(&bytes, 64)).filter(|name| !name.is_empty())
}

/// The address that this host has towards the world; `None`: it is an image, or there is no way out. Nothing is sent.
pub(crate) fn own_address(host: &dyn HostRead) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): the kernel only looks for a way.
    let toward = |own: IpAddr, far: IpAddr| -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((own, 0))?;
        socket.connect((far, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    let far = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let of_4 = || toward(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let of_6 = || toward(Ipv6Addr::UNSPECIFIED.into(), far.into());
    if host.is_live() { of_4().or_else(|_| of_6()).ok() } else { None }
}

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
