//! A umask under which files that root makes cannot be read by those who need them.

use crate::check::prelude::*;
use crate::system::umask::{self, Found, UmaskFacts};

/// Bits beyond it take from others the right to read a file or to enter a folder. Hardening guides ask for 027, which does so
/// too: whom that keeps out does not depend on who asked for it.
const STRICTEST: u32 = 0o022;

/// These, and what is taken from root itself, which no mode keeps out.
const HARMLESS: u32 = STRICTEST | 0o700;

pub(super) struct Umask;

impl Check for Umask {
    type Facts = UmaskFacts;

    const META: Meta = Meta::new("umask", Group::Host, &[ids::UMASK]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&UmaskFacts>) -> UmaskFacts {
        umask::observe(look.host, HARMLESS)
    }

    fn judge(&self, facts: &UmaskFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_umask(facts)]
    }
}

fn judge_umask(facts: &UmaskFacts) -> Finding {
    let found = facts.found.as_slice();
    let octal = |umask: u32| own(format!("{umask:03o}"));
    let shown = |found: &&Found| text!("{} in {}:{}", octal(found.umask), found.file, found.line);
    let strict: Vec<&Found> = found.iter().filter(|found| found.umask & !HARMLESS != 0).collect();
    let expected = text!("a umask of {} or less strict for logins of root", octal(STRICTEST));
    let Some(first) = strict.first() else {
        if !facts.unread.is_empty() {
            let title = "it is not known whether files that root makes can be read by those who need them";
            let unread = Text::join(facts.unread.iter().cloned(), "; ");
            return Finding::skip(ids::UMASK, title).expected(expected).observed(unread);
        }
        let seen: Text = match found {
            [] => "no file sets one".into(),
            found => Text::join(found.iter().map(|found| shown(&found)), ", "),
        };
        return Finding::pass(ids::UMASK, "files that root makes can be read by those who need them")
            .expected(expected)
            .observed(seen);
    };
    let (what, cause, mend) = if shuts_files(first.umask) { FILES } else { FOLDERS };
    let title = text!("{} by {} (umask {})", own(what), own(left(first.umask)), octal(first.umask));
    Finding::warn(ids::UMASK, title)
        .expected(expected)
        .observed(Text::join(strict.iter().map(shown), ", "))
        .cause(cause)
        .advise(text!("run installers in a shell of its own: {}", typed("(umask 022; bash <INSTALLER>)")))
        .advise(text!("mend what is there already: {}", typed(mend)))
        .evidence("umask", octal(first.umask))
}

/// What is shut, why that matters, and what mends what is there already.
type Shut = (&'static str, &'static str, &'static str);

const FILES: Shut = (
    "files that root makes can be read",
    "installers run as root leave scripts in /etc/profile.d, and files in the product's folder, that logins and the \
     user divvy cannot read; ics-setup itself gives its files their modes",
    "chmod a+r /etc/profile.d/*.sh",
);

const FOLDERS: Shut = (
    "folders that root makes can be entered",
    "installers run as root leave folders that logins and the user divvy cannot enter, whatever the modes of the files in \
     them; ics-setup itself gives its folders their modes",
    "chmod a+x <FOLDER>",
);

/// A file is shut without r, a folder without x. What is taken from all others outweighs what is taken from the group alone.
fn shuts_files(umask: u32) -> bool {
    umask & 0o004 != 0 || (umask & 0o001 == 0 && umask & 0o040 != 0)
}

/// Who is not shut out.
fn left(umask: u32) -> &'static str {
    let bit = if shuts_files(umask) { 0o4 } else { 0o1 };
    match (umask & bit != 0, umask & (bit << 3) != 0) {
        (true, true) => "root only",
        (true, false) => "root and its group only",
        (false, _) => "everybody but root's group",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn umasks_at_the_boundary() {
        for (umask, status) in [
            (0o000, Status::Pass),
            (0o022, Status::Pass),
            (0o002, Status::Pass),
            (0o020, Status::Pass),
            (0o027, Status::Warn),
            (0o007, Status::Warn),
            (0o023, Status::Warn),
            (0o037, Status::Warn),
            (0o077, Status::Warn),
            (0o777, Status::Warn),
        ] {
            assert_eq!(judge_umask(&setting(umask)).status, status, "{umask:o}");
        }
    }

    fn setting(umask: u32) -> UmaskFacts {
        let found = Found { file: PathBuf::from("/etc/profile"), line: 1, umask };
        UmaskFacts { found: vec![found], unread: Vec::new() }
    }

    #[test]
    fn what_is_shut_to_whom_is_told_by_the_bits() {
        for (umask, title) in [
            (0o077, "files that root makes can be read by root only (umask 077)"),
            (0o027, "files that root makes can be read by root and its group only (umask 027)"),
            (0o023, "folders that root makes can be entered by root and its group only (umask 023)"),
            (0o033, "folders that root makes can be entered by root only (umask 033)"),
            (0o010, "folders that root makes can be entered by everybody but root's group (umask 010)"),
            (0o040, "files that root makes can be read by everybody but root's group (umask 040)"),
            (0o043, "folders that root makes can be entered by root and its group only (umask 043)"),
        ] {
            let finding = judge_umask(&setting(umask));
            assert_eq!(finding.title.to_string(), title);
            assert_eq!(format!("{:?}", finding.fix).contains("a+r"), title.starts_with("files"), "{finding:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_may_set_one() {
        let host = MemoryHost::new().with_error("/etc/profile", std::io::ErrorKind::PermissionDenied);
        let found = checked(&Umask, &host, &production());
        assert_eq!(found[0].status, Status::Skip, "{found:?}");
        host.put("/etc/profile.d/harden.sh", b"umask 077\n");
        assert_eq!(checked(&Umask, &host, &production())[0].status, Status::Warn);
    }

    #[test]
    fn scripts_of_logins_are_read() {
        let host = MemoryHost::new();
        host.put("/etc/profile.d/harden.sh", b"umask 077\n");
        let found = checked(&Umask, &host, &production());
        assert!(found[0].observed.as_deref().unwrap().contains("077 in /etc/profile.d/harden.sh:1"), "{found:?}");
        assert_eq!(checked(&Umask, &MemoryHost::new(), &production())[0].status, Status::Pass);
    }
}
