//! `prove` where no program can be asked: the models speak, and the reason has a name.

use crate::root::{Root, run};

#[test]
fn below_a_root_it_is_skipped_by_name_and_the_models_speak() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://svc:S3cret@proxy.corp.example:3128\n");
    let before = root.picture();
    let arguments = ["prove", "--format", "json", "--root", root.path().to_str().unwrap()];
    let ran = run(&arguments, &[], "").ok();
    let result = ran.json();
    assert_eq!((result["command"].as_str(), &result["planned"]), (Some("prove"), &false.into()));
    let findings = result["findings"].as_array().unwrap();
    let skip = findings.iter().find(|finding| finding["id"] == "prove-asked").unwrap();
    assert_eq!(skip["status"], "skip");
    assert!(!ran.stdout.contains("S3cret"));
    let planned = [&arguments[..], &["--proxy", "http://proxy.corp.example:3128"]].concat();
    assert_eq!(run(&planned, &[], "").ok().json()["planned"], true);
    assert_eq!(root.picture(), before, "nothing was written");
}

#[test]
fn a_program_that_is_not_known_is_a_wrong_flag() {
    let ran = run(&["prove", "--client", "telnet"], &[], "");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn doors_that_are_not_installed_are_named_once_and_pass_for_nothing() {
    let root = Root::ubuntu();
    for program in ["usr/bin/su", "usr/bin/curl", "usr/bin/script", "usr/bin/login", "usr/sbin/sshd"] {
        root.program(program);
    }
    let told = root.run(&["prove"]).ok().stdout;
    assert_eq!(told.matches("not installed: cron, sudo ").count(), 1, "{told}");
    let (_, json) = root.json(&["prove"]);
    let programs = json["programs"].as_array().unwrap();
    assert!(programs.iter().any(|own| own["door"] == "ssh"), "{json:#}");
    assert!(!programs.iter().any(|own| own["door"] == "sudo" || own["door"] == "cron"), "{json:#}");
    let findings = json["findings"].as_array().unwrap();
    let absent: Vec<_> = findings.iter().filter(|own| own["id"] == "prove-door").collect();
    assert_eq!((absent.len(), &absent[0]["status"]), (1, &"skip".into()), "{json:#}");
    for program in ["usr/bin/sudo", "usr/sbin/cron"] {
        root.program(program);
    }
    assert!(!root.run(&["prove"]).ok().stdout.contains("not installed"));
}
