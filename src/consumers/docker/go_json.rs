//! JSON as Go's `encoding/json` fills it into a struct: names in any case, one after the other, so that of two the last one
//! counts that has the right type.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// A value, as far as anybody asks.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Json {
    /// Members in order, also those that stand twice.
    Object(Members),
    Text(String),
    Null,
    Other(IgnoredAny),
}

/// One entry of `proxies`: members by their lower-case names.
pub(super) type Entry = BTreeMap<String, String>;

impl Json {
    /// Members of this name in any case.
    fn members(&self, name: &str) -> impl Iterator<Item = &Json> {
        let members = if let Json::Object(Members(members)) = self { members.as_slice() } else { &[] };
        members.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of this name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members(name)
            .filter_map(|value| if let Json::Text(text) = value { Some(text.as_str()) } else { None })
            .last()
    }

    /// The object of this name, for objects that are looked through one by one.
    pub(super) fn object(&self, name: &str) -> &Json {
        self.members(name).filter(|value| matches!(value, Json::Object(_))).last().unwrap_or(&Json::Null)
    }

    /// `map[string]struct` of this name: an entry of the wrong type is there, and empty.
    pub(super) fn entries(&self, name: &str) -> BTreeMap<String, Entry> {
        let mut found = BTreeMap::new();
        for map in self.members(name) {
            match map {
                Json::Object(Members(entries)) => {
                    found.extend(entries.iter().map(|(key, value)| (key.clone(), value.entry())))
                }
                Json::Null => found.clear(),
                Json::Text(_) | Json::Other(_) => {}
            }
        }
        found
    }

    fn entry(&self) -> Entry {
        let members = if let Json::Object(Members(members)) = self { members.as_slice() } else { &[] };
        let text = |(name, value): &(String, Json)| match value {
            Json::Text(text) => Some((name.to_ascii_lowercase(), text.clone())),
            _ => None,
        };
        members.iter().filter_map(text).collect()
    }
}

/// Members as they stand.
#[derive(Debug, PartialEq)]
pub(super) struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = members.next_entry()? {
            found.push(member);
        }
        Ok(Members(found))
    }
}
