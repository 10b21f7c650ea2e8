//! `ExecStart=` (`config_parse_exec()` in `src/core/load-fragment.c`, release 252; systemd.service(5) "Command lines").

use std::path::Path;

use super::{Command, Place};
use crate::consumers::sight::Sight;
use crate::envfile::unit::{self, Entry, Expanded, Mode, Release, Whose, Word, expand, first};

/// What was read of one line.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) commands: Vec<Command>,
    /// Why systemd does not take it, and goes on.
    pub(super) ignored: Option<&'static str>,
    /// Why systemd stops reading the file at it.
    pub(super) stops: Option<&'static str>,
}

/// Reads one line that is not empty.
pub(super) fn commands(entry: &Entry, path: &Path, whose: Whose<'_>, release: Release) -> Read {
    let mut read = Read::default();
    if release.between(218, 229) != Some(true) && !unit::is_plain(&entry.value) {
        read.commands.push(Command { at: Place::new(path, entry.line(0)), argv: vec![None], verbatim: false });
        return read;
    }
    let mut at = 0;
    loop {
        let Ok(Some(word)) = word(&entry.value, at) else { return read };
        if word.value == b";" {
            at = word.next;
            continue;
        }
        let place = Place::new(path, entry.line(word.span.start));
        let mut line = Line { text: &entry.value, at: word.next, whose, release };
        let (optional, result) = line.command(&word.value, place);
        match result {
            Ok((command, goes_on)) => {
                read.commands.push(command);
                if !goes_on {
                    return read;
                }
                at = line.at;
            }
            Err(why) if optional => return Read { ignored: Some(why), ..read },
            Err(why) => return Read { stops: Some(why), ..read },
        }
    }
}

/// A word; an escape that there is not is taken as it stands.
fn word(text: &[u8], at: usize) -> Result<Option<Word>, unit::Broken> {
    first(text, at, Mode::Escapes).or_else(|_| first(text, at, Mode::EscapesOrVerbatim))
}

struct Line<'a> {
    text: &'a [u8],
    at: usize,
    whose: Whose<'a>,
    release: Release,
}

impl Line<'_> {
    /// The command that begins with `word`: whether a fault in it is passed over; and the command, and whether another one
    /// follows.
    fn command(&mut self, word: &[u8], place: Place) -> (bool, Result<(Command, bool), &'static str>) {
        let marks = word.iter().take_while(|byte| b"-@:+!".contains(byte)).count();
        let (marks, program) = word.split_at(marks);
        let optional = marks.contains(&b'-');
        let verbatim = marks.contains(&b':');
        let separate = marks.contains(&b'@');
        let result = self.arguments(program, separate).map(|(argv, goes_on)| {
            let command = Command { at: place, argv, verbatim };
            (command, goes_on)
        });
        (optional, result)
    }

    fn arguments(&mut self, program: &[u8], separate: bool) -> Result<(Vec<Option<String>>, bool), &'static str> {
        let program = self.expanded(program)?;
        if let Some(program) = &program {
            is_program(program)?;
        }
        let mut argv = Vec::new();
        if !separate {
            argv.push(program);
        }
        let mut goes_on = false;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let ends = |at: usize| rest.get(at).is_none_or(|byte| unit::is_blank(*byte));
            if rest.starts_with(b";") && ends(1) {
                self.skip(1);
                goes_on = true;
                break;
            }
            if rest.starts_with(b"\\;") && ends(2) {
                self.skip(2);
                argv.push(Some(";".to_owned()));
                continue;
            }
            match word(self.text, self.at) {
                Ok(Some(word)) => {
                    argv.push(self.expanded(&word.value)?);
                    self.at = word.next;
                }
                Ok(None) => break,
                Err(unit::Broken) => return Err("systemd does not take the command: a quote in it is open"),
            }
        }
        if argv.first().is_none_or(|first| first.as_deref() == Some("")) {
            return Err("systemd does not take the command: its name is empty");
        }
        Ok((argv, goes_on))
    }

    fn skip(&mut self, length: usize) {
        self.at += length;
        while self.text.get(self.at).is_some_and(|byte| unit::is_blank(*byte)) {
            self.at += 1;
        }
    }

    fn expanded(&self, word: &[u8]) -> Result<Option<String>, &'static str> {
        match expand(word, self.whose, self.release) {
            Expanded::Known(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Expanded::Unknown => Ok(None),
            Expanded::Refused => Err("systemd does not take the command: a % in it is not doubled (%%)"),
        }
    }
}

