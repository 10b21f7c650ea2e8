//! Hosts with a real ufw and a real firewalld: whom they keep from what the product publishes, and whether what `check` says and
//! advises is so.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::site::provisioned;
use crate::common::{Engine, Outside, PATH, Site, binary, leashed, name, need, need_root, scratch, skip, until};

/// Where the host is to those outside.
const HOST: &str = "10.9.0.1";

/// Debian's ufw of this machine, whose Python and iptables the host has, too.
fn put_ufw(site: &Site) {
    need(&["ufw", "dpkg"]);
    let files = Command::new("dpkg").args(["-L", "ufw"]).output().unwrap();
    let paths = String::from_utf8(files.stdout).unwrap();
    for path in paths.lines() {
        let of_documents =
            ["/usr/share/man", "/usr/share/doc", "/usr/share/locale"].iter().any(|own| path.starts_with(own));
        if !of_documents && Path::new(path).is_file() {
            site.write(path.trim_start_matches('/'), fs::read(path).unwrap());
        }
    }
    // As its package does when it is set up.
    site.sh(
        "for name in before before6 after after6 user user6; do cp /usr/share/ufw/iptables/$name.rules /etc/ufw/; done\n\
         cp /usr/share/ufw/ufw.conf /etc/ufw/; chmod 755 /usr/sbin/ufw /lib/ufw/ufw-init; chmod 640 /etc/ufw/*.rules\n\
         sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw; ufw --force enable; ufw status verbose | grep 'deny (incoming)'",
    );
}

