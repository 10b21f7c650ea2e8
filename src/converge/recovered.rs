//! A run that did not come to its end: taken back first, and its flags never taken in silence.

use std::collections::BTreeSet;
use std::path::Path;

use super::RunContext;
use crate::apply::{Session, State, digest, runs};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::problem::Problem;
use crate::settings::{Key, LastRun, STATE_FILE, Told};
use crate::text;
use crate::text::{Text, ics_setup, own};

/// Brings the host back to where it was before a run that did not come to its end, and keeps what that run was told.
///
/// # Errors
/// A file of that run was edited since.
pub(super) fn recover(session: &Session<'_>, host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    context.interrupted = told_of_interrupted(host).or(context.interrupted.take());
    let recovered = session.recover()?;
    context.findings.splice(0..0, recovered.clone());
    context.recovered.extend(recovered);
    Ok(())
}

/// What a dry run does not do, and a real one would do first.
pub(super) fn foretold(host: &dyn HostRead) -> Option<Finding> {
    // Where the runs cannot be read, nothing can be said about them.
    let run = digest(host).ok()?.interrupted?;
    let title = text!("run {} was interrupted; a real run takes it back first, and its plan may differ", own(&run));
    Some(Finding::warn(ids::RUN_INTERRUPTED, title).fix(ics_setup(text!("revert {}", own(&run)))))
}

/// What a run was told that did not come to its end, by the file that it had made ready.
fn told_of_interrupted(host: &dyn HostRead) -> Option<Told> {
    // Where that cannot be read there is nothing to compare with.
    digest(host).ok()?.interrupted?;
    let run = runs(host).ok()?.into_iter().rfind(|run| run.state == State::Interrupted)?;
    let bytes = host.read(&run.begin.memory()?.temporary).ok()??;
    Some(LastRun::parse(&bytes, Path::new(STATE_FILE)).ok()?.told)
}

/// What this run is told otherwise than the interrupted one: its flags are never taken in silence.
pub(super) fn told_otherwise(before: &Told, now: &Told) -> Option<Finding> {
    let keys: BTreeSet<Key> = before.keys().chain(now.keys()).copied().collect();
    let value = |told: &Told, key: Key| told.get(&key).map_or_else(|| "nothing".into(), |value| text!("{}", value));
    let differ = |key: &Key| before.get(key) != now.get(key);
    let differing: Vec<Text> = keys
        .into_iter()
        .filter(differ)
        .map(|key| text!("{}: {} then, {} now", own(key.spec().shown()), value(before, key), value(now, key)))
        .collect();
    (!differing.is_empty()).then(|| {
        Finding::warn(ids::RUN_RECOVERED, "this run is told otherwise than the interrupted one")
            .observed(Text::join(differing, "; "))
            .cause("flags of a run that did not come to its end are not remembered")
            .advise("name them again where they are still meant")
    })
}
