//! The TOML face of the settings: reading with the user's own line in every error, an example, and a file made of values.
//! Settings files belong to people: nothing here writes to one.

mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::de::DeValue;

use self::page::{Page, mask_words};
use super::layers::{Layer, Origin, parse_switch};
use super::table::{Key, RETIRED, Shape, Spec, TABLE, by_key, by_section};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Fix, Text, nearest, own, typed};

/// The settings of this host, where nobody names another file.
pub const SETTINGS_FILE: &str = "/etc/ics-setup/settings.toml";

/// Where somebody who wrote something else finds what there is.
fn all_keys() -> Text {
    text!("all keys: {}", typed("ics-setup settings example"))
}

/// So many more places of a file that is wrong are told, besides the first.
const MOST_TOLD: usize = 9;

/// Reads a settings file into a layer. `shown` is the name that messages use.
///
/// # Errors
/// Not TOML, an unknown key or a value of the wrong kind: with the line as the user wrote it and a suggestion.
pub fn read(text: &str, shown: &Path) -> Result<Layer, Problem> {
    let (page, table) = Page::parse(text, shown)?;
    let mut layer = Layer::default();
    let mut wrong = Vec::new();
    for (name, value) in &table {
        let section = by_section().contains_key(name.get_ref().as_ref());
        match value.get_ref() {
            DeValue::Table(section_table) if section => {
                for (inner, value) in section_table {
                    let key = format!("{}.{}", name.get_ref(), inner.get_ref());
                    wrong.extend(insert(&page, &mut layer, &key, inner.span(), value).err().map(|wrong| *wrong));
                }
            }
            // The span of an array of tables is its first header, around the name.
            DeValue::Array(_) if section && value.span().start < name.span().start => {
                let name = name.get_ref();
                let message = text!("{} is one table, not a list of tables", own(name));
                let problem = page.problem(id::SETTINGS_WRONG_TYPE, value.span(), message);
                wrong.push((
                    value.span().start,
                    problem.hint(text!("write [{}] with single brackets, once", own(name))),
                ));
            }
            _ => wrong.extend(insert(&page, &mut layer, name.get_ref(), name.span(), value).err().map(|wrong| *wrong)),
        }
    }
    match together(wrong) {
        Some(problem) => Err(problem),
        None => Ok(layer),
    }
}

/// All that is wrong with a file as one problem: the first place in full, each other one as a line.
fn together(mut wrong: Vec<(usize, Problem)>) -> Option<Problem> {
    wrong.sort_by_key(|(at, _)| *at);
    let mut all = wrong.into_iter().map(|(_, problem)| problem);
    let mut first = all.next()?;
    let others: Vec<Problem> = all.collect();
    let all_keys = all_keys();
    for other in others.iter().take(MOST_TOLD) {
        let hint = other.hints.first().map(Fix::text).filter(|hint| **hint != all_keys);
        let hint = hint.map(|hint| text!(" ({})", hint)).unwrap_or_default();
        first = first.hint(text!("also {}{}", other.message, hint));
    }
    match others.len().saturating_sub(MOST_TOLD) {
        0 => Some(first),
        more => Some(first.hint(text!("and {} more", more))),
    }
}

/// A commented file with every key.
pub fn example() -> String {
    let head = "# ics-setup settings: uncomment what you need. Empty means unset.\n";
    sections(head, |name, spec| {
        let flag = spec.flag.map(|flag| format!("--{flag}, ")).unwrap_or_default();
        let sample = rendered(spec.shape, &sample_of(spec));
        Some(format!("\n# {}. ({flag}{})\n#{name} = {sample}\n", spec.help, spec.variable))
    })
}

/// What a settings file says of a key, and the remark above it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value; `None`: a place to fill in, commented.
    pub value: Option<String>,
    /// On one line.
    pub remark: String,
}

/// A settings file with these entries below `head`.
pub fn export(head: &str, entries: &BTreeMap<Key, Entry>) -> String {
    sections(head, |name, spec| {
        let Entry { value, remark } = entries.get(&spec.key)?;
        let line = match value {
            Some(value) => format!("{name} = {}", rendered(spec.shape, value)),
            None => format!("#{name} = {}", quoted(&format!("<{}>", spec.value_name))),
        };
        Some(format!("\n# {remark}\n{line}\n"))
    })
}

/// The lines of all settings, under the heads of their tables.
fn sections(head: &str, lines: impl Fn(&str, &Spec) -> Option<String>) -> String {
    let mut text = head.to_owned();
    for (section, specs) in by_section() {
        let body: String = specs.into_iter().filter_map(|(name, spec)| lines(name, spec)).collect();
        if !section.is_empty() && !body.is_empty() {
            text.push_str(&format!("\n[{section}]\n"));
        }
        text.push_str(&body);
    }
    text
}

