//! That the lab is what the other tests take it for.

use std::time::Instant;

use crate::common::outside::{DOCKER_REPO, PROXY, PROXY_BARE};
use crate::common::{Booted, Compose, Engine, Family, Host, Site, report, until};

const PRODUCT: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";

/// A Test Drive, written by hand.
pub(super) fn test_drive() -> String {
    let service = |name: &str, command: &str, more: &str| {
        format!(
            "  {name}:\n    image: {PRODUCT}\n    command: [\"divvycloud\", {command}]\n    env_file: prod.env\n    \
             environment:\n      VIRTUAL_ENV: /\n    volumes:\n      - ./plugins:/plugins\n    restart: always\n{more}"
        )
    };
    let back_end = |name: &str, image: &str, port: &str, more: &str| {
        format!("  {name}:\n    image: {image}\n    ports: [\"{port}:{port}\"]\n    restart: always\n{more}")
    };
    [
        "version: '2.2'\nservices:\n".to_owned(),
        service("interfaceserver", "\"webserver\"", "    ports: [\"8001:8001\"]\n"),
        service("scheduler", "\"scheduler\", \"--db-upgrade\"", ""),
        service("worker", "\"worker\"", "    scale: 2\n"),
        back_end(
            "mysql",
            "divvycloud/quickstart-db",
            "3306",
            "    volumes: ['./data/db:/var/lib/mysql']\n    environment: {MYSQL_USER: divvy, MYSQL_PASSWORD: divvy}\n",
        ),
        back_end("redis", "redis", "6379", "    command: [\"redis-server\", \"--save\", \"\"]\n"),
    ]
    .concat()
}

pub(super) fn put(host: &Host, prod_env: &str) {
    host.write("divvycloud/docker-compose.yml", test_drive());
    host.write("divvycloud/prod.env", format!("DIVVY_DB_HOST=mysql\nDIVVY_REDIS_HOST=redis\n{prod_env}"));
    host.sh("mkdir -p /divvycloud/plugins");
}

fn counts(host: &Host) -> Vec<(String, usize)> {
    host.container_ids().into_iter().map(|(service, containers)| (service, containers.len())).collect()
}

/// The five services, two of them workers.
fn all_there(host: &Host) {
    let expected = [("interfaceserver", 1), ("mysql", 1), ("redis", 1), ("scheduler", 1), ("worker", 2)];
    assert_eq!(counts(host), expected.map(|(name, count)| (name.to_owned(), count)));
}

fn told(what: &str, began: Instant) {
    report(&format!("  install lab: {what} after {} ms", began.elapsed().as_millis()));
}

#[test]
fn a_test_drive_with_every_compose() {
    let began = Instant::now();
    let site = Site::new(Engine::V20_10);
    told("engine 20.10", began);
    assert!(site.sh("docker version -f '{{.Server.Version}}'").starts_with("20.10.24"));
    assert_eq!(site.status(), 0);
    assert!(site.run(&["ics-setup", "--version"]).expect(0).out.starts_with(b"ics-setup "));
    let began = Instant::now();
    site.load_images();
    told("images", began);

    let cycle = |command: &str, release: &str| {
        let began = Instant::now();
        let version = site.sh(&format!("{command} version --short"));
        assert_eq!(version.trim().trim_start_matches('v'), release);
        put(&site, "");
        site.sh(&format!("cd /divvycloud && {command} config -q && {command} up -d 2>&1"));
        site.healthy();
        all_there(&site);
        assert!(site.logs("scheduler").contains("the database is upgraded"));
        told(&format!("healthy with {release}"), began);
        site.sh(&format!("cd /divvycloud && {command} down -t 5 2>&1"));
        assert_eq!(counts(&site), []);
        site.sh(&format!("cp -a /divvycloud /{release}; rm -rf /divvycloud"));
    };
    cycle("docker-compose", "1.29.2");
    site.compose(Compose::Plugin);
    cycle("docker compose", "2.40.3");
    // The others read the same file.
    for (compose, command, release) in [
        (Compose::V1_25, "docker-compose", "1.25.5"),
        (Compose::V2_20, "docker compose", "2.20.1"),
        (Compose::Program, "docker-compose", "2.40.3"),
    ] {
        site.compose(compose);
        let told = site.sh(&format!("cd /1.29.2 && {command} version --short && {command} config -q 2>&1"));
        assert_eq!(told.lines().next().unwrap().trim_start_matches('v'), release);
    }
    site.compose(Compose::None);
    assert_ne!(site.run(&["docker", "compose", "version"]).code, Some(0));
    site.without_images();
    assert_eq!(site.sh("docker images -q"), "");

    // A port that another has, and gives back.
    site.load_images();
    site.compose(Compose::Plugin);
    put(&site, "");
    let other = site.serve(&["python3", "-m", "http.server", "8001"]);
    until(|| if site.status() == 404 { Ok(()) } else { Err("nobody listens".to_owned()) });
    let refused = site.run(&["sh", "-c", "cd /divvycloud && docker compose up -d"]);
    assert!(refused.code != Some(0) && refused.err.contains("address already in use"), "{refused}");
    site.sh(&format!("kill {other}; cd /divvycloud && docker compose up -d 2>&1"));
    site.healthy();
}

