//! What a login shell's files make of its environment: `/etc/profile` and all that it sources, read as one program, in the
//! order in which the shell runs it, over the files of a host and for one user.
//!
//! Sources: bash(1) "INVOCATION", dash(1), POSIX 2017 Shell Command Language; held against bash 5.2 and dash 0.5.12 by
//! `tests/lab/chains.rs`. Constants are followed: assignments, exports, functions, `for` over words and names of files, files
//! that are sourced by a constant path, conditions on values and on files. Where a condition is not known both ways are gone,
//! and what differs after them is unknown; what only the running shell can tell (`eval`, `$(…)`, loops) makes unknown what it
//! may change. Each unknown names the first line that caused it.
//!
//! [`Alone`] follows one file by itself, for those that edit it; `written` says where its assignments stand.

mod ast;
mod builtins;
mod compound;
mod condition;
mod declare;
mod expand;
mod files;
mod machine;
mod parse;
mod pattern;
mod run;
mod simple;
mod state;
#[cfg(test)]
mod tests;
mod ways;
mod words;
mod written;

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use files::User;
pub(crate) use files::obstacles;
use files::{Content, Eyes, LONGEST_SCRIPT, Look};
use machine::{Flow, Shell};
pub use machine::{Given, Kind};
use parse::parse;
pub(crate) use pattern::{Marked, matches};
use state::{At, Cause, Tri, Value, Variable};
pub(super) use written::{Written, cuts, written};

use crate::host::{HostRead, RealHost};

/// The first file of every login shell.
const PROFILE: &str = "/etc/profile";

/// What bash looks for in the home folder: the first that is there.
const OF_BASH: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];

/// What the shell's children get of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This value.
    Value(Vec<u8>),
    /// Nothing.
    Unset,
    /// Only the running shell can tell, for this reason.
    Unknown(&'static str),
}

/// What is decided about a variable, and by which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What the shell's children get.
    pub outcome: Outcome,
    /// The file.
    pub path: PathBuf,
    /// Its line, counted from 1; 0: the file as a whole.
    pub line: usize,
}

/// A login whose shell reads its files.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Who logs in.
    pub user: &'a User,
    /// Which shell it is.
    pub kind: Kind,
    /// Is it one where a person types (console, ssh), or one for a command (`su - USER -c`)?
    pub interactive: bool,
    /// What PAM and others gave it.
    pub start: &'a BTreeMap<Vec<u8>, Given>,
    /// Read in place of `/etc/profile` where that is absent.
    pub without_profile: Option<&'a str>,
}

