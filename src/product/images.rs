//! Which image a release has, from `assets/images.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;
use crate::docker::repository_and_tag;
use crate::network::catalogue::Confidence;
use crate::version::Version;

/// All of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductImages {
    image: Vec<Row>,
    method: Method,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    from: Version,
    below: Option<Version>,
    repository: String,
    confidence: Confidence,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table"))]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    newest: Version,
    source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table"))]
    date: String,
}

/// The image of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfRelease {
    /// `repository:tag`.
    pub(crate) reference: String,
    /// Nobody has seen it: the repository is that of releases around it.
    pub(crate) inferred: bool,
}

impl ProductImages {
    /// The facts.
    pub(crate) fn get() -> &'static Self {
        static FACTS: LazyLock<ProductImages> = LazyLock::new(|| assets::read(&assets::IMAGES));
        &FACTS
    }

    /// The image of a release, written as `22.3.9` or `v22.3.9`; `None`: it is no release, or one before the table.
    pub(crate) fn of_release(&self, release: &str) -> Option<OfRelease> {
        let number = release.trim_start_matches(['v', 'V']);
        let is_tag = number.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let version = Version::parse(number).filter(|_| is_tag)?;
        let row = self
            .image
            .iter()
            .find(|row| row.from <= version && row.below.as_ref().is_none_or(|below| version < *below))?;
        let inferred = row.confidence != Confidence::Verified;
        Some(OfRelease { reference: format!("{}:v{number}", row.repository), inferred })
    }

    /// The newest release for which this way of installing is attested.
    pub(crate) fn newest(&self) -> &Version {
        &self.method.newest
    }

    /// Where the vendor says how newer ones are installed.
    pub(crate) fn source(&self) -> &str {
        &self.method.source
    }
}

/// The release that an image's tag names.
pub(crate) fn release_of(image: &str) -> Option<Version> {
    Version::parse(repository_and_tag(image).1.trim_start_matches(['v', 'V']))
}

/// Where the change from one image to another leads, by the releases that their tags name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The same release, wherever its image comes from.
    Same,
    /// A newer one.
    Up,
    /// An older one.
    Down,
    /// The tags do not tell.
    Unknown,
}

/// The step from one image to another.
pub(crate) fn step(from: &str, to: &str) -> Step {
    let (from, to) = (repository_and_tag(from), repository_and_tag(to));
    match (numbered(from.1), numbered(to.1)) {
        (Some((from, _)), Some((to, _))) if from < to => Step::Up,
        (Some((from, _)), Some((to, _))) if from > to => Step::Down,
        (Some((_, before)), Some((_, after))) if before == after => Step::Same,
        _ if from == to => Step::Same,
        _ => Step::Unknown,
    }
}

/// The release that a tag names, and what follows its numbers. Digits without a dot may be a commit's.
fn numbered(tag: &str) -> Option<(Version, &str)> {
    let tag = tag.trim_start_matches(['v', 'V']);
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    let (numbers, rest) = tag.split_at(end);
    let is_release = numbers.contains('.') && (rest.is_empty() || rest.starts_with(['-', '+', '_']));
    Version::parse(numbers).filter(|_| is_release).map(|version| (version, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_as_releases_and_what_cannot_be_is_not_known() {
        for (from, to, wanted) in [
            ("v22.3.9", "v22.12.7", Step::Up),
            ("22.12.7", "v22.3.9", Step::Down),
            ("v22.3.9", "22.3.9", Step::Same),
            ("v22.3.9-rc1", "v22.3.10", Step::Up),
            ("v22.3.9-rc1", "v22.3.9", Step::Unknown),
            ("latest", "v22.3.9", Step::Unknown),
            ("v22.3.9", "7f3a2b1", Step::Unknown),
            ("v22.3.9", "7f.3a2b1", Step::Unknown),
            ("latest", "latest", Step::Same),
        ] {
            let [from, to] = [from, to].map(|tag| format!("registry.corp.example:5000/ics/core:{tag}"));
            assert_eq!(step(&from, &to), wanted, "{from} {to}");
        }
        assert_eq!(step("divvycloud/divvycloud:v22.3.9", "public.ecr.aws/divvycloud/divvycloud:v22.3.9"), Step::Same);
        assert_eq!(step("divvycloud/divvycloud", "divvycloud/divvycloud:latest"), Step::Same);
        assert_eq!(step("divvycloud/divvycloud:latest", "ics/core:latest"), Step::Unknown);
    }

    #[test]
    fn every_release_since_19_has_one_repository() {
        let images = ProductImages::get();
        for (release, reference, inferred) in [
            ("19.5.2", "divvycloud/divvycloud:v19.5.2", false),
            ("v21.3.5", "divvycloud/divvycloud:v21.3.5", false),
            ("21.7.1", "divvycloud/divvycloud:v21.7.1", true),
            ("22.3.9", "public.ecr.aws/divvycloud/divvycloud:v22.3.9", false),
            ("22.12.7", "public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7", false),
            ("25.1", "public.ecr.aws/rapid7-insightcloudsec/ics/core:v25.1", true),
        ] {
            let found = images.of_release(release).unwrap();
            assert_eq!((found.reference.as_str(), found.inferred), (reference, inferred), "{release}");
            assert_eq!(release_of(reference), Version::parse(release.trim_start_matches('v')));
        }
        for none in ["18.6", "latest", "", "22.3.9 x", "22:3"] {
            assert_eq!(images.of_release(none), None, "{none}");
        }
        assert_eq!(release_of("divvycloud/divvycloud"), None);
        assert!(images.image.iter().all(|row| !row.source.is_empty()) && !images.method.date.is_empty());
        let ends = images.image.iter().map(|row| row.below.clone());
        assert!(ends.zip(images.image.iter().skip(1)).all(|(below, next)| below.as_ref() == Some(&next.from)));
    }
}
