//! `--aws-secret`: the databases of `prod.env` come from a secret of AWS, and go back to lines of the file.

use serde_json::{Value, json};

use crate::root::Root;

const FILE: &str = "divvycloud/prod.env";

const CURRENT: &str = "\
# Main database
DIVVY_DB_HOST=db.corp.example
DIVVY_DB_PORT=3306
DIVVY_DB_NAME=divvy
#DIVVY_DB_USERNAME=somebody
DIVVY_DB_USERNAME=divvy
DIVVY_DB_PASSWORD=Hunter2Hunter
DIVVY_SECRET_DB_HOST=db.corp.example
DIVVY_SECRET_DB_NAME=divvykeys
DIVVY_REDIS_HOST=cache.corp.example
#http_proxy=x
";

const IN_SECRET: &str = "\
# Main database
#in-secret# DIVVY_DB_HOST=db.corp.example
#in-secret# DIVVY_DB_PORT=3306
DIVVY_DB_NAME=divvy
#DIVVY_DB_USERNAME=somebody
#in-secret# DIVVY_DB_USERNAME=divvy
#in-secret# DIVVY_DB_PASSWORD=Hunter2Hunter
#in-secret# DIVVY_SECRET_DB_HOST=db.corp.example
DIVVY_SECRET_DB_NAME=divvykeys
DIVVY_REDIS_HOST=cache.corp.example
#http_proxy=x
DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,region=us-east-1,secret_name=prod/ics
REGION=us-east-1
";

const SET: &[&str] = &["reconfigure", "--aws-secret", "prod/ics", "--aws-region", "us-east-1"];

const OUT: &[&str] = &["reconfigure", "--no-secrets-provider"];

fn with(lines: &str) -> Root {
    let root = Root::ubuntu();
    root.put(FILE, lines);
    root
}

fn of<'a>(json: &'a Value, id: &str) -> &'a Value {
    let findings = json["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["id"] == id).unwrap_or(&Value::Null)
}

/// The id of the error, and all of it as text.
fn error(json: &Value) -> (&str, String) {
    (json["error"]["id"].as_str().unwrap_or_default(), json["error"].to_string())
}

#[test]
fn databases_go_into_a_secret_and_come_back_byte_by_byte() {
    let older = |text: &str| {
        let names = [("DIVVY_DB_USERNAME", "DIVVY_MYSQL_USER"), ("DIVVY_DB_NAME", "DIVVY_MYSQL_DB_NAME")];
        let names = names.iter().chain(&[("DIVVY_SECRET_DB_NAME", "DIVVY_SECURE_MYSQL_DB_NAME")]);
        let text = names.fold(text.to_owned(), |text, (new, old)| text.replace(new, old));
        text.replace("DIVVY_DB_", "DIVVY_MYSQL_").replace("DIVVY_SECRET_DB_", "DIVVY_SECURE_MYSQL_")
    };
    for (stood, aside) in [(CURRENT.to_owned(), IN_SECRET.to_owned()), (older(CURRENT), older(IN_SECRET))] {
        let root = with(&stood);
        let dry = root.run(&[SET, &["--dry-run"]].concat()).ok();
        assert!(root.get(FILE) == stood && !dry.stdout.contains("Hunter2"), "{}", dry.stdout);
        let value = "AWSAssumeRole,region=us-east-1,secret_name=prod/ics";
        for line in [format!("+DIVVY_SECRETS_PROVIDER_CONFIG={value}"), "+REGION=us-east-1".to_owned()] {
            assert!(dry.stdout.lines().any(|own| own == line), "{}", dry.stdout);
        }
        let (code, json) = root.json(SET);
        assert_eq!((code, &json["outcome"]), (0, &json!("changed")), "{json:#}");
        assert_eq!(root.get(FILE), aside);
        // It is remembered: nothing has to be said again, and nothing changes.
        for again in [SET, &["reconfigure"]] {
            assert_eq!(root.json(again).1["outcome"], "unchanged");
        }
        root.run(&["revert"]).ok();
        assert_eq!(root.get(FILE), stood);
        root.run(SET).ok();
        let (code, json) = root.json(OUT);
        assert_eq!((code, &json["outcome"]), (0, &json!("changed")), "{json:#}");
        let back = root.get(FILE);
        let ours = format!("#DIVVY_SECRETS_PROVIDER_CONFIG={value}\n#REGION=us-east-1\n");
        assert_eq!(back, format!("{stood}{ours}"));
        assert_eq!(root.json(OUT).1["outcome"], "unchanged");
        // Nobody is told of a secret that has gone, and the lines are taken up again.
        let shown = root.json(&["settings", "show"]).1.to_string();
        assert!(!shown.contains("prod/ics") && shown.contains("found in"), "{shown}");
        root.run(SET).ok();
        assert_eq!(root.get(FILE), aside);
        root.run(&["revert"]).ok();
        assert_eq!(root.get(FILE), back);
    }
}

