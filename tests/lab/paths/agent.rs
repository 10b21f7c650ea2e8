//! What only the agent has: static addresses, and a Collector's ports.

use std::io::Write;

use serde_json::Value;

use super::servers;
use super::world::{STATIC, World};

#[test]
fn static_addresses_are_reached_with_the_name_and_compared_with_dns() {
    let world = World::new();
    world.trust(&["public", "other"]);
    let seen = world.check(&["agent", "--agent-region", "us"]);
    seen.expect("agent-endpoint", "pass", &["endpoint.ingress.rapid7.com:443 is reached directly"]);
    seen.expect(
        "agent-static-address",
        "pass",
        &["the static addresses of endpoint.ingress.rapid7.com:443 answer", "4 tried"],
    );
    // dnsmasq says otherwise of this one.
    let strange = seen.expect(
        "agent-static-address",
        "warn",
        &["DNS gives us.api.endpoint.ingress.rapid7.com:443 other addresses", "10.9.0.10"],
    );
    assert_eq!(strange["evidence"]["dns"][0], "10.9.0.10");
    seen.expect("agent-interception", "pass", &["8 endpoints show the genuine certificate"]);
    // They were asked with the name in TLS: nginx would have shown another operator's certificate otherwise.
    let log = world.read("nginx.log");
    for address in STATIC {
        assert!(log.contains(&format!("{address}:443 us.api.endpoint.ingress.rapid7.com")), "{address}: {log}");
    }
    // One of them is gone.
    let gone = world.inside(&["ip", "addr", "del", &format!("{}/32", STATIC[3]), "dev", "lo"]).status().unwrap();
    assert!(gone.success());
    let seen = world.check(&["agent", "--agent-region", "us"]);
    seen.expect(
        "agent-static-address",
        "fail",
        &["1 of 4 static addresses of endpoint.ingress.rapid7.com:443 do not answer", STATIC[3]],
    );
}

#[test]
fn a_collectors_ports_are_direct_also_beside_a_proxy() {
    let world = World::new();
    servers::squid(&world);
    world.trust(&["public", "other"]);
    for port in [5508, 6608] {
        world.peer("10.9.0.30", port, |mut stream| drop(stream.write_all(b"x")));
    }
    let arguments =
        ["agent", "--agent-region", "eu", "--collector", "collector.lab", "--proxy", "http://proxy.lab:3128"];
    for via in [&[][..], &["--via", "both"], &["--via", "proxy"]] {
        let seen = world.check(&[&arguments[..], via].concat());
        for port in [5508, 6608] {
            let finding =
                seen.expect("agent-collector", "pass", &[&format!("collector.lab:{port} is reached directly")]);
            assert_eq!(finding["path"], "direct");
        }
        seen.expect(
            "agent-collector",
            "fail",
            &["collector.lab:8037 refuses the connection directly", "open TCP 8037"],
        );
        assert_eq!(seen.all("agent-collector", "").count(), 3);
        seen.expect(
            "agent-endpoint",
            "pass",
            &["eu.endpoint.ingress.rapid7.com:443 is reached through proxy.lab:3128"],
        );
    }
    assert!(!world.read("access.log").contains("collector.lab"));
}

#[test]
fn a_file_adds_a_region() {
    let world = World::new();
    world.trust(&["public", "other"]);
    let file = world.write(
        "region.toml",
        "[region]\nlab = { name = \"Laboratory\" }\n\n[[endpoint]]\ncomponent = \"agent\"\nregion = \"lab\"\nhost = \"kept.lab\"\nport = 443\npurpose = \"messages\"\nstatic_ips = [\"10.9.0.16\"]\ninterception = \"fail\"\n",
    );
    let seen = world.check(&["agent", "--agent-region", "lab", "--endpoints", &file]);
    seen.expect("agent-endpoint", "pass", &["kept.lab:443 is reached directly"]);
    seen.expect("agent-static-address", "pass", &["kept.lab:443"]);
    let of_network = |own: &&Value| own["status"] != "skip";
    assert_eq!(seen.findings().iter().filter(of_network).count(), 3, "{}", seen.human);
}
