//! The first packet of a MySQL-family server, from any bytes whatever.
//!
//! The driver's own type for it is not used here: with hostile lengths its arithmetic overflows.

use serde::{Deserialize, Serialize};

use crate::net::{NetError, shown, shown_bytes, unexpected};
use crate::text::Foreign;

/// `Host '…' is blocked because of many connection errors`.
pub(crate) const HOST_BLOCKED: u16 = 1129;

/// `Access denied for user …`.
pub(crate) const ACCESS_DENIED: u16 = 1045;

/// Longest version text that is kept.
const LONGEST_VERSION: usize = 100;

/// How a server opened the conversation. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "opening", rename_all = "kebab-case")]
pub(crate) enum Opening {
    /// A well-formed greeting.
    Greeting(Greeting),
    /// An error in place of a greeting: a server of this family is there, and turns this host away.
    Refusal(Refusal),
    /// Nothing that could be understood.
    NetError(crate::net::NetError),
}

/// What a greeting tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// What it announces, as it is: may be any text.
    pub(crate) version: String,
    /// Is the lowest capability bit set? MariaDB clears it, whatever version it announces.
    pub(crate) mysql_bit: bool,
    /// Does it offer TLS?
    pub(crate) offers_tls: bool,
    /// How it wants users to log in by default.
    pub(crate) plugin: Option<String>,
}

/// An error packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Its number.
    pub(crate) code: u16,
    /// Its words, fit to be shown.
    pub(crate) message: Foreign,
}

impl Refusal {
    /// Is it for want of TLS, in so many words? MySQL has a number for it; RDS Proxy says it with that of a wrong password.
    pub(crate) fn wants_tls(&self) -> bool {
        let message = self.message.raw().to_ascii_lowercase();
        let words = ["require_secure_transport", "insecure transport", "requires tls"];
        self.code == 3159 || words.iter().any(|words| message.contains(words))
    }
}

/// Capability bits of the client/server protocol, as MySQL's documentation names them with `CLIENT_` before.
pub(crate) mod capability {
    /// Servers of MySQL set it; those of MariaDB do not.
    pub(crate) const LONG_PASSWORD: u32 = 1;
    /// The protocol of MySQL 4.1 and later.
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    /// TLS after the greeting.
    pub(crate) const SSL: u32 = 1 << 11;
    /// Status flags in answers.
    pub(crate) const TRANSACTIONS: u32 = 1 << 13;
    /// Authentication of MySQL 4.1 and later.
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    /// The response names its authentication plugin.
    pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
}

/// What logging in needs of a greeting besides.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    /// For facts.
    pub(crate) greeting: Greeting,
    /// What the server can do: bits of [`capability`].
    pub(crate) capabilities: u32,
    /// The challenge: always 20 bytes.
    pub(crate) nonce: Vec<u8>,
}

/// Could these be the first bytes of a MySQL-family server (header of a packet and the first byte of its payload)?
/// Decided as soon as one byte rules it out.
pub(crate) fn plausible(bytes: &[u8]) -> bool {
    // The high byte of the length, the packet's number.
    bytes.iter().skip(2).take(2).all(|byte| *byte == 0)
        && bytes.get(4).is_none_or(|first| matches!(first, 9 | 10 | 0xff))
}

/// What other server these bytes are of.
pub(crate) fn foreign(bytes: &[u8]) -> NetError {
    match bytes {
        // A notice of the X protocol: length, then 11.
        [_, _, 0, 0, 11, ..] => {
            NetError::unexpected("the X protocol of MySQL (usually on port 33060); the classic protocol is on 3306")
        }
        [b'2', b'2', b'0', b' ' | b'-', ..] => NetError::unexpected("a greeting of SMTP or FTP"),
        _ => unexpected(bytes),
    }
}

/// Reads a first payload: a greeting, or an error in its place.
///
/// # Errors
/// What it looks like where it is neither.
pub(crate) fn first(payload: &[u8]) -> Result<Result<Hello, Refusal>, NetError> {
    match payload.first() {
        Some(0xff) => refusal(payload).map(Err),
        Some(10) => hello(payload).map(Ok).ok_or_else(|| NetError::unexpected("a MySQL greeting that is malformed")),
        Some(9) => Err(NetError::unexpected("a MySQL greeting of protocol 9 (servers before 3.21)")),
        _ => Err(unexpected(payload)),
    }
}

/// Reads an error packet, with or without the mark of its SQL state.
///
/// # Errors
/// It is cut short.
pub(crate) fn refusal(payload: &[u8]) -> Result<Refusal, NetError> {
    let [0xff, low, high, message @ ..] = payload else {
        return Err(NetError::unexpected("an error packet cut short"));
    };
    let message = match message {
        [b'#', state_and_words @ ..] => state_and_words.get(5..).unwrap_or_default(),
        words => words,
    };
    Ok(Refusal { code: u16::from_le_bytes([*low, *high]), message: shown_bytes(message).into() })
}