#[test]
fn what_else_stands_in_a_line_by_hand_stays() {
    let by_hand =
        "DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,role=arn:aws:iam::1:role/x,region=eu-west-1,secret_name=old";
    let root = with(&format!("{by_hand}\nREGION=eu-west-1\nDIVVY_REDIS_HOST=cache.corp.example\n"));
    // The region of the line counts where none is said.
    root.run(&["reconfigure", "--aws-secret", "new"]).ok();
    let moved = by_hand.replace("old", "new");
    let text = |line: &str, region: &str| format!("{line}\nREGION={region}\nDIVVY_REDIS_HOST=cache.corp.example\n");
    assert_eq!(root.get(FILE), text(&moved, "eu-west-1"));
    root.run(&["reconfigure", "--aws-region", "us-gov-west-1"]).ok();
    assert_eq!(root.get(FILE), text(&moved.replace("eu-west-1", "us-gov-west-1"), "us-gov-west-1"));
    // Another region beside it is somebody else's.
    let root = with(&format!("{by_hand}\nREGION=us-east-1\n"));
    root.run(OUT).ok();
    assert_eq!(root.get(FILE), format!("#{by_hand}\nREGION=us-east-1\n"));
    // A secret that is none of AWS is not taken over.
    let vault = "DIVVY_SECRETS_PROVIDER_CONFIG=Vault,path=ics\n";
    let root = with(vault);
    let (code, json) = root.json(SET);
    assert_eq!((code, &of(&json, "secrets-provider")["status"]), (4, &json!("fail")), "{json:#}");
    assert_eq!(root.get(FILE), vault);
    // What is printed in its place is a run of its own, and does it.
    let told = of(&json, "secrets-provider")["advice"][0].as_str().unwrap().to_owned();
    let words: Vec<&str> = told.split_once("ics-setup ").unwrap().1.split(' ').chain(["--yes"]).collect();
    crate::root::run(&words, &[], "").ok();
    root.run(SET).ok();
}

#[test]
fn what_another_kind_of_secret_is_read_with_is_shown_nowhere() {
    let vault = "DIVVY_SECRETS_PROVIDER_CONFIG='Vault,addr=https://vault.corp.example:8200,token=hvs.Hunter2'\n";
    let root = with(vault);
    let mut shown = String::new();
    for arguments in [
        SET,
        &[SET, &["--dry-run"]].concat(),
        &["check"],
        &["settings", "show"],
        &["settings", "export"],
        &["reconfigure", "--mysql-host", "db2.corp.example"],
        &[OUT, &["--dry-run"]].concat(),
        OUT,
        SET,
        &["revert", "--yes"],
    ] {
        for format in ["json", "human"] {
            let ran = root.run(&[arguments, &["--format", format]].concat());
            shown.push_str(&format!("{}{}", ran.stdout, ran.stderr));
        }
    }
    assert!(shown.contains("DIVVY_SECRETS_PROVIDER_CONFIG=") && shown.contains("secret Vault"), "{shown}");
    assert!(!shown.contains("hvs.Hunter2") && !shown.contains("Hunter2"), "{shown}");
}

#[test]
fn what_contradicts_a_secret_or_is_missing_for_it_is_named() {
    let root = with(CURRENT);
    root.put("pw", "Hunter2Hunter\n");
    let file = root.at("pw").display().to_string();
    for (more, names) in [
        (&["--mysql-host", "db2.corp.example"][..], "--mysql-host"),
        (&["--mysql-port", "3307"], "--mysql-port"),
        (&["--mysql-password-file", &file], "--mysql-password-file"),
        (&["--mysql-database", "d"], "--mysql-database"),
        (&["--create-databases"], "--create-databases"),
        (&["--no-secrets-provider"], "--no-secrets-provider"),
        (&["--deployment", "test-drive"], "test-drive"),
    ] {
        for verb in ["reconfigure", "install"] {
            let (code, json) = root.json(&[&[verb], &SET[1..], more].concat());
            let (id, text) = error(&json);
            assert_eq!((code, id), (3, "settings-conflict"), "{json:#}");
            assert!(text.contains(names) && text.contains("--aws-secret"), "{text}");
        }
    }
    for (said, missing) in [("--aws-secret", "--aws-region"), ("--aws-region", "--aws-secret")] {
        let (code, json) = root.json(&["reconfigure", said, "x"]);
        assert_eq!((code, error(&json).0), (3, "settings-missing"), "{json:#}");
        assert!(error(&json).1.contains(missing), "{json:#}");
    }
    for (secret, region) in [("a,b", "us-east-1"), ("a b", "us-east-1"), ("a", "us,east")] {
        let (code, json) = root.json(&["reconfigure", "--aws-secret", secret, "--aws-region", region]);
        assert_eq!((code, error(&json).0), (3, "setting-invalid"), "{json:#}");
    }
    // A settings file contradicts in the same way.
    root.put("s.toml", "[aws]\nsecret_name = \"ics\"\nregion = \"us-east-1\"\n");
    let settings = root.at("s.toml").display().to_string();
    let (code, json) = root.json(&["reconfigure", "--settings", &settings, "--mysql-host", "db2.corp.example"]);
    assert!(code == 3 && error(&json).1.contains("s.toml:2"), "{json:#}");
    assert_eq!(root.get(FILE), CURRENT);
    // Beside one that is found nothing is made, either.
    let root = with(IN_SECRET);
    let (code, json) = root.json(&["install", "--create-databases", "--mysql-admin-user", "root"]);
    assert_eq!((code, error(&json).0), (3, "settings-conflict"), "{json:#}");
}

