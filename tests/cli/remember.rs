//! What runs remember (`state.json`), and what is exported of a host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::root::{Root, STATE_FILE};

const PROXY: &[&str] = &["prepare", "--proxy", "http://proxy.corp.example:3128"];

/// The name of the last run, and what it was told.
fn told(root: &Root) -> Value {
    serde_json::from_str(&root.get(STATE_FILE)).unwrap()
}

fn row(root: &Root, more: &[&str], key: &str) -> (String, String) {
    let (_, json) = root.json(&[&["settings", "show"], more].concat());
    let row = json["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    (row["value"].as_str().unwrap_or("-").to_owned(), row["origin"].as_str().unwrap().to_owned())
}

fn with(first: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    [first, more].concat()
}

fn ids(json: &Value) -> Vec<&str> {
    json["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[test]
fn a_later_run_that_names_nothing_does_the_same_and_says_where_from() {
    let root = Root::ubuntu();
    root.run(&with(PROXY, &["--no-proxy", "a.example", "--both-cases"])).ok();
    let run = root.json(&["status"]).1["runs"][0]["run"].as_str().unwrap().to_owned();
    let state = told(&root);
    assert_eq!(state["run"], run.as_str());
    assert_eq!(root.at(STATE_FILE).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!root.has("etc/ics-setup"), "a settings file is nobody's but people's");
    let origin = format!("last run {run}");
    assert_eq!(row(&root, &[], "proxy.no_proxy"), ("a.example".to_owned(), origin.clone()));
    assert_eq!(row(&root, &[], "proxy.https"), ("http://proxy.corp.example:3128".to_owned(), origin));
    // Another file appears, and the next run brings it in line although nothing is named.
    let written = root.get("etc/environment");
    root.put("etc/environment", "PATH=\"/usr/bin:/bin\"\n");
    let (_, json) = root.json(&["prepare"]);
    assert_eq!(json["outcome"], "changed");
    assert!(!ids(&json).contains(&"proxy-not-set"), "the last run says what to do: {json}");
    assert_eq!(root.get("etc/environment"), written);
    assert_eq!(told(&root)["settings"], state["settings"]);
    assert_ne!(told(&root)["run"], state["run"]);
    // Stronger and weaker than it.
    root.put("etc/environment", "http_proxy=\"http://found:1\"\n");
    assert!(row(&root, &[], "proxy.http").1.starts_with("last run "));
    root.put("etc/ics-setup/settings.toml", "[proxy]\nhttp = \"http://file:1\"\n");
    assert!(row(&root, &[], "proxy.http").1.ends_with("settings.toml:2"));
    assert!(row(&root, &["--proxy", "http://flag:1"], "proxy.http").1 == "--proxy");
}

#[test]
fn a_run_without_changes_remembers_what_it_was_told_and_is_no_run() {
    let root = Root::ubuntu();
    let before = root.picture();
    root.run(&["prepare", "--agent-region", "us", "--dry-run"]).ok();
    assert!(root.picture() == before && !root.has("var"), "a dry run leaves no trace");
    let (code, json) = root.json(&["prepare", "--agent-region", "us"]);
    assert_eq!((code, json["outcome"].as_str(), &json["run"]), (0, Some("unchanged"), &Value::Null));
    assert!(root.picture() == before);
    assert_eq!(row(&root, &[], "agent.region"), ("us".to_owned(), "last run".to_owned()));
    root.run(PROXY).ok();
    let state = told(&root);
    assert_eq!(state["settings"]["agent.region"], "us");
    let (_, json) = root.json(&["prepare", "--agent-region", "eu"]);
    assert_eq!(json["outcome"], "unchanged");
    assert_eq!(told(&root)["settings"]["agent.region"], "eu");
    assert_eq!(told(&root)["run"], state["run"], "the last run that changed something keeps its name");
    let kept = fs::metadata(root.at(STATE_FILE)).unwrap().modified().unwrap();
    root.run(&["prepare"]).ok();
    assert_eq!(fs::metadata(root.at(STATE_FILE)).unwrap().modified().unwrap(), kept, "no byte, no mtime");
    assert_eq!(root.json(&["status"]).1["runs"].as_array().unwrap().len(), 1);
    assert_eq!(root.json(&["status"]).1["drift"], serde_json::json!([]));
    // Taken back, the host knows what it knew before that run.
    root.run(&["revert"]).ok();
    assert_eq!(told(&root), serde_json::json!({"version": 1, "settings": {"agent.region": "us"}}));
    assert!(root.picture() == before);
}

#[test]
fn taking_the_proxy_out_ends_what_was_remembered_of_it() {
    let root = Root::ubuntu();
    root.run(&with(PROXY, &["--no-proxy", "a.example", "--release", "22.3.9"])).ok();
    root.put("etc/environment", "PATH=\"/usr/bin:/bin\"\n");
    fs::remove_file(root.at("etc/systemd/system/docker.service.d/http-proxy.conf")).unwrap();
    let (_, json) = root.json(&["prepare", "--remove-proxy"]);
    assert_eq!(json["outcome"], "unchanged", "somebody had taken it out by hand: {json}");
    assert_eq!(told(&root)["settings"], serde_json::json!({"release": "22.3.9"}));
    let (_, json) = root.json(&["prepare"]);
    assert_eq!((json["outcome"].as_str(), ids(&json).contains(&"proxy-not-set")), (Some("unchanged"), true));
}

#[test]
fn each_way_back_leads_to_what_was_remembered_before() {
    let root = Root::ubuntu();
    root.run(PROXY).ok();
    let first = root.get(STATE_FILE);
    root.run(&["reconfigure", "--mysql-host", "db.corp.example"]).ok();
    let second = root.get(STATE_FILE);
    assert!(second.contains("db.corp.example") && second.contains("proxy.corp.example"), "{second}");
    let run = root.json(&["revert"]).1["run"].as_str().unwrap().to_owned();
    assert_eq!(root.get(STATE_FILE), first);
    root.run(&["revert", &run]).ok();
    assert_eq!(root.get(STATE_FILE), second, "taken back once more");
    for _ in 0..2 {
        root.run(&["revert"]).ok();
    }
    assert!(!root.has(STATE_FILE));
}

#[test]
fn a_settings_file_is_read_and_never_written() {
    let root = Root::ubuntu();
    // As 0.1.0 kept the settings of its last run.
    let kept = "# Settings of the last ics-setup run. Passwords are not kept here: they are found again on the host.\n\
                # All keys: ics-setup settings example\n\ndeployment = \"test-drive\"\nroles = [\"worker\"]\n\n\
                [proxy]\nurl = \"http://svc@old.corp.example:1\"\n";
    root.put("etc/ics-setup/settings.toml", kept);
    root.put("etc/environment", "http_proxy=\"http://svc:s3cret@old.corp.example:1\"\n");
    let at = |root: &Root| fs::metadata(root.at("etc/ics-setup/settings.toml")).unwrap().modified().unwrap();
    let before = at(&root);
    root.run(&["prepare"]).ok();
    let environment = root.get("etc/environment");
    assert!(environment.contains("https_proxy=\"http://svc:s3cret@old.corp.example:1\""), "{environment}");
    assert!(environment.contains("localhost"), "{environment}");
    assert_eq!(told(&root)["settings"], serde_json::json!({}), "what the file says, it says again");
    let (_, json) = root.json(&["prepare", "--deployment", "production"]);
    let finding = json["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "settings-file-stays");
    let title = finding.unwrap()["title"].as_str().unwrap();
    assert!(title.contains("settings.toml:4 has another value than --deployment"), "{title}");
    root.run(&["reconfigure", "--mysql-host", "db"]).ok();
    root.run(&["prepare", "--remove-proxy"]).ok();
    root.run(&["revert"]).ok();
    root.run(&["prove"]);
    root.run(&["check", "proxy", "--fail-on", "never"]);
    assert_eq!((root.get("etc/ics-setup/settings.toml").as_str(), at(&root)), (kept, before));
    // A file that is named is the run's own word: it is remembered.
    root.put("named.toml", "[agent]\nregion = \"eu\"\n");
    root.run(&["prepare", "--settings", root.at("named.toml").to_str().unwrap()]).ok();
    assert_eq!(told(&root)["settings"]["agent.region"], "eu");
}

#[test]
fn what_cannot_be_trusted_or_read_is_named_and_never_taken_for_nothing() {
    let file = |root: &Root| root.at(STATE_FILE);
    let mode = |root: &Root, mode| fs::set_permissions(root.at(STATE_FILE), PermissionsExt::from_mode(mode)).unwrap();
    type Break<'a> = &'a dyn Fn(&Root);
    let cases: [(&str, Break<'_>); 9] = [
        ("state-unreadable", &|root| root.put(STATE_FILE, "{\"version\": 1, \"settings\": {")),
        ("state-unreadable", &|root| root.put(STATE_FILE, "")),
        ("state-newer", &|root| root.put(STATE_FILE, "{\"version\": 2, \"else\": []}")),
        ("state-newer", &|root| root.put(STATE_FILE, "{\"version\": 1, \"settings\": {\"proxy.pac\": \"x\"}}")),
        ("state-not-private", &|root| mode(root, 0o620)),
        ("state-not-private", &|root| mode(root, 0o602)),
        ("state-not-private", &|root| {
            fs::set_permissions(root.at("var/lib/ics-setup"), PermissionsExt::from_mode(0o777)).unwrap();
        }),
        ("not-a-file", &|root| {
            fs::rename(file(root), root.at("elsewhere")).unwrap();
            symlink("/elsewhere", file(root)).unwrap();
        }),
        ("not-a-file", &|root| {
            fs::remove_file(file(root)).unwrap();
            fs::create_dir(file(root)).unwrap();
        }),
    ];
    for (id, damage) in cases {
        let root = Root::ubuntu();
        root.run(PROXY).ok();
        damage(&root);
        let before = root.picture();
        for command in [
            &["prepare"][..],
            &["reconfigure", "--mysql-host", "db"],
            &["prepare", "--dry-run"],
            &["settings", "show"],
            &["settings", "export"],
            &["network", "list"],
            &["check", "proxy"],
        ] {
            let (code, json) = root.json(command);
            let error = &json["error"];
            assert_eq!((code, error["id"].as_str()), (5, Some(id)), "{command:?}: {json}");
            assert!(error["message"].as_str().unwrap().contains("var/lib/ics-setup"), "{json}");
        }
        assert!(root.picture() == before, "{id}");
        if error_is_of_text(id) {
            // The way back is not blocked for ever: by force, and the file is kept as it was.
            assert_eq!(root.json(&["revert"]).1["error"]["id"], "conflict");
            root.run(&["revert", "--force"]).ok();
            assert!(!root.has(STATE_FILE));
        }
    }
}

fn error_is_of_text(id: &str) -> bool {
    ["state-unreadable", "state-newer"].contains(&id)
}

#[test]
fn what_another_user_owns_is_not_obeyed() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skip what_another_user_owns_is_not_obeyed: only root can give a file away");
        return;
    }
    let root = Root::ubuntu();
    root.run(PROXY).ok();
    std::os::unix::fs::chown(root.at(STATE_FILE), Some(1000), None).unwrap();
    assert_eq!(root.json(&["prepare"]).1["error"]["id"], "state-not-private");
}

/// `prepare` and what else is named have nothing to do with the exported file; the file.
fn adopts(root: &Root, verbs: &[&str], more: &[&str]) -> String {
    let before = root.picture();
    let exported = root.run(&[&["settings", "export"], more].concat()).ok().stdout;
    assert!(root.picture() == before && !root.has("var/lib/ics-setup/export"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &exported).unwrap();
    let path = file.path().to_str().unwrap();
    for verb in verbs {
        let ran = root.run(&[verb, "--settings", path, "--dry-run", "--exit-code"]);
        assert_eq!(ran.code, 0, "{verb}\n{exported}\n{}{}", ran.stdout, ran.stderr);
    }
    assert!(!exported.contains("With this file prepare"), "{exported}");
    for key in ["proxy.http", "proxy.https", "mysql.host", "mysql.port", "redis.host", "agent.region", "deployment"] {
        assert_eq!(row(root, &["--settings", path], key).0, row(root, more, key).0, "{key}\n{exported}");
    }
    exported
}

#[test]
fn a_host_that_was_set_up_by_hand_is_adopted() {
    let drop_in = "etc/systemd/system/docker.service.d/http-proxy.conf";
    let list = "mysql,redis,169.254.169.254";
    let system = |list: &str| format!("http_proxy=http://p.corp:1\nhttps_proxy=\"http://p.corp:1\"\nno_proxy={list}\n");
    let docker = |list: &str| {
        format!("[Service]\nEnvironment=HTTP_PROXY=http://p.corp:1 HTTPS_PROXY=http://p.corp:1 \"NO_PROXY={list}\"\n")
    };
    // All of it, with the built-in members and one more.
    let root = Root::ubuntu();
    root.put("etc/environment", system(&format!("{list},a.corp")));
    root.put(drop_in, docker(&format!("{list},a.corp")));
    let exported = adopts(&root, &["prepare"], &[]);
    assert!(exported.contains("# found in /etc/environment:1\nurl = \"http://p.corp:1\"\n"), "{exported}");
    assert!(exported.contains("\nno_proxy = [\"a.corp\"]\n"), "{exported}");
    assert!(exported.contains("# With this file reconfigure changes /divvycloud/prod.env\n"), "{exported}");
    // Without the built-in members: exactly these.
    root.put("etc/environment", system("a.corp,b.corp"));
    root.put(drop_in, docker("a.corp,b.corp"));
    let exported = adopts(&root, &["prepare"], &[]);
    assert!(exported.contains("\nno_proxy_only = [\"a.corp\", \"b.corp\"]\n"), "{exported}");
    // For logins alone.
    fs::remove_file(root.at(drop_in)).unwrap();
    assert!(adopts(&root, &["prepare"], &[]).contains("\ntarget = [\"system-proxy\"]\n"));
    // With a login: the password is found again, and a place says how to name it elsewhere.
    root.put("etc/environment", system(list).replace("://", "://d%5Cu:s3cr%40t@"));
    let exported = adopts(&root, &["prepare"], &[]);
    assert!(exported.contains("url = \"http://d%5Cu@p.corp:1\"\n"), "{exported}");
    assert!(exported.contains("\n#password_file = \"<FILE>\"\n") && !exported.contains("s3cr"), "{exported}");
    // The product, too.
    let root = Root::centos();
    let product = format!("{}{}", crate::root::PROD_ENV.replace('#', "# "), system(list).replace('"', ""));
    let ports = "DIVVY_DB_HOST=mysql\nDIVVY_DB_PORT=3307\nDIVVY_SECRET_DB_PORT=3307";
    root.put("divvycloud/prod.env", product.replace("DIVVY_DB_HOST=mysql", ports));
    let exports: String = system(list).lines().map(|line| format!("export {line}\n")).collect();
    root.put("etc/profile.d/proxy.sh", exports);
    let exported = adopts(&root, &["prepare", "reconfigure"], &[]);
    assert!(exported.contains("[mysql]\n\n# found in /divvycloud/prod.env:5\nhost = \"mysql\"\n"), "{exported}");
    assert!(exported.contains("\nport = 3307\n") && !exported.contains("divvy\"\n"), "{exported}");
}

#[test]
fn what_runs_were_told_is_exported_with_flags_and_what_cannot_be_adopted_is_said() {
    let root = Root::ubuntu();
    root.put("pw", "p@ss w0rd\n");
    let password = root.at("pw").display().to_string();
    let login = ["--proxy-user", "svc", "--proxy-password-file", &password, "--agent-region", "us"];
    root.run(&[PROXY, &login, &["--no-proxy-only", "x.example", "--deployment", "test-drive"]].concat()).ok();
    let exported = adopts(&root, &["prepare"], &["--release", "22.3.9"]);
    for line in [
        "# --release\nrelease = \"22.3.9\"",
        "url = \"http://svc@proxy.corp.example:3128\"",
        "no_proxy_only = [\"x.example\"]",
        "[agent]\n\n# last run 20",
        "deployment = \"test-drive\"",
    ] {
        assert!(exported.contains(line), "{line} is missing in\n{exported}");
    }
    assert!(!exported.contains("w0rd") && !exported.contains(&password), "{exported}");
    let exported = root.run(&["settings", "export", "--proxy-password-file", &password]).ok().stdout;
    assert!(exported.contains(&format!("password_file = \"{password}\"\n")), "{exported}");
    // Files that contradict each other: no settings make them so.
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://a:1\nhttps_proxy=http://a:1\n");
    root.put("etc/profile.d/zz.sh", "export http_proxy=http://b:1\n");
    let exported = root.run(&["settings", "export"]).ok().stdout;
    assert!(exported.contains("# With this file prepare changes /etc/environment"), "{exported}");
    // A proxy that no client takes as it is meant.
    root.put("etc/environment", "http_proxy=http://a\n");
    root.put("etc/profile.d/zz.sh", "");
    let exported = root.run(&["settings", "export"]).ok().stdout;
    assert!(
        exported.contains("# Noticed: the proxy found in /etc/environment:1 cannot be used: it has no port"),
        "{exported}"
    );
    // Nothing at all.
    let exported = adopts(&Root::ubuntu(), &["prepare"], &[]);
    assert!(!exported.contains("[proxy]"), "{exported}");
}
