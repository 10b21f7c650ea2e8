//! `$name` and `${name:-word}` in values of compose files, answered from `.env`.
//!
//! Sources: docker-compose 1.29.2 `compose/config/interpolation.py`; compose-spec/compose-go `template/template.go`.

use std::path::{Path, PathBuf};

use super::yaml::Node;
use crate::envfile::Dialect;

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// This.
    Text(String),
    /// Only the caller's environment, or a reader of one release, tells.
    Unknown(&'static str),
}

/// Fills in references. `lookup` says what a name stands for: `Err`, if that cannot be told; `Ok(None)`: for nothing.
pub(super) fn fill(text: &str, lookup: &dyn Fn(&str) -> Result<Option<String>, &'static str>) -> Filled {
    match filled(text, lookup) {
        Ok(text) => Filled::Text(text),
        Err(why) => Filled::Unknown(why),
    }
}

fn filled(text: &str, lookup: &dyn Fn(&str) -> Result<Option<String>, &'static str>) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(braced) = rest.strip_prefix('{') {
            let end = braced.find('}').ok_or("a reference that does not end")?;
            out.push_str(&reference(&braced[..end], lookup)?);
            rest = &braced[end + 1..];
        } else {
            let length = name_length(rest);
            if length == 0 {
                return Err("a $ that begins no reference");
            }
            out.push_str(&lookup(&rest[..length])?.unwrap_or_default());
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands between the braces.
fn reference(
    inner: &str,
    lookup: &dyn Fn(&str) -> Result<Option<String>, &'static str>,
) -> Result<String, &'static str> {
    let length = name_length(inner);
    let (name, operator) = inner.split_at(length);
    if name.is_empty() {
        return Err("a reference without a name");
    }
    if operator.is_empty() {
        return Ok(lookup(name)?.unwrap_or_default());
    }
    let (empty_too, operator) = operator.strip_prefix(':').map_or((false, operator), |rest| (true, rest));
    let word = operator.get(1..).unwrap_or_default();
    if word.contains('$') || word.contains('{') {
        return Err("a reference inside a reference");
    }
    let value = lookup(name)?.filter(|value| !(empty_too && value.is_empty()));
    match operator.as_bytes().first() {
        Some(b'-') => Ok(value.unwrap_or_else(|| word.to_owned())),
        Some(b'?') => value.ok_or("a reference that has to be set, and is not"),
        // Compose 1.x does not know it.
        Some(b'+') => Err("releases of Compose differ about ${name:+word}"),
        _ => Err("a reference that Compose does not take"),
    }
}

fn name_length(text: &str) -> usize {
    let is_name = |(at, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
    text.char_indices().find(|one| !is_name(*one)).map_or(text.len(), |(at, _)| at)
}

/// Where a service stands, and how references in it are answered.
pub(super) struct Around<'a> {
    pub(super) path: &'a Path,
    /// What relative paths begin at.
    pub(super) folder: &'a Path,
    pub(super) dialect: Dialect,
    pub(super) lookup: &'a dyn Fn(&str) -> Result<Option<String>, &'static str>,
}

/// A text with its references filled in; `None`: it is none, or cannot be told.
pub(super) fn text_of(node: &Node, around: &Around<'_>) -> Option<String> {
    match fill(node.text()?, around.lookup) {
        Filled::Text(text) => Some(text),
        Filled::Unknown(_) => None,
    }
}

/// Without `.` and `..`: env files are compared by their paths.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_answered_or_unknown() {
        let lookup = |name: &str| match name {
            "A" => Ok(Some("a".to_owned())),
            "E" => Ok(Some(String::new())),
            "U" => Err("of the caller"),
            _ => Ok(None),
        };
        for (text, expected) in [
            ("x$$y", Some("x$y")),
            ("$A-${A}", Some("a-a")),
            ("${N}$N", Some("")),
            ("${N:-d}${E:-d}${E-d}${N-d}", Some("ddd")),
            ("${A?x}", Some("a")),
            ("${E:?x}", None),
            ("$U", None),
            ("${U:-x}", None),
            ("${A:-${N}}", None),
            ("${A", None),
            ("5$", None),
            ("${A:+x}", None),
        ] {
            let found = match fill(text, &lookup) {
                Filled::Text(text) => Some(text),
                Filled::Unknown(_) => None,
            };
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
