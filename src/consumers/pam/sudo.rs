//! What a command under sudo gets, by sudoers: what is kept of the caller's environment, then what PAM gives, then `env_file`.
//!
//! Source: plugins/sudoers/env.c (`rebuild_env`, `env_merge`, `read_env_file`), sudoers.c of sudo 1.8 to 1.9, sudoers(5).
//! Sources other than files (LDAP, SSSD) are not looked at; sudo-rs has no `env_file` and the same rules else.

use std::path::{Path, PathBuf};

use super::super::callers::Door;
use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::sshd::fits;
use super::{NAMES, Pam};
use crate::host::{FileKind, HostRead};
use crate::platform::Platform;

const SUDOERS: &str = "/etc/sudoers";

/// Where a line of one's own is put.
const FOLDER: &str = "/etc/sudoers.d";

/// The file of it, where nothing asks for another name.
const OWN_FILE: &str = "ics-proxy";

/// The names that it keeps.
const OWN_NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// sudo itself stops at includes that are nested deeper.
const DEEPEST: usize = 128;

/// No more files are read.
const MOST_FILES: usize = 1000;

/// `Defaults` as far as they decide the environment.
#[derive(Debug)]
struct Defaults {
    env_reset: bool,
    /// Patterns of `env_keep`.
    kept: Vec<String>,
    /// Lines that take names out of it again, in order.
    taken: Vec<Taken>,
    /// How many of them stand before the end of [`FOLDER`], where it is included.
    before: Option<usize>,
    /// The file of it that is being read.
    of_folder: Option<PathBuf>,
    env_file: Option<PathBuf>,
    /// The same for names that are kept; it is read after the other one, and takes nothing from it.
    restricted_file: Option<PathBuf>,
    pam: bool,
    /// `pam_service` and `pam_login_service`, in the form in which libpam takes them.
    service: Option<String>,
    login_service: Option<String>,
    /// Lines that count for some users, hosts or commands only: patterns, or everything.
    scoped: Vec<(Vec<String>, Place)>,
    files: usize,
}

/// A line that takes names out of `env_keep`.
#[derive(Debug)]
struct Taken {
    /// `None`: all but those that it names itself.
    names: Option<Vec<String>>,
    /// Those that it keeps.
    stay: Vec<String>,
    at: Place,
    /// The file of [`FOLDER`] that it stands in or that includes it.
    of_folder: Option<PathBuf>,
}

impl Taken {
    fn takes(&self, name: &str) -> bool {
        match &self.names {
            // A pattern is taken out as it stands.
            Some(names) => names.iter().any(|own| own == name),
            None => !self.stay.iter().any(|own| fits(own, name)),
        }
    }
}

/// How the proxy's names come to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// They are.
    Already,
    /// By a line in this file; a line of an earlier one takes them out.
    ByFile(PathBuf, Option<Place>),
    /// By the last line of sudoers alone: the folder is not read, or this line behind it takes them out.
    ByLastLine(Option<Place>),
}

