use super::*;
use crate::check::runtime::testing::{COMPOSE, Checked, Double, spec};
use crate::check::runtime::text::compose;
use crate::host::{Attributes, MemoryHost};

const FILE: &str = "# c\nhttp_proxy=http://svc:N3w-Secret@proxy.corp.example:3128\nno_proxy=mysql,redis\nDIVVY_DB_HOST=db2.corp.example\n\
    DIVVY_DB_PASSWORD=N3w-Pw\nVIRTUAL_ENV=/x\nCUSTOM=n3w-custom\nSAME=1\n";

fn host(file: &str, version: &str, env: &[&str]) -> Double {
    let files = MemoryHost::new();
    let mut attributes = Attributes::new(0o640, 0, 0);
    attributes.mtime = Some(1_795_291_000_000_000_000);
    files.put_with("/divvycloud/prod.env", file.as_bytes(), attributes);
    files.put("/divvycloud/docker-compose.yml", COMPOSE.as_bytes());
    files.put("/usr/bin/docker-compose", b"");
    let line = serde_json::json!({
        "id": "aa", "name": "/divvycloud_interfaceserver_1", "created": "2026-11-21T10:00:00Z", "status": "running",
        "image": "divvycloud/divvycloud:v22.3.9", "env": env,
        "labels": {"com.docker.compose.project.working_dir": "/divvycloud", "com.docker.compose.service": "interfaceserver",
            "com.docker.compose.version": version},
    });
    Double::with(files).prints("docker ps", "\"aa\"\n").prints("docker inspect", format!("{line}\n"))
}

