//! Every id that a finding can have, with what it means: from `assets/checks/*.toml`, one file per group.

use super::ids::{CATALOGUE, FindingId};

/// One id.
#[derive(Debug)]
pub struct Known {
    /// Stable name and group.
    pub id: FindingId,
    /// What is looked at, in half a sentence.
    pub title: &'static str,
    /// What is expected, why it matters, what to do.
    pub explain: &'static str,
}

/// All of them, by group and then by id.
pub fn catalogue() -> &'static [Known] {
    CATALOGUE
}

/// The entry of an id.
pub fn known(id: &str) -> Option<&'static Known> {
    catalogue().iter().find(|known| known.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_explained() {
        let mut ids: Vec<&str> = catalogue().iter().map(|known| known.id.as_str()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
        for known in catalogue() {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(
                known.id.as_str().chars().all(plain) && known.id.group().chars().all(plain),
                "{}: letters, digits and -",
                known.id
            );
            assert!(!known.title.is_empty() && !known.title.ends_with('.'), "{}: a title without full stop", known.id);
            assert!(known.explain.len() > 40 && known.explain.ends_with('.'), "{}: sentences", known.id);
        }
    }
}
