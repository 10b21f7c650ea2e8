//! The package manager as a consumer.

use super::super::profile::{Case, Profile};
use super::super::{Consumer, Who};
use crate::finding::ids;
use crate::text;
use crate::text::{Fix, Text, own};

pub(in super::super) const MANAGER: Profile = Profile {
    has_file_of_ours: true,
    files: |probe| {
        let conf = probe.platform.map(|platform| platform.package_manager(probe.host).conf.to_path_buf());
        conf.into_iter().collect()
    },
    flag: " --target package-manager",
    // apt, dnf and yum have no list of their own.
    reads_lists: false,
    ..Profile::new(
        Who::PackageManager,
        ids::PROXY_PACKAGE_MANAGER,
        |probe| vec![super::manager(probe, probe.platform)],
        name,
        remedy,
    )
};

fn name(manager: &Consumer) -> Text {
    manager.name.as_ref().map_or("the package manager".into(), |name| text!("{}", own(name)))
}

fn remedy(case: &Case<'_>) -> (&'static str, Vec<Fix>) {
    let manager = case.consumer;
    // Nothing that is written for it would count.
    if manager.why.is_some() && !manager.decided.values().all(|decided| decided.ours) {
        let take_out = text!("take that line out, or bring it to the same proxy: {}", own(&manager.source));
        return ("a line that comes later decides it", vec![Fix::Advice(take_out)]);
    }
    let why = "it has a configuration of its own; under sudo and in timers it does not see the login's variables";
    (why, vec![case.write("prepare")])
}
