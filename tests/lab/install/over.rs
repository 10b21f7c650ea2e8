//! Onto a product that is there: installed by hand, by the other generation of Compose, with a change that it does not survive.

use serde_json::Value;

use crate::common::{Compose, Engine, Host, Site};

use super::lab::put;
use super::whole::{ics_setup, install, state};

const PLUGIN: &str = "install -D /opt/lab/compose/2.40.3 /usr/local/lib/docker/cli-plugins/docker-compose";

/// What becomes of each service, in the order of their names.
fn actions(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = json["containers"].as_array().unwrap().iter();
    let mut actions: Vec<_> = all.map(|one| (text(&one["service"]), text(&one["action"]))).collect();
    actions.sort();
    actions
}

fn by_hand(host: &Host) {
    put(host, "# mine\n  DIVVY_DB_USERNAME = divvy\n");
    host.sh("cd /divvycloud && docker-compose up -d 2>&1");
    host.healthy();
}

fn files(host: &Host) -> [String; 2] {
    ["/divvycloud/prod.env", "/divvycloud/docker-compose.yml"].map(|path| host.read(path))
}

/// What a dry run foretells is what happens.
#[track_caller]
fn as_foretold(host: &Host, words: &[&str]) -> Value {
    let (before, files_before) = (host.container_ids(), files(host));
    let dry = install(host, &[words, &["--dry-run", "--exit-code"]].concat()).expect(10).json();
    assert_eq!((host.container_ids(), files(host)), (before, files_before), "a dry run has touched something");
    let done = install(host, words).expect(0).json();
    assert_eq!(actions(&dry), actions(&done), "{done:#}");
    assert_eq!(dry["changes"].as_array().unwrap().len(), done["changes"].as_array().unwrap().len());
    done
}

#[test]
fn one_that_somebody_has_installed_is_taken_over() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    by_hand(&site);
    let (before, own) = (site.container_ids(), files(&site));

    // Nothing of it is touched: what is missing is made.
    let words = ["--deployment", "test-drive"];
    let json = as_foretold(&site, &words);
    assert!(actions(&json).iter().all(|(_, action)| action == "keep"), "{json:#}");
    assert_eq!(state(&json, "accounts"), "changed");
    assert_eq!((site.container_ids(), files(&site)), (before.clone(), own.clone()));
    let again = install(&site, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");
    assert_eq!(site.container_ids(), before);
    assert_eq!(install(&site, &[&words[..], &["--dry-run", "--exit-code"]].concat()).code, Some(0));

    // What was asked is edited, and no other byte.
    let json = as_foretold(&site, &["--workers", "3"]);
    let [prod_env, compose] = files(&site);
    assert_eq!((prod_env, compose), (own[0].clone(), own[1].replace("scale: 2", "scale: 3")));
    let after = site.container_ids();
    assert_eq!(after["worker"].len(), 3, "{json:#}");
    for service in ["mysql", "redis", "scheduler", "interfaceserver"] {
        assert_eq!(after[service], before[service], "{service}");
    }
    let again = install(&site, &["--workers", "3"]).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");

    // Back: the product runs with the files of before, and its data.
    ics_setup(&site, &["revert"]).expect(0);
    assert_eq!(files(&site), own);
    site.healthy();
    let back = site.container_ids();
    assert_eq!((back["mysql"][0].0.clone(), back["worker"].len()), (before["mysql"][0].0.clone(), 2));
}

#[test]
fn its_own_generation_of_compose_serves_it() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    by_hand(&site);
    site.sh(PLUGIN);
    let before = site.container_ids();
    let to = |proxy: &'static str| ["reconfigure", "--proxy", proxy, "--no-probe"];
    let json = ics_setup(&site, &to("http://one.corp.example:3128")).expect(0).json();
    assert_eq!(json["outcome"], "changed", "{json:#}");
    let after = site.container_ids();
    for service in ["mysql", "redis"] {
        assert_eq!(after[service], before[service], "{service}");
    }
    assert_ne!(after["worker"], before["worker"]);
    assert!(site.inspect("worker", "{{.Name}}").iter().all(|name| name.contains("_worker_")));
    assert!(site.inspect("worker", "{{json .Config.Env}}").concat().contains("one.corp.example"));

    // Without it nothing is touched: the other one would make all of them anew.
    site.sh("mv /usr/bin/docker-compose /root");
    let own = files(&site);
    let refused = ics_setup(&site, &to("http://two.corp.example:3128"));
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_eq!(refused.json()["error"]["id"], "compose-missing", "{refused}");
    let refused = install(&site, &["--deployment", "test-drive", "--workers", "1", "--ignore-check", "proxy-resolves"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    let json = refused.json();
    assert_eq!(
        (state(&json, "preflight").as_str(), state(&json, "engine").as_str()),
        ("failed", "pending"),
        "{refused}"
    );
    for way in ["--compose-binary <FILE>", "--bundle <DIR>", "apt-get update"] {
        assert!(json["error"]["try"].to_string().contains(way), "{way}: {refused}");
    }
    assert_eq!((site.container_ids(), files(&site)), (after.clone(), own));
    site.sh("mv /root/docker-compose /usr/bin");

    // A docker that is podman is named.
    site.write("usr/local/bin/docker", "#!/bin/sh\necho 'podman version 4.3.1'\nexit 125 # podman\n");
    site.sh("chmod 755 /usr/local/bin/docker");
    let refused = install(&site, &["--deployment", "test-drive", "--ignore-check", "proxy-resolves"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.json()["error"].to_string().contains("podman"), "{refused}");
    site.sh("rm /usr/local/bin/docker");
    assert_eq!(site.container_ids(), after);
}

#[test]
fn a_change_that_it_does_not_survive() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    site.compose(Compose::Program);
    by_hand(&site);
    let (before, own) = (site.container_ids(), files(&site));

    // Another image may have changed the schema: it is left as it is, with what to do.
    let image = "public.ecr.aws/divvycloud/divvycloud:v22.3.10";
    site.sh(&format!("docker tag public.ecr.aws/divvycloud/divvycloud:v22.3.9 {image}"));
    site.fault(image, &["LAB_CRASH=1"]);
    // Its prod.env has no password that a dump could be made with.
    let failed = install(&site, &["--deployment", "test-drive", "--image", image, "--backup-taken"]);
    let json = failed.json();
    assert_eq!((failed.code, json["outcome"].as_str()), (Some(6), Some("failed")), "{failed}");
    assert!(json["error"]["message"].as_str().unwrap().contains("ends again and again"), "{failed}");
    assert!(site.sh("cat /var/lib/ics-setup/failed-start.log").contains("== "));
    assert!(files(&site)[1].contains(image));
    // Its scheduler came to nothing, which only a person knows.
    assert_eq!(ics_setup(&site, &["revert"]).code, Some(4));
    ics_setup(&site, &["revert", "--ignore-check", "schema-moved"]).expect(0);
    assert_eq!(files(&site), own);
    site.healthy();
    assert_eq!(site.container_ids()["mysql"][0].0, before["mysql"][0].0);

    // A value in its files: as before, and it runs.
    let failed = install(
        &site,
        &[
            "--deployment",
            "test-drive",
            "--mysql-database",
            "nowhere",
            "--healthy-within",
            "20s",
            "--ignore-check",
            "mysql-login",
        ],
    );
    let json = failed.json();
    assert_eq!((failed.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{failed}");
    assert_eq!(files(&site), own);
    site.healthy();
    assert_eq!(site.container_ids()["mysql"][0].0, before["mysql"][0].0);
}
