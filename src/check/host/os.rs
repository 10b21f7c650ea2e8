//! Which system this is, and whether the vendor supports it.

use serde::{Deserialize, Serialize};

use crate::check::prelude::*;
use crate::platform::{self, Said, Strategy};
use crate::problem::id;

pub(super) struct Os;

#[derive(Serialize, Deserialize)]
pub(super) struct OsFacts {
    said: Said,
    /// `--os`.
    forced: Option<Strategy>,
}

impl Check for Os {
    type Facts = OsFacts;

    const META: Meta = Meta::new(
        "os",
        Group::Host,
        &[
            ids::OS_SUPPORTED,
            ids::OS_UNSUPPORTED,
            ids::OS_UNKNOWN,
            ids::OS_TOO_OLD,
            ids::OS_VERSION_UNKNOWN,
            ids::OS_NOT_LISTED,
        ],
    )
    .gates(&[ids::OS_UNSUPPORTED, ids::OS_UNKNOWN, ids::OS_TOO_OLD, ids::OS_VERSION_UNKNOWN, ids::OS_NOT_LISTED]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&OsFacts>) -> OsFacts {
        OsFacts { said: platform::look(look.host), forced: look.platform.and_then(platform::Platform::forced) }
    }

    fn is_settled(&self, _facts: &OsFacts) -> bool {
        true
    }

    fn judge(&self, facts: &OsFacts, _want: &CheckSpec) -> Vec<Finding> {
        match platform::judge(&facts.said, facts.forced) {
            Ok((platform, findings)) if findings.is_empty() => {
                let os = &platform.os;
                let from = match os.source.as_os_str().is_empty() {
                    true => text!("nothing; {} says how to treat it", typed(text!("--os {}", own(os.strategy)))),
                    false => text!("{}", os.source),
                };
                let finding = Finding::pass(ids::OS_SUPPORTED, text!("the system is {}", os.pretty))
                    .expected("a system that the vendor lists, or one named with --os")
                    .observed(text!("{}, told by {}; treated like {}", os.pretty, from, own(os.strategy)))
                    .evidence("id", os.id.as_str())
                    .evidence("version", os.version.as_str())
                    .evidence("strategy", own(os.strategy.as_str()));
                vec![finding]
            }
            Ok((_, findings)) => findings,
            Err(problem) => {
                let id = if problem.id == id::OS_UNKNOWN { ids::OS_UNKNOWN } else { ids::OS_UNSUPPORTED };
                let finding = Finding::fail(id, problem.message.clone())
                    .expected(text!("{}", own(platform::known())))
                    .observed(problem.because.as_deref().unwrap_or(&problem.message))
                    .cause("where a system keeps its settings depends on its family, and this one belongs to none that is known");
                let commands =
                    Strategy::ALL.into_iter().map(|strategy| ics_setup(text!("check --os {}", own(strategy.as_str()))));
                let mut finding = commands.fold(finding, Finding::fix);
                finding.fix.extend(problem.hints);
                vec![finding]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn every_kind_of_system_is_a_finding_and_none_is_an_error() {
        for (release, id, status) in [
            ("ID=ubuntu\nVERSION_ID=22.04\n", "os-supported", Status::Pass),
            ("ID=centos\nVERSION_ID=7\nNAME=\"CentOS Linux\"\n", "os-supported", Status::Pass),
            ("ID=ubuntu\nVERSION_ID=16.04\n", "os-too-old", Status::Fail),
            ("ID=debian\nVERSION_ID=12\n", "os-not-listed", Status::Warn),
            ("ID=alpine\nVERSION_ID=3.18\n", "os-unsupported", Status::Fail),
            ("", "os-unknown", Status::Fail),
        ] {
            let host = MemoryHost::new();
            host.put("/etc/os-release", release.as_bytes());
            let findings = checked(&Os, &host, &production());
            assert_eq!(
                findings.iter().map(|found| (found.id.as_str(), found.status)).collect::<Vec<_>>(),
                [(id, status)]
            );
        }
    }
}
