//! JUnit XML: a suite per group, a case per finding. Names are ids, so that a CI server can follow a check from run to run;
//! what was seen stands in the messages.

use std::collections::BTreeMap;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Checked, Definition, Summary, groups, in_seconds};
use crate::finding::Status;
use crate::report::characters::Plain;

pub(super) const FORMAT: Definition = Definition::new(|checked, _| render(checked, &checked.plain()));

/// The result as a document.
fn render(checked: &Checked<'_>, findings: &[Plain]) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    // A vector takes whatever is written to it, and only UTF-8 is.
    let _ = document(&mut xml, checked, findings);
    let mut text = String::from_utf8(xml.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

type Xml = Writer<Vec<u8>>;

fn document(xml: &mut Xml, checked: &Checked<'_>, findings: &[Plain]) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let summary = Summary::of(findings.iter().map(|finding| finding.status));
    let all = xml
        .create_element("testsuites")
        .with_attribute(("name", "ics-setup check"))
        .with_attribute(("tests", findings.len().to_string().as_str()))
        .with_attribute(("failures", summary.fail.to_string().as_str()))
        .with_attribute(("errors", summary.error.to_string().as_str()))
        .with_attribute(("time", in_seconds(checked.took_ms).as_str()));
    if findings.is_empty() {
        return all.write_empty().map(drop);
    }
    all.write_inner_content(|xml| suites(xml, checked, findings)).map(drop)
}

fn suites(xml: &mut Xml, checked: &Checked<'_>, findings: &[Plain]) -> io::Result<()> {
    // JUnit's own form has no zone; the facts' time is UTC.
    let taken = &checked.record.taken;
    let taken = crate::stamp::seconds_of(taken).map(|_| taken.trim_end_matches('Z'));
    for group in groups(findings.iter().map(|finding| finding.group)) {
        let own: Vec<&Plain> = findings.iter().filter(|finding| finding.group == group).collect();
        let summary = Summary::of(own.iter().map(|finding| finding.status));
        // Checks run side by side: the suite took as long as the longest of them.
        let took = own.iter().filter_map(|finding| finding.duration_ms).max().unwrap_or(0);
        let mut suite = xml
            .create_element("testsuite")
            .with_attribute(("name", group))
            .with_attribute(("tests", own.len().to_string().as_str()))
            .with_attribute(("failures", summary.fail.to_string().as_str()))
            .with_attribute(("errors", summary.error.to_string().as_str()))
            .with_attribute(("skipped", summary.skip.to_string().as_str()))
            .with_attribute(("time", in_seconds(took).as_str()));
        if let Some(taken) = taken {
            suite = suite.with_attribute(("timestamp", taken));
        }
        suite.write_inner_content(|xml| cases(xml, &own))?;
    }
    Ok(())
}

fn cases(xml: &mut Xml, findings: &[&Plain]) -> io::Result<()> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        let count = seen.entry(finding.id).or_default();
        *count += 1;
        let name = if *count == 1 { finding.id.to_owned() } else { format!("{} ({count})", finding.id) };
        xml.create_element("testcase")
            .with_attribute(("classname", format!("ics-setup.{}", finding.group).as_str()))
            .with_attribute(("name", name.as_str()))
            .with_attribute(("time", in_seconds(finding.duration_ms.unwrap_or(0)).as_str()))
            .write_inner_content(|xml| case(xml, finding))?;
    }
    Ok(())
}

fn case(xml: &mut Xml, finding: &Plain) -> io::Result<()> {
    let facts: Vec<String> =
        finding.facts().iter().map(|(word, value)| format!("{word}: {}", value.replace('\n', "\n  "))).collect();
    let facts = facts.join("\n");
    let name = match finding.status {
        Status::Fail => "failure",
        Status::Error => "error",
        Status::Skip => "skipped",
        // Neither is a word of JUnit's: what they have to say is output of the case.
        Status::Pass | Status::Warn => {
            let word = if finding.status == Status::Warn { "warning: " } else { "" };
            let text = format!("{word}{}\n{facts}", finding.title);
            return xml.create_element("system-out").write_text_content(BytesText::new(text.trim_end())).map(drop);
        }
    };
    let attributes = [("type", finding.id), ("message", finding.title.as_str())];
    let element = xml.create_element(name).with_attributes(attributes);
    if facts.is_empty() {
        element.write_empty().map(drop)
    } else {
        element.write_text_content(BytesText::new(&facts)).map(drop)
    }
}
