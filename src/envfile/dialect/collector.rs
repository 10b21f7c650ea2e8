//! Where the readers put what they find.

use std::collections::HashMap;

use super::{Complaint, Reading, Seen};

/// How many complaints a reading keeps.
const COMPLAINTS_KEPT: usize = 20;

/// The control character of a backslash escape of C: `\n`, `\t`, ….
pub(super) fn control_of(escape: u8) -> Option<u8> {
    let at = b"abtnvfr".iter().position(|known| *known == escape)?;
    Some(b"\x07\x08\t\n\x0b\x0c\r"[at])
}

/// Gathers one [`Reading`], keeping only the names that are asked for.
pub(super) struct Collector<'a> {
    /// The file as it is: positions of complaints count from its start.
    pub(super) bytes: &'a [u8],
    only: Option<&'a [&'a [u8]]>,
    gathered: Gathered,
}

/// What a [`Collector`] has so far.
#[derive(Default)]
struct Gathered {
    variables: Vec<(Vec<u8>, Option<Seen>)>,
    places: HashMap<Vec<u8>, usize>,
    complaints: Vec<Complaint>,
    fatal: bool,
    doubtful: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(bytes: &'a [u8], only: Option<&'a [&'a [u8]]>) -> Self {
        Collector { bytes, only, gathered: Gathered::default() }
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
        self.gathered = other.gathered;
    }

    /// Whether anybody wants to know about `name`: if not, its value need not be worked out.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.only.is_none_or(|names| names.contains(&name))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Seen> {
        let place = *self.gathered.places.get(name)?;
        self.gathered.variables.get(place)?.1.as_ref()
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
        let Gathered { variables, places, .. } = &mut self.gathered;
        if let Some(entry) = places.get(name).and_then(|&place| variables.get_mut(place)) {
            entry.1 = seen;
        } else {
            places.insert(name.to_vec(), variables.len());
            variables.push((name.to_vec(), seen));
        }
    }

    /// The reader goes on, but not as the writer of the line at `position` probably meant.
    pub(super) fn complain(&mut self, position: usize, message: &'static str) {
        if self.gathered.complaints.len() < COMPLAINTS_KEPT {
            self.note(position, false, message);
        }
    }

    /// The reader rejects the whole file because of the line at `position`.
    pub(super) fn reject(&mut self, position: usize, message: &'static str) {
        self.gathered.complaints.truncate(COMPLAINTS_KEPT - 1);
        self.note(position, true, message);
        self.gathered.fatal = true;
    }

    /// Whether the reader accepts the file cannot be told from the file: nothing in it is certain.
    pub(super) fn doubt(&mut self, position: usize, message: &'static str) {
        if !std::mem::replace(&mut self.gathered.doubtful, true) {
            self.complain(position, message);
        }
    }

    /// Makes unknown what `other`, a reading of the same file by another release, has differently, and
    /// complains about `position` if there is anything.
    pub(super) fn where_differs(&mut self, other: &Collector<'_>, position: usize, message: &'static str) {
        if self.gathered.fatal != other.gathered.fatal {
            return self.doubt(position, message);
        }
        let names = self.gathered.variables.iter().chain(&other.gathered.variables).map(|(name, _)| name);
        let differing: Vec<Vec<u8>> = names.filter(|name| self.get(name) != other.get(name)).cloned().collect();
        for name in &differing {
            self.set(name, Seen::Unknown);
        }
        if !differing.is_empty() {
            self.complain(position, message);
        }
    }

    fn note(&mut self, position: usize, fatal: bool, message: &'static str) {
        let before = self.bytes.get(..position).unwrap_or(self.bytes);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        self.gathered.complaints.push(Complaint { line, fatal, message });
    }

    /// The reading. A rejected file yields no variables, a doubtful one no values.
    pub(super) fn finish(self) -> Reading {
        let Gathered { variables, complaints, fatal, doubtful, .. } = self.gathered;
        let known = variables.into_iter().filter(|_| !fatal).filter_map(|(name, seen)| Some((name, seen?)));
        let variables = known.map(|(name, seen)| (name, if doubtful { Seen::Unknown } else { seen })).collect();
        Reading { variables, complaints }
    }
}
