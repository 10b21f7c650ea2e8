//! The shell that is followed: its variables, and what becomes unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ast::{Script, name_prefix};
use super::files::{Eyes, User};
use super::parse::parse;
use super::state::{At, Cause, Function, Parameters, State, Tri, Value, Variable};

/// How many commands, joined variables and pieces of text are gone through before all is given up.
const MOST_STEPS: usize = 2_000_000;

/// Files and functions that are open at the same time.
pub(super) const DEEPEST: usize = 20;

/// Why something is not known that the model has no more to say about.
pub(super) const LOST: &str = "what stands here is not understood";

pub(super) const CALLS: &str = "files or functions lead to each other without end";

pub(super) const READ_ONLY: &str = "a read-only variable is assigned to, which ends the shell";

/// Which shell reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bash`
    Bash,
    /// `bash` that was started as `sh`, and enters its POSIX mode after these files.
    BashAsSh,
    /// `dash`
    Dash,
}

/// What the login had before its shell began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// In the environment, with this value.
    Value(Vec<u8>),
    /// Not in the environment.
    Unset,
    /// Nobody knows.
    Unknown,
}

/// Variables as they are when the first file is read.
pub(super) struct Beginning {
    variables: BTreeMap<Vec<u8>, Variable>,
    session: Cause,
    /// Of all others nothing is known, but that they are not in the environment.
    alone: bool,
}

/// Where the reading goes on after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break(usize),
    Continue(usize),
    Return,
    /// bash leaves the line of the file that is being read.
    Discard,
    /// The login ends, for this reason.
    Exit(Cause),
}

/// A state in which the reading may go on elsewhere, and why that is not certain.
pub(super) type Parked = Option<(State, Cause)>;

/// A loop that is being run.
#[derive(Default)]
pub(super) struct Loop {
    pub(super) breaks: Parked,
    pub(super) continues: Parked,
}

pub(super) struct Shell<'a> {
    pub(super) eyes: Eyes<'a>,
    pub(super) kind: Kind,
    pub(super) interactive: bool,
    /// Is it a login shell?
    pub(super) login: bool,
    pub(super) beginning: Beginning,
    pub(super) state: State,
    pub(super) files: Vec<PathBuf>,
    pub(super) script: Rc<Script>,
    /// The index of the script's file.
    pub(super) file: usize,
    pub(super) scripts: HashMap<PathBuf, Rc<Script>>,
    pub(super) returns: Vec<Parked>,
    pub(super) loops: Vec<Loop>,
    pub(super) discards: Vec<Parked>,
    pub(super) exits: Parked,
    /// The first place where a file without its host sources another, or evaluates what only the shell knows.
    pub(super) sourced: Option<Cause>,
    /// Where bash takes a file for a syntax error.
    pub(super) rejected: Option<Cause>,
    /// How many files and functions are open.
    pub(super) depth: usize,
    /// How many ways have parted within each other.
    pub(super) forks: usize,
    steps: usize,
}

/// Commands by which a text changes names that it does not spell.
const REACHES_FAR: [&[u8]; 13] = [
    b"eval", b"source", b".", b"exec", b"exit", b"trap", b"alias", b"unalias", b"shopt", b"enable", b"builtin",
    b"command", b"set",
];

/// Commands that change the names given to them.
const NAMING: [&[u8]; 12] = [
    b"export",
    b"declare",
    b"typeset",
    b"readonly",
    b"local",
    b"unset",
    b"read",
    b"let",
    b"mapfile",
    b"readarray",
    b"getopts",
    b"printf",
];

/// What a session may have in its environment beside what PAM and the files give: by `sshd`, `login`, `su`, the terminal.
const OF_SESSIONS: [&[u8]; 30] = [
    b"COLORTERM",
    b"COLUMNS",
    b"DBUS_",
    b"DISPLAY",
    b"EDITOR",
    b"HUSHLOGIN",
    b"INVOCATION_ID",
    b"JOURNAL_STREAM",
    b"KRB5",
    b"LANG",
    b"LC_",
    b"LINES",
    b"MAIL",
    b"MOTD_SHOWN",
    b"NOTIFY_SOCKET",
    b"OLDPWD",
    b"PATH",
    b"PWD",
    b"REMOTEHOST",
    b"SELINUX_",
    b"SHLVL",
    b"SSH_",
    b"SUDO_",
    b"TERM",
    b"TMPDIR",
    b"TZ",
    b"VTE_",
    b"WINDOWID",
    b"XAUTHORITY",
    b"XDG_",
];

impl Beginning {
    /// Of a file by itself: nobody knows what is in the environment but these names.
    pub(super) fn alone(&mut self, exported: &[&[u8]]) {
        self.variables.retain(|name, own| name == b"IFS" || own.read_only == Tri::Yes);
        for name in exported {
            let variable = Variable { exported: Tri::Yes, ..self.first(name) };
            self.variables.insert(name.to_vec(), variable);
        }
    }

