//! The one writer: journal, stage, publish, commit.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::digest::digest;
use super::journal::{self, Before, Begin, Intent, Record, fingerprint};
use super::{Steps, failed, rollback, runs};
use crate::authority::{is_of_store, refresh};
use crate::build::NUMBER;
use crate::host::{FileKind, HostRead, HostWrite, NewFile};
use crate::plan::{After, Change, FileMeta, Memory, Plan};
use crate::problem::{HostState, Kind, Problem, id};
use crate::settings::{LastRun, STATE, STATE_FILE, Told};
use crate::system::accounts::Caller;
use crate::text::{ics_setup, own, quoted, typed};
use crate::{stamp, text};

/// Makes the plan true; see the module's head for the order of effects.
pub(super) fn apply(
    host: &dyn HostWrite,
    plan: &Plan,
    command: &str,
    reverts: &[&str],
    steps: &mut dyn Steps,
) -> Result<String, Problem> {
    for kept in &plan.keeps {
        put(host, &kept.path, &kept.bytes)?;
    }
    let run = free_name(host)?;
    let memory = memory(host, plan, &run)?;
    let changes: Vec<&Change> = plan.changes.iter().chain(&memory).collect();
    let begin = intend(host, plan, &changes, run, command, reverts)?;
    if let Err(error) = prepare_run(host, &changes, &begin) {
        // Nothing outside the state folder has happened; what is left is swept by the next run if not now.
        let _ = runs::discard(host, &begin.run);
        return Err(failed(host, &journal::folder(&begin.run), "be written", &error));
    }
    match carry_out(host, &changes, &begin, steps) {
        Ok(()) => Ok(begin.run),
        Err(problem) => Err(undo(host, &begin, problem)),
    }
}

