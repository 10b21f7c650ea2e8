//! The Docker daemon, its command line client, and the product's containers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::reader::{FileProbe, IMAGE};
use super::sight::{Place, Sight};
use super::units::{self, Service};
use super::{Consumer, NAMES, State, Who};
use crate::docker::NoDocker;
use crate::envfile::unit::Release;
use crate::environment::{self, DAEMON_JSON, Daemon};
use crate::host::HostRead;
use crate::net::seconds;
use crate::platform::Platform;
use crate::product::own_containers;
use crate::text;
use crate::text::{Foreign, Text, clean, own};
use crate::vendor::Vendor;

/// Units that run the daemon: a package's, and snapd's.
const UNITS: [&str; 2] = ["docker.service", "snap.docker.dockerd.service"];

/// Where the daemon's program is.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/bin/dockerd-current"];

/// No more containers than this are looked into.
const MOST_CONTAINERS: usize = 20;

/// Names with their values, the six of them alone.
type Values = BTreeMap<&'static str, String>;

/// The daemon: by its own environment while it runs, else by what it will read when it starts. `daemon.json` and the
/// daemon's options win over the environment (engine 23 and newer; older ones do not start with such a file).
pub(super) fn daemon(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Consumer {
    let running = if probe.host.is_live() { environment::dockerd(probe.host, probe.limit()) } else { None };
    let (unit, service) = docker_unit(probe.host, platform.map_or(Release::UNKNOWN, Platform::systemd));
    let of_unit = of_unit(probe, &service);
    let planned = of_unit.as_ref().map_or(&[][..], |own| &own.arguments[..]);
    let arguments = running.as_ref().map_or(planned, |daemon| &daemon.arguments[..]);
    let (json_path, strong) = (json_path(arguments), options(arguments));
    let json = match json_values(probe, &json_path) {
        Ok(json) => json,
        Err((state, why)) => return Consumer::unseen(Who::Docker, probe.shown(&json_path), state, why),
    };
    let Some(running) = running else {
        let there = |path: &Path| probe.host.lstat(path).ok().flatten().is_some();
        let installed = PROGRAMS.iter().any(|path| there(Path::new(path))) || service.fragment.is_some();
        if service.masked {
            let why = text!("{} is masked: systemd does not start it", own(unit));
            return Consumer::unseen(Who::Docker, unit, State::Skipped, why);
        }
        return match of_unit {
            Ok(own_unit) if installed || !own_unit.values.is_empty() || !json.is_empty() => {
                planned_daemon(probe, (unit, own_unit), (&json_path, json), strong)
            }
            Ok(_) => Consumer::unseen(Who::Docker, "dockerd", State::Skipped, "Docker is not installed"),
            Err((state, why)) => Consumer::unseen(Who::Docker, unit, state, why),
        };
    };
    let place = format!("/proc/{}/environ", running.pid);
    let variables = match environment::of_process(probe.host, running.pid) {
        Ok(variables) => variables.unwrap_or_default(),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && probe.host.euid() != 0 => {
            let why = text!("{} can be read by root only", own(&place));
            return Consumer::unseen(Who::Docker, place, State::NeedsRoot, why);
        }
        Err(error) => {
            let why = text!("{} could not be read: {}", own(&place), error);
            return Consumer::unseen(Who::Docker, place, State::Unreadable, why);
        }
    };
    let mut values = Values::new();
    for name in NAMES {
        values.extend(environment::value(&variables, name).map(|value| (name, value.to_owned())));
    }
    // Beside these there may be what systemd gives to all its services.
    let unit_differs = running.by_systemd
        && of_unit.is_ok_and(|unit| unit.values.iter().any(|(name, value)| values.get(name) != Some(value)));
    let json_unread =
        json_is_newer(probe, &running, &json_path) && json.iter().any(|(name, value)| values.get(name) != Some(value));
    let why = if unit_differs {
        Some("its unit or a drop-in says something else since it was started".into())
    } else if json_unread {
        Some(text!("{} was changed after it was started", own(probe.shown(&json_path))))
    } else {
        None
    };
    let strong = Values::from_iter(json.into_iter().chain(strong));
    let source = if strong.is_empty() { place } else { format!("{}, {place}", probe.shown(&json_path)) };
    Consumer { stale: why.is_some(), why, ..consumer(probe, values, strong, source) }
}

/// A daemon that does not run, as its unit would start it.
fn planned_daemon(
    probe: &mut FileProbe<'_>,
    (name, mut unit): (&str, OfUnit),
    (json_path, json): (&Path, Values),
    options: Values,
) -> Consumer {
    if let Some(both) = json.keys().find(|both| options.contains_key(*both)) {
        let key = own(both.to_ascii_lowercase().replace('_', "-"));
        let why =
            text!("the daemon does not start: {} stands in {} and among its options", key, probe.shown(json_path));
        return Consumer::unseen(Who::Docker, probe.shown(json_path), State::Unreadable, why);
    }
    if !json.is_empty() {
        unit.sources.push(probe.shown(json_path));
    }
    if let Some(path) = unit.command.filter(|_| !options.is_empty()) {
        unit.sources.insert(0, probe.shown(&path));
    }
    if unit.sources.is_empty() {
        unit.sources.push(probe.shown(&docker_drop_in(name)));
    }
    let strong = Values::from_iter(json.into_iter().chain(options));
    unit.unknown.retain(|name| upper(name).is_none_or(|name| !strong.contains_key(name)));
    let unknown: Vec<String> = unit.unknown.iter().map(|name| (*name).to_owned()).collect();
    let why = unit.why.filter(|_| !unknown.is_empty());
    Consumer { unknown, why, ..consumer(probe, unit.values, strong, unit.sources.join(", ")) }
}

/// `proxies` of root's `config.json`, which the docker client puts into the environment of containers that it starts.
pub(super) fn client(probe: &mut FileProbe<'_>) -> Option<Consumer> {
    let path = Path::new("/root/.docker/config.json");
    let bytes = match probe.read(path) {
        Ok(bytes) => bytes?,
        Err((state, why)) => return Some(Consumer::unseen(Who::DockerClient, probe.shown(path), state, why)),
    };
    let document: Value = match serde_json::from_slice(&bytes) {
        Ok(document) => document,
        Err(error) => {
            let why = text!("{} is no JSON: line {}", own(probe.shown(path)), error.line());
            return Some(Consumer::unseen(Who::DockerClient, probe.shown(path), State::Unreadable, why));
        }
    };
    let proxies = &document["proxies"]["default"];
    proxies.as_object()?;
    let mut consumer = Consumer::new(Who::DockerClient, None, probe.shown(path));
    probe.fill(&mut consumer, |name| {
        let key = match name {
            "http_proxy" => "httpProxy",
            "https_proxy" => "httpsProxy",
            "no_proxy" => "noProxy",
            _ => return None,
        };
        proxies[key].as_str().map(str::to_owned)
    });
    Some(consumer)
}

/// The running containers of the product in `home`.
pub(super) fn containers(probe: &mut FileProbe<'_>, home: &Path) -> Vec<Consumer> {
    let skipped = |why: Text| vec![Consumer::unseen(Who::Container, "docker inspect", State::Skipped, why)];
    if !probe.host.is_live() {
        return skipped(IMAGE.into());
    }
    let found = match own_containers(probe.host, home, probe.of_programs(2)) {
        Ok(found) => found,
        // A daemon that does not run is the daemon's finding, not a second one.
        Err(NoDocker::Absent) => return skipped("docker is not installed".into()),
        Err(NoDocker::Late { millis }) => {
            return skipped(text!("docker gave no answer within {}", own(seconds(Duration::from_millis(millis)))));
        }
        Err(NoDocker::Down { why } | NoDocker::Denied { why } | NoDocker::Odd { why }) => {
            return skipped(text!("docker does not answer: {}", why));
        }
    };
    let running = found.own.into_iter().filter(|container| container.status == "running");
    let consumers: Vec<Consumer> = running
        .take(MOST_CONTAINERS)
        .map(|container| {
            let name = clean(&container.name, 80);
            let mut consumer =
                Consumer::new(Who::Container, Some(name.clone()), format!("docker inspect {}", Foreign::new(&name)));
            let pairs = container.environment.iter().filter_map(|pair| pair.split_once('='));
            let variables: environment::Variables =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            probe.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
            consumer
        })
        .collect();
    if consumers.is_empty() { skipped("no container of the product runs".into()) } else { consumers }
}

/// `--config-file` of the daemon, else the usual place.
fn json_path(arguments: &[String]) -> PathBuf {
    option(arguments, "--config-file").map_or_else(|| Vendor::get().docker.daemon_json.clone(), PathBuf::from)
}

fn json_values(probe: &FileProbe<'_>, path: &Path) -> Result<Values, (State, Text)> {
    let found = environment::daemon_json(&probe.read(path)?.unwrap_or_default()).map_err(|error| {
        let why =
            text!("{} is no JSON (line {}): the daemon does not start with it", own(probe.shown(path)), error.line());
        (State::Unreadable, why)
    })?;
    let values = found.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(values.filter_map(|(name, value)| Some((upper(name)?, value))).collect())
}

/// The daemon asks for the upper-case name first; what is stronger than its environment stands there.
fn upper(name: &str) -> Option<&'static str> {
    NAMES.into_iter().rfind(|known| known.eq_ignore_ascii_case(name))
}

