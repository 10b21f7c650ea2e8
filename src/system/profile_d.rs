//! The scripts in `/etc/profile.d`, and what else shells of logins read.

use std::io;
use std::path::{Path, PathBuf};

use crate::host::{FileKind, HostRead};

/// Their folder.
const FOLDER: &str = "/etc/profile.d";

/// What shells of root's logins read beside them: the files of Debian's kind and of Red Hat's kind, and those in root's home
/// (bash(1) "INVOCATION").
const OTHERS: [&str; 7] = [
    "/etc/profile",
    "/etc/bashrc",
    "/etc/bash.bashrc",
    "/root/.bash_profile",
    "/root/.bash_login",
    "/root/.profile",
    "/root/.bashrc",
];

/// Those that login shells source, in the order in which they do.
///
/// # Errors
/// The folder is there and cannot be listed.
pub(crate) fn scripts(host: &dyn HostRead) -> io::Result<Vec<PathBuf>> {
    let names = host.list(Path::new(FOLDER))?;
    Ok(names.into_iter().map(|name| Path::new(FOLDER).join(name)).filter(|path| is_script(path)).collect())
}

/// Is it one of them? `*.sh` means no name that begins with a dot.
pub(crate) fn is_script(path: &Path) -> bool {
    let dotted = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    path.parent() == Some(Path::new(FOLDER)) && path.extension().is_some_and(|end| end == "sh") && !dotted
}

/// All files that shells of root's logins read, whether they are there or not, and why the scripts among them are not known.
pub(crate) fn files(host: &dyn HostRead) -> (Vec<PathBuf>, Option<io::Error>) {
    let (scripts, error) = match scripts(host) {
        Ok(scripts) => (scripts, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    (OTHERS.into_iter().map(PathBuf::from).chain(scripts).collect(), error)
}

/// Is it one of these?
pub(crate) fn is_of_logins(path: &Path) -> bool {
    OTHERS.iter().any(|own| path == Path::new(own)) || is_script(path)
}

/// Is it no file, and certainly says nothing to a shell: a folder in the place of a script, or a link to `/dev/null`?
pub(crate) fn is_mute(host: &dyn HostRead, path: &Path) -> bool {
    let Ok(place) = host.resolve(path) else { return false };
    let is_folder = || matches!(host.lstat(&place), Ok(Some(stat)) if stat.kind == FileKind::Dir);
    place == Path::new("/dev/null") || (is_script(path) && is_folder())
}

/// The folder as a person on this machine looks it up.
pub(crate) fn shown(host: &dyn HostRead) -> PathBuf {
    host.shown(Path::new(FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn a_pattern_of_the_shell_finds_no_hidden_name() {
        let host = MemoryHost::new();
        for name in ["b.sh", "a.sh", ".hid.sh", "c.csh", "sh"] {
            host.put(&format!("/etc/profile.d/{name}"), b"");
        }
        let found = scripts(&host).unwrap();
        assert_eq!(found, [PathBuf::from("/etc/profile.d/a.sh"), PathBuf::from("/etc/profile.d/b.sh")]);
        assert!(!is_script(Path::new("/etc/profile.d/deeper/a.sh")) && !is_script(Path::new("/etc/a.sh")));
        let (files, error) = files(&host);
        assert!(files.iter().all(|path| is_of_logins(path)) && files.ends_with(&found) && error.is_none(), "{files:?}");
    }

    #[test]
    fn only_what_certainly_says_nothing_is_mute() {
        let host = MemoryHost::new();
        host.put_dir("/etc/profile.d/a.sh");
        host.put_dir("/etc/profile");
        host.put_link("/etc/profile.d/b.sh", "/dev/null", 0);
        for (path, mute) in [("/etc/profile.d/a.sh", true), ("/etc/profile.d/b.sh", true), ("/etc/profile", false)] {
            assert_eq!(is_mute(&host, Path::new(path)), mute, "{path}");
        }
    }
}
