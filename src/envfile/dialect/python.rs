//! What both generations of docker-compose 1.x share, which are written in Python.

use super::Seen;

/// Python's `str.isspace`, which is also `\s`.
pub(super) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A value on its way to the daemon: no process can be started with a NUL in its environment.
pub(super) fn passed_on(value: &str) -> Seen {
    if value.contains('\0') { Seen::Unknown } else { Seen::Value(value.as_bytes().to_vec()) }
}
