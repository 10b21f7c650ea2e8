//! Runs and their journals: who, when, with which version, told what; several taken back as one; older ones forgotten.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::root::{Ran, Root, STATE_FILE};

const P1: &str = "http://p1.corp.example:3128";
const P2: &str = "http://p2.corp.example:3128";
const P3: &str = "http://p3.corp.example:3128";

fn runs(root: &Root) -> Vec<Value> {
    root.json(&["status"]).1["runs"].as_array().unwrap().clone()
}

fn last(root: &Root) -> String {
    runs(root).last().unwrap()["run"].as_str().unwrap().to_owned()
}

/// Prepares with this proxy; the run's name.
fn prepared(root: &Root, proxy: &str, more: &[&str]) -> String {
    root.run(&[&["prepare", "--yes", "--proxy", proxy], more].concat()).ok();
    last(root)
}

fn told(root: &Root) -> Value {
    if !root.has(STATE_FILE) {
        return Value::Null;
    }
    serde_json::from_str::<Value>(&root.get(STATE_FILE)).unwrap()["settings"].clone()
}

/// Files by their content: times of files that came back are those of before, all others are of now.
fn picture(root: &Root) -> BTreeMap<String, (Vec<u8>, u32)> {
    let all = root.picture().into_iter();
    all.map(|(path, (bytes, mode, ..))| (path.display().to_string(), (bytes, mode))).collect()
}

#[test]
fn a_journal_says_who_ran_what_with_which_version_told_what() {
    let root = Root::ubuntu();
    root.put("pw", "Tr0ub4dor7");
    root.put("s.toml", "[proxy]\nuser = 'svc'\n");
    let (password, settings) = (root.at("pw").display().to_string(), root.at("s.toml").display().to_string());
    let words = [
        "prepare",
        "--yes",
        "--proxy",
        P1,
        "--proxy-password-file",
        &password,
        "--settings",
        &settings,
        "--no-proxy",
        "a.example",
    ];
    root.run_with(&words, &[("SUDO_USER", "alice"), ("ICS_SETUP_BOTH_CASES", "true")], "").ok();
    let run = last(&root);
    let uid = nix::unistd::getuid().as_raw();
    let row = &runs(&root)[0];
    assert_eq!((row["sudo_user"].as_str(), row["uid"].as_u64()), (Some("alice"), Some(u64::from(uid))), "{row:#}");
    assert_eq!(row["version"], env!("CARGO_PKG_VERSION"));
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("by alice as ") && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    let (code, json) = root.json(&["status", &run]);
    assert_eq!(code, 0);
    let said: Vec<(String, String)> = json["run"]["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| (own["key"].as_str().unwrap().to_owned(), own["origin"].as_str().unwrap().to_owned()))
        .collect();
    for (key, origin) in [
        ("proxy.url", "--proxy"),
        ("proxy.user", "s.toml:2"),
        ("proxy.both_cases", "ICS_SETUP_BOTH_CASES"),
        ("proxy.no_proxy", "--no-proxy"),
    ] {
        assert!(said.iter().any(|(own, from)| own == key && from.ends_with(origin)), "{key}: {said:?}");
    }
    assert!(said.iter().all(|(_, from)| from != "default" && !from.starts_with("found")), "{said:?}");
    let journal = root.get(&format!("var/lib/ics-setup/runs/{run}/journal"));
    assert!(!journal.contains("Tr0ub4dor7") && journal.contains("\"tool\""), "{journal}");
    let human = root.run(&["status", &run, "--diff"]).ok().stdout;
    assert!(human.contains("proxy.url = http://p1.corp.example:3128  (--proxy)"), "{human}");
    assert!(human.contains("+http_proxy=\"http://svc:***@p1.corp.example:3128\""), "{human}");
    assert!(!human.contains("Tr0ub4dor7"), "{human}");
    // One that is not there is named, with the next that is.
    let (code, json) = root.json(&["status", &run[..run.len() - 1]]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("run-unknown")), "{json:#}");
    assert!(json["error"]["try"].to_string().contains(&format!("status {run}")), "{json:#}");
    assert_eq!(root.run(&["status", "--diff"]).code, 2);
}

