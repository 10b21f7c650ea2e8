//! What is found of consumers: files of a host in memory, and tables of facts.

use super::*;
use crate::check::{ProxySpec, Secrets};
use crate::finding::Status;
use crate::host::{HostRead, HostWrite, MemoryHost};
use crate::net::Roots;
use crate::net::testing::patient;
use crate::platform;
use crate::settings::{Deployment, ProxyUrl};

const URL: &str = "http://divvy:p%40ss%3Aw0rd@proxy.corp:3128";

fn spec(url: Option<&str>, origin: &str) -> (CheckSpec, Secrets) {
    let url = url.map(|url| ProxyUrl::parse(url).unwrap());
    let proxy = url.as_ref().map(|url| ProxySpec::new(url, origin.to_owned()));
    let spec = CheckSpec {
        deployment: Deployment::Production,
        release: None,
        home: "/divvycloud".into(),
        http_proxy: proxy.clone(),
        https_proxy: proxy,
        proxy_found: origin.starts_with("found in "),
        no_proxy: vec!["mysql".to_owned(), "redis".to_owned()],
        mysql: None,
        redis: None,
        ..CheckSpec::default()
    };
    (spec, Secrets { http_proxy: url.clone(), https_proxy: url, ..Secrets::default() })
}

fn host(os: &str) -> MemoryHost {
    let host = MemoryHost::new();
    host.put(
        "/etc/os-release",
        format!("ID={os}\nVERSION_ID=\"{}\"\n", if os == "ubuntu" { "24.04" } else { "7" }).as_bytes(),
    );
    ["apt", "dnf", "yum"].iter().for_each(|program| host.put(&format!("/usr/bin/{program}"), b""));
    host
}

fn look(host: &MemoryHost, url: Option<&str>, origin: &str) -> (ConsumersFacts, Vec<Finding>) {
    let (spec, secrets) = spec(url, origin);
    let platform = platform::detect(host, None).unwrap().0;
    let roots = Roots::of(host, b"");
    let look = Look { host, platform: Some(&platform), spec: &spec, secrets: &secrets, roots: &roots, changes: None };
    let facts = Consumers.collect(&look, patient(), None);
    let text = serde_json::to_string(&facts).unwrap();
    let findings = Consumers.judge(&serde_json::from_str(&text).unwrap(), &spec);
    crate::check::law::each_has_a_way_out(&findings);
    let all = format!("{text}{}", serde_json::to_string(&findings).unwrap());
    for form in ["p@ss:w0rd", "p%40ss", "cEBzczp3MHJk", "0ther", "MHRoZXI"] {
        assert!(!all.contains(form), "{form} in {all}");
    }
    (facts, findings)
}

/// What `prepare` would have written, on a system without anybody who reads it.
#[test]
fn nothing_passes_on_what_we_have_written_alone() {
    for os in ["ubuntu", "centos"] {
        let host = host(os);
        for program in ["apt", "dnf", "yum"] {
            host.remove_file(format!("/usr/bin/{program}").as_ref()).unwrap();
        }
        host.put("/etc/apt/apt.conf.d/95ics-setup-proxy", format!("Acquire::http::Proxy \"{URL}\";\n").as_bytes());
        host.put("/etc/yum.conf", b"[main]\nproxy=http://proxy.corp:3128\n");
        let drop_in = format!("[Service]\nEnvironment=\"HTTP_PROXY={}\"\n", URL.replace('%', "%%"));
        host.put("/etc/systemd/system/docker.service.d/http-proxy.conf", drop_in.as_bytes());
        let (_, findings) = look(&host, Some(URL), "--proxy");
        for id in ["proxy-docker", "proxy-package-manager"] {
            assert_eq!(status(&findings, id).0, Status::Skip, "{os}: {findings:#?}");
        }
        for finding in &findings {
            let known = finding.evidence.get("known").map(ToString::to_string);
            assert!(known.is_some_and(|known| ["\"asked\"", "\"files\""].contains(&known.as_str())), "{finding:#?}");
        }
    }
}

