//! What a release of the product asks for, from `assets/requirements.toml`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;
use crate::finding::Status;
use crate::network::catalogue::Confidence;
use crate::settings::Deployment;
use crate::version::Version;

/// What one range of releases asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// For messages: `releases 21.4 to 23`.
    pub name: String,
    #[serde(default)]
    default: bool,
    from: Option<Version>,
    below: Option<Version>,
    /// How well it is known.
    pub confidence: Confidence,
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
pub(crate) struct Window {
    from: Version,
    below: Version,
    /// The window in words: `5.7.x`.
    pub shown: String,
    /// What to move to, where `shown` does not say it.
    #[serde(default)]
    pub advice: Option<String>,
    lower: Status,
    higher: Status,
    other: Status,
    /// The profile's.
    #[serde(skip, default = "inferred")]
    confidence: Confidence,
}

/// What a window that was given no confidence has: the one that judges least.
fn inferred() -> Confidence {
    Confidence::Inferred
}

impl Window {
    /// Where a version stands: before the window, in it, behind it.
    pub(crate) fn place(&self, version: &Version) -> Ordering {
        match version {
            version if *version < self.from => Ordering::Less,
            version if *version < self.below => Ordering::Equal,
            _ => Ordering::Greater,
        }
    }

    /// What becomes of a version of the right make.
    pub(crate) fn verdict(&self, version: &Version) -> Status {
        self.confidence.at_most(match self.place(version) {
            Ordering::Less => self.lower,
            Ordering::Equal => Status::Pass,
            Ordering::Greater => self.higher,
        })
    }

    /// What becomes of another make.
    pub(crate) fn other(&self) -> Status {
        self.confidence.at_most(self.other)
    }
}

impl Profile {
    /// The profile of a release; the default one where none is named, or where its text is no number.
    pub(crate) fn of(release: Option<&str>) -> &'static Self {
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

/// What the product's host needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hardware {
    /// For messages: `a Test Drive`.
    #[serde(skip)]
    pub name: &'static str,
    /// Cores.
    pub cores: u32,
    /// Fewer, with which it was seen to work.
    pub cores_tried: Option<u32>,
    /// Memory in GiB.
    pub memory_gib: u64,
    memory_tried_gib: Option<u64>,
    /// Disk in GB (10⁹ bytes): the size of the root volume.
    pub disk_gb: u64,
    /// What has to be free of it before the installation, in KiB.
    pub free_kib: u64,
    /// The page that says so.
    pub source: String,
    /// When it was read.
    #[allow(dead_code, reason = "a fact without its date is refused")]
    date: String,
}

impl Hardware {
    /// What a deployment needs.
    pub(crate) fn of(deployment: Deployment) -> &'static Self {
        match deployment {
            Deployment::Production => &file().hardware.production,
            Deployment::TestDrive => &file().hardware.test_drive,
        }
    }

    /// With fewer cores it does not work.
    pub(crate) fn cores_least(&self) -> u32 {
        self.cores_tried.unwrap_or(self.cores)
    }

    /// With less memory, in GiB, it does not work.
    pub(crate) fn memory_least_gib(&self) -> u64 {
        self.memory_tried_gib.unwrap_or(self.memory_gib)
    }
}

/// What an upgrade that crosses a release asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crossing {
    /// The release: from before it, to it or a later one.
    pub across: Version,
    /// The least Redis.
    pub redis: Version,
    /// What the vendor says, in half a sentence.
    pub says: String,
    /// The page that says so.
    pub source: String,
    /// When it was read.
    pub date: String,
}

impl Crossing {
    /// Of an upgrade between these two releases.
    pub(crate) fn of(from: &Version, to: &Version) -> Option<&'static Self> {
        file().upgrade.iter().find(|own| *from < own.across && own.across <= *to)
    }
}

#[derive(Deserialize)]
struct File {
    profile: Vec<Profile>,
    upgrade: Vec<Crossing>,
    hardware: Machines,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Machines {
    production: Hardware,
    test_drive: Hardware,
}

fn file() -> &'static File {
    static FILE: LazyLock<File> = LazyLock::new(|| {
        let mut file: File = assets::read(&assets::REQUIREMENTS);
        file.hardware.production.name = "an instance in production";
        file.hardware.test_drive.name = "a Test Drive";
        for profile in &mut file.profile {
            profile.mysql.confidence = profile.confidence;
            profile.redis.confidence = profile.confidence;
        }
        file
    });
    &FILE
}

fn all() -> &'static [Profile] {
    &file().profile
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
    fn an_upgrade_asks_for_more_where_it_crosses_a_release() {
        let crosses = |from, to| Crossing::of(&Version::parse(from).unwrap(), &Version::parse(to).unwrap()).is_some();
        assert!(crosses("21.3.5", "21.4") && crosses("20.1", "25.1"));
        assert!(!crosses("21.4", "22.3.9") && !crosses("19.5.2", "21.3.5"));
        assert!(file().upgrade.iter().all(|own| !own.says.is_empty() && !own.date.is_empty()));
    }

    #[test]
    fn what_is_inferred_is_never_failed() {
        for profile in all().iter().filter(|profile| profile.confidence == Confidence::Inferred) {
            for window in [&profile.mysql, &profile.redis] {
                let ever = ["0.1", "5.7", "99"].map(|text| window.verdict(&Version::parse(text).unwrap()));
                assert!(!ever.contains(&Status::Fail) && window.other() != Status::Fail, "{}", profile.name);
            }
        }
        let strict = &Profile::of(None).mysql;
        let inferred: Window = Window {
            confidence: Confidence::Inferred,
            shown: String::new(),
            advice: None,
            from: strict.from.clone(),
            below: strict.below.clone(),
            ..*strict
        };
        assert_eq!((strict.other(), inferred.other()), (Status::Fail, Status::Warn));
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
