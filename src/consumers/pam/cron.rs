//! What cron jobs get: the stack of cron's service, and the variables of crontabs, which outrank it.
//!
//! Source: crontab(5), cron(8), `load_env` of cron's env.c, `build_env` of its do_command.c; Debian's cron 3.0pl1 and cronie
//! agree on all of it but the names of files.

use std::path::{Path, PathBuf};

use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::super::{ALL_NAMES, logins};
use super::NAMES;
use crate::host::{FileKind, HostRead};
use crate::platform::Platform;
use crate::system::accounts;
use crate::text;
use crate::text::Text;

/// What runs a job unless the crontab names another (crontab(5)).
const SHELL: &str = "/bin/sh";

/// Which of the two crons it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    Debian,
    Cronie,
}

/// cron of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    /// The file of its stack.
    pub(crate) stack: PathBuf,
    /// What a job gets whose crontab sets nothing.
    pub(crate) base: Sights,
    /// What the jobs of each crontab get, by file and user.
    pub(crate) crontabs: Vec<Crontab>,
}

/// The jobs of one user in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crontab {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whose jobs.
    pub(crate) user: String,
    /// What they get. Jobs of one file that differ: unknown, with the line that makes the difference.
    pub(crate) sights: Sights,
    /// Does the file set one of the names?
    pub(crate) sets: bool,
}

/// `None`: cron has neither a service of PAM nor a daemon, so it is not installed.
///
/// # Errors
/// A file that cannot be looked at, and why.
pub(crate) fn read(host: &dyn HostRead, platform: Option<&Platform>) -> Result<Option<Cron>, (PathBuf, Text)> {
    look(host, platform).map_err(|stop| (stop.at.path, stop.why))
}

fn look(host: &dyn HostRead, platform: Option<&Platform>) -> Result<Option<Cron>, Stop> {
    for (service, make) in [("cron", Make::Debian), ("crond", Make::Cronie)] {
        let (stack, daemon) = (Path::new("/etc/pam.d").join(service), Path::new("/usr/sbin").join(service));
        if look::kind(host, &stack)?.is_none() && look::kind(host, &daemon)?.is_none() {
            continue;
        }
        let base = super::environment(&super::Pam::new(host, platform), service);
        let mut crontabs = Vec::new();
        let mut system = vec![PathBuf::from("/etc/crontab")];
        system.extend(look::list(host, Path::new("/etc/cron.d"))?.into_iter().filter(|path| is_read(path, make)));
        for path in system {
            crontabs.extend(tables(host, &path, None, make, &base)?);
        }
        let folder = if make == Make::Debian { "/var/spool/cron/crontabs" } else { "/var/spool/cron" };
        for path in look::list(host, Path::new(folder))? {
            let user = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if look::kind(host, &path)? == Some(FileKind::File) && !user.starts_with('.') {
                crontabs.extend(tables(host, &path, Some(&user), make, &base)?);
            }
        }
        return Ok(Some(Cron { stack, base, crontabs }));
    }
    Ok(None)
}

/// The rule for names in /etc/cron.d: `run-parts(8)` for Debian's cron; cronie leaves out what editors and rpm leave behind.
fn is_read(path: &Path, make: Make) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match make {
        Make::Debian => name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
        Make::Cronie => {
            let left = [".rpmsave", ".rpmorig", ".rpmnew", "~"];
            !name.starts_with('.') && !name.starts_with('#') && !left.iter().any(|end| name.ends_with(end))
        }
    }
}

/// Does cron take a file of this mode, owner and number of names? `user`: whose crontab it is; `None`: a system one. Source:
/// `process_crontab` of database.c; Debian's measured with 3.0pl1-162: of a user's own it wants mode 0600, of a system one that
/// nobody else may write it; cronie for no right but that to read beside the owner's to write.
fn is_safe(host: &dyn HostRead, path: &Path, user: Option<&str>, make: Make) -> Result<bool, Stop> {
    let Some(stat) = look::stat(host, path)? else { return Ok(true) };
    // Files of an image that somebody else than root has laid out are root's there.
    let of_root = stat.uid == 0 || (!host.is_live() && stat.uid == host.euid());
    let is_owned = match user {
        None => of_root,
        Some(user) => of_root || uid(host, user)?.is_none_or(|uid| uid == stat.uid),
    };
    let (mode, named) = match (make, user) {
        (Make::Debian, Some(_)) => (stat.mode & 0o7777 == 0o600, stat.links == 1),
        (Make::Debian, None) => (stat.mode & 0o022 == 0, stat.links == 1),
        (Make::Cronie, _) => (stat.mode & 0o7533 == 0o400, user.is_none() || stat.links == 1),
    };
    Ok(mode && is_owned && named)
}

/// The number of a user of `/etc/passwd`; `None`: it is none of this file.
fn uid(host: &dyn HostRead, user: &str) -> Result<Option<u32>, Stop> {
    let passwd = look::read(host, Path::new(accounts::PASSWD))?.unwrap_or_default();
    Ok(accounts::users(&passwd).into_iter().find(|own| own.name == user).map(|own| own.uid))
}

