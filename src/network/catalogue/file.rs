//! The TOML file of endpoints, and how a user's is laid over the shipped one.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::required::no_region;
use super::{
    ANY, Block, COLLECTOR, Catalogue, Component, Confidence, Endpoint, Interception, NeededBy, Only, Protocol, Region,
    StaticIps, Wildcard, host_name,
};
use crate::assets;
use crate::problem::{Problem, id};
use crate::settings::Deployment;
use crate::system::cloud::Cloud;
use crate::text;
use crate::text::{Text, ics_setup, own, typed};
use crate::version::Version;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    date: Option<String>,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    #[serde(default)]
    region: BTreeMap<String, Region>,
    #[serde(default)]
    endpoint: Vec<Spanned<Raw>>,
}

/// More than anybody opens, and few enough for renderers to compare each with each.
const MOST: usize = 5000;

/// Declares an entry of the file, whose values can all be missing, and how it is laid over another.
macro_rules! layered {
    ($(#[$about:meta])* struct $name:ident { $($(#[$meaning:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($(#[$meaning])* $field: Option<$kind>,)*
            #[serde(default)]
            each: Vec<Spanned<$name>>,
        }

        impl $name {
            /// This entry, with the other's values where it has none.
            fn over(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* each: Vec::new() }
            }
        }
    };
}

