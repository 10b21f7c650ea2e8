//! Docker as it is found: engines of two generations, what stands in its place, compose files of every name.

use serde_json::Value;

use crate::root::Root;

const PROXY: &str = "http://p.corp:3128";
const OLD: &str = "http://old.corp:8888";
const DROP_IN: &str = "etc/systemd/system/docker.service.d/http-proxy.conf";
const DAEMON_JSON: &str = "etc/docker/daemon.json";

fn package(root: &Root, version: &str) {
    let entry = format!("Package: docker.io\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n");
    root.put("var/lib/dpkg/status", entry);
    root.put("usr/bin/dockerd", "");
}

/// The findings of an id, each as one text.
fn findings(json: &Value, id: &str) -> Vec<(String, String)> {
    let all = json["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id);
    all.map(|finding| (finding["status"].as_str().unwrap().to_owned(), finding.to_string())).collect()
}

fn prepared(root: &Root) -> (i32, Value) {
    root.json(&["prepare", "--proxy", PROXY])
}

fn checked(root: &Root, id: &str) -> (String, String) {
    let (_, json) = root.json(&["check", "proxy", "--proxy", PROXY, "--only", id]);
    findings(&json, id).into_iter().next().unwrap_or_default()
}

#[test]
fn an_engine_that_does_not_know_proxies_needs_them_gone() {
    let text = format!("{{\"proxies\": {{\"http-proxy\": \"{OLD}\"}}}}\n");
    for (version, code, status) in [("20.10.21-0ubuntu1~22.04.3", 4, "fail"), ("24.0.7-0ubuntu2~22.04.1", 0, "pass")] {
        let root = Root::ubuntu();
        package(&root, version);
        root.put(DAEMON_JSON, &text);
        let (ended, json) = prepared(&root);
        assert_eq!(ended, code, "{version}: {json:#}");
        let (found, seen) = checked(&root, "proxy-docker");
        assert_eq!(found, status, "{version}: {seen}");
        if code != 0 {
            assert!(findings(&json, "proxy-docker")[0].1.contains("20.10.21") && seen.contains("20.10.21"), "{seen}");
            assert_eq!(root.get(DAEMON_JSON), text);
            // Gone by hand, it is the drop-in's turn.
            root.put(DAEMON_JSON, "{}\n");
            assert_eq!(prepared(&root).0, 0);
            assert!(root.get(DROP_IN).contains(PROXY));
            assert_eq!(checked(&root, "proxy-docker").0, "pass");
        }
    }
}

#[test]
fn an_engine_of_which_nothing_is_known_is_told_of() {
    let root = Root::ubuntu();
    root.put("usr/bin/dockerd", "");
    root.put(DAEMON_JSON, format!("{{\"proxies\": {{\"http-proxy\": \"{OLD}\"}}}}\n"));
    assert_eq!(prepared(&root).0, 0);
    let (status, seen) = checked(&root, "proxy-docker");
    assert!(status == "pass" && seen.contains("before 23.0 it does not start"), "{seen}");
}

#[test]
fn what_the_daemon_refuses_is_told_before_anything_is_written() {
    for text in ["{\"proxies\": {\"httpProxy\": \"http://old:1\"}}", "{\"proxies\": {\"default\": {}}}"] {
        let root = Root::ubuntu();
        root.put(DAEMON_JSON, text);
        let (code, json) = prepared(&root);
        assert_eq!((code, json["error"]["id"].as_str()), (4, Some("checks-failed")), "{text}: {json:#}");
        assert!(!root.get("etc/environment").contains(PROXY) && root.get(DAEMON_JSON) == text, "{text}");
        assert_eq!(checked(&root, "proxy-docker").0, "fail", "{text}");
    }
    let root = Root::ubuntu();
    root.put(DAEMON_JSON, format!("\u{feff}{{\"proxies\": {{\"http-proxy\": \"{OLD}\"}}}}\n"));
    assert_eq!(prepared(&root).0, 0);
    assert!(root.get(DAEMON_JSON).starts_with("\u{feff}{") && root.get(DAEMON_JSON).contains(PROXY));
}

#[test]
fn neither_podman_nor_a_users_daemon_passes() {
    for (path, text, words) in [
        ("usr/bin/docker", "#!/bin/sh\nexec /usr/bin/podman \"$@\"\n", "docker is podman"),
        ("home/divvy/.config/systemd/user/docker.service", "[Service]\n", ".config/docker/daemon.json"),
    ] {
        let root = Root::centos();
        root.put(path, text);
        let (code, json) = prepared(&root);
        let told = findings(&json, "proxy-docker");
        assert_eq!((code, told[0].0.as_str()), (0, "warn"), "{json:#}");
        let (status, seen) = checked(&root, "proxy-docker");
        assert!(status == "warn" && seen.contains(words) && told[0].1.contains(words), "{seen}");
    }
    let root = Root::centos();
    assert_eq!(prepared(&root).0, 0);
    assert_eq!(checked(&root, "proxy-docker").0, "skip", "its own drop-in proves nothing");
}

#[test]
fn what_a_compose_file_sets_over_prod_env_is_named_with_its_line() {
    let service = |more: &str| format!("services:\n  worker:\n    env_file: [prod.env, more.env]\n{more}");
    for (name, compose, more, line) in [
        ("compose.yaml", service("    environment:\n      http_proxy: http://old.corp:8888\n"), "", "compose.yaml:5"),
        ("docker-compose.yml", service("    environment: [\"no_proxy=x\"]\n"), "", "docker-compose.yml:4"),
        ("docker-compose.yml", service(""), "\nhttps_proxy=http://old.corp:8888\n", "more.env:2"),
    ] {
        let root = Root::ubuntu();
        root.put(&format!("divvycloud/{name}"), compose);
        root.put("divvycloud/more.env", more);
        let (code, json) = root.json(&["reconfigure", "--proxy", PROXY]);
        assert_eq!(code, 0, "{json:#}");
        let told = findings(&json, "proxy-prod-env");
        assert!(told.iter().any(|(status, text)| status == "warn" && text.contains(line)), "{name}: {json:#}");
        let (status, seen) = checked(&root, "proxy-prod-env");
        assert!(status != "pass" && seen.contains(line), "{name}: {seen}");
        assert!(!seen.contains("force-recreate\"]") || seen.contains("\"advice\""), "{seen}");
    }
    let root = Root::ubuntu();
    root.put("divvycloud/compose.yaml", service(""));
    root.program("usr/bin/docker-compose");
    root.put("divvycloud/more.env", "A=1\n");
    let (_, json) = root.json(&["reconfigure", "--proxy", PROXY]);
    assert!(json["next_steps"].to_string().contains("/divvycloud/compose.yaml up -d"), "{json:#}");
    assert_eq!(checked(&root, "proxy-prod-env").0, "pass");
}

#[test]
fn a_compose_file_that_is_not_understood_is_not_taken_for_one_that_sets_nothing() {
    let root = Root::ubuntu();
    root.put("divvycloud/docker-compose.yml", "include: [x.yml]\nservices: {worker: {env_file: prod.env}}\n");
    let (_, json) = root.json(&["reconfigure", "--proxy", PROXY]);
    assert_eq!(findings(&json, "proxy-prod-env")[0].0, "warn", "{json:#}");
    let (status, seen) = checked(&root, "proxy-prod-env");
    assert!(status == "warn" && seen.contains("docker-compose.yml:1"), "{seen}");
}

#[test]
fn below_root_no_command_is_printed_that_mends_nothing_there() {
    let root = Root::ubuntu();
    root.put("usr/bin/dockerd", "");
    root.put("divvycloud/docker-compose.yml", "services: {worker: {env_file: prod.env}}\n");
    let (_, json) = root.json(&["check", "proxy", "--proxy", PROXY]);
    let fixes: Vec<String> =
        json["findings"].as_array().unwrap().iter().map(|finding| finding["fix"].to_string()).collect();
    assert!(!fixes.iter().any(|fix| fix.contains("systemctl restart") || fix.contains("up -d")), "{fixes:#?}");
}

#[test]
fn the_disk_that_docker_fills_is_the_one_it_is_told_of() {
    for (file, text) in [
        (DAEMON_JSON, "{\"data-root\": \"/data/docker\"}"),
        ("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd --data-root /data/docker\n"),
    ] {
        let root = Root::ubuntu();
        root.put(file, text);
        let (_, json) = root.json(&["check", "host", "--only", "disk-free"]);
        assert!(findings(&json, "disk-free")[0].1.contains("/data/docker"), "{json:#}");
    }
}

#[test]
fn the_client_is_judged_by_the_entry_of_the_daemon() {
    let root = Root::ubuntu();
    root.put(
        "root/.docker/config.json",
        format!(
            "{{\"proxies\":{{\"default\":{{\"httpProxy\":\"{PROXY}\",\"httpsProxy\":\"{PROXY}\",\"noProxy\":\"mysql,redis,169.254.169.254\"}},\
             \"unix:///var/run/docker.sock\":{{\"httpProxy\":\"{OLD}\"}}}}}}"
        ),
    );
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status == "warn" && seen.contains("proxies.unix:///var/run/docker.sock"), "{seen}");
    root.put("root/.docker/config.json", format!("{{\"proxies\":{{\"httpProxy\":\"{PROXY}\"}}}}"));
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status == "warn" && seen.contains("proxies.default"), "{seen}");
}

