//! The umasks that files of the system set.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::text;
use crate::host::HostRead;

/// `UMASK` of login.defs is what pam_umask and useradd go by.
const LOGIN_DEFS: &str = "/etc/login.defs";

/// What login shells read: Debian's kind and Red Hat's kind.
const PROFILES: [&str; 3] = ["/etc/profile", "/etc/bashrc", "/etc/bash.bashrc"];

/// Scripts that login shells read besides.
const FOLDER: &str = "/etc/profile.d";

#[derive(Serialize, Deserialize)]
pub(crate) struct UmaskFacts {
    pub(crate) found: Vec<Found>,
}

/// A file that sets a umask; the strictest of those it has.
#[derive(Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    /// The line, counted from 1.
    pub(crate) line: usize,
    pub(crate) umask: u32,
}

/// Reads login.defs and the files of login shells. Of each the umask is told that takes most beyond `harmless`.
pub(crate) fn observe(host: &dyn HostRead, harmless: u32) -> UmaskFacts {
    let scripts = host.list(Path::new(FOLDER)).unwrap_or_default();
    let scripts = scripts.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".sh"));
    let shells = PROFILES.iter().map(|path| (*path).to_owned()).chain(scripts.map(|name| format!("{FOLDER}/{name}")));
    let found = std::iter::once(LOGIN_DEFS.to_owned()).chain(shells).filter_map(|path| {
        let is_shell = path != LOGIN_DEFS;
        let (line, umask) = strictest(&text(host, &path).ok().flatten()?, is_shell, harmless)?;
        Some(Found { file: host.shown(Path::new(&path)), line, umask })
    });
    UmaskFacts { found: found.collect() }
}

/// The line and value of the strictest umask: the one with most bits beyond `harmless`.
fn strictest(content: &str, is_shell: bool, harmless: u32) -> Option<(usize, u32)> {
    // Quotes and variables are beyond this: only what is written as a number is found.
    static SHELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:^|[;&|{(]|\bthen|\belse|\bdo)\s*umask\s+(?:-S\s+)?([0-7]{1,4})(?:[\s;&|})]|$)").ok()
    });
    let of = |line: &str| {
        let line = line.trim();
        let digits = match is_shell {
            true if line.starts_with('#') => None,
            true => SHELL.as_ref()?.captures(line)?.get(1).map(|digits| digits.as_str().to_owned()),
            false => {
                let (key, value) = line.split_once(char::is_whitespace)?;
                (key == "UMASK").then(|| value.trim().to_owned())
            }
        };
        u32::from_str_radix(&digits?, 8).ok().filter(|umask| *umask <= 0o7777).map(|umask| umask & 0o777)
    };
    let all = content.lines().enumerate().filter_map(|(index, line)| Some((index + 1, of(line)?)));
    all.max_by_key(|(_, umask)| (umask & !harmless, *umask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_they_count() {
        for (content, is_shell, found) in [
            ("# umask 077\numask 022\n", true, Some((2, 0o022))),
            ("if [ $UID -gt 199 ]; then umask 002; else umask 0077; fi", true, Some((1, 0o002))),
            ("if x\nthen umask 002\nelse\n   umask 0077\nfi", true, Some((4, 0o077))),
            ("echo myumask 077; x=umask", true, None),
            ("(umask 077; mkdir x)", true, Some((1, 0o077))),
            ("UMASK\t\t027\n#UMASK 077\n", false, Some((1, 0o027))),
            ("UMASKS 077\nUMASK $x\n", false, None),
        ] {
            assert_eq!(strictest(content, is_shell, 0o027), found, "{content}");
        }
    }
}
