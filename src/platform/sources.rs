//! Finds the file that tells what the system is: `os-release`, else its elders.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::os_release::assignments;
use crate::host::HostRead;
use crate::text::clean;

/// No real file of this kind has more than a kilobyte or two; whatever stands behind this is not looked at.
const MOST: usize = 64 * 1024;

/// The files in the order in which they are believed, each with the way to read it.
const SOURCES: [(&str, Reader); 7] = [
    ("/etc/os-release", os_release),
    ("/usr/lib/os-release", os_release),
    ("/etc/lsb-release", lsb_release),
    ("/etc/centos-release", release_line),
    ("/etc/redhat-release", release_line),
    ("/etc/system-release", release_line),
    ("/etc/debian_version", debian_version),
];

/// What the text says, or why it says nothing.
type Reader = fn(&Facts, &str) -> Result<Identity, &'static str>;

/// What a system says about itself. Every text is already [`clean`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Lower-case id as in `os-release`; never empty but for a system that could not be identified.
    pub(super) id: String,
    /// The name without a version; may be empty.
    pub(super) name: String,
    /// As written; empty when the system names none.
    pub(super) version: String,
    /// The name for people.
    pub(super) pretty: String,
    /// The ids that this one says it descends from, nearest first.
    pub(super) like: Vec<String>,
    /// The file that said so.
    pub(super) source: String,
    /// That file as a person on this machine would type it.
    pub(super) shown: String,
}

/// A file that was of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tried {
    /// As a person on this machine would type it.
    pub(super) path: String,
    /// Why it was of no use; `None`: it is not there.
    pub(super) why: Option<String>,
}

/// What package sources of Debian's kind call the release: `jammy`; `None`: it has no such name, or none of letters and digits.
///
/// # Errors
/// A file that is there cannot be read.
pub(super) fn codename(host: &dyn HostRead) -> io::Result<Option<String>> {
    for (source, _) in SOURCES.iter().take(3) {
        let Some(bytes) = host.read(Path::new(source))? else { continue };
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]).into_owned();
        let found = assignments(&text)
            .find(|(key, _)| ["VERSION_CODENAME", "UBUNTU_CODENAME", "DISTRIB_CODENAME"].contains(key));
        let plain = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
        if let Some(name) = found.map(|(_, name)| name).filter(plain) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Reads the files in order until one tells what the system is.
///
/// # Errors
/// Every file that was tried, and why it was of no use.
pub(super) fn identify(host: &dyn HostRead, facts: &Facts) -> Result<Identity, Vec<Tried>> {
    let mut tried = Vec::new();
    for (source, reader) in SOURCES {
        let path = Path::new(source);
        let why = match head(host, path) {
            Ok(None) => None,
            Ok(Some(text)) => match reader(facts, &text) {
                Ok(identity) => {
                    return Ok(Identity { source: source.to_owned(), shown: shown(host, source), ..identity });
                }
                Err(why) => Some(why.to_owned()),
            },
            Err(cause) => Some(clean(&cause.to_string(), 100)),
        };
        tried.push(Tried { path: shown(host, source), why });
    }
    Err(tried)
}

/// `source` for messages.
pub(super) fn shown(host: &dyn HostRead, source: &str) -> String {
    clean(&host.shown(Path::new(source)).to_string_lossy(), 4096)
}

/// The whole lines within the first 64 KiB.
fn head(host: &dyn HostRead, path: &Path) -> io::Result<Option<String>> {
    Ok(host.read(path)?.map(|bytes| {
        let bytes = match bytes.get(..MOST) {
            // A line cut in two could say something that nobody wrote.
            Some(start) => &start[..memchr::memrchr(b'\n', start).unwrap_or(0)],
            None => &bytes,
        };
        String::from_utf8_lossy(bytes).into_owned()
    }))
}

fn os_release(_: &Facts, text: &str) -> Result<Identity, &'static str> {
    let mut found = Identity::default();
    for (key, value) in assignments(text) {
        match key {
            "ID" => found.id = id(&value),
            "ID_LIKE" => found.like = value.split_whitespace().take(16).map(id).collect(),
            "NAME" => found.name = clean(&value, 100),
            "VERSION_ID" => found.version = clean(&value, 40),
            "PRETTY_NAME" => found.pretty = clean(&value, 100),
            _ => {}
        }
    }
    named(found, "it has no ID")
}

fn lsb_release(_: &Facts, text: &str) -> Result<Identity, &'static str> {
    let mut found = Identity::default();
    for (key, value) in assignments(text) {
        match key {
            "DISTRIB_ID" => found.id = id(&value),
            "DISTRIB_RELEASE" => found.version = clean(&value, 40),
            "DISTRIB_DESCRIPTION" => found.pretty = clean(&value, 100),
            _ => {}
        }
    }
    // There is no name without a version here; the description tells editions of one id apart as well.
    found.name.clone_from(&found.pretty);
    named(found, "it has no DISTRIB_ID")
}

/// `CentOS release 6.7 (Final)`, `Red Hat Enterprise Linux Server release 7.2 (Maipo)`.
fn release_line(facts: &Facts, text: &str) -> Result<Identity, &'static str> {
    let line = first_line(text);
    let (name, version) = line.split_once(" release ").ok_or("its first line is not \"NAME release VERSION\"")?;
    let version = version.split_whitespace().next().unwrap_or("");
    let (id, name) = match facts.by_line(line) {
        Some(system) => (system.id.clone(), system.name.clone()),
        None => (id(name), clean(name, 100)),
    };
    named(
        Identity { id, name, version: clean(version, 40), pretty: clean(line, 100), ..Identity::default() },
        "no name",
    )
}

/// `12.5`, or `trixie/sid` before a release.
fn debian_version(_: &Facts, text: &str) -> Result<Identity, &'static str> {
    let line = first_line(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "./+~_-".contains(c);
    if line.is_empty() || !line.chars().all(plain) {
        return Err("its first line is no Debian version");
    }
    let version = clean(line, 40);
    Ok(Identity {
        id: "debian".to_owned(),
        name: "Debian GNU/Linux".to_owned(),
        pretty: format!("Debian GNU/Linux {version}"),
        version,
        ..Identity::default()
    })
}

fn first_line(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

fn id(text: &str) -> String {
    clean(text, 40).to_ascii_lowercase()
}

fn named(mut found: Identity, otherwise: &'static str) -> Result<Identity, &'static str> {
    if found.id.is_empty() {
        return Err(otherwise);
    }
    if found.pretty.is_empty() {
        let name = if found.name.is_empty() { &found.id } else { &found.name };
        found.pretty = format!("{name} {}", found.version).trim_end().to_owned();
    }
    Ok(found)
}
