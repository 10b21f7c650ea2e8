//! `check agent`: the Insight Agent's own files, below a root.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::root::Root;

const COMMON: &str = "opt/rapid7/ir_agent/components/bootstrap/common";

const OWN: &str = "--only=agent-installed,agent-own-proxy,agent-identity";

/// Its findings: status, title, and the whole.
fn found(root: &Root, arguments: &[&str]) -> (i32, Vec<(String, String)>, Value) {
    let (code, json) = root.json(&[&["check", "agent", OWN], arguments].concat());
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let all = json["findings"].as_array().unwrap();
    (code, all.iter().map(|own| (text(own, "id"), text(own, "status"))).collect(), json["findings"].clone())
}

fn installed() -> Root {
    let root = Root::ubuntu();
    for (name, mode) in [("client.key", 0o600), ("client.crt", 0o644), ("cafile.pem", 0o644)] {
        let path = format!("{COMMON}/ssl/{name}");
        root.put(&path, "x");
        std::fs::set_permissions(root.at(&path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    root
}

fn statuses(words: [&str; 3]) -> Vec<(String, String)> {
    let ids = ["agent-installed", "agent-own-proxy", "agent-identity"];
    ids.into_iter().zip(words).map(|(id, status)| (id.to_owned(), status.to_owned())).collect()
}

#[test]
fn an_agent_that_is_not_installed_is_skipped_by_name() {
    let root = Root::ubuntu();
    let (code, told, findings) = found(&root, &["--proxy", "http://p.corp.example:3128"]);
    assert_eq!((code, told), (0, statuses(["skip"; 3])), "{findings:#}");
    assert!(findings[0]["observed"].as_str().unwrap().contains("/opt/rapid7/ir_agent"), "{findings:#}");
}

#[test]
fn its_proxy_file_is_held_against_the_wanted_proxy_and_shows_no_password() {
    let root = installed();
    let proxy = ["--proxy", "http://p.corp.example:3128"];
    let file = format!("{COMMON}/proxy.config");
    assert_eq!(found(&root, &[]).1, statuses(["pass"; 3]));
    let (code, told, findings) = found(&root, &proxy);
    assert_eq!((code, told), (0, statuses(["pass", "warn", "pass"])), "{findings:#}");
    assert!(findings[1]["fix"][0].as_str().unwrap().contains("{\"https\": \"p.corp.example:3128\"}"), "{findings:#}");
    assert!(findings[1]["advice"].to_string().contains("systemctl restart ir_agent"), "{findings:#}");
    for (content, status, code) in [
        ("{\"https\": \"P.corp.example:3128\"}", "pass", 0),
        ("{\"https\": \"svc:Hunter2x@oldpx.corp.example:8080\"}", "fail", 4),
        ("{\"https\": \"collector.corp.example:8037\"}", "pass", 0),
        ("{\"https\": \"another.corp.example:8037\"}", "warn", 0),
        ("{\"https\": \"p.corp.example\"}", "warn", 0),
        ("proxy=p.corp.example:3128", "warn", 0),
    ] {
        root.put(&file, content);
        let (ended, told, findings) = found(&root, &[&proxy[..], &["--collector", "collector.corp.example"]].concat());
        assert_eq!((ended, told), (code, statuses(["pass", status, "pass"])), "{content}: {findings:#}");
        assert!(!findings.to_string().contains("Hunter2x"), "{findings:#}");
        assert_eq!(findings[1]["evidence"]["known"], "files");
    }
    root.put("etc/environment", "https_proxy=http://p.corp.example:3128\n");
    root.put(&file, "{\"https\": \"oldpx.corp.example:8080\"}");
    assert_eq!(found(&root, &[]).1, statuses(["pass", "warn", "pass"]), "nobody asked for it in this run");
}

#[test]
fn an_identity_that_is_lost_fails() {
    let root = installed();
    std::fs::remove_file(root.at(&format!("{COMMON}/ssl/client.key"))).unwrap();
    root.put(&format!("{COMMON}/ssl/cafile.pem"), "");
    let (code, told, findings) = found(&root, &[]);
    assert_eq!((code, told), (4, statuses(["pass", "pass", "fail"])), "{findings:#}");
    assert_eq!(findings[2]["evidence"]["missing"].to_string(), "[\"client.key\",\"cafile.pem\"]");
}

#[test]
fn what_is_no_file_of_the_agent_is_not_known_and_a_login_is_no_pass() {
    let file = format!("{COMMON}/proxy.config");
    let root = installed();
    std::os::unix::fs::symlink("/mnt/gone", root.at(&file)).unwrap();
    let (_, told, findings) = found(&root, &[]);
    assert_eq!(told, statuses(["pass", "error", "pass"]), "{findings:#}");
    assert!(findings[1]["observed"].as_str().unwrap().contains("/mnt/gone, where nothing is"), "{findings:#}");
    std::fs::remove_file(root.at(&file)).unwrap();
    std::fs::create_dir(root.at(&file)).unwrap();
    let (_, told, findings) = found(&root, &[]);
    assert_eq!(told, statuses(["pass", "error", "pass"]), "{findings:#}");
    assert!(findings[1]["cause"].is_string() && findings[1]["advice"].is_array(), "{findings:#}");
    let root = Root::ubuntu();
    root.put("opt/rapid7/ir_agent", "");
    assert_eq!(found(&root, &[]).1, statuses(["error"; 3]), "a file");
    let root = installed();
    root.put(&file, "{\"https\": \"p.corp.example:3128\"}");
    root.put("secret", "Hunter2x\n");
    std::fs::set_permissions(root.at("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let password = root.at("secret").display().to_string();
    let login = ["--proxy", "http://p.corp.example:3128", "--proxy-user", "svc", "--proxy-password-file", &password];
    let (_, told, findings) = found(&root, &login);
    assert_eq!(told, statuses(["pass", "warn", "pass"]), "{findings:#}");
}

#[test]
fn what_only_root_may_look_at_is_not_called_absent() {
    if !nix::unistd::geteuid().is_root() {
        println!("skip what_only_root_may_look_at_is_not_called_absent: it needs root");
        return;
    }
    let root = installed();
    let set = |path: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(root.at(path), mode).unwrap();
    };
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (shut, expected) in [(COMMON, statuses(["pass", "skip", "skip"])), ("opt/rapid7", statuses(["skip"; 3]))] {
        set(shut, 0o700);
        let words = format!("check agent {OWN} --format json --root {}", root.path().display());
        let line = format!("exec {} {words}", env!("CARGO_BIN_EXE_ics-setup"));
        let output = std::process::Command::new("su")
            .args(["-s", "/bin/sh", "nobody", "-c", &line])
            .env_clear()
            .output()
            .unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = json["findings"].as_array().unwrap();
        let told = |own: &Value| (own["id"].as_str().unwrap().to_owned(), own["status"].as_str().unwrap().to_owned());
        assert_eq!(all.iter().map(told).collect::<Vec<_>>(), expected, "{json:#}");
        let last = all.last().unwrap();
        assert!(last["title"].as_str().unwrap().ends_with("is not known"), "{json:#}");
        set(shut, 0o755);
    }
}
