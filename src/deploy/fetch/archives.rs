//! The files of a bundle, and whether they are what its checksums say.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::checksum;
use crate::deploy::task::{Task, cancelled};
use crate::docker;
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Text, own, typed};

/// What archives of images are called in a bundle, and how else their names may end.
pub(super) const ARCHIVE: &str = "images";
const ENDINGS: [&str; 5] = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"];

/// The archives of a bundle, in the order of their names.
///
/// # Errors
/// The folder cannot be listed.
pub(super) fn archives(bundle: &Path) -> Result<Vec<PathBuf>, Problem> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Problem::settings(id::SETTING_INVALID, text!("--bundle: there is no folder {}", bundle.display()))
                .hint(text!("mount the disk that it is on, or name where it is: {}", typed("--bundle <DIR>")))
        }
        _ => Problem::host(id::UNREADABLE, text!("the bundle {} cannot be read", bundle.display())).caused_by(error),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(bundle).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(ARCHIVE) && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Bytes of the archives of a bundle.
///
/// # Errors
/// They cannot be looked at.
pub(crate) fn size(bundle: &Path) -> Result<u64, Problem> {
    let size = |path: PathBuf| {
        std::fs::metadata(&path).map(|meta| meta.len()).map_err(|error| {
            Problem::host(id::UNREADABLE, text!("{} cannot be looked at", path.display())).caused_by(error)
        })
    };
    archives(bundle)?.into_iter().map(size).sum()
}

/// Is every file of a bundle what its checksums say, and has each archive one?
///
/// # Errors
/// `images-unproven`: one is not, or has none.
pub(crate) fn prove(task: &mut Task<'_>, bundle: &Path) -> Result<(), Problem> {
    let archives = archives(bundle)?;
    for path in &archives {
        checksum::of_list(bundle, path.file_name().and_then(|name| name.to_str()).unwrap_or_default())?;
    }
    let list = bundle.join(checksum::LIST);
    let unproven = |message: Text| Problem::host(id::IMAGES_UNPROVEN, message);
    let again = "bring it again: it is not whole, or another";
    // Where there is no archive there need be none: the images are what is missing then.
    let text = std::fs::read(&list).unwrap_or_default();
    for line in checksum::lines(&String::from_utf8_lossy(&text)) {
        let (name, right) = line.map_err(|line| {
            unproven(text!("{} has a line that is no checksum: {}", list.display(), docker::text::shown(line, 80)))
                .hint(again)
        })?;
        // `sha256sum *` lists the list of before; and what lies deeper, nobody looks at.
        if name == checksum::LIST || name.contains('/') {
            continue;
        }
        let path = bundle.join(name);
        if archives.contains(&path) {
            task.say(&text!("checking {}", path.display()));
        }
        let stop = task.stop;
        let sum = checksum::of(&path, |_| if stop() { Err(ErrorKind::Interrupted.into()) } else { Ok(()) });
        let sum = sum.map_err(|error| match error.kind() {
            ErrorKind::Interrupted => cancelled("cancelled while the bundle was checked"),
            ErrorKind::NotFound => {
                unproven(text!("{} is not there, and {} lists it", path.display(), own(checksum::LIST))).hint(again)
            }
            _ => Problem::host(id::UNREADABLE, text!("{} cannot be read", path.display())).caused_by(error),
        })?;
        if !sum.eq_ignore_ascii_case(right) {
            return Err(unproven(text!("{} is not what its checksum says", path.display()))
                .because(text!("its SHA-256 is {}, and {} is listed", own(sum), own(right)))
                .hint(again));
        }
    }
    Ok(())
}
