//! What a person reads of an installation: one sentence that says how it ended, how the host stands, what is next.

use crate::common::{Engine, Host, Ran, Site, report, until};

const IMAGE: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";
const INSTALL: [&str; 5] = ["install", "--deployment", "test-drive", "--release", "22.3.9"];

/// As it is read in a log: what went to both outputs.
#[track_caller]
fn read(host: &Host, words: &[&str], code: i32, wanted: &[&str]) -> Ran {
    let ran = host.run(&[&["ics-setup"], words, &["--yes"]].concat()).expect(code);
    let (out, err) = (String::from_utf8_lossy(&ran.out).into_owned(), &ran.err);
    report(&format!("---- {}\n---- stdout\n{out}---- stderr\n{err}----", words.join(" ")));
    for words in wanted {
        assert!(out.contains(words) || err.contains(words), "{words:?} is not said: {ran}");
    }
    let mut seen = std::collections::BTreeSet::new();
    // Rows of a finding are alike in others.
    let is_told_once = |line: &&str| line.len() > 30 && !line.starts_with(['+', '-', ' ', '#', '@']);
    for line in out.lines().chain(err.lines()).filter(is_told_once) {
        assert!(seen.insert(line), "said twice: {line}\n{ran}");
    }
    ran
}

#[test]
fn every_ending_says_how_the_host_stands() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    read(&site, &[&INSTALL[..], &["--dry-run"]].concat(), 0, &["Dry run: nothing was written."]);

    let listener = site.serve(&["python3", "-m", "http.server", "8001", "--bind", "0.0.0.0"]);
    until(|| if site.status() == 404 { Ok(()) } else { Err(format!("no listener: {}", site.status())) });
    read(&site, &INSTALL, 4, &["FAIL port 8001 is taken by python3", "Nothing was changed."]);
    site.run(&["kill", &listener]).expect(0);

    site.fault(IMAGE, &["LAB_CRASH=1"]);
    read(&site, &INSTALL, 5, &["ends again and again", "failed-start.log", "was put back."]);
    site.sh(&format!("docker tag lab/kept {IMAGE}"));

    read(&site, &INSTALL, 0, &["Done: the product is installed and healthy.", "undo: ics-setup revert", "next: "]);
    read(&site, &INSTALL, 0, &["Nothing to do: the product is installed and healthy."]);
    let containers =
        || site.run(&["ics-setup", "status", "--format", "json"]).expect(0).json()["product"]["containers"].take();
    let all = containers()["wanted"].clone();
    let whole = serde_json::json!({"running": all, "wanted": all, "unknown": null});
    let runs = format!("; runs: {all} of {all} containers");
    let saves = "-> ics-setup check --save";
    read(
        &site,
        &["status"],
        0,
        &["product   installed in /divvycloud by run ", &runs, "Next: check the whole of it", saves],
    );
    site.sh("docker stop $(docker ps -q)");
    let stopped = read(&site, &["status"], 0, &[&format!("does not run: 0 of {all} "), "Next: start the product"]);
    let out = String::from_utf8_lossy(&stopped.out).into_owned();
    let (_, next) = out.split_once("Next: ").expect("a step");
    site.sh(next.lines().find_map(|line| line.trim().strip_prefix("-> ")).expect("a command"));
    until(|| if containers() == whole && site.status() == 200 { Ok(()) } else { Err(containers().to_string()) });
    let listener = site.serve(&["python3", "-m", "http.server", "9001", "--bind", "0.0.0.0"]);
    until(|| {
        site.run(&["bash", "-c", ": </dev/tcp/127.0.0.1/9001"]).code.filter(|code| *code == 0).ok_or("none".into())
    });
    read(&site, &["reconfigure", "--port", "9001"], 4, &["FAIL port 9001 is taken by python3", "Nothing was changed."]);
    site.run(&["kill", &listener]).expect(0);
    read(
        &site,
        &["reconfigure", "--port", "3306"],
        4,
        &["FAIL port 3306 is taken by the container divvycloud-mysql-1", "Nothing was changed."],
    );
    read(&site, &["reconfigure", "--port", "9001"], 0, &[":9001\n", "TCP port 9001 of this host"]);
    read(&site, &["revert"], 0, &["Done: the product runs again as before and is healthy."]);
    read(&site, &["reconfigure", "--workers", "1"], 0, &["Done: the product runs with the new values and is healthy."]);
    read(&site, &["revert"], 0, &["Done: the product runs again as before and is healthy."]);
    read(&site, &["revert"], 0, &["Done: the product is taken away; its data and images stay."]);
    read(&site, &INSTALL, 0, &["Done: the product is installed and healthy."]);
    read(&site, &["revert", "--purge=/divvycloud", "--dry-run"], 0, &["for good"]);
    let gone = read(&site, &["revert", "--purge=/divvycloud"], 0, &["Done: the product is taken away, for good."]);
    assert!(!String::from_utf8_lossy(&gone.out).contains("undo: "), "{gone}");
}
