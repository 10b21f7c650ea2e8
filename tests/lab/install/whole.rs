//! From a bare host to a healthy product, and back.

use std::time::Instant;

use serde_json::Value;

use crate::common::{Compose, Engine, Host, Ran, Site, report};

/// All stages, in their order.
pub(super) const STAGES: [&str; 12] = [
    "settings",
    "preflight",
    "prepare",
    "engine",
    "accounts",
    "files",
    "fetch",
    "databases",
    "start",
    "healthy",
    "boot",
    "verify",
];

pub(super) fn ics_setup(host: &Host, words: &[&str]) -> Ran {
    let ran = host.run(&[&["ics-setup"], words, &["--yes", "--format", "json"]].concat());
    let said = String::from_utf8_lossy(&ran.out).into_owned() + &ran.err;
    assert!(!said.contains("S3cret"), "a password is shown: {ran}");
    ran
}

pub(super) fn install(host: &Host, words: &[&str]) -> Ran {
    ics_setup(host, &[&["install"], words].concat())
}

/// The state of each stage.
#[track_caller]
pub(super) fn states(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let stages: Vec<_> =
        json["stages"].as_array().unwrap().iter().map(|one| (text(&one["id"]), text(&one["state"]))).collect();
    assert_eq!(stages.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), STAGES, "{json:#}");
    stages
}

#[track_caller]
pub(super) fn state(json: &Value, stage: &str) -> String {
    states(json).into_iter().find(|(id, _)| id == stage).unwrap().1
}

#[track_caller]
pub(super) fn action(json: &Value, service: &str) -> String {
    let all = json["containers"].as_array().unwrap();
    let own = all.iter().find(|one| one["service"] == service).unwrap_or_else(|| panic!("{service} in {json:#}"));
    own["action"].as_str().unwrap().to_owned()
}

fn test_drive(engine: Engine, compose: Option<Compose>) {
    let site = Site::new(engine);
    if let Some(compose) = compose {
        site.compose(compose);
    }
    site.load_images();
    let words = ["--deployment", "test-drive", "--release", "22.3.9"];

    // Nothing is written by a dry run.
    let dry = install(&site, &[&words[..], &["--dry-run"]].concat()).expect(0);
    let json = dry.json();
    assert_eq!(json["outcome"], "pending", "{json:#}");
    assert_eq!(action(&json, "worker"), "create");
    assert_eq!(site.sh("ls -A /divvycloud 2>/dev/null || true"), "");

    let began = Instant::now();
    let ran = install(&site, &words).expect(0);
    report(&format!("  install: a Test Drive on {engine:?} with {compose:?} took {} ms", began.elapsed().as_millis()));
    let json = ran.json();
    assert_eq!(json["outcome"], "changed", "{json:#}");
    for stage in json["stages"].as_array().unwrap() {
        report(&format!("    {} {} {} {}", stage["id"], stage["state"], stage["seconds"], stage["detail"]));
    }
    for stage in ["files", "start", "healthy"] {
        assert_eq!(state(&json, stage), "changed", "{json:#}");
    }
    for stage in ["settings", "preflight", "engine", "verify"] {
        assert_eq!(state(&json, stage), "done", "{json:#}");
    }
    assert_eq!(state(&json, "databases"), "skipped");
    assert_eq!(state(&json, "boot"), "skipped");
    assert_eq!(action(&json, "worker"), "create");
    assert_eq!(site.status(), 200);
    assert!(site.sh("id divvy").contains("divvy"));
    let steps = json["next_steps"].to_string();
    for word in [":8001/setup", "Google Chrome", "/settings/license", "ics-setup status"] {
        assert!(steps.contains(word), "{word} in {steps}");
    }
    // The password was made up, is nobody's to read, and is shown nowhere.
    let password = site.sh("sed -n 's/^DIVVY_DB_PASSWORD=//p' /divvycloud/prod.env").trim().to_owned();
    assert!(password.len() >= 16 && password != "divvy", "{password:?}");
    assert!(!String::from_utf8_lossy(&ran.out).contains(&password) && !ran.err.contains(&password));

    // A second time nothing happens.
    let before = site.container_ids();
    let again = install(&site, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");
    assert!(again["containers"].as_array().unwrap().iter().all(|one| one["action"] == "keep"), "{again:#}");
    assert_eq!(site.container_ids(), before);
    // Nor without the flags: what was told is remembered.
    let again = install(&site, &[]).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");

    // Back: containers go, data and images stay, and so does what somebody put there.
    site.sh("echo mine >/divvycloud/mine.txt");
    let back = ics_setup(&site, &["revert"]).expect(0).json();
    assert_eq!(action(&back, "worker"), "remove");
    assert!(site.container_ids().is_empty());
    assert_eq!(site.sh("cd /divvycloud && ls").split_whitespace().collect::<Vec<_>>(), ["data", "mine.txt", "plugins"]);
    assert!(site.run(&["id", "divvy"]).code != Some(0));
    assert!(site.sh("docker images -q").lines().count() >= 3);

    // And forth again, onto the data of before.
    super::pictures::install(&site, (24, 80), &words);
    assert_eq!(site.status(), 200);
    let kept = site.sh("sed -n 's/^DIVVY_DB_PASSWORD=//p' /divvycloud/prod.env").trim().to_owned();
    assert_eq!(kept, password);

    // For good: only with the folder's own name.
    let refused = ics_setup(&site, &["revert", "--purge=/divvy"]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert_eq!(site.status(), 200);
    // Also after later runs, whose files go with the folder.
    ics_setup(&site, &["reconfigure", "--workers", "1"]).expect(0);
    assert_eq!(site.container_ids()["worker"].len(), 1);
    ics_setup(&site, &["revert", "--purge=/divvycloud"]).expect(0);
    assert!(site.container_ids().is_empty());
    // Nothing of it is in force any more, and the next installation is told nothing of this one.
    let status = ics_setup(&site, &["status"]).expect(0).json();
    let states: Vec<&str> =
        status["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert!(status["drift"].as_array().unwrap().is_empty() && status["product"].is_null(), "{status:#} {states:?}");
    assert_eq!(site.sh("cat /var/lib/ics-setup/state.json 2>/dev/null || true"), "");
    assert!(site.run(&["ls", "/divvycloud"]).code != Some(0));
    // Images of other releases are not this product's.
    let left = site.sh("docker images --format '{{.Repository}}:{{.Tag}}'");
    assert!(!left.contains("v22.3.9") && !left.contains("quickstart-db") && !left.contains("redis"), "{left}");
}

#[test]
fn a_test_drive_with_compose_1_29() {
    test_drive(Engine::V20_10, None);
}

#[test]
fn a_test_drive_with_compose_2_26() {
    test_drive(Engine::V26_1, None);
}

#[test]
fn a_test_drive_with_compose_2_as_docker_compose() {
    test_drive(Engine::V20_10, Some(Compose::Program));
}
