//! mitmproxy in between.

use serde_json::Value;

use super::servers;
use super::world::World;

const THROUGH: [&str; 2] = ["--proxy", "http://10.9.0.1:8080"];

fn world() -> World {
    let world = World::new();
    servers::mitmproxy(&world);
    world
}

fn hosts(finding: &Value) -> Vec<String> {
    finding["evidence"]["hosts"].as_array().unwrap().iter().map(|host| host.as_str().unwrap().to_owned()).collect()
}

#[test]
fn trusted_interception_warns_for_the_product_and_fails_for_the_agent() {
    let world = world();
    world.trust(&["public", "other", "mitm"]);
    let file = world.endpoints("blocked.toml", &[("blocked.lab", 443)]);
    let seen =
        world.check(&[&["network", "agent", "--agent-region", "us", "--endpoints", &file][..], &THROUGH].concat());

    let product = seen.expect(
        "network-interception",
        "warn",
        &[
            "are decrypted on the way by a device that this host trusts",
            "mitmproxy, signed by mitmproxy",
            "ics-setup reconfigure --proxy-ca <CA.crt>",
            "Docker",
        ],
    );
    assert_eq!(product["evidence"]["one_issuer_for_all"], true);
    assert!(product["cause"].as_str().unwrap().contains("operators that have nothing in common"), "{product}");
    assert!(product["evidence"]["operators"].as_u64().unwrap() > 5);
    let agent = seen.expect(
        "agent-interception",
        "fail",
        &["8 endpoints are decrypted on the way, which breaks the Insight Agent", "this host trusts the device's CA"],
    );
    // The list to hand over is exact: these names and no others, and its command gives them in the device's words.
    let names = hosts(agent);
    assert_eq!(names.len(), 8);
    let advice: Vec<&str> = agent["advice"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(advice[0], format!("have the proxy team exclude from decryption: {}", names.join(", ")));
    assert!(names.iter().all(|name| name.ends_with("endpoint.ingress.rapid7.com")), "{names:?}");
    assert!(advice[1].contains("network allowlist --decrypt-exclusions --format paloalto"), "{advice:?}");
    let output = std::process::Command::new(super::world::binary())
        .args(["network", "allowlist", "--decrypt-exclusions", "--format", "paloalto", "--agent-region", "us"])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("endpoint.ingress.rapid7.com"));

    // What the device shows in the endpoint's place is no answer of the endpoint.
    let blocked = seen.expect(
        "network-endpoint",
        "fail",
        &[
            "instead of blocked.lab:443 a page answers: \"Access denied by policy\"",
            "HTTP 403",
            "certificate by mitmproxy",
        ],
    );
    assert_eq!(blocked["stage"], "http");
    seen.expect("network-endpoint", "pass", &["sts.amazonaws.com:443 is reached through 10.9.0.1:8080"]);
}

#[test]
fn without_its_ca_interception_fails_for_both() {
    let world = world();
    world.trust(&["public", "other"]);
    let seen = world.check(&[&["network", "agent", "--agent-region", "us"][..], &THROUGH].concat());
    let fix = "ics-setup prepare --proxy-ca <CA.crt>";
    seen.expect("network-interception", "fail", &["and the device's CA is missing here", "mitmproxy", fix]);
    seen.expect("agent-interception", "fail", &["which breaks the Insight Agent", "exclude from decryption"]);
    // Given along it is trusted, and nothing changes for the agent.
    let ca = world.path("mitm.crt");
    let seen = world.check(&[&["network", "agent", "--agent-region", "us", "--proxy-ca", &ca][..], &THROUGH].concat());
    seen.expect("network-interception", "warn", &["by a device that this host trusts"]);
    seen.expect("agent-interception", "fail", &["which breaks the Insight Agent"]);
}

#[test]
fn both_ways_are_compared() {
    let world = world();
    world.trust(&["public", "other", "mitm"]);
    let seen = world.check(&[&["network", "--via", "both"][..], &THROUGH].concat());
    let direct = seen.expect("network-interception", "pass", &["genuine certificate", "directly"]);
    let proxied =
        seen.expect("network-interception", "warn", &["by a device that this host trusts through 10.9.0.1:8080"]);
    for finding in [direct, proxied] {
        assert_eq!(finding["evidence"]["key_differs_between_ways"], true, "{finding}");
    }
    for (path, way) in [("direct", "directly"), ("proxy", "through 10.9.0.1:8080")] {
        let finding = seen.expect("network-endpoint", "pass", &[&format!("sts.amazonaws.com:443 is reached {way}")]);
        assert_eq!(finding["path"], path);
    }
    // One way only, whatever the settings imply.
    let seen = world.check(&[&["network", "--via", "direct"][..], &THROUGH].concat());
    assert!(seen.findings().iter().all(|finding| finding["path"] != "proxy"));
    seen.expect("network-interception", "pass", &["genuine"]);
}
