//! `docker run --env-file`, as the docker CLI reads it before it calls the daemon.
//!
//! Source: docker/cli `opts/file.go` (`parseKeyValueFile`), since 28.0 `pkg/kvfile/kvfile.go`. Values are taken
//! as they are: quotes, `$`, `#` and blanks belong to them. Lines come from Go's `bufio.Scanner`.

use super::{Seen, collector::Collector};

/// `bufio.MaxScanTokenSize`: a line and its line end have to fit.
const SCANNER_BUFFER: usize = 64 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

pub(super) fn read(out: &mut Collector<'_>) {
    let bytes = out.bytes;
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if length >= SCANNER_BUFFER {
            return out.reject(start, "docker refuses the file: a line is longer than 65535 bytes");
        }
        let line = &rest[..length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if start == 0 { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        if let Err(message) = read_line(line, out) {
            return out.reject(start, message);
        }
        start += length + 1;
    }
}

fn read_line(line: &[u8], out: &mut Collector<'_>) -> Result<(), &'static str> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Err("docker refuses the file: a line is not valid UTF-8");
    };
    let line = text.trim_start().as_bytes();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(());
    }
    let (name, value) = match memchr::memchr(b'=', line) {
        Some(equals) => (&line[..equals], Some(&line[equals + 1..])),
        None => (line, None),
    };
    if name.is_empty() {
        return Err("docker refuses the file: a line has no name before the equals sign");
    }
    if memchr::memchr2(b' ', b'\t', name).is_some() {
        return Err("docker refuses the file: a name contains a blank");
    }
    if !out.wants(name) {
        return Ok(());
    }
    match value {
        None => out.inherit_or_keep(name),
        // No process can be started with a NUL in its environment.
        Some(value) if memchr::memchr(0, value).is_some() => out.set(name, Seen::Unknown),
        Some(value) => out.set(name, Seen::Value(value.to_vec())),
    }
    Ok(())
}
