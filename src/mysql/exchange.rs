//! Packets over a [`Line`]: opening, login, text queries. Every answer has a largest size, every wait ends with the line's
//! deadline.
//!
//! No driver is used: against a hostile server the usual ones neither end in time nor stay small, they start TLS with
//! roots of their own, and they hand the password to whoever shows an RSA key on a plain connection. What is left of the
//! protocol for a login and a text query is this file.

use std::io::Read;
use std::net::IpAddr;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::greeting::{self, Hello, Refusal, capability, refusal};
use crate::net::{Line, NetError, Roots, shown_bytes};
use crate::text::hex;

/// No packet that is read is larger: 64 KiB.
const MAX_PACKET: usize = 64 << 10;

/// No result has more columns.
const MAX_COLUMNS: u64 = 16;

/// No result has more rows; more grants than this mean nothing to us.
const MAX_ROWS: usize = 500;

/// An honest login needs fewer packets.
const MAX_LOGIN_PACKETS: usize = 8;

/// `utf8mb4_general_ci`: also servers of 5.5 know it.
const COLLATION: u8 = 45;

pub(super) const NATIVE: &str = "mysql_native_password";
pub(super) const SHA2: &str = "caching_sha2_password";

/// One row: a text or NULL for each column.
pub(crate) type Row = Vec<Option<String>>;

/// A conversation with a server that has greeted.
pub(crate) struct Connection {
    line: Line,
    sequence: u8,
}

/// How a login ended that the network did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LoggedIn {
    /// It is open.
    Yes,
    /// The server said no.
    No(Refusal),
    /// It wants to be logged in to in a way that is not spoken here.
    Plugin(String),
    /// It wants the password itself, and the connection is plain.
    WantsTls,
}

/// The first packet.
///
/// # Errors
/// None came, or none of this protocol.
pub(crate) fn open(mut line: Line) -> Result<(Connection, Result<Hello, Refusal>), NetError> {
    let mut bytes = Vec::new();
    // Byte by byte what is there: whether it is MySQL shows before the length may be believed.
    while bytes.len() < 5 {
        let mut buffer = [0_u8; 5];
        let room = 5 - bytes.len();
        let count = line.recv(&mut buffer[..room])?;
        if count == 0 && bytes.is_empty() {
            return Err(NetError::Closed);
        }
        bytes.extend_from_slice(&buffer[..count]);
        if count == 0 || !greeting::plausible(&bytes) {
            let mut more = [0_u8; 64];
            let count = if count == 0 { 0 } else { line.recv(&mut more).unwrap_or(0) };
            bytes.extend_from_slice(&more[..count]);
            return Err(greeting::foreign(&bytes));
        }
    }
    let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let mut payload = vec![bytes[4]];
    fill(&mut line, &mut payload, length)?;
    let connection = Connection { line, sequence: 1 };
    Ok((connection, greeting::first(&payload)?))
}

impl Connection {
    /// The version and cipher of TLS in use.
    pub(crate) fn tls(&self) -> Option<String> {
        self.line.tls()
    }

    /// The addresses of this end and of the server's; `None`: it is gone.
    pub(crate) fn ends(&self) -> Option<[IpAddr; 2]> {
        self.line.ends().ok()
    }

    /// Asks for TLS and starts it. Whatever came before it does not count: nothing of it is kept.
    ///
    /// # Errors
    /// No TLS, or with somebody who is not trusted.
    pub(crate) fn secured(mut self, hello: &Hello, host: &str, roots: &Roots) -> Result<Self, NetError> {
        self.send(&response_head(flags(hello) | capability::SSL))?;
        Ok(Self { line: self.line.secured(host, roots)?, sequence: self.sequence })
    }

    /// Logs in.
    ///
    /// # Errors
    /// The network's, or a server that does not keep to the protocol.
    pub(crate) fn login(&mut self, hello: &Hello, user: &str, password: &[u8]) -> Result<LoggedIn, NetError> {
        if hello.capabilities & capability::PROTOCOL_41 == 0 {
            return Err(NetError::unexpected("a server older than MySQL 4.1"));
        }
        let tls = if self.line.tls().is_some() { capability::SSL } else { 0 };
        let mut plugin = if hello.greeting.plugin.as_deref() == Some(SHA2) { SHA2 } else { NATIVE };
        self.send(&response(flags(hello) | tls, user, plugin, &scrambled(plugin, &hello.nonce, password)))?;
        for _ in 0..MAX_LOGIN_PACKETS {
            let packet = self.packet()?;
            match packet.as_slice() {
                [0x00, ..] => return Ok(LoggedIn::Yes),
                [0xff, ..] => return refusal(&packet).map(LoggedIn::No),
                [0xfe] => return Ok(LoggedIn::Plugin("mysql_old_password".to_owned())),
                [0xfe, switch @ ..] => {
                    let (name, nonce) = switch.split_at(memchr::memchr(0, switch).unwrap_or(switch.len()));
                    plugin = match name {
                        name if name == NATIVE.as_bytes() => NATIVE,
                        name if name == SHA2.as_bytes() => SHA2,
                        name => return Ok(LoggedIn::Plugin(shown_bytes(name))),
                    };
                    let mut nonce = nonce.get(1..).unwrap_or_default().to_vec();
                    nonce.resize(20, 0);
                    self.send(&scrambled(plugin, &nonce, password))?;
                }
                // The server remembers the password: the login goes on.
                [0x01, 0x03] if plugin == SHA2 => {}
                // It does not, and wants it as it is. An RSA key in its place, on a plain connection, is anybody's.
                [0x01, 0x04] if plugin == SHA2 => {
                    if self.line.tls().is_none() {
                        return Ok(LoggedIn::WantsTls);
                    }
                    self.send(&[password, &[0]].concat())?;
                }
                _ => return Err(NetError::unexpected("an unknown packet in answer to the login")),
            }
        }
        Err(NetError::unexpected("a login that does not end"))
    }

