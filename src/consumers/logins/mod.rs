//! Logins by the files of a host: what the shell of a user makes of `/etc/profile`, all that it sources, and the files of the
//! home folder.
//!
//! bash, dash and sh are followed ([`crate::envfile::shell`]); of csh, tcsh, zsh and fish plain assignments are understood
//! (`other`), and everything else that mentions a name is unknown. Of other shells nothing is known.

mod other;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::iter;
use std::path::Path;

use super::sight::{Place, Sight, Sights, Stop};
use crate::envfile::shell::{Decided, Given, Kind, Login, Outcome, User};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::system::accounts::{self, UserLine};

pub(crate) use super::{ALL_NAMES, FOLLOWED as NAMES};
pub(crate) use other::{Family, others};

/// Read where an image has no `/etc/profile`.
const DEBIAN: &str = include_str!("../../../assets/profile/debian");
const REDHAT: &str = include_str!("../../../assets/profile/redhat");

const BASH: &str = "/bin/bash";

/// A user of the host by `/etc/passwd`; where that has none of the name, one as the vendor's documents make it.
///
/// # Errors
/// A file that is there and cannot be read.
pub(crate) fn user(host: &dyn HostRead, name: &str) -> std::io::Result<User> {
    let read = |path: &str| Ok::<_, std::io::Error>(host.read(Path::new(path))?.unwrap_or_default());
    let (passwd, groups) = (read(accounts::PASSWD)?, read(accounts::GROUP)?);
    let usual = || {
        let (id, home) = if name == "root" { (0, "/root".to_owned()) } else { (1000, format!("/home/{name}")) };
        UserLine { name: name.to_owned(), uid: id, gid: id, home, shell: BASH.to_owned() }
    };
    let found = accounts::users(&passwd).into_iter().find(|own| own.name == name);
    let UserLine { name, uid, gid, home, shell } = found.unwrap_or_else(usual);
    let others = accounts::groups(&groups).into_iter().filter(|group| group.members.contains(&name));
    let gids = iter::once(gid).chain(others.map(|group| group.gid)).collect();
    // An account that is for no login is read as vendor's documents test it, with a shell named.
    let is_for_none = shell.ends_with("nologin") || shell.ends_with("/false") || shell.is_empty();
    let shell = if is_for_none { BASH.into() } else { shell.into() };
    Ok(User { name, uid, gids, home: home.into(), shell })
}

/// Does the user's shell read nothing where it is no login shell and has a command?
pub(crate) fn needs_login(user: &User) -> bool {
    let shell = user.shell.file_name().unwrap_or_default();
    ["bash", "dash", "sh"].iter().any(|own| shell == *own)
}

/// What a login of this user gets, given what it had before its shell began.
pub(crate) fn login(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &User,
    interactive: bool,
    start: &Sights,
) -> Sights {
    watched(host, platform, user, interactive, start, &Cell::default())
}

/// The same, and what the user would get if no file were closed to it.
pub(crate) fn with_unhindered(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &User,
    interactive: bool,
    start: &Sights,
) -> (Sights, Sights) {
    let hindered = Cell::default();
    let sights = watched(host, platform, user, interactive, start, &hindered);
    let unhindered = match hindered.get() {
        true => login(host, platform, &User { uid: 0, ..user.clone() }, interactive, start),
        false => sights.clone(),
    };
    (sights, unhindered)
}

/// The same, where what is not followed in the files is taken to change nothing: a guess.
pub(crate) fn supposed(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &User,
    interactive: bool,
    start: &Sights,
) -> Sights {
    let read = |login: &Login<'_>| login.read_supposing(host, &NAMES);
    by_shell(host, platform, user, interactive, start, &read)
}

/// `hindered` becomes true where a file may be closed to the user.
fn watched(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &User,
    interactive: bool,
    start: &Sights,
    hindered: &Cell<bool>,
) -> Sights {
    let read = |login: &Login<'_>| login.read_watched(host, &NAMES, hindered);
    by_shell(host, platform, user, interactive, start, &read)
}

