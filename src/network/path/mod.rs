//! The way to one endpoint, stage by stage: resolve → TCP → CONNECT → TLS → certificate → HTTP. The first stage that fails
//! names the cause.
//!
//! | module | what it does |
//! | --- | --- |
//! | `probe` | goes the way and notes each stage, as facts |
//! | `certificate` | what is worth knowing of a certificate |
//! | `stream` | streams that remember, and whose deadline moves |
//! | `product` | names products that inspect TLS, by their certificates and block pages |

mod certificate;
mod probe;
mod product;
mod stream;
#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use probe::{Asked, Cause, Failure, Page, PathProbe, Stage, Step, Via, probe};
pub use product::inspector;
