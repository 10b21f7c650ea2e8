//! Is this part of Amazon ECS: a task, or a host that tasks run on?

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cloud::{self, ECS};
use crate::host::HostRead;
use crate::text;
use crate::text::words::words;
use crate::text::{Text, ics_setup};

/// What the agent gives to every container of a task (docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint.html,
/// read 2026-11-29); version 4 first.
const VARIABLES: [&str; 2] = ["ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI"];

/// The first process of a container has what sudo and logins take away.
const FIRST: &str = "/proc/1/environ";

words! {
    /// What of ECS this is.
    pub(crate) enum Ecs {
        /// A container of a task.
        Task = "task",
        /// A host that tasks run on.
        ContainerInstance = "container-instance",
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EcsFacts {
    /// What it is, and what tells.
    pub(crate) on: Option<(Ecs, String)>,
}

/// Looks at the environment of a running system, and at files.
pub(crate) fn observe(host: &dyn HostRead) -> EcsFacts {
    let task = if host.is_live() { variable(host) } else { None };
    let on = task.map(|name| (Ecs::Task, name.to_owned()));
    EcsFacts { on: on.or_else(|| Some((Ecs::ContainerInstance, cloud::service(host, ECS)?))) }
}

fn variable(host: &dyn HostRead) -> Option<&'static str> {
    // Who may not read it has the variable, or is no part of the task.
    let first = host.read(Path::new(FIRST)).ok().flatten().unwrap_or_default();
    let has = |name: &str| {
        let of_first = |pair: &[u8]| pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        std::env::var_os(name).is_some() || first.split(|byte| *byte == 0).any(of_first)
    };
    VARIABLES.into_iter().find(|name| has(name))
}

impl Ecs {
    /// What it means for whoever sets something here, as a sentence.
    pub(crate) fn says(self) -> Text {
        match self {
            Self::Task => {
                "this is a task of Amazon ECS: its settings are in the task definition, and what is changed in it goes with it".into()
            }
            Self::ContainerInstance => {
                "this is a container instance of Amazon ECS: the product as tasks takes its settings from the task definition; \
                 prepare serves this host's logins and Docker daemon"
                    .into()
            }
        }
    }

    /// What to do instead.
    pub(crate) fn advice() -> Text {
        let command = ics_setup("render ecs-env --format task-json --proxy http://<HOST>:<PORT>");
        text!("what belongs into the task definition: {}", command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn instances_are_told_by_files_and_an_image_is_no_task() {
        let host = MemoryHost::new();
        assert!(observe(&host).on.is_none());
        host.put(FIRST, b"PATH=/bin\0ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/x\0");
        assert!(observe(&host).on.is_none(), "an image");
        assert_eq!(variable(&host), Some("ECS_CONTAINER_METADATA_URI_V4"));
        host.put(FIRST, b"XECS_CONTAINER_METADATA_URI=x\0ECS_CONTAINER_METADATA_URIS=x\0");
        assert_eq!(variable(&host), None);
        host.put("/etc/ecs/ecs.config", b"ECS_CLUSTER=x\n");
        let on = observe(&host).on;
        assert_eq!(on, Some((Ecs::ContainerInstance, "/etc/ecs/ecs.config".to_owned())));
    }
}
