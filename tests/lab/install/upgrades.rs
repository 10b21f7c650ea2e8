//! Another image of the product: backed up first, refused where it leads back, and no way back by files once it has begun.

use serde_json::Value;

use crate::common::outside::{ADDRESS, REDIS_PASSWORD};
use crate::common::{Compose, Engine, Host, Ran, Site, until};

use super::lab::test_drive;
use super::whole::{ics_setup, install};

const OLD: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";
const NEW: &str = "public.ecr.aws/divvycloud/divvycloud:v22.12.7";
const DUMPS: &str = "/var/lib/ics-setup/dumps";
const TEST_DRIVE: [&str; 2] = ["--deployment", "test-drive"];

/// A Test Drive with this image, by hand, and a row in each of its databases.
fn by_hand(host: &Host, compose: &str, image: &str) {
    let file = test_drive().replace(OLD, image).replace("MYSQL_PASSWORD: divvy", "MYSQL_PASSWORD: \"S3cret'Db\"");
    host.write("divvycloud/docker-compose.yml", file);
    let lines = [
        "DIVVY_DB_HOST=mysql",
        "DIVVY_REDIS_HOST=redis",
        "DIVVY_DB_PASSWORD=S3cret'Db",
        "DIVVY_SECRET_DB_PASSWORD=S3cret'Db",
    ];
    host.write("divvycloud/prod.env", lines.join("\n") + "\n");
    host.sh(&format!("mkdir -p /divvycloud/plugins; cd /divvycloud && {compose} up -d 2>&1"));
    host.healthy();
    for name in ["divvy", "divvykeys"] {
        sql(
            host,
            &format!(
                "create table {name}.mine (one int primary key, text blob); insert into {name}.mine values (1, x'00ff27')"
            ),
        );
    }
}

/// A statement as the product's user.
#[track_caller]
fn sql(host: &Host, statement: &str) -> String {
    let id = host.sh("docker ps -q --filter label=com.docker.compose.service=mysql").trim().to_owned();
    let words = [
        "docker",
        "exec",
        "-e",
        "MYSQL_PWD=S3cret'Db",
        &id,
        "mariadb",
        "-udivvy",
        "-h127.0.0.1",
        "-N",
        "-e",
        statement,
    ];
    String::from_utf8_lossy(&host.run(&words).expect(0).out).into_owned()
}

fn rows(host: &Host) -> String {
    sql(
        host,
        "select one, hex(text) from divvy.mine union all select one, hex(text) from divvykeys.mine; select name from divvy.lab_release",
    )
}

fn to<'w>(verb: &'w str, image: &'w str) -> Vec<&'w str> {
    [&[verb][..], if verb == "install" { &TEST_DRIVE } else { &[] }, &["--image", image]].concat()
}

#[track_caller]
fn refused(ran: &Ran, code: i32, words: &[&str]) {
    let error = ran.json()["error"].to_string();
    assert_eq!(ran.code, Some(code), "{ran}");
    words.iter().for_each(|word| assert!(error.contains(word), "{word} in {error}"));
}

fn finding<'j>(json: &'j Value, id: &str) -> &'j Value {
    let all = json["findings"].as_array().unwrap();
    all.iter().find(|own| own["id"] == id).unwrap_or_else(|| panic!("{id} in {json:#}"))
}

/// The commands behind the colons of sentences, as they were printed.
fn commands(sentences: &Value) -> Vec<String> {
    let all = sentences.as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    all.filter(|one| {
        one.starts_with("to go back")
            || one.starts_with("then bring")
            || one.starts_with("then take")
            || one.starts_with("then start")
    })
    .filter_map(|one| Some(one.rsplit_once(": ")?.1.to_owned()))
    .collect()
}

#[track_caller]
fn back_as_told(host: &Host, sentences: &Value) {
    let told = commands(sentences);
    assert!(told.len() == 4 && told[1].starts_with("sh /var/lib/ics-setup/dumps/"), "{told:?} {sentences:#}");
    for (index, command) in told.iter().enumerate() {
        host.sh(&format!("{command} 2>&1"));
        // With the files go the containers of the image that they have named: the next upgrade asks as the first one.
        let images = host.sh("docker ps -a --filter label=com.docker.compose.service=scheduler --format '{{.Image}}'");
        assert_eq!(images.contains(NEW), index < 2, "{command}: {images}");
    }
    host.healthy();
}