/// Each of them was refused by dockerd 26.1.5 as well.
#[test]
fn what_the_daemon_refuses_of_its_options_is_refused_below_a_root() {
    let unit = |options: &str| format!("[Service]\nExecStart=/usr/bin/dockerd {options}\n");
    for (json, options) in [
        ("{\"unknown-key\": 1}", ""),
        ("{\"debug\": \"true\"}", ""),
        ("{\"max-concurrent-downloads\": 1e1}", ""),
        ("{\"hosts\": [\"fd://\"]}", "-H fd://"),
        ("{\"debug\": true}", "-D"),
        ("{}", "--http-prox=http://old.corp:8888"),
    ] {
        let root = Root::ubuntu();
        root.put("lib/systemd/system/docker.service", unit(options));
        root.put(DAEMON_JSON, json);
        let (code, found) = prepared(&root);
        assert_eq!((code, found["error"]["id"].as_str()), (4, Some("checks-failed")), "{json} {options}: {found:#}");
        assert_eq!(checked(&root, "proxy-docker").0, "fail", "{json} {options}");
    }
    for (json, options) in [
        (
            "{\"debug\": true, \"log-opts\": {\"max-size\": \"10m\"}, \"live-restore\": true}",
            "-H fd:// --containerd=/run/c.sock",
        ),
        ("{\"default-address-pools\": [{\"base\": \"10.9.0.0/16\", \"size\": 24}]}", ""),
    ] {
        let root = Root::ubuntu();
        root.put("lib/systemd/system/docker.service", unit(options));
        root.put(DAEMON_JSON, json);
        assert_eq!(prepared(&root).0, 0, "{json}");
        let (status, seen) = checked(&root, "proxy-docker");
        assert_eq!(status, "pass", "{seen}");
        assert_eq!(seen.contains("was not validated"), json.contains("pools"), "{seen}");
    }
}

