//! Cores and memory.

use super::judged;
use crate::check::prelude::*;
use crate::check::requirements::Hardware as Needs;
use crate::system::hardware::{self, Cores, HardwareFacts, MEMINFO};

pub(super) struct Hardware;

impl Check for Hardware {
    type Facts = HardwareFacts;

    const META: Meta = Meta::new("hardware", Group::Host, &[ids::CPU_CORES, ids::MEMORY]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&HardwareFacts>) -> HardwareFacts {
        hardware::observe(look.host)
    }

    fn judge(&self, facts: &HardwareFacts, spec: &CheckSpec) -> Vec<Finding> {
        let needs = Needs::of(spec.deployment);
        vec![
            judged(&facts.cores, ids::CPU_CORES, "cores", |cores| judge_cores(cores, needs)),
            judged(&facts.memory_kib, ids::MEMORY, "memory", |kib| judge_memory(*kib, needs)),
        ]
    }

    fn is_settled(&self, _facts: &HardwareFacts) -> bool {
        true
    }
}

fn judge_cores(cores: &Cores, needs: &Needs) -> Finding {
    let Cores { online, usable } = *cores;
    let short = usable.is_some_and(|usable| usable < needs.cores);
    let status = match online {
        _ if online < needs.cores_least() => Status::Fail,
        _ if online < needs.cores || short => Status::Warn,
        _ => Status::Pass,
    };
    let seen = match usable.filter(|usable| *usable != online) {
        Some(usable) => {
            text!("{} online, of which this session may use {} (affinity or cgroup quota)", online, usable)
        }
        None => text!("{} online", online),
    };
    let title = match status {
        Status::Pass => text!("{} cores", online),
        _ if online < needs.cores => {
            text!("{} of the {} cores that {} needs", online, needs.cores, own(needs.name))
        }
        _ => text!("of {} cores this session may use {}", online, usable.unwrap_or(online)),
    };
    let finding = Finding::new(ids::CPU_CORES, status, title)
        .expected(text!("{} cores or more", needs.cores))
        .observed(seen)
        .evidence("online", online)
        .evidence("usable", usable)
        .evidence("source", own(&needs.source));
    match status {
        Status::Pass => finding,
        _ if online < needs.cores => finding
            .cause(match needs.cores_tried {
                Some(tried) => text!("{} was tried with {} cores; it is slow", own(needs.name), tried),
                None => "the vendor's recommendation for one instance of the product".into(),
            })
            .advise(text!("give the machine {} cores, then: {}", needs.cores, ics_setup("check --only cpu-cores"))),
        _ => finding
            .cause("the product's containers get what the Docker daemon may use, which need not be limited alike")
            .advise(text!(
                "see what is limited: {}",
                typed("systemctl show docker.service user.slice system.slice -p CPUQuotaPerSecUSec -p AllowedCPUs")
            )),
    }
}

fn judge_memory(kib: u64, needs: &Needs) -> Finding {
    let asked = needs.memory_gib << 20;
    let least = needs.memory_least_gib() << 20;
    let status = match kib {
        _ if kib < within_tolerance(least) => Status::Fail,
        _ if kib < within_tolerance(asked) => Status::Warn,
        _ => Status::Pass,
    };
    let shown = gib(kib);
    let title = match status {
        Status::Pass => text!("{} of memory", shown),
        _ => text!("{} of memory where {} needs {} GiB", shown, own(needs.name), needs.memory_gib),
    };
    let finding = Finding::new(ids::MEMORY, status, title)
        .expected(text!(
            "{} GiB or more; from {} on it passes, because the kernel keeps some of it back",
            needs.memory_gib,
            gib(within_tolerance(asked))
        ))
        .observed(text!("MemTotal {} kB ({}) in {}", kib, shown, own(MEMINFO)))
        .evidence("kib", kib)
        .evidence("source", own(&needs.source));
    match status {
        Status::Pass => finding,
        _ => finding
            .cause("each worker takes about 1 GiB; with too little the kernel kills workers or the database")
            .advise(text!("give the machine {} GiB, then: {}", needs.memory_gib, ics_setup("check --only memory")))
            .advise("run fewer workers: scale: in docker-compose.yml of the product's folder"),
    }
}

/// Nine tenths of what is asked for: kernels and file systems keep some of it back, so this much passes.
pub(super) fn within_tolerance(asked: u64) -> u64 {
    asked / 10 * 9
}

fn gib(kib: u64) -> Text {
    let tenths = kib.saturating_mul(10) >> 20;
    text!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production, spec};
    use super::*;
    use crate::host::MemoryHost;
    use crate::settings::Deployment;
    use crate::system::hardware::CPUINFO;

    #[test]
    fn cores_at_the_boundaries() {
        let of = |deployment, online, usable| judge_cores(&Cores { online, usable }, Needs::of(deployment)).status;
        for (online, usable, production, test_drive) in [
            (1, Some(1), Status::Fail, Status::Fail),
            (2, Some(2), Status::Fail, Status::Warn),
            (3, None, Status::Fail, Status::Warn),
            (4, Some(4), Status::Pass, Status::Pass),
            (4, Some(2), Status::Warn, Status::Warn),
            (96, None, Status::Pass, Status::Pass),
        ] {
            assert_eq!(of(Deployment::Production, online, usable), production, "{online} {usable:?}");
            assert_eq!(of(Deployment::TestDrive, online, usable), test_drive, "{online} {usable:?}");
        }
    }

    #[test]
    fn memory_at_the_boundaries() {
        let of = |deployment, kib| judge_memory(kib, Needs::of(deployment)).status;
        // 8 GiB less a tenth is 7549740 KiB in whole numbers.
        let edge = within_tolerance(8 << 20);
        for (kib, production, test_drive) in [
            (0, Status::Fail, Status::Fail),
            (edge - 1, Status::Fail, Status::Fail),
            (edge, Status::Pass, Status::Warn),
            (7_969_176, Status::Pass, Status::Warn),
            (within_tolerance(16 << 20) - 1, Status::Pass, Status::Warn),
            (within_tolerance(16 << 20), Status::Pass, Status::Pass),
            (u64::MAX, Status::Pass, Status::Pass),
        ] {
            assert_eq!(of(Deployment::Production, kib), production, "{kib}");
            assert_eq!(of(Deployment::TestDrive, kib), test_drive, "{kib}");
        }
    }

    #[test]
    fn the_kernels_files_are_read() {
        let host = MemoryHost::new();
        host.put(CPUINFO, b"processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n");
        host.put(MEMINFO, b"MemTotal:       16048576 kB\n");
        let live = checked(&Hardware, &Live(host.clone()), &spec(Deployment::TestDrive));
        assert_eq!((live[0].status, live[1].status), (Status::Warn, Status::Pass), "{live:?}");
        let image = checked(&Hardware, &host, &production());
        assert!(image.iter().all(|finding| finding.status == Status::Skip), "{image:?}");
    }
}
