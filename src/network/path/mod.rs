//! The way to one endpoint, stage by stage: resolve → TCP → CONNECT → TLS → certificate → HTTP. The first stage that fails
//! names the cause.
//!
//! | module | what it does |
//! | --- | --- |
//! | `probe` | goes the way and notes each stage, as facts |
//! | `certificate` | what is worth knowing of a certificate |

mod certificate;
mod probe;
#[cfg(test)]
mod tests;

pub(crate) use certificate::Certificate;
#[cfg(test)]
pub(crate) use probe::Step;
pub(crate) use probe::{Asked, Page, PathProbe, probe};