fn status(findings: &[Finding], id: &str) -> (Status, String) {
    let finding = findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}: {findings:#?}"));
    let text = format!("{} | {}", finding.title, finding.observed.clone().unwrap_or_default());
    (finding.status, text)
}

fn put_everywhere(host: &MemoryHost, url: &str, list: &str) {
    let lines = |prefix: &str, quote: &str| {
        ["http_proxy", "https_proxy"].map(|name| format!("{prefix}{name}={quote}{url}{quote}\n")).concat()
            + &format!("{prefix}no_proxy={quote}{list}{quote}\n")
    };
    host.put("/etc/environment", lines("", "\"").as_bytes());
    host.put("/etc/profile.d/proxy.sh", lines("export ", "'").as_bytes());
    host.put("/etc/pam.d/cron", b"session required pam_env.so\n");
    let unit = format!(
        "[Service]\nEnvironment=\"HTTP_PROXY={0}\" \"HTTPS_PROXY={0}\" \"NO_PROXY={list}\"\n",
        url.replace('%', "%%")
    );
    host.put("/usr/bin/dockerd", b"");
    host.put("/etc/systemd/system/docker.service.d/http-proxy.conf", unit.as_bytes());
    host.put("/etc/apt/apt.conf.d/95ics-setup-proxy", format!("Acquire::http::Proxy \"{url}\";\n").as_bytes());
    host.put("/etc/dnf/dnf.conf", format!("[main]\nproxy={url}\n").as_bytes());
    host.put("/divvycloud/prod.env", lines("", "").as_bytes());
    // systemd 219 expands no specifiers in its own configuration.
    let is_old = host.read("/etc/os-release".as_ref()).unwrap().unwrap().starts_with(b"ID=centos");
    let url = if is_old { url.to_owned() } else { url.replace('%', "%%") };
    host.put(
        "/etc/systemd/system.conf",
        format!("[Manager]\nDefaultEnvironment=\"http_proxy={url}\" \"https_proxy={url}\" no_proxy={list}\n")
            .as_bytes(),
    );
}

#[test]
fn consumers_with_what_is_wanted_pass_and_the_live_ones_are_skipped_by_name() {
    for os in ["ubuntu", "centos"] {
        let host = host(os);
        put_everywhere(&host, URL, "redis,mysql");
        let (facts, findings) = look(&host, Some(URL), "--proxy");
        for id in
            ["proxy-login", "proxy-cron", "proxy-systemd", "proxy-docker", "proxy-package-manager", "proxy-prod-env"]
        {
            let (found, text) = status(&findings, id);
            assert_eq!(found, Status::Pass, "{os} {id}: {text}");
        }
        for (id, why) in [("proxy-sudo", "not installed"), ("proxy-containers", "--root")] {
            let (found, text) = status(&findings, id);
            assert!(found == Status::Skip && text.contains(why), "{id}: {text}");
        }
        assert_eq!(status(&findings, "proxy-url").0, Status::Pass);
        assert!(facts.consumers.iter().filter_map(|consumer| consumer.proxy(true)).all(|url| url.password == Some(1)));
    }
}

