//! `--check-first`, a back end that changes and `--no-probe` on images: what needs the live system is skipped, by name. On live
//! hosts: `tests/lab/backends/first.rs`.

use serde_json::Value;

use crate::root::{Root, run};

fn statuses(json: &Value, id: &str) -> Vec<String> {
    let all = json["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id);
    all.map(|finding| finding["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn below_a_root_nothing_is_asked_and_each_thing_is_skipped_by_name() {
    let root = Root::ubuntu();
    for verb in ["prepare", "reconfigure"] {
        let flags = [verb, "--check-first", "--proxy", "http://10.1.1.9:1", "--mysql-host", "10.1.1.1"];
        let (code, json) = root.json(&flags);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
        for id in ["cpu-cores", "port-in-use", "clock-skew", "proxy-connects"] {
            assert_eq!(statuses(&json, id), ["skip"], "{verb} {id}: {json:#}");
        }
        // Only reconfigure writes it, and the one that stays is not spoken of.
        let expected: &[&str] = if verb == "reconfigure" { &["skip"] } else { &[] };
        assert_eq!(statuses(&json, "mysql-reachable"), expected, "{json:#}");
        assert_eq!(statuses(&json, "redis-reachable"), [""; 0], "{json:#}");
    }
    // What plans say of every host is not said twice.
    let debian = Root::ubuntu();
    debian.put("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    let (_, json) = debian.json(&["prepare", "--check-first", "--proxy", "http://10.1.1.9:1"]);
    assert_eq!(statuses(&json, "os-not-listed"), ["warn"], "{json:#}");
    assert_eq!(statuses(&root.json(&["reconfigure"]).1, "mysql-reachable"), [""; 0], "it is there already");
}

#[test]
fn a_consumer_that_would_not_get_the_planned_proxy_stops_a_run_that_checks_first() {
    let root = Root::centos();
    root.put("etc/profile.d/zz-site.sh", "# This file is managed by Puppet\nexport https_proxy=http://other.corp:1\n");
    let before = root.picture();
    let flags = ["prepare", "--proxy", "http://p.corp:3128"];
    let (code, json) = root.json(&[&flags[..], &["--dry-run"]].concat());
    assert_eq!((code, statuses(&json, "proxy-login")), (0, vec!["warn".to_owned()]), "{json:#}");
    for dry in [&["--dry-run"][..], &[]] {
        let (code, json) = root.json(&[&flags[..], &["--check-first"], dry].concat());
        assert_eq!((code, statuses(&json, "proxy-login")), (4, vec!["fail".to_owned()]), "{json:#}");
        assert_eq!((json["error"]["id"].as_str(), &json["changes"]), (Some("checks-failed"), &Value::Array(vec![])));
        assert_eq!(root.picture(), before);
    }
    root.run(&[&flags[..], &["--check-first", "--ignore-check", "proxy-login"]].concat()).ok();
}

#[test]
fn what_fails_is_told_first_and_how_the_host_stands_is_told_last() {
    let root = Root::ubuntu();
    let ran = root.run(&["reconfigure", "--proxy", "http://p.corp"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("\nNothing was changed.\n"), "{}", ran.stderr);
    root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"16.04\"\n");
    let before = root.picture();
    let ran = root.run(&["prepare", "--proxy", "http://p.corp:3128", "--check-first"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("FAIL ") && ran.stderr.ends_with("\n\nNothing was changed.\n"), "{}", ran.stderr);
    assert_eq!(root.picture(), before);
    // Once, with all that is known of it, and as JSON the same in both places.
    for words in ["is older than", "id \"ubuntu\"", "do-release-upgrade"] {
        assert_eq!(ran.stderr.matches(words).count(), 1, "{words}: {}", ran.stderr);
    }
    assert!(ran.stderr.contains("\n\nhint: go on all the same: --ignore-check os-too-old\n"), "{}", ran.stderr);
    let (_, json) = root.json(&["prepare", "--proxy", "http://p.corp:3128", "--check-first"]);
    let (error, fails) = (&json["error"], |own: &&Value| own["status"] == "fail");
    let finding = json["findings"].as_array().unwrap().iter().find(fails).unwrap();
    assert_eq!(error["message"], finding["title"], "{json:#}");
    assert!(error["try"].to_string().contains("do-release-upgrade"), "{json:#}");
}

#[test]
fn the_flag_has_every_face_of_a_setting() {
    let root = Root::ubuntu();
    root.put("s.toml", "check_first = true\n");
    let file = root.at("s.toml").display().to_string();
    for (flags, variable) in
        [(&["--check-first"][..], None), (&[], Some(("ICS_SETUP_CHECK_FIRST", "true"))), (&["--settings", &file], None)]
    {
        let words = [&["prepare", "--proxy", "http://p.corp:3128", "--dry-run", "--format", "json"], flags].concat();
        let variables: Vec<_> = variable.into_iter().collect();
        let json = root.run_with(&words, &variables, "").json();
        assert_eq!(statuses(&json, "proxy-connects"), ["skip"], "{flags:?}: {json:#}");
    }
    // Of this run alone: the next one is not told.
    root.run(&["prepare", "--proxy", "http://p.corp:3128", "--check-first"]).ok();
    assert!(!root.get(crate::root::STATE_FILE).contains("check_first"));
    for verb in ["prepare", "reconfigure", "wizard"] {
        let help = run(&[verb, "--help"], &[], "").stdout;
        assert!(help.contains("--check-first") && help.contains("--no-probe"), "{verb}: {help}");
    }
    assert!(run(&["settings", "schema"], &[], "").stdout.contains("\"check_first\""));
    assert!(run(&["settings", "example"], &[], "").stdout.contains("check_first"));
}

#[test]
fn the_command_that_repeats_a_wizard_has_the_flags() {
    let root = Root::ubuntu();
    let ran =
        root.run(&["wizard", "--check-first", "--no-probe", "--proxy", "http://p.corp:3128", "--non-interactive"]);
    assert!(ran.stderr.contains("--check-first") && ran.stderr.contains("--no-probe"), "{}", ran.stderr);
}
