//! `check proxy` through the binary, on images: what each consumer gets, and a proxy of the test's own.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::root::Root;

const LOGIN: &str = "divvy:p%40ss%3Aw0rd%2F%25@";

/// The password and the login in every form in which they travel.
const FORMS: [&str; 5] =
    ["p@ss:w0rd/%", "p%40ss%3Aw0rd%2F%25", "p%40ss%3aw0rd%2f%25", "cEBzczp3MHJkLyU", "ZGl2dnk6cEBzczp3MHJkLyU"];

/// A proxy that answers each connection with these bytes, `{login}` being what it was given; it lives as long as the test.
fn proxy(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                let login = text.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: ")).unwrap_or("");
                let _ = stream.write_all(answer.replace("{login}", login).as_bytes());
                let _ = stream.read(&mut bytes);
            });
        }
    });
    port
}

fn finding<'a>(json: &'a Value, id: &str) -> &'a Value {
    let all = json["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {json:#}"))
}

fn is_clean(text: &str) {
    for form in FORMS {
        assert!(!text.contains(form), "{form} in {text}");
    }
}

#[test]
fn nothing_set_and_nothing_wanted_passes() {
    let root = Root::ubuntu();
    let (code, json) = root.json(&["check", "proxy"]);
    assert_eq!(code, 0, "{json:#}");
    assert_eq!(finding(&json, "proxy-drift")["status"], "pass");
    assert_eq!(finding(&json, "proxy-connects")["status"], "skip");
}

#[test]
fn what_is_known_to_be_wrong_is_told_beside_what_cannot_be_told() {
    let (old, wanted) = ("http://oldpx.corp.example:8888", "http://proxy.corp.example:3128");
    let drop_in = "etc/systemd/system/docker.service.d/zz.conf";
    let unit = format!("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --http-proxy={old} --https-proxy={old}\n");
    let apt = format!("Acquire::http::Proxy \"{old}\";\nAcquire::https::Proxy-Auto-Detect \"/usr/bin/detect\";\n");
    let compose = format!(
        "services:\n  web:\n    image: a\n    env_file: prod.env\n    environment:\n      https_proxy: {old}\n      no_proxy:\n"
    );
    for (id, status, files) in [
        (
            "proxy-docker",
            "fail",
            vec![("usr/bin/dockerd", String::new()), (drop_in, format!("{unit}Environment=NO_PROXY=%H\n"))],
        ),
        ("proxy-package-manager", "warn", vec![("usr/bin/apt", String::new()), ("etc/apt/apt.conf.d/90x", apt)]),
        (
            "proxy-prod-env",
            "fail",
            vec![
                ("divvycloud/docker-compose.yml", compose),
                (
                    "divvycloud/prod.env",
                    format!("http_proxy={wanted}\nhttps_proxy={wanted}\nno_proxy=mysql,redis,169.254.169.254\n"),
                ),
            ],
        ),
    ] {
        let root = Root::ubuntu();
        files.iter().for_each(|(path, text)| root.put(path, text));
        let (_, json) = root.json(&["check", "proxy", "--proxy", wanted, "--only", id]);
        let all = json["findings"].as_array().unwrap();
        let told = all.iter().find(|one| one["observed"].as_str().unwrap_or_default().contains("not told: "));
        let told = told.unwrap_or_else(|| panic!("{json:#}"));
        assert_eq!((told["id"].as_str(), told["status"].as_str()), (Some(id), Some(status)), "{json:#}");
        assert!(told["observed"].as_str().unwrap().contains("oldpx.corp.example"), "{json:#}");
    }
}

#[test]
fn what_other_variables_hold_is_never_shown() {
    let root = Root::ubuntu();
    let text = "export PATH=/bin:/usr/bin\nexport DB_DSN=hunter2secret\nexport http_proxy_note=hunter2secret\n";
    root.put("etc/profile", text);
    root.put("etc/profile.d/own.sh", text);
    root.put("etc/environment", "VAULT_TOKEN=hunter2secret\n");
    let facts = root.at("facts").display().to_string();
    for words in [&["check", "proxy", "--save-facts", &facts][..], &["prepare", "--proxy", "http://p.corp.example:1"]] {
        let (_, json) = root.json(words);
        let id = if words[0] == "check" { "proxy-drift" } else { "proxy-login" };
        assert_eq!(finding(&json, id)["status"], "pass", "{json:#}");
        assert!(!json.to_string().contains("hunter2secret"), "{json:#}");
    }
    assert!(!root.get("facts").contains("hunter2secret"));
}

