//! `trace` where it cannot look: each reason has its name. What it sees is tried in the lab.

use crate::root::{Root, run};

#[test]
fn a_time_that_is_none_is_a_wrong_flag() {
    for (time, words) in [("soon", "such as 500ms, 10s or 5m"), ("0s", "longer than nothing"), ("-1", "")] {
        let ran = run(&["trace", "--for", time], &[], "");
        assert!(ran.code == 2 && ran.stderr.contains(words), "{time}: {} {}", ran.code, ran.stderr);
    }
}

#[test]
fn of_an_image_nothing_runs() {
    let root = Root::ubuntu();
    let before = root.picture();
    let ran = run(&["trace", "--format", "json", "--root", root.path().to_str().unwrap()], &[], "");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let error = &ran.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("--root names an image"), "{error}");
    assert_eq!(root.picture(), before);
}

#[test]
fn a_person_without_rights_gets_the_line_with_them() {
    let arguments = ["trace", "--proxy", "http://svc:s3cret@h.example:1", "--for", "1s"];
    let program = env!("CARGO_BIN_EXE_ics-setup");
    let mut command = std::process::Command::new(program);
    let folder = tempfile::tempdir().unwrap();
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        // Where nobody may go, and written by a program of its own, so that no child of another test has it open.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("ics-setup");
        assert!(std::process::Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
        command = std::process::Command::new(copy);
        command.uid(65534).gid(65534);
    }
    let output = command.args(arguments).env_clear().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{stderr}");
    assert!(stderr.contains("sudo ") && stderr.contains(" trace --proxy ") && !stderr.contains("s3cret"), "{stderr}");
}
