use super::*;
use crate::check::runtime::testing::{Checked, Double, NOW, spec};
use crate::finding::Status;
use crate::product::Place;
use crate::product::containers::{One, Seen, Service, Wanted};

fn running(name: &str) -> One {
    One {
        name: name.to_owned(),
        status: "running".to_owned(),
        exit_code: Some(0),
        started: Some(NOW - 7200),
        repository: "divvycloud/divvycloud".to_owned(),
        tag: "v22.3.9".to_owned(),
        ..One::default()
    }
}

fn facts(services: Vec<(&str, Vec<One>)>) -> ContainersFacts {
    let place = Place {
        live: true,
        prod_env: true,
        compose: vec!["docker-compose.yml".to_owned()],
        program: Some("docker-compose".to_owned()),
        ..Place::default()
    };
    let services: Vec<Service> =
        services.into_iter().map(|(name, containers)| Service { name: name.to_owned(), containers }).collect();
    let wanted = [("interfaceserver", 1), ("scheduler", 1), ("worker", 2)];
    let wanted = wanted.map(|(service, count)| Wanted { service: service.to_owned(), count }).to_vec();
    let all = services.iter().map(|service| service.containers.len()).sum();
    ContainersFacts {
        place,
        docker: Some(Ok(Seen { all, services, wanted: Some(wanted), ..Seen::default() })),
        now: NOW,
        ..ContainersFacts::default()
    }
}

fn whole() -> Vec<(&'static str, Vec<One>)> {
    vec![
        ("interfaceserver", vec![running("i1")]),
        ("scheduler", vec![running("s1")]),
        ("worker", vec![running("w1"), running("w2")]),
    ]
}

/// Replaces the scheduler by this.
fn with_scheduler(one: One) -> ContainersFacts {
    let mut services = whole();
    services[1].1 = vec![one];
    facts(services)
}

fn find<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    let wrong = |finding: &&Finding| finding.id == id && finding.status != Status::Pass;
    findings
        .iter()
        .find(wrong)
        .or_else(|| findings.iter().find(|finding| finding.id == id))
        .unwrap_or_else(|| panic!("{id}: {findings:#?}"))
}

#[test]
fn all_well() {
    let findings = judge::judge_containers(&facts(whole()), &spec());
    assert!(
        findings.iter().all(|finding| finding.status == Status::Pass && finding.observed.is_some()),
        "{findings:#?}"
    );
    assert_eq!(findings.len(), 5);
    assert_eq!(findings[3].title, "worker runs in 2 containers");
}

#[test]
fn what_can_be_wrong_with_a_container() {
    let exited = |code: i64, oom: bool| One {
        status: "exited".to_owned(),
        exit_code: Some(code),
        oom_killed: oom,
        finished: Some(NOW - 60),
        ..running("divvycloud_scheduler_1")
    };
    let restarting = One {
        status: "restarting".to_owned(),
        restarts: 9,
        exit_code: Some(1),
        started: Some(NOW - 2),
        ..running("s1")
    };
    let young = One { restarts: 3, started: Some(NOW - 10), ..running("s1") };
    let survived = One { restarts: 30, started: Some(NOW - 86_400), ..running("s1") };
    let sick = One { health: Some("unhealthy".to_owned()), ..running("s1") };
    let created = One {
        status: "created".to_owned(),
        error: "exec: \"/x\": no such file".into(),
        started: None,
        ..running("s1")
    };
    let paused = One { status: "paused".to_owned(), ..running("s1") };
    let odd = One { status: String::new(), exit_code: None, ..One::default() };
    for (one, id, status, title, cause, fix) in [
        (
            exited(1, false),
            "service-exited",
            Status::Fail,
            "scheduler ended with code 1",
            "log tells",
            "docker logs --tail 50 divvycloud_scheduler_1",
        ),
        (exited(137, true), "service-exited", Status::Fail, "killed for want of memory", "memory", "free -m"),
        (exited(137, false), "service-exited", Status::Fail, "code 137", "SIGKILL", "dmesg"),
        (
            One { memory_limit: Some(512 << 20), ..exited(137, false) },
            "service-exited",
            Status::Fail,
            "killed, most likely for want of memory",
            "memory limit of 512 MiB",
            "free -m",
        ),
        (
            One { memory_limit: Some(512 << 20), ..exited(1, false) },
            "service-exited",
            Status::Fail,
            "scheduler ended with code 1",
            "log tells",
            "docker logs",
        ),
        (exited(127, false), "service-exited", Status::Fail, "code 127", "not in the image", "up -d scheduler"),
        (exited(0, false), "service-exited", Status::Fail, "code 0", "foreground", "up -d"),
        (
            restarting,
            "service-restarting",
            Status::Fail,
            "restarts again and again",
            "gave up on an error",
            "docker logs",
        ),
        (young, "service-restarting", Status::Fail, "restarts again and again", "soon after its start", "docker logs"),
        (survived, "service-running", Status::Pass, "runs", "", ""),
        (sick, "service-unhealthy", Status::Fail, "is unhealthy", "", "{{json .State.Health}}"),
        (created, "service-running", Status::Fail, "does not run", "could not start it: exec", "up -d scheduler"),
        (paused, "service-running", Status::Fail, "does not run", "", "unpause scheduler"),
        (odd, "service-running", Status::Fail, "does not run", "", "up -d scheduler"),
    ] {
        let findings = judge::judge_containers(&with_scheduler(one), &spec());
        let finding = find(&findings, id);
        assert_eq!(finding.status, status, "{finding:#?}");
        assert!(finding.title.contains(title), "{title}: {finding:#?}");
        assert!(finding.cause.as_deref().unwrap_or_default().contains(cause), "{cause}: {finding:#?}");
        assert!(fix.is_empty() || finding.fix.iter().any(|own| own.contains(fix)), "{fix}: {finding:#?}");
        // One line for one service.
        assert_eq!(
            findings.iter().filter(|own| own.evidence.get("service").is_some_and(|own| *own == "scheduler")).count(),
            1
        );
    }
}

