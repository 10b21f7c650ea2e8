//! Puts words and operators together to commands.

use std::path::Path;
use std::rc::Rc;

use super::ast::{AndOr, Command, List, Node, Part, Pipeline, Script, Simple, Stop, Word, name_prefix};
use super::words::{DEEPEST, Parsed, Parser};

const OPERATORS: [&str; 24] = [
    ";;&", "<<-", "<<<", "&>>", "&&", "||", ";;", ";&", "|&", "<<", ">>", "<&", ">&", "<>", ">|", "<(", ">(", "&>",
    "\n", "&", ";", "|", "<", ">",
];

/// Operators of bash alone, and what dash takes in their place.
const OF_BASH: [(&str, &str); 8] =
    [(";;&", ";;"), ("<<<", "<<"), ("&>>", "&"), (";&", ";"), ("|&", "|"), ("<(", "<"), (">(", ">"), ("&>", "&")];

const KEYWORDS: [&str; 20] = [
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "{", "}", "!",
    "[[", "function", "select", "coproc",
];

/// Where bytes are separated from each other.
const SEPARATORS: &[u8] = b" \t\n;&|()<>";

/// `function`.
const LONGEST_KEYWORD: usize = 8;

/// How far behind a mistake the rest of an operator is looked for.
const GLUE: usize = 8;

/// Is a keyword or an operator put together over line ends that `\` takes away? The shells read them so; here nobody does.
fn is_glued(text: &[u8]) -> bool {
    let mut begins = memchr::memmem::find_iter(text, b"\\\n");
    begins.any(|at| {
        // Behind a blank or another line end nothing is put together that does not begin here.
        if text[..at].last().is_none_or(|byte| b" \t\n".contains(byte)) {
            return false;
        }
        let left = text[..at].iter().rposition(|byte| SEPARATORS.contains(byte)).map_or(0, |last| last + 1);
        let mut token = text[left..at].to_vec();
        let mut rest = &text[at..];
        while let Some(byte) = rest.first() {
            rest = match rest.strip_prefix(b"\\\n") {
                Some(behind) => behind,
                None if SEPARATORS.contains(byte) || token.len() > LONGEST_KEYWORD => break,
                None => {
                    token.push(*byte);
                    &rest[1..]
                }
            };
        }
        let behind = text[at..].chunks(2).find(|pair| *pair != b"\\\n").and_then(<[u8]>::first);
        let of_operator = |byte: Option<&u8>| byte.is_some_and(|byte| b"&|;<>".contains(byte));
        let operator = of_operator(text[..at].last()) && (of_operator(behind) || matches!(behind, Some(b'(' | b'-')));
        operator || (left < at && KEYWORDS.iter().any(|keyword| keyword.as_bytes() == token))
    })
}

/// Takes a file apart, as far as it goes.
pub(super) fn parse(path: &Path, text: Vec<u8>, fixed_line: Option<usize>, bash: bool) -> Script {
    let mut lines = Vec::new();
    let mut parser = parser(&text, bash);
    let stop = loop {
        let from = parser.at;
        let line = parser.line();
        let looked_at = if line.is_ok() { parser.at } else { (parser.at + GLUE).min(text.len()) };
        match line {
            Ok(_) | Err(Stop::Rejected(_)) if is_glued(&text[from..looked_at]) => {
                break Some((Stop::Lost(from), from));
            }
            Ok(line) if line.is_empty() => break None,
            Ok(line) => lines.push(line),
            Err(stop) => break Some((stop, from)),
        }
    };
    let ends = memchr::memchr_iter(b'\n', &text).collect();
    Script { path: path.to_path_buf(), text, fixed_line, lines, stop, ends }
}

fn parser(text: &[u8], bash: bool) -> Parser<'_> {
    let inner = |parser: &mut Parser<'_>| parser.compound(&[")"]).map(|(list, _)| list);
    let nested = |text: &[u8], bash: bool, depth: usize| {
        let mut parser = Parser { depth, ..parser(text, bash) };
        let (list, _) = parser.compound(&[")"]).ok()?;
        (parser.at == text.len()).then_some(list)
    };
    Parser { text, at: 0, bash, depth: 0, here_documents: Vec::new(), inner, nested }
}