    /// What `name` is before any file is read.
    pub(super) fn first(&self, name: &[u8]) -> Variable {
        if let Some(known) = self.variables.get(name) {
            return known.clone();
        }
        if self.alone {
            let variable = Variable::unknown(self.session);
            let (exported, read_only) = (Tri::No, Tri::No);
            return Variable { exported, read_only, assigned: false, at: None, ..variable };
        }
        let proxies = name.to_ascii_lowercase().windows(5).any(|part| part == b"proxy");
        if !proxies && (of_shell(name) || OF_SESSIONS.iter().any(|prefix| name.starts_with(prefix))) {
            let mut variable = Variable::unknown(self.session);
            (variable.read_only, variable.assigned, variable.at) = (Tri::No, false, None);
            return variable;
        }
        Variable::new(Value::Unset, false)
    }
}

impl<'a> Shell<'a> {
    pub(super) fn new(
        eyes: Eyes<'a>,
        kind: Kind,
        interactive: bool,
        first_file: &Path,
        start: &BTreeMap<Vec<u8>, Given>,
    ) -> Self {
        let session =
            Cause { at: At { file: 0, line: 0 }, why: "the session decides it before the first file is read" };
        let alone = eyes.host.is_none();
        let variables = first_variables(eyes.user, kind, interactive, session, start);
        let beginning = Beginning { variables, session, alone };
        let parameters = if alone { Parameters::Unknown(session) } else { Parameters::Known(Vec::new()) };
        let state = State {
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            aliases: BTreeSet::new(),
            parameters,
            export_all: Tri::No,
            odd_globs: None,
            frames: Vec::new(),
            status: Tri::Yes,
            lost: None,
            supposing: false,
        };
        Self {
            eyes,
            kind,
            interactive,
            login: true,
            beginning,
            state,
            files: vec![first_file.to_path_buf()],
            script: Rc::new(parse(first_file, Vec::new(), None, true)),
            file: 0,
            scripts: HashMap::new(),
            returns: Vec::new(),
            loops: Vec::new(),
            discards: Vec::new(),
            exits: None,
            sourced: None,
            rejected: None,
            depth: 0,
            forks: 0,
            steps: 0,
        }
    }

    /// Is a file read by itself, without its host?
    pub(super) fn is_alone(&self) -> bool {
        self.eyes.host.is_none()
    }

    /// bash that may be in its POSIX mode, where errors end it: a file by itself does not tell.
    pub(super) fn is_strict(&self) -> bool {
        self.is_alone() && self.is_bash()
    }

    pub(super) fn is_bash(&self) -> bool {
        self.kind != Kind::Dash
    }

    pub(super) fn cause(&self, at: usize, why: &'static str) -> Cause {
        Cause { at: self.at(at), why }
    }

    pub(super) fn at(&self, at: usize) -> At {
        At { file: self.file, line: self.script.line_of(at) }
    }

    pub(super) fn file_index(&mut self, path: &Path) -> usize {
        self.files.iter().position(|known| known == path).unwrap_or_else(|| {
            self.files.push(path.to_path_buf());
            self.files.len() - 1
        })
    }

    /// Counts work; false: there has been too much of it, and nothing is known any more.
    pub(super) fn charge(&mut self, steps: usize, at: usize) -> bool {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MOST_STEPS {
            let cause = self.cause(at, "there is more to follow than a login has");
            self.state.exhaust(cause);
        }
        self.state.lost.is_none()
    }

    /// A copy of the state, which costs what it has.
    pub(super) fn copied(&mut self, at: usize) -> State {
        self.charge(1 + self.state.variables.len() + self.state.functions.len(), at);
        self.state.clone()
    }

    /// The reading may as well have come here in another state.
    pub(super) fn join(&mut self, other: State, cause: Cause) {
        let lost = State { lost: Some(cause), variables: BTreeMap::new(), functions: BTreeMap::new(), ..other.clone() };
        let mine = std::mem::replace(&mut self.state, lost);
        self.state = mine.join(other, cause, &|name| self.beginning.first(name));
    }

    pub(super) fn variable(&self, name: &[u8]) -> Variable {
        match (self.state.variables.get(name), self.state.lost) {
            (Some(variable), _) => variable.clone(),
            (None, Some(cause)) => Variable::unknown(cause),
            (None, None) => self.beginning.first(name),
        }
    }

    /// The variable, to be changed by the line `at`.
    pub(super) fn touched(&mut self, name: &[u8], at: At) -> &mut Variable {
        let found = self.variable(name);
        let variable = self.state.variables.entry(name.to_vec()).or_insert(found);
        // What is read-only was decided where it was made so; an export later on changes nothing of its value.
        if variable.read_only != Tri::Yes {
            variable.at = Some(at);
        }
        variable
    }

