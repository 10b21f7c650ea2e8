//! Every id that a finding can have, with what it means: from `assets/checks/*.toml`, one file per group.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

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

const FILES: [&str; 8] = [
    include_str!("../../assets/checks/settings.toml"),
    include_str!("../../assets/checks/host.toml"),
    include_str!("../../assets/checks/proxy.toml"),
    include_str!("../../assets/checks/backends.toml"),
    include_str!("../../assets/checks/network.toml"),
    include_str!("../../assets/checks/agent.toml"),
    include_str!("../../assets/checks/runtime.toml"),
    include_str!("../../assets/checks/verify.toml"),
];

/// All of them, by group and then by id.
pub fn catalogue() -> &'static [Known] {
    static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| FILES.iter().flat_map(|text| entries(text)).collect());
    &ALL
}

/// The entry of an id.
pub fn known(id: &str) -> Option<&'static Known> {
    catalogue().iter().find(|known| known.id == id)
}

fn entries(text: &str) -> Vec<Known> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        group: String,
        #[serde(default)]
        check: BTreeMap<String, Entry>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        title: String,
        explain: String,
    }
    #[allow(clippy::expect_used)] // part of the binary, and a test parses it
    let file: File = toml::from_str(text).expect("assets/checks/*.toml are valid");
    let group: &'static str = file.group.leak();
    let known = |(id, entry): (String, Entry)| Known {
        id: id.leak(),
        group,
        title: entry.title.leak(),
        explain: entry.explain.trim().to_owned().leak(),
    };
    file.check.into_iter().map(known).collect()
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
