//! What the verbs would write now.

use std::path::PathBuf;

use crate::context::{HostContext, Inputs, Intent};
use crate::converge::{mended, problem_of};
use crate::finding::{Ignored, Status};
use crate::host::HostRead;
use crate::plan::Change;
use crate::platform::Platform;
use crate::problem::{Problem, id};
use crate::settings::{First, Settings, TargetName, Unresolved};
use crate::targets::Phase;

/// What a verb would write, without its flags.
#[derive(Debug, Default)]
pub(crate) enum Pending {
    /// It is not known.
    #[default]
    Unknown,
    /// Nothing: all is as wanted.
    Nothing,
    /// These files.
    Files(Vec<PathBuf>),
    /// It would refuse.
    Refused(Box<Problem>),
}

impl Pending {
    pub(super) fn of(changes: &Result<Vec<Change>, Problem>) -> Self {
        match changes {
            Ok(changes) if changes.is_empty() => Self::Nothing,
            Ok(changes) => Self::Files(changes.iter().map(|change| change.path.clone()).collect()),
            Err(problem) => Self::Refused(Box::new(problem.clone())),
        }
    }
}

/// The proxy that `prepare` would take, and what it would write now: it asks the files of the system first.
///
/// # Errors
/// As [`mended`]; settings that it would refuse.
pub(super) fn would_prepare(
    host: &dyn HostRead,
    inputs: &Inputs,
    ignored: &Ignored,
) -> Result<(Option<String>, Vec<Change>), Problem> {
    let known = HostContext::load(host, inputs, Intent::Change { first: First::System, dry_run: true })?;
    let (settings, _) = known.resolve(inputs, ignored).map_err(Unresolved::into_problem)?;
    let platform = known.platform.as_ref().ok_or_else(|| Problem::bug("a plan for a system that is not known"))?;
    let changes = would_write(host, &known, platform, &settings, Phase::Prepare, &[])?;
    Ok((settings.proxies.places(), changes))
}

/// What this verb would write now, with the targets that it converges by itself and `more`.
///
/// # Errors
/// As [`mended`].
fn would_write(
    host: &dyn HostRead,
    known: &HostContext<'_>,
    platform: &Platform,
    settings: &Settings,
    phase: Phase,
    more: &[TargetName],
) -> Result<Vec<Change>, Problem> {
    let mut settings = settings.clone();
    settings.targets = [phase.targets(), more].concat();
    let plan = mended(host, &known.view, platform, &known.found, &mut settings, phase, false)?;
    match plan.findings.iter().find(|finding| finding.status == Status::Fail) {
        Some(finding) => Err(problem_of(finding, id::CHECKS_FAILED)),
        None => Ok(plan.changes),
    }
}

/// What `reconfigure` would change; `None`: there is no product.
pub(super) fn reconfigured(
    host: &dyn HostRead,
    known: &HostContext<'_>,
    platform: &Platform,
    settings: &Settings,
) -> Option<Result<Vec<Change>, Problem>> {
    known.has_product.then(|| would_write(host, known, platform, settings, Phase::Reconfigure, &[]))
}

/// What `prepare`, with all its targets and told the proxy that is wanted, and `reconfigure` would change now, so that nobody is
/// sent to them in vain; `None`: that is not known. Where one of them would refuse, it says itself why.
pub(crate) fn all_changes(
    host: &dyn HostRead,
    known: &HostContext<'_>,
    platform: &Platform,
    settings: &Settings,
) -> Option<Vec<Change>> {
    with_prepared(host, known, platform, settings, reconfigured(host, known, platform, settings))
}

/// The same, where it is known what `reconfigure` would change.
pub(super) fn with_prepared(
    host: &dyn HostRead,
    known: &HostContext<'_>,
    platform: &Platform,
    settings: &Settings,
    reconfigured: Option<Result<Vec<Change>, Problem>>,
) -> Option<Vec<Change>> {
    if !settings.proxies.any() {
        return None;
    }
    let more = &[TargetName::PackageManager];
    let mut changes = would_write(host, known, platform, settings, Phase::Prepare, more).ok()?;
    changes.extend(reconfigured.transpose().ok()?.into_iter().flatten());
    Some(changes)
}