    /// `NAME=value`. What follows if it may not be done is the flow.
    pub(super) fn assign(&mut self, name: &[u8], value: Value, at: usize) -> Flow {
        let here = self.at(at);
        let all = self.state.export_all;
        match self.variable(name).read_only {
            Tri::Yes | Tri::Maybe(_) if self.is_strict() => {
                let cause = self.cause(at, READ_ONLY);
                self.state.lose(cause);
                return Flow::Next;
            }
            Tri::Yes => {
                self.state.status = Tri::No;
                if self.is_bash() {
                    return Flow::Discard;
                }
                return self.failure(at, READ_ONLY);
            }
            Tri::Maybe(cause) => {
                let parked = (self.copied(at), cause);
                if self.is_bash() {
                    self.park(Flow::Discard, parked.0, cause);
                } else {
                    self.park(Flow::Exit(cause), parked.0, cause);
                }
                self.touched(name, here).lose(cause);
                return Flow::Next;
            }
            Tri::No => {}
        }
        let special = of_shell(name);
        let cause = self.cause(at, "the shell gives this variable its values");
        let variable = self.touched(name, here);
        variable.value = if variable.odd || special { Value::Unknown(cause) } else { value };
        variable.assigned = true;
        match all {
            Tri::No => {}
            Tri::Yes => variable.exported = Tri::Yes,
            Tri::Maybe(cause) => variable.exported = variable.exported.join(Tri::Yes, cause),
        }
        if name == b"POSIXLY_CORRECT" || name == b"GLOBIGNORE" {
            let cause = self.cause(at, "from here on the shell reads in another mode");
            self.state.lose(cause);
        }
        Flow::Next
    }

    /// An error that ends dash.
    pub(super) fn failure(&mut self, at: usize, why: &'static str) -> Flow {
        let cause = self.cause(at, why);
        self.state.status = Tri::No;
        if self.is_bash() {
            return Flow::Next;
        }
        if self.interactive {
            // It goes on with another file, or where people type.
            self.state.lose(cause);
            return Flow::Next;
        }
        Flow::Exit(cause)
    }

    /// The reading may go on elsewhere in this state.
    pub(super) fn park(&mut self, flow: Flow, state: State, cause: Cause) {
        let depth = self.loops.len();
        let slot = match flow {
            Flow::Next => None,
            Flow::Break(level) => {
                depth.checked_sub(level).and_then(|at| self.loops.get_mut(at)).map(|own| &mut own.breaks)
            }
            Flow::Continue(level) => {
                depth.checked_sub(level).and_then(|at| self.loops.get_mut(at)).map(|own| &mut own.continues)
            }
            Flow::Return => self.returns.last_mut(),
            Flow::Discard => self.discards.last_mut(),
            Flow::Exit(_) => Some(&mut self.exits),
        };
        let Some(slot) = slot else {
            self.state.lose(cause);
            return;
        };
        let (state, cause) = match slot.take() {
            Some((before, first)) => (before.join(state, first, &|name| self.beginning.first(name)), first),
            None => (state, cause),
        };
        *slot = Some((state, cause));
    }

    /// Anything that stands in a text may be done, or not.
    pub(super) fn lose_text(&mut self, text: &[u8], cause: Cause) {
        let mut left = vec![text.to_vec()];
        let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut functions: BTreeSet<Vec<u8>> = BTreeSet::new();
        while let Some(text) = left.pop() {
            self.charge(1 + text.len() / 16, 0);
            if reaches_far(&text) || self.state.lost.is_some() {
                self.state.lose(cause);
                return;
            }
            for name in words(&text) {
                if !functions.contains(name)
                    && let Some(function) = self.state.functions.get(name)
                {
                    functions.insert(name.to_vec());
                    match function {
                        Function::Known(body, script) => left.push(script.text[body.start..body.end].to_vec()),
                        Function::Unknown(cause) => {
                            let cause = *cause;
                            self.state.lose(cause);
                            return;
                        }
                    }
                }
                if name_prefix(name).len() == name.len() && !seen.contains(name) {
                    seen.insert(name.to_vec());
                }
            }
        }
        for name in seen {
            let found = self.variable(&name);
            self.state.variables.entry(name.clone()).or_insert(found).lose(cause);
            // It may be defined there.
            self.state.functions.insert(name, Function::Unknown(cause));
        }
    }
}

/// Names and other words of a text: what has a meaning as a name of a variable, a function or a command.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_'))).filter(|word| !word.is_empty())
}

