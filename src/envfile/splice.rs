//! Bytes with some ranges replaced.

use std::ops::Range;

/// Ranges with what is to stand there.
pub(super) type Splices = Vec<(Range<usize>, Vec<u8>)>;

/// Replaces ranges, which must not overlap; their order does not matter.
pub(super) fn splice(bytes: &[u8], mut splices: Splices) -> Vec<u8> {
    splices.sort_by_key(|(range, _)| range.start);
    let grown: usize = splices.iter().map(|(_, new)| new.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + grown);
    let mut at = 0;
    for (range, new) in splices {
        out.extend_from_slice(&bytes[at..range.start]);
        out.extend_from_slice(&new);
        at = range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

/// Adds lines to the last section of this name, behind its last line that is not blank; makes the section where it is absent.
pub(super) fn add_to_section(file: &mut Vec<u8>, section: &str, lines: Vec<u8>) {
    if !file.is_empty() && !file.ends_with(b"\n") {
        file.push(b'\n');
    }
    let at = end_of_section(file, section).unwrap_or_else(|| {
        file.extend_from_slice(format!("[{section}]\n").as_bytes());
        file.len()
    });
    file.splice(at..at, lines);
}

/// Behind the last line of a section that is not blank; `None`: there is no such section.
fn end_of_section(bytes: &[u8], section: &str) -> Option<usize> {
    let head = format!("[{section}]");
    let (mut inside, mut end, mut at) = (false, None, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.starts_with(b"[") {
            inside = text == head.as_bytes();
        }
        at += line.len();
        if inside && !text.is_empty() {
            end = Some(at);
        }
    }
    end
}
