//! Commands of the shell itself, as far as they change what is known.

use std::rc::Rc;

use super::ast::{Part, Word, is_name};
use super::expand::{Argument, single};
use super::machine::{DEEPEST, Flow, LOST, Shell};
use super::parse::parse;
use super::state::{Cause, Parameters, Tri, Value};

/// Commands whose output is meant for `eval`, and the variables that it sets.
const EVALUATED: [(&[u8], &[&[u8]]); 5] = [
    (b"dircolors", &[b"LS_COLORS"]),
    (b"lesspipe", &[b"LESSOPEN", b"LESSCLOSE"]),
    (b"lessfile", &[b"LESSOPEN", b"LESSCLOSE"]),
    (b"ssh-agent", &[b"SSH_AUTH_SOCK", b"SSH_AGENT_PID"]),
    (b"resize", &[b"COLUMNS", b"LINES"]),
];

/// Options of `shopt` that do not change what files mean.
const HARMLESS: [&[u8]; 17] = [
    b"autocd",
    b"cdspell",
    b"checkhash",
    b"checkjobs",
    b"checkwinsize",
    b"cmdhist",
    b"direxpand",
    b"dirspell",
    b"histappend",
    b"histreedit",
    b"histverify",
    b"hostcomplete",
    b"huponexit",
    b"lithist",
    b"mailwarn",
    b"no_empty_cmd_completion",
    b"progcomp",
];

/// Options of `shopt` by which patterns find other names.
const OF_GLOBS: [&[u8]; 6] = [b"dotglob", b"failglob", b"globstar", b"nocaseglob", b"nullglob", b"globasciiranges"];

/// Commands that declare variables: their words are assignments.
pub(super) fn declares(name: &[u8]) -> bool {
    matches!(name, b"export" | b"readonly" | b"declare" | b"typeset" | b"local")
}

/// Builtins whose errors end a POSIX shell.
pub(super) fn is_special(name: &[u8]) -> bool {
    matches!(
        name,
        b":" | b"."
            | b"break"
            | b"continue"
            | b"eval"
            | b"exec"
            | b"exit"
            | b"export"
            | b"readonly"
            | b"return"
            | b"set"
            | b"shift"
            | b"times"
            | b"trap"
            | b"unset"
    )
}

