//! Every format from the same findings, held against files (`ICS_SETUP_REWRITE=1 cargo test golden` writes them anew), and
//! from findings with any text at all, held against readers.

use crate::finding::FindingId;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::{Value, json};

use super::*;
use crate::settings::Secret;
use crate::text::{Fix, typed};

pub(super) const PLAIN: Page = Page { verbose: false, quiet: false, paint: Paint(false), columns: None, unicode: true };

/// Every status, and everything that some reader takes for its own.
fn examples() -> Vec<Finding> {
    fn new(id: &'static str, group: &'static str, status: Status, title: impl Into<Text>) -> Finding {
        Finding::new(FindingId::unlisted(id, group), status, title)
    }
    let timed = |mut finding: Finding, millis: u64| {
        finding.duration_ms = Some(millis);
        finding.attempts = Some(1);
        finding
    };
    let mut staged =
        new("redis-reachable", "backends", Status::Fail, "Redis at cache.corp.example:6379 does not answer")
            .expected("a connection within 3 s")
            .observed("no answer within 3 s")
            .cause("a firewall drops the packets; a closed port would refuse at once")
            .fix(typed("nc -vz -w3 cache.corp.example 6379"))
            .evidence("host", "cache.corp.example")
            .evidence("port", 6379);
    staged.stage = Some("connect");
    staged.path = Some("direct");
    staged.docs = Some("https://docs.example/redis?a=1&b=<2>".into());
    staged.duration_ms = Some(3_004);
    staged.attempts = Some(3);
    let long = "the file has ".to_owned() + &"a very long list of members that goes on and on, ".repeat(6) + "and ends";
    let word = format!("https://{}.example/", "x".repeat(120));
    vec![
        timed(new("os-supported", "host", Status::Pass, "the system is Ubuntu 22.04").observed("Ubuntu 22.04"), 1),
        timed(
            new("memory", "host", Status::Fail, "the host has 2 GiB of memory")
                .expected("at least 8 GiB")
                .observed("2 GiB")
                .cause("the vendor asks for 8 GiB")
                .fix(typed("/etc/fstab: give the machine 8 GiB"))
                .fix(typed("free -g | awk '/^Mem/ {print $2}'")),
            0,
        ),
        timed(new("disk", "host", Status::Warn, "/ has 12 GiB free").expected("40 GiB").observed("12 GiB"), 12),
        timed(new("disk", "host", Status::Pass, "/divvycloud has 90 GiB free").observed("90 GiB"), 7),
        new("ports", "host", Status::Skip, "the ports were not looked at").observed("no command is run\nunder --root"),
        timed(
            new(
                "no-proxy",
                "proxy",
                Status::Warn,
                format!("{long} # and a sign \\ with |bars| ]]> and 'quotes' \"too\""),
            )
            .expected(word)
            .observed("first line\r\nsecond line\twith a tab\n  third\u{1b}[31m red\u{0}\u{7f}\u{85}\u{202e}gnp")
            .cause("Größe und 漢字 ✓ \u{10ffff}\u{ffff}")
            .fix(typed("printf '%s\\n' \"a|b\" '#' <<EOF\n# SKIP\nEOF")),
            250,
        ),
        new("empty", "proxy", Status::Warn, "").expected("").observed("\n").cause("").fix(typed("")).fix(typed("  ")),
        timed(
            new("late", "proxy", Status::Error, "squid could not be checked").observed("no result within 10 s"),
            10_000,
        ),
        staged,
        new("weird=\"id\"|'x'#", "back ends&<>", Status::Pass, "-- 12 angry # TODO <b>&amp;</b> not ok 3 - nothing"),
        new("skipped", "runtime", Status::Skip, "Bail out! the product is not installed # TODO later"),
    ]
}

/// Of a host that tells who it is.
pub(super) static RECORD: LazyLock<Record> = LazyLock::new(|| Record {
    taken: "2026-11-21T20:01:02Z".to_owned(),
    host: serde_json::from_value(json!({
        "name": "web-1.corp.example", "address": "10.20.4.11", "system": "Ubuntu 22.04", "command": "ics-setup check",
    }))
    .unwrap(),
    ..Record::default()
});

pub(super) fn checked<'a>(findings: &'a [Finding], redactor: &'a Redactor) -> Checked<'a> {
    Checked { findings, record: &RECORD, took_ms: 10_250, recorded: false, redactor }
}

