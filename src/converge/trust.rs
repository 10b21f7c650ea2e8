//! Who trusts the authority that is named: foretold over the planned files, seen to, and looked at when everything is written.

use super::{Options, RunContext};
use crate::authority::{self, observe, refresh};
use crate::check::{Authority, Check, CheckSpec};
use crate::context::{AuthoritySpec, Named};
use crate::finding::{Finding, Status};
use crate::host::{HostRead, View};
use crate::plan::PlannedHost;
use crate::problem::{HostState, Problem};

/// What is to be said of it once the plan is carried out.
pub(super) fn plan(host: &View<'_>, context: &RunContext) -> Vec<Finding> {
    let planned = PlannedHost::new(host, &context.plan.changes);
    told(&planned, context).into_iter().filter(|finding| finding.status != Status::Pass).collect()
}

/// Has the system's program take up what lies in the store and is in no bundle, as after an image was prepared; then says who
/// trusts it.
///
/// # Errors
/// The program failed.
pub(super) fn verify(options: Options<'_>, host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    let Some(facts) = look(host, context).filter(|_| !options.dry_run) else { return Ok(()) };
    if facts.host.live && facts.host.placed && !facts.host.missing.is_empty() {
        let state = if context.run.is_some() { HostState::Changed } else { HostState::AsItWas };
        refresh(host, facts.host.folder.as_ref(), false).map_err(|problem| problem.leaving(state))?;
    }
    let findings = told(host, context);
    context.findings.retain(|known| !findings.iter().any(|finding| finding.id == known.id));
    context.findings.extend(findings);
    options.ignored.apply(&mut context.findings);
    Ok(())
}

fn look(host: &dyn HostRead, context: &RunContext) -> Option<authority::AuthorityFacts> {
    let (settings, platform) = (context.settings.as_ref()?, context.platform.as_ref()?);
    Some(observe(host, platform, &settings.home, context.plan.authority.as_ref()?))
}

/// As a check says it.
fn told(host: &dyn HostRead, context: &RunContext) -> Vec<Finding> {
    let (Some(settings), Some(certificates)) = (&context.settings, &context.plan.authority) else { return Vec::new() };
    let named = Named::of(settings).map(|named| AuthoritySpec::new(&named, certificates));
    let spec = CheckSpec { authority: named, home: settings.home.clone(), ..CheckSpec::default() };
    Authority.judge(&look(host, context), &spec)
}