/// A value as TOML, on one line.
fn rendered(shape: Shape, value: &str) -> String {
    match shape {
        Shape::Switch => parse_switch(value).unwrap_or(false).to_string(),
        Shape::Port | Shape::Number => value.parse::<i64>().map_or_else(|_| quoted(value), |number| number.to_string()),
        Shape::List | Shape::Words(_) => {
            let members = value.split(',').map(str::trim).filter(|member| !member.is_empty());
            format!("[{}]", members.map(quoted).collect::<Vec<_>>().join(", "))
        }
        Shape::Text | Shape::Release | Shape::Path | Shape::Duration | Shape::Choice(_) => quoted(value),
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_ascii_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// What a value of this setting looks like.
fn sample_of(spec: &Spec) -> String {
    if let Some(default) = spec.default {
        return default.to_owned();
    }
    match (spec.shape, spec.value_name) {
        (Shape::Choice(choices), _) => choices[0].to_owned(),
        (Shape::Words(words), _) => words.join(","),
        (Shape::Switch, _) => "true".to_owned(),
        (Shape::Number, _) => "4".to_owned(),
        (Shape::Port, _) if spec.key == Key::Port => "8001".to_owned(),
        (Shape::Port, _) => if spec.key.is_in("redis") { "6379" } else { "3306" }.to_owned(),
        (_, "URL") => "http://proxy.corp.example:3128".to_owned(),
        (Shape::Path, "FILE") => "/root/file".to_owned(),
        _ => String::new(),
    }
}

fn insert(
    page: &Page<'_>,
    layer: &mut Layer,
    key: &str,
    key_span: Range<usize>,
    value: &toml::Spanned<DeValue<'_>>,
) -> Result<(), Box<(usize, Problem)>> {
    let at = key_span.start;
    let Some(spec) = by_key(key) else {
        if RETIRED.contains(&key) {
            return Ok(());
        }
        let problem = page.problem(id::SETTINGS_UNKNOWN_KEY, key_span, text!("unknown key {}", mask_words(key)));
        return Err(Box::new((at, problem.hint(meant(key, value.get_ref())))));
    };
    let text = plain(value.get_ref()).ok_or_else(|| {
        let wants = if spec.shape.is_list() { "a list of texts" } else { "a text" };
        Box::new((at, page.problem(id::SETTINGS_WRONG_TYPE, value.span(), text!("{} takes {}", own(key), own(wants)))))
    })?;
    let origin = Origin::File { path: page.shown.to_path_buf(), line: page.line(key_span.start) };
    if let Some(wrong) = Layer::wrong(spec, &text) {
        let problem = page.problem(id::SETTING_INVALID, value.span(), wrong);
        return Err(Box::new((at, Layer::hinted(problem, spec, &text))));
    }
    layer.insert(spec, text, origin).map_err(|problem| Box::new((at, problem)))
}

/// What somebody who wrote this key may have meant: a table for a table, a table's own keys where a table stands as a key, a
/// flag's name, and what is written nearly so.
fn meant(key: &str, value: &DeValue<'_>) -> Text {
    let sections = by_section();
    let did_you_mean = |near: &str| text!("did you mean {}?", own(near));
    if matches!(value, DeValue::Table(_))
        && let Some(near) = nearest(key, sections.keys().copied().filter(|section| !section.is_empty()))
    {
        return text!("did you mean [{}]?", own(near));
    }
    if let Some(specs) = sections.get(key) {
        let names = specs.iter().map(|(name, _)| format!("{key}.{name}")).collect::<Vec<_>>().join(", ");
        return text!("{} is a table; its keys: {}", own(key), own(names));
    }
    let as_flag = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    let of_flag = TABLE.iter().find(|spec| {
        let own = [spec.flag.unwrap_or_default(), spec.key.as_str(), spec.variable.trim_start_matches("ICS_SETUP_")];
        own.iter().any(|name| as_flag(name) == as_flag(key))
    });
    match of_flag.map(|spec| spec.key.as_str()).or_else(|| nearest(key, TABLE.iter().map(|spec| spec.key.as_str()))) {
        Some(near) => did_you_mean(near),
        None => all_keys(),
    }
}

/// A TOML value as a flag would give it; `None`: no flag could.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // A number that no integer of ours can hold stays as it is written; no setting takes it.
        DeValue::Integer(number) => Some(
            i128::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .map_or_else(|_| number.to_string(), |number| number.to_string()),
        ),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(members) => {
            let members: Option<Vec<&str>> = members.iter().map(|member| member.get_ref().as_str()).collect();
            members.map(|members| members.join(","))
        }
        _ => None,
    }
}