impl Shell<'_> {
    pub(super) fn builtin(&mut self, name: &[u8], words: &[Word], arguments: &[Argument], at: usize) -> Flow {
        let external = Tri::Maybe(self.cause(at, "a command decides it"));
        let bash = self.is_bash();
        self.state.status = Tri::Yes;
        match name {
            b":" | b"true" => {}
            b"false" => self.state.status = Tri::No,
            b"[" => {
                let closed = arguments.last().and_then(Argument::known) == Some(b"]");
                let inner = arguments.get(..arguments.len().saturating_sub(1)).unwrap_or_default();
                let anything = arguments.iter().any(|own| matches!(own, Argument::Any(_)));
                self.state.status = if closed { self.test(inner, at) } else { Tri::of(false) };
                if !closed && anything {
                    self.state.status = external;
                }
            }
            b"test" => self.state.status = self.test(arguments, at),
            b"export" | b"readonly" => return self.declaration(name, words, at),
            b"declare" | b"typeset" if bash => return self.declaration(name, words, at),
            b"local" => return self.declaration(name, words, at),
            b"unset" => return self.unset(arguments, at),
            b"." => return self.dot(arguments, at),
            b"source" if bash => return self.dot(arguments, at),
            b"eval" => return self.evaluate(words, arguments, at),
            b"set" => self.set(arguments, at),
            b"shift" => self.shift(arguments, at),
            b"return" | b"exit" | b"exec" | b"break" | b"continue" => return self.leave(name, arguments, at),
            b"command" | b"builtin" => return self.explicit(name, words, arguments, at),
            b"alias" => self.alias(arguments, at),
            b"wait" if bash && !arguments.is_empty() => {
                // `-p NAME` takes the variable away, or gives it a number.
                self.write_names(b"wait", arguments, at);
                self.state.status = external;
            }
            b"unalias" | b"hash" | b"times" | b"wait" | b"umask" | b"ulimit" | b"cd" | b"pwd" | b"echo" | b"kill"
            | b"jobs" | b"fg" | b"bg" | b"type" => self.state.status = external,
            b"bind" | b"complete" | b"compopt" | b"compgen" | b"history" | b"fc" | b"suspend" | b"logout" | b"dirs"
            | b"pushd" | b"popd" | b"disown" | b"caller" | b"help" | b"times " => self.state.status = external,
            b"trap" => self.trap(arguments, at),
            b"read" | b"getopts" | b"mapfile" | b"readarray" => self.write_names(name, arguments, at),
            b"printf" if arguments.first().and_then(Argument::known).is_some_and(|text| text.starts_with(b"-v")) => {
                self.write_names(name, arguments, at);
            }
            b"printf" if matches!(arguments.first(), Some(Argument::Any(_) | Argument::One(Value::Unknown(_)))) => {
                let cause = arguments.first().and_then(Argument::cause).unwrap_or(self.cause(at, LOST));
                self.state.lose(cause);
            }
            b"printf" => self.state.status = external,
            // `time` is a word of the grammar: what follows it runs in the shell.
            b"let" | b"enable" | b"coproc" | b"time" if bash => {
                let cause = self.cause(at, LOST);
                self.state.lose(cause);
            }
            b"shopt" if bash => self.shopt(arguments, at),
            _ => self.state.status = external,
        }
        Flow::Next
    }

    fn dot(&mut self, arguments: &[Argument], at: usize) -> Flow {
        let unknown = "which file is sourced here only the shell knows";
        let Some((first, others)) = arguments.split_first() else {
            return self.failure(at, "a file to source is not named");
        };
        if self.is_alone() {
            return self.elsewhere(at);
        }
        let Some(path) = Self::path_of(first) else {
            let cause = self.cause(at, unknown);
            self.state.lose(cause);
            return Flow::Next;
        };
        // What stands there is the process's own, a redirection's text among it.
        if ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) && path.as_os_str() != "/dev/null" {
            let cause = self.cause(at, unknown);
            self.state.lose(cause);
            return Flow::Next;
        }
        if others.is_empty() || !self.is_bash() {
            return self.source(&path, at);
        }
        let parameters = self.parameters(others);
        let before = std::mem::replace(&mut self.state.parameters, parameters);
        let flow = self.source(&path, at);
        self.state.parameters = before;
        flow
    }

    /// What another file does is not this one's to tell: it is taken to leave the variables alone.
    fn elsewhere(&mut self, at: usize) -> Flow {
        let cause = self.cause(at, "what is sourced or evaluated here is not looked into; if it fails, sh ends");
        self.sourced = self.sourced.or(Some(cause));
        self.state.status = Tri::Maybe(cause);
        Flow::Next
    }

    fn evaluate(&mut self, words: &[Word], arguments: &[Argument], at: usize) -> Flow {
        let known: Option<Vec<&[u8]>> = arguments.iter().map(Argument::known).collect();
        if let Some(texts) = known {
            let text = texts.join(&b' ');
            if !self.charge(1 + text.len() / 16, at) || self.depth >= DEEPEST {
                let cause = self.cause(at, LOST);
                self.state.exhaust(cause);
                return Flow::Next;
            }
            let line = self.script.line_of(at);
            let path = self.script.path.clone();
            let script = Rc::new(parse(&path, text, Some(line), self.is_bash()));
            self.depth += 1;
            let flow = self.script(script);
            self.depth -= 1;
            return flow;
        }
        if self.is_alone() {
            return self.elsewhere(at);
        }
        let cause = self.cause(at, "what is evaluated here only the shell knows");
        // What well-known programs print.
        let parts = words.iter().flat_map(|word| &word.parts);
        let mut parts = parts.filter(|part| !matches!(part, Part::Text { bytes, .. } if bytes.is_empty()));
        if let (Some(Part::Substitution { list, .. }), None) = (parts.next(), parts.next())
            && let Some(name) = single(list).and_then(|simple| simple.words.first()).and_then(Word::literal)
        {
            let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if let Some((_, sets)) = EVALUATED.iter().find(|(own, _)| *own == name) {
                let here = self.at(at);
                for name in *sets {
                    self.touched(name, here).lose(cause);
                }
                self.state.status = Tri::Maybe(cause);
                return Flow::Next;
            }
        }
        self.state.lose(cause);
        Flow::Next
    }

    fn set(&mut self, arguments: &[Argument], at: usize) {
        let odd = self.cause(at, "an option by which the shell may end or read in another way");
        let mut words = arguments.iter().peekable();
        while let Some(word) = words.next() {
            let Some(text) = word.known() else {
                // Parameters, if nothing before them says so: options otherwise.
                self.state.lose(word.cause().unwrap_or(odd));
                return;
            };
            match text {
                b"--" => {
                    let rest: Vec<Argument> = words.cloned().collect();
                    self.state.parameters = self.parameters(&rest);
                    return;
                }
                b"-o" | b"+o" => match words.next().map(Argument::known) {
                    None => {}
                    Some(Some(name)) => self.option(name, text == b"-o", odd),
                    Some(None) => self.state.lose(odd),
                },
                [sign @ (b'-' | b'+'), letters @ ..] if !letters.is_empty() => {
                    for letter in letters {
                        match (sign, letter) {
                            (_, b'a') => self.state.export_all = Tri::of(*sign == b'-'),
                            (_, b'b' | b'C' | b'v' | b'x' | b'm' | b'h' | b'H') => {}
                            (b'+', b'e' | b'u') => {}
                            (_, b'f') => self.state.odd_globs = (*sign == b'-').then_some(odd),
                            _ => self.state.lose(odd),
                        }
                    }
                }
                _ => {
                    let rest: Vec<Argument> = std::iter::once(word).chain(words).cloned().collect();
                    self.state.parameters = self.parameters(&rest);
                    return;
                }
            }
        }
    }

    /// An option of `set -o` is turned on, or off.
    fn option(&mut self, name: &[u8], on: bool, odd: Cause) {
        match name {
            b"allexport" => self.state.export_all = Tri::of(on),
            b"vi" | b"emacs" | b"monitor" | b"notify" | b"noclobber" | b"history" | b"histexpand" | b"ignoreeof" => {}
            b"errexit" | b"nounset" | b"pipefail" if !on => {}
            _ => self.state.lose(odd),
        }
    }

    fn shift(&mut self, arguments: &[Argument], at: usize) {
        let count = match arguments {
            [] => Some(1),
            [one] => one.known().and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok()),
            _ => None,
        };
        let cause = self.cause(at, "more parameters are shifted than are known to be there");
        let bash = self.is_bash();
        match (&mut self.state.parameters, count) {
            (Parameters::Known(list), Some(count)) if count <= list.len() => _ = list.drain(..count),
            // An error: dash ends.
            (Parameters::Known(_), Some(_)) if bash => self.state.status = Tri::No,
            (parameters, _) if bash => *parameters = Parameters::Unknown(cause),
            _ => self.state.lose(cause),
        }
    }

    /// `return`, `exit`, `exec`, `break`, `continue`.
    fn leave(&mut self, name: &[u8], arguments: &[Argument], at: usize) -> Flow {
        let cause = self.cause(at, "the login ends here, or becomes another program");
        let number = match arguments {
            [] => None,
            [one] => one.known().and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok()),
            _ => None,
        };
        let odd = !arguments.is_empty() && number.is_none();
        match name {
            b"exec" if arguments.is_empty() => Flow::Next,
            b"exec" | b"exit" => Flow::Exit(cause),
            // dash ends, and bash goes on or not.
            b"return" if arguments.len() > 1 || odd && arguments.iter().any(|own| own.known().is_some()) => {
                self.state.lose(self.cause(at, LOST));
                Flow::Next
            }
            b"return" => {
                let odd = Tri::Maybe(self.cause(at, "a number that is not known"));
                self.state.status = match (arguments, number) {
                    // That of the command before, which has been overwritten.
                    ([], _) => odd,
                    (_, Some(number)) => Tri::of(number == 0),
                    _ => odd,
                };
                Flow::Return
            }
            _ if odd || self.loops.is_empty() => {
                self.state.lose(Cause { why: "which loop it leaves is not known", ..cause });
                Flow::Next
            }
            _ => {
                let level = number.unwrap_or(1).clamp(1, self.loops.len());
                if name == b"break" { Flow::Break(level) } else { Flow::Continue(level) }
            }
        }
    }

    /// `command NAME …` and `builtin NAME …`.
    fn explicit(&mut self, name: &[u8], words: &[Word], arguments: &[Argument], at: usize) -> Flow {
        let maybe = Tri::Maybe(self.cause(at, "a command decides it"));
        if name == b"builtin" && !self.is_bash() {
            self.state.status = Tri::No;
            return Flow::Next;
        }
        match arguments.first().map(Argument::known) {
            None => Flow::Next,
            Some(Some(b"-v" | b"-V")) => {
                self.state.status = maybe;
                Flow::Next
            }
            Some(Some(inner)) if !inner.starts_with(b"-") && inner != b"command" && inner != b"builtin" => {
                let inner = inner.to_vec();
                // Its errors do not end the shell, and older bash takes the words of a declaration apart.
                if (!self.is_bash() && is_special(&inner)) || declares(&inner) {
                    let cause = self.cause(at, LOST);
                    self.state.lose(cause);
                    return Flow::Next;
                }
                let words = words.split_first().map_or(&[][..], |(_, words)| words);
                self.builtin(&inner, words, &arguments[1..], at)
            }
            Some(_) => {
                let cause = self.cause(at, LOST);
                self.state.lose(cause);
                Flow::Next
            }
        }
    }

    fn alias(&mut self, arguments: &[Argument], at: usize) {
        for argument in arguments {
            let Some(text) = argument.known() else {
                // A name and its text in one word: the name at least is spelled, mostly.
                let cause = argument.cause().unwrap_or(self.cause(at, LOST));
                if self.interactive || !self.is_bash() {
                    self.state.lose(cause);
                }
                return;
            };
            if let Some(equals) = memchr::memchr(b'=', text) {
                self.state.aliases.insert(text[..equals].to_vec());
            }
        }
    }

    fn trap(&mut self, arguments: &[Argument], at: usize) {
        let cause = self.cause(at, "a trap may run at any command");
        let own = [b"DEBUG".as_slice(), b"ERR", b"RETURN"];
        if arguments.iter().skip(1).any(|word| word.known().is_none_or(|text| own.contains(&text))) {
            self.state.lose(cause);
        }
    }

    /// What a command writes into the names that it is given.
    fn write_names(&mut self, command: &[u8], arguments: &[Argument], at: usize) {
        let cause = self.cause(at, "a command decides it");
        let here = self.at(at);
        let default: &[u8] = if command == b"read" { b"REPLY" } else { b"MAPFILE" };
        self.touched(default, here).lose(cause);
        if command == b"getopts" {
            self.touched(b"OPTARG", here).lose(cause);
        }
        for argument in arguments {
            match argument.known() {
                Some(text) => {
                    let option: &[u8] = match command {
                        b"printf" => b"-v",
                        b"wait" => b"-p",
                        _ => b"",
                    };
                    let text = text.strip_prefix(option).unwrap_or(text);
                    if is_name(text) {
                        let name = text.to_vec();
                        self.touched(&name, here).lose(cause);
                    }
                }
                None => {
                    if command != b"printf" {
                        self.state.lose(cause);
                    }
                }
            }
        }
        self.state.status = Tri::Maybe(cause);
    }

    /// `shopt [-opqsu] [NAME …]` (bash(1) "SHELL BUILTIN COMMANDS"; measured with 5.2): without `-s` and `-u` it only asks, and
    /// succeeds where all that are named are on. With `-o` the names are those of `set -o`.
    fn shopt(&mut self, arguments: &[Argument], at: usize) {
        let cause = self.cause(at, "an option by which bash reads in another way");
        let Some(words) = arguments.iter().map(Argument::known).collect::<Option<Vec<_>>>() else {
            self.state.lose(cause);
            return;
        };
        let is_flags = |word: &&&[u8]| word.len() > 1 && word.starts_with(b"-") && **word != b"--";
        let flags: Vec<u8> = words.iter().take_while(is_flags).flat_map(|word| &word[1..]).copied().collect();
        let names = words.iter().skip_while(is_flags);
        let names: Vec<&[u8]> = names.skip_while(|word| **word == b"--").copied().collect();
        let (sets, unsets) = (flags.contains(&b's'), flags.contains(&b'u'));
        if flags.iter().any(|flag| !b"opqsu".contains(flag)) || (sets && unsets) {
            // An error, and nothing is changed.
            self.state.status = Tri::No;
            return;
        }
        let of_set = flags.contains(&b'o');
        if !sets && !unsets {
            let is_on = |name: &&[u8]| match *name {
                b"login_shell" if !of_set => Tri::of(self.login),
                // bash that was started as sh enters that mode behind its files.
                b"posix" if of_set && !self.is_alone() => Tri::No,
                _ => Tri::Maybe(cause),
            };
            self.state.status = names.iter().map(is_on).fold(Tri::Yes, |all, one| all.and(|| one));
            return;
        }
        for name in names {
            if of_set {
                self.option(name, sets, cause);
            } else if OF_GLOBS.contains(&name) {
                self.state.odd_globs = Some(cause);
            } else if !HARMLESS.contains(&name) && (sets || name != b"extglob") {
                self.state.lose(cause);
            }
        }
    }
}
