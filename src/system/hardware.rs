//! Cores and memory.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Seen, text};
use crate::host::HostRead;
use crate::text::own;

const ONLINE: &str = "/sys/devices/system/cpu/online";
pub(crate) const CPUINFO: &str = "/proc/cpuinfo";
pub(crate) const MEMINFO: &str = "/proc/meminfo";

/// No machine has more; a file that says so is no file of the kernel's.
const MAX_CORES: u32 = 1 << 16;

#[derive(Serialize, Deserialize)]
pub(crate) struct HardwareFacts {
    pub(crate) cores: Seen<Cores>,
    /// `MemTotal` in KiB.
    pub(crate) memory_kib: Seen<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Cores {
    /// CPUs of the machine that are switched on.
    pub(crate) online: u32,
    /// As many of them as a process in this session gets: affinity and cgroup quota taken off.
    pub(crate) usable: Option<u32>,
}

/// Asks the kernel.
pub(crate) fn observe(host: &dyn HostRead) -> HardwareFacts {
    HardwareFacts {
        cores: Seen::live(host, || match online(host) {
            Some(online) => {
                let usable = std::thread::available_parallelism().ok();
                Seen::Is(Cores { online, usable: usable.and_then(|count| u32::try_from(count.get()).ok()) })
            }
            None => Seen::Unread(text!("neither {} nor {} tells how many there are", own(ONLINE), own(CPUINFO))),
        }),
        memory_kib: Seen::live(host, || match text(host, MEMINFO).map(|found| mem_total(&found?)) {
            Ok(Some(kib)) => Seen::Is(kib),
            Ok(None) => Seen::Unread(text!("{} has no line MemTotal", own(MEMINFO))),
            Err(why) => Seen::Unread(why),
        }),
    }
}

/// `MemAvailable` in KiB: what programs can have without swapping. `None`: no running system, or a kernel before 3.14.
pub(crate) fn memory_available_kib(host: &dyn HostRead) -> Option<u64> {
    host.is_live()
        .then(|| text(host, MEMINFO))
        .and_then(Result::ok)
        .flatten()
        .and_then(|found| line(&found, "MemAvailable:"))
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
    line(text, "MemTotal:")
}

fn line(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_have_no_size_and_are_read_all_the_same() {
        let host = crate::host::RealHost::live();
        assert!(text(&host, MEMINFO).unwrap().and_then(|text| mem_total(&text)).is_some_and(|kib| kib > 1 << 10));
        assert!(text(&host, "/proc/self/net/tcp").unwrap().is_some_and(|table| table.contains("local_address")));
        let space = host.space(Path::new("/")).unwrap();
        assert!(space.total > 0 && space.free <= space.total, "{space:?}");
    }

    #[test]
    fn lists_of_cores_and_the_line_of_the_memory_are_read() {
        for (list, count) in [("0-3\n", Some(4)), ("0,2-3,8", Some(4)), ("0", Some(1)), ("3-1", None), ("", None)] {
            assert_eq!(ranges(list), count, "{list}");
        }
        assert_eq!(ranges("0-4294967295"), None);
        assert_eq!(mem_total("MemTotal:       8048576 kB\nMemFree: 1 kB\n"), Some(8_048_576));
    }
}
