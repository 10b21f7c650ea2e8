//! Puts words and operators together to commands.

use std::path::Path;
use std::rc::Rc;

use super::ast::{
    AndOr, Clause, Command, Condition, List, Node, Part, Pipeline, Script, Simple, Stop, Word, is_name, name_prefix,
};
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

    fn operator(&self) -> Option<&'static str> {
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

    fn keyword(&self) -> Option<&'static str> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_lowercase() || b"{}![".contains(&byte)) {
            return None;
        }
        let end = self.rest().iter().position(|byte| b" \t\n;&|()<>".contains(byte)).unwrap_or(self.rest().len());
        KEYWORDS.into_iter().find(|keyword| keyword.as_bytes() == &self.rest()[..end])
    }

    fn expect(&mut self, keyword: &'static str) -> Parsed<()> {
        self.skip_newlines()?;
        if self.keyword() != Some(keyword) {
            return self.lost();
        }
        self.at += keyword.len();
        Ok(())
    }

    fn skip_newlines(&mut self) -> Parsed<()> {
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
    fn and_or(&mut self, ends: &[&'static str]) -> Parsed<AndOr> {
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

    /// Commands up to and with one of these words or operators, which is returned.
    pub(super) fn compound(&mut self, ends: &[&'static str]) -> Parsed<(List, &'static str)> {
        let mut list = Vec::new();
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.lost();
        }
        loop {
            self.skip_newlines()?;
            let here = self.at;
            if self.rest().is_empty() {
                return Err(Stop::Rejected(here));
            }
            let end = self.keyword().or(self.operator()).filter(|end| ends.contains(end));
            if let Some(end) = end {
                // Only the end of a clause or of a substitution may come at once.
                if list.is_empty() && !matches!(end, ")" | ";;" | ";&" | ";;&" | "esac") {
                    return Err(Stop::Rejected(here));
                }
                self.at += end.len();
                self.depth -= 1;
                return Ok((list, end));
            }
            list.push(self.and_or(ends)?);
        }
    }

    fn if_command(&mut self) -> Parsed<Command> {
        let mut arms = Vec::new();
        self.at += "if".len();
        loop {
            let (condition, _) = self.compound(&["then"])?;
            let (body, end) = self.compound(&["elif", "else", "fi"])?;
            arms.push((condition, body));
            match end {
                "elif" => {}
                "else" => return Ok(Command::If(arms, Some(self.compound(&["fi"])?.0))),
                _ => return Ok(Command::If(arms, None)),
            }
        }
    }

    fn for_command(&mut self) -> Parsed<Command> {
        self.at += "for".len();
        self.skip_blanks();
        let start = self.at;
        if self.rest().starts_with(b"((") {
            return self.lost();
        }
        let name = self.word()?;
        let name = name.bare().filter(|name| is_name(name)).ok_or(Stop::Lost(start))?.to_vec();
        self.skip_newlines()?;
        let mut words = None;
        if self.keyword() == Some("in") {
            self.at += "in".len();
            let mut list = Vec::new();
            loop {
                self.skip_blanks();
                match self.operator() {
                    Some(";" | "\n") => break,
                    Some(_) => return Err(Stop::Rejected(self.at)),
                    None if self.rest().is_empty() => return Err(Stop::Rejected(self.at)),
                    None => list.push(self.word()?),
                }
            }
            words = Some(list);
        }
        if self.operator() == Some(";") {
            self.at += 1;
        }
        self.expect("do")?;
        let (body, _) = self.compound(&["done"])?;
        Ok(Command::For(name, words, body))
    }

    fn case_command(&mut self) -> Parsed<Command> {
        self.at += "case".len();
        self.skip_blanks();
        let subject = self.word()?;
        self.expect("in")?;
        let mut clauses = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.keyword() == Some("esac") {
                self.at += "esac".len();
                return Ok(Command::Case(subject, clauses));
            }
            if self.operator() == Some("(") {
                self.at += 1;
            }
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                let start = self.at;
                let pattern = self.word()?;
                if pattern.parts.is_empty() {
                    return Err(Stop::Lost(start));
                }
                patterns.push(pattern);
                self.skip_blanks();
                match self.operator() {
                    Some("|") => self.at += 1,
                    Some(")") => break,
                    // Patterns with parentheses of their own.
                    _ => return Err(Stop::Lost(start)),
                }
            }
            self.at += 1;
            let (body, end) = self.compound(&[";;", ";&", ";;&", "esac"])?;
            clauses.push(Clause { patterns, body, falls_through: matches!(end, ";&" | ";;&") });
            if end == "esac" {
                return Ok(Command::Case(subject, clauses));
            }
        }
    }

    /// Of `[[`; the level: 0 `||`, 1 `&&`, 2 what they join.
    fn condition(&mut self, level: usize) -> Parsed<Condition> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.lost();
        }
        let found = if level < 2 {
            let operator = ["||", "&&"][level];
            let left = self.condition(level + 1)?;
            self.skip_newlines()?;
            if self.operator() == Some(operator) {
                self.at += 2;
                let right = self.condition(level)?;
                if level == 0 {
                    Condition::Or(Box::new(left), Box::new(right))
                } else {
                    Condition::And(Box::new(left), Box::new(right))
                }
            } else {
                left
            }
        } else {
            self.primary()?
        };
        self.depth -= 1;
        Ok(found)
    }

    fn primary(&mut self) -> Parsed<Condition> {
        self.skip_newlines()?;
        if self.keyword() == Some("!") {
            self.at += 1;
            return Ok(Condition::Not(Box::new(self.condition(2)?)));
        }
        if self.operator() == Some("(") {
            self.at += 1;
            let inner = self.condition(0)?;
            self.skip_newlines()?;
            if self.operator() != Some(")") {
                return self.lost();
            }
            self.at += 1;
            return Ok(inner);
        }
        let first = self.word()?;
        if first.parts.is_empty() || first.bare() == Some(b"]]") {
            return self.lost();
        }
        let unary = first.bare().filter(|text| text.len() == 2 && text[0] == b'-').map(<[u8]>::to_vec);
        self.skip_blanks();
        let ends = |parser: &Self| {
            parser.rest().starts_with(b"]]") || matches!(parser.operator(), Some("&&" | "||" | ")" | "\n"))
        };
        if ends(self) {
            return Ok(Condition::NotEmpty(first));
        }
        if let Some(operator) = unary {
            return Ok(Condition::Unary(operator, self.word()?));
        }
        let operator = match self.operator() {
            Some(operator @ ("<" | ">")) => {
                self.at += 1;
                operator.as_bytes().to_vec()
            }
            _ => self.word()?.bare().ok_or(Stop::Lost(self.at))?.to_vec(),
        };
        self.skip_blanks();
        if operator == b"=~" {
            // Parentheses belong to the expression.
            let mut open = 0_usize;
            while let Some(byte) = self.peek() {
                match byte {
                    b' ' | b'\t' if open == 0 => break,
                    b'\n' => break,
                    b'(' => open += 1,
                    b')' => open = open.saturating_sub(1),
                    b'$' | b'`' | b'\'' | b'"' | b'\\' => return self.lost(),
                    _ => {}
                }
                self.at += 1;
            }
            return Ok(Condition::Binary(
                first,
                operator,
                Word { start: self.at, end: self.at, parts: vec![Part::Opaque] },
            ));
        }
        let second = self.word()?;
        if second.parts.is_empty() {
            return self.lost();
        }
        Ok(Condition::Binary(first, operator, second))
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