impl Login<'_> {
    /// What the files make of the variables: of those that they touch, and of `names` where nothing is known any more.
    pub fn read(&self, host: &dyn HostRead, names: &[&str]) -> BTreeMap<Vec<u8>, Decided> {
        self.read_watched(host, names, &Cell::default())
    }

    /// As [`read`](Self::read); `hindered` becomes true where the user was shut out of anything on the way. Where it stays as
    /// it is, the files have no modes that matter.
    pub(crate) fn read_watched(
        &self,
        host: &dyn HostRead,
        names: &[&str],
        hindered: &Cell<bool>,
    ) -> BTreeMap<Vec<u8>, Decided> {
        let eyes = Eyes { host: Some(host), user: self.user, hindered };
        let mut shell = Shell::new(eyes, self.kind, self.interactive, Path::new(PROFILE), self.start);
        let flow = self.files(&mut shell);
        self.found(shell, flow, names)
    }

    /// As [`read`](Self::read), where what is not followed is taken to change none of the variables: a guess, which counts
    /// where the login itself has said the same.
    pub(crate) fn read_supposing(&self, host: &dyn HostRead, names: &[&str]) -> BTreeMap<Vec<u8>, Decided> {
        let hindered = Cell::default();
        let eyes = Eyes { host: Some(host), user: self.user, hindered: &hindered };
        let mut shell = Shell::new(eyes, self.kind, self.interactive, Path::new(PROFILE), self.start);
        shell.state.supposing = true;
        let flow = self.files(&mut shell);
        if shell.state.lost.is_some() { BTreeMap::new() } else { self.found(shell, flow, names) }
    }

    /// The same for bash that is given a command and is no login shell: it reads the file that `BASH_ENV` names, if that is
    /// there (bash(1) "INVOCATION").
    pub fn read_command(&self, host: &dyn HostRead, file: &Path, names: &[&str]) -> BTreeMap<Vec<u8>, Decided> {
        let hindered = Cell::default();
        let eyes = Eyes { host: Some(host), user: self.user, hindered: &hindered };
        let mut shell = Shell::new(eyes, self.kind, self.interactive, file, self.start);
        shell.login = false;
        let flow = optional(&mut shell, file);
        self.found(shell, flow, names)
    }

    fn found(&self, mut shell: Shell<'_>, flow: Flow, names: &[&str]) -> BTreeMap<Vec<u8>, Decided> {
        if let Some(cause) = shell.ended(flow) {
            shell.state.lose(cause);
        }
        let mut found = BTreeMap::new();
        let named = names.iter().map(|name| name.as_bytes().to_vec()).filter(|_| shell.state.lost.is_some());
        let touched = shell.state.variables.keys().cloned();
        for name in touched.chain(named).collect::<std::collections::BTreeSet<_>>() {
            let variable = shell.variable(&name);
            let given = self.start.get(&name).is_some_and(|given| *given != Given::Unset);
            if let Some((outcome, at)) = outcome(&variable, given) {
                let path = shell.files[at.file].clone();
                found.insert(name, Decided { outcome, path, line: at.line });
            }
        }
        found
    }

    /// [`read`](Self::read) of the files below a folder, for tests that hold it against real shells.
    ///
    /// # Errors
    /// The folder cannot be entered.
    #[doc(hidden)]
    pub fn read_image(&self, root: &Path, names: &[&str]) -> std::io::Result<BTreeMap<Vec<u8>, Decided>> {
        Ok(self.read(&RealHost::image(root)?, names))
    }

    /// The files of a login, in their order.
    fn files(&self, shell: &mut Shell<'_>) -> Flow {
        let home = self.user.home.clone();
        let profile = Path::new(PROFILE);
        let mut flow = match self.without_profile {
            Some(text) if matches!(shell.eyes.look(profile), Look::Absent) => {
                shell.instead(profile, text);
                shell.source(profile, 0)
            }
            _ => optional(shell, profile),
        };
        if flow != Flow::Next {
            return flow;
        }
        if self.kind == Kind::Bash {
            // The first that the user can read.
            for name in OF_BASH {
                let path = home.join(name);
                if matches!(shell.eyes.content(&path), Content::None) {
                    continue;
                }
                flow = optional(shell, &path);
                break;
            }
        } else {
            flow = optional(shell, &home.join(".profile"));
        }
        if flow != Flow::Next {
            return flow;
        }
        // bash(1): BASH_ENV where it does not interact; POSIX: ENV where it does.
        let name: &[u8] = match (self.kind, self.interactive) {
            (Kind::Bash, false) => b"BASH_ENV",
            (Kind::Bash, true) | (_, false) => return Flow::Next,
            (_, true) => b"ENV",
        };
        match shell.variable(name).value {
            Value::Unset => Flow::Next,
            Value::Known(text) if text.is_empty() => Flow::Next,
            Value::Known(text) if text.starts_with(b"/") && !text.iter().any(|byte| b"$`\\~".contains(byte)) => {
                optional(shell, Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&text)))
            }
            Value::Known(_) | Value::Some(_) | Value::Unknown(_) => {
                let cause = shell.cause(0, "which file it reads at last only the shell knows");
                shell.state.lose(cause);
                Flow::Next
            }
        }
    }
}