    /// Runs a query; all of its rows, as text.
    ///
    /// # Errors
    /// The network's, or a server that does not keep to the protocol; the inner one is the server's no.
    pub(crate) fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<Result<Vec<Row>, Refusal>, NetError> {
        self.command(&[&[3], sql.as_ref()].concat())?;
        let head = self.packet()?;
        let columns = match head.first() {
            Some(0xff) => return refusal(&head).map(Err),
            Some(0x00) => return Ok(Ok(Vec::new())),
            Some(0xfb) => return Err(NetError::unexpected("a request for a file of this host")),
            _ => number(&mut head.as_slice()).filter(|columns| (1..=MAX_COLUMNS).contains(columns)),
        };
        let columns = columns.ok_or_else(|| NetError::unexpected("a result with a senseless number of columns"))?;
        for _ in 0..columns {
            self.packet()?;
        }
        self.packet()?;
        let mut rows = Vec::new();
        loop {
            let packet = self.packet()?;
            match packet.first() {
                Some(0xff) => return refusal(&packet).map(Err),
                Some(0xfe) if packet.len() < 9 => return Ok(Ok(rows)),
                _ if rows.len() == MAX_ROWS => return Err(NetError::TooMuch { limit: MAX_ROWS }),
                _ => rows.push(row(&packet, columns).ok_or_else(|| NetError::unexpected("a malformed row"))?),
            }
        }
    }

    /// Makes a database the current one: tells whether it is there and may be used.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub(crate) fn enter(&mut self, database: &str) -> Result<Result<(), Refusal>, NetError> {
        self.command(&[&[2], database.as_bytes()].concat())?;
        let packet = self.packet()?;
        match packet.first() {
            Some(0x00) => Ok(Ok(())),
            Some(0xff) => refusal(&packet).map(Err),
            _ => Err(NetError::unexpected("an unknown packet in answer to a change of the database")),
        }
    }

    /// Says goodbye, so that the server counts no aborted connection.
    pub(crate) fn quit(mut self) {
        let _ = self.command(&[1]);
    }

    fn command(&mut self, payload: &[u8]) -> Result<(), NetError> {
        self.sequence = 0;
        self.send(payload)
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), NetError> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length < 0xff_ffff);
        let Some(length) = length else { return Err(NetError::Other { why: "a setting is too long".into() }) };
        let bytes = [&length.to_le_bytes()[..3], &[self.sequence], payload].concat();
        self.sequence = self.sequence.wrapping_add(1);
        self.line.send(&bytes)
    }

    fn packet(&mut self) -> Result<Vec<u8>, NetError> {
        let mut header = Vec::new();
        fill(&mut self.line, &mut header, 4)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_PACKET {
            return Err(NetError::TooMuch { limit: MAX_PACKET });
        }
        self.sequence = header[3].wrapping_add(1);
        let mut payload = Vec::new();
        fill(&mut self.line, &mut payload, length)?;
        Ok(payload)
    }
}

/// Reads until there are `length` bytes; memory grows with what came, not with what was announced.
fn fill(line: &mut Line, bytes: &mut Vec<u8>, length: usize) -> Result<(), NetError> {
    let missing = length.saturating_sub(bytes.len());
    match line.take(missing as u64).read_to_end(bytes) {
        Ok(count) if count == missing => Ok(()),
        Ok(_) => Err(NetError::Closed),
        Err(error) => Err(NetError::of(error)),
    }
}

fn flags(hello: &Hello) -> u32 {
    let wanted = capability::LONG_PASSWORD
        | capability::PROTOCOL_41
        | capability::TRANSACTIONS
        | capability::SECURE_CONNECTION
        | capability::PLUGIN_AUTH;
    hello.capabilities & wanted
}

