//! Which runs `revert` takes back, and several of them as one plan: all or none, with one diff, one journal and one way back.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::forget::forgotten_after;
use super::remembered::afterwards;
use super::revert::{choose, conflict, in_force, plan_files};
use super::runs::remove;
use super::which::Which;
use super::{Run, State};
use crate::host::View;
use crate::plan::{After, FileMeta, Plan, PlannedHost};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{counted, ics_setup, own};

impl Which<'_> {
    /// Where they are all after one, its number.
    pub(crate) fn since(self, runs: &[Run]) -> Option<u64> {
        match self {
            Self::Last | Self::Named(_) => None,
            Self::All => Some(0),
            Self::To(name) => runs.iter().find(|run| run.begin.run == name).map(|run| run.begin.seq),
        }
    }

    /// The runs, newest first. Of all, or of those after one, there may be none.
    ///
    /// # Errors
    /// There is none to take back, or no such one.
    pub(crate) fn choose(self, runs: &[Run]) -> Result<Vec<&Run>, Problem> {
        let last = match self {
            Self::Last => return choose(runs, None).map(|run| vec![run]),
            Self::Named(name) => return choose(runs, Some(name)).map(|run| vec![run]),
            Self::All => 0,
            Self::To(name) => {
                let brings_back =
                    |run: &Run| run.state == State::Committed && run.begin.takes_back().any(|own| own == name);
                match runs.iter().find(|run| run.begin.run == name) {
                    Some(run) if run.state == State::Interrupted => {
                        return Err(Problem::host(
                            id::NOTHING_TO_REVERT,
                            text!("run {} did not come to its end, so the host was never as after it", own(name)),
                        )
                        .hint(ics_setup("status")));
                    }
                    Some(run) if runs.iter().any(brings_back) => run.begin.seq,
                    _ => in_force(runs, name, "revert --to")?.begin.seq,
                }
            }
        };
        Ok(after(runs, last))
    }
}

/// Whatever has to be taken back so that the host is as it was after the run with this number. A way back whose runs all came
/// after that one stays, where nothing was done between that it has to do with: both are as if they had not been.
fn after(runs: &[Run], last: u64) -> Vec<&Run> {
    let neat = neat(runs);
    // One that is forgotten was before all that are known.
    let is_later =
        |name: &str| runs.iter().find(|run| run.begin.run == name).map_or(last == 0, |run| run.begin.seq > last);
    let mut chosen = Vec::new();
    let mut left = runs.to_vec();
    for run in runs.iter().rev().filter(|run| run.begin.seq > last) {
        let name = run.begin.run.as_str();
        if left.last().is_none_or(|newest| newest.begin.run != name) {
            continue;
        }
        let is_in_force = left.last().is_some_and(|newest| newest.state == State::Committed);
        if is_in_force && run.begin.reverts.is_some() && neat.contains(name) && run.begin.takes_back().all(is_later) {
            left.retain(|other| other.begin.run != name && run.begin.takes_back().all(|own| own != other.begin.run));
        } else if is_in_force {
            chosen.push(run);
            remove(&mut left, name);
        } else {
            left.pop();
        }
    }
    chosen
}

/// Ways back that took back whatever had been done to their files since.
fn neat(runs: &[Run]) -> HashSet<&str> {
    let taken_ever: HashSet<&str> = runs.iter().flat_map(|run| run.begin.takes_back()).collect();
    // One that was rolled back, or will be, has done nothing.
    let has_been = |run: &&Run| match run.state {
        State::Committed => true,
        State::Reverted => taken_ever.contains(run.begin.run.as_str()),
        State::Interrupted => false,
    };
    let of = |name: &str| runs.iter().find(|run| run.begin.run == name);
    // What is as if it had not been, with the first of those that it is so together with.
    let (mut neat, mut gone) = (HashSet::new(), HashMap::new());
    for (at, way) in runs.iter().enumerate().filter(|(_, run)| run.begin.reverts.is_some() && has_been(run)) {
        let taken: Vec<&Run> = way.begin.takes_back().filter_map(of).collect();
        let is_taken = |run: &Run| taken.iter().any(|own| own.begin.run == run.begin.run);
        let files: HashSet<&Path> =
            taken.iter().chain([&way]).flat_map(|run| run.begin.files()).map(|file| file.real_path.as_path()).collect();
        let first = runs.iter().position(is_taken).unwrap_or(at);
        let between = runs[first..at].iter().filter(has_been);
        let is_gone = |run: &&Run| gone.get(run.begin.run.as_str()).is_some_and(|began| *began >= first);
        let mut others = between.filter(|run| !is_taken(run) && !is_gone(run));
        if others.any(|run| run.begin.files().any(|file| files.contains(file.real_path.as_path()))) {
            continue;
        }
        neat.insert(way.begin.run.as_str());
        for run in &taken {
            // What it had taken back is in force again.
            gone.retain(|name, _| run.begin.takes_back().all(|again| again != *name));
        }
        gone.extend(taken.iter().chain([&way]).map(|run| (run.begin.run.as_str(), first)));
    }
    neat
}

