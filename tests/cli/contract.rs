//! What every result has in common, whatever it tells: exit codes, the keys of its JSON, an order that stays, the streams.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::outcomes::{in_root, marked};
use crate::root::Root;

const P: &str = "http://proxy.corp.example:3128";

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// A changing verb, whose JSON is held against what has happened to the host; its exit code and outcome.
#[track_caller]
fn changing(root: &Root, words: &[&str]) -> (i32, String) {
    let before = root.picture();
    let (code, json) = root.json(words);
    let is_as_before = root.picture() == before;
    for key in ["schema", "command", "outcome", "run", "os", "changes", "findings", "next_steps", "error"] {
        assert!(json.as_object().unwrap().contains_key(key), "{words:?}: {key}: {json:#}");
    }
    assert_eq!((&json["schema"], &json["command"]), (&"ics-setup/v1".into(), &words[0].into()), "{json:#}");
    let outcome = json["outcome"].as_str().unwrap().to_owned();
    let changes = json["changes"].as_array().unwrap();
    for change in changes {
        for key in ["path", "action", "reasons", "diff"] {
            assert!(!change[key].is_null(), "{key}: {change:#}");
        }
        assert!(!change["reasons"].as_array().unwrap().is_empty(), "{change:#}");
    }
    match outcome.as_str() {
        "changed" => assert!(!is_as_before && !changes.is_empty() && json["run"].is_string(), "{json:#}"),
        "unchanged" => assert!(is_as_before && changes.is_empty(), "{json:#}"),
        "pending" => assert!(is_as_before && !changes.is_empty() && json["run"].is_null(), "{json:#}"),
        "failed" | "restored" => assert!(is_as_before && changes.is_empty(), "{json:#}"),
        other => panic!("{other}"),
    }
    if matches!(outcome.as_str(), "failed" | "restored") {
        assert_eq!(keys(&json["error"]), ["because", "id", "kind", "message", "try"], "{json:#}");
        let kind = json["error"]["kind"].as_str().unwrap();
        assert!(["settings", "host", "outside", "bug"].contains(&kind), "{json:#}");
        let steps = json["error"]["try"].as_array().unwrap();
        assert!(!steps.is_empty(), "what is to be done: {json:#}");
    } else {
        assert!(json["error"].is_null(), "{json:#}");
    }
    (code, outcome)
}

#[test]
fn each_outcome_has_its_code_and_its_json_says_what_has_happened() {
    let root = Root::ubuntu();
    let told = |words: &[&str], code: i32, outcome: &str| {
        assert_eq!(changing(&root, words), (code, outcome.to_owned()), "{words:?}");
    };
    let prepare = ["prepare", "--proxy", P, "--yes"];
    told(&["prepare", "--proxy", "ftp://p:1", "--yes"], 3, "failed");
    told(&["revert", "--yes"], 5, "failed");
    told(&[&prepare[..], &["--dry-run"]].concat(), 0, "pending");
    told(&[&prepare[..], &["--dry-run", "--exit-code"]].concat(), 10, "pending");
    told(&prepare, 0, "changed");
    told(&prepare, 0, "unchanged");
    told(&[&prepare[..], &["--dry-run", "--exit-code"]].concat(), 0, "unchanged");
    told(&["reconfigure", "--yes", "--dry-run"], 0, "pending");
    told(&["reconfigure", "--yes"], 0, "changed");
    told(&["revert", "--dry-run"], 0, "pending");
    told(&["revert", "--yes"], 0, "changed");
    told(&["revert", "--all", "--yes"], 0, "changed");
    assert_eq!(root.run(&["prepare", "--no-such-flag"]).code, 2);
    let lock = fs::File::open(root.at("var/lib/ics-setup/lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    told(&prepare, 7, "failed");
    drop(lock);
    told(&prepare, 0, "changed");
    fs::set_permissions(root.at("etc"), fs::Permissions::from_mode(0o555)).unwrap();
    if marked(&root, "+i", "etc") {
        let output = in_root(&root, &["revert", "--yes"]);
        marked(&root, "-i", "etc");
        assert_eq!(output.status.code(), Some(5));
    } else {
        println!("skip each_outcome_has_its_code: an immutable folder: chattr cannot make one here");
    }
}

#[test]
fn checks_end_with_what_was_worst_as_far_as_somebody_wants_to_know() {
    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian\"\n");
    let check = |more: &[&str]| {
        let (code, json) = root.json(&[&["check"][..], more].concat());
        assert_eq!(keys(&json["summary"]), ["error", "fail", "pass", "skip", "warn"], "{json:#}");
        for finding in json["findings"].as_array().unwrap() {
            let has = keys(finding);
            for key in [
                "id",
                "group",
                "title",
                "status",
                "expected",
                "observed",
                "cause",
                "fix",
                "advice",
                "docs",
                "evidence",
                "stage",
                "path",
                "duration_ms",
                "attempts",
            ] {
                assert!(has.contains(&key), "{key}: {finding:#}");
            }
        }
        (code, json["summary"]["fail"].as_u64().unwrap(), json["summary"]["warn"].as_u64().unwrap())
    };
    let warned = check(&["--only", "os-not-listed"]);
    assert!(warned.0 == 0 && warned.1 == 0 && warned.2 > 0, "{warned:?}");
    assert_eq!(check(&["--only", "os-not-listed", "--fail-on", "warn"]).0, 11);
    let wrong = ["proxy", "--proxy", P, "--only", "proxy-url-scheme,proxy-login"];
    root.put("etc/environment", "http_proxy=http://other:1\nhttps_proxy=http://other:1\n");
    let failed = check(&wrong);
    assert!(failed.0 == 4 && failed.1 > 0, "{failed:?}");
    assert_eq!(check(&[&wrong[..], &["--fail-on", "never"]].concat()).0, 0);
}

#[test]
fn lists_keep_their_order_and_nothing_but_the_result_is_on_standard_output() {
    let root = Root::ubuntu();
    let steady = |words: &[&str]| {
        let [one, other] = [0; 2].map(|_| root.run(&[words, &["--format", "json"]].concat()));
        // Nothing but JSON, and twice the same but for times.
        let [one, other] = [one, other].map(|ran| {
            let mut json: Value =
                serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", ran.stdout));
            // What this machine's kernel says may differ from one look to the next.
            for finding in json["findings"].as_array_mut().into_iter().flatten() {
                *finding = finding["id"].take();
            }
            json
        });
        assert_eq!(one, other, "{words:?}");
    };
    for words in [
        &["prepare", "--proxy", P, "--dry-run"][..],
        &["reconfigure", "--proxy", P, "--dry-run"],
        &["install", "--deployment", "test-drive", "--proxy", P, "--dry-run"],
        &["check", "host", "proxy", "--proxy", P],
        &["status"],
        &["settings", "show", "--proxy", P],
        &["network", "list", "--all"],
        &["network", "explain", "https://169.254.169.254/latest", "--proxy", P],
    ] {
        steady(words);
    }
    // Where the result is nothing but a diff, what is said beside it stands on the other stream.
    let ran = root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    assert!(ran.stdout.contains("Done.") && !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
}