#[test]
fn drift_is_named_by_variable_and_no_secret_gets_into_facts() {
    let host = host(
        FILE,
        "1.29.2",
        &[
            "http_proxy=http://svc:0ld-Secret@old.corp.example:3128",
            "https_proxy=http://svc:0ld-Secret@old.corp.example:3128",
            "no_proxy=mysql,redis",
            "DIVVY_DB_HOST=db1.corp.example",
            "DIVVY_DB_PASSWORD=0ld-Pw",
            "DIVVY_SECRET_DB_PASSWORD=0ld-Token",
            "VIRTUAL_ENV=/",
            "CUSTOM=0ld-custom",
            "PATH=/bin",
            "DIVVY_HOME=/image",
            "SAME=1",
        ],
    );
    let facts = host.facts(&Environment);
    let text = serde_json::to_string(&facts).unwrap();
    for secret in ["N3w-Secret", "0ld-Secret", "N3w-Pw", "0ld-Pw", "0ld-Token", "n3w-custom", "0ld-custom"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let findings = Check::judge(&Environment, &facts, &spec());
    assert_eq!(findings.len(), 1);
    let finding = &findings[0];
    assert_eq!(finding.status, Status::Fail);
    assert_eq!(
        finding.title,
        "interfaceserver does not see what prod.env says: CUSTOM, DIVVY_DB_HOST, DIVVY_DB_PASSWORD and 1 more"
    );
    let observed = finding.observed.as_ref().unwrap();
    for line in [
        "DIVVY_DB_HOST: db1.corp.example in the container, db2.corp.example in prod.env",
        "DIVVY_DB_PASSWORD: another value than in prod.env (neither is shown)",
        "http_proxy: http://svc:***@old.corp.example:3128 in the container, http://svc:***@proxy.corp.example:3128 in prod.env",
        "https_proxy: http://svc:***@old.corp.example:3128 in the container, not in prod.env",
        "DIVVY_SECRET_DB_PASSWORD: a value that is not shown in the container, not in prod.env",
    ] {
        assert!(observed.lines().any(|own| own == line), "{line}\nnot in\n{observed}");
    }
    // VIRTUAL_ENV is set by the compose file itself, which is meant to win.
    assert!(!observed.contains("VIRTUAL_ENV"));
    assert!(finding.cause.as_ref().unwrap().contains("before prod.env was last changed"), "{finding:#?}");
    assert_eq!(finding.fix, ["docker-compose -f /divvycloud/docker-compose.yml up -d --force-recreate"]);
    assert_eq!(finding.evidence["same"], 2);
}

#[test]
fn the_same_is_judged_by_the_reader_that_made_the_container() {
    // Compose 1.25 keeps quotes, 1.29 and 2 take them off; docker run keeps them.
    for (version, env, status) in [
        ("1.25.5", "A=\"x\"", Status::Pass),
        ("1.29.2", "A=x", Status::Pass),
        ("2.29.1", "A=x", Status::Pass),
        ("v2.29.1", "A=x", Status::Pass),
        ("2.29.1", "A=\"x\"", Status::Fail),
        ("1.14.0", "A=x", Status::Fail),
    ] {
        let findings = host("A=\"x\"\n", version, &[env]).check(&Environment);
        assert_eq!((findings.len(), findings[0].status), (1, status), "{version} {env}: {findings:#?}");
    }
}

#[test]
fn extras_missing_and_files_that_are_rejected() {
    let of = |file: &str, env: &[&str]| host(file, "1.29.2", env).check(&Environment).remove(0);
    let finding = of("A=1\n", &["A=1", "http_proxy=http://h:1"]);
    assert_eq!(
        (finding.status, finding.title.as_str()),
        (Status::Warn, "interfaceserver sees more than prod.env says: http_proxy")
    );
    let finding = of("A=1\nhttps_proxy=http://h:1\n", &["A=1"]);
    assert!(finding.observed.unwrap().contains("https_proxy: not in the container, http://h:1 in prod.env"));
    assert_eq!(of("A=1\n", &["A=1", "OTHER=x", "HTTP_PROXY="]).status, Status::Pass);
    let finding = host("A=\"x\n", "2.29.1", &["A=1"]).check(&Environment).remove(0);
    assert_eq!(finding.status, Status::Fail);
    assert!(finding.title.contains("rejects /divvycloud/prod.env"), "{finding:#?}");
    // Created after the last edit: something else than prod.env decides, and creating it anew alone would not help.
    let service = Service {
        created: Some(9),
        differences: vec![Difference { name: "A".to_owned(), how: How::Missing, file: None, container: None }],
        ..Service::default()
    };
    let finding = one(&service, Some(8), Path::new("f"), &compose());
    assert!(finding.cause.unwrap().contains("created after") && finding.fix[0] == "look who sets it: dc config");
}

#[test]
fn where_nothing_can_be_compared_it_says_why() {
    let bare = Double::with(MemoryHost::new());
    assert!(bare.check(&Environment).is_empty());
    let finding = Double::installed().check(&Environment).remove(0);
    assert_eq!(finding.status, Status::Skip);
    assert!(finding.observed.unwrap().contains("docker-reachable"));
    let finding = Double::installed().prints("docker ps", "").check(&Environment).remove(0);
    assert!(finding.observed.unwrap().contains("service-running"));
    let files = MemoryHost::new();
    files.put("/divvycloud/docker-compose.yml", COMPOSE.as_bytes());
    files.put("/usr/bin/docker-compose", b"");
    assert_eq!(Double::with(files).check(&Environment).remove(0).status, Status::Skip);
}

#[test]
fn other_peoples_containers_of_the_folder_are_left_alone() {
    // mysql of a Test Drive has an environment of its own.
    let host = host("A=1\n", "1.29.2", &[]);
    let line = r#"{"id":"aa","name":"/m","image":"divvycloud/quickstart-db","labels":{"com.docker.compose.project.working_dir":"/divvycloud","com.docker.compose.service":"mysql"},"env":["MYSQL_USER=divvy"]}"#;
    let host = Double::with(host.files).prints("docker ps", "\"aa\"\n").prints("docker inspect", line);
    let finding = host.check(&Environment).remove(0);
    assert_eq!(finding.status, Status::Skip);
}
