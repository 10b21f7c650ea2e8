//! Reads a unit's file and its drop-ins, one after the other (`src/core/load-fragment.c`, `src/core/load-dropin.c`,
//! release 252; systemd.exec(5)).

use std::path::{Path, PathBuf};

use super::exec;
use super::loaded::{EnvironmentFile, List, Loaded, Variables};
use super::look::{self, File};
use super::search::{self, Found};
use super::{Place, Stop, names};
use crate::consumers::sight::Sight;
use crate::envfile::unit::{self, Entry, Expanded, Mode, Names, Release, Whose, expand, is_name, split};
use crate::host::HostRead;
use crate::text;
use crate::text::{Text, own};

/// What systemd loads under a name.
pub(super) fn unit(host: &dyn HostRead, name: &str, release: Release) -> Loaded {
    let mut loaded = Loaded::default();
    if names::kind(name).is_none_or(|kind| kind == names::Kind::Template) {
        let why = text!("{} is no name of a service", name);
        loaded.refused = Some(Stop { at: Place::new(Path::new(name), 0), why });
        return loaded;
    }
    let found = match search::find(host, name, release) {
        Ok(found) => found,
        Err(doubt) => {
            loaded.doubt(&doubt);
            return loaded;
        }
    };
    // Which of several names a unit has while it is read depends on who asks for it first.
    let whose = Whose::Unit(found.aliases.is_empty().then(|| Names {
        id: &found.id,
        prefix: names::prefix(&found.id),
        instance: names::instance(&found.id),
    }));
    let Found { fragment, drop_ins, .. } = &found;
    if let Some(path) = fragment {
        of_fragment(host, path, whose, release, &mut loaded);
    }
    if loaded.refused.is_some() {
        return loaded;
    }
    for (path, mark) in drop_ins {
        loaded.files.push(path.clone());
        let place = Place::new(path, 0);
        if let Some(why) = mark {
            loaded.doubt(&Stop { at: place, why: (*why).into() });
            continue;
        }
        match look::file(host, path) {
            Ok(File::Bytes(bytes)) => {
                let mut reader = Reader { path, whose, release, loaded: &mut loaded };
                // What systemd has read of a drop-in stays, whatever it stops at.
                if let Some(end) = reader.read(&bytes) {
                    loaded.complaints.push((end.at, end.why));
                }
            }
            Ok(File::Absent | File::Null | File::Folder) => {}
            Err(doubt) => loaded.doubt(&doubt),
        }
    }
    loaded
}

fn of_fragment(host: &dyn HostRead, path: &PathBuf, whose: Whose<'_>, release: Release, loaded: &mut Loaded) {
    loaded.fragment = Some(path.clone());
    loaded.files.push(path.clone());
    match look::file(host, path) {
        Ok(File::Null) => loaded.masked = true,
        Ok(File::Bytes(bytes)) if bytes.is_empty() => loaded.masked = true,
        Ok(File::Bytes(bytes)) => {
            loaded.refused = Reader { path, whose, release, loaded }.read(&bytes);
        }
        Ok(File::Absent | File::Folder) => {
            loaded.refused = Some(Stop::file(path, "systemd does not load the unit: its file is a link to nothing"));
        }
        Err(doubt) => loaded.doubt(&doubt),
    }
}

struct Reader<'a> {
    path: &'a Path,
    whose: Whose<'a>,
    release: Release,
    loaded: &'a mut Loaded,
}

