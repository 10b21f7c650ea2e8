//! Which system this is, and whether the vendor supports it.

use serde::{Deserialize, Serialize};

use super::GROUP;
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::net::Time;
use crate::platform::{self, Said, Strategy};

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
        &["os-supported", "os-unsupported", "os-unknown", "os-too-old", "os-version-unknown", "os-not-listed"],
    )
    .gates(&["os-unsupported", "os-unknown", "os-too-old", "os-version-unknown", "os-not-listed"]);

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
                    true => format!("nothing; --os {} says how to treat it", os.strategy),
                    false => os.source.display().to_string(),
                };
                let finding = Finding::new("os-supported", GROUP, Status::Pass, format!("the system is {}", os.pretty))
                    .expected("a system that the vendor lists, or one named with --os")
                    .observed(format!("{}, told by {from}; treated like {}", os.pretty, os.strategy))
                    .evidence("id", os.id.as_str())
                    .evidence("version", os.version.as_str())
                    .evidence("strategy", os.strategy.name());
                vec![finding]
            }
            Ok((_, findings)) => findings,
            Err(problem) => {
                let id = if problem.id == "os-unknown" { "os-unknown" } else { "os-unsupported" };
                let finding = Finding::new(id, GROUP, Status::Fail, problem.message.clone())
                    .expected("Ubuntu, CentOS, or a system that descends from Debian or Red Hat Enterprise Linux")
                    .observed(problem.because.clone().unwrap_or(problem.message));
                vec![Finding { fix: problem.hints, ..finding }]
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
            assert_eq!(findings.iter().map(|found| (found.id, found.status)).collect::<Vec<_>>(), [(id, status)]);
        }
    }
}
