//! Text from outside stays text.

use super::*;
use crate::check::{CheckSpec, Record, Target};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::redact::Redactor;
use crate::text::as_anybody;

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
        spec,
        checks: Vec::new(),
    }
}

fn findings() -> Vec<Finding> {
    let mut slow = Finding::new(ids::NETWORK_ENDPOINT, Status::Fail, HOSTILE)
        .expected(HOSTILE)
        .observed(HOSTILE)
        .fix(as_anybody(HOSTILE))
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
    let checked =
        Checked { findings: &findings, taken: &record.taken, took_ms: 5, recorded: true, redactor: &redactor };
    let html = html(&record, &checked);
    assert!(html.starts_with("<!doctype html>") && html.contains("Not fit: "), "{html}");
    for tag in ["<script", "<img", "onerror=alert(2)>"] {
        assert!(!html.contains(tag), "{tag}");
    }
    assert!(!html.contains('\u{1b}') && html.contains("&#60;script&#62;"));
    let markdown = markdown(&record, &checked);
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
fn a_stage_that_failed_has_its_share_of_the_bar() {
    let (record, findings, redactor) = (record(), findings(), Redactor::default());
    let view = View::new(
        &record,
        &Checked { findings: &findings, taken: &record.taken, took_ms: 5, recorded: true, redactor: &redactor },
    );
    let parts: Vec<(&str, u64, f64)> =
        view.bars[0].parts.iter().map(|part| (part.stage.as_str(), part.millis, part.from)).collect();
    assert_eq!(parts, [("resolve", 10, 0.0), ("tcp", 30, 10.0), ("tls (failed)", 60, 40.0)]);
    assert_eq!((view.verdict, view.scale_ms), ("fail", 100));
}
