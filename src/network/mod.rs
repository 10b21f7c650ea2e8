//! Which paths must be open, which are, who breaks them, and what to hand to those who open them.
//!
//! | module | what |
//! | --- | --- |
//! | [`catalogue`] | every outbound connection, as data with source and date, and which of them the settings call for |
//! | [`target`] | one endpoint to go to, of the catalogue's |
//! | [`cause`] | where and why a way ends |
//! | [`proxy`] | the proxy itself, asked: which protocol its port speaks, what it lets through |
//! | [`path`] | the way to one endpoint, stage by stage |
//! | `openssl` | OpenSSL's own client, asked where the TLS library here cannot look further |
//! | [`get`] | one file |
//! | [`allowlist`] | the catalogue in the grammar of each firewall and proxy |
//! | [`table`] | endpoints as a table, in every form |
//! | `inspector` | names products that inspect TLS, by their certificates and block pages |
//! | `stream` | streams that remember, and whose deadline moves |

pub(crate) mod allowlist;
pub(crate) mod catalogue;
pub(crate) mod cause;
pub(crate) mod get;
pub(crate) mod openssl;
pub(crate) mod path;
pub(crate) mod proxy;
pub(crate) mod table;
pub(crate) mod target;

mod inspector;
mod stream;

pub(crate) use inspector::inspector;
