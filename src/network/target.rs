//! One endpoint to go to.

use serde::{Deserialize, Serialize};

use super::catalogue::{Component, Confidence, Endpoint, NeededBy, Protocol};
use crate::finding::Status;
use crate::text::host_port;

/// One endpoint to go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Of the Insight Agent (or its Collector), not of the product.
    pub agent: bool,
    /// Name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What for.
    pub purpose: String,
    /// The vendor's wildcard that this name represents.
    pub stands_for: Option<String>,
    /// TLS; otherwise HTTP in the clear where there is a path, and else only an open connection.
    pub tls: bool,
    /// The path of the request.
    pub path: Option<String>,
    /// Never through a web proxy.
    pub direct_only: bool,
    /// Can it be done without?
    pub required: bool,
    /// How well it is known that it is needed.
    pub confidence: Confidence,
    /// Addresses that firewalls may be opened for.
    pub static_ips: Vec<String>,
}

impl Target {
    /// What can be tried from here of an endpoint: not what browsers or Collectors need, and not what never leaves this host's
    /// own link.
    pub fn of(endpoint: &Endpoint) -> Option<Self> {
        let agent = match endpoint.component {
            Component::Product | Component::Install => false,
            Component::Agent | Component::AgentToCollector => true,
            Component::Collector => return None,
        };
        if endpoint.needed_by == NeededBy::Browser || endpoint.is_link_local() {
            return None;
        }
        let path = || Some(endpoint.path.clone().unwrap_or_else(|| "/".to_owned()));
        Some(Self {
            agent,
            host: endpoint.host.clone(),
            port: endpoint.port,
            purpose: endpoint.purpose.clone(),
            stands_for: endpoint.representative.as_ref().map(|_| endpoint.shown().to_owned()),
            tls: endpoint.protocol == Protocol::Https,
            path: if endpoint.protocol == Protocol::Tcp { None } else { path() },
            direct_only: endpoint.direct,
            required: endpoint.required,
            confidence: endpoint.confidence,
            static_ips: endpoint.static_ips.blocks().iter().map(ToString::to_string).collect(),
        })
    }

    /// How a finding about it ends where it cannot be reached.
    pub(crate) fn missed(&self) -> Status {
        self.confidence.at_most(if self.required { Status::Fail } else { Status::Warn })
    }

    /// `host:port`.
    pub fn name(&self) -> String {
        host_port(&self.host, self.port)
    }
}
