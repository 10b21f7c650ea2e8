//! `env_file:` as docker-compose up to 1.25 and docker compose v2 read it. For 1.26 to 1.29 see `dotenv`.

use super::Seen;
use super::collector::{Collector, control_of};
use super::python::{is_python_space, passed_on, utf8};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What these two do with `=value`.
const NO_NAME: &str =
    "compose passes on a variable without a name, and the Docker daemon then refuses to create the container";

/// docker-compose up to 1.25: lines are stripped and taken as they are.
///
/// Source: docker/compose 1.25.5 `compose/config/environment.py` (`env_vars_from_file`, `split_env`); its
/// lines come from Python's `codecs` reader, which ends them wherever `str.splitlines` does.
/// 1.17 and older differ in two things: a BOM stays, and blanks in a name are accepted as part of it.
pub(super) fn read_v1_plain(out: &mut Collector<'_>) {
    let Some(text) = utf8(out) else { return };
    let whole = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.len() - whole.len();
    let mut nameless = None;
    for (offset, line) in python_lines(whole) {
        let line = line.trim_matches(is_python_space);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.contains(is_python_space) {
            return out.reject(start + offset, "docker-compose refuses the file: a name contains a blank");
        }
        if name.is_empty() {
            nameless.get_or_insert(start + offset);
        }
        if out.wants(name.as_bytes()) {
            let seen = value.map_or(Seen::Inherited, passed_on);
            out.set(name.as_bytes(), seen);
        }
    }
    if let Some(position) = nameless {
        out.reject(position, NO_NAME);
    }
}

/// Python's `str.splitlines`, with the place of each line.
fn python_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut offset = 0;
    text.split_inclusive(ends).map(move |line| {
        let at = offset;
        offset += line.len();
        (at, line)
    })
}

/// docker compose v2.
///
/// Source: compose-spec/compose-go `dotenv/parser.go` and, for `$`, `template/template.go`. A statement may
/// follow another on the same line (`A="x" B=y`), and `NAME: value` is accepted. References to other
/// variables are answered from the caller's environment before the file, so their values are never known here.
pub(super) fn read_v2(out: &mut Collector<'_>) {
    let bytes = out.bytes;
    let mut position = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let mut nameless = None;
    while let Some(start) = statement_start(bytes, position) {
        let statement = match Statement::locate(bytes, start, out) {
            Ok(statement) => statement,
            Err(message) => return out.reject(start, message),
        };
        if statement.inherited {
            if !statement.name.is_empty() {
                out.inherit_or_keep(statement.name);
            }
            position = statement.rest;
            continue;
        }
        if statement.name.is_empty() {
            nameless.get_or_insert(start);
        }
        let wanted = out.wants(statement.name);
        let value = match Value::extract(bytes, statement.rest, wanted) {
            Ok(value) => value,
            Err(message) => return out.reject(start, message),
        };
        if value.doubtful {
            out.doubt(start, "whether docker compose accepts the file depends on the caller's environment");
        }
        if statement.colon && wanted {
            out.complain(start, "docker compose takes the colon for an equals sign");
        }
        out.set(statement.name, value.seen);
        position = value.rest;
    }
    if let Some(position) = nameless {
        out.reject(position, NO_NAME);
    }
}

/// `getStatementStart`: the next thing that is neither white space nor a comment.
fn statement_start(bytes: &[u8], mut position: usize) -> Option<usize> {
    loop {
        position += leading(&bytes[position..], char::is_whitespace);
        match bytes.get(position)? {
            b'#' => position += memchr::memchr(b'\n', &bytes[position..])?,
            _ => return Some(position),
        }
    }
}

struct Statement<'a> {
    name: &'a [u8],
    inherited: bool,
    colon: bool,
    rest: usize,
}

