//! What `check --save` keeps of a check, for `status`.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::apply::{Session, digest};
use crate::finding::{Finding, Status};
use crate::host::{HostRead, HostWrite};
use crate::problem::Problem;
use crate::report::check::Summary;
use crate::stamp::{rfc3339, seconds_of};

/// Beside the runs.
const FILE: &str = "/var/lib/ics-setup/last-check.json";

/// Version of the format.
const VERSION: u32 = 1;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LastCheck {
    version: u32,
    /// When, UTC, RFC 3339.
    pub(crate) time: String,
    /// How many findings ended how.
    pub(crate) summary: Summary,
    /// The ids of those that failed or broke, each once, in the order of the report.
    pub(crate) failing: Vec<String>,
    /// Everything was looked at, and nothing was let pass.
    pub(crate) whole: bool,
    /// It was a running system, and no image.
    pub(crate) live: bool,
    /// The number of the newest run before it.
    pub(crate) seq: u64,
}

impl LastCheck {
    fn of(host: &dyn HostRead, Since { began, seq }: Since, findings: &[Finding], whole: bool) -> Self {
        let fails = |own: &&Finding| matches!(own.status, Status::Fail | Status::Error);
        let mut failing: Vec<String> = Vec::new();
        for finding in findings.iter().filter(fails) {
            if !failing.iter().any(|id| finding.id == id.as_str()) {
                failing.push(finding.id.as_str().to_owned());
            }
        }
        let summary = Summary::of(findings.iter().map(|finding| finding.status));
        Self { version: VERSION, time: rfc3339(began), summary, failing, whole, live: host.is_live(), seq }
    }

    /// How long ago it was, in seconds; `None`: its time is none, or is still to come.
    pub(crate) fn age(&self, host: &dyn HostRead) -> Option<u64> {
        let now = seconds_of(&rfc3339(host.now()))?;
        u64::try_from(now - seconds_of(&self.time)?).ok()
    }
}

/// When a check began: a run that ends while it looks is none that it has looked at.
#[derive(Clone, Copy)]
pub(crate) struct Since {
    began: SystemTime,
    /// The number of the newest run.
    seq: u64,
}

impl Since {
    /// Now.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub(crate) fn now(host: &dyn HostRead) -> Result<Self, Problem> {
        Ok(Self { began: host.now(), seq: digest(host)?.seq })
    }
}

/// Keeps how these findings ended. `whole`: everything was looked at, and nothing was let pass.
///
/// # Errors
/// `locked`; the file cannot be written.
pub(crate) fn keep(host: &dyn HostWrite, since: Since, findings: &[Finding], whole: bool) -> Result<(), Problem> {
    let kept = LastCheck::of(host, since, findings, whole);
    // Text by text keys: nothing in it can fail to become JSON.
    let bytes = serde_json::to_vec_pretty(&kept).unwrap_or_default();
    Session::open(host, &mut |_| {})?.keep(Path::new(FILE), &bytes)
}

/// Why the last one is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// In words.
    pub(crate) why: String,
    /// Root may read it, and this user may not.
    pub(crate) is_closed: bool,
}

/// The last one that was kept.
///
/// # Errors
/// The file is there, and cannot be read or is not what this version writes.
pub(super) fn kept(host: &dyn HostRead) -> Result<Option<LastCheck>, Unread> {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let unread = |error: io::Error| Unread { is_closed: closed(&error), why: error.to_string() };
    let Some(bytes) = host.read(Path::new(FILE)).map_err(unread)? else { return Ok(None) };
    let odd = |why: String| Unread { why, is_closed: false };
    match serde_json::from_slice::<LastCheck>(&bytes) {
        Ok(kept) if kept.version == VERSION => Ok(Some(kept)),
        Ok(kept) => Err(odd(format!("it is of version {}", kept.version))),
        Err(_) => Err(odd("its file is not what ics-setup wrote".to_owned())),
    }
}