#[test]
fn a_dump_of_its_own_is_made_first_and_leads_back() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    by_hand(&site, "docker-compose", OLD);
    let (before, ids) = (rows(&site), site.container_ids());

    // A dry run tells of it and makes none.
    let dry =
        ics_setup(&site, &[&to("reconfigure", NEW)[..], &["--dry-run", "--exit-code"]].concat()).expect(10).json();
    assert!(finding(&dry, "upgrade-backup")["observed"].to_string().contains("mysqldump in the container"), "{dry:#}");
    assert!(site.run(&["ls", DUMPS]).code != Some(0) && site.container_ids() == ids);

    let done = ics_setup(&site, &to("reconfigure", NEW)).expect(0).json();
    assert_eq!(finding(&done, "upgrade-direction")["status"], "pass");
    let steps = done["next_steps"].to_string();
    for word in [DUMPS, "/restore", OLD, "MB; once you are sure", "ics-setup prune --images"] {
        assert!(steps.contains(word), "{word} in {steps}");
    }
    assert_eq!(
        site.sh(&format!("cd {DUMPS}/* && stat -c '%a %n' . *")),
        "700 .\n600 dump.sql\n600 password\n600 restore\n"
    );
    assert_eq!(rows(&site), before.replace("v22.3.9", "v22.12.7"));
    assert_eq!(site.container_ids()["mysql"], ids["mysql"]);

    // The files alone do not lead back; the dump does, by the commands that are named.
    sql(&site, "insert into divvy.mine values (2, 'later'); create table divvy.later (one int)");
    let stays = site.container_ids();
    let back = ics_setup(&site, &["revert"]);
    refused(&back, 4, &["schema", "/restore", "--ignore-check schema-moved"]);
    assert_eq!(site.container_ids(), stays);
    back_as_told(&site, &back.json()["error"]["try"]);
    assert_eq!(rows(&site), before);
    assert!(
        site.sh("cat /divvycloud/docker-compose.yml").contains(OLD)
            && !sql(&site, "show tables in divvy").contains("later")
    );

    // Nothing refers to the new one any more.
    let images = || site.sh("docker image ls --format '{{.Repository}}:{{.Tag}}'");
    refused(&site.run(&["ics-setup", "prune", "--images", "--format", "json"]), 3, &["--yes"]);
    let dry = ics_setup(&site, &["prune", "--images", "--dry-run"]).expect(0).json();
    assert!(dry["outcome"] == "pending" && dry["images"][0]["bytes"].as_u64().unwrap() > 1_000_000, "{dry:#}");
    assert!(images().contains(NEW));
    let gone = ics_setup(&site, &["prune", "--images"]).expect(0).json();
    let names: Vec<&str> =
        gone["images"].as_array().unwrap().iter().map(|one| one["image"].as_str().unwrap()).collect();
    assert_eq!(names, [NEW, "public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7"]);
    assert!(!images().contains("v22.12.7") && images().contains(OLD) && images().contains("redis"));
    assert_eq!(ics_setup(&site, &["prune", "--images"]).expect(0).json()["outcome"], "unchanged");
}

/// Says that it is a Redis of long ago.
const REDIS_4: &str = "
import socket
server = socket.create_server(('127.0.0.1', 6379))
while True:
    client = server.accept()[0]
    while client.recv(2000):
        info = b'# Server\\r\\nredis_version:4.0.10\\r\\nredis_mode:standalone\\r\\n'
        client.sendall(b'$%d\\r\\n%s\\r\\n' % (len(info), info))
