//! A production of three hosts over one MySQL and one Redis, each with an engine of its own.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::common::outside::{ADDRESS, REDIS_PASSWORD, further};
use crate::common::{Compose, Engine, Host, Ran, Site, report, until};

use super::whole::{action, ics_setup, state};

pub(super) const NEWER: &str = "public.ecr.aws/divvycloud/divvycloud:v22.12.7";
const COMPOSE: &str = "/divvycloud/docker-compose.yml";

/// Flags that each host gets.
const WORDS: [&str; 14] = [
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
    // The lab is a small machine, and its MySQL is a MariaDB.
    "--ignore-check",
    "cpu-cores",
    "--ignore-check",
    "mysql-version",
];

pub(super) fn words<'w>(more: &[&'w str]) -> Vec<&'w str> {
    [&["install"], &WORDS[..], more].concat()
}

/// A run that goes on beside the test.
pub(super) struct Running {
    pub(super) child: Child,
    shown: String,
}

impl Running {
    pub(super) fn start(host: &Host, words: &[&str]) -> Self {
        let all = [&["timeout", "1800", "ics-setup"], words, &["--yes", "--format", "json"]].concat();
        let log = File::create(host.path("/root/said")).unwrap();
        let child = host.command(&all).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        Self { child, shown: words.join(" ") }
    }

    /// Waits until it says so.
    #[track_caller]
    pub(super) fn says(&mut self, host: &Host, words: &str) {
        until(|| match host.read("/root/said") {
            log if log.contains(words) => Ok(()),
            log if self.child.try_wait().unwrap().is_some() => {
                let mut json = String::new();
                self.child.stdout.take().unwrap().read_to_string(&mut json).unwrap();
                panic!("it has ended:\n{log}{json}");
            }
            log => Err(log),
        });
    }

    pub(super) fn ends(self, host: &Host) -> Ran {
        let ran = Ran::of(self.shown, self.child.wait_with_output().unwrap());
        Ran { err: host.read("/root/said"), ..ran }
    }
}

/// Each container by the service that it is of, with its start.
fn containers(host: &Host) -> Vec<(String, usize)> {
    host.container_ids().into_iter().map(|(service, all)| (service, all.len())).collect()
}

fn is(all: &[(&str, usize)]) -> Vec<(String, usize)> {
    all.iter().map(|(service, count)| ((*service).to_owned(), *count)).collect()
}

#[track_caller]
pub(super) fn finding<'j>(json: &'j Value, id: &str) -> Option<&'j Value> {
    json["findings"].as_array().unwrap().iter().find(|one| one["id"] == id)
}

