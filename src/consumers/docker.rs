//! The Docker daemon, its command line client, and the product's containers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::reader::{FileProbe, IMAGE};
use super::{Consumer, Known, NAMES, State, Who};
use crate::docker::NoDocker;
use crate::envfile::{Dialect, Seen, unit};
use crate::environment::{self, DAEMON_JSON, Daemon};
use crate::net::seconds;
use crate::product::own_containers;
use crate::text;
use crate::text::{Foreign, Text, own};
use crate::vendor::Vendor;

/// Where units and their drop-ins are, strongest first.
const UNIT_FOLDERS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Where the daemon's program is.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/bin/dockerd-current"];

/// No more containers than this are looked into.
const MOST_CONTAINERS: usize = 20;

/// Names with their values, the six of them alone.
type Values = BTreeMap<&'static str, String>;

/// The daemon: by its own environment while it runs, else by what it will read when it starts. `daemon.json` and the
/// daemon's options win over the environment (engine 23 and newer; older ones do not start with such a file).
pub(super) fn daemon(probe: &mut FileProbe<'_>) -> Consumer {
    let running = if probe.host.is_live() { environment::dockerd(probe.host, probe.limit()) } else { None };
    let json_path = json_path(running.as_ref());
    let json = match json_values(probe, &json_path) {
        Ok(json) => json,
        Err((state, why)) => return Consumer::unseen(Who::Docker, probe.shown(&json_path), state, why),
    };
    let files = unit_values(probe);
    let Some(running) = running else {
        let there = |path: &Path| probe.host.lstat(path).ok().flatten().is_some();
        let installed = PROGRAMS.iter().any(|path| there(Path::new(path)))
            || UNIT_FOLDERS.iter().any(|folder| there(&Path::new(folder).join("docker.service")));
        return match files {
            Ok((values, sources)) if installed || !values.is_empty() || !json.is_empty() => {
                let mut sources = sources;
                if !json.is_empty() {
                    sources.push(probe.shown(&json_path));
                }
                if sources.is_empty() {
                    sources.push(probe.shown(&Vendor::get().docker.drop_in));
                }
                consumer(probe, values, json, sources.join(", "))
            }
            Ok(_) => Consumer::unseen(Who::Docker, "dockerd", State::Skipped, "Docker is not installed"),
            Err((state, why)) => Consumer::unseen(Who::Docker, "docker.service", state, why),
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
    let mut strong = options(&running);
    let source = if json.is_empty() { place } else { format!("{}, {place}", probe.shown(&json_path)) };
    // Beside these there may be what systemd gives to all its services.
    let unit_differs = running.by_systemd
        && files.as_ref().is_ok_and(|(files, _)| files.iter().any(|(name, value)| values.get(name) != Some(value)));
    let json_unread =
        json_is_newer(probe, &running, &json_path) && json.iter().any(|(name, value)| values.get(name) != Some(value));
    let why = if unit_differs {
        Some("its unit or a drop-in says something else since it was started".into())
    } else if json_unread {
        Some(text!("{} was changed after it was started", own(probe.shown(&json_path))))
    } else {
        None
    };
    let next = match (&why, files) {
        (Some(_), Ok((files, sources))) => {
            let mut weak = values.clone();
            weak.extend(files);
            let json = if json_unread || unit_differs { json.clone() } else { Values::new() };
            let source = if sources.is_empty() { probe.shown(&json_path) } else { sources.join(", ") };
            Some(Box::new(consumer(probe, weak, json, source)))
        }
        _ => None,
    };
    if !json_unread {
        strong.extend(json);
    }
    Consumer { why, next, known: Known::Asked, ..consumer(probe, values, strong, source) }
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
    let running = found.own.into_iter().filter(|container| container.state.status == "running");
    let consumers: Vec<Consumer> = running
        .take(MOST_CONTAINERS)
        .map(|container| {
            let name = container.state.name.clone();
            let source = format!("docker inspect {}", Foreign::new(&name));
            let mut consumer =
                Consumer { known: Known::Asked, ..Consumer::new(Who::Container, Some(name.clone()), source) };
            let pairs = container.environment.iter().filter_map(|pair| pair.split_once('='));
            let variables: environment::Variables =
                pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            probe.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
            consumer
        })
        .collect();
    if consumers.is_empty() { skipped("no container of the product runs".into()) } else { consumers }
}

/// `--config-file` of the running daemon, else the usual place.
fn json_path(running: Option<&Daemon>) -> PathBuf {
    let usual = Vendor::get().docker.daemon_json.clone();
    running.and_then(|daemon| option(daemon, "--config-file")).map_or(usual, PathBuf::from)
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
fn options(daemon: &Daemon) -> Values {
    let value = |(name, key): (&str, &str)| Some((upper(name)?, option(daemon, &format!("--{key}"))?));
    DAEMON_JSON.into_iter().filter_map(value).collect()
}

fn option(daemon: &Daemon, name: &str) -> Option<String> {
    let mut words = daemon.arguments.iter();
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

/// What the unit of the daemon, its drop-ins and their environment files give it, and which of them do so.
fn unit_values(probe: &FileProbe<'_>) -> Result<(Values, Vec<String>), (State, Text)> {
    let mut text = Vec::new();
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    for path in unit_files(probe) {
        let Some(bytes) = probe.read(&path)? else { continue };
        let own = unit::assignments(&bytes);
        if NAMES.iter().any(|name| unit::value(&own, name).is_some()) {
            sources.push(probe.shown(&path));
        }
        let lossy = String::from_utf8_lossy(&bytes).into_owned();
        files.extend(
            lossy
                .lines()
                .filter_map(|line| line.trim().strip_prefix("EnvironmentFile="))
                .map(|file| PathBuf::from(file.trim().trim_start_matches('-').trim_matches('"'))),
        );
        text.extend_from_slice(&bytes);
        text.push(b'\n');
    }
    let assignments = unit::assignments(&text);
    let mut values = Values::new();
    for name in NAMES {
        let found = unit::value(&assignments, name);
        values.extend(found.map(|found| (name, String::from_utf8_lossy(&found.value).into_owned())));
    }
    for path in files {
        let Some(bytes) = probe.read(&path)? else { continue };
        let reading = Dialect::SystemdEnvironmentFile.read_only(&bytes, &NAMES.map(str::as_bytes));
        let mut counts = false;
        for name in NAMES {
            if let Some(Seen::Value(value)) = reading.get(name.as_bytes()) {
                values.insert(name, String::from_utf8_lossy(value).into_owned());
                counts = true;
            }
        }
        if counts {
            sources.push(probe.shown(&path));
        }
    }
    Ok((values, sources))
}

/// The unit and its drop-ins in the order in which systemd reads them: by name, the strongest folder for each name.
fn unit_files(probe: &FileProbe<'_>) -> Vec<PathBuf> {
    let there = |path: &PathBuf| probe.host.lstat(path).ok().flatten().is_some();
    let unit = UNIT_FOLDERS.iter().map(|folder| Path::new(folder).join("docker.service")).find(there);
    let mut drop_ins: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for folder in UNIT_FOLDERS.map(|folder| Path::new(folder).join("docker.service.d")) {
        for name in probe.host.list(&folder).unwrap_or_default() {
            if name.to_string_lossy().ends_with(".conf") {
                drop_ins.entry(name.clone()).or_insert_with(|| folder.join(&name));
            }
        }
    }
    unit.into_iter().chain(drop_ins.into_values()).collect()
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
        let arguments = ["dockerd", "--http-proxy=http://a:1", "--config-file", "/x.json"];
        let daemon =
            Daemon { pid: 1, by_systemd: false, arguments: arguments.iter().map(|word| (*word).to_owned()).collect() };
        assert_eq!(json_path(Some(&daemon)), Path::new("/x.json"));
        assert_eq!(options(&daemon).get("HTTP_PROXY").map(String::as_str), Some("http://a:1"));
    }
}
