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
use crate::envfile::{Dialect, UTF_16, to_utf_8, utf_16};
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
    match probe.read(&path) {
        Ok(Some(bytes)) => {
            if let Some(from) = utf_16(&bytes) {
                let why = text!("{} is {}", own(&shown), own(UTF_16));
                let unseen = Consumer::unseen(Who::ProdEnv, shown, State::Unreadable, why);
                return vec![Consumer { mend: Some(to_utf_8(&probe.host.shown(&path), from)), ..unseen }];
            }
        }
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
    }
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
        for (service, consumer) in of_dialect(probe, home, dialect, &asked, &path) {
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
        readers: all.into_iter().map(|way| (way.dialect, way.service)).collect(),
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
    path: &Path,
) -> Vec<(Option<String>, Consumer)> {
    let names: Vec<&str> = ALL_NAMES.into_iter().chain(network::variables()).collect();
    // Where no compose file tells which services read the file, all that is known is what it says by itself.
    let alone = |probe: &mut FileProbe<'_>| match Service::of_env_file(path).gets(probe.host, dialect, &names) {
        Ok(gets) => vec![(None, of_model(probe, path, &gets, &Site::alone()))],
        Err(Stop { at, why }) => vec![(None, refused(probe, path, at.line, why))],
    };
    let Some(project) = Project::read(probe.host, home, dialect) else { return alone(probe) };
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
        return alone(probe);
    }
    let one = |service: &Service| {
        let answers = [answers.as_slice(), &service.extra_hosts].concat();
        let site = Site {
            network: service.network(),
            answers,
            whole: true,
            servers: service.dns.iter().filter_map(|server| server.parse().ok()).collect(),
            domains: service.dns_search.clone(),
        };
        let gets = service.gets(probe.host, dialect, &names);
        let answer = asked.and_then(|(source, services)| Some((source, services.get(&service.name)?)));
        let consumer = match (gets, answer) {
            (gets, Some((source, answer))) => {
                let first = project.files.first().map_or(path, PathBuf::as_path);
                let gets = corrected(&gets.unwrap_or_default(), answer, &names, first);
                let consumer = Consumer { known: Known::Asked, ..Consumer::new(Who::ProdEnv, None, source) };
                sited(probe, consumer, &gets, &site)
            }
            (Ok(gets), None) => of_model(probe, path, &gets, &site),
            (Err(stop), None) => stopped(probe, &stop),
        };
        (Some(service.name.clone()), consumer)
    };
    of_product.into_iter().map(one).collect()
}

/// What Compose says; the model adds the line where it says the same, and what only the caller's environment tells.
fn corrected(
    model: &BTreeMap<String, Got>,
    asked: &BTreeMap<String, Option<String>>,
    names: &[&str],
    first: &Path,
) -> BTreeMap<String, Got> {
    let one = |name: &&str| {
        let of_model = model.get(*name);
        let got = match (of_model, asked.get(*name)) {
            (Some(got), _) if got.value == Err(OF_CALLER) => got.clone(),
            (_, None) => return None,
            (Some(got), Some(Some(value))) if got.value.as_ref() == Ok(value) => got.clone(),
            (_, Some(value)) => {
                // Where both know it and differ, Compose is right; which line it is stays open.
                let unsure = of_model.filter(|got| got.value.is_err()).map(|got| got.at.clone());
                Got { value: value.clone().ok_or(OF_CALLER), at: unsure.unwrap_or_else(|| At::new(first, 0)) }
            }
        };
        Some(((*name).to_owned(), got))
    };
    names.iter().filter_map(one).collect()
}

/// A consumer with its proxies, and with the hosts that are not what is meant where its containers are.
fn sited(probe: &mut FileProbe<'_>, consumer: Consumer, gets: &BTreeMap<String, Got>, site: &Site) -> Consumer {
    let (proxies, back_ends): (BTreeMap<_, _>, BTreeMap<_, _>) =
        gets.iter().partition(|(name, _)| ALL_NAMES.contains(&name.as_str()));
    let sights: Sights = proxies.into_iter().map(|(name, got)| (name.clone(), sight(got))).collect();
    let consumer = probe.modelled(consumer, &sights);
    let mut consumer = probe.placed(consumer, site);
    consumer.astray.extend(probe.back_ends(&back_ends, site));
    consumer
}

fn of_model(probe: &mut FileProbe<'_>, path: &Path, gets: &BTreeMap<String, Got>, site: &Site) -> Consumer {
    let mut source = probe.shown(path);
    let is_of_proxy = |name: &String| ALL_NAMES.contains(&name.as_str());
    for (_, got) in gets.iter().filter(|(name, got)| is_of_proxy(name) && got.at.path != path) {
        let shown = probe.shown(&got.at.path);
        if !source.split(", ").any(|known| known == shown) {
            source = format!("{source}, {shown}");
        }
    }
    sited(probe, Consumer::new(Who::ProdEnv, None, source), gets, site)
}

fn sight(got: &Got) -> Sight {
    let at = place(&got.at);
    match &got.value {
        Ok(value) => Sight::Value { value: value.clone(), at },
        Err(why) => Sight::unknown(&at, *why),
    }
}

fn place(at: &At) -> Place {
    Place::new(&at.path, at.line)
}

/// Compose refuses the project, or its files are not understood from a line on.
fn stopped(probe: &mut FileProbe<'_>, stop: &Stop) -> Consumer {
    let unknown = Sight::Unknown { at: place(&stop.at), why: stop.why.clone() };
    let consumer = Consumer::new(Who::ProdEnv, None, probe.shown(&stop.at.path));
    let consumer = probe.modelled(consumer, &unknown.of_all(&NAMES));
    Consumer { astray: probe.untold(stop), ..consumer }
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
