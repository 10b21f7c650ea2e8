//! What prod.env tells the containers, judged in their network: loopback, names, hosts that are none, the secret that outranks
//! its lines, and files that nobody can read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use serde_json::Value;

use crate::root::{Ran, Root};

const PROXY: &str = "http://proxy.corp.example:3128";

/// The findings with this id.
fn of<'j>(json: &'j Value, id: &str) -> Vec<&'j Value> {
    json["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id).collect()
}

/// The status of the only finding with this id; empty: there is none.
fn status<'j>(json: &'j Value, id: &str) -> &'j str {
    of(json, id).first().map_or("", |finding| finding["status"].as_str().unwrap())
}

fn check(root: &Root, id: &str) -> Value {
    root.json(&["check", "proxy", "backends", "--only", id]).1
}

/// Runs a printed command line as a person would.
fn by_hand(line: &str) {
    let program = env!("CARGO_BIN_EXE_ics-setup");
    let line = line.replacen("sudo ", "", 1).replacen("ics-setup", program, 1);
    let output = Command::new("sh").args(["-c", &line]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(
        output.status.success(),
        "{line}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn compose(root: &Root, service: &str) {
    let text = format!("services:\n  web:\n    env_file: prod.env\n{service}  squid:\n    image: squid\n");
    root.put("divvycloud/docker-compose.yml", text);
}

#[test]
fn a_proxy_on_loopback_is_the_container_itself() {
    for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "127.8.9.1", "px.localhost"] {
        let root = Root::ubuntu();
        let url = format!("http://{host}:3128");
        let (code, json) = root.json(&["reconfigure", "--proxy", &url, "--dry-run"]);
        assert_eq!((code, status(&json, "proxy-prod-env")), (0, "warn"), "before anything is written: {json:#}");
        root.run(&["reconfigure", "--proxy", &url]).ok();
        let json = check(&root, "proxy-prod-env");
        assert_eq!(status(&json, "proxy-prod-env"), "fail", "{json:#}");
        let advice = of(&json, "proxy-prod-env")[0]["advice"].to_string();
        for way in ["reconfigure --proxy http://172.17.0.1:3128", "host.docker.internal:host-gateway"] {
            assert!(advice.contains(way), "{advice}");
        }
        // Logins are on this host.
        let (_, json) = root.json(&["prepare", "--proxy", &url]);
        assert_eq!(status(&json, "proxy-login"), "pass", "{json:#}");
        // Containers that share its network, too.
        compose(&root, "    network_mode: host\n");
        let json = check(&root, "proxy-prod-env");
        assert_eq!(status(&json, "proxy-prod-env"), "pass", "{json:#}");
    }
    let root = Root::ubuntu();
    root.put("etc/docker/daemon.json", "{\"bip\": \"10.200.0.1/24\"}");
    let (_, json) = root.json(&["reconfigure", "--proxy", "http://127.0.0.1:3128"]);
    assert!(of(&json, "proxy-prod-env")[0]["advice"].to_string().contains("--proxy http://10.200.0.1:3128"));
    // By the file that the daemon's unit names, and by its options: of several the last counts.
    for (options, address) in [
        ("--config-file /etc/site.json", "10.201.0.1"),
        ("--config-file /nowhere --label --bip --config-file=/etc/site.json", "10.201.0.1"),
        ("--bip 10.203.0.1/24 -D --bip=10.202.0.1/24", "10.202.0.1"),
    ] {
        let root = Root::ubuntu();
        root.put("lib/systemd/system/docker.service", format!("[Service]\nExecStart=/usr/bin/dockerd {options}\n"));
        root.put("etc/site.json", "{\"bip\": \"10.201.0.1/24\"}");
        root.put("etc/docker/daemon.json", "{}");
        let (_, json) = root.json(&["reconfigure", "--proxy", "http://127.0.0.1:3128"]);
        let advice = of(&json, "proxy-prod-env")[0]["advice"].to_string();
        assert!(advice.contains(&format!("--proxy http://{address}:3128")), "{options}: {advice}");
    }
}

#[test]
fn a_name_that_this_host_alone_knows_is_none_for_containers() {
    let root = Root::ubuntu();
    root.put("etc/hosts", "127.0.0.1 localhost\n10.1.2.3 proxy.corp.example px\n");
    let (code, json) = root.json(&["reconfigure", "--proxy", PROXY]);
    assert_eq!((code, status(&json, "proxy-prod-env")), (0, "warn"), "{json:#}");
    let finding = of(&json, "proxy-prod-env")[0];
    assert!(finding["cause"].as_str().unwrap().contains("/etc/hosts"), "{finding:#}");
    by_hand(finding["fix"][0].as_str().unwrap());
    assert!(root.get("divvycloud/prod.env").contains("\nhttps_proxy=http://10.1.2.3:3128\n"));
    assert_eq!(status(&check(&root, "proxy-prod-env"), "proxy-prod-env"), "pass");
    // Without an address that would do, and without a name server to be asked.
    for name in ["px.local", "px2"] {
        let (_, json) = root.json(&["reconfigure", "--proxy", &format!("http://{name}:3128")]);
        assert_eq!(status(&json, "proxy-prod-env"), "warn", "{json:#}");
        assert!(of(&json, "proxy-prod-env")[0]["advice"].to_string().contains("http://<HOST>:3128"), "{json:#}");
    }
    // A service of the compose file is known to the others, and so is what they are given by name.
    compose(&root, "    extra_hosts: [\"px2:host-gateway\"]\n");
    for name in ["squid", "px2", "proxy.other.example"] {
        let (_, json) = root.json(&["reconfigure", "--proxy", &format!("http://{name}:3128")]);
        assert_eq!(status(&json, "proxy-prod-env"), "pass", "{json:#}");
    }
}

#[test]
fn back_ends_are_judged_like_proxies() {
    let root = Root::ubuntu();
    let (code, json) = root.json(&["reconfigure", "--mysql-host", "127.0.0.1", "--redis-host", "cache.local"]);
    assert_eq!(code, 0, "{json}");
    let titles: Vec<&str> = of(&json, "prod-env-hosts").iter().map(|own| own["title"].as_str().unwrap()).collect();
    assert_eq!(
        titles,
        [
            "127.0.0.1 of DIVVY_DB_HOST, DIVVY_SECRET_DB_HOST in prod.env is the container itself",
            "cache.local of DIVVY_REDIS_HOST in prod.env is no name that containers know"
        ]
    );
    let json = check(&root, "prod-env-hosts");
    let statuses: Vec<_> = of(&json, "prod-env-hosts").iter().map(|own| own["status"].clone()).collect();
    assert_eq!(statuses, ["fail", "warn"], "{json:#}");
    compose(&root, "    network_mode: \"host\"\n");
    assert_eq!(status(&check(&root, "prod-env-hosts"), "prod-env-hosts"), "pass");
    // The names of the vendor's own containers are no matter of this check.
    assert_eq!(status(&check(&Root::ubuntu(), "prod-env-hosts"), "prod-env-hosts"), "pass");
}

/// Where nobody can tell what the containers see, nothing is said to be right.
#[test]
fn back_ends_that_nobody_can_tell_of_are_skipped_and_never_passed() {
    let reads = "  web:\n    env_file: prod.env\n";
    for (text, why) in [
        (format!("include: [more.yml]\nservices:\n{reads}"), "include"),
        (
            format!("services:\n{reads}    environment: [DIVVY_DB_HOST]\n"),
            "it is taken from the environment of whoever starts the containers",
        ),
        (format!("services:\n{reads}    environment:\n      DIVVY_DB_HOST:\n"), "whoever starts the containers"),
    ] {
        let root = Root::ubuntu();
        root.put("divvycloud/docker-compose.yml", &text);
        root.put("divvycloud/prod.env", "DIVVY_DB_HOST=db.corp.example\nDIVVY_REDIS_HOST=cache.corp.example\n");
        let json = check(&root, "prod-env-hosts");
        let found = of(&json, "prod-env-hosts");
        assert!(found.iter().all(|own| own["status"] != "pass"), "{text}: {json:#}");
        let skipped = found.iter().find(|own| own["status"] == "skip").unwrap_or_else(|| panic!("{text}: {json:#}"));
        let observed = skipped["observed"].as_str().unwrap();
        assert!(observed.contains(why) && observed.contains("docker-compose.yml:"), "{text}: {skipped:#}");
        assert!(skipped["title"].as_str().unwrap().contains("DIVVY_DB_HOST"), "{skipped:#}");
    }
}

#[test]
fn a_host_that_is_none_is_told_in_the_words_of_the_flags_and_mended() {
    let words = "is no host name and no address";
    for (line, family, left) in [
        ("DIVVY_DB_HOST=10.1.1.1:3307\nDIVVY_SECRET_DB_HOST=10.1.1.1:3307", "mysql", "DIVVY_DB_HOST=10.1.1.1\n"),
        ("DIVVY_REDIS_HOST=redis://10.1.1.1:6380/0", "redis", "DIVVY_REDIS_PORT=6380\n"),
        ("DIVVY_REDIS_HOST=\"10.1.1.1\"", "redis", "DIVVY_REDIS_HOST=10.1.1.1\n"),
        ("DIVVY_MYSQL_HOST=tcp://10.1.1.1", "mysql", "DIVVY_MYSQL_HOST=10.1.1.1\n"),
        ("DIVVY_REDIS_HOST=10.1.1.1\nDIVVY_REDIS_PORT='6380'", "redis", "DIVVY_REDIS_PORT=6380\n"),
    ] {
        let root = Root::ubuntu();
        root.put("divvycloud/prod.env", format!("{line}\n"));
        let json = check(&root, "prod-env-hosts");
        let found = of(&json, "prod-env-hosts");
        assert_eq!((found.len(), status(&json, "prod-env-hosts")), (1, "fail"), "{line}: {json:#}");
        if !line.contains("PORT") {
            assert!(found[0]["cause"].as_str().unwrap().ends_with(words), "{line}: {json:#}");
            let value = line.split(['=', '\n']).nth(1).unwrap();
            let flag = root.run(&["reconfigure", &format!("--{family}-host"), value]);
            assert!(flag.code == 3 && flag.stderr.contains(words), "{}", flag.stderr);
            // Nobody is asked at an address that is none.
            let json = root.json(&["check", "backends"]).1;
            assert!(line.contains('"') || status(&json, &format!("{family}-reachable")) == "skip", "{json:#}");
        }
        by_hand(found[0]["fix"][0].as_str().unwrap());
        assert!(root.get("divvycloud/prod.env").contains(left), "{}", root.get("divvycloud/prod.env"));
        let json = check(&root, "prod-env-hosts");
        assert_eq!(status(&json, "prod-env-hosts"), "pass", "{line}: {json:#}");
    }
    // What is empty, what differs, and what a person has to complete.
    for (lines, advice) in [
        ("DIVVY_REDIS_HOST=\n", "reconfigure --redis-host <HOST>"),
        ("DIVVY_REDIS_HOST=10.1.1.1\nDIVVY_REDIS_PORT=redis\n", "reconfigure --redis-port <PORT>"),
        ("DIVVY_DB_HOST=db1.corp.example:1\nDIVVY_SECRET_DB_HOST=db2.corp.example\n", "db1.corp.example in "),
    ] {
        let root = Root::ubuntu();
        root.put("divvycloud/prod.env", lines);
        let json = check(&root, "prod-env-hosts");
        let found = of(&json, "prod-env-hosts");
        assert_eq!(found[0]["fix"], serde_json::json!([]), "{json:#}");
        assert!(found[0]["advice"].to_string().contains(advice), "{json:#}");
    }
}

#[test]
fn the_password_in_the_url_of_a_back_end_leaves_in_no_output() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", "DIVVY_REDIS_HOST=redis://:Hunter2Hunter@10.1.1.1:6379/0\n");
    let facts = root.at("facts").display().to_string();
    for arguments in [
        &["check", "proxy", "backends", "--save-facts", &facts][..],
        &["check", "backends", "--format", "json"],
        &["settings", "show"],
        &["settings", "export"],
        &["reconfigure", "--proxy", PROXY],
    ] {
        let Ran { stdout, stderr, .. } = root.run(arguments);
        assert!(!stdout.contains("Hunter2") && !stderr.contains("Hunter2"), "{arguments:?}: {stdout}{stderr}");
    }
    assert!(!root.get("facts").contains("Hunter2"), "{}", root.get("facts"));
    let json = check(&root, "prod-env-hosts");
    let advice = of(&json, "prod-env-hosts")[0]["advice"].to_string();
    assert!(advice.contains("--redis-host 10.1.1.1 --redis-port 6379 --redis-password-file <FILE>"), "{advice}");
}

