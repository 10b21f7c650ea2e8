//! glob(7), as `EnvironmentFile=` uses it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::look;
use super::{Doubt, Place};
use crate::host::HostRead;

/// More matches than this are not looked at.
const MOST: usize = 10_000;

/// What a pattern matches, sorted. A pattern without wildcards matches what is there.
///
/// # Errors
/// A folder cannot be read, or the pattern has more than is modelled.
pub(super) fn glob(host: &dyn HostRead, pattern: &str, at: &Place) -> Result<Vec<PathBuf>, Doubt> {
    // Every host that runs has it, whatever its image has.
    if pattern == "/dev/null" {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let part = part.as_bytes();
        let mut next = Vec::new();
        if !part.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            let name = OsString::from_vec(unescaped(part));
            for folder in found {
                let path = folder.join(&name);
                if exists(host, &path)? {
                    next.push(path);
                }
            }
        } else {
            if part.windows(2).any(|two| matches!(two, b"[:" | b"[=" | b"[.")) {
                return Err(Doubt { at: at.clone(), why: "a class of characters in a pattern of files".into() });
            }
            for folder in found {
                for name in look::folder(host, &folder)? {
                    if matches(part, name.as_bytes()) {
                        next.push(folder.join(name));
                    }
                }
            }
        }
        if next.len() > MOST {
            return Err(Doubt { at: at.clone(), why: "a pattern that matches very many files".into() });
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

fn exists(host: &dyn HostRead, path: &Path) -> Result<bool, Doubt> {
    // A part of the path may be a link, which looking at a name does not follow.
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(true) };
    let Some(folder) = look::resolve(host, folder)? else { return Ok(false) };
    Ok(look::kind(host, &folder.join(name))?.is_some())
}

fn unescaped(part: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = part.iter();
    while let Some(&byte) = bytes.next() {
        out.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    out
}

/// fnmatch(3): a wildcard does not match a leading dot.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // Of several stars only the last one has to be tried again.
    let (mut p, mut n) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while n < name.len() {
        match step(&pattern[p..], name[n]) {
            Step::Star => {
                p += 1;
                again = Some((p, n));
            }
            Step::Takes(length) => {
                p += length;
                n += 1;
            }
            Step::Fails => match again {
                Some((star, taken)) => {
                    again = Some((star, taken + 1));
                    (p, n) = (star, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

enum Step {
    Star,
    /// So many bytes of the pattern match the byte.
    Takes(usize),
    Fails,
}

fn step(pattern: &[u8], byte: u8) -> Step {
    let takes = |yes: bool, length: usize| if yes { Step::Takes(length) } else { Step::Fails };
    match pattern {
        [b'*', ..] => Step::Star,
        [b'?', ..] => Step::Takes(1),
        [b'\\', escaped, ..] => takes(*escaped == byte, 2),
        [b'[', ..] => match set(pattern, byte) {
            Some((yes, length)) => takes(yes, length),
            None => takes(byte == b'[', 1),
        },
        [literal, ..] => takes(*literal == byte, 1),
        [] => Step::Fails,
    }
}

/// `[a-z]`, `[!x]`: does it match, and how long is it? `None`: it is not closed, so the bracket stands for itself.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let (mut at, mut yes) = (first, false);
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((yes != negated, at + 1));
        }
        if low == b'\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        at += 1;
        let high = match (pattern.get(at), pattern.get(at + 1)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        yes |= (low..=high).contains(&byte);
    }
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
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
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