#[test]
fn three_hosts_share_the_roles_of_one_production() {
    let began = Instant::now();
    let told = |what: &str| report(&format!("  install roles: {what} after {} ms", began.elapsed().as_millis()));
    let [a, b, c] = [Engine::V20_10, Engine::V20_10, Engine::V26_1].map(Site::new);
    let outside = a.backends();
    outside.product_databases("S3cret-Db");
    outside.joins(&b, 1);
    outside.joins(&c, 2);
    for site in [&a, &b, &c] {
        site.load_images();
        site.write("root/db", "S3cret-Db\n");
        site.write("root/redis", REDIS_PASSWORD);
    }
    b.compose(Compose::V1_25);
    told("three hosts");

    // The workers come first. That somebody has the port of the interface does not matter to a host without one; that the schema
    // is not there yet is waited for.
    c.serve(&["python3", "-m", "http.server", "8001"]);
    let mut first = Running::start(&c, &words(&["--role", "worker", "--workers", "2", "--healthy-within", "15s"]));
    first.says(&c, "waiting for the scheduler of another host");
    assert!(c.logs("worker").contains("Incorrect database schema, waiting for db to be upgraded"));
    told("a worker waits");
    // It waits longer than a start may take.
    std::thread::sleep(std::time::Duration::from_secs(12));

    // The server has a client of another host, when the scheduler comes.
    b.serve(&[
        "python3",
        "-c",
        &format!(
            "import pymysql, time\n\
             c = pymysql.connect(host='{ADDRESS}', user='divvy', password='S3cret-Db', database='divvykeys')\n\
             time.sleep(1000)"
        ),
    ]);
    let clients = format!("select count(*) from information_schema.processlist where host like '{}:%'", further(1));
    until(|| match outside.mysql(&clients) {
        count if count.trim() != "0" => Ok(()),
        count => Err(count),
    });
    let json = ics_setup(&a, &words(&["--role", "interface,scheduler"])).expect(0).json();
    assert_eq!((state(&json, "healthy").as_str(), a.status()), ("changed", 200), "{json:#}");
    assert_eq!(containers(&a), is(&[("interfaceserver", 1), ("scheduler", 1)]));
    let elsewhere = finding(&json, "scheduler-elsewhere").unwrap_or_else(|| panic!("{json:#}"));
    assert!(
        elsewhere["status"] == "warn" && elsewhere["title"].as_str().unwrap().contains(&further(1)),
        "{elsewhere:#}"
    );
    told("interface and scheduler");
    let second = Running::start(&b, &words(&["--role", "worker", "--workers", "1"]));
    let first = first.ends(&c).expect(0).json();
    assert_eq!(
        (state(&first, "healthy").as_str(), action(&first, "worker").as_str()),
        ("changed", "create"),
        "{first:#}"
    );
    let second = second.ends(&b).expect(0).json();
    assert!(finding(&second, "scheduler-elsewhere").is_none(), "{second:#}");
    told("workers");

    // One scheduler over all of them, and one upgrade of the schema.
    assert_eq!((containers(&b), containers(&c)), (is(&[("worker", 1)]), is(&[("worker", 2)])));
    assert_eq!(a.logs("scheduler").matches("the database is upgraded").count(), 1);
    assert!(c.logs("worker").contains("INFO healthy"));
    for site in [&a, &b, &c] {
        let json = site.run(&["ics-setup", "check", "runtime", "--format", "json"]).json();
        let wrong = json["findings"].as_array().unwrap().iter().filter(|one| one["status"] == "fail");
        assert_eq!(wrong.count(), 0, "{json:#}");
    }
    let again = ics_setup(&c, &words(&["--role", "worker"])).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");
    told("looked at");

    // The scheduler moves. What runs beside it is not touched, and what a person has written into the file stays.
    let mine = a.read(COMPOSE).replace(
        "    command: \"divvycloud scheduler --db-upgrade\"\n",
        "    command: \"divvycloud scheduler --db-upgrade\"\n    labels: {of: 'us'}   # why\n",
    );
    a.write(COMPOSE, &mine);
    a.sh("cd /divvycloud && docker-compose up -d 2>&1");
    let before = a.container_ids();
    let reconfigure =
        |site: &Site, role: &str, more: &[&str]| ics_setup(site, &[&["reconfigure", "--role", role], more].concat());
    let dry = reconfigure(&a, "interface", &["--dry-run"]).expect(0).json();
    assert_eq!(
        (action(&dry, "scheduler"), action(&dry, "interfaceserver")),
        ("remove".to_owned(), "keep".to_owned()),
        "{dry:#}"
    );
    assert_eq!((a.container_ids(), a.read(COMPOSE)), (before.clone(), mine.clone()));
    let json = reconfigure(&a, "interface", &[]).expect(0).json();
    assert_eq!(json["containers"], dry["containers"], "{json:#}");
    let after = a.container_ids();
    assert!(after["interfaceserver"] == before["interfaceserver"] && after.len() == 1, "{before:?} {after:?}");
    let beside = b.container_ids()["worker"].clone();

    // Nobody takes the last interface away unasked.
    let kept = (a.container_ids(), a.read(COMPOSE));
    let refused = reconfigure(&a, "worker", &[]);
    assert!(refused.code == Some(4) && finding(&refused.json(), "interface-dropped").is_some(), "{refused}");
    assert_eq!((a.container_ids(), a.read(COMPOSE)), kept);
    let file = a.read(COMPOSE);
    // Every Compose takes what is left of a file, with services that wait for one that goes.
    for (host, compose, command) in [
        (&b, Compose::V1_25, "docker-compose"),
        (&c, Compose::V2_20, "docker compose"),
        (&c, Compose::Plugin, "docker compose"),
        (&c, Compose::Program, "docker-compose"),
    ] {
        if host.run(&["test", "-e", "/image"]).code != Some(0) {
            let tied = "    depends_on: [scheduler, cache]\n    links:\n    - scheduler\n    ports:\n";
            let text = mine.replace("    ports:\n", tied) + "  cache:\n    image: redis\n";
            host.write("/image/divvycloud/docker-compose.yml", &text);
            host.write("/image/divvycloud/prod.env", "");
            host.write("/image/etc/os-release", host.read("/etc/os-release"));
            ics_setup(host, &["reconfigure", "--root", "/image", "--role", "interface"]).expect(0);
            let made = host.read("/image/divvycloud/docker-compose.yml");
            assert!(made.contains("    depends_on: [\"cache\"] # ics-setup") && made.contains("|    links:"), "{made}");
        }
        if compose != Compose::V1_25 {
            host.compose(compose);
        }
        host.sh(&format!("cd /image/divvycloud && {command} config -q 2>&1"));
    }
    c.compose(Compose::Plugin);
    let json = ics_setup(&b, &["reconfigure", "--role", "scheduler,worker"]).expect(0).json();
    assert_eq!(
        (action(&json, "scheduler"), action(&json, "worker")),
        ("create".to_owned(), "keep".to_owned()),
        "{json:#}"
    );
    assert_eq!(b.container_ids()["worker"], beside);
    assert!(b.logs("scheduler").contains("healthy") && !b.logs("scheduler").contains("upgraded"));
    told("the scheduler has moved");

    // Another role altogether, and all of it back.
    let json = reconfigure(&a, "worker", &["--workers", "1", "--ignore-check", "interface-dropped"]).expect(0).json();
    assert_eq!(containers(&a), is(&[("worker", 1)]), "{json:#}");
    assert_eq!(action(&json, "interfaceserver"), "remove", "{json:#}");
    told("another role");
    let back = Running::start(&b, &["revert"]);
    let json = ics_setup(&a, &["revert"]).expect(0).json();
    assert_eq!(
        (action(&json, "interfaceserver"), action(&json, "worker")),
        ("create".to_owned(), "remove".to_owned()),
        "{json:#}"
    );
    assert_eq!((a.read(COMPOSE), a.status()), (file, 200));
    let json = ics_setup(&a, &["revert"]).expect(0).json();
    assert_eq!(
        (action(&json, "scheduler"), action(&json, "interfaceserver")),
        ("create".to_owned(), "keep".to_owned()),
        "{json:#}"
    );
    assert_eq!((a.read(COMPOSE), a.status()), (mine, 200));
    let json = back.ends(&b).expect(0).json();
    assert_eq!(
        (action(&json, "scheduler"), action(&json, "worker")),
        ("remove".to_owned(), "keep".to_owned()),
        "{json:#}"
    );
    assert_eq!(b.container_ids(), [("worker".to_owned(), beside)].into());
    told("all of it is back");

    // Another release: the hosts of workers first, which back nothing up and wait, then that of the scheduler.
    let upgrade = ["reconfigure", "--image", NEWER];
    let mut waiting = [&b, &c].map(|site| Running::start(site, &upgrade));
    for (run, site) in waiting.iter_mut().zip([&b, &c]) {
        run.says(site, "waiting for the scheduler of another host");
    }
    let images = |site: &Site| site.inspect("worker", "{{json .Config.Image}}").concat();
    assert!(!images(&b).contains("v22.3.9") && !images(&c).contains("v22.3.9"), "{} {}", images(&b), images(&c));
    let json = ics_setup(&a, &upgrade).expect(0).json();
    let backup = finding(&json, "upgrade-backup").unwrap_or_else(|| panic!("{json:#}"));
    assert_eq!(backup["title"], "both databases are dumped before the upgrade", "{backup:#}");
    let others = finding(&json, "upgrade-hosts").unwrap_or_else(|| panic!("{json:#}"));
    assert!(others["status"] == "pass" && others["observed"].as_str().unwrap().contains(&further(1)), "{others:#}");
    assert_eq!(a.status(), 200);
    for (run, site) in waiting.into_iter().zip([&b, &c]) {
        let json = run.ends(site).expect(0).json();
        let backup = finding(&json, "upgrade-backup").unwrap_or_else(|| panic!("{json:#}"));
        assert!(backup["title"].as_str().unwrap().contains("host that has the scheduler"), "{backup:#}");
        assert_eq!((action(&json, "worker").as_str(), json["outcome"].as_str()), ("recreate", Some("changed")));
    }
    // No scheduler of this host has moved anything, and its product works with the new schema all the same.
    for site in [&a, &b] {
        let dry = ics_setup(site, &["revert", "--dry-run"]).expect(4).json();
        assert!(finding(&dry, "schema-moved").is_some(), "{dry:#}");
    }
    told("another release");
}