impl<'a> Statement<'a> {
    /// `locateKeyName`.
    fn locate(bytes: &'a [u8], start: usize, out: &mut Collector<'_>) -> Result<Self, &'static str> {
        let mut start = start;
        if let Some(after) = bytes[start..].strip_prefix(b"export")
            && matches!(after.first(), Some(b' ' | b'\t' | b'\n' | b'\r' | b'\x0c'))
        {
            start = bytes.len() - after.len();
            start += leading(after, is_go_blank);
        }
        let mut end = start;
        let delimiter = loop {
            let Some(&byte) = bytes.get(end) else { break None };
            match byte {
                b'=' | b':' | b'\n' => break Some(byte),
                b'_' | b'.' | b'-' | b'[' | b']' | b'\t' | b'\x0b' | b'\x0c' | b'\r' | b' ' => end += 1,
                byte if byte.is_ascii_alphanumeric() => end += 1,
                byte if byte.is_ascii() => {
                    return Err("docker compose refuses the file: a name has a character it does not take");
                }
                _ => match first_char(&bytes[end..]) {
                    Some(c) if is_go_blank(c) => end += c.len_utf8(),
                    Some(c) if c.is_alphanumeric() => {
                        // Go's letters are not quite Rust's.
                        out.doubt(start, "a name has letters outside ASCII, and docker compose may refuse the file");
                        end += c.len_utf8();
                    }
                    _ => return Err("docker compose refuses the file: a name has a character it does not take"),
                },
            }
        };
        if start == bytes.len() {
            return Err("docker compose refuses the file: there is no name after export");
        }
        // A last line without any delimiter is taken as the value of a variable without a name.
        let (name, rest) = match delimiter {
            Some(_) => (trimmed_end(&bytes[start..end]), end + 1),
            None => (&bytes[..0], start),
        };
        if memchr::memchr(b' ', name).is_some() {
            return Err("docker compose refuses the file: a name contains a space");
        }
        let rest = rest + leading(&bytes[rest..], is_go_blank);
        Ok(Statement { name, inherited: delimiter == Some(b'\n'), colon: delimiter == Some(b':'), rest })
    }
}

struct Value {
    seen: Seen,
    /// The reader may reject the file for a reference in it.
    doubtful: bool,
    rest: usize,
}

impl Value {
    /// `extractVarValue`.
    fn extract(bytes: &[u8], start: usize, wanted: bool) -> Result<Self, &'static str> {
        match bytes.get(start) {
            Some(quote @ (b'"' | b'\'')) => Value::quoted(bytes, start, *quote),
            _ => Value::plain(bytes, start, wanted),
        }
    }

    fn plain(bytes: &[u8], start: usize, wanted: bool) -> Result<Self, &'static str> {
        let rest = &bytes[start..];
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        let rest = start + end.map_or(line.len(), |end| end + 1);
        if !wanted && memchr::memchr(b'$', line).is_none() {
            return Ok(Value { seen: Seen::Unknown, doubtful: false, rest });
        }
        let value = match memchr::memmem::find(line, b" #") {
            Some(comment) => &line[..comment],
            None => line,
        };
        Value::expanded(trimmed_end(value), rest)
    }

    fn quoted(bytes: &[u8], start: usize, quote: u8) -> Result<Self, &'static str> {
        let mut value = Vec::new();
        let mut position = start + 1;
        loop {
            let rest = &bytes[position..];
            let Some(at) = memchr::memchr2(quote, b'\\', rest) else {
                return Err("docker compose refuses the file: a quoted value does not end");
            };
            value.extend_from_slice(&rest[..at]);
            position += at + 1;
            if rest[at] == quote {
                break;
            }
            // Only before its own quote does a backslash go away here.
            match bytes.get(position) {
                Some(next) if *next == quote => value.push(quote),
                Some(next) => value.extend([b'\\', *next]),
                None => {}
            }
            position += 1;
            if position > bytes.len() {
                return Err("docker compose refuses the file: a quoted value does not end");
            }
        }
        match quote {
            b'"' => Value::expanded(&go_unescaped(&value), position),
            _ => Ok(Value { seen: sent(value), doubtful: false, rest: position }),
        }
    }

    /// `template.Substitute`: `$$` is a `$`, a `$` before anything that is no name stays.
    fn expanded(value: &[u8], rest: usize) -> Result<Self, &'static str> {
        let mut literal = Vec::with_capacity(value.len());
        let mut left = value;
        let (mut unknown, mut doubtful) = (false, false);
        while let Some(at) = memchr::memchr(b'$', left) {
            literal.extend_from_slice(&left[..at]);
            left = &left[at + 1..];
            if let Some(after) = left.strip_prefix(b"$") {
                literal.push(b'$');
                left = after;
            } else if let Some(braced) = left.strip_prefix(b"{") {
                unknown = true;
                let (end, harmless) =
                    braced_end(braced).ok_or("docker compose refuses the file: a reference with ${ is not complete")?;
                doubtful |= !harmless;
                left = &braced[end..];
            } else {
                let length = name_length(left);
                if length == 0 {
                    literal.push(b'$');
                }
                unknown |= length > 0;
                left = &left[length..];
            }
        }
        literal.extend_from_slice(left);
        Ok(Value { seen: if unknown { Seen::Unknown } else { sent(literal) }, doubtful, rest })
    }
}

