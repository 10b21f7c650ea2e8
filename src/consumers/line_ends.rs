//! Files with line ends of Windows. Docker takes the carriage return of an env file away; PAM and shells keep it as the end of
//! each value, where nothing shows it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sources::ENVIRONMENT;
use crate::finding::{Finding, ids};
use crate::host::{HostRead, unreadable};
use crate::problem::Problem;
use crate::system::profile_d;
use crate::text;
use crate::text::{CommandLine, as_root, of_host, own};

/// A file with such lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrLines {
    /// Which file of the host.
    pub(crate) path: PathBuf,
    /// So many of its lines end so.
    pub(crate) lines: usize,
}

/// What was seen of the files that logins read.
#[derive(Default)]
pub(crate) struct Seen {
    /// Those that were read.
    pub(crate) read: Vec<PathBuf>,
    /// Those of them with such lines.
    pub(crate) found: Vec<CrLines>,
    /// What is there and could not be read.
    pub(crate) unread: Vec<Problem>,
}

/// Looks at the files that logins read.
pub(crate) fn observe(host: &dyn HostRead) -> Seen {
    let mut seen = Seen::default();
    let (files, error) = profile_d::files(host);
    seen.unread.extend(error.map(|error| unreadable(&profile_d::shown(host), &error)));
    for path in std::iter::once(PathBuf::from(ENVIRONMENT)).chain(files) {
        match host.snapshot(&path) {
            Ok(None) => {}
            Ok(Some(file)) => {
                seen.found.extend(of(&path, &file.bytes));
                seen.read.push(path);
            }
            Err(_) if profile_d::is_mute(host, &path) => {}
            Err(error) => seen.unread.push(unreadable(&host.shown(&path), &error)),
        }
    }
    seen
}

/// Does whoever reads this file keep a carriage return?
fn keeps(path: &Path) -> bool {
    path == Path::new(ENVIRONMENT) || profile_d::is_of_logins(path)
}

/// The command that takes them out of a file.
fn mended(path: &Path) -> CommandLine {
    as_root(text!("sed -i 's/\\r$//' {}", of_host(path)))
}

/// The lines of one file, where there are such and its reader keeps them.
pub(crate) fn of(path: &Path, bytes: &[u8]) -> Option<CrLines> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\r\n")).count();
    (lines > 0 && keeps(path)).then(|| CrLines { path: path.to_path_buf(), lines })
}

impl CrLines {
    /// What that means, and what mends it.
    pub(crate) fn finding(&self, host_shown: &Path) -> Finding {
        let lines = if self.lines == 1 { text!("1 line ends") } else { text!("{} lines end", self.lines) };
        let title = text!("{} has line ends of Windows, which stay in its values", own(host_shown.display()));
        Finding::warn(ids::ENV_FILE_LINE_ENDS, title)
            .expected("lines that end in a line feed alone")
            .observed(text!("{} in a carriage return and a line feed (CR LF)", lines))
            .cause("its reader takes the carriage return for the last character of each value: a host name, a path or a port with it is another one")
            .fix(mended(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn lines_are_counted_where_their_reader_keeps_the_carriage_return() {
        let host = MemoryHost::new();
        host.put("/etc/environment", b"LANG=C\r\nA=b\nX=y\r\n");
        host.put("/etc/profile.d/a.sh", b"export A=b\r\n");
        host.put("/etc/profile.d/b.csh", b"setenv A b\r\n");
        host.put("/etc/profile.d/c.sh", b"export A=b\n\r");
        host.put("/etc/profile", b"export A=b\r\n");
        host.put("/root/.bashrc", b"export A=b\r\n");
        host.put("/etc/profile.d/.d.sh", b"export A=b\r\n");
        let seen: Vec<(String, usize)> =
            observe(&host).found.into_iter().map(|own| (own.path.display().to_string(), own.lines)).collect();
        let all = [("/etc/environment", 2), ("/etc/profile", 1), ("/root/.bashrc", 1), ("/etc/profile.d/a.sh", 1)];
        assert_eq!(seen, all.map(|(path, lines)| (path.to_owned(), lines)));
        assert_eq!(of(Path::new("/divvycloud/prod.env"), b"A=b\r\n"), None, "Docker takes it away");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_what_is_no_file_is_not() {
        let host = MemoryHost::new().with_error("/etc/environment", ErrorKind::PermissionDenied);
        host.put("/etc/profile.d/a.sh", b"export A=b\n");
        host.put_dir("/etc/profile.d/b.sh");
        let seen = observe(&host);
        assert_eq!((seen.read, seen.found.len()), (vec![PathBuf::from("/etc/profile.d/a.sh")], 0));
        let unread: Vec<String> = seen.unread.iter().map(|own| own.message.to_string()).collect();
        assert!(unread.len() == 1 && unread[0].starts_with("/etc/environment "), "{unread:?}");
        let host = MemoryHost::new();
        ["/etc/environment", "/etc/profile"].iter().for_each(|path| host.put_dir(path));
        assert_eq!((observe(&host).unread.len(), observe(&host).read.len()), (2, 0), "what stands there is not known");
    }
}