/// What `docker inspect` printed for two of twelve equal containers that the kernel had ended at their limit of 16 MiB, on an
/// engine 20.10.24 on control groups of version 1. Docker marked eleven of the twelve.
const KILLED: [&str; 2] = [
    r#"{"id":"b04b51635f448bbd6d4da76ac774ff004bee0afcbc3d1a1514fe5ada78adc32a","name":"/divvycloud_scheduler_1","created":"2026-11-28T12:03:11.101944892Z","restarts":0,"status":"exited","exit":137,"oom":true,"memory":16777216,"error":"","started":"2026-11-28T12:03:11.398339743Z","finished":"2026-11-28T12:03:11.431907183Z","health":null,"image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"scheduler"},"entrypoint":null,"cmd":["/bin/sh","-c","x=aaaaaaaa; while :; do x=$x$x; done"],"env":null}"#,
    r#"{"id":"d191d4d20177a3a70fae5faeb4506145f4aa8abf695e70b7305b02d08a081188","name":"/divvycloud_scheduler_1","created":"2026-11-28T12:03:19.247259874Z","restarts":0,"status":"exited","exit":137,"oom":false,"memory":16777216,"error":"","started":"2026-11-28T12:03:19.485817418Z","finished":"2026-11-28T12:03:19.527498211Z","health":null,"image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"scheduler"},"entrypoint":null,"cmd":["/bin/sh","-c","x=aaaaaaaa; while :; do x=$x$x; done"],"env":null}"#,
];

#[test]
fn out_of_memory_is_told_whether_docker_marks_it_or_not() {
    let titles = ["scheduler was killed for want of memory", "scheduler was killed, most likely for want of memory"];
    for (line, title) in KILLED.into_iter().zip(titles) {
        let host = Double::installed().prints("docker ps", "\"aa\"\n").prints("docker inspect", line);
        let findings = host.check(&Containers);
        let finding = find(&findings, "service-exited");
        assert_eq!((finding.status, finding.title.as_str()), (Status::Fail, title));
        assert!(finding.cause.as_deref().unwrap_or_default().contains("memory limit"), "{finding:#?}");
        assert!(finding.fix.iter().any(|fix| fix.contains("free -m")), "{finding:#?}");
        let evidence = |key: &str| finding.evidence.get(key).and_then(serde_json::Value::as_u64);
        assert_eq!((evidence("exit_code"), evidence("memory_limit")), (Some(137), Some(16 << 20)));
    }
}

#[test]
fn numbers_missing_services_and_single_role_hosts() {
    let mut services = whole();
    services[2].1.pop();
    let findings = judge::judge_containers(&facts(services), &spec());
    let finding = find(&findings, "service-running");
    assert_eq!((finding.status, finding.title.as_str()), (Status::Warn, "worker runs in 1 container instead of 2"));

    let mut services = whole();
    services.remove(1);
    let findings = judge::judge_containers(&facts(services.clone()), &spec());
    assert_eq!(find(&findings, "service-running").title, "scheduler has no container");
    assert_eq!(find(&findings, "service-running").status, Status::Fail);

    // Without a compose file nobody knows whether this host is to have one.
    let mut unsure = facts(services.clone());
    if let Some(Ok(seen)) = &mut unsure.docker {
        seen.wanted = None;
    }
    assert_eq!(find(&judge::judge_containers(&unsure, &spec()), "service-running").status, Status::Warn);

    // A host of workers alone.
    let mut workers = facts(vec![("worker", vec![running("w1"), running("w2")])]);
    if let Some(Ok(seen)) = &mut workers.docker {
        seen.wanted = Some(vec![Wanted { service: "worker".to_owned(), count: 2 }]);
    }
    assert!(judge::judge_containers(&workers, &spec()).iter().all(|finding| finding.status == Status::Pass));

    // Set-up of the older generation ends by itself.
    let mut services = whole();
    services.push(("mysql-setup", vec![One { status: "exited".to_owned(), exit_code: Some(0), ..running("m") }]));
    assert!(judge::judge_containers(&facts(services), &spec()).iter().all(|finding| finding.status == Status::Pass));

    let findings = judge::judge_containers(&facts(Vec::new()), &spec());
    assert_eq!(find(&findings, "service-running").title, "no container of the product is there");
    let mut elsewhere = facts(Vec::new());
    if let Some(Ok(seen)) = &mut elsewhere.docker {
        seen.elsewhere.push("/opt/ics".to_owned());
    }
    let findings = judge::judge_containers(&elsewhere, &spec());
    assert_eq!(find(&findings, "service-running").fix[0], "look there: ics-setup check runtime --home /opt/ics");
}

