//! Why a request of one consumer goes the way that it goes: the lines that decide, one after the other.

use super::edit::{self, Edit};
use super::pairs::{Pair, pairs};
use super::{Site, Taken, Way, clients_of, taken, way};
use crate::clients::{By, Client, Route, Target};
use crate::consumers::sight::Place;
use crate::consumers::{Consumer, Known, State, Who, judge, programs};
use crate::redact;
use crate::settings::Proxies;
use crate::text;
use crate::text::{Text, clean, own};

/// More of a value is not shown.
const LONGEST: usize = 200;

/// A link of the chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The file as a person on this machine looks it up; `None`: no file decides.
    pub(crate) path: Option<String>,
    /// Its line, counted from 1.
    pub(crate) line: Option<usize>,
    /// What the line gives, without secrets, or the rule.
    pub(crate) text: Text,
}

/// The way of one request, explained.
pub(crate) struct Explained {
    pub(crate) who: Who,
    /// The consumer in a sentence.
    pub(crate) name: Text,
    /// How it is known what it gets.
    pub(crate) known: Known,
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
    let of_who: Vec<&Pair<'_>> = all.iter().filter(|pair| pair.who == who && pair.before.is_some()).collect();
    let pair = of_who.iter().find(|pair| part.is_none_or(|part| pair.is_called(part)));
    let (pair, consumer) = pair.and_then(|pair| Some((pair, pair.consumer()?))).ok_or("there is none on this host")?;
    if consumer.state == State::Skipped {
        return Err(consumer.why.clone().unwrap_or_else(|| "there is none on this host".into()));
    }
    let curl = programs::curl_of(site.host.host);
    let ways: Vec<(&'static Client, Taken)> =
        clients_of(consumer, curl).into_iter().map(|client| (client, taken(consumer, client, target))).collect();
    let (client, first) = ways.first().ok_or("it asks for nothing")?;
    let others = of_who.iter().filter(|other| !std::ptr::eq(**other, *pair)).map(|other| other.called()).collect();
    Ok(Explained {
        who,
        name: judge::who(consumer),
        known: consumer.known,
        chain: chain(site, consumer, client, target, first),
        edit: edit::find(site, (pair, first), (client, curl), target, proxies),
        others,
        ways,
    })
}

/// The lines that decide, then what the client makes of them.
fn chain(site: &Site<'_>, consumer: &Consumer, client: &Client, target: &Target, taken: &Taken) -> Vec<Link> {
    let environment = way::environment(consumer);
    let asked = client.asked_in(target, &environment);
    let mut links: Vec<Link> = Vec::new();
    let is_manager = consumer.consumer == Who::PackageManager;
    if is_manager && let Some(rule) = way::own_rule(consumer, target) {
        let value = match &rule.way {
            Some(Some(value)) => value.text(),
            Some(None) => "no proxy".into(),
            None => "it cannot be told".into(),
        };
        links.push(at(site, Some(&rule.place), &rule.at, text!("{}: {}", rule.whom.clone(), value)));
    } else {
        let of_manager = if target.tls { "https_proxy" } else { "http_proxy" };
        let counts = [asked.proxy, asked.no_proxy].into_iter().flatten().map(|(name, _)| name);
        let names: Vec<&str> = if is_manager { vec![of_manager] } else { counts.collect() };
        // A line that takes a variable away, or is not understood, decides as well.
        let read =
            |name: &&String| client.proxy_names(target.tls).contains(*name) || client.list_names().contains(*name);
        let quiet = consumer.decided.iter().filter(|(name, own)| own.taken || consumer.unknown.contains_key(*name));
        let untold =
            consumer.exceptions.iter().filter(|own| own.value.is_none()).filter_map(|own| own.variable.as_ref());
        let quiet = quiet.map(|(name, _)| name).chain(untold).filter(read).map(String::as_str);
        for link in names.iter().copied().chain(quiet).filter_map(|name| link(site, consumer, name)) {
            if !links.contains(&link) {
                links.push(link);
            }
        }
    }
    let rule: Text = match (&asked.route, taken.rule.as_str()) {
        (Route::Direct(By::Member(member)), _) if taken.by_member => {
            text!("the member {} stands for {}", redact::list(member), target.host.to_string())
        }
        (_, "") if is_manager => "it has no rule of its own for this host".into(),
        (_, "") if asked.no_proxy.is_some() => "no member of its list matches".into(),
        (_, "") => "it has no list of hosts that are reached directly".into(),
        (_, rule) => text!("{}", rule),
    };
    if links.is_empty() && taken.way == Way::Direct {
        let text = text!("no proxy for it: {}", consumer.source.as_str());
        links.push(Link { path: None, line: None, text });
    }
    links.push(Link { path: None, line: None, text: text!("{}: {}", own(client.id.as_str()), rule) });
    links
}

/// The line that gives a variable, with what it gives.
fn link(site: &Site<'_>, consumer: &Consumer, name: &str) -> Option<Link> {
    let line = consumer.line_of(name)?;
    let text = match consumer.unknown.get(name) {
        Some(why) => text!("{}: {}", name, why.clone()),
        None if line.taken => text!("{} is taken away", name),
        None if consumer.is_untold(name) => text!("what {} is cannot be told", name),
        None => {
            let value = consumer.variables().find(|(own, _)| own == name).map(|(_, value)| value)?;
            text!("{}={}", name, clean(&redact::list(&value), LONGEST))
        }
    };
    let (place, shown) = (line.place, line.shown);
    Some(at(site, place, shown, text))
}

fn at(site: &Site<'_>, place: Option<&Place>, shown: &str, text: Text) -> Link {
    match place.filter(|place| place.line > 0) {
        Some(place) => {
            let path = site.host.host.shown(&place.path).display().to_string();
            Link { path: Some(path), line: Some(place.line), text }
        }
        None => Link { path: Some(shown.to_owned()), line: None, text },
    }
}
