//! `EnvironmentFile=` of systemd units, and `environment.d` of its user managers.
//!
//! Source: systemd `src/basic/env-file.c` (`parse_env_file_internal`), `src/basic/env-util.c` (what is a valid
//! assignment), `src/core/execute.c` (a file that does not load keeps the unit from starting).

use super::{Seen, collector::Collector};

const SWALLOWED: &str = "systemd before 254 takes the next line for a part of this comment, which ends in a backslash";
const BAD_NAME: &str = "systemd ignores the variable: its name is not made of letters, digits and underscores";
const NOT_UTF8: &str = "systemd refuses the file: a name or value is not valid UTF-8";
const NOT_UTF8_D: &str = "what systemd keeps of the file depends on its release: a name or value is not valid UTF-8";

pub(super) fn read_environment_file(out: &mut Collector<'_>) {
    read(out, false);
}

/// Like `EnvironmentFile=`, but `$` refers to other variables and a variable without a value is ignored.
pub(super) fn read_environment_d(out: &mut Collector<'_>) {
    read(out, true);
}

fn read(out: &mut Collector<'_>, expands: bool) {
    if let Some(nul) = memchr::memchr(0, out.bytes) {
        return out.reject(nul, "systemd refuses the file: it contains a NUL byte");
    }
    let mut since_254 = out.over(out.bytes);
    let Some(comment) = (Parser { expands, comment_goes_on: false }).run(&mut since_254) else {
        return out.adopt(since_254);
    };
    let mut before = out.over(out.bytes);
    Parser { expands, comment_goes_on: true }.run(&mut before);
    since_254.where_differs(&before, comment, SWALLOWED);
    out.adopt(since_254);
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    BeforeName,
    Name,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuoted,
    DoubleQuoted,
    DoubleQuotedEscape,
    Comment,
    CommentEscape,
}

/// The state machine of `parse_env_file_internal`.
struct Parser {
    /// A value may name other variables, and an empty one is ignored, as in `environment.d`.
    expands: bool,
    /// Whether a backslash at the end of a comment carries it on to the next line, as before 254.
    comment_goes_on: bool,
}

impl Parser {
    /// Reads all of it; the first place where it matters whether comments go on.
    fn run(&self, out: &mut Collector<'_>) -> Option<usize> {
        let bytes = out.bytes;
        let mut state = State::BeforeName;
        let mut comment_went_on = None;
        let mut name = Vec::new();
        let mut value = Vec::new();
        // The length without the blanks at the end, while there are any; only a value without quotes loses them.
        let mut stripped = None;
        let (mut start, mut position) = (0, 0);
        while let Some(&byte) = bytes.get(position) {
            let ends_line = matches!(byte, b'\n' | b'\r');
            let blank = ends_line || matches!(byte, b' ' | b'\t');
            match state {
                State::BeforeName => {
                    if matches!(byte, b'#' | b';') {
                        state = State::Comment;
                    } else if !blank {
                        state = State::Name;
                        start = position;
                        name.clear();
                        name.push(byte);
                    }
                }
                State::Name => {
                    if ends_line {
                        out.complain(start, "systemd ignores the line: it has no equals sign");
                        state = State::BeforeName;
                    } else if byte == b'=' {
                        state = State::BeforeValue;
                        value.clear();
                        stripped = None;
                    } else {
                        name.push(byte);
                    }
                }
                State::BeforeValue | State::Value if ends_line => {
                    value.truncate(stripped.unwrap_or(value.len()));
                    if !self.push(start, &name, &value, out) {
                        return comment_went_on;
                    }
                    state = State::BeforeName;
                }
                State::BeforeValue => match byte {
                    b'\'' => state = State::SingleQuoted,
                    b'"' => state = State::DoubleQuoted,
                    b'\\' => state = State::ValueEscape,
                    _ if blank => {}
                    byte => {
                        state = State::Value;
                        value.push(byte);
                    }
                },
                State::Value => {
                    if byte == b'\\' {
                        state = State::ValueEscape;
                        stripped = None;
                    } else {
                        stripped = if blank { stripped.or(Some(value.len())) } else { None };
                        value.push(byte);
                    }
                }
                State::ValueEscape => {
                    state = State::Value;
                    if !ends_line {
                        value.push(byte);
                    }
                }
                State::SingleQuoted if byte == b'\'' => state = State::BeforeValue,
                State::SingleQuoted => value.push(byte),
                State::DoubleQuoted => match byte {
                    b'"' => state = State::BeforeValue,
                    b'\\' => state = State::DoubleQuotedEscape,
                    byte => value.push(byte),
                },
                State::DoubleQuotedEscape => {
                    state = State::DoubleQuoted;
                    match byte {
                        b'"' | b'\\' | b'`' | b'$' => value.push(byte),
                        b'\n' => {}
                        byte => value.extend([b'\\', byte]),
                    }
                }
                State::Comment => {
                    if byte == b'\\' {
                        state = State::CommentEscape;
                        start = position;
                    } else if ends_line {
                        state = State::BeforeName;
                    }
                }
                State::CommentEscape => {
                    if ends_line {
                        comment_went_on.get_or_insert(start);
                    }
                    state = if ends_line && !self.comment_goes_on { State::BeforeName } else { State::Comment };
                }
            }
            position += 1;
        }
        let open = matches!(state, State::SingleQuoted | State::DoubleQuoted | State::DoubleQuotedEscape);
        if open {
            out.complain(start, "systemd takes everything from an open quote to the end of the file into the value");
        }
        value.truncate(stripped.unwrap_or(value.len()));
        if open || matches!(state, State::BeforeValue | State::Value | State::ValueEscape) {
            self.push(start, &name, &value, out);
        }
        comment_went_on
    }

    /// `load_env_file_push` and `strv_env_clean`; whether reading goes on.
    fn push(&self, position: usize, name: &[u8], value: &[u8], out: &mut Collector<'_>) -> bool {
        let blanks = name.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let name = &name[..name.len() - blanks];
        if self.expands {
            if value.is_empty() {
                out.complain(position, "systemd ignores a variable without a value in environment.d");
                return true;
            }
            if !is_valid_name(name) {
                out.complain(position, BAD_NAME);
                return true;
            }
        }
        if !is_valid_utf8(name) || !is_valid_utf8(value) {
            // 252 crashes on it in environment.d; by the source, the variables before it should stay.
            if self.expands {
                out.doubt(position, NOT_UTF8_D);
            } else {
                out.reject(position, NOT_UTF8);
            }
            return false;
        }
        if !is_valid_name(name) {
            out.complain(position, BAD_NAME);
        } else if out.wants(name) {
            let unsure = if self.expands {
                // The generator hands control characters on in escapes that the user manager does not read.
                value.iter().any(|byte| byte.is_ascii_control() || *byte == b'$')
            } else {
                // Releases differ in whether they take control characters other than these.
                value.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n'))
            };
            out.set(name, if unsure { Seen::Unknown } else { Seen::Value(value.to_vec()) });
        }
        true
    }
}

/// `env_name_is_valid`
fn is_valid_name(name: &[u8]) -> bool {
    name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// `utf8_is_valid`, which also refuses noncharacters.
fn is_valid_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii()
        || std::str::from_utf8(bytes).is_ok_and(|text| {
            text.chars().map(u32::from).all(|c| !(0xfdd0..=0xfdef).contains(&c) && c & 0xfffe != 0xfffe)
        })
}
