//! A file that a login shell sources, such as `/etc/profile.d/proxy.sh`: what the shell's children get.
//!
//! Source: POSIX 2017 Shell Command Language, held against `dash` and `bash`. This is a static reading:
//!
//! - What stands in `if`, loops, `case`, groups, functions that are called, pipelines and behind `||` is unknown.
//! - `.`, `eval` and commands that are not in the file are taken to leave the file's names alone.
//! - `${NAME}` is known only where the file set it before.
//! - Where the shells differ (arrays, `[[`, `export -n` …) everything is unknown from the start.

use std::collections::HashMap;

use super::{
    Reading, Seen,
    collector::Collector,
    shell_lexer::{Lexer, Part, Token, Trouble, Word, name_prefix},
};

/// How deep compound commands may nest.
const DEEPEST: usize = 40;

/// How many commands calls of functions may add up to: they can double at each level.
const MOST_CALLED: usize = 100_000;

const LOST: &str = "ics-setup cannot tell what sh makes of the file from here on";
const SOURCED: &str = "ics-setup does not look into what is sourced or evaluated here, and without it sh ends";
const ENDS_LOGIN: &str = "exit ends the login shell here";
const OPEN_COMPOUND: &str = "sh stops with a syntax error: the file ends inside a compound command";

/// [`Dialect::Shell`](super::Dialect::Shell) where some names are already in the environment, as those of
/// `/etc/environment` are at login: the shell's children see a plain assignment to such a name.
pub fn shell_read_with(bytes: &[u8], already_exported: &[&[u8]]) -> Reading {
    let mut out = Collector::new(bytes, None);
    read(already_exported, &mut out);
    out.finish()
}

