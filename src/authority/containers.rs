//! What the product's containers are given of an authority.
//!
//! Clients in them do not read this host's store. By the vendor's mount the authority lies where the image's own program takes
//! it up; clients that bring roots of their own are led by variables, most of which *replace* those roots: they are only ever
//! set to a file that has the public roots and the authority.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::docker::compose::{Relabel, Service};
use crate::envfile::Dialect;
use crate::host::HostRead;
use crate::net::Certificates;
use crate::product::Place;
use crate::product::templates::{AUTHORITY, BUNDLE};
use crate::text;
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

/// The variables that clients in containers read: they are to name [`BUNDLE`] as containers have it.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    let known = &Vendor::get().authority;
    known.replace.iter().chain(&known.add).map(String::as_str)
}

/// Is it one of those?
pub(crate) fn is_variable(name: &str) -> bool {
    variables().any(|own| own == name)
}

/// A file of the product's folder that services mount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mount {
    /// Its name in the product's folder.
    file: &'static str,
    /// Where containers have it.
    pub(crate) inside: &'static str,
    /// As an item of `volumes`.
    pub(crate) item: &'static str,
}

/// What services that read `prod.env` mount. The vendor's files have the first as a comment.
pub(crate) fn mounts() -> [Mount; 2] {
    [
        Mount {
            file: AUTHORITY.0,
            inside: AUTHORITY.1,
            item: "./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt",
        },
        Mount { file: BUNDLE.0, inside: BUNDLE.1, item: "./proxy_ca_bundle.crt:/etc/ssl/proxy_ca_bundle.crt:ro" },
    ]
}

impl Mount {
    /// The item with the label by which SELinux lets every container have the file.
    pub(crate) fn labelled(&self) -> String {
        let between = if self.item.matches(':').count() > 1 { ',' } else { ':' };
        format!("{}{between}{}", self.item, Relabel::Shared.as_str())
    }
}

/// Is it a line of a compose file that mounts one of them?
pub(crate) fn is_mount_line(line: &str) -> bool {
    let item = line.trim().trim_start_matches(['#', ' ']).strip_prefix("- ").map(|item| item.trim_matches(['"', '\'']));
    item.is_some_and(|item| mounts().iter().any(|mount| mount.item == item || mount.labelled() == item))
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
    /// What services mount in the place of a file, which has not what they need.
    #[serde(default)]
    pub(crate) elsewhere: Vec<Elsewhere>,
    /// Variables that are not as they are to be.
    pub(crate) variables: Vec<Variable>,
    /// Why it is not known what services get: file, its line or 0, and half a sentence.
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

/// What somebody has a service mount where it is to have a file of the product's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// The service.
    pub(crate) service: String,
    /// What is mounted.
    pub(crate) source: Foreign,
    /// Where its containers have it.
    pub(crate) inside: String,
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
            && self.elsewhere.is_empty()
            && self.variables.is_empty()
            && self.unknown.is_none()
    }

    /// Nothing but what a person has set is in the way.
    pub(crate) fn is_by_hand(&self) -> bool {
        let rest = Self { variables: Vec::new(), elsewhere: Vec::new(), ..self.clone() };
        rest.is_right() && self.variables.iter().all(|own| own.at.is_some()) && !self.has_other_bundle()
    }

    /// Has a service another file where the variables would lead its clients? Nobody knows what they would find there.
    pub(crate) fn has_other_bundle(&self) -> bool {
        self.elsewhere.iter().any(|own| own.inside == BUNDLE.1)
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
    let mut facts = ContainersFacts { home: home.display().to_string(), ..ContainersFacts::default() };
    if let Some(why) = &place.unreadable {
        facts.unknown = Some((facts.home.clone(), 0, text!("it could not be listed: {}", Foreign::new(why))));
        return Some(facts);
    }
    // Without either there is nothing that a container could be made from.
    if !place.prod_env || place.compose.is_empty() {
        return None;
    }
    let own = read(host, &product_file(home), &mut facts);
    let bundle = read(host, &bundle_file(home), &mut facts);
    facts.without_authority = !own.same_as(certificates);
    facts.bundle = match () {
        () if roots.without(certificates).is_empty() => Some(WrongBundle::NoRoots),
        () if serves(BUNDLE.1, &bundle, certificates) => None,
        () => Some(WrongBundle::Lacks),
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
        for mount in mounts() {
            look_at_mount(host, home, service, mount, certificates, &mut facts);
        }
        look_at_variables(host, service, &mut variables_seen, &mut facts);
    }
    facts.variables = variables_seen.into_values().collect();
    Some(facts)
}

/// The certificates of a file, none where it is not there; one that cannot be read is noted as unknown.
fn read(host: &dyn HostRead, path: &Path, facts: &mut ContainersFacts) -> Certificates {
    match host.read(path) {
        Ok(bytes) => bytes.map(|bytes| Certificates::of_bundle(&bytes)).unwrap_or_default(),
        Err(error) => {
            let file = host.shown(path).display().to_string();
            facts.unknown.get_or_insert((file, 0, text!("it could not be read: {}", error)));
            Certificates::default()
        }
    }
}