/// A file by itself, whatever host it is on and whoever reads it: nothing is known of the environment, of other files and
/// of commands. What it sources is taken to leave its variables alone.
pub(super) struct Alone {
    /// What the shell's children get of the variables that the file sets, in its order.
    pub(super) variables: Vec<(Vec<u8>, Outcome)>,
    /// The line at which the shell ends, and why.
    pub(super) ended: Option<(usize, &'static str)>,
    /// The line from which on nothing is known.
    pub(super) lost: Option<usize>,
    /// The line at which the shell may end.
    pub(super) may_end: Option<usize>,
    /// The first line that sources another file or evaluates what is not known.
    pub(super) sourced: Option<usize>,
}

impl Alone {
    /// What a shell makes of a file that it sources; of the environment it is known that it has some names.
    pub(super) fn read(bytes: &[u8], kind: Kind, exported: &[&[u8]]) -> Self {
        let user =
            User { name: String::new(), uid: u32::MAX, gids: Vec::new(), home: PathBuf::new(), shell: PathBuf::new() };
        let eyes = Eyes { host: None, user: &user, hindered: &Cell::default() };
        let mut shell = Shell::new(eyes, kind, false, Path::new(""), &BTreeMap::new());
        shell.beginning.alone(exported);
        let mut order: Vec<Vec<u8>> = Vec::new();
        let mut flow = Flow::Next;
        match is_script(bytes) {
            Ok(()) => {
                let script = Rc::new(parse(Path::new(""), bytes.to_vec(), None, shell.is_bash()));
                order.extend(written::of_script(&script).into_iter().map(|own| own.name));
                flow = shell.framed(|shell| shell.script(script));
            }
            Err((line, why)) => shell.state.lose(Cause { at: At { file: 0, line }, why }),
        }
        let may_end = shell.exits.as_ref().map(|(_, cause)| cause.at.line);
        let ended = shell.ended(flow).or(shell.rejected).map(|cause| (cause.at.line, cause.why));
        let lost = shell.state.lost.map(|cause| cause.at.line);
        if lost.is_some() {
            order.extend(assigned(bytes).map(<[u8]>::to_vec));
        }
        order.extend(shell.state.variables.keys().cloned());
        let mut seen = HashSet::new();
        order.retain(|name| seen.insert(name.clone()));
        let of = |name: Vec<u8>| Some((outcome_alone(&shell.variable(&name))?, name));
        let variables = order.into_iter().filter_map(of).map(|(outcome, name)| (name, outcome)).collect();
        Self { variables, ended, lost, may_end, sourced: shell.sourced.map(|cause| cause.at.line) }
    }
}

/// What has bytes that no script has, or too many: the line and why.
fn is_script(bytes: &[u8]) -> Result<(), (usize, &'static str)> {
    if bytes.len() > LONGEST_SCRIPT {
        return Err((1, "it is too long for a script"));
    }
    match memchr::memchr(0, bytes) {
        None => Ok(()),
        Some(nul) => Err((1 + memchr::memchr_iter(b'\n', &bytes[..nul]).count(), "it has bytes that no script has")),
    }
}

/// Names with a `=` behind them, wherever they stand.
fn assigned(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'=', bytes).filter_map(|equals| {
        let before = &bytes[..equals];
        let before = before.strip_suffix(b"+").unwrap_or(before);
        let length = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        Some(&before[before.len() - length..]).filter(|name| ast::is_name(name))
    })
}

/// A file that need not be there.
fn optional(shell: &mut Shell<'_>, path: &Path) -> Flow {
    match shell.eyes.content(path) {
        Content::None => Flow::Next,
        Content::Text(_) | Content::Unknown(_) => shell.source(path, 0),
    }
}

/// What the children of a shell get of a variable, as far as one file by itself tells; `None`: nothing that it gives them.
fn outcome_alone(variable: &Variable) -> Option<Outcome> {
    match (&variable.value, variable.exported) {
        (Value::Unset, _) | (_, Tri::No) => None,
        _ if !variable.assigned => None,
        (Value::Known(value), Tri::Yes) => Some(Outcome::Value(value.clone())),
        (Value::Some(cause) | Value::Unknown(cause), _) => Some(Outcome::Unknown(cause.why)),
        (Value::Known(_), Tri::Maybe(cause)) => Some(Outcome::Unknown(cause.why)),
    }
}

/// What the children of the shell get, and the line that decides it; `None`: nothing, as before.
fn outcome(variable: &Variable, given: bool) -> Option<(Outcome, At)> {
    let at = variable.at?;
    Some(match (&variable.value, variable.exported) {
        (Value::Unset, _) => (Outcome::Unset, at),
        (_, Tri::No) if given => (Outcome::Unset, at),
        (_, Tri::No) => return None,
        (Value::Known(value), Tri::Yes) => (Outcome::Value(value.clone()), at),
        (Value::Some(cause) | Value::Unknown(cause), _) => (Outcome::Unknown(cause.why), cause.at),
        (Value::Known(_), Tri::Maybe(cause)) => (Outcome::Unknown(cause.why), cause.at),
    })
}
