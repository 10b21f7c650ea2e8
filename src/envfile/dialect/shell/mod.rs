//! A file that a login shell sources, such as `/etc/profile.d/proxy.sh`: what the shell's children get.
//!
//! Source: POSIX 2017 Shell Command Language, held against `dash` and `bash`. This is a static reading:
//!
//! - What stands in `if`, loops, `case`, groups, functions that are called, pipelines and behind `||` is unknown.
//! - `.`, `eval` and commands that are not in the file are taken to leave the file's names alone.
//! - `${NAME}` is known only where the file set it before.
//! - Where the shells differ (arrays, `[[`, `export -n` …) everything is unknown from the start.

mod lexer;
mod parser;

use std::collections::HashMap;

use super::{Reading, Seen, collector::Collector};
use lexer::{Part, SyntaxError, Word, name_prefix};
use parser::{Command, DEEPEST, List, Parser, Simple};

/// How many commands calls of functions may add up to: they can double at each level.
const MOST_CALLED: usize = 100_000;

const LOST: &str = "ics-setup cannot tell what sh makes of the file from here on";
const SOURCED: &str = "ics-setup does not look into what sh sources or evaluates here; if that fails, sh ends";
const ENDS_LOGIN: &str = "exit ends the login shell here";

/// [`Dialect::Shell`](super::Dialect::Shell) where some names are already in the environment, as those of
/// `/etc/environment` are at login: the shell's children see a plain assignment to such a name.
pub fn shell_read_with(bytes: &[u8], already_exported: &[&[u8]]) -> Reading {
    let mut out = Collector::new(bytes, None);
    read(already_exported, &mut out);
    out.finish()
}

