//! What goes wrong is named, with the exit code of the contract, and leaves the host as it was.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::root::{Root, run};

fn refused(root: &Root, arguments: &[&str]) -> (i32, String, String) {
    let before = root.picture();
    let (code, json) = root.json(arguments);
    assert!(root.picture() == before, "nothing was changed by {arguments:?}");
    assert_eq!(json["outcome"], "failed", "{json}");
    assert_eq!(json["changes"].as_array().unwrap().len(), 0);
    let error = &json["error"];
    assert!(!error["try"].as_array().unwrap().is_empty(), "says what to do: {error}");
    (code, error["id"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

#[test]
fn wrong_settings_end_with_3() {
    let root = Root::ubuntu();
    for (arguments, id) in [
        (&["prepare", "--proxy", "proxy:3128"][..], "proxy-url-invalid"),
        (&["prepare", "--proxy", "socks5://proxy:3128"], "proxy-url-invalid"),
        (&["prepare", "--proxy", "http://proxy"], "proxy-port-missing"),
        (&["prepare", "--proxy", "http://h:1", "--remove-proxy"], "settings-conflict"),
        (&["prepare", "--proxy", "http://h:1", "--proxy-user", "u"], "settings-missing"),
        (&["prepare", "--proxy", "http://h:1", "--target", "docker"], "setting-invalid"),
        (&["prepare", "--proxy", "http://h:1", "--ignore-check", "proxy-port-mising"], "unknown-check"),
        (&["reconfigure", "--mysql-port", "0"], "setting-invalid"),
        (&["prepare", "--proxy", "http://h:1", "--proxy-user", "u", "--proxy-password-file", "/nope"], "password-file"),
        (
            &["prepare", "--proxy", "http://h:1", "--proxy-user", "u", "--proxy-password-file", "/dev/null"],
            "password-invalid",
        ),
        (&["prepare", "--proxy", "http://h:1", "--no-proxy", "a b"], "no-proxy-invalid"),
        (&["prepare", "--settings", "/"], "settings-unreadable"),
    ] {
        let (code, seen, message) = refused(&root, arguments);
        assert_eq!((code, seen.as_str()), (3, id), "{arguments:?}: {message}");
    }
    let (_, json) = root.json(&["prepare", "--proxy", "http://h:1", "--proxy-user", "u"]);
    let faces = json["error"]["try"][0].as_str().unwrap();
    assert!(
        faces.contains("--proxy-password-file")
            && faces.contains("ICS_SETUP_PROXY_PASSWORD")
            && faces.contains("proxy.password"),
        "{faces}"
    );
}

#[test]
fn a_missing_port_can_be_confirmed_and_is_written_out() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://proxy", "--ignore-check", "proxy-port-missing"]).ok();
    assert!(root.get("etc/environment").contains("http_proxy=\"http://proxy:80\""));
}

#[test]
fn wrong_flags_end_with_2_and_a_suggestion() {
    for (arguments, near) in [
        (&["prepar"][..], "prepare"),
        (&["prepare", "--no-prxy", "x"], "--no-proxy"),
        (&["prepare", "--format", "jsn"], "json"),
    ] {
        let ran = run(arguments, &[], "");
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(near) && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    assert_eq!(run(&["prepare", "--help"], &[], "").code, 0);
}

#[test]
fn the_version_names_the_commit_and_its_date() {
    let said = run(&["--version"], &[], "").stdout;
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8(output.stdout).unwrap())
    };
    let number = concat!("ics-setup ", env!("CARGO_PKG_VERSION"));
    match git(&["log", "-1", "--date=short", "--format=%h %cd", "--abbrev=10"]) {
        Some(commit) => {
            let (hash, date) = commit.trim().split_once(' ').unwrap();
            let clean = format!("{number} ({hash} {date})\n");
            assert!(
                said == clean || said == clean.replacen(hash, &format!("{hash}-dirty"), 1),
                "{said} is not {clean}"
            );
        }
        None => assert_eq!(said, format!("{number}\n")),
    }
}

#[test]
fn systems_that_are_neither_end_with_5_and_old_ones_can_be_ignored() {
    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=arch\n");
    let (code, id, message) = refused(&root, &["prepare", "--proxy", "http://h:1"]);
    assert_eq!((code, id.as_str()), (5, "os-unsupported"));
    assert!(message.contains("arch"), "{message}");
    root.run(&["prepare", "--proxy", "http://h:1", "--os", "ubuntu"]).ok();

    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"16.04\"\n");
    let (code, _) = root.json(&["prepare", "--proxy", "http://h:1"]);
    assert_eq!(code, 4);
    let (code, json) = root.json(&["prepare", "--proxy", "http://h:1", "--ignore-check", "os-too-old=we know"]);
    assert_eq!(code, 0);
    assert_eq!(
        (json["findings"][0]["id"].as_str(), json["findings"][0]["status"].as_str()),
        (Some("os-too-old"), Some("warn"))
    );

    let root = Root::ubuntu();
    std::fs::remove_file(root.at("etc/os-release")).unwrap();
    assert_eq!(refused(&root, &["prepare", "--proxy", "http://h:1"]).0, 5);
}

