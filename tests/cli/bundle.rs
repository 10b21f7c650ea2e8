//! `bundle create`: what is wrong before Docker is asked. What it makes, `tests/lab/install/bundle.rs` looks at.

use crate::root::{Root, run};

#[test]
fn what_cannot_become_a_bundle_is_told_before_docker_is_asked() {
    let root = Root::ubuntu();
    root.put("theirs/notes", "mine");
    root.put("theirs/prod.env", "DIVVY_DB_PASSWORD=Hunter2Hunter\n");
    root.put("file", "");
    root.put("empty/.keep", "");
    std::fs::remove_file(root.at("empty/.keep")).unwrap();
    let at = |name: &str| root.at(name).display().to_string();
    let (theirs, file, empty, absent) = (at("theirs"), at("file"), at("empty"), at("no/such"));
    let cases: &[(&[&str], i32, &str)] = &[
        (&[], 2, "DIR"),
        (&[&empty, "--platform", "linux/s390x"], 2, "linux/arm64"),
        (&[&empty, "--mysql-host", "db.corp.example"], 2, "--mysql-host"),
        (&[&empty, "--root", &theirs], 3, "--root names an image"),
        (&[&theirs], 3, "has something else in it: notes and 1 more"),
        (&[&file], 3, "is a file, and a bundle is a folder"),
        (&[&absent], 3, "mount the disk"),
        (&[&empty, "--release", "latest"], 3, "--image <REPOSITORY:TAG>"),
        (&[&empty, "--from", "https://files.corp.example/x"], 3, "--from-sha256"),
        (&[&empty, "--compose-binary", &file], 3, "--compose-sha256 <HEX>"),
        (&[&empty, "--image", "x@sha256:00"], 3, "does not keep digests"),
        (&[&empty, "--image", "divvycloud/divvycloud:latest"], 4, "pins no release"),
    ];
    let before = root.picture();
    for (words, code, said) in cases {
        let ran = run(&[&["bundle", "create"], *words, &["--format", "json"]].concat(), &[], "");
        let all = [ran.stdout.as_str(), &ran.stderr].concat();
        assert!(ran.code == *code && all.contains(said), "{words:?}: {} {all}", ran.code);
        assert!(!all.contains("Hunter2"), "{all}");
    }
    assert_eq!(root.picture(), before);
    let none = run(&["bundle"], &[], "");
    assert!(none.code == 2 && none.stderr.contains("create"), "{}", none.stderr);
}