impl Reader<'_> {
    /// Takes the file; where systemd stops before its end.
    fn read(&mut self, bytes: &[u8]) -> Option<Stop> {
        let content = unit::read(bytes, b"Service", self.release);
        for (line, why) in content.complaints {
            self.complain(line, why.into());
        }
        for entry in &content.entries {
            if let Some(why) = self.entry(entry) {
                return Some(Stop { at: self.place(entry, 0), why: why.into() });
            }
        }
        let end = content.end?;
        let doubt = Stop::line(self.path, end.line, end.why);
        if end.certain {
            return Some(doubt);
        }
        self.loaded.doubt(&doubt);
        None
    }

    /// Takes one assignment; why systemd stops reading the file at it.
    fn entry(&mut self, entry: &Entry) -> Option<&'static str> {
        match entry.key.as_str() {
            "Environment" => {
                let complaints = environment(entry, self.path, self.whose, self.release, &mut self.loaded.environment);
                self.loaded.complaints.extend(complaints);
            }
            "EnvironmentFile" => self.environment_file(entry),
            "PassEnvironment" => self.names(entry, Mode::Plain),
            "UnsetEnvironment" => self.names(entry, Mode::Escapes),
            "ExecStart" if entry.value.is_empty() => self.loaded.exec.clear(),
            "ExecStart" => {
                let read = exec::commands(entry, self.path, self.whose, self.release);
                self.loaded.exec.items.extend(read.commands);
                if let Some(why) = read.ignored {
                    self.complain(entry.line(0), why.into());
                }
                return read.stops;
            }
            "PAMName" => self.loaded.pam = (!entry.value.is_empty()).then(|| self.place(entry, 0)),
            _ => {}
        }
        None
    }

    fn environment_file(&mut self, entry: &Entry) {
        if entry.value.is_empty() {
            return self.loaded.environment_files.clear();
        }
        let at = self.place(entry, 0);
        let pattern = match expand(&entry.value, self.whose, self.release) {
            Expanded::Refused => {
                return self.complain(at.line, "systemd ignores it: there is no such specifier after a %".into());
            }
            Expanded::Unknown => None,
            Expanded::Known(bytes) => String::from_utf8(bytes).ok(),
        };
        let optional = entry.value.starts_with(b"-");
        if let Some(pattern) = &pattern {
            let path = pattern.strip_prefix('-').unwrap_or(pattern);
            let parts = || path.split('/');
            if !path.starts_with('/') {
                return self.complain(at.line, "systemd ignores the file: its path is not absolute".into());
            }
            if path.len() >= 4096 || parts().any(|part| part.len() > 255) {
                return self.complain(at.line, "systemd ignores the file: its path is too long".into());
            }
            if parts().any(|part| part == "..") {
                match self.release.between(219, 241) {
                    Some(true) => {
                        return self.complain(at.line, "systemd ignores the file: its path has a part ..".into());
                    }
                    Some(false) => {}
                    None => {
                        let why = "what systemd makes of a path with a part .. depends on its release";
                        self.loaded.environment_files.doubt = Some(Stop { at, why: why.into() });
                        return;
                    }
                }
            }
        }
        let simple = |pattern: String| {
            let parts = pattern.trim_start_matches('-').split('/').filter(|part| !part.is_empty() && *part != ".");
            parts.fold(String::new(), |path, part| path + "/" + part)
        };
        let pattern = pattern.map(simple);
        self.loaded.environment_files.items.push(EnvironmentFile { pattern, optional, at });
    }

    fn names(&mut self, entry: &Entry, mode: Mode) {
        let unsets = mode == Mode::Escapes;
        let mut list = List::default();
        let (words, broken) = unit::all(&entry.value, mode);
        let mut complaints = Vec::new();
        for word in &words {
            let place = self.place(entry, word.span.start);
            let text = match expand(&word.value, self.whose, self.release) {
                Expanded::Known(bytes) => String::from_utf8(bytes).ok(),
                Expanded::Refused => None,
                Expanded::Unknown => {
                    list.doubt = Some(Stop { at: place, why: OF_THE_MACHINE.into() });
                    continue;
                }
            };
            let fits = |text: &String| is_name(text.as_bytes()) || (unsets && split(text.as_bytes()).is_some());
            match text.filter(fits) {
                Some(text) => list.items.push((text, place)),
                None => complaints.push((place, "systemd ignores it: it is no name of a variable".into())),
            }
        }
        if broken {
            complaints.push((self.place(entry, 0), Text::from(BROKEN)));
        }
        self.loaded.complaints.extend(complaints);
        let own = if unsets { &mut self.loaded.unset } else { &mut self.loaded.pass };
        if entry.value.is_empty() {
            own.clear();
        }
        own.items.extend(list.items);
        own.doubt = list.doubt.or(own.doubt.take());
    }

    fn place(&self, entry: &Entry, at: usize) -> Place {
        Place::new(self.path, entry.line(at))
    }

    fn complain(&mut self, line: usize, why: Text) {
        self.loaded.complaints.push((Place::new(self.path, line), why));
    }
}

/// Only the running machine tells what a specifier stands for.
const OF_THE_MACHINE: &str = "a specifier (%) whose meaning only the running machine tells";

const BROKEN: &str = "systemd ignores the rest of the line: a quote is open, or a backslash escapes nothing";

/// `config_parse_environ()`: takes one `Environment=` or `DefaultEnvironment=`, and returns the complaints.
pub(super) fn environment(
    entry: &Entry,
    path: &Path,
    whose: Whose<'_>,
    release: Release,
    variables: &mut Variables,
) -> Vec<(Place, Text)> {
    let mut complaints = Vec::new();
    if entry.value.is_empty() {
        variables.clear(&Place::new(path, entry.line(0)));
        return complaints;
    }
    if release.between(218, 229) != Some(true) && !unit::is_plain(&entry.value) {
        variables.doubt(Stop::line(
            path,
            entry.line(0),
            "systemd before 229 takes quotes inside a word and backslashes otherwise",
        ));
        return complaints;
    }
    let (words, broken) = unit::all(&entry.value, Mode::Escapes);
    for word in words {
        let at = Place::new(path, entry.line(word.span.start));
        let expanded = match whose {
            // For the manager's own configuration it came at some time.
            Whose::Manager => match release.between(236, 252) {
                Some(true) => expand(&word.value, whose, release),
                Some(false) => Expanded::Known(word.value.clone()),
                None if word.value.contains(&b'%') => Expanded::Unknown,
                None => Expanded::Known(word.value.clone()),
            },
            Whose::Unit(_) => expand(&word.value, whose, release),
        };
        match expanded {
            Expanded::Known(bytes) => match split(&bytes).and_then(|(name, value)| {
                Some((std::str::from_utf8(name).ok()?, String::from_utf8(value.to_vec()).ok()?))
            }) {
                Some((name, value)) => variables.set(name, Sight::Value { value, at }),
                None => complaints.push((at, "systemd ignores the assignment: it is not NAME=value in UTF-8".into())),
            },
            Expanded::Refused => complaints.push((at, refused(&word.value))),
            Expanded::Unknown => {
                let doubt = Stop::new(&at, OF_THE_MACHINE);
                match split(&word.value).and_then(|(name, _)| std::str::from_utf8(name).ok()) {
                    Some(name) => variables.set(name, Sight::unknown(&at, doubt.why)),
                    None => variables.doubt(doubt),
                }
            }
        }
    }
    if broken {
        complaints.push((Place::new(path, entry.line(0)), BROKEN.into()));
    }
    complaints
}

/// An assignment that is thrown away for what follows a `%` in it.
fn refused(word: &[u8]) -> Text {
    match split(word).and_then(|(name, _)| std::str::from_utf8(name).ok()) {
        Some(name) => text!("systemd ignores {}: a % in its value is not doubled (%%)", own(name)),
        None => "systemd ignores the assignment: a % in it is not doubled (%%)".into(),
    }
}
