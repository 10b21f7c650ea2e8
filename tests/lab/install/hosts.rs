//! An upgrade over three hosts that share MySQL and Redis: in which order, killed anywhere, taken back before the schema moves.
//! Nowhere does an old image work on the new schema.

use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::outside::{REDIS_PASSWORD, further};
use crate::common::{Engine, Host, Site, child_of, report, until};

use super::roles::{NEWER, Running, finding, words};
use super::whole::ics_setup;

const OLDER: &str = "v22.3.9";
const UPGRADE: [&str; 3] = ["reconfigure", "--image", NEWER];
const WAITS: &str = "waiting for the scheduler of another host";

/// Looks all the time whether a container of the old image runs on this host while the schema is the new one. Its session is in no
/// database, as that of somebody who watches a server.
const WATCHER: &str = "
import pymysql, subprocess, time
server = pymysql.connect(host='10.9.0.2', user='divvy', password='S3cret-Db', autocommit=True)
with open('/root/watched', 'w', buffering=1) as file:
    while True:
        with server.cursor() as cursor:
            cursor.execute('select name from divvy.lab_release')
            schema = cursor.fetchone()[0]
        images = subprocess.run(['docker', 'ps', '--no-trunc', '--format', '{{.Image}}'], capture_output=True, text=True).stdout
        if schema != 'v22.3.9':
            file.write('OLD\\n' if 'v22.3.9' in images else 'new\\n')
        time.sleep(0.1)
";

/// A session that is kept, as the pool of a product that works keeps some.
const POOL: &str = "
import pymysql, time
server = pymysql.connect(host='10.9.0.2', user='divvy', password='S3cret-Db', database='divvy')
time.sleep(10000)
";

fn images(host: &Host) -> String {
    host.sh("docker ps --no-trunc --format '{{.Image}}'")
}

/// Is all of the product there that is to be, with this image, and well?
#[track_caller]
fn is_well(host: &Host, tag: &str) {
    let images = images(host);
    assert!(!images.is_empty() && images.lines().all(|image| image.ends_with(tag)), "{tag}: {images}");
    until(|| match host.logs("worker") + &host.logs("interfaceserver") {
        log if log.lines().last().is_some_and(|line| line.ends_with("healthy")) => Ok(()),
        log => Err(log),
    });
}

