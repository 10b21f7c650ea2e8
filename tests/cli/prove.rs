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
