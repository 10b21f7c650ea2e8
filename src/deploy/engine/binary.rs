//! A Compose that is of no package: from `--compose-binary`, or from the bundle.

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::super::made::{Made, Program};
use super::super::task::Task;
use crate::checksum;
use crate::docker::{ComposeProgram, Generation, compose_program};
use crate::host::{HostRead, HostWrite};
use crate::problem::{Problem, copy_of, id};
use crate::text;
use crate::text::{Foreign, Text, own, quoted, typed};
use crate::vendor::Vendor;

/// Architectures by Rust's word and by the number in a program's header (ELF `e_machine`: elf.h).
const MACHINES: [(&str, u16); 5] = [("x86_64", 62), ("aarch64", 183), ("x86", 3), ("arm", 40), ("riscv64", 243)];

/// A program with the checksum that it has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// Where it is on this machine.
    pub(crate) path: PathBuf,
    /// Its checksum, lower case.
    pub(crate) sha256: String,
}

/// Where it goes: the path that the vendor's files name, which serves for either generation.
pub(super) fn place() -> Option<&'static Path> {
    Vendor::get().compose.programs.first().map(PathBuf::as_path)
}

/// What is known of it before anything is written: it is a program of this machine, its place is free, and it is the one that is
/// meant.
///
/// # Errors
/// `compose-refused`.
pub(super) fn prove(host: &dyn HostRead, given: &Given) -> Result<(), Problem> {
    fits(host, given)?;
    is_whole(given)
}

/// Is it the program that is meant, for this machine (Rust's word)?
///
/// # Errors
/// `compose-refused`.
pub(crate) fn is_meant(given: &Given, machine: &str) -> Result<(), Problem> {
    is_for(given, machine)?;
    is_whole(given)
}

fn is_whole(given: &Given) -> Result<(), Problem> {
    match checksum::of(&given.path, |_| Ok(())) {
        Ok(sum) if sum == given.sha256 => Ok(()),
        Ok(sum) => Err(another(given, &sum)),
        Err(error) => Err(refused(given, text!("it cannot be read: {}", error))),
    }
}

/// All of that but its checksum: where it goes.
fn fits(host: &dyn HostRead, given: &Given) -> Result<&'static Path, Problem> {
    is_for(given, std::env::consts::ARCH)?;
    let Some(place) = place() else { return Err(Problem::bug("no place for Compose is known")) };
    match host.lstat(place) {
        Ok(None) => Ok(place),
        Ok(Some(_)) => Err(refused(given, text!("{} is there already, and does not serve", place))
            .hint(text!("look at it: {}", typed(text!("ls -l {}", place))))),
        Err(error) => Err(refused(given, text!("{} cannot be looked at: {}", place, error))),
    }
}

fn is_for(given: &Given, machine: &str) -> Result<(), Problem> {
    unfit(&given.path, machine).map_or(Ok(()), |why| {
        Err(refused(given, why).hint(text!(
            "name the file of the release page that is for this machine: {}",
            typed("--compose-binary <FILE> --compose-sha256 <HEX>")
        )))
    })
}

fn refused(given: &Given, why: Text) -> Problem {
    Problem::host(id::COMPOSE_REFUSED, text!("{} cannot be installed as Compose", given.path.display())).because(why)
}

fn another(given: &Given, sum: &str) -> Problem {
    refused(given, text!("its SHA-256 is {}, and {} was asked for", own(sum), own(&given.sha256)))
        .hint("bring it anew: it is not whole, or another; the page of its release has its checksum")
}

/// Why a file is no program for an architecture (Rust's word), by its first bytes.
pub(crate) fn unfit(path: &Path, wanted: &str) -> Option<Text> {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(20).read_to_end(&mut head));
    if let Err(error) = read {
        return Some(text!("it cannot be read: {}", error));
    }
    let (Some(b"\x7fELF"), Some(&order), Some(&machine)) =
        (head.first_chunk::<4>(), head.get(5), head.get(18..20).and_then(<[u8]>::first_chunk::<2>))
    else {
        return Some("it is no program: it does not begin as one".into());
    };
    let machine = if order == 2 { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) };
    let whose = if wanted == std::env::consts::ARCH { "this host is" } else { "wanted is one for" };
    match MACHINES.iter().find(|(_, number)| *number == machine) {
        Some((name, _)) if *name == wanted => None,
        Some((name, _)) => Some(text!("it is a program for {}, and {} {}", own(name), own(whose), own(wanted))),
        None => {
            Some(text!("it is a program for another machine (ELF {}), and {} {}", machine, own(whose), own(wanted)))
        }
    }
}

