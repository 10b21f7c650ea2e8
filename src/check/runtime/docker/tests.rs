use std::io::ErrorKind;
use std::sync::LazyLock;

use super::*;
use crate::check::runtime::double::{Double, spec};
use crate::check::spec::Secrets;
use crate::host::MemoryHost;
use crate::net::Roots;
use crate::net::testing::{PATIENCE, patient};

/// What `docker inspect` of the client 20.10.24 and 26.1.5 printed alike for three containers of a daemon 20.10.24.
const INSPECTED: &str = r#"{"id":"c0abbcc287b96fcbca2afcab31843a747f36d7b1b2edb6ce9a0daf4cf4f0ec01","name":"/divvycloud_scheduler_1","created":"2026-11-22T00:02:03.654018667Z","restarts":0,"status":"running","exit":0,"oom":false,"error":"","started":"2026-11-22T00:02:03.78237634Z","finished":"0001-01-01T00:00:00Z","health":"healthy","image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.project":"divvycloud","com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"scheduler","com.docker.compose.version":"1.29.2"},"entrypoint":null,"cmd":["/bin/sh","-c","echo hello; exec sleep 1000"],"env":["A=\"x y\""]}
{"id":"feafe54bc1be0b2fcf2916e0901e301873cc2277972abacfcd031689bb41b9d4","name":"/bbb","created":"2026-11-22T00:02:03.794101879Z","restarts":5,"status":"restarting","exit":3,"oom":false,"error":"","started":"2026-11-22T00:02:05.986471438Z","finished":"2026-11-22T00:02:06.007187587Z","health":null,"image":"divvycloud/divvycloud:v22.3.9","labels":{},"entrypoint":null,"cmd":["/bin/sh","-c","echo err >&2; exit 3"],"env":null}
{"id":"7ada70691c35efd6a210df900cc93c3be2e72bef37fe2d7fa0bdbc324f98cb6a","name":"/ccc","created":"2026-11-22T00:02:03.935620391Z","restarts":0,"status":"created","exit":127,"oom":false,"error":"failed to create shim task: exec: \"/nosuch\": stat /nosuch: no such file or directory: unknown","started":"0001-01-01T00:00:00Z","finished":"0001-01-01T00:00:00Z","health":null,"image":"redis","labels":{},"entrypoint":null,"cmd":["/nosuch"],"env":null}
"#;

const IDS: &str = "\"c0abbcc287b9\"\n\"feafe54bc1be\"\n\"7ada70691c35\"\n";

fn found(host: &Double) -> Result<Found, NoDocker> {
    static ROOTS: LazyLock<Roots> = LazyLock::new(|| Roots::of(&MemoryHost::new(), b""));
    let (spec, secrets) = (spec(), Secrets::default());
    let look = Look { host, platform: None, spec: &spec, secrets: &secrets, roots: &ROOTS };
    containers(&look, patient())
}

#[test]
fn containers_of_two_clients_are_read_and_the_products_are_told_from_others() {
    let host = Double::installed().prints("docker ps", IDS).prints("docker inspect", INSPECTED);
    let found = found(&host).unwrap();
    assert_eq!((found.all, found.unread), (3, 0));
    let names: Vec<_> = found.own.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["divvycloud_scheduler_1", "bbb"]);
    let scheduler = &found.own[0];
    assert_eq!(scheduler.service.as_deref(), Some("scheduler"));
    assert_eq!(scheduler.created, Some(1_795_305_723));
    assert_eq!((scheduler.finished, scheduler.health.as_deref()), (None, Some("healthy")));
    assert_eq!(scheduler.environment, ["A=\"x y\""]);
    assert_eq!((found.own[1].restarts, found.own[1].exit_code), (5, Some(3)));
    // The command ends within what is left of the check's time.
    assert!(host.ran.lock().unwrap().iter().all(|command| command.deadline < PATIENCE));
}

#[test]
fn each_way_of_belonging() {
    let line = |image: &str, labels: &str, cmd: &str| {
        format!("{{\"id\":\"aa\",\"name\":\"/x\",\"image\":\"{image}\",\"labels\":{labels},\"cmd\":[\"{cmd}\"]}}\n")
    };
    for (image, labels, cmd, own, elsewhere) in [
        ("nginx", r#"{"com.docker.compose.project.working_dir":"/divvycloud/"}"#, "", 1, 0),
        ("nginx", r#"{"com.docker.compose.project.working_dir":"/other"}"#, "", 0, 0),
        ("divvycloud/divvycloud:v1", r#"{"com.docker.compose.project.working_dir":"/opt/ics"}"#, "", 0, 1),
        ("mysql:5.7", r#"{"com.docker.compose.project":"divvycloud","com.docker.compose.service":"mysql"}"#, "", 1, 0),
        ("mysql:5.7", r#"{"com.docker.compose.project":"other","com.docker.compose.service":"mysql"}"#, "", 0, 0),
        ("public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7", "null", "divvycloud worker", 1, 0),
        ("divvycloud/divvycloud", r#"{"com.docker.compose.oneoff":"True"}"#, "", 0, 0),
        ("busybox", "{}", "divvycloud worker", 0, 0),
    ] {
        let host =
            Double::installed().prints("docker ps", "\"aa\"\n").prints("docker inspect", line(image, labels, cmd));
        let found = found(&host).unwrap();
        assert_eq!((found.own.len(), found.elsewhere.len()), (own, elsewhere), "{image} {labels}");
    }
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
    assert!(matches!(&odd, NoDocker::Odd { why } if why.len() < 300), "{odd:?}");
    let odd = found(&Double::installed().prints("docker ps", IDS).prints("docker inspect", garbage()));
    assert!(matches!(odd, Err(NoDocker::Odd { .. })));
    let lines = [
        &b"\xff\xfe\n{\"id\":\n[]\n\"x\"\n"[..],
        INSPECTED.as_bytes(),
        b"{}\n{\"id\":5,\"labels\":[],\"env\":{}}\n{\"cut",
    ]
    .concat();
    let seen = found(&Double::installed().prints("docker ps", IDS).prints("docker inspect", lines)).unwrap();
    assert_eq!((seen.own.len(), seen.unread), (2, 5));
    // Names from docker's output never become options or other arguments.
    let host = Double::installed().prints("docker ps", "\"--help\"\n\"../x\"\n\"zz\"\n");
    assert!(matches!(found(&host), Err(NoDocker::Odd { .. })));
    assert_eq!(host.ran.lock().unwrap().len(), 1);
    let deep = format!("{}\n", "[".repeat(200_000));
    let host = Double::installed().prints("docker ps", IDS).prints("docker inspect", deep);
    assert!(matches!(found(&host), Err(NoDocker::Odd { .. })));
    let none = found(&Double::installed().prints("docker ps", "")).unwrap();
    assert_eq!((none.all, none.own.len()), (0, 0));
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
