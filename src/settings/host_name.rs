//! The host of a setting: a name or an address, alone. What people write in its place is told, with the host that they mean.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::proxy_url::parse_host;
use crate::redact::{redact_line, url_masked};
use crate::text;
use crate::text::Text;

/// What stands where a host is wanted, and is none. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoHost {
    /// The value, without what may be a password in it.
    shown: String,
    /// What it means, where that can be told.
    pub(crate) meant: Option<Meant>,
}

/// The host that somebody means who writes more than it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meant {
    /// Name or address.
    pub(crate) host: String,
    /// The port that stands with it.
    pub(crate) port: Option<u16>,
    /// A login stands with it.
    pub(crate) login: bool,
}

impl NoHost {
    /// What to write instead.
    pub(crate) const ADVICE: &'static str = "write the host alone; the port has a setting of its own";

    /// Half a sentence: `"db:3306" is no host name and no address`.
    pub(crate) fn says(&self) -> Text {
        match self.shown.as_str() {
            "" => "it is empty".into(),
            shown => text!("{:?} is no host name and no address", shown),
        }
    }
}

/// A host name or an address.
///
/// # Errors
/// It is neither.
pub(crate) fn host_alone(value: &str) -> Result<(), NoHost> {
    if is_host(value) { Ok(()) } else { Err(NoHost { shown: host_shown(value), meant: meant(value) }) }
}

/// The value of a host's setting, as it may be shown: what is no host, such as a URL, may hold a login.
pub(crate) fn host_shown(value: &str) -> String {
    if is_host(value) { value.to_owned() } else { redact_line(&url_masked(value)) }
}

fn is_host(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok() || parse_host(value).is_ok()
}

/// `rediss://:password@host:6379/0`, `"host"`, `host:3306`, `[fd00::1]:3306`.
fn meant(value: &str) -> Option<Meant> {
    let text = value.trim().trim_matches(['"', '\'']).trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (login, text) = text.rsplit_once('@').map_or((false, text), |(_, rest)| (true, rest));
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match text.rsplit_once(':') {
        // The last group of an address is no port.
        Some((host, port)) if !is_host(text) => (host, Some(port.parse().ok().filter(|port| *port > 0)?)),
        _ => (text, None),
    };
    is_host(host).then(|| Meant { host: host.to_owned(), port, login })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stands_alone_and_what_is_meant_by_more_is_told() {
        for host in ["db.corp.example", "db", "10.0.0.1", "fd00::1", "[fd00::1]"] {
            assert_eq!(host_alone(host), Ok(()), "{host}");
        }
        let meant = |value: &str| {
            let no_host = host_alone(value).unwrap_err();
            no_host.meant.map(|meant| (meant.host, meant.port, meant.login))
        };
        let is = |host: &str, port, login| Some((host.to_owned(), port, login));
        for (value, wanted) in [
            ("127.0.0.1:3306", is("127.0.0.1", Some(3306), false)),
            ("redis://127.0.0.1:6379/0", is("127.0.0.1", Some(6379), false)),
            ("rediss://:s3cret@cache.corp:6380/0?x=y", is("cache.corp", Some(6380), true)),
            ("mysql://u:p@db.corp/divvy", is("db.corp", None, true)),
            ("\"db.corp\"", is("db.corp", None, false)),
            (" db.corp\t", is("db.corp", None, false)),
            ("[fd00::1]:3306", is("[fd00::1]", Some(3306), false)),
            ("db:0", None),
            ("db:99999", None),
            ("a b", None),
            ("", None),
            ("10.0.0.256", None),
        ] {
            assert_eq!(meant(value), wanted, "{value}");
        }
        let says = |value: &str| host_alone(value).unwrap_err().says().to_string();
        assert_eq!(says("db:3306"), "\"db:3306\" is no host name and no address");
        for value in ["redis://:s3cret@h:1/0", "u:s3cret@h:1", "s3cret@h", ":s3cret@h", "\"u:s3cret@h\"", "h:s3cret"] {
            assert!(!says(value).contains("s3cret"), "{value}");
        }
        assert_eq!(host_shown("fd00::1"), "fd00::1");
        assert_eq!(says(""), "it is empty");
    }
}
