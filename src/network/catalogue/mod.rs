//! Every outbound connection, from `assets/endpoints.toml` and a file of the user's.
//!
//! | module | what |
//! | --- | --- |
//! | `file` | the TOML file, and how one is laid over the other |
//! | `needs` | what the shipped one says to those who never list it |
//! | `called` | which endpoints the settings call for |
//! | `wildcard` | what the vendor's patterns cover |
//! | `address` | names, addresses and blocks of addresses |

mod address;
mod file;
mod needs;
mod required;
mod wildcard;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::finding::Status;
use crate::problem::Problem;
use crate::settings::Deployment;
use crate::system::cloud::Cloud;
use crate::text::words::words;
use crate::version::Version;

pub(crate) use address::{Block, host_name};
pub(crate) use needs::Needs;
pub(crate) use required::{EndpointNeeds, all, foreign_region, required_endpoints};
pub(crate) use wildcard::{Covers, Wildcard, is_below};

/// What stands for the hosts of `--collector`.
pub(crate) const COLLECTOR: &str = "<collector>";

/// The region of an endpoint that is the same everywhere.
pub(crate) const ANY: &str = "any";

words! {
    /// Who connects, and when.
    pub enum Component {
        /// The product at run time.
        Product = "product",
        /// Its installation.
        Install = "install",
        /// The Insight Agent.
        Agent = "agent",
        /// The Collector, on its way out.
        Collector = "collector",
        /// Agents, to their Collector.
        AgentToCollector = "agent-to-collector",
    }

    /// What is spoken on the port.
    pub enum Protocol {
        /// HTTP over TLS.
        Https = "https",
        /// HTTP in the clear.
        Http = "http",
        /// Something else over TCP.
        Tcp = "tcp",
    }

    /// How sure a fact is.
    pub enum Confidence {
        /// Seen in the vendor's text, or in several places.
        Verified = "verified",
        /// Seen once, or long ago.
        SingleSource = "single-source",
        /// By the pattern of what was seen.
        Inferred = "inferred",
        /// Doubtful.
        Weak = "weak",
        /// General engineering knowledge.
        General = "general",
        /// From a file given with `--endpoints`.
        User = "user",
    }

    /// Who needs the connection.
    pub enum NeededBy {
        /// A host of the product, an agent, a Collector.
        Server = "server",
        /// The browser of a user of the product.
        Browser = "browser",
    }

    /// What a certificate of somebody else's does to the connection.
    pub enum Interception {
        /// The platform refuses the data, whether the CA is trusted here or not.
        Fail = "fail",
        /// Works once every client knows the CA.
        Warn = "warn",
    }
}

impl Confidence {
    /// The worst that a finding may say whose requirement is known this well: what is inferred is never failed.
    pub(crate) fn at_most(self, status: Status) -> Status {
        match (self, status) {
            (Self::Inferred | Self::Weak, Status::Fail | Status::Error) => Status::Warn,
            (_, status) => status,
        }
    }
}

/// The addresses that the vendor promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaticIps {
    /// These.
    Listed(Vec<Block>),
    /// The vendor says that there are none.
    None,
    /// Nothing is known.
    Unknown,
}

impl StaticIps {
    /// The addresses, where there are some.
    pub fn blocks(&self) -> &[Block] {
        match self {
            Self::Listed(blocks) => blocks,
            Self::None | Self::Unknown => &[],
        }
    }
}

/// One connection that must be open. Can be saved along with facts; when it is called for is not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Who connects.
    pub component: Component,
    /// Data region of the Insight platform, or [`ANY`].
    pub region: String,
    /// A name or address to connect to, in lower case; [`COLLECTOR`] before [`required_endpoints`] has put a host there.
    pub host: String,
    /// What the vendor prints instead of, or beside, the name.
    pub wildcard: Option<Wildcard>,
    /// Why `host` stands for the wildcard, which cannot be connected to; `None`: `host` is meant itself.
    pub representative: Option<String>,
    /// TCP port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// What for, in half a sentence.
    pub purpose: String,
    /// Addresses that the vendor promises.
    pub static_ips: StaticIps,
    /// How sure the host is.
    pub confidence: Confidence,
    /// How sure the addresses are.
    pub static_ips_confidence: Confidence,
    /// Keys of the catalogue's sources, separated by commas.
    pub source: String,
    /// When the source was read, or the date that it bears.
    pub date: String,
    /// Who needs it.
    pub needed_by: NeededBy,
    /// Is it needed in every case?
    pub required: bool,
    /// The case in which it is needed.
    pub when: Option<String>,
    /// What interception does.
    pub interception: Interception,
    /// HTTP path worth asking for.
    pub path: Option<String>,
    /// Never through a proxy.
    pub direct: bool,
    #[serde(skip)]
    only: Only,
}

impl Endpoint {
    /// The host where it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Reached on the host's own link only: no firewall and no proxy is in between.
    pub fn is_link_local(&self) -> bool {
        match self.address() {
            Some(IpAddr::V4(address)) => address.is_link_local(),
            Some(IpAddr::V6(address)) => address.segments()[0] & 0xffc0 == 0xfe80,
            None => false,
        }
    }

    /// Does a certificate of somebody else's break it, on a path where somebody may put one?
    pub fn must_not_be_decrypted(&self) -> bool {
        self.interception == Interception::Fail && !self.direct
    }

    /// What the endpoint is called in messages: the vendor's pattern where `host` only stands for it.
    pub fn shown(&self) -> &str {
        match &self.wildcard {
            Some(wildcard) if self.representative.is_some() => &wildcard.printed,
            _ => &self.host,
        }
    }
}

/// When an endpoint is called for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Only {
    deployment: Option<Deployment>,
    or_deployment: Option<Deployment>,
    from_release: Option<Version>,
    below_release: Option<Version>,
    with_collector: bool,
    cloud: Option<Cloud>,
}

/// A data region of the Insight platform.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    /// Its name, as the vendor prints it.
    pub name: String,
    /// The AWS region that it is in.
    pub aws: Option<String>,
}

/// All endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    /// When the shipped facts were gathered.
    pub date: String,
    /// What the keys in [`Endpoint::source`] stand for.
    pub sources: BTreeMap<String, String>,
    /// Data regions by code.
    pub regions: BTreeMap<String, Region>,
    /// In the order of the file; what a user added stands behind.
    pub endpoints: Vec<Endpoint>,
}

impl Catalogue {
    /// The shipped one.
    pub(crate) fn get() -> &'static Self {
        // The text is part of the binary and a test parses it.
        #[allow(clippy::expect_used)]
        static SHIPPED: LazyLock<Catalogue> =
            LazyLock::new(|| file::read(None).expect("assets/endpoints.toml is valid"));
        &SHIPPED
    }

    /// A copy of the shipped one, to be changed.
    pub(crate) fn shipped() -> Self {
        Self::get().clone()
    }

    /// The shipped one with a file of the user's laid over it.
    ///
    /// # Errors
    /// What is wrong in that file, with its line.
    pub(crate) fn with(text: &str, shown: &Path) -> Result<Self, Problem> {
        file::read(Some((text, shown)))
    }
}
