//! Failing findings as the problem that ends a run.

use crate::check::Group;
use crate::finding::{Finding, Status};
use crate::network::cause::Via;
use crate::problem::{Kind, Problem, ProblemId, id};
use crate::text;
use crate::text::Text;

/// The problem of the failing findings.
///
/// # Errors
/// Where there is one.
pub(crate) fn stop_on_failure(findings: &[Finding]) -> Result<(), Problem> {
    failure(findings).map_or(Ok(()), |problem| Err(or_ignored(problem, findings)))
}

/// A run that asks the world first stops here.
pub(super) fn nothing_fails(findings: &[Finding]) -> Result<(), Problem> {
    let Some(problem) = failure(findings) else { return Ok(()) };
    let again = "then run the same command again: nothing of it was written or remembered";
    Err(or_ignored(problem.hint(again), findings))
}

fn failing(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.status == Status::Fail)
}

/// The first failing finding as a problem, with what mends it.
fn failure(findings: &[Finding]) -> Option<Problem> {
    let first = failing(findings).next()?;
    let others = failing(findings).count() - 1;
    let mut problem = problem_of(first, id::CHECKS_FAILED);
    if others > 0 {
        problem.message.push(text!(" (and {} more)", others));
    }
    Some(problem)
}

/// A failing finding as a problem, with what mends it.
pub(crate) fn problem_of(finding: &Finding, id: ProblemId) -> Problem {
    let outside = finding.path == Some(Via::Proxy.as_str()) || finding.id.group() == Group::Backends.as_str();
    let kind = if outside { Kind::Outside } else { Kind::Host };
    let problem = Problem::new(kind, id, finding.title.clone());
    let problem = match &finding.observed {
        Some(observed) => problem.because(text!("seen: {}", observed)),
        None => problem,
    };
    finding.fix.iter().cloned().fold(problem, Problem::hint_fix)
}

/// The other way out: what lets all of them pass.
pub(crate) fn or_ignored(problem: Problem, findings: &[Finding]) -> Problem {
    let mut ids = Vec::new();
    for id in failing(findings).map(|finding| finding.id) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let flags = Text::join(ids.into_iter().map(|id| text!("--ignore-check {}", id)), " ");
    problem.hint(text!("go on all the same: {}", flags))
}
