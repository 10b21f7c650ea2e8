//! `check` through the binary: what it lists and explains, which words it takes, how it ends in every format.

use serde_json::{Value, json};

use crate::root::{Ran, Root, run};
use crate::terminal::{at_a_terminal, with_variables};

/// The words of `--format`, as the help names them.
pub fn formats() -> Vec<String> {
    let help = run(&["check", "--help"], &[], "").ok().stdout;
    let (_, rest) = help.split_once("Form of the result: ").unwrap();
    let (line, _) = rest.split_once("[default").unwrap();
    let words: Vec<String> = line
        .split(|c: char| c.is_whitespace() || ",;".contains(c))
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_lowercase()))
        .filter(|word| !["", "or", "and", "check", "also", "has", "default"].contains(word))
        .map(str::to_owned)
        .collect();
    assert_eq!(words[..2], ["human", "json"], "{line}");
    assert!(words.len() >= 6, "{line}");
    words
}

fn refused(arguments: &[&str], code: i32) -> Ran {
    let ran = run(&[&["check"], arguments].concat(), &[], "");
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("error: ") && ran.stderr.lines().count() >= 2, "{arguments:?}: {}", ran.stderr);
    ran
}

/// A file of facts that no check has to do with, so that what comes out is the same on any machine.
fn facts(root: &Root) -> String {
    let want = json!({
        "deployment": "production", "release": null, "home": "/divvycloud", "http_proxy": null, "https_proxy": null,
        "no_proxy": [], "mysql": null, "redis": null,
        "limits": {"connect": 3000, "check": 10000, "run": 60000, "wait": 0},
    });
    let facts = json!({"schema": "ics-setup/facts/v2", "version": "0.2.0", "taken": "2026-11-21T20:01:02Z", "spec": want, "checks": []});
    root.put("facts.json", facts.to_string());
    root.at("facts.json").display().to_string()
}

#[test]
fn the_list_names_what_check_reports_and_verbose_everything() {
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let json = run(&[&["check", "--list", "--format", "json"], arguments].concat(), &[], "").ok().json();
        json["checks"].as_array().unwrap().clone()
    };
    let (own, all) = (rows(&[]), rows(&["-v"]));
    assert!(all.len() > own.len() && all.len() > 20);
    assert!(own.iter().all(|row| all.contains(row)));
    assert!(all.iter().any(|row| row["id"] == "variable-unknown"));
    assert!(!own.iter().any(|row| row["id"] == "variable-unknown"), "that is for prepare to say");
    // One block per group, and each id below its heading.
    let text = run(&["check", "--list", "-v"], &[], "").ok().stdout;
    let headings: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    let mut once = headings.clone();
    once.dedup();
    once.sort_unstable();
    once.dedup();
    assert_eq!(headings.len(), once.len(), "{text}");
    for row in &all {
        let id = row["id"].as_str().unwrap();
        assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("{id} "))), "{id}");
    }
    // Groups and ids narrow the list as they narrow a run.
    let host = rows(&["host"]);
    assert!(host.iter().all(|row| row["group"] == "host" && own.contains(row)));
    assert!(own.iter().all(|row| row["group"] != "host" || host.contains(row)));
    assert!(rows(&["--skip", "host,proxy,backends,network,agent,runtime"]).is_empty());
}

#[test]
fn an_id_is_explained_with_what_to_type_next() {
    let text = run(&["check", "--explain", "proxy-https-scheme"], &[], "").ok().stdout;
    assert!(text.starts_with("proxy-https-scheme (proxy)\n") && text.contains("wrong version number"), "{text}");
    assert!(text.contains("--only proxy-https-scheme") || text.contains("prepare, reconfigure"), "{text}");
    let json = run(&["check", "--explain", "proxy-https-scheme", "--format", "json"], &[], "").ok().json();
    assert_eq!(json["check"]["group"], "proxy");
    let ran = refused(&["--explain", "proxy-https-schem"], 3);
    assert!(ran.stderr.contains("hint: ics-setup check --explain proxy-https-scheme"), "{}", ran.stderr);
    let ran = refused(&["--explain", "x", "--format", "junit"], 2);
    assert!(ran.stderr.contains("--explain has human and json"), "{}", ran.stderr);
    refused(&["--list", "--format", "prometheus"], 2);
}

