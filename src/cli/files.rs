//! Files that a person asked for by a flag: at once or not at all.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::problem::Problem;

/// Writes a file with these permission bits. Renaming a temporary file of our own follows no link that somebody placed.
///
/// # Errors
/// `file-unwritable`, with the flag.
pub fn save(path: &Path, flag: &str, bytes: &[u8], mode: u32) -> Result<(), Problem> {
    let mut file = beside(path, flag)?;
    let failed = |error: std::io::Error| unwritable(path, flag, error);
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file, 0600, where the file will be: whether it can be written is better known before a minute of looking.
///
/// # Errors
/// `file-unwritable`, with the flag.
pub fn beside(path: &Path, flag: &str) -> Result<NamedTempFile, Problem> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Renaming would put a file in the place of a device, a pipe or somebody's link.
    let odd = std::fs::symlink_metadata(path).ok().filter(|metadata| !metadata.is_file());
    if let Some(metadata) = odd {
        let what = if metadata.is_dir() { "it is a folder" } else { "something that is no regular file has that name" };
        return Err(unwritable(path, flag, what));
    }
    NamedTempFile::new_in(folder).map_err(|error| unwritable(path, flag, error))
}

fn unwritable(path: &Path, flag: &str, because: impl std::fmt::Display) -> Problem {
    Problem::settings("file-unwritable", format!("{flag} {} could not be written", path.display()))
        .because(because)
        .hint("name a file in a folder that you may write to")
}
