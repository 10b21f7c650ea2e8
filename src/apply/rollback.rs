//! From a journal back to the host as it was.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::journal::{self, Before, Begin, Intent, Record, fingerprint};
use super::{Run, failed};
use crate::authority::{is_of_store, is_taken_up, refresh};
use crate::host::{FileKind, HostRead, HostWrite, NewFile, Snapshot};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{ics_setup, own, typed};

/// What has to be done about one file of an interrupted run. Decided from the journal and the file alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it was before the run.
    Untouched,
    /// It is as the run wanted it.
    Published,
    /// It is neither: somebody edited it since.
    Edited,
}

/// Compares a file with the journal.
pub(super) fn judge_rollback(intent: &Intent, now: Option<&Snapshot>) -> Verdict {
    let now = now.map(|snapshot| fingerprint(&snapshot.bytes));
    let before = intent.before.as_ref().map(|before| &before.fingerprint);
    if now.as_ref() == before {
        Verdict::Untouched
    } else if now.as_ref() == intent.after.as_ref() {
        Verdict::Published
    } else {
        Verdict::Edited
    }
}

/// A file as it is now, and what has to be done about it. A link where the run had none is somebody's, and is not followed.
fn look(host: &dyn HostWrite, intent: &Intent) -> io::Result<(Option<Snapshot>, Verdict)> {
    if host.lstat(&intent.real_path)?.is_some_and(|stat| stat.kind == FileKind::Symlink) {
        return Ok((None, Verdict::Edited));
    }
    let now = host.snapshot(&intent.real_path)?;
    let verdict = judge_rollback(intent, now.as_ref());
    Ok((now, verdict))
}

/// Takes back an interrupted run and notes that in its journal.
pub(super) fn recover(host: &dyn HostWrite, run: &Run, force: bool) -> Result<(), Problem> {
    roll_back(host, &run.begin, force)?;
    journal::end(host, &run.begin.run, &Record::RolledBack)
        .map_err(|error| failed(host, &journal::path(&run.begin.run), "be written", &error))
}

/// Brings every file of a run back to what it was before it. With `force`, files edited since are kept as further backups
/// and then brought back too. How many there were; what is remembered of runs is none.
pub(super) fn roll_back(host: &dyn HostWrite, begin: &Begin, force: bool) -> Result<usize, Problem> {
    let mut verdicts = Vec::new();
    for intent in &begin.intents {
        let (now, verdict) =
            look(host, intent).map_err(|error| failed(host, &intent.real_path, "be looked at", &error))?;
        if verdict == Verdict::Edited && !force {
            let shown = host.shown(&intent.path);
            let message = text!("run {} was interrupted, and {} was edited since", own(&begin.run), shown.display());
            return Err(Problem::host(id::CONFLICT, message)
                .because("it is neither as it was before the run nor as the run wanted it")
                .hint(text!(
                    "compare: {}",
                    typed(text!("diff {} {}", own(backup_shown(host, begin, intent)), shown.display()))
                ))
                .hint(text!(
                    "bring back what was there before; the present file is kept: {}",
                    ics_setup(text!("revert {} --force", own(&begin.run)))
                )));
        }
        verdicts.push((intent, verdict, now));
    }
    let (mut folders, mut count) = (BTreeSet::new(), 0);
    for (folder, mode) in begin.removes.iter().rev() {
        if host.lstat(folder).map_err(|error| failed(host, folder, "be looked at", &error))?.is_none() {
            host.create_dir(folder, *mode).map_err(|error| failed(host, folder, "be made", &error))?;
            folders.extend(folder.parent().map(Path::to_path_buf));
        }
    }
    for (intent, verdict, now) in verdicts {
        drop_temporary(host, &intent.temporary)
            .map_err(|error| failed(host, &intent.temporary, "be removed", &error))?;
        if verdict == Verdict::Untouched {
            continue;
        }
        if let (Verdict::Edited, Some(now)) = (verdict, now) {
            keep_edited(host, begin, intent, &now).map_err(|error| failed(host, &intent.path, "be kept", &error))?;
        }
        restore(host, begin, intent).map_err(|error| failed(host, &intent.path, "be restored", &error))?;
        count += usize::from(!intent.is_memory());
        folders.extend(intent.real_path.parent().map(Path::to_path_buf));
    }
    for (folder, _) in begin.makes.iter().rev() {
        folders.remove(folder);
        // Somebody may have put a file of their own there since; then it stays.
        if remove_if_empty(host, folder).map_err(|error| failed(host, folder, "be removed", &error))? {
            folders.extend(folder.parent().map(Path::to_path_buf));
        } else if host.lstat(folder).is_ok_and(|found| found.is_some()) {
            folders.insert(folder.clone());
        }
    }
    for folder in folders {
        host.sync_dir(&folder).map_err(|error| failed(host, &folder, "be synced", &error))?;
    }
    // Also where all files are back already: whoever brought them back may have ended before this.
    let of_store: Vec<&Path> =
        begin.intents.iter().map(|intent| intent.path.as_path()).filter(|path| is_of_store(path)).collect();
    match of_store.first().map_or(Ok(()), |path| refresh(host, path, true)) {
        // A program that fails, as it may have done in the run itself, has nothing to take back where the bundle is right.
        Err(_) if of_store.iter().all(|path| is_taken_up(host, path)) => Ok(count),
        refreshed => refreshed.map(|()| count),
    }
}