";

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_touched() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    site.compose(Compose::Plugin);
    let old = "divvycloud/divvycloud:v21.3.5";
    site.sh(&format!("docker tag {OLD} {old}; docker tag {OLD} divvycloud/divvycloud:v21.3.6"));
    by_hand(&site, "docker compose", old);
    let (ids, own) = (site.container_ids(), site.read("/divvycloud/docker-compose.yml"));
    for verb in ["install", "reconfigure"] {
        let down = ics_setup(&site, &to(verb, "divvycloud/divvycloud:v20.1.0"));
        refused(&down, 4, &["is an older release", "--ignore-check upgrade-direction"]);
        refused(&ics_setup(&site, &to(verb, "divvycloud/divvycloud:latest")), 3, &["--backup-taken", "do not tell"]);
    }

    // Redis is asked where the release that is wanted wants another one.
    let redis = site.sh("docker ps -q --filter label=com.docker.compose.service=redis").trim().to_owned();
    site.sh(&format!("docker stop {redis}"));
    let across = [&to("reconfigure", OLD)[..], &TEST_DRIVE].concat();
    refused(&ics_setup(&site, &across), 4, &["is not known", "--ignore-check upgrade-redis"]);
    let fake = site.serve(&["python3", "-c", REDIS_4]);
    until(|| match ics_setup(&site, &across) {
        ran if ran.json()["error"].to_string().contains("4.0.10, too old") => {
            refused(&ran, 4, &["upgrade-redis"]);
            Ok(())
        }
        ran => Err(ran.to_string()),
    });
    site.sh(&format!("kill {fake}; docker start {redis}"));

    // A disk that is too small for a dump, and a database that cannot be asked.
    let up = to("reconfigure", "divvycloud/divvycloud:v21.3.6");
    site.sh("mkdir -p /var/lib/ics-setup && mount -t tmpfs -o size=1m,mode=700 tmpfs /var/lib/ics-setup");
    let full = ics_setup(&site, &up);
    refused(&full, 4, &["they need", "MB at /var/lib/ics-setup", " is free"]);
    site.sh("umount /var/lib/ics-setup");
    let mysql = site.sh("docker ps -q --filter label=com.docker.compose.service=mysql").trim().to_owned();
    site.sh(&format!("docker pause {mysql}"));
    refused(&ics_setup(&site, &up), 4, &["does not run", "--backup-taken"]);
    site.sh(&format!("docker unpause {mysql}"));

    // Nobody here makes dumps, and the product that runs on goes on writing.
    refused(&ics_setup(&site, &[&up[..], &["--no-restart"]].concat()), 3, &["--no-restart", "--backup-taken"]);
    site.sh(&format!("docker exec {mysql} rm /usr/bin/mysqldump /usr/bin/mariadb-dump"));
    refused(&ics_setup(&site, &up), 3, &["neither the container", "mysqldump", "--backup-taken"]);
    let now: Vec<String> = site.container_ids().into_keys().collect();
    assert_eq!(now, ids.keys().cloned().collect::<Vec<_>>());
    assert_eq!((&site.container_ids()["worker"], site.read("/divvycloud/docker-compose.yml")), (&ids["worker"], own));
    assert!(site.run(&["ls", DUMPS]).code != Some(0));

    // Somebody has one: that counts in this run alone.
    let done = ics_setup(&site, &[&up[..], &["--backup-taken"]].concat()).expect(0).json();
    assert!(!done["next_steps"].to_string().contains("/restore"), "{done:#}");
    assert!(!site.read("/var/lib/ics-setup/state.json").contains("backup"));
    refused(&ics_setup(&site, &["revert"]), 4, &["backup of both databases that was taken", "schema-moved"]);
    let latest =
        ics_setup(&site, &[&to("reconfigure", "divvycloud/divvycloud:latest")[..], &["--backup-taken"]].concat());
    assert_eq!(finding(&latest.expect(0).json(), "upgrade-direction")["status"], "warn");
    site.healthy();
}

#[test]
fn what_fails_before_the_schema_moves_is_taken_back_and_later_it_stays() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    site.compose(Compose::Plugin);
    by_hand(&site, "docker compose", OLD);
    let before = (rows(&site), site.read("/divvycloud/docker-compose.yml"));
    let as_before = |verb: &str, image: &str, words: &[&str]| {
        let failed = ics_setup(&site, &to(verb, image));
        refused(&failed, 5, words);
        assert_eq!(failed.json()["outcome"], "restored", "{failed}");
        site.healthy();
        assert_eq!((rows(&site), site.read("/divvycloud/docker-compose.yml")), before);
        assert_eq!(site.sh(&format!("ls -A {DUMPS}")), "");
        let made = site.sh("cat /var/lib/ics-setup/made.json 2>/dev/null || true");
        assert!(made.is_empty() || made.contains("\"upgrades\": []"), "{made}");
    };

    // The dump: it fails, or has no end.
    let mysql = site.sh("docker ps -q --filter label=com.docker.compose.service=mysql").trim().to_owned();
    let dumps = |script: &str| {
        site.sh(&format!(
            "printf '#!/bin/sh\\n[ \"$1\" = --version ] && echo mysqldump && exit\\n{script}\\n' >/tmp/program; chmod 755 /tmp/program; \
             docker exec {mysql} mv /usr/bin/mysqldump /usr/bin/kept; docker cp /tmp/program {mysql}:/usr/bin/mysqldump"
        ));
    };
    let whole = || site.sh(&format!("docker exec {mysql} mv /usr/bin/kept /usr/bin/mysqldump"));
    for verb in ["install", "reconfigure"] {
        dumps("echo no rights >&2; exit 2");
        as_before(verb, NEW, &["did not dump", "no rights", "--backup-taken"]);
        whole();
    }
    dumps("echo CREATE; exit 0");
    as_before("reconfigure", NEW, &["has no end"]);
    whole();

    // The new image cannot be started at all.
    let broken = "public.ecr.aws/divvycloud/divvycloud:v22.13.0";
    site.sh(&format!(
        "printf 'FROM {NEW}\\nENTRYPOINT [\"/nothing\"]\\n' | DOCKER_BUILDKIT=0 docker build -q -t {broken} -"
    ));
    for verb in ["install", "reconfigure"] {
        as_before(verb, broken, &["/nothing"]);
    }

    // Once its scheduler has run nothing is known any more.
    site.fault(NEW, &["LAB_CRASH=scheduler"]);
    let failed = ics_setup(&site, &to("install", NEW));
    refused(&failed, 6, &["ends again and again", "nothing was taken back", "/restore", OLD]);
    assert!(site.read("/divvycloud/docker-compose.yml").contains(NEW));
    refused(&ics_setup(&site, &["revert"]), 4, &["schema"]);
    back_as_told(&site, &failed.json()["error"]["try"]);
    assert_eq!((rows(&site), site.read("/divvycloud/docker-compose.yml")), before);
}