#[test]
fn a_secret_with_the_databases_gets_no_line_beside_it() {
    let provider = "DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,region=us-east-1,secret_name=ics\n";
    let lines = format!("{provider}DIVVY_REDIS_HOST=redis\n#http_proxy=x\n");
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", &lines);
    root.put("pw", "Hunter2Hunter\n");
    let file = root.at("pw").display().to_string();
    for asked in [
        &["--mysql-host", "db.corp.example"][..],
        &["--mysql-port", "3307"],
        &["--mysql-user", "u"],
        &["--mysql-password-file", &file],
        &["--mysql-database", "d"],
        &["--proxy", PROXY, "--mysql-host", "db.corp.example"],
    ] {
        let (code, json) = root.json(&[&["reconfigure"], asked].concat());
        assert_eq!((code, status(&json, "secrets-provider")), (4, "fail"), "{json:#}");
        let finding = of(&json, "secrets-provider")[0];
        assert!(finding["title"].as_str().unwrap().contains("from AWS secret ics"), "{finding:#}");
        assert!(finding["advice"].to_string().contains("--no-secrets-provider besides"), "{finding:#}");
        assert_eq!(root.get("divvycloud/prod.env"), lines);
        assert!(!root.has("var/lib/ics-setup/state.json"), "and nothing is remembered");
    }
    root.run(&["reconfigure", "--proxy", PROXY, "--redis-host", "cache.corp.example"]).ok();
    let text = root.get("divvycloud/prod.env");
    assert!(text.contains("DIVVY_REDIS_HOST=cache.corp.example\n") && !text.contains("_DB_"), "{text}");
    let json = root.json(&["check", "backends"]).1;
    let skipped = of(&json, "mysql-reachable")[0];
    assert_eq!(skipped["status"], "skip");
    assert!(skipped["observed"].as_str().unwrap().contains("in AWS secret ics, not looked up"), "{skipped:#}");
    assert_ne!(status(&json, "redis-reachable"), "skip", "its line counts");
    // Who names one is believed; a line that is commented out is none.
    let (_, json) = root.json(&["check", "backends", "--mysql-host", "127.0.0.1"]);
    assert_ne!(status(&json, "mysql-reachable"), "skip");
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", format!("#{lines}DIVVY_DB_HOST=mysql\n"));
    root.run(&["reconfigure", "--mysql-host", "db.corp.example"]).ok();
    // What an earlier run was told is not written again once there is a secret.
    root.put("divvycloud/prod.env", &lines);
    let (code, json) = root.json(&["reconfigure", "--proxy", PROXY]);
    assert_eq!((code, status(&json, "secrets-provider")), (0, ""), "{json:#}");
    assert!(!root.get("divvycloud/prod.env").contains("_DB_"), "{}", root.get("divvycloud/prod.env"));
    assert_eq!(status(&root.json(&["check", "backends"]).1, "mysql-reachable"), "skip");
    // Whoever wants it all the same says so.
    let (code, _) =
        root.json(&["reconfigure", "--mysql-host", "db2.corp.example", "--ignore-check", "secrets-provider=moving"]);
    assert!(code == 0 && root.get("divvycloud/prod.env").contains("DIVVY_DB_HOST=db2.corp.example\n"));
}

