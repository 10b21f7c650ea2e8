//! Checks of the group `proxy`.
//!
//! | module | what it looks at |
//! | --- | --- |
//! | `authority` | who trusts the authority of a proxy that inspects TLS |
//! | `consumers` | what each reader of proxy settings really gets, side by side, and how the URLs are written |
//! | `line_ends` | line ends of Windows in files that logins read |
//! | `lists` | NO_PROXY lists of the host's files, and the one that was given |
//! | `dial` | the proxy itself: is it there, which language, does it let us through |

mod authority;
mod consumers;
mod dial;
mod line_ends;
mod lists;

use super::AnyCheck;
pub(crate) use authority::Authority;
pub(crate) use consumers::Consumers;
pub(crate) use dial::Dial;
#[cfg(test)]
pub(crate) use dial::DialFacts;
use line_ends::LineEnds;
use lists::NoProxyLists;

/// All of them, in the order in which they are reported.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[&Consumers, &Authority, &LineEnds, &NoProxyLists, &Dial];