#[test]
fn what_prepare_and_reconfigure_write_every_consumer_of_the_image_gets() {
    let port = proxy("HTTP/1.1 502 Bad Gateway\r\nVia: 1.1 lab\r\n\r\n");
    let url = format!("http://{LOGIN}127.0.0.1:{port}");
    for family in [Root::ubuntu, Root::centos] {
        let root = family();
        root.put("etc/pam.d/cron", "session required pam_env.so\n");
        ["dockerd", "apt", "yum"].iter().for_each(|reader| root.put(&format!("usr/bin/{reader}"), ""));
        root.put("etc/yum.conf", "[main]\n");
        // A proxy on loopback is one for containers of the host's network alone.
        let compose = "services:\n  worker:\n    env_file: prod.env\n    network_mode: host\n";
        root.put("divvycloud/docker-compose.yml", compose);
        let (code, json) =
            root.json(&["check", "proxy", "--proxy", &url, "--only", "proxy-login,proxy-docker,proxy-prod-env"]);
        assert_eq!(code, 4, "{json:#}");
        for id in ["proxy-login", "proxy-docker", "proxy-prod-env"] {
            assert_eq!(finding(&json, id)["status"], "fail", "{json:#}");
        }
        root.run(&["prepare", "--proxy", &url, "--target", "system-proxy,docker-daemon,package-manager"]).ok();
        root.run(&["reconfigure", "--proxy", &url]).ok();
        let (_, json) = root.json(&["check", "proxy"]);
        for id in ["proxy-login", "proxy-docker", "proxy-prod-env", "proxy-package-manager", "proxy-url"] {
            assert_eq!(finding(&json, id)["status"], "pass", "{id}: {json:#}");
        }
        for id in ["proxy-sudo", "proxy-containers"] {
            assert_eq!(finding(&json, id)["status"], "skip", "{id}: {json:#}");
        }
        assert_eq!(finding(&json, "proxy-connect-method")["status"], "fail");
        assert_eq!(finding(&json, "proxy-credentials")["status"], "pass");
        is_clean(&json.to_string());
    }
}

#[test]
fn another_password_somewhere_is_seen_and_not_shown() {
    let root = Root::ubuntu();
    root.put(
        "etc/environment",
        format!("http_proxy=\"http://{LOGIN}h.corp:1\"\nhttps_proxy=\"http://{LOGIN}h.corp:1\"\n"),
    );
    root.put("usr/bin/dockerd", "");
    root.put("etc/docker/daemon.json", "{\"proxies\": {\"http-proxy\": \"http://divvy:0ld-S3cret@h.corp:1\"}}");
    let (_, json) = root.json(&["check", "proxy", "--only", "proxy-docker,proxy-drift,proxy-url-two"]);
    let docker = finding(&json, "proxy-docker");
    assert!(docker["observed"].as_str().unwrap().contains("with another password"), "{json:#}");
    assert_eq!(finding(&json, "proxy-drift")["status"], "warn");
    is_clean(&json.to_string());
    assert!(!json.to_string().contains("0ld-S3cret"));
}

#[test]
fn a_proxy_that_sends_the_login_back_shows_it_nowhere() {
    let port = proxy(
        "HTTP/1.1 407 {login}\r\nProxy-Authenticate: Basic realm=\"{login}\"\r\nVia: {login}\r\nServer: {login}\r\n\r\n{login}",
    );
    let root = Root::ubuntu();
    let url = format!("http://{LOGIN}127.0.0.1:{port}");
    root.put("etc/environment", format!("http_proxy={url}\nhttps_proxy={url}\n"));
    root.put("etc/docker/daemon.json", format!("{{\"proxies\": {{\"http-proxy\": \"{url}\"}}}}"));
    root.put("root/.docker/config.json", format!("{{\"proxies\": {{\"default\": {{\"httpProxy\": \"{url}\"}}}}}}"));
    root.put("etc/apt/apt.conf", format!("Acquire {{ http {{ Proxy \"{url}\"; }}; }};"));
    let facts = root.at("facts").display().to_string();
    for format in ["human", "json"] {
        let ran = root.run(&["check", "proxy", "-v", "--format", format, "--save-facts", &facts]);
        assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("rejects the login of divvy"), "{}", ran.stdout);
        is_clean(&format!("{}{}{}", ran.stdout, ran.stderr, root.get("facts")));
    }
    // Judged again elsewhere, the facts say the same.
    let again = crate::root::run(&["check", "proxy", "--from", &facts, "--format", "json"], &[], "");
    assert_eq!(finding(&again.json(), "proxy-credentials")["status"], "fail");
}

