//! The clients, from `assets/clients.toml`. Its comments say what each key means.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use crate::assets;
use crate::host::{Command, HostRead};
use crate::text;
use crate::version::Version;

/// One HTTP client, or a range of its releases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Stable name for scripts.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Programs that are, or use, this client.
    pub used_by: String,
    /// Where its rules are from.
    pub source: String,
    /// When they were read or measured.
    pub date: String,
    program: Option<String>,
    /// One broken release, for which no list can be written: it counts where it is installed.
    #[serde(default)]
    pub broken: bool,
    from: Option<Version>,
    below: Option<Version>,
    pub(super) reads: Reads,
    pub(super) rules: Rules,
}

/// Which variables it reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reads {
    pub(super) http: Vec<String>,
    pub(super) https: Vec<String>,
    pub(super) no_proxy: Vec<String>,
    #[serde(default)]
    pub(super) any_case: bool,
    pub(super) empty: Empty,
    pub(super) empty_no_proxy: Option<Empty>,
    pub(super) cgi: Cgi,
    pub(super) schemeless: Schemeless,
    pub(super) no_port: Option<u16>,
    pub(super) instead: Option<String>,
    /// The list is what a property was set to, so it counts although no variable is read.
    #[serde(default)]
    pub(super) property: bool,
}

/// How it reads a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) way: Way,
    pub(super) split: String,
    pub(super) blanks: Blanks,
    pub(super) all: All,
    pub(super) name: Name,
    pub(super) dot: Dot,
    pub(super) star: Star,
    pub(super) end_dot: EndDot,
    pub(super) v4: V4,
    pub(super) v6: V6,
    pub(super) ranges: Ranges,
    #[serde(default)]
    pub(super) zero_mask: ZeroMask,
    /// What follows a blank between members is not read.
    #[serde(default)]
    pub(super) blank_ends: bool,
    pub(super) port: Port,
    pub(super) loopback: Loopback,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($word:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum $name { $($word),* }
    )*};
}

words! {
    Empty { Next, Counts }
    Cgi { Reads, NoUpper, Nothing, Error }
    Schemeless { Works, Error }
    Blanks { Trim, Leading, Keep, Delete }
    All { Whole, Member, Names, Never }
    Name { Exact, Subdomains, Suffix }
    Dot { Drop, DropAll, Keep, Literal }
    Star { None, Dot, Ends, Either, Both }
    EndDot { Literal, Drop, Prefix }
    V4 { Text, Dotted, Address, Either }
    V6 { Bare, Bracketed, Address, Any, Never }
    Ranges { None, V4, Both }
    Port { Never, Written, WrittenNames, Unusual, Effective, Lax }
    Loopback { None, Own, Resolved, Alike, UnlessEmpty }
}

text::words::words! {
    /// Which way a list is read.
    pub(super) enum Way {
        Members = "members",
        Curl786 = "curl-7.86",
        Httpx = "httpx",
        Ruby = "ruby",
    }
}

/// What a mask of no bits means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ZeroMask {
    #[default]
    Everything,
    Exact,
    Nothing,
}

/// Every client, in a stable order.
pub fn all() -> &'static [Client] {
    static ALL: LazyLock<Vec<Client>> = LazyLock::new(|| assets::only(&assets::CLIENTS));
    &ALL
}

/// The client with this id.
pub fn by_id(id: &str) -> Option<&'static Client> {
    all().iter().find(|client| client.id == id)
}

/// The profile of a release of curl.
pub fn curl(version: &Version) -> Option<&'static Client> {
    all().iter().find(|client| {
        client.program.as_deref() == Some("curl")
            && client.from.as_ref().is_none_or(|from| from <= version)
            && client.below.as_ref().is_none_or(|below| version < below)
    })
}

/// The release of a host's curl, which is asked for it; `None`: it is not there, or no program is run there.
pub(crate) fn curl_release(host: &dyn HostRead, deadline: Duration) -> Option<Version> {
    let command = Command { deadline, ..Command::new(["curl", "--version"]) };
    let text = host.query(&command).ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())?;
    Version::parse(text.strip_prefix("curl ")?.split_whitespace().next()?)
}
