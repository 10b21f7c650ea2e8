//! Can containers reach anything through this host?

use super::{argument, judged};
use crate::check::prelude::*;
use crate::system::Seen;
use crate::system::forwarding::{self, ForwardingFacts, Routes};

/// The file of ours that switches forwarding on.
const OURS: &str = "99-docker.conf";

/// Deletes the lines of a file of sysctl's that are about forwarding.
const OFF: &str = "/^[-[:space:]]*net[./]ipv4[./]ip_forward[[:space:]]*=/d";

pub(super) struct Forwarding;

impl Check for Forwarding {
    type Facts = ForwardingFacts;

    const META: Meta = Meta::new("forwarding", Group::Host, &[ids::IP_FORWARD, ids::IPV4_ROUTE]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&ForwardingFacts>) -> ForwardingFacts {
        forwarding::observe(look.host)
    }

    fn judge(&self, facts: &ForwardingFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_forward(facts), judged(&facts.routes, ids::IPV4_ROUTE, "the IPv4 route", judge_routes)]
    }
}

fn judge_forward(facts: &ForwardingFacts) -> Finding {
    let now = facts.on.now(|on| if *on { "on" } else { "off" });
    let file = facts.off_in.as_ref();
    let cut_off = facts.docker_runs && facts.on == Seen::Is(false);
    let (status, title) = match file {
        _ if cut_off => (Status::Fail, "the host does not forward, so containers reach nothing outside".into()),
        Some(file) => (Status::Warn, text!("{} switches forwarding off, which cuts containers off", file)),
        None => (Status::Pass, "forwarding for containers is not switched off".into()),
    };
    let boot = file.map_or(Text::from("no file switches it off"), |file| text!("{}", file));
    let finding = Finding::new(ids::IP_FORWARD, status, title)
        .expected("net.ipv4.ip_forward is 1 while containers run; the Docker daemon sets it when it starts")
        .observed(text!("now: {}; for the next boot: {}", now, boot));
    let now = if facts.on == Seen::Is(false) { " && sysctl -w net.ipv4.ip_forward=1" } else { "" };
    // Of all files the last one counts, in the order of their names.
    let ours_counts = file.and_then(|file| file.file_name()).is_none_or(|name| name.to_string_lossy().as_ref() < OURS);
    match status {
        Status::Pass => finding,
        _ => {
            let finding =
                finding.cause("hardening guides switch it off, and every later sysctl --system does it again");
            let finding = match file {
                Some(file) => finding.fix(as_root(text!("sed -i '{}' {}{}", own(OFF), argument(file), own(now)))),
                None => finding,
            };
            if facts.on == Seen::Image || !ours_counts {
                return finding;
            }
            let write = text!("echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/{}", own(OURS));
            finding.fix(as_root(text!("{} && sysctl -w net.ipv4.ip_forward=1", write)))
        }
    }
}

fn judge_routes(routes: &Routes) -> Finding {
    let seen = |there: bool| if there { "there" } else { "none" };
    let observed = text!("IPv4: {}; IPv6: {}", own(seen(routes.ipv4)), own(seen(routes.ipv6)));
    let finding = |status, title: &'static str| {
        Finding::new(ids::IPV4_ROUTE, status, title)
            .expected("a default route for IPv4, which containers get in Docker's usual network")
            .observed(&observed)
    };
    match routes.ipv4 {
        true => finding(Status::Pass, "there is a default route for IPv4"),
        false => finding(Status::Warn, "there is no default route for IPv4")
            .cause("Docker's usual network is IPv4 only; fine where the proxy and the back ends are on this host's own network")
            .advise(text!("look at the routes: {}; {}", typed("ip -4 route"), typed("ip route get <ADDRESS-OF-THE-PROXY>"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;
    use crate::system::forwarding::{FORWARD, ROUTES};

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
    }
}
