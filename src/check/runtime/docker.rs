//! The docker command: which containers there are, which are the product's, what they were made from.
//!
//! What it prints is asked for line by line, so that output that is cut off, or is no JSON, costs the lines in question
//! only.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::known::Known;
use super::place::is_home;
use super::text::{epoch, first_line, is_plain};
use crate::check::unit::Look;
use crate::host::{Command, Output};
use crate::net::Time;

/// So many containers of the product are looked at.
pub(super) const MAX_CONTAINERS: usize = 64;

/// No honest host has more lines of `docker ps`.
const MAX_LINES: usize = 2000;

/// Why Docker did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trouble", rename_all = "kebab-case")]
pub(in crate::check) enum NoDocker {
    /// There is no such command.
    Absent,
    /// The daemon does not run, or is not at the usual socket.
    Down {
        /// The command's words.
        why: String,
    },
    /// This user may not talk to it.
    Denied {
        /// The command's words.
        why: String,
    },
    /// No answer in time.
    Late {
        /// Milliseconds waited.
        millis: u64,
    },
    /// It failed otherwise, or its answer could not be read.
    Odd {
        /// The command's words.
        why: String,
    },
}

/// One container, as far as checks ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::check) struct Container {
    pub(super) id: String,
    pub(in crate::check) name: String,
    /// Seconds since 1970.
    pub(super) created: Option<u64>,
    pub(in crate::check) status: String,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
    /// Bytes; `None`: it may use all that the host has.
    pub(super) memory_limit: Option<u64>,
    pub(super) error: String,
    pub(super) restarts: u64,
    /// Seconds since 1970.
    pub(super) started: Option<u64>,
    /// Seconds since 1970.
    pub(super) finished: Option<u64>,
    pub(super) health: Option<String>,
    pub(super) image: String,
    /// The service of the compose file, or what its command tells.
    pub(super) service: Option<String>,
    /// Of the compose that made it.
    pub(super) compose_version: Option<String>,
    /// The compose files that it was made from.
    pub(super) compose_files: Option<String>,
    /// `NAME=value`: holds secrets, never goes into facts.
    pub(in crate::check) environment: Vec<String>,
}

/// What there is.
#[derive(Debug, Default)]
pub(in crate::check) struct Found {
    /// The product's, in the order of the vendor's files.
    pub(in crate::check) own: Vec<Container>,
    /// All containers of the host.
    pub(super) all: usize,
    /// Other folders that containers with the vendor's images were started from.
    pub(super) elsewhere: Vec<String>,
    /// Lines that could not be read.
    pub(super) unread: usize,
}

/// The product's containers.
///
/// # Errors
/// Docker does not answer.
pub(in crate::check) fn containers(look: &Look<'_>, time: Time) -> Result<Found, NoDocker> {
    let output = docker(look, time, &["ps", "-a", "--no-trunc", "--format", "{{json .ID}}"])?;
    if output.code != Some(0) {
        return Err(refused(&output));
    }
    let mut found = Found::default();
    let mut ids: Vec<String> = Vec::new();
    for line in lines(&output.stdout).take(MAX_LINES) {
        match serde_json::from_slice::<String>(line) {
            // Ids go back to the command as arguments.
            Ok(id) if !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                ids.push(id)
            }
            _ => found.unread += 1,
        }
    }
    found.all = ids.len();
    if ids.is_empty() {
        return if found.unread > 0 { Err(odd("docker ps printed no container ids", &output)) } else { Ok(found) };
    }
    let mut argv = vec!["inspect", "--type", "container", "--format", INSPECT];
    argv.extend(ids.iter().map(String::as_str));
    // Ends with 1 where a container has gone in between; the others are there.
    let output = docker(look, time, &argv)?;
    let mut read = 0;
    for line in lines(&output.stdout).take(MAX_LINES) {
        let Ok(value @ Value::Object(_)) = serde_json::from_slice::<Value>(line) else {
            found.unread += 1;
            continue;
        };
        read += 1;
        let container = container(&value);
        match belonging(look, &value, &container) {
            Belonging::Own if found.own.len() < MAX_CONTAINERS => found.own.push(container),
            Belonging::Elsewhere(folder) if !found.elsewhere.contains(&folder) && found.elsewhere.len() < 5 => {
                found.elsewhere.push(folder);
            }
            _ => {}
        }
    }
    if read == 0 {
        return Err(if output.code == Some(0) {
            odd("docker inspect printed nothing of use", &output)
        } else {
            refused(&output)
        });
    }
    let rank = |container: &Container| Known::get().rank(container.service.as_deref().unwrap_or_default());
    found.own.sort_by(|a, b| (rank(a), &a.service, &a.name).cmp(&(rank(b), &b.service, &b.name)));
    Ok(found)
}

/// `docker …` within the time of the check, with some of it left for what follows.
///
/// # Errors
/// It could not be run, or not to its end.
pub(super) fn docker(look: &Look<'_>, time: Time, arguments: &[&str]) -> Result<Output, NoDocker> {
    let deadline = time.left().saturating_sub(Duration::from_millis(300)).mul_f32(0.9);
    let argv = std::iter::once("docker").chain(arguments.iter().copied());
    let command = Command { deadline, ..Command::new(argv) };
    if deadline.is_zero() {
        return Err(NoDocker::Late { millis: 0 });
    }
    look.host.run(&command).map_err(|error| match error.kind() {
        ErrorKind::NotFound => NoDocker::Absent,
        ErrorKind::TimedOut => NoDocker::Late { millis: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX) },
        ErrorKind::PermissionDenied => NoDocker::Denied { why: "the docker program may not be run".to_owned() },
        _ => NoDocker::Odd { why: error.to_string() },
    })
}