#[test]
fn a_plain_port_behind_https_in_the_url_fails_with_the_right_value() {
    let port = proxy("HTTP/1.1 400 Bad Request\r\n\r\n");
    let root = Root::ubuntu();
    let (code, json) = root.json(&["check", "proxy", "--https-proxy", &format!("https://{LOGIN}127.0.0.1:{port}")]);
    assert_eq!(code, 4);
    let language = finding(&json, "proxy-language");
    assert_eq!(language["status"], "fail", "{json:#}");
    assert_eq!(language["evidence"]["right"], format!("http://divvy:***@127.0.0.1:{port}"));
    let root = root.path().display();
    let fix = format!("ics-setup prepare --https-proxy http://127.0.0.1:{port} --proxy-user 'divvy' --root {root}");
    assert_eq!(language["fix"][0], fix);
    is_clean(&json.to_string());
}

/// The vendor's page has a person see it as the user divvy, whom an installation makes.
#[test]
fn the_proof_of_a_login_names_the_lines_of_the_vendors_page_and_for_whom_it_is_shown() {
    let root = Root::ubuntu();
    let (_, json) = root.json(&["prepare", "--proxy", "http://p.corp.example:3128"]);
    let steps = json["next_steps"].to_string();
    assert!(steps.contains("see what a login gets: sudo su - divvy, then env | grep proxy"), "{json:#}");
    let (_, json) = root.json(&["prepare", "--remove-proxy"]);
    assert!(!json["next_steps"].to_string().contains("grep proxy"), "{json:#}");
    if !nix::unistd::geteuid().is_root() {
        println!("skip the_proof_of_a_login: only root may start a login of another user");
        return;
    }
    let arguments = ["check", "proxy", "--only", "proxy-login", "--proxy", "http://p.corp.example:3128"];
    let json = crate::root::run(&[&arguments[..], &["--format", "json"]].concat(), &[], "").json();
    let login = &json["findings"][0];
    let (observed, evidence) = (login["observed"].as_str().unwrap(), &login["evidence"]);
    assert_eq!(evidence["verify"][1], "env | grep proxy", "{json:#}");
    let line = evidence["verify"][0].as_str().unwrap();
    assert!(
        line.starts_with("sudo su ") && observed.contains(&format!("look: {line}, then env | grep proxy")),
        "{json:#}"
    );
    match nix::unistd::User::from_name("divvy").unwrap() {
        Some(_) => assert!(line.ends_with(" - divvy") && evidence["shown_for"].is_null(), "{json:#}"),
        None => {
            let user = line.rsplit(' ').next().unwrap();
            let why = format!("shown for {user}, because this host tells of no user divvy");
            assert!(observed.contains(&why) && evidence["shown_for"] == why.as_str(), "{json:#}");
        }
    }
}

#[test]
fn text_of_two_bytes_a_character_is_not_called_empty() {
    let root = Root::ubuntu();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    let text = "\u{feff}http_proxy=http://p.corp.example:3128\n".encode_utf16();
    std::fs::create_dir_all(root.at("etc")).unwrap();
    std::fs::write(root.at("etc/environment"), text.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let (_, json) = root.json(&["check", "proxy", "--fail-on", "never"]);
    let login = finding(&json, "proxy-login");
    assert!(login["status"] == "warn" && login.to_string().contains("UTF-16"), "{json:#}");
    let status = root.run(&["status"]).ok().stdout;
    assert!(!status.contains("none is set"), "{status}");
}
