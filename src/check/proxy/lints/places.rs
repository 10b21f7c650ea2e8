//! The check: the lists of the host's files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Context, Local, lint};
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::clients::{self, Client};
use crate::envfile::{Dialect, PamLimit, Seen, unit};
use crate::environment::daemon_json;
use crate::finding::{Finding, Status};
use crate::host::{Command, HostRead};
use crate::net::Time;
use crate::network::catalogue::Needs;
use crate::redact;
use crate::settings::{Deployment, profile_scripts};
use crate::system::cloud::cloud;
use crate::vendor::{Vendor, prod_env};
use crate::version::Version;

/// Variables that say that a proxy is set, then the two spellings of the list.
const NAMES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

/// The lists, as each file has them.
pub struct NoProxyLists;

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlacesFacts {
    /// Files that set a proxy or a list.
    pub places: Vec<Place>,
    /// The release of the host's curl.
    pub curl: Option<String>,
    /// The cloud that the host runs in.
    pub cloud: Option<String>,
    /// Is the product installed here?
    pub product: bool,
    /// Files that could not be read, with the reason.
    pub unread: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its path on the host.
    pub file: String,
    /// Whom it is for.
    pub reader: Reader,
    /// Does it set a proxy?
    pub proxied: bool,
    /// `no_proxy`.
    pub lower: Option<String>,
    /// `NO_PROXY`.
    pub upper: Option<String>,
    /// Only a shell can tell what the list is.
    pub unknown: bool,
    /// The longest line that its reader takes.
    pub limit: Option<Limit>,
}

/// A limit of linux-pam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// In bytes.
    pub bytes: usize,
    /// Which release, and how that is known.
    pub reader: String,
}

/// Whom a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// Everything that a person or cron starts.
    Logins,
    /// The Docker daemon.
    Docker,
    /// The product's containers.
    Containers,
}

impl Reader {
    /// The clients that read it: the daemon is one Go program. Broken releases count where they are installed.
    fn clients(self, curl: Option<&str>) -> Vec<&'static Client> {
        let installed = curl.and_then(Version::parse).and_then(|release| clients::curl(&release));
        let fits = |client: &&Client| {
            let is_there = !client.is_broken() || installed.is_some_and(|own| own.id == client.id);
            let is_reader = self != Self::Docker || client.id.starts_with("go-net-http");
            client.reads_environment() && is_there && is_reader
        };
        clients::all().iter().filter(fits).collect()
    }

    fn writer(self) -> &'static str {
        match self {
            Self::Logins | Self::Docker => "ics-setup prepare",
            Self::Containers => "ics-setup reconfigure",
        }
    }
}

impl Check for NoProxyLists {
    type Facts = PlacesFacts;

    const META: Meta = Meta::new(
        "no-proxy",
        Group::Proxy,
        &[
            "NP001", "NP014", "NP018", "NP009", "NP010", "NP002", "NP003", "NP004", "NP005", "NP006", "NP007", "NP008",
            "NP011", "NP012", "NP013", "NP015", "NP016", "NP017",
        ],
    );

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&PlacesFacts>) -> PlacesFacts {
        let mut facts = PlacesFacts::default();
        files(look, &mut facts);
        facts.product = look.host.lstat(&prod_env(&look.spec.home)).is_ok_and(|stat| stat.is_some());
        facts.cloud = cloud(look.host);
        facts.curl = curl(look.host, time);
        facts
    }

    fn judge(&self, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_places(facts, spec)
    }

    fn is_settled(&self, _facts: &PlacesFacts) -> bool {
        true
    }
}

