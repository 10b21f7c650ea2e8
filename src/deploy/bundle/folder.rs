//! The folder of a bundle: nobody else's files, and whole or without its list of checksums.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Content, Manifest, PROD_ENV, Piece, images, manifest, told};
use crate::checksum::{self, LIST};
use crate::deploy::engine::IN_BUNDLE;
use crate::deploy::fetch::progress::shown;
use crate::deploy::task::{Task, cancelled};
use crate::docker::Server;
use crate::docker::compose::USUAL;
use crate::host::{FileKind, HostWrite, LockGuard};
use crate::problem::{Problem, copy_of, id};
use crate::text;
use crate::text::{Text, own};

/// Where files come into being, on the same file system.
const MAKING: &str = ".ics-setup-bundle";

/// Who works on the folder, within that.
const LOCK: &str = "lock";

/// What the tar of an archive adds, and what file systems round up.
const MARGIN: u64 = 64 << 20;

/// A folder that may become a bundle.
pub(super) struct Ground<'h> {
    host: &'h dyn HostWrite,
    pub(super) path: PathBuf,
    is_there: bool,
}

impl<'h> Ground<'h> {
    /// Looks whose it is: it has to be absent, empty, or a bundle that was made here before, whole or not.
    ///
    /// # Errors
    /// It is somebody's, or cannot come into being.
    pub(super) fn look(host: &'h dyn HostWrite, folder: &Path) -> Result<Self, Problem> {
        let wrong = |message: Text| Problem::settings(id::SETTING_INVALID, message);
        let path = std::path::absolute(folder)
            .map_err(|error| wrong(text!("{} is no name of a folder", folder)).caused_by(error))?;
        let unread = |error: io::Error| {
            let problem = wrong(text!("{} cannot be looked at", path)).caused_by(error);
            problem.hint("name a folder that you may write to, or run the same with sudo")
        };
        let stat = host.lstat(&path).map_err(unread)?;
        let is_there = stat.is_some();
        // A link to a folder is where somebody has mounted it.
        if stat.is_some_and(|stat| !matches!(stat.kind, FileKind::Dir | FileKind::Symlink)) || path.is_file() {
            return Err(wrong(text!("{} is a file, and a bundle is a folder", path)));
        }
        if !is_there {
            let parent = path.parent().unwrap_or(Path::new("/"));
            if !parent.is_dir() {
                return Err(wrong(text!("there is no folder {} for {} to be made in", parent, path))
                    .hint("mount the disk that it is to be on, or make the folder first"));
            }
            return Ok(Self { host, path, is_there });
        }
        let names = host.list(&path).map_err(unread)?;
        let names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let is_ours = Manifest::of(&path).is_some() || names.iter().any(|name| name == MAKING);
        let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| !is_ours || !is_own(name)).collect();
        if let Some(first) = others.first() {
            let more = if others.len() > 1 { text!(" and {} more", others.len() - 1) } else { Text::default() };
            return Err(wrong(text!("{} has something else in it: {}{}", path, *first, more))
                .because("a bundle is made in a new or empty folder, or in one that bundle create has made")
                .hint(text!("name a new folder: {}", super::word(&path.join("bundle")))));
        }
        Ok(Self { host, path, is_there })
    }

    /// Begins to work in it.
    ///
    /// # Errors
    /// It cannot be written to, or another run works in it.
    pub(super) fn open(self) -> Result<Folder<'h>, Problem> {
        let Self { host, ref path, is_there } = self;
        let making = path.join(MAKING);
        let unwritable = |error: io::Error| {
            let message = text!("{} cannot be written to by this user", path);
            let problem = Problem::settings(id::FILE_UNWRITABLE, message).caused_by(error);
            problem.hint("name a folder that you may write to, or run the same with sudo")
        };
        for (folder, is_there) in [(path, is_there), (&making, false)] {
            if !is_there {
                made(host, folder).map_err(unwritable)?;
            }
        }
        let lock = host.try_lock(&making.join(LOCK)).map_err(unwritable)?;
        let Some(lock) = lock else {
            let who = crate::apply::held(host, &making.join(LOCK));
            return Err(Problem::host(id::LOCKED, text!("another run makes the bundle {} at this moment", path))
                .because(who)
                .hint("wait for its end, then run the same again"));
        };
        let folder = Folder { host, path: path.clone(), made: !is_there, publishing: Cell::new(false), _lock: lock };
        // What a run that was killed has left is made anew.
        folder.sweep().map_err(unwritable)?;
        Ok(folder)
    }
}

/// Makes a folder. File systems of other systems have no modes, and then it is there all the same.
fn made(host: &dyn HostWrite, folder: &Path) -> io::Result<()> {
    match host.create_dir(folder, 0o755) {
        Err(error) if !folder.is_dir() => Err(error),
        _ => Ok(()),
    }
}

