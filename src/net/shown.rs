//! A server's texts, made fit to be shown and saved.

use crate::text::clean;

/// No text of a server is shown longer than this, in characters.
const LONGEST: usize = 200;

/// A server's text, fit to be shown and saved.
pub(crate) fn shown(text: &str) -> String {
    clean(text, LONGEST)
}

/// [`shown`] of bytes.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    // Four bytes a character at most: no need to look at more of them.
    shown(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * (LONGEST + 2))]))
}
