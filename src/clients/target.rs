//! Where a request goes, as far as a NO_PROXY list can tell.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::text::shown_by_display;

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case; a dot at its end stays.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => address.fmt(f),
        }
    }
}

/// Scheme, host and port of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `https`; else `http`.
    pub tls: bool,
    /// The host.
    pub host: Host,
    /// The port, where the URL spells it.
    pub port: Option<u16>,
    /// What the name resolves to, where that is known. `localhost` is taken to be loopback anyway.
    pub resolved: Vec<IpAddr>,
}

/// Why a text is no URL that a client would ask a proxy for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No scheme, or another one.
    #[error("a URL begins with http:// or https://")]
    Scheme,
    /// Nothing between the scheme and the port.
    #[error("the URL has no host name")]
    NoHost,
    /// A host that is neither a name nor an address.
    #[error("the host is no name of letters, digits, - . and _, no IPv4 address and no IPv6 address in brackets")]
    Host,
    /// A port that is none.
    #[error("what follows the host's colon is no port; a port is a number from 1 to 65535")]
    Port,
}

shown_by_display!(TargetError);

impl Target {
    /// Reads a URL. User, password, path and query decide nothing and are forgotten.
    ///
    /// # Errors
    /// [`TargetError`]; it never shows the text.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::Scheme),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match authority.strip_prefix('[').map(|inner| inner.split_once(']')) {
            Some(Some((inner, rest))) => {
                let address = inner.parse().map_err(|_| TargetError::Host)?;
                let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(TargetError::Host)?) };
                (Host::V6(address), port)
            }
            Some(None) => return Err(TargetError::Host),
            None => {
                let (host, port) =
                    authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
                (name_or_v4(host)?, port)
            }
        };
        let port = match port {
            None | Some("") => None,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(text.parse().ok().filter(|port| *port > 0).ok_or(TargetError::Port)?)
            }
            Some(_) => return Err(TargetError::Port),
        };
        Ok(Self { tls, host, port, resolved: Vec::new() })
    }

    /// A request for this host with the scheme's own port; `None`: it is no host.
    pub fn to_host(tls: bool, host: &str) -> Option<Self> {
        let host = match host.parse() {
            Ok(IpAddr::V4(address)) => Host::V4(address),
            Ok(IpAddr::V6(address)) => Host::V6(address),
            Err(_) => name_or_v4(host).ok()?,
        };
        Some(Self { tls, host, port: None, resolved: Vec::new() })
    }

    /// The port that is asked, spelled or not.
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or(self.usual_port())
    }

    pub(super) fn usual_port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }

    pub(super) fn is_localhost(&self) -> bool {
        self.host == Host::Name("localhost".to_owned())
    }

    /// Is the host an address that leads to this host: loopback, or no address at all?
    pub(super) fn is_own_address(&self) -> bool {
        self.address().is_some_and(is_own)
    }

    /// The address, where the URL spells one.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

/// The URL without what decides nothing.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "https://" } else { "http://" })?;
        match &self.host {
            Host::V6(address) => write!(f, "[{address}]")?,
            host => host.fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))?;
        f.write_str("/")
    }
}

/// `127.*`, `0.0.0.0` and their like in IPv6.
pub(super) fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

fn name_or_v4(host: &str) -> Result<Host, TargetError> {
    if host.trim_matches('.').is_empty() {
        return Err(TargetError::NoHost);
    }
    if let Ok(address) = host.parse() {
        return Ok(Host::V4(address));
    }
    let fits = host.len() <= 255 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if fits { Ok(Host::Name(host.to_ascii_lowercase())) } else { Err(TargetError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_decides_is_found() {
        for (url, shown) in [
            ("http://user:p%40ss@Example.COM:8080/a?b#c", "http://example.com:8080/"),
            ("https://[::1]:443", "https://[::1]:443/"),
            ("HTTPS://10.1.2.3", "https://10.1.2.3/"),
            ("http://a.:/", "http://a./"),
        ] {
            assert_eq!(Target::parse(url).unwrap().to_string(), shown);
        }
        for (url, error) in [
            ("example.com", TargetError::Scheme),
            ("ftp://a", TargetError::Scheme),
            ("http://", TargetError::NoHost),
            ("http://:80", TargetError::NoHost),
            ("http://a b", TargetError::Host),
            ("http://::1/", TargetError::NoHost),
            ("http://[::1", TargetError::Host),
            ("http://[::1]x", TargetError::Host),
            ("http://a:0", TargetError::Port),
            ("http://a:99999", TargetError::Port),
            ("http://a:+1", TargetError::Port),
        ] {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }
}
