//! What becomes of words: braces, tildes, parameters, substitutions, fields, names of files.

use super::ast::{AndOr, Command, List, Operator, Part, Simple, Word};
use super::machine::{Flow, Shell};
use super::pattern::{Marked, is_pattern, matches, strip};
use super::state::{Cause, Parameters, Tri, Value};
use super::words::push;

/// More words than this do not come out of braces.
const MOST_WORDS: usize = 1000;

/// Nor are braces looked for in a longer word.
const LONGEST_WORD: usize = 4096;

/// A field of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// One, whatever it holds.
    One(Value),
    /// Any number of them.
    Any(Cause),
}

impl Argument {
    pub(super) fn known(&self) -> Option<&[u8]> {
        match self {
            Self::One(Value::Known(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        match self {
            Self::One(value) => value.cause(),
            Self::Any(cause) => Some(*cause),
        }
    }
}

/// A part of a word after its expansion.
struct Piece {
    value: Value,
    quoted: bool,
    /// It came out of an expansion without quotes, so blanks in it separate fields.
    splits: bool,
}

impl Shell<'_> {
    /// The fields of a command, in their order.
    pub(super) fn arguments(&mut self, words: &[Word]) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for word in words {
            match self.braces(word) {
                Ok(words) => {
                    for word in words {
                        self.fields(&word, &mut arguments);
                    }
                }
                Err(cause) => arguments.push(Argument::Any(cause)),
            }
        }
        arguments
    }

    /// What a word gives where it is not taken apart into fields, as in an assignment.
    pub(super) fn scalar(&mut self, word: &Word) -> Value {
        let pieces = self.pieces(word, true);
        let mut text = Vec::new();
        let mut open: Option<Cause> = None;
        let mut some = false;
        for piece in pieces {
            match piece.value {
                Value::Unset => {}
                Value::Known(bytes) => text.extend_from_slice(&bytes),
                Value::Some(cause) => (some, open) = (true, open.or(Some(cause))),
                Value::Unknown(cause) => open = open.or(Some(cause)),
            }
        }
        match open {
            None => Value::Known(text),
            Some(cause) if some || !text.is_empty() => Value::Some(cause),
            Some(cause) => Value::Unknown(cause),
        }
    }

    /// A word as a pattern.
    pub(super) fn pattern(&mut self, word: &Word) -> Result<Vec<Marked>, Cause> {
        let mut pattern = Vec::new();
        for piece in self.pieces(word, true) {
            match piece.value {
                Value::Unset => {}
                Value::Known(bytes) => pattern.extend(bytes.into_iter().map(|byte| (byte, piece.quoted))),
                Value::Some(cause) | Value::Unknown(cause) => return Err(cause),
            }
        }
        // A backslash that came out of an expansion quotes what follows.
        if pattern.contains(&(b'\\', false)) {
            return Err(self.cause(word.start, "a pattern that is not understood"));
        }
        Ok(pattern)
    }

    fn fields(&mut self, word: &Word, arguments: &mut Vec<Argument>) {
        let pieces = self.pieces(word, false);
        let separates = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
        let usual = self.variable(b"IFS").value == Value::Known(b" \t\n".to_vec());
        let open = pieces.iter().find_map(|piece| piece.value.cause());
        if let Some(cause) = open {
            let whole = pieces.iter().all(|piece| !piece.splits);
            let plain = pieces.iter().all(|piece| {
                piece.quoted
                    || !matches!(&piece.value, Value::Known(text) if text.iter().any(|byte| b"*?[".contains(byte)))
            });
            arguments.push(if whole && plain {
                let some = pieces.iter().any(|piece| match &piece.value {
                    Value::Some(_) => true,
                    Value::Known(text) => !text.is_empty(),
                    _ => false,
                });
                Argument::One(if some { Value::Some(cause) } else { Value::Unknown(cause) })
            } else {
                Argument::Any(cause)
            });
            return;
        }
        let mut found: Vec<Vec<Marked>> = Vec::new();
        let mut current: Option<Vec<Marked>> = None;
        for piece in pieces {
            let Value::Known(bytes) = piece.value else { continue };
            if piece.splits {
                if !usual && !bytes.is_empty() {
                    arguments.push(Argument::Any(self.cause(word.start, "IFS is not the usual one")));
                    return;
                }
                for byte in bytes {
                    if separates(&byte) {
                        found.extend(current.take());
                    } else {
                        current.get_or_insert_default().push((byte, false));
                    }
                }
            } else if piece.quoted || !bytes.is_empty() {
                current.get_or_insert_default().extend(bytes.into_iter().map(|byte| (byte, piece.quoted)));
            }
        }
        found.extend(current.take());
        for field in found {
            let plain = |field: &[Marked]| field.iter().map(|(byte, _)| *byte).collect::<Vec<u8>>();
            if !is_pattern(&field) {
                arguments.push(Argument::One(Value::Known(plain(&field))));
                continue;
            }
            if let Some(cause) = self.state.odd_globs {
                arguments.push(Argument::Any(cause));
                continue;
            }
            match self.eyes.glob(&field) {
                Ok(paths) if paths.is_empty() => arguments.push(Argument::One(Value::Known(plain(&field)))),
                Ok(paths) => {
                    self.charge(paths.len(), word.start);
                    arguments.extend(paths.into_iter().map(|path| Argument::One(Value::Known(path))));
                }
                Err(why) => arguments.push(Argument::Any(self.cause(word.start, why))),
            }
        }
    }

    fn pieces(&mut self, word: &Word, assigned: bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        // `~` counts at the front, and in assignments behind each colon.
        let mut tilde = true;
        for (index, part) in word.parts.iter().enumerate() {
            match part {
                Part::Text { bytes, quoted: true } => {
                    pieces.push(Piece { value: Value::Known(bytes.clone()), quoted: true, splits: false });
                    tilde = false;
                }
                Part::Text { bytes, quoted: false } => {
                    let value = self.tildes(word, index, bytes, assigned, tilde);
                    pieces.push(Piece { value, quoted: false, splits: false });
                    tilde = assigned && bytes.last() == Some(&b':');
                }
                Part::Parameter { name, operator, quoted } => {
                    tilde = false;
                    let all = matches!(name.as_slice(), b"@" | b"*");
                    let value = match self.parameter(name, operator, word.start) {
                        // A value may double at each line.
                        Value::Known(text) if !self.charge(text.len() / 16, word.start) => {
                            Value::Unknown(self.cause(word.start, "a value that is too long"))
                        }
                        value => value,
                    };
                    // "$@" are several fields.
                    let value = match value {
                        Value::Known(_) if all && *quoted && !assigned => {
                            Value::Unknown(self.cause(word.start, "all parameters at once are not followed"))
                        }
                        Value::Unset => Value::Known(Vec::new()),
                        value => value,
                    };
                    let splits = !quoted && (!assigned || all && !matches!(value, Value::Known(_)));
                    pieces.push(Piece { value, quoted: *quoted, splits });
                }
                Part::Substitution { list, quoted } => {
                    tilde = false;
                    let value = self.substitution(list, word.start);
                    pieces.push(Piece { value, quoted: *quoted, splits: !quoted });
                }
                Part::Opaque | Part::Array => {
                    tilde = false;
                    let value = Value::Unknown(self.cause(word.start, "only the running shell can work this out"));
                    pieces.push(Piece { value, quoted: false, splits: true });
                }
            }
        }
        pieces
    }

    fn tildes(&mut self, word: &Word, index: usize, bytes: &[u8], assigned: bool, first: bool) -> Value {
        if !bytes.contains(&b'~') {
            return Value::Known(bytes.to_vec());
        }
        let mut text = Vec::new();
        let mut open = first;
        for (at, byte) in bytes.iter().enumerate() {
            let next = bytes.get(at + 1);
            if *byte != b'~' || !open {
                text.push(*byte);
                open = assigned && *byte == b':';
                continue;
            }
            open = false;
            let ends = match next {
                None => index + 1 == word.parts.len(),
                Some(next) => *next == b'/' || assigned && *next == b':',
            };
            match self.variable(b"HOME").value {
                Value::Known(home) if ends => text.extend_from_slice(&home),
                _ => return Value::Unknown(self.cause(word.start, "whose home it is only the shell knows")),
            }
        }
        Value::Known(text)
    }

    fn plain_parameter(&mut self, name: &[u8], at: usize) -> Value {
        let cause = self.cause(at, "only the running shell knows this parameter");
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<usize>().ok();
        match name {
            b"?" => match self.state.status {
                Tri::Yes => Value::Known(b"0".to_vec()),
                Tri::No | Tri::Maybe(_) => Value::Some(cause),
            },
            b"-" => self.flags(cause),
            // A shell that is given a command is called by its name or its path, without the sign of a login shell.
            b"0" if self.is_alone() || !self.login => Value::Some(cause),
            b"0" => {
                let name = self.eyes.user.shell.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes);
                name.map_or(Value::Some(cause), |name| Value::Known([b"-", name].concat()))
            }
            b"$" => Value::Some(cause),
            b"!" => Value::Unknown(cause),
            b"#" => match &self.state.parameters {
                Parameters::Known(list) => Value::Known(list.len().to_string().into_bytes()),
                Parameters::Unknown(cause) => Value::Some(*cause),
            },
            b"@" | b"*" => match &self.state.parameters {
                Parameters::Known(list) => Value::Known(list.join(&b' ')),
                Parameters::Unknown(cause) => Value::Unknown(*cause),
            },
            _ if name.first().is_some_and(u8::is_ascii_digit) => match &self.state.parameters {
                Parameters::Known(list) => {
                    let found = number(name).and_then(|at| list.get(at.checked_sub(1)?));
                    found.map_or(Value::Unset, |text| Value::Known(text.clone()))
                }
                Parameters::Unknown(cause) => Value::Unknown(*cause),
            },
            _ => self.variable(name).value,
        }
    }

