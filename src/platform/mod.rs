//! Which system this is, and what follows from it: how it is treated.
//!
//! The vendor supports Ubuntu and CentOS; everything made like one of them can be treated alike, with a warning. Which
//! systems there are, how old they may be and where that is written stands in `assets/platform.toml`, with sources.
//!
//! | module | what it does |
//! | --- | --- |
//! | `sources` | finds the file that tells what the system is: `os-release`, else its elders |
//! | `os_release` | the grammar of that file |
//! | `judge` | chooses the strategy and words the findings |
//! | `strategy` | the strategies, and what each means: files, package manager |
//! | `pam` | which linux-pam reads `/etc/environment`, and how long a line it bears |
//! | `systemd` | which systemd reads units |
//! | `facts`, `text` | the data, text fit for messages |

mod facts;
mod judge;
mod os_release;
mod pam;
mod sources;
mod strategy;
mod systemd;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use pam::{DPKG, PamFacts, dpkg_version, upstream};
pub(crate) use strategy::{PackageManager, PackageSyntax, Strategy};

use crate::envfile::unit::Release;
use crate::envfile::{Dialect, PamLimit};
use crate::finding::Finding;
use crate::host::HostRead;
use crate::problem::Problem;
use facts::{Facts, System};
use sources::{Identity, Tried};

/// Finds out what system the host is and how to treat it. `forced` (`--os`) chooses the strategy whatever the host says.
///
/// The findings, all of group `host`:
///
/// | id | status | when |
/// | --- | --- | --- |
/// | `os-too-old` | fail | a known system, older than its minimum; also with `forced`, which says what kind of system, not how old |
/// | `os-version-unknown` | warn | a known system that names no version, as Debian sid |
/// | `os-not-listed` | warn | not Ubuntu or CentOS itself; with `forced`: the host would by itself not get that strategy |
///
/// # Errors
/// `os-unsupported`: the host says what it is, and there is no strategy for it. `os-unknown`: no file tells what it is.
/// Neither comes with `forced`.
pub(crate) fn detect(host: &dyn HostRead, forced: Option<Strategy>) -> Result<(Platform, Vec<Finding>), Problem> {
    judge(&look(host), forced)
}

/// The systems that there is a strategy for, in words.
pub(crate) fn known() -> &'static str {
    &Facts::get().known
}

/// What the host says about itself. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said(Words);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Words {
    Identity(Identity),
    Nothing(Vec<Tried>),
}

/// The first half of [`detect`]: reads what the host says about itself.
pub(crate) fn look(host: &dyn HostRead) -> Said {
    Said(match sources::identify(host, Facts::get()) {
        Ok(identity) => Words::Identity(identity),
        Err(tried) => Words::Nothing(tried),
    })
}

/// The second half of [`detect`]: pure.
///
/// # Errors
/// As [`detect`].
pub(crate) fn judge(said: &Said, forced: Option<Strategy>) -> Result<(Platform, Vec<Finding>), Problem> {
    match (&said.0, forced) {
        (Words::Identity(identity), _) => {
            let judge::Verdict { strategy, system, findings } = judge::judge(Facts::get(), identity, forced)?;
            Ok((Platform { os: Os::new(identity.clone(), strategy), system, forced }, findings))
        }
        (Words::Nothing(_), Some(strategy)) => {
            let nameless = Identity { pretty: "an unknown system".to_owned(), ..Identity::default() };
            Ok((Platform { os: Os::new(nameless, strategy), system: None, forced }, Vec::new()))
        }
        (Words::Nothing(tried), None) => Err(judge::unknown(tried)),
    }
}

/// What system the host says it is. Texts are fit for messages: short, and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Os {
    /// `ID` of `os-release`, lower case; empty when it is not known.
    pub id: String,
    /// `VERSION_ID` as written, also where it is no number; empty when it is not known.
    pub version: String,
    /// The name for people.
    pub pretty: String,
    /// How it is treated.
    pub strategy: Strategy,
    /// The file that said so, as a path on the host; empty when none did.
    pub source: PathBuf,
}

impl Os {
    fn new(identity: Identity, strategy: Strategy) -> Self {
        let Identity { id, version, pretty, source, .. } = identity;
        Self { id, version, pretty, strategy, source: PathBuf::from(source) }
    }
}

/// A host's system and what follows from its strategy.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    /// What the host is.
    pub os: Os,
    system: Option<&'static System>,
    forced: Option<Strategy>,
}

impl Platform {
    /// The strategy that was chosen whatever the host says (`--os`).
    pub(crate) fn forced(&self) -> Option<Strategy> {
        self.forced
    }

    /// Does the vendor list it?
    pub(crate) fn is_listed(&self) -> bool {
        self.system.is_some_and(|system| system.listed)
    }

    /// The file that gives logins their proxy: `/etc/environment` or `/etc/profile.d/proxy.sh`.
    pub(crate) fn system_proxy_file(&self) -> &'static Path {
        Path::new(self.os.strategy.family().system_proxy_file)
    }

    /// Is that file a shell script? Otherwise pam_env reads it.
    pub(crate) fn system_proxy_is_shell(&self) -> bool {
        self.os.strategy.family().system_proxy_is_shell
    }

    /// How that file is read; the limit of pam_env is [`Platform::pam_limit`]'s to tell.
    pub(crate) fn system_proxy_dialect(&self) -> Dialect {
        if self.system_proxy_is_shell() { Dialect::Shell } else { Dialect::PamEnv(PamLimit::None) }
    }

    /// The folder of certificates that the host trusts besides, and the program that takes them up.
    pub(crate) fn trust_store(&self) -> (&'static str, &'static str) {
        self.os.strategy.trust_store()
    }

    /// The package manager and the file that takes its proxy.
    pub(crate) fn package_manager(&self, host: &dyn HostRead) -> PackageManager {
        (self.os.strategy.family().package_manager)(host)
    }

    /// What package sources of Debian's kind call the release: `jammy`; `None`: it has no such name.
    ///
    /// # Errors
    /// A file that would tell cannot be read.
    pub(crate) fn codename(&self, host: &dyn HostRead) -> std::io::Result<Option<String>> {
        sources::codename(host)
    }

    /// The linux-pam that reads `/etc/environment`, and its limit on the length of a line.
    ///
    /// Reads dpkg's database of some megabytes, so ask only when a line is long.
    pub(crate) fn pam_limit(&self, host: &dyn HostRead) -> PamFacts {
        pam::facts(host, &self.os, self.system)
    }

    /// The systemd that reads units.
    pub(crate) fn systemd(&self) -> Release {
        systemd::release(&self.os, self.system)
    }
}