pub(super) fn rendered(findings: &[Finding], format: Format, page: &Page) -> String {
    checked(findings, &Redactor::default()).render(format, page)
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check").join(name);
    if std::env::var_os("ICS_SETUP_REWRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    similar_asserted(&kept, text, name);
}

fn similar_asserted(kept: &str, text: &str, name: &str) {
    if kept != text {
        let diff = similar::TextDiff::from_lines(kept, text);
        panic!("{name} is not what it was:\n{}", diff.unified_diff().header("kept", "now"));
    }
}

#[test]
fn golden_of_every_format() {
    let findings = examples();
    for format in Format::ALL {
        golden(&format!("{}.golden", format.as_str()), &rendered(&findings, format, &PLAIN));
        golden(&format!("{}-nothing.golden", format.as_str()), &rendered(&[], format, &PLAIN));
        let right = &findings[..1];
        golden(&format!("{}-right.golden", format.as_str()), &rendered(right, format, &PLAIN));
    }
}

#[test]
fn golden_of_every_page() {
    let findings = examples();
    let terminal = Page { columns: Some(80), ..PLAIN };
    for (name, page) in [
        ("human-80", terminal),
        ("human-80-verbose", Page { verbose: true, ..terminal }),
        ("human-quiet", Page { quiet: true, ..PLAIN }),
        ("human-ascii", Page { unicode: false, ..terminal }),
        ("human-color", Page { paint: Paint(true), ..PLAIN }),
    ] {
        golden(&format!("{name}.golden"), &rendered(&findings, Format::Human, &page));
    }
    golden("nagios-verbose.golden", &rendered(&findings, Format::Nagios, &Page { verbose: true, ..PLAIN }));
    golden("nagios-quiet.golden", &rendered(&findings, Format::Nagios, &Page { quiet: true, ..PLAIN }));
    let recorded =
        Checked { recorded: true, ..checked(&findings[..1], &Redactor::default()) }.render(Format::Human, &PLAIN);
    golden("human-recorded.golden", &recorded);
}

#[test]
fn a_terminal_gets_no_line_that_is_too_long_unless_it_is_to_be_pasted() {
    for columns in [40, 60, 80, 100] {
        let page = Page { columns: Some(columns), verbose: true, ..PLAIN };
        for line in rendered(&examples(), Format::Human, &page).lines() {
            let pasted = ["→", "more:", "data:", "https://", "EOF", "--explain"].iter().any(|word| line.contains(word));
            assert!(pasted || console::measure_text_width(line) <= columns, "{columns}: {line}");
        }
    }
}

#[test]
fn quiet_is_silent_where_all_is_right() {
    let right = [examples().swap_remove(0), examples().swap_remove(4)];
    assert!(!right.iter().any(|finding| finding.status.is_wrong()));
    assert_eq!(rendered(&right, Format::Human, &Page { quiet: true, ..PLAIN }), "");
}

#[test]
fn in_a_pipe_every_fact_is_one_line() {
    let text = rendered(&examples(), Format::Human, &PLAIN);
    let long = text.lines().find(|line| line.contains("the file has")).unwrap();
    assert!(long.contains("and ends") && long.ends_with("[no-proxy]"), "{long}");
}

#[test]
fn json_has_its_keys_in_their_order() {
    let json: Value = serde_json::from_str(&rendered(&examples(), Format::Json, &PLAIN)).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&json), "schema command summary findings");
    assert_eq!(json["summary"], json!({"pass": 3, "warn": 3, "fail": 2, "skip": 2, "error": 1}));
    assert_eq!(keys(&json["summary"]), "pass warn fail skip error");
    for finding in json["findings"].as_array().unwrap() {
        assert_eq!(
            keys(finding),
            "id group title status expected observed cause fix advice docs evidence stage path duration_ms attempts"
        );
    }
}