pub(super) fn read(already_exported: &[&[u8]], out: &mut Collector<'_>) {
    let mut shell = Shell::new(Lexer::new(out.bytes));
    for name in already_exported {
        shell.variable(name).exported = Certainty::Yes;
    }
    let trouble = match memchr::memchr(0, out.bytes) {
        Some(nul) => Err(Trouble::Lost(nul)),
        None => shell.run(),
    };
    match trouble {
        Ok(()) => {}
        Err(Trouble::Rejected(position, message)) if !shell.unsure => out.reject(position, message),
        Err(Trouble::Rejected(position, _) | Trouble::Lost(position)) => {
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
}

/// A command without anything that has commands inside.
#[derive(Clone)]
struct Simple {
    words: Vec<Word>,
    /// It has a redirection that may fail, and then the command does not run.
    redirected: bool,
}

enum Command {
    Simple(Simple),
    /// All simple commands of a compound one, in their order.
    Compound(Vec<Simple>),
    Function(Vec<u8>, Vec<Simple>),
}

struct Pipeline {
    commands: Vec<Command>,
    negated: bool,
    /// It stands behind `||`.
    after_or: bool,
}

struct List {
    pipelines: Vec<Pipeline>,
    background: bool,
}

struct Shell<'a> {
    lexer: Lexer<'a>,
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
    /// How many compound commands are open.
    depth: usize,
}

/// Whether reading goes on after a command.
#[derive(PartialEq)]
enum Flow {
    /// On; whether the command has certainly succeeded.
    On(bool),
    /// The rest of the file is not read.
    Returns,
}

/// Whether what stands in `$(...)` or backquotes is a list of commands: if not, that is an error of the whole file.
pub(super) fn is_list(content: &[u8], depth: usize) -> bool {
    let mut shell = Shell::new(Lexer::nested(content, depth));
    loop {
        match shell.skip_newlines().and_then(|()| Ok(*shell.lexer.peek()? == Token::End)) {
            Ok(true) => return true,
            Ok(false) if shell.list().is_ok() => {}
            _ => return false,
        }
    }
}

impl<'a> Shell<'a> {
    fn new(lexer: Lexer<'a>) -> Self {
        Shell {
            lexer,
            names: Vec::new(),
            variables: HashMap::new(),
            functions: HashMap::new(),
            export_all: Certainty::No,
            unsure: false,
            stopped: None,
            sourced: None,
            calling: Vec::new(),
            calls: 0,
            depth: 0,
        }
    }

    fn run(&mut self) -> Result<(), Trouble> {
        loop {
            self.skip_newlines()?;
            // The shell parses a whole line before it runs any of it.
            let mut line = Vec::new();
            while !matches!(self.lexer.peek()?, Token::Operator("\n") | Token::End) {
                line.push(self.list()?);
            }
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

    /// Pipelines with `&&` and `||` between them, and a `;` or `&` behind.
    fn list(&mut self) -> Result<List, Trouble> {
        let mut list = List { pipelines: Vec::new(), background: false };
        let mut after_or = false;
        loop {
            let mut pipeline = self.pipeline()?;
            pipeline.after_or = after_or;
            list.pipelines.push(pipeline);
            match self.lexer.peek()? {
                Token::Operator(operator @ ("&&" | "||")) => {
                    after_or = *operator == "||";
                    self.lexer.next()?;
                    self.skip_newlines()?;
                }
                Token::Operator(operator @ (";" | "&")) => {
                    list.background = *operator == "&";
                    self.lexer.next()?;
                    return Ok(list);
                }
                Token::Operator(_) | Token::End => return Ok(list),
                _ => return Err(Trouble::Lost(self.lexer.position)),
            }
        }
    }

    fn execute_list(&mut self, list: List) -> Result<Flow, Trouble> {
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

    fn pipeline(&mut self) -> Result<Pipeline, Trouble> {
        let negated = self.peek_bare()? == Some(b"!");
        if negated {
            self.lexer.next()?;
        }
        let mut commands = vec![self.command()?];
        while matches!(self.lexer.peek()?, Token::Operator("|" | "|&")) {
            self.lexer.next()?;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
        Ok(Pipeline { commands, negated, after_or: false })
    }

    fn command(&mut self) -> Result<Command, Trouble> {
        let start = self.lexer.position;
        match self.lexer.peek()? {
            Token::Operator("(") => return Ok(Command::Compound(self.compound()?)),
            Token::Word(word) => match word.bare() {
                Some(b"if" | b"while" | b"until" | b"for" | b"case" | b"{") => {
                    return Ok(Command::Compound(self.compound()?));
                }
                Some(
                    b"then" | b"else" | b"elif" | b"fi" | b"do" | b"done" | b"esac" | b"}" | b"in" | b"!" | b"function"
                    | b"[[" | b"select" | b"time" | b"coproc",
                ) => return Err(Trouble::Lost(start)),
                _ => {}
            },
            Token::Redirect { .. } | Token::HereDocument => {}
            _ => return Err(Trouble::Lost(start)),
        }
        let simple = self.simple()?;
        if !matches!(self.lexer.peek()?, Token::Operator("(")) {
            return Ok(Command::Simple(simple));
        }
        // NAME() and a compound command
        let [word] = simple.words.as_slice() else { return Err(Trouble::Lost(start)) };
        let name = word.bare().ok_or(Trouble::Lost(start))?.to_vec();
        self.lexer.next()?;
        if self.lexer.next()? != Token::Operator(")") || simple.redirected {
            return Err(Trouble::Lost(start));
        }
        self.skip_newlines()?;
        let body = self.compound()?;
        Ok(Command::Function(name, body))
    }

    /// Words and redirections up to an operator.
    fn simple(&mut self) -> Result<Simple, Trouble> {
        let mut simple = Simple { words: Vec::new(), redirected: false };
        loop {
            match self.lexer.peek()? {
                Token::Word(_) => {
                    if let Token::Word(word) = self.lexer.next()? {
                        simple.words.push(word);
                    }
                }
                Token::HereDocument => _ = self.lexer.next()?,
                Token::Redirect { descriptor } => {
                    let descriptor = *descriptor;
                    self.lexer.next()?;
                    let Token::Word(target) = self.lexer.next()? else {
                        return Err(Trouble::Lost(self.lexer.position));
                    };
                    match target.bare() {
                        Some(b"0" | b"1" | b"2" | b"-") if descriptor => {}
                        _ if descriptor => return Err(Trouble::Lost(target.start)),
                        Some(b"/dev/null") => {}
                        _ => simple.redirected = true,
                    }
                }
                _ => return Ok(simple),
            }
        }
    }

    /// A compound command, with its redirections: all simple commands in it.
    fn compound(&mut self) -> Result<Vec<Simple>, Trouble> {
        let start = self.lexer.position;
        let mut inner = Vec::new();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Trouble::Lost(start));
        }
        let opener = match self.lexer.next()? {
            Token::Operator("(") => b"(".to_vec(),
            Token::Word(word) => word.bare().unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        match opener.as_slice() {
            b"(" if *self.lexer.peek()? != Token::Operator("(") => _ = self.body(&[b")"], false, &mut inner)?,
            b"{" => _ = self.body(&[b"}"], false, &mut inner)?,
            b"while" | b"until" => {
                self.body(&[b"do"], false, &mut inner)?;
                self.body(&[b"done"], false, &mut inner)?;
            }
            b"if" => loop {
                self.body(&[b"then"], false, &mut inner)?;
                match self.body(&[b"elif", b"else", b"fi"], false, &mut inner)? {
                    b"elif" => {}
                    b"else" => {
                        self.body(&[b"fi"], false, &mut inner)?;
                        break;
                    }
                    _ => break,
                }
            },
            b"for" => {
                self.for_head(&mut inner)?;
                self.body(&[b"done"], false, &mut inner)?;
            }
            b"case" => {
                let Token::Word(_) = self.lexer.next()? else { return Err(Trouble::Lost(start)) };
                self.skip_newlines()?;
                self.keyword(b"in")?;
                while self.case_pattern()? {
                    if self.body(&[b";;", b"esac"], true, &mut inner)? == b"esac" {
                        break;
                    }
                }
            }
            _ => return Err(Trouble::Lost(start)),
        }
        self.depth -= 1;
        let redirections = self.simple()?;
        if redirections.words.is_empty() { Ok(inner) } else { Err(Trouble::Lost(start)) }
    }

    /// Commands up to and with one of these words or operators, which is returned.
    fn body(
        &mut self,
        ends: &[&'static [u8]],
        may_be_empty: bool,
        inner: &mut Vec<Simple>,
    ) -> Result<&'static [u8], Trouble> {
        let mut empty = !may_be_empty;
        loop {
            self.skip_newlines()?;
            let here = self.lexer.position;
            let end = match self.lexer.peek()? {
                Token::Operator(operator) => ends.iter().find(|end| **end == operator.as_bytes()),
                Token::Word(word) => ends.iter().find(|end| word.bare() == Some(**end)),
                Token::End => return Err(Trouble::Rejected(here, OPEN_COMPOUND)),
                _ => None,
            };
            if let Some(end) = end {
                if empty {
                    return Err(Trouble::Lost(here));
                }
                self.lexer.next()?;
                return Ok(end);
            }
            empty = false;
            for command in self.list()?.pipelines.into_iter().flat_map(|pipeline| pipeline.commands) {
                match command {
                    Command::Simple(simple) => inner.push(simple),
                    // A function is taken as if it were called where it is defined.
                    Command::Compound(commands) | Command::Function(_, commands) => inner.extend(commands),
                }
            }
        }
    }

    /// `NAME in word ...; do`. What is kept is a command that changes NAME.
    fn for_head(&mut self, inner: &mut Vec<Simple>) -> Result<(), Trouble> {
        let start = self.lexer.position;
        let lost = Err(Trouble::Lost(start));
        let Token::Word(name) = self.lexer.next()? else { return lost };
        if name.bare().is_none_or(|bare| bare.is_empty() || name_prefix(bare) != bare) {
            return lost;
        }
        let keyword = Part::Text { bytes: b"for".to_vec(), quoted: false };
        inner.push(Simple { words: vec![Word { start, parts: vec![keyword] }, name], redirected: false });
        self.skip_newlines()?;
        if self.peek_bare()? == Some(b"in") {
            while let Token::Word(_) = self.lexer.peek()? {
                self.lexer.next()?;
            }
            if !matches!(self.lexer.peek()?, Token::Operator(";" | "\n")) {
                return lost;
            }
        }
        if *self.lexer.peek()? == Token::Operator(";") {
            self.lexer.next()?;
        }
        self.skip_newlines()?;
        self.keyword(b"do")
    }

    /// `pattern | pattern )`; false: `esac`.
    fn case_pattern(&mut self) -> Result<bool, Trouble> {
        self.skip_newlines()?;
        if self.peek_bare()? == Some(b"esac") {
            self.lexer.next()?;
            return Ok(false);
        }
        if *self.lexer.peek()? == Token::Operator("(") {
            self.lexer.next()?;
        }
        while let Token::Word(_) = self.lexer.next()? {
            match self.lexer.next()? {
                Token::Operator("|") => {}
                Token::Operator(")") => return Ok(true),
                _ => break,
            }
        }
        Err(Trouble::Lost(self.lexer.position))
    }

    fn keyword(&mut self, keyword: &[u8]) -> Result<(), Trouble> {
        if self.peek_bare()? != Some(keyword) {
            return Err(Trouble::Lost(self.lexer.position));
        }
        self.lexer.next()?;
        Ok(())
    }

    fn execute(&mut self, command: Command, certain: bool) -> Result<Flow, Trouble> {
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
                    return Err(Trouble::Lost(self.lexer.position));
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

    fn execute_simple(&mut self, simple: &Simple, certain: bool) -> Result<Flow, Trouble> {
        let certain = certain && !self.unsure && !simple.redirected;
        let prefix = simple.words.iter().take_while(|word| assignment(word).is_some()).count();
        let (assignments, command) = simple.words.split_at(prefix);
        let Some((name, arguments)) = command.split_first() else {
            let mut success = certain;
            for (target, word) in assignments.iter().filter_map(|word| Some((assignment(word)?, word))) {
                let value = if target.appends { None } else { self.value(word, target.value_at, false) };
                success &= value.is_some();
                self.assign(&target.name, value, certain)?;
            }
            return Ok(Flow::On(success));
        };
        let name = name.literal().unwrap_or_default();
        let position = command.first().map_or(0, |word| word.start);

        let special = is_special_builtin(&name);
        if special && simple.redirected {
            // Where the redirection fails, dash ends.
            return Err(Trouble::Lost(position));
        }
        for target in assignments.iter().filter_map(assignment) {
            if special || self.functions.contains_key(&name) {
                // It stays afterwards in some shells, and exported in bash as sh.
                self.assign(&target.name, None, false)?;
                self.variable(&target.name).exported_perhaps();
            } else if self.variable(&target.name).read_only {
                return Err(Trouble::Lost(position));
            }
        }
        match name.as_slice() {
            b"export" | b"readonly" => self.declare(arguments, name == b"export", certain),
            b"unset" => self.unset(arguments, certain),
            b"set" => {
                self.set_options(arguments, certain).ok_or(Trouble::Lost(position))?;
                Ok(Flow::On(false))
            }
            // With a bad argument these end dash.
            b"shift" | b"times" | b"trap" => Err(Trouble::Lost(position)),
            b"break" | b"continue" if !arguments.is_empty() => Err(Trouble::Lost(position)),
            b"." | b"eval" => {
                self.sourced.get_or_insert(position);
                Ok(Flow::On(false))
            }
            b"return" | b"exec" | b"exit" => {
                let number = |word: &Word| word.bare().is_some_and(|text| text.iter().all(u8::is_ascii_digit));
                if name != b"exec" && !(arguments.len() <= 1 && arguments.iter().all(number)) {
                    return Err(Trouble::Lost(position));
                }
                // exec without a command only redirects.
                if name == b"exec" && arguments.is_empty() {
                    return Ok(Flow::On(false));
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
            b":" | b"true" => Ok(Flow::On(certain)),
            b"declare" | b"typeset" | b"local" | b"command" | b"builtin" | b"let" => {
                self.touch(arguments, true)?;
                Ok(Flow::On(false))
            }
            b"read" | b"printf" | b"getopts" | b"mapfile" | b"readarray" | b"for" | b"select" => {
                self.touch(arguments, false)?;
                Ok(Flow::On(false))
            }
            _ => {
                // NAME[0]=value assigns in bash only.
                if let Some(Part::Text { bytes, quoted: false }) = command.first().and_then(|word| word.parts.first())
                    && bytes.get(name_prefix(bytes).len()) == Some(&b'[')
                {
                    self.touch(&command[..1], false)?;
                }
                if self.calling.contains(&name) || self.calling.len() > DEEPEST {
                    return Err(Trouble::Lost(position));
                }
                if let Some(body) = self.functions.get(&name).cloned() {
                    self.call(name, &body)?;
                }
                Ok(Flow::On(false))
            }
        }
    }

    /// What a command does to the names that it is given is unknown.
    fn touch(&mut self, arguments: &[Word], exports: bool) -> Result<(), Trouble> {
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
    fn call(&mut self, name: Vec<u8>, body: &[Simple]) -> Result<(), Trouble> {
        self.calls += 2 * body.len();
        if self.calls > MOST_CALLED {
            return Err(Trouble::Lost(self.lexer.position));
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
    fn declare(&mut self, arguments: &[Word], exports: bool, certain: bool) -> Result<Flow, Trouble> {
        let mut targets = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            match argument.bare() {
                Some(b"--") if index == 0 => continue,
                Some(b"-p") if index == 0 && arguments.len() == 1 => continue,
                _ => {}
            }
            match assignment(argument) {
                Some(target) if target.appends => return Err(Trouble::Lost(argument.start)),
                // All arguments are expanded before the first is assigned.
                Some(target) => {
                    let value = self.value(argument, target.value_at, true);
                    if !exports && value.is_none() {
                        // Braces may make two of it in bash, and the second fails.
                        return Err(Trouble::Lost(argument.start));
                    }
                    targets.push((target.name, Some(value)));
                }
                // Anything but a name here ends dash, and bash goes on.
                None => match argument.literal() {
                    Some(name) if !name.is_empty() && name_prefix(&name) == name => targets.push((name, None)),
                    _ => return Err(Trouble::Lost(argument.start)),
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

    fn unset(&mut self, arguments: &[Word], certain: bool) -> Result<Flow, Trouble> {
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
                        return Err(Trouble::Lost(argument.start));
                    } else if certain {
                        *variable = Variable { value: Content::Unset, exported: Certainty::No, read_only: false };
                    } else {
                        variable.value = Content::Unknown;
                        if variable.exported == Certainty::Yes {
                            variable.exported = Certainty::Maybe;
                        }
                    }
                }
                _ => return Err(Trouble::Lost(argument.start)),
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
    fn assign(&mut self, name: &[u8], value: Option<Vec<u8>>, certain: bool) -> Result<(), Trouble> {
        let export_all = self.export_all;
        let here = self.lexer.position;
        let variable = self.variable(name);
        if variable.read_only {
            // It fails, and that ends dash.
            return Err(Trouble::Lost(here));
        }
        variable.value = match value {
            Some(value) if certain && !is_special(name) => Content::Known(value),
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
                    if !text.is_empty() || *quoted {
                        tilde_expands &= !text.is_empty();
                    }
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

    fn peek_bare(&mut self) -> Result<Option<&[u8]>, Trouble> {
        Ok(match self.lexer.peek()? {
            Token::Word(word) => word.bare(),
            _ => None,
        })
    }

    fn skip_newlines(&mut self) -> Result<(), Trouble> {
        while matches!(self.lexer.peek()?, Token::Operator("\n")) {
            self.lexer.next()?;
        }
        Ok(())
    }
}

impl Variable {
    fn exported_perhaps(&mut self) {
        if self.exported == Certainty::No {
            self.exported = Certainty::Maybe;
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
fn is_special_builtin(name: &[u8]) -> bool {
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

/// Variables to which the shells themselves give values.
fn is_special(name: &[u8]) -> bool {
    name.starts_with(b"BASH")
        || name.starts_with(b"EPOCH")
        || name.starts_with(b"COMP_")
        || matches!(
            name,
            b"_" | b"DIRSTACK"
                | b"EUID"
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
                | b"UID"
        )
}
