//! Sixty endpoints that nobody answers for are waited for side by side, and in little memory.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::servers;
use super::world::{World, binary};
use crate::common::{BOUNDED, child_of, report, until};

/// Sixty names in a black hole.
fn sixty(world: &World) -> String {
    let holes: Vec<String> = (0..60).map(|index| format!("h{index}.hole.lab")).collect();
    let holes: Vec<(&str, u16)> = holes.iter().map(|name| (name.as_str(), 443)).collect();
    world.endpoints("holes.toml", &holes)
}

/// The check, each of whose attempts may take so long.
fn check(world: &World, arguments: &[&str], limit: &str) -> Child {
    let program = binary().display().to_string();
    let fixed = [program.as_str(), "check", "network", "--format", "json", "--timeout", "200s", "--deadline", "250s"];
    let argv = [&BOUNDED[..], &fixed, arguments, &["--connect-timeout", limit]].concat();
    let out = fs::File::create(world.path("out.json")).unwrap();
    world.inside(&argv).stdout(out).stderr(Stdio::null()).spawn().unwrap()
}

/// Connection attempts in the network that nobody has answered yet.
fn attempts(world: &World) -> usize {
    let table = world.inside(&["cat", "/proc/net/tcp"]).output().unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    table.lines().filter(|line| line.split_whitespace().nth(3) == Some("02")).count()
}

/// The largest memory so far of the program that nsenter has started by way of timeout, in kB.
fn memory(nsenter: &Child) -> Option<u64> {
    let program = child_of(child_of(nsenter.id())?.parse().unwrap())?;
    let status = fs::read_to_string(format!("/proc/{program}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[test]
fn sixty_black_holes_are_waited_for_at_once_and_in_little_memory() {
    let world = World::new();
    servers::squid(&world);
    world.trust(&["public", "other"]);
    let file = sixty(&world);
    for (way, arguments) in [
        ("direct", &["--endpoints", &file][..]),
        ("through squid", &["--endpoints", &file, "--proxy", "http://proxy.lab:3128"]),
    ] {
        assert_eq!(attempts(&world), 0);
        // Nobody gives up meanwhile, so what is seen at one moment does not depend on when it is looked.
        let mut patient = check(&world, arguments, "150s");
        until(|| match attempts(&world) {
            60 => Ok(()),
            other => Err(format!("{way}: {other} at once")),
        });
        let mut most = memory(&patient).unwrap();
        let program = child_of(patient.id()).unwrap();
        assert!(std::process::Command::new("kill").arg(program).status().unwrap().success());
        patient.wait().unwrap();

        // It ends, and tells of each.
        let mut checked = check(&world, arguments, "5s");
        while checked.try_wait().unwrap().is_none() {
            most = most.max(memory(&checked).unwrap_or(0));
            sleep(Duration::from_millis(20));
        }
        report(&format!("  60 black holes {way}: all at once, {most} kB"));
        assert!(most > 1000 && most < 48 << 10, "{way}: {most} kB");
        let json: serde_json::Value = serde_json::from_str(&world.read("out.json")).unwrap();
        let holes = json["findings"].as_array().unwrap().iter().filter(|finding| {
            finding["id"] == "network-endpoint"
                && finding["status"] == "fail"
                && finding["title"].as_str().is_some_and(|title| title.contains(".hole.lab"))
        });
        assert_eq!(holes.count(), 60, "{way}: each is told of");
    }
}
