//! Several runs over an installed product are taken back as one: to where it was after one of them, and to the bare host.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{Engine, Host, Site};

use super::whole::{action, ics_setup, install};

const NEW: &str = "public.ecr.aws/divvycloud/divvycloud:v22.12.7";

/// The name of the last run.
fn last(host: &Host) -> String {
    let status = ics_setup(host, &["status"]).expect(0).json();
    status["runs"].as_array().unwrap().last().unwrap()["run"].as_str().unwrap().to_owned()
}

/// What runs have made: the files, how many containers each service has, and of which images.
fn stands(host: &Host) -> (BTreeMap<&'static str, String>, BTreeMap<String, usize>, Value) {
    let paths = [
        "/divvycloud/prod.env",
        "/divvycloud/docker-compose.yml",
        "/etc/environment",
        "/etc/systemd/system/docker.service.d/http-proxy.conf",
    ];
    let files = paths.map(|path| (path, host.sh(&format!("cat {path} 2>&1 || true"))));
    let told = host.sh("cat /var/lib/ics-setup/state.json 2>/dev/null || echo null");
    let told = serde_json::from_str::<Value>(&told).unwrap()["settings"].take();
    let containers = host.container_ids().into_iter().map(|(service, all)| (service, all.len())).collect();
    (files.into(), containers, told)
}

/// A dry run foretells what becomes of the containers, and touches nothing.
#[track_caller]
fn as_foretold(host: &Host, words: &[&str]) -> Value {
    let (before, ids) = (stands(host), host.container_ids());
    let dry = ics_setup(host, &[words, &["--dry-run", "--exit-code"]].concat()).expect(10).json();
    assert!((stands(host), host.container_ids()) == (before, ids), "a dry run has touched something");
    let done = ics_setup(host, words).expect(0).json();
    assert_eq!((&dry["containers"], done["outcome"].as_str()), (&done["containers"], Some("changed")), "{done:#}");
    done
}

#[test]
fn several_runs_over_a_product_are_taken_back_as_one() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    let bare = stands(&site);
    install(&site, &["--deployment", "test-drive", "--release", "22.3.9", "--workers", "2"]).expect(0);
    let installed = (last(&site), stands(&site));
    ics_setup(&site, &["reconfigure", "--workers", "1"]).expect(0);
    let fewer = (last(&site), stands(&site));
    ics_setup(&site, &["reconfigure", "--port", "9001"]).expect(0);
    ics_setup(&site, &["reconfigure", "--proxy", "http://one.corp.example:3128", "--no-probe"]).expect(0);
    let newest = (last(&site), stands(&site));
    let data = site.container_ids()["mysql"].clone();

    // Two runs back: one stop, one start, and the databases run on.
    as_foretold(&site, &["revert", "--to", &fewer.0]);
    assert_eq!(stands(&site), fewer.1);
    site.healthy();
    assert_eq!(site.container_ids()["mysql"], data);
    // And forth again.
    let way = last(&site);
    as_foretold(&site, &["revert", &way]);
    assert_eq!(stands(&site), newest.1);
    assert!(site.inspect("worker", "{{json .Config.Env}}").concat().contains("one.corp.example"));
    // To the installation itself, over the way back and forth.
    as_foretold(&site, &["revert", "--to", &installed.0]);
    assert_eq!(stands(&site), installed.1);
    site.healthy();
    assert_eq!((site.container_ids()["mysql"].clone(), site.container_ids()["worker"].len()), (data, 2));

    // An upgrade among them is no matter of files.
    ics_setup(&site, &["reconfigure", "--image", NEW, "--backup-taken"]).expect(0);
    let refused = ics_setup(&site, &["revert", "--to", &installed.0]);
    let error = refused.json()["error"].to_string();
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(error.contains("--ignore-check schema-moved"), "{error}");

    // All of it: the product goes with the runs, its data and images stay.
    let gone = as_foretold(&site, &["revert", "--all"]);
    assert_eq!(action(&gone, "worker"), "remove");
    assert_eq!(stands(&site), bare);
    assert!(site.run(&["id", "divvy"]).code != Some(0), "{gone:#}");
    assert_eq!(site.sh("ls /divvycloud").split_whitespace().collect::<Vec<_>>(), ["data", "plugins"]);
    assert_eq!(ics_setup(&site, &["revert", "--all"]).expect(0).json()["outcome"], "unchanged");
    // And an installation onto what stayed is one.
    install(&site, &["--deployment", "test-drive", "--image", NEW]).expect(0);
    site.healthy();
}