/// The users with jobs in a file. A variable counts for the jobs that follow it.
fn tables(
    host: &dyn HostRead,
    path: &Path,
    user: Option<&str>,
    make: Make,
    base: &Sights,
) -> Result<Vec<Crontab>, Stop> {
    let Some(bytes) = look::read(host, path)? else { return Ok(Vec::new()) };
    if !is_safe(host, path, user, make)? {
        return Ok(Vec::new());
    }
    // What has no line end is no line: to Debian's cron nothing in the file is one then.
    let whole = match memchr::memrchr(b'\n', &bytes) {
        Some(end) if make == Make::Cronie || end + 1 == bytes.len() => &bytes[..end],
        _ => return Ok(Vec::new()),
    };
    let text = String::from_utf8_lossy(whole);
    let mut now = base.clone();
    let mut shell = (SHELL.to_owned(), Place::new(path, 0));
    let mut own = false;
    let mut found: Vec<Crontab> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = Place::new(path, index + 1);
        if let Some((name, value)) = assignment(line) {
            if name == "SHELL" {
                shell = (value, at);
            } else if let Some(name) = NAMES.into_iter().find(|known| *known == name) {
                own |= ALL_NAMES.contains(&name);
                now.insert(name.to_owned(), Sight::Value { value, at });
            }
            continue;
        }
        let Some(user) = job_of(line, user) else {
            // Measured: Debian's cron runs no job of such a file.
            let stop = Stop::line(path, index + 1, "cron refuses the file: the line is neither a variable nor a job");
            let user = user.unwrap_or("root").to_owned();
            return Ok(vec![Crontab { path: path.to_path_buf(), user, sights: stop.sights(&NAMES), sets: true }]);
        };
        let sights = of_job(host, &user, (&shell.0, &shell.1), &now)?;
        match found.iter_mut().find(|table| table.user == user) {
            None => found.push(Crontab { path: path.to_path_buf(), user, sights, sets: false }),
            Some(table) => {
                let names: Vec<String> = table.sights.keys().chain(sights.keys()).cloned().collect();
                for name in names {
                    let (before, behind) = (table.sights.get(&name), sights.get(&name));
                    if before != behind
                        && let Some(at) = behind.or(before).map(|sight| sight.at().clone())
                    {
                        let why = text!("jobs before it get another value than those behind it");
                        table.sights.insert(name, Sight::Unknown { at, why });
                    }
                }
            }
        }
    }
    for table in &mut found {
        table.sets = own || ALL_NAMES.iter().any(|name| table.sights.get(*name) != base.get(*name));
    }
    Ok(found)
}

/// What a job gets: what its shell makes of the variables before it runs the command.
fn of_job(host: &dyn HostRead, user: &str, shell: (&str, &Place), now: &Sights) -> Result<Sights, Stop> {
    let passwd = Path::new("/etc/passwd");
    let user = logins::user(host, user)
        .map_err(|error| Stop::file(passwd, text!("it or /etc/group could not be read: {}", error)))?;
    let mut sights = logins::command(host, &user, shell, now);
    sights.retain(|name, _| ALL_NAMES.contains(&name.as_str()));
    Ok(sights)
}

/// `load_env`: a name and a value, each in quotes or not, blanks around the sign; nothing may follow a closing quote, and an
/// empty value has to have quotes.
fn assignment(line: &str) -> Option<(String, String)> {
    let quoted = |text: &str| -> Option<(String, usize)> {
        let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let end = text[1..].find(quote)?;
        Some((text[1..=end].to_owned(), end + 2))
    };
    let (name, rest) = match quoted(line) {
        Some((name, end)) => (name, &line[end..]),
        None => {
            let end = line.find(|c: char| c == '=' || c.is_ascii_whitespace())?;
            (line[..end].to_owned(), &line[end..])
        }
    };
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let value = match (value.starts_with(['"', '\'']), quoted(value)) {
        (true, Some((inner, end))) => value[end..].trim().is_empty().then_some(inner)?,
        (true, None) => return None,
        (false, _) => Some(value.trim_end().to_owned()).filter(|value| !value.is_empty())?,
    };
    (!name.is_empty()).then_some((name, value))
}

/// The user of a job: `user`, or in a system crontab the word behind five fields or behind a word such as `@reboot`. `None`: it
/// is no job.
fn job_of(line: &str, user: Option<&str>) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    let of_time = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "*,/-~".contains(c));
    if !first.starts_with('@') {
        let minutes = first.chars().all(|c| c.is_ascii_digit() || "*,/-~".contains(c));
        if !minutes || !(0..4).all(|_| words.next().is_some_and(of_time)) {
            return None;
        }
    }
    let user = match user {
        Some(user) => user.to_owned(),
        None => words.next()?.to_owned(),
    };
    words.next().map(|_| user)
}
