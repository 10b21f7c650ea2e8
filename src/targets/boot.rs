//! What starts the product when the host has started: a unit of systemd, in place of the vendor's line in a crontab.

use super::Context;
use crate::plan::Draft;
use crate::problem::Problem;

/// The unit.
pub(crate) const UNIT: &str = "insightcloudsec.service";

pub(super) fn plan(_context: &Context<'_>, _draft: &mut Draft<'_>) -> Result<(), Problem> {
    Ok(())
}
