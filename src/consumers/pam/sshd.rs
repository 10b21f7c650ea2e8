//! What sshd gives to a login: the user's own file where `PermitUserEnvironment` says so, over it the stack of its service
//! where `UsePAM` says so, over both `SetEnv`. Options that its unit gives it outrank its file.
//!
//! Source: servconf.c (`process_server_config_line`), session.c (`do_setup_env`, `read_environment_file`) of OpenSSH 7.4 to
//! 9.9, sshd_config(5), sshd(8). Measured on 9.2: `SetEnv` outranks PAM, PAM the user's own file.

use std::path::{Path, PathBuf};

use super::super::callers::Door;
use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::super::units::glob::glob;
use super::super::units::sshd_options;
use super::{NAMES, Pam};
use crate::envfile::shell::{Marked, User, matches};
use crate::envfile::unit::Release;
use crate::host::HostRead;
use crate::platform::Platform;
use crate::text;
use crate::text::own;

const CONFIG: &str = "/etc/ssh/sshd_config";

/// sshd itself stops at includes that are nested deeper.
const DEEPEST: usize = 16;

/// Name, value and line of `SetEnv`.
type Pair = (String, String, Place);

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// Before all `Match` blocks.
    None,
    /// Below `Match all`.
    All,
    /// In a block that counts for some logins.
    Some,
}

/// What decides the environment, the first line of each.
#[derive(Debug, Default)]
struct Config {
    use_pam: Option<(bool, Place)>,
    /// The pattern of names that `PermitUserEnvironment` lets through; `no`.
    of_user: Option<String>,
    set_env: Option<Vec<Pair>>,
    /// The same below `Match all`, which takes the place of what stands before all blocks.
    of_all: Option<Vec<Pair>>,
    accepted: Vec<(String, Place)>,
    /// Lines of `Match` blocks that set variables for some logins.
    conditional: Vec<(Vec<String>, Place)>,
    /// `ForceCommand`: is there one?
    forced: Option<(bool, Place)>,
    /// The same below `Match all`.
    forced_for_all: Option<(bool, Place)>,
}

/// What sshd gives to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ssh {
    /// Before the shell begins.
    pub(crate) sights: Sights,
    /// Who says that PAM is not asked.
    pub(crate) without_pam: Option<Place>,
    /// A command runs in place of the user's login shell, and what it gets is unknown.
    pub(crate) forced: Option<Sights>,
}

/// `None`: there is no sshd_config, so no sshd.
pub(crate) fn read(pam: &Pam<'_>) -> Option<Ssh> {
    look(pam).unwrap_or_else(|stop| Some(Ssh { sights: stop.sights(&NAMES), without_pam: None, forced: None }))
}

fn look(pam: &Pam<'_>) -> Result<Option<Ssh>, Stop> {
    let mut config = Config::default();
    let options = sshd_options(pam.host, pam.platform.map_or(Release::UNKNOWN, Platform::systemd))?;
    for (line, at) in &options.lines {
        line_of(line, at, Block::None, &mut config)?;
    }
    let path = options.file.as_ref().map_or(Path::new(CONFIG), |(path, _)| path.as_path());
    if !file(pam.host, path, 0, &mut Block::None, &mut config)? {
        return match options.file {
            Some((path, at)) => Err(Stop::new(&at, text!("sshd ends: there is no {}", path.display()))),
            None => Ok(None),
        };
    }
    // Without a line, sshd does not use PAM.
    let without_pam = match &config.use_pam {
        Some((true, _)) => None,
        Some((false, at)) => Some(at.clone()),
        None => Some(Place::new(path, 0)),
    };
    let (base, stack) = match &without_pam {
        None => (Sights::new(), super::environment(pam, Door::Ssh.service())),
        Some(at) => (Sight::Unset { at: at.clone() }.of_all(&NAMES), Sights::new()),
    };
    let mut found = base;
    found.extend(of_user(pam, &config)?);
    let sights = sights(&config, super::over(found, stack));
    let forced = config.forced_for_all.as_ref().or(config.forced.as_ref()).filter(|(forced, _)| *forced);
    let forced = forced.map(|(_, at)| {
        let why = "sshd runs a command in place of the login shell (ForceCommand)".into();
        Sight::Unknown { at: at.clone(), why }.of_all(&NAMES)
    });
    Ok(Some(Ssh { sights, without_pam, forced }))
}

