//! Text from outside stays text.

use super::*;
use crate::check::{CheckSpec, Record, Target};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::redact::Redactor;
use crate::text;
use crate::text::typed;

const HOSTILE: &str =
    "<script>alert(1)</script> \"'><img src=x onerror=alert(2)> ](javascript:alert(3)) ``` \u{1b}[31m | `x`";

fn record() -> Record {
    let target = |host: &str, agent| Target {
        agent,
        host: host.to_owned(),
        port: 443,
        purpose: HOSTILE.to_owned(),
        stands_for: Some("*.example.com".to_owned()),
        tls: true,
        path: Some("/".to_owned()),
        direct_only: false,
        required: true,
        confidence: crate::network::catalogue::Confidence::Verified,
        static_ips: vec!["192.0.2.1".to_owned()],
    };
    let spec = CheckSpec {
        release: Some(HOSTILE.to_owned()),
        endpoints: vec![target("a.example.com", false), target(HOSTILE, true)],
        ..CheckSpec::default()
    };
    Record {
        schema: "x".to_owned(),
        version: String::new(),
        taken: "2026-11-21T00:00:00Z".to_owned(),
        host: serde_json::from_value(serde_json::json!({
            "name": "web-1.corp.example", "address": "10.20.4.11", "system": "Ubuntu 22.04", "command": "ics-setup check `network`",
        }))
        .unwrap(),
        spec,
        checks: Vec::new(),
    }
}

fn findings() -> Vec<Finding> {
    let mut slow = Finding::new(ids::NETWORK_ENDPOINT, Status::Fail, HOSTILE)
        .expected(HOSTILE)
        .observed(HOSTILE)
        .fix(typed(HOSTILE))
        .evidence("host", "a.example.com")
        .evidence("port", 443)
        .evidence("stages_ms", serde_json::json!({"resolve": 10, "tcp": 30}));
    slow.duration_ms = Some(100);
    slow.stage = Some("tls");
    vec![Finding::new(ids::OS_SUPPORTED, Status::Pass, "fine"), slow]
}

#[test]
fn hostile_text_is_inert_in_html_and_in_markdown() {
    let (record, findings, redactor) = (record(), findings(), Redactor::default());
    let checked = Checked { findings: &findings, record: &record, took_ms: 5, recorded: true, redactor: &redactor };
    let html = html(&checked);
    assert!(html.starts_with("<!doctype html>") && html.contains("Not ready: 1 thing stands in the way"), "{html}");
    for tag in ["<script", "<img", "onerror=alert(2)>"] {
        assert!(!html.contains(tag), "{tag}");
    }
    assert!(!html.contains('\u{1b}') && html.contains("&#60;script&#62;"));
    let markdown = markdown(&checked);
    let mut fenced = false;
    for line in markdown.lines() {
        match line.trim() {
            "```" => fenced = !fenced,
            text if !fenced => {
                // Every mark that could begin a link, a tag or code is escaped.
                assert!(!text.replace("\\]", "").contains("]("), "{text}");
                assert!(!text.replace("\\<", "").contains("<s"), "{text}");
            }
            _ => {}
        }
    }
    assert!(!fenced, "{markdown}");
    assert!(markdown.contains(r"\<script\>alert(1)\</script\>"));
}

#[test]
fn times_are_of_what_was_reached() {
    let (record, mut findings, redactor) = (record(), findings(), Redactor::default());
    let view = |findings: &[Finding]| {
        View::new(&Checked { findings, record: &record, took_ms: 5, recorded: true, redactor: &redactor })
    };
    let failed = view(&findings);
    assert!(failed.bars.is_empty() && failed.picture.is_some() && failed.verdict == "fail");
    findings[1].status = Status::Pass;
    let reached = view(&findings);
    let parts: Vec<(&str, u64, f64)> =
        reached.bars[0].parts.iter().map(|part| (part.stage.as_str(), part.millis, part.width)).collect();
    assert_eq!((parts, reached.scale_ms), (vec![("resolve", 10, 10.0), ("tcp", 30, 30.0)], 100));
    assert!(view(&findings[..1]).picture.is_none(), "no way was gone");
}

#[test]
fn host_verdict_and_the_first_failure_with_its_fix_stand_at_the_head() {
    let (record, redactor) = (record(), Redactor::default());
    let failed = |host: &str| {
        Finding::fail(ids::NETWORK_ENDPOINT, format!("{host} is refused"))
            .observed("403")
            .cause("a rule")
            .fix(typed("sudo mend it"))
    };
    let mysql =
        Finding::fail(ids::MYSQL_VERSION, "MySQL 8").advise(text!("take another one: {}", typed("ics-setup upgrade")));
    let passed = (0..40).map(|_| Finding::pass(ids::OS_SUPPORTED, "fine"));
    let findings: Vec<Finding> = passed.chain([failed("a.example"), failed("b.example"), mysql]).collect();
    let checked = Checked { findings: &findings, record: &record, took_ms: 5, recorded: true, redactor: &redactor };
    let view = View::new(&checked);
    let told: Vec<(&str, usize)> = view.shares.iter().map(|own| (own.whose.as_str(), own.count)).collect();
    assert_eq!(told, [("For the database team", 1), ("For this host", 2)]);
    // What is alike is told once.
    let items = &view.shares[1].items;
    assert_eq!((items.len(), items[0].alike[0].title.as_str()), (1, "b.example is refused"));
    let markdown = markdown(&checked);
    let head: Vec<&str> = markdown.lines().take(25).collect();
    for words in [
        "# Not ready: 3 things stand in the way",
        "web-1.corp.example (10.20.4.11) · ",
        "Ubuntu 22.04",
        "`` ics-setup check `network` ``",
        "### For the database team",
        "#### MySQL 8",
        "take another one: `ics-setup upgrade`",
    ] {
        assert!(head.iter().any(|line| line.contains(words)), "{words}: {markdown}");
    }
    assert!(markdown.find("## Passed") > markdown.find("## For the firewall"));
    let html = html(&checked);
    assert!(
        html.find("Not ready") < html.find("<h4>MySQL 8</h4>")
            && html.contains("take another one: <code><span>ics-setup</span> <span>upgrade</span></code>")
    );
}
