//! The doors of a login below `--root`: which of them fails is named before anything is written, afterwards, and by `check`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::root::Root;

const PROXY: &str = "http://proxy.corp.example:3128";

/// What `prepare` says of logins, and then `check`.
fn said(root: &Root, more: &[&str]) -> [Vec<Value>; 2] {
    let prepare = root.json(&[&["prepare", "--proxy", PROXY][..], more].concat()).1;
    let check = root.json(&[&["check", "proxy", "--proxy", PROXY, "--only", "proxy-login"][..], more].concat()).1;
    let bad = |json: &Value| {
        let findings = json["findings"].as_array().unwrap().iter();
        findings.filter(|found| found["id"] == "proxy-login" && found["status"] != "pass").cloned().collect()
    };
    [bad(&prepare), bad(&check)]
}

/// Both say the same of one login.
#[track_caller]
fn both_say(root: &Root, title: &str, cause: &str) -> Value {
    let [prepare, check] = said(root, &[]);
    let titles = |findings: &[Value]| findings.iter().map(|found| found["title"].clone()).collect::<Vec<_>>();
    assert_eq!(titles(&prepare), [title], "{prepare:#?}");
    assert_eq!(titles(&check), [title], "{check:#?}");
    assert!(check[0]["cause"].as_str().unwrap().contains(cause), "{check:#?}");
    assert_eq!(prepare[0]["cause"], check[0]["cause"]);
    assert_eq!(prepare[0]["advice"], check[0]["advice"]);
    check[0].clone()
}

#[test]
fn ssh_that_does_not_ask_pam_is_named() {
    let root = Root::ubuntu();
    root.put("etc/ssh/sshd_config", "Port 22\nUsePAM no\n");
    let found = both_say(&root, "a login over ssh gets no proxy", "etc/ssh/sshd_config:2");
    assert!(found["advice"].to_string().contains("UsePAM yes"), "{found:#}");
    root.put("etc/ssh/sshd_config", "UsePAM yes\n");
    assert_eq!(said(&root, &[]), [Vec::<Value>::new(), Vec::new()]);
    let root = Root::centos();
    root.put("etc/ssh/sshd_config", "UsePAM no\n");
    assert_eq!(said(&root, &[]), [Vec::<Value>::new(), Vec::new()], "the shell reads profile.d");
}

#[test]
fn a_stack_that_reads_another_file_is_named() {
    for arguments in ["readenv=0", "envfile=/etc/corp.env"] {
        let root = Root::ubuntu();
        for service in ["su", "sshd", "login"] {
            root.put(&format!("etc/pam.d/{service}"), format!("session required pam_env.so {arguments}\n"));
        }
        let found = both_say(&root, "a login gets no proxy", "/etc/environment is not read there");
        assert!(found["cause"].as_str().unwrap().contains("etc/pam.d/login"), "{found:#}");
        root.put("etc/pam.d/su", "session required pam_env.so\n");
        both_say(&root, "a login at the console gets no proxy", "etc/pam.d/login");
    }
}

#[test]
fn a_script_that_users_cannot_read_is_named_and_its_fix_opens_it() {
    for (closed, mode, old) in [
        ("etc/profile.d/proxy.sh", 0o600, ""),
        ("etc/profile.d/proxy.sh", 0o600, "svc:OldPw1@"),
        ("etc/profile.d", 0o700, ""),
        ("etc/profile.d", 0o711, ""),
    ] {
        let root = Root::centos();
        // Whoever runs this has the files.
        root.put("etc/passwd", "divvy:x:54321:54321::/home/divvy:/bin/bash\n");
        root.put("etc/profile.d/proxy.sh", format!("export http_proxy=http://{old}oldpx.corp.example:8888\n"));
        fs::set_permissions(root.at(closed), fs::Permissions::from_mode(mode)).unwrap();
        let more = ["--proxy-user", "svc", "--proxy-password-file"];
        let password = root.path().join("password");
        fs::write(&password, "N3w-S3cret").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let password = password.display().to_string();
        let more: Vec<&str> =
            if old.is_empty() { Vec::new() } else { more.into_iter().chain([password.as_str()]).collect() };
        for findings in said(&root, &more) {
            let [found] = findings.as_slice() else { panic!("{closed} {mode:o}: {findings:#?}") };
            assert!(found["title"].as_str().unwrap().starts_with("a login of divvy"), "{found:#}");
            let cause = found["cause"].as_str().unwrap();
            assert!(cause.contains(closed) && cause.contains(&format!("{mode:04o}")), "{cause}");
            assert_eq!(found["advice"].to_string().contains("password"), !old.is_empty(), "{found:#}");
            assert!(!found.to_string().contains("S3cret") && !found.to_string().contains("OldPw1"));
        }
        let [_, check] = said(&root, &more);
        let fix = check[0]["fix"][0].as_str().unwrap();
        assert!(fix.starts_with("chmod a+r"), "{fix}");
        assert!(Command::new("sh").args(["-c", fix]).status().unwrap().success());
        assert_eq!(said(&root, &more), [Vec::<Value>::new(), Vec::new()], "after {fix}");
    }
}

#[test]
fn files_of_csh_and_zsh_are_mended_and_those_of_fish_are_named_with_their_lines() {
    for (path, text) in [
        ("etc/profile.d/proxy.csh", "# site\nsetenv http_proxy http://old:1\n"),
        ("etc/zsh/zshenv", "\nexport http_proxy=http://old:1\n"),
    ] {
        let root = Root::ubuntu();
        root.put(path, text);
        root.run(&["prepare", "--proxy", PROXY, "--yes"]).ok();
        let (_, json) = root.json(&["check", "proxy", "--only", "proxy-login"]);
        let all = json["findings"].as_array().unwrap();
        assert!(all.iter().all(|found| found["status"] == "pass"), "{json:#}\n{}", root.get(path));
        assert!(root.get(path).contains("https_proxy"), "{}", root.get(path));
    }
    let root = Root::ubuntu();
    let path = "etc/fish/conf.d/p.fish";
    root.put(path, "# c\nset -gx http_proxy http://old:1\n");
    let title = "a login of a user of fish gets another http_proxy, https_proxy, no_proxy than is wanted";
    both_say(&root, title, &format!("{path}:2"));
}
