//! TAP version 14: one test point per finding, what was seen as its YAML block. A warning is a point that holds.

use std::fmt::Write as _;

use super::Definition;
use crate::finding::Status;
use crate::report::characters::{Plain, one_line};

pub(super) const FORMAT: Definition =
    Definition { prevented: Some(bail_out), ..Definition::new(|checked, _| render(&checked.plain())) };

/// The result as TAP.
fn render(findings: &[Plain]) -> String {
    let mut text = "TAP version 14\n".to_owned();
    if findings.is_empty() {
        text.push_str("1..0 # SKIP nothing was checked\n");
        return text;
    }
    let _ = writeln!(text, "1..{}", findings.len());
    for (index, finding) in findings.iter().enumerate() {
        let holds = match finding.status {
            Status::Pass | Status::Warn | Status::Skip => "ok",
            Status::Fail | Status::Error => "not ok",
        };
        let _ = write!(text, "{holds} {} - {}", index + 1, escaped(&finding.title));
        if finding.status == Status::Skip {
            let why = finding.observed.as_ref().or(finding.cause.as_ref()).map_or(String::new(), |why| one_line(why));
            let _ = write!(text, "{}", format!(" # SKIP {}", escaped(&why)).trim_end());
        }
        text.push('\n');
        block(&mut text, finding);
    }
    text
}

/// Nothing could be tested at all.
fn bail_out(message: &str) -> String {
    format!("TAP version 14\nBail out! {}\n", escaped(message))
}

fn block(text: &mut String, finding: &Plain) {
    text.push_str("  ---\n");
    for (key, value) in [
        ("id", Some(finding.id)),
        ("group", Some(finding.group)),
        ("status", Some(finding.status.as_str())),
        ("expected", finding.expected.as_deref()),
        ("observed", finding.observed.as_deref()),
        ("cause", finding.cause.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {key}: {}", quoted(value));
        }
    }
    let advice: Vec<String> = finding.advice.iter().map(|sentence| sentence.as_str().to_owned()).collect();
    for (key, texts) in [("fix", &finding.commands), ("advice", &advice)] {
        if !texts.is_empty() {
            let _ = writeln!(text, "  {key}:");
            for one in texts {
                let _ = writeln!(text, "    - {}", item(one));
            }
        }
    }
    for (key, value) in [("docs", finding.docs.as_deref()), ("stage", finding.stage), ("path", finding.path)] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {key}: {}", quoted(value));
        }
    }
    for (key, value) in [("duration_ms", finding.duration_ms), ("attempts", finding.attempts.map(u64::from))] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {key}: {value}");
        }
    }
    text.push_str("  ...\n");
}

/// In a description `#` would begin a directive.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

/// A double-quoted scalar. Texts are clean, so quotes, backslashes and line ends are all that needs care, and the small
/// YAML readers of TAP consumers know these escapes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A scalar in a list. TAP::Parser of perl takes `- "word: …"` for a mapping in spite of the quotes, and gives up.
fn item(text: &str) -> String {
    let mut quoted = quoted(text);
    let colon = quoted.find(' ').and_then(|blank| match &quoted[..blank] {
        word if word.ends_with(':') => Some(blank - 1),
        _ => {
            let rest = quoted[blank..].trim_start_matches(' ');
            rest.starts_with(": ").then(|| quoted.len() - rest.len())
        }
    });
    if let Some(colon) = colon {
        quoted.replace_range(colon..=colon, "\\x3a");
    }
    quoted
}
