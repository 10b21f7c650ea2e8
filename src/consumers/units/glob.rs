//! glob(7), as `EnvironmentFile=` and other readers use it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::look;
use super::{Place, Stop};
use crate::envfile::shell::{Marked, matches};
use crate::host::HostRead;

/// More matches than this are not looked at.
const MOST: usize = 10_000;

/// What a pattern matches, sorted. A pattern without wildcards matches what is there.
///
/// # Errors
/// A folder cannot be read, or the pattern has more than is modelled.
pub(crate) fn glob(host: &dyn HostRead, pattern: &str, at: &Place) -> Result<Vec<PathBuf>, Stop> {
    // Every host that runs has it, whatever its image has.
    if pattern == "/dev/null" {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let pattern = marked(part.as_bytes());
        let mut next = Vec::new();
        for folder in found {
            if !pattern.iter().any(|marked| matches!(marked, (b'*' | b'?' | b'[', false))) {
                let path = folder.join(OsString::from_vec(pattern.iter().map(|(byte, _)| *byte).collect()));
                next.extend(exists(host, &path)?.then_some(path));
                continue;
            }
            for name in look::folder(host, &folder)?.into_iter().filter(|name| !is_hidden(&pattern, name.as_bytes())) {
                match matches(&pattern, name.as_bytes()) {
                    Some(fits) => next.extend(fits.then(|| folder.join(name))),
                    None => return Err(Stop::new(at, "a class of characters in a pattern of files")),
                }
            }
        }
        if next.len() > MOST {
            return Err(Stop::new(at, "a pattern that matches very many files"));
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

fn exists(host: &dyn HostRead, path: &Path) -> Result<bool, Stop> {
    // A part of the path may be a link, which looking at a name does not follow.
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(true) };
    let Some(folder) = look::resolve(host, folder)? else { return Ok(false) };
    Ok(look::kind(host, &folder.join(name))?.is_some())
}

/// The bytes of a pattern; what follows a backslash stands for itself.
fn marked(part: &[u8]) -> Vec<Marked> {
    let mut out = Vec::new();
    let mut bytes = part.iter();
    while let Some(&byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next() } else { None };
        out.push(escaped.map_or((byte, false), |escaped| (*escaped, true)));
    }
    out
}

/// fnmatch(3) with `FNM_PERIOD`; `None`: a class of characters, which is not modelled.
pub(crate) fn fnmatch(pattern: &[u8], name: &[u8]) -> Option<bool> {
    let pattern = marked(pattern);
    if is_hidden(&pattern, name) { Some(false) } else { matches(&pattern, name) }
}

/// A wildcard does not match a leading dot.
fn is_hidden(pattern: &[Marked], name: &[u8]) -> bool {
    name.first() == Some(&b'.') && pattern.first().is_none_or(|(byte, _)| *byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn patterns_match_as_glob_does() {
        for (pattern, name, expected) in [
            ("*.env", "proxy.env", true),
            ("*.env", ".proxy.env", false),
            (".*", ".x", true),
            ("p?o[w-y]*", "proxy.env", true),
            ("[!p]*", "proxy", false),
            ("[]a]*", "]x", true),
            ("a[", "a[", true),
            (r"a\*b", "a*b", true),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
        ] {
            let (marked, name) = (marked(pattern.as_bytes()), name.as_bytes());
            assert_eq!(!is_hidden(&marked, name) && matches(&marked, name).unwrap(), expected, "{pattern}");
        }
    }

    #[test]
    fn folders_are_walked() {
        let host = MemoryHost::new();
        for path in ["/etc/a/x.env", "/etc/b/w.env", "/etc/b/.hidden.env"] {
            host.put(path, b"");
        }
        let place = Place::new(Path::new("/x"), 1);
        let found = |pattern: &str| glob(&host, pattern, &place).unwrap();
        assert_eq!(found("/etc/*/*.env"), [Path::new("/etc/a/x.env"), Path::new("/etc/b/w.env")]);
        assert_eq!(found("/etc/a/x.env"), [Path::new("/etc/a/x.env")]);
        assert!(found("/etc/a/y.env").is_empty() && found("/none/*").is_empty());
    }
}
