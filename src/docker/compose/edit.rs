//! Edits of a compose file that leave every other byte as it is.
//!
//! An edit is a splice at a place that the reader of `yaml` names. What comes out is read again, and stands only when every
//! value of the file is what it was, but for the wanted ones. Values are written in double quotes, where YAML 1.1 (Compose
//! 1.x) and 1.2 (v2) agree, with `$` doubled, since both interpolate.

use std::ops::Range;
use std::rc::Rc;

use super::yaml::{self, Kind, Node, Odd, odd};

/// More values are not compared.
const MOST: usize = 100_000;

/// A wish for one service. What is so already stays as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A key of the service with one word: `image`.
    Word { key: &'static str, value: String },
    /// A key of the service with a number: `scale`.
    Number { key: &'static str, value: u32 },
    /// A variable of `environment:`, in a map or in a list.
    Variable { name: String, value: String },
    /// An item of a list: of `volumes`.
    Item { list: &'static str, item: String },
    /// The way to a port of the container: `127.0.0.1:8001:8001`.
    Port { container: u16, mapping: String },
    /// A flag at the end of the command: `--reverse-proxy`.
    Flag(String),
}

/// The text with these edits, each for a service.
///
/// # Errors
/// The line, and why: readers of YAML refuse it or disagree about it, a service is missing, a value stands where no edit fits,
/// or the edit would change another value.
pub(crate) fn edited(text: &str, edits: &[(&str, Edit)]) -> Result<String, Odd> {
    let root = document(text)?;
    edits.iter().try_for_each(|(service, _)| service_of(&root, service).map(drop))?;
    let wanted = edits.iter().try_fold(Value::read(text)?, |value, (service, edit)| value.with(service, edit))?;
    let mut refused = None;
    // A value that several services share is edited where it stands, if all of them are to have it; else each gets its own.
    for shared in [true, false] {
        let made = edits.iter().try_fold(text.to_owned(), |text, (service, edit)| once(&text, service, edit, shared));
        let made = made.and_then(|made| {
            let same = Value::read(&made)? == wanted;
            if same { Ok(made) } else { odd(0, "an edit would change more than it is to change") }
        });
        match made {
            Ok(made) => return Ok(made),
            Err(odd) => refused = refused.or(Some(odd)),
        }
    }
    refused.map_or_else(|| Ok(text.to_owned()), Err)
}

fn document(text: &str) -> Result<Rc<Node>, Odd> {
    yaml::parse(text)?.map_or_else(|| odd(1, "the file is empty"), Ok)
}

fn service_of<'n>(root: &'n Node, name: &str) -> Result<&'n Rc<Node>, Odd> {
    let Some(services) = root.get("services")? else { return odd(1, "it has no services") };
    services.get(name)?.map_or_else(|| odd(services.line, "a service is missing"), Ok)
}

