//! `--role`: which services of the compose file a host of a production runs, below `--root`.

use serde_json::Value;

use crate::root::Root;
use crate::terminal::at_a_terminal;

const COMPOSE: &str = "divvycloud/docker-compose.yml";
const MARK: &str = "#ics-setup-out|";
const ALL: &str = "interface,scheduler,worker";

/// As an operator has it: other names, comments, additions, and services that wait for each other.
const OWN: &str = "version: '2.2'   # ours\nservices:\n  interfaceserver:\n    image: public.ecr.aws/divvycloud/divvycloud:v22.3.9\n    command: divvycloud webserver\n    ports: [\"8001:8001\"]\n    depends_on: [scheduler, statsd]   # both\n    env_file: prod.env\n\n  # It migrates.\n  scheduler:\n    image: public.ecr.aws/divvycloud/divvycloud:v22.3.9\n    command: divvycloud scheduler --db-upgrade\n    env_file: prod.env\n    # for us\n    cpus: 2\n  imports:\n    image: public.ecr.aws/divvycloud/divvycloud:v22.3.9\n    command: [divvycloud, worker, --queue, p2]\n    depends_on:\n      - scheduler # first\n    env_file: prod.env\n  statsd:\n    image: statsd/statsd\n";

fn with_file(text: &str) -> Root {
    let root = Root::ubuntu();
    root.put(COMPOSE, text);
    root
}

fn roles(root: &Root, roles: &str, more: &[&str]) -> (i32, Value) {
    root.json(&[&["reconfigure", "--role", roles, "--proxy", "http://proxy.corp.example:3128"], more].concat())
}

/// The services that Compose reads there.
fn services(text: &str) -> Vec<&str> {
    let is_name =
        |line: &&str| line.starts_with("  ") && !line[2..].starts_with([' ', '#', '-']) && line.ends_with(':');
    text.lines().filter(is_name).map(|line| line.trim().trim_end_matches(':')).collect()
}

#[test]
fn services_of_other_roles_are_kept_as_comments_and_come_back_as_they_were() {
    for text in [OWN.to_owned(), OWN.replace('\n', "\r\n")] {
        let root = with_file(&text);
        let (code, json) = roles(&root, "scheduler,interface", &[]);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
        let file = root.get(COMPOSE);
        assert_eq!(services(&file), ["interfaceserver", "scheduler", "statsd"], "{file}");
        let eol = if text.contains('\r') { "\r\n" } else { "\n" };
        assert_eq!(file, text.replace(
            &format!("  imports:{eol}    image: public.ecr.aws/divvycloud/divvycloud:v22.3.9{eol}    command: [divvycloud, worker, --queue, p2]{eol}    depends_on:{eol}      - scheduler # first{eol}    env_file: prod.env{eol}"),
            &format!("{MARK}  imports:{eol}{MARK}    image: public.ecr.aws/divvycloud/divvycloud:v22.3.9{eol}{MARK}    command: [divvycloud, worker, --queue, p2]{eol}{MARK}    depends_on:{eol}{MARK}      - scheduler # first{eol}{MARK}    env_file: prod.env{eol}"),
        ));
        let again = roles(&root, "interface,scheduler", &[]);
        assert_eq!(again.1["outcome"], "unchanged", "{:#}", again.1);

        // What a person writes meanwhile stays, in kept lines too, and an upgrade reaches them.
        let mine = file.replace("--queue, p2]", "--queue, p3]") + "# mine";
        root.put(COMPOSE, &mine);
        let newer = "public.ecr.aws/divvycloud/divvycloud:v22.4.0";
        let (code, json) = roles(&root, "interface", &["--image", newer, "--backup-taken"]);
        assert_eq!(code, 0, "{json:#}");
        let file = root.get(COMPOSE);
        assert_eq!(services(&file), ["interfaceserver", "statsd"], "{file}");
        assert!(file.contains("    depends_on: [\"statsd\"] # ics-setup: instead of the line above"), "{file}");
        assert_eq!(roles(&root, ALL, &[]).0, 0);
        let whole =
            text.replace("divvycloud/divvycloud:v22.3.9", "divvycloud/divvycloud:v22.4.0").replace("p2]", "p3]")
                + "# mine";
        assert_eq!(root.get(COMPOSE).replace(&format!("\"{newer}\""), newer), whole);
        for left in [2, 3] {
            root.run(&["revert", "--yes"]).ok();
            assert_eq!(services(&root.get(COMPOSE)).len(), left);
        }
        assert_eq!(root.get(COMPOSE), mine);
    }
}

#[test]
fn a_service_that_comes_back_is_of_the_release_that_the_others_have_got() {
    let root = with_file(OWN);
    assert_eq!(roles(&root, "interface,worker", &[]).0, 0);
    let file = root.get(COMPOSE);
    let lines = file
        .lines()
        .map(|line| if line.starts_with(MARK) { line.to_owned() } else { line.replace("v22.3.9", "v22.5.1") });
    root.put(COMPOSE, lines.map(|line| line + "\n").collect::<String>());
    assert_eq!(roles(&root, ALL, &[]).0, 0);
    let file = root.get(COMPOSE);
    assert!(file.matches("divvycloud:v22.5.1").count() == 3 && !file.contains("v22.3.9"), "{file}");
}

