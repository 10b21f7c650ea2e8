//! Splices, each at a place that a node names.

use std::ops::Range;
use std::rc::Rc;

use super::super::yaml::{Kind, Node, Odd, odd};
use super::quoted;

/// A text that is edited.
pub(super) struct Page<'t> {
    text: &'t str,
    eol: &'static str,
}

impl<'t> Page<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        Self { text, eol: if first.ends_with("\r\n") { "\r\n" } else { "\n" } }
    }

    /// How its lines end.
    pub(super) fn eol(&self) -> &'static str {
        self.eol
    }

    fn splice(&self, range: Range<usize>, new: &str) -> String {
        [&self.text[..range.start], new, &self.text[range.end..]].concat()
    }

    /// Another value in the place of a word.
    pub(super) fn write(&self, node: &Node, written: &str) -> Result<String, Odd> {
        match &node.kind {
            Kind::Scalar { .. } if node.is_null() && node.range.is_empty() => odd(node.line, "it has no value"),
            Kind::Scalar { .. } if node.flow && !node.tagged => Ok(self.splice(node.range.clone(), written)),
            Kind::Scalar { .. } => odd(node.line, "a text over several lines, or with a tag"),
            _ => odd(node.line, "it is not one word"),
        }
    }

    /// A further entry of a map: a name and what stands behind its colon.
    pub(super) fn entry(&self, map: &Node, name: &str, value: &str) -> Result<String, Odd> {
        let Kind::Map(entries) = &map.kind else { return odd(map.line, "it is no map") };
        let entry = format!("{name}: {value}");
        match entries.first() {
            Some((key, _)) if !map.flow => Ok(self.line_behind(map, &format!("{}{entry}", " ".repeat(key.column)))),
            _ => self.in_brackets(map, &entry),
        }
    }

    /// A further item of a list.
    pub(super) fn item(&self, list: &Node, item: &str) -> Result<String, Odd> {
        let Kind::List(items) = &list.kind else { return odd(list.line, "it is no list") };
        let written = quoted(item);
        let Some(first) = items.first().filter(|_| !list.flow) else {
            return self.in_brackets(list, &written);
        };
        let line = &self.text[self.line_start(first.range.start)..first.range.start];
        let Some(dash) = line.find(|c: char| !c.is_whitespace()).filter(|at| line[*at..].starts_with('-')) else {
            return odd(first.line, "a dash that stands alone on its line");
        };
        Ok(self.line_behind(list, &format!("{}- {written}", &line[..dash])))
    }

    /// With an item that stands as a comment right behind a list of lines, as the vendor ships it; `None`: it does not.
    pub(super) fn uncommented(&self, list: &Node, item: &str) -> Option<String> {
        let Kind::List(items) = &list.kind else { return None };
        let first = items.first().filter(|_| !list.flow)?;
        let dash = &self.text[self.line_start(first.range.start)..first.range.start];
        let indent = &dash[..dash.find('-')?];
        let last = items.last()?.range.end;
        let mut start = last + self.text[last..].find('\n')? + 1;
        // Up to the next line that says something.
        for line in self.text[start..].split_inclusive('\n') {
            let plain = line.trim();
            if !plain.is_empty() && !plain.starts_with('#') {
                return None;
            }
            let own = plain.trim_start_matches(['#', ' ']).strip_prefix('-').map(str::trim);
            if own.is_some_and(|own| own.trim_matches(['"', '\'']) == item) {
                let end = &line[line.trim_end().len()..];
                return Some(self.splice(start..start + line.len(), &format!("{indent}- {}{end}", quoted(item))));
            }
            start += line.len();
        }
        None
    }

    /// A new key with a collection of one line below it, which `line` makes of its indentation.
    pub(super) fn nested(&self, map: &Node, key: &str, line: impl FnOnce(&str) -> String) -> Result<String, Odd> {
        let Kind::Map(entries) = &map.kind else { return odd(map.line, "it is no map") };
        match entries.first() {
            Some((first, _)) if !map.flow => {
                let indent = " ".repeat(first.column);
                let line = line(&format!("{indent}  "));
                Ok(self.line_behind(map, &format!("{indent}{key}:{}{line}", self.eol)))
            }
            _ => {
                let line = line("");
                let inner = line.strip_prefix("- ").map_or_else(|| format!("{{{line}}}"), |item| format!("[{item}]"));
                self.in_brackets(map, &format!("{key}: {inner}"))
            }
        }
    }

    /// Behind the last value of a collection in brackets.
    fn in_brackets(&self, collection: &Node, new: &str) -> Result<String, Odd> {
        if !collection.flow {
            return odd(collection.line, "it has no value");
        }
        let last = match &collection.kind {
            Kind::Map(entries) => entries.last().map(|(_, value)| value),
            Kind::List(items) => items.last(),
            Kind::Scalar { .. } => return odd(collection.line, "it is no collection"),
        };
        let inner = collection.range.start + 1..collection.range.end - 1;
        match last {
            None => Ok(self.splice(inner.start..inner.start, new)),
            // What an alias stands for is elsewhere.
            Some(last) if last.range.start < inner.start || last.range.end > inner.end => {
                odd(collection.line, "an alias at the end of a collection")
            }
            Some(last) => Ok(self.splice(last.range.end..last.range.end, &format!(", {new}"))),
        }
    }

    /// Without an item of a list.
    pub(super) fn without(&self, list: &Node, items: &[Rc<Node>], at: usize) -> Result<String, Odd> {
        let item = &items[at];
        let inside = |item: &Node| list.range.start <= item.range.start && item.range.end <= list.range.end;
        if items.len() == 1 || !items.iter().all(|item| inside(item)) {
            return odd(item.line, "it cannot be taken out of its list");
        }
        Ok(match (items.get(at + 1), at.checked_sub(1).and_then(|before| items.get(before))) {
            (Some(next), _) if list.flow => self.splice(item.range.start..next.range.start, ""),
            (None, Some(before)) if list.flow => self.splice(before.range.end..item.range.end, ""),
            _ => {
                let start = self.line_start(item.range.start);
                let end = self.text[item.range.end..].find('\n').map_or(self.text.len(), |at| item.range.end + at + 1);
                self.splice(start..end, "")
            }
        })
    }

    /// A line behind the last one of a collection.
    fn line_behind(&self, node: &Node, line: &str) -> String {
        let end = self.text[..node.range.end].trim_end().len();
        match self.text[end..].find('\n') {
            Some(at) => self.splice(end + at + 1..end + at + 1, &format!("{line}{}", self.eol)),
            None => [self.text, self.eol, line].concat(),
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |at| at + 1)
    }
}
