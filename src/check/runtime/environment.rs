//! What the product's containers see, against what prod.env says. Values are compared here and stay here: facts hold for
//! each name whether it is the same, and values of places and proxies only, passwords masked.

use serde::{Deserialize, Serialize};

use super::compose;
use super::docker::{self, Container, Found, NoDocker, by_service};
use super::known::Known;
use super::place::Place;
use super::text::{at, shown};
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::envfile::{Dialect, Reading, Seen};
use crate::finding::{Finding, Status};
use crate::net::Time;
use crate::vendor::{Generation, Vendor, prod_env};

/// More variables than this are not compared.
const MAX_NAMES: usize = 500;

/// More names than this are not told one by one.
const MAX_TOLD: usize = 12;

/// What a proxy is set with. The upper-case forms are read by some clients, so they count as well.
const PROXIES: [&str; 8] =
    ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/// See the module.
pub(super) struct Environment;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct EnvironmentFacts {
    place: Place,
    /// `None`: was not asked.
    services: Option<Result<Vec<Service>, NoDocker>>,
    /// Why prod.env could not be read.
    unreadable: Option<String>,
    /// When prod.env was last changed, seconds since 1970.
    changed: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Service {
    name: String,
    containers: usize,
    /// When its oldest container was created, seconds since 1970.
    created: Option<u64>,
    /// Who read prod.env for it: `docker-compose 1.29`.
    reader: String,
    /// That reader rejects the file: why.
    rejects: Option<String>,
    /// How many names are the same.
    same: usize,
    /// Names whose value the file alone does not tell, or that the compose file sets itself.
    left_out: usize,
    differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Difference {
    name: String,
    how: How,
    /// Of prod.env, where it may be shown.
    file: Option<String>,
    /// Of the container, where it may be shown.
    container: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Another value.
    Differs,
    /// prod.env has it, the container does not.
    Missing,
    /// The container has it, prod.env does not.
    Extra,
}

impl Check for Environment {
    type Facts = EnvironmentFacts;

    const META: Meta = Meta::new("environment", Group::Runtime, &["container-environment"]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&EnvironmentFacts>) -> EnvironmentFacts {
        let mut place = Place::look(look);
        if !place.is_running_system() || !place.prod_env {
            return EnvironmentFacts { place, ..EnvironmentFacts::default() };
        }
        let (file, changed, unreadable) = match look.host.snapshot(&prod_env(&look.spec.home)) {
            Ok(Some(file)) => {
                let changed = file.attributes.mtime.and_then(|nanos| u64::try_from(nanos / 1_000_000_000).ok());
                (file.bytes, changed, None)
            }
            Ok(None) => (Vec::new(), None, Some("it has gone".to_owned())),
            Err(error) => (Vec::new(), None, Some(error.to_string())),
        };
        if unreadable.is_some() {
            return EnvironmentFacts { place, unreadable, ..EnvironmentFacts::default() };
        }
        let services = docker::containers(look, time).map(|found| {
            place.prefer(&found);
            let compose =
                place.compose.first().and_then(|name| look.host.read(&look.spec.home.join(name)).ok().flatten());
            let compose = compose.as_deref().and_then(compose::services).unwrap_or_default();
            compared(&found, &file, &compose)
        });
        EnvironmentFacts { place, services: Some(services), unreadable: None, changed }
    }

    fn judge(&self, facts: &EnvironmentFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_environment(facts, spec)
    }
}

/// Every service made from the product's image, its containers taken together.
fn compared(found: &Found, file: &[u8], compose: &[compose::Service]) -> Vec<Service> {
    let reads = |name: &str| Known::get().service(name).is_none_or(|known| known.product);
    let from_image = |container: &Container| {
        let (repository, tag) = docker::repository_and_tag(&container.image);
        let images = &Known::get().images;
        images.is_product(repository) && !images.is_apart(repository, tag)
    };
    let services = by_service(found).into_iter().filter(|(name, containers)| {
        reads(name) && (Known::get().service(name).is_some() || containers.iter().any(|one| from_image(one)))
    });
    services
        .map(|(name, containers)| {
            let own = compose.iter().find(|service| service.name == name);
            let set_by_compose: &[String] = own.map_or(&[], |service| &service.environment);
            let mut service = Service {
                name: shown(&name, 60),
                containers: containers.len(),
                created: containers.iter().filter_map(|one| one.created).min(),
                ..Service::default()
            };
            for (index, container) in containers.iter().enumerate() {
                let dialect = dialect(container);
                let reading = dialect.read(file);
                if index == 0 {
                    dialect.name().clone_into(&mut service.reader);
                    service.rejects = reading
                        .complaints
                        .iter()
                        .find(|complaint| complaint.fatal)
                        .map(|complaint| format!("line {}: {}", complaint.line, complaint.message));
                }
                compare(&reading, container, set_by_compose, index == 0, &mut service);
            }
            service.differences.sort_by(|a, b| (a.how, &a.name).cmp(&(b.how, &b.name)));
            service
        })
        .collect()
}

/// Who read prod.env for this container: the compose that made it, else `docker run --env-file`.
fn dialect(container: &Container) -> Dialect {
    container.compose_version.as_deref().and_then(Dialect::of_compose).unwrap_or(Dialect::DockerEnvFile)
}

fn compare(reading: &Reading, container: &Container, by_compose: &[String], count: bool, service: &mut Service) {
    let seen = |name: &str| {
        container
            .environment
            .iter()
            .rev()
            .find_map(|entry| entry.split_once('=').filter(|(own, _)| *own == name))
            .map(|(_, value)| value)
    };
    let mut differ = |name: &str, how, file: Option<&str>, inside: Option<&str>| {
        let known = service.differences.iter().any(|other| other.name == name && other.how == how);
        if !known && service.differences.len() < MAX_NAMES {
            let show = |value: Option<&str>| value.filter(|_| may_be_shown(name)).map(|value| masked(name, value));
            service.differences.push(Difference {
                name: shown(name, 80),
                how,
                file: show(file),
                container: show(inside),
            });
        }
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in reading.variables.iter().take(MAX_NAMES) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        names.push(name);
        let by_compose = by_compose.iter().any(|own| own == name);
        match value {
            Seen::Value(value) if !by_compose => {
                let file = String::from_utf8_lossy(value);
                match seen(name) {
                    Some(inside) if inside == file => service.same += usize::from(count),
                    Some(inside) => differ(name, How::Differs, Some(&file), Some(inside)),
                    None => differ(name, How::Missing, Some(&file), None),
                }
            }
            _ => service.left_out += usize::from(count),
        }
    }
    for entry in container.environment.iter().take(2 * MAX_NAMES) {
        let Some((name, value)) = entry.split_once('=') else { continue };
        // Other names of the container may well be the image's own.
        let ours = PROXIES.contains(&name) || of_vendor(name, |_| true);
        if ours && !names.contains(&name) && !by_compose.iter().any(|own| own == name) && !value.is_empty() {
            differ(name, How::Extra, None, Some(value));
        }
    }
}

/// Proxies (their passwords masked), hosts, ports, users and names of databases. Nothing else: any other name may hold
/// a secret.
fn may_be_shown(name: &str) -> bool {
    PROXIES.contains(&name) || of_vendor(name, |key| !key.ends_with("password"))
}

/// Is it a variable of prod.env that the vendor knows, for a setting that passes `test`?
fn of_vendor(name: &str, test: impl Fn(&str) -> bool) -> bool {
    let vendor = Vendor::get();
    let generations = [Generation::Current, Generation::Older];
    let mut keys = vendor.prod_env_keys().filter(|key| test(key));
    keys.any(|key| {
        generations.into_iter().any(|generation| vendor.variables(generation, key).iter().any(|own| own == name))
    })
}

fn masked(name: &str, value: &str) -> String {
    let line = shown(&format!("{name}={value}"), 300 + name.len());
    line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or_default().to_owned()
}

fn judge_environment(facts: &EnvironmentFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = facts.place.nothing("container-environment", "the containers' environment was") {
        return nothing;
    }
    let file = prod_env(&spec.home);
    let finding = |status, title: String| Finding::new("container-environment", "runtime", status, title);
    let skip = |why: String| {
        vec![finding(Status::Skip, "the containers' environment was not compared".to_owned()).observed(why)]
    };
    if !facts.place.prod_env {
        return skip(format!("there is no {}", file.display()));
    }
    if let Some(why) = &facts.unreadable {
        let finding = finding(Status::Error, format!("{} could not be read", file.display()));
        return vec![finding.observed(why.as_str()).fix("run the same with sudo")];
    }
    match &facts.services {
        None => Vec::new(),
        Some(Err(_)) => skip("Docker could not be asked; see docker-reachable".to_owned()),
        Some(Ok(services)) if services.is_empty() => {
            skip("no container of the product is there; see service-running".to_owned())
        }
        Some(Ok(services)) => {
            let command = facts.place.command(spec);
            services.iter().map(|service| one(service, facts.changed, &file.display().to_string(), &command)).collect()
        }
    }
}

fn one(service: &Service, changed: Option<u64>, file: &str, command: &str) -> Finding {
    let name = &service.name;
    let of = |how: How| {
        service.differences.iter().filter(|one| one.how == how).map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let finish = |finding: Finding| {
        finding
            .expected(format!("what {file} says, as {} reads it", service.reader))
            .evidence("service", name.as_str())
            .evidence("same", service.same)
            .evidence("differs", of(How::Differs))
            .evidence("missing", of(How::Missing))
            .evidence("extra", of(How::Extra))
    };
    let finding = |status, title: String| Finding::new("container-environment", "runtime", status, title);
    if let Some(why) = &service.rejects {
        return finish(
            finding(Status::Fail, format!("{} would not create {name} again: it rejects {file}", service.reader))
                .observed(why.as_str())
                .fix(format!("mend that line of {file}: NAME=value, without export, blanks around = or quotes")),
        );
    }
    let left_out = match service.left_out {
        0 => String::new(),
        number => format!("; {number} not compared, for the compose file or its caller decides them"),
    };
    if service.differences.is_empty() {
        let observed = format!("{} variables are the same{left_out}", service.same);
        return finish(finding(Status::Pass, format!("{name} sees what prod.env says")).observed(observed));
    }
    let told: Vec<String> = service.differences.iter().take(MAX_TOLD).map(tell).collect();
    let more = service.differences.len().saturating_sub(MAX_TOLD);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let observed = format!("{}{more}", told.join("\n"));
    let only_extra = service.differences.iter().all(|one| one.how == How::Extra);
    let (status, title) = if only_extra {
        (Status::Warn, format!("{name} sees more than prod.env says: {}", list(&of(How::Extra))))
    } else {
        let mut names = of(How::Differs);
        names.extend(of(How::Missing));
        (Status::Fail, format!("{name} does not see what prod.env says: {}", list(&names)))
    };
    let stale = matches!((service.created, changed), (Some(created), Some(changed)) if created <= changed);
    let cause = match (service.created, changed) {
        (Some(created), Some(changed)) if stale => format!(
            "its container was created at {}, before prod.env was last changed at {}; a restart does not read it again",
            at(created),
            at(changed)
        ),
        _ if only_extra => "the image, the compose file or ~/.docker/config.json sets it".to_owned(),
        _ => "its container was created after prod.env was last changed, so the compose file (environment:, another env_file) or the image sets it".to_owned(),
    };
    let finding = finish(finding(status, title).observed(observed).cause(cause));
    if stale {
        finding.fix(format!("{command} up -d --force-recreate"))
    } else {
        finding.fix(format!("who sets it: {command} config")).fix(format!("then: {command} up -d --force-recreate"))
    }
}

fn tell(one: &Difference) -> String {
    let value =
        |value: &Option<String>| value.as_ref().map_or_else(|| "a value that is not shown".to_owned(), Clone::clone);
    match one.how {
        How::Differs if one.file.is_none() => {
            format!("{}: another value than in prod.env (neither is shown)", one.name)
        }
        How::Differs => {
            format!("{}: {} in the container, {} in prod.env", one.name, value(&one.container), value(&one.file))
        }
        How::Missing => format!("{}: not in the container, {} in prod.env", one.name, value(&one.file)),
        How::Extra => format!("{}: {} in the container, not in prod.env", one.name, value(&one.container)),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", names.len() - 3),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