#[test]
fn each_consumer_that_differs_says_what_and_how_to_mend_it() {
    let host = host("ubuntu");
    put_everywhere(&host, "http://divvy:0ther@proxy.corp:3128", "mysql,x");
    host.put("/divvycloud/compose.yaml", b"services: {worker: {env_file: prod.env}}\n");
    host.put("/usr/bin/docker-compose", b"");
    host.put("/usr/bin/dockerd", b"");
    let (_, findings) = look(&host, Some(URL), "--proxy");
    for (id, wanted, words) in [
        ("proxy-login", Status::Fail, "http_proxy is http://divvy:***@proxy.corp:3128 with another password"),
        ("proxy-login", Status::Fail, "no_proxy lacks redis"),
        ("proxy-cron", Status::Warn, "another password"),
        ("proxy-docker", Status::Fail, "HTTP_PROXY is"),
        ("proxy-package-manager", Status::Warn, "another password"),
        ("proxy-prod-env", Status::Fail, "/divvycloud/prod.env"),
    ] {
        let (found, text) = status(&findings, id);
        assert!(found == wanted && text.contains(words), "{id}: {found:?} {text}");
    }
    let fix = |id: &str| findings.iter().find(|finding| finding.id == id).unwrap().fix.clone();
    let flags = "--proxy http://proxy.corp:3128 --proxy-user divvy --proxy-password-file <FILE>";
    let advice = |verb: &str| format!("write it with the password from a file: ics-setup {verb} {flags}");
    assert_eq!(fix("proxy-login")[0], advice("prepare"));
    assert_eq!(fix("proxy-prod-env")[0], advice("reconfigure"));
    assert!(fix("proxy-prod-env")[1].contains("docker-compose -f /divvycloud/compose.yaml up -d --force-recreate"));
    assert!(fix("proxy-docker")[1].contains("systemctl restart docker"));
    assert!(fix("proxy-package-manager")[0].ends_with("--target package-manager"));
    // What nobody asked for in this run is no failure, but a daemon without any proxy is.
    let (_, findings) = look(&host, Some(URL), "found in /etc/environment:1");
    assert_eq!(status(&findings, "proxy-login").0, Status::Warn);
    assert_eq!(status(&findings, "proxy-prod-env").0, Status::Warn);
    let bare = self::host("ubuntu");
    bare.put("/usr/bin/dockerd", b"");
    bare.put("/divvycloud/prod.env", b"A=1\n");
    bare.put("/etc/pam.d/cron", b"session required pam_limits.so\n");
    let (_, findings) = look(&bare, Some(URL), "found in /etc/environment:1");
    for (id, wanted, words) in [
        ("proxy-docker", Status::Fail, "the Docker daemon gets no proxy"),
        ("proxy-login", Status::Warn, "a login gets no proxy"),
        ("proxy-cron", Status::Warn, "a cron job gets no proxy"),
        ("proxy-systemd", Status::Warn, "a systemd service gets no proxy"),
        ("proxy-package-manager", Status::Warn, "apt gets no proxy"),
    ] {
        let (found, text) = status(&findings, id);
        assert!(found == wanted && text.contains(words), "{id}: {found:?} {text}");
    }
}

#[test]
fn nothing_wanted_and_nothing_set_is_one_finding() {
    let host = host("ubuntu");
    let (_, findings) = look(&host, None, "");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let (found, text) = status(&findings, "proxy-drift");
    assert!(found == Status::Pass && text.contains("nothing on this host sets a proxy"), "{text}");
}

#[test]
fn drift_without_a_word_from_the_settings_lists_value_and_consumers() {
    let host = host("ubuntu");
    host.put("/etc/environment", b"http_proxy=http://a.corp:1\nhttps_proxy=http://a.corp:1\n");
    host.put("/usr/bin/dockerd", b"");
    host.put(
        "/etc/docker/daemon.json",
        br#"{"proxies": {"http-proxy": "http://u:0ther@b.corp:2", "https-proxy": "http://u:0ther@b.corp:2"}}"#,
    );
    let (_, findings) = look(&host, None, "");
    let (found, text) = status(&findings, "proxy-drift");
    assert_eq!(found, Status::Warn);
    assert!(
        text.contains("http://a.corp:1: a login") && text.contains("http://u:***@b.corp:2: the Docker daemon"),
        "{text}"
    );
    host.put("/etc/docker/daemon.json", b"{}");
    assert_eq!(status(&look(&host, None, "").1, "proxy-drift").0, Status::Pass);
}

#[test]
fn a_daemon_json_that_is_none_is_a_failure() {
    let host = host("centos");
    host.put("/etc/docker/daemon.json", b"{ broken");
    let (_, findings) = look(&host, Some(URL), "--proxy");
    let (found, text) = status(&findings, "proxy-docker");
    assert!(found == Status::Fail && text.contains("it is no JSON (line 1)"), "{text}");
}

#[test]
fn a_reader_of_prod_env_that_keeps_quotes_is_named() {
    let host = host("ubuntu");
    host.put("/divvycloud/prod.env", b"http_proxy=\"http://h:1\"\nhttps_proxy=http://h:1\n");
    let (_, findings) = look(&host, Some("http://h:1"), "--proxy");
    let (found, text) = status(&findings, "proxy-url-blank");
    assert!(found == Status::Fail && text.contains("docker-compose 1.25"), "{text}");
}