pub(super) fn read(already_exported: &[&[u8]], out: &mut Collector<'_>) {
    let mut shell = Shell::new(out.bytes);
    for name in already_exported {
        shell.variable(name).exported = Certainty::Yes;
    }
    let error = match memchr::memchr(0, out.bytes) {
        Some(nul) => Err(SyntaxError::Lost(nul)),
        None => shell.run(),
    };
    match error {
        Ok(()) => {}
        Err(SyntaxError::Rejected(position, message)) if !shell.unsure => out.reject(position, message),
        Err(SyntaxError::Rejected(position, _) | SyntaxError::Lost(position)) => {
            shell.lose(out.bytes);
            out.complain(position, LOST);
        }
    }
    if let Some(position) = shell.sourced {
        out.complain(position, SOURCED);
    }
    if let Some(position) = shell.stopped {
        out.reject(position, ENDS_LOGIN);
    }
    for name in &shell.names {
        if let Some(seen) = shell.variables.get(name).and_then(Variable::seen) {
            out.set(name, seen);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Certainty {
    No,
    Maybe,
    Yes,
}

struct Variable {
    value: Content,
    exported: Certainty,
    read_only: bool,
}

enum Content {
    /// The file has not assigned it.
    Untouched,
    Known(Vec<u8>),
    Unknown,
    Unset,
}

impl Variable {
    fn seen(&self) -> Option<Seen> {
        match (&self.value, self.exported) {
            (_, Certainty::No) | (Content::Untouched | Content::Unset, _) => None,
            (Content::Known(value), Certainty::Yes) => Some(Seen::Value(value.clone())),
            _ => Some(Seen::Unknown),
        }
    }

    fn exported_perhaps(&mut self) {
        if self.exported == Certainty::No {
            self.exported = Certainty::Maybe;
        }
    }
}

struct Shell<'a> {
    parser: Parser<'a>,
    names: Vec<Vec<u8>>,
    variables: HashMap<Vec<u8>, Variable>,
    functions: HashMap<Vec<u8>, Vec<Simple>>,
    /// `set -a`
    export_all: Certainty,
    /// Whether this place is reached depends on the running shell.
    unsure: bool,
    /// The shell has certainly exited.
    stopped: Option<usize>,
    /// The first place where another file is sourced.
    sourced: Option<usize>,
    /// The functions that are being called.
    calling: Vec<Vec<u8>>,
    /// How many commands were looked at because of calls.
    calls: usize,
}

/// Whether reading goes on after a command.
#[derive(PartialEq)]
enum Flow {
    /// On; whether the command has certainly succeeded.
    On(bool),
    /// The rest of the file is not read.
    Returns,
}

impl<'a> Shell<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Shell {
            parser: Parser::new(bytes),
            names: Vec::new(),
            variables: HashMap::new(),
            functions: HashMap::new(),
            export_all: Certainty::No,
            unsure: false,
            stopped: None,
            sourced: None,
            calling: Vec::new(),
            calls: 0,
        }
    }

    fn run(&mut self) -> Result<(), SyntaxError> {
        loop {
            let line = self.parser.line()?;
            if line.is_empty() {
                return Ok(());
            }
            for list in line {
                if self.execute_list(list)? == Flow::Returns {
                    return Ok(());
                }
            }
        }
    }

    fn execute_list(&mut self, list: List) -> Result<Flow, SyntaxError> {
        let mut certain = !list.background;
        let mut succeeded = true;
        for pipeline in list.pipelines {
            certain &= !pipeline.after_or && succeeded;
            let alone = pipeline.commands.len() == 1;
            succeeded = alone && !pipeline.negated;
            for command in pipeline.commands {
                match self.execute(command, certain && alone)? {
                    Flow::On(success) => succeeded &= success,
                    Flow::Returns => return Ok(Flow::Returns),
                }
            }
        }
        Ok(Flow::On(succeeded))
    }

    fn execute(&mut self, command: Command, certain: bool) -> Result<Flow, SyntaxError> {
        match command {
            Command::Simple(simple) => self.execute_simple(&simple, certain),
            Command::Compound(inner) => {
                // Twice: in a loop a later command can come before an earlier one.
                for simple in inner.iter().chain(&inner) {
                    self.execute_simple(simple, false)?;
                }
                Ok(Flow::On(false))
            }
            Command::Function(name, body) => {
                if name_prefix(&name) != name || is_special_builtin(&name) {
                    return Err(SyntaxError::Lost(self.parser.position()));
                }
                let bodies = self.functions.entry(name).or_default();
                if certain && !self.unsure {
                    bodies.clear();
                }
                bodies.extend(body);
                Ok(Flow::On(true))
            }
        }
    }

    fn execute_simple(&mut self, simple: &Simple, certain: bool) -> Result<Flow, SyntaxError> {
        let certain = certain && !self.unsure && !simple.redirected;
        let prefix = simple.words.iter().take_while(|word| assignment(word).is_some()).count();
        let (assignments, command) = simple.words.split_at(prefix);
        let Some((word, arguments)) = command.split_first() else {
            let mut success = certain;
            for (target, word) in assignments.iter().filter_map(|word| Some((assignment(word)?, word))) {
                let value = if target.appends { None } else { self.value(word, target.value_at, false) };
                success &= value.is_some();
                self.assign(&target.name, value, certain)?;
            }
            return Ok(Flow::On(success));
        };
        let (name, position) = (word.literal().unwrap_or_default(), word.start);
        let special = is_special_builtin(&name);
        if special && simple.redirected {
            // Where the redirection fails, dash ends.
            return Err(SyntaxError::Lost(position));
        }
        for target in assignments.iter().filter_map(assignment) {
            if special || self.functions.contains_key(&name) {
                // It stays afterwards in some shells, and exported in bash as sh.
                self.assign(&target.name, None, false)?;
                self.variable(&target.name).exported_perhaps();
            } else if self.variable(&target.name).read_only {
                return Err(SyntaxError::Lost(position));
            }
        }
        if !special && let Some(body) = self.functions.get(&name).cloned() {
            self.call(name, &body, position)?;
            return Ok(Flow::On(false));
        }
        match name.as_slice() {
            b"export" | b"readonly" => return self.declare(arguments, name == b"export", certain),
            b"unset" => return self.unset(arguments, certain),
            b":" | b"true" => return Ok(Flow::On(certain)),
            b"return" | b"exec" | b"exit" => return self.leave(&name, arguments, position, certain),
            b"set" => self.set_options(arguments, certain).ok_or(SyntaxError::Lost(position))?,
            b"." | b"eval" => _ = self.sourced.get_or_insert(position),
            // With a bad argument these end dash.
            b"shift" | b"times" | b"trap" => return Err(SyntaxError::Lost(position)),
            b"break" | b"continue" if !arguments.is_empty() => return Err(SyntaxError::Lost(position)),
            b"command" | b"builtin" => {
                let inner = arguments.first().and_then(Word::literal);
                if inner.is_none_or(|inner| is_special_builtin(&inner) || inner == b"declare" || inner == b"typeset") {
                    return Err(SyntaxError::Lost(position));
                }
            }
            b"declare" | b"typeset" | b"local" | b"let" => self.touch(arguments, true)?,
            b"read" | b"getopts" | b"mapfile" | b"readarray" | b"for" => self.touch(arguments, false)?,
            b"printf" if arguments.first().and_then(Word::bare) == Some(b"-v") => self.touch(arguments, false)?,
            _ => {
                // NAME[0]=value assigns in bash only.
                if let Some(Part::Text { bytes, quoted: false }) = word.parts.first()
                    && bytes.get(name_prefix(bytes).len()) == Some(&b'[')
                {
                    self.touch(&command[..1], false)?;
                }
            }
        }
        Ok(Flow::On(false))
    }

    /// `return`, `exit`, and `exec` with a command.
    fn leave(&mut self, name: &[u8], arguments: &[Word], position: usize, certain: bool) -> Result<Flow, SyntaxError> {
        if name == b"exec" && arguments.is_empty() {
            return Ok(Flow::On(false));
        }
        let number = |word: &Word| word.bare().is_some_and(|text| text.iter().all(u8::is_ascii_digit));
        if name != b"exec" && !(arguments.len() <= 1 && arguments.iter().all(number)) {
            return Err(SyntaxError::Lost(position));
        }
        if !certain {
            self.unsure = true;
            return Ok(Flow::On(false));
        }
        if name != b"return" {
            self.stopped = Some(position);
        }
        Ok(Flow::Returns)
    }

    /// What a command does to the names that it is given is unknown.
    fn touch(&mut self, arguments: &[Word], exports: bool) -> Result<(), SyntaxError> {
        for argument in arguments {
            let Some(Part::Text { bytes, .. }) = argument.parts.first() else { continue };
            let name = name_prefix(bytes);
            if !name.is_empty() {
                self.assign(name, None, false)?;
                if exports {
                    self.variable(name).exported_perhaps();
                }
            }
        }
        Ok(())
    }

    /// A call of a function of the file: what it does depends on its arguments and conditions.
    fn call(&mut self, name: Vec<u8>, body: &[Simple], position: usize) -> Result<(), SyntaxError> {
        self.calls += 2 * body.len();
        let recursive = self.calling.contains(&name) || self.calling.len() > DEEPEST;
        if recursive || self.calls > MOST_CALLED {
            return Err(SyntaxError::Lost(position));
        }
        self.calling.push(name);
        for simple in body.iter().chain(body) {
            let returns = simple.words.first().and_then(Word::bare) == Some(b"return");
            if !returns {
                self.execute_simple(simple, false)?;
            }
        }
        self.calling.pop();
        Ok(())
    }

    /// `export` and `readonly`.
    fn declare(&mut self, arguments: &[Word], exports: bool, certain: bool) -> Result<Flow, SyntaxError> {
        let mut targets = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            match argument.bare() {
                Some(b"--") if index == 0 => continue,
                Some(b"-p") if index == 0 && arguments.len() == 1 => continue,
                _ => {}
            }
            match assignment(argument) {
                Some(target) if target.appends => return Err(SyntaxError::Lost(argument.start)),
                // All arguments are expanded before the first is assigned.
                Some(target) => {
                    let value = self.value(argument, target.value_at, true);
                    if !exports && value.is_none() {
                        // Braces may make two of it in bash, and the second fails.
                        return Err(SyntaxError::Lost(argument.start));
                    }
                    targets.push((target.name, Some(value)));
                }
                // Anything but a name here ends dash, and bash goes on.
                None => match argument.literal() {
                    Some(name) if !name.is_empty() && name_prefix(&name) == name => targets.push((name, None)),
                    _ => return Err(SyntaxError::Lost(argument.start)),
                },
            }
        }
        let mut success = certain;
        for (name, value) in targets {
            if let Some(value) = value {
                success &= value.is_some();
                self.assign(&name, value, certain)?;
            }
            let variable = self.variable(&name);
            match (exports, certain) {
                (true, true) => variable.exported = Certainty::Yes,
                (true, false) => variable.exported_perhaps(),
                (false, _) => variable.read_only = true,
            }
        }
        Ok(Flow::On(success))
    }

    fn unset(&mut self, arguments: &[Word], certain: bool) -> Result<Flow, SyntaxError> {
        let mut certain = certain;
        for (index, argument) in arguments.iter().enumerate() {
            match argument.literal() {
                Some(name) if name == b"-f" && index == 0 => return Ok(Flow::On(false)),
                Some(name) if name == b"-v" && index == 0 => {}
                Some(name) if !name.is_empty() && name_prefix(&name) == name => {
                    let function = self.functions.remove(&name).is_some();
                    certain &= !function;
                    let variable = self.variable(&name);
                    if variable.read_only {
                        return Err(SyntaxError::Lost(argument.start));
                    } else if certain {
                        *variable = Variable { value: Content::Unset, exported: Certainty::No, read_only: false };
                    } else {
                        variable.value = Content::Unknown;
                        if variable.exported == Certainty::Yes {
                            variable.exported = Certainty::Maybe;
                        }
                    }
                }
                _ => return Err(SyntaxError::Lost(argument.start)),
            }
        }
        Ok(Flow::On(certain))
    }

    /// Only `-a` is followed. With `-e`, `-n` or `-u` the rest would depend on every command; an option that one
    /// of the shells does not have ends it: then there is no telling.
    fn set_options(&mut self, arguments: &[Word], certain: bool) -> Option<()> {
        let words = arguments.iter().map(Word::literal).collect::<Option<Vec<_>>>()?;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (sign, letters) = word.split_first()?;
            let all = match (sign, letters) {
                (b'-' | b'+', b"o") => match words.next()?.as_slice() {
                    b"allexport" => true,
                    b"vi" | b"emacs" | b"monitor" | b"notify" | b"noclobber" => false,
                    _ => return None,
                },
                (b'-' | b'+', [_, ..]) if letters.iter().all(|letter| b"abCvx".contains(letter)) => {
                    letters.contains(&b'a')
                }
                _ => return None,
            };
            if all {
                self.export_all = match (certain, sign) {
                    (false, _) => Certainty::Maybe,
                    (true, b'-') => Certainty::Yes,
                    (true, _) => Certainty::No,
                };
            }
        }
        Some(())
    }

    /// `None` as a value: unknown.
    fn assign(&mut self, name: &[u8], value: Option<Vec<u8>>, certain: bool) -> Result<(), SyntaxError> {
        let export_all = self.export_all;
        let here = self.parser.position();
        let variable = self.variable(name);
        if variable.read_only {
            // It fails, and that ends dash.
            return Err(SyntaxError::Lost(here));
        }
        variable.value = match value {
            Some(value) if certain && !is_special_variable(name) => Content::Known(value),
            _ => Content::Unknown,
        };
        match export_all {
            Certainty::No => {}
            Certainty::Yes if certain => variable.exported = Certainty::Yes,
            _ => variable.exported_perhaps(),
        }
        Ok(())
    }

    /// The value of a word from some byte of its first part on.
    fn value(&self, word: &Word, value_at: usize, declared: bool) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut tilde_expands = true;
        for (index, part) in word.parts.iter().enumerate() {
            match part {
                Part::Text { bytes, quoted } => {
                    let text = if index == 0 { bytes.get(value_at..)? } else { bytes };
                    for &byte in text {
                        match byte {
                            b'~' if tilde_expands && !quoted => return None,
                            // bash expands braces here.
                            b'{' if declared && !quoted => return None,
                            _ => {}
                        }
                        tilde_expands = byte == b':' && !quoted;
                    }
                    tilde_expands &= !quoted;
                    value.extend_from_slice(text);
                }
                Part::Parameter { name, quoted } => {
                    let known: &[u8] = match &self.variables.get(name)?.value {
                        Content::Known(known) => known,
                        Content::Unset => b"",
                        _ => return None,
                    };
                    // Older dash splits and globs here.
                    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(byte);
                    if declared
                        && !quoted
                        && (!known.iter().all(plain) || self.variables.contains_key(b"IFS".as_slice()))
                    {
                        return None;
                    }
                    value.extend_from_slice(known);
                    tilde_expands = false;
                }
                Part::Opaque => return None,
            }
        }
        Some(value)
    }

    fn variable(&mut self, name: &[u8]) -> &mut Variable {
        if !self.variables.contains_key(name) {
            self.names.push(name.to_vec());
        }
        self.variables.entry(name.to_vec()).or_insert(Variable {
            value: Content::Untouched,
            exported: Certainty::No,
            read_only: false,
        })
    }

    /// Everything that the file assigns to may be anything.
    fn lose(&mut self, bytes: &[u8]) {
        for equals in memchr::memchr_iter(b'=', bytes) {
            let before = &bytes[..equals];
            let before = before.strip_suffix(b"+").unwrap_or(before);
            let length = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let name = &before[before.len() - length..];
            if !name.is_empty() && name_prefix(name) == name {
                self.variable(name);
            }
        }
        for variable in self.variables.values_mut() {
            variable.value = Content::Unknown;
            variable.exported = Certainty::Maybe;
        }
    }
}

