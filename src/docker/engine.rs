//! The docker command: which containers there are, and what they were made from.
//!
//! What it prints is asked for line by line, so that output that is cut off, or is no JSON, costs the lines in question
//! only.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::{epoch, first_line, is_plain, shown};
use crate::host::{Command, HostRead, Output};
use crate::net::Time;
use crate::text;
use crate::text::{Foreign, Text, own};

/// No honest host has more lines of `docker ps`.
const MAX_LINES: usize = 2000;

/// Why Docker did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case")]
pub(crate) enum NoDocker {
    /// There is no such command.
    Absent,
    /// The daemon does not run, or is not at the usual socket.
    Down {
        /// The command's words.
        why: Foreign,
    },
    /// This user may not talk to it.
    Denied {
        /// The command's words.
        why: Foreign,
    },
    /// No answer in time.
    Late {
        /// Milliseconds waited.
        millis: u64,
    },
    /// It failed otherwise, or its answer could not be read.
    Odd {
        /// The command's words.
        why: Foreign,
    },
}

impl NoDocker {
    /// Why, in its own words where it has some.
    pub(crate) fn why(&self) -> Text {
        match self {
            Self::Absent => "there is no docker command".into(),
            Self::Down { why } | Self::Denied { why } | Self::Odd { why } => text!("{}", why),
            Self::Late { millis } => text!("no answer within {} ms", own(millis)),
        }
    }
}

/// What Docker says of a container, fit for facts: without its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContainerState {
    /// Its name.
    pub(crate) name: String,
    /// Docker's word: `running`, `exited`, `restarting`, `created`, `paused`, `dead`.
    pub(crate) status: String,
    /// How its program ended last.
    pub(crate) exit_code: Option<i64>,
    /// Docker's mark that the kernel killed it for want of memory, which it does not set for every such end.
    pub(crate) oom_killed: bool,
    /// Bytes; `None`: it may use all that the host has.
    pub(crate) memory_limit: Option<u64>,
    /// Docker's words on why it could not be started; empty: it could.
    pub(crate) error: Foreign,
    /// How often Docker has started it again.
    pub(crate) restarts: u64,
    /// Seconds since 1970.
    pub(crate) started: Option<u64>,
    /// Seconds since 1970.
    pub(crate) finished: Option<u64>,
    /// Docker's word; `None`: it has no health check.
    pub(crate) health: Option<String>,
    /// Its image's repository, as it was named.
    pub(crate) repository: String,
    /// Its image's tag; the digest where there is one alone.
    pub(crate) tag: String,
}

/// One container, as far as anybody asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    /// Its id.
    pub(crate) id: String,
    /// How it is.
    pub(crate) state: ContainerState,
    /// Seconds since 1970.
    pub(crate) created: Option<u64>,
    /// The service of the compose file, by its label.
    pub(crate) service: Option<String>,
    /// Entry point and arguments, joined by blanks.
    pub(crate) command: String,
    /// The project of the compose file, by its label.
    pub(crate) project: Option<String>,
    /// The folder that compose was run in, by its label.
    pub(crate) folder: Option<String>,
    /// Made by `docker-compose run`: somebody's own command, no service.
    pub(crate) one_off: bool,
    /// Of the compose that made it.
    pub(crate) compose_version: Option<String>,
    /// The compose files that it was made from.
    pub(crate) compose_files: Option<String>,
    /// Docker's word for its network: `host`, `bridge`, the name of a network, `container:…`, `none`; empty: it did not say.
    pub(crate) network: String,
    /// Its addresses in bridge networks; none while it does not run.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its ports that are published.
    pub(crate) published: Vec<Published>,
    /// `NAME:ADDRESS` of its hosts file.
    pub(crate) extra_hosts: Vec<String>,
    /// The name servers that it is told to ask in place of the daemon's.
    pub(crate) dns: Vec<String>,
    /// The domains that it is told to search, likewise.
    pub(crate) dns_search: Vec<String>,
    /// `NAME=value`: holds secrets, never goes into facts.
    pub(crate) environment: Vec<String>,
}

impl Container {
    /// Its image, as it was named.
    pub(crate) fn image(&self) -> String {
        let ContainerState { repository, tag, .. } = &self.state;
        let between = if tag.contains(':') { '@' } else { ':' };
        format!("{repository}{between}{tag}")
    }

