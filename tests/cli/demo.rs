//! `demo`: what it shows, that it leaves nothing, and that its commands can be repeated.

use crate::root::{Root, run};

#[test]
fn anyone_can_run_it_and_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let here = [("TMPDIR", folder.path().to_str().unwrap())];
    for (flags, os, file) in [
        (&["demo"][..], "ubuntu", "/etc/environment"),
        (&["demo", "--os", "centos"], "centos", "/etc/profile.d/proxy.sh"),
    ] {
        let json = run(&[flags, &["--format", "json"]].concat(), &here, "").ok().json();
        let [demo] = json["demos"].as_array().unwrap().as_slice() else { panic!("{json}") };
        assert_eq!(demo["os"], os);
        let steps = demo["steps"].as_array().unwrap();
        let outcomes: Vec<&str> = steps.iter().filter_map(|step| step["outcome"].as_str()).collect();
        assert_eq!(outcomes, ["changed", "changed", "unchanged", "changed", "changed", "changed"]);
        assert_eq!(steps[0]["changes"][0]["path"], file);
        assert_eq!(steps[6]["restored"], true);
        assert_eq!(demo["commands"].as_array().unwrap().len(), 6);

        let ran = run(flags, &here, "").ok();
        let export = if os == "centos" { "+export " } else { "+" };
        let line = format!("{export}http_proxy=\"http://svc-ics:***@proxy.corp.example:3128\"");
        assert!(ran.stdout.contains(&line), "{}", ran.stdout);
        assert!(!ran.stdout.contains("w0rd") && !ran.stdout.contains("Enter"), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the throw-away root is still there");
}

#[test]
fn it_depends_on_nothing_around_it() {
    let around = [("ICS_SETUP_HOME", "/opt/x"), ("ICS_SETUP_REMOVE_PROXY", "true"), ("ICS_SETUP_OS", "centos")];
    let ran = run(&["demo"], &around, "").ok();
    assert!(ran.stdout.contains("/etc/environment") && !ran.stdout.contains("proxy.sh"), "{}", ran.stdout);
}

/// The summary: commands in order, each alone on its line.
fn repeatable(shown: &str) -> Vec<&str> {
    let (_, summary) = shown.split_once("The same on a host of your own").unwrap();
    let commands: Vec<&str> = summary.lines().filter_map(|line| line.strip_prefix("  sudo ics-setup ")).collect();
    let played: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("$ ics-setup ")).collect();
    assert_eq!(commands, played, "what is to be repeated is not what was shown");
    commands
}

#[test]
fn the_commands_at_its_end_do_the_same_elsewhere() {
    for (os, root) in [("ubuntu", Root::ubuntu()), ("centos", Root::centos())] {
        let before = root.picture();
        let shown = run(&["demo", "--os", os], &[], "").ok().stdout;
        let password = [("ICS_SETUP_PROXY_PASSWORD", "p@ss:w0rd/#%")];
        for (index, command) in repeatable(&shown).iter().enumerate() {
            // At a terminal it is asked for once; later runs find it on the host.
            let told = if index == 0 { &password[..] } else { &[] };
            let words: Vec<&str> = command.split(' ').chain(["--yes"]).collect();
            root.run_with(&words, told, "").ok();
        }
        let bytes = |picture: std::collections::BTreeMap<_, (Vec<u8>, u32, _, _)>| -> Vec<_> {
            picture.into_iter().map(|(path, (content, mode, ..))| (path, content, mode)).collect()
        };
        assert_eq!(bytes(root.picture()), bytes(before), "{os}");
    }
}