/// What has to be done so that sudo keeps the names. `None`: the files do not tell, or there is no sudo.
pub(crate) fn keeps(host: &dyn HostRead, door: Door) -> Option<Keeps> {
    let mut defaults = Defaults::default();
    if !file(host, Path::new(SUDOERS), 0, &mut defaults).ok()? {
        return None;
    }
    let all = !defaults.env_reset && door == Door::Sudo;
    let is_kept = |name: &&str| all || defaults.kept.iter().any(|own| fits(own, name));
    if OWN_NAMES.iter().all(is_kept) {
        return Some(Keeps::Already);
    }
    let takes = |taken: &&Taken| OWN_NAMES.iter().any(|name| taken.takes(name));
    let folder = Path::new(FOLDER);
    let there = look::kind(host, folder).ok()? == Some(FileKind::Dir);
    let Some(before) = defaults.before.filter(|_| there) else { return Some(Keeps::ByLastLine(None)) };
    if let Some(after) = defaults.taken[before..].iter().find(takes) {
        return Some(Keeps::ByLastLine(Some(after.at.clone())));
    }
    // Files are read by name, so one that begins with the name of another one comes behind it.
    let own = folder.join(OWN_FILE);
    let of_folder = |taken: &Taken| Some((taken.of_folder.clone()?, taken.at.clone()));
    let later = defaults.taken.iter().filter(takes).filter_map(of_folder).filter(|(file, _)| *file > own);
    Some(match later.max_by(|(one, _), (other, _)| one.cmp(other)) {
        None => Keeps::ByFile(own, None),
        Some((file, at)) => {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            Keeps::ByFile(folder.join(format!("{name}-{OWN_FILE}")), Some(at))
        }
    })
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            env_reset: true,
            kept: Vec::new(),
            taken: Vec::new(),
            before: None,
            of_folder: None,
            env_file: None,
            restricted_file: None,
            pam: true,
            service: None,
            login_service: None,
            scoped: Vec::new(),
            files: 0,
        }
    }
}

/// What root or a user with the environment `start` gives to a command under sudo or `sudo -i`. `None`: there are no sudoers,
/// so no sudo.
pub(crate) fn read(host: &dyn HostRead, start: &Sights, platform: Option<&Platform>, door: Door) -> Option<Sights> {
    let mut defaults = Defaults::default();
    let found = file(host, Path::new(SUDOERS), 0, &mut defaults)
        .and_then(|there| if there { given(host, start, platform, door, &defaults).map(Some) } else { Ok(None) });
    found.unwrap_or_else(|stop| Some(stop.sights(&NAMES)))
}

fn given(
    host: &dyn HostRead,
    start: &Sights,
    platform: Option<&Platform>,
    door: Door,
    defaults: &Defaults,
) -> Result<Sights, Stop> {
    let login = door == Door::SudoLogin;
    // The packages of Debian and Red Hat have a service of its own for -i (measured on 1.9.13: without it `other` counts).
    let own_stack = login
        && (defaults.login_service.is_some()
            || super::has_stack(host, door.service())?
            || super::has_stack(host, super::OTHER)?);
    let (door, named) = if own_stack { (door, &defaults.login_service) } else { (Door::Sudo, &defaults.service) };
    let stack = if !defaults.pam {
        Sights::new()
    } else {
        super::environment(&Pam::new(host, platform), named.as_deref().unwrap_or(door.service()))
    };
    let read = |path: &Option<PathBuf>| path.as_ref().map_or(Ok(Sights::new()), |path| variables(host, path));
    let (file, restricted) = (read(&defaults.env_file)?, read(&defaults.restricted_file)?);
    let mut found = Sights::new();
    for name in NAMES {
        // A login shell begins afresh, whatever `env_reset` says.
        let kept = !(defaults.env_reset || login) || defaults.kept.iter().any(|pattern| fits(pattern, name));
        let of_caller = start.get(name).filter(|sight| kept && !matches!(sight, Sight::Unset { .. }));
        let of_file = file.get(name).or_else(|| restricted.get(name).filter(|_| kept));
        // PAM's value takes the place of one that is there only where nothing of that name would have been kept.
        let of_stack = stack.get(name).filter(|sight| !matches!(sight, Sight::Unset { .. }));
        let set = if kept { of_caller.or(of_file).or(of_stack) } else { of_stack.or(of_file) };
        let sight = set.or_else(|| stack.get(name)).cloned();
        let scoped = defaults.scoped.iter().find(|(patterns, _)| patterns.iter().any(|own| fits(own, name)));
        let sight = match scoped {
            Some((_, at)) => {
                let why = "a line for some users, hosts or commands decides it".into();
                Some(Sight::Unknown { at: at.clone(), why })
            }
            None => sight,
        };
        found.extend(sight.map(|sight| (name.to_owned(), sight)));
    }
    Ok(found)
}

