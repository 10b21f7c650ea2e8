//! What a compose file says of one service, and what its containers get from that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::interpolate::{Around, Filled, fill, normal, text_of};
use super::mount::Mount;
use super::yaml::{Node, Odd, odd};
use super::{At, Stop};
use crate::envfile::{Dialect, Seen, Syntax, find};
use crate::host::HostRead;
use crate::text;

/// What is read of a service.
const READ: [&str; 21] = [
    "image",
    "command",
    "scale",
    "deploy",
    "ports",
    "network_mode",
    "container_name",
    "networks",
    "extra_hosts",
    "dns",
    "dns_search",
    "profiles",
    "environment",
    "env_file",
    "volumes",
    "depends_on",
    "links",
    "security_opt",
    "privileged",
    "secrets",
    "configs",
];

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: String,
    /// What its containers are made from; `None`: nothing says, or it cannot be told.
    pub(crate) image: Option<String>,
    /// What its containers run, words joined by blanks; `None`: what their image says, or it cannot be told.
    command: Option<String>,
    /// How many containers: `scale` or `deploy.replicas`; `None`: the file says nothing, so one.
    pub(super) replicas: Option<u32>,
    /// `8001:8001`, as they stand there.
    pub(crate) ports: Vec<String>,
    network: Option<Network>,
    /// What the other containers of the project call its own.
    pub(crate) known_as: Vec<String>,
    /// Names that its containers find in their own `/etc/hosts`.
    pub(crate) extra_hosts: Vec<String>,
    /// The name servers that its containers are told to ask.
    pub(crate) dns: Vec<String>,
    /// The domains that they are told to search.
    pub(crate) dns_search: Vec<String>,
    /// It is started only where one of these is asked for; empty: always.
    pub(super) profiles: Vec<String>,
    environment: BTreeMap<String, (Assigned, At)>,
    env_files: Vec<EnvFile>,
    /// What its containers mount.
    pub(crate) mounts: Vec<Mount>,
    /// Lines of `volumes:` of which that cannot be told, and those of secrets and configs, which are files of the host or not.
    pub(crate) odd_mounts: Vec<At>,
    /// Lines of `ports:` of which it cannot be told what they open.
    pub(crate) odd_ports: Vec<At>,
    privileged: Option<bool>,
    security_opt: Vec<String>,
    /// The services that it waits for, or has links to: 1.x makes containers anew where they change.
    tied_to: Vec<String>,
}

/// Where loopback and names belong to in the containers of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Network {
    /// In each container itself: the usual thing.
    #[default]
    Bridge,
    /// In the host.
    Host,
    /// In another container, in none, or nobody knows.
    Other,
}

/// What `environment:` gives a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Assigned {
    Text(String),
    Unknown(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct EnvFile {
    path: PathBuf,
    at: At,
    required: bool,
    /// `format: raw`: values as they stand there.
    raw: bool,
}

/// What the containers of a service get for a name, and the line that decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    /// The value; `Err`: the files do not tell, with half a sentence why.
    pub(crate) value: Result<String, &'static str>,
    /// The line.
    pub(crate) at: At,
}

