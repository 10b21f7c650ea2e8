//! `check host` on throw-away roots: what an image can tell, and what it says of the rest.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::root::Root;

fn finding<'a>(found: &'a Value, id: &str) -> &'a Value {
    let all = found["findings"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id} in {found:#}"))
}

#[test]
fn an_image_is_judged_by_its_files_and_the_rest_is_skipped_by_name() {
    let root = Root::ubuntu();
    root.put("etc/sudoers", "Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/bin\"\n");
    root.put("etc/profile.d/harden.sh", "umask 077\n");
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    root.put("etc/sysctl.d/90-cis.conf", "net.ipv4.ip_forward = 0\n");
    let (_, found) = root.json(&["check", "host", "--fail-on", "never"]);
    for (id, status) in [
        ("os-supported", "pass"),
        ("cpu-cores", "skip"),
        ("memory", "skip"),
        ("noexec", "skip"),
        ("port-in-use", "skip"),
        ("clock-skew", "skip"),
        ("hostname", "skip"),
        ("selinux", "warn"),
        ("ip-forward", "warn"),
        ("ipv4-route", "skip"),
        ("sudo-secure-path", "pass"),
        ("sudo-requiretty", "pass"),
        ("umask", "warn"),
        ("compose-path", "skip"),
        ("run-interrupted", "pass"),
    ] {
        let one = finding(&found, id);
        assert_eq!(one["status"], status, "{one:#}");
        assert!(one["observed"].is_string(), "{one:#}");
    }
    let umask = finding(&found, "umask")["observed"].as_str().unwrap().to_owned();
    assert!(umask.contains(root.at("etc/profile.d/harden.sh").to_str().unwrap()), "{umask}");
    // The file system that the image lies on.
    assert!(finding(&found, "disk-size")["evidence"]["bytes"].as_u64().unwrap() > 0);
    assert!(!root.has("var"), "a check writes nothing");
}

#[test]
fn a_system_of_neither_family_is_a_failing_check_and_no_error() {
    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n");
    let (code, found) = root.json(&["check", "host"]);
    let os = finding(&found, "os-unsupported");
    assert_eq!((code, os["status"].as_str()), (4, Some("fail")), "{os:#}");
    assert!(os["fix"][0].as_str().unwrap().contains("--os"), "{os:#}");
    let (_, named) = root.json(&["check", "host", "--os", "ubuntu"]);
    assert_eq!(finding(&named, "os-not-listed")["status"], "warn", "{named:#}");
}

#[test]
fn an_interrupted_run_is_found_with_the_way_back() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--deployment", "production", "--proxy", "http://p.example:3128", "--yes"]).ok();
    let (_, fine) = root.json(&["check", "--only", "run-interrupted"]);
    assert_eq!(finding(&fine, "run-interrupted")["status"], "pass", "{fine:#}");
    // What a power loss leaves: a journal without its last record.
    let runs = root.at("var/lib/ics-setup/runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let journal = std::fs::read_dir(runs.join(&run)).unwrap().map(|entry| entry.unwrap().path());
    let journal = journal.into_iter().find(|path| path.is_file()).unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, format!("{}\n", text.lines().next().unwrap())).unwrap();
    let (code, found) = root.json(&["check", "--only", "run-interrupted"]);
    let one = finding(&found, "run-interrupted");
    assert_eq!((code, one["status"].as_str()), (4, Some("fail")), "{one:#}");
    let undo = format!("ics-setup revert {run} --root {}", root.path().display());
    assert_eq!(one["fix"][0], undo, "{one:#}");
}

#[test]
fn facts_of_the_host_are_judged_elsewhere_and_by_another_deployment() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", "DIVVY_DB_HOST=mysql\n");
    let saved = root.at("facts.json");
    let (_, here) = root.json(&["check", "host", "--save-facts", saved.to_str().unwrap(), "--fail-on", "never"]);
    let from = ["check", "host", "--from", saved.to_str().unwrap(), "--fail-on", "never", "--format", "json"];
    let there = crate::root::run(&from, &[], "").json();
    assert_eq!(here["findings"], there["findings"]);
    let mut drive = from.to_vec();
    drive.extend(["--deployment", "test-drive"]);
    let drive = crate::root::run(&drive, &[], "").json();
    assert!(finding(&drive, "disk-size")["expected"].as_str().unwrap().starts_with("40 GB"), "{drive:#}");
}

#[test]
fn compose_in_another_folder_than_the_crontabs_is_found_with_the_link_that_mends_it() {
    let root = Root::ubuntu();
    root.put("var/spool/cron/crontabs/root", "@reboot /usr/local/bin/docker-compose -f /divvycloud/x.yml up -d\n");
    root.put("usr/libexec/compose", "x");
    std::fs::set_permissions(root.at("usr/libexec/compose"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(root.at("usr/bin")).unwrap();
    symlink("/usr/libexec/compose", root.at("usr/bin/docker-compose")).unwrap();
    let (code, found) = root.json(&["check", "--only", "compose-path"]);
    let one = finding(&found, "compose-path");
    assert_eq!((code, one["status"].as_str()), (4, Some("fail")), "{one:#}");
    let link = format!("ln -sfn /usr/bin/docker-compose {}", root.at("usr/local/bin/docker-compose").display());
    assert_eq!(one["fix"][0], link, "{one:#}");
}