/// Is it the name of something that a bundle may have?
fn is_own(name: &str) -> bool {
    let archive = name.starts_with("images-") && name.ends_with(".tar");
    let known = [LIST, USUAL, PROD_ENV, IN_BUNDLE, manifest::NAME, told::CONTENTS, MAKING];
    archive || name.starts_with("ics-setup-") || known.contains(&name)
}

/// A folder that is worked in.
pub(super) struct Folder<'h> {
    host: &'h dyn HostWrite,
    pub(super) path: PathBuf,
    /// By this run.
    made: bool,
    /// The old list of checksums is gone, and the new one not there yet.
    publishing: Cell<bool>,
    _lock: Box<dyn LockGuard + 'h>,
}

impl Folder<'_> {
    /// Makes the folder have these files; did it not before?
    ///
    /// # Errors
    /// No room, no archive, or a file that cannot be written.
    pub(super) fn converge(&self, task: &mut Task<'_>, pieces: &[Piece], server: &Server) -> Result<bool, Problem> {
        let old_list = std::fs::read(self.path.join(LIST)).unwrap_or_default();
        let there = self.verified(task, &old_list)?;
        let old = Manifest::of(&self.path);
        let is_kept = |piece: &&Piece| match (&piece.content, there.get(&piece.name)) {
            (_, None) => false,
            (Content::Archive(image), Some(_)) => {
                let known = old.as_ref().and_then(|old| old.image(&piece.name));
                image.as_ref().zip(known).is_some_and(|(image, known)| {
                    (&image.name, &image.id, &image.architecture) == (&known.name, &known.id, &known.architecture)
                })
            }
            (content, Some(sum)) => content.sum().as_ref() == Some(sum),
        };
        let (kept, new): (Vec<&Piece>, Vec<&Piece>) = pieces.iter().partition(is_kept);
        self.has_room(&new)?;
        let mut sums: BTreeMap<&str, String> =
            kept.iter().filter_map(|piece| Some((piece.name.as_str(), there.get(&piece.name)?.clone()))).collect();
        for piece in &new {
            sums.insert(&piece.name, self.make(task, piece, server)?);
        }
        let list: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        let surplus = self.surplus(pieces)?;
        if new.is_empty() && surplus.is_empty() && list.as_bytes() == old_list {
            return Ok(false);
        }
        self.write(LIST, list.as_bytes(), 0o644).map_err(|error| self.unwritten(LIST, error))?;
        self.publish(&new, &surplus).map_err(|(name, error)| self.unwritten(&name, error))?;
        Ok(true)
    }

    /// Files that are what the list of checksums says.
    fn verified(&self, task: &mut Task<'_>, list: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
        let mut found = BTreeMap::new();
        let list = String::from_utf8_lossy(list).into_owned();
        if !list.is_empty() {
            task.say(&text!("checking the bundle that is in {}", self.path));
        }
        let stop = task.stop;
        for (name, right) in checksum::lines(&list).flatten().filter(|(name, _)| is_own(name)) {
            match checksum::of(
                &self.path.join(name),
                |_| if stop() { Err(ErrorKind::Interrupted.into()) } else { Ok(()) },
            ) {
                Ok(sum) if sum.eq_ignore_ascii_case(right) => drop(found.insert(name.to_owned(), sum)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    return Err(cancelled("cancelled while the bundle that is there was checked"));
                }
                // Made anew.
                _ => {}
            }
        }
        Ok(found)
    }

    fn has_room(&self, new: &[&Piece]) -> Result<(), Problem> {
        let need: u64 = new.iter().filter_map(|piece| piece.content.bytes()).sum();
        // Where it cannot be told, the copy tells.
        let Ok(space) = self.host.space(&self.path) else { return Ok(()) };
        if need == 0 || space.free >= need.saturating_add(MARGIN) {
            return Ok(());
        }
        let message = text!("there is no room for the bundle in {}", self.path);
        Err(Problem::host(id::BUNDLE_ROOM, message)
            .because(text!("it needs {}, and {} are free there", own(shown(need + MARGIN)), own(shown(space.free))))
            .hint("name a folder on a larger disk"))
    }

    /// One file, within the folder in which files come into being: its checksum.
    fn make(&self, task: &mut Task<'_>, piece: &Piece, server: &Server) -> Result<String, Problem> {
        let path = self.path.join(MAKING).join(&piece.name);
        let failed = |error: io::Error| self.unwritten(&piece.name, error);
        match &piece.content {
            Content::Bytes(bytes) => {
                self.write(&piece.name, bytes, piece.mode).map_err(failed)?;
                Ok(checksum::of_bytes(bytes))
            }
            Content::Copy(program) => {
                task.say(&text!("copying {}", program.told()));
                let stop = task.stop;
                let mut file = self.host.create(&path, piece.mode).map_err(failed)?;
                let sum = checksum::of(&program.path, |bytes| {
                    if stop() { Err(ErrorKind::Interrupted.into()) } else { file.write_all(bytes) }
                });
                match sum.and_then(|sum| file.sync().map(|()| sum)) {
                    Ok(sum) if sum == program.sha256 => {
                        // File systems of other systems have no modes.
                        let _ = file.set_mode(piece.mode);
                        Ok(sum)
                    }
                    Ok(_) => Err(self.unwritten(&piece.name, io::Error::other("it changed while it was copied"))),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {
                        Err(cancelled(text!("cancelled while {} was copied", piece.name)))
                    }
                    Err(error) => Err(failed(error)),
                }
            }
            Content::Archive(image) => {
                let image = image.as_ref().ok_or_else(|| Problem::bug("an archive of an image that is not here"))?;
                images::save(task, image, &path, &server.root)?;
                let mut file = self.host.append(&path).map_err(failed)?;
                let _ = file.set_mode(piece.mode);
                file.sync().map_err(failed)?;
                let stop = task.stop;
                let each = |_: &[u8]| if stop() { Err(ErrorKind::Interrupted.into()) } else { Ok(()) };
                checksum::of(&path, each).map_err(|error| match error.kind() {
                    ErrorKind::Interrupted => cancelled(text!("cancelled while {} was read back", piece.name)),
                    _ => failed(error),
                })
            }
        }
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut file = self.host.create(&self.path.join(MAKING).join(name), mode)?;
        file.write_all(bytes)?;
        let _ = file.set_mode(mode);
        file.sync()
    }

    /// Files of an earlier bundle that this one has not.
    fn surplus(&self, pieces: &[Piece]) -> Result<Vec<String>, Problem> {
        let names = self.host.list(&self.path).map_err(|error| self.unwritten(LIST, error))?;
        let names = names.into_iter().map(|name| name.to_string_lossy().into_owned());
        let is_kept = |name: &String| name == LIST || name == MAKING || pieces.iter().any(|piece| piece.name == *name);
        // Whatever has come into it meanwhile is somebody's.
        Ok(names.filter(|name| is_own(name) && !is_kept(name)).collect())
    }

    /// From the end of the old list to the beginning of the new one there is no bundle.
    fn publish(&self, new: &[&Piece], surplus: &[String]) -> Result<(), (String, io::Error)> {
        let host = self.host;
        fn at(name: &str) -> impl FnOnce(io::Error) -> (String, io::Error) + '_ {
            move |error| (name.to_owned(), error)
        }
        self.publishing.set(true);
        self.remove(&self.path.join(LIST)).map_err(at(LIST))?;
        host.sync_dir(&self.path).map_err(at(LIST))?;
        for name in surplus {
            self.remove(&self.path.join(name)).map_err(at(name))?;
        }
        for piece in new {
            let name = piece.name.as_str();
            host.rename(&self.path.join(MAKING).join(name), &self.path.join(name)).map_err(at(name))?;
        }
        host.sync_dir(&self.path).map_err(at(LIST))?;
        host.rename(&self.path.join(MAKING).join(LIST), &self.path.join(LIST)).map_err(at(LIST))?;
        host.sync_dir(&self.path).map_err(at(LIST))?;
        self.publishing.set(false);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.host.remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whatever lies where files come into being.
    fn sweep(&self) -> io::Result<()> {
        let making = self.path.join(MAKING);
        for name in self.host.list(&making)?.into_iter().filter(|name| *name != LOCK) {
            self.remove(&making.join(name))?;
        }
        Ok(())
    }

    /// The work is done. What stays of the other folder is in nobody's way.
    pub(super) fn close(self) {
        let making = self.path.join(MAKING);
        let _ =
            self.sweep().and_then(|()| self.remove(&making.join(LOCK))).and_then(|()| self.host.remove_dir(&making));
    }

    /// It is over: a folder that was made for it goes, and an earlier bundle is as it was, or no bundle any more.
    pub(super) fn give_up(self, problem: Problem) -> Problem {
        let (broken, made, path, host) = (self.publishing.get(), self.made, self.path.clone(), self.host);
        if broken {
            return problem.hint(text!("{} has no {} until the same command has come to its end", path, own(LIST)));
        }
        self.close();
        if made {
            // Another may have put something into it by now.
            let _ = host.remove_dir(&path);
        }
        problem
    }

    fn unwritten(&self, name: &str, error: io::Error) -> Problem {
        let (path, why) = (self.path.join(name), copy_of(&error));
        if error.kind() == ErrorKind::StorageFull {
            let message = text!("the disk of {} is full: {} could not be written", self.path, name);
            return Problem::host(id::DISK_FULL, message).caused_by(why).hint("name a folder on a larger disk");
        }
        Problem::host(id::WRITE_FAILED, text!("{} could not be written", path)).caused_by(why)
    }
}
