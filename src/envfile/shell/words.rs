//! Takes words apart: quotes, parameters, substitutions.

use super::ast::{List, Operator, Part, Stop, Word, name_prefix};

use std::rc::Rc;

/// How deep commands and substitutions may nest.
pub(super) const DEEPEST: usize = 40;

/// Reads a text from front to back.
pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) bash: bool,
    pub(super) depth: usize,
    /// Here-documents whose bodies begin on the next line: delimiter, tabs go, expands.
    pub(super) here_documents: Vec<(Vec<u8>, bool, bool)>,
    /// Takes apart what stands in `$(…)` up to its `)`.
    pub(super) inner: fn(&mut Parser<'a>) -> Result<List, Stop>,
    /// Takes a text apart that ends with such a `)`, so many levels down.
    pub(super) nested: fn(&[u8], bool, usize) -> Option<List>,
}

pub(super) type Parsed<T> = Result<T, Stop>;

/// Where a run of parts ends.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// A blank or an operator.
    Word,
    /// `}` of `${…}`, which stays.
    Brace,
    /// `/` or `}` of `${…/…/…}`, which stays.
    Slash,
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn lost<T>(&self) -> Parsed<T> {
        Err(Stop::Lost(self.at))
    }

    /// Past blanks and comments.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.text.get(self.at + 1) == Some(&b'\n') => self.at += 2,
                Some(b'#') => self.at += memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    /// A word, which may be empty where none begins.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        self.parts(Until::Word, false)
    }

    fn parts(&mut self, until: Until, quoted: bool) -> Parsed<Word> {
        let start = self.at;
        let mut parts = Vec::new();
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.lost();
        }
        loop {
            let Some(byte) = self.peek() else {
                if until == Until::Word {
                    break;
                }
                return Err(Stop::Rejected(start));
            };
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' if until == Until::Word => break,
                b'}' if until != Until::Word => break,
                b'/' if until == Until::Slash => break,
                // In a word that stands in double quotes itself the shells differ on quotes.
                b'\'' | b'"' | b'\\' if quoted => return self.lost(),
                b'\\' => match self.text.get(self.at + 1) {
                    Some(b'\n') => self.at += 2,
                    Some(next) => {
                        push(&mut parts, &[*next], true);
                        self.at += 2;
                    }
                    None => return self.lost(),
                },
                b'\'' => {
                    let text = self.single_quoted()?;
                    push(&mut parts, text, true);
                }
                b'"' => self.double_quoted(&mut parts)?,
                b'$' | b'`' => self.dollar(&mut parts, quoted)?,
                byte => {
                    push(&mut parts, &[byte], quoted);
                    self.at += 1;
                }
            }
        }
        self.depth -= 1;
        Ok(Word { start, end: self.at, parts })
    }

    fn single_quoted(&mut self) -> Parsed<&'a [u8]> {
        let start = self.at + 1;
        let rest = self.text.get(start..).unwrap_or_default();
        let length = memchr::memchr(b'\'', rest).ok_or(Stop::Rejected(self.at))?;
        self.at = start + length + 1;
        Ok(&rest[..length])
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        push(parts, b"", true);
        loop {
            match self.peek() {
                None => return Err(Stop::Rejected(start)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    match self.text.get(self.at + 1) {
                        None => return Err(Stop::Rejected(start)),
                        Some(b'\n') => {}
                        Some(next @ (b'$' | b'`' | b'"' | b'\\')) => push(parts, &[*next], true),
                        Some(next) => push(parts, &[b'\\', *next], true),
                    }
                    self.at += 2;
                }
                Some(b'$' | b'`') => self.dollar(parts, true)?,
                Some(byte) => {
                    push(parts, &[byte], true);
                    self.at += 1;
                }
            }
        }
    }

    fn dollar(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Parsed<()> {
        if self.peek() == Some(b'`') {
            return self.backquoted(parts, quoted);
        }
        let next = self.text.get(self.at + 1).copied();
        match next {
            // An error in it ends dash.
            Some(b'(') if self.text.get(self.at + 2) == Some(&b'(') && !self.bash => return self.lost(),
            Some(b'(') if self.text.get(self.at + 2) == Some(&b'(') => {
                self.at += 3;
                self.arithmetic()?;
                parts.push(Part::Opaque);
            }
            Some(b'(') => {
                self.at += 2;
                let list = (self.inner)(self)?;
                parts.push(Part::Substitution { list: Rc::new(list), quoted });
            }
            Some(b'{') => {
                self.at += 2;
                self.braces(parts, quoted)?;
            }
            Some(b'[') if self.bash => return self.lost(),
            Some(b'\'') if self.bash && !quoted => {
                self.at += 1;
                self.ansi_quoted(parts)?;
            }
            Some(b'"') if self.bash && !quoted => self.at += 1,
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.at += 2;
                parts.push(Part::Parameter { name: vec![byte], operator: Operator::None, quoted });
            }
            _ => {
                self.at += 1;
                let name = name_prefix(self.rest());
                self.at += name.len();
                // The name may go on behind a line end.
                if self.rest().starts_with(b"\\\n") {
                    return self.lost();
                }
                if name.is_empty() {
                    push(parts, b"$", quoted);
                } else {
                    parts.push(Part::Parameter { name: name.to_vec(), operator: Operator::None, quoted });
                }
            }
        }
        Ok(())
    }

    fn backquoted(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Parsed<()> {
        let start = self.at;
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(Stop::Rejected(start)),
                Some(b'`') => break,
                Some(b'\\') => {
                    match self.text.get(self.at + 1) {
                        Some(next @ (b'`' | b'\\' | b'$')) => text.push(*next),
                        Some(b'"') if quoted => text.push(b'"'),
                        Some(next) => text.extend([b'\\', *next]),
                        None => return Err(Stop::Rejected(start)),
                    }
                    self.at += 2;
                }
                Some(byte) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        // A parenthesis behind it makes it a text for the same grammar.
        text.extend_from_slice(b"\n)");
        let list = (self.nested)(&text, self.bash, self.depth + 1).ok_or(Stop::Lost(start))?;
        parts.push(Part::Substitution { list: Rc::new(list), quoted });
        Ok(())
    }

    /// Past `))`.
    pub(super) fn arithmetic(&mut self) -> Parsed<()> {
        let start = self.at;
        let mut open = 0_usize;
        loop {
            match self.peek() {
                None => return Err(Stop::Rejected(start)),
                Some(b'(') => open += 1,
                Some(b')') if open > 0 => open -= 1,
                Some(b')') if self.text.get(self.at + 1) == Some(&b')') => {
                    let inner = &self.text[start..self.at];
                    self.at += 2;
                    // It may assign, or fail.
                    let compares = |at: usize| {
                        let (before, after) = (inner.get(at.wrapping_sub(1)), inner.get(at + 1));
                        matches!(before, Some(b'!' | b'<' | b'>' | b'=')) || after == Some(&b'=')
                    };
                    let assigns = memchr::memchr_iter(b'=', inner).any(|at| !compares(at));
                    let steps = inner.windows(2).any(|pair| pair == b"++" || pair == b"--");
                    let may_fail = inner.iter().any(|byte| matches!(byte, b'/' | b'%' | b'`' | b'\'' | b'"'));
                    if assigns || steps || may_fail {
                        return Err(Stop::Lost(start));
                    }
                    return Ok(());
                }
                // `$((` was a subshell in a substitution.
                Some(b')' | b'`' | b'\\') => return Err(Stop::Lost(start)),
                Some(_) => {}
            }
            self.at += 1;
        }
    }

    /// `$'…'`
    fn ansi_quoted(&mut self, parts: &mut Vec<Part>) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match (self.peek(), self.text.get(self.at + 1)) {
                (None, _) | (Some(b'\\'), None) => return Err(Stop::Rejected(start)),
                (Some(b'\''), _) => break,
                (Some(b'\\'), Some(next)) => {
                    text.push(match next {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'\\' | b'\'' | b'"' => *next,
                        b'e' | b'E' => 27,
                        b'a' => 7,
                        b'r' => b'\r',
                        _ => return Err(Stop::Lost(start)),
                    });
                    self.at += 2;
                }
                (Some(byte), _) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        push(parts, &text, true);
        Ok(())
    }

    /// What follows `${`, with the `}`.
    fn braces(&mut self, parts: &mut Vec<Part>, quoted: bool) -> Parsed<()> {
        let start = self.at;
        let length = self.rest().len() > 1 && self.rest()[0] == b'#' && self.rest()[1] != b'}';
        let indirect = self.bash && self.peek() == Some(b'!') && self.text.get(self.at + 1) != Some(&b'}');
        if length || indirect {
            self.at += 1;
        }
        let name = match self.peek() {
            Some(byte) if b"@*#?-$!".contains(&byte) => &self.rest()[..1],
            Some(byte) if byte.is_ascii_digit() => {
                &self.rest()[..self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count()]
            }
            _ => name_prefix(self.rest()),
        };
        if name.is_empty() {
            return Err(Stop::Lost(start));
        }
        self.at += name.len();
        let name = name.to_vec();
        let operator = match self.peek() {
            Some(b'}') if length => Operator::Length,
            Some(b'}') => Operator::None,
            // `${#-x}` and its like are told apart in no other place.
            _ if length => return Err(Stop::Lost(start)),
            _ if indirect => {
                self.opaque_braces(start)?;
                parts.push(Part::Opaque);
                return Ok(());
            }
            Some(byte) => {
                let colon = byte == b':' && matches!(self.text.get(self.at + 1), Some(b'-' | b'+' | b'=' | b'?'));
                self.at += usize::from(colon);
                match self.peek().unwrap_or(0) {
                    sign @ (b'-' | b'+' | b'=' | b'?') => {
                        self.at += 1;
                        Operator::Default { colon, sign, word: self.parts(Until::Brace, quoted)? }
                    }
                    sign @ (b'#' | b'%') => {
                        let longest = self.text.get(self.at + 1) == Some(&sign);
                        self.at += 1 + usize::from(longest);
                        Operator::Strip { sign, longest, pattern: self.pattern(Until::Brace, quoted)? }
                    }
                    b'/' if self.bash => {
                        let all = self.text.get(self.at + 1) == Some(&b'/');
                        self.at += 1 + usize::from(all);
                        if !all && matches!(self.peek(), Some(b'#' | b'%')) {
                            return Err(Stop::Lost(start));
                        }
                        let pattern = self.pattern(Until::Slash, quoted)?;
                        let mut by = Word::default();
                        if self.peek() == Some(b'/') {
                            self.at += 1;
                            by = self.pattern(Until::Brace, quoted)?;
                        }
                        Operator::Replace { all, pattern, by }
                    }
                    b'[' | b':' | b'^' | b',' | b'@' if self.bash => {
                        self.opaque_braces(start)?;
                        parts.push(Part::Opaque);
                        return Ok(());
                    }
                    _ => return Err(Stop::Lost(start)),
                }
            }
            None => return Err(Stop::Rejected(start)),
        };
        if self.peek() != Some(b'}') {
            return Err(Stop::Lost(start));
        }
        self.at += 1;
        if indirect {
            parts.push(Part::Opaque);
        } else {
            parts.push(Part::Parameter { name, operator, quoted });
        }
        Ok(())
    }

    /// A pattern in `${…}` obeys quotes, also in double quotes; bytes of it that have no quotes are not quoted.
    fn pattern(&mut self, until: Until, quoted: bool) -> Parsed<Word> {
        let word = self.parts(until, false)?;
        let has_quotes = word.parts.iter().any(|part| matches!(part, Part::Text { quoted: true, .. }));
        // In double quotes dash and bash differ on single ones.
        if quoted && has_quotes { Err(Stop::Lost(word.start)) } else { Ok(word) }
    }

    /// Up to the `}` of an expansion that is not looked into.
    fn opaque_braces(&mut self, start: usize) -> Parsed<()> {
        let rest = self.rest();
        let close = memchr::memchr(b'}', rest).ok_or(Stop::Rejected(start))?;
        // It may assign, run commands or fail.
        if rest[..close].iter().any(|byte| matches!(byte, b'$' | b'`' | b'\'' | b'"' | b'\\' | b'{' | b'=' | b'\n')) {
            return Err(Stop::Lost(start));
        }
        self.at += close + 1;
        Ok(())
    }
}

pub(super) fn push(parts: &mut Vec<Part>, text: &[u8], quoted: bool) {
    match parts.last_mut() {
        Some(Part::Text { bytes, quoted: same }) if *same == quoted => bytes.extend_from_slice(text),
        _ => parts.push(Part::Text { bytes: text.to_vec(), quoted }),
    }
}
