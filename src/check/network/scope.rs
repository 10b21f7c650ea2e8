//! Whose endpoints a check is about, and the ids of its findings.

use crate::check::prelude::*;
use crate::network::target::Target;

/// Whose endpoints are looked at: the two checks are one, and differ in what they call things and in what they take ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// What the product needs.
    Product,
    /// What the Insight Agent needs.
    Agent,
}

impl Scope {
    pub(super) fn is_agent(self) -> bool {
        self == Self::Agent
    }

    pub(super) fn endpoint(self) -> FindingId {
        self.of(ids::NETWORK_ENDPOINT, ids::AGENT_ENDPOINT)
    }

    /// The id for one endpoint: a Collector has its own.
    pub(super) fn endpoint_of(self, target: &Target) -> FindingId {
        if self.is_agent() && target.direct_only { ids::AGENT_COLLECTOR } else { self.endpoint() }
    }

    pub(super) fn proxy(self) -> FindingId {
        self.of(ids::NETWORK_PROXY, ids::AGENT_PROXY)
    }

    pub(super) fn resolver(self) -> FindingId {
        self.of(ids::NETWORK_RESOLVER, ids::AGENT_RESOLVER)
    }

    pub(super) fn interception(self) -> FindingId {
        self.of(ids::NETWORK_INTERCEPTION, ids::AGENT_INTERCEPTION)
    }

    pub(super) fn of<T>(self, product: T, agent: T) -> T {
        match self {
            Self::Product => product,
            Self::Agent => agent,
        }
    }
}
