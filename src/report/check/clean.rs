//! What every format begins with: texts without secrets and without characters that would fool a reader.

use crate::finding::Finding;
use crate::redact::Redactor;
use crate::text::misleads;

/// A finding whose texts may be printed: lines are separated by `\n`, the title has one and is never empty, other
/// empty texts are gone.
pub fn finding(redactor: &Redactor, finding: &Finding) -> Finding {
    let text =
        |value: &Option<String>| value.as_ref().map(|text| clean(redactor, text)).filter(|text| !text.is_empty());
    let title = one_line(&clean(redactor, &finding.title));
    Finding {
        title: if title.is_empty() { finding.id.to_owned() } else { title },
        expected: text(&finding.expected),
        observed: text(&finding.observed),
        cause: text(&finding.cause),
        fix: finding.fix.iter().map(|fix| clean(redactor, fix)).filter(|fix| !fix.is_empty()).collect(),
        docs: text(&finding.docs),
        evidence: finding.evidence.iter().map(|(key, value)| (key.clone(), redactor.value(value.clone()))).collect(),
        ..finding.clone()
    }
}

/// The facts of a cleaned finding in words, in the order in which people need them.
pub fn facts(finding: &Finding) -> Vec<(&'static str, &str)> {
    let mut facts = Vec::new();
    for (word, value) in [("expected", &finding.expected), ("seen", &finding.observed), ("because", &finding.cause)] {
        facts.extend(value.as_deref().map(|text| (word, text)));
    }
    facts.extend(finding.fix.iter().map(|fix| ("fix", fix.as_str())));
    facts.extend(finding.docs.as_deref().map(|text| ("more", text)));
    facts
}

/// Several lines as one.
pub fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Seconds with three decimals, as most readers want them.
pub fn in_seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// One text: no secrets, no characters that would fool a reader.
pub fn clean(redactor: &Redactor, text: &str) -> String {
    let text = redactor.prose(text).replace("\r\n", "\n");
    let text: String = text.chars().map(printable).collect();
    text.trim_matches('\n').trim_end().to_owned()
}

/// Texts may quote what a hostile server said: nothing that moves the cursor, turns the direction of writing, begins a line
/// for some reader, or may not stand in XML 1.0.
fn printable(c: char) -> char {
    match c {
        '\n' => c,
        '\r' => '\n',
        '\t' => ' ',
        // Noncharacters: XML forbids two of them, strict readers of UTF-8 all.
        '\u{fdd0}'..='\u{fdef}' => char::REPLACEMENT_CHARACTER,
        c if u32::from(c) & 0xfffe == 0xfffe => char::REPLACEMENT_CHARACTER,
        c if misleads(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}
