//! A file that a login shell sources, such as `/etc/profile.d/proxy.sh`: what the shell's children get.
//!
//! The file is followed twice, as `dash` and as `bash` read it ([`crate::envfile::shell`]), by itself: nothing is known of
//! the environment, of other files and of commands; what it sources or evaluates is taken to leave its variables alone. What
//! the two do not agree on is unknown, and a file is rejected where both of them end.

use std::collections::HashMap;

use super::{Reading, Seen, collector::Collector};
use crate::envfile::shell::{Alone, Kind, Outcome};

const LOST: &str = "ics-setup cannot tell what sh makes of the file from here on";
const MAY_END: &str = "whether sh goes on from here depends on what ics-setup does not look at";
const SOURCED: &str = "ics-setup does not look into what sh sources or evaluates here; if that fails, sh ends";

/// [`Dialect::Shell`](super::Dialect::Shell) where some names are already in the environment, as those of
/// `/etc/environment` are at login: the shell's children see a plain assignment to such a name.
pub fn shell_read_with(bytes: &[u8], already_exported: &[&[u8]]) -> Reading {
    let mut out = Collector::new(bytes, None);
    read(already_exported, &mut out);
    out.finish()
}

pub(super) fn read(already_exported: &[&[u8]], out: &mut Collector<'_>) {
    let [dash, bash] = [Kind::Dash, Kind::Bash].map(|kind| Alone::read(out.bytes, kind, already_exported));
    let first = |of: fn(&Alone) -> Option<usize>| of(&dash).into_iter().chain(of(&bash)).min();
    if let Some(line) = first(|alone| alone.sourced) {
        out.complain(line_start(out.bytes, line), SOURCED);
    }
    if let (Some((line, why)), Some(_)) = (dash.ended, bash.ended) {
        return out.reject(line_start(out.bytes, line), why);
    }
    let lost = first(|alone| alone.lost.or(alone.ended.map(|(line, _)| line)));
    if let Some(line) = lost {
        out.complain(line_start(out.bytes, line), LOST);
    } else if let Some(line) = first(|alone| alone.may_end) {
        out.complain(line_start(out.bytes, line), MAY_END);
    }
    let known: [HashMap<&[u8], &Outcome>; 2] =
        [&dash, &bash].map(|alone| alone.variables.iter().map(|(name, outcome)| (name.as_slice(), outcome)).collect());
    for (name, outcome) in dash.variables.iter().chain(&bash.variables) {
        let agreed = lost.is_none() && known.iter().all(|own| own.get(name.as_slice()) == Some(&outcome));
        let seen = match outcome {
            Outcome::Value(value) if agreed => Seen::Value(value.clone()),
            _ => Seen::Unknown,
        };
        out.set(name, seen);
    }
}

/// Where a line, counted from 1, begins.
fn line_start(bytes: &[u8], line: usize) -> usize {
    let before = line.checked_sub(2).and_then(|ends| memchr::memchr_iter(b'\n', bytes).nth(ends));
    before.map_or(0, |end| end + 1)
}
