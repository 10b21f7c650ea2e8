//! Files that a person asked for by a flag: at once or not at all.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Text, own, quoted, typed};

/// Writes a file with these permission bits. Renaming a temporary file of our own follows no link that somebody placed.
/// A device or pipe is refused: a file in its place would harm others.
///
/// # Errors
/// `file-unwritable`, with the flag; `disk-full`.
pub(super) fn save(path: &Path, flag: &str, bytes: &[u8], mode: u32) -> Result<(), Problem> {
    let mut file = beside(path, flag)?;
    let failed = |error: io::Error| refused(path, flag, &error);
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file, 0600, where the file will be: whether it can be written is better known before a minute of looking.
///
/// # Errors
/// `file-unwritable`, with the flag; `disk-full`.
pub(super) fn beside(path: &Path, flag: &str) -> Result<NamedTempFile, Problem> {
    // Renaming would put a file in the place of a device, a pipe or somebody's link.
    let odd = std::fs::symlink_metadata(path).ok().filter(|metadata| !metadata.is_file());
    if let Some(metadata) = odd {
        let what = if metadata.is_dir() { "it is a folder" } else { "something that is no regular file has that name" };
        return Err(unwritable(path, flag, what));
    }
    NamedTempFile::new_in(folder(path)).map_err(|error| refused(path, flag, &error))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn refused(path: &Path, flag: &str, error: &io::Error) -> Problem {
    if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return unwritable(path, flag, without_name(error));
    }
    let message = text!("{} {} could not be written: the file system is full", own(flag), path.display());
    Problem::host(id::DISK_FULL, message)
        .hint(text!("look: {}", typed(text!("df -h {}", own(quoted(&folder(path).to_string_lossy()))))))
        .hint("or name a file on another file system")
}

/// Why, without the name of a file that nobody has asked for.
fn without_name(error: &io::Error) -> String {
    let why = error.to_string();
    why.split_once(" at path ").map_or(why.as_str(), |(why, _)| why).to_owned()
}

fn unwritable(path: &Path, flag: &str, because: impl Into<Text>) -> Problem {
    Problem::settings(id::FILE_UNWRITABLE, text!("{} {} could not be written", own(flag), path.display()))
        .because(because)
        .hint("name a file in a folder that you may write to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_a_pipe_and_a_link_to_one_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/null", at("link")).unwrap();
        for path in [at("socket"), at("link"), "/dev/full".into(), "/dev/stdout".into()] {
            let before = std::fs::symlink_metadata(&path).map(|found| found.file_type()).ok();
            let problem = save(&path, "--report", b"x", 0o644).unwrap_err();
            assert!(problem.message.contains("could not be written"), "{}", problem.message);
            assert_eq!(
                std::fs::symlink_metadata(&path).map(|found| found.file_type()).ok(),
                before,
                "{}",
                path.display()
            );
        }
        let problem = save(&at("none/report.html"), "--report", b"x", 0o644).unwrap_err();
        let why = problem.because.map(|why| why.to_string()).unwrap_or_default();
        assert!(why.contains("No such file") && !why.contains("tmp"), "{why}");
        drop(socket);
        save(&at("plain"), "--report", b"x", 0o644).unwrap();
        save(&at("plain"), "--report", b"y", 0o644).unwrap();
        assert_eq!(std::fs::read(at("plain")).unwrap(), b"y");
    }
}
