//! `prod.env`, as its readers see it: what the containers of the product get, by the compose files that name it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights};
use super::{Consumer, Known, NAMES, State, Who};
use crate::docker::compose::{self, Asked, At, Got, OF_CALLER, Project, Service, Stop};
use crate::envfile::{Dialect, Seen, Syntax, find};
use crate::host::{Command, HostRead};
use crate::product;
use crate::text;
use crate::text::{Text, own};
use crate::vendor::prod_env as path_of_prod_env;

/// One consumer where all readers give all services the same, else one for each way.
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
    let mut ways: Vec<(Vec<Way>, Consumer)> = Vec::new();
    let asked = asked(probe, home);
    let mut readers = asked.dialects.clone();
    if readers.is_empty() {
        readers = vec![Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2];
    }
    // A release that looks for none of the files that are there starts nothing from them.
    if readers.iter().any(|own| Project::read(probe.host, home, *own).is_some()) {
        readers.retain(|own| Project::read(probe.host, home, *own).is_some());
    }
    for dialect in readers {
        for (service, consumer) in of_dialect(probe, home, dialect, &asked, (&path, &bytes)) {
            let way = Way { dialect: dialect.name(), service };
            match ways.iter_mut().find(|(_, known)| known.is_same(&consumer)) {
                Some((all, _)) => all.push(way),
                None => ways.push((vec![way], consumer)),
            }
        }
    }
    let several = ways.len() > 1;
    let everything: Vec<Way> = ways.iter().flat_map(|(all, _)| all.clone()).collect();
    let named = |(all, consumer): (Vec<Way>, Consumer)| Consumer {
        name: several.then(|| label(&all, &everything)),
        ..consumer
    };
    ways.into_iter().map(named).collect()
}

/// What Compose says: as it was asked over planned files, else over the files as they are.
fn asked(probe: &FileProbe<'_>, home: &Path) -> Asked {
    let run = |argv: &[&str]| {
        let command = Command { deadline: probe.limit(), ..Command::new(argv.iter().copied()) };
        Some(probe.host.run(&command).ok().filter(|output| output.code == Some(0))?.stdout)
    };
    match &probe.answers.compose {
        Some(asked) => asked.clone(),
        None if probe.host.is_live() => compose::ask(probe.host, home, run),
        None => Asked::default(),
    }
}

/// A reader, and the service whose containers it starts; no service: no compose file tells of any.
#[derive(Clone, PartialEq)]
struct Way {
    dialect: &'static str,
    service: Option<String>,
}

/// `docker compose v2 for the service worker`; without the service where it is all that the reader starts.
fn label(ways: &[Way], everything: &[Way]) -> String {
    let mut dialects: Vec<&str> = ways.iter().map(|way| way.dialect).collect();
    dialects.dedup();
    let rest = everything.iter().any(|way| dialects.contains(&way.dialect) && !ways.contains(way));
    let mut services: Vec<&str> = ways.iter().filter_map(|way| way.service.as_deref()).collect();
    services.sort_unstable();
    services.dedup();
    let dialects = dialects.join(", ");
    match services.as_slice() {
        _ if !rest => dialects,
        [] => dialects,
        [one] => format!("{dialects} for the service {one}"),
        several => format!("{dialects} for the services {}", several.join(", ")),
    }
}

/// What one reader gives the services of the product.
fn of_dialect(
    probe: &mut FileProbe<'_>,
    home: &Path,
    dialect: Dialect,
    asked: &Asked,
    (path, bytes): (&Path, &[u8]),
) -> Vec<(Option<String>, Consumer)> {
    let Some(project) = Project::read(probe.host, home, dialect) else {
        return vec![(None, of_file(probe, dialect, path, bytes))];
    };
    let asked = asked.services.as_ref().filter(|_| dialect == Dialect::ComposeV2);
    let services = match (project.services, asked) {
        (Ok(services), _) => services,
        (Err(_), Some((_, asked))) => asked.keys().map(|name| Service::named(name)).collect(),
        (Err(stop), None) => return vec![(None, stopped(probe, &stop))],
    };
    let is_product =
        |service: &Service| product::Known::get().service(&service.name).is_some_and(|known| known.product);
    let of_product: Vec<&Service> = services.iter().filter(|own| own.reads(path) || is_product(own)).collect();
    if of_product.is_empty() {
        return vec![(None, of_file(probe, dialect, path, bytes))];
    }
    let one = |service: &Service| {
        let gets = service.gets(probe.host, dialect, &NAMES);
        let answer = asked.and_then(|(source, services)| Some((source.as_str(), services.get(&service.name)?)));
        let consumer = match (gets, answer) {
            (gets, Some(answer)) => of_asked(probe, &project.files, &gets.unwrap_or_default(), answer),
            (Ok(gets), None) => of_model(probe, path, &gets),
            (Err(stop), None) => stopped(probe, &stop),
        };
        (Some(service.name.clone()), consumer)
    };
    of_product.into_iter().map(one).collect()
}

