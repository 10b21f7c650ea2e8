//! What is missing, gone or cannot be told is named, and nobody is sent to what refuses or puts back what was taken away.

use std::fs;

use serde_json::Value;

use super::{P, bare, next};
use crate::fixes::Programs;
use crate::root::{Ran, Root};

/// A Test Drive, installed on an image.
fn installed() -> Root {
    let root = bare();
    root.run(&["install", "--deployment", "test-drive", "--direct", "--yes"]).ok();
    root
}

/// What `status` says for people and for programs, and the next step.
fn told(root: &Root) -> (String, Value, String) {
    let (_, json) = root.json(&["status"]);
    let step = next(&json).unwrap_or_default();
    (root.run(&["status"]).ok().stdout, json, step)
}

#[test]
fn files_of_the_product_that_nothing_starts_from_are_named() {
    let root = installed();
    let whole = |name: &str| root.get(&format!("divvycloud/{name}"));
    let (compose, prod_env) = (whole("docker-compose.yml"), whole("prod.env"));
    let (text, _, step) = told(&root);
    assert!(
        text.contains("  ok prod.env  as wanted") && step.contains("install starts what is written here"),
        "{text}"
    );

    for broken in ["", &compose[..100]] {
        root.put("divvycloud/docker-compose.yml", broken);
        let (text, json, step) = told(&root);
        assert!(text.contains("need you") && !text.contains("what is wanted stands in it"), "{text}");
        assert!(text.contains("docker-compose.yml: edited since run "), "{text}");
        assert!(step.starts_with("make the product whole: ") && step.contains("docker-compose.yml:"), "{step}");
        assert!(!step.contains("sudo ics-setup install"), "{step}");
        let findings = json["findings"].as_array().unwrap();
        assert!(findings.iter().any(|own| own["id"] == "product-installed" && own["status"] == "fail"), "{json:#}");
    }
    // What the findings say of prod.env, the page says.
    root.put("divvycloud/docker-compose.yml", "");
    let (text, json, _) = told(&root);
    let findings = json["findings"].as_array().unwrap();
    let own = findings.iter().find(|own| own["id"] == "proxy-prod-env").unwrap();
    assert!(own["status"] == "warn" && text.contains(own["title"].as_str().unwrap()), "{text}");
    root.put("divvycloud/docker-compose.yml", &compose);

    for broken in ["".to_owned(), prod_env.replace("DIVVY_REDIS_HOST=redis\n", "")] {
        root.put("divvycloud/prod.env", &broken);
        let (text, _, step) = told(&root);
        assert!(step.contains("prod.env does not say DIVVY_") && step.contains("DIVVY_REDIS_HOST"), "{step}");
        assert!(!text.contains("as wanted") && !text.contains("what is wanted stands in it"), "{text}");
    }
    root.put("divvycloud/prod.env", format!("# Ours.\n{prod_env}"));
    let (text, _, step) = told(&root);
    assert!(text.contains("prod.env: edited since run ") && text.contains("what is wanted stands in it"), "{text}");
    assert!(step.contains("install starts what is written here"), "{step}");
    // Nobody looks for what is wanted in the file of the database.
    root.put("divvycloud/mysql.env", "");
    let (text, ..) = told(&root);
    let line = text.lines().find(|line| line.contains("mysql.env: edited since run ")).unwrap();
    assert!(!line.contains("what is wanted"), "{text}");
}

#[test]
fn an_installation_whose_files_are_gone_is_brought_back_and_not_made_anew() {
    let root = installed();
    fs::rename(root.at("divvycloud"), root.at("gone")).unwrap();
    let (text, json, step) = told(&root);
    assert!(text.contains("and its files are gone") && text.contains("is the volume mounted?"), "{text}");
    assert!(text.contains("removed since run ") && !text.contains("what is wanted stands in it"), "{text}");
    assert!(step.starts_with("make the product whole: installed in ") && !step.contains("ics-setup"), "{step}");
    assert!(json["product"].is_null() && json["drift"].as_array().unwrap().len() == 3, "{json:#}");
    // A verb ends with the same.
    assert_eq!(next(&root.json(&["prepare", "--direct", "--yes"]).1), Some(step));
    fs::rename(root.at("gone"), root.at("divvycloud")).unwrap();
    assert!(told(&root).2.contains("install starts what is written here"));

    fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    let (text, _, step) = told(&root);
    assert!(text.contains("has a compose file and no prod.env") && !text.contains("what is wanted stands"), "{text}");
    assert!(step.contains("from your backup") && !step.contains("ics-setup install"), "{step}");
    // Taken back, nothing of it is missed.
    let root = installed();
    root.run(&["revert", "--yes"]).ok();
    assert!(!told(&root).0.contains("gone"));
}

