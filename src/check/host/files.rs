//! Files that say what the settings are, and could not be read.

use serde::{Deserialize, Serialize};

use crate::check::Unread;
use crate::check::prelude::*;
use crate::consumers::judge::home_flag;

/// What could not be read is known before any check begins; see [`CheckSpec::unread`].
pub(super) struct Files;

/// Empty: what could not be read is part of [`CheckSpec`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesFacts {}

impl Check for Files {
    type Facts = FilesFacts;

    const META: Meta = Meta::new("files", Group::Host, &[ids::FILE_UNREADABLE]);

    fn collect(&self, _: &Look<'_>, _: Time, _: Option<&FilesFacts>) -> FilesFacts {
        FilesFacts {}
    }

    fn judge(&self, _: &FilesFacts, spec: &CheckSpec) -> Vec<Finding> {
        if spec.unread.is_empty() {
            let title = "every file that says what the settings are was read";
            return vec![Finding::pass(ids::FILE_UNREADABLE, title).observed("none was in the way")];
        }
        let of_one = |Unread { why, needs_root }: &Unread| {
            let status = if *needs_root { Status::Warn } else { Status::Fail };
            let finding = Finding::new(ids::FILE_UNREADABLE, status, why)
                .expected("files that say what the host has can be read")
                .observed(why)
                .cause("what is said about proxy and back ends may be incomplete, because part of it stands there");
            if *needs_root {
                finding.fix(as_root(ics_setup(text!("check{}", home_flag(&spec.home)))))
            } else {
                finding.advise(text!("mend what keeps it from being read, then: {}", as_root(ics_setup("check"))))
            }
        };
        spec.unread.iter().map(of_one).collect()
    }
}
