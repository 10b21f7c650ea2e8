//! The report as people meet it: in a browser, at a desk, on a phone, in the dark, on paper; judged by axe-core; with what a
//! hostile server has sent in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{binary, leashed, scratch};
use serde_json::Value;

fn facts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/facts/proxied.json")
}

fn report(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let output = Command::new(binary())
        .args(["check", "--from"])
        .arg(facts())
        .arg("--report")
        .arg(&path)
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

fn look(page: &Path, width: u32, mode: &str) -> Value {
    let lab = crate::common::lab().join("browser");
    assert!(lab.join("stamp").exists(), "no browser in {}: scripts/lab/browser makes it", lab.display());
    let picture = page.with_extension(format!("{mode}-{width}.png"));
    // What else the browser starts ends with the script.
    let output = crate::common::leashed(&[], lab.join("python/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/report/look.py"))
        .args([Path::new("/usr/bin/chromium"), &lab.join("axe.min.js"), page])
        .args([&width.to_string(), picture.to_str().unwrap(), mode])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::metadata(&picture).unwrap().len() > 10_000, "a picture of nothing");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_page_loads_nothing_runs_nothing_and_shows_every_finding() {
    let folder = scratch("report");
    let page = report(folder.path(), "report.html");
    let json =
        Command::new(binary()).args(["check", "--format", "json", "--from"]).arg(facts()).env_clear().output().unwrap();
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.len() >= 10);
    for (width, mode) in [(1200, "light"), (390, "dark"), (800, "print"), (320, "light")] {
        let seen = look(&page, width, mode);
        let address = format!("file://{}", page.display());
        assert_eq!(seen["requests"], serde_json::json!([address]), "{mode} {width}");
        assert_eq!((&seen["messages"], &seen["dialogs"]), (&serde_json::json!([]), &Value::from(0)), "{mode} {width}");
        assert_eq!(seen["violations"], serde_json::json!([]), "{mode} {width}");
        // Nothing stands out to the side.
        assert!(seen["size"][0].as_u64() <= seen["size"][1].as_u64(), "{mode} {width}: {}", seen["size"]);
        // What is right is folded, and all of it is there.
        let [text, everything] = ["text", "everything"].map(|key| seen[key].as_str().unwrap());
        for finding in findings {
            let title = finding["title"].as_str().unwrap();
            let is_wrong = ["fail", "error", "warn"].iter().any(|status| finding["status"] == *status);
            let shown = if is_wrong { text } else { everything };
            assert!(shown.contains(title), "{mode} {width}: {title}");
            let fixes = ["fix", "advice"].into_iter().filter_map(|key| finding[key].as_array()).flatten();
            let fixes = fixes.filter(|_| finding["status"] != "pass");
            for fix in fixes {
                assert!(shown.contains(fix.as_str().unwrap()), "{mode} {width}: {fix}");
            }
        }
        // What a server sent is there as text.
        assert!(text.contains("<script>alert('x')</script> Access denied"), "{mode} {width}");
    }
}

/// A host from which nothing can be reached.
fn of_a_dead_host(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let output = leashed(&["--net", "--uts"], "sh")
        .args(["-ec", "hostname web-1.corp.example; exec \"$@\"", "sh"])
        .arg(binary())
        .args(["check", "--proxy", "http://10.9.9.9:3128", "--deployment", "production", "--release", "22.3.9"])
        .args(["--mysql-host", "db.corp.example", "--redis-host", "10.9.9.8", "--report"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// The lines with anything on them.
fn head(text: &str) -> String {
    text.lines().filter(|line| !line.trim().is_empty()).take(25).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_host_without_a_network_the_answer_comes_first_and_all_is_on_four_pages() {
    crate::common::need_root();
    let folder = scratch("report");
    let page = of_a_dead_host(folder.path(), "dead.html");
    let printed = look(&page, 800, "print");
    let pages = printed["pages"].as_u64().unwrap();
    assert!((1..=4).contains(&pages), "{pages} pages");
    let narrow = look(&page, 320, "light");
    assert!(narrow["size"][0].as_u64() <= narrow["size"][1].as_u64(), "{}", narrow["size"]);
    let markdown = fs::read_to_string(of_a_dead_host(folder.path(), "dead.md")).unwrap();
    for text in [printed["text"].as_str().unwrap(), narrow["text"].as_str().unwrap(), &markdown] {
        let head = head(text);
        for words in ["web-1.corp.example", "Not ready: ", "ics-setup check --proxy http://10.9.9.9:3128"] {
            assert!(head.contains(words), "{words}: {head}");
        }
        // Who must act, the first failure, and what is to be done.
        let (_, first) = head.split_once("What stands in the way").unwrap_or_else(|| panic!("{head}"));
        let whose = ["For the network team", "For this host"].iter().find(|whose| first.contains(**whose));
        assert!(whose.is_some() && first.lines().count() >= 4, "{head}");
        assert!(first.contains("have the network team open TCP from this host to 10.9.9.9:3128"), "{head}");
    }
}

#[test]
fn the_ticket_has_the_same_findings() {
    let folder = scratch("report");
    let text = fs::read_to_string(report(folder.path(), "report.md")).unwrap();
    assert!(text.starts_with("# Not ready: ") && text.contains("## For the firewall"), "{text}");
    assert!(!text.contains("<script>"), "{text}");
}