impl Service {
    /// A service of which the name alone is known.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), network: Some(Network::Other), ..Self::default() }
    }

    /// A service that gets what stands in one env file, and nothing else.
    pub(crate) fn of_env_file(path: &Path) -> Self {
        let file = EnvFile { path: path.to_path_buf(), at: At::new(path, 0), required: true, raw: false };
        Self { env_files: vec![file], ..Self::default() }
    }

    /// The network of its containers.
    pub(crate) fn network(&self) -> Network {
        self.network.unwrap_or_default()
    }

    /// What its containers run, as far as that is told.
    pub(crate) fn command(&self) -> &str {
        self.command.as_deref().unwrap_or_default()
    }

    /// Are its containers certainly not confined by SELinux (moby `daemon/create.go`, `generateSecurityOpt`)?
    pub(crate) fn is_unconfined(&self) -> bool {
        let is_off = |option: &String| matches!(option.as_str(), "label=disable" | "label:disable");
        self.privileged == Some(true) || self.security_opt.iter().any(is_off)
    }

    /// How many containers it is to have.
    pub(crate) fn scale(&self) -> u32 {
        self.replicas.unwrap_or(1)
    }

    /// Does its `environment:` set this name?
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.environment.contains_key(name)
    }

    /// Would its containers be made alike? Their number and what stands in env files aside.
    pub(crate) fn makes_same(&self, other: &Self) -> bool {
        let values = |service: &Self| -> Vec<(String, Assigned)> {
            service.environment.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
        };
        let files =
            |service: &Self| -> Vec<PathBuf> { service.env_files.iter().map(|file| file.path.clone()).collect() };
        (&self.image, &self.ports, self.network, &self.command, &self.tied_to)
            == (&other.image, &other.ports, other.network, &other.command, &other.tied_to)
            && self.mounts.len() == other.mounts.len()
            && self.mounts.iter().zip(&other.mounts).all(|(own, other)| own.makes_same(other))
            && values(self) == values(other)
            && files(self) == files(other)
    }

    /// What its containers have mounted there: a path of the host, or the name of a volume.
    pub(crate) fn mounted_at(&self, inside: &str) -> Option<&Path> {
        self.mounts.iter().rev().find(|mount| mount.inside == inside).map(|mount| mount.source.as_path())
    }

    /// Do its containers mount this file of the host?
    pub(crate) fn mounts_file(&self, file: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.source == file)
    }

    /// Do its containers get what stands in this file?
    pub(crate) fn reads(&self, file: &Path) -> bool {
        self.env_files.iter().any(|own| own.path == file)
    }

    /// What its containers get for these names: `environment:` over `env_file:`, a later file over an earlier one.
    ///
    /// # Errors
    /// Compose refuses an env file, or it cannot be read.
    pub(crate) fn gets(
        &self,
        host: &dyn HostRead,
        dialect: Dialect,
        names: &[&str],
    ) -> Result<BTreeMap<String, Got>, Stop> {
        let mut all = BTreeMap::new();
        let as_bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        for file in &self.env_files {
            let bytes = match host.read(&file.path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) if !file.required => continue,
                Ok(None) => {
                    let why = text!("Compose refuses the project: {} is not there", host.shown(&file.path));
                    return Err(Stop { at: file.at.clone(), why });
                }
                Err(error) => return Err(Stop::new(&file.path, 0, text!("it could not be read: {}", error))),
            };
            let reader = if file.raw { Dialect::DockerEnvFile } else { dialect };
            let reading = reader.read_only(&bytes, &as_bytes);
            if let Some(fatal) = reading.complaints.iter().find(|complaint| complaint.fatal) {
                return Err(Stop::new(&file.path, fatal.line, fatal.message));
            }
            let lines = find(&bytes, Syntax::EnvFile, names);
            for name in names {
                let Some(seen) = reading.get(name.as_bytes()) else { continue };
                let last = lines.iter().rev().find(|line| names[line.name] == *name);
                let value = match seen {
                    _ if file.raw => Err(RAW),
                    Seen::Value(value) => String::from_utf8(value.clone()).map_err(|_| NOT_UTF_8),
                    Seen::Inherited => Err(OF_CALLER),
                    Seen::Unknown => Err("another variable decides it, or releases of the reader differ"),
                };
                let at = At::new(&file.path, last.map_or(0, |line| line.line));
                all.insert((*name).to_owned(), Got { value, at });
            }
        }
        for (name, (assigned, at)) in &self.environment {
            if names.contains(&name.as_str()) {
                let value = match assigned {
                    Assigned::Text(text) => Ok(text.clone()),
                    Assigned::Unknown(why) => Err(*why),
                };
                all.insert(name.clone(), Got { value, at: at.clone() });
            }
        }
        Ok(all)
    }

    /// A service as it stands in one file, `extends:` left aside.
    pub(super) fn read(name: &str, node: &Rc<Node>, around: &Around<'_>) -> Result<Self, Odd> {
        let mut service = Self { name: name.to_owned(), known_as: vec![name.to_owned()], ..Self::default() };
        let Some(entries) = node.entries()? else { return odd(node.line, "a service that is no map") };
        for (key, value) in entries {
            if READ.contains(&key) && value.tagged {
                return odd(value.line, "a tag that changes how files are laid over each other");
            }
            match key {
                "image" => service.image = text_of(value, around),
                "command" => {
                    let words =
                        value.items().map(|words| words.iter().filter_map(|word| text_of(word, around)).collect());
                    service.command =
                        words.map(|words: Vec<String>| words.join(" ")).or_else(|| text_of(value, around));
                }
                "scale" => service.replicas = number(value, around),
                "deploy" => {
                    service.replicas = value.get("replicas")?.and_then(|of| number(of, around)).or(service.replicas)
                }
                "ports" => {
                    let all = value
                        .items()
                        .unwrap_or_else(|| if value.is_null() { &[] } else { std::slice::from_ref(value) });
                    for one in all {
                        match port(one, around) {
                            Some(port) => service.ports.push(port),
                            None => service.odd_ports.push(At::new(around.path, one.line)),
                        }
                    }
                }
                "privileged" => service.privileged = text_of(value, around).map(|word| word == "true"),
                "security_opt" => service.security_opt = one_or_more(value, around),
                "secrets" | "configs" => {
                    let first = value.items().unwrap_or_default().first();
                    service.odd_mounts.extend(first.map(|one| At::new(around.path, one.line)));
                }
                "network_mode" => {
                    service.network = Some(match text_of(value, around).as_deref() {
                        Some("host") => Network::Host,
                        Some("bridge" | "default") => Network::Bridge,
                        _ => Network::Other,
                    });
                }
                "container_name" => service.known_as.extend(text_of(value, around)),
                "networks" => service.known_as.extend(aliases(value, around)),
                "extra_hosts" => service.extra_hosts = extra_hosts(value, around),
                "dns" => service.dns = one_or_more(value, around),
                "dns_search" => service.dns_search = one_or_more(value, around),
                "profiles" => {
                    service.profiles =
                        value.items().unwrap_or_default().iter().filter_map(|one| text_of(one, around)).collect();
                }
                "environment" => service.environment = environment(value, around)?,
                "depends_on" | "links" => {
                    let names = value.entries()?.map(|all| all.into_iter().map(|(name, _)| name.to_owned()).collect());
                    service.tied_to.extend(names.unwrap_or_else(|| one_or_more(value, around)));
                }
                "env_file" => service.env_files = env_files(value, around)?,
                "volumes" => {
                    for one in value.items().unwrap_or_default() {
                        match Mount::read(one, around) {
                            Ok(mount) => service.mounts.extend(mount),
                            Err(at) => service.odd_mounts.push(at),
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(service)
    }

    /// This service laid over another: another file's, or the one that it extends.
    pub(super) fn over(self, base: &Self) -> Self {
        let mut environment = base.environment.clone();
        environment.extend(self.environment);
        let list = |own: Vec<String>, base: &[String]| [base, &own].concat();
        Self {
            name: self.name,
            image: self.image.or_else(|| base.image.clone()),
            command: self.command.or_else(|| base.command.clone()),
            replicas: self.replicas.or(base.replicas),
            ports: list(self.ports, &base.ports),
            network: self.network.or(base.network),
            known_as: list(self.known_as, &base.known_as),
            extra_hosts: list(self.extra_hosts, &base.extra_hosts),
            dns: list(self.dns, &base.dns),
            dns_search: list(self.dns_search, &base.dns_search),
            profiles: list(self.profiles, &base.profiles),
            environment,
            env_files: [base.env_files.as_slice(), &self.env_files].concat(),
            // What lies at the same place in containers is laid over it.
            mounts: base
                .mounts
                .iter()
                .filter(|mount| !self.mounts.iter().any(|own| own.inside == mount.inside))
                .chain(&self.mounts)
                .cloned()
                .collect(),
            odd_mounts: [base.odd_mounts.as_slice(), &self.odd_mounts].concat(),
            odd_ports: [base.odd_ports.as_slice(), &self.odd_ports].concat(),
            privileged: self.privileged.or(base.privileged),
            security_opt: list(self.security_opt, &base.security_opt),
            tied_to: list(self.tied_to, &base.tied_to),
        }
    }
}

/// Why a value is not told as one.
pub(crate) const NOT_UTF_8: &str = "its value is no UTF-8";

/// Why a value cannot be told from files.
pub(crate) const OF_CALLER: &str = "it is taken from the environment of whoever starts the containers";

/// compose-go 2.4, which came with it, is the first that takes `format:`; others refuse the project (release notes of Compose 2.30.0
/// of October 2024). Which release starts the containers no file tells.
const RAW: &str = "format: raw is known to Compose 2.30 and newer alone, and others refuse the project";

fn number(node: &Node, around: &Around<'_>) -> Option<u32> {
    text_of(node, around)?.parse().ok()
}

/// A text, or a list of them.
fn one_or_more(node: &Node, around: &Around<'_>) -> Vec<String> {
    match node.items() {
        Some(items) => items.iter().filter_map(|one| text_of(one, around)).collect(),
        None => text_of(node, around).into_iter().collect(),
    }
}

/// What a service is called in its networks besides.
fn aliases(node: &Rc<Node>, around: &Around<'_>) -> Vec<String> {
    let networks = node.entries().ok().flatten().unwrap_or_default();
    let of_one = |(_, network): &(&str, &Rc<Node>)| network.get("aliases").ok().flatten().cloned();
    let lists: Vec<Rc<Node>> = networks.iter().filter_map(of_one).collect();
    lists.iter().flat_map(|list| list.items().unwrap_or_default()).filter_map(|name| text_of(name, around)).collect()
}

/// The names of `NAME:ADDRESS`, `NAME=ADDRESS` and of a map.
fn extra_hosts(node: &Rc<Node>, around: &Around<'_>) -> Vec<String> {
    if let Ok(Some(entries)) = node.entries() {
        return entries.into_iter().map(|(name, _)| name.to_owned()).collect();
    }
    let lines = node.items().unwrap_or_default().iter().filter_map(|line| text_of(line, around));
    lines.filter_map(|line| Some(line.split_once([':', '='])?.0.to_owned())).collect()
}

/// `[ADDRESS:]HOST:CONTAINER`, also of the long form.
fn port(node: &Node, around: &Around<'_>) -> Option<String> {
    if let Some(text) = text_of(node, around) {
        return Some(text);
    }
    let part = |name: &str| text_of(node.get(name).ok()??, around);
    let address = part("host_ip").map(|address| format!("{address}:")).unwrap_or_default();
    let protocol = part("protocol").filter(|protocol| protocol != "tcp");
    let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    // Without the first of them it is whichever port is free.
    Some(format!("{address}{}:{}{protocol}", part("published")?, part("target")?))
}

fn environment(node: &Node, around: &Around<'_>) -> Result<BTreeMap<String, (Assigned, At)>, Odd> {
    let at = |line: usize| At::new(around.path, line);
    let filled = |text: &str| match fill(text, around.lookup) {
        Filled::Text(text) => Assigned::Text(text),
        Filled::Unknown(why) => Assigned::Unknown(why),
    };
    if let Some(entries) = node.entries()? {
        let pair = |(name, value): (&str, &Rc<Node>)| {
            let assigned = match &value.kind {
                _ if value.is_null() => Assigned::Unknown(OF_CALLER),
                super::yaml::Kind::Scalar { text, plain: true } if !is_text(text) => {
                    Assigned::Unknown("releases of Compose read a word like this differently; quotes make it a text")
                }
                super::yaml::Kind::Scalar { text, .. } => filled(text),
                _ => return odd(value.line, "a variable that is no text"),
            };
            Ok((name.to_owned(), (assigned, at(value.line))))
        };
        return entries.into_iter().map(pair).collect();
    }
    if node.is_null() {
        return Ok(BTreeMap::new());
    }
    let Some(items) = node.items() else { return odd(node.line, "an environment that is neither map nor list") };
    let pair = |item: &Rc<Node>| match item.text() {
        Some(text) => Ok(match text.split_once('=') {
            // References in a list are filled in before it is split.
            Some((name, value)) => (name.to_owned(), (filled(value), at(item.line))),
            None => (text.to_owned(), (Assigned::Unknown(OF_CALLER), at(item.line))),
        }),
        None => odd(item.line, "a variable that is no text"),
    };
    items.iter().map(pair).collect()
}

fn env_files(node: &Rc<Node>, around: &Around<'_>) -> Result<Vec<EnvFile>, Odd> {
    let file = |path: &Node, at: usize, required: bool, raw: bool| {
        let Some(text) = text_of(path, around) else {
            return odd(path.line, "the path of an env file that cannot be told");
        };
        let path = normal(&around.folder.join(text));
        Ok(EnvFile { path, at: At::new(around.path, at), required, raw })
    };
    let one = |node: &Rc<Node>| {
        if node.text().is_some() {
            return file(node, node.line, true, false);
        }
        let Some(path) = node.get("path")? else { return odd(node.line, "an env file without a path") };
        if around.dialect != Dialect::ComposeV2 {
            return odd(node.line, "docker-compose 1.x takes no map as an env file");
        }
        let word = |name: &str| Ok(node.get(name)?.and_then(|value| value.text().map(str::to_owned)));
        let (required, format) = (word("required")?, word("format")?);
        if format.as_deref().is_some_and(|format| format != "raw") {
            return odd(node.line, "a format of env files that is not known");
        }
        file(path, node.line, required.as_deref() != Some("false"), format.is_some())
    };
    match node.items() {
        Some(items) => items.iter().map(one).collect(),
        None if node.is_null() => Ok(Vec::new()),
        None => Ok(vec![one(node)?]),
    }
}

/// Do YAML 1.1 and 1.2 both take this plain word for the text that it is? Decimal numbers come out as they stand there.
fn is_text(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    if ["true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "-.inf", "+.inf", ".nan", "="]
        .contains(&lower.as_str())
    {
        return false;
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word == "0" || !word.starts_with('0');
    }
    // An address is no number: it has more than one dot.
    let like_a_number = word.bytes().all(|byte| byte.is_ascii_hexdigit() || b"xXoO_.:+-tTzZ".contains(&byte))
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    !like_a_number || (word.matches('.').count() > 1 && !word.contains(':'))
}
