//! csh, tcsh, zsh and fish: constants that are assigned are understood, and every other line that mentions a name makes it unknown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::sight::{Place, Sight, Sights};
use super::{ALL_NAMES, NAMES};
use crate::envfile::shell::User;
use crate::envfile::utf_16;
use crate::host::HostRead;

/// Which shells read in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `csh` and `tcsh`.
    Csh,
    /// `zsh`.
    Zsh,
    /// `fish`.
    Fish,
}

/// More of a file is not gone through.
const LONGEST: usize = 1 << 20;

impl Family {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csh => "csh",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The family that reads a file of this name; `None`: neither.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let fits = |family: &Self| {
            let (of_system, of_home) = family.files();
            of_home.contains(&name) || of_system.iter().any(|own| Path::new(own) == path)
        };
        if path.extension() == Some(OsStr::new("csh")) {
            return Some(Self::Csh);
        }
        [Self::Csh, Self::Zsh].into_iter().find(fits)
    }

    /// A line that assigns something to `name`, for [`Family::set`].
    pub(crate) fn assignment_of(self, name: &str) -> String {
        match self {
            Self::Csh => format!("setenv {name} x"),
            Self::Zsh => format!("export {name}=x"),
            Self::Fish => format!("set -gx {name} x"),
        }
    }

    /// A line that assigns a constant to `name`, with another value or without any; `None`: it is no such line.
    pub(crate) fn set(self, line: &str, name: &str, value: Option<&str>) -> Option<String> {
        let (own, _) = assignment(self, line.trim())?;
        if own != name {
            return None;
        }
        let Some(value) = value else { return Some(String::new()) };
        let quoted = format!("\"{value}\"");
        constant(&quoted)?;
        let blanks = &line[..line.len() - line.trim_start().len()];
        match self {
            Self::Csh => Some(format!("{blanks}setenv {name} {quoted}")),
            Self::Zsh => Some(format!("{blanks}export {name}={quoted}")),
            Self::Fish => None,
        }
    }

    /// The files of a login, in their order, those of the system and those below the home; a path that ends in `*` stands for
    /// the files of a folder with that end. Sources: tcsh(1) "Startup and shutdown", with the scripts that Red Hat's files
    /// source; zsh(1) "STARTUP/SHUTDOWN FILES", with Debian's folder; fish(1) "Configuration files".
    fn files(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Csh => {
                (&["/etc/csh.cshrc", "/etc/profile.d/*.csh", "/etc/csh.login"], &[".tcshrc", ".cshrc", ".login"])
            }
            Self::Fish => (
                &["/etc/fish/conf.d/*.fish", "/etc/fish/config.fish"],
                &[".config/fish/fish_variables", ".config/fish/conf.d/*.fish", ".config/fish/config.fish"],
            ),
            Self::Zsh => (
                &[
                    "/etc/zshenv",
                    "/etc/zsh/zshenv",
                    "/etc/zprofile",
                    "/etc/zsh/zprofile",
                    "/etc/zshrc",
                    "/etc/zsh/zshrc",
                    "/etc/zlogin",
                    "/etc/zsh/zlogin",
                ],
                &[".zshenv", ".zprofile", ".zshrc", ".zlogin"],
            ),
        }
    }
}

/// What the system's files of each family say about the names, where they say anything.
pub(crate) fn others(host: &dyn HostRead) -> Vec<(Family, Sights)> {
    let read = |family| (family, read(host, family, None, &Sights::new()));
    let says = |(_, sights): &(Family, Sights)| ALL_NAMES.iter().any(|name| sights.contains_key(*name));
    [Family::Csh, Family::Zsh, Family::Fish].map(read).into_iter().filter(says).collect()
}

/// What the files make of what the login had before.
pub(super) fn read(host: &dyn HostRead, family: Family, user: Option<&User>, start: &Sights) -> Sights {
    let mut sights = start.clone();
    let (of_system, of_home) = family.files();
    let mut paths = Vec::new();
    let of_user = user.into_iter().flat_map(|user| of_home.iter().map(|name| user.home.join(name)));
    for path in of_system.iter().map(PathBuf::from).chain(of_user) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (Some(end), Some(folder)) = (name.strip_prefix('*'), path.parent()) else {
            paths.push(path);
            continue;
        };
        match host.list(folder) {
            Ok(names) => {
                let fits = |name: &std::ffi::OsString| {
                    let name = name.to_string_lossy();
                    name.ends_with(end) && !name.starts_with('.')
                };
                paths.extend(names.into_iter().filter(fits).map(|name| folder.join(name)));
            }
            Err(_) => all_unknown(&mut sights, folder, 0, "what stands there could not be looked at"),
        }
    }
    for path in paths {
        match host.read(&path) {
            Ok(None) => {}
            Ok(Some(bytes)) if utf_16(&bytes).is_some() => {
                all_unknown(&mut sights, &path, 0, "it is UTF-16 text, which no shell can read")
            }
            Ok(Some(bytes)) if bytes.len() <= LONGEST => file(&mut sights, family, &path, &bytes),
            Ok(Some(_)) => all_unknown(&mut sights, &path, 0, "it is too long for a script"),
            Err(_) => all_unknown(&mut sights, &path, 0, "what stands there could not be looked at"),
        }
    }
    sights
}

