//! The Docker daemon, its command line client, and the product's containers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::super::facts::Facts;
use super::collect::{Eye, IMAGE};
use super::{Consumer, NAMES, State, Who};
use crate::envfile::{Dialect, Seen, unit};
use crate::environment::{self, Daemon};
use crate::host::Command;
use crate::vendor::Vendor;

/// Where units and their drop-ins are, strongest first.
const UNIT_FOLDERS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Where the daemon's program is.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/bin/dockerd-current"];

/// No more containers than this are looked into.
const MOST_CONTAINERS: usize = 20;

const JSON_KEYS: [(&str, &str); 3] =
    [("HTTP_PROXY", "http-proxy"), ("HTTPS_PROXY", "https-proxy"), ("NO_PROXY", "no-proxy")];

/// Names with their values, the six of them alone.
type Values = BTreeMap<&'static str, String>;

/// The daemon: by its own environment while it runs, else by what it will read when it starts. `daemon.json` and the
/// daemon's options win over the environment (engine 23 and newer; older ones do not start with such a file).
pub(super) fn daemon(eye: &mut Eye<'_>) -> Consumer {
    let running = if eye.host.is_live() { environment::dockerd(eye.host, eye.limit()) } else { None };
    let json_path = json_path(running.as_ref());
    let json = match json_values(eye, &json_path) {
        Ok(json) => json,
        Err((state, why)) => return Consumer::unseen(Who::Docker, eye.shown(&json_path), state, why),
    };
    let files = unit_values(eye);
    let Some(running) = running else {
        let there = |path: &Path| eye.host.lstat(path).ok().flatten().is_some();
        let installed = PROGRAMS.iter().any(|path| there(Path::new(path)))
            || UNIT_FOLDERS.iter().any(|folder| there(&Path::new(folder).join("docker.service")));
        return match files {
            Ok((values, sources)) if installed || !values.is_empty() || !json.is_empty() => {
                let mut sources = sources;
                if !json.is_empty() {
                    sources.push(eye.shown(&json_path));
                }
                if sources.is_empty() {
                    sources.push(eye.shown(&Vendor::get().docker.drop_in));
                }
                consumer(eye, values, json, sources.join(", "))
            }
            Ok(_) => Consumer::unseen(Who::Docker, "dockerd", State::Skipped, "Docker is not installed"),
            Err((state, why)) => Consumer::unseen(Who::Docker, "docker.service", state, why),
        };
    };
    let place = format!("/proc/{}/environ", running.pid);
    let variables = match environment::of_process(eye.host, running.pid) {
        Ok(variables) => variables.unwrap_or_default(),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && eye.host.euid() != 0 => {
            let why = format!("{place} can be read by root only");
            return Consumer::unseen(Who::Docker, place, State::Skipped, why);
        }
        Err(error) => {
            let why = format!("{place} could not be read: {error}");
            return Consumer::unseen(Who::Docker, place, State::Unreadable, why);
        }
    };
    let mut values = Values::new();
    for name in NAMES {
        values.extend(environment::value(&variables, name).map(|value| (name, value.to_owned())));
    }
    // Beside these there may be what systemd gives to all its services.
    let unit_differs = running.by_systemd
        && files.is_ok_and(|(files, _)| files.iter().any(|(name, value)| values.get(name) != Some(value)));
    let json_unread =
        json_is_newer(eye, &running, &json_path) && json.iter().any(|(name, value)| values.get(name) != Some(value));
    let why = if unit_differs {
        Some("its unit or a drop-in says something else since it was started".to_owned())
    } else if json_unread {
        Some(format!("{} was changed after it was started", eye.shown(&json_path)))
    } else {
        None
    };
    let mut strong = json;
    strong.extend(options(&running));
    let source = if strong.is_empty() { place } else { format!("{}, {place}", eye.shown(&json_path)) };
    Consumer { stale: why.is_some(), why, ..consumer(eye, values, strong, source) }
}

