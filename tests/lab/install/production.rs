//! Production: MySQL and Redis elsewhere, images through a proxy with a login.

use serde_json::Value;

use crate::common::outside::{ADDRESS, MYSQL_ADMIN, PROXY, PROXY_BARE, REDIS_PASSWORD};
use crate::common::{Engine, Site, until};

use super::lab::test_drive;
use super::whole::{action, ics_setup, install, state};

/// What the daemon has when it was started after its proxy was set: here no systemd starts it.
pub(super) fn engine_behind(site: &Site, proxy: &str) {
    site.stop_engine();
    let no_proxy = "mysql,redis,169.254.169.254";
    site.start_engine(&[("HTTP_PROXY", proxy), ("HTTPS_PROXY", proxy), ("NO_PROXY", no_proxy)], &[]);
}

fn error(json: &Value) -> String {
    json["error"].to_string()
}

#[test]
fn through_a_proxy_with_a_login_and_with_another_password_later() {
    let site = Site::new(Engine::V20_10);
    site.without_images();
    let outside = site.registry();
    site.backends();
    site.write("root/db", "S3cret-Db\n");
    site.write("root/redis", REDIS_PASSWORD);
    site.write("root/admin", MYSQL_ADMIN.1);
    // The endpoints of the lab have certificates of its own authority, which containers trust by the vendor's mount.
    site.sh("mkdir -p /divvycloud && cp /usr/local/share/ca-certificates/lab.crt /divvycloud/proxy_cert.crt");
    let words = [
        "--release",
        "22.3.9",
        "--mysql-host",
        ADDRESS,
        "--mysql-password-file",
        "/root/db",
        "--redis-host",
        ADDRESS,
        "--redis-password-file",
        "/root/redis",
        "--proxy",
        PROXY,
        "--workers",
        "2",
        // The lab is a small machine, and its MySQL is a MariaDB.
        "--ignore-check",
        "cpu-cores",
        "--ignore-check",
        "mysql-version",
    ];
    let admin =
        ["--create-databases", "--mysql-admin-user", MYSQL_ADMIN.0, "--mysql-admin-password-file", "/root/admin"];

    // Without databases there is nothing to start with, and nothing is written for it.
    let bare = install(&site, &words);
    assert_eq!(bare.code, Some(4), "{bare}");
    assert_eq!(site.sh("ls -A /divvycloud").trim(), "proxy_cert.crt");

    // The daemon has another password for the proxy: nothing of the product is left, images that came stay.
    engine_behind(&site, &PROXY_BARE.replace("http://", "http://svc:wrong@"));
    let refused = install(&site, &[&words[..], &admin].concat());
    let json = refused.json();
    assert_eq!((refused.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{refused}");
    assert_eq!(state(&json, "fetch"), "failed", "{json:#}");
    assert!(error(&json).contains("407") || error(&json).to_lowercase().contains("proxy"), "{json:#}");
    assert!(site.run(&["ls", "/divvycloud/prod.env"]).code != Some(0));
    assert!(site.run(&["id", "divvy"]).code != Some(0));

    engine_behind(&site, PROXY);
    let json = install(&site, &[&words[..], &admin].concat()).expect(0).json();
    for stage in ["prepare", "accounts", "files", "fetch", "databases", "start", "healthy"] {
        assert_eq!(state(&json, stage), "changed", "{json:#}");
    }
    assert_eq!(site.status(), 200);
    assert_eq!(json["containers"].as_array().unwrap().len(), 3);
    let log = outside.access_log();
    assert!(log.contains("CONNECT public.ecr.aws:443"), "{log}");
    for name in ["interfaceserver", "scheduler", "mysql", "redis"] {
        assert!(!log.contains(name), "{name} in {log}");
    }
    let before = site.container_ids();
    let again = install(&site, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");
    assert_eq!(site.container_ids(), before);

    // A password that the server does not take changes nothing.
    site.write("root/db2", "S3cret-New\n");
    let moved = ["reconfigure", "--mysql-password-file", "/root/db2", "--ignore-check", "mysql-version"];
    let early = ics_setup(&site, &moved);
    assert_eq!(early.code, Some(4), "{early}");
    assert_eq!(site.container_ids(), before);
    outside.mysql("ALTER USER divvy IDENTIFIED BY 'S3cret-New'");
    let json = ics_setup(&site, &moved).expect(0).json();
    assert_eq!(action(&json, "worker"), "recreate", "{json:#}");
    assert_eq!(site.status(), 200);

    // Another way out: the containers are made anew and see it.
    let json = ics_setup(&site, &["reconfigure", "--no-proxy", "site.corp.example"]).expect(0).json();
    assert_eq!(json["outcome"], "changed", "{json:#}");
    let seen = site.inspect("scheduler", "{{json .Config.Env}}").concat();
    assert!(seen.contains("site.corp.example"), "{seen}");
}

/// What the product has from its secret stands in the image here, under names of its own: nothing of it is in `prod.env`.
#[test]
fn the_databases_come_from_a_secret_that_nobody_but_the_product_reads() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    let outside = site.backends();
    outside.product_databases("S3cret-Db");
    site.write("root/redis", REDIS_PASSWORD);
    let secret = ["LAB_SECRET_DIVVY_DB", "LAB_SECRET_DIVVY_SECRET_DB"].map(|kind| {
        [format!("{kind}_HOST={ADDRESS}"), format!("{kind}_USERNAME=divvy"), format!("{kind}_PASSWORD=S3cret-Db")]
    });
    let secret: Vec<&str> = secret.iter().flatten().map(String::as_str).collect();
    site.fault("public.ecr.aws/divvycloud/divvycloud:v22.3.9", &secret);
    let words = [
        "--release",
        "22.3.9",
        "--aws-secret",
        "prod/ics",
        "--aws-region",
        "us-east-1",
        "--redis-host",
        ADDRESS,
        "--redis-password-file",
        "/root/redis",
        "--workers",
        "1",
        "--ignore-check",
        "cpu-cores",
    ];
    let refused = install(&site, &[&words[..], &["--create-databases", "--mysql-admin-user", MYSQL_ADMIN.0]].concat());
    assert_eq!(
        (refused.code, refused.json()["error"]["id"].as_str()),
        (Some(3), Some("settings-conflict")),
        "{refused}"
    );
    let json = install(&site, &words).expect(0).json();
    assert_eq!((state(&json, "databases"), state(&json, "verify")), ("skipped".into(), "done".into()), "{json:#}");
    let stages = json["stages"].to_string();
    assert!(stages.contains("in AWS secret prod/ics, not looked up"), "{stages}");
    assert!(json["findings"].to_string().contains("in AWS secret prod/ics, not looked up"), "{json:#}");
    assert_eq!(site.status(), 200);
    let seen = site.inspect("scheduler", "{{json .Config.Env}}").concat();
    assert!(seen.contains("secret_name=prod/ics") && seen.contains("REGION=us-east-1"), "{seen}");
    assert!(!seen.contains("DIVVY_DB_HOST=mysql"), "{seen}");
    let before = site.container_ids();
    assert_eq!(install(&site, &words).expect(0).json()["outcome"], "unchanged");
    assert_eq!(site.container_ids(), before);

    // Back to lines of its own, which are asked first.
    site.write("root/db", "S3cret-Db\n");
    let out = ["reconfigure", "--no-secrets-provider", "--mysql-host", ADDRESS, "--mysql-password-file", "/root/db"];
    let json = ics_setup(&site, &[&out[..], &["--ignore-check", "mysql-version"]].concat()).expect(0).json();
    assert_eq!(action(&json, "scheduler"), "recreate", "{json:#}");
    assert!(json["findings"].to_string().contains("mysql-login"), "{json:#}");
    assert_eq!(site.status(), 200);
    assert!(!site.inspect("scheduler", "{{json .Config.Env}}").concat().contains("prod/ics"));
}

#[test]
fn the_product_itself_asks_outside_through_the_proxy_and_the_proxy_for_nothing_inside() {
    const ASKED: &str = "backoffice.divvycloud.com:443";
    let site = Site::new(Engine::V20_10);
    site.load_images();
    let outside = site.registry();
    // It is well only while its own requests get there, and trusts what is mounted into it.
    site.fault("public.ecr.aws/divvycloud/divvycloud:v22.3.9", &[&format!("LAB_EGRESS={ASKED}")]);
    site.sh("mkdir -p /divvycloud && cp /usr/local/share/ca-certificates/lab.crt /divvycloud/proxy_cert.crt");
    let compose = test_drive()
        .replace("/plugins\n", "/plugins\n      - ./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt\n");
    site.write("divvycloud/docker-compose.yml", compose);
    let words = ["--deployment", "test-drive", "--release", "22.3.9", "--ignore-check", "cpu-cores"];

    // Without the proxy nothing of it leads outside, and the product is never well.
    let shut = install(&site, &[&words[..], &["--healthy-within", "20s"]].concat());
    assert_eq!((shut.code, state(&shut.json(), "healthy").as_str()), (Some(5), "failed"), "{shut}");
    engine_behind(&site, PROXY);
    let json = install(&site, &[&words[..], &["--proxy", PROXY]].concat()).expect(0).json();
    assert_eq!(state(&json, "healthy"), "changed", "{json:#}");
    assert_eq!(site.status(), 200);

    // Once the run has ended, nobody but the product asks.
    let before = outside.access_log().lines().count();
    until(|| {
        site.status();
        let log = outside.access_log();
        let asks = log.lines().skip(before).any(|line| line.contains(&format!("CONNECT {ASKED} svc")));
        if asks { Ok(()) } else { Err(log) }
    });
    let log = outside.access_log();
    let of_compose = site.container_ids();
    assert_eq!(of_compose.len(), 5, "{of_compose:?}");
    for name in of_compose.keys() {
        assert!(!log.contains(name.as_str()), "{name} in {log}");
    }
    assert!(!log.contains("169.254.169.254"), "{log}");
}
