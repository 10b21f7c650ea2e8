//! What is seen of consumers by the files of a host in memory.

use super::*;
use crate::host::MemoryHost;
use crate::net::testing::patient;
use crate::platform;

fn host(os: &str) -> MemoryHost {
    let host = MemoryHost::new();
    let version = if os == "ubuntu" { "22.04" } else { "7" };
    host.put("/etc/os-release", format!("ID={os}\nVERSION_ID=\"{version}\"\n").as_bytes());
    host
}

fn seen(host: &MemoryHost) -> ConsumersFacts {
    let platform = platform::detect(host, None).unwrap().0;
    let ask = Ask {
        host,
        platform: Some(&platform),
        home: "/divvycloud".as_ref(),
        http_proxy: None,
        https_proxy: None,
        inside: None,
    };
    observe(&ask, None, patient())
}

fn one(host: &MemoryHost, who: Who) -> Consumer {
    seen(host).consumers.into_iter().find(|own| own.consumer == who).unwrap()
}

#[test]
fn daemon_json_wins_over_the_unit_and_upper_case_over_lower() {
    let host = host("centos");
    host.put(
        "/etc/systemd/system/docker.service.d/a.conf",
        b"[Service]\nEnvironment=http_proxy=http://low:1 HTTP_PROXY=http://up:1 https_proxy=http://low:1\n",
    );
    host.put(
        "/usr/lib/systemd/system/docker.service",
        b"[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nEnvironment=NO_PROXY=unit\n",
    );
    host.put("/etc/sysconfig/docker", b"NO_PROXY=\"of-file\"\n");
    let docker = || one(&host, Who::Docker);
    let seen = docker();
    assert_eq!(seen.proxy(false).unwrap().shown, "http://up:1");
    assert_eq!(seen.proxy(true).unwrap().shown, "http://low:1");
    assert_eq!(seen.exclusions(), Some("of-file"));
    host.put("/etc/docker/daemon.json", br#"{"proxies": {"https-proxy": "http://json:1"}}"#);
    let seen = docker();
    assert_eq!(seen.proxy(true).unwrap().shown, "http://json:1");
    assert!(seen.source.contains("daemon.json") && seen.source.contains("a.conf"), "{}", seen.source);
}

#[test]
fn readers_of_prod_env_that_disagree_are_told_apart() {
    let host = host("ubuntu");
    host.put("/divvycloud/prod.env", b"http_proxy=\"http://h:1\"\nhttps_proxy=http://h:1\n");
    let seen = seen(&host).consumers;
    let readers: Vec<_> =
        seen.iter().filter(|own| own.consumer == Who::ProdEnv).filter_map(|own| own.name.clone()).collect();
    assert_eq!(readers, ["docker-compose 1.25", "docker-compose 1.29, docker compose v2"]);
}

#[test]
fn logins_read_profile_scripts_after_the_environment() {
    let host = host("ubuntu");
    host.put("/etc/environment", b"http_proxy=http://first:1\nhttps_proxy=http://first:1\n");
    host.put("/etc/profile.d/z.sh", b"http_proxy=http://later:1\nexport no_proxy=$(hostname)\n");
    let login = one(&host, Who::Login);
    assert_eq!(login.proxy(false).unwrap().shown, "http://later:1", "exported already, so a plain assignment counts");
    assert_eq!(login.unknown.into_keys().collect::<Vec<_>>(), ["no_proxy"]);
}

#[test]
fn the_daemon_gets_what_its_unit_would_give_it() {
    const UNIT: &str = "/usr/lib/systemd/system/docker.service";
    const DROP_IN: &str = "/etc/systemd/system/docker.service.d/a.conf";
    let with = |files: &[(&str, &str)]| {
        let host = host("ubuntu");
        host.put(UNIT, b"[Service]\nEnvironment=HTTP_PROXY=http://env:1\nExecStart=/usr/bin/dockerd\n");
        files.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
        one(&host, Who::Docker)
    };
    let shown = |consumer: &Consumer| consumer.proxy(false).map(|value| value.shown.clone());
    let options = (DROP_IN, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --http-proxy=http://flag:1\n");
    assert_eq!(shown(&with(&[options])).as_deref(), Some("http://flag:1"));
    let both = with(&[options, ("/etc/docker/daemon.json", r#"{"proxies":{"http-proxy":"http://json:1"}}"#)]);
    assert_eq!(both.state, State::Unreadable, "the daemon does not start");
    assert_eq!(shown(&with(&[(DROP_IN, "[Service]\nUnsetEnvironment=HTTP_PROXY\n")])), None);
    let unknown = with(&[(DROP_IN, "[Service]\nEnvironment=HTTP_PROXY=http://%H:1\n")]);
    assert_eq!(unknown.unknown.into_keys().collect::<Vec<_>>(), ["HTTP_PROXY"]);
    let all = ("/etc/systemd/system.conf.d/5.conf", "[Manager]\nDefaultEnvironment=HTTPS_PROXY=http://all:1\n");
    assert_eq!(with(&[all]).proxy(true).unwrap().shown, "http://all:1");
    assert_eq!(with(&[(DROP_IN, "[Service]\nEnvironmentFile=/none\n")]).state, State::Unreadable);
    let snap = host("ubuntu");
    snap.put(
        "/etc/systemd/system/snap.docker.dockerd.service",
        b"[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n",
    );
    snap.put(DROP_IN, b"[Service]\nEnvironment=HTTP_PROXY=http://env:1\n");
    let snap = one(&snap, Who::Docker);
    assert!(snap.state == State::Seen && !snap.has_proxy(), "{snap:?}");
}