#[test]
fn a_folder_that_leads_nowhere_is_told_as_check_tells_it() {
    let root = bare();
    std::os::unix::fs::symlink("/mnt/data", root.at("divvycloud")).unwrap();
    let (text, _, step) = told(&root);
    assert!(text.contains("where nothing is") && !text.contains("not installed in"), "{text}");
    assert!(step.starts_with("make the product whole: ") && step.contains("bring back what it leads to"), "{step}");
    let ran = root.run(&["install", "--deployment", "test-drive", "--direct", "--yes"]);
    assert!(ran.code == 5 && ran.stderr.contains("where nothing is"), "{}{}", ran.stdout, ran.stderr);
    assert!(root.run(&["check", "host"]).stdout.contains("where nothing is"));
}

#[test]
fn a_proxy_that_was_taken_out_is_not_put_back() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    root.run(&["reconfigure", "--yes"]).ok();
    root.run(&["prepare", "--remove-proxy", "--yes"]).ok();
    let (text, _, step) = told(&root);
    assert!(step.contains("ics-setup reconfigure --remove-proxy"), "{step}");
    assert!(!text.contains("--proxy ") && !text.contains("as wanted"), "{text}");
    assert!(
        text.contains("none: taken out of this system") && text.contains("it has the proxy that was taken"),
        "{text}"
    );
    // A run that was told nothing of it came behind.
    root.run(&["reconfigure", "--mysql-host", "db.corp.example", "--yes"]).ok();
    assert!(told(&root).2.contains("ics-setup reconfigure --remove-proxy"), "{}", told(&root).2);
    // Somebody wants it again.
    let (_, ran) = root.json(&["prepare", "--proxy", P, "--yes"]);
    assert!(!next(&ran).unwrap().contains("--remove-proxy"), "{ran:#}");

    // The system never had it.
    let root = Root::ubuntu();
    root.run(&["reconfigure", "--proxy", P, "--yes"]).ok();
    let (code, ran) = root.json(&["prepare", "--remove-proxy", "--yes"]);
    let step = next(&ran).unwrap();
    assert!(code == 0 && step.contains("ics-setup reconfigure --remove-proxy"), "{step}");

    // The settings have it still.
    let root = bare();
    root.put("etc/ics-setup/settings.toml", format!("[proxy]\nurl = '{P}'\n"));
    root.run(&["prepare", "--yes"]).ok();
    let (_, ran) = root.json(&["prepare", "--remove-proxy", "--yes"]);
    let (text, _, step) = told(&root);
    assert_eq!(next(&ran).as_ref(), Some(&step));
    assert!(step.contains("settings.toml:2") && !step.contains("ics-setup prepare"), "{step}");
    assert!(text.contains("taken out of this system") && text.contains("settings.toml:2 names "), "{text}");
    fs::remove_file(root.at("etc/ics-setup/settings.toml")).unwrap();
    assert!(!told(&root).2.contains("settings.toml"));
}

#[test]
fn a_line_that_cannot_be_told_is_no_proxy_and_no_step_before_others() {
    let root = bare();
    root.put("etc/profile.d/x.sh", "eval \"$(pyenv init -)\"\n");
    let (text, _, step) = told(&root);
    assert!(text.contains("whether one is set is not known") && !text.contains("and one is set"), "{text}");
    assert!(text.contains("x.sh:1") && step.starts_with("prepare this host"), "{step}");
    let (_, ran) = root.json(&["prepare", "--proxy", P, "--yes"]);
    assert!(next(&ran).unwrap().starts_with("install the product"), "{ran:#}");
    let (text, _, step) = told(&root);
    assert!(step.starts_with("install the product") && text.contains("x.sh:1"), "{text}");
    root.run(&["prepare", "--direct", "--yes"]);
    let (text, ..) = told(&root);
    assert!(!text.contains("nobody has asked"), "{text}");
}

#[test]
fn a_product_without_a_compose_file_is_given_one_before_it_is_started() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", "DIVVY_DB_HOST=db.corp.example\nDIVVY_REDIS_HOST=redis.corp.example\n");
    let (_, _, step) = told(&root);
    assert!(step.contains("no compose file") && step.contains("bring the compose file of your release back"), "{step}");
    let line = &step[step.find("ics-setup install").unwrap()..];
    assert!(line.contains("--mysql-password-file <FILE>"), "what install would ask for stands in it: {line}");
    root.put("password", "S3cret\n");
    let file = root.at("password").display().to_string();
    Programs::new(&[]).paste(&format!("{} --yes", line.replace("<FILE>", &file))).unwrap();
    assert!(told(&root).2.contains("install starts what is written here"));
}

#[test]
fn a_check_that_only_root_may_read_is_asked_for_as_root() {
    let root = bare();
    root.run(&["check", "host", "--save", "--fail-on", "never"]).ok();
    fs::set_permissions(root.at("var/lib/ics-setup"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let test = "a_check_that_only_root_may_read_is_asked_for_as_root";
    let Some(Ran { stdout: text, .. }) = root.run_by_nobody(test, &["status"]) else { return };
    let at = text.find("how the last one ended is not known").unwrap_or_else(|| panic!("{text}"));
    let fix = text[at..].lines().nth(1).unwrap();
    assert!(fix.contains("sudo ics-setup status --root") && !text.contains("check --save"), "{text}");
}