/// What `~/.ssh/environment` and the user's keys say, where they are heard.
fn of_user(pam: &Pam<'_>, config: &Config) -> Result<Sights, Stop> {
    let mut found = Sights::new();
    let (Some(pattern), Some(user)) = (config.of_user.as_deref().filter(|pattern| *pattern != "no"), pam.user) else {
        return Ok(found);
    };
    let heard = |name: &&str| pattern == "yes" || pattern.split(',').any(|own| fits(own, name));
    let names: Vec<&str> = NAMES.into_iter().filter(heard).collect();
    for (path, index, line) in lines_of_home(pam, user, ".ssh/environment")? {
        let line = line.trim_start_matches([' ', '\t']);
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        if names.contains(&name) {
            found.insert(name.to_owned(), Sight::set(value, Place::new(&path, index)));
        }
    }
    for (path, index, line) in lines_of_home(pam, user, ".ssh/authorized_keys")? {
        let set = |name: &&&str| line.contains(&format!("environment=\"{name}="));
        for name in names.iter().filter(set) {
            let why = "the key that is used decides it".into();
            found.insert((*name).to_owned(), Sight::Unknown { at: Place::new(&path, index), why });
        }
    }
    Ok(found)
}

/// The lines of a file of the user's, each with the file and its number.
fn lines_of_home(pam: &Pam<'_>, user: &User, name: &str) -> Result<Vec<(PathBuf, usize, String)>, Stop> {
    let Some(path) = pam.of_home(user, name)? else { return Ok(Vec::new()) };
    let bytes = look::read(pam.host, &path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.split('\n').enumerate().map(|(index, line)| (path.clone(), index + 1, line.to_owned())).collect())
}

/// What the client, `SetEnv` and `Match` blocks make of what there was.
fn sights(config: &Config, mut found: Sights) -> Sights {
    for (pattern, at) in &config.accepted {
        for name in NAMES.into_iter().filter(|name| fits(pattern, name)) {
            if !matches!(found.get(name), Some(Sight::Value { .. } | Sight::Unknown { .. })) {
                let why = "the client may send it".into();
                found.insert(name.to_owned(), Sight::Unknown { at: at.clone(), why });
            }
        }
    }
    let set = config.of_all.as_ref().or(config.set_env.as_ref());
    for (name, value, at) in set.into_iter().flatten().rev() {
        if NAMES.contains(&name.as_str()) {
            found.insert(name.clone(), Sight::Value { value: value.clone(), at: at.clone() });
        }
    }
    for (names, at) in &config.conditional {
        // A block's SetEnv takes the place of the whole other list.
        let listed = |name: &str| set.into_iter().flatten().any(|(own, ..)| own == name);
        for name in NAMES.into_iter().filter(|name| listed(name) || names.iter().any(|own| fits(own, name))) {
            let why = "a Match block decides it for some logins".into();
            found.insert(name.to_owned(), Sight::Unknown { at: at.clone(), why });
        }
    }
    found
}

/// A file and its includes. `false`: there is none.
fn file(host: &dyn HostRead, path: &Path, depth: usize, block: &mut Block, config: &mut Config) -> Result<bool, Stop> {
    let Some(bytes) = look::read(host, path)? else { return Ok(false) };
    if depth > DEEPEST {
        return Err(Stop::file(path, "sshd refuses to start: the includes are nested too deeply"));
    }
    for (index, line) in String::from_utf8_lossy(&bytes).split('\n').enumerate() {
        let at = Place::new(path, index + 1);
        let words = words(line).ok_or_else(|| Stop::new(&at, "sshd refuses the line"))?;
        let Some((key, values)) = words.split_first() else { continue };
        match key.to_ascii_lowercase().as_str() {
            "match" => {
                let all = values.iter().any(|word| word.eq_ignore_ascii_case("all"));
                *block = if all { Block::All } else { Block::Some };
            }
            "include" => {
                for pattern in values {
                    for path in globbed(host, pattern, &at)? {
                        // A block that an included file opens ends with it.
                        let mut inner = *block;
                        file(host, &path, depth + 1, &mut inner, config)?;
                    }
                }
            }
            _ => line_of(line, &at, *block, config)?,
        }
    }
    Ok(true)
}

