//! Whose endpoints a check is about, and the ids of its findings.

use super::super::Group;
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

    pub(super) fn group(self) -> Group {
        self.of(Group::Network, Group::Agent)
    }

    /// The word for [`Self::group`].
    pub(super) fn as_str(self) -> &'static str {
        self.group().as_str()
    }

    pub(super) fn endpoint(self) -> &'static str {
        self.of("network-endpoint", "agent-endpoint")
    }

    /// The id for one endpoint: a Collector has its own.
    pub(super) fn endpoint_of(self, target: &Target) -> &'static str {
        if self.is_agent() && target.direct_only { "agent-collector" } else { self.endpoint() }
    }

    pub(super) fn proxy(self) -> &'static str {
        self.of("network-proxy", "agent-proxy")
    }

    pub(super) fn resolver(self) -> &'static str {
        self.of("network-resolver", "agent-resolver")
    }

    pub(super) fn interception(self) -> &'static str {
        self.of("network-interception", "agent-interception")
    }

    pub(super) fn of<T>(self, product: T, agent: T) -> T {
        match self {
            Self::Product => product,
            Self::Agent => agent,
        }
    }
}
