//! `pam_env.so`: its arguments, `pam_env.conf`, `/etc/environment`, the user's own file.
//!
//! Source: modules/pam_env/pam_env.c (`handle_env`, `_parse_line`, `_check_var`, `_expand_arg`) of linux-pam 1.1 to 1.7,
//! pam_env(8), pam_env.conf(5). Builds with libeconf (newer Fedora, SUSE) read the same lines by another library, and
//! are not covered.

use std::path::Path;

use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::super::{ALL_NAMES, ENVIRONMENT};
use super::{NAMES, Pam};
use crate::envfile::{PamLines, UTF_16, utf_16};
use crate::text;
use crate::text::own;

/// `conffile=` where no argument names another.
const CONF: &str = "/etc/security/pam_env.conf";

/// `user_envfile=` where no argument names another, below the home. Its grammar is that of `pam_env.conf`, and the module
/// reads it with the user's rights (measured on 1.5.2).
const OF_USER: &str = ".pam_environment";

/// What the module does to the variables.
pub(super) fn apply(pam: &Pam<'_>, arguments: &[String], at: &Place, sights: &mut Sights) -> Result<(), Stop> {
    let last = |name: &str| arguments.iter().rev().find_map(|own| own.strip_prefix(name));
    let named =
        |name: &str| arguments.iter().rev().find_map(|own| own.strip_prefix(name).filter(|path| !path.is_empty()));
    let conf = Path::new(named("conffile=").unwrap_or(CONF));
    match pam.whole_lines(conf)? {
        Some(lines) => configured(&lines, conf, sights),
        // A root without the folder is no whole system: a system has the file, with remarks only.
        None if conf == Path::new(CONF) && look::kind(pam.host, Path::new("/etc/security"))?.is_none() => {}
        // Without it the module reads nothing else either.
        None => return Ok(()),
    }
    if !last("readenv=").is_some_and(is_zero) {
        let path = Path::new(named("envfile=").unwrap_or(ENVIRONMENT));
        if !path.is_absolute() {
            let why = "its envfile depends on the folder that the login starts in".into();
            return Err(Stop { at: at.clone(), why });
        }
        assigned(pam, path, sights)?;
    }
    // Off where it is not named, since linux-pam 1.1.4.
    if last("user_readenv=").is_none_or(is_zero) {
        return Ok(());
    }
    let Some(user) = pam.user else {
        return Err(Stop::new(at, "each user has a file of variables here"));
    };
    let name = named("user_envfile=").unwrap_or(OF_USER);
    let Some(path) = pam.of_home(user, name)? else { return Ok(()) };
    if let Some(lines) = pam.whole_lines(&path)? {
        configured(&lines, &path, sights);
    }
    Ok(())
}

/// The lines of `/etc/environment`, or of what stands for it.
fn assigned(pam: &Pam<'_>, path: &Path, sights: &mut Sights) -> Result<(), Stop> {
    if path == Path::new(ENVIRONMENT) {
        pam.reads_environment.set(true);
    }
    if matches!(pam.host.read(path), Ok(Some(bytes)) if utf_16(&bytes).is_some()) {
        // What it was meant to set is not told, and by this text it sets nothing else.
        sights.extend(Stop::file(path, text!("it is {}", own(UTF_16))).sights(&ALL_NAMES));
        return Ok(());
    }
    let Some(lines) = pam.lines(path)? else { return Ok(()) };
    for (line, name, value) in lines.assignments() {
        let Some(name) = NAMES.into_iter().find(|own| own.as_bytes() == name) else { continue };
        let at = Place::new(path, line);
        match value {
            Some(value) => _ = sights.insert(name.to_owned(), Sight::of_bytes(value, at)),
            None => take(name, at, sights),
        }
    }
    Ok(())
}

/// To forget what nobody has set is an error, which ends nothing.
fn take(name: &str, at: Place, sights: &mut Sights) {
    if let Some(sight) = sights.get_mut(name) {
        *sight = Sight::Unset { at };
    }
}

/// `atoi` gives 0.
fn is_zero(number: &str) -> bool {
    let digits = number.trim_start().trim_start_matches(['-', '+']);
    !digits.starts_with(|c: char| ('1'..='9').contains(&c))
        && digits.trim_start_matches('0').chars().next().is_none_or(|c| !c.is_ascii_digit())
}

