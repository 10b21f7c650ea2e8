//! A umask under which files that root makes cannot be read by those who need them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{GROUP, text};
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::net::Time;

/// `UMASK` of login.defs is what pam_umask and useradd go by.
const LOGIN_DEFS: &str = "/etc/login.defs";

/// What login shells read: Debian's kind and Red Hat's kind.
const PROFILES: [&str; 3] = ["/etc/profile", "/etc/bashrc", "/etc/bash.bashrc"];

/// Scripts that login shells read besides.
const FOLDER: &str = "/etc/profile.d";

/// What hardening guides ask for. Bits beyond it take the group's right to read.
const STRICTEST: u32 = 0o027;

pub(super) struct Umask;

#[derive(Serialize, Deserialize)]
pub(super) struct UmaskFacts {
    found: Vec<Found>,
}

/// A file that sets a umask; the strictest of those it has.
#[derive(Serialize, Deserialize)]
struct Found {
    file: PathBuf,
    /// The line, counted from 1.
    line: usize,
    umask: u32,
}

impl Check for Umask {
    type Facts = UmaskFacts;

    const META: Meta = Meta::new("umask", Group::Host, &["umask"]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&UmaskFacts>) -> UmaskFacts {
        let host = look.host;
        let scripts = host.list(Path::new(FOLDER)).unwrap_or_default();
        let scripts = scripts.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".sh"));
        let shells =
            PROFILES.iter().map(|path| (*path).to_owned()).chain(scripts.map(|name| format!("{FOLDER}/{name}")));
        let found = std::iter::once(LOGIN_DEFS.to_owned()).chain(shells).filter_map(|path| {
            let is_shell = path != LOGIN_DEFS;
            let (line, umask) = strictest(&text(host, &path).ok().flatten()?, is_shell)?;
            Some(Found { file: host.shown(Path::new(&path)), line, umask })
        });
        UmaskFacts { found: found.collect() }
    }

    fn judge(&self, facts: &UmaskFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_umask(&facts.found)]
    }
}

fn judge_umask(found: &[Found]) -> Finding {
    let shown = |found: &Found| format!("{:03o} in {}:{}", found.umask, found.file.display(), found.line);
    let strict: Vec<&Found> = found.iter().filter(|found| found.umask & !STRICTEST != 0).collect();
    let expected = format!("a umask of {STRICTEST:03o} or less strict for logins of root");
    let Some(first) = strict.first() else {
        let seen: Vec<String> = found.iter().map(shown).collect();
        let seen = if seen.is_empty() { "no file sets one".to_owned() } else { seen.join(", ") };
        return Finding::new("umask", GROUP, Status::Pass, "files that root makes can be read by those who need them")
            .expected(expected)
            .observed(seen);
    };
    let seen: Vec<String> = strict.iter().map(|found| shown(found)).collect();
    Finding::new("umask", GROUP, Status::Warn, format!("files that root makes can be read by root only (umask {:03o})", first.umask))
        .expected(expected)
        .observed(seen.join(", "))
        .cause(
            "installers run as root leave scripts in /etc/profile.d, and files in the product's folder, that logins and the \
             user divvy cannot read; ics-setup itself gives its files their modes",
        )
        .fix("run installers in a shell of its own: (umask 022; bash INSTALLER)")
        .fix("what is there already: chmod a+r /etc/profile.d/*.sh")
        .evidence("umask", format!("{:03o}", first.umask))
}

/// The line and value of the strictest umask.
fn strictest(content: &str, is_shell: bool) -> Option<(usize, u32)> {
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
    all.max_by_key(|(_, umask)| (umask & !STRICTEST, *umask))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn umasks_at_the_boundary() {
        for (umask, status) in [
            (0o000, Status::Pass),
            (0o022, Status::Pass),
            (0o027, Status::Pass),
            (0o007, Status::Pass),
            (0o037, Status::Warn),
            (0o077, Status::Warn),
            (0o777, Status::Warn),
        ] {
            let found = [Found { file: PathBuf::from("/etc/profile"), line: 1, umask }];
            assert_eq!(judge_umask(&found).status, status, "{umask:o}");
        }
    }

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
            assert_eq!(strictest(content, is_shell), found, "{content}");
        }
        let host = MemoryHost::new();
        host.put("/etc/profile.d/harden.sh", b"umask 077\n");
        let found = checked(&Umask, &host, &production());
        assert!(found[0].observed.as_deref().unwrap().contains("077 in /etc/profile.d/harden.sh:1"), "{found:?}");
        assert_eq!(checked(&Umask, &MemoryHost::new(), &production())[0].status, Status::Pass);
    }
}
