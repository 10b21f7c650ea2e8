//! How each product writes a name and what its wildcard covers, from `assets/allowlist.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::names::Names;
use crate::assets;

/// What is known of a product's grammar.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product {
    /// As its makers write it.
    pub name: String,
    /// Has it rules by address besides those by name?
    #[serde(default)]
    pub addresses: bool,
    /// Names, or addresses only.
    pub by: By,
    #[serde(default)]
    exact: String,
    below: Option<String>,
    levels: Option<Levels>,
    #[serde(default)]
    apex: bool,
    /// Has it a list of what is not to be decrypted?
    #[serde(default)]
    pub decrypt: bool,
    /// Where its grammar is described.
    pub source: String,
    /// When that was read.
    pub date: String,
    /// What the output was tried against.
    #[allow(dead_code, reason = "for whoever reads the file")]
    pub checked: Option<String>,
}

/// What a product's rules are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// Host names.
    Name,
    /// Addresses.
    Address,
}

/// How deep a wildcard goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Levels {
    /// Every depth.
    Any,
    /// One label.
    One,
}

impl Product {
    /// The entry of the file.
    pub(crate) fn get(word: &str) -> Option<&'static Self> {
        static ALL: LazyLock<BTreeMap<String, Product>> = LazyLock::new(|| assets::only(&assets::ALLOWLIST));
        ALL.get(word)
    }

    /// Has it a wildcard that covers names at every depth, as the vendor's patterns do?
    pub(crate) fn covers_every_depth(&self) -> bool {
        self.below.is_some() && self.levels == Some(Levels::Any)
    }

    /// Has it rules of this kind? Those by name have rules by address besides, as far as their lists take any address.
    pub(crate) fn can(&self, by: By) -> bool {
        self.by == by || (self.by == By::Name && self.addresses)
    }

    /// The spellings that cover these names; none where it has no such wildcard.
    pub(crate) fn spell(&self, names: &Names) -> Vec<String> {
        let exact = |host: &str| self.exact.replace("{}", host);
        match (names, &self.below) {
            (Names::Exactly(host), _) => vec![exact(host)],
            (Names::Below { domain, apex }, Some(below)) if self.covers_every_depth() => {
                let below = below.replace("{}", domain);
                if *apex && !self.apex { vec![exact(domain), below] } else { vec![below] }
            }
            (Names::Below { .. }, _) => Vec::new(),
        }
    }
}

#[cfg(test)]
pub(super) fn with_one_label() -> Product {
    toml::from_str(
        "name = \"x\"\nby = \"name\"\nexact = \"{}\"\nbelow = \"*.{}\"\nlevels = \"one\"\nsource = \"-\"\ndate = \"-\"",
    )
    .unwrap()
}
