//! Cores and memory.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{GROUP, Seen, judged, text};
use crate::check::requirements::Hardware as Needs;
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::host::HostRead;
use crate::net::Time;

const ONLINE: &str = "/sys/devices/system/cpu/online";
const CPUINFO: &str = "/proc/cpuinfo";
const MEMINFO: &str = "/proc/meminfo";

/// No machine has more; a file that says so is no file of the kernel's.
const MAX_CORES: u32 = 1 << 16;

pub(super) struct Hardware;

#[derive(Serialize, Deserialize)]
pub(super) struct HardwareFacts {
    cores: Seen<Cores>,
    /// `MemTotal` in KiB.
    memory_kib: Seen<u64>,
}

#[derive(Serialize, Deserialize)]
struct Cores {
    /// CPUs of the machine that are switched on.
    online: u32,
    /// As many of them as a process in this session gets: affinity and cgroup quota taken off.
    usable: Option<u32>,
}

impl Check for Hardware {
    type Facts = HardwareFacts;

    const META: Meta = Meta::new("hardware", Group::Host, &["cpu-cores", "memory"]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&HardwareFacts>) -> HardwareFacts {
        let host = look.host;
        HardwareFacts {
            cores: Seen::live(host, || match online(host) {
                Some(online) => {
                    let usable = std::thread::available_parallelism().ok();
                    Seen::Is(Cores { online, usable: usable.and_then(|count| u32::try_from(count.get()).ok()) })
                }
                None => Seen::Unread(format!("neither {ONLINE} nor {CPUINFO} tells how many there are")),
            }),
            memory_kib: Seen::live(host, || match text(host, MEMINFO) {
                Ok(found) => match found.as_deref().and_then(mem_total) {
                    Some(kib) => Seen::Is(kib),
                    None => Seen::Unread(format!("{MEMINFO} has no line MemTotal")),
                },
                Err(why) => Seen::Unread(why),
            }),
        }
    }

    fn judge(&self, facts: &HardwareFacts, spec: &CheckSpec) -> Vec<Finding> {
        let needs = Needs::of(spec.deployment);
        vec![
            judged(&facts.cores, "cpu-cores", "cores", |cores| judge_cores(cores, needs)),
            judged(&facts.memory_kib, "memory", "memory", |kib| judge_memory(*kib, needs)),
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
        Some(usable) => format!("{online} online, of which this session may use {usable} (affinity or cgroup quota)"),
        None => format!("{online} online"),
    };
    let title = match status {
        Status::Pass => format!("{online} cores"),
        _ if online < needs.cores => format!("{online} of the {} cores that {} needs", needs.cores, needs.name),
        _ => format!("of {online} cores this session may use {}", usable.unwrap_or(online)),
    };
    let finding = Finding::new("cpu-cores", GROUP, status, title)
        .expected(format!("{} cores or more", needs.cores))
        .observed(seen)
        .evidence("online", online)
        .evidence("usable", usable)
        .evidence("source", needs.source.as_str());
    match status {
        Status::Pass => finding,
        _ if online < needs.cores => finding
            .cause(match needs.cores_tried {
                Some(tried) => format!("{} was tried with {tried} cores; it is slow", needs.name),
                None => "the vendor's recommendation for one instance of the product".to_owned(),
            })
            .fix(format!("give the machine {} cores, then: ics-setup check --only cpu-cores", needs.cores)),
        _ => finding
            .cause("the product's containers get what the Docker daemon may use, which need not be limited alike")
            .fix("systemctl show docker.service user.slice system.slice -p CPUQuotaPerSecUSec -p AllowedCPUs"),
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
        Status::Pass => format!("{shown} of memory"),
        _ => format!("{shown} of memory where {} needs {} GiB", needs.name, needs.memory_gib),
    };
    let finding = Finding::new("memory", GROUP, status, title)
        .expected(format!(
            "{} GiB or more; from {} on it passes, because the kernel keeps some of it back",
            needs.memory_gib,
            gib(within_tolerance(asked))
        ))
        .observed(format!("MemTotal {kib} kB ({shown}) in {MEMINFO}"))
        .evidence("kib", kib)
        .evidence("source", needs.source.as_str());
    match status {
        Status::Pass => finding,
        _ => finding
            .cause("each worker takes about 1 GiB; with too little the kernel kills workers or the database")
            .fix(format!("give the machine {} GiB, then: ics-setup check --only memory", needs.memory_gib))
            .fix(format!("or run fewer workers: scale: in {}", "docker-compose.yml of the product's folder")),
    }
}

/// A tenth less is as good.
pub(super) fn within_tolerance(asked: u64) -> u64 {
    asked / 10 * 9
}

fn gib(kib: u64) -> String {
    let tenths = kib.saturating_mul(10) >> 20;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

fn online(host: &dyn HostRead) -> Option<u32> {
    let listed = text(host, ONLINE).ok().flatten().and_then(|list| ranges(&list));
    listed.or_else(|| {
        let info = host.read(Path::new(CPUINFO)).ok().flatten()?;
        let processors = info.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"processor"));
        u32::try_from(processors.count()).ok().filter(|count| *count > 0)
    })
}

/// How many numbers a list such as `0-3,8` has.
fn ranges(list: &str) -> Option<u32> {
    let mut count = 0_u32;
    for range in list.trim().split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        count = count.checked_add(to.checked_sub(from)?.checked_add(1)?)?;
    }
    (1..=MAX_CORES).contains(&count).then_some(count)
}

fn mem_total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production, spec};
    use super::*;
    use crate::host::MemoryHost;
    use crate::settings::Deployment;

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
    fn files_of_proc_have_no_size_and_are_read_all_the_same() {
        let host = crate::host::RealHost::live();
        assert!(text(&host, MEMINFO).unwrap().and_then(|text| mem_total(&text)).is_some_and(|kib| kib > 1 << 10));
        assert!(text(&host, "/proc/self/net/tcp").unwrap().is_some_and(|table| table.contains("local_address")));
        let space = host.space(Path::new("/")).unwrap();
        assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    }

    #[test]
    fn the_kernels_files_are_read() {
        for (list, count) in [("0-3\n", Some(4)), ("0,2-3,8", Some(4)), ("0", Some(1)), ("3-1", None), ("", None)] {
            assert_eq!(ranges(list), count, "{list}");
        }
        assert_eq!(ranges("0-4294967295"), None);
        assert_eq!(mem_total("MemTotal:       8048576 kB\nMemFree: 1 kB\n"), Some(8_048_576));
        let host = MemoryHost::new();
        host.put(CPUINFO, b"processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n");
        host.put(MEMINFO, b"MemTotal:       16048576 kB\n");
        let live = checked(&Hardware, &Live(host.clone()), &spec(Deployment::TestDrive));
        assert_eq!((live[0].status, live[1].status), (Status::Warn, Status::Pass), "{live:?}");
        let image = checked(&Hardware, &host, &production());
        assert!(image.iter().all(|finding| finding.status == Status::Skip), "{image:?}");
    }
}