#[test]
fn the_diff_of_a_run_is_the_one_that_it_showed_as_long_as_that_is_known() {
    let root = Root::ubuntu();
    let shown = |words: &[&str]| {
        let json = root.json(words).1;
        let rows = json["changes"].as_array().unwrap().iter().map(|own| (own["path"].clone(), own["diff"].clone()));
        (json["run"].as_str().unwrap().to_owned(), rows.collect::<Vec<_>>())
    };
    let all = [shown(&["prepare", "--proxy", P1]), shown(&["prepare", "--proxy", P2]), shown(&["revert"])];
    let known = |run: &str| {
        let json = root.json(&["status", run, "--diff"]).1;
        json["run"]["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|own| (own["path"].clone(), own["diff"].clone()))
            .collect()
    };
    for (run, diffs) in &all {
        let mut now: Vec<(Value, Value)> = known(run);
        let mut then = diffs.clone();
        now.sort_by_key(|own| own.0.to_string());
        then.sort_by_key(|own| own.0.to_string());
        assert_eq!(now, then, "{run}");
    }
    root.put("etc/environment", "X=1\n");
    let (last, _) = &all[2];
    let json = root.json(&["status", last, "--diff"]).1;
    let row = json["run"]["changes"].as_array().unwrap().iter().find(|own| own["path"] == "/etc/environment").unwrap();
    assert!(row["diff"].is_null() && row["unknown"].as_str().unwrap().contains("edited since"), "{json:#}");
    assert!(root.run(&["status", last, "--diff"]).ok().stdout.contains("no diff: what the run wrote was edited since"));
}

#[test]
fn several_runs_are_taken_back_as_one_to_where_the_host_was() {
    let root = Root::ubuntu();
    root.put("etc/docker/daemon.json", "{}\n");
    let mut places = vec![(String::new(), picture(&root), told(&root))];
    let keep = |places: &mut Vec<_>| places.push((last(&root), picture(&root), told(&root)));
    for words in [
        &["prepare", "--proxy", P1][..],
        &["reconfigure", "--proxy", P1, "--mysql-host", "db.example"],
        &["prepare", "--proxy", P2, "--no-proxy", "a.example", "--target", "package-manager"],
        &["revert"],
        &["prepare", "--proxy", P2],
        &["reconfigure", "--remove-proxy"],
        &["prepare", "--proxy", P3],
    ] {
        root.run(&[words, &["--yes"]].concat()).ok();
        keep(&mut places);
    }
    let end = places.last().unwrap().clone();
    for (run, then, told_then) in places.iter().take(places.len() - 1) {
        let words = if run.is_empty() { vec!["revert", "--all"] } else { vec!["revert", "--to", run] };
        let before = runs(&root).len();
        let (code, json) = root.json(&[&words[..], &["--dry-run"]].concat());
        assert_eq!((code, json["outcome"].as_str()), (0, Some("pending")), "{json:#}");
        assert_eq!(picture(&root), end.1, "a dry run");
        let (code, json) = root.json(&words);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
        assert_eq!((&picture(&root), &told(&root)), (then, told_then), "{words:?}: {json:#}");
        assert_eq!(runs(&root).len(), before + 1, "one run");
        // Each file is told once.
        let paths: Vec<String> =
            json["changes"].as_array().unwrap().iter().map(|own| own["path"].to_string()).collect();
        let mut once = paths.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), paths.len(), "{paths:?}");
        assert_eq!(root.json(&["status"]).1["drift"], Value::Array(Vec::new()));
        let (code, json) = root.json(&words);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{words:?} again: {json:#}");
        assert_eq!(runs(&root).len(), before + 1, "nothing to note");
        // And the way back from there.
        let back = last(&root);
        root.run(&["revert", &back, "--yes"]).ok();
        assert_eq!((picture(&root), told(&root)), (end.1.clone(), end.2.clone()), "{words:?} taken back");
    }
}

#[test]
fn a_file_that_was_edited_between_is_a_conflict_and_nothing_is_done() {
    let root = Root::ubuntu();
    let first = prepared(&root, P1, &[]);
    root.put("etc/environment", root.get("etc/environment") + "MINE=1\n");
    prepared(&root, P2, &[]);
    let before = (picture(&root), runs(&root).len());
    for words in [&["revert", "--all"][..], &["revert", "--all", "--dry-run"]] {
        let (code, json) = root.json(words);
        assert_eq!((code, json["error"]["id"].as_str()), (5, Some("conflict")), "{json:#}");
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains("etc/environment was edited since run ") && message.contains(&first), "{json:#}");
    }
    assert!((picture(&root), runs(&root).len()) == before);
    root.run(&["revert", "--to", &first, "--yes"]).ok();
    assert!(root.get("etc/environment").contains("MINE=1"));
    let (code, json) = root.json(&["revert", "--all", "--force"]);
    assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
    assert_eq!(root.get("etc/environment"), "PATH=\"/usr/bin:/bin\"\n");
    for (words, code) in [
        (&["revert", "--to", "20200101T000000Z-0000"][..], 3),
        (&["revert", "20200101T000000Z-0000"], 3),
        (&["revert", "--to", &first, "--all"], 2),
        (&["revert", &first, "--to", &first], 2),
        (&["revert", "--all", "--purge=/divvycloud"], 2),
    ] {
        let ran = root.run(&[words, &["--yes"]].concat());
        assert_eq!(ran.code, code, "{words:?}");
        // A whole name is no slip of another one.
        assert!(
            code == 2 || (ran.stderr.contains("ics-setup status") && !ran.stderr.contains(&first)),
            "{}",
            ran.stderr
        );
    }
    let (_, json) = root.json(&["revert", "--to", &first[..first.len() - 1]]);
    let near = json["error"]["try"].to_string();
    assert!(near.contains(&format!("revert --to {first}")), "{json:#}");
}

