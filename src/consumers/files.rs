//! cron and services, by what their files say.

use std::path::Path;

use super::profile::Profile;
use super::reader::FileProbe;
use super::sight::Sight;
use super::{Consumer, Known, NAMES, State, Who, pam, units};
use crate::envfile::Syntax;
use crate::environment::{self, Unseen};
use crate::finding::ids;
use crate::text;
use crate::text::{Fix, own, typed};

pub(super) const CRON: Profile = Profile {
    lines: Some(Syntax::PamEnv),
    ..Profile::new(
        Who::Cron,
        ids::PROXY_CRON,
        |probe| {
            let modelled = cron(probe);
            probe.jobs(modelled)
        },
        |_| "a cron job".into(),
        |_| {
            let advice = text!(
                "write http_proxy=…, https_proxy=… and no_proxy=…, without export, at the top of the crontab: {}",
                typed("crontab -e")
            );
            (
                "cron reads /etc/environment where its PAM stack has pam_env, and never profile.d",
                vec![Fix::Advice(advice)],
            )
        },
    )
};

pub(super) const SYSTEMD: Profile = Profile {
    lines: Some(Syntax::EnvironmentFile),
    ..Profile::new(
        Who::Systemd,
        ids::PROXY_SYSTEMD,
        |probe| vec![asked_services(probe)],
        |_| "a systemd service".into(),
        |_| {
            let advice = text!(
                "give it to a service that needs a proxy: {}, then [Service] and Environment=http_proxy=…",
                typed("systemctl edit <NAME>")
            );
            ("services are no logins: they read neither /etc/environment nor profile.d", vec![Fix::Advice(advice)])
        },
    )
};

/// cron jobs: those whose crontabs set nothing, and those of each crontab that sets something.
fn cron(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let cron = match pam::cron::read(probe.host, probe.platform) {
        Ok(Some(cron)) => cron,
        Ok(None) => {
            let why = "cron is not installed";
            return vec![Consumer::unseen(Who::Cron, "/etc/pam.d/cron", State::Skipped, why)];
        }
        Err((path, why)) => {
            let shown = probe.shown(&path);
            let (state, why) = match probe.is_kept_from_us(&path) {
                true => (State::NeedsRoot, text!("{} can be read by root only", own(&shown))),
                false => (State::Unreadable, text!("{}: {}", own(&shown), why)),
            };
            return vec![Consumer::unseen(Who::Cron, shown.as_str(), state, why)];
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

fn asked_services(probe: &mut FileProbe<'_>) -> Consumer {
    if let Some(asked) = probe.asked_services() {
        return asked;
    }
    if !probe.host.is_live() {
        return services(probe);
    }
    let source = "systemctl show-environment";
    match environment::services(probe.host, probe.limit()) {
        Ok(variables) => {
            let mut consumer = Consumer { known: Known::Asked, ..Consumer::new(Who::Systemd, None, source) };
            probe.given(&mut consumer, &variables);
            consumer
        }
        Err(Unseen::Absent(why)) => Consumer::unseen(Who::Systemd, source, State::Skipped, why),
        Err(Unseen::Failed(why)) => Consumer::unseen(Who::Systemd, source, State::Unreadable, why),
    }
}

/// What systemd gives to all its services, where it cannot be asked.
pub(super) fn services(probe: &mut FileProbe<'_>) -> Consumer {
    let every = units::every_service(probe.host, probe.systemd());
    of_service(probe, &every)
}

/// The consumer that systemd starts so.
pub(super) fn of_service(probe: &mut FileProbe<'_>, service: &units::Service) -> Consumer {
    let sights = service.sights(&NAMES);
    for sight in sights.values() {
        let path = &sight.at().path;
        if let (Sight::Unknown { .. }, Err((state, why))) = (sight, probe.read(path)) {
            return Consumer::unseen(Who::Systemd, path.display().to_string(), state, why);
        }
    }
    let source = probe.sources(sights.values(), &[Path::new("/etc/systemd/system.conf")]);
    probe.modelled(Consumer::new(Who::Systemd, None, source), &sights)
}
