//! Which paths must be open, which are, who breaks them, and what to hand to those who open them.
//!
//! | module | what |
//! | --- | --- |
//! | [`catalogue`] | every outbound connection, as data with source and date, and which of them the settings call for |
//! | [`path`] | the way to one endpoint, stage by stage |
//! | [`allowlist`] | the catalogue in the grammar of each firewall and proxy |
//! | [`table`] | endpoints as a table, in every form |

pub mod allowlist;
pub mod catalogue;
pub mod path;
pub mod table;