/// `--http-proxy` and its kin, which engine 23 and newer have.
fn options(arguments: &[String]) -> Values {
    let value = |(name, key): (&str, &str)| Some((upper(name)?, option(arguments, &format!("--{key}"))?));
    DAEMON_JSON.into_iter().filter_map(value).collect()
}

fn option(arguments: &[String], name: &str) -> Option<String> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == name {
            return words.next().cloned();
        }
        if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}

/// Was `daemon.json` written after the daemon was started?
fn json_is_newer(probe: &FileProbe<'_>, running: &Daemon, path: &Path) -> bool {
    let changed = probe.host.snapshot(path).ok().flatten().and_then(|file| file.attributes.mtime);
    match (changed, environment::started(probe.host, running.pid)) {
        (Some(nanos), Some(started)) => i128::from(nanos) > (i128::from(started) + 1) * 1_000_000_000,
        _ => false,
    }
}

/// What the daemon's unit and what it reads give it, and which files do so.
#[derive(Default)]
struct OfUnit {
    values: Values,
    sources: Vec<String>,
    /// Names whose value the files do not tell, and why of the first.
    unknown: Vec<&'static str>,
    why: Option<Text>,
    /// Program and arguments.
    arguments: Vec<String>,
    /// Who says so.
    command: Option<PathBuf>,
}

