//! Every command that a finding prints does what it was printed for: it is run by a shell as it was printed, and then the
//! finding is gone, or a truer one stands in its place. The table knows each id of the catalogue.

mod steps;
mod table;

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use ics_setup::finding::catalogue;
use serde_json::Value;
use tempfile::TempDir;

use crate::root::Root;
use table::{How, TABLE};

/// More ids than this may not go without a proof.
const MOST_WITHOUT: usize = 15;

/// A host on which something is wrong.
pub struct Case {
    pub root: Root,
    /// What shows it; `--root` and `--format json` are added.
    pub look: Vec<&'static str>,
    /// Words of the title of the truer finding that stands in its place then.
    pub then: Option<&'static str>,
    /// Words of the command that are files of the host, and are meant to be without the root in front.
    pub plain: &'static [&'static str],
}

/// Programs that come first: `ics-setup`, a `sudo` that runs its arguments, and these.
pub struct Programs(TempDir);

impl Programs {
    pub fn new(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_ics-setup"), folder.path().join("ics-setup")).unwrap();
        for (name, script) in more.iter().chain(&[("sudo", "exec \"$@\"")]) {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a line as a person would who has pasted it: what it prints.
    ///
    /// # Errors
    /// What it said, where it failed.
    pub fn paste(&self, line: &str) -> Result<String, String> {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env_clear().env("PATH", path).stdin(Stdio::null());
        let output = shell.output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap()),
            false => Err(format!(
                "{line}: {}: {}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }
}

/// The findings of this id that are neither good nor skipped.
fn bad(result: &Value, id: &str) -> Vec<Value> {
    let is_bad = |finding: &&Value| finding["id"] == id && !matches!(finding["status"].as_str(), Some("pass" | "skip"));
    result["findings"].as_array().unwrap().iter().filter(is_bad).cloned().collect()
}

fn commands(finding: &Value) -> Vec<String> {
    finding["fix"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Runs what mends the first bad finding of this id, one command after the other, until it is gone.
fn mended(id: &str, case: &Case, programs: &Programs) -> Result<(), String> {
    let (_, before) = case.root.json(&case.look);
    words_alone(&before)?;
    let first = bad(&before, id).into_iter().next().ok_or_else(|| format!("not provoked: {before:#}"))?;
    let lines = commands(&first);
    if lines.is_empty() {
        return Err(format!("no command: {first:#}"));
    }
    for line in &lines {
        fit(line, case)?;
        let again = line.starts_with("ics-setup check");
        let after = match again {
            true => serde_json::from_str(&programs.paste(&format!("{line} --fail-on never --format json"))?).unwrap(),
            false => {
                programs.paste(line)?;
                case.root.json(&case.look).1
            }
        };
        let left = bad(&after, id);
        let stays = left.iter().find(|left| left["title"] == first["title"]);
        match (stays, left.first(), case.then) {
            (None, None, None) => return Ok(()),
            (None, Some(other), Some(words)) if other["title"].as_str().unwrap().contains(words) => return Ok(()),
            (None, other, then) if line == lines.last().unwrap() => {
                return Err(format!("then {other:#?}, and not {then:?}"));
            }
            _ => {}
        }
    }
    Err(format!("stays after {lines:#?}: {first:#}"))
}

/// What the table says has no command, has none.
fn words_alone(result: &Value) -> Result<(), String> {
    let of_words = |finding: &Value| TABLE.iter().any(|(id, how)| *id == finding["id"] && matches!(how, How::Words));
    match result["findings"].as_array().unwrap().iter().find(|own| of_words(own) && !commands(own).is_empty()) {
        Some(finding) => Err(format!("words alone? {finding:#}")),
        None => Ok(()),
    }
}

/// No placeholder, and no file of the machine that the test runs on.
fn fit(line: &str, case: &Case) -> Result<(), String> {
    let root = case.root.path().to_str().unwrap();
    // What stands in quotes is written into files.
    let words = line.split('\'').step_by(2).flat_map(|bare| bare.split(' '));
    let mut strange =
        words.filter(|word| word.starts_with('/') && !word.starts_with(root) && !case.plain.contains(word));
    if ["<", "HOST", "PORT", "sudo "].iter().any(|place| line.contains(place)) {
        return Err(format!("not to be pasted: {line}"));
    }
    match strange.next() {
        Some(word) => Err(format!("{word} is no file below the root: {line}")),
        None => Ok(()),
    }
}

#[test]
fn every_printed_command_mends_what_it_was_printed_for() {
    let programs = Programs::new(&[]);
    let mut faults = Vec::new();
    for (id, how) in TABLE {
        let How::Here(cases) = how else { continue };
        let cases = cases();
        let one = &|(number, case): (usize, &Case)| {
            mended(id, case, &programs).err().map(|fault| format!("{id}, case {number}: {fault}"))
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = cases.iter().enumerate().map(|case| scope.spawn(move || one(case))).collect();
            faults.extend(running.into_iter().filter_map(|case| case.join().unwrap()));
        });
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_id_of_the_catalogue_is_in_the_table() {
    let known: BTreeSet<&str> = catalogue().iter().map(|known| known.id.as_str()).collect();
    let listed: BTreeSet<&str> = TABLE.iter().map(|(id, _)| *id).collect();
    assert_eq!(TABLE.len(), listed.len(), "an id stands twice");
    assert_eq!(known.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the table");
    assert_eq!(listed.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the catalogue");
    let without: Vec<_> = TABLE
        .iter()
        .filter_map(|(id, how)| match how {
            How::Not(why) => Some((id, why)),
            _ => None,
        })
        .collect();
    assert!(without.len() <= MOST_WITHOUT, "{without:#?}");
    // What the laboratory is said to prove is there.
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fixes.rs");
    let lab = std::fs::read_to_string(lab).unwrap();
    for (id, how) in TABLE {
        assert!(!matches!(how, How::Lab) || lab.contains(&format!("\"{id}\"")), "{id} is not in tests/lab/fixes.rs");
    }
}

/// A server that begins with `greeting` and answers each request with `answer`; it lives as long as the test.
pub fn server(greeting: &'static [u8], answer: &'static [u8]) -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                let _ = stream.write_all(greeting);
                let _ = stream.read(&mut bytes);
                let _ = stream.write_all(answer);
                let _ = stream.read(&mut bytes);
            });
        }
    });
    port
}
