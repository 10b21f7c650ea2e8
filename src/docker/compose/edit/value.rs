//! What a file says, wherever and however it stands there, and what it is to say.

use super::super::yaml::{Kind, Node, Odd, odd};
use super::{Edit, LISTS, document, ends_at, variable, without_flag};

/// More values are not compared.
const MOST: usize = 100_000;

/// A value, without its place and its style.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text { text: String, plain: bool, tagged: bool },
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    pub(super) fn read(text: &str) -> Result<Self, Odd> {
        let root = document(text)?;
        Self::counted(&root, &mut 0, true)
    }

    /// Aliases of aliases make a small file a large tree, so values are counted.
    fn counted(node: &Node, count: &mut usize, is_root: bool) -> Result<Self, Odd> {
        *count += 1;
        if *count > MOST {
            return odd(node.line, "it has too many values");
        }
        Ok(match &node.kind {
            Kind::Scalar { text, plain } => Self::Text { text: text.clone(), plain: *plain, tagged: node.tagged },
            Kind::List(items) => {
                Self::List(items.iter().map(|item| Self::counted(item, count, false)).collect::<Result<_, _>>()?)
            }
            Kind::Map(_) => {
                let mut entries = Vec::new();
                for (name, value) in node.entries()?.unwrap_or_default() {
                    let value = Self::counted(value, count, false)?;
                    // Extensions of a document mean nothing but where they are merged in.
                    if !(is_root && name.starts_with("x-")) {
                        entries.push((name.to_owned(), value));
                    }
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
    pub(super) fn with(mut self, service: &str, edit: &Edit) -> Result<Self, Odd> {
        let Some(service) = self.entry("services").and_then(|services| services.entry(service)) else {
            return odd(0, "a service is missing");
        };
        match edit {
            Edit::Word { key, value } => match service.entry(key) {
                Some(own) if own.says(value) => {}
                _ => service.put(key, Self::written(value)),
            },
            Edit::Scale(count) => {
                let place = match service.entry("deploy").map(|deploy| deploy.entry("replicas").is_some()) {
                    Some(true) => service.entry("deploy").map(|deploy| (deploy, "replicas")),
                    _ => Some((service, "scale")),
                };
                let Some((map, key)) = place else { return Ok(self) };
                match map.entry(key) {
                    Some(own) if own.text().parse() == Ok(*count) => {}
                    _ => map.put(key, Self::Text { text: count.to_string(), plain: true, tagged: false }),
                }
            }
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
                service.push("ports", mapping, |own| ends_at(own.text(), *container));
            }
            Edit::Flag(flag) => match service.entry("command") {
                Some(Self::Text { text, plain, .. }) if !text.split_whitespace().any(|own| own == flag) => {
                    *text = format!("{text} {flag}");
                    *plain = false;
                }
                Some(Self::List(_)) => service.push("command", flag, |own| own.says(flag)),
                _ => {}
            },
            Edit::NoFlag(flag) => match service.entry("command") {
                Some(Self::Text { text, plain, .. }) => {
                    if let Some(command) = without_flag(text, flag) {
                        (*text, *plain) = (command, false);
                    }
                }
                Some(Self::List(items)) => {
                    if let Some(at) = items.iter().position(|own| own.says(flag)) {
                        items.remove(at);
                    }
                }
                _ => {}
            },
        }
        Ok(self)
    }

    /// Without these services, and without what the others say of them. In what style lists of services are written, does not
    /// count.
    pub(super) fn without(mut self, out: &[String]) -> Self {
        let goes = |word: &str| out.iter().any(|own| Some(own.as_str()) == word.split(':').next());
        let Some(Self::Map(services)) = self.entry("services") else { return self };
        services.retain(|(name, _)| !out.contains(name));
        for (_, service) in services {
            let Self::Map(entries) = service else { continue };
            entries.retain_mut(|(key, value)| {
                let (before, after) = match value {
                    _ if !LISTS.contains(&key.as_str()) => return true,
                    Self::List(items) => {
                        let before = items.len();
                        items.retain(|item| !goes(item.text()));
                        for item in items.iter_mut() {
                            if let Self::Text { plain, .. } = item {
                                *plain = false;
                            }
                        }
                        (before, items.len())
                    }
                    Self::Map(items) => {
                        let before = items.len();
                        items.retain(|(name, _)| !goes(name));
                        (before, items.len())
                    }
                    Self::Text { .. } => return true,
                };
                before == after || after > 0
            });
        }
        self
    }

    /// In the place of the item which is meant, or behind the last one.
    fn push(&mut self, list: &str, item: &str, meant: impl Fn(&Self) -> bool) {
        if self.entry(list).is_none() {
            self.put(list, Self::List(Vec::new()));
        }
        if let Some(Self::List(items)) = self.entry(list) {
            if items.iter().any(|own| own.says(item)) {
                return;
            }
            match items.iter_mut().find(|own| meant(own)) {
                Some(own) => *own = Self::written(item),
                None => items.push(Self::written(item)),
            }
        }
    }
}
