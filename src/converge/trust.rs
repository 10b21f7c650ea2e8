//! Who trusts the authority that is named: foretold over the planned files, seen to, and looked at when everything is written.

use super::{Options, RunContext};
use crate::authority::{self, Store, observe, refresh};
use crate::check::{Authority, Check, CheckSpec};
use crate::consumers::installed_docker;
use crate::context::{AuthoritySpec, Named};
use crate::finding::{Finding, Status};
use crate::host::{HostRead, View};
use crate::plan::PlannedHost;
use crate::problem::Problem;
use crate::targets::docker_reads_roots;

/// What is to be said of it once the plan is carried out.
pub(super) fn plan(host: &View<'_>, context: &RunContext) -> Vec<Finding> {
    let planned = PlannedHost::new(host, &context.plan.changes);
    told(&planned, context).into_iter().filter(|finding| finding.status != Status::Pass).collect()
}

/// Lies something in the store of a running host that is in no bundle, as after an image was prepared?
pub(super) fn waits(host: &dyn HostRead, context: &RunContext) -> bool {
    host.is_live() && look(host, context).is_some_and(|facts| facts.host.placed && !facts.host.missing.is_empty())
}

/// Has the system's program take it up. The Docker daemon, which may have been started before, is to read it then.
///
/// # Errors
/// The program failed; nothing has changed.
pub(super) fn take_up(host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    let Some(platform) = context.platform.as_ref().filter(|_| waits(host, context)) else { return Ok(()) };
    refresh(host, Store::of(platform).folder, false)?;
    if let Some(unit) = installed_docker(host, platform.systemd()).filter(|_| !context.restart) {
        context.plan.next_steps.push(docker_reads_roots(unit));
    }
    context.took_up = true;
    Ok(())
}

/// Says who trusts it.
pub(super) fn verify(options: Options<'_>, host: &dyn HostRead, context: &mut RunContext) {
    if options.dry_run || context.plan.authority.is_none() {
        return;
    }
    let findings = told(host, context);
    context.findings.retain(|known| !findings.iter().any(|finding| finding.id == known.id));
    context.findings.extend(findings);
    options.ignored.apply(&mut context.findings);
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