/// Files with the same list for the same readers are one matter.
pub(super) fn judge_places(facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut left: Vec<&Place> = facts.places.iter().filter(|place| !place.unknown).collect();
    while let Some(first) = left.first().copied() {
        let is_daemon = |place: &Place| place.reader == Reader::Docker;
        let same = |place: &&Place| {
            (&place.lower, &place.upper, place.proxied, is_daemon(place))
                == (&first.lower, &first.upper, first.proxied, is_daemon(first))
        };
        let group: Vec<&Place> = left.iter().copied().filter(same).collect();
        left.retain(|place| !same(place));
        findings.extend(judge_group(&group, first, facts, spec));
    }
    for place in facts.places.iter().filter(|place| place.unknown) {
        findings.push(
            Finding::new("NP001", "proxy", Status::Skip, format!("the list in {} was not judged", place.file))
                .observed("it is set under a condition, or from a variable or a command: only a shell can tell it"),
        );
    }
    for unread in &facts.unread {
        findings.push(
            Finding::new("NP001", "proxy", Status::Skip, "the lists of a file were not judged")
                .observed(unread.clone())
                .fix("sudo ics-setup check proxy"),
        );
    }
    if facts.places.is_empty() && facts.unread.is_empty() {
        findings.push(
            Finding::new("NP001", "proxy", Status::Skip, "there is no list to judge")
                .observed("no file of this host sets a proxy or a no_proxy list"),
        );
    }
    findings
}

fn judge_group(group: &[&Place], first: &Place, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let files: Vec<&str> = group.iter().map(|place| place.file.as_str()).collect();
    let place = super::and(&files);
    let for_docker = first.reader == Reader::Docker;
    let local = match (for_docker, spec.deployment, facts.product) {
        (true, ..) => Local::No,
        (_, Deployment::TestDrive, _) => Local::Certain,
        (_, _, true) => Local::Perhaps,
        _ => Local::No,
    };
    let limit = group.iter().find_map(|place| place.limit.as_ref());
    let context = Context {
        clients: first.reader.clients(facts.curl.as_deref()),
        proxied: first.proxied,
        local,
        cloud: facts.cloud.as_deref().filter(|_| !for_docker),
        required: if for_docker { &[] } else { &Needs::get().hosts },
        curl: facts.curl.as_deref(),
        limit: limit.map(|limit| (limit.bytes, limit.reader.as_str())),
        wanted: &spec.no_proxy,
        writer: first.reader.writer(),
    };
    let mut findings = lint(first.lower.as_deref(), first.upper.as_deref(), &place, &context);
    if findings.iter().all(|finding| finding.status == Status::Pass) {
        let value = first.lower.as_deref().or(first.upper.as_deref());
        let title = format!("the list in {place} says the same to all clients that matter");
        findings.insert(
            0,
            Finding::new("NP001", "proxy", Status::Pass, title)
                .observed(value.map_or("no list, and nothing that needs one".to_owned(), str::to_owned)),
        );
    }
    findings
}

fn files(look: &Look<'_>, facts: &mut PlacesFacts) {
    let host = look.host;
    if let Some(platform) = look.platform {
        let system = platform.system_proxy_file();
        if let Some(bytes) = read(host, system, facts)
            && let Some(mut place) = of_variables(&bytes, platform.system_proxy_dialect(), system, Reader::Logins)
        {
            // Asking which linux-pam it is costs megabytes, so only for a long line.
            let is_long = [&place.lower, &place.upper].into_iter().flatten().any(|value| value.len() > 1000);
            if is_long && !platform.system_proxy_is_shell() {
                let pam = platform.pam_limit(host);
                place.limit = match pam.limit {
                    PamLimit::Cut(bytes) | PamLimit::Drop(bytes) => {
                        Some(Limit { bytes, reader: format!("linux-pam {}: {}", pam.release, pam.known_from) })
                    }
                    PamLimit::None => None,
                };
            }
            facts.places.push(place);
        }
        let scripts = profile_scripts(host, platform).unwrap_or_else(|problem| {
            facts.unread.push(problem.message);
            Vec::new()
        });
        for script in scripts {
            if let Some(bytes) = read(host, &script, facts) {
                facts.places.extend(of_variables(&bytes, Dialect::Shell, &script, Reader::Logins));
            }
        }
    }
    if look.platform.is_none() {
        facts
            .unread
            .push("the system is neither like Ubuntu nor like CentOS, so its proxy file is not known".to_owned());
    }
    let product = prod_env(&look.spec.home);
    if let Some(bytes) = read(host, &product, facts) {
        facts.places.extend(of_variables(&bytes, Dialect::DockerEnvFile, &product, Reader::Containers));
    }
    let daemon = &Vendor::get().docker;
    if let Some(bytes) = read(host, &daemon.drop_in, facts) {
        facts.places.extend(of_drop_in(&bytes, &daemon.drop_in));
    }
    if let Some(bytes) = read(host, &daemon.daemon_json, facts) {
        facts.places.extend(of_daemon_json(&bytes, &daemon.daemon_json));
    }
}

