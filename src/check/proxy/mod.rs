//! Checks of the group `proxy`.

use super::AnyCheck;

/// All of them, in the order in which they are reported.
pub fn checks() -> Vec<Box<dyn AnyCheck>> {
    Vec::new()
}
