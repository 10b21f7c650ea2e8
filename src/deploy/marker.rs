//! A file of the state folder that stands there while a run has the product stopped, or files that it has not been started
//! with. Whoever dies in between leaves it, so that the next run starts the product again.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, id};
use crate::settings::STATE;
use crate::text;

fn path() -> PathBuf {
    PathBuf::from(STATE).join("stopped")
}

/// Has a run that did not come to its end stopped the product?
///
/// # Errors
/// The state folder cannot be read.
pub(super) fn read(host: &dyn HostRead) -> Result<bool, Problem> {
    host.lstat(&path()).map(|found| found.is_some()).map_err(|error| failed("read", &error))
}

/// The product is going to be stopped.
///
/// # Errors
/// The file cannot be written; nothing has been stopped.
pub(super) fn write(host: &dyn HostWrite) -> Result<(), Problem> {
    let made = match host.create(&path(), 0o600) {
        Ok(mut file) => file.sync(),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    made.and_then(|()| host.sync_dir(&PathBuf::from(STATE))).map_err(|error| failed("written", &error))
}

/// The product has been started.
///
/// # Errors
/// The file cannot be removed.
pub(super) fn clear(host: &dyn HostWrite) -> Result<(), Problem> {
    match host.remove_file(&path()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("removed", &error)),
        _ => Ok(()),
    }
}

fn failed(verb: &'static str, error: &std::io::Error) -> Problem {
    Problem::host(id::WRITE_FAILED, text!("{} could not be {}", path().display(), crate::text::own(verb)))
        .caused_by(crate::problem::copy_of(error))
}
