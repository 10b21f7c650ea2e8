//! Taking a committed run back, as a plan like any other: it shows a diff, has a journal and backups, and can be taken
//! back itself.

use std::path::{Path, PathBuf};

use super::journal::Intent;
use super::rollback::{Verdict, backup_bytes, judge_rollback};
use super::which::Which;
use super::{Run, State};
use crate::host::{Attributes, View};
use crate::plan::{After, Change, FileMeta, Plan};
use crate::problem::{Problem, id};
use crate::stamp::is_run_name;
use crate::text;
use crate::text::{ics_setup, nearest, own, quoted, typed};

/// The run that `revert` means: the named one, or the last that is still in force and is not itself a revert.
///
/// # Errors
/// When there is none, or no such one.
pub(crate) fn choose<'r>(runs: &'r [Run], named: Option<&str>) -> Result<&'r Run, Problem> {
    let Some(name) = named else {
        let last = runs.iter().rev().find(|run| run.state != State::Reverted && run.begin.reverts.is_none());
        return last.ok_or_else(|| {
            Problem::host(id::NOTHING_TO_REVERT, "there is no run to take back").hint(ics_setup("status"))
        });
    };
    in_force(runs, name, "revert")
}

/// The run of this name, which is not taken back; the hint is for `verb`.
///
/// # Errors
/// There is none; it is taken back.
pub(super) fn in_force<'r>(runs: &'r [Run], name: &str, verb: &'static str) -> Result<&'r Run, Problem> {
    let run = named(runs, name, verb)?;
    if run.state == State::Reverted {
        return Err(Problem::host(id::ALREADY_REVERTED, text!("run {} is taken back already", own(name)))
            .hint(ics_setup("status")));
    }
    Ok(run)
}

/// The run of this name; the hint is for `verb`.
///
/// # Errors
/// There is none.
pub(crate) fn named<'r>(runs: &'r [Run], name: &str, verb: &'static str) -> Result<&'r Run, Problem> {
    runs.iter().find(|run| run.begin.run == name).ok_or_else(|| {
        let problem = Problem::settings(id::RUN_UNKNOWN, text!("there is no run {:?}", name));
        // A whole name is of another run, forgotten perhaps, and no slip.
        let near = nearest(name, runs.iter().map(|run| run.begin.run.as_str())).filter(|_| !is_run_name(name));
        match near {
            Some(near) => problem.hint_command(ics_setup(text!("{} {}", own(verb), own(near)))),
            None => problem.hint(ics_setup("status")),
        }
    })
}

