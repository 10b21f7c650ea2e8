//! Which paths must be open, which are, and who breaks them.

pub mod path;
