//! Flags: what there are, and what they say. `definition` has commands and help, `bundle`, `network` and `render` those of one verb
//! each, `settings` the
//! flags of the settings table, `globals` what means the same for every command, `options` the kinds of flags.

mod bundle;
mod definition;
mod globals;
mod network;
mod options;
mod render;
mod settings;

pub(super) use definition::{brief, command, strict};
pub(super) use globals::{Globals, every_ignored, innermost};
pub(super) use options::{path_of, time_of, word, words};
pub(super) use settings::flags;