#[test]
fn a_word_that_means_nothing_is_refused_with_the_nearest_one() {
    for (arguments, code, near) in [
        (&["hots"][..], 2, "host"),
        (&["--only", "backend"], 3, "--only backends"),
        (&["--skip", "proxy-https-schem"], 3, "--skip proxy-https-scheme"),
        (&["--ignore-check", "proxy-port-mising"], 3, "proxy-port-missing"),
        (&["--only", "variable-unknown"], 3, "ics-setup check --list"),
        (&["--format", "junitt"], 2, "junit"),
        (&["--fail-on", "warning"], 2, "warn"),
        (&["host", "--only", "mysql-version"], 2, "leave nothing to check"),
        (&["--skip", "host,proxy,backends,network,agent,runtime"], 2, "leave nothing to check"),
        (&["--timeout", "soon"], 2, "--timeout 30s"),
        (&["--deadline", "0"], 2, "--deadline 10s"),
        (&["--from", "/nowhere"], 3, "--save-facts"),
        (&["--from", "/dev/zero"], 3, "larger than 64 MiB"),
        (&["--from", "/dev/null"], 3, "--save-facts"),
        (&["--from", "x", "--root", "/"], 2, "--from looks at nothing"),
        (&["--from", "x", "--proxy", "http://h:1"], 2, "--release and --deployment"),
    ] {
        let ran = refused(arguments, code);
        assert!(ran.stderr.contains(near) && ran.stdout.is_empty(), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    }
}

/// Whoever asks only for the grants hears that the server does not answer, and not that nothing was wrong.
#[test]
fn what_stands_in_the_way_of_the_only_check_is_told() {
    let root = Root::ubuntu();
    let asked = |arguments: &[&str]| {
        let ran = root.run(&[&["check", "--format", "json"], arguments].concat());
        let ids: Vec<String> =
            ran.json()["findings"].as_array().unwrap().iter().map(|found| found["id"].to_string()).collect();
        (ran.code, ids.join(" "))
    };
    let nobody = ["--mysql-host", "127.0.0.1", "--mysql-port", "1", "--only", "mysql-grants"];
    assert_eq!(asked(&nobody), (4, "\"mysql-reachable\" \"mysql-grants\"".to_owned()));
    let without = [&nobody[..], &["--skip", "mysql-reachable"]].concat();
    assert_eq!(asked(&without), (0, "\"mysql-grants\"".to_owned()), "skipped");
    assert_eq!(asked(&["--only", "memory"]), (0, "\"memory\"".to_owned()), "skipped, below a root");
    let unheard = ["--only", "queue-waiting", "--redis-host", "127.0.0.1"];
    assert_eq!(asked(&unheard), (0, "\"queue-waiting\"".to_owned()));
}

#[test]
fn formats_of_check_are_refused_elsewhere() {
    let root = Root::ubuntu();
    for format in formats().iter().filter(|format| !["human", "json"].contains(&format.as_str())) {
        let ran = root.run(&["status", "--format", format]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(&format!("--format \"{format}\" does not go with status")), "{}", ran.stderr);
    }
}

#[test]
fn facts_are_judged_in_every_format() {
    let root = Root::ubuntu();
    let facts = facts(&root);
    for format in formats() {
        let ran = run(&["check", "--from", &facts, "--format", &format], &[], "");
        assert!(ran.stderr.is_empty(), "{format}: {}", ran.stderr);
        // Nothing was found: all is well, but a monitoring system must not call that ok.
        assert_eq!(ran.code, if format == "nagios" { 3 } else { 0 }, "{format}");
        let begin = match format.as_str() {
            "human" => "nothing was checked (facts of 2026-11-21T20:01:02Z)",
            "json" => "{",
            "junit" => "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "tap" => "TAP version 14\n1..0 # SKIP",
            "nagios" => "ICS-SETUP UNKNOWN - nothing was checked | checks_failed=0;",
            "prometheus" => "# HELP ics_setup_check_",
            other => panic!("{other} has no test"),
        };
        assert!(ran.stdout.starts_with(begin), "{format}: {}", ran.stdout);
    }
}

#[test]
fn a_run_that_cannot_begin_is_unknown_to_a_monitoring_system() {
    for arguments in [
        &["--only", "nothing-such"][..],
        &["--no-such-flag"],
        &["--ignore-check", "nothing-such"],
        &["-q", "-v"],
        &["--proxy", "socks5://h:1", "--root", "/nowhere"],
    ] {
        let ran = run(&[&["check", "--format", "nagios"], arguments].concat(), &[], "");
        assert_eq!(ran.code, 3, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.starts_with("ICS-SETUP UNKNOWN - ") && ran.stdout.lines().count() == 1, "{}", ran.stdout);
        assert!(ran.stderr.contains("error"), "{}", ran.stderr);
        let ran = run(&[&["check", "--format=tap"], arguments].concat(), &[], "");
        assert!(ran.stdout.starts_with("TAP version 14\nBail out! "), "{arguments:?}: {}", ran.stdout);
        assert!(ran.code == 2 || ran.code == 3 || ran.code == 5, "{arguments:?}: {}", ran.code);
    }
}

#[test]
fn saved_facts_are_for_their_owner_only_and_judged_alike() {
    use std::os::unix::fs::PermissionsExt;
    let root = Root::ubuntu();
    let file = root.at("facts.json").display().to_string();
    let ran = root.run(&["check", "--save-facts", &file, "--format", "json", "--deadline", "20s"]);
    let mode = root.at("facts.json").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = run(&["check", "--from", &file, "--format", "json"], &[], "");
    // Where an image was looked at, what is to be pasted names it; elsewhere root's rights have to be asked for.
    let here = ran.stdout.replace(&format!(" --root {}", root.path().display()), "");
    let bare = |text: &str| text.replace("sudo ", "");
    assert_eq!((again.code, bare(&again.stdout)), (ran.code, bare(&here)));
    let (device, link) = (std::path::Path::new("/dev/full"), root.at("link.json"));
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let link_name = link.display().to_string();
    for nowhere in ["/nowhere/facts.json", "/", "/proc/facts.json", "/dev/full", &link_name] {
        let ran = root.run(&["check", "--only", "host", "--save-facts", nowhere]);
        assert_eq!(ran.code, 3, "{nowhere}");
        assert!(ran.stderr.contains("hint: name a file in a folder"), "{}", ran.stderr);
    }
    // What had the name still has it.
    assert!(!device.metadata().unwrap().is_file() && link.is_symlink());
}

#[test]
fn at_a_terminal_lines_end_before_it_does() {
    let (code, screen) = at_a_terminal(&["check", "--explain", "proxy-https-scheme"], &[]);
    assert_eq!(code, 0, "{screen}");
    // A pseudo-terminal that nobody gave a size counts as 80 columns wide.
    assert!(screen.lines().all(|line| line.trim_end().chars().count() <= 80), "{screen}");
    assert!(
        screen.lines().count() > run(&["check", "--explain", "proxy-https-scheme"], &[], "").stdout.lines().count()
    );
}

/// What a person sees first who looks at several failures: of which host, the answer, the first of them, what to do.
#[test]
fn the_first_lines_at_a_terminal_hold_the_answer() {
    let root = Root::ubuntu();
    let mut facts: Value =
        serde_json::from_str(include_str!("../data/facts/proxied.json")).expect("facts that are in the repository");
    let names = [("facts.json", Some("web-1.corp.example")), ("earlier.json", None)];
    for (file, name) in names {
        match name {
            Some(name) => {
                facts["host"] = json!({"name": name, "address": "10.20.4.11", "system": null, "command": null})
            }
            // Those of an earlier version do not tell of which host they are.
            None => drop(facts.as_object_mut().unwrap().remove("host")),
        }
        let path = root.at(file).display().to_string();
        std::fs::write(&path, facts.to_string()).unwrap();
        let (code, screen) = with_variables(&[("NO_COLOR", "1")], &["check", "--from", &path], &[]);
        assert_eq!(code, 4, "{screen}");
        let head: Vec<&str> = screen.lines().take(25).map(str::trim_end).collect();
        let host = name.map_or_else(|| "host without a name".to_owned(), |name| format!("{name} (10.20.4.11)"));
        assert!(head[0].starts_with(&host) && head[1].starts_with("Not ready: "), "{screen}");
        let first = head.iter().position(|line| line.starts_with("For the ")).expect("whose it is");
        assert!(head[first + 1].starts_with("  xx "), "{screen}");
        assert!(head[first + 2..first + 4].iter().any(|line| line.starts_with("      -> ")), "{screen}");
    }
}

#[test]
fn a_file_in_the_way_is_one_finding_and_the_rest_is_looked_at() {
    let root = Root::ubuntu();
    // Whoever made a folder of it: nothing can be read there, and everything else can.
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    std::fs::create_dir(root.at("divvycloud/prod.env")).unwrap();
    let (code, json) = root.json(&["check", "host", "proxy", "backends", "--skip", "network"]);
    assert_eq!(code, 4, "{json:#}");
    let findings = json["findings"].as_array().unwrap();
    let of = |id: &str| findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{id}: {json:#}"));
    assert_eq!(of("file-unreadable")["status"], "fail");
    assert!(of("file-unreadable")["title"].as_str().unwrap().contains("divvycloud/prod.env"), "{json:#}");
    // Nothing passes that was not seen.
    assert_eq!(of("proxy-drift")["status"], "skip", "{json:#}");
    assert!(of("mysql-reachable")["observed"].as_str().unwrap().contains("prod.env"), "{json:#}");
    assert_eq!(of("os-supported")["status"], "pass");
}

#[test]
fn waiting_ends_as_soon_as_the_server_is_there() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        // A server that is still starting: two that ask it something are sent away. One that comes with TLS always is.
        let mut sent_away = 0;
        for stream in listener.incoming() {
            let (mut stream, mut heard) = (stream.unwrap(), [0; 4096]);
            while stream.read(&mut heard).is_ok_and(|count| count > 0) && heard.starts_with(b"*") {
                if sent_away < 2 {
                    sent_away += 1;
                    break;
                }
                if stream.write_all(b"-NOAUTH Authentication required.\r\n").is_err() {
                    break;
                }
            }
        }
    });
    let root = Root::ubuntu();
    let look = ["check", "--only", "redis-reachable", "--redis-host", "127.0.0.1", "--redis-port", &port];
    assert_eq!(root.run(&look).code, 4, "it is still starting");
    let began = std::time::Instant::now();
    let ran = root.run(&[&look[..], &["--wait", "30m", "--format", "json"]].concat());
    let finding = ran.json()["findings"][0].clone();
    assert_eq!((ran.code, finding["status"].as_str()), (0, Some("pass")), "{finding:#}");
    assert_eq!(finding["attempts"], 2, "{finding:#}");
    // It does not sit the time out.
    assert!(began.elapsed() < std::time::Duration::from_secs(300));
}