#[test]
fn the_last_interface_goes_only_when_somebody_says_so() {
    let failing = |json: &Value| -> Vec<String> {
        let all = json["findings"].as_array().unwrap().iter().filter(|one| one["status"] == "fail");
        all.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let root = with_file(OWN);
    let (code, json) = roles(&root, "worker", &[]);
    assert_eq!((code, failing(&json)), (4, vec!["interface-dropped".to_owned()]), "{json:#}");
    assert_eq!(root.get(COMPOSE), OWN);
    assert_eq!(roles(&root, "worker", &["--ignore-check", "interface-dropped"]).0, 0);
    assert_eq!(services(&root.get(COMPOSE)), ["imports", "statsd"]);
    // A host without one has none to lose.
    assert_eq!(roles(&root, "scheduler", &[]).0, 0);

    for (answers, code) in
        [(&[("all the same? [y/N]", "y"), ("changes? [y/N]", "y")][..], 0), (&[("all the same? [y/N]", "n")], 130)]
    {
        let root = with_file(OWN);
        let path = root.path().to_str().unwrap().to_owned();
        let words = ["reconfigure", "--role", "worker", "--proxy", "http://h:1", "--root", &path];
        let (seen, screen) = at_a_terminal(&words, answers);
        assert_eq!(seen, code, "{screen}");
        assert_eq!(root.get(COMPOSE) == OWN, code != 0, "{screen}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_its_name() {
    for (more, code, words) in [
        (&["--deployment", "test-drive", "--role", "worker"][..], 3, "a Test Drive runs everything on one host"),
        (&["--role", "web"], 3, "some of interface, scheduler, worker"),
        (&["--role", ","], 3, "some of interface, scheduler, worker"),
        (
            &["--role", "scheduler,worker", "--port", "8002", "--ignore-check", "interface-dropped"],
            3,
            "does not have the role interface",
        ),
        (&["--role", "interface", "--workers", "3"], 3, "does not have the role worker"),
    ] {
        let root = with_file(OWN);
        let (seen, json) = root.json(&[&["reconfigure", "--proxy", "http://h:1"], more].concat());
        assert!(seen == code && json["error"].to_string().contains(words), "{more:?}: {json:#}");
        assert_eq!(root.get(COMPOSE), OWN);
    }
    // What nobody has kept cannot come back, and what another service needs cannot go.
    for (text, wanted, words) in [
        (OWN.split("  imports:").next().unwrap().to_owned(), ALL, "no service for the role worker"),
        (
            OWN.replace("command: divvycloud webserver", "network_mode: service:scheduler"),
            "interface",
            "needs one that this host is not to run",
        ),
    ] {
        let root = with_file(&text);
        let (code, json) = roles(&root, wanted, &[]);
        assert!(code == 4 && json["findings"].to_string().contains(words), "{json:#}");
        assert_eq!(root.get(COMPOSE), text);
    }
    let root = with_file(OWN);
    root.put("divvycloud/docker-compose.override.yml", "services:\n  imports:\n    mem_limit: 2g\n");
    let (code, json) = roles(&root, "interface,scheduler", &[]);
    assert!(code == 4 && json["findings"].to_string().contains("override.yml adds to imports"), "{json:#}");
}

#[test]
fn a_first_installation_has_its_role_and_keeps_the_others_for_later() {
    let flags = ["--mysql-host", "db.corp.example", "--mysql-password-file", "PW", "--redis-host", "r.corp.example"];
    let install = |root: &Root, more: &[&str]| {
        root.put("pw", "s3cret-of-mysql\n");
        let file = root.at("pw").display().to_string();
        let words: Vec<&str> = flags.iter().map(|word| if *word == "PW" { &file } else { *word }).collect();
        let (code, json) = root.json(&[&["install"], &words[..], more].concat());
        assert_eq!(code, 0, "{json:#}");
        json
    };
    let bare = || {
        let root = Root::ubuntu();
        std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
        root.program("usr/lib/systemd/systemd");
        root
    };
    let (whole, one) = (bare(), bare());
    install(&whole, &["--workers", "3"]);
    install(&one, &["--workers", "3", "--role", "worker"]);
    assert_eq!(services(&one.get(COMPOSE)), ["worker"]);
    assert_eq!(install(&one, &[])["outcome"], "unchanged");
    let (_, json) = one.json(&["settings", "show"]);
    let shown = json["settings"].as_array().unwrap().iter().find(|own| own["key"] == "role").unwrap().clone();
    assert_eq!(shown["value"], "worker", "{shown:#}");
    assert!(one.run(&["settings", "export"]).ok().stdout.contains("\nrole = [\"worker\"]\n"));
    install(&one, &["--role", "worker", "--role", "scheduler,interface"]);
    assert_eq!(one.get(COMPOSE), whole.get(COMPOSE));
    one.run(&["revert", "--yes"]).ok();
    assert_eq!(services(&one.get(COMPOSE)), ["worker"]);
}
