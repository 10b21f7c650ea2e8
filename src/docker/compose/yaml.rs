//! A YAML document as a tree of nodes with their lines. Values stay text: what a plain word means differs between YAML 1.1
//! (Compose 1.x) and 1.2 (v2).

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

/// Deeper nesting is not followed.
const DEEPEST: usize = 60;

/// No honest map merges in more maps: merges of merges make a small file endless work.
const MOST_MERGES: usize = 10_000;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// The column in which it begins, counted from 0.
    pub(super) column: usize,
    /// Its bytes. Those of a collection in block style end with its last value.
    pub(super) range: Range<usize>,
    /// It stands in brackets or on its line; else it is made of lines, by their indentation.
    pub(super) flow: bool,
    pub(super) kind: Kind,
    /// It has a tag of its own (`!reset`), which changes what becomes of it.
    pub(super) tagged: bool,
    /// How many values stand below one another in it, those that aliases bring in too.
    height: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar { text: String, plain: bool },
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Names with their values.
type Entries<'n> = Vec<(&'n str, &'n Rc<Node>)>;

/// Why a file is not understood: the line, and half a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Odd {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

pub(super) fn odd<T>(line: usize, why: &'static str) -> Result<T, Odd> {
    Err(Odd { line, why })
}

impl Node {
    /// Nothing stands there, or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A word or a text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&[Rc<Node>]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map, those that are merged in (`<<`) behind its own; `None`: it is no map.
    ///
    /// # Errors
    /// A name that stands twice: Compose 1.x takes the last one, v2 refuses the file. A merge of what is no map.
    pub(super) fn entries(&self) -> Result<Option<Entries<'_>>, Odd> {
        let Kind::Map(_) = &self.kind else { return Ok(None) };
        let mut found = Vec::new();
        self.collect(&mut found, 0, &mut 0)?;
        Ok(Some(found))
    }

    fn collect<'n>(&'n self, found: &mut Entries<'n>, depth: usize, merges: &mut usize) -> Result<(), Odd> {
        let Kind::Map(entries) = &self.kind else { return odd(self.line, "a merge of something that is no map") };
        *merges += 1;
        if depth > DEEPEST || *merges > MOST_MERGES {
            return odd(self.line, "merges that are nested too deeply");
        }
        let mut own: Vec<&str> = Vec::new();
        for (key, value) in entries {
            let Kind::Scalar { text, .. } = &key.kind else { return odd(key.line, "a name that is no word") };
            if own.contains(&text.as_str()) {
                return odd(key.line, "a name that stands twice in one map");
            }
            own.push(text);
            if text != "<<" && !found.iter().any(|(known, _)| known == text) {
                found.push((text, value));
            }
        }
        for (_, merged) in
            entries.iter().filter(|(key, _)| matches!(&key.kind, Kind::Scalar { text, .. } if text == "<<"))
        {
            match &merged.kind {
                Kind::List(several) => several.iter().try_for_each(|one| one.collect(found, depth + 1, merges))?,
                _ => merged.collect(found, depth + 1, merges)?,
            }
        }
        Ok(())
    }

    /// The entry of that name.
    pub(super) fn get(&self, name: &str) -> Result<Option<&Rc<Node>>, Odd> {
        Ok(self.entries()?.unwrap_or_default().into_iter().find(|(own, _)| *own == name).map(|(_, node)| node))
    }
}