/// The verdict counts things, the end counts checks: where several checks see one thing, both numbers are told.
#[test]
fn the_verdict_and_the_end_speak_of_the_same_checks() {
    let number = |text: &str, behind: &str| -> usize {
        let (before, _) = text.split_once(behind).unwrap_or_else(|| panic!("{behind}: {text}"));
        before.rsplit([' ', '\n']).next().unwrap().parse().unwrap()
    };
    let words = ["check", "--from", "tests/data/facts/proxied.json"];
    let summary = &run(&[&words[..], &["--format", "json"]].concat(), &[], "").json()["summary"];
    let wrong = (summary["fail"].as_u64().unwrap() + summary["error"].as_u64().unwrap()) as usize;
    let text = run(&words, &[], "").stdout;
    let verdict = text.lines().nth(1).unwrap();
    let things = number(verdict, " thing");
    let checks = if verdict.contains(", seen by ") { number(verdict, " checks") } else { things };
    assert_eq!(checks, wrong, "{verdict}");
    assert!(text.contains(&format!("\n{} failed, ", summary["fail"])), "{text}");
    // Each thing is told: one by one, or below what is like it.
    let body = text.split_once("\nWarnings\n").map_or(text.as_str(), |(wrong, _)| wrong);
    let alone = body.lines().filter(|line| line.starts_with("  xx ") || line.starts_with("  \u{d7} ")).count();
    let alike: usize =
        body.lines().filter(|line| line.contains(" more alike:")).map(|line| number(line, " more")).sum();
    assert_eq!(alone + alike, things, "{text}");
}

/// On a host without a proxy, what only root may read is no fault of the host, and the next command is named.
#[test]
fn a_plain_user_is_told_what_root_would_see() {
    use std::os::unix::fs::PermissionsExt;
    let root = Root::ubuntu();
    root.program("usr/bin/docker");
    root.put("root/.profile", "export DOCKER_CONFIG=/root/.docker\n");
    root.put("divvycloud/prod.env", "");
    std::fs::set_permissions(root.at("root"), PermissionsExt::from_mode(0o700)).unwrap();
    let test = "a_plain_user_is_told_what_root_would_see";
    let Some(ran) = root.run_by_nobody(test, &["check", "proxy"]) else { return };
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("could not be found out"), "{}", ran.stdout);
    let next = ran.stdout.lines().find_map(|line| line.strip_prefix("not all could be looked at: "));
    let next = next.unwrap_or_else(|| panic!("{}", ran.stdout));
    assert!(next.starts_with("sudo ") && next.contains(" check "), "{next}");
    let whole = root.run(&["check", "proxy"]).ok().stdout;
    assert!(!whole.contains("not all could be looked at"), "{whole}");
}