fn is_program(program: &str) -> Result<(), &'static str> {
    let odd = |c: char| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\');
    let fits = !program.is_empty()
        && !program.chars().any(odd)
        && !program.ends_with('/')
        && !matches!(program, "." | "..")
        && (program.starts_with('/') || !program.contains('/'))
        && program.len() < 4096
        && program.split('/').all(|part| part.len() <= 255);
    if fits { Ok(()) } else { Err("systemd does not take the command: its name is no path of a program") }
}

/// Variables that systemd itself gives to a service, so that files alone do not tell them (systemd.exec(5) "Environment
/// variables in spawned processes").
const OF_SYSTEMD: [&str; 26] = [
    "PATH",
    "LANG",
    "USER",
    "LOGNAME",
    "HOME",
    "SHELL",
    "INVOCATION_ID",
    "XDG_RUNTIME_DIR",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "MAINPID",
    "MANAGERPID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "LOG_NAMESPACE",
    "JOURNAL_STREAM",
];

/// A variable as a command gets it.
enum Variable {
    Value(String),
    Absent,
    Unknown,
}

/// The command with `$NAME` and `${NAME}` replaced (`replace_env_argv()` in `src/basic/env-util.c`).
pub(super) fn with_variables(command: Command, get: impl Fn(&str) -> Option<Sight>) -> Command {
    if command.verbatim {
        return command;
    }
    let get = |name: &str| match get(name) {
        Some(Sight::Value { value, .. }) => Variable::Value(value),
        Some(Sight::Unknown { .. }) => Variable::Unknown,
        None if OF_SYSTEMD.contains(&name) || name.starts_with("LC_") => Variable::Unknown,
        Some(Sight::Unset { .. }) | None => Variable::Absent,
    };
    let mut argv = Vec::new();
    for word in command.argv {
        let Some(word) = word else {
            argv.push(None);
            continue;
        };
        let alone = word.strip_prefix('$').filter(|rest| !rest.starts_with(['{', '$']));
        match alone {
            Some(name) => match get(name) {
                Variable::Value(value) => {
                    let (words, _) = unit::all(value.as_bytes(), Mode::Relaxed);
                    argv.extend(words.into_iter().map(|word| String::from_utf8(word.value).ok()));
                }
                Variable::Absent => {}
                Variable::Unknown => argv.push(None),
            },
            None => argv.push(inside(&word, &get)),
        }
    }
    Command { argv, at: command.at, verbatim: command.verbatim }
}

/// `${NAME}` inside a word, and `$$`.
fn inside(word: &str, get: &impl Fn(&str) -> Variable) -> Option<String> {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(more) = after.strip_prefix('$') {
            out.push('$');
            rest = more;
        } else if let Some(name) = after.strip_prefix('{') {
            match name.find(['}', ':']) {
                Some(end) if name.as_bytes()[end] == b'}' => {
                    match get(&name[..end]) {
                        Variable::Value(value) => out.push_str(&value),
                        Variable::Absent => {}
                        Variable::Unknown => return None,
                    }
                    rest = &name[end + 1..];
                }
                // Defaults of a shell have no meaning here.
                Some(end) => {
                    out.push_str("${");
                    out.push_str(&name[..=end]);
                    rest = &name[end + 1..];
                }
                None => {
                    out.push_str("${");
                    out.push_str(name);
                    rest = "";
                }
            }
        } else {
            out.push('$');
            let length = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&after[..length]);
            rest = &after[length..];
        }
    }
    out.push_str(rest);
    Some(out)
}
