//! The law of findings: whatever fails has a cause and a way out, whichever branch tells of it. Tests of checks hold what
//! they judge to it, and here the judges are driven over each variant of their facts.

mod errors;
mod product;
mod servers;

use crate::finding::{Finding, Status};

/// What fails or warns has a cause, and a command or a sentence that mends it; what was not looked at says why.
#[track_caller]
pub(super) fn each_has_a_way_out(findings: &[Finding]) {
    for finding in findings {
        match finding.status {
            Status::Fail | Status::Warn | Status::Error => {
                let told = finding.cause.as_ref().is_some_and(|cause| !cause.is_empty());
                assert!(told && finding.observed.is_some(), "no cause: {finding:#?}");
                assert!(!finding.fix.is_empty(), "no way out: {finding:#?}");
            }
            Status::Skip => assert!(finding.observed.is_some(), "no reason: {finding:#?}"),
            Status::Pass => {}
        }
    }
}