#[test]
fn what_the_files_alone_do_not_tell_is_said() {
    let host = host("ubuntu");
    host.put("/etc/environment", b"http_proxy=http://later:1\nhttps_proxy=http://later:1\n");
    host.put("/etc/profile.d/z.sh", b"export no_proxy=$(hostname)\n");
    let (_, findings) = look(&host, Some("http://later:1"), "--proxy");
    let (found, text) = status(&findings, "proxy-login");
    assert!(found == Status::Warn && text.contains("cannot be told"), "{text}");
    // What is known to be wrong is not hidden by it.
    host.put("/etc/environment", b"http_proxy=http://later:1\n");
    let (_, findings) = look(&host, Some("http://later:1"), "--proxy");
    let (found, text) = status(&findings, "proxy-login");
    assert!(found == Status::Fail && text.contains("https_proxy is not set") && text.contains("not told"), "{text}");
}

#[test]
fn dnf_takes_its_login_from_keys_of_its_own() {
    let host = host("centos");
    host.put(
        "/etc/yum.conf",
        b"[main]\nproxy=http://proxy.corp:3128\nproxy_username=divvy\nproxy_password=p@ss:w0rd\n",
    );
    let (facts, findings) = look(&host, Some(URL), "--proxy");
    assert!(facts.consumers.iter().any(|own| own.name.as_deref() == Some("yum")));
    assert_eq!(status(&findings, "proxy-package-manager").0, Status::Pass);
    host.put("/etc/yum.conf", b"[main]\nproxy=_none_\n");
    assert_eq!(status(&look(&host, Some(URL), "--proxy").1, "proxy-package-manager").0, Status::Warn);
}

#[test]
fn each_way_to_write_a_url_badly_has_its_finding() {
    for (url, id) in [
        ("proxy.corp:3128", "proxy-url-scheme"),
        ("socks5://proxy.corp:1080", "proxy-url-socks"),
        ("https://proxy.corp:3128", "proxy-url-https"),
        ("http://proxy.corp", "proxy-url-port"),
        ("http://10.0.0.256:1", "proxy-url-host"),
        ("http://u:p@ss:w0rd@proxy.corp:1", "proxy-url-reserved"),
        ("http://u:100%@proxy.corp:1", "proxy-url-percent"),
        ("http://u:%C3%A9@proxy.corp:1", "proxy-url-not-ascii"),
        ("http://u@proxy.corp:1", "proxy-url-no-password"),
        ("http://proxy.corp:1/x", "proxy-url-path"),
    ] {
        let host = host("ubuntu");
        host.put("/etc/environment", format!("http_proxy={url}\n").as_bytes());
        let (_, findings) = look(&host, None, "");
        let ids: Vec<_> =
            findings.iter().map(|finding| finding.id).filter(|id| id.as_str().starts_with("proxy-url")).collect();
        assert_eq!(ids, [id], "{url}");
        assert!(status(&findings, id).1.contains("/etc/environment"), "{url}");
    }
    let host = host("ubuntu");
    host.put("/etc/environment", b"http_proxy=http://a:1\nhttps_proxy=http://b:1\n");
    assert_eq!(status(&look(&host, None, "").1, "proxy-url-two").0, Status::Warn);
}

#[test]
fn a_list_with_control_characters_or_without_end_is_shown_fit_for_a_terminal() {
    let host = host("ubuntu");
    let list = format!("a\u{1b}[2J{}", ",x.corp".repeat(1_000));
    host.put(
        "/etc/environment",
        format!("http_proxy=http://h:1\nhttps_proxy=http://h:1\nno_proxy={list}\n").as_bytes(),
    );
    let (facts, findings) = look(&host, Some("http://h:1"), "--proxy");
    assert_eq!(facts.consumers[0].no_proxy.as_deref(), Some(list.as_str()), "the facts have it as it stands");
    let text = serde_json::to_string(&findings).unwrap();
    assert!(!text.contains("\\u001b") && text.len() < 20_000, "{} bytes", text.len());
}
