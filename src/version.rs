//! Release numbers that can be compared.

use std::cmp::Ordering;

use serde::Deserialize;

/// The leading dotted numbers of a release: `18.04`, `7.9.2009`, `1.5.2` of `1.5.2-6+deb12u1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Version(Vec<u32>);

impl Version {
    /// `None` where `text` does not begin with a number: code names, `rolling`, nothing at all.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let numbers = text[..end].trim_end_matches('.').split('.').map(str::parse).collect::<Result<_, _>>();
        numbers.ok().map(Self)
    }

    /// The first number.
    pub(crate) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }
}

/// Missing parts count as zero: `7` is `7.0`.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |version: &Self, at: usize| version.0.get(at).copied().unwrap_or(0);
        let parts = self.0.len().max(other.0.len());
        (0..parts).map(|at| part(self, at).cmp(&part(other, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no version"))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn compares_by_number_not_by_text() {
        assert!(version("8.10") > version("8.9"));
        assert!(version("18.04") > version("16.10"));
        assert!(version("7.9.2009") >= version("7"));
        assert_eq!(version("7"), version("7.0"));
        assert_eq!(version("1.5.2-6+deb12u1"), version("1.5.2"));
        assert_eq!(version("9."), version("9"));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", ".", "rolling", "TEMPLATE_VERSION_ID", "trixie/sid", "-7", "7..1", "99999999999", "٧"] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
    }
}
