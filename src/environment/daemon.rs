//! The running Docker daemon.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::systemd_runs;
use crate::host::{Command, HostRead};

/// More processes than this are not looked through.
const MOST_PROCESSES: usize = 65_536;

/// Ticks of `/proc/PID/stat` in a second: the kernel's `USER_HZ`, 100 on every architecture of Linux that Docker runs on.
const TICKS: u64 = 100;

/// Members of `proxies` in `daemon.json`, each with the name of the variable that it outranks.
pub(crate) const DAEMON_JSON: [(&str, &str); 3] =
    [("http_proxy", "http-proxy"), ("https_proxy", "https-proxy"), ("no_proxy", "no-proxy")];

/// What `proxies` in a `daemon.json` say, under the lower-case names of the variables that they outrank.
///
/// # Errors
/// It is no JSON, so the daemon does not start with it. An empty file is none to the daemon.
pub(crate) fn daemon_json(bytes: &[u8]) -> serde_json::Result<Vec<(&'static str, String)>> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let document: Value = serde_json::from_slice(bytes)?;
    let value = |(name, key): (&'static str, &str)| Some((name, document["proxies"][key].as_str()?.to_owned()));
    Ok(DAEMON_JSON.into_iter().filter_map(value).collect())
}

/// Members of `proxies` that the daemon refuses: "the following directives don't match any configuration option" (26.1).
pub(crate) fn unknown_proxy_keys(bytes: &[u8]) -> Vec<String> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let keys = document["proxies"].as_object().into_iter().flat_map(|proxies| proxies.keys());
    keys.filter(|key| DAEMON_JSON.iter().all(|(_, known)| known != key)).cloned().collect()
}

/// A running Docker daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// Its process.
    pub pid: u32,
    /// Does systemd run it?
    pub by_systemd: bool,
    /// Program and arguments.
    pub arguments: Vec<String>,
}

/// The daemon: by systemd's word, else by its pid file, else by the name of the process; `None`: none runs.
pub(crate) fn dockerd(host: &dyn HostRead, deadline: Duration) -> Option<Daemon> {
    let of_systemd = by_systemd(host, deadline);
    let pid = of_systemd.or_else(|| by_file(host)).or_else(|| by_name(host))?;
    let line = host.read(Path::new(&format!("/proc/{pid}/cmdline"))).ok().flatten().unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let arguments = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    Some(Daemon { pid, by_systemd: of_systemd.is_some(), arguments })
}

/// When a process was started, in seconds since 1970; `None`: `/proc` does not tell.
pub(crate) fn started(host: &dyn HostRead, pid: u32) -> Option<u64> {
    let text = |path: String| Some(String::from_utf8_lossy(&host.read(Path::new(&path)).ok()??).into_owned());
    let stat = text(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold anything. The 22nd field is the start, in ticks since boot.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let boot: u64 =
        text("/proc/stat".to_owned())?.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(boot.saturating_add(ticks / TICKS))
}

fn by_systemd(host: &dyn HostRead, deadline: Duration) -> Option<u32> {
    if !host.is_live() || !systemd_runs(host) {
        return None;
    }
    let argv = ["systemctl", "show", "-p", "MainPID", "--value", "docker.service"];
    let output = host.run(&Command { deadline, ..Command::new(argv) }).ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok().filter(|pid| *pid != 0)
}

fn by_file(host: &dyn HostRead) -> Option<u32> {
    let bytes = host.read(Path::new("/var/run/docker.pid")).ok().flatten()?;
    let pid = std::str::from_utf8(&bytes).ok()?.trim().parse().ok()?;
    // A file that a killed daemon left may name any process by now.
    is_dockerd(host, pid).then_some(pid)
}

/// The oldest of that name: others are those of containers, rootless ones or a second one of somebody.
fn by_name(host: &dyn HostRead) -> Option<u32> {
    let names = host.list(Path::new("/proc")).ok()?;
    let pids = names.iter().take(MOST_PROCESSES).filter_map(|name| name.to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_dockerd(host, *pid)).min()
}

fn is_dockerd(host: &dyn HostRead, pid: u32) -> bool {
    host.read(Path::new(&format!("/proc/{pid}/comm"))).ok().flatten().is_some_and(|name| name == b"dockerd\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn a_daemon_is_found_without_systemd_and_a_stale_pid_file_is_not_believed() {
        let host = MemoryHost::new();
        assert_eq!(dockerd(&host, Duration::ZERO), None);
        host.put("/proc/70/comm", b"dockerd\n");
        host.put("/proc/9/comm", b"dockerd-ce\n");
        host.put("/proc/300/comm", b"dockerd\n");
        host.put("/proc/70/cmdline", b"/usr/bin/dockerd\0--config-file\0/x.json\0");
        host.put("/run/docker.pid", b"9");
        host.put_link("/var/run", "/run", 0);
        let found = dockerd(&host, Duration::ZERO).unwrap();
        assert_eq!((found.pid, found.by_systemd, found.arguments.len()), (70, false, 3));
        host.put("/run/docker.pid", b"300\n");
        assert_eq!(dockerd(&host, Duration::ZERO).unwrap().pid, 300);
        host.put("/proc/stat", b"cpu 1\nbtime 1700000000\nx\n");
        host.put("/proc/300/stat", b"300 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4250 20\n");
        assert_eq!(started(&host, 300), Some(1_700_000_042));
    }

    #[test]
    fn the_proxies_of_daemon_json() {
        let seen =
            daemon_json(br#"{"proxies": {"https-proxy": "http://h:1", "no-proxy": "", "http-proxy": 1}}"#).unwrap();
        assert_eq!(seen, [("https_proxy", "http://h:1".to_owned()), ("no_proxy", String::new())]);
        for nothing in ["", "  \n", "{}", "[1]", "null", "{\"proxies\": 5}"] {
            assert_eq!(daemon_json(nothing.as_bytes()).unwrap(), [], "{nothing}");
        }
        assert!(daemon_json(b"{ broken").is_err());
        assert_eq!(unknown_proxy_keys(br#"{"proxies": {"httpProxy": "http://h:1", "no-proxy": ""}}"#), ["httpProxy"]);
        assert!(unknown_proxy_keys(b"{}").is_empty());
    }
}