fn all_unknown(sights: &mut Sights, path: &Path, line: usize, why: &'static str) {
    for name in NAMES {
        let known = matches!(sights.get(name), Some(Sight::Unknown { .. }));
        if !known {
            sights.insert(name.to_owned(), Sight::unknown(&Place::new(path, line), why));
        }
    }
}

fn file(sights: &mut Sights, family: Family, path: &Path, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut open = 0_usize;
    let mut continued = false;
    for (index, raw) in text.lines().enumerate() {
        let at = Place::new(path, index + 1);
        let line = raw.trim();
        let plain = !continued;
        continued = raw.ends_with('\\');
        if line.starts_with('#') && plain {
            continue;
        }
        let first = line.split([' ', '\t', ';']).next().unwrap_or_default();
        let closes = matches!(first, "endif" | "end" | "endsw" | "fi" | "done" | "esac" | "}");
        open = open.saturating_sub(usize::from(closes));
        let opens = matches!(first, "if" | "foreach" | "while" | "switch" | "for" | "case" | "{" | "function")
            || line.ends_with('{');
        // Red Hat's and Ubuntu's zprofile hand over to the files of sh.
        if family == Family::Zsh && line.contains("/etc/profile") {
            all_unknown(sights, path, index + 1, "it reads the files of sh in a mode that is not modelled");
        }
        let mentions = |name: &str| mentioned(line, name);
        if NAMES.iter().any(|name| mentions(name)) {
            let known = (plain && open == 0 && !opens && !continued).then(|| assignment(family, line)).flatten();
            match known {
                Some((name, value)) if NAMES.iter().filter(|other| mentions(other)).count() == 1 => {
                    let sight = match value {
                        Some(value) => Sight::Value { value, at },
                        None => Sight::Unset { at },
                    };
                    sights.insert(name, sight);
                }
                _ => {
                    for name in NAMES.iter().filter(|name| mentions(name)) {
                        sights.insert(
                            (*name).to_owned(),
                            Sight::unknown(&at, "only the shell itself can tell what it makes of this line"),
                        );
                    }
                }
            }
        } else if ["{http", "{https", "eval", "_proxy"].iter().any(|part| line.contains(part)) && line.contains("proxy")
        {
            all_unknown(sights, path, index + 1, "only the shell itself can tell what it makes of this line");
        }
        open += usize::from(opens && !(first == "if" && family == Family::Csh && !line.ends_with("then")));
    }
}

/// Is the name a word of its own there?
fn mentioned(line: &str, name: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(of_name) && !line[at + name.len()..].starts_with(of_name))
}

/// A name and what it gets, if the line is nothing but that; no value: it is taken away.
fn assignment(family: Family, line: &str) -> Option<(String, Option<String>)> {
    let (command, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let rest = rest.trim();
    match (family, command) {
        (Family::Csh, "setenv") => {
            let (name, value) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            Some((name.to_owned(), Some(constant(value.trim())?)))
        }
        (Family::Csh, "unsetenv") | (Family::Zsh, "unset") => {
            rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| (rest.to_owned(), None))
        }
        (Family::Fish, "set") => {
            // Behind options such as `-gx`, `--export`, `-e`.
            let mut words = rest.splitn(2, [' ', '\t']);
            let (option, rest) = (words.next()?, words.next()?.trim());
            if ["-e", "-ge", "-eg", "--erase"].contains(&option) {
                return rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| (rest.to_owned(), None));
            }
            if !["-x", "-gx", "-xg", "-Ux", "-xU", "--export"].contains(&option) {
                return None;
            }
            let (name, value) = rest.split_once([' ', '\t'])?;
            Some((name.to_owned(), Some(constant(value.trim())?)))
        }
        (Family::Zsh | Family::Fish, "export") => {
            let (name, value) = rest.split_once('=')?;
            Some((name.to_owned(), Some(constant(value)?)))
        }
        _ => None,
    }
}

/// The text of one word without anything that a shell would work out.
fn constant(word: &str) -> Option<String> {
    let quoted = ['\'', '"'].into_iter().find_map(|quote| word.strip_prefix(quote)?.strip_suffix(quote));
    let text = quoted.unwrap_or(word);
    let special =
        |c: char| "$`\\!'\"".contains(c) || quoted.is_none() && (c.is_whitespace() || "#;&|()<>*?[]{}~^=".contains(c));
    (!text.contains(special)).then(|| text.to_owned())
}