#[test]
fn a_prod_env_in_utf_16_is_refused_with_the_command_that_converts_it() {
    for bom in [true, false] {
        let root = Root::ubuntu();
        let text = crate::root::PROD_ENV;
        let mark = bom.then_some(0xfeff_u16);
        let bytes: Vec<u8> = mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        root.put("divvycloud/prod.env", &bytes);
        let (code, json) = root.json(&["reconfigure", "--proxy", PROXY]);
        assert_eq!((code, json["error"]["id"].as_str()), (5, Some("utf-16")), "{json:#}");
        assert_eq!(std::fs::read(root.at("divvycloud/prod.env")).unwrap(), bytes);
        let json = root.json(&["check", "proxy", "backends", "--proxy", PROXY]).1;
        for id in ["proxy-prod-env", "prod-env-hosts"] {
            let finding = of(&json, id)[0];
            assert_eq!(finding["status"], "error", "{finding:#}");
            assert!(finding["observed"].as_str().unwrap().contains("UTF-16"), "{finding:#}");
        }
        assert!(of(&json, "mysql-reachable")[0]["observed"].as_str().unwrap().contains("UTF-16"), "{json:#}");
        by_hand(of(&json, "proxy-prod-env")[0]["fix"][0].as_str().unwrap());
        assert_eq!(root.get("divvycloud/prod.env").trim_start_matches('\u{feff}'), text);
        root.run(&["reconfigure", "--proxy", PROXY]).ok();
    }
}