/// Copies it to its place, once its checksum is right and it has told its release.
///
/// # Errors
/// `compose-refused`: it is not what it should be. Nothing of it stays.
pub(super) fn install(
    task: &mut Task<'_>,
    given: &Given,
    wanted: Option<Generation>,
    made: &mut Made,
) -> Result<ComposeProgram, Problem> {
    let host = task.host;
    let place = fits(host, given)?;
    let refused = |why: Text| refused(given, why);
    task.say(&text!("installing Compose from {} to {}", given.path.display(), place));
    let program = Program { path: place.to_owned(), sha256: given.sha256.clone() };
    made.note(host, |all| all.compose = Some(program.clone()))?;
    let installed = stage(host, given, place).and_then(|temporary| {
        let found = answering(host, &temporary, wanted);
        match &found {
            Ok(_) => host.rename(&temporary, place).map_err(|error| Why::Io(copy_of(&error)))?,
            Err(_) => drop(host.remove_file(&temporary)),
        }
        found
    });
    match installed {
        Ok(found) => Ok(ComposeProgram { argv: vec!["docker-compose".to_owned()], ..found }),
        Err(why) => {
            take_back(host, made)?;
            Err(match why {
                Why::Sum(sum) => another(given, &sum),
                Why::Io(error) => refused("it could not be copied".into()).caused_by(error),
                Why::Silent => refused("asked for its release, it does not answer".into())
                    .hint_command(typed(text!("{} version --short", own(quoted(&given.path.to_string_lossy()))))),
                Why::Other(version) => refused(text!(
                    "it is Compose {}, and the containers of this product were made by the other generation",
                    Foreign::new(version)
                )),
            })
        }
    }
}

/// Takes the Compose of `made` away, unless somebody has put another in its place; where it was.
///
/// # Errors
/// It cannot be removed, or the state folder cannot be written.
pub(crate) fn take_back(host: &dyn HostWrite, made: &mut Made) -> Result<Option<PathBuf>, Problem> {
    let Some(program) = made.compose.clone() else { return Ok(None) };
    // A program is not read at once: it is large, and a live host's path is this machine's.
    let same = checksum::of(&host.shown(&program.path), |_| Ok(())).is_ok_and(|sum| sum == program.sha256);
    if same {
        host.remove_file(&program.path).map_err(|error| {
            Problem::host(id::WRITE_FAILED, text!("{} could not be removed", program.path.display())).caused_by(error)
        })?;
    }
    made.note(host, |all| all.compose = None)?;
    Ok(same.then_some(program.path))
}

enum Why {
    Sum(String),
    Io(io::Error),
    Silent,
    Other(String),
}

/// A copy beside its place; it is only whole when its checksum is right.
fn stage(host: &dyn HostWrite, given: &Given, place: &Path) -> Result<PathBuf, Why> {
    let temporary = place.with_file_name(".docker-compose.ics-setup");
    let copy = || {
        match host.remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = host.create(&temporary, 0o755)?;
        let sum = checksum::of(&given.path, |bytes| file.write_all(bytes))?;
        file.set_mode(0o755)?;
        file.sync()?;
        Ok(sum)
    };
    let copied = copy();
    match copied {
        Ok(sum) if sum == given.sha256 => Ok(temporary),
        Ok(sum) => {
            // What stays of it is in nobody's way, and the next attempt removes it.
            let _ = host.remove_file(&temporary);
            Err(Why::Sum(sum))
        }
        Err(error) => {
            let _ = host.remove_file(&temporary);
            Err(Why::Io(error))
        }
    }
}

fn answering(host: &dyn HostWrite, program: &Path, wanted: Option<Generation>) -> Result<ComposeProgram, Why> {
    let path = program.to_string_lossy().into_owned();
    let found = compose_program(host, &[path.as_str()]).ok_or(Why::Silent)?;
    match wanted {
        Some(wanted) if wanted != found.generation => Err(Why::Other(found.version)),
        _ => Ok(found),
    }
}
