//! Gives the output of `check` to the programs that will read it: goldens, hostile findings, and what the binary says about
//! this very machine. What a reader understood must be what was found, and a spoilt file must be refused, so that a reader
//! that takes everything proves nothing.
//!
//! `scripts/lab/formats` installs the readers. Without npm the one reader written for node is skipped, and says so.

use ics_setup::finding::{FindingId, ids, typed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ics_setup::finding::{Finding, Status};
use ics_setup::redact::Redactor;
use ics_setup::report::Paint;
use ics_setup::report::check::{Checked, Format, Page, Record};
use serde_json::Value;
use tempfile::TempDir;

const STATUSES: [Status; 5] = [Status::Pass, Status::Warn, Status::Fail, Status::Skip, Status::Error];

/// Results in every format, each beside what was found.
struct Corpus {
    folder: TempDir,
    /// The findings as JSON says them.
    found: Vec<Vec<Value>>,
}

impl Corpus {
    /// One with each status alone, none at all, and hostile ones.
    fn new() -> Self {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut all: Vec<Vec<Finding>> = vec![Vec::new()];
        all.extend(STATUSES.map(|status| vec![Finding::new(ids::MEMORY, status, "the host has 2 GiB")]));
        all.extend((0..80).map(|_| (0..dice.below(9)).map(|_| dice.finding()).collect()));
        let folder = crate::common::scratch("formats");
        let page = Page { verbose: true, quiet: false, paint: Paint(false), columns: None, unicode: true };
        let redactor = Redactor::default();
        let record = Record { taken: "2026-11-21T20:01:02Z".to_owned(), ..Record::default() };
        let mut found = Vec::new();
        for (at, findings) in all.iter().enumerate() {
            let checked = Checked { findings, record: &record, took_ms: 1234, recorded: false, redactor: &redactor };
            for format in Format::ALL {
                fs::write(folder.path().join(name(at, format)), checked.render(format, &page)).unwrap();
            }
            found.push(findings_of(&fs::read_to_string(folder.path().join(name(at, Format::Json))).unwrap()));
        }
        Self { folder, found }
    }

    fn files(&self, format: Format) -> Vec<PathBuf> {
        (0..self.found.len()).map(|at| self.folder.path().join(name(at, format))).collect()
    }
}

fn name(at: usize, format: Format) -> String {
    format!("{at:03}.{}", format.as_str())
}

fn findings_of(json: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(json).unwrap()["findings"].as_array().unwrap().clone()
}

/// Goldens of a format, as they lie in the repository.
fn goldens(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check");
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(format.as_str()));
    all.sort();
    assert!(all.len() >= 3, "{all:?}");
    all
}

/// The same bytes every time, without a crate.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 35] = [
            "# SKIP",
            "# TODO x",
            "\\#",
            "\\",
            "\\\\",
            "]]>",
            "<![CDATA[",
            "&amp;",
            "&#0;",
            "<b a='1'>",
            "\n",
            "\r\n",
            "\r",
            "\n  ...\n",
            "\n---\n",
            "not ok 2",
            "ok 3 - x",
            "1..3",
            "Bail out!",
            "|",
            "a|b",
            "'",
            "\"",
            "''",
            "x=1;2;3",
            "\u{0}\u{1b}[31m",
            "\u{2028}\u{85}",
            "\u{fffe}\u{10ffff}\u{fdd0}",
            "Größe 漢字 ✓",
            "\t",
            "{}[]",
            "%s",
            ": - ",
            "word: x",
            "word",
        ];
        let mut text = String::new();
        for _ in 0..self.below(8) {
            text.push_str(PARTS[self.below(PARTS.len())]);
            text.push_str([" ", "", " and "][self.below(3)]);
        }
        text
    }

    fn finding(&mut self) -> Finding {
        let id = ["memory", "disk", "no-proxy", "redis-version"][self.below(4)];
        let group = ["host", "proxy", "backends", "runtime"][self.below(4)];
        let title = format!("title {} {}", self.below(1000), self.text());
        let mut finding = Finding::new(FindingId::unlisted(id, group), STATUSES[self.below(5)], title)
            .expected(self.text())
            .observed(self.text())
            .fix(typed(self.text()))
            .fix(typed("printf 'a\\n' | grep -v '#'"));
        finding.duration_ms = Some(self.below(20_000) as u64);
        finding.docs = (self.below(2) == 0).then(|| self.text().into());
        finding
    }
}

