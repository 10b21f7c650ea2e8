//! Is this part of Amazon ECS, where settings stand elsewhere?

use crate::check::prelude::*;
use crate::system::ecs::{self, Ecs, EcsFacts};

pub(super) struct InEcs;

impl Check for InEcs {
    type Facts = EcsFacts;

    const META: Meta = Meta::new("ecs", Group::Host, &[ids::ECS]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&EcsFacts>) -> EcsFacts {
        ecs::observe(look.host)
    }

    fn judge(&self, facts: &EcsFacts, _want: &CheckSpec) -> Vec<Finding> {
        let Some((on, by)) = &facts.on else { return Vec::new() };
        let status = match on {
            Ecs::Task => Status::Warn,
            Ecs::ContainerInstance => Status::Pass,
        };
        let finding = Finding::new(ids::ECS, status, on.says())
            .expected("settings of the product where the product reads them")
            .observed(text!("{}", by))
            .cause("ECS gives a container its variables when it starts the task, from the task definition alone");
        vec![finding.advise(Ecs::advice())]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn a_task_is_warned_of_and_an_instance_is_named() {
        let host = MemoryHost::new();
        assert!(checked(&InEcs, &host, &production()).is_empty());
        host.put("/etc/ecs/ecs.config", b"");
        let found = checked(&InEcs, &host, &production());
        assert_eq!((found[0].status, found[0].observed.as_deref()), (Status::Pass, Some("/etc/ecs/ecs.config")));
        host.put("/proc/1/environ", b"ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/x\0");
        let found = checked(&InEcs, &Live(host), &production());
        assert_eq!(found[0].status, Status::Warn);
        assert!(found[0].fix[0].contains("ics-setup render ecs-env --format task-json"), "{found:?}");
    }
}