/// A copy of a host, with its runs.
fn copy(root: &Root) -> Root {
    let copy = Root::ubuntu();
    fs::remove_dir_all(copy.path()).unwrap();
    let status = std::process::Command::new("cp").arg("-a").args([root.path(), copy.path()]).status().unwrap();
    assert!(status.success());
    copy
}

#[test]
fn what_is_left_of_runs_tells_the_same_story() {
    let root = Root::ubuntu();
    for round in 0..4 {
        prepared(&root, &format!("http://a{round}.example:1"), &[]);
        root.run(&["reconfigure", "--yes", "--proxy", &format!("http://b{round}.example:1")]).ok();
        prepared(&root, &format!("http://c{round}.example:1"), &["--target", "package-manager"]);
        root.run(&["revert", "--yes"]).ok();
    }
    root.run(&["prepare", "--yes", "--proxy", "http://d.example:1"]).ok();
    root.put("divvycloud/prod.env", root.get("divvycloud/prod.env") + "MINE=1\n");
    let all = runs(&root);
    for keep in ["0", "1", "2", "3", "5", "8", "100"] {
        let pruned = copy(&root);
        let (code, json) = pruned.json(&["prune", "--keep", keep, "--dry-run"]);
        assert_eq!(code, 0, "{json:#}");
        assert_eq!(runs(&pruned), all, "a dry run");
        let (code, json) = pruned.json(&["prune", "--keep", keep, "--yes"]);
        assert_eq!(code, 0, "{json:#}");
        let left = runs(&pruned);
        assert_eq!(json["kept"].as_u64().unwrap(), left.len() as u64);
        assert_eq!(json["runs"].as_array().unwrap().len() + left.len(), all.len());
        assert!(left.len() >= keep.parse::<usize>().unwrap().min(all.len()));
        assert!(keep == "100" || left.len() < all.len(), "{keep}");
        // Those that are left stand as they stood, newest and all; drift and memory are the same.
        assert!(left.iter().all(|own| all.contains(own)), "{left:#?}");
        let drift = |root: &Root| root.json(&["status"]).1["drift"].clone();
        assert_eq!(drift(&pruned), drift(&root));
        assert_eq!(told(&pruned), told(&root));
        for run in json["runs"].as_array().unwrap() {
            assert!(!pruned.has(&format!("var/lib/ics-setup/runs/{}", run["run"].as_str().unwrap())));
        }
        assert_eq!(pruned.json(&["prune", "--keep", keep, "--yes"]).1["outcome"], "unchanged");
        // A run that had nothing to do has nothing to do, and the last ones are taken back as they would have been.
        let other = copy(&root);
        for own in [&pruned, &other] {
            assert_eq!(own.json(&["prepare"]).1["outcome"], "unchanged");
        }
        for _ in 0..2 {
            let [now, then] = [&pruned, &other].map(|own| own.run(&["revert", "--yes"]));
            if now.stderr.contains("there is no run to take back") {
                break;
            }
            assert_eq!(now.code, then.code, "{keep}: {}", now.stderr);
            let same = |own: &Root| (picture(own), told(own), drift(own));
            assert!(same(&pruned) == same(&other), "{keep}");
        }
    }
}

#[test]
fn what_cannot_be_taken_back_any_more_is_said_before() {
    let root = Root::ubuntu();
    for number in 0..4 {
        prepared(&root, &format!("http://a{number}.example:1"), &[]);
    }
    let ran = root.run(&["prune", "--keep", "1"]);
    assert_eq!(ran.code, 3, "nobody was asked: {}", ran.stderr);
    let said = root.run(&["prune", "--keep", "1", "--dry-run"]).ok().stdout;
    assert!(
        said.contains("3 of them are in force: what was done stays, and cannot be taken back by itself any more"),
        "{said}"
    );
    assert!(said.contains("prepare  /etc/environment"), "{said}");
    root.run(&["prune", "--keep", "1", "--yes"]).ok();
    let said = root.run(&["revert", "--all", "--yes"]).ok().stdout;
    assert!(said.contains("what runs have done that are forgotten (prune)"), "{said}");
    assert!(root.get("etc/environment").contains("a2.example"));
    assert_eq!(root.run(&["prune", "--keep", "few"]).code, 2);
}

