//! The same readers before and after.

use crate::consumers::{Consumer, ConsumersFacts, Door, State, Who};

/// One reader among those of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A user at a door.
    Door(String, Door),
    /// A reader of the project's files, and the service that it starts.
    Service(&'static str, Option<String>),
    /// A crontab of a user.
    Table(String, String),
    /// A name, or all that have none of their own.
    Named(Option<String>),
}

impl Reader {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::Door(user, door) => vec![user, door.as_str()],
            Self::Service(dialect, service) => [*dialect].into_iter().chain(service.as_deref()).collect(),
            Self::Table(user, path) => vec![user, path],
            Self::Named(name) => name.iter().map(String::as_str).collect(),
        }
    }
}

/// Readers who get the same before, and the same after.
pub(super) struct Pair<'c> {
    pub(super) who: Who,
    pub(super) before: Option<&'c Consumer>,
    pub(super) after: Option<&'c Consumer>,
    pub(super) readers: Vec<Reader>,
}

impl Pair<'_> {
    /// As it is after, or before where it is not there any more.
    pub(super) fn consumer(&self) -> Option<&Consumer> {
        let is_there = |own: &&Consumer| own.state != State::Skipped;
        self.after.filter(is_there).or(self.before.filter(is_there)).or(self.after).or(self.before)
    }

    /// Is it called so: a user, a door, a service, a reader of files, a name?
    pub(super) fn is_called(&self, name: &str) -> bool {
        let (user, door) = name.split_once('@').unwrap_or((name, ""));
        self.readers.iter().any(|reader| {
            let names = reader.names();
            names.contains(&name) || (!door.is_empty() && names == [user, door])
        })
    }

    /// What its first reader is called by, and nobody else.
    pub(super) fn called(&self) -> String {
        let name = match self.readers.first() {
            Some(Reader::Door(user, door)) => format!("{user}@{}", door.as_str()),
            Some(Reader::Service(dialect, service)) => service.clone().unwrap_or_else(|| (*dialect).to_owned()),
            Some(Reader::Table(_, path)) => path.clone(),
            Some(Reader::Named(Some(name))) => name.clone(),
            Some(Reader::Named(None)) | None => return self.who.as_str().to_owned(),
        };
        format!("{}:{name}", self.who.as_str())
    }

    /// Is the first reader of the other one among its own?
    pub(super) fn shares(&self, other: &Pair<'_>) -> bool {
        self.who == other.who && other.readers.first().is_some_and(|first| self.readers.contains(first))
    }
}

/// Every consumer whose ways can be told, in the order of the reports.
pub(super) fn pairs<'c>(before: &'c ConsumersFacts, after: &'c ConsumersFacts) -> Vec<Pair<'c>> {
    let mut found: Vec<Pair<'c>> = Vec::new();
    for who in Who::ALL.into_iter().filter(|who| *who != Who::Container) {
        let of = |facts: &'c ConsumersFacts| -> Vec<&'c Consumer> {
            facts
                .consumers
                .iter()
                .filter(|own| own.consumer == who && own.state != State::NotServed)
                .map(next)
                .collect()
        };
        let (old, new) = (of(before), of(after));
        // A package manager that is not there reads nothing, whatever is written for it.
        let is_absent = |side: &[&Consumer]| side.iter().all(|own| own.state == State::Skipped);
        if who == Who::PackageManager && (is_absent(&old) || is_absent(&new)) {
            continue;
        }
        for reader in readers(&old, &new) {
            let (before, after) = (get(&old, &reader), get(&new, &reader));
            let same = |pair: &&mut Pair<'c>| {
                let is = |one: Option<&Consumer>, other: Option<&Consumer>| match (one, other) {
                    (Some(one), Some(other)) => std::ptr::eq(one, other),
                    (None, None) => true,
                    _ => false,
                };
                pair.who == who && is(pair.before, before) && is(pair.after, after)
            };
            match found.iter_mut().find(same) {
                Some(pair) => pair.readers.push(reader),
                None => found.push(Pair { who, before, after, readers: vec![reader] }),
            }
        }
    }
    found
}

/// What runs now is told by others; a plan tells what is read at the next start.
fn next(consumer: &Consumer) -> &Consumer {
    consumer.next.as_deref().unwrap_or(consumer)
}

/// All readers of both sides. What is not there, or cannot be looked at, has none of its own.
fn readers(old: &[&Consumer], new: &[&Consumer]) -> Vec<Reader> {
    let mut all: Vec<Reader> = Vec::new();
    for reader in old.iter().chain(new).flat_map(|own| of(own)) {
        if !all.contains(&reader) {
            all.push(reader);
        }
    }
    let is_plain = |reader: &Reader| matches!(reader, Reader::Named(None) | Reader::Service(_, None));
    let seen_plain =
        |side: &[&Consumer]| side.iter().any(|own| own.state == State::Seen && of(own).contains(&Reader::Named(None)));
    if all.iter().any(|reader| !is_plain(reader)) {
        let keep = seen_plain(old) && seen_plain(new);
        all.retain(|reader| match reader {
            Reader::Named(None) => keep,
            Reader::Service(dialect, None) => {
                // Where one side tells the services of this reader, the other's word for all of them stands for each.
                !new.iter()
                    .chain(old)
                    .flat_map(|own| of(own))
                    .any(|other| matches!(&other, Reader::Service(own, Some(_)) if own == dialect))
            }
            _ => true,
        });
    }
    all
}

fn of(consumer: &Consumer) -> Vec<Reader> {
    if consumer.state != State::Seen && consumer.held.is_empty() && consumer.readers.is_empty() {
        return vec![Reader::Named(None)];
    }
    if !consumer.held.is_empty() {
        return consumer.held.iter().map(|(user, door)| Reader::Door(user.clone(), *door)).collect();
    }
    if !consumer.readers.is_empty() {
        let service = |(dialect, service): &(&'static str, Option<String>)| Reader::Service(dialect, service.clone());
        return consumer.readers.iter().map(service).collect();
    }
    match &consumer.name {
        Some(user) if consumer.consumer == Who::Cron => vec![Reader::Table(user.clone(), consumer.source.clone())],
        name => vec![Reader::Named(name.clone())],
    }
}

/// The consumer of a reader: its own, else what stands for all.
fn get<'c>(side: &[&'c Consumer], reader: &Reader) -> Option<&'c Consumer> {
    let has = |reader: &Reader| side.iter().copied().find(|own| of(own).contains(reader));
    let every = match reader {
        Reader::Service(dialect, Some(_)) => has(&Reader::Service(dialect, None)),
        _ => None,
    };
    has(reader).or(every).or_else(|| has(&Reader::Named(None)))
}
