//! cron, services and `prod.env`, by what their files say.

use std::collections::BTreeMap;
use std::path::Path;

use super::reader::FileProbe;
use super::sight::Sight;
use super::{Consumer, NAMES, State, Who, pam, units};
use crate::envfile::unit::Release;
use crate::envfile::{Dialect, Seen};
use crate::host::Command;
use crate::platform::Platform;
use crate::text;
use crate::text::own;
use crate::vendor::prod_env as path_of_prod_env;

/// What a reader gets for each name.
type Readings = BTreeMap<&'static str, Seen>;

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

/// `prod.env`: one consumer where all its readers see the same, else one for each way of reading it.
pub(super) fn prod_env(probe: &mut FileProbe<'_>, home: &Path) -> Vec<Consumer> {
    let path = path_of_prod_env(home);
    let shown = probe.shown(&path);
    let bytes = match probe.read(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let why = text!("{} is not there: the product is not installed", own(&shown));
            return vec![Consumer::unseen(Who::ProdEnv, shown, State::Skipped, why)];
        }
        Err((state, why)) => return vec![Consumer::unseen(Who::ProdEnv, shown, state, why)],
    };
    let mut ways: Vec<(Vec<&'static str>, Consumer)> = Vec::new();
    for dialect in readers(probe) {
        let reading = dialect.read_only(&bytes, &names_as_bytes());
        let fatal = reading.complaints.iter().find(|complaint| complaint.fatal).cloned();
        let mut readings = Readings::new();
        take(&mut readings, &mut Vec::new(), reading, String::new());
        let consumer = match fatal {
            Some(complaint) => {
                let why = text!("line {}: {}", complaint.line, own(complaint.message));
                Consumer::unseen(Who::ProdEnv, shown.as_str(), State::Unreadable, why)
            }
            None => of_readings(probe, Consumer::new(Who::ProdEnv, None, shown.as_str()), &readings),
        };
        match ways.iter_mut().find(|(_, known)| *known == consumer) {
            Some((names, _)) => names.push(dialect.name()),
            None => ways.push((vec![dialect.name()], consumer)),
        }
    }
    let several = ways.len() > 1;
    let named =
        |(names, consumer): (Vec<&str>, Consumer)| Consumer { name: several.then(|| names.join(", ")), ..consumer };
    ways.into_iter().map(named).collect()
}

/// The readers of `prod.env` that this host has; all that there are where none can be asked.
fn readers(probe: &FileProbe<'_>) -> Vec<Dialect> {
    let mut found = Vec::new();
    if probe.host.is_live() {
        let version = |argv: &[&str]| {
            let command = Command { deadline: probe.limit(), ..Command::new(argv.iter().copied()) };
            let output = probe.host.run(&command).ok().filter(|output| output.code == Some(0))?;
            Dialect::of_compose(&String::from_utf8_lossy(&output.stdout))
        };
        found.extend(version(&["docker-compose", "version", "--short"]));
        found
            .extend(version(&["docker", "compose", "version", "--short"]).filter(|found| *found == Dialect::ComposeV2));
        found.dedup();
    }
    if found.is_empty() {
        found = vec![Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2];
    }
    found
}

fn names_as_bytes() -> [&'static [u8]; 6] {
    NAMES.map(str::as_bytes)
}

/// What is read later counts; a name that a file does not mention keeps what it had.
fn take(readings: &mut Readings, sources: &mut Vec<String>, reading: crate::envfile::Reading, source: String) {
    let before = sources.len();
    for name in NAMES {
        if let Some(seen) = reading.get(name.as_bytes()) {
            readings.insert(name, seen.clone());
            if sources.len() == before {
                sources.push(source.clone());
            }
        }
    }
}

fn of_readings(probe: &mut FileProbe<'_>, mut consumer: Consumer, readings: &Readings) -> Consumer {
    probe.fill(&mut consumer, |name| match readings.get(name) {
        Some(Seen::Value(value)) => Some(String::from_utf8_lossy(value).into_owned()),
        _ => None,
    });
    let open = readings.iter().filter(|(_, seen)| !matches!(seen, Seen::Value(_)));
    let why = || text!("a condition, a command or another variable decides it");
    consumer.unknown = open.map(|(name, _)| ((*name).to_owned(), why())).collect();
    consumer
}