/// Everything that is asked of one container, on one line. Health logs are left out: they are long and anybody's text.
/// `index`, because `.State.Health` is an error where a container has no health check.
const INSPECT: &str = "{\"id\":{{json .Id}},\"name\":{{json .Name}},\"created\":{{json .Created}},\"restarts\":{{json .RestartCount}},\
\"status\":{{json .State.Status}},\"exit\":{{json .State.ExitCode}},\"oom\":{{json .State.OOMKilled}},\"memory\":{{json .HostConfig.Memory}},\"error\":{{json .State.Error}},\
\"started\":{{json .State.StartedAt}},\"finished\":{{json .State.FinishedAt}},\
\"health\":{{with index .State \"Health\"}}{{json .Status}}{{else}}null{{end}},\"image\":{{json .Config.Image}},\"labels\":{{json .Config.Labels}},\
\"entrypoint\":{{json .Config.Entrypoint}},\"cmd\":{{json .Config.Cmd}},\"env\":{{json .Config.Env}}}";

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace))
}

fn container(value: &Value) -> Container {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let time = |key: &str| value[key].as_str().and_then(epoch);
    let label = |key: &str| value["labels"][key].as_str().map(str::to_owned);
    let words = |key: &str| -> Vec<String> {
        value[key].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let command = [words("entrypoint"), words("cmd")].concat().join(" ");
    let of_command = || Known::get().service_of_command(&command).map(|service| service.name.clone());
    Container {
        id: text("id"),
        name: text("name").trim_start_matches('/').to_owned(),
        created: time("created"),
        status: text("status"),
        exit_code: value["exit"].as_i64(),
        oom_killed: value["oom"].as_bool().unwrap_or(false),
        memory_limit: value["memory"].as_u64().filter(|bytes| *bytes > 0),
        error: text("error"),
        restarts: value["restarts"].as_u64().unwrap_or(0),
        started: time("started"),
        finished: time("finished"),
        health: value["health"].as_str().map(str::to_owned),
        image: text("image"),
        service: label("com.docker.compose.service").filter(|name| is_plain(name)).or_else(of_command),
        compose_version: label("com.docker.compose.version"),
        compose_files: label("com.docker.compose.project.config_files"),
        environment: words("env"),
    }
}

enum Belonging {
    Own,
    Elsewhere(String),
    No,
}

/// Made from the compose file of the product's folder; or, where no label tells a folder (docker run, docker-compose
/// before 1.25), from the vendor's image or by a project named after the folder with a service of the vendor's.
fn belonging(look: &Look<'_>, value: &Value, container: &Container) -> Belonging {
    let known = Known::get();
    let of_vendor = known.images.is_product(repository_and_tag(&container.image).0);
    let label = |key: &str| value["labels"][key].as_str();
    // `docker-compose run`: somebody's own command, no service.
    if label("com.docker.compose.oneoff").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Belonging::No;
    }
    if let Some(folder) = label("com.docker.compose.project.working_dir") {
        return match is_home(look, folder) {
            true => Belonging::Own,
            false if of_vendor => Belonging::Elsewhere(super::text::shown(folder, 200)),
            false => Belonging::No,
        };
    }
    let project = look.spec.home.file_name().map(|name| {
        name.to_string_lossy()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect::<String>()
    });
    let of_project = label("com.docker.compose.project").is_some_and(|own| Some(own) == project.as_deref());
    let of_service = container.service.as_deref().is_some_and(|name| known.service(name).is_some());
    if of_vendor || (of_project && of_service) { Belonging::Own } else { Belonging::No }
}

/// `repository:tag@digest` → repository and tag (`latest` where there is none, the digest where there is one alone).
pub(super) fn repository_and_tag(image: &str) -> (&str, &str) {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, digest.unwrap_or("latest")),
    }
}

/// Containers by service, in the order of the vendor's files; those without one under their own names.
pub(super) fn by_service(found: &Found) -> Vec<(String, Vec<&Container>)> {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<&Container>> = BTreeMap::new();
    for container in &found.own {
        let name = container.service.clone().unwrap_or_else(|| container.name.clone());
        if !order.contains(&name) {
            order.push(name.clone());
        }
        groups.entry(name).or_default().push(container);
    }
    order.into_iter().map(|name| (name.clone(), groups.remove(&name).unwrap_or_default())).collect()
}

/// What the words of a failed docker command mean.
fn refused(output: &Output) -> NoDocker {
    // The client warns of its own config file first: that is not why the daemon was not asked.
    let told = lines(&output.stderr).filter(|line| !line.starts_with(b"WARNING:"));
    let why = first_line(&told.collect::<Vec<_>>().join(&b'\n'), 300);
    let has = |words: &[&str]| words.iter().any(|word| why.to_lowercase().contains(word));
    if has(&["permission denied"]) {
        NoDocker::Denied { why }
    } else if has(&[
        "cannot connect to the docker daemon",
        "is the docker daemon running",
        "connection refused",
        "no such file",
    ]) {
        NoDocker::Down { why }
    } else if why.is_empty() {
        NoDocker::Odd { why: format!("docker ended with code {:?} and said nothing", output.code) }
    } else {
        NoDocker::Odd { why }
    }
}

fn odd(what: &str, output: &Output) -> NoDocker {
    let words = first_line(&output.stdout, 80);
    NoDocker::Odd { why: format!("{what}; it begins with {words:?}") }
}

#[cfg(test)]
mod tests;
