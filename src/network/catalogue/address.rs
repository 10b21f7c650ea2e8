//! Names, addresses and blocks of addresses.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::text;
use crate::text::{Text, own};

/// A block of addresses; a single address has the longest prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Block {
    /// The first address.
    pub address: IpAddr,
    /// How many bits are the same in all of them.
    pub prefix: u8,
}

impl Block {
    /// Reads `192.0.2.1`, `192.0.2.0/24` or their like in IPv6.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, Text> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| text!("{:?} is no address such as 192.0.2.1", text))?;
        let longest = longest(address);
        let prefix = match prefix {
            None => longest,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(|| text!("{:?}: behind the slash stands a number from 0 to {}", text, longest))?,
        };
        if IpNet::new(address, prefix).is_ok_and(|net| net.network() != address) {
            return Err(text!("{:?} has bits behind its prefix; the first address of the block is meant", text));
        }
        Ok(Self { address, prefix })
    }

    /// Is it a block of IPv4?
    pub fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// With its prefix also where that is the longest.
    pub fn cidr(&self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for Block {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|_| format!("{text:?} is no address and no block of addresses"))
    }
}

impl From<Block> for String {
    fn from(block: Block) -> Self {
        block.to_string()
    }
}

impl From<IpAddr> for Block {
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: longest(address) }
    }
}

impl fmt::Display for Block {
    /// A single address stands without prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == longest(self.address) { self.address.fmt(f) } else { f.write_str(&self.cidr()) }
    }
}

fn longest(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A name or address that can be connected to, in lower case and without the dot at the end.
///
/// # Errors
/// What was expected.
pub(crate) fn host_name(text: &str) -> Result<String, Text> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Ok(name);
    }
    let wrong = |why| Err(text!("{:?} is no host name: {}", text, own(why)));
    if name.contains("://") {
        return wrong("it is a URL; leave out scheme, port and path");
    }
    if name.contains('*') {
        return wrong("a wildcard cannot be connected to; it belongs into `wildcard`");
    }
    if name.contains(':') {
        return wrong("the port stands apart");
    }
    if name.is_empty() || name.len() > 253 {
        return wrong("it has 1 to 253 characters");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(label) {
        return wrong("between the dots stand 1 to 63 letters, digits and hyphens");
    }
    // 1.2.3 or 300.1.1.1: resolvers take it for an address in a form of their own.
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return wrong("behind its last dot stands a number, and it is no address");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_and_printed() {
        for (text, shown, cidr) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.1/32"),
            ("193.149.136.0/24", "193.149.136.0/24", "193.149.136.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::1", "2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8::/32"),
        ] {
            let block = Block::parse(text).unwrap();
            assert_eq!((block.to_string().as_str(), block.cidr().as_str()), (shown, cidr));
        }
        for text in ["", "x", "1.2.3", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "2001:db8::1/64"] {
            assert!(Block::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_names_are_told_from_everything_else() {
        for (text, name) in [
            ("Example.COM.", "example.com"),
            ("collector01", "collector01"),
            ("10.1.2.3", "10.1.2.3"),
            ("2001:db8::1", "2001:db8::1"),
            ("_x.example", "_x.example"),
        ] {
            assert_eq!(host_name(text).unwrap(), name);
        }
        let long = "a".repeat(64);
        for text in
            ["", ".", "a..b", "-a", "a-", "*.x", "http://x", "x:443", "a b", "x/y", "é.example", "1.2.3", "x\n", &long]
        {
            assert!(host_name(text).is_err(), "{text}");
        }
    }
}
