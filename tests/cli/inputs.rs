//! What people mistype, and where they look for what went on: the words name the mistake.

use std::fs::File;
use std::process::Command;

use crate::root::Root;

/// Problems of a settings file: what is said.
fn of_settings(text: &str) -> String {
    let root = Root::ubuntu();
    root.put("settings.toml", text);
    let file = root.at("settings.toml").display().to_string();
    let ran = root.run(&["prepare", "--settings", &file, "--dry-run"]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    ran.stderr
}

#[test]
fn a_settings_file_is_told_what_it_means_and_all_that_is_wrong_at_once() {
    for (text, words) in [
        ("[mysq]\nhost = 'x'\n", "did you mean [mysql]?"),
        ("proxy = 'http://p.corp.example:3128'\n", "proxy is a table; its keys: proxy.url, proxy.http"),
        ("https-proxy = 'http://p.corp.example:3128'\n", "did you mean proxy.https?"),
        ("mysql_host = 'x'\n", "did you mean mysql.host?"),
        (
            "[proxy]\nhttp = \"http://p.corp.example:3128\n",
            "s.toml:2: a quote is opened on this line, and none closes it",
        ),
        ("release = 'abc'\n", "release must be a number such as 22.3.9"),
    ] {
        let said = of_settings(text);
        assert!(said.contains(words), "{text}: {said}");
    }
    let said = of_settings("zzz = 1\nbbb = 2\n[proxy]\nhtp = 'x'\n[mysql]\nport = 0\n");
    assert!(said.contains("settings.toml:1: unknown key zzz"), "the first one first: {said}");
    for words in
        [":2: unknown key bbb", ":4: unknown key proxy.htp (did you mean proxy.http?)", ":6: mysql.port must be"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_proxy_that_is_mistyped_is_told_how() {
    let root = Root::ubuntu();
    for (typed, words) in [
        ("\"http://p.corp.example:3128\"", "quotes"),
        ("'http://p.corp.example:3128'", "quotes"),
        ("http:/p.corp.example:3128", "two slashes"),
        ("http//p.corp.example:3128", "two slashes"),
        ("http://a.corp.example:1,http://b.corp.example:1", "a list of several"),
        ("http://u:s3cretZZ@a.corp.example:1;http://u:s3cretZZ@b.corp.example:1", "a list of several"),
        ("http://wpad.corp.example/proxy.pac", "script (PAC)"),
    ] {
        let ran = root.run(&["prepare", "--proxy", typed, "--dry-run"]);
        assert!(ran.code == 3 && ran.stderr.contains(words), "{typed}: {}", ran.stderr);
        assert!(!ran.stderr.contains("s3cretZZ"), "{}", ran.stderr);
    }
}

#[test]
fn who_holds_the_lock_is_said_at_once() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://p.corp.example:3128"]).ok();
    let lock = File::options().write(true).open(root.at("var/lib/ics-setup/lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).map_err(|(_, why)| why);
    let own = std::process::id().to_string();
    let ran = root.run(&["prepare", "--proxy", "http://q.corp.example:3128"]);
    drop(lock.unwrap());
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    if !std::fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.contains("FLOCK")) {
        println!("skip who_holds_the_lock_is_said_at_once: /proc/locks of this kernel names nobody");
        return;
    }
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].contains(&format!("process {own} ")) && lines[0].contains("waiting for it"), "{}", ran.stderr);
    assert!(lines[0].contains(", since 20") && lines[1].starts_with("error: "), "{}", ran.stderr);
    assert!(lines[1].contains(&own) && !ran.stderr.contains("fuser"), "{}", ran.stderr);
}

#[test]
fn where_a_report_went_is_said_in_silence_too() {
    let root = Root::ubuntu();
    let file = root.at("report.html").display().to_string();
    for more in [&[][..], &["-q"]] {
        let words = [&["check", "host", "--fail-on", "never", "--report", &file], more].concat();
        let ran = root.run(&words).ok();
        assert_eq!(ran.stderr, format!("report: {file}\n"));
    }
}

#[test]
fn the_proxy_of_the_shell_is_a_hint_and_nothing_more() {
    let root = Root::ubuntu();
    let before = root.picture();
    let shell = [("http_proxy", "http://u:s3cretZZ@shell.corp.example:3128")];
    let ran = root.run_with(&["prepare"], &shell, "");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("http_proxy of your shell names one"), "{said}");
    assert!(said.contains("prepare --proxy http://shell.corp.example:3128") && !said.contains("s3cretZZ"), "{said}");
    assert!(root.picture() == before);
    let ran = root.run_with(&["prepare", "--proxy", "http://p.corp.example:1", "--dry-run"], &shell, "").ok();
    assert!(!ran.stdout.contains("shell.corp.example") && !ran.stderr.contains("your shell"), "{}", ran.stdout);
}