/// The state folder, the folder of runs.
pub(super) fn make_state_folders(host: &dyn HostWrite) -> io::Result<()> {
    let runs = Path::new(STATE).join("runs");
    for folder in missing_folders(host, &runs)? {
        let mode = if folder.starts_with(STATE) { 0o700 } else { 0o755 };
        match host.create_dir(&folder, mode) {
            // Another run was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

/// See [`super::Session::remember`]. The file changes at once or not at all, so there is nothing for a journal to take back.
pub(super) fn remember(host: &dyn HostWrite, told: &Told) -> Result<(), Problem> {
    let path = Path::new(STATE_FILE);
    let kept = match host.read(path).map_err(|error| failed(host, path, "be read", &error))? {
        Some(bytes) => LastRun::parse(&bytes, &host.shown(path))?,
        None => LastRun::default(),
    };
    if kept.told == *told {
        return Ok(());
    }
    put(host, path, &LastRun { told: told.clone(), ..kept }.render())
}

/// Gives a file of the state folder this content, at once.
pub(super) fn put(host: &dyn HostWrite, path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || {
        if host.lstat(&temporary)?.is_some() {
            host.remove_file(&temporary)?;
        }
        let mut file = host.create(&temporary, 0o600)?;
        file.write_all(bytes)?;
        file.sync()?;
        drop(file);
        host.rename(&temporary, path)?;
        host.sync_dir(Path::new(STATE))
    };
    write().map_err(|error| failed(host, path, "be written", &error))
}

/// What becomes of [`STATE_FILE`] in this run.
fn memory(host: &dyn HostWrite, plan: &Plan, run: &str) -> Result<Option<Change>, Problem> {
    let bytes = match &plan.memory {
        Memory::Stays => return Ok(None),
        Memory::Told(told) => Some(LastRun { run: Some(run.to_owned()), told: told.clone() }.render()),
        Memory::Back(bytes) => bytes.clone(),
    };
    let path = PathBuf::from(STATE_FILE);
    let before = host.snapshot(&path).map_err(|error| failed(host, &path, "be looked at", &error))?.map(Arc::new);
    if before.as_ref().map(|before| &before.bytes) == bytes.as_ref() {
        return Ok(None);
    }
    let after = bytes.map(|bytes| After { bytes, meta: FileMeta::Mode(0o600) });
    Ok(Some(Change { real_path: path.clone(), path, before, after, reasons: Vec::new() }))
}

fn free_name(host: &dyn HostWrite) -> Result<String, Problem> {
    let now = host.now();
    let taken = |name: &str| host.lstat(&journal::folder(name)).is_ok_and(|found| found.is_some());
    let run = (0..=u16::MAX).map(|bump| stamp::run_name(now, bump)).find(|name| !taken(name));
    run.ok_or_else(|| Problem::bug("no name is left for this run"))
}

fn intend(
    host: &dyn HostWrite,
    plan: &Plan,
    changes: &[&Change],
    run: String,
    command: &str,
    reverts: &[&str],
) -> Result<Begin, Problem> {
    let seq = digest(host)?.seq + 1;
    let now = host.now();
    let reading = |path: &Path, error: &io::Error| failed(host, path, "be looked at", error);
    let mut makes = Vec::new();
    let needed = changes.iter().filter(|change| change.after.is_some()).filter_map(|change| change.real_path.parent());
    // One that is to be as it was before is there again, even where nothing is put in it.
    let of_before = plan.folder_modes.iter().map(|(folder, _)| folder.as_path());
    for needed in needed.chain(of_before) {
        for folder in missing_folders(host, needed).map_err(|error| reading(needed, &error))? {
            if !makes.iter().any(|(made, _)| *made == folder) {
                let mode =
                    plan.folder_modes.iter().find(|(known, _)| *known == folder).map_or(0o755, |(_, mode)| *mode);
                makes.push((folder, mode));
            }
        }
    }
    let mut removes: Vec<(PathBuf, u32)> = Vec::new();
    for folder in &plan.idle_folders {
        if removes.iter().all(|(gone, _)| gone != folder)
            && let Some(stat) = host.lstat(folder).map_err(|error| reading(folder, &error))?
            && stat.kind == FileKind::Dir
            && empty_afterwards(host, plan, folder).map_err(|error| reading(folder, &error))?
        {
            removes.push((folder.clone(), stat.mode));
        }
    }
    removes.sort_by_key(|(folder, _)| Reverse(folder.components().count()));
    let intents = changes.iter().enumerate().map(|(index, change)| intent(&run, index, change)).collect();
    let time = stamp::rfc3339(now);
    let version = journal::version_of(reverts);
    let mut reverts = reverts.iter().map(|run| (*run).to_owned());
    Ok(Begin {
        version,
        run,
        seq,
        command: command.to_owned(),
        time,
        by: Some(Caller::now()),
        tool: Some(NUMBER.to_owned()),
        said: plan.said.clone(),
        reverts: reverts.next(),
        reverts_too: reverts.collect(),
        intents,
        makes,
        removes,
    })
}

fn intent(run: &str, index: usize, change: &Change) -> Intent {
    let folder = change.real_path.parent().unwrap_or(Path::new("/"));
    Intent {
        path: change.path.clone(),
        real_path: change.real_path.clone(),
        temporary: folder.join(format!(".ics-setup-{run}-{index}")),
        before: change.before.as_ref().map(|before| Before {
            fingerprint: fingerprint(&before.bytes),
            attributes: before.attributes.clone(),
            backup: backup_name(index, &change.path),
        }),
        after: change.after.as_ref().map(|after| fingerprint(&after.bytes)),
        mode: change.before.as_ref().zip(change.after.as_ref()).and_then(|(before, after)| match &after.meta {
            FileMeta::Like(after) => Some(after.mode).filter(|mode| *mode != before.attributes.mode),
            FileMeta::Mode(_) => None,
        }),
    }
}

/// What a person looking for a backup recognises: `0_etc_environment`. A path too long for a file name keeps its end.
fn backup_name(index: usize, path: &Path) -> String {
    let name = path.display().to_string().replace('/', "_");
    let start = (name.len().saturating_sub(200)..name.len()).find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{index}{}", &name[start..])
}

/// Journal and backups, all durable. Everything is written before anything is synced, so that the disk's journal is
/// committed once and not once a file.
fn prepare_run(host: &dyn HostWrite, changes: &[&Change], begin: &Begin) -> io::Result<()> {
    let folder = journal::folder(&begin.run);
    let backups = folder.join("backup");
    host.create_dir(&folder, 0o700)?;
    host.create_dir(&backups, 0o700)?;
    let mut files = Vec::new();
    for (change, intent) in changes.iter().zip(&begin.intents) {
        if let (Some(before), Some(kept)) = (&change.before, &intent.before) {
            let mut file = host.create(&journal::backup(&begin.run, &kept.backup), 0o600)?;
            file.write_all(&before.bytes)?;
            files.push(file);
        }
    }
    let unfinished = journal::unfinished(&begin.run);
    let mut file = host.create(&unfinished, 0o600)?;
    file.write_all(&journal::line(&Record::Begin(Box::new(begin.clone())))?)?;
    files.push(file);
    for file in &mut files {
        file.sync()?;
    }
    host.rename(&unfinished, &journal::path(&begin.run))?;
    host.sync_dir(&backups)?;
    host.sync_dir(&folder)?;
    if begin.seq == 1 {
        return sync_state_folders(host);
    }
    host.sync_dir(&Path::new(STATE).join("runs"))
}

/// The state folder itself, and whatever had to be made above it, is as new as the first run.
pub(super) fn sync_state_folders(host: &dyn HostWrite) -> io::Result<()> {
    Path::new(STATE).join("runs").ancestors().try_for_each(|folder| host.sync_dir(folder))
}

/// Everything that a journal is needed for.
fn carry_out(host: &dyn HostWrite, changes: &[&Change], begin: &Begin, steps: &mut dyn Steps) -> Result<(), Problem> {
    let mut folders = BTreeSet::new();
    for (folder, mode) in &begin.makes {
        host.create_dir(folder, *mode).map_err(|error| failed(host, folder, "be made", &error))?;
        folders.extend(folder.parent().map(Path::to_path_buf));
    }
    let mut staged = Vec::new();
    for (change, intent) in changes.iter().zip(&begin.intents) {
        let file = stage(host, change, intent).map_err(|error| failed(host, &change.path, "be written", &error))?;
        staged.extend(file.map(|file| (&change.path, file)));
    }
    for (path, file) in &mut staged {
        file.sync().map_err(|error| failed(host, path, "be synced", &error))?;
    }
    // Open until they have their names: a number is given to another file only when nobody has it any more.
    let mut staged = staged.into_iter();
    let of_store = |change: &&Change| is_of_store(&change.path);
    let last_of_store = changes.iter().rposition(of_store);
    let gone = changes.iter().any(|change| of_store(change) && change.after.is_none());
    for (at, (change, intent)) in changes.iter().zip(&begin.intents).enumerate() {
        // Those that stay were staged, in this order.
        let staged = change.after.as_ref().and_then(|_| staged.next()).map(|(_, file)| file);
        match intent.is_memory() {
            false => {
                steps.before(change)?;
                publish(host, change, intent, staged.as_deref())?;
                steps.made(change);
                // Whatever comes next may need what the system makes of them: an engine reads its roots when it starts.
                if last_of_store == Some(at) {
                    refresh(host, &change.path, gone)?;
                }
            }
            // What is remembered is remembered of a run that has done all of it.
            true => {
                steps.before_commit()?;
                publish(host, change, intent, staged.as_deref())?;
            }
        }
        folders.extend(change.real_path.parent().map(Path::to_path_buf));
    }
    if !begin.intents.iter().any(Intent::is_memory) {
        steps.before_commit()?;
    }
    for (folder, _) in &begin.removes {
        folders.remove(folder);
        host.remove_dir(folder).map_err(|error| failed(host, folder, "be removed", &error))?;
        folders.extend(folder.parent().map(Path::to_path_buf));
    }
    for folder in folders {
        host.sync_dir(&folder).map_err(|error| failed(host, &folder, "be synced", &error))?;
    }
    journal::end(host, &begin.run, &Record::Commit)
        .map_err(|error| failed(host, &journal::path(&begin.run), "be written", &error))
}

/// The new content under its temporary name, with everything else that the file has; not yet synced.
fn stage<'h>(host: &'h dyn HostWrite, change: &Change, intent: &Intent) -> io::Result<Option<Box<dyn NewFile + 'h>>> {
    let Some(after) = &change.after else { return Ok(None) };
    let mode = match &after.meta {
        // Nobody but us may read it before it has its owner and ACL.
        FileMeta::Like(_) => 0o600,
        FileMeta::Mode(mode) => *mode,
    };
    let mut file = host.create(&intent.temporary, mode)?;
    file.write_all(&after.bytes)?;
    match &after.meta {
        FileMeta::Like(attributes) => file.set_attributes(attributes)?,
        FileMeta::Mode(mode) => file.set_mode(*mode)?,
    }
    Ok(Some(file))
}

/// The rename, when the file is still what the plan was made for.
fn publish(
    host: &dyn HostWrite,
    change: &Change,
    intent: &Intent,
    staged: Option<&dyn NewFile>,
) -> Result<(), Problem> {
    let now = host.snapshot(&change.real_path).map_err(|error| failed(host, &change.path, "be looked at", &error))?;
    let unmoved = match (&now, &change.before) {
        (Some(now), Some(before)) => now.bytes == before.bytes && now.attributes.same_as(&before.attributes),
        (None, None) => true,
        _ => false,
    };
    if !unmoved {
        let shown = host.shown(&change.path);
        return Err(Problem::host(id::MOVED, text!("{} was changed by somebody else during the run", shown.display()))
            .hint("run the command again: it will plan anew"));
    }
    let done = match change.after {
        Some(_) => host.rename(&intent.temporary, &change.real_path),
        None => host.remove_file(&change.real_path),
    };
    done.map_err(|error| failed(host, &change.path, "be replaced", &error))?;
    match staged.map_or(Ok(true), |staged| rollback::stands(host, &change.real_path, staged)) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let (shown, folder) =
                (host.shown(&change.path), host.shown(change.real_path.parent().unwrap_or(Path::new("/"))));
            let message =
                text!("{} is not the file that was written: somebody has put another in its place", shown.display());
            Err(Problem::host(id::MOVED, message)
                .because("whoever can write to its folder can do so, and has done so during the run")
                .hint(text!("who that is: {}", typed(text!("ls -ld {}", own(quoted(&folder.to_string_lossy()))))))
                .hint(text!("what stands there: {}", typed(text!("ls -l {}", own(quoted(&shown.to_string_lossy())))))))
        }
        Err(error) => Err(failed(host, &change.path, "be looked at", &error)),
    }
}