/// One edit. `shared`: a value that comes from elsewhere (`<<`) is edited there.
fn once(text: &str, service: &str, edit: &Edit, shared: bool) -> Result<String, Odd> {
    let root = document(text)?;
    let page = Page::new(text);
    let service = service_of(&root, service)?;
    let find = |key: &str| if shared { service.get(key) } else { Ok(service.own(key)) };
    Ok(match edit {
        Edit::Word { key, value } => match find(key)? {
            Some(node) if node.says(value) => text.to_owned(),
            Some(node) => page.write(node, &quoted(value))?,
            None => page.entry(service, key, &quoted(value))?,
        },
        Edit::Number { key, value } => match find(key)? {
            Some(node) if node.text().is_some_and(|own| own.parse() == Ok(*value)) => text.to_owned(),
            Some(node) => page.write(node, &value.to_string())?,
            None => page.entry(service, key, &value.to_string())?,
        },
        Edit::Variable { name, value } => match find("environment")? {
            None => {
                let nested = |inner: &str| format!("{inner}{name}: {}", quoted(value));
                page.nested(service, "environment", nested)?
            }
            Some(node) => match &node.kind {
                Kind::Map(_) => match if shared { node.get(name)? } else { node.own(name) } {
                    Some(own) if own.says(value) => text.to_owned(),
                    Some(own) => page.write(own, &quoted(value))?,
                    None => page.entry(node, name, &quoted(value))?,
                },
                Kind::List(items) => {
                    let item = format!("{name}={value}");
                    match items.iter().rev().find(|own| own.text().is_some_and(|own| variable(own) == name)) {
                        Some(own) if own.says(&item) => text.to_owned(),
                        Some(own) => page.write(own, &quoted(&item))?,
                        None => page.item(node, &item)?,
                    }
                }
                Kind::Scalar { .. } => return odd(node.line, "environment is neither a map nor a list"),
            },
        },
        Edit::Item { list, item } => match find(list)? {
            None => page.nested(service, list, |inner| format!("{inner}- {}", quoted(item)))?,
            Some(node) => match node.items() {
                Some(items) if items.iter().any(|own| own.says(item)) => text.to_owned(),
                Some(_) => page.item(node, item)?,
                None => return odd(node.line, "it is no list"),
            },
        },
        Edit::Port { container, mapping } => match find("ports")? {
            None => page.nested(service, "ports", |inner| format!("{inner}- {}", quoted(mapping)))?,
            Some(node) => {
                let Some(items) = node.items() else { return odd(node.line, "ports is no list") };
                match items.iter().find(|item| leads(item, *container)) {
                    Some(item) if item.says(mapping) => text.to_owned(),
                    Some(item) => page.write(item, &quoted(mapping))?,
                    None => page.item(node, mapping)?,
                }
            }
        },
        Edit::Flag(flag) => match find("command")? {
            None => return odd(service.line, "it has no command, so the image's own is not known"),
            Some(node) => match &node.kind {
                Kind::List(items) if items.iter().any(|own| own.says(flag)) => text.to_owned(),
                Kind::List(_) => page.item(node, flag)?,
                Kind::Scalar { text: command, .. } if command.split_whitespace().any(|own| own == flag) => {
                    text.to_owned()
                }
                Kind::Scalar { text: command, .. } => page.write(node, &quoted_raw(&format!("{command} {flag}")))?,
                Kind::Map(_) => return odd(node.line, "command is a map"),
            },
        },
    })
}

/// The name of an item of `environment:`.
fn variable(item: &str) -> &str {
    item.split_once('=').map_or(item, |(name, _)| name)
}

/// Does this item of `ports:` lead to that port of the container?
fn leads(item: &Node, container: u16) -> bool {
    let text = item.text().unwrap_or_default();
    text.parse() == Ok(container) || super::published(&[text.to_owned()], container).is_some()
}

/// In double quotes, as both generations of Compose read it.
fn quoted(value: &str) -> String {
    quoted_raw(&value.replace('$', "$$"))
}

/// In double quotes, `$` as it is.
fn quoted_raw(value: &str) -> String {
    let mut out = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Node {
    /// Does it say that to Compose, in whatever style?
    fn says(&self, value: &str) -> bool {
        !self.tagged && self.text() == Some(&value.replace('$', "$$"))
    }

    /// The entry that stands in this map itself.
    fn own(&self, name: &str) -> Option<&Rc<Node>> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }
}

/// A text that is edited.
struct Page<'t> {
    text: &'t str,
    eol: &'static str,
}

impl<'t> Page<'t> {
    fn new(text: &'t str) -> Self {
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        Self { text, eol: if first.ends_with("\r\n") { "\r\n" } else { "\n" } }
    }

    fn splice(&self, range: Range<usize>, new: &str) -> String {
        [&self.text[..range.start], new, &self.text[range.end..]].concat()
    }

    /// Another value in the place of a word.
    fn write(&self, node: &Node, written: &str) -> Result<String, Odd> {
        match &node.kind {
            Kind::Scalar { .. } if node.is_null() && node.range.is_empty() => odd(node.line, "it has no value"),
            Kind::Scalar { .. } if node.flow && !node.tagged => Ok(self.splice(node.range.clone(), written)),
            Kind::Scalar { .. } => odd(node.line, "a text over several lines, or with a tag"),
            _ => odd(node.line, "it is not one word"),
        }
    }

    /// A further entry of a map: a name and what stands behind its colon.
    fn entry(&self, map: &Node, name: &str, value: &str) -> Result<String, Odd> {
        let Kind::Map(entries) = &map.kind else { return odd(map.line, "it is no map") };
        let entry = format!("{name}: {value}");
        match entries.first() {
            Some((key, _)) if !map.flow => Ok(self.line_behind(map, &format!("{}{entry}", " ".repeat(key.column)))),
            _ => self.in_brackets(map, entries.is_empty(), &entry),
        }
    }