#[test]
fn a_prod_env_that_leads_to_nothing_is_told_as_such() {
    let root = Root::ubuntu();
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    symlink("/run/secrets/prod.env", root.at("divvycloud/prod.env")).unwrap();
    let to = root.at("run/secrets/prod.env").display().to_string();
    let (code, json) = root.json(&["reconfigure", "--proxy", PROXY]);
    assert_eq!((code, json["error"]["id"].as_str()), (5, Some("prod-env-missing")));
    assert!(json["error"].to_string().contains(&format!("leads to {to}, where nothing is")), "{json:#}");
    let json = root.json(&["check", "proxy", "backends", "--proxy", PROXY]).1;
    for id in ["proxy-prod-env", "prod-env-hosts"] {
        let finding = of(&json, id)[0];
        assert_eq!(finding["status"], "error", "{finding:#}");
        assert!(finding["observed"].as_str().unwrap().contains(&to), "{finding:#}");
    }
    root.put("run/secrets/prod.env", crate::root::PROD_ENV);
    root.run(&["reconfigure", "--proxy", PROXY]).ok();
}

#[test]
fn a_password_file_with_json_is_no_password() {
    for (text, member) in [
        ("{\"username\":\"u\",\"password\":\"Hunter2Hunter\"}", ".password"),
        ("{\n  \"user\": \"u\",\n  \"proxy_pwd\": \"Hunter2Hunter\"\n}\n", ".proxy_pwd"),
        ("{\"a\": \"Hunter2Hunter\"}", "<MEMBER>"),
    ] {
        let root = Root::ubuntu();
        root.put("pw", text);
        let file = root.at("pw").display().to_string();
        for (verb, flags) in [
            ("prepare", &["--proxy", PROXY, "--proxy-user", "u", "--proxy-password-file"][..]),
            ("reconfigure", &["--mysql-password-file"]),
            ("reconfigure", &["--redis-password-file"]),
        ] {
            let (code, json) = root.json(&[&[verb], flags, &[file.as_str()]].concat());
            assert_eq!((code, json["error"]["id"].as_str()), (3, Some("password-invalid")), "{json:#}");
            let hints = json["error"].to_string();
            assert!(hints.contains(member) && !hints.contains("Hunter2"), "{hints}");
        }
    }
    // Braces alone are a password like any other.
    let root = Root::ubuntu();
    root.put("pw", "{not json}\n");
    let file = root.at("pw").display().to_string();
    root.run(&["prepare", "--proxy", PROXY, "--proxy-user", "u", "--proxy-password-file", &file]).ok();
}