/// `env_file`: `NAME=value`, `export` in front, quotes around the value.
fn variables(host: &dyn HostRead, path: &Path) -> Result<Sights, Stop> {
    let mut found = Sights::new();
    let Some(bytes) = look::read(host, path)? else { return Ok(found) };
    for (index, line) in String::from_utf8_lossy(&bytes).split('\n').enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let line =
            line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line).trim_start();
        let Some((name, value)) = line.split_once('=') else { continue };
        let quoted = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        let sight = Sight::set(value, Place::new(path, index + 1));
        // The first one stays.
        found.entry(name.to_owned()).or_insert(sight);
    }
    Ok(found)
}

fn file(host: &dyn HostRead, path: &Path, depth: usize, defaults: &mut Defaults) -> Result<bool, Stop> {
    let Some(bytes) = look::read(host, path)? else { return Ok(false) };
    defaults.files += 1;
    if depth > DEEPEST || defaults.files > MOST_FILES {
        return Err(Stop::file(path, "sudo ends: there are too many includes"));
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.split('\n').enumerate();
    while let Some((index, line)) = lines.next() {
        let at = Place::new(path, index + 1);
        let mut whole = line.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            match lines.next() {
                Some((_, more)) => whole.push_str(more.trim_start()),
                None => break,
            }
        }
        statement(host, whole.trim(), &at, depth, defaults)?;
    }
    Ok(true)
}

fn statement(host: &dyn HostRead, line: &str, at: &Place, depth: usize, defaults: &mut Defaults) -> Result<(), Stop> {
    if let Some(rest) = line.strip_prefix('#').or_else(|| line.strip_prefix('@')) {
        let (word, path) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let path = path.trim().trim_matches('"').replace("\\ ", " ");
        if !["include", "includedir"].contains(&word) {
            return Ok(());
        }
        if path.contains('%') {
            return Err(Stop::new(at, "which file it includes depends on the host's name"));
        }
        let path = if path.starts_with('/') { PathBuf::from(path) } else { Path::new("/etc").join(path) };
        if word == "include" {
            return match file(host, &path, depth + 1, defaults)? {
                true => Ok(()),
                false => Err(Stop::new(at, "sudo ends: the included file is not there")),
            };
        }
        let folder = path;
        let mut names = look::list(host, &folder)?;
        names.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.contains('.') && !name.ends_with('~')
        });
        names.sort();
        let is_ours = folder == Path::new(FOLDER) && defaults.of_folder.is_none();
        for path in names {
            if look::kind(host, &path)? == Some(FileKind::File) {
                if is_ours {
                    defaults.of_folder = Some(path.clone());
                }
                file(host, &path, depth + 1, defaults)?;
            }
        }
        if is_ours {
            defaults.of_folder = None;
            defaults.before = Some(defaults.taken.len());
        }
        return Ok(());
    }
    let Some(rest) = line.strip_prefix("Defaults") else { return Ok(()) };
    let (scoped, settings) = match rest.chars().next() {
        Some(c) if c.is_ascii_whitespace() => (false, rest),
        // `Defaults:user`, `@host`, `>runas`, `!command`; a list of them has no blanks but behind commas.
        Some(':' | '@' | '>' | '!') => (true, behind_list(&rest[1..])),
        _ => return Ok(()),
    };
    let settings = settings_of(settings).ok_or_else(|| Stop::new(at, "the line is not understood"))?;
    for setting in settings {
        apply(&setting, scoped, at, defaults)?;
    }
    Ok(())
}

fn behind_list(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c == ',').unwrap_or(rest.len());
        let after = rest[end..].trim_start();
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return after,
        }
    }
}

/// `name`, `!name`, `name=value`, `name+=value`, `name-=value`.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    off: bool,
    name: String,
    sign: &'static str,
    value: String,
}