    /// `$-`, of which scripts ask for the `i` alone.
    fn flags(&self, cause: Cause) -> Value {
        if self.is_alone() || self.state.export_all != Tri::No {
            return Value::Unknown(cause);
        }
        let text: &[u8] = match (self.is_bash(), self.interactive) {
            (true, true) => b"himBHs",
            (true, false) => b"hBc",
            (false, true) => b"ims",
            (false, false) => b"",
        };
        Value::Known(text.to_vec())
    }

    fn parameter(&mut self, name: &[u8], operator: &Operator, at: usize) -> Value {
        let value = self.plain_parameter(name, at);
        match operator {
            Operator::None => value,
            Operator::Length => match value {
                Value::Unset => Value::Known(b"0".to_vec()),
                Value::Known(text) if text.is_ascii() && !matches!(name, b"@" | b"*") => {
                    Value::Known(text.len().to_string().into_bytes())
                }
                _ => Value::Some(self.cause(at, "a length that only the shell knows")),
            },
            Operator::Default { colon, sign, word } => self.default(name, value, *colon, *sign, word, at),
            Operator::Strip { sign, longest, pattern } => {
                let pattern = self.pattern(pattern);
                match (value, pattern) {
                    (Value::Unset, _) => Value::Known(Vec::new()),
                    (Value::Known(text), Ok(pattern)) => match strip(&text, &pattern, *sign == b'%', *longest) {
                        Some(text) if self.charge(text.len() / 64, at) => Value::Known(text),
                        _ => Value::Unknown(self.cause(at, "a pattern that is not understood")),
                    },
                    (Value::Known(_), Err(cause)) => Value::Unknown(cause),
                    (Value::Some(cause) | Value::Unknown(cause), _) => Value::Unknown(cause),
                }
            }
            Operator::Replace { all, pattern, by } => {
                let (pattern, by) = (self.pattern(pattern), self.scalar(by));
                let (text, pattern, by) = match (value, pattern, by) {
                    (Value::Unset, ..) => return Value::Known(Vec::new()),
                    (Value::Known(text), Ok(pattern), Value::Known(by)) => (text, pattern, by),
                    (Value::Some(cause) | Value::Unknown(cause), ..) | (_, Err(cause), _) => {
                        return Value::Unknown(cause);
                    }
                    (_, _, by) => {
                        return Value::Unknown(by.cause().unwrap_or(self.cause(at, "a text that is not known")));
                    }
                };
                // What `&` stands for depends on the release.
                if is_pattern(&pattern) || pattern.is_empty() || by.iter().any(|byte| matches!(byte, b'&' | b'\\')) {
                    return Value::Unknown(self.cause(at, "a pattern that is not understood"));
                }
                let old: Vec<u8> = pattern.into_iter().map(|(byte, _)| byte).collect();
                Value::Known(replaced(&text, &old, &by, *all))
            }
        }
    }

