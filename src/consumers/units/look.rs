//! Looks at the host for the models of systemd.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::super::sight::Stop;
use crate::host::{FileKind, HostRead, Refused};
use crate::text;
use crate::text::Text;

/// A larger file is not taken apart: nobody writes one, and a reader has to come to an end.
const LARGEST: usize = 4 << 20;

/// What a name leads to.
#[derive(Debug)]
pub(super) enum File {
    /// A regular file with this content.
    Bytes(Vec<u8>),
    /// Nothing is there.
    Absent,
    /// The null device, whether or not the host has one: what is linked to it is masked.
    Null,
    /// A folder.
    Folder,
}

/// Looks at a file.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn file(host: &dyn HostRead, path: &Path) -> Result<File, Stop> {
    let resolved = match host.resolve(path) {
        Ok(resolved) => resolved,
        Err(Refused::Loop(_)) => return Ok(File::Absent),
        Err(refused) => return Err(unread(host, path, &refused.to_string())),
    };
    if resolved == Path::new("/dev/null") {
        return Ok(File::Null);
    }
    match host.read(&resolved) {
        Ok(Some(bytes)) if bytes.len() > LARGEST => Err(unread(host, path, "it is larger than 4 MiB")),
        Ok(Some(bytes)) => Ok(File::Bytes(bytes)),
        Ok(None) => Ok(File::Absent),
        Err(error) => match host.lstat(&resolved) {
            Ok(Some(stat)) if stat.kind == FileKind::Dir => Ok(File::Folder),
            _ => Err(unread(host, path, &error.to_string())),
        },
    }
}

/// The names in a folder, sorted; none where it is absent or no folder.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn folder(host: &dyn HostRead, path: &Path) -> Result<Vec<OsString>, Stop> {
    match host.list(path) {
        Ok(names) => Ok(names),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(Vec::new()),
        Err(error) => Err(unread(host, path, &error.to_string())),
    }
}

/// Follows links; `None`: they lead in a circle.
///
/// # Errors
/// It cannot be told where they lead.
pub(super) fn resolve(host: &dyn HostRead, path: &Path) -> Result<Option<PathBuf>, Stop> {
    match host.resolve(path) {
        Ok(resolved) => Ok(Some(resolved)),
        Err(Refused::Loop(_)) => Ok(None),
        Err(refused) => Err(unread(host, path, &refused.to_string())),
    }
}

/// What has this very name.
///
/// # Errors
/// It cannot be looked at.
pub(super) fn kind(host: &dyn HostRead, path: &Path) -> Result<Option<FileKind>, Stop> {
    let stat = host.lstat(path).map_err(|error| unread(host, path, &error.to_string()))?;
    Ok(stat.map(|stat| stat.kind))
}

/// The files with this suffix in several folders, the strongest folder first: sorted by name, and of the same name the
/// strongest (`conf_files_list_strv()`).
///
/// # Errors
/// A folder is there and cannot be read.
pub(super) fn drop_ins<'a, T: Copy>(
    host: &dyn HostRead,
    folders: impl IntoIterator<Item = (&'a Path, T)>,
    suffix: &str,
) -> Result<Vec<(PathBuf, T)>, Stop> {
    let mut found: BTreeMap<OsString, (PathBuf, T)> = BTreeMap::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for (path, mark) in folders {
        let Some(resolved) = resolve(host, path)?.filter(|resolved| !seen.contains(resolved)) else { continue };
        for name in folder(host, &resolved)? {
            let text = name.to_string_lossy();
            if text.ends_with(suffix) && !text.starts_with('.') {
                let path = resolved.join(&name);
                found.entry(name).or_insert((path, mark));
            }
        }
        seen.push(resolved);
    }
    Ok(found.into_values().collect())
}

fn unread(host: &dyn HostRead, path: &Path, why: &str) -> Stop {
    Stop::file(path, reason(host, path, why))
}

fn reason(host: &dyn HostRead, path: &Path, why: &str) -> Text {
    text!("{} could not be read: {}", host.shown(path), why)
}