fn read(host: &dyn HostRead, path: &Path, facts: &mut PlacesFacts) -> Option<Vec<u8>> {
    host.read(path).unwrap_or_else(|error| {
        facts.unread.push(format!("{}: {error}", host.shown(path).display()));
        None
    })
}

fn value(bytes: &[u8]) -> String {
    redact::list(&String::from_utf8_lossy(bytes))
}

fn place(path: &Path, reader: Reader) -> Place {
    let file = path.display().to_string();
    Place { file, reader, proxied: false, lower: None, upper: None, unknown: false, limit: None }
}

fn of_variables(bytes: &[u8], dialect: Dialect, path: &Path, reader: Reader) -> Option<Place> {
    let reading = dialect.read_only(bytes, &NAMES.map(str::as_bytes));
    let mut place = place(path, reader);
    for (name, seen) in &reading.variables {
        match (name.as_slice(), seen) {
            (b"no_proxy", Seen::Value(text)) => place.lower = Some(value(text)),
            (b"NO_PROXY", Seen::Value(text)) => place.upper = Some(value(text)),
            (b"no_proxy" | b"NO_PROXY", _) => place.unknown = true,
            (_, Seen::Value(text)) => place.proxied |= !text.is_empty(),
            (_, Seen::Unknown | Seen::Inherited) => place.proxied = true,
        }
    }
    (!reading.variables.is_empty()).then_some(place)
}

fn of_drop_in(bytes: &[u8], path: &Path) -> Option<Place> {
    let assignments = unit::assignments(bytes);
    let get = |name: &str| unit::value(&assignments, name).map(|found| value(&found.value));
    let mut place = place(path, Reader::Docker);
    place.proxied = NAMES[..6].iter().any(|name| get(name).is_some_and(|text| !text.is_empty()));
    (place.lower, place.upper) = (get("no_proxy"), get("NO_PROXY"));
    (place.proxied || place.lower.is_some() || place.upper.is_some()).then_some(place)
}

/// `proxies` of `daemon.json`: one list, read by Go's rules.
fn of_daemon_json(bytes: &[u8], path: &Path) -> Option<Place> {
    let proxies = daemon_json(bytes).ok()?;
    let get = |name: &str| proxies.iter().find(|(own, _)| *own == name).map(|(_, value)| value);
    let list = get("no_proxy").map(|list| redact::list(list));
    let mut place = place(path, Reader::Docker);
    place.proxied = ["http_proxy", "https_proxy"].into_iter().any(|name| get(name).is_some_and(|url| !url.is_empty()));
    (place.lower, place.upper) = (list.clone(), list);
    (place.proxied || place.lower.is_some()).then_some(place)
}

/// `7.88.1` of `curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 …`.
fn curl(host: &dyn HostRead, time: Time) -> Option<String> {
    if !host.is_live() || time.is_over() {
        return None;
    }
    let command = Command { deadline: time.for_connection(), ..Command::new(["curl", "--version"]) };
    let output = host.run(&command).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = text.strip_prefix("curl ")?.split_whitespace().next()?;
    Version::parse(release).map(|release| release.to_string())
}