#[test]
fn addresses_that_no_proxy_answers_for_stand_in_the_lists_of_their_cloud() {
    let ecs = ("etc/ecs/ecs.config", "ECS_CLUSTER=x\n", "169.254.170.2");
    let google = ("sys/class/dmi/id/product_name", "Google Compute Engine\n", "metadata.google.internal");
    for (file, text, host) in [ecs, google] {
        let root = Root::ubuntu();
        root.put(file, text);
        root.put(
            "divvycloud/prod.env",
            format!("http_proxy={PROXY}\nhttps_proxy={PROXY}\nno_proxy=mysql,redis,169.254.169.254,a.corp\n"),
        );
        let json = root.json(&["check", "proxy", "--only", "NP010"]).1;
        assert_eq!(status(&json, "NP010"), "fail", "{json:#}");
        by_hand(of(&json, "NP010")[0]["fix"][0].as_str().unwrap());
        assert_eq!(status(&root.json(&["check", "proxy", "--only", "NP010"]).1, "NP010"), "");
        let list = format!("mysql,redis,169.254.169.254,a.corp,{host}");
        assert!(
            root.get("divvycloud/prod.env").contains(&format!("no_proxy={list}\n")),
            "{}",
            root.get("divvycloud/prod.env")
        );
        // A fresh host of production has the vendor's members and this one.
        let root = Root::ubuntu();
        root.put(file, text);
        root.run(&["prepare", "--proxy", PROXY]).ok();
        root.run(&["reconfigure"]).ok();
        let list = format!("mysql,redis,169.254.169.254,{host}");
        assert!(root.get("etc/environment").contains(&format!("no_proxy=\"{list}\"\n")));
        assert!(
            root.get("etc/systemd/system/docker.service.d/http-proxy.conf").contains(&format!("NO_PROXY={list}\""))
        );
        assert!(root.get("divvycloud/prod.env").contains(&format!("no_proxy={list}\n")));
        for finding in root.json(&["check", "proxy"]).1["findings"].as_array().unwrap() {
            assert!(!finding["id"].as_str().unwrap().starts_with("NP") || finding["status"] == "pass", "{finding:#}");
        }
        assert_eq!(root.json(&["prepare"]).1["outcome"], "unchanged");
        // Exactly these are exactly these.
        root.run(&["prepare", "--no-proxy-only", "a.corp,169.254.169.254"]).ok();
        assert!(root.get("etc/environment").contains("no_proxy=\"a.corp,169.254.169.254\"\n"));
    }
}

