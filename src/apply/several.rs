//! Which runs `revert` takes back, and several of them as one plan: all or none, with one diff, one journal and one way back.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::revert::{choose, plan_but};
use super::{Run, State};
use crate::host::View;
use crate::plan::{After, Change, FileMeta, Memory, Plan, PlannedHost};
use crate::problem::{Problem, id};
use crate::settings::STATE_FILE;
use crate::text;
use crate::text::{ics_setup, own};

/// Which runs are to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which<'a> {
    /// The last one in force.
    Last,
    /// This one.
    Named(&'a str),
    /// All after this one.
    To(&'a str),
    /// All.
    All,
}

impl Which<'_> {
    /// The words behind `revert` that say so.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Last => String::new(),
            Self::Named(run) => format!(" {run}"),
            Self::To(run) => format!(" --to {run}"),
            Self::All => " --all".to_owned(),
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
                    _ => choose(runs, Some(name))?.begin.seq,
                }
            }
        };
        Ok(after(runs, last))
    }
}

/// Whatever has to be taken back so that the host is as it was after the run with this number. A way back whose runs all came
/// after that one stays: both are as if they had not been.
fn after(runs: &[Run], last: u64) -> Vec<&Run> {
    let mut chosen = Vec::new();
    let mut revived: HashSet<&str> = HashSet::new();
    for run in runs.iter().rev().filter(|run| run.begin.seq > last) {
        if run.state != State::Committed && !revived.contains(run.begin.run.as_str()) {
            continue;
        }
        let is_later = |name: &str| {
            // One that is forgotten was before all that are known.
            runs.iter().find(|other| other.begin.run == name).map_or(last == 0, |other| other.begin.seq > last)
        };
        if run.begin.reverts.is_some() && run.begin.takes_back().all(is_later) {
            continue;
        }
        revived.extend(run.begin.takes_back().filter(|name| is_later(name)));
        chosen.push(run);
    }
    chosen
}

/// Everything that brings the host back to where it was before these runs, newest first.
///
/// # Errors
/// As [`plan_but`], of the first of them that cannot be taken back.
pub(crate) fn plan_of(
    view: &View<'_>,
    chosen: &[&Run],
    all: &[Run],
    force: bool,
    going: Option<&Path>,
) -> Result<Plan, Problem> {
    if let [run] = chosen {
        return plan_but(view, run, all, force, going);
    }
    let mut whole = Plan::default();
    let mut rest = all.to_vec();
    for run in chosen {
        let mut ahead = whole.changes.clone();
        if let Memory::Back(bytes) = &whole.memory {
            ahead.push(remembered(view, bytes.as_deref())?);
        }
        let host = PlannedHost::new(view.host, &ahead);
        let one = plan_but(&View::new(&host), run, &rest, force, going)?;
        for change in one.changes {
            match whole.changes.iter_mut().find(|own| own.real_path == change.real_path) {
                Some(own) => {
                    own.after = change.after;
                    own.reasons.extend(change.reasons);
                }
                None => whole.changes.push(change),
            }
        }
        if matches!(one.memory, Memory::Back(_)) {
            whole.memory = one.memory;
        }
        whole.next_steps.extend(one.next_steps);
        whole.idle_folders.extend(one.idle_folders);
        whole.folder_modes.extend(one.folder_modes);
        // For those before it it is taken back already.
        rest.iter_mut().filter(|own| own.begin.run == run.begin.run).for_each(|own| own.state = State::Reverted);
    }
    whole.changes.retain(|change| match (&change.before, &change.after) {
        (None, None) => false,
        (Some(before), Some(After { bytes, meta: FileMeta::Like(attributes) })) => {
            before.bytes != *bytes || !before.attributes.same_as(attributes)
        }
        _ => true,
    });
    Ok(whole)
}

/// `state.json` with what it is to be once the newer of the runs are taken back.
fn remembered(view: &View<'_>, bytes: Option<&[u8]>) -> Result<Change, Problem> {
    let path = Path::new(STATE_FILE).to_path_buf();
    let before = view.snapshot(&path)?;
    let after = bytes.map(|bytes| After { bytes: bytes.to_vec(), meta: FileMeta::Mode(0o600) });
    Ok(Change { real_path: path.clone(), path, before: before.as_ref().map(Arc::clone), after, reasons: Vec::new() })
}