/// `proxies` of root's `config.json`, which the docker client puts into the environment of containers that it starts.
pub(super) fn client(eye: &mut Eye<'_>) -> Option<Consumer> {
    let path = Path::new("/root/.docker/config.json");
    let bytes = match eye.read(path) {
        Ok(bytes) => bytes?,
        Err((state, why)) => return Some(Consumer::unseen(Who::DockerClient, eye.shown(path), state, why)),
    };
    let document: Value = match serde_json::from_slice(&bytes) {
        Ok(document) => document,
        Err(error) => {
            let why = format!("{} is no JSON: line {}", eye.shown(path), error.line());
            return Some(Consumer::unseen(Who::DockerClient, eye.shown(path), State::Unreadable, why));
        }
    };
    let proxies = &document["proxies"]["default"];
    proxies.as_object()?;
    let mut consumer = Consumer::new(Who::DockerClient, None, eye.shown(path));
    eye.fill(&mut consumer, |name| {
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

/// The running containers of the product.
pub(super) fn containers(eye: &mut Eye<'_>, home: &Path) -> Vec<Consumer> {
    let unseen = |state, why: String| vec![Consumer::unseen(Who::Container, "docker inspect", state, why)];
    if !eye.host.is_live() {
        return unseen(State::Skipped, IMAGE.to_owned());
    }
    let run = |argv: Vec<&str>| {
        let output = eye.host.run(&Command { deadline: eye.limit(), ..Command::new(argv) });
        match output {
            Ok(output) if output.code == Some(0) => Ok(output.stdout),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
                Err(format!("docker does not answer: {}", crate::redact::redact_line(&line)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("docker is not installed".to_owned()),
            Err(error) => Err(format!("docker could not be run: {error}")),
        }
    };
    let format = r#"{"id":{{json .ID}},"names":{{json .Names}},"image":{{json .Image}},"labels":{{json .Labels}}}"#;
    let rows = match run(vec!["docker", "ps", "--no-trunc", "--format", format]) {
        Ok(rows) => rows,
        // A daemon that does not run is the daemon's finding, not a second one.
        Err(why) => return unseen(State::Skipped, why),
    };
    let ids = of_product(&rows, home);
    if ids.is_empty() {
        return unseen(State::Skipped, "no container of the product runs".to_owned());
    }
    let format = r#"{"name":{{json .Name}},"env":{{json .Config.Env}}}"#;
    let mut argv = vec!["docker", "inspect", "--format", format];
    argv.extend(ids.iter().take(MOST_CONTAINERS).map(String::as_str));
    let rows = match run(argv) {
        Ok(rows) => rows,
        Err(why) => return unseen(State::Unreadable, why),
    };
    environments(&rows)
        .into_iter()
        .map(|(name, variables)| {
            let source = format!("docker inspect {name}");
            let mut consumer = Consumer::new(Who::Container, Some(name), source);
            eye.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
            consumer
        })
        .collect()
}

/// The ids of those containers that are the product's: by their Compose folder, or by their names.
fn of_product(rows: &[u8], home: &Path) -> Vec<String> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        names: String,
        image: String,
        labels: String,
    }
    let folder = format!("com.docker.compose.project.working_dir={}", home.display());
    let marks = &Facts::get().product.containers;
    String::from_utf8_lossy(rows)
        .lines()
        .filter_map(|line| serde_json::from_str::<Row>(line).ok())
        .filter(|row| {
            let named = |mark: &String| row.image.contains(mark) || row.names.contains(mark);
            row.labels.split(',').any(|label| label == folder) || marks.iter().any(named)
        })
        .map(|row| row.id)
        .collect()
}

fn environments(rows: &[u8]) -> Vec<(String, environment::Variables)> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
        env: Option<Vec<String>>,
    }
    let row = |line: &str| {
        let row: Row = serde_json::from_str(line).ok()?;
        let pairs = row.env.unwrap_or_default();
        let variables = pairs.iter().filter_map(|pair| pair.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some((row.name.trim_start_matches('/').to_owned(), variables))
    };
    String::from_utf8_lossy(rows).lines().filter_map(row).collect()
}

/// `--config-file` of the running daemon, else the usual place.
fn json_path(running: Option<&Daemon>) -> PathBuf {
    let usual = Vendor::get().docker.daemon_json.clone();
    running.and_then(|daemon| option(daemon, "--config-file")).map_or(usual, PathBuf::from)
}

fn json_values(eye: &Eye<'_>, path: &Path) -> Result<Values, (State, String)> {
    let bytes = eye.read(path)?.unwrap_or_default();
    if bytes.trim_ascii().is_empty() {
        return Ok(Values::new());
    }
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| {
        let why = format!("{} is no JSON (line {}): the daemon does not start with it", eye.shown(path), error.line());
        (State::Unreadable, why)
    })?;
    let value = |(name, key): (&'static str, &str)| Some((name, document["proxies"][key].as_str()?.to_owned()));
    Ok(JSON_KEYS.into_iter().filter_map(value).filter(|(_, value)| !value.is_empty()).collect())
}

/// `--http-proxy` and its kin, which engine 23 and newer have.
fn options(daemon: &Daemon) -> Values {
    let value = |(name, key): (&'static str, &str)| Some((name, option(daemon, &format!("--{key}"))?));
    JSON_KEYS.into_iter().filter_map(value).collect()
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
fn json_is_newer(eye: &Eye<'_>, running: &Daemon, path: &Path) -> bool {
    let changed = eye.host.snapshot(path).ok().flatten().and_then(|file| file.attributes.mtime);
    match (changed, environment::started(eye.host, running.pid)) {
        (Some(nanos), Some(started)) => i128::from(nanos) > (i128::from(started) + 1) * 1_000_000_000,
        _ => false,
    }
}

/// What the unit of the daemon, its drop-ins and their environment files give it, and which of them do so.
fn unit_values(eye: &Eye<'_>) -> Result<(Values, Vec<String>), (State, String)> {
    let mut text = Vec::new();
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    for path in unit_files(eye) {
        let Some(bytes) = eye.read(&path)? else { continue };
        let own = unit::assignments(&bytes);
        if NAMES.iter().any(|name| unit::value(&own, name).is_some()) {
            sources.push(eye.shown(&path));
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
        let Some(bytes) = eye.read(&path)? else { continue };
        let reading = Dialect::SystemdEnvironmentFile.read_only(&bytes, &NAMES.map(str::as_bytes));
        let mut counts = false;
        for name in NAMES {
            if let Some(Seen::Value(value)) = reading.get(name.as_bytes()) {
                values.insert(name, String::from_utf8_lossy(value).into_owned());
                counts = true;
            }
        }
        if counts {
            sources.push(eye.shown(&path));
        }
    }
    Ok((values, sources))
}

/// The unit and its drop-ins in the order in which systemd reads them: by name, the strongest folder for each name.
fn unit_files(eye: &Eye<'_>) -> Vec<PathBuf> {
    let there = |path: &PathBuf| eye.host.lstat(path).ok().flatten().is_some();
    let unit = UNIT_FOLDERS.iter().map(|folder| Path::new(folder).join("docker.service")).find(there);
    let mut drop_ins: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for folder in UNIT_FOLDERS.map(|folder| Path::new(folder).join("docker.service.d")) {
        for name in eye.host.list(&folder).unwrap_or_default() {
            if name.to_string_lossy().ends_with(".conf") {
                drop_ins.entry(name.clone()).or_insert_with(|| folder.join(&name));
            }
        }
    }
    unit.into_iter().chain(drop_ins.into_values()).collect()
}

/// The daemon asks the upper-case name first; what is stronger than its environment stands there.
fn consumer(eye: &mut Eye<'_>, weak: Values, strong: Values, source: String) -> Consumer {
    let mut consumer = Consumer::new(Who::Docker, None, source);
    eye.fill(&mut consumer, |name| strong.get(name).or_else(|| weak.get(name)).cloned());
    consumer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_the_product_are_told_from_others() {
        let rows = br#"{"id":"1","names":"x_web_1","image":"nginx","labels":"a=b,com.docker.compose.project.working_dir=/divvycloud"}
{"id":"2","names":"db","image":"mysql:5.7","labels":""}
{"id":"3","names":"interface","image":"divvycloud/divvycloud:22.1","labels":""}
{"id":"4","names":"other","image":"nginx","labels":"com.docker.compose.project.working_dir=/divvycloud2"}
no json"#;
        assert_eq!(of_product(rows, Path::new("/divvycloud")), ["1", "3"]);
        let rows = b"{\"name\":\"/a\",\"env\":[\"A=1=2\",\"B\"]}\n{\"name\":\"/b\",\"env\":null}\nbroken\n";
        let seen = environments(rows);
        assert_eq!(seen, [("a".to_owned(), vec![("A".to_owned(), "1=2".to_owned())]), ("b".to_owned(), vec![])]);
    }

    #[test]
    fn options_of_the_daemon_are_read_in_both_forms() {
        let arguments = ["dockerd", "--http-proxy=http://a:1", "--config-file", "/x.json"];
        let daemon =
            Daemon { pid: 1, by_systemd: false, arguments: arguments.iter().map(|word| (*word).to_owned()).collect() };
        assert_eq!(json_path(Some(&daemon)), Path::new("/x.json"));
        assert_eq!(options(&daemon).get("HTTP_PROXY").map(String::as_str), Some("http://a:1"));
    }
}