#[test]
fn the_command_that_closes_a_file_leaves_it_to_the_products_user() {
    let root = Root::ubuntu();
    let closed = |root: &Root| {
        root.put("pw", "Hunter2Hunter\n");
        fs::set_permissions(root.at("pw"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    closed(&root);
    let file = root.at("pw").display().to_string();
    let prepare = ["prepare", "--proxy", PROXY, "--proxy-user", "u", "--proxy-password-file", &file];
    let fix = |root: &Root| {
        let (_, json) = root.json(&prepare);
        let found = of(&json, "password-in-readable-file");
        found.first().map(|own| own["fix"][0].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    let environment = root.at("etc/environment").display().to_string();
    assert_eq!(fix(&root), format!("chmod o-r {environment}"), "there is no such user");
    let root = Root::ubuntu();
    closed(&root);
    root.put("etc/passwd", "root:x:0:0::/root:/bin/sh\ndivvy:x:54321:54322::/home/divvy:/bin/bash\n");
    root.put("etc/group", "root:x:0:\nops:x:54322:\n");
    let file = root.at("pw").display().to_string();
    let environment = root.at("etc/environment").display().to_string();
    let (_, json) = root.json(&["prepare", "--proxy", PROXY, "--proxy-user", "u", "--proxy-password-file", &file]);
    let finding = of(&json, "password-in-readable-file")[0];
    // The image's group, which may have another name here.
    assert_eq!(finding["fix"][0], format!("chgrp 54322 {environment} && chmod o-r {environment}"), "{finding:#}");
}
