//! The compose file of the product: which image, how many workers, which port.

use super::Context;
use crate::plan::Draft;
use crate::problem::Problem;

pub(super) fn plan(_context: &Context<'_>, _draft: &mut Draft<'_>) -> Result<(), Problem> {
    Ok(())
}
