//! `prod.env`, as its readers see it: what the containers of the product get, by the compose files that name it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::astray::Site;
use super::network;
use super::profile::{Fails, Profile};
use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights};
use super::{ALL_NAMES, Consumer, Known, NAMES, State, Who};
use crate::docker::compose::{self, Asked, At, Got, OF_CALLER, Project, Service, Stop};
use crate::envfile::{Dialect, Seen, Syntax, find, to_utf_8, utf_16};
use crate::finding::ids;
use crate::host::{Command, HostRead};
use crate::product::{self, leads_nowhere};
use crate::text;
use crate::text::{Text, own};
use crate::vendor::prod_env as path_of_prod_env;

pub(super) const PROD_ENV: Profile = Profile {
    fails: Fails::OtherProxy,
    has_file_of_ours: true,
    verb: Some("reconfigure"),
    files: |probe| vec![path_of_prod_env(probe.home)],
    ..Profile::new(
        Who::ProdEnv,
        ids::PROXY_PROD_ENV,
        prod_env,
        |file| file.name.as_ref().map_or("prod.env".into(), |readers| text!("prod.env by {}", own(readers))),
        |case| ("the product's containers get their environment from this file", case.reconfigure()),
    )
};

/// One consumer where all readers give all services the same, else one for each way.
fn prod_env(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let home = probe.home;
    let path = path_of_prod_env(home);
    let shown = probe.shown(&path);
    let bytes = match probe.read(&path) {
        Ok(Some(bytes)) => match utf_16(&bytes) {
            None => bytes,
            Some(from) => {
                let why = text!("{} is UTF-16 text, which none of its readers can read", own(&shown));
                let unseen = Consumer::unseen(Who::ProdEnv, shown, State::Unreadable, why);
                return vec![Consumer { mend: Some(to_utf_8(&probe.host.shown(&path), from)), ..unseen }];
            }
        },
        Ok(None) => {
            let (state, why) = match leads_nowhere(probe.host, &path) {
                Some(to) => {
                    (State::Unreadable, text!("{} leads to {}, where nothing is", own(&shown), probe.host.shown(&to)))
                }
                None => (State::Skipped, text!("{} is not there: the product is not installed", own(&shown))),
            };
            return vec![Consumer::unseen(Who::ProdEnv, shown, state, why)];
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
                Some((all, known)) => {
                    all.push(way);
                    let new = consumer.astray.into_iter().filter(|own| !known.astray.contains(own)).collect::<Vec<_>>();
                    known.astray.extend(new);
                }
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
    let answers: Vec<String> = services.iter().flat_map(|service| service.known_as.clone()).collect();
    let is_product =
        |service: &Service| product::Known::get().service(&service.name).is_some_and(|known| known.product);
    let of_product: Vec<&Service> = services.iter().filter(|own| own.reads(path) || is_product(own)).collect();
    if of_product.is_empty() {
        return vec![(None, of_file(probe, dialect, path, bytes))];
    }
    let names: Vec<&str> = NAMES.into_iter().chain(network::variables()).collect();
    let one = |service: &Service| {
        let answers = [answers.as_slice(), &service.extra_hosts].concat();
        let site = Site { network: service.network(), answers, whole: true };
        let gets = service.gets(probe.host, dialect, &names);
        let answer = asked.and_then(|(source, services)| Some((source.as_str(), services.get(&service.name)?)));
        let (consumer, back_ends) = match (gets, answer) {
            (gets, Some(answer)) => {
                let gets = gets.unwrap_or_default();
                let mut back_ends = of_back_ends(gets.clone());
                for (name, got) in &mut back_ends {
                    // Compose is right about the value, the model about the line.
                    got.value = answer.1.get(name).cloned().flatten().ok_or(OF_CALLER);
                }
                (of_asked(probe, &project.files, &gets, answer), back_ends)
            }
            (Ok(gets), None) => (of_model(probe, path, &of_proxies(gets.clone())), of_back_ends(gets)),
            (Err(stop), None) => (stopped(probe, &stop), BTreeMap::new()),
        };
        (Some(service.name.clone()), sited(probe, consumer, &back_ends, &site))
    };
    of_product.into_iter().map(one).collect()
}

/// The file alone, where no compose file tells which services read it.
fn of_file(probe: &mut FileProbe<'_>, dialect: Dialect, path: &Path, bytes: &[u8]) -> Consumer {
    let names: Vec<&str> = ALL_NAMES.into_iter().chain(network::variables()).collect();
    let as_bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let reading = dialect.read_only(bytes, &as_bytes);
    if let Some(fatal) = reading.complaints.iter().find(|complaint| complaint.fatal) {
        return refused(probe, path, fatal.line, fatal.message.into());
    }
    let lines = find(bytes, Syntax::EnvFile, &names);
    let got = |(name, seen): (Vec<u8>, Seen)| {
        let name = String::from_utf8_lossy(&name).into_owned();
        let last = lines.iter().rev().find(|line| names[line.name] == name);
        let at = At { path: path.to_path_buf(), line: last.map_or(0, |line| line.line) };
        let value = match seen {
            Seen::Value(value) => Ok(String::from_utf8_lossy(&value).into_owned()),
            Seen::Inherited => Err(OF_CALLER),
            Seen::Unknown => Err("another variable decides it, or releases of the reader differ"),
        };
        (name, Got { value, at })
    };
    let gets: BTreeMap<String, Got> = reading.variables.into_iter().map(got).collect();
    let consumer = of_model(probe, path, &of_proxies(gets.clone()));
    sited(probe, consumer, &of_back_ends(gets), &Site::alone())
}

/// Those that models of consumers tell of.
fn of_proxies(mut gets: BTreeMap<String, Got>) -> BTreeMap<String, Got> {
    gets.retain(|name, _| ALL_NAMES.contains(&name.as_str()));
    gets
}

/// The others.
fn of_back_ends(mut gets: BTreeMap<String, Got>) -> BTreeMap<String, Got> {
    gets.retain(|name, _| !ALL_NAMES.contains(&name.as_str()));
    gets
}

/// With the hosts that are not what is meant where its containers are.
fn sited(probe: &mut FileProbe<'_>, consumer: Consumer, back_ends: &BTreeMap<String, Got>, site: &Site) -> Consumer {
    let mut consumer = probe.placed(consumer, site);
    consumer.astray.extend(probe.back_ends(back_ends, site));
    consumer
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
        Err(why) => Sight::unknown(&at, *why),
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