fn of_unit(probe: &FileProbe<'_>, service: &Service) -> Result<OfUnit, (State, Text)> {
    if let Some(doubt) = &service.refused {
        let why = text!("{}:{}: {}", own(probe.shown(&doubt.at.path)), doubt.at.line, doubt.why.clone());
        return Err((State::Unreadable, why));
    }
    let mut of_unit = OfUnit::default();
    for name in NAMES {
        let Some(sight) = service.sight(name) else { continue };
        let (path, line) = (&sight.at().path, sight.at().line);
        match &sight {
            Sight::Value { value, .. } => {
                of_unit.values.insert(name, value.clone());
            }
            Sight::Unset { .. } => {}
            Sight::Unknown { why, .. } => {
                // A file that cannot be read at all, or by root only.
                probe.read(path)?;
                of_unit.unknown.push(name);
                of_unit.why.get_or_insert_with(|| text!("{}:{}: {}", own(probe.shown(path)), line, why.clone()));
            }
        }
        let source = probe.shown(path);
        if !of_unit.sources.contains(&source) {
            of_unit.sources.push(source);
        }
    }
    // The daemon asks for the upper-case name first.
    let decided =
        |name: &str| upper(name).is_some_and(|upper| of_unit.values.get(upper).is_some_and(|v| !v.is_empty()));
    of_unit.unknown.retain(|name| !decided(name));
    let argv = service.exec_start.last().map_or(&[][..], |command| &command.argv);
    of_unit.arguments = argv.iter().flatten().cloned().collect();
    of_unit.command = service.exec_start.last().map(|command| command.at.path.clone());
    if let Some(doubt) = service.exec_unknown.clone().filter(|_| of_unit.why.is_none()) {
        of_unit.unknown = NAMES.to_vec();
        of_unit.why = Some(text!("{}:{}: {}", own(probe.shown(&doubt.at.path)), doubt.at.line, doubt.why));
    } else if argv.contains(&None) {
        let line = service.exec_start.last().map(|command| &command.at);
        of_unit.unknown = NAMES.to_vec();
        of_unit.why = line
            .map(|at| text!("{}:{}: its options cannot be told from the files", own(probe.shown(&at.path)), at.line));
    }
    Ok(of_unit)
}

/// The unit that runs the daemon: of several the first that systemd would start.
pub(crate) fn docker_unit(host: &dyn HostRead, release: Release) -> (&'static str, Service) {
    let mut found = UNITS.into_iter().map(|name| (name, units::service(host, name, release)));
    let usable = |(_, service): &(&str, Service)| service.fragment.is_some() && !service.masked;
    found.find(usable).unwrap_or_else(|| (UNITS[0], units::service(host, UNITS[0], release)))
}

/// The proxies among the options that the unit gives to the daemon, which outrank its environment, and the line.
pub(crate) fn docker_options(service: &Service) -> Option<(Vec<(&'static str, String)>, Place)> {
    let command = service.exec_start.last()?;
    let arguments: Vec<String> = command.argv.iter().flatten().cloned().collect();
    Some((options(&arguments).into_iter().collect(), command.at.clone()))
}

/// The drop-in of a unit of the daemon that is ours.
pub(crate) fn docker_drop_in(unit: &str) -> PathBuf {
    let usual = &Vendor::get().docker.drop_in;
    let folders = usual.parent().and_then(Path::parent);
    match (folders, usual.file_name()) {
        (Some(folders), Some(name)) => folders.join(format!("{unit}.d")).join(name),
        _ => usual.clone(),
    }
}

fn consumer(probe: &mut FileProbe<'_>, weak: Values, strong: Values, source: String) -> Consumer {
    let mut consumer = Consumer::new(Who::Docker, None, source);
    probe.fill(&mut consumer, |name| strong.get(name).or_else(|| weak.get(name)).cloned());
    consumer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_daemon_are_read_in_both_forms() {
        let arguments = ["dockerd", "--http-proxy=http://a:1", "--config-file", "/x.json"].map(str::to_owned);
        assert_eq!(json_path(&arguments), Path::new("/x.json"));
        assert_eq!(options(&arguments).get("HTTP_PROXY").map(String::as_str), Some("http://a:1"));
    }
}
