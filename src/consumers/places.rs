//! The files of the host with a `no_proxy` list, each as it stands.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::envfile::{Dialect, PamLimit, Seen, unit};
use crate::environment::daemon_json;
use crate::host::{Command, HostRead};
use crate::net::Time;
use crate::platform::Platform;
use crate::redact;
use crate::settings::profile_scripts;
use crate::system::cloud::cloud;
use crate::text;
use crate::text::Text;
use crate::vendor::{Vendor, prod_env};
use crate::version::Version;

/// Variables that say that a proxy is set, then the two spellings of the list.
const NAMES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PlacesFacts {
    /// Files that set a proxy or a list.
    pub(crate) places: Vec<Place>,
    /// The release of the host's curl.
    pub(crate) curl: Option<String>,
    /// The cloud that the host runs in.
    pub(crate) cloud: Option<String>,
    /// Is the product installed here?
    pub(crate) product: bool,
    /// Files that could not be read, with the reason.
    pub(crate) unread: Vec<Text>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Its path on the host.
    pub(crate) file: String,
    /// Whom it is for.
    pub(crate) reader: Reader,
    /// Does it set a proxy?
    pub(crate) proxied: bool,
    /// `no_proxy`.
    pub(crate) lower: Option<String>,
    /// `NO_PROXY`.
    pub(crate) upper: Option<String>,
    /// Only a shell can tell what the list is.
    pub(crate) unknown: bool,
    /// The longest line that its reader takes.
    pub(crate) limit: Option<Limit>,
}

/// A limit of linux-pam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// In bytes.
    pub(crate) bytes: usize,
    /// Which release, and how that is known.
    pub(crate) reader: String,
}

/// Whom a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reader {
    /// Everything that a person or cron starts.
    Logins,
    /// The Docker daemon.
    Docker,
    /// The product's containers.
    Containers,
}

/// Looks at the files of the system's proxy settings, of the product in `home` and of the Docker daemon; and at what their
/// lists are judged by.
pub(crate) fn observe(host: &dyn HostRead, platform: Option<&Platform>, home: &Path, time: Time) -> PlacesFacts {
    let mut facts = PlacesFacts::default();
    files(host, platform, home, &mut facts);
    facts.product = host.lstat(&prod_env(home)).is_ok_and(|stat| stat.is_some());
    facts.cloud = cloud(host);
    facts.curl = curl(host, time);
    facts
}

fn files(host: &dyn HostRead, platform: Option<&Platform>, home: &Path, facts: &mut PlacesFacts) {
    if let Some(platform) = platform {
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
    if platform.is_none() {
        facts.unread.push("the system is like none that ics-setup knows, so its proxy file is not known".into());
    }
    let product = prod_env(home);
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
        facts.unread.push(text!("{}: {}", host.shown(path), error));
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
    let proxies = daemon_json(bytes).ok()?.proxies;
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
