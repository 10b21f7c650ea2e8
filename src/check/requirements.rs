//! What a release of the product asks for, from `assets/requirements.toml`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::finding::Status;
use crate::version::Version;

/// What one range of releases asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// For messages: `releases 21.4 to 23`.
    pub name: String,
    #[serde(default)]
    default: bool,
    from: Option<Version>,
    below: Option<Version>,
    /// The page that says so.
    pub source: String,
    /// When it was read.
    pub date: String,
    /// Which MySQL.
    pub mysql: Window,
    /// Which Redis.
    pub redis: Window,
}

/// Which versions of a back end are right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    from: Version,
    below: Version,
    /// The window in words: `5.7.x`.
    pub shown: String,
    lower: Otherwise,
    higher: Otherwise,
    other: Otherwise,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    Warn,
    Fail,
}

impl From<Otherwise> for Status {
    fn from(otherwise: Otherwise) -> Self {
        match otherwise {
            Otherwise::Warn => Self::Warn,
            Otherwise::Fail => Self::Fail,
        }
    }
}

impl Window {
    /// Where a version stands: before the window, in it, behind it.
    pub fn place(&self, version: &Version) -> Ordering {
        match version {
            version if *version < self.from => Ordering::Less,
            version if *version < self.below => Ordering::Equal,
            _ => Ordering::Greater,
        }
    }

    /// What becomes of a version of the right make.
    pub fn verdict(&self, version: &Version) -> Status {
        match self.place(version) {
            Ordering::Less => self.lower.into(),
            Ordering::Equal => Status::Pass,
            Ordering::Greater => self.higher.into(),
        }
    }

    /// What becomes of another make.
    pub fn other(&self) -> Status {
        self.other.into()
    }
}

impl Profile {
    /// The profile of a release; the default one where none is named, or where its text is no number.
    pub fn of(release: Option<&str>) -> &'static Self {
        let all = all();
        let by_number =
            release.map(|text| text.trim_start_matches(['v', 'V'])).and_then(Version::parse).and_then(|release| {
                all.iter().find(|profile| {
                    profile.from.as_ref().is_none_or(|from| *from <= release)
                        && profile.below.as_ref().is_none_or(|below| release < *below)
                })
            });
        // A test holds the file to exactly one default.
        by_number.or_else(|| all.iter().find(|profile| profile.default)).unwrap_or(&all[0])
    }
}

fn all() -> &'static [Profile] {
    #[derive(Deserialize)]
    struct File {
        profile: Vec<Profile>,
    }
    static FILE: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        #[allow(clippy::expect_used)] // part of the binary, and a test parses it
        let file: File =
            toml::from_str(include_str!("../../assets/requirements.toml")).expect("assets/requirements.toml");
        file.profile
    });
    &FILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_one_profile_and_there_is_one_default() {
        assert_eq!(all().iter().filter(|profile| profile.default).count(), 1);
        for (release, name) in [
            (None, "releases 21.4 to 23"),
            (Some("latest"), "releases 21.4 to 23"),
            (Some("v22.3.9"), "releases 21.4 to 23"),
            (Some("21.3.5"), "releases 19 to 21.3"),
            (Some("18.6"), "releases before 19"),
            (Some("25.1"), "releases from 24"),
        ] {
            assert_eq!(Profile::of(release).name, name, "{release:?}");
        }
    }

    #[test]
    fn a_version_is_before_in_or_behind_its_window() {
        let version = |text| Version::parse(text).unwrap();
        let mysql = &Profile::of(None).mysql;
        assert_eq!(mysql.verdict(&version("5.7.44")), Status::Pass);
        assert_eq!(mysql.verdict(&version("5.6.24")), Status::Fail);
        assert_eq!(mysql.verdict(&version("8.0.36")), Status::Fail);
        let redis = &Profile::of(None).redis;
        assert_eq!(redis.verdict(&version("5.0.6")), Status::Pass);
        assert_eq!(redis.verdict(&version("4.0.10")), Status::Fail);
        assert_eq!(redis.verdict(&version("7.0.15")), Status::Warn);
        assert_eq!(Profile::of(Some("20.1")).redis.verdict(&version("5.0.7")), Status::Warn);
    }
}
