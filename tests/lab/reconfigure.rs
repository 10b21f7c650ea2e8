//! `reconfigure` of a product that runs: a Docker engine (20.10 of Debian), containers that Compose v2 has created, and a web
//! server on port 8001. The images hold a shell and `sleep`, not the product.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Ran, report, until};
use crate::runtime::{Lab, WEB};

const OLD: &str = "# made for the lab\nhttp_proxy=http://old.corp.example:3128\nhttps_proxy=http://old.corp.example:3128\n\
    no_proxy=mysql,redis,169.254.169.254\nDIVVY_DB_HOST=mysql\nDIVVY_DB_PASSWORD=S3cret-Db\nDIVVY_REDIS_HOST=redis\n";

/// The scheduler gives up behind a proxy of that name, and says the password of the database while it does.
fn compose() -> String {
    let service = |name: &str, command: &str, more: &str| {
        format!(
            "  {name}:\n    image: divvycloud/divvycloud:v22.3.9\n    command: [\"/bin/sh\", \"-c\", \"{command}\"]\n    \
             network_mode: none\n    restart: always\n    stop_grace_period: 0s\n{more}"
        )
    };
    let file = "    env_file: prod.env\n";
    let scheduler = "case $$http_proxy in *bad*) echo Tunnel connection failed: 407 $$DIVVY_DB_PASSWORD; exit 3;; esac; exec sleep 1000";
    format!(
        "services:\n{}{}{}{}",
        service("interfaceserver", "exec sleep 1000", file),
        service("scheduler", scheduler, file),
        service("worker", "exec sleep 1000", &format!("{file}    scale: 2\n")),
        service("redis", "exec sleep 1000", ""),
    )
}

/// Ids of all containers, by service.
fn ids(lab: &Lab) -> BTreeMap<String, Vec<String>> {
    let format = "{{.Label \"com.docker.compose.service\"}} {{.ID}} {{.State}}";
    let text = lab.guest.sh(&format!("docker ps -a --no-trunc --format '{format}'"));
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (service, id) = line.split_once(' ').unwrap();
        ids.entry(service.to_owned()).or_default().push(id.to_owned());
    }
    ids.values_mut().for_each(|ids| ids.sort());
    ids
}

fn reconfigure(lab: &Lab, more: &[&str]) -> Ran {
    let words = ["ics-setup", "reconfigure", "--yes", "--format", "json"];
    let ran = lab.guest.run(&[&words[..], more].concat());
    assert!(!String::from_utf8_lossy(&ran.out).contains("S3cret") && !ran.err.contains("S3cret"), "{ran}");
    ran
}

fn actions(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    json["containers"].as_array().unwrap().iter().map(|one| (text(&one["service"]), text(&one["action"]))).collect()
}

fn state<'j>(json: &'j Value, stage: &str) -> &'j str {
    json["stages"].as_array().unwrap().iter().find(|one| one["id"] == stage).unwrap()["state"].as_str().unwrap()
}

fn environment(lab: &Lab, service: &str) -> String {
    lab.guest.sh(&format!("docker inspect --format '{{{{json .Config.Env}}}}' divvycloud-{service}-1"))
}