#[test]
fn killed_anywhere_the_same_command_goes_on() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    site.compose(Compose::Plugin);
    by_hand(&site, "docker compose", OLD);
    let before = rows(&site);
    let whole = || site.sh(&format!("ls {DUMPS}/*/dump.sql")).lines().count();
    for verb in ["reconfigure", "install"] {
        let words = [&["ics-setup"], &to(verb, NEW)[..], &["--yes"]].concat();
        for marker in ["stopping ", "dumping the databases", "they are dumped", "starting the product"] {
            site.kill_at(&words, marker);
        }
        let dumps = whole();
        let last = ics_setup(&site, &to(verb, NEW)).expect(0).json();
        assert_eq!(last["outcome"], "changed", "{last:#}");
        assert_eq!(rows(&site), before.replace("v22.3.9", "v22.12.7"));
        assert!((1..=2).contains(&whole()) && whole() <= dumps + 1, "dumps of attempts that came to nothing stay");
        // The one that is kept is of the database before.
        let back = ics_setup(&site, &["revert"]);
        refused(&back, 4, &["/restore"]);
        back_as_told(&site, &back.json()["error"]["try"]);
        assert_eq!(rows(&site), before);
    }

    // Killed once everything is written, it can be taken back as well.
    let words = [&["ics-setup"], &to("install", NEW)[..], &["--yes"]].concat();
    site.kill_at(&words, "they are dumped");
    ics_setup(&site, &["revert"]).expect(0);
    site.healthy();
    assert_eq!(rows(&site), before);
    // For good means dumps too.
    assert!(whole() > 0);
    ics_setup(&site, &["revert", "--purge=/divvycloud"]).expect(0);
    assert_eq!(site.sh(&format!("ls -A {DUMPS}")), "");
}

#[test]
fn in_production_this_host_dumps_the_server() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    let outside = site.backends();
    outside.product_databases("S3cret-Db");
    site.write("root/db", "S3cret-Db\n");
    site.write("root/redis", REDIS_PASSWORD);
    let ignored = ["cpu-cores", "mysql-version"].map(|id| ["--ignore-check", id]).concat();
    let words = [
        &["--release", "22.3.9", "--image", OLD, "--mysql-host", ADDRESS, "--mysql-password-file", "/root/db"][..],
        &["--redis-host", ADDRESS, "--redis-password-file", "/root/redis", "--workers", "1"],
        &ignored,
    ];
    install(&site, &words.concat()).expect(0);
    outside.mysql("create table divvykeys.mine (one int); insert into divvykeys.mine values (7)");
    let done = ics_setup(&site, &[&["reconfigure", "--image", NEW][..], &ignored].concat()).expect(0).json();
    assert!(finding(&done, "upgrade-backup")["observed"].to_string().contains("of this host"), "{done:#}");
    assert_eq!(outside.mysql("select name from divvy.lab_release").trim(), "v22.12.7");
    assert!(site.run(&["sh", "-c", &format!("grep -l S3cret {DUMPS}/*/restore")]).code != Some(0));
    outside.mysql("drop table divvykeys.mine");
    let back = ics_setup(&site, &["revert"]);
    refused(&back, 4, &["/restore"]);
    back_as_told(&site, &back.json()["error"]["try"]);
    assert_eq!(outside.mysql("select one from divvykeys.mine; select name from divvy.lab_release"), "7\nv22.3.9\n");
}
