//! Lines that take variables away: each is named with its place, and what is printed against it mends it.

use serde_json::Value;

use crate::root::Root;

const PROXY: &str = "http://proxy.corp.example:3128";

/// The finding of a consumer.
fn found(root: &Root, id: &str) -> Value {
    let json = root.json(&["check", "proxy", "--proxy", PROXY, "--only", id]).1;
    let findings = json["findings"].as_array().unwrap();
    findings.iter().find(|found| found["status"] != "pass").unwrap_or(&findings[0]).clone()
}

#[test]
fn what_is_printed_makes_sudo_keep_the_names() {
    let includes = "@includedir /etc/sudoers.d\n";
    let takes = "Defaults env_keep -= \"no_proxy\"\n";
    let only = "Defaults env_keep = \"COLORS DISPLAY\"\n";
    for (name, sudoers, of_folder, named) in [
        ("nothing", format!("Defaults env_reset\n{includes}"), None, None),
        ("before", format!("{only}{includes}"), None, None),
        ("a later file", includes.to_owned(), Some(takes), Some("etc/sudoers.d/z:1")),
        ("a later file with a list", includes.to_owned(), Some(only), Some("etc/sudoers.d/z:1")),
        ("no folder", "Defaults env_reset\n".to_owned(), None, None),
        ("behind the folder", format!("{includes}{only}"), None, Some("etc/sudoers:2")),
        ("another stack", format!("Defaults pam_service=sudo-x\n{includes}"), None, None),
    ] {
        let root = Root::ubuntu();
        root.put("etc/sudoers", sudoers);
        std::fs::create_dir(root.at("etc/sudoers.d")).unwrap();
        of_folder.iter().for_each(|text| root.put("etc/sudoers.d/z", text));
        for (service, module) in [
            ("su-l", "env"),
            ("su", "env"),
            ("sudo", if name == "another stack" { "env" } else { "limits" }),
            ("sudo-x", "limits"),
        ] {
            root.put(&format!("etc/pam.d/{service}"), format!("session required pam_{module}.so\n"));
        }
        root.put("etc/pam.d/other", "session required pam_limits.so\n");
        root.run(&["prepare", "--proxy", PROXY, "--yes"]).ok();
        let finding = found(&root, "proxy-sudo");
        assert_eq!(finding["status"], "warn", "{name}: {finding:#}");
        if let Some(named) = named {
            assert!(finding["advice"].to_string().contains(root.at(named).to_str().unwrap()), "{name}: {finding:#}");
        }
        let advice = finding["advice"][0].as_str().unwrap();
        match advice.split_once("pass the caller's values on: ") {
            Some((_, command)) => {
                let done = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
                assert!(done.success(), "{name}: {command}");
            }
            None => {
                assert!(advice.contains("at the very end of"), "{name}: {advice}");
                let (_, line) = advice.split_once("(visudo): ").unwrap();
                root.put("etc/sudoers", format!("{}{line}\n", root.get("etc/sudoers")));
            }
        }
        let finding = found(&root, "proxy-sudo");
        assert_eq!(finding["status"], "pass", "{name}: {finding:#}");
    }
}

#[test]
fn sudo_that_keeps_the_names_sends_to_the_login() {
    let root = Root::ubuntu();
    root.put("etc/sudoers", "Defaults env_keep += \"http_proxy https_proxy no_proxy\"\n");
    ["su-l", "su"].iter().for_each(|own| root.put(&format!("etc/pam.d/{own}"), "session required pam_env.so\n"));
    root.put("etc/pam.d/sudo", "session required pam_limits.so\n");
    let finding = found(&root, "proxy-sudo");
    assert!(finding["fix"][0].as_str().unwrap().starts_with("ics-setup prepare --proxy"), "{finding:#}");
    root.run(&["prepare", "--proxy", PROXY, "--yes"]).ok();
    assert_eq!(found(&root, "proxy-sudo")["status"], "pass");
}

#[test]
fn a_line_that_takes_away_has_to_go() {
    let unit = "[Service]\nExecStart=/usr/bin/dockerd\n";
    for (id, files) in [
        (
            "proxy-docker",
            vec![
                ("lib/systemd/system/docker.service", unit),
                ("etc/systemd/system/docker.service.d/zz.conf", "[Service]\nUnsetEnvironment=HTTP_PROXY HTTPS_PROXY\n"),
            ],
        ),
        (
            "proxy-docker",
            vec![
                ("lib/systemd/system/docker.service", unit),
                ("etc/systemd/system/docker.service.d/zz.conf", "[Service]\nEnvironment=\n"),
            ],
        ),
        ("proxy-package-manager", vec![("etc/apt/apt.conf.d/99z", "# x\n#clear Acquire::http;\n")]),
        ("proxy-package-manager", vec![("etc/apt/apt.conf.d/99z", "# x\nAcquire::http::Proxy \"\";\n")]),
        (
            "proxy-login",
            vec![
                ("etc/pam.d/su", "session required pam_env.so\nsession required pam_env.so envfile=/none\n"),
                ("etc/pam.d/login", "session required pam_env.so\nsession required pam_env.so envfile=/none\n"),
                ("etc/security/pam_env.conf", "# x\nhttp_proxy DEFAULT=\n"),
            ],
        ),
    ] {
        let root = Root::ubuntu();
        files.iter().for_each(|(path, text)| root.put(path, text));
        root.put("usr/bin/apt", "");
        let prepare = ["prepare", "--proxy", PROXY, "--target", "system-proxy,docker-daemon,package-manager", "--yes"];
        root.run(&prepare).ok();
        let finding = found(&root, id);
        let (path, text) = files.last().unwrap();
        let place = format!("{}:2", root.at(path).display());
        let advice = finding["advice"][0].as_str().unwrap_or_else(|| panic!("{finding:#}"));
        assert!(advice.starts_with("take out the line that takes ") && advice.ends_with(&place), "{finding:#}");
        assert!(finding["cause"].as_str().unwrap().contains(&place), "{finding:#}");
        assert!(!finding["fix"].to_string().contains("ics-setup prepare"), "{finding:#}");
        let (first, rest) = text.split_once('\n').unwrap();
        root.put(path, format!("{first}\n{}", rest.split_once('\n').unwrap().1));
        let finding = found(&root, id);
        assert_eq!(finding["status"], "pass", "{path}: {finding:#}");
    }
}