/// The file alone, where no compose file tells which services read it.
fn of_file(probe: &mut FileProbe<'_>, dialect: Dialect, path: &Path, bytes: &[u8]) -> Consumer {
    let reading = dialect.read_only(bytes, &NAMES.map(str::as_bytes));
    if let Some(fatal) = reading.complaints.iter().find(|complaint| complaint.fatal) {
        return refused(probe, path, fatal.line, fatal.message.into());
    }
    let lines = find(bytes, Syntax::EnvFile, &NAMES);
    let sight = |(name, seen): (Vec<u8>, Seen)| {
        let name = String::from_utf8_lossy(&name).into_owned();
        let last = lines.iter().rev().find(|line| NAMES[line.name] == name);
        let at = Place::new(path, last.map_or(0, |line| line.line));
        let sight = match seen {
            Seen::Value(value) => Sight::Value { value: String::from_utf8_lossy(&value).into_owned(), at },
            Seen::Inherited => Sight::Unknown { at, why: OF_CALLER.into() },
            Seen::Unknown => {
                Sight::Unknown { at, why: "another variable decides it, or releases of the reader differ".into() }
            }
        };
        (name, sight)
    };
    let sights: Sights = reading.variables.into_iter().map(sight).collect();
    probe.modelled(Consumer::new(Who::ProdEnv, None, probe.shown(path)), &sights)
}

fn of_model(probe: &mut FileProbe<'_>, path: &Path, gets: &BTreeMap<String, Got>) -> Consumer {
    let sights: Sights = gets.iter().map(|(name, got)| (name.clone(), sight(got))).collect();
    let mut source = probe.shown(path);
    for got in gets.values().filter(|got| got.at.path != path) {
        let shown = probe.shown(&got.at.path);
        if !source.split(", ").any(|known| known == shown) {
            source = format!("{source}, {shown}");
        }
    }
    probe.modelled(Consumer::new(Who::ProdEnv, None, source), &sights)
}

fn sight(got: &Got) -> Sight {
    let at = place(&got.at);
    match &got.value {
        Ok(value) => Sight::Value { value: value.clone(), at },
        Err(why) => Sight::Unknown { at, why: (*why).into() },
    }
}

/// What Compose says; the model adds the line where it says the same, and what only the caller's environment tells.
fn of_asked(
    probe: &mut FileProbe<'_>,
    files: &[PathBuf],
    gets: &BTreeMap<String, Got>,
    (source, asked): (&str, &BTreeMap<String, Option<String>>),
) -> Consumer {
    let mut sights = Sights::new();
    for name in NAMES {
        let model = gets.get(name);
        let value = asked.get(name).and_then(Option::as_ref);
        match (model, value) {
            (Some(got), _) if got.value == Err(OF_CALLER) => {
                sights.insert(name.to_owned(), sight(got));
            }
            (Some(got), Some(value)) if got.value.as_ref() == Ok(value) => {
                sights.insert(name.to_owned(), sight(got));
            }
            (model, Some(value)) => {
                // Where both know it and differ, Compose is right; which line it is stays open.
                let unsure = model.filter(|got| got.value.is_err()).map(|got| place(&got.at));
                let first = files.first().map(|file| Place::new(file, 0));
                let Some(at) = unsure.or(first) else { continue };
                sights.insert(name.to_owned(), Sight::Value { value: value.clone(), at });
            }
            (_, None) => {}
        }
    }
    let consumer = Consumer { known: Known::Asked, ..Consumer::new(Who::ProdEnv, None, source) };
    probe.modelled(consumer, &sights)
}

fn place(at: &At) -> Place {
    Place::new(&at.path, at.line)
}

/// Compose refuses the project, or its files are not understood from a line on.
fn stopped(probe: &mut FileProbe<'_>, stop: &Stop) -> Consumer {
    let unknown = |name: &str| (name.to_owned(), Sight::Unknown { at: place(&stop.at), why: stop.why.clone() });
    let sights: Sights = NAMES.into_iter().map(unknown).collect();
    probe.modelled(Consumer::new(Who::ProdEnv, None, probe.shown(&stop.at.path)), &sights)
}

fn refused(probe: &FileProbe<'_>, path: &Path, line: usize, why: Text) -> Consumer {
    Consumer::unseen(Who::ProdEnv, probe.shown(path), State::Unreadable, text!("line {}: {}", line, why))
}

/// What the services of a project get: for the comparison with Compose itself.
pub(super) fn services_get(host: &dyn HostRead, folder: &Path, dialect: Dialect) -> BTreeMap<String, Option<String>> {
    let unknown = || [(String::new(), None)].into();
    let Some(Project { services: Ok(services), .. }) = Project::read(host, folder, dialect) else { return unknown() };
    let mut found = BTreeMap::new();
    for service in services {
        let Ok(gets) = service.gets(host, dialect, &["A", "B", "C", "D"]) else { return unknown() };
        let one = |(name, got): (String, Got)| (format!("{} {name}", service.name), got.value.ok());
        found.extend(gets.into_iter().map(one));
        found.insert(service.name.clone(), Some(String::new()));
    }
    found
}
