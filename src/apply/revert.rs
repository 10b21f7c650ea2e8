//! Taking a committed run back, as a plan like any other: it shows a diff, has a journal and backups, and can be taken
//! back itself.

use std::path::Path;

use super::journal::Intent;
use super::rollback::{Verdict, backup_bytes, judge_rollback};
use super::{Run, State};
use crate::host::View;
use crate::plan::{After, Change, FileMeta, Memory, Plan};
use crate::problem::{Problem, id};
use crate::settings::LastRun;
use crate::text;
use crate::text::{ics_setup, nearest, own, quoted};

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
    let run = self::named(runs, name, "revert")?;
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
        match nearest(name, runs.iter().map(|run| run.begin.run.as_str())) {
            Some(near) => problem.hint_command(ics_setup(text!("{} {}", own(verb), own(near)))),
            None => problem.hint(ics_setup("status")),
        }
    })
}

/// Everything that brings the host back to where it was before the run.
///
/// # Errors
/// A conflict at the first file that was edited since, unless `force`; a backup that is damaged.
pub(crate) fn plan(view: &View<'_>, run: &Run, later: &[Run], force: bool) -> Result<Plan, Problem> {
    plan_but(view, run, later, force, None)
}

/// As [`plan`]; files below `going` go whatever they are: somebody has said so by that name. Other files that a later run has
/// changed too stay with that run.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_but(
    view: &View<'_>,
    run: &Run,
    later: &[Run],
    force: bool,
    going: Option<&Path>,
) -> Result<Plan, Problem> {
    let mut plan = Plan::default();
    if let Some(intent) = run.begin.memory() {
        plan.memory = memory(view, run, intent, later, force, going)?;
    }
    for intent in run.begin.files().collect::<Vec<_>>().into_iter().rev() {
        let now = view.snapshot(&intent.real_path)?;
        match judge_rollback(intent, now.as_deref()) {
            Verdict::Untouched => continue,
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
                _ => return Err(conflict(view, run, intent, later, going)),
            },
            Verdict::Edited | Verdict::Published => {}
        }
        let after = match &intent.before {
            None => None,
            Some(kept) => {
                let bytes = backup_bytes(view.host, &run.begin.run, kept).map_err(|error| {
                    Problem::host(id::BACKUP_DAMAGED, text!("{} cannot be restored", intent.path.display()))
                        .caused_by(error)
                })?;
                // What somebody did to owner or mode since stays; the time goes back with the content.
                let attributes = now.as_ref().map_or(&kept.attributes, |now| &now.attributes).clone();
                let meta = FileMeta::Like(crate::host::Attributes { mtime: kept.attributes.mtime, ..attributes });
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
    plan.folder_modes.clone_from(&run.begin.removes);
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

/// What was remembered before the run. What a later run was told stays, unless it ends with the folder `going`.
fn memory(
    view: &View<'_>,
    run: &Run,
    intent: &Intent,
    all: &[Run],
    force: bool,
    going: Option<&Path>,
) -> Result<Memory, Problem> {
    let shown = view.host.shown(&intent.path);
    let now = view.snapshot(&intent.real_path)?;
    let ends = |name: &str| {
        name == run.begin.run || going.is_some_and(|going| ending_with(all, going).any(|other| other.begin.run == name))
    };
    let (mut of_run, mut intent) = (run, intent);
    match (judge_rollback(intent, now.as_deref()), &now) {
        (Verdict::Published, _) => {}
        // Whoever removed it wanted nothing to be remembered.
        (Verdict::Untouched, _) | (_, None) => return Ok(Memory::Stays),
        (Verdict::Edited, Some(now)) => match LastRun::parse(&now.bytes, &shown) {
            // A run without changes was told more since; or a later one ends as well.
            Ok(LastRun { run: Some(last), .. }) if ends(&last) => {
                let later = all.iter().find(|other| other.begin.run == last);
                if let Some((later, own)) = later.and_then(|later| Some((later, later.begin.memory()?))) {
                    (of_run, intent) = (later, own);
                }
            }
            Ok(_) => return Ok(Memory::Stays),
            Err(_) if force => {}
            Err(_) => return Err(conflict(view, run, intent, all, going)),
        },
    }
    loop {
        let Some(kept) = &intent.before else { return Ok(Memory::Back(None)) };
        let bytes = backup_bytes(view.host, &of_run.begin.run, kept).map_err(|error| {
            Problem::host(id::BACKUP_DAMAGED, text!("{} cannot be restored", shown.display())).caused_by(error)
        })?;
        // What a run was told that is itself taken back, or ends, does not come to life again, unless this brings it back.
        let last = LastRun::parse(&bytes, &shown)?.run;
        let gone = all.iter().find(|other| {
            last.as_ref() == Some(&other.begin.run)
                && other.begin.seq < of_run.begin.seq
                && (ends(&other.begin.run)
                    || (other.state == State::Reverted
                        && !run.begin.takes_back().any(|own| last.as_deref() == Some(own))))
        });
        match gone.and_then(|gone| Some((gone, gone.begin.memory()?))) {
            Some(before_that) => (of_run, intent) = before_that,
            None => return Ok(Memory::Back(Some(bytes))),
        }
    }
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

fn conflict(view: &View<'_>, run: &Run, intent: &Intent, later: &[Run], going: Option<&Path>) -> Problem {
    let shown = view.host.shown(&intent.path);
    let message = text!("{} was edited since run {}", shown.display(), own(&run.begin.run));
    let problem = Problem::host(id::CONFLICT, message);
    let all = match going {
        Some(folder) => text!("--purge={}", own(quoted(&folder.to_string_lossy()))),
        None => text!("{}", own(&run.begin.run)),
    };
    match changed_since(run, intent, later) {
        Some(other) => problem
            .because(text!("run {} changed it too", own(&other.begin.run)))
            .hint(text!("take that back first: {}", ics_setup(text!("revert {}", own(&other.begin.run))))),
        None => problem.hint("keep the edit and go on: run prepare or reconfigure with the settings wanted"),
    }
    .hint(text!("overwrite the edit; a backup of it is kept: {}", ics_setup(text!("revert {} --force", all))))
}
