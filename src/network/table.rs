//! Endpoints as a table: for people, for spreadsheets, for documents, for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::catalogue::{Endpoint, StaticIps};

/// Columns below each other, for people.
pub(crate) fn human(endpoints: &[&Endpoint]) -> String {
    let heads = ["COMPONENT", "REGION", "HOST", "PORT", "VENDOR'S WILDCARD", "STATIC ADDRESSES", "WHAT FOR"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(endpoints.iter().map(|endpoint| {
        let when = endpoint.when.as_ref().map_or(String::new(), |when| format!(", where {when}"));
        [
            endpoint.component.as_str().to_owned(),
            endpoint.region.clone(),
            endpoint.host.clone(),
            endpoint.port.to_string(),
            endpoint.wildcard.as_ref().map_or("-".to_owned(), |wildcard| wildcard.printed.clone()),
            static_ips_text(&endpoint.static_ips, " "),
            format!("{}{when}", endpoint.purpose),
        ]
    }));
    let widths: [usize; 7] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// The rows of `network list --format json`.
pub(crate) fn json_rows(endpoints: &[&Endpoint]) -> Vec<Value> {
    endpoints
        .iter()
        .map(|endpoint| {
            json!({
                "component": endpoint.component.as_str(),
                "region": endpoint.region,
                "host": endpoint.host,
                "wildcard": endpoint.wildcard.as_ref().map(|wildcard| &wildcard.printed),
                "port": endpoint.port,
                "purpose": endpoint.purpose,
                "static_ips": static_ips_json(&endpoint.static_ips),
                "confidence": endpoint.confidence.as_str(),
                "source": endpoint.source,
                "date": endpoint.date,
            })
        })
        .collect()
}

/// RFC 4180 with line feeds; the addresses of a row are separated by semicolons, no cell: unknown.
pub(crate) fn csv(endpoints: &[&Endpoint]) -> String {
    let mut text = "component,region,host,wildcard,host_stands_for_wildcard,port,protocol,purpose,static_ips,\
                    static_ips_confidence,required,when,needed_by,direct,must_not_be_decrypted,confidence,source,date\n"
        .to_owned();
    for endpoint in endpoints {
        let ips = match &endpoint.static_ips {
            StaticIps::Unknown => String::new(),
            known => static_ips_text(known, ";"),
        };
        let cells = [
            endpoint.component.as_str().to_owned(),
            endpoint.region.clone(),
            endpoint.host.clone(),
            endpoint.wildcard.as_ref().map_or_else(String::new, |wildcard| wildcard.printed.clone()),
            endpoint.representative.is_some().to_string(),
            endpoint.port.to_string(),
            endpoint.protocol.as_str().to_owned(),
            endpoint.purpose.clone(),
            ips,
            endpoint.static_ips_confidence.as_str().to_owned(),
            endpoint.required.to_string(),
            endpoint.when.clone().unwrap_or_default(),
            endpoint.needed_by.as_str().to_owned(),
            endpoint.direct.to_string(),
            endpoint.must_not_be_decrypted().to_string(),
            endpoint.confidence.as_str().to_owned(),
            endpoint.source.clone(),
            endpoint.date.clone(),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

fn csv_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// A table of GitHub's Markdown.
pub(crate) fn markdown(endpoints: &[&Endpoint]) -> String {
    let mut text =
        "| component | region | host | vendor's wildcard | port | what for | static addresses | how sure | source |\n\
                    | --- | --- | --- | --- | --: | --- | --- | --- | --- |\n"
            .to_owned();
    for endpoint in endpoints {
        let wildcard = endpoint.wildcard.as_ref().map_or_else(String::new, |wildcard| markdown_code(&wildcard.printed));
        let when = endpoint.when.as_ref().map_or(String::new(), |when| format!("; only where {when}"));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {wildcard} | {} | {} | {} | {} | {}, {} |",
            endpoint.component.as_str(),
            markdown_text(&endpoint.region),
            markdown_code(&endpoint.host),
            endpoint.port,
            markdown_text(&format!("{}{when}", endpoint.purpose)),
            markdown_text(&static_ips_text(&endpoint.static_ips, ", ")),
            endpoint.confidence.as_str(),
            markdown_text(&endpoint.source),
            markdown_text(&endpoint.date),
        );
    }
    text
}

/// A name as code: stars stay stars, and a bar ends no cell.
pub(crate) fn markdown_code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'").replace('|', "\\|"))
}

/// Words without markup.
pub(crate) fn markdown_text(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if "\\`*_[]<>|#".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// A list, `"none"`, or `null` where nothing is known.
pub(crate) fn static_ips_json(ips: &StaticIps) -> Value {
    match ips {
        StaticIps::Listed(blocks) => json!(blocks.iter().map(ToString::to_string).collect::<Vec<_>>()),
        StaticIps::None => json!("none"),
        StaticIps::Unknown => Value::Null,
    }
}

/// The list, `none` or `unknown`.
fn static_ips_text(ips: &StaticIps, between: &str) -> String {
    match ips {
        StaticIps::Listed(blocks) => blocks.iter().map(ToString::to_string).collect::<Vec<_>>().join(between),
        StaticIps::None => "none".to_owned(),
        StaticIps::Unknown => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_survive_their_table() {
        assert_eq!(csv_cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(csv_cell("*.x"), "*.x");
        assert_eq!(markdown_text("a|b*c <d>"), "a\\|b\\*c \\<d\\>");
        assert_eq!(markdown_code("*.x|y"), "`*.x\\|y`");
    }
}
