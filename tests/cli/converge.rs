//! `prepare`, `reconfigure`, `revert`, `status`: the main job.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::root::{Root, STATE_FILE};

const PROXY: &[&str] = &["--proxy", "http://proxy.corp.example:3128"];

fn prepare<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["prepare"], PROXY, more].concat()
}

fn reconfigure<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["reconfigure"], PROXY, more].concat()
}

#[test]
fn ubuntu_gets_the_documented_lines() {
    let root = Root::ubuntu();
    let (code, json) = root.json(&prepare(&[]));
    assert_eq!(code, 0);
    assert_eq!(
        root.get("etc/environment"),
        "PATH=\"/usr/bin:/bin\"\nhttp_proxy=\"http://proxy.corp.example:3128\"\nhttps_proxy=\"http://proxy.corp.example:3128\"\nno_proxy=\"mysql,redis,169.254.169.254\"\n"
    );
    assert_eq!(json["schema"], "ics-setup/v1");
    assert_eq!(json["command"], "prepare");
    assert_eq!(json["outcome"], "changed");
    assert_eq!(json["os"], serde_json::json!({"id": "ubuntu", "version": "22.04", "strategy": "ubuntu"}));
    assert_eq!(json["error"], serde_json::Value::Null);
    let paths: Vec<&str> =
        json["changes"].as_array().unwrap().iter().map(|change| change["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/etc/environment", "/etc/systemd/system/docker.service.d/http-proxy.conf"]);
    assert_eq!(json["changes"][0]["action"], "modify");
    assert!(json["changes"][0]["diff"].as_str().unwrap().contains("+http_proxy=\"http://proxy.corp.example:3128\""));
    assert_eq!(root.at("var/lib/ics-setup").metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn centos_gets_exports() {
    let root = Root::centos();
    root.run(&prepare(&["--deployment", "test-drive"])).ok();
    assert_eq!(
        root.get("etc/profile.d/proxy.sh"),
        "export http_proxy=\"http://proxy.corp.example:3128\"\nexport https_proxy=\"http://proxy.corp.example:3128\"\nexport no_proxy=\"mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1,127.0.0.1\"\n"
    );
    assert!(
        root.get("etc/systemd/system/docker.service.d/http-proxy.conf")
            .contains("Environment=\"HTTPS_PROXY=http://proxy.corp.example:3128\"\n")
    );
}

#[test]
fn a_second_run_writes_nothing_and_a_dry_run_never_does() {
    let root = Root::ubuntu();
    let before = root.picture();
    let (code, json) = root.json(&prepare(&["--dry-run", "--exit-code"]));
    assert_eq!((code, json["outcome"].as_str()), (10, Some("pending")));
    assert!(root.picture() == before && !root.has("var"), "a dry run leaves no trace");
    assert_eq!(root.run(&prepare(&["--dry-run"])).code, 0);

    root.run(&prepare(&[])).ok();
    let after = root.picture();
    let (code, json) = root.json(&prepare(&[]));
    assert_eq!((code, json["outcome"].as_str(), json["changes"].as_array().unwrap().len()), (0, Some("unchanged"), 0));
    assert_eq!(root.run(&prepare(&["--dry-run", "--exit-code"])).code, 0);
    assert!(root.picture() == after, "no byte, no mtime");
}

#[test]
fn nothing_asked_and_nothing_found_writes_nothing() {
    let root = Root::ubuntu();
    let before = root.picture();
    let (code, json) = root.json(&["prepare"]);
    assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")));
    assert_eq!(json["findings"][0]["id"], "proxy-not-set");
    assert!(root.picture() == before && !root.has("var"));
}

#[test]
fn prod_env_is_uncommented_in_place_and_everything_else_stays() {
    let root = Root::ubuntu();
    std::fs::set_permissions(root.at("divvycloud/prod.env"), PermissionsExt::from_mode(0o600)).unwrap();
    let ran = root.run(&reconfigure(&["--mysql-host", "db.corp.example", "--mysql-port", "3307"])).ok();
    assert_eq!(
        root.get("divvycloud/prod.env"),
        "# Uncomment and adjust if behind a proxy.\nhttp_proxy=http://proxy.corp.example:3128\nhttps_proxy=http://proxy.corp.example:3128\nno_proxy=mysql,redis,169.254.169.254\nDIVVY_DB_HOST=db.corp.example\nDIVVY_DB_PASSWORD=divvy\nDIVVY_SECRET_DB_HOST=db.corp.example\nDIVVY_REDIS_HOST=redis\nDIVVY_DB_PORT=3307\nDIVVY_SECRET_DB_PORT=3307\n"
    );
    assert_eq!(root.at("divvycloud/prod.env").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(ran.stdout.contains("create them anew"), "says what makes it take effect: {}", ran.stdout);
}

#[test]
fn the_older_generation_of_names_is_kept_and_never_mixed() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", "DIVVY_MYSQL_HOST=mysql\nDIVVY_SECURE_MYSQL_HOST=mysql\n");
    root.run(&["reconfigure", "--mysql-host", "db"]).ok();
    assert_eq!(root.get("divvycloud/prod.env"), "DIVVY_MYSQL_HOST=db\nDIVVY_SECURE_MYSQL_HOST=db\n");
    root.put("divvycloud/prod.env", "DIVVY_MYSQL_HOST=mysql\nDIVVY_DB_HOST=mysql\n");
    let (code, json) = root.json(&["reconfigure", "--mysql-host", "db2"]);
    assert_eq!((code, json["error"]["id"].as_str()), (5, Some("prod-env-mixed")));
}

#[test]
fn lists_are_merged_in_order_and_shrunk_only_on_demand() {
    let root = Root::ubuntu();
    root.put("etc/environment", "no_proxy=\"b.example,a.example\"\nNO_PROXY=c.example\n");
    root.run(&prepare(&["--no-proxy", "own.example,redis"])).ok();
    let list = "b.example,a.example,c.example,mysql,redis,169.254.169.254,own.example";
    assert!(
        root.get("etc/environment").starts_with(&format!("no_proxy=\"{list}\"\nNO_PROXY={list}\n")),
        "{}",
        root.get("etc/environment")
    );
    assert!(root.get("etc/systemd/system/docker.service.d/http-proxy.conf").contains(&format!("\"NO_PROXY={list}\"")));
    root.run(&prepare(&["--no-proxy-only", "x.example"])).ok();
    assert!(root.get("etc/environment").starts_with("no_proxy=\"x.example\"\nNO_PROXY=x.example\n"));
    // And it stays exactly that when something else is changed.
    root.run(&["prepare", "--proxy", "http://other:1"]).ok();
    assert!(root.get("etc/environment").starts_with("no_proxy=\"x.example\"\nNO_PROXY=x.example\n"));
}

#[test]
fn a_star_stays_alone() {
    let root = Root::ubuntu();
    root.put("etc/environment", "no_proxy=*\n");
    let (_, json) = root.json(&prepare(&[]));
    assert!(root.get("etc/environment").starts_with("no_proxy=*\n"));
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "no-proxy-everything"));
}