fn firewall(site: &Site) -> Value {
    let words = ["ics-setup", "check", "host", "--only", "firewall", "--fail-on", "never", "--format", "json"];
    let json = site.run(&words).expect(0).json();
    let all = json["findings"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{json:#}");
    all[0].clone()
}

fn title(found: &Value) -> String {
    format!("{} {}", found["status"].as_str().unwrap(), found["title"].as_str().unwrap())
}

/// The command behind the words of an advice.
fn advised(found: &Value, words: &str) -> String {
    let all = found["advice"].as_array().unwrap();
    let line = all.iter().filter_map(Value::as_str).find_map(|line| line.split_once(words)).expect(words).1;
    line.split(';').next().unwrap().trim_start_matches("sudo ").to_owned()
}

#[test]
fn published_ports_pass_a_ufw_that_denies_all_and_what_is_advised_closes_and_opens_them() {
    for engine in [Engine::V20_10, Engine::V26_1] {
        let site = Site::new(engine);
        if site.run(&["python3", "--version"]).code != Some(0) {
            skip("install::firewall", &format!("{engine:?}"), "this host has no Python, which ufw is written in");
            continue;
        }
        let outside = site.outside();
        site.load_images();
        put_ufw(&site);
        // Labels say nothing to an engine on a host without SELinux.
        if !Path::new("/sys/fs/selinux/enforce").exists() {
            skip("install::firewall", "SELinux", "this kernel has none: labels are proven by the text that is planned");
        }
        let labelled = super::lab::test_drive()
            .replace("./plugins:/plugins", "./plugins:/plugins:z")
            .replace("./data/db:/var/lib/mysql", "./data/db:/var/lib/mysql:Z");
        super::lab::put(&site, "");
        site.write(
            "divvycloud/docker-compose.yml",
            labelled.replace("\"3306:", "\"127.0.0.1:3306:").replace("\"6379:", "\"127.0.0.1:6379:"),
        );
        let compose = match engine {
            Engine::V20_10 => "docker-compose",
            Engine::V26_1 => "docker compose",
        };
        site.sh(&format!("cd /divvycloud && {compose} up -d 2>&1"));
        site.healthy();
        for port in ["443", "9000"] {
            site.serve(&["python3", "-m", "http.server", port]);
            until(|| match site.run(&["bash", "-c", &format!(": </dev/tcp/127.0.0.1/{port}")]).code {
                Some(0) => Ok(()),
                _ => Err(port.to_owned()),
            });
        }
        let reached = |port: u16| reached(outside, port);

        // ufw does its work, and is not asked about what Docker publishes.
        assert!(!reached(9000) && !reached(443) && reached(8001));
        let open = firewall(&site);
        assert_eq!(title(&open), "warn ufw is on, and keeps nobody from port 8001", "{open:#}");
        let rule = advised(&open, "or let through whom you mean: ");
        let rule = rule.replace("<INTERFACE>", "out0").replace("<NETWORK-OF-USERS>", "192.0.2.0/24");
        site.sh(&rule);
        assert!(!reached(8001), "{rule}");
        let ruled = firewall(&site);
        assert_eq!(title(&ruled), "pass ufw is on, and rules in DOCKER-USER decide who reaches port 8001", "{ruled:#}");
        site.sh(&rule.replace("-I DOCKER-USER", "-D DOCKER-USER"));
        assert!(reached(8001));
        // What is kept for the next boot is loaded with all of ufw's own.
        let keep = advised(&open, "keep that for the next boot: ");
        let keep = keep.replace("<INTERFACE>", "out0").replace("<NETWORK-OF-USERS>", "192.0.2.0/24");
        let after = site.sh("cat /etc/ufw/after.rules");
        site.sh(&format!("{keep}; ufw reload"));
        assert!(!reached(8001) && !reached(9000), "{keep}");
        site.write("etc/ufw/after.rules", after);
        site.sh("iptables -F DOCKER-USER; ufw reload");
        assert!(reached(8001));

        // Behind a front door: that is what the firewall has to let in.
        site.sh(&format!(
            "cd /divvycloud && sed -i 's/\"8001:8001\"/\"127.0.0.1:8001:8001\"/' docker-compose.yml && {compose} up -d 2>&1"
        ));
        site.healthy();
        assert!(!reached(8001));
        let shut = firewall(&site);
        assert_eq!(title(&shut), "warn ufw keeps users from port 443, the server in front of the product", "{shut:#}");
        site.sh(&advised(&shut, "open it: "));
        assert!(reached(443));
        let fine = firewall(&site);
        assert_eq!(title(&fine), "pass ufw lets users reach port 443, the server in front of the product", "{fine:#}");

        // An engine that leaves iptables alone: its own forwarder listens, and ufw is asked.
        site.stop_engine();
        site.write("etc/docker/daemon.json", "{\"iptables\": false}");
        site.sh("iptables -t nat -F; iptables -F DOCKER; iptables -F DOCKER-USER");
        site.start_engine(&[], &[]);
        site.sh(&format!(
            "cd /divvycloud && sed -i 's/\"127.0.0.1:8001:8001\"/\"8001:8001\"/' docker-compose.yml && {compose} up -d --no-deps interfaceserver 2>&1"
        ));
        assert!(!reached(8001));
        let left = firewall(&site);
        assert_eq!(title(&left), "warn ufw keeps users from port 8001, the product", "{left:#}");
        site.sh(&advised(&left, "open it: "));
        until(|| if reached(8001) { Ok(()) } else { Err("8001".to_owned()) });
    }
}

/// Does somebody outside get a connection to this port of the host?
fn reached(outside: &Outside, port: u16) -> bool {
    outside.reaches(HOST, port)
}

/// The same with this machine's own firewalld, which is nftables', and its engine, in namespaces of their own: those two cannot be
/// had in a host of the lab. A person outside is in a network of its own behind a cable.
#[test]
fn published_ports_pass_a_zone_of_firewalld_and_what_is_advised_opens_its_front_door() {
    need_root();
    need(&["dockerd", "firewalld", "firewall-cmd", "dbus-daemon", "ip", "nsenter", "python3", "iptables"]);
    let folder = scratch("firewalld");
    let script = r#"set -eu
        mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/log; mkdir -p /run/dbus /run/firewalld /run/home
        cp -a /etc/firewalld "$FOLDER/"; mount --bind "$FOLDER/firewalld" /etc/firewalld
        ip link set lo up
        unshare --net sleep 1000 & person=$!
        while [ "$(readlink /proc/$person/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
        ip link add out0 type veth peer name in0 netns $person
        ip addr add 10.9.0.1/24 dev out0; ip link set out0 up
        nsenter --target $person --net sh -c 'ip addr add 10.9.0.2/24 dev in0; ip link set in0 up'
        dbus-daemon --system --fork
        firewalld --nofork --nopid >/run/firewalld.log 2>&1 &
        until firewall-cmd --state >/dev/null 2>&1; do sleep 0.2; done
        "$@" >/run/dockerd.log 2>&1 &
        until docker version >/dev/null 2>&1; do sleep 0.2; done
        docker load -qi "$IMAGES" >/dev/null
        docker run -d -p 8001:6379 redis redis-server --protected-mode no >/dev/null
        for port in 9000 443; do python3 -m http.server $port >/dev/null 2>&1 & done
        for port in 8001 9000 443; do until bash -c ": </dev/tcp/10.9.0.1/$port" 2>/dev/null; do sleep 0.2; done; done
        reached() { nsenter --target $person --net timeout 10 bash -c ": </dev/tcp/10.9.0.1/$1" 2>/dev/null && echo "reached $1" || echo "not $1"; }
        comes() { for _ in $(seq 60); do [ "$(reached "$1")" != "reached $1" ] || break; sleep 0.5; done; reached "$1"; }
        check() {
            printf 'services:\n  interfaceserver:\n    ports: ["%s"]\n' "$1" >/run/home/docker-compose.yml
            "$TOOL" check host --only firewall --home /run/home --fail-on never --format json | tr -d '\n'; echo
        }
        reached 9000; reached 443; reached 8001
        check 8001:8001
        check 127.0.0.1:8001:8001 >/run/shut; cat /run/shut
        line=$(python3 -c 'import json; print(json.load(open("/run/shut"))["findings"][0]["advice"][0].split("open it: ")[1])')
        sh -c "$line" >/dev/null
        # The engine puts its own rules back once firewalld has told it of its new ones.
        comes 443; comes 8001
        check 127.0.0.1:8001:8001"#;
    let engine = [
        "dockerd".to_owned(),
        "--storage-driver=vfs".to_owned(),
        format!("--data-root={}", folder.path().join("data").display()),
        format!("--cgroup-parent=/{}", name()),
    ];
    let mut command = leashed(&["--net", "--uts", "--ipc"], "bash");
    command.args(["-c", script, "bash"]).args(engine).env_clear().env("PATH", PATH);
    command.env("TOOL", fs::canonicalize(binary()).unwrap()).env("FOLDER", folder.path());
    let output = command.env("IMAGES", provisioned().join("images/images.tar")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = said
        .lines()
        .map(|line| match serde_json::from_str::<Value>(line) {
            Ok(json) => title(&json["findings"][0]),
            Err(_) => line.to_owned(),
        })
        .collect();
    assert_eq!(
        lines,
        [
            "not 9000",
            "not 443",
            "reached 8001",
            "warn firewalld is on, and keeps nobody from port 8001",
            "warn firewalld keeps users from port 443, the server in front of the product",
            "reached 443",
            "reached 8001",
            "pass firewalld lets users reach port 443, the server in front of the product",
        ]
    );
}