    fn default(&mut self, name: &[u8], value: Value, colon: bool, sign: u8, word: &Word, at: usize) -> Value {
        let there = match &value {
            Value::Unset => Tri::No,
            Value::Known(text) => Tri::of(!(colon && text.is_empty())),
            Value::Some(_) => Tri::Yes,
            Value::Unknown(cause) => Tri::Maybe(*cause),
        };
        match (sign, there) {
            (b'-' | b'=' | b'?', Tri::Yes) => value,
            (b'-', Tri::No) | (b'+', Tri::Yes) => self.scalar(word),
            (b'-', Tri::Maybe(cause)) => match self.scalar(word) {
                Value::Known(text) if colon && !text.is_empty() => Value::Some(cause),
                Value::Some(_) if colon => Value::Some(cause),
                _ => Value::Unknown(cause),
            },
            (b'+', Tri::No) => Value::Known(Vec::new()),
            (b'+', Tri::Maybe(cause)) => match self.scalar(word) {
                Value::Known(text) if text.is_empty() => Value::Known(text),
                _ => Value::Unknown(cause),
            },
            (b'=', _) => {
                let new = match (there, self.scalar(word)) {
                    (Tri::Maybe(cause), _) => Value::Unknown(cause),
                    (_, new) => new,
                };
                if self.assign(name, new.clone(), at) != Flow::Next {
                    let cause = self.cause(at, "an assignment that fails");
                    self.state.lose(cause);
                }
                new
            }
            _ => {
                let cause = self.cause(at, "the shell ends here where the variable is not set");
                self.state.lose(cause);
                Value::Unknown(cause)
            }
        }
    }

