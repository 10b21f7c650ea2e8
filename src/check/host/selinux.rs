//! Does SELinux keep containers from the product's folder?

use super::argument;
use crate::check::prelude::*;
use crate::system::Seen;
use crate::system::selinux::{self, CONFIG, SelinuxFacts};
use crate::text::of_host;

/// Types that containers may read and write: today's name, and CentOS 7's.
const FOR_CONTAINERS: [&str; 2] = ["container_file_t", "svirt_sandbox_file_t"];

pub(super) struct Selinux;

impl Check for Selinux {
    type Facts = SelinuxFacts;

    const META: Meta = Meta::new("selinux", Group::Host, &[ids::SELINUX]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&SelinuxFacts>) -> SelinuxFacts {
        selinux::observe(look.host, &look.spec.home)
    }

    fn judge(&self, facts: &SelinuxFacts, spec: &CheckSpec) -> Vec<Finding> {
        vec![judge_selinux(facts, spec)]
    }
}

fn judge_selinux(facts: &SelinuxFacts, spec: &CheckSpec) -> Finding {
    let now = facts.running.now(|mode| match mode {
        None => "the kernel has none",
        Some(true) => "enforcing",
        Some(false) => "permissive",
    });
    let configured = facts.configured.as_deref().unwrap_or("nothing");
    let home = &spec.home;
    let mode = match configured {
        "enforcing" | "permissive" | "disabled" | "nothing" => text!("{}", own(configured)),
        other => text!("{}", other),
    };
    let seen = text!("now: {}; {} says {} for the next boot", now, own(CONFIG), mode);
    // Without SELinux in the kernel a configuration that is left over means nothing.
    let enforcing = match facts.running {
        Seen::Is(None) => false,
        Seen::Is(Some(true)) => true,
        _ => configured == "enforcing",
    };
    let labelled = facts.label.as_deref().is_some_and(|label| FOR_CONTAINERS.iter().any(|name| label.contains(name)));
    let expected = text!("SELinux lets containers use what they mount from {}", home);
    if !enforcing {
        return Finding::pass(ids::SELINUX, "SELinux does not stand in the way of containers")
            .expected(expected)
            .observed(seen);
    }
    if labelled {
        let label = facts.label.clone().unwrap_or_default();
        return Finding::pass(ids::SELINUX, text!("SELinux is enforcing, and {} is labelled for containers", home))
            .expected(expected)
            .observed(text!("{}; {} is {}", seen, home, label))
            .evidence("label", label);
    }
    let folder = argument(home);
    let make = if facts.home { Text::default() } else { text!("mkdir -p {} && ", of_host(home)) };
    Finding::warn(ids::SELINUX, text!("SELinux is enforcing, and {} is not labelled for containers", home))
        .expected(expected)
        .observed(match &facts.label {
            Some(label) => text!("{}; {} is {}", seen, home, label),
            None => seen,
        })
        .cause(
            "where the Docker daemon runs with selinux-enabled (docker info shows name=selinux), containers get \"permission \
             denied\" on folders mounted into them",
        )
        .fix(as_root(text!("{}chcon -Rt {} {}", make, own(FOR_CONTAINERS[0]), of_host(home))))
        .advise(text!(
            "make it last: semanage fcontext -a -t {} '{}(/.*)?' && restorecon -R {}",
            own(FOR_CONTAINERS[0]),
            home,
            folder
        ))
        .advise("label it per volume in docker-compose.yml: - ./plugins:/plugins:z")
        .evidence("label", facts.label.clone())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;
    use crate::system::selinux::ENFORCE;

    #[test]
    fn modes_and_labels() {
        let good = Some("system_u:object_r:container_file_t:s0");
        let other = Some("unconfined_u:object_r:default_t:s0");
        let enforcing = Some("enforcing");
        for (running, configured, label, status) in [
            (Seen::Is(None), enforcing, None, Status::Pass),
            (Seen::Is(Some(false)), Some("permissive"), other, Status::Pass),
            (Seen::Is(Some(false)), enforcing, other, Status::Warn),
            (Seen::Is(Some(true)), Some("disabled"), other, Status::Warn),
            (Seen::Is(Some(true)), enforcing, good, Status::Pass),
            (Seen::Image, enforcing, None, Status::Warn),
            (Seen::Image, None, None, Status::Pass),
        ] {
            let (configured, label) = (configured.map(str::to_owned), label.map(str::to_owned));
            let facts = SelinuxFacts { running, configured, home: label.is_some(), label };
            assert_eq!(judge_selinux(&facts, &production()).status, status);
        }
    }

    #[test]
    fn files_are_read() {
        let host = MemoryHost::new();
        host.put(CONFIG, b"# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n");
        let status = |host: &dyn crate::host::HostRead| checked(&Selinux, host, &production())[0].status;
        assert_eq!(status(&host), Status::Warn);
        assert_eq!(status(&Live(host.clone())), Status::Pass, "the kernel has none");
        host.put(ENFORCE, b"1");
        assert_eq!(status(&Live(host)), Status::Warn);
    }
}
