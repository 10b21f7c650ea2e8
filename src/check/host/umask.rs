//! A umask under which files that root makes cannot be read by those who need them.

use crate::check::prelude::*;
use crate::system::umask::{self, Found, UmaskFacts};

/// What hardening guides ask for. Bits beyond it take the group's right to read.
const STRICTEST: u32 = 0o027;

pub(super) struct Umask;

impl Check for Umask {
    type Facts = UmaskFacts;

    const META: Meta = Meta::new("umask", Group::Host, &[ids::UMASK]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&UmaskFacts>) -> UmaskFacts {
        umask::observe(look.host, STRICTEST)
    }

    fn judge(&self, facts: &UmaskFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_umask(&facts.found)]
    }
}

fn judge_umask(found: &[Found]) -> Finding {
    let octal = |umask: u32| own(format!("{umask:03o}"));
    let shown = |found: &&Found| text!("{} in {}:{}", octal(found.umask), found.file, found.line);
    let strict: Vec<&Found> = found.iter().filter(|found| found.umask & !STRICTEST != 0).collect();
    let expected = text!("a umask of {} or less strict for logins of root", octal(STRICTEST));
    let Some(first) = strict.first() else {
        let seen: Text = match found {
            [] => "no file sets one".into(),
            found => Text::join(found.iter().map(|found| shown(&found)), ", "),
        };
        return Finding::pass(ids::UMASK, "files that root makes can be read by those who need them")
            .expected(expected)
            .observed(seen);
    };
    let title = text!("files that root makes can be read by root only (umask {})", octal(first.umask));
    Finding::warn(ids::UMASK, title)
        .expected(expected)
        .observed(Text::join(strict.iter().map(shown), ", "))
        .cause(
            "installers run as root leave scripts in /etc/profile.d, and files in the product's folder, that logins and the \
             user divvy cannot read; ics-setup itself gives its files their modes",
        )
        .advise("run installers in a shell of its own: (umask 022; bash <INSTALLER>)")
        .advise("mend what is there already: chmod a+r /etc/profile.d/*.sh")
        .evidence("umask", octal(first.umask))
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
    fn scripts_of_logins_are_read() {
        let host = MemoryHost::new();
        host.put("/etc/profile.d/harden.sh", b"umask 077\n");
        let found = checked(&Umask, &host, &production());
        assert!(found[0].observed.as_deref().unwrap().contains("077 in /etc/profile.d/harden.sh:1"), "{found:?}");
        assert_eq!(checked(&Umask, &MemoryHost::new(), &production())[0].status, Status::Pass);
    }
}
