//! The files that make up a project, and its services merged from them.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::interpolate::{Around, text_of};
use super::mount::Mount;
use super::service::{OF_CALLER, Service};
use super::yaml::{self, Node};
use super::{At, Stop, names};
use crate::envfile::{Dialect, Reading, Seen};
use crate::host::HostRead;
use crate::text;

/// No honest file is larger.
const MAX_BYTES: usize = 256 << 10;

/// No honest project has more.
const MAX_SERVICES: usize = 64;

/// No honest service extends through more files.
const MOST_EXTENDS: usize = 16;

/// Names that every caller's environment has.
const OF_EVERY_CALLER: [&str; 8] = ["HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "USER"];

/// The project of a folder.
#[derive(Debug)]
pub(crate) struct Project {
    /// Its files, those that come later laid over the others.
    pub(crate) files: Vec<PathBuf>,
    /// Its services; or where the reading ends.
    pub(crate) services: Result<Vec<Service>, Stop>,
}

impl Project {
    /// What Compose of this dialect finds when it is called in the folder; `None`: no compose file.
    pub(crate) fn read(host: &dyn HostRead, home: &Path, dialect: Dialect) -> Option<Self> {
        match files(host, home, dialect) {
            Ok(files) if files.is_empty() => None,
            Ok(files) => {
                let services = services(host, home, &files, dialect);
                Some(Self { files, services })
            }
            Err(stop) => Some(Self { files: vec![stop.at.path.clone()], services: Err(stop) }),
        }
    }
}

/// The files that Compose takes when it is called in the folder without `-f`: those of `COMPOSE_FILE` in `.env`, else the
/// first of the usual names and the first that is laid over it.
///
/// # Errors
/// It cannot be told.
fn files(host: &dyn HostRead, home: &Path, dialect: Dialect) -> Result<Vec<PathBuf>, Stop> {
    let dot_env = home.join(".env");
    let variables = variables(host, &dot_env, dialect)?;
    let value = |name: &str| match variables.get(name.as_bytes()) {
        None => Ok(None),
        Some(Seen::Value(value)) => {
            Ok(Some(String::from_utf8_lossy(value).into_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(Stop::new(&dot_env, 0, text!("what it gives {} cannot be told", name))),
    };
    if let Some(list) = value("COMPOSE_FILE")? {
        let separator = value("COMPOSE_PATH_SEPARATOR")?.unwrap_or_else(|| ":".to_owned());
        return Ok(list
            .split(separator.as_str())
            .filter(|name| !name.is_empty())
            .map(|name| home.join(name))
            .collect());
    }
    let there = |name: &&str| {
        let path = home.join(name);
        match host.lstat(&path) {
            Ok(None) => None,
            Ok(Some(_)) => Some(Ok(path)),
            Err(error) => Some(Err(Stop::new(&path, 0, text!("it could not be looked at: {}", error)))),
        }
    };
    let (usual, over) = names(dialect);
    let Some(first) = usual.iter().find_map(there).transpose()? else { return Ok(Vec::new()) };
    std::iter::once(Ok(first)).chain(over.iter().find_map(there)).collect()
}

/// The name that Compose gives the project of these files by itself, where they or `.env` say one: the variable outranks the
/// files, and the last file the others. `None`: that of the folder.
pub(crate) fn project_name(host: &dyn HostRead, home: &Path, files: &[PathBuf]) -> Option<String> {
    let variables = variables(host, &home.join(".env"), Dialect::ComposeV2).ok()?;
    if let Some(Seen::Value(name)) = variables.get(b"COMPOSE_PROJECT_NAME") {
        return Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty());
    }
    files.iter().rev().find_map(|file| {
        let bytes = host.read(file).ok()??;
        let root = yaml::parse(std::str::from_utf8(&bytes).ok()?).ok()??;
        Some(root.get("name").ok()??.text()?.to_owned())
    })
}

/// The services of these files, merged; those that are started only with a profile left out.
///
/// # Errors
/// Where the reading ends: a file is not understood, or Compose refuses it.
pub(crate) fn services(
    host: &dyn HostRead,
    home: &Path,
    files: &[PathBuf],
    dialect: Dialect,
) -> Result<Vec<Service>, Stop> {
    let dot_env = home.join(".env");
    let variables = variables(host, &dot_env, dialect)?;
    let lookup = |name: &str| lookup(&variables, name);
    let loader = Loader { host, dialect, lookup: &lookup };
    let mut merged: Vec<Service> = Vec::new();
    let mut bound: Vec<String> = Vec::new();
    for file in files {
        let (services, own) = loader.file(file, home)?;
        bound.extend(own);
        for service in services {
            match merged.iter_mut().find(|known| known.name == service.name) {
                Some(known) => *known = service.over(known),
                None => merged.push(service),
            }
        }
        if merged.len() > MAX_SERVICES {
            return Err(Stop::new(file, 0, "it has too many services"));
        }
    }
    for service in &mut merged {
        let is_bound = |mount: &&Mount| !mount.is_bind && bound.iter().any(|name| mount.source == Path::new(name));
        let odd: Vec<At> = service.mounts.iter().filter(is_bound).map(|mount| mount.at.clone()).collect();
        service.odd_mounts.extend(odd);
    }
    let wanted = match variables.get(b"COMPOSE_PROFILES") {
        Some(Seen::Value(value)) => String::from_utf8_lossy(value).into_owned(),
        _ => String::new(),
    };
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let starts = |service: &Service| {
        service.profiles.is_empty()
            || service.profiles.iter().any(|own| wanted.contains(&own.as_str()) || wanted.contains(&"*"))
    };
    merged.retain(starts);
    Ok(merged)
}

/// `.env`, which every generation reads as it reads env files.
fn variables(host: &dyn HostRead, path: &Path, dialect: Dialect) -> Result<Reading, Stop> {
    let bytes = host.read(path).map_err(|error| Stop::new(path, 0, text!("it could not be read: {}", error)))?;
    let reading = dialect.read(&bytes.unwrap_or_default());
    match reading.complaints.iter().find(|complaint| complaint.fatal) {
        Some(fatal) => Err(Stop::new(path, fatal.line, fatal.message)),
        None => Ok(reading),
    }
}

/// What a reference to a name is answered with. The environment of the caller comes before `.env`; it is taken to hold what
/// every login has, and perhaps a proxy.
fn lookup(variables: &Reading, name: &str) -> Result<Option<String>, &'static str> {
    if OF_EVERY_CALLER.contains(&name) || name.to_ascii_lowercase().ends_with("_proxy") {
        return Err(OF_CALLER);
    }
    match variables.get(name.as_bytes()) {
        None => Ok(None),
        Some(Seen::Value(value)) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
        Some(_) => Err("what .env gives it cannot be told"),
    }
}

struct Loader<'a> {
    host: &'a dyn HostRead,
    dialect: Dialect,
    lookup: &'a dyn Fn(&str) -> Result<Option<String>, &'static str>,
}

impl Loader<'_> {
    /// The services of one file, each with what it extends; and the names of its volumes that may be folders of the host.
    fn file(&self, path: &Path, folder: &Path) -> Result<(Vec<Service>, Vec<String>), Stop> {
        let stop = |odd: yaml::Odd| Stop::odd(path, &odd);
        let root = self.document(path)?;
        if let Some(include) = root.get("include").map_err(stop)? {
            return Err(Stop::new(path, include.line, "files that are included are not followed"));
        }
        let services = self.of_document(path, &root)?;
        let names: Vec<String> = services
            .entries()
            .map_err(stop)?
            .unwrap_or_default()
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        let services: Result<_, Stop> =
            names.iter().map(|name| self.service(path, folder, &services, name, 0)).collect();
        let volumes = root.get("volumes").map_err(stop)?.map(|all| all.entries()).transpose().map_err(stop)?.flatten();
        let bound = volumes.into_iter().flatten().filter(|(_, volume)| may_bind(volume));
        Ok((services?, bound.map(|(name, _)| name.to_owned()).collect()))
    }

    fn document(&self, path: &Path) -> Result<Rc<Node>, Stop> {
        let bytes =
            self.host.read(path).map_err(|error| Stop::new(path, 0, text!("it could not be read: {}", error)))?;
        let Some(bytes) = bytes else { return Err(Stop::new(path, 0, "it is not there")) };
        if bytes.len() > MAX_BYTES {
            return Err(Stop::new(path, 0, "it is too long to be taken apart"));
        }
        let Ok(text) = std::str::from_utf8(&bytes) else { return Err(Stop::new(path, 0, "it is not valid UTF-8")) };
        let root = yaml::parse(text).map_err(|odd| Stop::odd(path, &odd))?;
        root.ok_or_else(|| Stop::new(path, 0, "it is empty"))
    }

    fn of_document(&self, path: &Path, root: &Rc<Node>) -> Result<Rc<Node>, Stop> {
        let services = root.get("services").map_err(|odd| Stop::odd(path, &odd))?;
        services
            .cloned()
            .ok_or_else(|| Stop::new(path, root.line, "it has no services: the form of 2016 is not followed"))
    }

    fn service(
        &self,
        path: &Path,
        folder: &Path,
        services: &Rc<Node>,
        name: &str,
        depth: usize,
    ) -> Result<Service, Stop> {
        let stop = |odd: yaml::Odd| Stop::odd(path, &odd);
        let Some(node) = services.get(name).map_err(stop)? else {
            return Err(Stop::new(path, services.line, text!("it has no service {}", name)));
        };
        if depth > MOST_EXTENDS {
            return Err(Stop::new(path, node.line, "services that extend each other without end"));
        }
        let around = Around { path, folder, dialect: self.dialect, lookup: self.lookup };
        let own = Service::read(name, node, &around).map_err(stop)?;
        let Some(extends) = node.get("extends").map_err(stop)? else { return Ok(own) };
        let part = |key: &str| -> Result<Option<String>, Stop> {
            match extends.entries().map_err(stop)? {
                None if key == "service" => Ok(text_of(extends, &around)),
                None => Ok(None),
                Some(_) => Ok(extends.get(key).map_err(stop)?.and_then(|node| text_of(node, &around))),
            }
        };
        let Some(of) = part("service")? else {
            return Err(Stop::new(path, extends.line, "what it extends cannot be told"));
        };
        let base = match part("file")? {
            None => self.service(path, folder, services, &of, depth + 1)?,
            Some(file) => {
                let file = folder.join(file);
                let root = self.document(&file)?;
                let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
                self.service(&file, &folder, &self.of_document(&file, &root)?, &of, depth + 1)?
            }
        };
        Ok(own.over(&base))
    }
}

/// May it be a folder of the host (`driver_opts: {type: none, o: bind, device: /data}`)?
fn may_bind(volume: &Node) -> bool {
    let options = volume.get("driver_opts").ok().flatten().and_then(|options| options.get("o").ok().flatten().cloned());
    options.is_some_and(|options| options.text().is_none_or(|text| text.contains("bind") || text.contains('$')))
}