impl Running {
    /// Ends it with this signal, as a person or the kernel would.
    #[track_caller]
    fn end(mut self, host: &Host, signal: Signal) -> Option<i32> {
        if self.child.try_wait().unwrap().is_some() {
            panic!("it has ended by itself:\n{}", self.ends(host));
        }
        // Behind nsenter there is `timeout`, whose only child it is.
        let timeout = child_of(self.child.id()).unwrap();
        let run = child_of(timeout.parse().unwrap()).unwrap();
        kill(Pid::from_raw(run.parse().unwrap()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// These hosts are brought to wait, by these commands.
#[track_caller]
fn waiting<const COUNT: usize>(hosts: [(&Host, &[&str]); COUNT]) -> [Running; COUNT] {
    let mut runs = hosts.map(|(host, words)| Running::start(host, words));
    runs.iter_mut().zip(hosts).for_each(|(run, (host, _))| run.says(host, WAITS));
    runs
}

/// What is printed behind the last colon of a sentence about the host with this address.
#[track_caller]
fn command<'j>(sentences: &'j Value, address: &str) -> &'j str {
    let mut all = sentences.as_array().unwrap().iter().filter_map(Value::as_str);
    let says = format!("or, to give this upgrade up: on {address}, ");
    let sentence = all.find(|one| one.starts_with(&says)).unwrap_or_else(|| panic!("{address} in {sentences:#}"));
    sentence.rsplit_once(": ").unwrap().1
}

#[test]
fn three_hosts_are_upgraded_in_order_and_killed_at_each_step() {
    let began = Instant::now();
    let told = |what: &str| report(&format!("  install hosts: {what} after {} ms", began.elapsed().as_millis()));
    // What watches them is at home in the root of this engine.
    let [a, b, c] = [Engine::V20_10; 3].map(Site::new);
    told("engines");
    let outside = a.backends();
    outside.product_databases("S3cret-Db");
    outside.joins(&b, 1);
    outside.joins(&c, 2);
    for site in [&a, &b, &c] {
        site.load_images();
        site.write("root/db", "S3cret-Db\n");
        site.write("root/redis", REDIS_PASSWORD);
    }
    told("images");
    let installs = [(&a, "interface,scheduler"), (&b, "worker"), (&c, "worker")].map(|(site, role)| {
        let roles = ["--role", role, "--workers", "1"];
        (site, Running::start(site, &words(if role == "worker" { &roles } else { &roles[..2] })))
    });
    installs.into_iter().for_each(|(site, run)| drop(run.ends(site).expect(0)));
    [&a, &b, &c].into_iter().for_each(|site| drop(site.serve(&["python3", "-c", WATCHER])));
    b.serve(&["python3", "-c", POOL]);
    let sessions = format!(
        "select count(*) from information_schema.processlist where db = 'divvy' and command = 'Sleep' and host like '{}:%'",
        further(1)
    );
    until(|| match outside.mysql(&sessions) {
        count if count.trim() != "0" => Ok(()),
        count => Err(count),
    });
    told("three hosts");

    // Whoever starts the interface of the first one by itself starts its scheduler too; the third one has one that stands by.
    let file = a.read("/divvycloud/docker-compose.yml");
    a.write(
        "/divvycloud/docker-compose.yml",
        file.replace("    ports:\n", "    depends_on: [scheduler]\n    ports:\n"),
    );
    a.sh("cd /divvycloud && docker-compose up -d 2>&1");
    until(|| match ics_setup(&c, &["reconfigure", "--role", "scheduler,worker"]) {
        ran if ran.code == Some(0) => Ok(()),
        ran => Err(ran.to_string()),
    });
    told("two schedulers");

    // The host with the scheduler does not begin while another one works with the old image.
    let before = (a.container_ids(), a.read("/divvycloud/docker-compose.yml"));
    let is_refused = || {
        let refused = ics_setup(&a, &UPGRADE).expect(4).json();
        let hosts = finding(&refused, "upgrade-hosts").unwrap_or_else(|| panic!("{refused:#}"));
        assert!(hosts["status"] == "fail" && hosts["title"].as_str().unwrap().contains(&further(1)), "{hosts:#}");
        let first = hosts["advice"][0].as_str().unwrap().rsplit_once(": ").unwrap().1;
        assert_eq!(first, format!("sudo ics-setup reconfigure --restart --image {NEWER}"));
        assert_eq!((a.container_ids(), a.read("/divvycloud/docker-compose.yml")), before);
    };
    is_refused();

    // A host of workers is killed where it can be, and waits again by the same command.
    let all = [&["ics-setup"], &UPGRADE[..], &["--yes"]].concat();
    for marker in ["stopping ", "starting the product", WAITS] {
        b.kill_at(&all, marker);
    }
    is_refused();

    // Of two schedulers neither would wait for the other one: what is printed brings one of them to.
    let refused = ics_setup(&c, &UPGRADE).expect(4).json();
    let hosts = finding(&refused, "upgrade-hosts").unwrap_or_else(|| panic!("{refused:#}"));
    let without = hosts["advice"][1].as_str().unwrap().rsplit_once(": ").unwrap().1.to_owned();
    let without: Vec<&str> = without.split(' ').skip(2).collect();
    let runs = waiting([(&b, &UPGRADE), (&c, &without)]);
    told("two hosts wait");

    // Also what cannot be fetched leaves others waiting.
    a.sh(&format!("docker tag {NEWER} lab/whole; docker rmi {NEWER}"));
    let failed = ics_setup(&a, &UPGRADE);
    assert!(failed.code != Some(0) && (a.container_ids(), a.read("/divvycloud/docker-compose.yml")) == before);
    let failed = failed.json();
    for number in [1, 2] {
        assert!(command(&failed["error"]["try"], &further(number)).contains("revert"), "{failed:#}");
    }

    // What fails before the schema moves brings the old image back, and says how it comes back on the others.
    a.sh(&format!(
        "printf 'FROM lab/whole\\nENTRYPOINT [\"/nothing\"]\\n' | \
         DOCKER_BUILDKIT=0 docker build -q -t {NEWER} -"
    ));
    let failed = ics_setup(&a, &UPGRADE).expect(5).json();
    assert_eq!((a.status(), &failed["outcome"]), (200, &Value::from("restored")), "{failed:#}");
    let mut back = Vec::new();
    for ((run, site), number) in runs.into_iter().zip([&b, &c]).zip([1, 2]) {
        assert_eq!(run.end(site, Signal::SIGTERM), Some(130));
        if number == 2 {
            // A scheduler that comes to a host which waits moves the schema as any: there is a backup first.
            let role = ics_setup(site, &["reconfigure", "--role", "interface,scheduler,worker", "--dry-run"]).json();
            let backup = finding(&role, "upgrade-backup").unwrap_or_else(|| panic!("{role:#}"));
            assert_eq!(backup["title"], "both databases are dumped before the upgrade", "{role:#}");
        }
        let words: Vec<&str> = command(&failed["error"]["try"], &further(number)).split(' ').collect();
        // A run that only went on has no name of its own.
        assert!(words[..3] == ["sudo", "ics-setup", "revert"] && words.len() == 4 + usize::from(number), "{words:?}");
        // From here alone nobody knows whether the schema has moved.
        ics_setup(site, &["revert", "--dry-run"]).expect(4);
        back.push((site, Running::start(site, &words[2..])));
    }
    for (site, run) in back {
        assert_eq!(run.ends(site).expect(0).json()["outcome"], "changed");
        is_well(site, OLDER);
    }
    told("all of them are back");

    // And on: the scheduler's host killed at each step, a host of workers while the schema moves.
    a.sh(&format!("docker tag lab/whole {NEWER}"));
    a.fault(NEWER, &["LAB_MIGRATION=6"]);
    let [beside, left] = waiting([(&b, &UPGRADE), (&c, &without)]);

    // One that has waited works again while the databases are dumped: that is seen before the scheduler starts.
    a.sh("mkdir /kept; for name in mysqldump mariadb-dump; do cp -L /usr/bin/$name /kept; rm /usr/bin/$name; \
          printf '#!/bin/sh\ncase \"$*\" in *--version*) ;; *) sleep 20 ;; esac\nexec /kept/%s \"$@\"\n' $name >/usr/bin/$name; \
          chmod 755 /usr/bin/$name; done");
    let mut run = Running::start(&a, &UPGRADE);
    run.says(&a, "dumping the databases");
    left.end(&c, Signal::SIGTERM);
    let pool = c.serve(&["python3", "-c", POOL]);
    let refused = run.ends(&a).expect(5).json();
    assert_eq!(refused["error"]["id"], "upgrade-hosts", "{refused:#}");
    assert_eq!(a.status(), 200, "{refused:#}");
    is_well(&a, OLDER);
    c.sh(&format!("kill {pool}"));
    a.sh("cp /kept/* /usr/bin");
    let [last] = waiting([(&c, &without)]);
    told("who came back was seen");
    let moves = "the scheduler upgrades the schema";
    for marker in ["stopping ", "dumping the databases", "they are dumped", "starting the product", moves] {
        a.kill_at(&all, marker);
        told(marker);
    }
    beside.end(&b, Signal::SIGKILL);
    let ended = ics_setup(&a, &UPGRADE).expect(0).json();
    assert_eq!(a.status(), 200, "{ended:#}");
    assert_eq!(last.ends(&c).expect(0).json()["outcome"], "changed");
    ics_setup(&b, &UPGRADE).expect(0);
    assert_eq!(outside.mysql("select name from divvy.lab_release").trim(), "v22.12.7");
    for site in [&a, &b, &c] {
        is_well(site, "v22.12.7");
        assert_eq!(ics_setup(site, &UPGRADE).expect(0).json()["outcome"], "unchanged");
        // Files alone lead nowhere, on none of them.
        let back = ics_setup(site, &["revert", "--dry-run"]).expect(4).json();
        assert!(finding(&back, "schema-moved").is_some(), "{back:#}");
        let watched = site.read("/root/watched");
        assert!(watched.contains("new") && !watched.contains("OLD"), "{watched}");
    }
    told("all of them are new");
}

#[test]
fn a_scheduler_that_comes_to_a_host_that_waits_has_the_databases_dumped_first() {
    let site = Site::new(Engine::V20_10);
    let outside = site.backends();
    outside.product_databases("S3cret-Db");
    site.load_images();
    site.write("root/db", "S3cret-Db\n");
    site.write("root/redis", REDIS_PASSWORD);
    ics_setup(&site, &words(&["--workers", "1"])).expect(0);
    let without = ["reconfigure", "--role", "interface,worker"];
    ics_setup(&site, &without).expect(0);
    let [run] = waiting([(&site, &UPGRADE)]);
    assert_eq!(run.end(&site, Signal::SIGTERM), Some(130));

    // Nobody here makes dumps, and nobody has said that there is one.
    let before = (site.container_ids(), site.read("/divvycloud/docker-compose.yml"));
    let with = ["reconfigure", "--role", "interface,scheduler,worker"];
    site.sh("mkdir /kept; mv /usr/bin/mysqldump /usr/bin/mariadb-dump /kept");
    let refused = ics_setup(&site, &with).expect(3).json();
    assert!(refused["error"]["id"] == "backup-missing" && refused["error"].to_string().contains("--backup-taken"));
    assert_eq!((site.container_ids(), site.read("/divvycloud/docker-compose.yml")), before);
    assert_eq!(outside.mysql("select name from divvy.lab_release").trim(), OLDER);
    site.sh("mv /kept/* /usr/bin");

    // Killed, it has no scheduler that would start without a dump.
    let all = [&["ics-setup"], &with[..], &["--yes"]].concat();
    for marker in ["dumping the databases", "starting the product"] {
        site.kill_at(&all, marker);
    }
    let done = ics_setup(&site, &with).expect(0).json();
    assert!(
        finding(&done, "upgrade-backup").is_some() && done["next_steps"].to_string().contains("/restore"),
        "{done:#}"
    );
    assert_eq!(outside.mysql("select name from divvy.lab_release").trim(), "v22.12.7");
    is_well(&site, "v22.12.7");
    assert_eq!(site.status(), 200);

    // Where the product works with the schema, the scheduler goes and comes as it likes, whatever somebody runs beside it.
    site.sh(&format!("docker tag {NEWER} lab/beside:1"));
    let file = site.read("/divvycloud/docker-compose.yml");
    let beside = "services:\n  statsd:\n    image: lab/beside:1\n    entrypoint: [sleep, \"10000\"]\n";
    site.write("/divvycloud/docker-compose.yml", file.replacen("services:\n", beside, 1));
    site.sh("cd /divvycloud && docker-compose up -d statsd 2>&1");
    ics_setup(&site, &without).expect(0);
    let beside = site.container_ids();
    until(|| match ics_setup(&site, &[&with[..], &["--dry-run"]].concat()).expect(0).json() {
        dry if finding(&dry, "upgrade-backup").is_none() => Ok(()),
        dry => Err(dry.to_string()),
    });
    ics_setup(&site, &with).expect(0);
    let mut after = site.container_ids();
    assert!(after.remove("scheduler").is_some() && after == beside, "{beside:?} {after:?}");
}