/// Everything that brings the host back to where it was before the run.
///
/// # Errors
/// A conflict at the first file that was edited since, unless `force`; a backup that is damaged.
pub(crate) fn plan(view: &View<'_>, run: &Run, later: &[Run], force: bool) -> Result<Plan, Problem> {
    plan_of(view, Which::Named(&run.begin.run), &[run], later, force, None)
}

/// Everything that brings the host back to where it was before these runs, newest first. `which`: how they were named.
///
/// # Errors
/// As [`plan`], of the first of them that cannot be taken back.
pub(crate) fn plan_of(
    view: &View<'_>,
    which: Which<'_>,
    chosen: &[&Run],
    all: &[Run],
    force: bool,
    going: Option<&Path>,
) -> Result<Plan, Problem> {
    let mut whole = Plan::default();
    let mut left = all.to_vec();
    for run in chosen {
        let host = PlannedHost::new(view.host, &whole.changes);
        let one = plan_files(&View::new(&host), run, which, &left, force, going);
        let one = one.map_err(|problem| with_gap(problem, forgotten_after(all, run.begin.seq)))?;
        for change in one.changes {
            match whole.changes.iter_mut().find(|own| own.real_path == change.real_path) {
                Some(own) => {
                    own.after = change.after;
                    own.reasons.extend(change.reasons);
                }
                None => whole.changes.push(change),
            }
        }
        whole.next_steps.extend(one.next_steps);
        // The run that comes first says of a folder whether there was one before it.
        whole.idle_folders.retain(|own| one.folder_modes.iter().all(|(folder, _)| folder != own));
        whole.idle_folders.retain(|own| !one.idle_folders.contains(own));
        whole.folder_modes.retain(|(own, _)| !one.idle_folders.contains(own));
        whole.idle_folders.extend(one.idle_folders);
        whole.folder_modes.extend(one.folder_modes);
        // For those before it, it has not been.
        remove(&mut left, &run.begin.run);
    }
    whole.changes.retain(|change| match (&change.before, &change.after) {
        (None, None) => false,
        (Some(before), Some(After { bytes, meta: FileMeta::Like(attributes) })) => {
            before.bytes != *bytes || !before.attributes.same_as(attributes)
        }
        _ => true,
    });
    if !chosen.is_empty() {
        // Where none of them was told anything, it stays what it is.
        let told = chosen.iter().find_map(|run| Some((*run, run.begin.memory()?)));
        match (afterwards(view, (all, &left), which.since(all), going, force)?, told) {
            (Some(memory), _) => whole.memory = memory,
            (None, Some((run, intent))) => return Err(conflict(view, run, which, intent, all, going)),
            (None, None) => {}
        }
    }
    Ok(whole)
}

/// A conflict with what nobody knows any more may be that of a run that is forgotten.
fn with_gap(problem: Problem, forgotten: u64) -> Problem {
    if forgotten == 0 || problem.id != id::CONFLICT || problem.because.is_some() {
        return problem;
    }
    let (count, verb) = (counted(forgotten, "run"), if forgotten == 1 { "is" } else { "are" });
    problem.because(text!("{} after it {} forgotten (prune), and may have changed it", own(count), own(verb)))
}