/// Are these what clients need there?
fn serves(inside: &str, found: &Certificates, certificates: &Certificates) -> bool {
    found.has(certificates) && (inside != BUNDLE.1 || found.len() > certificates.len())
}

fn look_at_mount(
    host: &dyn HostRead,
    home: &Path,
    service: &Service,
    mount: Mount,
    certificates: &Certificates,
    facts: &mut ContainersFacts,
) {
    let (name, inside) = (service.name.clone(), mount.inside.to_owned());
    let Some(source) = service.mounted_at(mount.inside) else { return facts.unmounted.push((name, inside)) };
    let real = |path: &Path| host.resolve(path).unwrap_or_else(|_| path.to_path_buf());
    // The name of a volume is no path.
    let is_other = source.is_relative() || real(source) != real(&home.join(mount.file));
    if is_other && (source.is_relative() || !serves(mount.inside, &read(host, source, facts), certificates)) {
        let source = Foreign::new(source.display().to_string());
        facts.elsewhere.push(Elsewhere { service: name, source, inside });
    }
}

fn look_at_variables(
    host: &dyn HostRead,
    service: &Service,
    seen: &mut BTreeMap<&'static str, Variable>,
    facts: &mut ContainersFacts,
) {
    let names: Vec<&str> = variables().collect();
    let got = match service.gets(host, Dialect::ComposeV2, &names) {
        Ok(got) => got,
        Err(stop) => {
            facts.unknown = Some((stop.at.path.display().to_string(), stop.at.line, stop.why));
            return;
        }
    };
    for name in variables() {
        let own = got.get(name);
        let value = own.and_then(|own| own.value.as_ref().ok());
        if value.is_none_or(|value| value != BUNDLE.1) {
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::host::MemoryHost;
    use crate::net::testing::authority;

    const BOTH: &str = "    volumes:\n    - ./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt\n    - SITE:/etc/ssl/proxy_ca_bundle.crt\n";

    fn of(name: &str) -> Certificates {
        Certificates::of_bundle(authority(name).pem().as_bytes())
    }

    /// A host whose containers have what they need, by this source of the bundle.
    fn host(site: &str) -> MemoryHost {
        let services = format!("services:\n  worker:\n    image: a:1\n    env_file: prod.env\n{BOTH}");
        let env: String = variables().map(|name| format!("{name}={}\n", BUNDLE.1)).collect();
        MemoryHost::default()
            .with("/divvycloud/docker-compose.yml", services.replace("SITE", site))
            .with("/divvycloud/prod.env", env)
    }

    fn look(host: &MemoryHost, own: &Certificates, roots: &Certificates) -> ContainersFacts {
        observe(host, Path::new("/divvycloud"), own, roots).unwrap()
    }

    #[test]
    fn what_cannot_be_looked_at_is_unknown_and_what_is_not_there_is_none() {
        let (own, roots) = (of("Inspector"), of("Public"));
        let known = || {
            host("./proxy_ca_bundle.crt")
                .with("/divvycloud/proxy_cert.crt", own.pem())
                .with("/divvycloud/proxy_ca_bundle.crt", roots.and(&own).pem())
        };
        assert!(look(&known(), &own, &roots).is_right());
        for path in
            ["/divvycloud", "/divvycloud/proxy_cert.crt", "/divvycloud/proxy_ca_bundle.crt", "/divvycloud/prod.env"]
        {
            let facts = look(&known().with_error(path, ErrorKind::PermissionDenied), &own, &roots);
            let (file, ..) = facts.unknown.unwrap_or_default();
            assert_eq!(file, path);
        }
        assert_eq!(observe(&MemoryHost::default(), Path::new("/divvycloud"), &own, &roots), None);
    }

    #[test]
    fn a_mount_counts_by_what_is_mounted() {
        let (own, roots) = (of("Inspector"), of("Public"));
        let host = |site: &str| {
            let host = host(site).with("/divvycloud/proxy_cert.crt", own.pem());
            host.with("/divvycloud/proxy_ca_bundle.crt", roots.and(&own).pem())
        };
        for (site, content, is_there) in [
            ("/opt/site.crt", roots.pem(), false),
            ("/opt/site.crt", own.pem(), false),
            ("/opt/site.crt", roots.and(&own).pem(), true),
            ("/opt/absent.crt", Vec::new(), false),
            ("volume", Vec::new(), false),
            ("../divvycloud/proxy_ca_bundle.crt", Vec::new(), true),
            ("/opt/link", Vec::new(), true),
        ] {
            let host = host(site).with("/opt/site.crt", content);
            host.put_link("/opt/link", "/divvycloud/proxy_ca_bundle.crt", 0);
            let facts = look(&host, &own, &roots);
            assert_eq!((facts.is_right(), facts.has_other_bundle()), (is_there, !is_there), "{site}: {facts:?}");
        }
    }
}
