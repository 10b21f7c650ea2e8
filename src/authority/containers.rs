//! What the product's containers are given of an authority.
//!
//! Clients in them do not read this host's store. By the vendor's mount the authority lies where the image's own program takes
//! it up; clients that bring roots of their own are led by variables, most of which *replace* those roots: they are only ever
//! set to a file that has the public roots and the authority.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::docker::compose::Service;
use crate::envfile::Dialect;
use crate::host::HostRead;
use crate::net::Certificates;
use crate::product::Place;
use crate::product::templates::{AUTHORITY, BUNDLE};
use crate::text::{Foreign, Text};
use crate::vendor::{Vendor, prod_env};

/// The authority in the product's folder.
pub(crate) fn product_file(home: &Path) -> PathBuf {
    home.join(AUTHORITY.0)
}

/// The public roots with the authority in the product's folder.
pub(crate) fn bundle_file(home: &Path) -> PathBuf {
    home.join(BUNDLE.0)
}

/// The variables that clients in containers read, and what they are to say.
pub(crate) fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    let known = &Vendor::get().authority;
    known.replace.iter().chain(&known.add).map(|name| (name.as_str(), BUNDLE.1))
}

/// Is it one of those?
pub(crate) fn is_variable(name: &str) -> bool {
    variables().any(|(own, _)| own == name)
}

/// A file of the product's folder that services mount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// Where containers have it.
    pub(crate) inside: &'static str,
    /// As an item of `volumes`.
    pub(crate) item: &'static str,
}

/// What services that read `prod.env` mount. The vendor's files have the first as a comment.
pub(crate) fn mounts() -> [Mount; 2] {
    [
        Mount { inside: AUTHORITY.1, item: "./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt" },
        Mount { inside: BUNDLE.1, item: "./proxy_ca_bundle.crt:/etc/ssl/proxy_ca_bundle.crt:ro" },
    ]
}

/// Is it a line of a compose file that mounts one of them?
pub(crate) fn is_mount_line(line: &str) -> bool {
    let item = line.trim().trim_start_matches(['#', ' ']).strip_prefix("- ").map(|item| item.trim_matches(['"', '\'']));
    item.is_some_and(|item| mounts().iter().any(|mount| mount.item == item))
}

/// What is seen of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContainersFacts {
    /// The product's folder.
    pub(crate) home: String,
    /// The file of the authority is another one, or not there.
    pub(crate) without_authority: bool,
    /// What is wrong with the file of the bundle; `None`: nothing.
    pub(crate) bundle: Option<WrongBundle>,
    /// Services that do not mount a file: service and path inside.
    pub(crate) unmounted: Vec<(String, String)>,
    /// Variables that are not as they are to be.
    pub(crate) variables: Vec<Variable>,
    /// Why nothing is known of the services: file, line, and half a sentence.
    pub(crate) unknown: Option<(String, usize, Text)>,
}

/// What is wrong with the bundle in the product's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WrongBundle {
    /// It is not there, or does not have the authority.
    Lacks,
    /// This host has no public roots to put into it.
    NoRoots,
}

/// A variable as a service gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// The line that decides it, where there is one: somebody has set it.
    pub(crate) at: Option<(String, usize)>,
    /// What it says, where that can be told.
    pub(crate) value: Option<Foreign>,
}

impl ContainersFacts {
    /// Is everything there?
    pub(crate) fn is_right(&self) -> bool {
        !self.without_authority
            && self.bundle.is_none()
            && self.unmounted.is_empty()
            && self.variables.is_empty()
            && self.unknown.is_none()
    }

    /// Nothing but what a person has set is in the way.
    pub(crate) fn is_by_hand(&self) -> bool {
        let rest = Self { variables: Vec::new(), ..self.clone() };
        rest.is_right() && self.variables.iter().all(|own| own.at.is_some())
    }
}

/// Looks at the files of the product; `None`: there is none.
pub(super) fn observe(
    host: &dyn HostRead,
    home: &Path,
    certificates: &Certificates,
    roots: &Certificates,
) -> Option<ContainersFacts> {
    let place = Place::look(host, home);
    // Without either there is nothing that a container could be made from.
    if !place.prod_env || place.compose.is_empty() {
        return None;
    }
    let read = |path: PathBuf| host.read(&path).ok().flatten().map(|bytes| Certificates::of_bundle(&bytes));
    let public = roots.without(certificates);
    let bundle = match read(bundle_file(home)) {
        _ if public.is_empty() => Some(WrongBundle::NoRoots),
        Some(bundle) if bundle.has(certificates) && bundle.len() > certificates.len() => None,
        _ => Some(WrongBundle::Lacks),
    };
    let mut facts = ContainersFacts {
        home: home.display().to_string(),
        without_authority: !read(product_file(home)).is_some_and(|own| own.same_as(certificates)),
        bundle,
        ..ContainersFacts::default()
    };
    let services = match place.read_services(host, home) {
        Ok(services) => services,
        Err(stop) => {
            facts.unknown = Some((stop.at.path.display().to_string(), stop.at.line, stop.why));
            return Some(facts);
        }
    };
    let file = prod_env(home);
    let mut variables_seen: BTreeMap<&'static str, Variable> = BTreeMap::new();
    for service in services.iter().filter(|service| service.reads(&file)) {
        for mount in &mounts() {
            if !service.mounts(mount.inside) {
                facts.unmounted.push((service.name.clone(), mount.inside.to_owned()));
            }
        }
        look_at_variables(host, service, &mut variables_seen, &mut facts);
    }
    facts.variables = variables_seen.into_values().collect();
    Some(facts)
}

fn look_at_variables(
    host: &dyn HostRead,
    service: &Service,
    seen: &mut BTreeMap<&'static str, Variable>,
    facts: &mut ContainersFacts,
) {
    let names: Vec<&str> = variables().map(|(name, _)| name).collect();
    let got = match service.gets(host, Dialect::ComposeV2, &names) {
        Ok(got) => got,
        Err(stop) => {
            facts.unknown = Some((stop.at.path.display().to_string(), stop.at.line, stop.why));
            return;
        }
    };
    for (name, wanted) in variables() {
        let own = got.get(name);
        let value = own.and_then(|own| own.value.as_ref().ok());
        if value.is_none_or(|value| value != wanted) {
            let at = own.map(|own| (own.at.path.display().to_string(), own.at.line));
            let variable = Variable { name: name.to_owned(), at, value: value.map(Foreign::new) };
            // One that a service is not given at all is to be set, whatever others are given.
            let is_open = variable.at.is_none();
            let known = seen.entry(name).or_insert_with(|| variable.clone());
            if is_open {
                *known = variable;
            }
        }
    }
}
