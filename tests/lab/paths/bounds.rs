//! Sixty endpoints that nobody answers for cost no more than their share of time and memory.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::report;
use crate::servers;
use crate::world::{World, binary};

/// Sixty names in a black hole, and nothing else of the catalogue.
fn sixty(world: &World) -> String {
    let holes: Vec<String> = (0..60).map(|index| format!("h{index}.hole.lab")).collect();
    let holes: Vec<(&str, u16)> = holes.iter().map(|name| (name.as_str(), 443)).collect();
    world.endpoints("holes.toml", &holes)
}

/// Runs the check to its end; gives the time and the largest memory in kB.
fn measured(world: &World, arguments: &[&str]) -> (Duration, u64) {
    let program = binary().display().to_string();
    let argv = [&[program.as_str(), "check", "network", "--format", "json"], arguments].concat();
    let out = fs::File::create(world.path("out.json")).unwrap();
    let began = Instant::now();
    let mut child = world.inside(&argv).stdout(out).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(90), "it does not end");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        sleep(Duration::from_millis(20));
    }
    (began.elapsed(), most)
}

#[test]
fn sixty_black_holes_end_in_time_and_in_little_memory() {
    let mut world = World::new();
    servers::squid(&mut world);
    world.trust(&["public", "other"]);
    let file = sixty(&world);
    for (way, at_once, arguments) in [
        ("direct", 16, &["--endpoints", &file][..]),
        ("through squid", 8, &["--endpoints", &file, "--proxy", "http://proxy.lab:3128"]),
    ] {
        for limit in [1, 3] {
            let text = format!("{limit}s");
            let (took, most) = measured(&world, &[arguments, &["--connect-timeout", &text]].concat());
            let bound = Duration::from_secs(60_u64.div_ceil(at_once) * limit + 2);
            report(&format!("  60 black holes {way}, {limit} s each: {took:.1?} (bound {bound:?}), {most} kB"));
            assert!(took < bound, "{way}: {took:?}, not within {bound:?}");
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
}