#[test]
fn other_databases_take_the_place_of_the_secret() {
    let root = with(IN_SECRET);
    root.put("pw", "another-word\n");
    let file = root.at("pw").display().to_string();
    root.run(&[OUT, &["--mysql-host", "db2.corp.example", "--mysql-password-file", &file]].concat()).ok();
    let text = root.get(FILE);
    for line in [
        "\nDIVVY_DB_HOST=db2.corp.example\nDIVVY_DB_PORT=3306\n",
        "\nDIVVY_DB_USERNAME=divvy\nDIVVY_DB_PASSWORD=another-word\nDIVVY_SECRET_DB_HOST=db2.corp.example\n",
        "\n#DIVVY_SECRETS_PROVIDER_CONFIG=",
        "\n#REGION=us-east-1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("in-secret"), "{text}");
}

#[test]
fn who_installs_with_a_secret_names_no_mysql() {
    let root = Root::ubuntu();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    root.program("usr/lib/systemd/systemd");
    let install = [&["install"], &SET[1..], &["--redis-host", "cache.corp.example"]].concat();
    let (code, json) = root.json(&install);
    assert_eq!(code, 0, "{json:#}");
    let text = root.get(FILE);
    let is_live = |line: &&str| line.starts_with("DIVVY_") || line.starts_with("REGION");
    assert_eq!(
        text.lines().filter(is_live).collect::<Vec<_>>(),
        [
            "DIVVY_DB_NAME=divvy",
            "DIVVY_SECRET_DB_NAME=divvykeys",
            "DIVVY_REDIS_HOST=cache.corp.example",
            "DIVVY_REDIS_PORT=6379",
            "DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,region=us-east-1,secret_name=prod/ics",
            "REGION=us-east-1",
        ]
    );
    assert_eq!(text.lines().filter(|line| line.starts_with("#in-secret# ")).count(), 8);
    assert_eq!(of(&json, "default-password"), &Value::Null, "the vendor's password counts for nothing");
    assert_eq!(root.json(&install).1["outcome"], "unchanged");
    assert_eq!(root.json(&["install"]).1["outcome"], "unchanged");
    // Without it there is no server to be asked, and lines of the template are no answer.
    let (code, json) = root.json(&["install", "--no-secrets-provider"]);
    assert_eq!((code, error(&json).0), (3, "settings-missing"), "{json:#}");
    root.run(&["revert"]).ok();
    assert!(!root.has(FILE));
}

#[test]
fn every_verb_knows_the_secret() {
    let root = with(IN_SECRET);
    let json = root.json(&["check", "backends"]).1;
    let finding = of(&json, "mysql-reachable");
    assert_eq!(finding["status"], "skip", "{finding:#}");
    assert!(finding["observed"].as_str().unwrap().starts_with("in AWS secret prod/ics, not looked up"), "{finding:#}");
    let json = root.json(&["settings", "show"]).1;
    let of_key = |key: &str| json["settings"].as_array().unwrap().iter().find(|own| own["key"] == key).unwrap().clone();
    assert_eq!(of_key("aws.secret_name")["value"], "prod/ics");
    assert_eq!(of_key("aws.region")["value"], "us-east-1");
    assert!(of_key("aws.region")["origin"].as_str().unwrap().ends_with("prod.env:12"), "{json:#}");
    // What is exported says the same again.
    let exported = root.run(&["settings", "export"]).ok().stdout;
    assert!(exported.contains("[aws]\n") && !exported.contains("[mysql]"), "{exported}");
    root.put("s.toml", &exported);
    let settings = root.at("s.toml").display().to_string();
    assert_eq!(root.json(&["reconfigure", "--settings", &settings]).1["outcome"], "unchanged", "{exported}");
    for arguments in [&["settings", "example"][..], &["settings", "schema"], &["install", "--help"]] {
        let text = root.run(arguments).stdout;
        assert!(text.contains("no_secrets_provider") || text.contains("--no-secrets-provider"), "{text}");
    }
}