#[test]
fn an_old_script_in_profile_d_does_not_win() {
    let root = Root::ubuntu();
    let script = |value: &str| format!("# by hand\nexport http_proxy={value}\nalias ll='ls -l'\n");
    root.put("etc/profile.d/zz-proxy.sh", script("http://old:1"));
    root.put("etc/profile.d/cond.sh", "if [ -n \"$PS1\" ]; then\n  export https_proxy=http://old:1\nfi\n");
    assert_eq!(root.run(&["prepare", "--dry-run", "--exit-code"]).code, 10, "found there, wanted everywhere");
    let (_, json) = root.json(&prepare(&[]));
    assert_eq!(root.get("etc/profile.d/zz-proxy.sh"), script("\"http://proxy.corp.example:3128\""));
    let overrides: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["id"] == "profile-override")
        .map(|finding| finding["title"].as_str().unwrap())
        .collect();
    assert!(overrides.is_empty(), "a line that decides is appended: {overrides:?}");
    assert!(root.get("etc/profile.d/cond.sh").ends_with("fi\nexport https_proxy=\"http://proxy.corp.example:3128\"\n"));
}

#[test]
fn both_cases_on_request_and_twins_always() {
    let root = Root::ubuntu();
    root.put("etc/environment", "HTTP_PROXY=http://old:1\n");
    root.run(&prepare(&[])).ok();
    let text = root.get("etc/environment");
    assert!(text.contains("HTTP_PROXY=http://proxy.corp.example:3128\n") && !text.contains("NO_PROXY"), "{text}");
    root.run(&prepare(&["--both-cases"])).ok();
    assert!(root.get("etc/environment").contains("NO_PROXY=\"mysql,redis,169.254.169.254\"\n"));
}

