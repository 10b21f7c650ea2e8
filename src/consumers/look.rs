//! Looks at the host for the models of readers: what cannot be looked at, or is not understood, is never taken for absent.

use std::io;
use std::path::{Path, PathBuf};

use super::sight::Stop;
use crate::envfile::{UTF_16, utf_16};
use crate::host::{FileKind, HostRead, Refused, Stat};
use crate::text;
use crate::text::own;

/// A longer file is not taken apart. Configuration files have some kilobytes.
const LONGEST: usize = 4 << 20;

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    Stop::file(path, text!("it could not be read: {}", error))
}

/// What stands at `path`, links followed; `None`: nothing, or a link that leads to nothing.
///
/// # Errors
/// It cannot be looked at.
pub(super) fn kind(host: &dyn HostRead, path: &Path) -> Result<Option<FileKind>, Stop> {
    Ok(stat(host, path)?.map(|stat| stat.kind))
}

/// The same with its owner and mode.
///
/// # Errors
/// It cannot be looked at.
pub(super) fn stat(host: &dyn HostRead, path: &Path) -> Result<Option<Stat>, Stop> {
    // Folders on the way may be links, too.
    let real = match host.resolve(path) {
        Ok(real) => real,
        Err(Refused::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(Refused::Io(error)) => return Err(unreadable(path, &error)),
        Err(refused) => return Err(Stop::file(path, text!("its link is not followed: {}", refused.to_string()))),
    };
    host.lstat(&real).map_err(|error| unreadable(&real, &error))
}

/// A file's content; `None`: nothing is there.
///
/// # Errors
/// It cannot be read by us or by whoever it is meant for, is no file, or is longer than any file of its kind.
pub(super) fn read(host: &dyn HostRead, path: &Path) -> Result<Option<Vec<u8>>, Stop> {
    match host.read(path) {
        Ok(Some(bytes)) if bytes.len() > LONGEST => Err(Stop::file(path, "it is too long to be taken apart")),
        Ok(Some(bytes)) if utf_16(&bytes).is_some() => Err(Stop::file(path, text!("it is {}", own(UTF_16)))),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// What stands in a folder, by name; nothing where there is none.
///
/// # Errors
/// It cannot be read.
pub(super) fn list(host: &dyn HostRead, folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    if kind(host, folder)?.is_none() {
        return Ok(Vec::new());
    }
    let names = host.list(folder).map_err(|error| unreadable(folder, &error))?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
