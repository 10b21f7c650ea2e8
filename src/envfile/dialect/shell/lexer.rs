//! Takes a shell file apart into words and operators, as far as `dash` and `bash` agree on it.

use super::parser::is_list;

/// Why reading cannot go on.
pub(super) enum SyntaxError {
    /// No shell takes this: the place and what the shell does.
    Rejected(usize, &'static str),
    /// The shells differ here, or it is beyond this reader.
    Lost(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Word),
    /// `<`, `>` and their kind, or `<&` and `>&` with a descriptor; a word follows.
    Redirect {
        descriptor: bool,
    },
    /// `<<` with its delimiter; the body is left out.
    HereDocument,
    /// Any other operator, such as `;` or `&&`; a line end is `\n`.
    Operator(&'static str),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text {
        bytes: Vec<u8>,
        quoted: bool,
    },
    Parameter {
        name: Vec<u8>,
        quoted: bool,
    },
    /// A substitution whose result only the running shell knows.
    Opaque,
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

    /// The text of a word without expansions and without quotes: what a keyword has to be.
    pub(super) fn bare(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [Part::Text { bytes, quoted: false }] => Some(bytes),
            _ => None,
        }
    }
}

/// How deep substitutions may nest.
const DEEPEST: usize = 12;

/// Longest first. Those with `<` or `>` redirect.
const OPERATORS: [&str; 24] = [
    ";;&", "<<-", "<<<", "&&", "||", ";;", ";&", "|&", "<<", ">>", "<&", ">&", "<>", ">|", "<(", ">(", "\n", "&", ";",
    "|", "(", ")", "<", ">",
];

struct HereDocument {
    delimiter: Vec<u8>,
    /// Tabs go from the front of its lines.
    tabs: bool,
    /// The delimiter is not quoted: there may be expansions inside.
    expands: bool,
}

pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(super) position: usize,
    peeked: Option<Token>,
    /// Those whose bodies begin on the next line.
    here_documents: Vec<HereDocument>,
    /// How many substitutions this text stands in.
    depth: usize,
}

impl<'a> Lexer<'a> {
    /// Of a file, or of the text of a substitution so many levels down.
    pub(super) fn nested(bytes: &'a [u8], depth: usize) -> Self {
        Lexer { bytes, position: 0, peeked: None, here_documents: Vec::new(), depth }
    }

