//! What both generations of docker-compose 1.x share, which are written in Python.

use super::Seen;
use super::collector::Collector;

/// The file as text; `None`: it is not UTF-8, and docker-compose refuses it.
pub(super) fn utf8<'a>(out: &mut Collector<'a>) -> Option<&'a str> {
    std::str::from_utf8(out.bytes)
        .map_err(|error| out.reject(error.valid_up_to(), "docker-compose refuses the file: it is not valid UTF-8"))
        .ok()
}

/// Python's `str.isspace`, which is also `\s`.
pub(super) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A value on its way to the daemon: no process can be started with a NUL in its environment.
pub(super) fn passed_on(value: &str) -> Seen {
    if value.contains('\0') { Seen::Unknown } else { Seen::Value(value.as_bytes().to_vec()) }
}
