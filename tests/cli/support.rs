//! The archive for support: what is in it, who may read it, and that no secret is.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::root::{Root, run};

const PROXY: &str = "http://127.0.0.1:9";
const LIMITS: [&str; 6] = ["--connect-timeout", "300ms", "--timeout", "2s", "--deadline", "10s"];

/// The files of an archive, by a reader of our own.
pub fn unpacked(path: &Path) -> Vec<(String, String)> {
    let mut tar = Vec::new();
    let packed = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    flate2::read::GzDecoder::new(packed).read_to_end(&mut tar).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    let (mut files, mut rest) = (Vec::new(), tar.as_slice());
    while rest.iter().take(512).any(|byte| *byte != 0) {
        let size = usize::from_str_radix(&text(&rest[124..135]), 8).unwrap();
        files.push((text(&rest[..100]), text(&rest[512..512 + size])));
        rest = &rest[512 + size.next_multiple_of(512)..];
    }
    files
}

fn member<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    let found = files.iter().find(|(own, _)| own == &format!("ics-setup-support/{name}"));
    &found.unwrap_or_else(|| panic!("no {name} in {:?}", files.iter().map(|own| &own.0).collect::<Vec<_>>())).1
}

fn json(files: &[(String, String)], name: &str) -> Value {
    serde_json::from_str(member(files, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn it_holds_versions_settings_facts_findings_logs_and_runs_for_its_owner_alone() {
    let root = Root::ubuntu();
    root.put("pw", "Tr0ub4dor7");
    let password = root.at("pw").display().to_string();
    let login = ["--proxy-user", "svc", "--proxy-password-file", &password];
    root.run(&[&["prepare", "--yes", "--proxy", PROXY], &login[..]].concat()).ok();
    root.put("divvycloud/prod.env", root.get("divvycloud/prod.env") + "LICENSE_KEY=F0undS3cret\n");
    let before = root.picture();
    let file = root.at("var/bundle.tar.gz");
    let words = [&["support-bundle", file.to_str().unwrap()], &LIMITS[..]].concat();
    let (code, told) = root.json(&words);
    assert_eq!(code, 0, "{told:#}");
    assert_eq!(told["left_out"], Value::Array(Vec::new()), "{told:#}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(file.metadata().unwrap().len() < 1 << 20 && told["bytes"] == file.metadata().unwrap().len());
    assert!(root.picture() == before, "nothing is changed");
    let files = unpacked(&file);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let listed: Vec<&str> =
        told["members"].as_array().unwrap().iter().map(|own| own["name"].as_str().unwrap()).collect();
    assert_eq!(names, listed);
    // What is said to be in it is.
    for line in member(&files, "README.txt").lines().filter(|line| line.contains(".json  ") || line.contains(".txt  "))
    {
        member(&files, line.split(' ').next().unwrap());
    }
    assert!(json(&files, "versions.json")["ics_setup"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")));
    assert_eq!(json(&files, "versions.json")["os"]["id"], "ubuntu");
    assert!(json(&files, "check.json")["findings"].as_array().unwrap().len() > 20);
    assert_eq!(json(&files, "runs.json")["runs"][0]["command"], "prepare");
    assert_eq!(json(&files, "status.json")["runs"][0]["state"], "committed");
    assert!(member(&files, "settings.json").contains("proxy.http") && json(&files, "logs.json").is_object());
    for (name, text) in &files {
        assert!(!text.contains("Tr0ub4dor7") && !text.contains("F0undS3cret"), "{name}: {text}");
    }
    // The facts are judged elsewhere as here.
    let elsewhere = tempfile::tempdir().unwrap();
    let facts = elsewhere.path().join("facts.json");
    std::fs::write(&facts, member(&files, "facts.json")).unwrap();
    let again = run(&["check", "--from", facts.to_str().unwrap(), "--format", "json"], &[], "").json();
    assert_eq!(again["summary"], json(&files, "check.json")["summary"]);
    // Every system's own tar reads it, where there is one.
    match std::process::Command::new("tar").args(["-tzf", file.to_str().unwrap()]).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), names),
        Err(error) => println!("skip tar: {error}"),
    }
    // Who makes it at a terminal with colours sends none of them.
    let line = format!(
        "exec {} support-bundle {} {} --root {}",
        env!("CARGO_BIN_EXE_ics-setup"),
        file.display(),
        LIMITS.join(" "),
        root.path().display()
    );
    let made = file.metadata().unwrap().modified().unwrap();
    match std::process::Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            assert!(file.metadata().unwrap().modified().unwrap() > made);
            assert!(unpacked(&file).iter().all(|(_, text)| !text.contains('\u{1b}')));
        }
        Err(error) => println!("skip colours: script: {error}"),
    }
    let human = root.run(&words).ok().stdout;
    assert!(human.contains("without secrets") && human.contains("next: look through it"), "{human}");
}

#[test]
fn a_host_in_trouble_has_one_too_and_what_is_missing_is_named() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--yes", "--proxy", PROXY]).ok();
    let file = root.at("b.tar.gz");
    let words = [&["support-bundle", file.to_str().unwrap()], &LIMITS[..]].concat();
    // A login without its password, a journal that cannot be read, a settings file of everybody's.
    let run = std::fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(run.join("journal"), "?\n").unwrap();
    let (code, told) = root.json(&[&words[..], &["--proxy-user", "svc"]].concat());
    assert_eq!(code, 0, "{told:#}");
    let left: Vec<&str> =
        told["left_out"].as_array().unwrap().iter().map(|own| own["name"].as_str().unwrap()).collect();
    assert_eq!(left, ["settings.json", "status.json", "status.txt", "runs.json"], "{told:#}");
    let files = unpacked(&file);
    let about = member(&files, "README.txt");
    // Whatever is promised is there, or is said not to be.
    for line in about.lines().filter(|line| line.contains(".json  ") || line.contains(".txt  ")) {
        let name = line.split(' ').next().unwrap();
        let is_there = files.iter().any(|(own, _)| own.ends_with(&format!("/{name}")));
        assert!(is_there != about.contains(&format!("{name}: not here: ")), "{name}: {about}");
    }
    // The host is looked at all the same.
    assert!(about.contains("facts.json: made without flags, variables and settings files: "), "{about}");
    assert!(json(&files, "check.json")["findings"].as_array().unwrap().len() > 20);
    assert!(about.contains("runs.json: not here: ") && about.contains("missing: proxy.password"), "{about}");
    // A place that cannot be written is told before a minute of looking; a device is none.
    for place in ["/nowhere/b.tar.gz", "/dev/null"] {
        let (code, told) = root.json(&["support-bundle", place]);
        assert_eq!((code, told["error"]["id"].as_str()), (3, Some("file-unwritable")), "{told:#}");
    }
    let root = Root::ubuntu();
    std::fs::remove_file(root.at("etc/os-release")).unwrap();
    root.run(&words).ok();
    assert!(unpacked(&file).len() >= 5);
}