/// `VARIABLE [DEFAULT=[value]] [OVERRIDE=[value]]`.
fn configured(lines: &PamLines, path: &Path, sights: &mut Sights) {
    for (number, line) in &lines.lines {
        let line = String::from_utf8_lossy(line);
        let at = Place::new(path, *number);
        let Some((name, default, over)) = options(&line) else { continue };
        // A name with a sign in it is handed to PAM as it is, so it sets the variable.
        let (name, head) = name.split_once('=').map_or((name, None), |(name, head)| (name, Some(head)));
        let Some(name) = NAMES.into_iter().find(|own| *own == name) else { continue };
        let value = match (over.map(|text| expanded(text, sights)), default) {
            (Some(Some(over)), _) if !over.is_empty() => Some(Some(over)),
            (Some(None), _) => Some(None),
            // An empty value without quotes is none.
            (_, Some(Given { text: "", quoted: false })) | (_, None) => None,
            (_, Some(given)) => Some(expanded(given, sights)),
        };
        let value = match (head, value) {
            (None, value) => value,
            (Some(head), None) => Some(Some(head.to_owned())),
            (Some(head), Some(value)) => Some(value.map(|value| format!("{head}={value}"))),
        };
        let sight = match value {
            Some(Some(value)) => Sight::Value { value, at },
            Some(None) => Sight::unknown(&at, "its value depends on the login"),
            None => {
                take(name, at, sights);
                continue;
            }
        };
        sights.insert(name.to_owned(), sight);
    }
}

/// Does a line of `pam_env.conf` give this name a value, or take it away?
pub(crate) fn is_configured(line: &str, name: &str) -> bool {
    options(line).is_some_and(|(own, default, over)| own == name && (default.is_some() || over.is_some()))
}

/// A value as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given<'a> {
    text: &'a str,
    quoted: bool,
}

/// The parts of a line; `None`: pam_env ignores it.
fn options(line: &str) -> Option<(&str, Option<Given<'_>>, Option<Given<'_>>)> {
    let blank = [' ', '\t', '\n'];
    let line = line.trim_start_matches(blank);
    let end = line.find(blank).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    let (mut default, mut over) = (None, None);
    loop {
        let next = rest.trim_start_matches([' ', '\t']);
        if next.is_empty() || next.starts_with('\n') || next.len() == rest.len() {
            return Some((name, default, over));
        }
        let (place, value) = match (next.strip_prefix("DEFAULT="), next.strip_prefix("OVERRIDE=")) {
            (Some(value), _) => (&mut default, value),
            (_, Some(value)) => (&mut over, value),
            _ => return None,
        };
        let given = match value.strip_prefix('"') {
            Some(inner) => {
                let end = inner.find('"')?;
                rest = &inner[end + 1..];
                if !rest.is_empty() && !rest.starts_with(blank) {
                    return None;
                }
                Given { text: &inner[..end], quoted: true }
            }
            None => {
                let end = value.find(blank).unwrap_or(value.len());
                rest = &value[end..];
                Given { text: &value[..end], quoted: false }
            }
        };
        *place = Some(given);
    }
}

/// The value with what `${NAME}` stands for. `None`: `@{ITEM}` tells of the login, `${NAME}` of a variable that is not looked
/// at, and an unclosed brace ends the module.
fn expanded(given: Given<'_>, sights: &Sights) -> Option<String> {
    let mut value = String::new();
    let mut rest = given.text;
    while let Some(at) = rest.find(['\\', '$', '@']) {
        value.push_str(&rest[..at]);
        let (special, after) = rest[at..].split_at(1);
        match (special, after.strip_prefix('{')) {
            ("\\", _) => {
                // Only these two are escaped; another backslash goes.
                let escaped = after.starts_with(['$', '@']);
                value.push_str(&after[..usize::from(escaped)]);
                rest = &after[usize::from(escaped)..];
            }
            ("$", Some(inner)) => {
                let (name, after) = inner.split_once('}')?;
                NAMES.iter().find(|own| **own == name)?;
                match sights.get(name) {
                    Some(Sight::Value { value: own, .. }) => value.push_str(own),
                    Some(Sight::Unknown { .. }) => return None,
                    Some(Sight::Unset { .. }) | None => {}
                }
                rest = after;
            }
            (_, Some(_)) => return None,
            (special, None) => {
                value.push_str(special);
                rest = after;
            }
        }
    }
    value.push_str(rest);
    Some(value)
}