/// The settings of a line, between commas. `None`: it is not understood.
fn settings_of(text: &str) -> Option<Vec<Setting>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let off = rest.chars().take_while(|c| *c == '!').count();
        rest = rest[off..].trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        rest = after.trim_start();
        let sign = ["+=", "-=", "="].into_iter().find(|sign| rest.starts_with(sign)).unwrap_or_default();
        rest = rest[sign.len()..].trim_start();
        let mut value = String::new();
        if !sign.is_empty() {
            let quoted = rest.starts_with('"');
            let mut characters = rest.char_indices().skip(usize::from(quoted)).peekable();
            let mut end = None;
            while let Some((at, character)) = characters.next() {
                match character {
                    '\\' => value.extend(characters.next().map(|(_, next)| next)),
                    '"' if quoted => end = Some(at + 1),
                    c if !quoted && (c.is_ascii_whitespace() || c == ',' || c == '#') => end = Some(at),
                    c => value.push(c),
                }
                if end.is_some() {
                    break;
                }
            }
            if quoted && end.is_none() {
                return None;
            }
            rest = rest[end.unwrap_or(rest.len())..].trim_start();
        }
        found.push(Setting { off: off % 2 == 1, name: name.to_owned(), sign, value });
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() || rest.starts_with('#') => break,
            None => return None,
        }
    }
    Some(found)
}

fn apply(setting: &Setting, scoped: bool, at: &Place, defaults: &mut Defaults) -> Result<(), Stop> {
    let patterns = || setting.value.split_ascii_whitespace().map(str::to_owned);
    let all = || vec!["*".to_owned()];
    let take = |names, stay, defaults: &mut Defaults| {
        let of_folder = defaults.of_folder.clone();
        defaults.taken.push(Taken { names, stay, at: at.clone(), of_folder });
    };
    match (setting.name.as_str(), setting.sign) {
        ("env_keep", "") if scoped => defaults.scoped.push((all(), at.clone())),
        ("env_keep", _) if scoped => defaults.scoped.push((patterns().collect(), at.clone())),
        ("env_keep", sign) => {
            let named: Vec<String> = patterns().collect();
            if sign == "=" || (sign.is_empty() && setting.off) {
                defaults.kept.clear();
                take(None, named.clone(), defaults);
            }
            if sign == "-=" {
                defaults.kept.retain(|own| !named.contains(own));
                take(Some(named), Vec::new(), defaults);
            } else {
                // A pattern with a value keeps some values only.
                if named.iter().any(|own| own.contains('=') || own.contains("()")) {
                    return Err(Stop::new(at, "what is kept depends on the value"));
                }
                defaults.kept.extend(named);
            }
        }
        (
            "env_reset"
            | "env_file"
            | "restricted_env_file"
            | "pam_session"
            | "pam_setcred"
            | "use_pam"
            | "pam_service"
            | "pam_login_service",
            _,
        ) if scoped => defaults.scoped.push((all(), at.clone())),
        ("pam_service", "=") => defaults.service = Some(service(&setting.value)),
        ("pam_login_service", "=") => defaults.login_service = Some(service(&setting.value)),
        ("env_reset", _) => defaults.env_reset = !setting.off,
        ("env_delete" | "env_check", "+=" | "=") => {
            defaults.scoped.push((patterns().collect(), at.clone()));
        }
        ("env_file", _) if setting.off => defaults.env_file = None,
        ("restricted_env_file", _) if setting.off => defaults.restricted_file = None,
        (name @ ("env_file" | "restricted_env_file"), _) => {
            if setting.value.contains('%') || !setting.value.starts_with('/') {
                return Err(Stop::new(at, "which file it names depends on the host"));
            }
            let path = Some(PathBuf::from(&setting.value));
            match name {
                "env_file" => defaults.env_file = path,
                _ => defaults.restricted_file = path,
            }
        }
        ("pam_session" | "pam_setcred", _) if setting.off => {
            return Err(Stop::new(at, "a part of sudo's stack is left out"));
        }
        ("use_pam", _) => defaults.pam = !setting.off,
        _ => {}
    }
    Ok(())
}

/// libpam takes the last part of a path, in lower case (`pam_start`).
fn service(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}