#[test]
fn a_thousand_runs_are_not_read_by_one_that_has_nothing_to_do_and_are_said_to_be_many() {
    let root = Root::ubuntu();
    prepared(&root, P1, &[]);
    root.years(1000);
    let quiet = |ran: &Ran| !ran.stdout.contains("runs-many") && !ran.stderr.contains("runs-many");
    let ran = root.run(&["prepare", "--yes"]).ok();
    assert!(ran.stdout.contains("Nothing to do") && quiet(&ran), "{}", ran.stdout);
    // From now on they are not read: whoever reads this one fails.
    let runs = root.at("var/lib/ics-setup/runs");
    let mut names: Vec<_> = fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let kept = fs::read(names[500].join("journal")).unwrap();
    fs::write(names[500].join("journal"), "?\n").unwrap();
    for words in [&["prepare", "--yes"][..], &["reconfigure", "--dry-run", "--proxy", P1], &["prepare", "--dry-run"]] {
        let ran = root.run(words).ok();
        assert!(!ran.stdout.contains("the journal of run"), "{}", ran.stdout);
    }
    assert_eq!(root.run(&["status"]).code, 5);
    fs::write(names[500].join("journal"), kept).unwrap();
    // An interrupted one is noticed all the same.
    let newest = names.last().unwrap().join("journal");
    let whole = fs::read_to_string(&newest).unwrap();
    fs::write(&newest, whole.lines().next().unwrap().to_owned() + "\n").unwrap();
    let json = root.json(&["prepare", "--dry-run"]).1;
    assert!(json["findings"].to_string().contains("run-interrupted"), "{json:#}");
    fs::write(&newest, whole).unwrap();
    let (code, json) = root.json(&["prepare", "--proxy", P2]);
    assert_eq!(code, 0);
    let many = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == "runs-many").unwrap();
    assert!(many["title"].as_str().unwrap().starts_with("1000 runs are kept") && many["status"] == "warn", "{many:#}");
    let fix = many["fix"][0].as_str().unwrap().replace("ics-setup", env!("CARGO_BIN_EXE_ics-setup"));
    let fix = fix.replacen(root.path().to_str().unwrap(), "\0", 1).replace("\0", root.path().to_str().unwrap());
    assert!(std::process::Command::new("sh").args(["-c", &fix]).status().unwrap().success(), "{fix}");
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 20);
    let json = root.json(&["prepare", "--proxy", P3]).1;
    assert!(!json["findings"].to_string().contains("runs-many"), "{json:#}");
}

/// The command among those that are advised which has this in it, as it is run here.
fn advised(json: &Value, part: &str) -> String {
    let all = json["error"]["try"].as_array().unwrap();
    let line =
        all.iter().filter_map(Value::as_str).find(|line| line.contains(part)).unwrap_or_else(|| panic!("{json:#}"));
    let command = &line[line.find("ics-setup ").unwrap()..];
    command.replacen("ics-setup", env!("CARGO_BIN_EXE_ics-setup"), 1)
}

