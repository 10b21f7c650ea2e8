//! Line ends of Windows in files that logins read.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::check::prelude::*;
use crate::consumers::line_ends::{CrLines, observe};
use crate::host::HostRead;
use crate::problem::id;

pub(super) struct LineEnds;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineEndsFacts {
    files: Vec<Shown>,
    /// Files that were read, as a person on this machine looks them up.
    #[serde(default)]
    read: Vec<PathBuf>,
    #[serde(default)]
    unread: Vec<Unread>,
}

/// One file, and what it is called below an image.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    shown: PathBuf,
    file: CrLines,
}

/// What could not be read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread {
    /// Root could.
    by_root: bool,
    why: Text,
}

impl Check for LineEnds {
    type Facts = LineEndsFacts;

    const META: Meta = Meta::new("line-ends", Group::Proxy, &[ids::ENV_FILE_LINE_ENDS]);

    fn collect(&self, look: &Look<'_>, _: Time, _: Option<&LineEndsFacts>) -> LineEndsFacts {
        facts(look.host)
    }

    fn judge(&self, facts: &LineEndsFacts, _: &CheckSpec) -> Vec<Finding> {
        let mut findings: Vec<Finding> = facts.files.iter().map(|own| own.file.finding(&own.shown)).collect();
        let title = "it is not known whether a file that logins read has line ends of Windows";
        // One for each reason: whoever is not root may read none of root's own files.
        for by_root in [true, false] {
            let why: Vec<Text> =
                facts.unread.iter().filter(|own| own.by_root == by_root).map(|own| own.why.clone()).collect();
            let finding = match by_root {
                true => Finding::skip(ids::ENV_FILE_LINE_ENDS, title).fix(as_root(ics_setup("check proxy"))),
                false => Finding::new(ids::ENV_FILE_LINE_ENDS, Status::Error, title),
            };
            if !why.is_empty() {
                findings.push(finding.observed(Text::join(why, "; ")));
            }
        }
        if findings.is_empty() {
            let read = Text::join(facts.read.iter().map(|path| text!("{}", path)), ", ");
            let read = if facts.read.is_empty() { "there is no file that logins read".into() } else { read };
            let title = "no file that logins read has line ends of Windows";
            findings.push(Finding::pass(ids::ENV_FILE_LINE_ENDS, title).observed(read));
        }
        findings
    }
}

fn facts(host: &dyn HostRead) -> LineEndsFacts {
    let seen = observe(host);
    let files = seen.found.into_iter().map(|file| Shown { shown: host.shown(&file.path), file });
    let unread = seen.unread.into_iter().map(|own| Unread { by_root: own.id == id::NEEDS_ROOT, why: own.message });
    LineEndsFacts {
        files: files.collect(),
        read: seen.read.iter().map(|path| host.shown(path)).collect(),
        unread: unread.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn only_what_was_read_passes() {
        let of = |host: &MemoryHost| {
            let found = LineEnds.judge(&facts(host), &CheckSpec::default());
            let told = |own: &Finding| (own.status, own.observed.as_deref().unwrap_or_default().to_owned());
            found.iter().map(told).collect::<Vec<_>>()
        };
        let host = MemoryHost::new();
        assert_eq!(of(&host), [(Status::Pass, "there is no file that logins read".to_owned())]);
        host.put("/etc/profile.d/a.sh", b"A=b\n");
        assert_eq!(of(&host), [(Status::Pass, "/etc/profile.d/a.sh".to_owned())]);
        let host = host.with_error("/etc/environment", ErrorKind::Other);
        let [(Status::Error, why)] = &of(&host)[..] else { panic!("{:?}", of(&host)) };
        assert!(why.starts_with("/etc/environment "), "{why}");
        let host = MemoryHost::new().with_error("/etc/profile.d", ErrorKind::PermissionDenied);
        let [(Status::Skip | Status::Error, why)] = &of(&host)[..] else { panic!("{:?}", of(&host)) };
        assert!(why.starts_with("/etc/profile.d "), "{why}");
        // One reason is told once, with all that it keeps from sight.
        let both = MemoryHost::new().with_error("/etc/environment", ErrorKind::Other);
        let both = both.with_error("/etc/profile.d", ErrorKind::Other);
        let [(Status::Error, why)] = &of(&both)[..] else { panic!("{:?}", of(&both)) };
        assert!(why.contains("/etc/environment ") && why.contains("; ") && why.contains("/etc/profile.d "), "{why}");
    }
}