    /// The output of a command, where everybody knows it.
    fn substitution(&mut self, list: &List, at: usize) -> Value {
        let cause = self.cause(at, "a command decides it");
        let Some(simple) = single(list) else { return Value::Unknown(cause) };
        let arguments = self.arguments(&simple.words);
        let known: Option<Vec<&[u8]>> = arguments.iter().map(Argument::known).collect();
        let Some((name, arguments)) = known.as_deref().and_then(<[_]>::split_first) else {
            return Value::Unknown(cause);
        };
        if self.state.functions.contains_key(*name) || self.state.aliases.contains(*name) {
            return Value::Unknown(cause);
        }
        let base = ["/usr/bin/", "/bin/"].iter().find_map(|folder| name.strip_prefix(folder.as_bytes()));
        let user = self.eyes.user;
        let known = !self.is_alone();
        let text = match (base.unwrap_or(name), arguments) {
            (b"id", [b"-u" | b"-ru" | b"-ur"] | [b"-r", b"-u"] | [b"-u", b"-r"]) if known => {
                user.uid.to_string().into_bytes()
            }
            (b"id", [b"-un" | b"-nu"] | [b"-u", b"-n"] | [b"-n", b"-u"]) | (b"whoami", []) if known => {
                user.name.as_bytes().to_vec()
            }
            (b"id", [b"-g"]) if !user.gids.is_empty() => user.gids[0].to_string().into_bytes(),
            (b"echo", words) if plain_words(words) => words.join(&b' '),
            (b"printf", [b"%s" | b"%s\\n", word]) => word.to_vec(),
            (b"run-parts", words) => match self.run_parts(words) {
                Ok(text) => text,
                Err(why) => return Value::Unknown(self.cause(at, why)),
            },
            _ => return Value::Unknown(cause),
        };
        let end = text.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
        Value::Known(text[..end].to_vec())
    }

    /// `run-parts --list --regex EXPRESSION FOLDER` of debianutils, as /etc/profile of Debian 13 has it.
    fn run_parts(&self, words: &[&[u8]]) -> Result<Vec<u8>, &'static str> {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        const ODD: &str = "a command decides it";
        let [b"--list", b"--regex", expression, folder] = words else { return Err(ODD) };
        let expression = std::str::from_utf8(expression).map_err(|_| ODD)?;
        let expression = regex::bytes::Regex::new(expression).map_err(|_| ODD)?;
        let folder = std::path::Path::new(std::ffi::OsStr::from_bytes(folder));
        let mut text = Vec::new();
        for name in self.eyes.list(folder)? {
            if expression.is_match(name.as_bytes()) && self.eyes.is_file(&folder.join(&name))? {
                text.extend_from_slice(&folder.join(&name).into_os_string().into_vec());
                text.push(b'\n');
            }
        }
        Ok(text)
    }

    /// Brace expansion, which bash has.
    pub(super) fn braces(&mut self, word: &Word) -> Result<Vec<Word>, Cause> {
        let open = |part: &Part| matches!(part, Part::Text { bytes, quoted: false } if bytes.contains(&b'{'));
        if !self.is_bash() || !word.parts.iter().any(open) {
            return Ok(vec![word.clone()]);
        }
        let mut atoms = Vec::new();
        for part in &word.parts {
            match part {
                Part::Text { bytes, quoted: false } => atoms.extend(bytes.iter().map(|byte| Atom::Byte(*byte))),
                other => atoms.push(Atom::Part(other.clone())),
            }
        }
        if atoms.len() > LONGEST_WORD || !self.charge(atoms.len(), word.start) {
            return Err(self.cause(word.start, "braces that are too much"));
        }
        let found = alternatives(&atoms, 0).ok_or(self.cause(word.start, "braces that are not understood"))?;
        Ok(found.into_iter().map(|atoms| rebuilt(word, atoms)).collect())
    }

    /// A text against a pattern.
    pub(super) fn matches(&mut self, text: &Value, pattern: &Word) -> Tri {
        let marked = match self.pattern(pattern) {
            Ok(marked) => marked,
            Err(cause) => return Tri::Maybe(cause),
        };
        if marked == [(b'*', false)] {
            return Tri::Yes;
        }
        match text {
            Value::Unset => self.matches(&Value::Known(Vec::new()), pattern),
            Value::Known(text) => match matches(&marked, text) {
                Some(answer) if self.charge(text.len() / 16, pattern.start) => Tri::of(answer),
                _ => Tri::Maybe(self.cause(pattern.start, "a pattern that is not understood")),
            },
            Value::Some(_) if marked.is_empty() => Tri::No,
            Value::Some(cause) | Value::Unknown(cause) => Tri::Maybe(*cause),
        }
    }
}