/// Takes back what was done of a run that failed.
fn undo(host: &dyn HostWrite, begin: &Begin, problem: Problem) -> Problem {
    // The failure may have come after the commit's line was written but before it was durable.
    let _ = journal::end(host, &begin.run, &Record::Abort);
    match rollback::roll_back(host, begin, false) {
        Ok(put_back) => {
            // No trace of a run that did nothing; if even that fails, the journal says that it was rolled back.
            if runs::discard(host, &begin.run).is_err() {
                let _ = journal::end(host, &begin.run, &Record::RolledBack);
            }
            Problem { put_back, ..problem }.leaving(HostState::Restored)
        }
        Err(second) => {
            let because = match &problem.because {
                Some(because) => text!("{}; and taking it back failed: {}", **because, second.sentence()),
                None => text!("taking it back failed: {}", second.sentence()),
            };
            Problem { because: Some(Box::new(because)), kind: Kind::Host, ..problem }
                .hint(ics_setup("status"))
                .hint_command(ics_setup(text!("revert {}", own(&begin.run))))
                .leaving(HostState::Changed)
        }
    }
}

/// Folders that do not exist yet on the way to `folder`, outermost first.
fn missing_folders(host: &(impl HostRead + ?Sized), folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for folder in folder.ancestors() {
        if host.lstat(folder)?.is_some() {
            break;
        }
        missing.push(folder.to_path_buf());
    }
    missing.reverse();
    Ok(missing)
}

/// Is nothing in the folder any more once the plan is true?
fn empty_afterwards(host: &dyn HostWrite, plan: &Plan, folder: &Path) -> io::Result<bool> {
    let stays = |change: &Change| change.after.is_some() && change.real_path.starts_with(folder);
    if plan.changes.iter().any(stays) || plan.folder_modes.iter().any(|(own, _)| own.starts_with(folder)) {
        return Ok(false);
    }
    for path in host.list(folder)?.into_iter().map(|name| folder.join(name)) {
        let goes = plan.changes.iter().any(|change| change.real_path == path && change.after.is_none());
        if !goes && (!plan.idle_folders.contains(&path) || !empty_afterwards(host, plan, &path)?) {
            return Ok(false);
        }
    }
    Ok(true)
}