    pub(super) fn peek(&mut self) -> Result<&Token, SyntaxError> {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => self.lex()?,
        };
        Ok(self.peeked.insert(token))
    }

    pub(super) fn next(&mut self) -> Result<Token, SyntaxError> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.lex(),
        }
    }

    fn lex(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks();
        if self.at() == Some(b'#') {
            self.position = self.line_end();
        }
        let start = self.position;
        let rest = self.bytes.get(start..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Token::End);
        }
        if let Some(operator) = OPERATORS.into_iter().find(|text| rest.starts_with(text.as_bytes())) {
            return self.operator(operator);
        }
        let word = self.word()?;
        let number = word.bare().is_some_and(|text| text.iter().all(u8::is_ascii_digit));
        if number && matches!(self.at(), Some(b'<' | b'>')) {
            return self.lex();
        }
        Ok(Token::Word(word))
    }

    fn operator(&mut self, operator: &'static str) -> Result<Token, SyntaxError> {
        let start = self.position;
        self.position += operator.len();
        match operator {
            "<<" | "<<-" => {
                self.skip_blanks();
                let word = self.word()?;
                let delimiter = word.literal().filter(|text| !text.is_empty()).ok_or(SyntaxError::Lost(start))?;
                self.here_documents.push(HereDocument {
                    delimiter,
                    tabs: operator == "<<-",
                    expands: word.bare().is_some(),
                });
                return Ok(Token::HereDocument);
            }
            "<<<" | "<(" | ">(" => return Err(SyntaxError::Lost(start)),
            "\n" => {
                for document in std::mem::take(&mut self.here_documents) {
                    self.skip_here_document(&document)?;
                }
            }
            _ => {}
        }
        let descriptor = operator.ends_with('&');
        Ok(if operator.contains(['<', '>']) { Token::Redirect { descriptor } } else { Token::Operator(operator) })
    }

    fn skip_here_document(&mut self, document: &HereDocument) -> Result<(), SyntaxError> {
        while self.position < self.bytes.len() {
            let start = self.position;
            let end = self.line_end();
            let mut line = &self.bytes[start..end];
            while let Some(rest) = line.strip_prefix(b"\t").filter(|_| document.tabs) {
                line = rest;
            }
            self.position = (end + 1).min(self.bytes.len());
            if line == document.delimiter {
                break;
            }
            // An expansion that does not end there is an error of the whole file; a line end may be no line end.
            if document.expands && memchr::memchr3(b'$', b'`', b'\\', line).is_some() {
                return Err(SyntaxError::Lost(start));
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Result<Word, SyntaxError> {
        let start = self.position;
        let mut parts = Vec::new();
        while let Some(byte) = self.at() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\\' => match self.bytes.get(self.position + 1) {
                    Some(b'\n') => self.position += 2,
                    Some(next) => {
                        push(&mut parts, &[*next], true);
                        self.position += 2;
                    }
                    None => return Err(SyntaxError::Lost(start)),
                },
                b'\'' => {
                    let text = self.quoted_up_to(b'\'')?;
                    push(&mut parts, text, true);
                }
                b'"' => self.double_quoted(&mut parts)?,
                b'$' | b'`' => self.expansion(&mut parts, false, 0)?,
                byte => {
                    push(&mut parts, &[byte], false);
                    self.position += 1;
                }
            }
        }
        Ok(Word { start, parts })
    }

    /// Past the next `quote`: what is between here and there.
    fn quoted_up_to(&mut self, quote: u8) -> Result<&'a [u8], SyntaxError> {
        let start = self.position + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = memchr::memchr(quote, rest).ok_or(self.unterminated())?;
        self.position = start + length + 1;
        Ok(&rest[..length])
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) -> Result<(), SyntaxError> {
        let unterminated = self.unterminated();
        self.position += 1;
        push(parts, b"", true);
        loop {
            let Some(byte) = self.at() else { return Err(unterminated) };
            match byte {
                b'"' => {
                    self.position += 1;
                    return Ok(());
                }
                b'\\' => {
                    match self.bytes.get(self.position + 1) {
                        Some(b'\n') => {}
                        Some(next @ (b'$' | b'`' | b'"' | b'\\')) => push(parts, &[*next], true),
                        Some(next) => push(parts, &[b'\\', *next], true),
                        None => return Err(unterminated),
                    }
                    self.position += 2;
                }
                b'$' | b'`' => self.expansion(parts, true, 0)?,
                byte => {
                    push(parts, &[byte], true);
                    self.position += 1;
                }
            }
        }
    }

    /// What begins with a `$` or a backquote, `depth` levels inside the substitutions of this text. What is inside
    /// is looked at once, from the outermost level.
    fn expansion(&mut self, parts: &mut Vec<Part>, quoted: bool, depth: usize) -> Result<(), SyntaxError> {
        let start = self.position;
        let lost = Err(SyntaxError::Lost(start));
        if self.at() == Some(b'`') {
            self.skip_backquoted(depth)?;
            parts.push(Part::Opaque);
            return Ok(());
        }
        self.position += 1;
        match self.at() {
            // Arithmetic may fail, which ends dash.
            Some(b'(') if self.bytes.get(start + 2) == Some(&b'(') => return lost,
            Some(b'(') => {
                self.skip_parentheses(depth + 1)?;
                let content = &self.bytes[start + 2..self.position - 1];
                if depth == 0 && !is_list(content, self.depth + 1) {
                    return lost;
                }
                parts.push(Part::Opaque);
            }
            Some(b'{') => {
                let inner = start + 2;
                let name = self.name_at(inner);
                if !name.is_empty() && self.bytes.get(inner + name.len()) == Some(&b'}') {
                    self.position = inner + name.len() + 1;
                    parts.push(Part::Parameter { name: name.to_vec(), quoted });
                } else {
                    self.skip_braces(quoted, depth + 1)?;
                    if !is_portable_parameter(&self.bytes[inner..self.position - 1]) {
                        return lost;
                    }
                    parts.push(Part::Opaque);
                }
            }
            // $'...' and $"..." are one word in bash and a dollar before a quote in dash.
            Some(b'\'') if !quoted => {
                if self.quoted_up_to(b'\'')?.contains(&b'\\') {
                    return lost;
                }
                parts.push(Part::Opaque);
            }
            Some(b'"') if !quoted => parts.push(Part::Opaque),
            Some(byte) if byte.is_ascii_digit() || b"@*#?-$!".contains(&byte) => {
                self.position += 1;
                parts.push(Part::Opaque);
            }
            _ => {
                let name = self.name_at(self.position);
                self.position += name.len();
                // The name may go on behind a line end; `$NAME[` is an array's element to some.
                let rest = &self.bytes[self.position..];
                if rest.starts_with(b"\\\n") || !name.is_empty() && rest.starts_with(b"[") {
                    return lost;
                }
                if name.is_empty() {
                    push(parts, b"$", quoted);
                } else {
                    parts.push(Part::Parameter { name: name.to_vec(), quoted });
                }
            }
        }
        Ok(())
    }

    fn skip_backquoted(&mut self, depth: usize) -> Result<(), SyntaxError> {
        let start = self.position;
        let content = self.quoted_up_to(b'`')?;
        if content.contains(&b'\\') || depth == 0 && !is_list(content, self.depth + 1) {
            return Err(SyntaxError::Lost(start));
        }
        Ok(())
    }

    /// Past `(...)`, with whatever it holds.
    fn skip_parentheses(&mut self, depth: usize) -> Result<(), SyntaxError> {
        let start = self.position;
        let unterminated = self.unterminated();
        let mut open = 0_usize;
        let mut before = b' ';
        loop {
            let Some(byte) = self.at() else { return Err(unterminated) };
            let rest = &self.bytes[self.position..];
            let at_word = matches!(before, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(');
            // A pattern's parenthesis and a here-document's quotes do not count as others do.
            if self.depth + depth > DEEPEST || rest.starts_with(b"<<") || at_word && rest.starts_with(b"case") {
                return Err(SyntaxError::Lost(start));
            }
            before = byte;
            match byte {
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    if open == 0 {
                        self.position += 1;
                        return Ok(());
                    }
                }
                b'#' if at_word => {
                    self.position = self.line_end();
                    continue;
                }
                b'\\' => self.position += 1,
                _ if self.skip_quote(byte, depth)? => continue,
                _ => {}
            }
            self.position += 1;
        }
    }

    /// Past `{...}` of a parameter expansion.
    fn skip_braces(&mut self, quoted: bool, depth: usize) -> Result<(), SyntaxError> {
        let start = self.position;
        let unterminated = self.unterminated();
        self.position += 1;
        loop {
            let Some(byte) = self.at() else { return Err(unterminated) };
            // Inside double quotes the shells differ on quotes in here.
            if self.depth + depth > DEEPEST || quoted && matches!(byte, b'\'' | b'"' | b'\\') {
                return Err(SyntaxError::Lost(start));
            }
            match byte {
                b'}' => {
                    self.position += 1;
                    return Ok(());
                }
                b'\\' => self.position += 1,
                _ if self.skip_quote(byte, depth)? => continue,
                _ => {}
            }
            self.position += 1;
        }
    }

    /// Past a quoted string or an expansion, if one begins here.
    fn skip_quote(&mut self, byte: u8, depth: usize) -> Result<bool, SyntaxError> {
        match byte {
            b'\'' => _ = self.quoted_up_to(b'\'')?,
            b'`' => self.skip_backquoted(depth + 1)?,
            b'$' => self.expansion(&mut Vec::new(), true, depth)?,
            b'"' => {
                let unterminated = self.unterminated();
                self.position += 1;
                loop {
                    match self.at() {
                        None => return Err(unterminated),
                        Some(b'"') => break,
                        Some(b'\\') => self.position += 2,
                        Some(b'$') => self.expansion(&mut Vec::new(), true, depth + 1)?,
                        Some(b'`') => self.skip_backquoted(depth + 1)?,
                        Some(_) => self.position += 1,
                    }
                }
                self.position += 1;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.at() {
                Some(b' ' | b'\t') => self.position += 1,
                Some(b'\\') if self.bytes.get(self.position + 1) == Some(&b'\n') => self.position += 2,
                _ => return,
            }
        }
    }

    fn line_end(&self) -> usize {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        self.position + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    }

    fn name_at(&self, position: usize) -> &'a [u8] {
        name_prefix(self.bytes.get(position..).unwrap_or_default())
    }

    fn at(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn unterminated(&self) -> SyntaxError {
        SyntaxError::Rejected(
            self.position,
            "sh stops with a syntax error: a quote or substitution that begins here does not end",
        )
    }
}

/// The name at the front, which may be empty.
pub(super) fn name_prefix(bytes: &[u8]) -> &[u8] {
    if bytes.first().is_some_and(u8::is_ascii_digit) {
        return &bytes[..0];
    }
    let length = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    &bytes[..length]
}

/// Whether all shells take what stands in `${...}` and none can fail on it or assign by it.
fn is_portable_parameter(inner: &[u8]) -> bool {
    let name = match inner.first() {
        Some(b'#') if inner.len() > 1 => return name_prefix(&inner[1..]).len() == inner.len() - 1,
        Some(byte) if b"@*#?-$!".contains(byte) => 1,
        Some(byte) if byte.is_ascii_digit() => inner.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => name_prefix(inner).len(),
    };
    let operator = &inner[name..];
    let operator =
        operator.strip_prefix(b":").filter(|rest| matches!(rest.first(), Some(b'-' | b'+'))).unwrap_or(operator);
    name > 0 && matches!(operator.first(), None | Some(b'-' | b'+' | b'%' | b'#'))
}

fn push(parts: &mut Vec<Part>, text: &[u8], quoted: bool) {
    match parts.last_mut() {
        Some(Part::Text { bytes, quoted: same }) if *same == quoted => bytes.extend_from_slice(text),
        _ => parts.push(Part::Text { bytes: text.to_vec(), quoted }),
    }
}
