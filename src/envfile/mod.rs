//! Files of `NAME=value` lines: what each reader sees in them, and how to change a line so that every reader sees the new
//! value while all other bytes stay.
//!
//! [`Dialect`] predicts a reader. [`edit()`] changes a file and accepts its own work only when the predictions agree.
//! [`unit`] does the same for `Environment=` in systemd drop-ins, `ini` for keys of a section.

mod dialect;
mod edit;
mod encoding;
pub(crate) mod ini;
mod lines;
mod portable;
pub mod shell;
mod splice;
pub mod unit;

pub(crate) use dialect::PamLines;
pub use dialect::{Complaint, Dialect, PamLimit, Reading, Seen, shell_read_with};
pub use edit::{Edit, Edited, Note, Refused, Rejection, edit};
pub(crate) use encoding::{UTF_16, to_utf_8, utf_16};
pub(crate) use lines::ASIDE;
pub use lines::{Occurrence, State, Syntax, find};
pub use portable::{NotPortable, PortableValue};
