//! Where docker-compose is, and where root's crontab looks for it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{is_program, text};
use crate::host::HostRead;
use crate::text::{Text, clean};
use crate::vendor::Vendor;

#[derive(Serialize, Deserialize)]
pub(crate) struct ComposeFacts {
    /// `docker-compose`, wherever it is.
    pub(crate) programs: Vec<PathBuf>,
    /// The plugin behind `docker compose`.
    pub(crate) plugins: Vec<PathBuf>,
    /// What root's cron jobs call.
    pub(crate) called: Vec<Called>,
    /// Crontabs that could not be read, and why.
    pub(crate) unread: Vec<Text>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Called {
    pub(crate) crontab: PathBuf,
    pub(crate) program: String,
    pub(crate) exists: bool,
}

/// Looks at the usual places of docker-compose and of its plugin, and into these crontabs.
pub(crate) fn observe(host: &dyn HostRead, crontabs: &[String]) -> ComposeFacts {
    let files = &Vendor::get().compose;
    let there =
        |paths: &[PathBuf]| -> Vec<PathBuf> { paths.iter().filter(|path| is_program(host, path)).cloned().collect() };
    let (mut called, mut unread) = (Vec::new(), Vec::new());
    for crontab in crontabs {
        match text(host, crontab) {
            Ok(content) => called.extend(calls(&content.unwrap_or_default()).into_iter().map(|program| Called {
                crontab: host.shown(Path::new(crontab)),
                exists: is_program(host, Path::new(program)),
                program: clean(program, 200),
            })),
            Err(why) => unread.push(why),
        }
    }
    ComposeFacts { called, unread, programs: there(&files.programs), plugins: there(&files.plugins) }
}

/// The programs of that name that lines of a crontab call by their whole path.
fn calls(crontab: &str) -> Vec<&str> {
    let lines = crontab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || "();&|\"'`".contains(c)));
    let mut found: Vec<&str> =
        words.filter(|word| word.starts_with('/') && word.ends_with("/docker-compose")).take(16).collect();
    found.dedup();
    found
}
