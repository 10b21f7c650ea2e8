//! Which runs may be forgotten, so that what is left tells no other story.
//!
//! A run that is in force and forgotten stays done, and cannot be taken back by itself any more. Whatever is still needed stays:
//! the newest runs, those that did not come to their ends, installations in force (what `revert` and `status` say of the product),
//! and the last run in force that has written a file (whether it was edited since, and whose it is). With a run that takes others
//! back they stay too, or they would count as in force again.

use std::collections::{BTreeSet, HashSet};

use super::runs::{Run, State};

/// What is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Forgotten<'r> {
    /// The runs, oldest first.
    pub(crate) runs: Vec<&'r Run>,
    /// How many runs are kept that are older than those which were to be kept.
    pub(crate) needed: usize,
}

impl Forgotten<'_> {
    /// Runs in force: what they did stays, and cannot be taken back any more.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().copied().filter(|run| run.state == State::Committed && run.begin.reverts.is_none())
    }
}

/// How many runs are forgotten that came after the one with this number: the numbers of those that are left have gaps.
pub(crate) fn forgotten_after(runs: &[Run], last: u64) -> u64 {
    let left = || runs.iter().map(|run| run.begin.seq).filter(|seq| *seq > last);
    left().max().map_or(0, |newest| (newest - last).saturating_sub(left().count() as u64))
}

/// All that may be forgotten when the newest `keep` are to stay. `runs`: all so far, oldest first.
pub(crate) fn forgettable(runs: &[Run], keep: usize) -> Forgotten<'_> {
    let first_kept = runs.len().saturating_sub(keep);
    let mut kept: BTreeSet<usize> = (first_kept..runs.len()).collect();
    let is_install = |run: &Run| run.begin.command == "install" && run.begin.reverts.is_none();
    let mut last_of_all = HashSet::new();
    let mut last_of_run = HashSet::new();
    for (at, run) in runs.iter().enumerate().rev() {
        let in_force = run.state == State::Committed;
        let mut is_needed = run.state == State::Interrupted || (in_force && is_install(run));
        for intent in run.begin.intents.iter().filter(|_| in_force) {
            is_needed |= last_of_all.insert(&intent.path);
            is_needed |= run.begin.reverts.is_none() && last_of_run.insert(&intent.path);
        }
        if is_needed {
            kept.insert(at);
        }
    }
    loop {
        let before = kept.len();
        for (at, run) in runs.iter().enumerate().filter(|(_, run)| run.begin.reverts.is_some()) {
            let taken_back: Vec<usize> =
                (0..at).filter(|other| run.begin.takes_back().any(|name| name == runs[*other].begin.run)).collect();
            // What a kept run between them was told before would be told again when that is taken back.
            let oldest = taken_back.first().copied().unwrap_or(at);
            if kept.contains(&at) || kept.range(oldest..at).next().is_some() {
                kept.insert(at);
                kept.extend(taken_back);
            }
        }
        if kept.len() == before {
            break;
        }
    }
    let runs: Vec<&Run> = runs.iter().enumerate().filter(|(at, _)| !kept.contains(at)).map(|(_, run)| run).collect();
    Forgotten { runs, needed: kept.range(..first_kept).count() }
}