    /// Where this host reaches a port of it.
    pub(crate) fn reached(&self, port: u16) -> Option<(String, u16)> {
        let published = self.published.iter().find(|own| own.inside == port);
        match (published, self.addresses.first()) {
            (Some(own), _) if own.at.is_unspecified() => Some(("127.0.0.1".to_owned(), own.outside)),
            (Some(own), _) => Some((own.at.to_string(), own.outside)),
            (None, Some(address)) => Some((address.to_string(), port)),
            (None, None) => None,
        }
    }
}

/// A port of a container that is published on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// In the container.
    pub(crate) inside: u16,
    /// On the host.
    pub(crate) outside: u16,
    /// At this address of the host; unspecified: at all.
    pub(crate) at: IpAddr,
}

/// The containers of the host.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    /// How many there are.
    pub(crate) all: usize,
    /// Those that could be looked into, in Docker's order.
    pub(crate) read: Vec<Container>,
    /// Lines that could not be read.
    pub(crate) unread: usize,
}

/// Every container of the host.
///
/// # Errors
/// Docker does not answer.
pub(crate) fn containers(host: &dyn HostRead, time: Time) -> Result<Containers, NoDocker> {
    let output = run(host, time, &["ps", "-a", "--no-trunc", "--format", "{{json .ID}}"])?;
    if output.code != Some(0) {
        return Err(refused(&output));
    }
    let mut found = Containers::default();
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
    let output = run(host, time, &argv)?;
    for line in lines(&output.stdout).take(MAX_LINES) {
        match serde_json::from_slice::<Value>(line) {
            Ok(value @ Value::Object(_)) => found.read.push(container(&value)),
            _ => found.unread += 1,
        }
    }
    if found.read.is_empty() {
        return Err(if output.code == Some(0) {
            odd("docker inspect printed nothing of use", &output)
        } else {
            refused(&output)
        });
    }
    Ok(found)
}

/// `docker …` within `time`, with some of it left for what follows.
///
/// # Errors
/// It could not be run, or not to its end.
pub(crate) fn run(host: &dyn HostRead, time: Time, arguments: &[&str]) -> Result<Output, NoDocker> {
    within(time, arguments, |command| host.run(command))
}

/// The same for what depends on no file that a plan may change.
pub(super) fn query(host: &dyn HostRead, time: Time, arguments: &[&str]) -> Result<Output, NoDocker> {
    within(time, arguments, |command| host.query(command))
}

fn within(
    time: Time,
    arguments: &[&str],
    run: impl FnOnce(&Command) -> std::io::Result<Output>,
) -> Result<Output, NoDocker> {
    let deadline = time.left().saturating_sub(Duration::from_millis(300)).mul_f32(0.9);
    let argv = std::iter::once("docker").chain(arguments.iter().copied());
    let command = Command { deadline, ..Command::new(argv) };
    if deadline.is_zero() {
        return Err(NoDocker::Late { millis: 0 });
    }
    run(&command).map_err(|error| match error.kind() {
        ErrorKind::NotFound => NoDocker::Absent,
        ErrorKind::TimedOut => NoDocker::Late { millis: crate::text::millis(deadline) },
        ErrorKind::PermissionDenied => NoDocker::Denied { why: "the docker program may not be run".into() },
        _ => NoDocker::Odd { why: error.to_string().into() },
    })
}

/// Everything that is asked of one container, on one line. Health logs are left out: they are long and anybody's text.
/// `index`, because `.State.Health` is an error where a container has no health check.
const INSPECT: &str = "{\"id\":{{json .Id}},\"name\":{{json .Name}},\"created\":{{json .Created}},\"restarts\":{{json .RestartCount}},\
\"status\":{{json .State.Status}},\"exit\":{{json .State.ExitCode}},\"oom\":{{json .State.OOMKilled}},\"memory\":{{json .HostConfig.Memory}},\"error\":{{json .State.Error}},\
\"started\":{{json .State.StartedAt}},\"finished\":{{json .State.FinishedAt}},\
\"health\":{{with index .State \"Health\"}}{{json .Status}}{{else}}null{{end}},\"image\":{{json .Config.Image}},\"labels\":{{json .Config.Labels}},\
\"entrypoint\":{{json .Config.Entrypoint}},\"cmd\":{{json .Config.Cmd}},\"network\":{{json .HostConfig.NetworkMode}},\"networks\":{{json .NetworkSettings.Networks}},\"ports\":{{json .NetworkSettings.Ports}},\"extra_hosts\":{{json .HostConfig.ExtraHosts}},\"dns\":{{json .HostConfig.Dns}},\"dns_search\":{{json .HostConfig.DnsSearch}},\
\"env\":{{json .Config.Env}}}";

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace))
}

