//! The TOML face of the settings: reading with the user's own line in every error, and saving without touching anything
//! else in the file.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::layers::{Layer, Origin, Setting};
use super::table::{TABLE, by_key, by_section, nearest};
use super::{ProxyUrl, redact_line};
use crate::problem::Problem;

/// Where the settings of the last run are kept.
pub const SAVED: &str = "/etc/ics-setup/settings.toml";

const HEADER: &str = "# Settings of the last ics-setup run. Passwords are not kept here: they are found again on the host.\n# All keys: ics-setup settings example\n\n";

/// Reads a settings file into a layer. `shown` is the name that messages use.
///
/// # Errors
/// Not TOML, an unknown key or a value of the wrong kind: with the line as the user wrote it and a suggestion.
pub fn read(text: &str, shown: &Path) -> Result<Layer, Problem> {
    let page = Page { text, shown };
    let table = DeTable::parse(text)
        .map_err(|error| page.problem("settings-not-toml", error.span().unwrap_or(0..0), error.message()))?;
    let mut layer = Layer::default();
    for (name, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(section) if by_section().contains_key(name.get_ref().as_ref()) => {
                for (inner, value) in section {
                    let key = format!("{}.{}", name.get_ref(), inner.get_ref());
                    insert(&page, &mut layer, &key, inner.span(), value)?;
                }
            }
            _ => insert(&page, &mut layer, name.get_ref(), name.span(), value)?,
        }
    }
    Ok(layer)
}

/// The saved settings with these values in place of the old ones; comments, order and unknown parts stay. `None`: there is
/// nothing to save and no file yet.
///
/// # Errors
/// When the present text is not TOML.
pub fn save(present: Option<&str>, values: &[(&'static str, String)]) -> Result<Option<String>, Problem> {
    if present.is_none() && values.is_empty() {
        return Ok(None);
    }
    let mut document: toml_edit::DocumentMut = present
        .unwrap_or_default()
        .parse()
        .map_err(|error| Problem::settings("settings-not-toml", format!("{SAVED} is not TOML")).because(error))?;
    for spec in TABLE.iter().filter(|spec| spec.saved) {
        let (section, name) = spec.key.split_once('.').unwrap_or(("", spec.key));
        let value = values.iter().find(|(key, _)| *key == spec.key).map(|(_, value)| value);
        let table: &mut dyn toml_edit::TableLike = if section.is_empty() {
            document.as_table_mut()
        } else {
            if value.is_none() && document.get(section).is_none() {
                continue;
            }
            let item = document.entry(section).or_insert_with(toml_edit::table);
            match item.as_table_like_mut() {
                Some(table) => table,
                None => continue,
            }
        };
        match value {
            None => {
                table.remove(name);
            }
            Some(value) => {
                let new = toml_value(spec.shape, value);
                match table.get_mut(name) {
                    Some(old) if old.as_value().is_some_and(|old| same_value(old, &new)) => {}
                    Some(old) => *old = toml_edit::Item::Value(new),
                    None => {
                        table.insert(name, toml_edit::Item::Value(new));
                    }
                }
            }
        }
    }
    document.retain(|_, item| !item.as_table().is_some_and(toml_edit::Table::is_empty));
    let header = if present.is_none() { HEADER } else { "" };
    Ok(Some(format!("{header}{document}")))
}

/// A commented file with every key.
pub fn example() -> String {
    let mut text = String::from("# ics-setup settings: uncomment what you need. Empty means unset.\n");
    for (section, specs) in by_section() {
        if !section.is_empty() {
            text.push_str(&format!("\n[{section}]\n"));
        }
        for (name, spec) in specs {
            let flag = spec.flag.map(|flag| format!("--{flag}, ")).unwrap_or_default();
            let sample = toml_value(spec.shape, &sample_of(spec));
            text.push_str(&format!("\n# {}. ({flag}{})\n#{name} = {sample}\n", spec.help, spec.variable));
        }
    }
    text
}

/// What a value of this setting looks like.
fn sample_of(spec: &super::table::Spec) -> String {
    use super::table::Shape;
    if let Some(default) = spec.default {
        return default.to_owned();
    }
    match (spec.shape, spec.value_name) {
        (Shape::Choice(choices), _) => choices[0].to_owned(),
        (Shape::Switch, _) => "true".to_owned(),
        (Shape::Port, _) => if spec.key.starts_with("redis") { "6379" } else { "3306" }.to_owned(),
        (Shape::Count, _) => "8".to_owned(),
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
) -> Result<(), Problem> {
    let Some(spec) = by_key(key) else {
        let near = nearest(key, TABLE.iter().map(|spec| spec.key));
        let advice = near
            .map_or_else(|| "all keys: ics-setup settings example".to_owned(), |near| format!("did you mean {near}?"));
        return Err(page.problem("settings-unknown-key", key_span, &format!("unknown key {key}")).hint(advice));
    };
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().replace('_', ""),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Array(members) => {
            let members: Option<Vec<&str>> = members
                .iter()
                .map(|member| match member.get_ref() {
                    DeValue::String(text) => Some(text.as_ref()),
                    _ => None,
                })
                .collect();
            let members = members.ok_or_else(|| {
                page.problem("settings-wrong-type", value.span(), &format!("{key} takes a list of texts"))
            })?;
            members.join(",")
        }
        _ => {
            let wants = if matches!(spec.shape, super::table::Shape::List) { "a list of texts" } else { "a text" };
            return Err(page.problem("settings-wrong-type", value.span(), &format!("{key} takes {wants}")));
        }
    };
    let origin = Origin::File { path: page.shown.to_path_buf(), line: page.line(key_span.start) };
    layer.insert(spec, text, origin).map_err(|problem| {
        let mut shown = page.problem(problem.id, value.span(), &problem.message);
        shown.r#try = problem.r#try;
        shown
    })
}

fn toml_value(shape: super::table::Shape, text: &str) -> toml_edit::Value {
    use super::table::Shape;
    match shape {
        Shape::Switch => super::parse_switch(text).unwrap_or(false).into(),
        Shape::Port | Shape::Count => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
        Shape::List => {
            text.split(',').map(str::trim).filter(|member| !member.is_empty()).collect::<toml_edit::Array>().into()
        }
        Shape::Text | Shape::Path | Shape::Choice(_) => text.into(),
    }
}

/// Do two TOML values say the same, however they are spelled?
fn same_value(a: &toml_edit::Value, b: &toml_edit::Value) -> bool {
    use toml_edit::Value;
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_value(a, b))
        }
        (Value::Array(list), Value::String(_)) | (Value::String(_), Value::Array(list)) => list.len() == 1,
        _ => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => a == b,
            _ => {
                a.as_integer().is_some() && a.as_integer() == b.as_integer()
                    || a.as_bool().is_some() && a.as_bool() == b.as_bool()
            }
        },
    }
}

