//! Lines and words as they are written.

use crate::envfile::lines::Syntax;

/// A new line at the end of the file.
pub(super) fn append(bytes: &mut Vec<u8>, syntax: Syntax, name: &str, value: &[u8]) {
    // Docker's readers strip a carriage return; for PAM and shells it would be part of the value.
    let crlf =
        syntax == Syntax::EnvFile && memchr::memchr(b'\n', bytes).is_some_and(|at| at > 0 && bytes[at - 1] == b'\r');
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(end);
    }
    bytes.extend_from_slice(&line(syntax, name, value));
    bytes.extend_from_slice(end);
}

/// The documented way to write a line.
pub(super) fn line(syntax: Syntax, name: &str, value: &[u8]) -> Vec<u8> {
    let (before, quote) = match syntax {
        Syntax::PamEnv | Syntax::EnvironmentFile => ("", Some(b'"')),
        Syntax::Shell => ("export ", Some(b'"')),
        Syntax::EnvFile => ("", None),
    };
    let mut bytes = format!("{before}{name}=").into_bytes();
    bytes.extend(written(value, quote).unwrap_or_else(|| value.to_vec()));
    bytes
}

/// The value between quotes, or bare; `None` where that would not be the same value.
pub(super) fn written(value: &[u8], quote: Option<u8>) -> Option<Vec<u8>> {
    let Some(quote) = quote else { return Some(value.to_vec()) };
    let special: &[u8] = if quote == b'"' { b"\"$`\\!" } else { b"'" };
    if value.iter().any(|byte| special.contains(byte)) {
        return None;
    }
    let mut bytes = vec![quote];
    bytes.extend_from_slice(value);
    bytes.push(quote);
    Some(bytes)
}
