//! Who must act on what is wrong.

use crate::check::proxy::Dial;
use crate::check::{Check, CheckSpec, Group};
use crate::finding::{Actor, Finding, FindingId, Status, ids};
use crate::network::cause::Via;
use crate::settings::Deployment;
use crate::text::Fix;

/// Who must act on this; `None`: it has to be found out first.
pub(super) fn actor(finding: &Finding, spec: &CheckSpec) -> Option<Actor> {
    match finding.actor.unwrap_or_else(|| usual(finding)) {
        _ if finding.status == Status::Error => None,
        // Its databases are containers.
        Actor::Databases if spec.deployment == Deployment::TestDrive => Some(Actor::Host),
        actor => Some(actor),
    }
}

/// Who it usually is for findings of this id.
fn usual(finding: &Finding) -> Actor {
    // What decrypts is a proxy too, or stands beside it.
    const OF_PROXY: [FindingId; 4] =
        [ids::NETWORK_PROXY, ids::AGENT_PROXY, ids::NETWORK_INTERCEPTION, ids::AGENT_INTERCEPTION];
    const OF_HOST: [FindingId; 4] =
        [ids::AGENT_INSTALLED, ids::AGENT_OWN_PROXY, ids::AGENT_IDENTITY, ids::PROD_ENV_HOSTS];
    let is_of = |group: Group| finding.id.group() == group.as_str();
    // What a command on this host mends is nobody else's.
    if OF_HOST.contains(&finding.id) || finding.fix.iter().any(|fix| matches!(fix, Fix::Command(_))) {
        Actor::Host
    } else if Dial::META.ids.contains(&finding.id) || OF_PROXY.contains(&finding.id) {
        Actor::Proxy
    } else if is_of(Group::Network) || is_of(Group::Agent) {
        if finding.path == Some(Via::Proxy.as_str()) { Actor::Proxy } else { Actor::Network }
    } else if is_of(Group::Backends) {
        Actor::Databases
    } else {
        Actor::Host
    }
}