impl Parser<'_> {
    /// All lists up to the end of the next line that has any.
    fn line(&mut self) -> Parsed<List> {
        self.skip_newlines()?;
        let mut line = Vec::new();
        loop {
            self.skip_blanks();
            match self.operator() {
                Some("\n") => {
                    self.newline()?;
                    return Ok(line);
                }
                None if self.rest().is_empty() => return Ok(line),
                _ => line.push(self.and_or(&[])?),
            }
        }
    }

    pub(super) fn operator(&self) -> Option<&'static str> {
        if !self.peek().is_some_and(|byte| b";&|<>()\n".contains(&byte)) {
            return None;
        }
        let found = OPERATORS.into_iter().find(|text| self.rest().starts_with(text.as_bytes()));
        let found = match self.rest().first() {
            Some(b'(') => Some("("),
            Some(b')') => Some(")"),
            _ => found,
        }?;
        let of_bash = OF_BASH.into_iter().find(|(text, _)| *text == found && !self.bash);
        Some(of_bash.map_or(found, |(_, instead)| instead))
    }

    pub(super) fn keyword(&self) -> Option<&'static str> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_lowercase() || b"{}![".contains(&byte)) {
            return None;
        }
        let end = self.rest().iter().position(|byte| b" \t\n;&|()<>".contains(byte)).unwrap_or(self.rest().len());
        KEYWORDS.into_iter().find(|keyword| keyword.as_bytes() == &self.rest()[..end])
    }

    pub(super) fn expect(&mut self, keyword: &'static str) -> Parsed<()> {
        self.skip_newlines()?;
        if self.keyword() != Some(keyword) {
            return self.lost();
        }
        self.at += keyword.len();
        Ok(())
    }

    pub(super) fn skip_newlines(&mut self) -> Parsed<()> {
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    /// Past a line end and the here-documents that begin behind it.
    fn newline(&mut self) -> Parsed<()> {
        self.at += 1;
        for (delimiter, tabs, expands) in std::mem::take(&mut self.here_documents) {
            while !self.rest().is_empty() {
                let length = memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
                let mut line = &self.rest()[..length];
                while let Some(rest) = line.strip_prefix(b"\t").filter(|_| tabs) {
                    line = rest;
                }
                // A line end may be none, and an expansion may assign or fail.
                if expands && line != delimiter && !is_harmless(line) {
                    return self.lost();
                }
                self.at = (self.at + length + 1).min(self.text.len());
                if line == delimiter {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Pipelines with `&&` and `||` between them, and the `;` or `&` behind. Without one of those no other word may follow than
    /// one that ends the list, as in `if (…) then`.
    pub(super) fn and_or(&mut self, ends: &[&'static str]) -> Parsed<AndOr> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            match self.operator() {
                Some(operator @ ("&&" | "||")) => {
                    self.at += 2;
                    self.skip_newlines()?;
                    rest.push((operator == "||", self.pipeline()?));
                }
                Some(operator @ (";" | "&")) => {
                    self.at += 1;
                    return Ok(AndOr { first, rest, background: operator == "&" });
                }
                None if !self.rest().is_empty() && !self.keyword().is_some_and(|word| ends.contains(&word)) => {
                    return Err(Stop::Rejected(self.at));
                }
                _ => return Ok(AndOr { first, rest, background: false }),
            }
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.skip_blanks();
        let mut negated = false;
        while self.keyword() == Some("!") {
            if negated && !self.bash {
                return Err(Stop::Rejected(self.at));
            }
            negated = !negated;
            self.at += 1;
            self.skip_blanks();
        }
        let mut commands = vec![self.node()?];
        loop {
            self.skip_blanks();
            let Some(operator @ ("|" | "|&")) = self.operator() else { return Ok(Pipeline { negated, commands }) };
            self.at += operator.len();
            self.skip_newlines()?;
            commands.push(self.node()?);
        }
    }

    fn node(&mut self) -> Parsed<Node> {
        self.skip_blanks();
        let start = self.at;
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.lost();
        }
        let mut redirections_work = true;
        let command = self.command(&mut redirections_work)?;
        if !matches!(command, Command::Simple(_) | Command::Function(..)) {
            loop {
                self.skip_blanks();
                if !self.redirection(&mut redirections_work)? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(Node { command, redirections_work, start, end: self.at })
    }

    fn command(&mut self, redirections_work: &mut bool) -> Parsed<Command> {
        let start = self.at;
        match self.keyword() {
            Some("if") => return self.if_command(),
            Some("while" | "until") => {
                let until = self.keyword() == Some("until");
                self.at += 5;
                let (condition, _) = self.compound(&["do"])?;
                let (body, _) = self.compound(&["done"])?;
                return Ok(Command::Loop { until, condition, body });
            }
            Some("for") => return self.for_command(),
            Some("case") => return self.case_command(),
            Some("{") => {
                self.at += 1;
                return Ok(Command::Group(self.compound(&["}"])?.0));
            }
            Some("[[") if self.bash => {
                self.at += 2;
                let condition = self.condition(0)?;
                self.skip_newlines()?;
                if !self.rest().starts_with(b"]]") {
                    return self.lost();
                }
                self.at += 2;
                return Ok(Command::Condition(condition));
            }
            Some("function") if self.bash => {
                self.at += "function".len();
                self.skip_blanks();
                let name = self.word()?;
                let name = name.bare().ok_or(Stop::Lost(start))?.to_vec();
                self.skip_blanks();
                if self.operator() == Some("(") {
                    self.at += 1;
                    self.skip_blanks();
                    if self.operator() != Some(")") {
                        return self.lost();
                    }
                    self.at += 1;
                }
                return self.function(name);
            }
            Some("[[" | "function" | "in") => {}
            Some("select" | "coproc") if self.bash => return self.lost(),
            Some("select" | "coproc") => {}
            Some(_) => return Err(Stop::Rejected(start)),
            None => {}
        }
        match self.operator() {
            Some("(") if self.rest().starts_with(b"((") => {
                if !self.bash {
                    return self.lost();
                }
                self.at += 2;
                // What it assigns is looked for in its text.
                match self.arithmetic() {
                    Ok(()) => return Ok(Command::Opaque),
                    Err(_) => return self.lost(),
                }
            }
            Some("(") => {
                self.at += 1;
                self.compound(&[")"])?;
                return Ok(Command::Subshell);
            }
            Some("<(" | ">(") => return self.lost(),
            Some("<" | ">" | "<<" | ">>" | "<&" | ">&" | "<>" | ">|" | "<<-" | "<<<" | "&>" | "&>>") => {}
            Some(_) => return Err(Stop::Rejected(start)),
            None if self.rest().is_empty() => return Err(Stop::Rejected(start)),
            None => {}
        }
        self.simple(redirections_work)
    }

    fn simple(&mut self, redirections_work: &mut bool) -> Parsed<Command> {
        let mut simple = Simple { assignments: Vec::new(), words: Vec::new() };
        let mut declares = false;
        loop {
            self.skip_blanks();
            if self.redirection(redirections_work)? {
                continue;
            }
            match self.operator() {
                Some("(") => {
                    // NAME() and a compound command
                    let [name] = simple.words.as_slice() else { return Err(Stop::Rejected(self.at)) };
                    let name = name.bare().ok_or(Stop::Lost(self.at))?.to_vec();
                    self.at += 1;
                    self.skip_blanks();
                    if !simple.assignments.is_empty() || !*redirections_work {
                        return self.lost();
                    }
                    if self.operator() != Some(")") {
                        return Err(Stop::Rejected(self.at));
                    }
                    self.at += 1;
                    return self.function(name);
                }
                Some("<(" | ">(") => return self.lost(),
                Some(_) => return Ok(Command::Simple(simple)),
                None if self.rest().is_empty() => return Ok(Command::Simple(simple)),
                None => {}
            }
            let mut word = self.word()?;
            let may_assign = simple.words.is_empty() || declares;
            if may_assign && self.bash && self.peek() == Some(b'(') && ends_with_equals(&word) {
                self.array(&mut word)?;
            }
            match word.assignment(self.bash).filter(|_| simple.words.is_empty()) {
                Some(assignment) => simple.assignments.push(assignment),
                None => {
                    if simple.words.is_empty() {
                        declares =
                            matches!(word.bare(), Some(b"export" | b"readonly" | b"declare" | b"typeset" | b"local"));
                    }
                    simple.words.push(word);
                }
            }
        }
    }

    /// `(…)` behind `NAME=`.
    fn array(&mut self, word: &mut Word) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        loop {
            self.skip_newlines()?;
            match self.operator() {
                Some(")") => break,
                Some(_) => return Err(Stop::Lost(start)),
                None if self.rest().is_empty() => return Err(Stop::Rejected(start)),
                None => _ = self.word()?,
            }
        }
        self.at += 1;
        word.end = self.at;
        word.parts.push(Part::Array);
        Ok(())
    }

    fn function(&mut self, name: Vec<u8>) -> Parsed<Command> {
        self.skip_newlines()?;
        let start = self.at;
        let body = self.node()?;
        if matches!(body.command, Command::Simple(_)) {
            return Err(Stop::Lost(start));
        }
        Ok(Command::Function(name, Rc::new(body)))
    }

    /// Past a redirection, if one begins here.
    fn redirection(&mut self, work: &mut bool) -> Parsed<bool> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let start = self.at;
        if !matches!(self.rest().get(digits), Some(b'<' | b'>' | b'&')) {
            return Ok(false);
        }
        self.at += digits;
        let Some(operator @ ("<" | ">" | "<<" | ">>" | "<&" | ">&" | "<>" | ">|" | "<<-" | "<<<" | "&>" | "&>>")) =
            self.operator().filter(|operator| digits == 0 || !operator.starts_with('&'))
        else {
            self.at = start;
            return Ok(false);
        };
        self.at += operator.len();
        self.skip_blanks();
        let target = self.word()?;
        match operator {
            "<<" | "<<-" => {
                let delimiter = target.literal().filter(|text| !text.is_empty()).ok_or(Stop::Lost(start))?;
                self.here_documents.push((delimiter, operator == "<<-", target.bare().is_some()));
            }
            "<<<" => {}
            _ => {
                let sure = match target.bare() {
                    None if target.parts.is_empty() => return Err(Stop::Rejected(self.at)),
                    Some(b"0" | b"1" | b"2" | b"-") if operator.ends_with('&') => true,
                    Some(b"/dev/null") => true,
                    // dash ends where it is no digit.
                    bare if operator.ends_with('&') && !self.bash && !bare.is_some_and(is_digit) => return self.lost(),
                    _ => false,
                };
                *work &= sure;
            }
        }
        Ok(true)
    }
}

fn is_digit(text: &[u8]) -> bool {
    matches!(text, [byte] if byte.is_ascii_digit())
}

/// Are the expansions of a here-document's line those of parameters alone?
fn is_harmless(line: &[u8]) -> bool {
    memchr::memchr2(b'`', b'\\', line).is_none()
        && memchr::memchr_iter(b'$', line).all(|at| match line.get(at + 1) {
            Some(b'{') => {
                let name = name_prefix(&line[at + 2..]);
                !name.is_empty() && line.get(at + 2 + name.len()) == Some(&b'}')
            }
            next => !matches!(next, Some(b'(' | b'[')),
        })
}

/// `NAME=`, `NAME+=` or `NAME[…]=`: then `(` begins an array.
fn ends_with_equals(word: &Word) -> bool {
    let Some(Part::Text { bytes, quoted: false }) = word.parts.last() else { return false };
    word.parts.len() == 1 && !name_prefix(bytes).is_empty() && bytes.ends_with(b"=")
}
