use std::io::ErrorKind;

use super::*;
use crate::docker::double::{Double, IDS, INSPECTED};
use crate::net::testing::patient;

fn found(host: &Double) -> Result<Containers, NoDocker> {
    containers(host, patient())
}

#[test]
fn every_reason_of_silence_is_told_apart() {
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
    let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://x\": dial unix: connect: permission denied\n";
    let older = "Got permission denied while trying to connect to the Docker daemon socket\n";
    let of = |host: Double| found(&host).unwrap_err();
    assert!(matches!(of(Double::installed().fails("docker ps", down)), NoDocker::Down { .. }));
    assert!(matches!(of(Double::installed().fails("docker ps", denied)), NoDocker::Denied { .. }));
    let warned = "WARNING: Error loading config file: open /x/config.json: permission denied\nCannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
    assert_eq!(
        of(Double::installed().fails("docker ps", warned)),
        of(Double::installed().fails("docker ps", down)),
        "not the reason"
    );
    assert!(matches!(of(Double::installed().fails("docker ps", older)), NoDocker::Denied { .. }));
    assert!(matches!(of(Double::installed().fails("docker ps", "unknown flag: --no-trunc")), NoDocker::Odd { .. }));
    assert!(matches!(of(Double::installed().fails("docker ps", "")), NoDocker::Odd { .. }));
    assert_eq!(of(Double::installed()), NoDocker::Absent);
    assert!(matches!(of(Double::installed().refuses("docker", ErrorKind::TimedOut)), NoDocker::Late { millis: 1.. }));
    assert!(matches!(of(Double::installed().refuses("docker", ErrorKind::PermissionDenied)), NoDocker::Denied { .. }));
}

#[test]
fn garbage_costs_its_lines_and_never_more() {
    let garbage = || vec![b'x'; 1 << 20];
    let odd = found(&Double::installed().prints("docker ps", garbage())).unwrap_err();
    assert!(matches!(&odd, NoDocker::Odd { why } if why.raw().len() < 300), "{odd:?}");
    let odd = found(&Double::installed().prints("docker ps", IDS).prints("docker inspect", garbage()));
    assert!(matches!(odd, Err(NoDocker::Odd { .. })));
    let lines = [
        &b"\xff\xfe\n{\"id\":\n[]\n\"x\"\n"[..],
        INSPECTED.as_bytes(),
        b"{}\n{\"id\":5,\"labels\":[],\"env\":{}}\n{\"cut",
    ]
    .concat();
    let seen = found(&Double::installed().prints("docker ps", IDS).prints("docker inspect", lines)).unwrap();
    assert_eq!((seen.read.len(), seen.unread), (5, 5));
    // Names from docker's output never become options or other arguments.
    let host = Double::installed().prints("docker ps", "\"--help\"\n\"../x\"\n\"zz\"\n");
    assert!(matches!(found(&host), Err(NoDocker::Odd { .. })));
    assert_eq!(host.ran.lock().unwrap().len(), 1);
    let deep = format!("{}\n", "[".repeat(200_000));
    let host = Double::installed().prints("docker ps", IDS).prints("docker inspect", deep);
    assert!(matches!(found(&host), Err(NoDocker::Odd { .. })));
    let none = found(&Double::installed().prints("docker ps", "")).unwrap();
    assert_eq!((none.all, none.read.len()), (0, 0));
}

#[test]
fn images_have_a_repository_and_a_tag() {
    for (image, repository, tag) in [
        ("redis", "redis", "latest"),
        ("divvycloud/divvycloud:v22.3.9", "divvycloud/divvycloud", "v22.3.9"),
        ("registry:5000/ics/core", "registry:5000/ics/core", "latest"),
        ("registry:5000/ics/core:v1@sha256:ab", "registry:5000/ics/core", "v1"),
        ("ics/core@sha256:ab", "ics/core", "sha256:ab"),
        ("", "", "latest"),
    ] {
        assert_eq!(repository_and_tag(image), (repository, tag));
    }
}

#[test]
fn addresses_and_published_ports_are_those_of_docker() {
    // As 20.10.24 and 26.1.5 print them.
    let text = r#"{"id":"c0","networks":{"p_default":{"IPAddress":"172.18.0.2","GlobalIPv6Address":"fd00::2","Gateway":"172.18.0.1"},"q":{"IPAddress":""}},
        "ports":{"3306/tcp":[{"HostIp":"127.0.0.1","HostPort":"13306"},{"HostIp":"::","HostPort":"13306"}],"33060/tcp":null,
        "53/udp":[{"HostIp":"","HostPort":"53"}],"80/tcp":[{"HostIp":"","HostPort":"8080"}]}}"#;
    let found = container(&serde_json::from_str(text).unwrap());
    assert_eq!(found.addresses, ["172.18.0.2", "fd00::2"].map(|own| own.parse::<IpAddr>().unwrap()));
    let at = |inside, outside, at: &str| Published { inside, outside, at: at.parse().unwrap() };
    let expected = [at(3306, 13306, "127.0.0.1"), at(3306, 13306, "::"), at(80, 8080, "0.0.0.0")];
    assert_eq!(found.published, expected);
    let none = container(&serde_json::from_str(r#"{"networks":[],"ports":{"x/tcp":[5],"1/tcp":{}}}"#).unwrap());
    assert!(none.addresses.is_empty() && none.published.is_empty());
}
