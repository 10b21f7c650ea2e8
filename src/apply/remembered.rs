//! What is remembered once runs are taken back: what the last run that is still in force was told.

use std::path::Path;

use super::revert::ending_with;
use super::rollback::backup_bytes;
use super::runs::{Run, State};
use crate::host::View;
use crate::plan::Memory;
use crate::problem::{Problem, id};
use crate::settings::{LastRun, STATE_FILE};
use crate::text;

/// What becomes of `state.json`; `None`: somebody has edited it so that it is not understood. `all`: the runs so far; `left`: as
/// they stand afterwards; `since`: where the host goes back to a run, its number; `going`: a folder that goes, and with it what
/// the runs in it were told.
///
/// # Errors
/// A backup that is damaged.
pub(super) fn afterwards(
    view: &View<'_>,
    (all, left): (&[Run], &[Run]),
    since: Option<u64>,
    going: Option<&Path>,
    force: bool,
) -> Result<Option<Memory>, Problem> {
    let path = Path::new(STATE_FILE);
    let shown = view.host.shown(path);
    let now = view.snapshot(path)?.map(|now| now.bytes.clone());
    let is_read = now.as_deref().is_none_or(|now| LastRun::parse(now, &shown).is_ok());
    if !is_read && !force {
        return Ok(None);
    }
    let mut changed = all.iter().rev().filter_map(|run| run.begin.memory());
    // One that was rolled back has left what was before it.
    let goes_by_a_run = changed.next().is_none_or(|last| last.before.is_none() || last.after.is_none());
    if now.is_none() && !goes_by_a_run {
        // Whoever removed it wanted nothing to be remembered.
        return Ok(Some(Memory::Stays));
    }
    let ends = |name: &str| going.is_some_and(|going| ending_with(all, going).any(|run| run.begin.run == name));
    let was_told = |run: &&Run| {
        run.state == State::Committed
            && run.begin.reverts.is_none()
            && run.begin.memory().is_some()
            && !ends(&run.begin.run)
    };
    let wanted = left.iter().rev().find(was_told).map(|run| run.begin.run.as_str());
    // One that is forgotten is in force; names tell times.
    let is_later =
        |name: &str| all.iter().all(|run| run.begin.run != name) && wanted.is_none_or(|wanted| name > wanted);
    let name_in = |bytes: &[u8]| LastRun::parse(bytes, &shown).ok().and_then(|last| last.run);
    let is_it = |bytes: Option<&[u8]>| match bytes.and_then(name_in) {
        Some(name) => wanted == Some(name.as_str()) || is_later(&name),
        None => wanted.is_none(),
    };
    // As it is now, and was before each run that changed it.
    let before = all.iter().filter(|run| run.begin.seq > since.unwrap_or(0) && run.begin.memory().is_some());
    let mut times: Vec<Option<&Run>> = before.map(Some).chain(is_read.then_some(None)).collect();
    if since.is_none() {
        times.reverse();
    }
    for time in times {
        let Some(run) = time else {
            if is_it(now.as_deref()) {
                return Ok(Some(Memory::Stays));
            }
            continue;
        };
        let kept = run.begin.memory().and_then(|intent| intent.before.as_ref());
        let bytes = kept.map(|kept| backup_bytes(view.host, &run.begin.run, kept)).transpose().map_err(|error| {
            Problem::host(id::BACKUP_DAMAGED, text!("{} cannot be restored", shown.display())).caused_by(error)
        })?;
        if is_it(bytes.as_deref()) {
            return Ok(Some(Memory::Back(bytes)));
        }
    }
    Ok(Some(if wanted.is_none() { Memory::Back(None) } else { Memory::Stays }))
}
