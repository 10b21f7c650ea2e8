//! CSV, JSON and Markdown: every endpoint with all that is known of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::entry::by_address;
use super::{Format, Rendered, Request, sources};
use crate::network::catalogue::{Endpoint, StaticIps};
use crate::network::table::{csv, json_rows, markdown_code, markdown_text};

pub(super) fn render(format: Format, request: &Request<'_>) -> Rendered {
    let text = match format {
        Format::Csv => csv(&request.wanted()),
        Format::Json => format!("{:#}\n", body(request)),
        _ => markdown(request),
    };
    Rendered { text, left_out: Vec::new() }
}

/// The list as `--format json` says it.
pub(crate) fn body(request: &Request<'_>) -> Value {
    let endpoints = request.wanted();
    let (_, left_out) = by_address(&endpoints);
    let left_out = left_out.iter().map(|left| json!({"endpoint": left.what, "why": left.why})).collect::<Vec<_>>();
    json!({
        "date": request.catalogue.date,
        "decrypt_exclusions": request.exclusions,
        "endpoints": rows(&endpoints),
        "without_static_ips": left_out,
    })
}

/// The rows of `network list` with what only rules need.
fn rows(endpoints: &[&Endpoint]) -> Vec<Value> {
    let mut rows = json_rows(endpoints);
    for (row, endpoint) in rows.iter_mut().zip(endpoints) {
        row["host_stands_for_wildcard"] = json!(endpoint.representative.is_some());
        row["protocol"] = json!(endpoint.protocol.as_str());
        row["static_ips_confidence"] = json!(endpoint.static_ips_confidence.as_str());
        row["required"] = json!(endpoint.required);
        row["when"] = json!(endpoint.when);
        row["needed_by"] = json!(endpoint.needed_by.as_str());
        row["direct"] = json!(endpoint.direct);
        row["must_not_be_decrypted"] = json!(endpoint.must_not_be_decrypted());
    }
    rows
}

fn markdown(request: &Request<'_>) -> String {
    let endpoints = request.wanted();
    let title = if request.exclusions { "Not to be decrypted" } else { "Outbound connections of InsightCloudSec" };
    let mut text = format!("# {title}\n\nFacts of {}.\n\n", request.catalogue.date);
    text.push_str(&crate::network::table::markdown(&endpoints));
    if !request.exclusions {
        let untouched: Vec<&Endpoint> =
            endpoints.iter().filter(|endpoint| endpoint.must_not_be_decrypted()).copied().collect();
        let why = "The Insight platform refuses data that arrives behind another certificate than its own.";
        list(&mut text, "Not to be decrypted", why, patterns(&untouched, |_| true));
    }
    let why = "A firewall that knows addresses only cannot open these.";
    let unnumbered = |ips: StaticIps| patterns(&endpoints, |endpoint| endpoint.static_ips == ips);
    list(&mut text, "Documented as having no static addresses", why, unnumbered(StaticIps::None));
    list(&mut text, "Static addresses unknown", why, unnumbered(StaticIps::Unknown));
    let sources = sources(request.catalogue, &endpoints);
    if !sources.is_empty() {
        text.push_str("\n## Sources\n\n");
        for line in sources.iter().skip(1) {
            let _ = writeln!(text, "- {}", markdown_text(line.trim_start()));
        }
    }
    text
}

fn list(text: &mut String, heading: &str, why: &str, names: Vec<String>) {
    if names.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## {heading}\n\n{why}\n");
    for name in names {
        let _ = writeln!(text, "- {}", markdown_code(&name));
    }
}

/// The vendor's patterns and the names that have none, each once.
fn patterns(endpoints: &[&Endpoint], wanted: impl Fn(&Endpoint) -> bool) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for endpoint in endpoints.iter().filter(|endpoint| wanted(endpoint)) {
        let pattern = endpoint.wildcard.as_ref().map_or(&endpoint.host, |wildcard| &wildcard.printed);
        if !all.contains(pattern) {
            all.push(pattern.clone());
        }
    }
    all
}
