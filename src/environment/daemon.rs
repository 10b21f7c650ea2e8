//! The running Docker daemon.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::systemd_runs;
use crate::host::{Command, HostRead};
use crate::text;
use crate::text::{Text, own};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A member of `daemon.json`.
const PROXIES: &str = "proxies";

/// More processes than this are not looked through.
const MOST_PROCESSES: usize = 65_536;

/// Ticks of `/proc/PID/stat` in a second: the kernel's `USER_HZ`, 100 on every architecture of Linux that Docker runs on.
const TICKS: u64 = 100;

/// Members of `proxies` in `daemon.json`, each with the name of the variable that it outranks.
pub(crate) const DAEMON_JSON: [(&str, &str); 3] =
    [("http_proxy", "http-proxy"), ("https_proxy", "https-proxy"), ("no_proxy", "no-proxy")];

/// What stands in a `daemon.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DaemonJson {
    /// What `proxies` say, under the lower-case names of the variables that they outrank.
    pub(crate) proxies: Vec<(&'static str, String)>,
    /// It says something of `proxies`.
    pub(crate) mentions: bool,
    /// What engines before 23.0 do not start with (measured: 20.10.24).
    pub(crate) too_new: Option<&'static str>,
    /// Why engines that know `proxies` do not start with it.
    pub(crate) refused: Option<Text>,
    /// Where the engine keeps images and containers.
    pub(crate) data_root: Option<PathBuf>,
    /// The address of the host in the bridge of its own, with the length of the network.
    pub(crate) bridge_ip: Option<String>,
    /// The name servers that containers ask in place of the host's.
    pub(crate) dns: Vec<IpAddr>,
    /// The domains that they search in place of the host's.
    pub(crate) dns_search: Vec<String>,
    /// All its members.
    pub(crate) members: Map<String, Value>,
}

/// Reads a `daemon.json` as dockerd 26.1.5 does: an empty file and `null` are nothing, a byte-order mark is passed over, the
/// name `proxies` is found in any case, those of its members only as they are.
///
/// # Errors
/// It is no JSON, so the daemon does not start with it.
pub(crate) fn daemon_json(bytes: &[u8]) -> serde_json::Result<DaemonJson> {
    let (bytes, too_new) = match bytes.strip_prefix(BOM) {
        Some(rest) => (rest, Some("a byte-order mark")),
        None => (bytes, None),
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(DaemonJson { too_new: Some("an empty file"), ..DaemonJson::default() });
    }
    let document: Value = serde_json::from_slice(bytes)?;
    let mut found = DaemonJson { too_new, ..DaemonJson::default() };
    let Value::Object(entries) = &document else {
        found.refused = (!document.is_null()).then(|| "it is no JSON object".into());
        return Ok(found);
    };
    found.members.clone_from(entries);
    found.data_root = entries.get("data-root").or(entries.get("graph")).and_then(Value::as_str).map(PathBuf::from);
    found.bridge_ip = entries.get("bip").and_then(Value::as_str).map(str::to_owned);
    let texts = |key: &str| entries.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    found.dns = texts("dns").filter_map(|server| server.parse().ok()).collect();
    found.dns_search = texts("dns-search").map(str::to_owned).collect();
    let Some((_, proxies)) = entries.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("proxies")) else {
        return Ok(found);
    };
    let Value::Object(members) = proxies else {
        let (too_new, refused) = (Some(PROXIES), Some("proxies is no object".into()));
        return Ok(DaemonJson { mentions: true, too_new, refused, ..found });
    };
    found.mentions = !members.is_empty();
    found.too_new = if found.mentions { Some(PROXIES) } else { too_new };
    for (key, value) in members {
        match (DAEMON_JSON.iter().find(|(_, known)| known == key), value) {
            (None, _) => found.refused = Some(text!("it does not know the option proxies.{}", key)),
            (Some((name, _)), Value::String(text)) => found.proxies.push((name, text.clone())),
            (Some(_), Value::Null) => {}
            (Some((_, key)), _) => found.refused = Some(text!("proxies.{} is no text", own(key))),
        }
    }
    Ok(found)
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
            daemon_json(br#"{"proxies": {"https-proxy": "http://h:1", "no-proxy": ""}, "data-root": "/d"}"#).unwrap();
        assert_eq!(seen.proxies, [("https_proxy", "http://h:1".to_owned()), ("no_proxy", String::new())]);
        assert!(seen.mentions && seen.refused.is_none() && seen.data_root.as_deref() == Some(Path::new("/d")));
        for nothing in ["{}", "null", "{\"proxies\": {}}", "{\"http-proxy\": \"x\"}"] {
            let found = DaemonJson { members: Map::new(), ..daemon_json(nothing.as_bytes()).unwrap() };
            assert_eq!(found, DaemonJson::default(), "{nothing}");
        }
        for too_new in ["", " \n", "\u{feff}{}", "{\"proxies\": {\"http-proxy\": \"\"}}"] {
            let found = daemon_json(too_new.as_bytes()).unwrap();
            assert!(found.refused.is_none() && found.too_new.is_some(), "{too_new}");
        }
        assert!(daemon_json(b"{ broken").is_err());
        for refused in [
            "[1]",
            "{\"proxies\": 5}",
            "{\"proxies\": null}",
            "{\"proxies\": {\"httpProxy\": \"http://h:1\"}}",
            "{\"proxies\": {\"http-proxy\": 1}}",
            "{\"proxies\": {\"HTTP-Proxy\": \"\"}}",
        ] {
            assert!(daemon_json(refused.as_bytes()).unwrap().refused.is_some(), "{refused}");
        }
        let any_case = daemon_json(br#"{"Proxies": {"http-proxy": "http://h:1"}}"#).unwrap();
        assert!(any_case.refused.is_none() && any_case.proxies.len() == 1);
    }
}
