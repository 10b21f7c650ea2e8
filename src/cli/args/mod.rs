//! Flags: what there are, and what they say. `definition` has commands and help, `network` those of one verb, `settings` the
//! flags of the settings table, `globals` what means the same for every command.

mod definition;
mod globals;
mod network;
mod settings;

pub(super) use definition::{command, strict};
pub(super) use globals::{Globals, every_ignored, is_json};
pub(super) use settings::flags;
