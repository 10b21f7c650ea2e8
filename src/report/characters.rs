//! The one place that turns a [`Text`] into characters, for every output format.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::spoken::Spoken;
use crate::finding::{Finding, Status};
use crate::plan::{Change, DiffLine, unified};
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

/// The same, and where in it is what can be typed. `exact`: every character.
fn spoken(redactor: &Redactor, text: &Text, exact: bool) -> Spoken {
    let mut spoken = Spoken::default();
    for (is_typed, fragment) in text.parts() {
        let part = joined(redactor, std::iter::once(fragment));
        let part = if exact { part } else { part.replace("\r\n", "\n").chars().map(printable).collect() };
        spoken.push(is_typed, &part);
    }
    if exact { spoken } else { spoken.trimmed() }
}

/// A sentence on one line, with what can be typed in it.
pub(crate) fn sentence(redactor: &Redactor, text: &Text) -> Spoken {
    spoken(redactor, text, false).one_line()
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

/// A finding as JSON.
pub fn finding_json(redactor: &Redactor, finding: &Finding) -> Value {
    json!(Plain::exact(redactor, finding))
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
fn diff(redactor: &Redactor, diff: &[DiffLine]) -> String {
    diff.iter().map(|line| diff_line(redactor, line) + "\n").collect()
}

/// The diff of a change.
pub(crate) fn diff_text(redactor: &Redactor, change: &Change) -> String {
    diff(redactor, &unified(change))
}

/// One line of a diff, for a terminal.
pub(super) fn diff_line(redactor: &Redactor, line: &DiffLine) -> String {
    let text = visible(&characters(redactor, &line.text));
    match text.char_indices().nth(LONG) {
        None => format!("{}{text}", line.mark),
        Some((end, _)) => format!("{}{}… ({} bytes more)", line.mark, &text[..end], text.len() - end),
    }
}

/// Why a file is changed, one reason each; of very many the first.
pub(super) fn reasons(redactor: &Redactor, change: &Change) -> Vec<String> {
    const MOST: usize = 100;
    let mut told: Vec<String> = change.reasons.iter().take(MOST).map(|reason| line(redactor, reason)).collect();
    if change.reasons.len() > MOST {
        told.push(format!("and {} more", change.reasons.len() - MOST));
    }
    told
}

/// More characters than any list of hosts has that a login's PAM reads.
const LONG: usize = 16_000;

/// A finding as characters. Serialised it is the finding of every JSON result: its keys and their order are a contract.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Plain {
    pub id: &'static str,
    pub group: &'static str,
    pub title: String,
    pub status: Status,
    pub expected: Option<String>,
    pub observed: Option<String>,
    pub cause: Option<String>,
    #[serde(rename = "fix")]
    pub commands: Vec<String>,
    pub advice: Vec<Spoken>,
    pub docs: Option<String>,
    pub evidence: Map<String, Value>,
    pub stage: Option<&'static str>,
    pub path: Option<&'static str>,
    pub duration_ms: Option<u64>,
    pub attempts: Option<u32>,
}

impl Plain {
    /// For programs: every character of every text, but for secrets.
    pub(super) fn exact(redactor: &Redactor, finding: &Finding) -> Self {
        Self::new(redactor, finding, true)
    }

    /// For people and strict readers: texts are [`clean`], the title is one line, and no text is empty.
    pub(super) fn of(redactor: &Redactor, finding: &Finding) -> Self {
        let mut plain = Self::new(redactor, finding, false);
        let title = one_line(&plain.title);
        plain.title = if title.is_empty() { plain.id.to_owned() } else { title };
        for text in [&mut plain.expected, &mut plain.observed, &mut plain.cause, &mut plain.docs] {
            text.take_if(|text| text.is_empty());
        }
        plain.commands.retain(|text| !text.is_empty());
        plain.advice.retain(|sentence| !sentence.as_str().is_empty());
        plain
    }

    fn new(redactor: &Redactor, finding: &Finding, exact: bool) -> Self {
        let say = |text: &Text| if exact { characters(redactor, text) } else { clean(redactor, text) };
        let text = |value: &Option<Text>| value.as_ref().map(&say);
        let (commands, advice): (Vec<&Fix>, Vec<&Fix>) =
            finding.fix.iter().partition(|fix| matches!(fix, Fix::Command(_)));
        Self {
            id: finding.id.as_str(),
            group: finding.id.group(),
            title: say(&finding.title),
            status: finding.status,
            expected: text(&finding.expected),
            observed: text(&finding.observed),
            cause: text(&finding.cause),
            commands: commands.into_iter().map(|fix| say(fix.text())).collect(),
            advice: advice.into_iter().map(|fix| spoken(redactor, fix.text(), exact)).collect(),
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