#[test]
fn versions_of_images() {
    let mut mixed = whole();
    mixed[1].1[0].tag = "v21.1".to_owned();
    let mut latest = whole();
    latest.iter_mut().flat_map(|(_, all)| all).for_each(|one| one.tag = "latest".to_owned());
    let mut apart = whole();
    apart.push(("redis", vec![One { repository: "redis".to_owned(), tag: "latest".to_owned(), ..running("r") }]));
    for (services, release, status, words) in [
        (whole(), None, Status::Pass, "all services run v22.3.9"),
        (whole(), Some("22.3.9"), Status::Pass, "v22.3.9"),
        (whole(), Some("v22.3"), Status::Pass, "v22.3.9"),
        (whole(), Some("22.3.90"), Status::Warn, "runs as v22.3.9, not as v22.3.90"),
        (whole(), Some("2"), Status::Warn, "not as v2"),
        (mixed, None, Status::Warn, "different versions: v21.1, v22.3.9"),
        (latest, None, Status::Warn, "not pinned"),
        (apart, None, Status::Pass, "v22.3.9"),
    ] {
        let spec = CheckSpec { release: release.map(str::to_owned), ..spec() };
        let findings = judge::judge_containers(&facts(services), &spec);
        let finding = find(&findings, "image-version");
        assert_eq!(finding.status, status, "{finding:#?}");
        assert!(finding.title.contains(words), "{finding:#?}");
        assert!(status == Status::Pass || finding.fix.iter().any(|fix| fix.contains("pull")));
    }
}

#[test]
fn silence_of_docker_is_one_finding() {
    let place = facts(Vec::new()).place;
    for (error, status, words, fix) in [
        (NoDocker::Absent, Status::Fail, "no docker command", "type -a docker"),
        (NoDocker::Down { why: "x".into() }, Status::Fail, "does not run", "systemctl enable --now docker"),
        (NoDocker::Denied { why: "x".into() }, Status::Error, "may not talk", "check runtime"),
        (NoDocker::Late { millis: 9000 }, Status::Error, "in time", "--timeout"),
        (NoDocker::Odd { why: "x".into() }, Status::Error, "did not list", "docker ps -a"),
    ] {
        let facts = ContainersFacts {
            place: place.clone(),
            docker: Some(Err(error)),
            now: NOW,
            unit: Some("docker".to_owned()),
            ..ContainersFacts::default()
        };
        let findings = judge::judge_containers(&facts, &spec());
        assert_eq!((findings.len(), findings[0].status), (1, status));
        assert!(
            findings[0].title.contains(words) && findings[0].fix.iter().any(|own| own.contains(fix)),
            "{findings:#?}"
        );
    }
}

#[test]
fn nothing_is_asked_where_there_is_nothing() {
    let mut image = Double::installed();
    image.live = false;
    let findings = image.check(&Containers);
    assert_eq!((findings.len(), findings[0].status), (1, Status::Skip));
    let bare = Double::with(crate::host::MemoryHost::new());
    assert!(bare.check(&Containers).is_empty());
    assert!(bare.ran.lock().unwrap().is_empty() && image.ran.lock().unwrap().is_empty());
}

#[test]
fn facts_hold_no_environment() {
    let line = r#"{"id":"aa","name":"/divvycloud_worker_1","status":"running","image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"worker","secret":"S3cret-1"},"cmd":["S3cret-2"],"env":["DIVVY_DB_PASSWORD=S3cret-3"],"error":"http://u:S3cret-4@h"}"#;
    let host = Double::installed().prints("docker ps", "\"aa\"\n").prints("docker inspect", line);
    let facts = host.facts(&Containers);
    let text = serde_json::to_string(&facts).unwrap();
    assert!(!text.contains("S3cret"), "{text}");
    let Some(Ok(seen)) = &facts.docker else { panic!("{facts:?}") };
    assert_eq!(seen.wanted.as_ref().unwrap().iter().map(|one| one.count).collect::<Vec<_>>(), [1, 1, 2]);
    let findings = judge::judge_containers(&facts, &spec());
    assert_eq!(find(&findings, "service-running").title, "worker runs in 1 container instead of 2");
}