/// On its way to the daemon as JSON, bytes that are not UTF-8 are replaced.
fn sent(value: Vec<u8>) -> Seen {
    match std::str::from_utf8(&value) {
        Ok(text) if !text.contains('\0') => Seen::Value(value),
        _ => Seen::Unknown,
    }
}

/// `expandEscapes`: the escapes of double quotes. `\$` becomes the `$$` that [`Value::expanded`] makes a `$` of.
fn go_unescaped(value: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        result.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&escape, after)) = rest.split_first() else {
            result.push(b'\\');
            break;
        };
        let single = match escape {
            b'"' | b'\\' => escape,
            b'$' => {
                result.extend_from_slice(b"$$");
                rest = after;
                continue;
            }
            b'0' => {
                rest = octal(after, &mut result);
                continue;
            }
            _ => match control_of(escape) {
                Some(control) => control,
                None => {
                    result.push(b'\\');
                    continue;
                }
            },
        };
        result.push(single);
        rest = after;
    }
    result.extend_from_slice(rest);
    result
}

/// `\0` and up to three digits; only three octal ones up to 377 make a character, others lose the zero.
fn octal<'a>(after: &'a [u8], result: &mut Vec<u8>) -> &'a [u8] {
    let count = after.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = after.split_at(count);
    let code = digits.iter().try_fold(0_u32, |code, digit| match digit {
        b'0'..=b'7' => Some(code * 8 + u32::from(digit - b'0')),
        _ => None,
    });
    match code.filter(|code| count == 3 && *code <= 255).and_then(char::from_u32) {
        Some(c) => result.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            result.push(b'\\');
            result.extend_from_slice(digits);
        }
    }
    rest
}

/// The length of `NAME}` or `NAME:-word}` after `${`, which runs to the last brace of its line, and whether
/// substituting it can never be an error.
fn braced_end(braced: &[u8]) -> Option<(usize, bool)> {
    let name = name_length(braced);
    let after = braced.get(name..).filter(|_| name > 0)?;
    if after.starts_with(b"}") {
        return Some((name + 1, true));
    }
    let operator = after.strip_prefix(b":").unwrap_or(after);
    let (kind, word) = operator.split_first().filter(|(kind, _)| matches!(kind, b'-' | b'+' | b'?'))?;
    let line = &word[..memchr::memchr(b'\n', word).unwrap_or(word.len())];
    let close = memchr::memrchr(b'}', line)?;
    let harmless = *kind != b'?' && memchr::memchr3(b'$', b'{', b'}', &line[..close]).is_none();
    Some((braced.len() - word.len() + close + 1, harmless))
}

/// `[_a-z][_a-z0-9]*` without regard to case, which in Go includes two letters outside ASCII.
fn name_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let rest = &bytes[length..];
        length += match rest.first() {
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => 1,
            Some(byte) if byte.is_ascii_digit() && length > 0 => 1,
            _ if rest.starts_with("\u{17f}".as_bytes()) => 2,
            _ if rest.starts_with("\u{212a}".as_bytes()) => 3,
            _ => return length,
        };
    }
}

/// How many bytes at the front are characters of this kind.
fn leading(bytes: &[u8], kind: impl Fn(char) -> bool) -> usize {
    let mut length = 0;
    while let Some(c) = first_char(&bytes[length..]).filter(|c| kind(*c)) {
        length += c.len_utf8();
    }
    length
}

/// Without white space at the end.
fn trimmed_end(bytes: &[u8]) -> &[u8] {
    let mut end = bytes.len();
    while let Some(length) = (1..=end.min(4)).find(|length| {
        std::str::from_utf8(&bytes[end - length..end]).is_ok_and(|text| text.chars().all(char::is_whitespace))
    }) {
        end -= length;
    }
    &bytes[..end]
}

fn first_char(bytes: &[u8]) -> Option<char> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some(char::from(first));
    }
    (2..=bytes.len().min(4)).find_map(|length| std::str::from_utf8(&bytes[..length]).ok()?.chars().next())
}

/// Go's `isSpace` of that parser: blanks that do not end a line.
fn is_go_blank(c: char) -> bool {
    matches!(c, '\t' | '\x0b' | '\x0c' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}