/// The bytes of a backup, checked against the journal.
pub(super) fn backup_bytes(host: &(impl HostRead + ?Sized), run: &str, before: &Before) -> io::Result<Vec<u8>> {
    let damaged = || {
        io::Error::new(io::ErrorKind::InvalidData, format!("backup {} of run {run} is damaged or gone", before.backup))
    };
    let bytes = host.read(&journal::backup(run, &before.backup))?.ok_or_else(damaged)?;
    if fingerprint(&bytes) == before.fingerprint { Ok(bytes) } else { Err(damaged()) }
}

fn restore(host: &dyn HostWrite, begin: &Begin, intent: &Intent) -> io::Result<()> {
    let Some(before) = &intent.before else { return host.remove_file(&intent.real_path) };
    let bytes = backup_bytes(host, &begin.run, before)?;
    let mut file = host.create(&intent.temporary, 0o600)?;
    file.write_all(&bytes)?;
    file.set_attributes(&before.attributes)?;
    file.sync()?;
    host.rename(&intent.temporary, &intent.real_path)?;
    match stands(host, &intent.real_path, &*file)? {
        true => Ok(()),
        false => Err(io::Error::other("somebody has put another file in its place")),
    }
}

/// Is it this file that has the name? A rename says that something has got it.
pub(super) fn stands(host: &dyn HostWrite, path: &Path, staged: &dyn NewFile) -> io::Result<bool> {
    let staged = staged.id()?;
    Ok(host.lstat(path)?.is_some_and(|stat| stat.id == staged))
}

fn keep_edited(host: &dyn HostWrite, begin: &Begin, intent: &Intent, now: &Snapshot) -> io::Result<()> {
    let base = intent.path.display().to_string().replace('/', "_");
    let backup = |number: u32| journal::backup(&begin.run, &format!("edited{number}{base}"));
    let free = |number: &u32| host.lstat(&backup(*number)).is_ok_and(|found| found.is_none());
    let mut file = host.create(&backup((0..1000).find(free).unwrap_or(1000)), 0o600)?;
    file.write_all(&now.bytes)?;
    file.sync()?;
    host.sync_dir(&journal::folder(&begin.run).join("backup"))
}

fn drop_temporary(host: &dyn HostWrite, path: &Path) -> io::Result<()> {
    if host.lstat(path)?.is_some() { host.remove_file(path) } else { Ok(()) }
}

fn remove_if_empty(host: &dyn HostWrite, folder: &Path) -> io::Result<bool> {
    if host.lstat(folder)?.is_none() || !host.list(folder)?.is_empty() {
        return Ok(false);
    }
    host.remove_dir(folder).map(|()| true)
}

fn backup_shown(host: &dyn HostWrite, begin: &Begin, intent: &Intent) -> String {
    intent.before.as_ref().map_or_else(
        || "/dev/null".to_owned(),
        |before| host.shown(&journal::backup(&begin.run, &before.backup)).display().to_string(),
    )
}
