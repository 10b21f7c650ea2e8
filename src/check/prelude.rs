//! The names that nearly every check uses.

pub(super) use super::spec::CheckSpec;
pub(super) use super::took;
pub(super) use super::unit::{Check, Group, Look, Meta};
pub(super) use crate::finding::{Actor, Finding, FindingId, Status, ids};
pub(super) use crate::net::{Time, seconds};
pub(super) use crate::text;
pub(super) use crate::text::{Text, as_root, ics_setup, own, typed};
