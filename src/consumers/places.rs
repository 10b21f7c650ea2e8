//! The files of the host with a `no_proxy` list, each as it stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sight::Sight;
use super::sources::{self, ENVIRONMENT, Reader, Source, profile_scripts};
use crate::clients;
use crate::envfile::PamLimit;
use crate::host::{FileKind, HostRead, View};
use crate::net::Time;
use crate::platform::Platform;
use crate::redact;
use crate::system::cloud::{Direct, cloud, direct};
use crate::text;
use crate::text::Text;

/// Variables that say that a proxy is set.
const PROXIES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// No more files of one folder are looked into for URLs of loopback.
const MOST_FILES: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PlacesFacts {
    /// Files that set a proxy or a list.
    pub(crate) places: Vec<Place>,
    /// The release of the host's curl.
    pub(crate) curl: Option<String>,
    /// The cloud that the host runs in.
    pub(crate) cloud: Option<String>,
    /// Hosts beside the metadata address that are asked there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) direct: Vec<Direct>,
    /// Who is seen to ask loopback by HTTP.
    #[serde(default)]
    pub(crate) loopback: Vec<AsksLoopback>,
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

/// A line of a file with a URL of loopback: a health check, a cron job, a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AsksLoopback {
    /// Whose list decides about it.
    pub(crate) reader: Reader,
    /// `/divvycloud/docker-compose.yml:12`.
    pub(crate) at: String,
}

/// A limit of linux-pam.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// In bytes.
    pub(crate) bytes: usize,
    /// Which release, and how that is known.
    pub(crate) reader: String,
}

/// Looks at the files of the system's proxy settings, of the product in `home` and of the Docker daemon; and at what their
/// lists are judged by.
pub(crate) fn observe(host: &dyn HostRead, platform: Option<&Platform>, home: &Path, time: Time) -> PlacesFacts {
    let mut facts = PlacesFacts::default();
    files(&View::new(host), platform, home, &mut facts);
    asks_loopback(host, home, &mut facts);
    facts.cloud = cloud(host);
    facts.direct = direct(host);
    facts.curl = curl(host, time);
    facts
}

fn files(host: &dyn HostRead, platform: Option<&Platform>, home: &Path, facts: &mut PlacesFacts) {
    let scripts = platform.map_or(Ok(Vec::new()), |platform| profile_scripts(host, platform));
    let scripts = scripts.unwrap_or_else(|problem| {
        facts.unread.push(problem.message);
        Vec::new()
    });
    if platform.is_none() {
        facts.unread.push("the system is like none that ics-setup knows, so its proxy file is not known".into());
    }
    let (daemon, of_others) = sources::daemon(host, platform);
    let mut all = Vec::new();
    for file in sources::files(platform, scripts, home, daemon) {
        match host.snapshot(&file.path) {
            Ok(snapshot) => all.extend(snapshot.map(|snapshot| file.source(Arc::new(snapshot)))),
            Err(error) => facts.unread.push(text!("{}: {}", host.shown(&file.path), error)),
        }
    }
    all.extend(of_others);
    for source in all {
        let Some(mut place) = place(&source) else { continue };
        // Asking which linux-pam it is costs megabytes, so only for a long line.
        let is_long = [&place.lower, &place.upper].into_iter().flatten().any(|value| value.len() > 1000);
        let platform = platform.filter(|_| is_long && source.path == Path::new(ENVIRONMENT));
        place.limit = platform.and_then(|platform| {
            let pam = platform.pam_limit(host);
            match pam.limit {
                PamLimit::Cut(bytes) | PamLimit::Drop(bytes) => {
                    Some(Limit { bytes, reader: format!("linux-pam {}: {}", pam.release, pam.known_from) })
                }
                PamLimit::None => None,
            }
        });
        facts.places.push(place);
    }
}

/// Compose files of the product for its containers; crontabs and units of this site for everything else.
fn asks_loopback(host: &dyn HostRead, home: &Path, facts: &mut PlacesFacts) {
    let folders: [(&Path, &[&str], Reader); 3] = [
        (home, &["yml", "yaml"], Reader::Containers),
        (Path::new("/etc/cron.d"), &[], Reader::Logins),
        (Path::new("/etc/systemd/system"), &["service"], Reader::Logins),
    ];
    let mut files = vec![(PathBuf::from("/etc/crontab"), Reader::Logins)];
    for (folder, endings, reader) in folders {
        match host.list(folder) {
            Ok(names) => {
                let ends = |path: &PathBuf| {
                    endings.is_empty() || endings.iter().any(|end| path.extension().is_some_and(|own| own == *end))
                };
                let paths = names.into_iter().map(|name| folder.join(name)).filter(ends).take(MOST_FILES);
                files.extend(paths.map(|path| (path, reader)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => facts.unread.push(text!("{}: {}", host.shown(folder), error)),
        }
    }
    for (path, reader) in files {
        if facts.loopback.iter().any(|known| known.reader == reader) {
            continue;
        }
        let content = match host.lstat(&path) {
            Ok(Some(stat)) if stat.kind == FileKind::File => host.read(&path),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        };
        let bytes = match content {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                facts.unread.push(text!("{}: {}", host.shown(&path), error));
                continue;
            }
        };
        let asks = |line: &&str| {
            !line.trim_start().starts_with('#')
                && ["http://127.", "http://localhost"].iter().any(|url| line.contains(url))
        };
        let text = String::from_utf8_lossy(&bytes);
        if let Some((index, _)) = text.lines().enumerate().find(|(_, line)| asks(line)) {
            facts.loopback.push(AsksLoopback { reader, at: format!("{}:{}", path.display(), index + 1) });
        }
    }
}

/// What the lints want to know of a file; `None`: it says nothing about proxies.
fn place(source: &Source) -> Option<Place> {
    let list = |name: &str| source.sights.get(name).and_then(Sight::value).map(redact::list);
    let file = source.path.display().to_string();
    let (lower, upper) = (list("no_proxy"), list("NO_PROXY"));
    let is_unknown = |name: &str| matches!(source.sights.get(name), Some(Sight::Unknown { .. }));
    let unknown = ["no_proxy", "NO_PROXY"].into_iter().any(is_unknown);
    let of_proxies = source.sights.iter().filter(|(name, _)| PROXIES.contains(&name.as_str()));
    let mut proxies = of_proxies.map(|(_, sight)| sight);
    let proxied = proxies.any(|sight| match sight {
        Sight::Value { value, .. } => !value.is_empty(),
        Sight::Unknown { .. } => true,
        Sight::Unset { .. } => false,
    });
    let says = proxied || unknown || lower.is_some() || upper.is_some();
    says.then_some(Place { file, reader: source.reader, proxied, lower, upper, unknown, limit: None })
}

/// `7.88.1` of `curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 …`.
fn curl(host: &dyn HostRead, time: Time) -> Option<String> {
    if !host.is_live() || time.is_over() {
        return None;
    }
    clients::curl_release(host, time.for_connection()).map(|release| release.to_string())
}