#[test]
fn the_proxy_is_taken_out_again() {
    for root in [Root::ubuntu(), Root::centos()] {
        let before = root.get("divvycloud/prod.env");
        root.run(&prepare(&["--target", "system-proxy,docker-daemon,package-manager,prod-env"])).ok();
        root.run(&["prepare", "--remove-proxy", "--target", "system-proxy,docker-daemon,package-manager,prod-env"])
            .ok();
        assert!(
            !root.has("etc/systemd/system/docker.service.d/http-proxy.conf") && !root.has("etc/profile.d/proxy.sh")
        );
        if root.has("etc/environment") {
            assert_eq!(root.get("etc/environment"), "PATH=\"/usr/bin:/bin\"\n");
        }
        let now = root.get("divvycloud/prod.env");
        assert_eq!(
            now,
            before.replace("http://proxy.acmecorp.com", "http://proxy.corp.example:3128"),
            "commented back"
        );
        let (_, json) = root.json(&["prepare"]);
        assert_eq!(json["outcome"], "unchanged", "and it does not come back by itself");
    }
}

#[test]
fn package_managers_on_request_and_ever_after() {
    let root = Root::ubuntu();
    root.run(&prepare(&["--target", "package-manager", "--no-proxy", "mirror.corp.example,.corp.example"])).ok();
    let conf = root.get("etc/apt/apt.conf.d/95ics-setup-proxy");
    assert!(conf.contains("Acquire::http::Proxy \"http://proxy.corp.example:3128\";\n"), "{conf}");
    assert!(conf.contains("Acquire::https::Proxy::mirror.corp.example \"DIRECT\";\n"), "{conf}");
    assert!(root.get("etc/environment").contains("http_proxy"), "an extra target adds to the verb's own");
    root.run(&["prepare", "--proxy", "http://moved:1"]).ok();
    assert!(root.get("etc/apt/apt.conf.d/95ics-setup-proxy").contains("http://moved:1"));

    let root = Root::centos();
    root.put("etc/yum.conf", "[main]\ngpgcheck=1\n\n[other]\nproxy=keep\n");
    root.run(&prepare(&["--target", "package-manager"])).ok();
    assert_eq!(
        root.get("etc/yum.conf"),
        "[main]\ngpgcheck=1\nproxy=http://proxy.corp.example:3128\n\n[other]\nproxy=keep\n"
    );
}

#[test]
fn naming_a_target_of_the_verb_limits_the_run() {
    let root = Root::ubuntu();
    root.run(&prepare(&["--target", "system-proxy"])).ok();
    assert!(!root.has("etc/systemd/system/docker.service.d/http-proxy.conf"));
}

#[test]
fn daemon_json_with_proxies_is_merged_and_without_is_left_alone() {
    let root = Root::ubuntu();
    let text = "{\n    \"log-driver\": \"awslogs\",\n    \"proxies\": {\"http-proxy\": \"http://old:1\", \"https-proxy\": \"http://old:1\", \"no-proxy\": \"a\"}\n}\n";
    root.put("etc/docker/daemon.json", text);
    root.run(&prepare(&[])).ok();
    let expected = text
        .replace("http://old:1", "http://proxy.corp.example:3128")
        .replace("\"a\"", "\"a,mysql,redis,169.254.169.254\"");
    assert_eq!(root.get("etc/docker/daemon.json"), expected);
    assert!(!root.has("etc/systemd/system/docker.service.d/http-proxy.conf"), "daemon.json outranks a drop-in");

    let root = Root::ubuntu();
    root.put("etc/docker/daemon.json", "{\"mtu\": 9000}\n");
    root.run(&prepare(&[])).ok();
    assert_eq!(root.get("etc/docker/daemon.json"), "{\"mtu\": 9000}\n");
    assert!(root.has("etc/systemd/system/docker.service.d/http-proxy.conf"));
}

#[test]
fn whatever_overrides_the_drop_in_is_mended_or_named_with_its_line() {
    const UNIT: &str = "usr/lib/systemd/system/docker.service";
    let of_file = "[Service]\nEnvironmentFile=-/etc/default/*\nExecStart=/usr/bin/dockerd\n";
    let other = "[Service]\nEnvironment=HTTP_PROXY=http://other:1\n";
    for (files, named) in [
        (&[(UNIT, of_file), ("etc/default/docker", "\nHTTP_PROXY=http://other:1\n")][..], None),
        (&[("etc/systemd/system/service.d/zz.conf", other)], None),
        (&[("etc/systemd/system/docker.service.d/zz.conf", "[Service]\nEnvironment=NO_PROXY=x\n")], None),
        (
            &[("etc/systemd/system/docker.service.d/10.conf", "[Service]\nUnsetEnvironment=HTTP_PROXY\n")],
            Some("10.conf:2"),
        ),
        (&[(UNIT, "[Service]\nExecStart=/usr/bin/dockerd --http-proxy http://other:1\n")], Some("docker.service:2")),
        (
            &[
                ("usr/lib/systemd/system/docker.service.d/site.conf", other),
                ("etc/systemd/system/docker.service.d/site.conf", ""),
            ],
            None,
        ),
        (&[("etc/systemd/system/docker.service.d/10.conf", other)], None),
        (&[("etc/systemd/system.conf.d/z.conf", "[Manager]\nDefaultEnvironment=HTTP_PROXY=http://other:1\n")], None),
    ] {
        let root = Root::ubuntu();
        files.iter().for_each(|(path, text)| root.put(path, text));
        let (_, json) = root.json(&prepare(&[]));
        let found = json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["id"] == "proxy-docker" && finding["status"] == "warn");
        let advice = found.map(|finding| finding["advice"].to_string());
        assert_eq!(advice.is_some(), named.is_some(), "{files:?} {advice:?}");
        assert!(named.is_none_or(|named| advice.as_ref().unwrap().contains(named)), "{files:?} {advice:?}");
    }
}