#[test]
fn a_monitoring_state_follows_the_worst_and_doubt_outweighs_a_warning() {
    for (statuses, code) in [
        (&[Status::Pass, Status::Skip][..], 0),
        (&[Status::Pass, Status::Warn], 1),
        (&[Status::Fail, Status::Error], 2),
        (&[Status::Warn, Status::Error], 3),
        (&[Status::Error], 3),
        (&[], 3),
    ] {
        let findings: Vec<Finding> =
            statuses.iter().map(|status| Finding::new(FindingId::unlisted("x", "host"), *status, "a title")).collect();
        let summary = Summary::of(findings.iter().map(|finding| finding.status));
        assert_eq!(Format::Nagios.exit_code(Some(&summary)), Some(code), "{statuses:?}");
        let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(code)];
        let text = rendered(&findings, Format::Nagios, &PLAIN);
        assert!(text.starts_with(&format!("ICS-SETUP {word} - ")), "{text}");
        assert_eq!(text.lines().next().unwrap().contains(": a title |"), code != 0 && !findings.is_empty(), "{text}");
    }
}

#[test]
fn no_format_shows_a_secret_whatever_field_it_stands_in() {
    const SECRET: &str = "p@ss w0rd/+é&<'|#";
    let mut redactor = Redactor::default();
    redactor.learn_login(b"svc", &Secret::new(SECRET.as_bytes()));
    let encoded: String = SECRET
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let partly = crate::settings::encode(SECRET.as_bytes());
    let basic = crate::redact::base64_padded(format!("svc:{SECRET}").as_bytes());
    let alone = crate::redact::base64_padded(SECRET.as_bytes());
    let forms = [SECRET, &encoded, &partly, &basic, &alone];
    let all = forms.join(" and ");
    for status in [Status::Pass, Status::Warn, Status::Fail, Status::Skip, Status::Error] {
        let mut finding = Finding::new(FindingId::unlisted("x", "host"), status, all.clone())
            .expected(format!("{all}\n{all}"))
            .observed(all.clone())
            .cause(all.clone())
            .fix(typed(all.clone()))
            .evidence("deep", json!({"list": [all.clone()]}));
        finding.docs = Some(all.clone().into());
        for format in Format::ALL {
            for columns in [None, Some(40)] {
                let page = Page { verbose: true, columns, ..PLAIN };
                let text = checked(&[finding.clone()], &redactor).render(format, &page);
                assert!(text.len() > 20);
                for form in forms {
                    let (json, xml) = (json!(form).to_string(), quick_xml::escape::escape(form).into_owned());
                    for form in [form, json.trim_matches('"'), &xml, &form.replace('#', "\\#"), &form.replace('|', "¦")]
                    {
                        assert!(!text.contains(form.trim_end_matches('=')), "{format:?} shows {form}:\n{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_problem_is_told_in_the_words_of_the_format() {
    let problem = Problem::settings(crate::problem::id::USAGE, "no # such | file\nat http://u:s3cret@h".to_owned());
    let told = |format| prevented(format, &problem, &Redactor::default());
    assert_eq!(told(Format::Nagios).unwrap(), "ICS-SETUP UNKNOWN - no # such ¦ file at http://u:***@h\n");
    assert_eq!(told(Format::Tap).unwrap(), "TAP version 14\nBail out! no \\# such | file at http://u:***@h\n");
    assert!(told(Format::Human).is_none() && told(Format::Prometheus).is_none());
}

// ---------------------------------------------------------------- any text at all

/// Ids and groups are literals of ours, and a test of the catalogue holds them to `a-z0-9-`; quoting them costs nothing.
const IDS: [&str; 5] = ["memory", "disk", "a b", "q\"'=|\\#", "é&<>]]>"];
const GROUPS: [&str; 3] = ["host", "backends", "odd\"\\&<"];
const STATUSES: [Status; 5] = [Status::Pass, Status::Warn, Status::Fail, Status::Skip, Status::Error];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\\n#|\\\\'\"\\]>&<=-]{0,60}",
        proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter),
        proptest::collection::vec(
            prop_oneof![
                Just("# SKIP"),
                Just("# TODO x"),
                Just("\\#"),
                Just("]]>"),
                Just("\n"),
                Just("\r\n"),
                Just("  ...\n"),
                Just("not ok 2"),
                Just("1..3"),
                Just("Bail out!"),
                Just("|"),
                Just("\u{2028}"),
                Just("\u{fffe}"),
                Just(" "),
                Just("\u{0}"),
                Just("---"),
                Just("<![CDATA["),
                Just("&#0;"),
                Just("\\"),
                Just("\"")
            ],
            0..8
        )
        .prop_map(|parts| parts.concat()),
    ]
}

prop_compose! {
    fn any_finding()(
        id in 0..IDS.len(), group in 0..GROUPS.len(), status in 0..STATUSES.len(), title in any_text(),
        expected in proptest::option::of(any_text()), observed in proptest::option::of(any_text()),
        cause in proptest::option::of(any_text()), fix in proptest::collection::vec(any_text(), 0..3),
        docs in proptest::option::of(any_text()), took in proptest::option::of(any::<u64>()),
    ) -> Finding {
        let mut finding = Finding::new(FindingId::unlisted(IDS[id], GROUPS[group]), STATUSES[status], title).evidence("any", docs.clone());
        let text = |text: Option<String>| text.map(Text::from);
        (finding.expected, finding.observed, finding.cause) = (text(expected), text(observed), text(cause));
        finding.fix = fix.into_iter().map(|text| Fix::Command(typed(text))).collect();
        (finding.docs, finding.duration_ms) = (text(docs), took);
        finding
    }
}

fn any_findings() -> impl Strategy<Value = Vec<Finding>> {
    proptest::collection::vec(any_finding(), 0..6)
}

fn cleaned(id: FindingId, text: &str) -> String {
    Plain::of(&Redactor::default(), &Finding::new(id, Status::Pass, text.to_owned())).title
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn junit_is_well_formed_and_holds_every_title(findings in any_findings()) {
        let text = rendered(&findings, Format::Junit, &PLAIN);
        let (mut depth, mut cases, mut messages) = (0_i32, 0, Vec::new());
        let mut reader = quick_xml::Reader::from_str(&text);
        reader.config_mut().check_end_names = true;
        loop {
            let event = reader.read_event().map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            match &event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::Eof => break,
                _ => {}
            }
            if let Event::Start(element) | Event::Empty(element) = &event {
                cases += usize::from(element.name().as_ref() == "testcase");
                for attribute in element.attributes() {
                    let attribute = attribute.map_err(|error| TestCaseError::fail(error.to_string()))?;
                    if attribute.key.as_ref() == "message" {
                        messages.push(quick_xml::escape::unescape(&attribute.value).unwrap().into_owned());
                    }
                }
            }
        }
        prop_assert_eq!((depth, cases), (0, findings.len()));
        let forbidden = text.chars().find(|c| *c != '\n' && (*c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}')));
        prop_assert_eq!(forbidden, None);
        let wrong = |finding: &&Finding| !matches!(finding.status, Status::Pass | Status::Warn);
        // Suites gather the findings of a group, so the order is that of the groups.
        let expected: BTreeSet<String> = findings.iter().filter(wrong).map(|finding| cleaned(finding.id, &finding.title)).collect();
        prop_assert_eq!(messages.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn tap_reads_back_as_what_was_found(findings in any_findings()) {
        let text = rendered(&findings, Format::Tap, &PLAIN);
        let points = read_tap(&text)?;
        prop_assert_eq!(points.len(), findings.len());
        for (point, finding) in points.iter().zip(&findings) {
            prop_assert_eq!(point.holds, !matches!(finding.status, Status::Fail | Status::Error));
            prop_assert_eq!(point.skipped, finding.status == Status::Skip);
            let title = cleaned(finding.id, &finding.title);
            prop_assert_eq!(&point.description, title.trim());
            prop_assert_eq!(point.fixes, Plain::of(&Redactor::default(), finding).commands.len());
        }
    }

    #[test]
    fn every_line_of_prometheus_is_a_comment_or_a_unique_series(findings in any_findings()) {
        let text = rendered(&findings, Format::Prometheus, &PLAIN);
        let line = regex::Regex::new(
            r#"^(# (HELP|TYPE) [a-z_]+ [ -~]+|[a-z_]+(\{[a-z]+="([^"\\]|\\[\\"n])*"(,[a-z]+="([^"\\]|\\[\\"n])*")*\})? [0-9]+(\.[0-9]{3})?)$"#,
        ).unwrap();
        let mut series = BTreeSet::new();
        for text in text.split_terminator('\n') {
            prop_assert!(line.is_match(text), "{}", text);
            if !text.starts_with('#') {
                let (name, _) = text.rsplit_once(' ').unwrap();
                prop_assert!(series.insert(name.to_owned()), "twice: {}", name);
            }
        }
        let on = text.lines().filter(|line| line.starts_with("ics_setup_check_status{") && line.ends_with(" 1")).count();
        let checks: BTreeSet<_> = findings.iter().map(|finding| (finding.id, finding.id.group())).collect();
        prop_assert_eq!(on, checks.len(), "each check is in one state");
    }

    #[test]
    fn nagios_has_one_bar_per_part_and_unique_labels(findings in any_findings(), verbose: bool) {
        let text = rendered(&findings, Format::Nagios, &Page { verbose, ..PLAIN });
        let bars: Vec<usize> =
            text.split('\n').enumerate().filter(|(_, line)| line.contains('|')).map(|(at, _)| at).collect();
        let last = text.split_terminator('\n').count() - 1;
        let timed = findings.iter().any(|finding| finding.duration_ms.is_some());
        prop_assert_eq!(bars, if timed { vec![0, last] } else { vec![0] });
        prop_assert_eq!(text.matches('|').count(), 1 + usize::from(timed));
        let label = regex::Regex::new(r"^(?:([a-z_]+|'(?:[^'=|]|'')+')=[0-9]+(\.[0-9]{3}s)?(;[0-9]*){0,3})$").unwrap();
        let mut labels = BTreeSet::new();
        for part in text.split('\n').filter_map(|line| line.split_once(" | ")).map(|(_, data)| data) {
            for datum in split_outside_quotes(part) {
                prop_assert!(label.is_match(&datum), "{}", datum);
                prop_assert!(labels.insert(datum.rsplit_once('=').unwrap().0.to_owned()), "twice: {}", datum);
            }
        }
    }

    #[test]
    fn people_see_every_check_and_nothing_that_moves_the_cursor(findings in any_findings(), columns in proptest::option::of(0_usize..200)) {
        let text = rendered(&findings, Format::Human, &Page { columns, verbose: true, ..PLAIN });
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        let heads = text.lines().filter(|line| ["  ✓ ", "  ‼ ", "  × ", "  - "].iter().any(|mark| line.starts_with(mark)));
        prop_assert!(heads.count() >= findings.len());
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        quoted ^= c == '\'';
        match c {
            ' ' if !quoted => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    parts
}

struct Point {
    holds: bool,
    description: String,
    skipped: bool,
    fixes: usize,
}

/// A reader that takes nothing but version, plan, numbered points and closed YAML blocks.
fn read_tap(text: &str) -> Result<Vec<Point>, TestCaseError> {
    let wrong = |line: &str| TestCaseError::fail(format!("{line:?} in\n{text}"));
    let mut lines = text.strip_suffix('\n').ok_or_else(|| wrong("no end"))?.split('\n');
    prop_assert_eq!(lines.next(), Some("TAP version 14"));
    let plan = lines.next().and_then(|line| line.strip_prefix("1..")).ok_or_else(|| wrong("no plan"))?;
    let mut points: Vec<Point> = Vec::new();
    let scalar = regex::Regex::new(r#"^("([^"\\]|\\[\\"n]|\\x3a)*"|[0-9]+)$"#).unwrap();
    while let Some(line) = lines.next() {
        let (holds, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok ").ok_or_else(|| wrong(line))?),
        };
        let rest = rest.strip_prefix(&format!("{} - ", points.len() + 1)).ok_or_else(|| wrong(line))?;
        let (mut description, mut skipped, mut chars) = (String::new(), false, rest.chars());
        while let Some(c) = chars.next() {
            match c {
                '\\' => description.push(chars.next().filter(|c| "\\#".contains(*c)).ok_or_else(|| wrong(line))?),
                '#' => {
                    let directive: String = chars.by_ref().collect();
                    prop_assert!(directive.starts_with(" SKIP"), "{}", line);
                    skipped = true;
                }
                c => description.push(c),
            }
        }
        if lines.next() != Some("  ---") {
            return Err(wrong("no block"));
        }
        let mut fixes = 0;
        loop {
            match lines.next().ok_or_else(|| wrong("open block"))? {
                "  ..." => break,
                "  fix:" => {}
                line => {
                    let value = match line.strip_prefix("    - ") {
                        Some(item) => {
                            fixes += 1;
                            item
                        }
                        None => line.split_once(": ").ok_or_else(|| wrong(line))?.1,
                    };
                    prop_assert!(scalar.is_match(value), "{}", line);
                }
            }
        }
        points.push(Point { holds, description: description.trim().to_owned(), skipped, fixes });
    }
    let count = plan.split(' ').next().unwrap_or_default();
    prop_assert_eq!(count, points.len().to_string());
    Ok(points)
}
