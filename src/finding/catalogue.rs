//! Every id that a finding can have, with what it means: from `assets/checks/*.toml`, one file per group.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets::{self, Node};

/// One id.
#[derive(Debug)]
pub struct Known {
    /// Stable name.
    pub id: &'static str,
    /// What it is about.
    pub group: &'static str,
    /// What is looked at, in half a sentence.
    pub title: &'static str,
    /// What is expected, why it matters, what to do.
    pub explain: &'static str,
}

const FILES: [&Node; 8] = [
    &assets::CHECKS_SETTINGS,
    &assets::CHECKS_HOST,
    &assets::CHECKS_PROXY,
    &assets::CHECKS_BACKENDS,
    &assets::CHECKS_NETWORK,
    &assets::CHECKS_AGENT,
    &assets::CHECKS_RUNTIME,
    &assets::CHECKS_VERIFY,
];

/// All of them, by group and then by id.
pub fn catalogue() -> &'static [Known] {
    static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| FILES.into_iter().flat_map(entries).collect());
    &ALL
}

/// The entry of an id.
pub fn known(id: &str) -> Option<&'static Known> {
    catalogue().iter().find(|known| known.id == id)
}

fn entries(file: &'static Node) -> Vec<Known> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        group: &'static str,
        #[serde(default)]
        check: BTreeMap<&'static str, Entry>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        title: &'static str,
        explain: &'static str,
    }
    let File { group, check } = assets::read(file);
    let known = |(id, Entry { title, explain })| Known { id, group, title, explain: explain.trim() };
    check.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_explained() {
        let mut ids: Vec<&str> = catalogue().iter().map(|known| known.id).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
        for known in catalogue() {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(
                known.id.chars().all(plain) && known.group.chars().all(plain),
                "{}: letters, digits and -",
                known.id
            );
            assert!(!known.title.is_empty() && !known.title.ends_with('.'), "{}: a title without full stop", known.id);
            assert!(known.explain.len() > 40 && known.explain.ends_with('.'), "{}: sentences", known.id);
        }
    }
}