fn hello(payload: &[u8]) -> Option<Hello> {
    let rest = payload.strip_prefix(&[10])?;
    let end = memchr::memchr(0, rest)?;
    let version = shown_bytes(&rest[..end.min(LONGEST_VERSION)]);
    let (_thread, rest) = rest[end + 1..].split_first_chunk::<4>()?;
    let (salt, rest) = rest.split_first_chunk::<8>()?;
    let rest = rest.get(1..)?;
    let (low, rest) = rest.split_first_chunk::<2>()?;
    let mut bits = u32::from(u16::from_le_bytes(*low));
    let mut nonce = salt.to_vec();
    let mut plugin = None;
    // Character set, status, upper capabilities, length of the salt, ten bytes of nothing: all or none of it.
    if let Some((tail, rest)) = rest.split_first_chunk::<16>() {
        bits |= u32::from(u16::from_le_bytes([tail[3], tail[4]])) << 16;
        let more = usize::from(tail[5]).saturating_sub(8).max(13);
        let salt = &rest[..more.min(rest.len())];
        nonce.extend_from_slice(salt);
        if bits & capability::PLUGIN_AUTH != 0 {
            let name = rest.get(more..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            plugin = Some(shown_bytes(name)).filter(|name| !name.is_empty());
        }
    }
    // 20 bytes and a zero, by the protocol; what is missing is zeros, as the server itself sees it.
    nonce.resize(20, 0);
    let greeting = Greeting {
        version: shown(&version),
        mysql_bit: bits & capability::LONG_PASSWORD != 0,
        offers_tls: bits & capability::SSL != 0,
        plugin,
    };
    Some(Hello { greeting, capabilities: bits, nonce })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A greeting as servers write it; `low` and `high` are the capability halves.
    pub fn greeting(version: &str, low: u16, high: u16, plugin: &str) -> Vec<u8> {
        let mut payload = vec![10];
        payload.extend_from_slice(version.as_bytes());
        payload.push(0);
        payload.extend_from_slice(&[7, 0, 0, 0]);
        payload.extend_from_slice(b"abcdefgh\0");
        payload.extend_from_slice(&low.to_le_bytes());
        payload.push(8);
        payload.extend_from_slice(&[2, 0]);
        payload.extend_from_slice(&high.to_le_bytes());
        payload.push(21);
        payload.extend_from_slice(&[0; 10]);
        payload.extend_from_slice(b"ijklmnopqrst\0");
        payload.extend_from_slice(plugin.as_bytes());
        payload.push(0);
        payload
    }

    /// As on the wire.
    pub fn packet(payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes()[..3].to_vec();
        bytes.push(0);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn parsed(payload: &[u8]) -> Hello {
        first(payload).unwrap().unwrap()
    }

    #[test]
    fn greetings_of_every_make_are_read() {
        for (version, low, high, plugin, mysql_bit, offers_tls) in [
            ("5.7.44", 0xffff, 0xc1ff, "mysql_native_password", true, true),
            ("5.7.44-48-log", 0xffff, 0xc1ff, "mysql_native_password", true, true),
            ("8.0.36", 0xffff, 0xdfff, "caching_sha2_password", true, true),
            ("5.7.25-TiDB-v7.1.0", 0xa60f, 0x003a, "mysql_native_password", true, false),
            ("5.6.24", 0xf7ff, 0x807f, "mysql_native_password", true, false),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", 0xf7fe, 0x81bf, "mysql_native_password", false, false),
            ("5.7.44-log", 0xfffe, 0x81bf, "mysql_native_password", false, true),
        ] {
            let hello = parsed(&greeting(version, low, high, plugin));
            assert_eq!(hello.greeting.version, version);
            assert_eq!((hello.greeting.mysql_bit, hello.greeting.offers_tls), (mysql_bit, offers_tls), "{version}");
            assert_eq!(hello.greeting.plugin.as_deref(), Some(plugin));
            assert_eq!(hello.nonce, b"abcdefghijklmnopqrst");
        }
    }

    #[test]
    fn errors_in_place_of_a_greeting_are_read() {
        let plain =
            [&[0xff, 0x6a, 0x04][..], b"Host '10.1.1.1' is not allowed to connect to this MySQL server"].concat();
        let refusal = first(&plain).unwrap().unwrap_err();
        assert_eq!(refusal.code, 1130);
        assert!(refusal.message.raw().starts_with("Host '10.1.1.1'"));
        let marked = [&[0xff, 0x10, 0x04][..], b"#08004Too many connections"].concat();
        let refusal = first(&marked).unwrap().unwrap_err();
        assert_eq!((refusal.code, refusal.message.raw()), (1040, "Too many connections"));
        assert!(first(&[0xff, 1]).is_err());
    }

    #[test]
    fn other_servers_are_named() {
        for (bytes, words) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
            (b"\x05\0\0\0\x0b\x08\x05\x1a\0", "X protocol"),
            (b"-ERR max number of clients reached\r\n", "Redis"),
            (b"\x15\x03\x01\0\x02\x02\x46", "TLS"),
            (b"220 mail ESMTP\r\n", "SMTP"),
        ] {
            assert!(!plausible(bytes), "{words}");
            assert!(foreign(bytes).to_string().contains(words), "{words}");
        }
        assert!(plausible(b"") && plausible(b"\x4a\0\0\0\x0a") && plausible(b"\x4a\0\0\0\xff"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (first(&bytes), plausible(&bytes), foreign(&bytes), refusal(&bytes));
            let _ = first(&[&[10], bytes.as_slice()].concat());
            let _ = first(&[&[0xff], bytes.as_slice()].concat());
        }

        #[test]
        fn a_greeting_cut_or_changed_anywhere_is_no_panic(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
            let mut bytes = greeting("8.0.36", 0xffff, 0xdfff, "caching_sha2_password");
            if let Some(own) = bytes.get_mut(at) { *own = byte; }
            bytes.truncate(cut);
            if let Ok(Ok(hello)) = first(&bytes) { prop_assert_eq!(hello.nonce.len(), 20); }
        }
    }
}