/// What is left of a text whatever its reader does to signs and blanks.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn lab(path: &str) -> PathBuf {
    let path = crate::common::lab().join("formats").join(path);
    assert!(path.exists(), "{} is missing: run scripts/lab/formats (scripts/test does)", path.display());
    path
}

fn tool(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/formats").join(path)
}

/// A reader's answers, one for each file.
fn answers(command: &mut Command, files: &[PathBuf]) -> Vec<Value> {
    let output = command.args(files).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), files.len());
    answers
}

fn python(kind: &str, files: &[PathBuf]) -> Vec<Value> {
    answers(Command::new(lab("python/bin/python")).arg(tool("read.py")).arg(kind), files)
}

fn perl(kind: &str, files: &[PathBuf]) -> Vec<Value> {
    answers(Command::new("perl").arg(tool("read.pl")).arg(kind), files)
}

/// A file with these contents.
fn spoilt(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("spoilt");
    fs::write(&path, text).unwrap();
    path
}

fn feed(command: &mut Command, file: &Path) -> (bool, String) {
    let output = command.stdin(fs::File::open(file).unwrap()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn status(finding: &Value) -> &str {
    finding["status"].as_str().unwrap()
}

// ---------------------------------------------------------------- JUnit

fn schema(files: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(lab("junit-10.xsd")).args(files);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn junit_is_valid_by_jenkins_schema_and_read_by_junitparser() {
    crate::common::need(&["xmllint"]);
    let corpus = Corpus::new();
    let files = corpus.files(Format::Junit);
    let (valid, said) = schema(&[files.clone(), goldens(Format::Junit)].concat());
    assert!(valid, "{said}");
    for (file, (cases, found)) in files.iter().zip(python("junit", &files).iter().zip(&corpus.found)) {
        // Suites gather groups, so cases come in the order of the groups' first findings.
        let mut found: Vec<&Value> = found.iter().collect();
        let groups: Vec<Value> = found.iter().map(|finding| finding["group"].clone()).collect();
        found.sort_by_key(|finding| groups.iter().position(|group| *group == finding["group"]));
        let cases = cases.as_array().unwrap_or_else(|| panic!("{}: {cases}", file.display()));
        assert_eq!(cases.len(), found.len(), "{}", file.display());
        for (case, finding) in cases.iter().zip(found) {
            let kind = match status(finding) {
                "fail" => &["Failure"][..],
                "error" => &["Error"],
                "skip" => &["Skipped"],
                _ => &[],
            };
            assert_eq!(case["kinds"], serde_json::json!(kind));
            assert!(case["name"].as_str().unwrap().starts_with(finding["id"].as_str().unwrap()));
            assert_eq!(case["class"], format!("ics-setup.{}", finding["group"].as_str().unwrap()));
            let (text, title) = (letters(case["text"].as_str().unwrap()), letters(finding["title"].as_str().unwrap()));
            let text = text.strip_prefix("warning").filter(|_| status(finding) == "warn").unwrap_or(&text);
            assert!(text.starts_with(&title), "{text} is not {title}");
            let time = case["time"].as_f64().unwrap() * 1000.0;
            assert_eq!(time.round() as u64, finding["duration_ms"].as_u64().unwrap_or(0));
        }
    }
    let good = fs::read_to_string(&goldens(Format::Junit)[2]).unwrap();
    for (from, to) in
        [("name=\"host\" ", ""), ("<failure", "<failed"), ("</testsuites>", ""), ("time=\"0.012\"", "time=\"x\"")]
    {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(!schema(&[spoilt(&corpus.folder, &bad)]).0, "without {from} it is not valid");
    }
}

// ---------------------------------------------------------------- TAP

#[test]
fn tap_is_read_by_perl() {
    crate::common::need(&["perl", "prove"]);
    let corpus = Corpus::new();
    // The TAP::Parser of perl 5.36 stops at version 13, of which 14 is an extension: it gets the version that it knows.
    let files: Vec<PathBuf> = corpus
        .files(Format::Tap)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap().replacen("TAP version 14", "TAP version 13", 1);
            let path = path.with_extension("tap13");
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    for (file, (answer, found)) in files.iter().zip(perl("tap", &files).iter().zip(&corpus.found)) {
        let shown = || format!("{}: {answer}", file.display());
        assert_eq!(
            (&answer["errors"], &answer["unknown"]),
            (&serde_json::json!([]), &serde_json::json!([])),
            "{}",
            shown()
        );
        points(&answer["points"], found, true);
        let holds = !found.iter().any(|finding| matches!(status(finding), "fail" | "error"));
        let output = Command::new("prove").args(["-Q", "-e", "cat"]).arg(file).output().unwrap();
        assert_eq!(output.status.success(), holds, "prove: {}", shown());
    }
    // As it is, nothing but the version is strange to it.
    for answer in perl("tap", &corpus.files(Format::Tap)) {
        let errors = answer["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error.as_str().unwrap().contains("version 14")), "{answer}");
    }
    let cut = fs::read_to_string(&goldens(Format::Tap)[2]).unwrap().replace("TAP version 14", "TAP version 13");
    let cut = cut.replace("\nok 3 - ", "\nfine 3 - ");
    assert_ne!(perl("tap", &[spoilt(&corpus.folder, &cut)])[0]["errors"], serde_json::json!([]));
}

#[test]
fn tap_is_read_by_tap_py() {
    let corpus = Corpus::new();
    let files = corpus.files(Format::Tap);
    for (answer, found) in python("tap", &files).iter().zip(&corpus.found) {
        // tap.py 3.2 takes an escaped # for the beginning of a directive: titles and skips only where there is none.
        points(answer, found, false);
    }
    let bad = "TAP version 14\n1..1\nBail out! no\n";
    assert!(python("tap", &[spoilt(&corpus.folder, bad)])[0]["error"].is_string());
}

/// Are these points what was found?
fn points(points: &Value, found: &[Value], knows_escapes: bool) {
    let points = points.as_array().unwrap_or_else(|| panic!("{points}"));
    assert_eq!(points.len(), found.len());
    for (point, finding) in points.iter().zip(found) {
        assert_eq!(point["ok"], !matches!(status(finding), "fail" | "error"), "{point}");
        let title = finding["title"].as_str().unwrap();
        let plain = !title.contains('#');
        if plain || knows_escapes {
            assert_eq!(letters(point["text"].as_str().unwrap()), letters(title), "{point}");
            assert_ne!(point["todo"], true, "{point}");
        }
        if plain && (knows_escapes || !finding["observed"].to_string().contains('#')) {
            assert_eq!(point["skip"], status(finding) == "skip", "{point} {finding}");
        }
        let yaml = &point["yaml"];
        assert_eq!(
            (&yaml["id"], &yaml["group"], &yaml["status"]),
            (&finding["id"], &finding["group"], &finding["status"])
        );
        for key in ["expected", "observed", "docs"] {
            let text = |value: &Value| letters(value[key].as_str().unwrap_or_default());
            assert_eq!(text(yaml), text(finding), "{key} of {point}");
        }
        if let Some(fixes) = finding["fix"].as_array().filter(|fixes| !fixes.is_empty()) {
            assert_eq!(yaml["fix"].as_array().unwrap().last(), fixes.last(), "{point}");
        }
    }
}

#[test]
fn tap_is_read_by_tap_parser() {
    let parser = crate::common::lab().join("formats/node/node_modules/tap-parser/bin/cmd.cjs");
    if !parser.exists() {
        crate::common::skip("formats", "tap-parser", "npm was not there when scripts/lab/formats ran");
        return;
    }
    crate::common::need(&["node"]);
    let corpus = Corpus::new();
    for (file, found) in corpus.files(Format::Tap).iter().zip(&corpus.found) {
        let (holds, said) = feed(Command::new("node").arg(&parser).args(["-j", "0", "--flat"]), file);
        let wanted = !found.iter().any(|finding| matches!(status(finding), "fail" | "error"));
        assert_eq!(holds, wanted, "{}: {said}", file.display());
        let events: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        let asserts: Vec<&Value> =
            events.as_array().unwrap().iter().filter(|event| event[0] == "assert").map(|event| &event[1]).collect();
        assert_eq!(asserts.len(), found.len(), "{said}");
        for (point, finding) in asserts.iter().zip(found) {
            assert_eq!(letters(point["name"].as_str().unwrap()), letters(finding["title"].as_str().unwrap()));
            let skipped = !matches!(point["skip"], Value::Bool(false) | Value::Null);
            assert_eq!(skipped, status(finding) == "skip", "{point}");
            assert_eq!(point["diag"]["id"], finding["id"], "{point}");
        }
        assert!(!events.as_array().unwrap().iter().any(|event| event[0] == "extra"), "{said}");
    }
}

// ---------------------------------------------------------------- Nagios

#[test]
fn performance_data_is_read_by_monitoring_plugin() {
    crate::common::need(&["perl"]);
    let corpus = Corpus::new();
    let files = corpus.files(Format::Nagios);
    for (file, (data, found)) in files.iter().zip(perl("perfdata", &files).iter().zip(&corpus.found)) {
        let data = data.as_array().unwrap_or_else(|| panic!("{}: {data}", file.display()));
        let count = |word: &str| found.iter().filter(|finding| status(finding) == word).count();
        let of = |label: &str| {
            data.iter().find(|datum| datum["label"] == label).unwrap_or_else(|| panic!("{label}: {data:?}"))
        };
        let number = |datum: &Value, key: &str| datum[key].as_f64().or_else(|| datum[key].as_str()?.parse().ok());
        for (label, word) in
            [("failed", "fail"), ("error", "error"), ("warning", "warn"), ("skipped", "skip"), ("passed", "pass")]
        {
            let datum = of(&format!("checks_{label}"));
            assert_eq!(number(datum, "value"), Some(count(word) as f64), "{datum}");
        }
        assert_eq!(
            (number(of("checks_failed"), "critical"), number(of("checks_warning"), "warning")),
            (Some(0.0), Some(0.0))
        );
        let mut timed = 0;
        let ids: std::collections::BTreeSet<&str> = found
            .iter()
            .filter(|finding| finding["duration_ms"].is_u64())
            .map(|finding| finding["id"].as_str().unwrap())
            .collect();
        for id in &ids {
            let of_id = found.iter().filter(|finding| finding["id"] == *id);
            let longest = of_id.filter_map(|finding| finding["duration_ms"].as_u64()).max().unwrap();
            let datum = of(id);
            assert_eq!(datum["uom"], "s");
            assert_eq!((number(datum, "value").unwrap() * 1000.0).round() as u64, longest);
            timed += 1;
        }
        assert_eq!(data.len(), 5 + timed, "{}", file.display());
    }
    let bad = "ICS-SETUP OK - x | checks failed=1 =2 'a=3\n";
    let answer = &perl("perfdata", &[spoilt(&corpus.folder, bad)])[0];
    assert_ne!(answer.as_array().map(Vec::len), Some(3), "{answer}");
}

// ---------------------------------------------------------------- Prometheus

#[test]
fn metrics_are_read_by_promtool_and_prometheus_client() {
    crate::common::need(&["promtool"]);
    let corpus = Corpus::new();
    let files = corpus.files(Format::Prometheus);
    let promtool = |file: &Path| feed(Command::new("promtool").args(["check", "metrics"]), file);
    for file in files.iter().chain(&goldens(Format::Prometheus)) {
        let (ok, said) = promtool(file);
        assert!(ok && said.is_empty(), "{}: {said}", file.display());
    }
    for (samples, found) in python("prometheus", &files).iter().zip(&corpus.found) {
        let samples = samples.as_array().unwrap_or_else(|| panic!("{samples}"));
        let rank = |word: &str| ["skip", "pass", "warn", "error", "fail"].iter().position(|own| *own == word).unwrap();
        for finding in found {
            let same = |other: &&Value| other["id"] == finding["id"] && other["group"] == finding["group"];
            let worst = found.iter().filter(same).map(status).max_by_key(|word| rank(word)).unwrap();
            let on: Vec<&Value> = samples
                .iter()
                .filter(|sample| sample["name"] == "ics_setup_check_status" && sample["value"] == 1)
                .map(|sample| &sample["labels"])
                .filter(|labels| labels["check"] == finding["id"] && labels["group"] == finding["group"])
                .collect();
            assert_eq!(on.len(), 1, "{on:?}");
            assert_eq!(on[0]["status"], worst);
        }
        assert!(samples.iter().all(|sample| sample["type"] == "gauge"));
        let series: std::collections::BTreeSet<String> =
            samples.iter().map(|sample| format!("{} {}", sample["name"], sample["labels"])).collect();
        assert_eq!(series.len(), samples.len(), "no series twice, which promtool does not notice");
    }
    let good = fs::read_to_string(&goldens(Format::Prometheus)[2]).unwrap();
    for bad in [good.replacen("\\\"", "\"", 1), good.replacen("gauge", "gage", 1), good.replacen("} 1", "}", 1)] {
        assert_ne!(bad, good);
        assert!(!promtool(&spoilt(&corpus.folder, &bad)).0, "it takes everything");
    }
}

// ---------------------------------------------------------------- the binary on this machine

#[test]
fn what_the_binary_says_about_this_machine_is_read_by_all_of_them() {
    let folder = crate::common::scratch("formats");
    let facts = folder.path().join("facts.json");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(crate::common::binary());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        let output = command.arg("check").args(arguments).stdin(Stdio::null()).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // Nothing listens there: back ends have findings too, and not good ones.
    let facts_shown = facts.to_str().unwrap();
    let (code, _, said) = run(&[
        "--save-facts",
        facts_shown,
        "--mysql-host",
        "127.0.0.1",
        "--mysql-port",
        "1",
        "--redis-host",
        "127.0.0.1",
        "--redis-port",
        "1",
        "--deadline",
        "30s",
    ]);
    assert!(matches!(code, 0 | 4), "{said}");
    let mut file = std::collections::BTreeMap::new();
    let mut codes = std::collections::BTreeMap::new();
    for format in Format::ALL {
        let (code, stdout, said) = run(&["--from", facts_shown, "--format", format.as_str()]);
        assert!(said.is_empty(), "{said}");
        let path = folder.path().join(format.as_str());
        fs::write(&path, stdout).unwrap();
        file.insert(format.as_str(), vec![path]);
        codes.insert(format.as_str(), code);
    }
    let found = findings_of(&fs::read_to_string(&file["json"][0]).unwrap());
    let has = |word: &str| found.iter().any(|finding| status(finding) == word);
    let nagios = if has("fail") {
        2
    } else if has("error") || found.is_empty() {
        3
    } else {
        i32::from(has("warn"))
    };
    assert_eq!(codes["nagios"], nagios);
    for word in ["human", "json", "junit", "tap", "prometheus"] {
        assert_eq!(codes[word], if has("fail") || has("error") { 4 } else { 0 }, "{word}");
    }
    let (valid, said) = schema(&file["junit"]);
    assert!(valid, "{said}");
    assert_eq!(python("junit", &file["junit"])[0].as_array().unwrap().len(), found.len());
    points(&python("tap", &file["tap"])[0], &found, false);
    let (ok, said) = feed(Command::new("promtool").args(["check", "metrics"]), &file["prometheus"][0]);
    assert!(ok && said.is_empty(), "{said}");
    assert!(perl("perfdata", &file["nagios"])[0].as_array().unwrap().len() >= 5);
    let (_, listed, _) = run(&["--list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(!found.is_empty() || listed["checks"].as_array().unwrap().is_empty(), "there are checks and no findings");
    println!("findings on this machine: {}", found.len());
}
