//! What one run did to the files, as far as it is still known: what was there before is kept, what it wrote only as long as it
//! stands somewhere.

use std::path::PathBuf;
use std::sync::Arc;

use super::Run;
use super::journal::{Before, Intent, fingerprint};
use super::rollback::backup_bytes;
use crate::host::{HostRead, Snapshot, unreadable};
use crate::plan::{Action, After, Change, FileMeta};
use crate::problem::Problem;
use crate::text::Text;

/// A file of a run.
pub(crate) struct Past {
    /// The file.
    pub(crate) path: PathBuf,
    /// What the run did to it.
    pub(crate) action: Action,
    /// Both contents, or why they are not known any more.
    pub(crate) change: Result<Change, Text>,
}

/// What a run did, file by file. `all`: all runs so far.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn history(host: &dyn HostRead, run: &Run, all: &[Run]) -> Result<Vec<Past>, Problem> {
    run.begin.files().map(|intent| past(host, run, intent, all)).collect()
}

fn past(host: &dyn HostRead, run: &Run, intent: &Intent, all: &[Run]) -> Result<Past, Problem> {
    let action = match (&intent.before, &intent.after) {
        (None, _) => Action::Create,
        (Some(_), Some(_)) => Action::Modify,
        (Some(_), None) => Action::Delete,
    };
    let kept = |run: &Run, before: &Before| {
        let bytes = backup_bytes(host, &run.begin.run, before).ok()?;
        Some(Snapshot { bytes, attributes: before.attributes.clone(), links: 1 })
    };
    let before = intent.before.as_ref().map(|before| kept(run, before).ok_or("its backup is damaged or gone"));
    let after = match &intent.after {
        None => Some(Ok(None)),
        Some(after) => {
            let now =
                host.snapshot(&intent.real_path).map_err(|error| unreadable(&host.shown(&intent.path), &error))?;
            let stands = now.filter(|now| fingerprint(&now.bytes) == *after);
            // Whoever changed it next has kept it.
            let of_later = || {
                all.iter().filter(|later| later.begin.seq > run.begin.seq).find_map(|later| {
                    let next = later.begin.files().find(|next| next.path == intent.path)?.before.as_ref()?;
                    kept(later, next).filter(|_| next.fingerprint == *after)
                })
            };
            stands.or_else(of_later).map(|found| Ok(Some(found)))
        }
    };
    let after = after.unwrap_or(Err("what the run wrote was edited since, and is kept nowhere"));
    let change = before.transpose().and_then(|before| {
        let after = after?.map(|after| After { bytes: after.bytes, meta: FileMeta::Like(after.attributes) });
        let (path, real_path) = (intent.path.clone(), intent.real_path.clone());
        Ok(Change { path, real_path, before: before.map(Arc::new), after, reasons: Vec::new() })
    });
    Ok(Past { path: intent.path.clone(), action, change: change.map_err(Text::from) })
}
