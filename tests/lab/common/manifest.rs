//! What a host looks like: every file with all that a careless writer would lose.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::below;

/// One file, folder or link, with all that a careless writer would lose.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: char,
    pub mode: u32,
    pub owner: (u32, u32),
    pub content: Vec<u8>,
    pub attributes: BTreeMap<OsString, Vec<u8>>,
    /// Modification time in ns; no part of [`Manifest::difference`].
    pub modified: i128,
}

/// A whole tree: path below its root → entry.
#[derive(Clone, Default)]
pub struct Manifest(pub BTreeMap<PathBuf, Entry>);

impl Manifest {
    /// Takes the tree at `root` without following links, leaving out the paths below `root` named in `without`.
    pub fn take(root: &Path, without: &[&str]) -> Self {
        let without: Vec<PathBuf> = without.iter().map(|path| below(Path::new(""), path)).collect();
        let mut found = Self::default();
        found.walk(root, Path::new(""), &without);
        found
    }

    fn walk(&mut self, root: &Path, here: &Path, without: &[PathBuf]) {
        let full = root.join(here);
        let Ok(listing) = fs::read_dir(&full) else { return };
        for item in listing {
            let path = here.join(item.unwrap().file_name());
            if without.contains(&path) {
                continue;
            }
            let full = root.join(&path);
            let Ok(metadata) = full.symlink_metadata() else { continue };
            let kind = metadata.file_type();
            let (kind, content) = if kind.is_symlink() {
                ('l', fs::read_link(&full).unwrap().into_os_string().into_vec())
            } else if kind.is_dir() {
                ('d', Vec::new())
            } else if kind.is_file() {
                ('f', fs::read(&full).unwrap_or_default())
            } else {
                ('s', Vec::new())
            };
            self.0.insert(
                path.clone(),
                Entry {
                    kind,
                    mode: metadata.mode() & 0o7777,
                    owner: (metadata.uid(), metadata.gid()),
                    content,
                    attributes: attributes(&full),
                    modified: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
                },
            );
            if kind == 'd' {
                self.walk(root, &path, without);
            }
        }
    }

    /// What separates the two trees, one line per path; empty when they are equal (times aside).
    pub fn difference(&self, other: &Self) -> String {
        let paths: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let mut text = String::new();
        for path in paths {
            let path_shown = path.display();
            match (self.0.get(path), other.0.get(path)) {
                (Some(_), None) => writeln!(text, "{path_shown}: is gone").unwrap(),
                (None, Some(new)) => {
                    writeln!(text, "{path_shown}: is new: {}", String::from_utf8_lossy(&new.content)).unwrap();
                }
                (Some(old), Some(new)) => {
                    if old.kind != new.kind {
                        writeln!(text, "{path_shown}: kind {} became {}", old.kind, new.kind).unwrap();
                    }
                    if old.mode != new.mode {
                        writeln!(text, "{path_shown}: mode {:o} became {:o}", old.mode, new.mode).unwrap();
                    }
                    if old.owner != new.owner {
                        writeln!(text, "{path_shown}: owner {:?} became {:?}", old.owner, new.owner).unwrap();
                    }
                    if old.attributes != new.attributes {
                        let (old, new) = (&old.attributes, &new.attributes);
                        writeln!(text, "{path_shown}: attributes {old:?} became {new:?}").unwrap();
                    }
                    if old.content != new.content {
                        let (old, new) = (String::from_utf8_lossy(&old.content), String::from_utf8_lossy(&new.content));
                        writeln!(text, "{path_shown}: content\n{old:?}\nbecame\n{new:?}").unwrap();
                    }
                }
                (None, None) => unreachable!(),
            }
        }
        text
    }

    /// Paths that were written between the two, even with equal bytes.
    pub fn touched(&self, later: &Self) -> Vec<PathBuf> {
        later
            .0
            .iter()
            .filter(|(path, new)| self.0.get(*path).is_none_or(|old| old != *new))
            .map(|(path, _)| path.clone())
            .chain(self.0.keys().filter(|path| !later.0.contains_key(*path)).cloned())
            .collect()
    }

    /// Temporary files of `ics-setup` that someone forgot.
    pub fn leftovers(&self) -> Vec<&PathBuf> {
        self.0
            .keys()
            .filter(|path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".ics-setup")))
            .collect()
    }
}

fn attributes(path: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let Ok(names) = xattr::list(path) else { return BTreeMap::new() };
    names
        .filter(|name| !name.as_bytes().starts_with(b"trusted.overlay."))
        .map(|name| {
            let value = xattr::get(path, &name).ok().flatten().unwrap_or_default();
            (name, value)
        })
        .collect()
}

/// Copies a tree with modes, owners, times and attributes, as a test's host is put back again and again.
pub fn copy_tree(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg("--").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp -a {} {}", from.display(), to.display());
}