/// The only command of a list, if it is a plain one.
pub(super) fn single(list: &List) -> Option<&Simple> {
    let [AndOr { first, rest, background: false }] = list.as_slice() else { return None };
    let [node] = first.commands.as_slice() else { return None };
    match &node.command {
        Command::Simple(simple)
            if rest.is_empty() && !first.negated && node.redirections_work && simple.assignments.is_empty() =>
        {
            Some(simple)
        }
        _ => None,
    }
}

/// `echo` prints them as they are in every shell.
fn plain_words(words: &[&[u8]]) -> bool {
    !words.first().is_some_and(|word| word.starts_with(b"-")) && !words.iter().any(|word| word.contains(&b'\\'))
}

fn replaced(text: &[u8], old: &[u8], new: &[u8], all: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
        if !all {
            break;
        }
    }
    out.extend_from_slice(rest);
    out
}

#[derive(Clone)]
enum Atom {
    Byte(u8),
    Part(Part),
}

fn byte_at(atoms: &[Atom], at: usize) -> Option<u8> {
    match atoms.get(at) {
        Some(Atom::Byte(byte)) => Some(*byte),
        _ => None,
    }
}

/// Every word that braces make of one; `None`: a sequence (`{1..9}`), or too many.
fn alternatives(atoms: &[Atom], from: usize) -> Option<Vec<Vec<Atom>>> {
    for open in from..atoms.len() {
        if byte_at(atoms, open) != Some(b'{') {
            continue;
        }
        let mut depth = 0_usize;
        let mut commas = vec![open];
        let mut close = None;
        for at in open..atoms.len() {
            match byte_at(atoms, at) {
                Some(b'{') => depth += 1,
                Some(b'}') => {
                    depth -= 1;
                    if depth == 0 {
                        close = Some(at);
                        break;
                    }
                }
                Some(b',') if depth == 1 => commas.push(at),
                _ => {}
            }
        }
        let Some(close) = close else { continue };
        if commas.len() == 1 {
            let dots = |at: usize| byte_at(atoms, at) == Some(b'.') && byte_at(atoms, at + 1) == Some(b'.');
            if (open..close).any(dots) {
                return None;
            }
            // Not one of braces itself, but there may be some in it.
            continue;
        }
        commas.push(close);
        let after = alternatives(&atoms[close + 1..], 0)?;
        let mut found = Vec::new();
        for pair in commas.windows(2) {
            for inner in alternatives(&atoms[pair[0] + 1..pair[1]], 0)? {
                for rest in &after {
                    found.push([&atoms[..open], &inner, rest].concat());
                    if found.len() > MOST_WORDS {
                        return None;
                    }
                }
            }
        }
        return Some(found);
    }
    Some(vec![atoms.to_vec()])
}

fn rebuilt(word: &Word, atoms: Vec<Atom>) -> Word {
    let mut parts = Vec::new();
    for atom in atoms {
        match atom {
            Atom::Byte(byte) => push(&mut parts, &[byte], false),
            Atom::Part(part) => parts.push(part),
        }
    }
    Word { parts, ..*word }
}