    /// A further item of a list.
    fn item(&self, list: &Node, item: &str) -> Result<String, Odd> {
        let Kind::List(items) = &list.kind else { return odd(list.line, "it is no list") };
        let written = quoted(item);
        let Some(first) = items.first().filter(|_| !list.flow) else {
            return self.in_brackets(list, items.is_empty(), &written);
        };
        let line = &self.text[self.line_start(first.range.start)..first.range.start];
        let Some(dash) = line.find(|c: char| !c.is_whitespace()).filter(|at| line[*at..].starts_with('-')) else {
            return odd(first.line, "a dash that stands alone on its line");
        };
        Ok(self.line_behind(list, &format!("{}- {written}", &line[..dash])))
    }

    /// A new key with a collection of one line below it, which `line` makes of its indentation.
    fn nested(&self, map: &Node, key: &str, line: impl FnOnce(&str) -> String) -> Result<String, Odd> {
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
                self.in_brackets(map, entries.is_empty(), &format!("{key}: {inner}"))
            }
        }
    }

    /// In front of the closing bracket.
    fn in_brackets(&self, collection: &Node, empty: bool, new: &str) -> Result<String, Odd> {
        if !collection.flow {
            return odd(collection.line, "it has no value");
        }
        let inner = &self.text[collection.range.start + 1..collection.range.end - 1];
        let at = collection.range.start + 1 + if empty { 0 } else { inner.trim_end().trim_end_matches(',').len() };
        let new = if empty { new.to_owned() } else { format!(", {new}") };
        Ok(self.splice(at..at, &new))
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

/// What a file says, wherever and however it stands there.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text { text: String, plain: bool, tagged: bool },
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    fn read(text: &str) -> Result<Self, Odd> {
        let root = document(text)?;
        Self::counted(&root, &mut 0)
    }

    /// Aliases of aliases make a small file a large tree, so values are counted.
    fn counted(node: &Node, count: &mut usize) -> Result<Self, Odd> {
        *count += 1;
        if *count > MOST {
            return odd(node.line, "it has too many values");
        }
        Ok(match &node.kind {
            Kind::Scalar { text, plain } => Self::Text { text: text.clone(), plain: *plain, tagged: node.tagged },
            Kind::List(items) => {
                Self::List(items.iter().map(|item| Self::counted(item, count)).collect::<Result<_, _>>()?)
            }
            Kind::Map(_) => {
                let mut entries = Vec::new();
                // Extensions mean nothing but where they are merged in.
                for (name, value) in
                    node.entries()?.unwrap_or_default().into_iter().filter(|(name, _)| !name.starts_with("x-"))
                {
                    entries.push((name.to_owned(), Self::counted(value, count)?));
                }
                entries.sort_by(|one, other| one.0.cmp(&other.0));
                Self::Map(entries)
            }
        })
    }

    fn written(value: &str) -> Self {
        Self::Text { text: value.replace('$', "$$"), plain: false, tagged: false }
    }

    fn says(&self, value: &str) -> bool {
        matches!(self, Self::Text { text, tagged: false, .. } if *text == value.replace('$', "$$"))
    }

    fn text(&self) -> &str {
        match self {
            Self::Text { text, .. } => text,
            _ => "",
        }
    }

    fn entry(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Map(entries) => entries.iter_mut().find(|(own, _)| own == name).map(|(_, value)| value),
            _ => None,
        }
    }

    fn put(&mut self, name: &str, value: Self) {
        match self.entry(name) {
            Some(own) => *own = value,
            None => {
                if let Self::Map(entries) = self {
                    let at = entries.partition_point(|(own, _)| own.as_str() < name);
                    entries.insert(at, (name.to_owned(), value));
                }
            }
        }
    }

    /// With that edit, whatever the file looks like.
    fn with(mut self, service: &str, edit: &Edit) -> Result<Self, Odd> {
        let Some(service) = self.entry("services").and_then(|services| services.entry(service)) else {
            return odd(0, "a service is missing");
        };
        match edit {
            Edit::Word { key, value } => match service.entry(key) {
                Some(own) if own.says(value) => {}
                _ => service.put(key, Self::written(value)),
            },
            Edit::Number { key, value } => match service.entry(key) {
                Some(own) if own.text().parse() == Ok(*value) => {}
                _ => service.put(key, Self::Text { text: value.to_string(), plain: true, tagged: false }),
            },
            Edit::Variable { name, value } => {
                if service.entry("environment").is_none() {
                    service.put("environment", Self::Map(Vec::new()));
                }
                match service.entry("environment") {
                    Some(Self::List(items)) => {
                        let item = format!("{name}={value}");
                        match items.iter_mut().rev().find(|own| variable(own.text()) == name) {
                            Some(own) if own.says(&item) => {}
                            Some(own) => *own = Self::written(&item),
                            None => items.push(Self::written(&item)),
                        }
                    }
                    Some(map) => match map.entry(name) {
                        Some(own) if own.says(value) => {}
                        _ => map.put(name, Self::written(value)),
                    },
                    None => {}
                }
            }
            Edit::Item { list, item } => service.push(list, item, |own| own.says(item)),
            Edit::Port { container, mapping } => {
                let ways = |own: &Self| {
                    own.text().parse() == Ok(*container)
                        || super::published(&[own.text().to_owned()], *container).is_some()
                };
                service.push("ports", mapping, ways);
            }
            Edit::Flag(flag) => match service.entry("command") {
                Some(Self::Text { text, plain, .. }) if !text.split_whitespace().any(|own| own == flag) => {
                    *text = format!("{text} {flag}");
                    *plain = false;
                }
                Some(Self::List(_)) => service.push("command", flag, |own| own.says(flag)),
                _ => {}
            },
        }
        Ok(self)
    }

    /// In the place of the item which is meant, or behind the last one.
    fn push(&mut self, list: &str, item: &str, meant: impl Fn(&Self) -> bool) {
        if self.entry(list).is_none() {
            self.put(list, Self::List(Vec::new()));
        }
        if let Some(Self::List(items)) = self.entry(list) {
            match items.iter_mut().find(|own| meant(own)) {
                Some(own) if own.says(item) => {}
                Some(own) => *own = Self::written(item),
                None => items.push(Self::written(item)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes of real files: each with one service `web`, one `other`, and comments.
    const SHAPES: [&str; 14] = [
        "version: '2.2'\n# head\nservices:\n  web:\n    image: a:1   # pinned\n    ports:\n      - \"80:8001\"  # outside\n    environment:\n      A: b\n      C: 'd'\n    volumes:\n      - ./plugins:/plugins\n      #- ./proxy_cert.crt:/x\n    command: divvycloud webserver\n    scale:   4\n\n  other:\n    image: b\n\n# tail\n",
        "services:\n  web:\n    image: \"a:1\"\n    ports: [ \"80:8001\" ]   # behind nginx\n    environment: {A: b, N: \"a: b # no comment\"}\n    volumes: []\n    command: [\"divvycloud\", \"webserver\"]\n    scale: 4\n  other: {image: b}\n",
        "services:\n    web:\n        image: a:1\n        environment:\n        - A=b\n        # - DEBUG=1\n        - C=d   \n        ports:\n        - 80:8001\n        command:\n        - divvycloud\n        - webserver\n\n\n    other:\n        image: b\n",
        "---\nservices:\n  web:\n    image : a:1\n    command: >\n      divvycloud\n      webserver\n    labels:\n      x: |\n        text\n        more\n\n  other:\n    image: b\n...\n",
        "services: {web: {image: a:1, command: divvycloud webserver}, other: {image: b}}\n",
        "services:\n  web:\n    image: a:1\n    command: divvycloud webserver",
        "\u{feff}services:\n  web:\n    image: 'a:1'\n    command: 'divvycloud webserver'\n  other:\n    image: b",
        "x-app: &app\n  image: a:1\n  command: divvycloud webserver\nservices:\n  web:\n    <<: *app\n    restart: always\n  other:\n    <<: *app\n",
        "services:\n  web: &web\n    image: a:1\n    environment: &env\n      A: b\n    command: divvycloud webserver\n  other:\n    <<: *web\n    environment:\n      <<: *env\n      D: e\n",
        "services:\n  other:\n    image: b\n  web:\n    command: divvycloud webserver\n    image: a:1\n    environment:\n      LAST:\n",
        "services:\n  web:\n    command: divvycloud webserver\n    image: ${REGISTRY:-a}:1\n    environment:\n      A: ${A}\nvolumes:\n  x: {}\n",
        "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    ports: [\n      \"80:8001\",  # out\n      \"81:82\",\n    ]\n    environment: {\n      A: b\n    }\n",
        "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    environment: {}\n    ports:\n      - 8001\n",
        "# only\nservices:\n  web: {}\n  other:\n    image: b\n",
    ];

    fn edits() -> Vec<Edit> {
        let odd = [
            "",
            " x",
            "*a",
            "a: b #c",
            "it's \"q\" \\ n",
            "yes",
            "08",
            "22:22",
            "1e3",
            "$x ${Y}",
            "a\nb\tc",
            "~",
            "\u{7f}é",
        ];
        let mut edits = vec![
            Edit::Word { key: "image", value: "public.ecr.aws/x/y:22.12.7".to_owned() },
            Edit::Number { key: "scale", value: 7 },
            Edit::Item { list: "volumes", item: "./ca.crt:/x:ro".to_owned() },
            Edit::Port { container: 8001, mapping: "127.0.0.1:8001:8001".to_owned() },
            Edit::Flag("--reverse-proxy".to_owned()),
        ];
        for value in odd {
            edits.push(Edit::Variable { name: "A".to_owned(), value: value.to_owned() });
            edits.push(Edit::Variable { name: "NEW".to_owned(), value: value.to_owned() });
        }
        edits
    }

    /// Lines of the text that are not in the other, each as often as it stands.
    fn gone<'t>(text: &'t str, other: &str) -> Vec<&'t str> {
        let mut rest: Vec<&str> = other.lines().collect();
        let mut gone = Vec::new();
        for line in text.lines() {
            match rest.iter().position(|own| *own == line) {
                Some(at) => drop(rest.remove(at)),
                None => gone.push(line),
            }
        }
        gone
    }

    #[test]
    fn each_edit_of_each_shape_changes_one_value_and_one_line() {
        let mut made = 0;
        for shape in SHAPES {
            for text in [shape.to_owned(), shape.replace('\n', "\r\n")] {
                for edit in edits() {
                    let new = match edited(&text, &[("web", edit.clone())]) {
                        Ok(new) => new,
                        Err(odd) => {
                            let known = [
                                "a text over several lines",
                                "it has no command",
                                "it is not one word",
                                "an edit would change more",
                            ];
                            assert!(
                                known.iter().any(|known| odd.why.starts_with(known)),
                                "{odd:?}: {edit:?} of {text}"
                            );
                            continue;
                        }
                    };
                    made += 1;
                    assert!(gone(&text, &new).len() <= 1, "{edit:?} of {text} made {new}");
                    assert!(gone(&new, &text).len() <= 2, "{edit:?} of {text} made {new}");
                    assert!(!text.contains('\r') || !new.replace("\r\n", "").contains('\n'), "{new:?}");
                    assert_eq!(edited(&new, &[("web", edit.clone())]).as_deref(), Ok(new.as_str()), "{edit:?}");
                }
            }
        }
        assert!(made > 600, "{made}");
    }

    #[test]
    fn a_shared_value_is_edited_once_when_all_are_to_have_it() {
        let image = || Edit::Word { key: "image", value: "a:2".to_owned() };
        let new = edited(SHAPES[7], &[("web", image()), ("other", image())]).unwrap();
        assert_eq!(new, SHAPES[7].replace("image: a:1", "image: \"a:2\""));
        let new = edited(SHAPES[7], &[("web", image())]).unwrap();
        assert_eq!(new, SHAPES[7].replace("restart: always\n", "restart: always\n    image: \"a:2\"\n"));
    }

    #[test]
    fn what_readers_disagree_about_is_refused_with_its_line() {
        let image = [("web", Edit::Word { key: "image", value: "a:2".to_owned() })];
        for (text, line) in [
            ("services:\n  web:\n    image: a\n    image: b\n", 4),
            ("services:\n  web:\n\timage: a\n", 3),
            ("services:\n  web:\n", 2),
            ("services:\n  other: {}\n", 2),
            ("web:\n  image: a\n", 1),
            ("", 1),
            ("services:\n  web:\n    image:\n", 3),
            ("services:\n  web:\n    image: !x a\n", 3),
            ("services: [a\n", 1),
        ] {
            assert_eq!(edited(text, &image).map_err(|odd| odd.line), Err(line), "{text:?}");
        }
        let bomb = (1..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            let below = format!("*a{}", n - 1);
            format!("{text}a{n}: &a{n} [{}]\n", vec![below; 9].join(", "))
        });
        assert!(edited(&format!("{bomb}services: {{web: {{image: a}}}}\n"), &image).is_err());
    }
}