fn container(value: &Value) -> Container {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let time = |key: &str| value[key].as_str().and_then(epoch);
    let label = |key: &str| value["labels"][key].as_str().map(str::to_owned);
    let words = |key: &str| -> Vec<String> {
        value[key].as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let (repository, tag) = repository_and_tag(text("image"));
    let state = ContainerState {
        name: shown(text("name").trim_start_matches('/'), 80),
        status: shown(text("status"), 20),
        exit_code: value["exit"].as_i64(),
        oom_killed: value["oom"].as_bool().unwrap_or(false),
        memory_limit: value["memory"].as_u64().filter(|bytes| *bytes > 0),
        error: shown(text("error"), 200).into(),
        restarts: value["restarts"].as_u64().unwrap_or(0),
        started: time("started"),
        finished: time("finished"),
        health: value["health"].as_str().map(|word| shown(word, 20)),
        repository: shown(repository, 120),
        tag: shown(tag, 80),
    };
    Container {
        id: text("id").to_owned(),
        state,
        created: time("created"),
        service: label("com.docker.compose.service").filter(|name| is_plain(name)),
        command: [words("entrypoint"), words("cmd")].concat().join(" "),
        project: label("com.docker.compose.project"),
        folder: label("com.docker.compose.project.working_dir"),
        one_off: label("com.docker.compose.oneoff").is_some_and(|word| word.eq_ignore_ascii_case("true")),
        compose_version: label("com.docker.compose.version"),
        compose_files: label("com.docker.compose.project.config_files"),
        network: text("network").to_owned(),
        addresses: addresses(&value["networks"]),
        published: published(&value["ports"]),
        extra_hosts: words("extra_hosts"),
        dns: words("dns"),
        dns_search: words("dns_search"),
        environment: words("env"),
    }
}

/// Of `{"NETWORK": {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "", …}, …}`, those of IPv4 first.
fn addresses(networks: &Value) -> Vec<IpAddr> {
    let of = |key| networks.as_object().into_iter().flatten().filter_map(move |(_, network)| network[key].as_str());
    ["IPAddress", "GlobalIPv6Address"].into_iter().flat_map(of).filter_map(|own| own.parse().ok()).collect()
}

/// Of `{"3306/tcp": [{"HostIp": "0.0.0.0", "HostPort": "3306"}, …], "33060/tcp": null}`.
fn published(ports: &Value) -> Vec<Published> {
    let mut found = Vec::new();
    for (inside, at) in ports.as_object().into_iter().flatten() {
        let Some(inside) = inside.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
        for binding in at.as_array().into_iter().flatten() {
            // Before 20.10 all addresses were an empty one.
            let at = binding["HostIp"].as_str().unwrap_or_default();
            let at = if at.is_empty() { "0.0.0.0" } else { at };
            let outside = binding["HostPort"].as_str().and_then(|port| port.parse().ok());
            found.extend(at.parse().ok().zip(outside).map(|(at, outside)| Published { inside, outside, at }));
        }
    }
    found
}

/// `repository:tag@digest` → repository and tag (`latest` where there is none, the digest where there is one alone).
pub(crate) fn repository_and_tag(image: &str) -> (&str, &str) {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, digest.unwrap_or("latest")),
    }
}

/// What the words of a failed docker command mean.
pub(super) fn refused(output: &Output) -> NoDocker {
    // The client warns of its own config file first: that is not why the daemon was not asked.
    let told = lines(&output.stderr).filter(|line| !line.starts_with(b"WARNING:"));
    let why = first_line(&told.collect::<Vec<_>>().join(&b'\n'), 300);
    let lower = why.to_lowercase();
    let down =
        ["cannot connect to the docker daemon", "is the docker daemon running", "connection refused", "no such file"];
    match why {
        why if lower.contains("permission denied") => NoDocker::Denied { why: why.into() },
        why if down.iter().any(|words| lower.contains(words)) => NoDocker::Down { why: why.into() },
        why if why.is_empty() => {
            NoDocker::Odd { why: format!("docker ended with code {:?} and said nothing", output.code).into() }
        }
        why => NoDocker::Odd { why: why.into() },
    }
}

fn odd(what: &str, output: &Output) -> NoDocker {
    let words = first_line(&output.stdout, 80);
    NoDocker::Odd { why: format!("{what}; it begins with {words:?}").into() }
}

#[cfg(test)]
mod tests;
