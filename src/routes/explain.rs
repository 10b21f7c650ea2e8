//! Why a request of one consumer goes the way that it goes: the lines that decide, one after the other.

use super::edit::{self, Edit};
use super::pairs::{Pair, pairs};
use super::{Site, Taken, clients_of, taken, way};
use crate::clients::{self, By, Client, Route, Target};
use crate::consumers::{Consumer, State, Who, judge};
use crate::redact;
use crate::settings::Proxies;
use crate::text::{Text, clean};

/// More of a line is not shown.
const LONGEST: usize = 200;

/// A link of the chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The file as a person on this machine looks it up; `None`: no file decides.
    pub(crate) path: Option<String>,
    /// Its line, counted from 1.
    pub(crate) line: Option<usize>,
    /// The line without secrets, or the rule.
    pub(crate) text: String,
}

/// The way of one request, explained.
pub(crate) struct Explained {
    pub(crate) who: Who,
    /// The consumer in a sentence.
    pub(crate) name: Text,
    /// How it is known what it gets.
    pub(crate) known: &'static str,
    /// Each client of it, the most usual one first: the chain is that one's.
    pub(crate) ways: Vec<(&'static Client, Taken)>,
    pub(crate) chain: Vec<Link>,
    /// The smallest single edit that turns the way; the error says why there is none.
    pub(crate) edit: Result<Edit, &'static str>,
    /// What the others of this consumer are called, who get it otherwise.
    pub(crate) others: Vec<String>,
}

/// Explains the way of a request. `part`: a user, door or service, where several get
/// different things.
///
/// # Errors
/// Why there is no such consumer here.
pub(crate) fn explain(
    site: &Site<'_>,
    (who, part): (Who, Option<&str>),
    target: &Target,
    proxies: &Proxies,
) -> Result<Explained, Text> {
    let is_live = site.host.host.is_live();
    let facts = site.observe(&[], is_live.then_some(&[][..]));
    let all = pairs(&facts, &facts);
    let own: Vec<&Pair<'_>> = all.iter().filter(|pair| pair.who == who && pair.before.is_some()).collect();
    let pair = own.iter().find(|pair| part.is_none_or(|part| pair.is_called(part)));
    let (pair, consumer) = pair.and_then(|pair| Some((pair, pair.consumer()?))).ok_or("there is none on this host")?;
    if consumer.state == State::Skipped {
        return Err(consumer.why.clone().unwrap_or_else(|| "there is none on this host".into()));
    }
    let curl = clients::curl_of(site.host.host);
    let ways: Vec<(&'static Client, Taken)> =
        clients_of(consumer, curl).into_iter().map(|client| (client, taken(consumer, client, target))).collect();
    let (client, first) = ways.first().ok_or("it asks for nothing")?;
    let others = own.iter().filter(|other| !std::ptr::eq(**other, *pair)).map(|other| other.called()).collect();
    Ok(Explained {
        who,
        name: judge::who(consumer),
        known: consumer.known.as_str(),
        chain: chain(site, consumer, client, target, first),
        edit: edit::find(site, (pair, first), client, target, proxies),
        others,
        ways,
    })
}

/// The lines that decide, then what the client makes of them.
fn chain(site: &Site<'_>, consumer: &Consumer, client: &Client, target: &Target, taken: &Taken) -> Vec<Link> {
    let mut links = Vec::new();
    let mut push = |link: Link| {
        if !links.contains(&link) {
            links.push(link);
        }
    };
    let environment = way::environment(consumer);
    let asked = client.asked_in(target, &environment);
    let names: Vec<&str> = match consumer.consumer {
        Who::PackageManager if target.tls => vec!["https_proxy"],
        Who::PackageManager => vec!["http_proxy"],
        _ => [asked.proxy, asked.no_proxy].into_iter().flatten().map(|(name, _)| name).collect(),
    };
    names.into_iter().filter_map(|name| link(site, consumer, name)).for_each(&mut push);
    // A line that takes a variable away, or is not understood, decides as well.
    let quiet = consumer.decided.iter().filter(|(name, decided)| {
        let read = client.proxy_names(target.tls).contains(*name);
        read && (decided.taken || consumer.unknown.contains_key(*name))
    });
    quiet.filter_map(|(name, _)| link(site, consumer, name)).for_each(&mut push);
    let rule = match (&asked.route, taken.rule.as_str()) {
        (Route::Direct(By::Member(member)), _) if consumer.consumer != Who::PackageManager => {
            format!("the member {} stands for {}", redact::list(member), target.host)
        }
        (_, "") if consumer.consumer == Who::PackageManager => "it has no rule of its own for this host".to_owned(),
        (_, "") if asked.no_proxy.is_some() => "no member of its list matches".to_owned(),
        (_, "") => "it has no list of hosts that are reached directly".to_owned(),
        (_, rule) => rule.to_owned(),
    };
    if links.is_empty() {
        links.push(Link { path: Some(consumer.source.clone()), line: None, text: "names no proxy for it".to_owned() });
    }
    links.push(Link { path: None, line: None, text: format!("{}: {rule}", client.id) });
    links
}

fn link(site: &Site<'_>, consumer: &Consumer, name: &str) -> Option<Link> {
    let decided = way::decided(consumer, name)?;
    let Some(place) = decided.place.as_ref().filter(|place| place.line > 0) else {
        return Some(Link { path: Some(decided.shown.clone()), line: None, text: name.to_owned() });
    };
    let bytes = site.host.host.read(&place.path).ok().flatten().unwrap_or_default();
    let line = bytes.split(|byte| *byte == b'\n').nth(place.line.saturating_sub(1)).unwrap_or_default();
    let text = redact::redact_line(&String::from_utf8_lossy(line));
    let path = site.host.host.shown(&place.path).display().to_string();
    Some(Link { path: Some(path), line: Some(place.line), text: clean(&text, LONGEST) })
}
