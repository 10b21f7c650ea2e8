//! Programs that a bundle has: a Compose that any host of its kind can run, and this program.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Order;
use crate::build::VERSION;
use crate::checksum;
use crate::deploy::engine::{self, Wish};
use crate::docker::compose_program;
use crate::host::HostRead;
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Foreign, Text, own};
use crate::vendor::Vendor;

/// This program as the kernel knows it, also where an update has taken its file's name.
const OURSELVES: &str = "/proc/self/exe";

/// A program to be copied.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    pub(super) bytes: u64,
    /// Its release, where it has told.
    pub(super) version: Option<String>,
    /// What it is.
    name: &'static str,
}

impl Program {
    fn of(path: &Path, name: &'static str, version: Option<String>) -> io::Result<Self> {
        let sha256 = checksum::of(path, |_| Ok(()))?;
        let bytes = std::fs::metadata(path)?.len();
        Ok(Self { path: path.to_path_buf(), sha256, bytes, version, name })
    }

    /// Half a sentence.
    pub(super) fn told(&self) -> Text {
        let version = match &self.version {
            Some(version) => text!("{} {}", own(self.name), Foreign::new(version)),
            None => text!("{}, which could not be asked for its release here", own(self.name)),
        };
        if self.path == Path::new(OURSELVES) { version } else { text!("{}, from {}", version, self.path) }
    }
}

/// The Compose that was named, else one of this host that any host can run; or why there is none.
pub(super) fn compose(host: &dyn HostRead, wish: &Wish, order: &Order<'_>) -> Result<Result<Program, Text>, Problem> {
    let unread =
        |path: &Path, error| Problem::host(id::COMPOSE_REFUSED, text!("{} could not be read", path)).caused_by(error);
    let ask = |path: &Path| compose_program(host, &[&path.to_string_lossy()]).map(|found| found.version);
    if let Some(given) = &wish.binary {
        engine::is_meant(given, order.machine())?;
        let version = if order.is_for_here() { ask(&given.path) } else { None };
        return Program::of(&given.path, "Compose", version).map(Ok).map_err(|error| unread(&given.path, error));
    }
    if !order.is_for_here() {
        return Ok(Err(text!("those of this host are for its own processor, not for {}", own(order.machine()))));
    }
    let mut why = None;
    let places = &Vendor::get().compose;
    for path in places.plugins.iter().chain(&places.programs).filter(|path| !matches!(host.lstat(path), Ok(None))) {
        let unfit = match (engine::unfit(path, order.machine()), is_static(path)) {
            (Some(_), _) => text!("this host's own, {}, is a script that runs here alone", path),
            (None, Err(error)) => text!("{} cannot be read: {}", path, error),
            (None, Ok(false)) => text!("this host's own, {}, needs its libraries, which another may not have", path),
            (None, Ok(true)) => match ask(path) {
                Some(version) => {
                    return Program::of(path, "Compose", Some(version)).map(Ok).map_err(|error| unread(path, error));
                }
                None => text!("{} does not answer when it is asked for its release", path),
            },
        };
        why = why.or(Some(unfit));
    }
    Ok(Err(why.unwrap_or_else(|| "this host has none either".into())))
}

/// The name of this program in a bundle.
pub(super) fn name(machine: &str) -> String {
    format!("ics-setup-{machine}")
}

/// This program, for the other host's processor; or why it is not there.
pub(super) fn ourselves(order: &Order<'_>) -> Result<Result<Program, Text>, Problem> {
    let refused = |path: &Path, why: Text| {
        let message = text!("--program: {} is not this program for {}", path, own(order.machine()));
        Problem::settings(id::SETTING_INVALID, message).because(why)
    };
    match order.program {
        Some(path) => {
            if let Some(why) = engine::unfit(path, order.machine()) {
                return Err(refused(path, why));
            }
            Program::of(path, "ics-setup", None).map(Ok).map_err(|error| refused(path, text!("{}", error)))
        }
        None if order.is_for_here() => Program::of(Path::new(OURSELVES), "ics-setup", Some(VERSION.to_owned()))
            .map(Ok)
            .map_err(|error| Problem::host(id::UNREADABLE, "this program could not read itself").caused_by(error)),
        None => Ok(Err(text!("this one is for {}", own(std::env::consts::ARCH)))),
    }
}

/// Does a program of 64 bits name no loader of libraries (`PT_INTERP`: elf.h)?
fn is_static(path: &Path) -> io::Result<bool> {
    let mut file = std::fs::File::open(path)?;
    let mut head = [0_u8; 64];
    file.read_exact(&mut head)?;
    let is_known = head[4] == 2 && head[5] == 1;
    let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let begin = u64::from_le_bytes([32, 33, 34, 35, 36, 37, 38, 39].map(|at| head[at]));
    let (size, count) = (word(54), word(56));
    if !is_known || size < 4 {
        return Ok(false);
    }
    for number in 0..count {
        file.seek(SeekFrom::Start(begin.saturating_add(u64::from(number) * u64::from(size))))?;
        let mut kind = [0_u8; 4];
        file.read_exact(&mut kind)?;
        if u32::from_le_bytes(kind) == 3 {
            return Ok(false);
        }
    }
    Ok(true)
}