#[test]
fn faults_of_the_product_are_seen() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    assert!(site.sh("docker version -f '{{.Server.Version}}'").starts_with("26.1.5"));
    let up = |prod_env: &str| {
        let began = Instant::now();
        put(&site, prod_env);
        site.sh("cd /divvycloud && docker compose up -d 2>&1");
        told(&format!("up with {:?}", prod_env.trim()), began);
    };
    up("");
    site.healthy();
    all_there(&site);

    up("LAB_CRASH=worker\n");
    until(|| {
        let counts = site.inspect("worker", "{{.RestartCount}}");
        let loops = counts.iter().all(|count| count.parse::<u32>().unwrap() >= 2);
        if loops { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    assert!(site.logs("worker").contains("CRITICAL"));

    up("LAB_NEVER_HEALTHY=webserver\n");
    until(|| if site.status() == 503 { Ok(()) } else { Err(site.logs("interfaceserver")) });
    up("LAB_STATUS_HANGS=1\n");
    let hangs = ["curl", "-s", "--noproxy", "*", "-m", "2", "http://127.0.0.1:8001/Status"];
    until(|| if site.run(&hangs).code == Some(28) { Ok(()) } else { Err(site.logs("interfaceserver")) });

    // Another release migrates, and the first one refuses to go back.
    let newer = test_drive().replace("v22.3.9", "v22.12.7");
    put(&site, "LAB_MIGRATION=3\n");
    site.write("divvycloud/docker-compose.yml", newer);
    site.sh("cd /divvycloud && docker compose up -d 2>&1");
    until(|| match site.logs("worker").contains("Incorrect database schema, waiting for db to be upgraded") {
        true => Ok(()),
        false => Err(site.logs("worker")),
    });
    site.healthy();
    up("");
    let codes = || site.inspect("scheduler", "{{.RestartCount}} {{.State.ExitCode}}").concat();
    until(|| match codes().split_once(' ').unwrap() {
        ("0" | "1", _) => Err(site.logs("scheduler")),
        (_, "4") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    until(|| if site.status() == 503 { Ok(()) } else { Err(site.logs("interfaceserver")) });
    site.sh("cd /divvycloud && docker compose down -t 5 2>&1; rm -rf /divvycloud");

    // A fault in the image, for a prod.env that is another's. A wrong password is told in the server's words.
    site.fault(PRODUCT, &["DIVVY_DB_PASSWORD=S3cret-Wrong"]);
    up("");
    until(|| match site.logs("scheduler") {
        log if log.contains("DatabaseConnectivityValidationException: (1045, ") => Ok(()),
        log => Err(log),
    });
    // The kernel ends who takes more than it is given.
    site.sh(&format!("docker run -d --name eater -m 48m -e LAB_OOM=1 {PRODUCT} divvycloud worker"));
    until(|| match site.sh("docker inspect -f '{{.State.ExitCode}}' eater").trim() {
        "137" => Ok(()),
        code => Err(code.to_owned()),
    });
}

#[test]
fn outside_is_reached_through_the_proxy_alone() {
    let site = Site::new(Engine::V20_10);
    let began = Instant::now();
    let outside = site.registry();
    told("registry, proxy and files", began);
    let pull = |image: &str| site.run(&["docker", "pull", "-q", image]);
    let refused = pull(PRODUCT);
    assert!(refused.code == Some(1) && refused.err.contains("no such host"), "{refused}");
    site.stop_engine();
    site.start_engine(&[("HTTPS_PROXY", PROXY_BARE)], &[]);
    let refused = pull(PRODUCT);
    assert!(refused.err.contains("Proxy Authentication Required"), "{refused}");
    site.stop_engine();
    site.start_engine(&[("HTTPS_PROXY", PROXY)], &[]);
    for image in [PRODUCT, "public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7", "redis"] {
        pull(image).expect(0);
    }
    let log = outside.access_log();
    for asked in ["TCP_DENIED/407", "CONNECT public.ecr.aws:443 svc", "CONNECT registry-1.docker.io:443 svc"] {
        assert!(log.contains(asked), "{log}");
    }
    assert!(!log.contains("S3cret"));
    site.distrust();
    site.stop_engine();
    site.start_engine(&[("HTTPS_PROXY", PROXY)], &[]);
    let refused = pull(PRODUCT);
    assert!(refused.err.contains("certificate signed by unknown authority"), "{refused}");

    outside.put("one/file", "content");
    let fetch = |more: &[&str]| {
        site.run(
            &[&["curl", "-sS", "--cacert", "/opt/lab/images/ca.crt", "https://files.corp.example/one/file"], more]
                .concat(),
        )
    };
    assert_eq!(fetch(&["-x", PROXY]).expect(0).out, b"content");
    assert_eq!(fetch(&[]).code, Some(6));
    outside.direct(&site);
    assert_eq!(fetch(&[]).expect(0).out, b"content");

    // The product of a production, with the databases and its way out beyond the proxy.
    let began = Instant::now();
    let outside = site.backends();
    told("databases", began);
    outside.product_databases("S3cret-Db");
    let environment = format!(
        "DIVVY_DB_HOST=db.corp.example\nDIVVY_DB_PASSWORD=S3cret-Db\nDIVVY_SECRET_DB_HOST=db.corp.example\n\
         DIVVY_SECRET_DB_PASSWORD=S3cret-Db\nDIVVY_REDIS_HOST=redis.corp.example\nDIVVY_REDIS_PASSWORD=S3cret-Redis\n\
         LAB_EGRESS=backoffice.divvycloud.com:443\nhttps_proxy={PROXY}\n"
    );
    site.write("divvycloud/prod.env", environment);
    let run = |name: &str, more: &str, role: &str| {
        let command =
            format!("docker run -d --name {name} --env-file /divvycloud/prod.env {more} {PRODUCT} divvycloud {role}");
        site.sh(&command);
    };
    run("scheduler", "", "scheduler --db-upgrade");
    run("untrusting", "-p 8001:8001", "webserver");
    until(|| match site.sh("docker logs untrusting 2>&1") {
        log if log.contains("CERTIFICATE_VERIFY_FAILED") => Ok(()),
        log => Err(log),
    });
    site.sh("docker rm -f untrusting");
    let ca = "/opt/lab/images/ca.crt:/usr/local/share/ca-certificates/lab.crt";
    run("trusting", &format!("-p 8001:8001 -v {ca}"), "webserver");
    site.healthy();
    assert!(outside.mysql("show grants for divvy@'%'").contains("RELOAD"));
}

#[test]
fn a_full_disk_and_an_end_in_the_middle() {
    let site = Site::of(Engine::V26_1, Family::CentOs);
    assert!(site.read("/etc/os-release").contains("CentOS Linux 7"));
    site.small_disk(60);
    let full = site.run(&["docker", "load", "-i", "/opt/lab/images/images.tar"]);
    assert!(
        full.code != Some(0) && (full.err.clone() + &String::from_utf8_lossy(&full.out)).contains("no space left"),
        "{full}"
    );

    let said = site.kill_at(&["sh", "-c", "echo one; echo two >&2; exec sleep 100"], "two");
    assert!(said.contains("two"), "{said}");
    site.kill_when(&["sh", "-c", "touch /tmp/there; exec sleep 100"], || site.path("tmp/there").exists());
    let ran = site.kill_at_call(&["sh", "-c", "mkdir /tmp/1 /tmp/2 /tmp/3"], "mkdir", 2);
    assert!(ran.code != Some(0) && site.path("tmp/1").exists() && !site.path("tmp/2").exists(), "{ran}");
    assert_eq!(site.run(&["pgrep", "-x", "sleep"]).out.split(|byte| *byte == b'\n').count(), 2, "its own alone");
}

#[test]
fn a_booted_host_brings_the_product_up_again() {
    let began = Instant::now();
    let mut host = Booted::new(Engine::V20_10);
    told("a boot", began);
    host.load_images();
    put(&host, "");
    host.write(
        "etc/systemd/system/product.service",
        "[Unit]\nRequires=docker.service\nAfter=docker.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
         WorkingDirectory=/divvycloud\nExecStart=/usr/bin/docker-compose up -d\nExecStop=/usr/bin/docker-compose stop -t 5\n\
         [Install]\nWantedBy=multi-user.target\n",
    );
    host.sh("systemctl enable --now product.service 2>&1");
    host.healthy();
    all_there(&host);
    let before = host.container_ids();
    for cut in [false, true] {
        let began = Instant::now();
        if cut {
            host.power_cut()
        } else {
            host.reboot()
        };
        host.healthy();
        told(if cut { "healthy again, after a power cut," } else { "healthy again, in order," }, began);
    }
    let after = host.container_ids();
    assert!(before.keys().eq(after.keys()));
    for (service, containers) in &before {
        let kept = containers.iter().zip(&after[service]).all(|(old, new)| old.0 == new.0 && old.1 < new.1);
        assert!(kept, "{service} was not started again: {before:?} {after:?}");
    }
    assert_eq!(host.read("/etc/hostname"), "lab\n");
}

#[test]
fn a_bare_host_gets_an_engine_from_its_package_manager() {
    for engine in [Engine::V20_10, Engine::V26_1] {
        let host = Booted::new(engine);
        host.bare();
        if engine == Engine::V20_10 {
            // As Docker's own repository: the engine comes with it, and Compose as a plugin.
            host.registry();
            let (source, key) = DOCKER_REPO;
            host.write("etc/apt/sources.list.d/docker.list", format!("deb [signed-by={key}] {source} jammy stable\n"));
            host.write("etc/apt/apt.conf.d/90proxy", format!("Acquire::https::Proxy \"{PROXY}\";\n"));
            let install = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install docker-ce docker-compose-plugin";
            host.sh(&format!("apt-get -qq update && {install} </dev/null 2>&1"));
            assert_eq!(host.sh("docker compose version --short").trim_start_matches('v').trim(), "2.40.3");
            assert_eq!(host.sh("systemctl is-active docker").trim(), "active");
            continue;
        }
        for program in ["docker", "dockerd", "docker-compose"] {
            assert_ne!(host.run(&["sh", "-c", &format!("command -v {program}")]).code, Some(0), "{program} is there");
        }
        let began = Instant::now();
        host.sh("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install docker.io docker-compose </dev/null 2>&1");
        told("an engine by apt-get", began);
        assert_eq!(host.sh("systemctl is-active docker").trim(), "active");
        host.load_images();
        assert_eq!(host.sh("docker run --rm redis echo ran").trim(), "ran");
        host.sh("systemctl is-active cron");
    }
}
