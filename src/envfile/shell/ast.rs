//! What a shell file is made of.

use std::path::PathBuf;
use std::rc::Rc;

/// A file, or the text of an `eval`, taken apart.
pub(super) struct Script {
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
    /// The line of the `eval`, for which the text stands.
    pub(super) fixed_line: Option<usize>,
    /// What the shell parses before it runs the first command of it: up to a line end.
    pub(super) lines: Vec<List>,
    /// Where the file cannot be taken apart any more, and where the line that this is in begins.
    pub(super) stop: Option<(Stop, usize)>,
    /// Where its lines end.
    pub(super) ends: Vec<usize>,
}

impl Script {
    /// The line, counted from 1, of a byte.
    pub(super) fn line_of(&self, at: usize) -> usize {
        self.fixed_line.unwrap_or_else(|| 1 + self.ends.partition_point(|end| *end < at))
    }
}

/// Why reading cannot go on, and the byte from which on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// The shell takes it for a syntax error.
    Rejected(usize),
    /// It is beyond this reader.
    Lost(usize),
}

pub(super) type List = Vec<AndOr>;

pub(super) struct AndOr {
    pub(super) first: Pipeline,
    /// Whether `||` stands before it (else `&&`), and the pipeline.
    pub(super) rest: Vec<(bool, Pipeline)>,
    pub(super) background: bool,
}

pub(super) struct Pipeline {
    pub(super) negated: bool,
    pub(super) commands: Vec<Node>,
}

/// A command with its redirections.
pub(super) struct Node {
    pub(super) command: Command,
    /// Each of them certainly works.
    pub(super) redirections_work: bool,
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) enum Command {
    Simple(Simple),
    Group(List),
    /// It changes nothing.
    Subshell,
    /// Conditions with their bodies, and `else`.
    If(Vec<(List, List)>, Option<List>),
    /// Without words: those of the caller.
    For(Vec<u8>, Option<Vec<Word>>, List),
    /// `while` and `until` with the condition.
    Loop {
        until: bool,
        condition: List,
        body: List,
    },
    Case(Word, Vec<Clause>),
    Function(Vec<u8>, Rc<Node>),
    Condition(Condition),
    /// Complete, and beyond this reader: `((…))`, `select`, `for ((…))`.
    Opaque,
}

pub(super) struct Simple {
    pub(super) assignments: Vec<Assignment>,
    pub(super) words: Vec<Word>,
}

pub(super) struct Clause {
    pub(super) patterns: Vec<Word>,
    pub(super) body: List,
    /// `;&` or `;;&`
    pub(super) falls_through: bool,
}

#[derive(Clone)]
pub(super) struct Assignment {
    pub(super) name: Vec<u8>,
    pub(super) appends: bool,
    /// `NAME[…]=` or `NAME=(…)`
    pub(super) array: bool,
    /// Its span is that of the whole assignment.
    pub(super) value: Word,
}

#[derive(Clone, Default)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone)]
pub(super) enum Part {
    Text {
        bytes: Vec<u8>,
        quoted: bool,
    },
    Parameter {
        name: Vec<u8>,
        operator: Operator,
        quoted: bool,
    },
    Substitution {
        list: Rc<List>,
        quoted: bool,
    },
    /// What only the running shell knows: arithmetic, arrays, …
    Opaque,
    /// `(…)` behind `NAME=`
    Array,
}

#[derive(Clone)]
pub(super) enum Operator {
    None,
    Length,
    /// `-`, `+`, `=` or `?`; with a colon before it an empty value counts as unset.
    Default {
        colon: bool,
        sign: u8,
        word: Word,
    },
    /// `#`, `##`, `%`, `%%`
    Strip {
        sign: u8,
        longest: bool,
        pattern: Word,
    },
    /// `/` and `//`, which bash has: all of them or the first.
    Replace {
        all: bool,
        pattern: Word,
        by: Word,
    },
}

impl Word {
    /// The text of a word without expansions, after quote removal.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text { bytes, .. } => text.extend_from_slice(bytes),
                _ => return None,
            }
        }
        Some(text)
    }

    /// The text of a word without expansions and without quotes.
    pub(super) fn bare(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [Part::Text { bytes, quoted: false }] => Some(bytes),
            _ => None,
        }
    }

    /// `NAME=…`, if the word is an assignment to this shell.
    pub(super) fn assignment(&self, bash: bool) -> Option<Assignment> {
        let (Part::Text { bytes, quoted: false }, others) = self.parts.split_first()? else { return None };
        let name = name_prefix(bytes);
        let mut rest = &bytes[name.len()..];
        let mut array = false;
        if bash && rest.first() == Some(&b'[') {
            let close = memchr::memchr(b']', rest)?;
            rest = &rest[close + 1..];
            array = true;
        }
        let appends = bash && rest.starts_with(b"+=");
        let value = rest.strip_prefix(if appends { b"+=".as_slice() } else { b"=" })?;
        if name.is_empty() {
            return None;
        }
        array |= matches!(others.first(), Some(Part::Array));
        let mut parts = Vec::with_capacity(self.parts.len());
        if !value.is_empty() {
            parts.push(Part::Text { bytes: value.to_vec(), quoted: false });
        }
        parts.extend_from_slice(others);
        Some(Assignment { name: name.to_vec(), appends, array, value: Word { parts, ..*self } })
    }
}

/// `[[ … ]]`
pub(super) enum Condition {
    Or(Box<Condition>, Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    NotEmpty(Word),
    Unary(Vec<u8>, Word),
    Binary(Word, Vec<u8>, Word),
}

/// The name at the front, which may be empty.
pub(super) fn name_prefix(bytes: &[u8]) -> &[u8] {
    if bytes.first().is_some_and(u8::is_ascii_digit) {
        return &bytes[..0];
    }
    let length = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    &bytes[..length]
}

pub(super) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && name_prefix(bytes).len() == bytes.len()
}