/// Everything but what is remembered that brings the host back to where it was before a run that was chosen by `which`; files
/// below `going` go whatever they are: somebody has said so by that name. Other files that a later run has changed too stay with
/// that run.
///
/// # Errors
/// A conflict at the first file that was edited since, unless `force`; a backup that is damaged.
pub(super) fn plan_files(
    view: &View<'_>,
    run: &Run,
    which: Which<'_>,
    later: &[Run],
    force: bool,
    going: Option<&Path>,
) -> Result<Plan, Problem> {
    let mut plan = Plan::default();
    for intent in run.begin.files().collect::<Vec<_>>().into_iter().rev() {
        let now = view.snapshot(&intent.real_path)?;
        let verdict = judge_rollback(intent, now.as_deref());
        // What a later run has written stays that run's, also where it is the same again, or is as it was before.
        if verdict != Verdict::Edited && !force && going.is_none() && changed_since(run, intent, later).is_some() {
            return Err(conflict(view, run, which, intent, later, going));
        }
        match verdict {
            Verdict::Edited | Verdict::Published if going.is_some_and(|going| intent.path.starts_with(going)) => {}
            Verdict::Edited if !force => match (going, changed_since(run, intent, later)) {
                (Some(_), Some(other)) => {
                    let shown = view.host.shown(&intent.path);
                    let name = own(&other.begin.run);
                    plan.next_steps.push(text!(
                        "{} stays as run {} left it; take that back too: {}",
                        shown.display(),
                        name.clone(),
                        ics_setup(text!("revert {}", name))
                    ));
                    continue;
                }
                _ => return Err(conflict(view, run, which, intent, later, going)),
            },
            Verdict::Untouched => continue,
            Verdict::Edited | Verdict::Published => {}
        }
        let after = match &intent.before {
            None => None,
            Some(kept) => {
                let bytes = backup_bytes(view.host, &run.begin.run, kept).map_err(|error| {
                    Problem::host(id::BACKUP_DAMAGED, text!("{} cannot be restored", intent.path.display()))
                        .caused_by(error)
                        .hint(text!("write what is wanted instead, by hand or by a run: {}", ics_setup("prepare")))
                })?;
                // What somebody did to owner or mode since stays; the time goes back with the content.
                let attributes = now.as_ref().map_or(&kept.attributes, |now| &now.attributes).clone();
                let attributes = match intent.mode == Some(attributes.mode) {
                    // The run has closed it.
                    true => {
                        Attributes { mode: kept.attributes.mode, xattrs: kept.attributes.xattrs.clone(), ..attributes }
                    }
                    false => attributes,
                };
                let meta = FileMeta::Like(Attributes { mtime: kept.attributes.mtime, ..attributes });
                Some(After { bytes, meta })
            }
        };
        plan.changes.push(Change {
            path: intent.path.clone(),
            real_path: intent.real_path.clone(),
            before: now,
            after,
            reasons: vec![text!("take back run {}", own(&run.begin.run))],
        });
    }
    plan.idle_folders = run.begin.makes.iter().rev().map(|(folder, _)| folder.clone()).collect();
    let stays = |(folder, _): &&(PathBuf, u32)| going.is_none_or(|going| !folder.starts_with(going));
    plan.folder_modes = run.begin.removes.iter().filter(stays).cloned().collect();
    Ok(plan)
}

/// Runs that end with the folder `going`: all that they have written lies in it.
pub(crate) fn ending_with<'r>(runs: &'r [Run], going: &'r Path) -> impl Iterator<Item = &'r Run> {
    runs.iter().filter(move |run| {
        run.state == State::Committed
            && run.begin.reverts.is_none()
            && run.begin.files().next().is_some()
            && run.begin.files().all(|intent| intent.path.starts_with(going))
    })
}

/// The last run in force that has changed the file too.
fn changed_since<'r>(run: &Run, intent: &Intent, later: &'r [Run]) -> Option<&'r Run> {
    // To take back a way back would bring the next conflict, and that one this.
    later.iter().rev().find(|other| {
        other.begin.seq > run.begin.seq
            && other.state == State::Committed
            && other.begin.reverts.is_none()
            && other.begin.intents.iter().any(|other| other.path == intent.path)
    })
}

pub(super) fn conflict(
    view: &View<'_>,
    run: &Run,
    which: Which<'_>,
    intent: &Intent,
    later: &[Run],
    going: Option<&Path>,
) -> Problem {
    let shown = view.host.shown(&intent.path);
    let is_gone = view.snapshot(&intent.real_path).is_ok_and(|now| now.is_none());
    let what = if is_gone { "removed" } else { "edited" };
    let message = text!("{} was {} since run {}", shown.display(), own(what), own(&run.begin.run));
    let problem = Problem::host(id::CONFLICT, message);
    let words = match (going, which) {
        (Some(folder), _) => format!(" --purge={}", quoted(&folder.to_string_lossy())),
        (None, Which::To(_) | Which::All) => which.words(),
        (None, Which::Last | Which::Named(_)) => Which::Named(&run.begin.run).words(),
    };
    match changed_since(run, intent, later) {
        Some(other) => problem
            .because(text!("run {} changed it too", own(&other.begin.run)))
            .hint(text!("take that back first: {}", ics_setup(text!("revert {}", own(&other.begin.run))))),
        None if is_gone => problem,
        None => problem.hint(text!(
            "keep the edit: take it out of the file, revert, and put it in again; {} shows it",
            typed("--force --dry-run")
        )),
    }
    .hint(match is_gone {
        true => text!("take the run back all the same: {}", ics_setup(text!("revert{} --force", own(words)))),
        false => {
            text!("overwrite the edit; a backup of it is kept: {}", ics_setup(text!("revert{} --force", own(words))))
        }
    })
}
