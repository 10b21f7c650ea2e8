//! That the lab is what the other tests take it for.

use std::time::Instant;

use crate::common::outside::{PROXY, PROXY_BARE};
use crate::common::{Booted, Compose, Engine, Host, Site, report, until};

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

fn put(host: &Host, prod_env: &str) {
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
        site.sh(&format!("cd /divvycloud && {command} up -d 2>&1"));
        site.healthy();
        all_there(&site);
        assert!(site.logs("scheduler").contains("the database is upgraded"));
        told(&format!("healthy with {release}"), began);
        site.sh(&format!("cd /divvycloud && {command} down -t 5 2>&1; rm -rf /divvycloud"));
        assert_eq!(counts(&site), []);
    };
    cycle("docker-compose", "1.29.2");
    site.compose(Compose::V1_25);
    cycle("docker-compose", "1.25.5");
    site.compose(Compose::Program);
    cycle("docker-compose", "2.40.3");
    site.compose(Compose::Plugin);
    cycle("docker compose", "2.40.3");
    site.compose(Compose::V2_20);
    cycle("docker compose", "2.20.1");
    site.compose(Compose::None);
    assert_ne!(site.run(&["docker", "compose", "version"]).code, Some(0));
    site.without_images();
    assert_eq!(site.sh("docker images -q"), "");
}
