//! Can containers reach anything through this host?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{GROUP, Seen, exists, judged, text};
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::host::HostRead;
use crate::net::Time;

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const ROUTES: [&str; 2] = ["/proc/self/net/route", "/proc/self/net/ipv6_route"];

/// Where sysctl's settings are; of two files with one name the first folder's counts, and all go by their names.
const FOLDERS: [&str; 4] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

/// Read behind all of them.
const LAST: &str = "/etc/sysctl.conf";

/// The daemon is running.
const DAEMON: [&str; 2] = ["/run/docker.pid", "/var/run/docker.pid"];

pub(super) struct Forwarding;

#[derive(Serialize, Deserialize)]
pub(super) struct ForwardingFacts {
    /// What the kernel does now.
    on: Seen<bool>,
    /// The file that switches it off at the next boot.
    off_in: Option<PathBuf>,
    docker_runs: bool,
    routes: Seen<Routes>,
}

/// Is there a default route?
#[derive(Serialize, Deserialize)]
struct Routes {
    ipv4: bool,
    ipv6: bool,
}

impl Check for Forwarding {
    type Facts = ForwardingFacts;

    const META: Meta = Meta::new("forwarding", Group::Host, &["ip-forward", "ipv4-route"]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&ForwardingFacts>) -> ForwardingFacts {
        let host = look.host;
        ForwardingFacts {
            on: Seen::live(host, || match text(host, FORWARD) {
                Ok(Some(value)) => Seen::Is(value.trim() != "0"),
                Ok(None) => Seen::Unread(format!("{FORWARD} is not there")),
                Err(why) => Seen::Unread(why),
            }),
            off_in: switched_off(host),
            docker_runs: host.is_live() && DAEMON.iter().any(|path| exists(host, Path::new(path))),
            routes: Seen::live(host, || {
                let [ipv4, ipv6] = ROUTES.map(|path| text(host, path));
                match ipv4 {
                    Ok(Some(ipv4)) => Seen::Is(Routes {
                        ipv4: ipv4.lines().any(is_default),
                        ipv6: ipv6.ok().flatten().is_some_and(|table| table.lines().any(is_default_6)),
                    }),
                    Ok(None) => Seen::Unread(format!("{} is not there", ROUTES[0])),
                    Err(why) => Seen::Unread(why),
                }
            }),
        }
    }

    fn judge(&self, facts: &ForwardingFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_forward(facts), judged(&facts.routes, "ipv4-route", "the IPv4 route", judge_routes)]
    }
}

fn judge_forward(facts: &ForwardingFacts) -> Finding {
    let now = match &facts.on {
        Seen::Is(true) => "on",
        Seen::Is(false) => "off",
        Seen::Image => "an image, nothing runs",
        Seen::Unread(why) => why,
    };
    let file = facts.off_in.as_ref().map(|path| path.display().to_string());
    let cut_off = facts.docker_runs && facts.on == Seen::Is(false);
    let (status, title) = match &file {
        _ if cut_off => (Status::Fail, "the host does not forward, so containers reach nothing outside".to_owned()),
        Some(file) => (Status::Warn, format!("{file} switches forwarding off, which cuts containers off")),
        None => (Status::Pass, "forwarding for containers is not switched off".to_owned()),
    };
    let finding = Finding::new("ip-forward", GROUP, status, title)
        .expected("net.ipv4.ip_forward is 1 while containers run; the Docker daemon sets it when it starts")
        .observed(format!("now: {now}; for the next boot: {}", file.as_deref().unwrap_or("no file switches it off")));
    match status {
        Status::Pass => finding,
        _ => {
            let finding =
                finding.cause("hardening guides switch it off, and every later sysctl --system does it again");
            let finding = match file {
                Some(file) => finding.fix(format!("sed -i '/ip_forward/d' {file}")),
                None => finding,
            };
            finding
                .fix("echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/99-docker.conf && sysctl -w net.ipv4.ip_forward=1")
        }
    }
}

