//! The one place that turns a [`Text`] into characters, for every face.

use serde_json::{Map, Value, json};

use crate::finding::{Finding, Status};
use crate::plan::{Diff, DiffLine};
use crate::problem::Problem;
use crate::redact::{MASK, Redactor};
use crate::text::{Fix, Fragment, Text, fragments, misleads};

/// The characters of a text: own words as they are, foreign values without what is or looks like a secret.
pub fn characters(redactor: &Redactor, text: &Text) -> String {
    joined(redactor, text.fragments())
}

fn joined<'a>(redactor: &Redactor, fragments: impl Iterator<Item = Fragment<'a>>) -> String {
    let mut characters = String::new();
    for fragment in fragments {
        match fragment {
            Fragment::Own(words) => characters.push_str(words),
            Fragment::Foreign(value) => characters.push_str(&redactor.foreign(value)),
            Fragment::Secret => characters.push_str(MASK),
        }
    }
    characters
}

/// The same for people and for strict readers: lines are separated by `\n`, none of them empty at the end, and no character
/// fools a reader.
pub fn clean(redactor: &Redactor, text: &Text) -> String {
    let text: String = characters(redactor, text).replace("\r\n", "\n").chars().map(printable).collect();
    text.trim_matches('\n').trim_end().to_owned()
}

/// The same on one line.
pub fn line(redactor: &Redactor, text: &Text) -> String {
    one_line(&clean(redactor, text))
}

/// Several lines as one.
pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Nothing that moves the cursor, turns the direction of writing, begins a line for some reader, or may not stand in XML 1.0.
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

/// One line for a terminal: tabs stay, whatever fools a reader is replaced.
pub fn visible(line: &str) -> String {
    line.chars().map(|c| if misleads(c) && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A JSON value whose strings hold marks, as facts and evidence do.
pub fn value(redactor: &Redactor, marked: &Value) -> Value {
    match marked {
        Value::String(text) => Value::String(joined(redactor, fragments(text))),
        Value::Array(values) => values.iter().map(|own| value(redactor, own)).collect(),
        Value::Object(fields) => Value::Object(object(redactor, fields)),
        other => other.clone(),
    }
}

fn object(redactor: &Redactor, fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(key, own)| (joined(redactor, fragments(key)), value(redactor, own))).collect()
}

/// A finding as JSON; its keys and their order are a contract.
pub fn finding_json(redactor: &Redactor, finding: &Finding) -> Value {
    let shown = |text: &Option<Text>| text.as_ref().map(|text| characters(redactor, text));
    let (commands, sentences) = sorted(finding, |text| characters(redactor, text));
    json!({
        "id": finding.id.as_str(),
        "group": finding.id.group(),
        "title": characters(redactor, &finding.title),
        "status": finding.status,
        "expected": shown(&finding.expected),
        "observed": shown(&finding.observed),
        "cause": shown(&finding.cause),
        "fix": commands,
        "advice": sentences,
        "docs": shown(&finding.docs),
        "evidence": object(redactor, &finding.evidence),
        "stage": finding.stage,
        "path": finding.path,
        "duration_ms": finding.duration_ms,
        "attempts": finding.attempts,
    })
}

/// What mends it, commands apart from sentences.
fn sorted(finding: &Finding, say: impl Fn(&Text) -> String) -> (Vec<String>, Vec<String>) {
    let (mut commands, mut sentences) = (Vec::new(), Vec::new());
    for fix in &finding.fix {
        match fix {
            Fix::Command(text) => commands.push(say(text)),
            Fix::Advice(text) | Fix::Look(text) => sentences.push(say(text)),
        }
    }
    (commands, sentences)
}

/// A problem as JSON.
pub(super) fn problem_json(redactor: &Redactor, problem: &Problem) -> Value {
    json!({
        "kind": problem.kind,
        "id": problem.id.as_str(),
        "message": characters(redactor, &problem.message),
        "because": problem.because.as_deref().or(problem.excerpt.as_deref()).map(|text| characters(redactor, text)),
        "try": problem.hints.iter().map(|fix| characters(redactor, fix.text())).collect::<Vec<_>>(),
    })
}

/// A diff as text.
pub(super) fn diff(redactor: &Redactor, diff: &Diff) -> String {
    diff.lines().iter().map(|line| diff_line(redactor, line) + "\n").collect()
}

/// One line of a diff, for a terminal.
pub(super) fn diff_line(redactor: &Redactor, line: &DiffLine) -> String {
    format!("{}{}", line.mark(), visible(&characters(redactor, line.text())))
}

/// A finding as clean characters.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub id: &'static str,
    pub group: &'static str,
    /// One line, never empty.
    pub title: String,
    pub status: Status,
    pub expected: Option<String>,
    pub observed: Option<String>,
    pub cause: Option<String>,
    pub commands: Vec<String>,
    pub advice: Vec<String>,
    pub docs: Option<String>,
    pub evidence: Map<String, Value>,
    pub stage: Option<&'static str>,
    pub path: Option<&'static str>,
    pub duration_ms: Option<u64>,
    pub attempts: Option<u32>,
}

impl Plain {
    /// Of a finding.
    pub(super) fn of(redactor: &Redactor, finding: &Finding) -> Self {
        let text =
            |value: &Option<Text>| value.as_ref().map(|text| clean(redactor, text)).filter(|text| !text.is_empty());
        let title = line(redactor, &finding.title);
        let (mut commands, mut advice) = sorted(finding, |text| clean(redactor, text));
        [&mut commands, &mut advice].into_iter().for_each(|texts| texts.retain(|text| !text.is_empty()));
        Self {
            id: finding.id.as_str(),
            group: finding.id.group(),
            title: if title.is_empty() { finding.id.to_string() } else { title },
            status: finding.status,
            expected: text(&finding.expected),
            observed: text(&finding.observed),
            cause: text(&finding.cause),
            commands,
            advice,
            docs: text(&finding.docs),
            evidence: object(redactor, &finding.evidence),
            stage: finding.stage,
            path: finding.path,
            duration_ms: finding.duration_ms,
            attempts: finding.attempts,
        }
    }

    /// The facts in words, in the order in which people need them.
    pub(super) fn facts(&self) -> Vec<(&'static str, &str)> {
        let mut facts = Vec::new();
        for (word, value) in [("expected", &self.expected), ("seen", &self.observed), ("because", &self.cause)] {
            facts.extend(value.as_deref().map(|text| (word, text)));
        }
        facts.extend(self.commands.iter().map(|command| ("fix", command.as_str())));
        facts.extend(self.advice.iter().map(|sentence| ("advice", sentence.as_str())));
        facts.extend(self.docs.as_deref().map(|text| ("more", text)));
        facts
    }
}