struct Assignment {
    name: Vec<u8>,
    /// Where in the first part the value begins.
    value_at: usize,
    /// `NAME+=`, which dash takes for a command.
    appends: bool,
}

/// `NAME=...`, if the word is an assignment.
fn assignment(word: &Word) -> Option<Assignment> {
    let Some(Part::Text { bytes, quoted: false }) = word.parts.first() else { return None };
    let name = name_prefix(bytes);
    let rest = &bytes[name.len()..];
    let appends = rest.starts_with(b"+=");
    if name.is_empty() || !(appends || rest.starts_with(b"=")) {
        return None;
    }
    Some(Assignment { name: name.to_vec(), value_at: name.len() + 1 + usize::from(appends), appends })
}

/// Builtins whose errors end dash.
const SPECIAL_BUILTINS: &str = ": . break continue eval exec exit export readonly return set shift times trap unset";

/// Variables to which the shells themselves give values, beside those that begin with `BASH`, `EPOCH` or `COMP_`.
const SPECIAL_VARIABLES: &str = "_ DIRSTACK EUID FUNCNAME GROUPS HISTCMD LINENO OLDPWD OPTIND PIPESTATUS PPID PWD RANDOM \
                                 SECONDS SHELLOPTS SHLVL SRANDOM UID";

/// Is the name among these words?
fn is_among(words: &str, name: &[u8]) -> bool {
    words.split(' ').any(|word| word.as_bytes() == name)
}

fn is_special_builtin(name: &[u8]) -> bool {
    is_among(SPECIAL_BUILTINS, name)
}

fn is_special_variable(name: &[u8]) -> bool {
    ["BASH", "EPOCH", "COMP_"].iter().any(|start| name.starts_with(start.as_bytes()))
        || is_among(SPECIAL_VARIABLES, name)
}
