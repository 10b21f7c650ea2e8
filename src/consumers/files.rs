//! cron and services, by what their files say.

use std::path::Path;

use super::reader::FileProbe;
use super::sight::Sight;
use super::{Consumer, NAMES, State, Who, pam, units};
use crate::envfile::unit::Release;
use crate::platform::Platform;
use crate::text;
use crate::text::own;

/// cron jobs: those whose crontabs set nothing, and those of each crontab that sets something.
pub(super) fn cron(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let cron = match pam::cron::read(probe.host, platform) {
        Ok(Some(cron)) => cron,
        Ok(None) => {
            let why = "cron is not installed";
            return vec![Consumer::unseen(Who::Cron, "/etc/pam.d/cron", State::Skipped, why)];
        }
        Err((path, why)) => {
            let shown = probe.shown(&path);
            return vec![Consumer::unseen(
                Who::Cron,
                shown.as_str(),
                State::Unreadable,
                text!("{}: {}", own(&shown), why),
            )];
        }
    };
    let mut consumers = Vec::new();
    let plain: Vec<&pam::cron::Crontab> = cron.crontabs.iter().filter(|table| !table.sets).collect();
    if !plain.is_empty() || cron.crontabs.is_empty() {
        let mut source = probe.shown(&cron.stack);
        if !plain.is_empty() {
            let mut paths: Vec<String> = plain.iter().map(|table| probe.shown(&table.path)).collect();
            paths.dedup();
            source = format!("{source} for {}", paths.join(", "));
        }
        consumers.push(probe.modelled(Consumer::new(Who::Cron, None, source), &cron.base));
    }
    for table in cron.crontabs.iter().filter(|table| table.sets) {
        let (name, source) = (Some(table.user.clone()), probe.shown(&table.path));
        consumers.push(probe.modelled(Consumer::new(Who::Cron, name, source), &table.sights));
    }
    consumers
}

/// What systemd gives to all its services, where it cannot be asked.
pub(super) fn services(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Consumer {
    let every = units::every_service(probe.host, platform.map_or(Release::UNKNOWN, Platform::systemd));
    of_service(probe, &every)
}

/// The consumer that systemd starts so.
pub(super) fn of_service(probe: &mut FileProbe<'_>, service: &units::Service) -> Consumer {
    let sights = service.sights(&NAMES);
    let mut sources: Vec<String> = Vec::new();
    for sight in sights.values() {
        let path = &sight.at().path;
        if let (Sight::Unknown { .. }, Err((state, why))) = (sight, probe.read(path)) {
            return Consumer::unseen(Who::Systemd, path.display().to_string(), state, why);
        }
        if !sources.contains(&probe.shown(path)) {
            sources.push(probe.shown(path));
        }
    }
    if sources.is_empty() {
        sources.push(probe.shown(Path::new("/etc/systemd/system.conf")));
    }
    probe.modelled(Consumer::new(Who::Systemd, None, sources.join(", ")), &sights)
}
