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