#[test]
fn settings_of_a_proxy_that_is_none_are_named() {
    let root = Root::ubuntu();
    for (words, flag) in [
        (&["prepare", "--no-proxy", "a.corp.example", "--dry-run"][..], "--no-proxy"),
        (&["prepare", "--remove-proxy", "--no-proxy", "a.corp.example", "--dry-run"], "--no-proxy"),
        (&["prepare", "--remove-proxy", "--both-cases", "--dry-run"], "--both-cases"),
    ] {
        let (_, json) = root.json(words);
        let said = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == "setting-unused");
        let title = format!("nothing that this prepare does uses {flag}");
        assert!(said.is_some_and(|said| said["title"] == title), "{words:?}: {json:#}");
    }
}

#[test]
fn line_ends_of_windows_are_a_finding_with_a_command_that_takes_them_away() {
    let root = Root::ubuntu();
    root.put("etc/environment", "LANG=C\r\nA=b\r\n");
    let found = |json: &serde_json::Value| {
        let all = json["findings"].as_array().unwrap();
        all.iter().find(|own| own["id"] == "env-file-line-ends").cloned().unwrap_or_default()
    };
    let (_, plan) = root.json(&["prepare", "--proxy", "http://p.corp.example:3128", "--dry-run"]);
    let (_, check) = root.json(&["check", "proxy"]);
    for json in [&plan, &check] {
        let said = found(json);
        assert_eq!(
            (said["status"].as_str(), said["observed"].as_str().map(|own| own.contains("2 lines"))),
            (Some("warn"), Some(true)),
            "{json:#}"
        );
    }
    let fix = found(&check)["fix"][0].as_str().unwrap().to_owned();
    assert!(Command::new("sh").args(["-c", fix.trim_start_matches("sudo ")]).status().unwrap().success(), "{fix}");
    assert_eq!(root.get("etc/environment"), "LANG=C\nA=b\n");
    assert_eq!(found(&root.json(&["check", "proxy"]).1)["status"], "pass");
}

#[test]
fn a_file_with_the_password_that_was_named_is_named_again() {
    let root = Root::ubuntu();
    root.put("pw", "Hunter2Hunter\n");
    let file = root.at("pw").display().to_string();
    let proxy = ["--proxy", "http://p.corp.example:3128", "--proxy-user", "svc", "--proxy-password-file", &file];
    let (_, json) = root.json(&[&["check", "proxy", "--only", "proxy-login"], &proxy[..]].concat());
    let fix = json["findings"][0]["fix"][0].as_str().unwrap_or_default().to_owned();
    assert!(fix.contains(&format!("--proxy-user svc --proxy-password-file {file}")), "{json:#}");
}

#[test]
fn the_folder_that_was_named_is_named_again() {
    let root = Root::ubuntu();
    root.put("opt/x/prod.env", "DIVVY_DB_HOST=127.0.0.1:3306\nDIVVY_REDIS_HOST=r\n");
    let ran = root.run(&["check", "backends", "--home", "/opt/x"]);
    assert!(ran.stdout.contains("--mysql-port 3306 --home /opt/x"), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("--mysql-port 3306 --home /opt/x --home").count(), 0, "{}", ran.stdout);
}

#[test]
fn a_back_end_that_was_not_asked_keeps_its_series() {
    let root = Root::ubuntu();
    let ids = |prod_env: &str, more: &[&str]| {
        root.put("divvycloud/prod.env", prod_env);
        let (_, json) = root.json(&[&["check", "backends", "--timeout", "1s"], more].concat());
        let of_one = |own: &serde_json::Value| own["id"].as_str().unwrap().to_owned();
        json["findings"].as_array().unwrap().iter().map(of_one).collect::<std::collections::BTreeSet<_>>()
    };
    let refused =
        ids("DIVVY_DB_HOST=127.0.0.1\nDIVVY_DB_PORT=1\nDIVVY_REDIS_HOST=127.0.0.1\nDIVVY_REDIS_PORT=1\n", &[]);
    assert!(refused.contains("mysql-writable") && refused.contains("redis-memory"), "{refused:?}");
    let no_host = ids("DIVVY_DB_HOST=127.0.0.1:1\nDIVVY_REDIS_HOST=redis://127.0.0.1:1\n", &[]);
    let none = ids("A=b\n", &[]);
    let container = ids("DIVVY_DB_HOST=mysql\nDIVVY_REDIS_HOST=redis\n", &[]);
    assert_eq!((&no_host, &none, &container), (&refused, &refused, &refused));
}
