//! Who holds a lock: the kernel says it (`/proc/locks`), so nothing has to be written down and nothing can be out of date.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::stat::{major, minor};

/// The kernel counts starts of processes in these parts of a second for programs, on every architecture (`USER_HZ`).
const TICKS: u64 = 100;

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its number.
    pub pid: u32,
    /// What it was started with, the program first.
    pub words: Vec<String>,
    /// Since when it runs.
    pub since: Option<SystemTime>,
}

/// Who has the exclusive lock of a whole file (`flock`). `None`: nobody any more, or somebody whom this process cannot see.
pub(super) fn holder(file: &fs::Metadata) -> Option<Holder> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let device = format!("{:02x}:{:02x}:", major(file.dev()), minor(file.dev()));
    let holds = |device: &str| locks.lines().find_map(|line| pid_of(line, device, file.ino()));
    let pid = holds(&device).or_else(|| holds(""))?;
    let process = Path::new("/proc").join(pid.to_string());
    let words = fs::read(process.join("cmdline")).unwrap_or_default();
    let words = words.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let read = |path: &Path| fs::read_to_string(path).ok();
    let age = read(&process.join("stat")).zip(read(Path::new("/proc/uptime")));
    let since =
        age.and_then(|(stat, uptime)| age_of(&stat, &uptime)).and_then(|age| SystemTime::now().checked_sub(age));
    Some(Holder { pid, words, since })
}

/// The process of one line of `/proc/locks`, where the line is about the file with this number on this device. The device in it
/// is another one than `stat` tells for some file systems (btrfs, overlayfs): an empty one is any. A line with an arrow is of one
/// that waits.
fn pid_of(line: &str, device: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, mode, pid, file) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let is_it =
        kind == "FLOCK" && mode == "WRITE" && file.starts_with(device) && file.rsplit(':').next()?.parse() == Ok(inode);
    // 0 and below: a process of another container.
    pid.parse().ok().filter(|pid| is_it && *pid > 0)
}

/// For how long a process has run, by its `stat` and the host's `uptime`.
fn age_of(stat: &str, uptime: &str) -> Option<Duration> {
    // Its name, in brackets, may have anything in it. Behind that, the start is the 20th word.
    let (_, fields) = stat.rsplit_once(')')?;
    let started: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let up = Duration::try_from_secs_f64(up).ok()?;
    Some(up.saturating_sub(Duration::from_millis(started.saturating_mul(1000 / TICKS))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_locks_is_read() {
        for (line, pid) in [
            ("1: FLOCK  ADVISORY  WRITE 2417 08:01:1835121 0 EOF", Some(2417)),
            ("1: -> FLOCK  ADVISORY  WRITE 2417 08:01:1835121 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 2417 08:01:1835121 0 EOF", None),
            ("1: FLOCK  ADVISORY  READ 2417 08:01:1835121 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 2417 08:01:1835122 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE 0 08:01:1835121 0 EOF", None),
            ("1: FLOCK  ADVISORY  WRITE -1 08:01:1835121 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(pid_of(line, "", 1_835_121), pid, "{line}");
            assert_eq!(pid_of(line, "08:01:", 1_835_121), pid, "{line}");
            assert_eq!(pid_of(line, "08:02:", 1_835_121), None, "{line}");
        }
    }

    #[test]
    fn a_process_is_as_old_as_the_kernel_says() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1500 1 2";
        assert_eq!(age_of(stat, "75.25 1.0\n"), Some(Duration::from_millis(60_250)));
        assert_eq!(age_of("", "1 1"), None);
    }
}
