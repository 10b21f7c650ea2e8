//! Hosts as they are found: odd lines, old habits, passwords that moved. None of it may lose anything or stop what is not
//! concerned.

use crate::root::{Root, run};

const PROXY: &[&str] = &["--proxy", "http://p.corp:3128"];

fn with_proxy<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[verb], PROXY, more].concat()
}

fn ids(json: &serde_json::Value) -> Vec<String> {
    json["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_line_that_a_reader_rejects_loses_nobody_his_list() {
    for foreign in ["export FOO=1\n", "SOME TEXT\n"] {
        let root = Root::ubuntu();
        root.put("divvycloud/prod.env", format!("{foreign}no_proxy=internal.corp, db.corp # ours\n"));
        let (code, json) = root.json(&with_proxy("reconfigure", &[]));
        assert_eq!(code, 0, "{json}");
        let text = root.get("divvycloud/prod.env");
        assert!(text.contains("\nno_proxy=internal.corp,db.corp,mysql,redis,169.254.169.254\n"), "{text}");
        assert!(text.starts_with(foreign) && text.contains("\nhttp_proxy=http://p.corp:3128\n"), "{text}");
        assert!(ids(&json).contains(&"env-file-reader-rejects".to_owned()));
        assert_eq!(root.json(&with_proxy("reconfigure", &[])).1["outcome"], "unchanged");
    }
}

#[test]
fn bytes_that_no_reader_takes_do_not_make_a_run_that_did_nothing() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", b"CAF\xe9=1\n#http_proxy=http://x\n");
    root.run(&with_proxy("reconfigure", &[])).ok();
    let bytes = std::fs::read(root.at("divvycloud/prod.env")).unwrap();
    assert!(bytes.starts_with(b"CAF\xe9=1\nhttp_proxy=http://p.corp:3128\n"), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn a_list_that_only_a_shell_can_tell_is_not_shrunk_in_silence() {
    for script in [
        "export no_proxy=localhost,$(hostname -f),db.corp\n",
        "export no_proxy=localhost\n[ -f /etc/aws ] && export no_proxy=$no_proxy,db.aws\n",
        "export no_proxy=localhost,.corp.local\nno_proxy+=,10.1.2.3\n",
    ] {
        let root = Root::centos();
        root.put("etc/profile.d/proxy.sh", script);
        let (code, json) = root.json(&with_proxy("prepare", &[]));
        assert_eq!((code, json["error"]["id"].as_str()), (4, Some("checks-failed")), "{script}: {json}");
        assert!(ids(&json).contains(&"no-proxy-unknown".to_owned()));
        assert_eq!(root.get("etc/profile.d/proxy.sh"), script);
        root.run(&with_proxy("prepare", &["--no-proxy-only", "localhost,db.corp"])).ok();
        assert!(root.get("etc/profile.d/proxy.sh").ends_with("export no_proxy=\"localhost,db.corp\"\n"));
    }
}

#[test]
fn a_new_password_reaches_every_file_through_the_next_run() {
    let root = Root::ubuntu();
    root.put("pw1", "first-one\n");
    root.put("pw2", "second-one\n");
    let (one, two) = (root.at("pw1").display().to_string(), root.at("pw2").display().to_string());
    root.run(&with_proxy("prepare", &["--proxy-user", "u", "--proxy-password-file", &one])).ok();
    root.run(&["reconfigure"]).ok();
    root.run(&["prepare", "--proxy-password-file", &two]).ok();
    root.run(&["reconfigure"]).ok();
    assert!(root.get("divvycloud/prod.env").contains("http://u:second-one@"), "{}", root.get("divvycloud/prod.env"));
    // And the other way round.
    root.run(&["reconfigure", "--proxy-password-file", &one]).ok();
    root.run(&["prepare"]).ok();
    assert!(root.get("etc/environment").contains("http://u:first-one@"));
}

#[test]
fn an_empty_password_and_one_in_daemon_json_are_found_again() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://u:@h:1"]).ok();
    root.run(&["prepare"]).ok();
    let root = Root::ubuntu();
    root.put("etc/docker/daemon.json", "{\"proxies\": {\"http-proxy\": \"http://u:kept@h:1\"}}\n");
    root.run(&["prepare", "--proxy", "http://h:1", "--proxy-user", "u", "--target", "docker-daemon"]).ok();
    assert!(root.get("etc/docker/daemon.json").contains("http://u:kept@h:1"));
}

#[test]
fn a_proxy_that_cannot_be_used_stops_only_what_needs_it() {
    for unusable in ["proxy.corp:3128", "http://proxy.corp", "socks5://h:1"] {
        let root = Root::ubuntu();
        root.put("etc/environment", format!("http_proxy=\"{unusable}\"\n"));
        let (code, json) = root.json(&["reconfigure", "--mysql-host", "db1"]);
        assert_eq!(code, 0, "{json}");
        assert!(ids(&json).contains(&"proxy-found-unusable".to_owned()), "{json}");
        assert!(root.get("divvycloud/prod.env").contains("DIVVY_DB_HOST=db1\n"));
        root.run(&with_proxy("prepare", &[])).ok();
        assert_eq!(root.json(&with_proxy("prepare", &["--dry-run"])).1["outcome"], "unchanged");
    }
}

#[test]
fn whatever_prepare_wrote_it_takes_out_again() {
    for script in [
        "export http_proxy=http://o:1 https_proxy=http://o:1\n",
        "if [ -f /x ]; then export http_proxy=http://o:1; fi\n",
        "[ -f /x ] && export http_proxy=http://o:1\n",
        "export http_proxy=http://o:1\nexport https_proxy=$http_proxy\n",
    ] {
        let root = Root::centos();
        root.put("etc/profile.d/proxy.sh", script);
        root.put("etc/yum.conf", "[main]\ngpgcheck=1\n");
        root.run(&with_proxy("prepare", &[])).ok();
        root.run(&with_proxy("prepare", &["--target", "package-manager"])).ok();
        root.run(&["prepare", "--proxy", "http://moved:1"]).ok();
        assert!(root.get("etc/yum.conf").contains("proxy=http://moved:1\n"), "yum follows");
        let (code, json) = root.json(&["prepare", "--remove-proxy"]);
        assert_eq!(code, 0, "{script}: {json}");
        assert_eq!(root.get("etc/yum.conf"), "[main]\ngpgcheck=1\n");
        // A real shell sees nothing.
        let sourced = format!("touch /tmp/none; . {}; env", root.at("etc/profile.d/proxy.sh").display());
        if root.has("etc/profile.d/proxy.sh") {
            let output = std::process::Command::new("sh").args(["-c", &sourced]).env_clear().output().unwrap();
            assert!(!String::from_utf8_lossy(&output.stdout).contains("_proxy="), "{script}");
        }
        assert_eq!(root.json(&["prepare", "--remove-proxy"]).1["outcome"], "unchanged");
        assert_eq!(root.json(&["prepare"]).1["outcome"], "unchanged", "it does not come back by itself");
    }
}

#[test]
fn removal_says_where_a_proxy_is_left() {
    let root = Root::ubuntu();
    root.run(&with_proxy("prepare", &[])).ok();
    root.run(&["reconfigure"]).ok();
    let (_, json) = root.json(&["prepare", "--remove-proxy"]);
    let finding =
        json["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "prod-env-differs").unwrap();
    assert_eq!(finding["fix"][0], format!("ics-setup reconfigure --remove-proxy --root {}", root.path().display()));
    assert_eq!(root.json(&["prepare"]).1["findings"][0]["id"], "proxy-not-set", "prod.env does not bring it back");
}

#[test]
fn settings_and_passwords_may_come_from_pipes() {
    let root = Root::ubuntu();
    let script = format!(
        "exec {} prepare --root {} --settings <(printf '[proxy]\\nurl=\"http://h:1\"\\nuser=\"u\"\\n') --proxy-password-file <(echo once)",
        env!("CARGO_BIN_EXE_ics-setup"),
        root.path().display()
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(root.get("etc/environment").contains("http://u:once@h:1"));
}

#[test]
fn flags_of_every_command_stand_anywhere() {
    let root = Root::ubuntu();
    let path = root.path().to_str().unwrap();
    assert_eq!(
        run(&["--exit-code", "--root", path, "prepare", "--dry-run", "--proxy", "http://h:1"], &[], "").code,
        10
    );
    root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"16.04\"\n");
    let both = [
        "--ignore-check",
        "os-too-old",
        "--root",
        path,
        "prepare",
        "--proxy",
        "http://h",
        "--ignore-check=proxy-port-missing",
    ];
    assert_eq!(run(&both, &[], "").code, 0);
    for wrong in [&["prepare", "--exit-code"][..], &["-q", "prepare", "-v"]] {
        assert_eq!(run(wrong, &[], "").code, 2, "{wrong:?}");
    }
    // "The same command with" a flag that is there already: the last one counts.
    let twice = ["prepare", "--root", path, "--dry-run", "--proxy", "http://h:1", "--proxy", "http://other:1"];
    let ran = run(&[&twice[..], &["--ignore-check", "os-too-old", "--restart", "--restart=false"]].concat(), &[], "");
    assert!(
        ran.code == 0 && ran.stdout.contains("http://other:1") && !ran.stdout.contains("http://h:1"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let ran = run(&["prepare", "--format", "json", "--bogus"], &[], "");
    assert_eq!((ran.code, ran.json()["error"]["id"].as_str()), (2, Some("usage")));
}

#[test]
fn a_stray_file_among_the_runs_does_no_harm() {
    let root = Root::ubuntu();
    root.run(&with_proxy("prepare", &[])).ok();
    root.put("var/lib/ics-setup/runs/README", "notes");
    root.put("var/lib/ics-setup/runs/lost+found/x", "");
    root.run(&["prepare", "--proxy", "http://other:1"]).ok();
    root.run(&["revert"]).ok();
    assert!(root.has("var/lib/ics-setup/runs/README") && root.has("var/lib/ics-setup/runs/lost+found/x"));
}

#[test]
fn a_file_that_no_reader_can_read_is_refused_with_the_command_that_converts_it() {
    let root = Root::ubuntu();
    let text = "DIVVY_DB_HOST=mysql\n#http_proxy=\n#https_proxy=\n#no_proxy=mysql,redis,169.254.169.254\n";
    let utf_16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let path = root.path().join("divvycloud/prod.env");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &utf_16).unwrap();
    let (code, json) = root.json(&with_proxy("reconfigure", &[]));
    assert_eq!((code, json["error"]["id"].as_str()), (5, Some("utf-16")), "{json}");
    assert_eq!(std::fs::read(&path).unwrap(), utf_16);
    let command = json["error"]["try"][0].as_str().unwrap();
    assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(root.json(&with_proxy("reconfigure", &[])).0, 0);
}
