//! Compound commands: lists between keywords, and conditions in `[[ … ]]`.

use super::ast::{Clause, Command, Condition, List, Part, Stop, Word, is_name};
use super::words::{DEEPEST, Parsed, Parser};

impl Parser<'_> {
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

    pub(super) fn if_command(&mut self) -> Parsed<Command> {
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

    pub(super) fn for_command(&mut self) -> Parsed<Command> {
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

    pub(super) fn case_command(&mut self) -> Parsed<Command> {
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
    pub(super) fn condition(&mut self, level: usize) -> Parsed<Condition> {
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
