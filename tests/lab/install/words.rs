//! What a person reads of an installation: one sentence that says how it ended, how the host stands, what is next.

use crate::common::{Engine, Host, Ran, Site, report, until};

const IMAGE: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";
const INSTALL: [&str; 5] = ["install", "--deployment", "test-drive", "--release", "22.3.9"];

/// As it is read in a log: what went to both outputs.
#[track_caller]
fn read(host: &Host, words: &[&str], code: i32, wanted: &[&str]) -> Ran {
    let ran = host.run(&[&["ics-setup"], words, &["--yes"]].concat());
    if ran.code != Some(code) {
        report(&format!("!!!! code {:?}", ran.code));
    }
    let (out, err) = (String::from_utf8_lossy(&ran.out).into_owned(), &ran.err);
    report(&format!("---- {}\n---- stdout\n{out}---- stderr\n{err}----", words.join(" ")));
    for words in wanted {
        if !(out.contains(words) || err.contains(words)) {
            report(&format!("!!!! not said: {words}"));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for line in out.lines().chain(err.lines()).map(str::trim).filter(|line| line.len() > 30) {
        let is_diff = line.starts_with(['+', '-', ' ', '#', '@']);
        if !(is_diff || seen.insert(line)) {
            report(&format!("!!!! twice: {line}"));
        }
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
    read(&site, &INSTALL, 4, &["port 8001", "Nothing was changed."]);
    site.run(&["kill", &listener]).expect(0);

    site.fault(IMAGE, &["LAB_CRASH=1"]);
    read(&site, &INSTALL, 5, &["ends again and again"]);
    site.sh(&format!("docker tag lab/kept {IMAGE}"));

    read(&site, &INSTALL, 0, &["Done: the product is installed and healthy.", "undo: ics-setup revert", "next: "]);
    read(&site, &INSTALL, 0, &["Nothing to do: the product is installed and healthy."]);
    read(&site, &["status"], 0, &[]);
    read(&site, &["reconfigure", "--workers", "1"], 0, &["Done: the product runs with these values and is healthy."]);
    read(&site, &["revert"], 0, &["Done."]);
    read(&site, &["revert"], 0, &["Done: the product is taken away."]);
    read(&site, &INSTALL, 0, &["Done: the product is installed and healthy."]);
    read(&site, &["revert", "--purge=/divvycloud", "--dry-run"], 0, &["for good"]);
    read(&site, &["revert", "--purge=/divvycloud"], 0, &["Done: the product is taken away."]);
}