/// What a handshake response begins with; alone it is the request for TLS.
fn response_head(capabilities: u32) -> Vec<u8> {
    [&capabilities.to_le_bytes()[..], &(MAX_PACKET as u32).to_le_bytes(), &[COLLATION], &[0; 23]].concat()
}

/// A handshake response of protocol 4.1, without a database.
fn response(capabilities: u32, user: &str, plugin: &str, scrambled: &[u8]) -> Vec<u8> {
    let has = |capability| capabilities & capability != 0;
    let terminated = |text: &[u8]| [text, b"\0"].concat();
    let length = scrambled.len() as u8; // a digest: 32 at most
    let proof = match has(capability::SECURE_CONNECTION) {
        true => [&[length], scrambled].concat(),
        false => terminated(scrambled),
    };
    let plugin = if has(capability::PLUGIN_AUTH) { terminated(plugin.as_bytes()) } else { Vec::new() };
    [response_head(capabilities), terminated(user.as_bytes()), proof, plugin].concat()
}

/// What servers keep of a password with `mysql_native_password`.
pub(super) fn kept(password: &[u8]) -> String {
    format!("*{}", hex(&Sha1::digest(Sha1::digest(password))).to_uppercase())
}

/// What proves the password to a server without telling it; nothing for an empty one.
fn scrambled(plugin: &str, nonce: &[u8], password: &[u8]) -> Vec<u8> {
    let xor = |one: &[u8], other: &[u8]| one.iter().zip(other).map(|(one, other)| one ^ other).collect();
    if password.is_empty() {
        Vec::new()
    } else if plugin == SHA2 {
        let once = Sha256::digest(password);
        let proof = Sha256::new().chain_update(Sha256::digest(once)).chain_update(nonce).finalize();
        xor(&once, &proof)
    } else {
        let once = Sha1::digest(password);
        let proof = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
        xor(&once, &proof)
    }
}

/// A length-encoded number, taken off the front.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let size = match first {
        0..=0xfa => {
            *bytes = rest;
            return Some(u64::from(*first));
        }
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let mut number = [0_u8; 8];
    number[..size].copy_from_slice(rest.get(..size)?);
    *bytes = &rest[size..];
    Some(u64::from_le_bytes(number))
}

fn row(mut bytes: &[u8], columns: u64) -> Option<Row> {
    let mut row = Row::new();
    for _ in 0..columns {
        if let Some(rest) = bytes.strip_prefix(&[0xfb]) {
            bytes = rest;
            row.push(None);
            continue;
        }
        let length = usize::try_from(number(&mut bytes)?).ok()?;
        let text = bytes.get(..length)?;
        bytes = &bytes[length..];
        row.push(Some(String::from_utf8_lossy(text).into_owned()));
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expected values are Python's hashlib's, by the formulas of MySQL's documentation.
    #[test]
    fn passwords_are_scrambled_as_servers_expect() {
        let nonce: Vec<u8> = (1..=20).collect();
        assert_eq!(hex(&scrambled(NATIVE, &nonce, b"p@ss")), "04c03169e735386471d6303222c65fb5ec297cf9");
        assert_eq!(
            hex(&scrambled(SHA2, &nonce, b"p@ss")),
            "7d347b6af0b9184873073d5cada8cbc7646a1269586d5fb5748dd3227074065e"
        );
        assert!(scrambled(NATIVE, &nonce, b"").is_empty() && scrambled(SHA2, &nonce, b"").is_empty());
        // MySQL's documentation of PASSWORD().
        assert_eq!(kept(b"mypass"), "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4");
    }

    #[test]
    fn a_response_has_the_fields_that_its_capabilities_announce() {
        let head = |capabilities: u32| {
            let mut head = response_head(capabilities);
            assert_eq!(head.len(), 32);
            head.extend_from_slice(b"svc\0");
            head
        };
        let old = capability::PROTOCOL_41;
        assert_eq!(response(old, "svc", NATIVE, b"xy"), [head(old), b"xy\0".to_vec()].concat());
        let new = old | capability::SECURE_CONNECTION | capability::PLUGIN_AUTH;
        assert_eq!(response(new, "svc", SHA2, b"xy"), [head(new), b"\x02xycaching_sha2_password\0".to_vec()].concat());
    }

    #[test]
    fn rows_are_read_and_short_ones_refused() {
        assert_eq!(row(b"\x02ab\xfb\x00", 3), Some(vec![Some("ab".to_owned()), None, Some(String::new())]));
        assert_eq!(row(b"\x05ab", 1), None);
        assert_eq!(row(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 1), None);
        assert_eq!(number(&mut &b"\xfc\x01\x02"[..]), Some(0x0201));
        assert_eq!(number(&mut &b"\xff"[..]), None);
    }

    proptest! {
        #[test]
        fn no_row_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), columns in 0_u64..20) {
            let _ = row(&bytes, columns);
        }
    }
}