#[test]
fn stopped_edited_started_and_proven() {
    let lab = Lab::new("docker-20.10");
    lab.guest.write("divvycloud/prod.env", OLD);
    let engine = lab.engine();
    lab.up(&compose());
    lab.inside(&["python3", "-c", WEB]);
    until(|| match lab.guest.run(&["ics-setup", "check", "runtime", "--only", "interface-status"]).code {
        Some(0) => Ok(()),
        code => Err(format!("{code:?}")),
    });
    let before = ids(&lab);

    // What a dry run foretells is what happens; nobody is touched by it.
    let new = ["--proxy", "http://new.corp.example:3128"];
    let dry = reconfigure(&lab, &[&new[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, ids(&lab)), (Some(0), before.clone()), "{dry}");
    let foretold = actions(&dry.json());
    let began = Instant::now();
    let ran = reconfigure(&lab, &new);
    assert_eq!(ran.code, Some(0), "{ran}");
    report(&format!("reconfigure: a product of five containers took {} ms", began.elapsed().as_millis()));
    let json = ran.json();
    assert_eq!(json["outcome"], "changed", "{json:#}");
    assert_eq!(actions(&json), foretold);
    let recreated = ["interfaceserver", "scheduler", "worker"].map(|name| (name.to_owned(), "recreate".to_owned()));
    assert_eq!(foretold.iter().filter(|(_, action)| action == "recreate").cloned().collect::<Vec<_>>(), recreated);
    assert_eq!(["start", "healthy", "verify"].map(|id| state(&json, id)), ["changed", "changed", "done"], "{json:#}");
    let after = ids(&lab);
    assert_eq!(after["redis"], before["redis"]);
    assert!(after["worker"].len() == 2 && after["worker"] != before["worker"]);
    assert!(environment(&lab, "scheduler").contains("new.corp.example"));

    // Nothing to do: nobody is touched.
    let again = reconfigure(&lab, &new);
    assert_eq!((again.code, again.json()["outcome"].as_str()), (Some(0), Some("unchanged")), "{again}");
    assert!(actions(&again.json()).iter().all(|(_, action)| action == "keep"));
    assert_eq!(ids(&lab), after);

    // Another number of workers alone stops nobody.
    let started =
        || lab.guest.sh("docker inspect -f '{{.State.StartedAt}}' divvycloud-interfaceserver-1 divvycloud-scheduler-1");
    let (began, mut before) = (started(), after);
    for (workers, count) in [("1", 1), ("3", 3), ("2", 2)] {
        let foretold = actions(&reconfigure(&lab, &["--workers", workers, "--dry-run"]).json());
        let scaled = reconfigure(&lab, &["--workers", workers]);
        assert_eq!((scaled.code, actions(&scaled.json())), (Some(0), foretold), "{scaled}");
        assert!(actions(&scaled.json()).iter().all(|(_, action)| action == "keep"), "{scaled}");
        let now = ids(&lab);
        assert_eq!((started(), now["worker"].len()), (began.clone(), count));
        assert!(
            now["worker"].iter().filter(|id| before["worker"].contains(id)).count()
                == count.min(before["worker"].len())
        );
        before = now;
    }

    // With values that the product does not come back with, everything is as before, and the cause is said.
    let file = lab.guest.read("/divvycloud/prod.env");
    let failed = reconfigure(&lab, &["--proxy", "http://bad.corp.example:3128"]);
    let json = failed.json();
    assert_eq!((failed.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{failed}");
    assert_eq!(lab.guest.read("/divvycloud/prod.env"), file);
    let log = String::from_utf8(lab.guest.read("/var/lib/ics-setup/failed-start.log")).unwrap();
    assert!(log.contains("Tunnel connection failed: 407") && !log.contains("S3cret"), "{log}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("scheduler ends again and again"), "{message}");
    assert!(json["error"]["because"].as_str().unwrap().contains("the proxy wants other credentials"), "{json:#}");
    assert!(environment(&lab, "scheduler").contains("new.corp.example"));
    let settled = ids(&lab);

    // Left alone when that is asked for; the next run without the flag goes on.
    let third = ["--proxy", "http://third.corp.example:3128"];
    let left = reconfigure(&lab, &[&third[..], &["--no-restart"]].concat());
    assert_eq!((left.code, ids(&lab)), (Some(0), settled.clone()), "{left}");
    assert!(environment(&lab, "scheduler").contains("new.corp.example"));
    let on = reconfigure(&lab, &third);
    assert_eq!((on.code, on.json()["outcome"].as_str()), (Some(0), Some("changed")), "{on}");
    assert!(on.json()["changes"].as_array().unwrap().is_empty());
    assert!(environment(&lab, "scheduler").contains("third.corp.example"));

    // A product that was stopped stays so, unless its start is asked for.
    lab.guest.sh("docker compose -f /divvycloud/docker-compose.yml stop");
    let fourth = ["--proxy", "http://fourth.corp.example:3128"];
    let edited = reconfigure(&lab, &fourth);
    assert_eq!(edited.code, Some(0), "{edited}");
    assert_eq!(lab.guest.sh("docker ps -q").trim(), "");
    let started = reconfigure(&lab, &[&fourth[..], &["--restart"]].concat());
    assert_eq!(started.code, Some(0), "{started}");
    assert!(environment(&lab, "worker").contains("fourth.corp.example"));

    // Killed while the product is stopped: the same command goes on.
    let fifth = ["--proxy", "http://fifth.corp.example:3128"];
    let words = ["ics-setup", "reconfigure", "--yes"];
    let mut killed = lab.guest.command(&[&words[..], &fifth].concat()).spawn().unwrap();
    until(|| {
        if lab.guest.path("var/lib/ics-setup/stopped").exists() { Ok(()) } else { Err("not stopped yet".to_owned()) }
    });
    std::thread::sleep(Duration::from_millis(300));
    lab.guest.sh("for p in /proc/[0-9]*; do case $(cat $p/comm) in ics-setup) kill -9 ${p#/proc/};; esac; done");
    assert!(!killed.wait().unwrap().success());
    let on = reconfigure(&lab, &fifth);
    assert_eq!(on.code, Some(0), "{on}");
    assert!(environment(&lab, "worker").contains("fifth.corp.example"));
    assert!(!lab.guest.path("var/lib/ics-setup/stopped").exists());
    drop(engine);
}
