use super::*;
use crate::docker::double::{Double, IDS, INSPECTED};
use crate::net::testing::{PATIENCE, patient};

fn found(host: &Double) -> Result<Found, NoDocker> {
    containers(host, Path::new("/divvycloud"), patient())
}

#[test]
fn containers_of_two_clients_are_read_and_the_products_are_told_from_others() {
    let host = Double::installed().prints("docker ps", IDS).prints("docker inspect", INSPECTED);
    let found = found(&host).unwrap();
    assert_eq!((found.all, found.unread), (3, 0));
    let names: Vec<_> = found.own.iter().map(|one| one.state.name.as_str()).collect();
    assert_eq!(names, ["divvycloud_scheduler_1", "bbb"]);
    let scheduler = &found.own[0];
    assert_eq!(scheduler.service.as_deref(), Some("scheduler"));
    assert_eq!(scheduler.created, Some(1_795_305_723));
    assert_eq!((scheduler.state.finished, scheduler.state.health.as_deref()), (None, Some("healthy")));
    assert_eq!(scheduler.environment, ["A=\"x y\""]);
    assert_eq!((found.own[1].state.restarts, found.own[1].state.exit_code), (5, Some(3)));
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
