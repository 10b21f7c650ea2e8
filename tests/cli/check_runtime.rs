//! `check runtime` through the binary, without Docker: what is said about an image, and about a host without the product.

use crate::root::{Root, run};

#[test]
fn in_an_image_only_the_folder_is_looked_at_and_the_rest_is_skipped_by_name() {
    let root = Root::ubuntu();
    root.put("divvycloud/docker-compose.yml", "services:\n  worker:\n    scale: 8\n");
    let before = root.picture();
    let (code, json) = root.json(&["check", "runtime"]);
    assert_eq!(code, 0, "{json}");
    let told: Vec<(&str, &str)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["id"].as_str().unwrap(), finding["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("product-installed", "pass"),
            ("service-running", "skip"),
            ("container-environment", "skip"),
            ("interface-status", "skip"),
            ("queue-waiting", "skip"),
            ("log-known-trouble", "skip"),
        ]
    );
    assert!(json["findings"][1]["observed"].as_str().unwrap().contains("--root"));
    assert!(root.picture() == before);
}

#[test]
fn without_the_product_there_is_one_skip_that_says_where_was_looked() {
    let root = Root::ubuntu();
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    let (code, json) = root.json(&["check", "runtime"]);
    assert_eq!((code, json["findings"].as_array().unwrap().len()), (0, 1), "{json}");
    assert_eq!(json["findings"][0]["status"], "skip");
    assert!(json["findings"][0]["observed"].as_str().unwrap().contains("/divvycloud"));
    let (_, json) = root.json(&["check", "runtime", "--home", "/opt/ics"]);
    assert!(json["findings"][0]["title"].as_str().unwrap().contains("/opt/ics"));
}

#[test]
fn half_an_installation_fails_and_facts_are_judged_again_elsewhere() {
    let root = Root::centos();
    std::fs::rename(root.at("divvycloud/prod.env"), root.at("divvycloud/docker-compose.cw.yml")).unwrap();
    let facts = root.at("facts.json");
    let (code, json) = root.json(&["check", "runtime", "--save-facts", facts.to_str().unwrap()]);
    assert_eq!((code, &json["findings"][0]["status"]), (4, &"fail".into()), "{json}");
    let again = run(&["check", "runtime", "--from", facts.to_str().unwrap(), "--format", "json"], &[], "").json();
    assert_eq!(again["findings"], json["findings"]);
    let ran = root.run(&["check", "runtime"]);
    assert!(
        ran.stdout.contains("has a compose file and no prod.env") && ran.stdout.contains("advice:"),
        "{}",
        ran.stdout
    );
}

#[test]
fn every_id_is_explained() {
    for id in ["product-installed", "service-restarting", "container-environment", "queue-waiting", "log-known-trouble"]
    {
        let ran = run(&["check", "--explain", id], &[], "");
        assert!(ran.code == 0 && ran.stdout.contains("(runtime)"), "{}", ran.stdout);
    }
}
