//! Puts words and operators together to commands, as far as the shells agree on the grammar.

use super::lexer::{Lexer, Part, SyntaxError, Token, Word, name_prefix};

/// How deep compound commands may nest.
pub(super) const DEEPEST: usize = 40;

const OPEN_COMPOUND: &str = "sh stops with a syntax error: the file ends inside a compound command";

/// A command without anything that has commands inside.
#[derive(Clone)]
pub(super) struct Simple {
    pub(super) words: Vec<Word>,
    /// It has a redirection that may fail, and then the command does not run.
    pub(super) redirected: bool,
}

pub(super) enum Command {
    Simple(Simple),
    /// All simple commands of a compound one, in their order.
    Compound(Vec<Simple>),
    Function(Vec<u8>, Vec<Simple>),
}

pub(super) struct Pipeline {
    pub(super) commands: Vec<Command>,
    pub(super) negated: bool,
    /// It stands behind `||`.
    pub(super) after_or: bool,
}

pub(super) struct List {
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) background: bool,
}

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// How many compound commands are open.
    depth: usize,
}

/// Whether what stands in `$(...)` or backquotes is a list of commands: if not, that is an error of the whole file.
pub(super) fn is_list(content: &[u8], depth: usize) -> bool {
    let mut parser = Parser { lexer: Lexer::nested(content, depth), depth: 0 };
    loop {
        match parser.line() {
            Ok(line) if line.is_empty() => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

impl<'a> Parser<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Parser { lexer: Lexer::nested(bytes, 0), depth: 0 }
    }

    /// How far the file has been read.
    pub(super) fn position(&self) -> usize {
        self.lexer.position
    }

    /// All lists up to the end of the next line that has any: a shell parses these before it runs the first.
    pub(super) fn line(&mut self) -> Result<Vec<List>, SyntaxError> {
        self.skip_newlines()?;
        let mut line = Vec::new();
        while !matches!(self.lexer.peek()?, Token::Operator("\n") | Token::End) {
            line.push(self.list()?);
        }
        Ok(line)
    }

    /// Pipelines with `&&` and `||` between them, and a `;` or `&` behind.
    fn list(&mut self) -> Result<List, SyntaxError> {
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
                _ => return Err(SyntaxError::Lost(self.lexer.position)),
            }
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
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

    fn command(&mut self) -> Result<Command, SyntaxError> {
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
                ) => return Err(SyntaxError::Lost(start)),
                _ => {}
            },
            Token::Redirect { .. } | Token::HereDocument => {}
            _ => return Err(SyntaxError::Lost(start)),
        }
        let simple = self.simple()?;
        if !matches!(self.lexer.peek()?, Token::Operator("(")) {
            return Ok(Command::Simple(simple));
        }
        // NAME() and a compound command
        let [word] = simple.words.as_slice() else { return Err(SyntaxError::Lost(start)) };
        let name = word.bare().ok_or(SyntaxError::Lost(start))?.to_vec();
        self.lexer.next()?;
        if self.lexer.next()? != Token::Operator(")") || simple.redirected {
            return Err(SyntaxError::Lost(start));
        }
        self.skip_newlines()?;
        let body = self.compound()?;
        Ok(Command::Function(name, body))
    }

    /// Words and redirections up to an operator.
    fn simple(&mut self) -> Result<Simple, SyntaxError> {
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
                        return Err(SyntaxError::Lost(self.lexer.position));
                    };
                    match target.bare() {
                        Some(b"0" | b"1" | b"2" | b"-") if descriptor => {}
                        _ if descriptor => return Err(SyntaxError::Lost(target.start)),
                        Some(b"/dev/null") => {}
                        _ => simple.redirected = true,
                    }
                }
                _ => return Ok(simple),
            }
        }
    }

    /// A compound command, with its redirections: all simple commands in it.
    fn compound(&mut self) -> Result<Vec<Simple>, SyntaxError> {
        let start = self.lexer.position;
        let mut inner = Vec::new();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SyntaxError::Lost(start));
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
                let Token::Word(_) = self.lexer.next()? else { return Err(SyntaxError::Lost(start)) };
                self.skip_newlines()?;
                self.keyword(b"in")?;
                while self.case_pattern()? {
                    if self.body(&[b";;", b"esac"], true, &mut inner)? == b"esac" {
                        break;
                    }
                }
            }
            _ => return Err(SyntaxError::Lost(start)),
        }
        self.depth -= 1;
        let redirections = self.simple()?;
        if redirections.words.is_empty() { Ok(inner) } else { Err(SyntaxError::Lost(start)) }
    }

    /// Commands up to and with one of these words or operators, which is returned.
    fn body(
        &mut self,
        ends: &[&'static [u8]],
        may_be_empty: bool,
        inner: &mut Vec<Simple>,
    ) -> Result<&'static [u8], SyntaxError> {
        let mut empty = !may_be_empty;
        loop {
            self.skip_newlines()?;
            let here = self.lexer.position;
            let end = match self.lexer.peek()? {
                Token::Operator(operator) => ends.iter().find(|end| **end == operator.as_bytes()),
                Token::Word(word) => ends.iter().find(|end| word.bare() == Some(**end)),
                Token::End => return Err(SyntaxError::Rejected(here, OPEN_COMPOUND)),
                _ => None,
            };
            if let Some(end) = end {
                if empty {
                    return Err(SyntaxError::Lost(here));
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
    fn for_head(&mut self, inner: &mut Vec<Simple>) -> Result<(), SyntaxError> {
        let start = self.lexer.position;
        let lost = Err(SyntaxError::Lost(start));
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
    fn case_pattern(&mut self) -> Result<bool, SyntaxError> {
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
        Err(SyntaxError::Lost(self.lexer.position))
    }

    fn keyword(&mut self, keyword: &[u8]) -> Result<(), SyntaxError> {
        if self.peek_bare()? != Some(keyword) {
            return Err(SyntaxError::Lost(self.lexer.position));
        }
        self.lexer.next()?;
        Ok(())
    }

    fn peek_bare(&mut self) -> Result<Option<&[u8]>, SyntaxError> {
        Ok(match self.lexer.peek()? {
            Token::Word(word) => word.bare(),
            _ => None,
        })
    }

    fn skip_newlines(&mut self) -> Result<(), SyntaxError> {
        while matches!(self.lexer.peek()?, Token::Operator("\n")) {
            self.lexer.next()?;
        }
        Ok(())
    }
}
