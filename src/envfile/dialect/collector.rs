//! Where the readers put what they find.

use std::collections::HashMap;

use super::{Complaint, Reading, Seen};

/// How many complaints a reading keeps.
const COMPLAINTS_KEPT: usize = 20;

/// Gathers one [`Reading`], keeping only the names that are asked for.
pub(super) struct Collector<'a> {
    /// The file as it is: positions of complaints count from its start.
    pub(super) bytes: &'a [u8],
    only: Option<&'a [&'a [u8]]>,
    variables: Vec<(Vec<u8>, Option<Seen>)>,
    places: HashMap<Vec<u8>, usize>,
    complaints: Vec<Complaint>,
    fatal: bool,
    doubtful: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(bytes: &'a [u8], only: Option<&'a [&'a [u8]]>) -> Self {
        Collector {
            bytes,
            only,
            variables: Vec::new(),
            places: HashMap::new(),
            complaints: Vec::new(),
            fatal: false,
            doubtful: false,
        }
    }

    /// The same collector over another text, for readers that rewrite the file before they parse it.
    pub(super) fn over<'b>(&self, bytes: &'b [u8]) -> Collector<'b>
    where
        'a: 'b,
    {
        Collector::new(bytes, self.only)
    }

    /// Takes over all that was gathered by a collector made with [`over`](Self::over).
    pub(super) fn adopt(&mut self, other: Collector<'_>) {
        self.variables = other.variables;
        self.places = other.places;
        self.complaints = other.complaints;
        self.fatal = other.fatal;
        self.doubtful = other.doubtful;
    }

    /// Whether anybody wants to know about `name`: if not, its value need not be worked out.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.only.is_none_or(|names| names.contains(&name))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Seen> {
        let place = *self.places.get(name)?;
        self.variables.get(place)?.1.as_ref()
    }

    pub(super) fn set(&mut self, name: &[u8], seen: Seen) {
        self.put(name, Some(seen));
    }

    pub(super) fn unset(&mut self, name: &[u8]) {
        if self.get(name).is_some() {
            self.put(name, None);
        }
    }

    /// A bare name, for readers that keep an earlier value of the file when the caller's environment
    /// has none.
    pub(super) fn inherit_or_keep(&mut self, name: &[u8]) {
        let seen = match self.get(name) {
            None | Some(Seen::Inherited) => Seen::Inherited,
            Some(_) => Seen::Unknown,
        };
        self.set(name, seen);
    }

    fn put(&mut self, name: &[u8], seen: Option<Seen>) {
        if !self.wants(name) {
            return;
        }
        if let Some(entry) = self.places.get(name).and_then(|&place| self.variables.get_mut(place)) {
            entry.1 = seen;
        } else {
            self.places.insert(name.to_vec(), self.variables.len());
            self.variables.push((name.to_vec(), seen));
        }
    }

    /// The reader goes on, but not as the writer of the line at `position` probably meant.
    pub(super) fn complain(&mut self, position: usize, message: &'static str) {
        if self.complaints.len() < COMPLAINTS_KEPT {
            let line = self.line_of(position);
            self.complaints.push(Complaint { line, fatal: false, message: message.to_owned() });
        }
    }

    /// The reader rejects the whole file because of the line at `position`.
    pub(super) fn reject(&mut self, position: usize, message: &'static str) {
        self.complaints.truncate(COMPLAINTS_KEPT - 1);
        let line = self.line_of(position);
        self.complaints.push(Complaint { line, fatal: true, message: message.to_owned() });
        self.fatal = true;
    }

    /// Whether the reader accepts the file cannot be told from the file: nothing in it is certain.
    pub(super) fn doubt(&mut self, position: usize, message: &'static str) {
        if !self.doubtful {
            self.doubtful = true;
            self.complain(position, message);
        }
    }

    /// Makes unknown what `other`, a reading of the same file by another release, has differently, and
    /// complains about `position` if there is anything.
    pub(super) fn where_differs(&mut self, other: &Collector<'_>, position: usize, message: &'static str) {
        if self.fatal != other.fatal {
            return self.doubt(position, message);
        }
        let names = self.variables.iter().chain(&other.variables).map(|(name, _)| name);
        let differing: Vec<Vec<u8>> = names.filter(|name| self.get(name) != other.get(name)).cloned().collect();
        for name in &differing {
            self.set(name, Seen::Unknown);
        }
        if !differing.is_empty() {
            self.complain(position, message);
        }
    }

    fn line_of(&self, position: usize) -> usize {
        let before = self.bytes.get(..position).unwrap_or(self.bytes);
        1 + memchr::memchr_iter(b'\n', before).count()
    }

    /// The reading. A rejected file yields no variables, a doubtful one no values.
    pub(super) fn finish(self) -> Reading {
        let (fatal, doubtful) = (self.fatal, self.doubtful);
        let variables = self
            .variables
            .into_iter()
            .filter(|_| !fatal)
            .filter_map(|(name, seen)| Some((name, seen?)))
            .map(|(name, seen)| (name, if doubtful { Seen::Unknown } else { seen }))
            .collect();
        Reading { variables, complaints: self.complaints }
    }
}
