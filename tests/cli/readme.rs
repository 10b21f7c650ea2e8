//! The commands of README and reference do what they are there for: each is run below a throw-away root, as far as an image can
//! show it.

use std::path::Path;
use std::process::Command;

use crate::root::Root;

const PAGES: [&str; 2] = [include_str!("../../README.md"), include_str!("../../.github/REFERENCE.md")];

/// Commands that an image cannot show, and who runs them: here only their flags are looked at.
const ELSEWHERE: [(&str, &str); 7] = [
    ("install", "tests/cli/install.rs, tests/lab/install"),
    ("bundle", "tests/cli/bundle.rs, tests/lab/install"),
    ("wizard", "tests/pty"),
    ("demo", "tests/cli/demo.rs"),
    ("trace", "tests/lab/trace.rs"),
    ("revert --purge", "tests/lab/install/whole.rs"),
    ("reconfigure --image", "tests/lab/install/upgrades.rs"),
];

/// Whole commands: lines of blocks, without remarks and with the lines that go on; words in code that have a flag or an argument.
fn commands(page: &'static str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 1 {
            let block = part.replace("\\\n", " ");
            found.extend(block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned()));
        } else {
            found.extend(part.split('`').skip(1).step_by(2).filter(|code| code.contains(' ')).map(str::to_owned));
        }
    }
    let alone = |line: String| Some(line.strip_prefix("sudo ").unwrap_or(&line).strip_prefix("ics-setup ")?.to_owned());
    // RUN, ID and COMMAND stand for what a reader puts there.
    let is_whole = |line: &String| !line.split(' ').any(|word| ["COMMAND", "RUN", "ID"].contains(&word));
    found.into_iter().filter_map(alone).filter(is_whole).collect()
}

/// Runs a command below a root that has been prepared; what it said, where that is no way for it to end.
fn wrong(command: &str, certificate: &str) -> Option<String> {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://proxy.corp.example:3128", "--yes"]).ok();
    root.run(&["reconfigure", "--yes"]).ok();
    root.put("divvycloud/docker-compose.yml", include_str!("../../assets/product/docker-compose.production.yml"));
    root.put("root/secret", "s3cret\n");
    root.put("root/ca.pem", certificate);
    let (secret, authority) = (root.at("root/secret"), root.at("root/ca.pem"));
    let there = |word| match word {
        word if !str::starts_with(word, "/root/") => word,
        word if word.ends_with(".pem") => authority.to_str().unwrap(),
        _ => secret.to_str().unwrap(),
    };
    // Nobody answers here, and that is not waited for.
    let hurry =
        if ["check", "support-bundle"].iter().any(|verb| command.starts_with(verb)) { "--deadline=2s" } else { "-v" };
    let is_elsewhere = ELSEWHERE.iter().any(|(own, _)| command.starts_with(own));
    let more = if is_elsewhere { &["--help"][..] } else { &["--yes", "--root", root.path().to_str().unwrap()] };
    let password = [("ICS_SETUP_PROXY_PASSWORD", "p")];
    let output = Command::new(env!("CARGO_BIN_EXE_ics-setup"))
        .args(command.split_whitespace().filter(|word| !["--wait", "5m"].contains(word)).map(there))
        .arg(hurry)
        .args(more)
        .current_dir(root.path())
        .env_clear()
        .envs(if command.contains("--proxy-user") { &password[..] } else { &[] }.iter().copied())
        .output()
        .unwrap();
    // What an image cannot tell is skipped; a check may fail there.
    let is_right = matches!(output.status.code(), Some(0 | 4));
    (!is_right).then(|| format!("{command}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_command_runs() {
    let mut all: Vec<String> = PAGES.iter().flat_map(|page| commands(page)).collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 45, "{all:#?}");
    let (certificate, _) = crate::trust::authority("Corp CA");
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let certificate = &certificate;
        let begun: Vec<_> = all.iter().map(|command| scope.spawn(move || wrong(command, certificate))).collect();
        begun.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The example of cloud-init: the file with the password and where it is, and the one command.
fn example() -> (String, String, String) {
    let (_, rest) = PAGES[0].split_once("<!-- cloud-init:").unwrap();
    let (block, _) = rest.split_once("<!-- end of cloud-init -->").unwrap();
    let value = |key: &str| {
        let (_, rest) = block.split_once(key).unwrap();
        rest.lines().next().unwrap().split(" #").next().unwrap().trim().trim_matches('"').to_owned()
    };
    assert_eq!(value("permissions:"), "0600");
    let (_, command) = block.split_once("runcmd:\n  - ").unwrap();
    // A plain value over several lines is one line for YAML; these would end it.
    let command: Vec<&str> = command.split("```").next().unwrap().split_whitespace().collect();
    let command = command.join(" ");
    assert!(!command.contains(": ") && !command.contains(" #"), "{command}");
    (value("path:"), block.split_once("content: \"").unwrap().1.split('"').next().unwrap().to_owned(), command)
}

#[test]
fn the_example_of_cloud_init_leaves_no_password_behind() {
    let (path, password, command) = example();
    let folder = Path::new(&path).parent().unwrap().to_str().unwrap();
    for code in [0, 4] {
        let root = Root::ubuntu();
        let run = root.at("run/ics-setup");
        root.put(&path[1..], &password);
        let bin = tempfile::tempdir().unwrap();
        let script = match code {
            0 => format!("exec {} \"$@\" --root {}\n", env!("CARGO_BIN_EXE_ics-setup"), root.path().display()),
            code => format!("exit {code}\n"),
        };
        std::fs::write(bin.path().join("ics-setup"), format!("#!/bin/sh\n{script}")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bin.path().join("ics-setup"), executable).unwrap();
        let output = Command::new("sh")
            .args(["-c", &command.replace(folder, run.to_str().unwrap())])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.path().display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // How it ends is what cloud-init tells.
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!run.exists(), "the password is still there");
        let written =
            root.get("etc/environment").contains("http://svc-ics:p%40ss%3Aw0rd%2F%23%25@proxy.corp.example:3128");
        assert_eq!(written, code == 0);
    }
}