#[test]
fn the_client_is_followed_to_the_folder_that_a_login_names() {
    let root = Root::ubuntu();
    root.put("etc/profile.d/docker.sh", "export DOCKER_CONFIG=/opt/dc\n");
    let config = format!("{{\"proxies\": {{\"default\": {{\"httpProxy\": \"{OLD}\", \"httpsProxy\": \"{OLD}\"}}}}}}");
    root.put("opt/dc/config.json", &config);
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status != "pass" && seen.contains("/opt/dc/config.json"), "{seen}");
    // Entries of one daemon, of which the address is not known.
    root.put("etc/profile.d/docker.sh", "export DOCKER_HOST=$(cat /etc/address)\n");
    root.put("root/.docker/config.json", config.replace("default", "tcp://10.0.0.1:2375"));
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status != "pass" && seen.contains("DOCKER_HOST"), "{seen}");
    root.put("etc/profile.d/docker.sh", "export DOCKER_CONFIG=$(cat /etc/folder)\n");
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status != "pass" && seen.contains("DOCKER_CONFIG"), "{seen}");
    // A line that nobody understands, and that names nothing of this, is told of beside the answer.
    root.put("etc/profile.d/docker.sh", "eval \"$(pyenv init -)\"\n");
    root.put("root/.docker/config.json", &config);
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status != "pass" && seen.contains(OLD) && !seen.contains("could not be found out"), "{seen}");
    root.put(
        "root/.docker/config.json",
        config
            .replace(OLD, PROXY)
            .replace("default\": {", "default\": {\"noProxy\": \"mysql,redis,169.254.169.254\", "),
    );
    let (status, seen) = checked(&root, "proxy-docker-client");
    assert!(status == "pass" && seen.contains("is taken to have left DOCKER_CONFIG"), "{status} {seen}");
}

#[test]
fn a_list_that_an_old_systemd_cuts_is_no_circle() {
    let root = Root::centos();
    root.put("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
    let list = (1..=190).map(|host| format!("10.77.140.{host}")).collect::<Vec<_>>().join(",");
    let arguments = ["--proxy", PROXY, "--no-proxy", &list];
    let (_, planned) = root.json(&[&["prepare", "--yes"][..], &arguments].concat());
    let long = findings(&planned, "docker-long-line");
    assert!(long.iter().any(|(_, text)| text.contains("name fewer hosts")), "{planned:#}");
    let (_, json) = root.json(&[&["check", "proxy", "--only", "proxy-docker"][..], &arguments].concat());
    let (status, seen) = findings(&json, "proxy-docker").into_iter().next().unwrap();
    assert!(status != "pass" && seen.contains("name fewer hosts") && !seen.contains("ics-setup prepare"), "{seen}");
}
