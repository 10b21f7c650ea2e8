//! What sudo's files set for everybody.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Seen, text, unread};
use crate::host::HostRead;
use crate::text::{Text, clean, own};

/// The file that sudo begins with.
pub(crate) const SUDOERS: &str = "/etc/sudoers";

/// More files than this are not read.
const MAX_FILES: usize = 256;

#[derive(Serialize, Deserialize)]
pub(crate) struct SudoFacts {
    pub(crate) defaults: Seen<Defaults>,
}

/// The settings that hold for everybody, each with the file that has the last word.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Defaults {
    pub(crate) secure_path: Option<(String, String)>,
    pub(crate) requiretty: Option<String>,
    /// A file that sudo would read after the one that has the last word on `secure_path`.
    #[serde(default)]
    pub(crate) after_path: Option<String>,
    /// The same for `requiretty`.
    #[serde(default)]
    pub(crate) after_tty: Option<String>,
}

/// What names of files of ours begin with.
const OURS: &str = "ics-setup";

/// Reads sudo's files in sudo's order.
pub(crate) fn observe(host: &dyn HostRead) -> SudoFacts {
    let mut defaults = Defaults::default();
    let defaults = match read(host, SUDOERS, &mut defaults, &mut 0) {
        Ok(true) => Seen::Is(defaults),
        Ok(false) => Seen::Unread(text!("{} is not there: no sudo", own(SUDOERS))),
        Err(why) => Seen::Unread(why),
    };
    SudoFacts { defaults }
}

/// Reads a file and what it includes, in sudo's order. Is it there?
fn read(host: &dyn HostRead, path: &str, defaults: &mut Defaults, files: &mut usize) -> Result<bool, Text> {
    *files += 1;
    if *files > MAX_FILES {
        return Ok(false);
    }
    let Some(content) = text(host, path)? else { return Ok(false) };
    let shown = host.shown(Path::new(path)).display().to_string();
    for line in logical(&content) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let rest = rest.trim();
        match word {
            "Defaults" => split(rest).into_iter().for_each(|setting| set(&setting, &shown, defaults)),
            "#include" | "@include" => drop(read(host, &within(path, rest), defaults, files)?),
            "#includedir" | "@includedir" => {
                let folder = within(path, rest);
                let names =
                    host.list(Path::new(&folder)).map_err(|error| unread(&host.shown(Path::new(&folder)), &error))?;
                let mut last = String::new();
                for name in names.iter().filter_map(|name| name.to_str()) {
                    // sudo passes over backups and package managers' leftovers.
                    if !name.contains('.') && !name.ends_with('~') {
                        read(host, &format!("{}/{name}", folder.trim_end_matches('/')), defaults, files)?;
                        last = name.to_owned();
                    }
                }
                // Names go by their bytes.
                let start = if last.as_str() < OURS { OURS.to_owned() } else { format!("{last}-{OURS}") };
                let file = |what| Some(format!("{}/{start}-{what}", folder.trim_end_matches('/')));
                (defaults.after_path, defaults.after_tty) = (file("path"), file("tty"));
            }
            _ => {}
        }
    }
    Ok(true)
}

/// Lines that end in a backslash go on.
fn logical(content: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut whole = String::new();
    for line in content.lines() {
        match line.strip_suffix('\\') {
            Some(start) => whole.push_str(start),
            None => {
                whole.push_str(line);
                lines.push(std::mem::take(&mut whole).trim().to_owned());
            }
        }
    }
    lines.push(whole.trim().to_owned());
    lines
}

fn within(file: &str, named: &str) -> String {
    let named = named.trim_matches('"');
    if named.starts_with('/') {
        return named.to_owned();
    }
    let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
    folder.join(named).display().to_string()
}

/// Splits at commas outside of quotes; a comment ends the line.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            ',' if !quoted => parts.push(String::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(character);
                }
            }
        }
    }
    parts
}

fn set(setting: &str, file: &str, defaults: &mut Defaults) {
    let setting = setting.trim();
    let (name, value) = setting.split_once('=').map_or((setting, None), |(name, value)| (name, Some(value)));
    match (name.trim_end_matches('+').trim(), value) {
        ("secure_path", Some(value)) => {
            defaults.secure_path = Some((clean(value, 500), file.to_owned()));
            defaults.after_path = None;
        }
        ("!secure_path", None) => defaults.secure_path = None,
        ("requiretty", None) => {
            defaults.requiretty = Some(file.to_owned());
            defaults.after_tty = None;
        }
        ("!requiretty", None) => defaults.requiretty = None,
        _ => {}
    }
}