fn judge_routes(routes: &Routes) -> Finding {
    let seen = |there: bool| if there { "there" } else { "none" };
    let observed = format!("IPv4: {}; IPv6: {}", seen(routes.ipv4), seen(routes.ipv6));
    let finding = |status, title| {
        Finding::new("ipv4-route", GROUP, status, title)
            .expected("a default route for IPv4, which containers get in Docker's usual network")
            .observed(observed.as_str())
    };
    match routes.ipv4 {
        true => finding(Status::Pass, "there is a default route for IPv4"),
        false => finding(Status::Warn, "there is no default route for IPv4")
            .cause("Docker's usual network is IPv4 only; fine where the proxy and the back ends are on this host's own network")
            .fix("look: ip -4 route; ip route get ADDRESS-OF-THE-PROXY"),
    }
}

/// The file whose `net.ipv4.ip_forward = 0` is the last word.
fn switched_off(host: &dyn HostRead) -> Option<PathBuf> {
    let mut files: BTreeMap<_, PathBuf> = BTreeMap::new();
    for folder in FOLDERS {
        for name in host.list(Path::new(folder)).unwrap_or_default() {
            let path = Path::new(folder).join(&name);
            if name.to_string_lossy().ends_with(".conf") {
                files.entry(name).or_insert(path);
            }
        }
    }
    let mut last = None;
    for path in files.into_values().chain([PathBuf::from(LAST)]) {
        let bytes = host.read(&path).ok().flatten().unwrap_or_default();
        if let Some(on) = String::from_utf8_lossy(&bytes).lines().rev().find_map(forward) {
            last = Some((path, on));
        }
    }
    last.filter(|(_, on)| !on).map(|(path, _)| host.shown(&path))
}

/// What a line of sysctl's says of forwarding.
fn forward(line: &str) -> Option<bool> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim().trim_start_matches('-').replace('/', ".");
    (key == "net.ipv4.ip_forward").then(|| value.trim() != "0")
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`: all zero, up, and no `reject`.
fn is_default(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, destination, _, flags, _, _, _, mask, ..] = words[..] else { return false };
    let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
    destination == "00000000" && mask == "00000000" && flags & 1 != 0 && flags & 0x200 == 0
}

/// `destination prefix-length source … device`: the kernel has a default route of its own that rejects, on lo.
fn is_default_6(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (Some(destination), Some(length), Some(device)) = (words.first(), words.get(1), words.get(9)) else {
        return false;
    };
    destination.bytes().all(|byte| byte == b'0') && *length == "00" && *device != "lo"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn forwarding_now_and_at_the_next_boot() {
        let host = MemoryHost::new();
        host.put(FORWARD, b"0\n");
        let status = || checked(&Forwarding, &Live(host.clone()), &production())[0].status;
        assert_eq!(status(), Status::Pass, "the daemon switches it on");
        host.put("/etc/sysctl.d/10-cis.conf", b"# x\nnet/ipv4/ip_forward=0\n");
        assert_eq!(status(), Status::Warn);
        assert_eq!(checked(&Forwarding, &host, &production())[0].status, Status::Warn, "also in an image");
        host.put("/etc/sysctl.conf", b"net.ipv4.ip_forward = 1\n");
        assert_eq!(status(), Status::Pass);
        host.put("/run/docker.pid", b"1");
        assert_eq!(status(), Status::Fail);
    }

    #[test]
    fn default_routes_are_told_from_others() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        for (line, status) in [
            ("eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0", Status::Pass),
            ("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0", Status::Warn),
            ("*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0", Status::Warn),
            ("", Status::Warn),
        ] {
            let host = MemoryHost::new();
            host.put(ROUTES[0], format!("{head}{line}\n").as_bytes());
            assert_eq!(checked(&Forwarding, &Live(host), &production())[1].status, status, "{line}");
        }
        let zeros = "0".repeat(32);
        let six = |device| format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200 {device}");
        assert!(is_default_6(&six("eth0")) && !is_default_6(&six("lo")));
    }
}