layered! {
    /// An entry as it is written; what is missing comes from what it stands in, or from the entry that it changes.
    struct Raw {
        component: Component,
        region: String,
        host: String,
        wildcard: String,
        representative: String,
        port: u16,
        protocol: Protocol,
        purpose: String,
        static_ips: RawIps,
        confidence: Confidence,
        static_ips_confidence: Confidence,
        source: String,
        date: String,
        needed_by: NeededBy,
        required: bool,
        when: String,
        interception: Interception,
        path: String,
        direct: bool,
        deployment: Deployment,
        or_deployment: Deployment,
        from_release: Version,
        below_release: Version,
        with_collector: bool,
        cloud: Cloud,
        remove: bool,
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RawIps {
    Listed(Vec<String>),
    Word(String),
}

/// Component, region, host and port: entries that have the same are the same endpoint.
type Key = (Option<Component>, Option<String>, Option<String>, Option<u16>);

/// An entry and where it stands, for messages.
struct Entry {
    raw: Raw,
    key: Key,
    at: Text,
}

impl Entry {
    fn new(raw: Raw, at: Text) -> Self {
        let host = raw.host.as_deref().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        let region = raw.region.clone().filter(|region| region != ANY);
        Self { key: (raw.component, region, host, raw.port), raw, at }
    }
}

/// The shipped catalogue, with a text of the user's laid over it.
pub(super) fn read(user: Option<(&str, &Path)>) -> Result<Catalogue, Problem> {
    let mut file: File = assets::read(&assets::ENDPOINTS);
    let entries = entries(&mut file, &|_| "endpoints.toml".into())?;
    let mut places: HashMap<Key, usize> =
        entries.iter().enumerate().map(|(place, entry)| (entry.key.clone(), place)).collect();
    let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    if let Some((text, shown)) = user {
        let (users, changes) = parse(text, shown)?;
        file.sources.extend(users.sources);
        file.region.extend(users.region);
        for change in changes {
            lay(&mut entries, &mut places, change, users.date.as_deref())?;
        }
    }
    let mut catalogue = Catalogue {
        date: file.date.unwrap_or_default(),
        sources: file.sources,
        regions: file.region,
        endpoints: Vec::new(),
    };
    for entry in entries.into_iter().flatten() {
        let endpoint = finish(entry, &catalogue)?;
        catalogue.endpoints.push(endpoint);
    }
    Ok(catalogue)
}

/// One entry of the user's onto what there is.
fn lay(
    entries: &mut Vec<Option<Entry>>,
    places: &mut HashMap<Key, usize>,
    change: Entry,
    date: Option<&str>,
) -> Result<(), Problem> {
    let Entry { mut raw, key, at } = change;
    if raw.remove == Some(true) {
        let Some(place) = places.remove(&key) else {
            let message = text!("{}: there is nothing to remove with this component, region, host and port", at);
            return Err(wrong(message).hint(text!("all of them: {}", ics_setup("network list --all"))));
        };
        entries[place] = None;
        return Ok(());
    }
    if raw.static_ips.is_some() {
        raw.static_ips_confidence = raw.static_ips_confidence.or(raw.confidence).or(Some(Confidence::User));
    }
    raw.confidence = raw.confidence.or(Some(Confidence::User));
    raw.source = raw.source.or_else(|| Some("USER".to_owned()));
    raw.date = raw.date.or_else(|| Some(date.unwrap_or("undated").to_owned()));
    let place = *places.entry(key.clone()).or_insert_with(|| {
        entries.push(None);
        entries.len() - 1
    });
    let lower = entries[place].take().map(|entry| entry.raw).unwrap_or_default();
    entries[place] = Some(Entry { raw: raw.over(lower), key, at });
    Ok(())
}

fn parse(text: &str, shown: &Path) -> Result<(File, Vec<Entry>), Problem> {
    let ends: Vec<usize> = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let line = |at: usize| ends.partition_point(|end| *end < at) + 1;
    let mut file: File = toml::from_str(text).map_err(|error| {
        let at = line(error.span().map_or(0, |span| span.start));
        wrong(text!("{}:{}: {}", shown.display(), at, error.message()))
            .hint(text!("an entry to start from is in: {}", typed("ics-setup network list --help")))
    })?;
    let entries = entries(&mut file, &|span| text!("{}:{}", shown.display(), line(span.start)))?;
    if entries.len() > MOST {
        return Err(wrong(text!("{}: {} entries; {} is the most", shown.display(), entries.len(), MOST)));
    }
    Ok((file, entries))
}

/// Takes the entries out of a file; `at` tells where one stands.
fn entries(file: &mut File, at: &dyn Fn(Range<usize>) -> Text) -> Result<Vec<Entry>, Problem> {
    let mut entries = Vec::new();
    for entry in std::mem::take(&mut file.endpoint) {
        let place = at(entry.span());
        let mut shared = entry.into_inner();
        let each = std::mem::take(&mut shared.each);
        if each.is_empty() {
            entries.push(Entry::new(shared, place));
            continue;
        }
        for inner in each {
            let at = at(inner.span());
            let inner = inner.into_inner();
            if !inner.each.is_empty() {
                return Err(wrong(text!("{}: `each` stands in an entry of `each`; one level is all there is", at)));
            }
            entries.push(Entry::new(inner.over(shared.clone()), at));
        }
    }
    Ok(entries)
}

/// A whole endpoint of an entry to which nothing is added any more.
fn finish(entry: Entry, catalogue: &Catalogue) -> Result<Endpoint, Problem> {
    let Entry { raw, at, .. } = entry;
    let missing = |key: &str| {
        wrong(text!("{}: the entry has no `{}`", at, own(key))).hint("a new entry needs component, host, port and purpose; one that changes another has the same component, region, host and port")
    };
    let bad = |why: Text| wrong(text!("{}: {}", at, why));
    let component = raw.component.ok_or_else(|| missing("component"))?;
    let host = raw.host.ok_or_else(|| missing("host"))?;
    let host = if host == COLLECTOR { host } else { host_name(&host).map_err(bad)? };
    let port = raw.port.filter(|port| *port != 0).ok_or_else(|| missing("port"))?;
    let purpose = raw.purpose.ok_or_else(|| missing("purpose"))?;
    let region = raw.region.unwrap_or_else(|| ANY.to_owned());
    if region != ANY && !catalogue.regions.contains_key(&region) {
        return Err(no_region(at, &region, catalogue).hint(text!("[region]\n{} = {{ name = \"…\" }}", region)));
    }
    let wildcard =
        raw.wildcard.filter(|text| !text.is_empty()).map(|text| Wildcard::parse(&text)).transpose().map_err(bad)?;
    if let Some(wildcard) = &wildcard
        && !wildcard.is_match(&host)
    {
        return Err(bad(text!("{} is not covered by {}", own(&host), own(&wildcard.printed))));
    }
    let stands_for_more = wildcard.is_some();
    let static_ips = match raw.static_ips {
        None => StaticIps::Unknown,
        Some(RawIps::Word(word)) if word == "none" => StaticIps::None,
        Some(RawIps::Word(word)) if word == "unknown" => StaticIps::Unknown,
        Some(RawIps::Word(word)) => {
            return Err(bad(text!("static_ips is a list of addresses, \"none\" or \"unknown\", not {:?}", word)));
        }
        Some(RawIps::Listed(list)) if list.is_empty() => {
            return Err(bad(
                "static_ips is empty: \"none\" where the vendor has none, \"unknown\" where nobody knows".into()
            ));
        }
        Some(RawIps::Listed(list)) => {
            StaticIps::Listed(list.iter().map(|text| Block::parse(text)).collect::<Result<_, _>>().map_err(bad)?)
        }
    };
    let confidence = raw.confidence.unwrap_or(Confidence::User);
    let source = raw.source.ok_or_else(|| missing("source"))?;
    let date = raw.date.ok_or_else(|| missing("date"))?;
    for text in
        [Some(&purpose), Some(&source), Some(&date), raw.when.as_ref(), raw.path.as_ref(), raw.representative.as_ref()]
            .into_iter()
            .flatten()
    {
        if text.is_empty() || text.len() > 500 || text.chars().any(char::is_control) {
            return Err(bad(text!("{:?} is to be one line of 1 to 500 characters", text)));
        }
    }
    if let Some(path) = &raw.path
        && !path.starts_with('/')
    {
        return Err(bad(text!("path begins with a slash, not {:?}", path)));
    }
    Ok(Endpoint {
        component,
        region,
        host,
        wildcard,
        representative: raw.representative.filter(|_| stands_for_more),
        port,
        protocol: raw.protocol.unwrap_or(match port {
            443 => Protocol::Https,
            80 => Protocol::Http,
            _ => Protocol::Tcp,
        }),
        purpose,
        static_ips,
        confidence,
        static_ips_confidence: raw.static_ips_confidence.unwrap_or(confidence),
        source,
        date,
        needed_by: raw.needed_by.unwrap_or(NeededBy::Server),
        required: raw.required.unwrap_or(true),
        when: raw.when,
        interception: raw.interception.unwrap_or(Interception::Warn),
        path: raw.path,
        direct: raw.direct.unwrap_or(false),
        only: Only {
            deployment: raw.deployment,
            or_deployment: raw.or_deployment,
            from_release: raw.from_release,
            below_release: raw.below_release,
            with_collector: raw.with_collector.unwrap_or(false),
            cloud: raw.cloud,
        },
    })
}

fn wrong(message: Text) -> Problem {
    Problem::settings(id::ENDPOINTS_INVALID, message)
}

#[cfg(test)]
mod tests;
