//! Judges the product's containers: services up, ended, restarting, unhealthy; versions of their images.

mod judge;

use crate::check::prelude::*;
use crate::consumers;
use crate::docker::NoDocker;
use crate::envfile::unit::Release;
use crate::platform::Platform;
use crate::product::containers::{self, ContainersFacts};
use crate::system::disk::DATA_ROOT;

/// See the module.
pub(super) struct Containers;

impl Check for Containers {
    type Facts = ContainersFacts;

    const META: Meta = Meta::new(
        "containers",
        Group::Runtime,
        &[
            ids::DOCKER_REACHABLE,
            ids::SERVICE_RUNNING,
            ids::SERVICE_EXITED,
            ids::SERVICE_RESTARTING,
            ids::SERVICE_UNHEALTHY,
            ids::IMAGE_VERSION,
        ],
    )
    .gates(&[ids::DOCKER_REACHABLE, ids::SERVICE_RUNNING]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&ContainersFacts>) -> ContainersFacts {
        let release = look.platform.map_or(Release::UNKNOWN, Platform::systemd);
        ContainersFacts {
            unit: consumers::installed_docker(look.host, release).map(str::to_owned),
            // For an advice alone.
            data_root: consumers::data_root(look.host, release).unwrap_or_else(|_| DATA_ROOT.into()),
            ..containers::look(look.host, &look.spec.home, time)
        }
    }

    fn judge(&self, facts: &ContainersFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_containers(facts, spec)
    }

    fn is_settled(&self, facts: &ContainersFacts) -> bool {
        matches!(facts.docker, Some(Err(NoDocker::Absent | NoDocker::Denied { .. })))
    }
}

#[cfg(test)]
mod tests;