/// What may be saved of a setting: URLs lose their password.
pub fn savable(key: &str, setting: &Setting<String>) -> String {
    match key {
        "proxy.url" | "proxy.http" | "proxy.https" => {
            ProxyUrl::parse(&setting.value).map_or_else(|_| String::new(), |url| url.without_password())
        }
        _ => setting.value.clone(),
    }
}

/// A settings file being read, for messages.
struct Page<'a> {
    text: &'a str,
    shown: &'a Path,
}

impl Page<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// The message, then the user's line with the place marked. Secrets on that line are masked.
    fn problem(&self, id: &'static str, span: Range<usize>, message: &str) -> Problem {
        let start = span.start.min(self.text.len());
        let number = self.line(start);
        let line_start = self.text.as_bytes()[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = self.text.get(line_start..start).map_or(0, |before| before.chars().count());
        let masked = redact_line(line);
        let width =
            if masked == line { span.len().clamp(1, line.chars().count().saturating_sub(column).max(1)) } else { 1 };
        let gutter = " ".repeat(number.to_string().len());
        let first = message.lines().next().unwrap_or_default();
        Problem::settings(id, format!("{}:{number}: {first}", self.shown.display())).because(format!(
            "\n{gutter} |\n{number} | {masked}\n{gutter} | {}{}",
            " ".repeat(column),
            "^".repeat(width)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Layer, Problem> {
        read(text, Path::new("settings.toml"))
    }

    #[test]
    fn values_come_with_their_line() {
        let layer = read_text("deployment = \"test-drive\"\n\n[proxy]\n# c\nhttp = \"http://h:1\"\nno_proxy = [\"a\", \"b\"]\n[mysql]\nport = 3307\ntls = true\n").unwrap();
        let http = layer.get("proxy.http").unwrap();
        assert_eq!((http.value.as_str(), http.origin.to_string().as_str()), ("http://h:1", "settings.toml:5"));
        assert_eq!(layer.get("proxy.no_proxy").unwrap().value, "a,b");
        assert_eq!(layer.get("mysql.port").unwrap().value, "3307");
        assert_eq!(layer.get("mysql.tls").unwrap().value, "true");
    }

    #[test]
    fn an_unknown_key_shows_the_users_line_and_the_right_key() {
        let problem = read_text("[proxy]\nhtpp = \"http://u:s3cret@h:1\"\n").unwrap_err();
        assert_eq!(problem.message, "settings.toml:2: unknown key proxy.htpp");
        let because = problem.because.unwrap();
        assert!(because.contains("2 | htpp = \"http://u:***@h:1\""), "{because}");
        assert_eq!(problem.r#try, ["did you mean proxy.http?"]);
        assert!(!because.contains("s3cret"));
        for text in
            ["[proxi]\nhttp = 1", "x = 1", "[proxy.http]\na = 1", "[mysql]\nport = 0", "[mysql]\nport = [1]", "a = = 1"]
        {
            assert!(read_text(text).is_err(), "{text}");
        }
        assert!(
            read_text("[mysql]\npasswort = \"s3cret\"")
                .unwrap_err()
                .because
                .is_some_and(|text| !text.contains("s3cret"))
        );
    }

    #[test]
    fn the_example_is_valid_with_and_without_its_comment_marks() {
        let text = example();
        read_text(&text).unwrap();
        let uncommented: String = text
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)))
            .collect();
        read_text(&uncommented).unwrap();
        assert!(TABLE.iter().all(|spec| text.contains(spec.variable)));
    }

    #[test]
    fn saving_keeps_what_a_person_wrote() {
        let present = "# mine\nrelease = \"22.3\" # pinned\n\n[proxy]\n# why\nhttp = 'http://a:1'\n";
        let values = [
            ("release", "22.3".to_owned()),
            ("proxy.http", "http://b:1".to_owned()),
            ("mysql.port", "3307".to_owned()),
        ];
        let saved = save(Some(present), &values).unwrap().unwrap();
        assert!(
            saved.starts_with("# mine\nrelease = \"22.3\" # pinned\n\n[proxy]\n# why\nhttp = \"http://b:1\"\n"),
            "{saved}"
        );
        assert!(saved.contains("[mysql]\nport = 3307\n"));
        assert_eq!(save(Some(&saved), &values).unwrap().unwrap(), saved);
        assert_eq!(save(None, &[]).unwrap(), None);
    }
}
