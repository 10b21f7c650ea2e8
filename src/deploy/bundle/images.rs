//! Images of this host, and archives of them.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::deploy::LOOK;
use crate::deploy::fetch::{self, progress};
use crate::deploy::task::{Task, Told, cancelled};
use crate::deploy::words::last_lines;
use crate::docker::{self, repository_and_tag};
use crate::host::{Command, HostRead, Watch};
use crate::net::Time;
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Foreign, Text, own, quoted, typed};

/// An engine writes an archive for itself before it hands on the first byte, so that nothing comes for a while.
const IDLE: Duration = Duration::from_secs(900);

/// No archive takes longer.
const WHOLE: Duration = Duration::from_secs(24 * 3600);

/// An image that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) digest: Option<String>,
    pub(super) architecture: String,
    /// Unpacked, which is about what its archive takes.
    pub(super) bytes: u64,
}

/// `docker image inspect`, on one line.
const INSPECT: &str = "{\"id\":{{json .Id}},\"architecture\":{{json .Architecture}},\"bytes\":{{json .Size}},\"digests\":{{json .RepoDigests}}}";

#[derive(Deserialize)]
struct Said {
    id: String,
    architecture: String,
    bytes: u64,
    digests: Option<Vec<String>>,
}

/// Looks at an image; `None`: it is not here.
pub(super) fn look(host: &dyn HostRead, name: &str) -> Result<Option<Image>, Problem> {
    if fetch::missing(host, &[name.to_owned()])?.is_empty() {
        let silent =
            |why: Text| Problem::host(id::DOCKER_SILENT, text!("Docker does not tell of {}", name)).because(why);
        let output = docker::run(host, Time::new(LOOK, LOOK), &["image", "inspect", "--format", INSPECT, name])
            .map_err(|error| silent(error.why()))?;
        let said: Said = serde_json::from_slice(&output.stdout)
            .map_err(|error| silent(text!("its answer cannot be read: {}", own(error))))?;
        let (repository, _) = repository_and_tag(name);
        let digest = said.digests.into_iter().flatten().find_map(|known| {
            let (of, digest) = known.split_once('@')?;
            (of == repository).then(|| digest.to_owned())
        });
        let Said { id, architecture, bytes, .. } = said;
        return Ok(Some(Image { name: name.to_owned(), id, digest, architecture, bytes }));
    }
    Ok(None)
}

/// The names of those that are here.
pub(super) fn look_at_all(host: &dyn HostRead, names: &[String]) -> Result<Vec<String>, Problem> {
    let absent = fetch::missing(host, names)?;
    Ok(names.iter().filter(|name| !absent.contains(name)).cloned().collect())
}

/// Takes the names of images for another processor away from this host: what is started here by them would end at once.
pub(super) fn forget<'n>(host: &dyn HostRead, names: impl Iterator<Item = &'n String>) {
    for name in names {
        // One that is in use by now is somebody's.
        let _ = docker::run(host, Time::new(LOOK, LOOK), &["image", "rm", name]);
    }
}

/// Writes the archive of an image to a path whose folder nobody else writes to.
///
/// # Errors
/// Docker could not, or was cancelled.
pub(super) fn save(task: &mut Task<'_>, image: &Image, path: &Path, engine: &str) -> Result<(), Problem> {
    let size = own(progress::shown(image.bytes));
    task.say(&text!("saving {}, {}", image.name, size.clone()));
    let folder = path.parent().unwrap_or(Path::new("/"));
    let before = written(folder);
    let (seen, further, stalled) = (Cell::new(0), Cell::new(Instant::now()), Cell::new(false));
    let Task { host, tell, stop } = task;
    let tell = RefCell::new(tell);
    // The docker client says nothing meanwhile: what it has written tells.
    let watched = || {
        let bytes = written(folder).saturating_sub(before);
        if bytes > seen.get() {
            seen.set(bytes);
            further.set(Instant::now());
            let line = text!("{} of {}", own(progress::shown(bytes)), size.clone());
            (*tell.borrow_mut())(Told::Moving(&line));
        }
        stalled.set(further.get().elapsed() >= IDLE);
        stalled.get() || stop()
    };
    let shown = path.display().to_string();
    let argv = ["docker", "save", "-o", &shown, &image.name];
    let command = Command { deadline: WHOLE, ..Command::new(argv) };
    let output = host.follow(&command, &Watch::patient(WHOLE, &watched), &mut |_| true);
    let failed = || Problem::host(id::SAVE_FAILED, text!("{} could not be saved", image.name));
    match output {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => {
            let printed = last_lines(&output.stderr, 2);
            let words = text!("docker save: {}", Foreign::new(docker::text::shown(&printed, 300)));
            // Words of the daemon are about its own disk, all others about the folder.
            let full = |place: Text| {
                let message = text!("{} is full: {} could not be saved", place, image.name);
                Problem::host(id::DISK_FULL, message).because(words.clone())
            };
            Err(match printed.contains("no space left on device") {
                true if printed.contains("Error response from daemon") => full(text!("the disk of {}", own(engine)))
                    .hint(text!(
                        "the engine writes an archive for itself first; see what takes the room: {}",
                        typed("docker system df")
                    )),
                true => full(text!("the disk of {}", folder.parent().unwrap_or(folder)))
                    .hint("name a folder on a larger disk"),
                false if printed.contains("file too large") => failed()
                    .because(words.clone())
                    .hint("a file system such as FAT32 ends at 4 GB a file: use exFAT, ext4 or NTFS"),
                false => failed()
                    .because(words.clone())
                    .hint_command(typed(text!("docker save {} | wc -c", own(quoted(&image.name))))),
            })
        }
        Err(_) if stalled.get() => {
            Err(failed().because(text!("it came no further for {} min", own(IDLE.as_secs() / 60))))
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            Err(cancelled(text!("cancelled while {} was saved", image.name)))
        }
        Err(error) => Err(failed().caused_by(error)),
    }
}

/// Bytes of all files of a folder.
fn written(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // One that is renamed just now is counted at the next look.
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