/// The document; `None`: the file is empty.
pub(super) fn parse(text: &str) -> Result<Option<Rc<Node>>, Odd> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), end: 0 };
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(document),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ if document.is_some() => return odd(span.start.line(), "a second document"),
            event => document = Some(reader.node(event, &span, 0)?),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    anchors: HashMap<usize, Rc<Node>>,
    /// Where the last word or bracket ends.
    end: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Odd> {
        match self.parser.next() {
            Some(Ok((event, span))) => {
                if let Some(range) = span.byte_range().filter(|range| !range.is_empty()) {
                    self.end = range.end;
                }
                Ok((event, span))
            }
            Some(Err(error)) => odd(error.marker().line(), "no reader of YAML takes it"),
            None => odd(0, "it ends too soon"),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Rc<Node>, Odd> {
        let line = span.start.line();
        if depth > DEEPEST {
            return odd(line, "it is nested too deeply");
        }
        let Some(mut range) = span.byte_range() else { return odd(line, "its place in the file is not known") };
        let tagged = event.tag().is_some_and(|tag| !tag.is_yaml_core_schema_tag("str"));
        let (kind, flow, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let flow = !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                (Kind::Scalar { text: text.into_owned(), plain }, flow, anchor)
            }
            Event::SequenceStart(style, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => items.push(self.node(event, &span, depth + 1)?),
                    }
                }
                range.end = self.end;
                (Kind::List(items), style == StructureStyle::Flow, anchor)
            }
            Event::MappingStart(style, anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    let key = match self.next()? {
                        (Event::MappingEnd, _) => break,
                        (event, span) => self.node(event, &span, depth + 1)?,
                    };
                    let (event, span) = self.next()?;
                    entries.push((key, self.node(event, &span, depth + 1)?));
                }
                range.end = self.end;
                (Kind::Map(entries), style == StructureStyle::Flow, anchor)
            }
            Event::Alias(id) => {
                return self.anchors.get(&id).cloned().map_or_else(|| odd(line, "a node that holds itself"), Ok);
            }
            _ => return odd(line, "it is not understood"),
        };
        let height = match &kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(|item| item.height + 1).max().unwrap_or(0),
            Kind::Map(entries) => {
                entries.iter().map(|(key, value)| key.height.max(value.height) + 1).max().unwrap_or(0)
            }
        };
        // By aliases too: whoever goes through it, or drops it, does so level by level.
        if height > DEEPEST {
            return odd(line, "it is nested too deeply");
        }
        let node = Rc::new(Node { line, column: span.start.col(), range, flow, kind, tagged, height });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_gives_the_same_tree() {
        for text in [
            "a: {b: [x, 'y']}\n",
            "a:\n  b:\n  - x\n  - \"y\"\n",
            "{\"a\": {\"b\": [\"x\", \"y\"]}}",
            "a: &n\n  b: [x, y]\nc: *n\n",
        ] {
            let root = parse(text).unwrap().unwrap();
            let list = root.get("a").unwrap().unwrap().get("b").unwrap().unwrap();
            let items: Vec<_> = list.items().unwrap().iter().filter_map(|item| item.text()).collect();
            assert_eq!(items, ["x", "y"], "{text}");
        }
    }

    #[test]
    fn merged_entries_stand_behind_a_maps_own() {
        let root = parse("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  c: 3\n").unwrap().unwrap();
        let z = root.get("z").unwrap().unwrap();
        let text = |name: &str| z.get(name).unwrap().unwrap().text().unwrap().to_owned();
        assert_eq!([text("a"), text("b"), text("c")], ["1", "1", "3"]);
        assert_eq!(z.get("c").unwrap().unwrap().line, 5);
    }

    #[test]
    fn what_readers_refuse_or_read_differently_is_odd() {
        for text in ["a: 1\na: 2\n", "a:\n\t- b\n", "a: [\n", "a: &a [*a]\n", "--- 1\n--- 2\n", "? [a]\n: b\n"] {
            let read = parse(text).and_then(|root| root.unwrap().entries().map(|_| ()));
            assert!(read.is_err(), "{text:?}: {read:?}");
        }
        assert!(parse("").unwrap().is_none());
        assert!(parse(&"[".repeat(3000)).is_err());
        let chain: String = (1..5000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
        assert!(parse(&format!("a0: &a0 [x]\n{chain}")).is_err(), "a value that is deep by its aliases");
        let merges = (1..30).fold("a0: &a0 {x: y}\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} {{<<: [{}]}}\n", vec![format!("*a{}", n - 1); 9].join(", "))
        });
        assert!(parse(&merges).unwrap().unwrap().get("a29").unwrap().unwrap().entries().is_err());
    }
}
