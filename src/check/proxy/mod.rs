//! Checks of the group `proxy`.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `consumers` | what each reader of proxy settings really gets, side by side, and how the URLs are written |
//! | `lints` | NO_PROXY lists, by what each client makes of them |
//! | `dial` | the proxy itself: is it there, which language, does it let us through |

mod consumers;
mod dial;
mod lints;

use super::AnyCheck;
use crate::check::prelude::*;
use consumers::Consumers;
pub(crate) use dial::Dial;
use lints::NoProxyLists;

/// A list of no_proxy members as it is shown in full or cut to `shown`. Members that were found on the host may hold a login,
/// so only a list without one counts as own words.
fn list_text(list: &str, shown: String) -> Text {
    if list.contains('@') { text!("{}", shown) } else { text!("{}", own(shown)) }
}

/// All of them, in the order in which they are reported.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[&Consumers, &NoProxyLists, &Dial];