#[test]
fn values_that_readers_disagree_about_are_refused_by_character_and_reader() {
    let root = Root::ubuntu();
    root.put("pw", "pa$$word#1\n");
    let file = root.at("pw");
    let (code, id, message) = refused(&root, &["reconfigure", "--mysql-password-file", file.to_str().unwrap()]);
    assert_eq!((code, id.as_str()), (3, "value-not-portable"));
    assert!(
        message.contains("'$' at position 3") && message.contains("compose") && !message.contains("word#1"),
        "{message}"
    );
}

#[test]
fn a_line_too_long_for_the_hosts_pam_is_found_before_anything_is_written() {
    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"18.04\"\n");
    let list: Vec<String> = (0..100).map(|n| format!("host{n}.corp.example")).collect();
    let list = list.join(",");
    let before = root.picture();
    let (code, json) = root.json(&["prepare", "--proxy", "http://h:1", "--no-proxy", &list]);
    assert_eq!((code, json["error"]["id"].as_str()), (4, Some("checks-failed")));
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "pam-line-too-long"));
    assert!(root.picture() == before);
    root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\n");
    root.run(&["prepare", "--proxy", "http://h:1", "--no-proxy", &list]).ok();
}

#[test]
fn missing_and_odd_files_are_named() {
    let root = Root::ubuntu();
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    assert_eq!(refused(&root, &["reconfigure", "--proxy", "http://h:1"]).1, "prod-env-missing");
    root.put("divvycloud/prod.env/folder", "");
    assert_eq!(refused(&root, &["reconfigure", "--proxy", "http://h:1"]).1, "not-a-file");

    let root = Root::ubuntu();
    root.put("etc/docker/daemon.json", "{ not json");
    assert_eq!(refused(&root, &["prepare", "--proxy", "http://h:1"]).1, "daemon-json-invalid");

    let root = Root::ubuntu();
    std::fs::hard_link(root.at("etc/environment"), root.at("etc/other-name")).unwrap();
    assert_eq!(refused(&root, &["prepare", "--proxy", "http://h:1"]).1, "hard-linked");

    let root = Root::ubuntu();
    std::fs::remove_file(root.at("etc/environment")).unwrap();
    symlink("/etc/environment", root.at("etc/environment")).unwrap();
    let (code, json) = root.json(&["prepare", "--proxy", "http://h:1"]);
    assert_eq!(code, 5, "a link to itself: {json}");

    let root = Root::centos();
    root.put("etc/profile.d/proxy.sh", "A='unterminated\n");
    assert_eq!(refused(&root, &["prepare", "--proxy", "http://h:1"]).1, "readers-disagree");
}

#[test]
fn a_root_that_cannot_be_written_needs_root() {
    if nix::unistd::geteuid().is_root() {
        // Root writes everywhere: drop to nobody, as a person without rights would be.
        let root = Root::ubuntu();
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let binary = root.at("ics-setup");
        // Written by a program of its own: a file that this process had open for writing could still be open in a child of
        // another test, and could then not be started.
        let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_ics-setup")).arg(&binary).status();
        assert!(copied.unwrap().success());
        let run = |arguments: &[&str]| {
            use std::os::unix::process::CommandExt;
            let output =
                std::process::Command::new(&binary).args(arguments).env_clear().uid(65534).gid(65534).output().unwrap();
            (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
        };
        let path = root.path().to_str().unwrap();
        let (code, stderr) = run(&["prepare", "--proxy", "http://svc:s3cret@h:1", "--root", path]);
        assert_eq!(code, 8, "{stderr}");
        let (code, stderr) = run(&["prepare", "--proxy", "http://svc:s3cret@h:1"]);
        assert_eq!(code, 8);
        let line = format!("sudo {} prepare --proxy ", binary.display());
        assert!(stderr.contains(&line) && !stderr.contains("s3cret"), "{stderr}");
        assert_eq!(
            run(&["prepare", "--proxy", "http://h:1", "--root", path, "--dry-run"]).0,
            0,
            "a dry run works for anyone"
        );
    } else {
        let (code, stderr) = {
            let ran = run(&["prepare", "--proxy", "http://h:1"], &[], "");
            (ran.code, ran.stderr)
        };
        assert!(code == 8 && stderr.contains("sudo "), "{stderr}");
    }
}
