//! Flags: what there are, and what they say. `definition` has commands and help, `network` and `render` those of one verb, `settings` the
//! flags of the settings table, `globals` what means the same for every command, `options` the kinds of flags.

mod definition;
mod globals;
mod network;
mod options;
mod render;
mod settings;

pub(super) use definition::{command, strict};
pub(super) use globals::{Globals, every_ignored, innermost};
pub(super) use options::{path_of, word, words};
pub(super) use settings::flags;
