use super::*;
use crate::check::runtime::testing::{Checked, Double, NOW, spec};
use crate::host::Output;

const INSPECTED: &str = r#"{"id":"aa","name":"/divvycloud_scheduler_1","image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.service":"scheduler"}}
{"id":"bb","name":"/divvycloud_worker_1","image":"divvycloud/divvycloud:v22.3.9","labels":{"com.docker.compose.service":"worker"}}
"#;

fn host(scheduler: impl Fn() -> std::io::Result<Output> + Send + Sync + 'static, worker: &str) -> Double {
    let host = Double::installed().prints("docker ps", "\"aa\"\n\"bb\"\n").prints("docker inspect", INSPECTED);
    let log = "docker logs --timestamps --tail 400 --since 1h";
    host.answers(&format!("{log} aa"), scheduler).prints(&format!("{log} bb"), worker)
}

fn said(stdout: &str, stderr: &str) -> impl Fn() -> std::io::Result<Output> + Send + Sync + 'static {
    let (stdout, stderr) = (stdout.as_bytes().to_vec(), stderr.as_bytes().to_vec());
    move || Ok(Output { code: Some(0), stdout: stdout.clone(), stderr: stderr.clone() })
}

#[test]
fn known_lines_have_a_cause_a_count_and_a_last_time_and_nothing_else_leaves_the_log() {
    let scheduler = said(
        "2026-11-21T20:00:01.1Z password=S3cret-1 Unable to connect to database mysql://divvy:S3cret-2@db\n\
         2026-11-21T20:00:31.1Z Unable to connect to database S3cret-3\n2026-11-21T20:00:31Z fine S3cret-4\n",
        "2026-11-21T20:00:40Z OSError('Tunnel connection failed: 407 Proxy Authentication Required') http://u:S3cret-5@h\n",
    );
    let worker = "2026-11-21T19:30:00Z Incorrect database schema, waiting for db to be upgraded\n2026-11-21T20:00:50Z Unable to connect to database\n";
    let host = host(scheduler, worker);
    let facts = host.facts(&Logs);
    assert!(!serde_json::to_string(&facts).unwrap().contains("S3cret"));
    let findings = Check::judge(&Logs, &facts, &spec());
    let told: Vec<_> = findings.iter().map(|finding| (finding.status, finding.title.as_str())).collect();
    assert_eq!(
        told,
        [
            (Status::Fail, "the log of scheduler says: the proxy wants other credentials"),
            (Status::Fail, "the log of scheduler, worker says: the database cannot be reached"),
        ]
    );
    assert_eq!(
        findings[1].observed.as_deref(),
        Some("\"Unable to connect to database\", 3 lines in the last hour, last at 2026-11-21T20:00:50Z, 12 s ago")
    );
    assert_eq!(findings[1].evidence["lines"], 3);
    assert_eq!(NOW, facts.now);
}

#[test]
fn who_has_waited_and_goes_on_is_no_trouble() {
    const WAITS: &str = "2026-11-21T20:00:40Z Incorrect database schema, waiting for db to be upgraded\n";
    let findings = host(said("", ""), WAITS).check(&Logs);
    assert_eq!((findings.len(), findings[0].status), (1, Status::Warn));
    assert_eq!(findings[0].title, "the log of worker says: services wait for the database's schema");
    assert_eq!(
        findings[0].fix,
        [
            "look how far it is, on the host that runs the scheduler: docker-compose -f /divvycloud/docker-compose.yml logs --tail 100 scheduler"
        ]
    );
    let went_on = format!("{WAITS}2026-11-21T20:00:55Z a job is taken\n");
    let findings = host(said("", ""), &went_on).check(&Logs);
    assert_eq!((findings.len(), findings[0].status), (1, Status::Pass));
}

#[test]
fn a_quiet_log_passes_and_an_unread_one_is_named() {
    let findings = host(said("2026-11-21T20:00:01Z GET /Status 200\n", ""), "").check(&Logs);
    assert_eq!((findings.len(), findings[0].status), (1, Status::Pass));
    assert!(findings[0].observed.as_ref().unwrap().starts_with("1 line of 2 containers"));
    let driver = || {
        let stderr = b"Error response from daemon: configured logging driver does not support reading\n".to_vec();
        Ok(Output { code: Some(1), stdout: Vec::new(), stderr })
    };
    let findings = host(driver, "").check(&Logs);
    assert_eq!(findings.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Pass, Status::Skip]);
    assert_eq!(findings[1].title, "the log of divvycloud_scheduler_1 was not read");
    let late = || Err(std::io::ErrorKind::TimedOut.into());
    assert!(host(late, "").check(&Logs)[1].observed.as_ref().unwrap().contains("no end within"));
    assert_eq!(Double::installed().check(&Logs)[0].status, Status::Skip);
    assert_eq!(Double::installed().prints("docker ps", "").check(&Logs)[0].status, Status::Skip);
}

#[test]
fn garbage_of_a_megabyte_is_only_counted() {
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let findings =
        host(move || Ok(Output { code: Some(0), stdout: bytes.clone(), stderr: vec![b'x'; 1 << 20] }), "").check(&Logs);
    assert_eq!(findings[0].status, Status::Pass, "{findings:?}");
    let line = format!("nostamp {} Unable to connect to database\nUnable to connect to database", "x".repeat(100_000));
    let findings = host(said(&line, ""), "").check(&Logs);
    assert_eq!(
        (findings[0].status, &findings[0].evidence["last"]),
        (Status::Fail, &serde_json::Value::Null),
        "{findings:?}"
    );
}