/// May a text change names that it does not spell?
fn reaches_far(text: &[u8]) -> bool {
    let split = |byte: &u8| b" \t\n;&|(){}`".contains(byte);
    let mut naming = false;
    for line in text.split(|byte| matches!(byte, b'\n' | b';')) {
        naming = naming && line.is_empty();
        for word in line.split(split).filter(|word| !word.is_empty()) {
            let plain: Vec<u8> = word.iter().copied().filter(|byte| !b"\\'\"".contains(byte)).collect();
            // A command that is spelled by an expansion or a brace can be any of them.
            if REACHES_FAR.contains(&plain.as_slice()) || plain.starts_with(b"-n") && naming {
                return true;
            }
            naming |= NAMING.contains(&plain.as_slice());
            let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
            if naming && name.iter().any(|byte| b"$*?[".contains(byte)) {
                return true;
            }
        }
        naming = false;
        // `export {http,https}_proxy=` spells no name.
        if memchr::memchr(b'{', line).is_some() && memchr::memchr(b',', line).is_some() {
            return true;
        }
        if line.trim_ascii_start().starts_with(b"$") || line.trim_ascii_start().starts_with(b"\"$") {
            return true;
        }
    }
    false
}

fn first_variables(
    user: &User,
    kind: Kind,
    interactive: bool,
    session: Cause,
    start: &BTreeMap<Vec<u8>, Given>,
) -> BTreeMap<Vec<u8>, Variable> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = BTreeMap::new();
    let mut put = |name: &[u8], value: Value, exported: bool| {
        found.insert(name.to_vec(), Variable::new(value, exported));
    };
    let known = |bytes: &[u8]| Value::Known(bytes.to_vec());
    put(b"HOME", known(user.home.as_os_str().as_bytes()), true);
    put(b"SHELL", known(user.shell.as_os_str().as_bytes()), true);
    put(b"USER", known(user.name.as_bytes()), true);
    put(b"LOGNAME", known(user.name.as_bytes()), true);
    put(b"PATH", Value::Some(session), true);
    put(b"PWD", Value::Some(session), true);
    put(b"IFS", known(b" \t\n"), false);
    put(b"OPTIND", known(b"1"), false);
    put(b"PPID", Value::Some(session), false);
    for name in [b"PS2".as_slice(), b"PS4"] {
        put(name, Value::Some(session), false);
    }
    if kind == Kind::Dash {
        put(b"PS1", Value::Some(session), false);
        // bash exports neither, so no login has them.
        for name in [b"BASH".as_slice(), b"BASH_VERSION"] {
            put(name, Value::Unset, false);
        }
    } else {
        put(b"SHLVL", Value::Some(session), true);
        put(b"BASH", known(user.shell.as_os_str().as_bytes()), false);
        put(b"PS1", if interactive { known(b"\\s-\\v\\$ ") } else { Value::Unset }, false);
        for name in
            [b"BASH_VERSION".as_slice(), b"BASHOPTS", b"SHELLOPTS", b"HOSTNAME", b"HOSTTYPE", b"MACHTYPE", b"OSTYPE"]
        {
            put(name, Value::Some(session), false);
        }
        for name in [b"UID".as_slice(), b"EUID"] {
            put(name, known(user.uid.to_string().as_bytes()), false);
        }
    }
    for (name, given) in start {
        let (value, exported) = match given {
            Given::Value(value) => (Value::Known(value.clone()), Tri::Yes),
            Given::Unset => (Value::Unset, Tri::No),
            Given::Unknown => (Value::Unknown(session), Tri::Maybe(session)),
        };
        found.insert(name.clone(), Variable { exported, ..Variable::new(value, false) });
    }
    if kind != Kind::Dash {
        for name in [b"UID".as_slice(), b"EUID", b"PPID", b"BASHOPTS", b"SHELLOPTS"] {
            if let Some(variable) = found.get_mut(name) {
                variable.read_only = Tri::Yes;
            }
        }
    }
    found
}

/// Variables to which the shells themselves give values.
pub(super) fn of_shell(name: &[u8]) -> bool {
    let prefixes: [&[u8]; 4] = [b"BASH_", b"EPOCH", b"COMP_", b"READLINE_"];
    // BASH_ENV and names that scripts make up are like others.
    if name.starts_with(b"BASH_ENV") || name.starts_with(b"BASH_COMPLETION") {
        return false;
    }
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            b"_" | b"BASH"
                | b"BASHOPTS"
                | b"BASHPID"
                | b"DIRSTACK"
                | b"FUNCNAME"
                | b"GROUPS"
                | b"HISTCMD"
                | b"LINENO"
                | b"OLDPWD"
                | b"OPTIND"
                | b"PIPESTATUS"
                | b"PPID"
                | b"PWD"
                | b"RANDOM"
                | b"SECONDS"
                | b"SHELLOPTS"
                | b"SHLVL"
                | b"SRANDOM"
        )
}