/// What the user's shell makes of its files; `read` follows those of a Bourne shell.
fn by_shell(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &User,
    interactive: bool,
    start: &Sights,
    read: &dyn Fn(&Login<'_>) -> BTreeMap<Vec<u8>, Decided>,
) -> Sights {
    let shell = user.shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kinds: &[Kind] = match shell.as_str() {
        "bash" => &[Kind::Bash],
        "dash" => &[Kind::Dash],
        "sh" => match host.read_link(Path::new("/bin/sh")) {
            Ok(target) if target.ends_with("dash") => &[Kind::Dash],
            Ok(target) if target.ends_with("bash") => &[Kind::BashAsSh],
            // An image without programs, or a shell that is neither.
            _ => &[Kind::Dash, Kind::BashAsSh],
        },
        "csh" | "tcsh" => return other::read(host, Family::Csh, Some(user), start),
        "zsh" => return other::read(host, Family::Zsh, Some(user), start),
        "fish" => return other::read(host, Family::Fish, Some(user), start),
        _ => {
            return Stop::file(Path::new(accounts::PASSWD), "what this shell reads is not modelled").sights(&NAMES);
        }
    };
    let given = given(start);
    let stock = if platform.is_some_and(Platform::system_proxy_is_shell) { REDHAT } else { DEBIAN };
    let mut all = kinds.iter().map(|kind| {
        let login = Login { user, kind: *kind, interactive, start: &given, without_profile: Some(stock) };
        with(start, read(&login))
    });
    let first = all.next().unwrap_or_default();
    all.fold(first, |one, other| differing(one, other, "bash and dash differ about it"))
}

/// What a command gets that this shell is given by a program (`bash -c`), which makes it no login shell: bash reads what
/// `BASH_ENV` names, dash and sh read nothing (bash(1), dash(1)). `shell` is where it is named.
pub(crate) fn command(host: &dyn HostRead, user: &User, shell: (&str, &Place), start: &Sights) -> Sights {
    let (path, at) = shell;
    let unknown = |at: &Place, why: &'static str| {
        let sight = Sight::Unknown { at: at.clone(), why: why.into() };
        NAMES.iter().map(|name| ((*name).to_owned(), sight.clone())).collect()
    };
    let of_family = |family: Family| {
        let login = other::read(host, family, Some(user), start);
        differing(start.clone(), login, "whether this shell reads the file for a command is not modelled")
    };
    match path.rsplit('/').next().unwrap_or_default() {
        "sh" | "dash" | "ash" | "ksh" | "mksh" => return start.clone(),
        "bash" => {}
        "csh" | "tcsh" => return of_family(Family::Csh),
        "zsh" => return of_family(Family::Zsh),
        "fish" => return of_family(Family::Fish),
        _ => return unknown(at, "what this shell reads is not modelled"),
    }
    match start.get("BASH_ENV") {
        None | Some(Sight::Unset { .. }) => start.clone(),
        Some(Sight::Value { value, .. }) if value.is_empty() => start.clone(),
        Some(Sight::Value { value, .. }) if value.starts_with('/') && !value.contains(['$', '`', '\\', '~']) => {
            let given = given(start);
            let login = Login { user, kind: Kind::Bash, interactive: false, start: &given, without_profile: None };
            with(start, login.read_command(host, Path::new(value), &NAMES))
        }
        Some(sight) => unknown(sight.at(), "which file bash reads before the command only the shell knows"),
    }
}

/// What a shell begins with.
fn given(start: &Sights) -> BTreeMap<Vec<u8>, Given> {
    let given = start.iter().map(|(name, sight)| {
        let given = match sight {
            Sight::Value { value, .. } => Given::Value(value.clone().into_bytes()),
            Sight::Unset { .. } => Given::Unset,
            Sight::Unknown { .. } => Given::Unknown,
        };
        (name.clone().into_bytes(), given)
    });
    given.collect()
}

/// What it had before, and what its files make of it.
fn with(start: &Sights, found: BTreeMap<Vec<u8>, Decided>) -> Sights {
    let mut sights = start.clone();
    sights.extend(found.into_iter().map(|(name, of)| (String::from_utf8_lossy(&name).into_owned(), sight(of))));
    sights
}

fn sight(decided: Decided) -> Sight {
    let at = Place::new(&decided.path, decided.line);
    match decided.outcome {
        // Bytes that are no text cannot be kept as they are, and no proxy has them.
        Outcome::Value(value) => Sight::of_bytes(value, at),
        Outcome::Unset => Sight::Unset { at },
        Outcome::Unknown(why) => Sight::unknown(&at, why),
    }
}

/// What two readers make of the same files: unknown where they differ.
pub(crate) fn differing(mut one: Sights, other: Sights, why: &'static str) -> Sights {
    let names: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    for name in names {
        let (mine, theirs) = (one.get(&name), other.get(&name));
        let value = |sight: Option<&Sight>| sight.and_then(Sight::value).map(str::to_owned);
        let unknown = [mine, theirs].iter().any(|sight| matches!(sight, Some(Sight::Unknown { .. })));
        if !unknown && value(mine) == value(theirs) {
            continue;
        }
        let known = [mine, theirs].into_iter().flatten().find(|sight| matches!(sight, Sight::Unknown { .. }));
        let Some(first) = known.or(mine).or(theirs) else { continue };
        let sight = match first {
            unknown @ Sight::Unknown { .. } => unknown.clone(),
            known => Sight::Unknown { at: known.at().clone(), why: why.into() },
        };
        one.insert(name, sight);
    }
    one
}

#[cfg(test)]
mod tests;