fn shell(command: &str) {
    let output = std::process::Command::new("sh").args(["-c", &format!("{command} --yes")]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_a_conflict_advises_does_what_was_asked_for() {
    let root = Root::ubuntu();
    let first = prepared(&root, P1, &[]);
    let then = (picture(&root), told(&root));
    for proxy in [P2, P3] {
        prepared(&root, proxy, &[]);
        root.put("etc/environment", root.get("etc/environment") + "MINE=1\n");
    }
    for all in [false, true] {
        let root = copy(&root);
        let words = if all { vec!["revert", "--all"] } else { vec!["revert", "--to", &first] };
        let (code, json) = root.json(&words);
        assert_eq!((code, json["error"]["id"].as_str()), (5, Some("conflict")), "{json:#}");
        shell(&advised(&json, &format!("{} --force", words.join(" "))));
        let root_first = Root::ubuntu();
        match all {
            true => assert_eq!(root.get("etc/environment"), root_first.get("etc/environment")),
            false => assert_eq!((picture(&root), told(&root)), then.clone()),
        }
    }
}

#[test]
fn what_was_forgotten_between_is_told_by_its_gap() {
    let root = Root::ubuntu();
    let first = prepared(&root, P1, &["--target", "system-proxy"]);
    for proxy in [P1, P2, P3] {
        prepared(&root, proxy, &["--target", "docker-daemon"]);
    }
    root.run(&["prune", "--keep", "1", "--yes"]).ok();
    assert_eq!(runs(&root)[0]["run"].as_str(), Some(first.as_str()), "the first one stays: {:#?}", runs(&root));
    let said = |root: &Root, words: &[&str]| root.run(&[words, &["--yes"]].concat()).ok().stdout;
    const GAP: &str = "what runs have done that are forgotten (prune)";
    assert!(said(&copy(&root), &["revert", "--all"]).contains(GAP));
    assert!(said(&copy(&root), &["revert", "--to", &first]).contains(GAP));
    assert!(!said(&copy(&root), &["revert"]).contains(GAP));
    // And where the way is barred by one of them, it is named as what may have barred it.
    let root = Root::ubuntu();
    prepared(&root, P1, &["--target", "system-proxy,docker-daemon"]);
    for proxy in [P2, P3] {
        prepared(&root, proxy, &["--target", "docker-daemon"]);
    }
    root.run(&["prune", "--keep", "1", "--yes"]).ok();
    let (code, json) = root.json(&["revert", "--all"]);
    assert_eq!((code, json["error"]["id"].as_str()), (5, Some("conflict")), "{json:#}");
    assert!(
        json["error"].to_string().contains("1 run after it is forgotten (prune), and may have changed it"),
        "{json:#}"
    );
}

#[test]
fn a_run_that_was_interrupted_is_in_the_plan_of_a_way_back_and_taken_back_before_older_ones_are_forgotten() {
    let root = Root::ubuntu();
    let first = picture(&root);
    for proxy in [P1, P2, P3] {
        prepared(&root, proxy, &[]);
    }
    let then = picture(&root);
    let newest = prepared(&root, "http://p4.corp.example:3128", &[]);
    let journal = format!("var/lib/ics-setup/runs/{newest}/journal");
    root.put(&journal, root.get(&journal).lines().next().unwrap().to_owned() + "\n");
    let second = runs(&root)[1]["run"].as_str().unwrap().to_owned();
    for words in [&["revert", "--all"][..], &["revert", "--to", &second]] {
        let root = copy(&root);
        let (code, json) = root.json(&[words, &["--dry-run"]].concat());
        assert_eq!((code, json["outcome"].as_str()), (0, Some("pending")), "{words:?}: {json:#}");
        assert_eq!(json["findings"][0]["id"], "run-interrupted", "{json:#}");
        let planned = json["changes"].to_string();
        let (code, json) = root.json(words);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{words:?}: {json:#}");
        assert!(
            planned.contains("/etc/environment") && json["findings"].to_string().contains("run-recovered"),
            "{json:#}"
        );
        assert!(words.len() == 3 || picture(&root) == first);
    }
    let ran = root.run(&["prune", "--keep", "3", "--yes"]).ok();
    assert!(ran.stderr.contains("had been interrupted and was taken back"), "{}", ran.stderr);
    assert!(ran.stdout.contains("Done: 1 run removed; 3 runs stay."), "{}", ran.stdout);
    assert_eq!(picture(&root), then);
    let ran = root.run(&["prune", "--keep", "0", "--dry-run"]).ok();
    assert!(ran.stdout.contains("stays: what is in force could not be told"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("older"), "{}", ran.stdout);
}

#[test]
fn a_way_back_reads_an_older_journal_once_before_and_for_what_is_kept_and_told_after() {
    let root = Root::ubuntu();
    let first = prepared(&root, P1, &[]);
    for proxy in [P2, P3] {
        prepared(&root, proxy, &[]);
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let words = ["-f", "-e", "trace=openat", "-o", trace.to_str().unwrap(), env!("CARGO_BIN_EXE_ics-setup")];
    let own = ["revert", "--yes", "--root", root.path().to_str().unwrap()];
    let ran = std::process::Command::new("strace").args(words).args(own).output();
    let Some(output) = ran.ok().filter(|_| trace.metadata().is_ok_and(|meta| meta.len() > 0)) else {
        return println!(
            "skip a_way_back_reads_an_older_journal_once_before_and_for_what_is_kept_and_told_after: strace traces nothing here"
        );
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let opened = fs::read_to_string(trace).unwrap();
    let count = opened.lines().filter(|line| line.contains(&format!("{first}/journal"))).count();
    assert!((1..=3).contains(&count), "{count}");
}
