//! One origin for each verdict, gone to directly.

use super::world::World;

#[test]
fn each_origin_gets_its_verdict() {
    let world = World::new();
    let names = [
        "expired.lab",
        "wrong.lab",
        "self.lab",
        "selfca.lab",
        "page.lab",
        "cut.lab",
        "kept.lab",
        "stale.lab",
        "inspected.lab",
        "old.lab",
        "refused.lab",
        "nowhere.lab",
    ];
    let file = world.endpoints("more.toml", &names.map(|name| (name, 443)));
    // The stale store: it knows one of the two public authorities.
    let seen = world.check(&["network", "--endpoints", &file]);

    let genuine = seen.expect("network-interception", "pass", &["genuine"]);
    assert!(genuine["evidence"]["hosts"].to_string().contains("divvycentral.divvycloud.com"), "{genuine}");
    let stale = seen.expect(
        "network-interception",
        "fail",
        &["that this host does not trust", "Other Authority", "ca-certificates"],
    );
    assert!(stale["evidence"]["hosts"].to_string().contains("stale.lab"), "{stale}");
    seen.expect(
        "network-interception",
        "fail",
        &["expired.lab shows a certificate that is out of its time", "it has expired on 2025-02-03"],
    );
    seen.expect(
        "network-interception",
        "fail",
        &["wrong.lab shows somebody else's certificate", "portal.example", "getent hosts wrong.lab"],
    );
    let alone = seen.expect(
        "network-interception",
        "fail",
        &["2 endpoints show a self-signed certificate", "openssl s_client -connect"],
    );
    assert_eq!(alone["evidence"]["hosts"].as_array().unwrap().len(), 2, "{alone}");
    seen.expect(
        "network-interception",
        "fail",
        &["inspected.lab is decrypted on the way, and the device's CA is missing here", "Corp Inspection"],
    );
    assert_eq!(seen.all("network-interception", "").count(), 6);

    seen.expect("network-endpoint", "pass", &["kept.lab:443 is reached directly", "HTTP 200", "Public Authority"]);
    let cut = seen.expect(
        "network-endpoint",
        "fail",
        &["TLS to cut.lab:443 does not come about directly", "by the name in TLS"],
    );
    assert_eq!(cut["stage"], "tls");
    assert!(cut["observed"].as_str().unwrap().contains("reset"), "{cut}");
    seen.expect("network-endpoint", "fail", &["TLS to old.lab:443", "TLS version"]);
    seen.expect(
        "network-endpoint",
        "fail",
        &["instead of page.lab:443 a page answers: \"FortiGate: web page blocked\"", "a block page of FortiGate"],
    );
    let refused =
        seen.expect("network-endpoint", "fail", &["refused.lab:443 refuses the connection directly", "open TCP 443"]);
    assert_eq!(refused["stage"], "tcp");
    seen.expect("network-endpoint", "fail", &["nowhere.lab does not resolve", "getent hosts nowhere.lab"]);
    // Debug forms of a library help nobody.
    for word in ["OtherError", "CaUsedAsEndEntity", "HandshakeFailure", "Error("] {
        assert!(!seen.json.to_string().contains(word) && !seen.human.contains(word), "{word} in {}", seen.human);
    }
    assert_eq!(seen.json["summary"]["error"], 0);
    // Straight to people it is the same.
    let shown = world.human(&["network", "--endpoints", &file]);
    assert!(shown.contains("a block page of FortiGate") && shown.contains("self-signed"), "{shown}");
    // Nobody answers there; what does answer has no part in this.
    let file = world.endpoints("hole.toml", &[("hole.lab", 443)]);
    let seen = world.check(&["network", "--endpoints", &file, "--connect-timeout", "3s"]);
    let hole = seen.expect(
        "network-endpoint",
        "fail",
        &["hole.lab:443 does not answer directly", "within 3 s", "drops the packets"],
    );
    assert_eq!(hole["stage"], "tcp");

    // All in order once the store is.
    world.trust(&["public", "other"]);
    let seen = world.check(&["network"]);
    assert_eq!(
        (&seen.json["summary"]["fail"], &seen.json["summary"]["warn"]),
        (&0.into(), &0.into()),
        "{}",
        seen.human
    );
    let genuine = seen.expect(
        "network-interception",
        "pass",
        &["genuine", "Other Authority (Other Authority Root), Public Authority (Public Authority Root)"],
    );
    assert_eq!(genuine["evidence"]["one_issuer_for_all"], false);
    assert_eq!(genuine["evidence"]["one_key_for_all"], false);
    // A certificate that is in the store itself is trusted, as clients do.
    world.trust(&["public", "other", "selfca.lab"]);
    let file = world.endpoints("one.toml", &[("selfca.lab", 443)]);
    let seen = world.check(&["network", "--endpoints", &file]);
    seen.expect(
        "network-interception",
        "warn",
        &["selfca.lab is decrypted on the way by a device that this host trusts"],
    );
}