#[test]
fn a_daemon_from_a_snap_and_percent_signs_that_systemd_refuses() {
    let root = Root::ubuntu();
    root.put(
        "etc/systemd/system/snap.docker.dockerd.service",
        "[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n",
    );
    let drop_in = "etc/systemd/system/snap.docker.dockerd.service.d/http-proxy.conf";
    root.put(drop_in, "[Service]\nEnvironment=\"HTTP_PROXY=http://svc:p%23@proxy.corp.example:3128\"\n");
    root.run(&prepare(&[])).ok();
    assert!(!root.get(drop_in).contains("p%23@") && root.get(drop_in).contains("HTTP_PROXY="), "{}", root.get(drop_in));
    assert!(!root.has("etc/systemd/system/docker.service.d/http-proxy.conf"));
}

#[test]
fn a_list_that_an_old_systemd_cuts_is_named() {
    let list = (0..190).map(|n| format!("10.77.140.{n}")).collect::<Vec<_>>().join(",");
    for (root, warned) in [(Root::centos(), true), (Root::ubuntu(), false)] {
        let (_, json) = root.json(&prepare(&["--no-proxy", &list]));
        let found = json["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "docker-long-line");
        assert_eq!(found, warned, "{}", json["findings"]);
    }
}

#[test]
fn a_later_run_names_only_what_changed() {
    let root = Root::ubuntu();
    root.put("pw", "p@ss w0rd\n");
    let password = root.at("pw");
    root.run(&prepare(&[
        "--proxy-user",
        "svc",
        "--proxy-password-file",
        password.to_str().unwrap(),
        "--no-proxy",
        "a.example",
    ]))
    .ok();
    let told = root.get(STATE_FILE);
    assert!(told.contains("\"proxy.user\": \"svc\"") && !told.contains("p@ss") && !told.contains("p%40ss"), "{told}");
    root.run(&["reconfigure", "--redis-host", "cache.corp.example"]).ok();
    let env = root.get("divvycloud/prod.env");
    assert!(env.contains("http_proxy=http://svc:p%40ss%20w0rd@proxy.corp.example:3128\n"), "{env}");
    assert!(env.contains("DIVVY_REDIS_HOST=cache.corp.example\n") && env.contains("a.example"), "{env}");
    // The proxy moves: the login stays.
    let ran = root.run(&["reconfigure", "--proxy", "http://new.corp.example:8080"]).ok();
    assert!(root.get("divvycloud/prod.env").contains("http_proxy=http://svc:p%40ss%20w0rd@new.corp.example:8080\n"));
    assert!(ran.stdout.contains("system-proxy-differs"), "{}", ran.stdout);
    // Unless it is said that there is none.
    root.run(&["reconfigure", "--proxy", "http://@new.corp.example:8080"]).ok();
    assert!(root.get("divvycloud/prod.env").contains("http_proxy=http://new.corp.example:8080\n"));
    root.run(&["reconfigure", "--redis-port", "6380"]).ok();
    assert!(root.get("divvycloud/prod.env").contains("http_proxy=http://new.corp.example:8080\n"), "nor later");
}

#[test]
fn the_way_back_restores_every_byte_and_mtime() {
    for root in [Root::ubuntu(), Root::centos()] {
        let before = root.picture();
        root.run(&prepare(&[])).ok();
        root.run(&reconfigure(&[])).ok();
        let (_, status) = root.json(&["status"]);
        assert_eq!(status["runs"].as_array().unwrap().len(), 2);
        assert_eq!(status["runs"][0]["state"], "committed");
        assert_eq!((status["drift"].as_array().unwrap().len(), &status["interrupted"]), (0, &serde_json::Value::Null));
        let (code, json) = root.json(&["revert"]);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")));
        let first = status["runs"][0]["run"].as_str().unwrap();
        root.run(&["revert", first]).ok();
        assert!(root.picture() == before);
        assert_eq!(root.json(&["revert"]).1["error"]["id"], "nothing-to-revert");
    }
}

#[test]
fn an_edit_since_is_drift_and_a_conflict() {
    let root = Root::ubuntu();
    root.run(&prepare(&[])).ok();
    root.put("etc/environment", "mine\n");
    let (_, status) = root.json(&["status"]);
    assert_eq!(status["drift"][0]["path"], "/etc/environment");
    let (code, json) = root.json(&["revert"]);
    assert_eq!((code, json["error"]["id"].as_str()), (5, Some("conflict")));
    let advice = json["error"]["try"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    assert!(advice.ends_with(&format!("--force --root {}", root.path().display())), "can be pasted: {advice}");
    assert_eq!(root.get("etc/environment"), "mine\n");
    assert!(root.has("etc/systemd/system/docker.service.d/http-proxy.conf"), "nothing half-done");
    root.run(&["revert", "--force"]).ok();
    assert_eq!(root.get("etc/environment"), "PATH=\"/usr/bin:/bin\"\n");
}

#[test]
fn links_are_followed_within_the_root_and_stay_links() {
    let root = Root::ubuntu();
    root.put("opt/real.env", crate::root::PROD_ENV);
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    symlink("/opt/real.env", root.at("divvycloud/prod.env")).unwrap();
    root.run(&reconfigure(&[])).ok();
    assert!(root.at("divvycloud/prod.env").symlink_metadata().unwrap().file_type().is_symlink());
    assert!(root.get("opt/real.env").contains("\nhttp_proxy=http://proxy.corp.example:3128\n"));
}

#[test]
fn an_interrupted_run_is_shown_announced_and_taken_back_first() {
    let root = Root::ubuntu();
    root.run(&prepare(&[])).ok();
    // What a process leaves that dies right before its commit: everything is published, and the last line is missing.
    let name = root.json(&["status"]).1["runs"][0]["run"].as_str().unwrap().to_owned();
    let journal = format!("var/lib/ics-setup/runs/{name}/journal");
    let text = root.get(&journal);
    root.put(&journal, text.lines().next().unwrap().to_owned() + "\n");

    let status = root.json(&["status"]).1;
    assert_eq!(status["interrupted"]["run"], name.as_str());
    assert_eq!(status["runs"][0]["state"], "interrupted");
    let dry = root.json(&prepare(&["--dry-run"])).1;
    assert_eq!(dry["findings"][0]["id"], "run-interrupted", "{dry}");

    // Also where the run itself then fails, it is said what was taken back.
    let (code, json) = root.json(&["prepare", "--proxy", "nonsense"]);
    assert_eq!((code, json["findings"][0]["id"].as_str()), (3, Some("run-recovered")), "{json}");
    assert_eq!(root.get("etc/environment"), "PATH=\"/usr/bin:/bin\"\n");
    assert_eq!(root.json(&["status"]).1["interrupted"], serde_json::Value::Null);
}

#[test]
fn the_members_of_a_commented_list_stay_when_it_is_taken_up() {
    let list = |root: &Root| {
        let text = root.get("divvycloud/prod.env");
        text.lines().rfind(|line| line.contains("no_proxy=")).unwrap().to_owned()
    };
    let root = Root::ubuntu();
    let own = crate::root::PROD_ENV.replace("169.254.169.254\n", "169.254.169.254,.intra.example\n");
    root.put("divvycloud/prod.env", own);
    root.run(&["reconfigure", "--proxy", "http://proxy:1", "--yes"]).ok();
    assert_eq!(list(&root), "no_proxy=mysql,redis,169.254.169.254,.intra.example");
    root.run(&["reconfigure", "--remove-proxy", "--yes"]).ok();
    assert!(list(&root).starts_with('#'), "{}", list(&root));
    root.run(&["reconfigure", "--proxy", "http://proxy:1", "--yes"]).ok();
    assert_eq!(list(&root), "no_proxy=mysql,redis,169.254.169.254,.intra.example");
    // Prose is no list, and a whole list that is given stays whole.
    root.put("divvycloud/prod.env", "DIVVY_DB_HOST=mysql\n#no_proxy=hosts that need no proxy\n");
    root.run(&["reconfigure", "--proxy", "http://proxy:1", "--yes"]).ok();
    assert_eq!(list(&root), "no_proxy=mysql,redis,169.254.169.254");
}
