//! Edits of a compose file that leave every other byte as it is.
//!
//! An edit is a splice at a place that the reader of `yaml` names. What comes out is read again, and stands only when every
//! value of the file is what it was, but for the wanted ones. Values are written in double quotes, where YAML 1.1 (Compose
//! 1.x) and 1.2 (v2) agree, with `$` doubled, since both interpolate.
//!
//! | module | what it does |
//! | --- | --- |
//! | `page` | splices |
//! | `value` | what a file says, however it stands there, and what it is to say |
//! | `services` | services that are taken out and brought back |

mod page;
mod services;
#[cfg(test)]
mod tests;
mod value;

use std::rc::Rc;

use super::yaml::{self, Kind, Node, Odd, odd};
use page::Page;
pub(crate) use services::{restored, taken_out, without};
use value::Value;

/// What names other services item by item, so that Compose refuses the file where one of them is not there.
const LISTS: [&str; 2] = ["depends_on", "links"];

/// A wish for one service. What is so already stays as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A key of the service with one word: `image`.
    Word { key: &'static str, value: String },
    /// How many containers: `deploy.replicas` where that is there, else `scale`.
    Scale(u32),
    /// A variable of `environment:`, in a map or in a list.
    #[cfg_attr(not(test), expect(dead_code, reason = "what a person may ask for in a service alone"))]
    Variable { name: String, value: String },
    /// An item of a list: of `volumes`.
    Item { list: &'static str, item: String },
    /// The way to a port of the container: `127.0.0.1:8001:8001`.
    Port { container: u16, mapping: String },
    /// A flag at the end of the command: `--reverse-proxy`.
    Flag(String),
    /// No such flag in the command.
    NoFlag(String),
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
        Edit::Scale(count) => {
            let replicas = match find("deploy")? {
                Some(deploy) => deploy.get("replicas")?,
                None => None,
            };
            match (find("scale")?, replicas) {
                (Some(_), Some(node)) => return odd(node.line, "scale and deploy.replicas, which may differ"),
                (Some(node), None) | (None, Some(node)) if node.text().is_some_and(|own| own.parse() == Ok(*count)) => {
                    text.to_owned()
                }
                (Some(node), None) | (None, Some(node)) => page.write(node, &count.to_string())?,
                (None, None) => page.entry(service, "scale", &count.to_string())?,
            }
        }
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
                Some(_) => match page.uncommented(node, item) {
                    Some(text) => text,
                    None => page.item(node, item)?,
                },
                None => return odd(node.line, "it is no list"),
            },
        },
        Edit::Port { container, mapping } => match find("ports")? {
            None => page.nested(service, "ports", |inner| format!("{inner}- {}", quoted(mapping)))?,
            Some(node) => {
                let Some(items) = node.items() else { return odd(node.line, "ports is no list") };
                let mut ways = Vec::new();
                for item in items {
                    if leads(item, *container)? {
                        ways.push(item);
                    }
                }
                match ways.as_slice() {
                    ways if ways.iter().any(|item| item.says(mapping)) => text.to_owned(),
                    [] => page.item(node, mapping)?,
                    [item] => page.write(item, &quoted(mapping))?,
                    [.., item] => return odd(item.line, "more than one way leads to the same port of the container"),
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
        Edit::NoFlag(flag) => match find("command")? {
            None => text.to_owned(),
            Some(node) => match &node.kind {
                Kind::List(items) => match items.iter().position(|own| own.says(flag)) {
                    Some(at) => page.without(node, items, at)?,
                    None => text.to_owned(),
                },
                Kind::Scalar { text: command, .. } => match without_flag(command, flag) {
                    Some(command) => page.write(node, &quoted_raw(&command))?,
                    None => text.to_owned(),
                },
                Kind::Map(_) => return odd(node.line, "command is a map"),
            },
        },
    })
}

/// The name of an item of `environment:`.
fn variable(item: &str) -> &str {
    item.split_once('=').map_or(item, |(name, _)| name)
}

/// A command without a flag of its; `None`: it has none.
fn without_flag(command: &str, flag: &str) -> Option<String> {
    let start = command.match_indices(flag).map(|(at, _)| at).find(|at| {
        let (before, behind) = (&command[..*at], &command[at + flag.len()..]);
        before.ends_with(char::is_whitespace) && (behind.is_empty() || behind.starts_with(char::is_whitespace))
    })?;
    Some([command[..start].trim_end(), &command[start + flag.len()..]].concat())
}

/// Does this item of `ports:` lead to that port of the container?
///
/// # Errors
/// It may, in a form that no edit fits.
fn leads(item: &Node, container: u16) -> Result<bool, Odd> {
    match &item.kind {
        Kind::Map(_) => match item.get("target")?.and_then(|target| target.text()) {
            Some(target) if target.parse() == Ok(container) => odd(item.line, "a port in its long form"),
            _ => Ok(false),
        },
        Kind::List(_) => odd(item.line, "ports has a list in it"),
        Kind::Scalar { .. } => {
            let text = item.text().unwrap_or_default();
            let inner = text.rsplit(':').next().unwrap_or_default();
            let inner = inner.split_once('/').map_or(inner, |(port, _)| port);
            let covers = |(from, to): (&str, &str)| match (from.parse::<u16>(), to.parse()) {
                (Ok(from), Ok(to)) => (from..=to).contains(&container),
                _ => true,
            };
            match inner {
                inner if inner.contains('$') => odd(item.line, "a port that a variable decides"),
                inner if inner.split_once('-').is_some_and(covers) => odd(item.line, "a range of ports"),
                _ => Ok(ends_at(text, container)),
            }
        }
    }
}

/// Is it a way to that port of the container, of TCP?
fn ends_at(mapping: &str, container: u16) -> bool {
    let mapping = mapping.strip_suffix("/tcp").unwrap_or(mapping);
    mapping.rsplit(':').next().is_some_and(|port| port.parse() == Ok(container))
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
