//! Which mounts some places lie on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::host::HostRead;
use crate::text::clean;

/// The kernel's table of mounts.
pub(crate) const MOUNTS: &str = "/proc/self/mounts";

#[derive(Serialize, Deserialize)]
pub(crate) struct MountsFacts {
    pub(crate) mounts: Seen<Vec<Mount>>,
}

/// A place that we care about and the mount that it lies on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    pub(crate) place: PathBuf,
    pub(crate) point: PathBuf,
    pub(crate) kind: String,
    pub(crate) read_only: bool,
    pub(crate) noexec: bool,
}

/// Looks the places up in the kernel's table.
pub(crate) fn observe(host: &dyn HostRead, places: &[PathBuf]) -> MountsFacts {
    let of_places = |table: &str| places.iter().filter_map(|place| mount_of(&parse(table), host, place)).collect();
    MountsFacts { mounts: Seen::in_file(host, MOUNTS, of_places) }
}

/// A line of the table.
pub(crate) struct Line {
    pub(crate) point: PathBuf,
    pub(crate) kind: String,
    pub(crate) options: String,
}

/// The lines of the table.
pub(crate) fn parse(table: &str) -> Vec<Line> {
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, point, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
            Some(Line { point: PathBuf::from(unescape(point)), kind: clean(kind, 40), options: options.to_owned() })
        })
        .collect()
}

/// The mount that covers `place`, links followed: the longest mount point; of two on one, the later.
fn mount_of(lines: &[Line], host: &dyn HostRead, place: &Path) -> Option<Mount> {
    let real = host.resolve(place).unwrap_or_else(|_| place.to_path_buf());
    let covers = lines.iter().filter(|line| real.starts_with(&line.point));
    let line = covers.max_by_key(|line| line.point.components().count())?;
    let has = |word: &str| line.options.split(',').any(|option| option == word);
    Some(Mount {
        place: place.to_path_buf(),
        point: line.point.clone(),
        kind: line.kind.clone(),
        read_only: has("ro"),
        noexec: has("noexec"),
    })
}

/// The kernel writes blanks, tabs, line ends and backslashes as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_the_kernel() {
        assert_eq!(unescape("/a\\040b\\134c\\0"), "/a b\\c\\0");
    }
}
