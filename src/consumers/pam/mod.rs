//! The doors through which a user gets an environment, by their files: PAM's stacks, sshd, sudo, cron.
//!
//! What users have in their homes (`.pam_environment`, `.ssh/environment`) is read where the host's configuration says so.
//!
//! | module | what it does |
//! | --- | --- |
//! | `stack` | the modules of a PAM service that a login passes |
//! | `env` | `pam_env.so` with its arguments and its own configuration |
//! | `sshd` | what sshd adds, and whether it asks PAM |
//! | `sudo` | what sudoers let through |
//! | `cron` | the variables of crontabs |

pub(crate) mod cron;
pub(crate) mod env;
pub(crate) mod sshd;
mod stack;
pub(crate) mod sudo;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use super::look;
use super::sight::{Sight, Sights, Stop};
use crate::envfile::shell::{User, obstacles};
use crate::envfile::{PamLimit, PamLines};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::text;
use crate::text::own;

use stack::Reached;

pub(super) use stack::OTHER;

pub(super) use super::FOLLOWED as NAMES;

/// Modules that run what others have written, and may set anything.
const ANYTHING: [&str; 2] = ["pam_python.so", "pam_script.so"];

/// Lines that are shorter fit the buffer of every linux-pam, so its release need not be looked up.
const FITS_EVERY_PAM: usize = 1000;

/// What the stacks of a service (`su`, `su-l`, `sshd`, `login`, `sudo`, `cron`) give to a login that succeeds.
pub(crate) fn environment(pam: &Pam<'_>, service: &str) -> Sights {
    look(pam, service).unwrap_or_else(|stop| stop.sights(&NAMES))
}

/// Is there a stack for this service?
///
/// # Errors
/// It cannot be looked at.
pub(super) fn has_stack(host: &dyn HostRead, service: &str) -> Result<bool, Stop> {
    for folder in stack::FOLDERS {
        if look::kind(host, &Path::new(folder).join(service))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// linux-pam's reader of files.
pub(crate) struct Pam<'a> {
    pub(crate) host: &'a dyn HostRead,
    /// Tells how long a line the host's linux-pam can bear.
    pub(crate) platform: Option<&'a Platform>,
    /// Who logs in; `None`: anybody.
    pub(crate) user: Option<&'a User>,
    /// Read where there is neither the service's stack nor `other`.
    pub(crate) stock: Option<&'static str>,
    /// Has `/etc/environment` been read?
    pub(crate) reads_environment: Cell<bool>,
}

impl<'a> Pam<'a> {
    /// For anybody, without a stack to be taken for granted.
    pub(crate) fn new(host: &'a dyn HostRead, platform: Option<&'a Platform>) -> Self {
        Self { host, platform, user: None, stock: None, reads_environment: Cell::new(false) }
    }

    /// A file of the user's home, read with the user's rights; `None`: it is not there, or closed to the user.
    fn of_home(&self, user: &User, name: &str) -> Result<Option<PathBuf>, Stop> {
        let path = user.home.join(name);
        Ok((look::kind(self.host, &path)?.is_some() && obstacles(self.host, user, &path, false).is_empty())
            .then_some(path))
    }

    /// A file's lines; `None`: there is no such file.
    fn lines(&self, path: &Path) -> Result<Option<PamLines>, Stop> {
        let Some(bytes) = look::read(self.host, path)? else { return Ok(None) };
        // What is continued after a blank or comment line differs by release, too.
        let differs = |line: &[u8]| line.len() > FITS_EVERY_PAM || line.trim_ascii_end().ends_with(b"\\");
        let limit = match self.platform {
            Some(platform) if bytes.split(|byte| *byte == b'\n').any(differs) => platform.pam_limit(self.host).limit,
            _ => PamLimit::None,
        };
        Ok(Some(PamLines::read(&bytes, limit)))
    }

    /// The same for files whose meaning changes with a line that is lost.
    fn whole_lines(&self, path: &Path) -> Result<Option<PamLines>, Stop> {
        let read = self.lines(path)?;
        match read.as_ref().and_then(|read| read.lost) {
            Some(line) => Err(Stop::line(path, line, "PAM does not read the line as it stands")),
            None => Ok(read),
        }
    }
}

/// What there was, and over it what PAM gives: whoever starts a program takes over what PAM has, and what it has forgotten stays
/// as it was.
pub(super) fn over(mut base: Sights, stack: Sights) -> Sights {
    for (name, sight) in stack {
        match sight {
            Sight::Unset { .. } => _ = base.entry(name).or_insert(sight),
            sight => _ = base.insert(name, sight),
        }
    }
    base
}

fn look(pam: &Pam<'_>, service: &str) -> Result<Sights, Stop> {
    let mut sights = Sights::new();
    for (module, reached) in stack::load(pam, service)? {
        let before = sights.clone();
        if module.name == "pam_env.so" {
            env::apply(pam, &module.arguments, &module.at, &mut sights)?;
        } else if ANYTHING.contains(&module.name.as_str()) {
            let why = text!("{} may set anything", own(&module.name));
            sights = Sight::unknown(&module.at, why).of_all(&NAMES);
        }
        if reached == Reached::Perhaps {
            let differs = |name: &&str| before.get(*name) != sights.get(*name);
            for name in NAMES.into_iter().filter(differs).collect::<Vec<_>>() {
                let why = "whether a login comes to this line depends on a module before it".into();
                sights.insert(name.to_owned(), Sight::Unknown { at: module.at.clone(), why });
            }
        }
    }
    Ok(sights)
}