fn line_of(line: &str, at: &Place, block: Block, config: &mut Config) -> Result<(), Stop> {
    let Some(words) = words(line) else { return Ok(()) };
    let Some((key, values)) = words.split_first() else { return Ok(()) };
    match key.to_ascii_lowercase().as_str() {
        "usepam" if config.use_pam.is_none() => match values.first().map(|word| word.to_ascii_lowercase()).as_deref() {
            Some(word @ ("yes" | "no")) => config.use_pam = Some((word == "yes", at.clone())),
            _ => {
                return Err(Stop::new(at, text!("sshd refuses to start: {} wants yes or no", own("UsePAM"))));
            }
        },
        "permituserenvironment" if config.of_user.is_none() && block == Block::None => {
            config.of_user = values.first().cloned();
        }
        "setenv" => {
            let pairs = values.iter().filter_map(|word| word.split_once('='));
            let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned(), at.clone())).collect();
            let own = match block {
                Block::None => &mut config.set_env,
                Block::All => &mut config.of_all,
                Block::Some => {
                    config.conditional.push((pairs.into_iter().map(|(name, ..)| name).collect(), at.clone()));
                    return Ok(());
                }
            };
            // The first line counts.
            own.get_or_insert(pairs);
        }
        "forcecommand" => {
            let command = values.join(" ");
            let own = match block {
                Block::None => &mut config.forced,
                Block::All => &mut config.forced_for_all,
                Block::Some => {
                    let named = NAMES.into_iter().filter(|name| command.contains(name)).map(str::to_owned).collect();
                    config.conditional.push((named, at.clone()));
                    return Ok(());
                }
            };
            own.get_or_insert_with(|| (!command.eq_ignore_ascii_case("none"), at.clone()));
        }
        "acceptenv" if block == Block::Some => config.conditional.push((values.to_vec(), at.clone())),
        "acceptenv" => config.accepted.extend(values.iter().map(|word| (word.clone(), at.clone()))),
        _ => {}
    }
    Ok(())
}

/// Is it a line of `SetEnv`?
pub(crate) fn is_set_env(line: &str) -> bool {
    words(line).is_some_and(|words| words.first().is_some_and(|key| key.eq_ignore_ascii_case("setenv")))
}

/// A line of `SetEnv` with another value of a name, or without it; a name that it does not have is added. `None`: it is no such
/// line, or the value cannot be written there.
pub(crate) fn set_env(line: &str, name: &str, value: Option<&str>) -> Option<String> {
    let words = spans(line).filter(|_| is_set_env(line))?;
    let odd = |c: char| c.is_ascii_whitespace() || "\"'\\#".contains(c);
    let new = value.map(|value| (!value.contains(odd)).then(|| format!("{name}={value}")));
    let new = match new {
        Some(new) => Some(new?),
        None => None,
    };
    let has = |(word, _): &&(String, std::ops::Range<usize>)| word.split_once('=').is_some_and(|(own, _)| own == name);
    let (_, span) = match (words.iter().skip(1).find(has), &new) {
        (Some(found), _) => found,
        (None, Some(new)) => {
            let end = words.last()?.1.end;
            return Some(format!("{} {new}{}", &line[..end], &line[end..]));
        }
        (None, None) => return None,
    };
    let (before, after) = (&line[..span.start], &line[span.end..]);
    match new {
        Some(new) => {
            let quote = if line[span.clone()].starts_with('"') { "\"" } else { "" };
            Some(format!("{before}{quote}{new}{quote}{after}"))
        }
        // Without a variable sshd refuses the line.
        None if words.len() == 2 => Some(String::new()),
        None => Some(format!("{}{after}", before.trim_end())),
    }
}

/// Keyword and arguments: blanks or one `=` between them, quotes around them, `#` begins a remark. `None`: an open quote.
fn words(line: &str) -> Option<Vec<String>> {
    Some(spans(line)?.into_iter().map(|(word, _)| word).collect())
}

/// The same, with the place of each in the line.
fn spans(line: &str) -> Option<Vec<(String, std::ops::Range<usize>)>> {
    let mut found: Vec<(String, std::ops::Range<usize>)> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let mut word = String::new();
        let mut quote = None;
        let mut end = rest.len();
        for (at, character) in rest.char_indices() {
            match (quote, character) {
                (Some(open), close) if open == close => quote = None,
                (None, open @ ('"' | '\'')) => quote = Some(open),
                (None, c) if c.is_ascii_whitespace() || (c == '=' && found.is_empty()) => {
                    end = at;
                    break;
                }
                (_, c) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        // `rest` ends where the trimmed line does.
        let start = line.trim_end().len() - rest.len();
        let is_key = found.is_empty();
        found.push((word, start..start + end));
        rest = rest[end..].trim_start();
        if is_key {
            rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
        }
    }
    Some(found)
}

/// The files that a pattern of `Include` names, by name.
fn globbed(host: &dyn HostRead, pattern: &str, at: &Place) -> Result<Vec<PathBuf>, Stop> {
    if pattern.starts_with('~') {
        return Err(Stop::new(at, "which files it includes is not told by a plain pattern"));
    }
    let path = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
    glob(host, &path, at)
}

/// `*` and `?` alone.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let marked: Vec<Marked> = pattern.bytes().map(|byte| (byte, !matches!(byte, b'*' | b'?'))).collect();
    matches(&marked, text.as_bytes()) == Some(true)
}
