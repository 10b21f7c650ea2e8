//! Which build this is: what `scripts/build.rs` has found out.

/// The version's number, as in `Cargo.toml`.
pub(crate) const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// For `--version`: `X.Y.Z (COMMIT YYYY-MM-DD)`, or the number alone where the commit is unknown.
pub(crate) const VERSION: &str = env!("ICS_SETUP_VERSION");

/// The date of the sources as `YYYY-MM-DD`; empty where it is unknown.
pub(crate) const DATE: &str = env!("ICS_SETUP_DATE");
