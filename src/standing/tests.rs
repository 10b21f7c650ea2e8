use std::path::Path;

use super::*;
use crate::context::Inputs;
use crate::host::{HostWrite, MemoryHost};
use crate::settings::Layer;

fn on(host: &MemoryHost) -> Standing {
    let runs = crate::apply::runs(host).unwrap();
    look(
        host,
        Question {
            runs: Ok(runs),
            inputs: Inputs::new(None, Layer::default()),
            at_work: None,
            ignored: &Ignored::default(),
            after: None,
        },
    )
}

fn ubuntu() -> MemoryHost {
    let host = MemoryHost::new();
    host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\nPRETTY_NAME=\"Ubuntu 22.04.4 LTS\"\n");
    host.put("/etc/hostname", b"web-1.corp.example\n");
    host
}

#[test]
fn each_check_that_it_is_told_from_is_there() {
    let names: Vec<&str> = all().iter().map(|check| check.meta().name).collect();
    assert!(NAMES.iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn a_fresh_host_begins_and_one_that_is_at_work_is_waited_for() {
    let host = ubuntu();
    let mut standing = on(&host);
    assert_eq!(Next::of(&standing), Some(Next::Begin));
    assert_eq!(
        (standing.name.as_deref(), standing.system.as_deref()),
        (Some("web-1.corp.example"), Some("Ubuntu 22.04.4 LTS"))
    );
    standing.at_work = Some("ics-setup prepare, process 7".into());
    assert!(matches!(Next::of(&standing), Some(Next::Wait(_))));
}

#[test]
fn what_stands_in_a_file_is_followed_by_prepare_and_install() {
    let host = ubuntu();
    host.put("/etc/environment", b"http_proxy=http://p.corp.example:3128\nhttps_proxy=http://p.corp.example:3128\n");
    let standing = on(&host);
    assert!(matches!(&standing.prepare, Pending::Files(files) if !files.is_empty()), "{:?}", standing.prepare);
    assert_eq!(Next::of(&standing), Some(Next::Prepare));
    let prepared = Standing { prepare: Pending::Nothing, findings: Vec::new(), ..standing };
    assert!(matches!(Next::of(&prepared), Some(Next::Install(None, _))));
    // Who names a MySQL is offered no Test Drive.
    host.put("/divvycloud/prod.env", b"DIVVY_DB_HOST=db.corp.example\nDIVVY_DB_PASSWORD=x\n");
    let named = Standing { has_product: false, prepare: Pending::Nothing, findings: Vec::new(), ..on(&host) };
    assert!(matches!(Next::of(&named), Some(Next::Install(Some(Deployment::Production), _))), "{:?}", Next::of(&named));
}

#[test]
fn what_cannot_be_read_is_said_and_nothing_is_called_done() {
    let host = ubuntu();
    host.put("/etc/ics-setup/settings.toml", b"[proxy]\nurl = 'p.corp.example'\n");
    let standing = on(&host);
    assert!(standing.unknown.is_some());
    assert!(matches!(Next::of(&standing), Some(Next::Unknown(..))));
}

#[test]
fn the_last_check_counts_until_the_next_run() {
    let host = ubuntu();
    host.put("/etc/environment", b"http_proxy=http://p.corp.example:3128\nhttps_proxy=http://p.corp.example:3128\n");
    let fail = Finding::fail(crate::finding::ids::DISK_FREE, "full");
    let findings = [fail.clone(), fail, Finding::pass(crate::finding::ids::CLOCK_SKEW, "right")];
    let save = |findings: &[Finding], whole| {
        keep(&host as &dyn HostWrite, Since::now(&host).unwrap(), findings, whole).unwrap();
    };
    save(&findings, true);
    let standing = on(&host);
    let kept = standing.last_check.as_ref().unwrap();
    assert_eq!((kept.failing.as_slice(), kept.summary.fail), (&["disk-free".to_owned()][..], 2));
    assert!(standing.is_checked());
    // Not of a system of which it was made as an image, not after the next run, and not where it looked at a part.
    assert!(!Standing { is_live: true, ..on(&host) }.is_checked());
    assert!(!Standing { last_check_age: None, ..on(&host) }.is_checked());
    let file = Path::new("/var/lib/ics-setup/last-check.json");
    let kept = String::from_utf8(host.read(file).unwrap().unwrap()).unwrap();
    host.put("/var/lib/ics-setup/last-check.json", kept.replace("\"seq\": 0", "\"seq\": 1").as_bytes());
    assert!(!on(&host).is_checked());
    save(&findings, false);
    assert!(!on(&host).is_checked());
    host.put("/var/lib/ics-setup/last-check.json", b"{}");
    let standing = on(&host);
    assert!(standing.last_check.is_none() && standing.last_check_unread.is_some());
}

#[test]
fn a_proxy_that_did_not_serve_is_told_until_it_does_or_is_another_one() {
    let host = ubuntu();
    host.put("/etc/environment", b"http_proxy=http://p.corp.example:3128\nhttps_proxy=http://p.corp.example:3128\n");
    let keep = |proxy: &str, wrong: Option<&str>| {
        let kept = serde_json::json!({ "version": 1, "time": "2026-01-02T03:04:05Z", "proxy": proxy, "wrong": wrong });
        host.put("/var/lib/ics-setup/last-probe.json", kept.to_string().as_bytes());
    };
    let prepared = || Standing { prepare: Pending::Nothing, findings: Vec::new(), ..on(&host) };
    assert!(prepared().unserved().is_none(), "nobody was asked");
    keep("p.corp.example:3128", Some("it rejects the login"));
    assert_eq!(prepared().unserved().unwrap().0, "it rejects the login");
    assert!(matches!(Next::of(&prepared()), Some(Next::AskProxy(_, false))));
    assert!(Standing { proxy: Some("q:1".to_owned()), ..on(&host) }.unserved().is_none());
    keep("q:1", Some("it rejects the login"));
    assert!(prepared().unserved().is_none());
    // What the login was rejected for is not asked again with the same one.
    let kept = serde_json::json!({
        "version": 1, "time": "2026-01-02T03:04:05Z", "proxy": "p.corp.example:3128", "wrong": "it rejects the login",
        "id": "proxy-credentials",
    });
    host.put("/var/lib/ics-setup/last-probe.json", kept.to_string().as_bytes());
    let next = Next::of(&prepared()).unwrap();
    assert_eq!(next, Next::AskProxy("it rejects the login".to_owned(), true));
    let line = crate::report::line(&crate::redact::Redactor::default(), &next.line());
    assert!(
        line.contains("--proxy-user <USER> --proxy-password-file <FILE>") && !line.contains("ask it again"),
        "{line}"
    );
    keep("p.corp.example:3128", None);
    assert!(prepared().unserved().is_none());
}
